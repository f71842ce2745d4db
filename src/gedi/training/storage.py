"""Files of trained models as named tensors, for run folders and saved estimators.

Only tensors and plain numbers are written (safetensors), so a file cannot run code when it is read.
The network is built only if its sizes, which follow from the settings, fit the tensors.
"""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn

from gedi.methods import BUILT_IN, Method, method_of
from gedi.model.base import GaussianBase, NormalizedGaussian
from gedi.model.box import Box
from gedi.model.build import build_model
from gedi.model.image_outliers import ImageOutlierEnergy
from gedi.model.kinds import is_convolutional, is_plugged
from gedi.model.mixture import MixtureBase
from gedi.model.outlier_energy import OutlierEnergy
from gedi.model.scaling import Scaling
from gedi.model.smoothing import Smoothing
from gedi.model.spectral import LEADING, SpectralMatrix
from gedi.model.visible import VisibleValues
from gedi.normalizer.estimate import LogNormalizer
from gedi.plugins import Group, Plugin, find
from gedi.sampling.build import build_moves
from gedi.settings import CompleteSettings, Settings, check, complete
from gedi.training.threads import own_state
from gedi.training.trained import TrainedModel
from gedi.untrusted import readable, refuse_special

__all__ = ["load_trained", "plugins_used", "save_trained"]


def save_trained(trained: TrainedModel, file: Path) -> None:
    """Write the tensors of a trained model.

    Raises:
        OSError: the file cannot be written.
    """
    tensors = {
        **{f"model.{name}": value for name, value in trained.model.state_dict().items()},
        **{f"sampler.{name}": value for name, value in trained.sampler.state_dict().items()},
        "scaling.shift": trained.scaling.shift,
        "scaling.scale": trained.scaling.scale,
        "box.low": trained.box.low,
        "box.high": trained.box.high,
        "chains": trained.chains,
        "log_prior": trained.log_prior,
    }
    if trained.smoothing.root is not None:
        root = trained.smoothing.root.state_dict()
        tensors |= {f"smoothing.root.{name}": value for name, value in root.items()}
    if trained.outliers is not None:
        outliers = trained.outliers.state_dict()
        tensors |= {f"outliers.{name}": value for name, value in outliers.items()}
    if trained.visible is not None:
        visible = trained.visible.state_dict()
        tensors |= {f"visible.{name}": value for name, value in visible.items()}
    if trained.normalizer is not None:
        value, error, ess, _ = trained.normalizer
        tensors["normalizer"] = torch.tensor([value, error, ess], dtype=torch.float64)
    plain = {name: value.detach().clone().contiguous() for name, value in tensors.items()}
    try:
        save_file(plain, file)
    except SafetensorError as error:
        raise OSError(str(error)) from error


@own_state()
def load_trained(
    file: Path,
    settings: Settings,
    input_shape: tuple[int, ...],
    *,
    encoder: nn.Module | None = None,
    method: Method | None = None,
) -> TrainedModel:
    """Read the tensors of a trained model.

    Args:
        file: a file that `save_trained` wrote.
        settings: the complete settings of the training.
        input_shape: the shape of one point, (d,) or (C, H, W).
        encoder: the user's module, if the model was trained with one.
        method: the user's method, if the model was trained with one.

    Raises:
        RunError: if the file cannot be read, or does not fit the settings.
        PluginError: if the settings name a part of a plug-in that is not installed.
    """
    with readable(file):
        refuse_special(file)
        tensors = load_file(file)
        check(settings)
        known = complete(settings)
        _check_tensors(tensors, math.prod(input_shape))
        _check_sizes(known, input_shape, tensors, own=encoder is not None)
        return _trained_model(known, input_shape, encoder, method, tensors)


def plugins_used(settings: Settings) -> tuple[Plugin, ...]:
    """The plug-ins that provide the parts which complete settings name."""
    kind, method = settings.encoder.kind, settings.method
    names: list[tuple[Group, str]] = [("gedi.views", name) for name in settings.views.own]
    if is_plugged(kind):
        names.append(("gedi.encoders", str(kind)))
    if method not in BUILT_IN:  # may also be an object of the user
        names.append(("gedi.methods", method))
    found = [find(group, name) for group, name in names]
    return tuple(plugin for plugin in found if plugin is not None)


def _check_tensors(tensors: dict[str, Tensor], d: int) -> None:
    """Check the shapes and types of the tensors that do not belong to modules.

    Raises:
        ValueError: if one differs from those that `save_trained` writes; it names the first.
    """
    shapes: dict[str, tuple[int | None, ...]] = {
        **dict.fromkeys(("scaling.shift", "scaling.scale", "box.low", "box.high"), (d,)),
        "chains": (None, d),
        "log_prior": (None,),
    }
    if "normalizer" in tensors:
        shapes["normalizer"] = (3,)
    for name, shape in shapes.items():
        found = tuple(tensors[name].shape)
        fits = len(found) == len(shape) and all(
            side == asked or (asked is None and side > 0)
            for side, asked in zip(found, shape, strict=True)
        )
        if not fits or not tensors[name].is_floating_point():
            raise ValueError(
                f"{name}: expected floats of shape {str(shape).replace('None', 'n')}, "
                f"got {tensors[name].dtype} of shape {found}"
            )


def _check_sizes(
    settings: CompleteSettings,
    input_shape: tuple[int, ...],
    tensors: dict[str, Tensor],
    *,
    own: bool,
) -> None:
    """Check that the file holds as many weights as the settings require.

    Raises:
        ValueError: if it holds fewer, or if the settings are for points of another kind.
    """
    kind, n_clusters = settings.encoder.kind, settings.n_clusters
    if is_convolutional(kind) and len(input_shape) != 3:
        raise ValueError(f"the encoder {kind} is for images, but points are vectors")
    d = math.prod(input_shape)
    widths = [
        d if kind in ("mlp", "linear") else input_shape[0],
        *settings.encoder.hidden,
        n_clusters,
    ]
    asked = 0 if own or is_plugged(kind) else sum(a * b for a, b in pairwise(widths))
    gaussian = settings.encoder.base and settings.sampler.kind != "base"
    asked += d * min(d, LEADING) if gaussian else 0
    there = sum(tensor.numel() for tensor in tensors.values())
    if max(asked, n_clusters) > there or settings.sampler.jumps > len(tensors):
        raise ValueError(f"the settings ask for {asked} weights or more, but the file has {there}")


def _blank_base(
    settings: CompleteSettings, d: int, tensors: dict[str, Tensor]
) -> GaussianBase | MixtureBase | None:
    """A base with the shapes of the tensors in the file, but without their values."""
    if not settings.encoder.base:
        return None
    if settings.sampler.kind == "base":
        return MixtureBase.blank(tensors)
    kind = NormalizedGaussian if settings.sampler.kind == "exact" else GaussianBase
    return kind(torch.zeros(d), SpectralMatrix.blank(d))


def _trained_model(
    settings: CompleteSettings,
    input_shape: tuple[int, ...],
    encoder: nn.Module | None,
    method: Method | None,
    tensors: dict[str, Tensor],
) -> TrainedModel:
    def part(prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }

    d = math.prod(input_shape)
    base = _blank_base(settings, d, part("model.base."))
    model = build_model(
        settings.encoder,
        input_shape,
        settings.n_clusters,
        base=base,
        module=encoder,
        cosines=(method or method_of(settings.method)).cosines,
        residual=settings.sampler.kind == "base",
        generator=Generator(),
    )
    model.load_state_dict(part("model."))
    box = Box(tensors["box.low"], tensors["box.high"])
    anchors = tensors.get("sampler.moves.1.anchors", torch.zeros(2, d))
    sampler = build_moves(settings.sampler, box, anchors, 1.0, base)
    sampler.load_state_dict(part("sampler."))
    normalizer = None
    if "normalizer" in tensors:
        value, error, ess = tensors["normalizer"].tolist()
        usual = "annealing" if ess < math.inf else "grid"
        kind: str = settings.sampler.kind
        way: Any = kind if kind in ("base", "exact") else usual
        normalizer = LogNormalizer(value, error, ess, way)
    root = None
    if "smoothing.root.rest" in tensors:
        root = SpectralMatrix.blank(d)
        root.load_state_dict(part("smoothing.root."))
    return TrainedModel(
        model=model.requires_grad_(False).eval(),
        scaling=Scaling(tensors["scaling.shift"], tensors["scaling.scale"]),
        box=box,
        sampler=sampler.eval(),
        chains=tensors["chains"],
        log_prior=tensors["log_prior"],
        normalizer=normalizer,
        smoothing=Smoothing(settings.data_noise, root),
        outliers=_outlier_energy(part("outliers."), input_shape),
        visible=_visible(part("visible."), d),
    )


def _visible(tensors: dict[str, Tensor], d: int) -> VisibleValues | None:
    """What is visible in the columns; None for images.

    Raises:
        ValueError: for tensors that do not fit each other or the points.
    """
    if not tensors:
        return None
    visible = VisibleValues.blank(tensors, d)
    visible.load_state_dict(tensors)
    return visible


def _outlier_energy(
    tensors: dict[str, Tensor], input_shape: tuple[int, ...]
) -> OutlierEnergy | None:
    """How unusual points are; None if the file does not say.

    Raises:
        ValueError: for tensors that do not fit each other or the points.
    """
    if not tensors:
        return None
    outliers: OutlierEnergy
    if len(input_shape) == 3:
        channels, height, width = input_shape
        outliers = ImageOutlierEnergy.blank_for(tensors, (channels, height, width))
    else:
        outliers = OutlierEnergy.blank(tensors, math.prod(input_shape))
    outliers.load_state_dict(tensors)
    return outliers

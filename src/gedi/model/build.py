"""Building the network of a training from its settings."""

import torch
from torch import Generator, nn

from gedi.errors import SettingsError
from gedi.model.base import GaussianBase, NormalizedGaussian
from gedi.model.classifier import EnergyClassifier, ResidualClassifier
from gedi.model.encoders import CosineHead, OnAxes, OwnEncoder
from gedi.model.kinds import fresh_encoder
from gedi.model.linear import LinearClassifier
from gedi.model.mixture import MixtureBase
from gedi.settings.complete import EncoderChoice

__all__ = ["build_model", "load_weights"]


def build_model(
    chosen: EncoderChoice,
    input_shape: tuple[int, ...],
    n_outputs: int,
    *,
    base: GaussianBase | MixtureBase | None = None,
    module: nn.Module | None = None,
    cosines: float | None = None,
    residual: bool = False,
    encoder_dtype: torch.dtype | None = None,
    members: tuple[int, ...] = (),
    generator: Generator,
) -> EnergyClassifier:
    """Build the network with new weights; a module of the user keeps its weights.

    Args:
        chosen: settings of the encoder.
        input_shape: the shape of one point, (d,) or (C, H, W).
        n_outputs: the width of the head: the number of clusters, or the width of a projection.
        base: the base density of the energy; None is no base.
        module: an encoder of the user, used instead of the chosen kind.
        cosines: the temperature of a cosine head; None is a linear head.
        residual: whether the head has one more output, the residual of the density.
        encoder_dtype: the dtype in which the encoder computes; None is the dtype of its weights.
        members: leading dimensions of the parameters, () or (k,).
        generator: draws the weights.

    Raises:
        PluginError: if the encoder comes from a plug-in that is not installed.
        SettingsError: if the module does not map points of this shape to features.
    """
    encoder = (
        fresh_encoder(chosen, input_shape, members=members, generator=generator)
        if module is None
        else OwnEncoder(module, input_shape, members=members)
    )
    if chosen.kind == "linear":
        assert isinstance(encoder, OnAxes) and not isinstance(base, MixtureBase)  # planned
        assert base is None or isinstance(base, NormalizedGaussian)
        return LinearClassifier(
            encoder,
            n_outputs,
            base=base,
            encoder_dtype=encoder_dtype,
            members=members,
            generator=generator,
        )
    if residual:
        return ResidualClassifier(
            encoder,
            n_outputs,
            base=base,
            encoder_dtype=encoder_dtype,
            members=members,
            generator=generator,
        )
    head = None
    if cosines is not None:
        n_features = int(encoder.n_features)  # type: ignore[arg-type]
        head = CosineHead(n_features, n_outputs, cosines, members=members, generator=generator)
    return EnergyClassifier(
        encoder,
        n_outputs,
        base=base,
        head=head,
        encoder_dtype=encoder_dtype,
        members=members,
        generator=generator,
    )


def load_weights(model: EnergyClassifier, trained: EnergyClassifier) -> None:
    """Copy the weights of a trained model into one of the same shape.

    Raises:
        SettingsError: if the shapes differ.
    """
    try:
        model.load_state_dict(trained.state_dict())
    except RuntimeError as error:
        raise SettingsError(
            "continuing from a trained model: expected the same features, clusters and encoder; "
            f"{' '.join(str(error).split())}"
        ) from error

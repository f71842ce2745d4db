"""The network of a training, from its settings."""

import torch
from torch import Generator, nn

from gedi.errors import SettingsError
from gedi.model.base import GaussianBase
from gedi.model.classifier import EnergyClassifier
from gedi.model.encoders import CosineHead, OwnEncoder
from gedi.model.kinds import fresh_encoder
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
    encoder_dtype: torch.dtype | None = None,
    members: tuple[int, ...] = (),
    generator: Generator,
) -> EnergyClassifier:
    """The network with fresh weights; a module of the user's keeps those it has.

    Args:
        chosen: settings of the encoder.
        input_shape: of one point, (d,) or (C, H, W).
        n_outputs: of the head: clusters, or the width of a projection.
        base: the density under the energy.
        module: the user's encoder, in place of the chosen kind.
        cosines: the temperature of a head of cosines; None is a linear head.
        encoder_dtype: what the encoder computes in; None is the dtype of its weights.
        members: leading dimensions of the parameters, () or (k,).
        generator: source of the weights.

    Raises:
        PluginError: if the encoder is a plug-in's that is not installed.
        SettingsError: for a module that does not map such points.
    """
    encoder = (
        fresh_encoder(chosen, input_shape, members=members, generator=generator)
        if module is None
        else OwnEncoder(module, input_shape, members=members)
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
        SettingsError: if it has another shape.
    """
    try:
        model.load_state_dict(trained.state_dict())
    except RuntimeError as error:
        raise SettingsError(
            "going on from a trained model: expected the same features, clusters and encoder; "
            f"{' '.join(str(error).split())}"
        ) from error

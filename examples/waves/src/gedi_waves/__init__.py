"""A plug-in for GEDI: waves that are told apart by their form, whatever their phase."""

import numpy as np
import torch
from torch import Tensor, nn

from gedi import Dataset, Method, Terms
from gedi.objective import invariance, prior_agreement

__all__ = ["SYMMETRIC", "WaveNet", "shifted", "waves"]

_LENGTH = 32  # values of a wave, one period
_NOISE = 0.2
_FORMS = {
    "sine": lambda t: np.sin(2 * np.pi * t),
    "square": lambda t: np.where(t < 0.5, 1.0, -1.0),
    "sawtooth": lambda t: 2 * t - 1,
}


def waves(*, n_points: int, seed: int, split: str | None) -> Dataset:
    """Waves at random phases with noise; the split "test" has other ones."""
    generator = np.random.default_rng([seed, split == "test"])
    labels = generator.integers(len(_FORMS), size=n_points)
    t = (np.arange(_LENGTH) / _LENGTH + generator.random((n_points, 1))) % 1
    x = np.choose(labels[:, None], [form(t) for form in _FORMS.values()])
    x += _NOISE * generator.standard_normal(x.shape)
    return Dataset(
        "waves", x.astype(np.float32), labels, class_names=tuple(_FORMS), n_classes=len(_FORMS)
    )


class WaveNet(nn.Module):
    """Circular convolutions and a mean over time: the features of a wave at any phase are equal.

    Args:
        input_shape: of one point, (d,).
    """

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        if len(input_shape) != 1:
            raise ValueError(f"expected waves (d,), got points of shape {input_shape}")
        # Smooth, as chains follow the gradient of the energy.
        self.layers = nn.Sequential(
            nn.Conv1d(1, 16, 7, padding="same", padding_mode="circular"),
            nn.SiLU(),
            nn.Conv1d(16, 32, 7, padding="same", padding_mode="circular"),
            nn.SiLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, 32)."""
        features: Tensor = self.layers(x[:, None])
        return features.mean(-1)


def shifted(x: Tensor) -> Tensor:
    """The same waves at other phases, (n, d) -> (n, d)."""
    n, d = x.shape
    start = torch.randint(d, (n, 1), device=x.device)
    return x.gather(1, (start + torch.arange(d, device=x.device)) % d)


def _symmetric_terms(
    model: nn.Module,
    x: Tensor,
    view: Tensor | None,
    negatives: Tensor | None,
    log_prior: Tensor,
    *,
    smoothed: Tensor | None = None,
    observed: object | None = None,
) -> Terms:
    """INV in both directions, and PRIOR; no density, so never any negatives."""
    logits = model(x if view is None else torch.cat([x, view], -2))
    own, other = logits[..., : x.shape[-2], :], logits[..., x.shape[-2] :, :]
    prior = prior_agreement(own, log_prior)
    zero = torch.zeros_like(prior)
    inv = zero if view is None else (invariance(own, other) + invariance(other, own)) / 2
    return Terms(zero, inv, prior, zero)


SYMMETRIC = Method("symmetric", _symmetric_terms, gives=("inv", "prior"))

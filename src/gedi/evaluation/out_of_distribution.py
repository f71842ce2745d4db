"""Scores that separate points like the data from outliers, and measures of how well they do.

Every score is higher for points that are more like the data:

    log density        -E(x), which is log p(x) up to a constant
    confidence         max_y p(y|x)
    approximate mass   -||∇_x E(x)||; a mode that is high but has little mass has steep slopes
                       (Grathwohl et al., ICLR 2020, https://arxiv.org/abs/1912.03263)

In the measures, outliers are the positive class.
"""

from typing import Protocol

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Generator, Tensor

from gedi.evaluation.outliers import auroc, foils
from gedi.sampling import evaluate

__all__ = [
    "Scored",
    "aupr",
    "confidence_score",
    "detection",
    "fpr_at_95",
    "gradient_score",
    "image_foils",
    "log_density_score",
]

_PART = 500  # points at a time, so that memory does not grow with their number


class Scored(Protocol):
    """A model with an energy and a posterior."""

    def energy(self, x: Tensor) -> Tensor:
        """The energy E(x) in nats, (n, d) -> (n,)."""
        ...

    def posterior(self, x: Tensor) -> Tensor:
        """The posterior p(y|x), (n, d) -> (n, c)."""
        ...


@torch.no_grad()
def log_density_score(model: Scored, x: Tensor) -> Tensor:
    """The log-density up to a constant, -E(x) in nats, (n, d) -> (n,)."""
    return torch.cat([-model.energy(part) for part in torch.split(x, _PART)])


@torch.no_grad()
def confidence_score(model: Scored, x: Tensor) -> Tensor:
    """The confidence max_y p(y|x), (n, d) -> (n,)."""
    return torch.cat([model.posterior(part).amax(-1) for part in torch.split(x, _PART)])


def gradient_score(model: Scored, x: Tensor) -> Tensor:
    """The approximate mass -||∇_x E(x)|| in nats per unit of x, (n, d) -> (n,)."""
    gradients = (evaluate(model.energy, part).gradient for part in torch.split(x, _PART))
    return torch.cat([-gradient.flatten(1).norm(dim=1) for gradient in gradients])


def detection(in_scores: Tensor, out_scores: Tensor) -> dict[str, float]:
    """How well scores separate outliers from the data: "AUROC", "AUPR" and "FPR95".

    Args:
        in_scores: scores (n,) of points like the data.
        out_scores: scores (m,) of outliers.

    Raises:
        ValueError: if a side has no scores, more than one dimension, or NaN among them.
    """
    return {
        "AUROC": auroc(-in_scores, -out_scores),
        "AUPR": aupr(in_scores, out_scores),
        "FPR95": fpr_at_95(in_scores, out_scores),
    }


def aupr(in_scores: Tensor, out_scores: Tensor) -> float:
    """The average precision Σ_t (R_t - R_{t-1}) P_t of detecting outliers by a low score.

    Random scores have the share of outliers, m / (n + m).

    Args:
        in_scores: scores (n,) of points like the data.
        out_scores: scores (m,) of outliers.

    Raises:
        ValueError: if a side has no scores, more than one dimension, or NaN among them.
    """
    _check(in_scores, out_scores)
    # Ranks instead of scores, because scikit-learn does not accept infinite scores.
    _, ranks = torch.unique(
        torch.cat([in_scores.double(), out_scores.double()]), return_inverse=True
    )
    truth = np.repeat([0, 1], [len(in_scores), len(out_scores)])
    return float(average_precision_score(truth, -ranks.cpu().numpy()))


def fpr_at_95(in_scores: Tensor, out_scores: Tensor) -> float:
    """The share of outliers above the threshold that 95 % of the points like the data reach.

        FPR95 = P( s_out >= t ),  t the highest score with P( s_in >= t ) >= 0.95

    Args:
        in_scores: scores (n,) of points like the data.
        out_scores: scores (m,) of outliers.

    Raises:
        ValueError: if a side has no scores, more than one dimension, or NaN among them.
    """
    _check(in_scores, out_scores)
    # Integer arithmetic, because 0.05 n is subject to rounding.
    threshold = in_scores.double().sort().values[len(in_scores) // 20]
    return float((out_scores.double() >= threshold).double().mean())


def image_foils(
    x: Tensor, image_shape: tuple[int, int, int], generator: Generator
) -> dict[str, Tensor]:
    """All kinds of foils of images, as many of each kind as there are images.

    In addition to those of `gedi.evaluation.outliers.foils`, these are

        "constant"         images of one colour, uniform over the range of the values
        "Gaussian noise"   with the mean and deviation of all values, clipped to their range
        "rotated"          by 90°, for square images only

    A rotated image is not an outlier if it looks the same, such as a zero.

    Args:
        x: images (n, C·H·W), of a floating-point dtype.
        image_shape: the shape of an image, (C, H, W).
        generator: draws them, on its own device.

    Returns:
        Outliers (n, C·H·W) by name, in the range of the values of x.

    Raises:
        ValueError: if there are no images, or they have another shape or an integer dtype.
    """
    channels, height, width = image_shape
    if x.ndim != 2 or len(x) == 0 or x.shape[1] != channels * height * width:
        raise ValueError(
            f"expected images (n, {channels * height * width}) of shape {image_shape}, "
            f"got {tuple(x.shape)}"
        )
    if not x.is_floating_point():
        raise ValueError(f"expected images of floating point, got {x.dtype}")
    low, high = x.min(), x.max()
    images = x.reshape(-1, *image_shape)
    device = generator.device
    colours = torch.rand(len(x), channels, 1, 1, generator=generator, device=device).to(x)
    noise = torch.randn(x.shape, generator=generator, device=device).to(x)
    made = {
        **foils(x, low, high, generator),
        "constant": (low + (high - low) * colours).expand_as(images).flatten(1),
        "Gaussian noise": (x.mean() + x.std(correction=0) * noise).clamp(low, high),
    }
    if height == width:
        made["rotated"] = images.rot90(1, (2, 3)).flatten(1)
    return made


def _check(in_scores: Tensor, out_scores: Tensor) -> None:
    for name, scores in (("in_scores", in_scores), ("out_scores", out_scores)):
        if scores.ndim != 1 or len(scores) == 0:
            raise ValueError(f"expected {name} of shape (n,), got {tuple(scores.shape)}")
        if bool(scores.isnan().any()):
            raise ValueError(
                f"expected numbers in {name}, got NaN for {int(scores.isnan().sum())} of them"
            )

"""Foils, which are outliers made from the data, and how well energies separate them.

In few dimensions, foils can coincide with the data: swapping the features maps the circles onto
themselves, and a reflection through the middle maps both the circles and the moons onto themselves.
No score can then reach an AUROC of 1, and 0.5 is correct.
"""

import torch
from torch import Tensor

__all__ = ["auroc", "foils", "inverted", "shuffled", "uniform_noise"]


def auroc(inliers: Tensor, outliers: Tensor) -> float:
    """The probability that an outlier has a higher energy than an inlier; ties count half.

        AUROC = P( E_out > E_in ) + P( E_out = E_in ) / 2

    Args:
        inliers: energies (n,) of points like the data.
        outliers: energies (m,) of other points.

    Raises:
        ValueError: if a side has no energies, more than one dimension, or NaN among them.
    """
    for name, energies in (("inliers", inliers), ("outliers", outliers)):
        if energies.ndim != 1 or len(energies) == 0:
            raise ValueError(f"expected {name} of shape (n,), got {tuple(energies.shape)}")
        if bool(energies.isnan().any()):
            raise ValueError(
                f"expected numbers as energies of {name}, got NaN for "
                f"{int(energies.isnan().sum())} of them"
            )
    # In one dtype, so that equal energies in float32 and float64 tie.
    ranked = inliers.double().sort().values
    queries = outliers.double()
    below = torch.searchsorted(ranked, queries, right=False)
    up_to = torch.searchsorted(ranked, queries, right=True)
    return float((below + up_to).double().mean() / (2 * len(ranked)))


def foils(x: Tensor, low: Tensor, high: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """All kinds of foils, as many of each kind as there are rows in x.

    Args:
        x: data in the box, (n, ...).
        low: the lower corner of the box, of a shape that broadcasts to that of a row.
        high: the upper corner of the box, of such a shape.
        generator: draws them, on its own device.

    Returns:
        Outliers (n, ...) by name: "uniform noise", "shuffled" and "inverted".
    """
    low, high = low.expand(x.shape[1:]), high.expand(x.shape[1:])
    return {
        "uniform noise": uniform_noise(low, high, len(x), generator),
        "shuffled": shuffled(x, generator),
        "inverted": inverted(x, low, high),
    }


def uniform_noise(low: Tensor, high: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Draw points (n, ...) uniformly from the box with corners low (...) and high (...)."""
    share = torch.rand(n, *low.shape, generator=generator, device=generator.device)
    return low + (high - low) * share.to(low)


def shuffled(x: Tensor, generator: torch.Generator) -> Tensor:
    """Rows of x (n, ...) whose values are randomly permuted, each row in its own way.

    This keeps the values but destroys their dependence.
    """
    flat = x.flatten(start_dim=1)
    keys = torch.rand(flat.shape, generator=generator, device=generator.device)
    return flat.gather(1, keys.argsort(dim=1).to(x.device)).reshape(x.shape)


def inverted(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The reflection low + high - x of x (n, ...) through the middle of the box: a negative."""
    return low + high - x

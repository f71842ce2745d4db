"""Outliers made from the data itself, and how well energies tell them apart.

In few dimensions a foil can land on the data: swapping the features maps the circles onto
themselves, and a reflection through the middle does so to the circles and to the moons. Then no
score can reach an AUROC of 1, and one of 0.5 is right.
"""

import torch
from torch import Tensor

__all__ = ["auroc", "foils", "inverted", "shuffled", "uniform_noise"]


def auroc(inliers: Tensor, outliers: Tensor) -> float:
    """Probability that an outlier has the higher energy; ties count half.

        AUROC = P( E_out > E_in ) + P( E_out = E_in ) / 2

    Args:
        inliers: energies (n,) of points like the data.
        outliers: energies (m,) of other points.

    Raises:
        ValueError: no energies on a side, more than one dimension, or NaN among them.
    """
    for name, energies in (("inliers", inliers), ("outliers", outliers)):
        if energies.ndim != 1 or len(energies) == 0:
            raise ValueError(f"expected {name} of shape (n,), got {tuple(energies.shape)}")
        if bool(energies.isnan().any()):
            raise ValueError(f"{int(energies.isnan().sum())} energies of {name} are NaN")
    # In one type, or a float32 energy would never tie with the same energy in float64.
    ranked = inliers.double().sort().values
    queries = outliers.double()
    below = torch.searchsorted(ranked, queries, right=False)
    up_to = torch.searchsorted(ranked, queries, right=True)
    return float((below + up_to).double().mean() / (2 * len(ranked)))


def foils(x: Tensor, low: Tensor, high: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """All kinds of outliers, as many of each as there are rows in x.

    Args:
        x: data (n, ...) in the box.
        low: lower corner of the box, of the shape of a row or one that broadcasts to it.
        high: upper corner of the box, likewise.
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
    """Points (n, ...) uniform over the box with corners low (...) and high (...)."""
    share = torch.rand(n, *low.shape, generator=generator, device=generator.device)
    return low + (high - low) * share.to(low)


def shuffled(x: Tensor, generator: torch.Generator) -> Tensor:
    """Rows of x (n, ...), each with its own random permutation of its values.

    The values stay, and what they say about each other goes.
    """
    flat = x.flatten(start_dim=1)
    keys = torch.rand(flat.shape, generator=generator, device=generator.device)
    return flat.gather(1, keys.argsort(dim=1).to(x.device)).reshape(x.shape)


def inverted(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Reflection low + high - x of x (n, ...) through the middle of the box: a negative."""
    return low + high - x

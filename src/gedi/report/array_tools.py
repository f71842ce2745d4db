"""Helpers for arrays: order by density, finite means, subsets."""

import numpy as np

from gedi.report.content import Floats, Integers

__all__ = ["by_density", "finite_mean", "finite_of", "largest_numbers", "nonzero", "thinned"]


def by_density(log_density: Floats) -> Integers:
    """Rows in ascending order of the log-density; rows without a number come first."""
    return np.argsort(np.nan_to_num(log_density, nan=-np.inf), kind="stable")


def thinned(n: int, limit: int) -> Integers:
    """At most `limit` rows out of n, always the same ones."""
    if n <= limit:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, limit, replace=False))


def finite_of(values: Floats | None) -> Floats:
    """The finite values, flattened."""
    return np.array([]) if values is None else np.asarray(values)[np.isfinite(values)]


def finite_mean(values: Floats) -> float:
    """The mean of the finite values; NaN if there are none."""
    finite = finite_of(values)
    return float(finite.mean()) if finite.size else float("nan")


def nonzero(scale: Floats) -> Floats:
    """Scales to divide by, with 1 in place of 0."""
    return np.where(scale > 0, scale, 1.0)


def largest_numbers(sizes: Integers, limit: int) -> list[int]:
    """Numbers of the largest non-empty clusters, in ascending order."""
    order = np.argsort(-sizes, kind="stable")[:limit]
    return sorted(int(k) for k in order if sizes[k] > 0)

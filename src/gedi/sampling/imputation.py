"""What is missing in points, from the conditional law of the model.

    p(x_m | x_o)  ∝  q(x_m | x_o) exp r(x),    r(x) = logsumexp f(x) - log q(x)

with the known coordinates o, the missing ones m, the base q and the residual r of the network. A
mixture of t laws has conditionals in closed form: with Σ = S_k and n_o known coordinates, component
k has

    weight    w_k t(x_o; ν, μ_o, Σ_oo)
    freedom   ν + n_o
    centre    μ_m + Σ_mo Σ_oo⁻¹ (x_o - μ_o)
    scale     (ν + δ) / (ν + n_o) (Σ_mm - Σ_mo Σ_oo⁻¹ Σ_om),  δ = (x_o - μ_o)ᵀ Σ_oo⁻¹ (x_o - μ_o)

(Ding, The American Statistician 2016, https://arxiv.org/abs/1604.00561). Draws from it get the
weights exp r(x), so that no chain has to find its way between distant modes.
"""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from gedi.errors import DataError
from gedi.model import EnergyClassifier
from gedi.model.base import GaussianBase
from gedi.model.box import Box
from gedi.model.components import GAUSSIAN
from gedi.model.margins import Margins
from gedi.model.mixture import MixtureBase

__all__ = ["Imputed", "impute"]

_DRAWS = 256  # of each point
_VALUES = 2**22  # of draws at a time
_MOST = 512  # features: the covariances of a mixture take k d² numbers
_RIDGE = 1e-9  # of the largest variance


class Imputed(NamedTuple):
    """Points whose missing coordinates are filled in.

    Attributes:
        mean: with conditional means, (n, d).
        std: conditional standard deviations, 0 where nothing was missing, (n, d).
        draw: with a draw from the conditional law, (n, d).
    """

    mean: Tensor
    std: Tensor
    draw: Tensor


class _Law(NamedTuple):
    """A mixture of t laws in coordinates T(x), with margins T or None for the identity.

    Attributes:
        margins: T.
        low: the least T(x) of a draw, (d,).
        high: the greatest.
        weights: (k,).
        freedom: (k,).
        means: (k, d).
        scales: (k, d, d).
    """

    margins: Margins | None
    low: Tensor
    high: Tensor
    weights: Tensor
    freedom: Tensor
    means: Tensor
    scales: Tensor

    def coordinates(self, x: Tensor) -> Tensor:
        """The T(x) of points, (n, d)."""
        return x if self.margins is None else self.margins(x)[0]

    def inverse(self, z: Tensor) -> Tensor:
        """The x of T(x), (n, d)."""
        return z if self.margins is None else self.margins.inverse(z)


@torch.no_grad()
def impute(model: EnergyClassifier, box: Box, x: Tensor, *, generator: Generator) -> Imputed:
    """Fill in the missing coordinates of points.

    Args:
        model: the network and its base, in float64.
        box: around the data, for bases without one.
        x: points, (n, d), float64, NaN where a coordinate is missing.
        generator: of all draws.

    Raises:
        DataError: if the model has no base density, or too many features.
    """
    law = _law_of(model, box)
    missing = x.isnan()
    found = Imputed(x.clone(), torch.zeros_like(x), x.clone())
    patterns, which = torch.unique(missing, dim=0, return_inverse=True)
    rows_at_a_time = max(1, _VALUES // (_DRAWS * x.shape[1]))
    for place, pattern in enumerate(patterns):
        if not pattern.any():
            continue
        for rows in torch.split((which == place).nonzero()[:, 0], rows_at_a_time):
            draws = _draws(law, x[rows], pattern, generator)
            residual = model(draws.flatten(0, 1), with_base=False).logsumexp(-1)
            weights = residual.reshape(len(rows), -1).softmax(1)
            mean = (weights[..., None] * draws).sum(1)
            spread = (weights[..., None] * (draws - mean[:, None]).square()).sum(1).sqrt()
            drawn = torch.multinomial(weights, 1, generator=generator)[:, 0]
            chosen = draws[torch.arange(len(rows)), drawn]
            for into, values in zip(found, (mean, spread, chosen), strict=True):
                into[rows] = torch.where(pattern, values, into[rows])
    return found


def _law_of(model: EnergyClassifier, box: Box) -> _Law:
    """The base of a model as a mixture of t laws.

    Raises:
        DataError: if it has none, or too many features.
    """
    base, d = model.base, box.low.numel()
    if not isinstance(base, MixtureBase | GaussianBase):
        raise DataError(
            "missing values are filled in from the base density, but this model has none: train "
            "with the base that is the default for tables"
        )
    if d > _MOST:
        raise DataError(
            f"missing values are filled in for up to {_MOST} features, but this model has {d}: "
            "reduce them, for example with sklearn.decomposition.PCA"
        )
    if isinstance(base, GaussianBase):
        eye = torch.eye(d).to(base.mean)
        one = base.mean.new_ones(1)
        scales = base.root(base.root(eye))[None]
        low, high = box.to(base.mean)
        return _Law(None, low, high, one, one * GAUSSIAN, base.mean[None], scales)
    frame, parts = base.frame, base.components
    q, eye = parts.means.shape[1], torch.eye(parts.means.shape[1]).to(parts.means)
    axes = frame.axes * frame.spread  # (d, k), of which the first q are the mixture's
    roots = torch.linalg.solve_triangular(
        parts.whiteners, eye.expand_as(parts.whiteners), upper=False
    )
    roots = axes[:, :q] @ roots
    off = frame.rest[:, None] * (torch.eye(d).to(axes) - frame.axes @ frame.axes.T)
    others = axes[:, q:] @ axes[:, q:].T + off @ off.T
    return _Law(
        frame.margins,
        base.low,
        base.high,
        parts.weights,
        parts.freedom,
        frame.centre + parts.means @ axes[:, :q].T,
        roots @ roots.mT + others,
    )


def _draws(law: _Law, x: Tensor, missing: Tensor, generator: Generator) -> Tensor:
    """Draws of the missing coordinates, the same ones of all points, (n, d) -> (n, m, d)."""
    known = ~missing
    log_weights, centres, squares = _conditionals(law, x, missing)
    n_known = int(known.sum())
    which = torch.multinomial(log_weights.softmax(1), _DRAWS, replacement=True, generator=generator)
    freedom = (law.freedom + n_known)[which]
    gamma = torch._standard_gamma(freedom / 2, generator=generator)
    stretch = (law.freedom[which] + squares.gather(1, which)) / (2 * gamma)
    roots = _cholesky(_conditional_scales(law, missing))
    noise = torch.randn(*which.shape, int(missing.sum()), dtype=x.dtype, generator=generator)
    coloured = torch.zeros_like(noise)
    for k, root in enumerate(roots):  # of the components, which are few
        of_k = which == k
        coloured[of_k] = noise[of_k] @ root.T
    index = torch.arange(len(x))[:, None]
    values = centres[index, which] + coloured * stretch.sqrt()[..., None]
    whole = law.coordinates(x.nan_to_num())[:, None].repeat(1, _DRAWS, 1)
    whole[..., missing] = values.clamp(law.low[missing], law.high[missing])
    drawn = law.inverse(whole.flatten(0, 1)).reshape(whole.shape)
    return torch.where(missing, drawn, x[:, None])


def _conditionals(law: _Law, x: Tensor, missing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log-weights (n, k) and centres (n, k, m) of the components, and δ (n, k)."""
    known = ~missing
    apart = law.coordinates(x.nan_to_num())[:, None, known] - law.means[:, known]  # (n, k, o)
    root = _cholesky(law.scales[:, known][:, :, known])
    white = torch.linalg.solve_triangular(root, apart.permute(1, 2, 0), upper=False)  # (k, o, n)
    squares = white.square().sum(1).T
    nu, n_known = law.freedom, int(known.sum())
    log_peak = torch.lgamma((nu + n_known) / 2) - torch.lgamma(nu / 2)
    log_peak = log_peak - 0.5 * n_known * (nu * math.pi).log() + law.weights.log()
    log_peak = log_peak - root.diagonal(dim1=1, dim2=2).log().sum(1)
    log_weights = log_peak - 0.5 * (nu + n_known) * torch.log1p(squares / nu)
    solved = torch.linalg.solve_triangular(root.mT, white, upper=True)
    centres = law.means[:, missing] + (law.scales[:, missing][:, :, known] @ solved).permute(
        2, 0, 1
    )
    return log_weights, centres, squares


def _conditional_scales(law: _Law, missing: Tensor) -> Tensor:
    """Σ_mm - Σ_mo Σ_oo⁻¹ Σ_om of the components, (k, m, m)."""
    known = ~missing
    root = _cholesky(law.scales[:, known][:, :, known])
    across = torch.linalg.solve_triangular(root, law.scales[:, known][:, :, missing], upper=False)
    schur: Tensor = law.scales[:, missing][:, :, missing] - across.mT @ across
    return schur


def _cholesky(matrices: Tensor) -> Tensor:
    """Lower roots of matrices (k, m, m), which rounding may have left without full rank."""
    variances = matrices.diagonal(dim1=1, dim2=2)
    ridge = _RIDGE * variances.amax(1) if variances.shape[1] else variances.sum(1)
    eye = torch.eye(matrices.shape[1]).to(matrices)
    root: Tensor = torch.linalg.cholesky_ex(
        matrices + ridge.clamp_min(1e-12)[:, None, None] * eye
    ).L
    return root

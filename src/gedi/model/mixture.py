"""The density of tables that the energy starts from: a mixture behind robust margins.

Where the Gaussian of the data is a poor fit (groups, heavy tails, bounds, repeated values), a
network would spend its training on what a mixture finds within a second. All choices are made on
held-out rows, and no row, however far, moves the density of the others by much.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Generator, Tensor, nn

from gedi.model.components import GAUSSIAN, Components, expectation_maximisation, partition
from gedi.model.lattice import cell_widths, dequantised
from gedi.model.margins import Margins, quantiles
from gedi.model.spectral import SpectralMatrix

__all__ = ["MixtureBase", "robust_moments"]

_FLOOR = 1e-3  # robust deviations, the least deviation of a direction
_ROWS = 6000  # that a fit looks at
_FIRST_ROWS, _MOST_ROWS = 1000, 2000  # that choices look at, when k is small and at last
_FOLDS = 5
_DIRECTIONS = 64  # of the mixture
_MOST = 64  # components
_WORK = 4e7  # multiplications of an iteration, at most
_STARTS = 5  # of expectation maximisation, whose mixtures are averaged
_STRENGTHS = (0.1, 0.3, 1.0, 4.0)  # of the prior, in points a coordinate
_FREEDOMS = (GAUSSIAN, 6.0)
_BULK = 0.025, 0.975  # levels beyond which draws go no further than `_BEYOND` deviations
_BEYOND = 6.0


class Frame(nn.Module):
    """Coordinates of the mixture: principal axes of the margins, and how far off them a point is.

        y = (T(x) - m) V / s         off = (T(x) - m) (I - V Vᵀ) / r

    off counts as N(0, I) in as many dimensions as it has.

    Args:
        margins: T.
        centre: m, (d,).
        axes: V, orthonormal columns, (d, q).
        spread: s, standard deviations along them, (q,).
        rest: r, standard deviation of each column off them, (d,).
        log_volume: what T(x), y and off add to log |det| and to the constant of N(0, I).
    """

    centre: Tensor
    axes: Tensor
    spread: Tensor
    rest: Tensor
    log_volume: Tensor

    def __init__(
        self,
        margins: Margins,
        centre: Tensor,
        axes: Tensor,
        spread: Tensor,
        rest: Tensor,
        log_volume: Tensor,
    ) -> None:
        super().__init__()
        self.margins = margins
        self.register_buffer("centre", centre)
        self.register_buffer("axes", axes.contiguous())
        self.register_buffer("spread", spread)
        self.register_buffer("rest", rest)
        self.register_buffer("log_volume", log_volume)

    @classmethod
    def fit(cls, x: Tensor, normal: Tensor, constant: Tensor) -> "Frame":
        """The frame of data (n, d).

        Directions of almost no spread are kept off the axes, and in many dimensions or of few rows
        all but the leading ones. Constant columns count with density 1 at their value.

        Args:
            x: data, (n, d).
            normal: mask of the columns with normal margins, (d,).
            constant: mask of the constant columns, (d,).
        """
        n, d = x.shape
        margins = Margins.fit(x, normal)
        z = margins(x)[0]
        centre, covariance = robust_moments(z)
        scatter = SpectralMatrix.of(covariance)
        values, order = scatter.values.sort(descending=True)
        few = d > _DIRECTIONS or n < 3 * d
        most = min(_DIRECTIONS, max(1, n // 6)) if few else d
        thick = int((values > _FLOOR**2 + 1e-10 * values[0]).sum())
        q = max(1, min(most, thick))
        spread = values[:q].clamp_min(_FLOOR**2).sqrt()
        others = d - q - int(constant.sum())
        total = scatter.values.sum() + scatter.rest * (d - len(values))
        left = (total - values[:q].sum()).clamp_min(0) / max(1, others)
        rest = torch.where(constant, _FLOOR, (left + _FLOOR**2).sqrt())
        log_volume = margins.scale[constant].log().sum() - spread.log().sum()
        log_volume -= others * 0.5 * (2 * math.pi * (left + _FLOOR**2)).log()
        return cls(margins, centre, scatter.vectors[:, order[:q]], spread, rest, log_volume)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Y, and the log-density of all that is outside it, (n, d) -> (n, q), (n,)."""
        z, log_det = self.margins(x)
        centred = z - self.centre
        along = centred @ self.axes
        off = (centred - along @ self.axes.T) / self.rest
        return along / self.spread, log_det + self.log_volume - 0.5 * off.square().sum(1)

    def inverse(self, y: Tensor, off: Tensor) -> Tensor:
        """T(x) of coordinates y (n, q) and off (n, d), from which only the part off the axes counts."""
        off = off * self.rest
        return self.centre + (y * self.spread + (-off) @ self.axes) @ self.axes.T + off


class MixtureBase(nn.Module):
    """b(x) = log q(x), with q a mixture of t laws in the coordinates of a `Frame`; in nats.

        log q(x) = log Σ_k w_k t(y; ν_k, μ_k, S_k) + log N(off; 0, I) + log |d(y, off) / dx|

    Args:
        frame: x to (y, off).
        components: the t laws.
        mean: centre of the bulk of the data, (d,).
        root: Σ^(1/2) of the bulk.
        low: T(x) of draws, at least, (d,).
        high: T(x) of draws, at most, (d,).
    """

    mean: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        frame: Frame,
        components: Components,
        root: SpectralMatrix,
        mean: Tensor,
        low: Tensor,
        high: Tensor,
    ) -> None:
        super().__init__()
        self.frame = frame
        self.components = components
        self.root = root
        self.register_buffer("mean", mean)
        self.register_buffer("low", low)
        self.register_buffer("high", high)

    @classmethod
    def fit(cls, x: Tensor, generator: Generator) -> Self:
        """The mixture of data (n, d), on the CPU; float32.

        Repeated values are spread over their cells. A fifth of the rows, of few rows each fifth in
        turn, is held out to choose margins, number of components, their tails and their shrinkage.
        """
        x = x.double()[torch.randperm(len(x), generator=generator)[:_ROWS]]
        constant = (x == x[:1]).all(0)
        constant[0] &= ~constant.all()  # or there would be no density at all
        widths = cell_widths(x)
        x = dequantised(x, widths, generator)
        held_out = _HeldOut(x, _coarse(x, widths), constant, generator)
        choice = _chosen(held_out)
        frame = held_out.frame(x, choice)
        y = frame(x)[0]
        n_starts = max(1, min(_STARTS, int(_WORK / choice.work(y))))
        several = [choice.fit(y, generator, 60, 1e-3) for _ in range(n_starts)]
        box = _box(frame.margins(x)[0])
        return cls(frame, Components.pooled(several), *_bulk(x), *box).float()

    @classmethod
    def blank(cls, tensors: Mapping[str, Tensor]) -> Self:
        """One that can load these tensors, a `state_dict`; all of them are zeros until then."""

        def part(prefix: str) -> dict[str, Tensor]:
            names = [name for name in tensors if name.rpartition(".")[0] == prefix]
            return {name.rpartition(".")[2]: torch.zeros_like(tensors[name]) for name in names}

        components = part("components")
        del components["log_peaks"]  # of the others
        frame = Frame(Margins(**part("frame.margins")), **part("frame"))
        return cls(frame, Components(**components), SpectralMatrix(**part("root")), **part(""))

    def whiten(self, x: Tensor) -> Tensor:
        """Coordinates y in which the components are, (..., d) -> (..., q)."""
        y: Tensor = self.frame(x.reshape(-1, x.shape[-1]).to(self.mean))[0]
        return y.reshape(*x.shape[:-1], -1).to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Log q(x), (..., d) -> (...)."""
        y, log_rest = self.frame(x.reshape(-1, x.shape[-1]).to(self.mean))
        log_density: Tensor = self.components(y) + log_rest
        return log_density.reshape(x.shape[:-1]).to(x.dtype)

    def sample(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Points from q, (*shape, d), the farthest of them moved into the box of the data."""
        n, d = math.prod(shape), len(self.mean)
        y = self.components.sample(n, generator)
        off = torch.randn(n, d, dtype=y.dtype, device=y.device, generator=generator)
        z = self.frame.inverse(y, off).clamp(self.low, self.high)
        return self.frame.margins.inverse(z).reshape(*shape, d)


def robust_moments(z: Tensor) -> tuple[Tensor, Tensor]:
    """Location and scatter of the bulk of points, (n, d) -> (d,), (d, d).

    Weighted moments with weights min(1, 2 (4 + d) / (4 + r²)), r the distance by these moments (an
    M-estimator; Maronna, Ann. Statist. 1976): those of a Gaussian, nearly, and bounded influence of
    far rows. With many columns or few rows, r is measured along the columns alone.
    """
    n, d = z.shape
    weights = z.new_ones(n)
    by_columns = n < 3 * d or d > _DIRECTIONS
    for _ in range(8):
        mean = weights @ z / weights.sum()
        centred = z - mean
        if by_columns:
            variances = weights @ centred.square() / weights.sum()
            squares = (centred.square() / variances.clamp_min(_FLOOR**2)).sum(1)
        else:
            values, vectors = torch.linalg.eigh((centred.T * weights) @ centred / weights.sum())
            least = _FLOOR**2 + 1e-10 * values[-1]
            squares = (centred @ vectors).square() @ (1 / values.clamp_min(least))
        weights = (2 * (4 + d) / (4 + squares)).clamp_max(1)
    mean = weights @ z / weights.sum()
    centred = z - mean
    return mean, (centred.T * weights) @ centred / weights.sum()


def _bulk(x: Tensor) -> tuple[SpectralMatrix, Tensor]:
    """Σ^(1/2) and centre of the bulk of data (n, d)."""
    margins = Margins.fit(x, torch.zeros(x.shape[1], dtype=torch.bool))
    centre, scatter = robust_moments(margins(x)[0])
    scatter.diagonal().add_(_FLOOR**2)
    bulk = SpectralMatrix.of(margins.scale[:, None] * scatter * margins.scale)
    least = 1e-14 * bulk.values.max()  # below is rounding
    root = SpectralMatrix(bulk.vectors, bulk.values.clamp_min(least), bulk.rest.clamp_min(least))
    return root.power(0.5), margins.inverse(centre[None])[0]


def _box(z: Tensor) -> tuple[Tensor, Tensor]:
    """Corners of the box of draws: the range of z, a deviation wider, but not far from the bulk."""
    low, high = quantiles(z, z.new_tensor(_BULK))
    constant = z.amin(0) == z.amax(0)
    wider = torch.where(constant, 0.0, 1.0)
    return (
        torch.maximum(z.amin(0) - wider, low - _BEYOND),
        torch.minimum(z.amax(0) + wider, high + _BEYOND),
    )


def _coarse(x: Tensor, widths: Tensor) -> Tensor:
    """Mask (d,) of the columns of few values or with spikes, whose margins are steps."""
    cells = (x.amax(0) - x.amin(0)) / widths.amax(0).clamp_min(1e-300)
    return (widths > 0).any(0) & ((widths == 0).any(0) | (cells < 40))


class _Choice(NamedTuple):
    """What is chosen on held-out rows.

    Attributes:
        normal: whether all margins are normal, rather than those of coarse columns alone.
        k: components.
        strength: of the prior of the covariances, in points a coordinate.
        freedom: of the components.
    """

    normal: bool
    k: int = 1
    strength: float = 0.3
    freedom: float = 6.0

    def work(self, y: Tensor) -> int:
        """Multiplications of an iteration on points (n, q)."""
        return self.k * y.numel() * y.shape[1]

    def fit(self, y: Tensor, generator: Generator, iterations: int, tolerance: float) -> Components:
        """The mixture of points (n, q)."""
        shares = partition(y, self.k, generator)
        strength = self.strength * (y.shape[1] + 2)
        return expectation_maximisation(y, shares, strength, self.freedom, iterations, tolerance)


class _HeldOut:
    """Log-density of held-out rows by choice, in nats, the mean over folds.

    Args:
        x: data in random order, (n, d).
        coarse: mask of the columns that have normal margins in any case, (d,).
        constant: mask of the constant columns, (d,).
        generator: starts of the components.
    """

    def __init__(self, x: Tensor, coarse: Tensor, constant: Tensor, generator: Generator) -> None:
        self.n = len(x)
        self.coarse, self.constant, self.generator = coarse, constant, generator
        self.folds = [x[i::_FOLDS] for i in range(_FOLDS)]
        self.n_folds = max(1, min(_FOLDS, 1200 // self.n))
        self.parts: dict[tuple[bool, int], list[tuple[Tensor, Tensor, Tensor]]] = {}
        self.scores: dict[tuple[_Choice, int], float] = {}

    def frame(self, x: Tensor, choice: _Choice) -> Frame:
        """The frame of data (n, d)."""
        return Frame.fit(x, (self.coarse | choice.normal) & ~self.constant, self.constant)

    def __call__(self, choice: _Choice, rows: int) -> float:
        """The score of a choice, on this many rows at most; -inf for one that takes too long."""
        at = choice.normal, rows
        if at not in self.parts:
            self.parts[at] = [self._part(choice, i, rows) for i in range(self.n_folds)]
        if (choice, rows) not in self.scores:
            scores = [self._score(choice, *part) for part in self.parts[at]]
            self.scores[choice, rows] = sum(scores) / len(scores)
        return self.scores[choice, rows]

    def _part(self, choice: _Choice, i: int, rows: int) -> tuple[Tensor, Tensor, Tensor]:
        """Coordinates to fit, those held out, and the log-densities of the latter outside them."""
        others = torch.cat(self.folds[:i] + self.folds[i + 1 :])[:rows]
        frame = self.frame(others, choice)
        return frame(others)[0], *frame(self.folds[i][:rows])

    def _score(self, choice: _Choice, y: Tensor, held_out: Tensor, log_rest: Tensor) -> float:
        if choice.k > 1 and (choice.k > len(y) // 3 or choice.work(y) > _WORK):
            return -math.inf
        components = choice.fit(y, self.generator, 40, 3e-3)
        return float((components(held_out) + log_rest).mean())


def _chosen(score: _HeldOut) -> _Choice:
    """Margins and k on some rows; then tails, shrinkage and k, one after another, on more."""
    if score.n < 2 * _FOLDS:
        return _Choice(normal=False)
    rows = _FIRST_ROWS
    kinds = [True] if bool((score.coarse | score.constant).all()) else [False, True]
    starts = [_climbed(score, _Choice(normal), rows) for normal in kinds]
    choice = max(starts, key=lambda c: score(c, rows))
    if score.n > rows:
        rows = _MOST_ROWS
        choice = _climbed(score, choice._replace(k=max(1, choice.k // 2)), rows)
    for _ in range(2):
        near = [choice._replace(strength=s) for s in _STRENGTHS]
        near += [choice._replace(freedom=f) for f in _FREEDOMS]
        choice = _climbed(score, max(near, key=lambda c: score(c, rows)), rows)
        fewer = choice._replace(k=max(1, choice.k // 2))
        choice = max(choice, fewer, key=lambda c: score(c, rows))
    return choice


def _climbed(score: _HeldOut, choice: _Choice, rows: int) -> _Choice:
    """K doubled while held-out rows get likelier; one worse step is looked beyond."""
    more = [choice._replace(k=choice.k * factor) for factor in (2, 4)]
    for candidate in more:
        if candidate.k <= _MOST and score(candidate, rows) > score(choice, rows):
            return _climbed(score, candidate, rows)
    return choice

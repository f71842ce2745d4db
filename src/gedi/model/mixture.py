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

from gedi.deadline import Deadline, growing
from gedi.model.components import GAUSSIAN, Components, expectation_maximisation, partition
from gedi.model.lattice import cell_widths, dequantised
from gedi.model.margins import Margins, quantiles, register
from gedi.model.spectral import WHOLE, SpectralMatrix

__all__ = ["DRAWN", "MixtureBase", "robust_moments", "rows_looked_at"]

_FLOOR = 1e-3  # robust deviations, the least deviation of a direction
_ROWS, _HASTY = 6000, 500  # that a fit looks at, and at first when time is short
_VALUES = 2**21  # in the rows that a fit looks at, with more columns than usual
_FIRST_ROWS, _MOST_ROWS = 1000, 2000  # that choices look at, when k is small and at last
_FOLDS = 5
_DIRECTIONS = 64  # of the mixture
_MOST = 64  # components
_WORK = 4e7  # multiplications of an iteration, at most
_REPEATED = 0.02  # share of the rows from which on identical ones are a component
_CHOOSING = 0.7  # share of the time for choices on held-out rows
_STARTS = 5  # of expectation maximisation, whose mixtures are averaged
_STRENGTHS = (0.1, 0.3, 1.0, 4.0)  # of the prior, in points a coordinate
DRAWN = 2**20  # values of draws at a time
_FREEDOMS = (GAUSSIAN, 6.0)
_BULK = 0.025, 0.975  # levels beyond which draws go no further than `_BEYOND` deviations
_BEYOND = 6.0


class Frame(nn.Module):
    """Coordinates of the mixture: the principal axes of the data behind their margins.

        y = (T(x) - m) V / s         off = (T(x) - m) (I - V Vᵀ) / r

    The first 64 coordinates are the mixture's; the others, and off, are N(0, 1) in all directions.

    Args:
        margins: T.
        tensors: m (d,), V (d, k) with orthonormal columns, s (k,), r (d,), and what y, off and
            the constants of N(0, 1) add to the log-density, a scalar.
    """

    centre: Tensor
    axes: Tensor
    spread: Tensor
    rest: Tensor
    log_volume: Tensor

    def __init__(self, margins: Margins, **tensors: Tensor) -> None:
        super().__init__()
        self.margins = margins
        register(self, tensors)

    @classmethod
    def fit(cls, x: Tensor, normal: Tensor, constant: Tensor) -> "Frame":
        """The frame of data (n, d), with masks (d,) of normal margins and of constant columns.

        Directions of almost no spread are no axes, nor, with few rows, are all but the leading
        ones: they share one deviation. Constant columns have density 1 at their value.
        """
        n, d = x.shape
        margins = Margins.fit(x, normal)
        centre, scatter, total = _robust_spectrum(margins(x)[0])
        values, order = scatter.values.sort(descending=True)
        thick = int((values > _FLOOR**2 + 1e-10 * values[0]).sum())
        k = max(1, min(thick, d if n >= 3 * d else n // 6))
        spread = values[:k].clamp_min(_FLOOR**2).sqrt()
        others = d - k - int(constant.sum())
        left = (total - values[:k].sum()).clamp_min(0) / max(1, others)
        rest = (left + _FLOOR**2).sqrt()
        log_volume = margins.scale[constant].log().sum() - spread.log().sum() - others * rest.log()
        gaussian = others + max(0, k - _DIRECTIONS)
        return cls(
            margins,
            centre=centre,
            axes=scatter.vectors[:, order[:k]],
            spread=spread,
            rest=torch.where(constant, _FLOOR, rest),
            log_volume=log_volume - gaussian * 0.5 * math.log(2 * math.pi),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates of the mixture, and log-density of the others, (n, d) -> (n, q), (n,)."""
        z, log_det = self.margins(x)
        centred = z - self.centre
        along = centred @ self.axes
        off = (centred - along @ self.axes.T) / self.rest
        y = along / self.spread
        squares = y[:, _DIRECTIONS:].square().sum(1) + off.square().sum(1)
        return y[:, :_DIRECTIONS], log_det + self.log_volume - 0.5 * squares

    def inverse(self, y: Tensor, noise: Tensor) -> Tensor:
        """T(x) from coordinates of the mixture and N(0, 1) for the others, (n, q), (n, d)."""
        along = noise @ self.axes
        off = (noise - along @ self.axes.T) * self.rest
        y = torch.cat([y, along[:, _DIRECTIONS:]], 1)
        return self.centre + (y * self.spread) @ self.axes.T + off


class MixtureBase(nn.Module):
    """b(x) = log q(x), with q a mixture of t laws in the coordinates of a `Frame`; in nats.

        log q(x) = log Σ_k w_k t(y; ν_k, μ_k, S_k) + log N(off; 0, I) + log |d(y, off) / dx|

    Args:
        frame: x to (y, off).
        components: the t laws.
        root: Σ^(1/2) of the bulk of the data.
        tensors: mean of the bulk, and low and high, between which T(x) of draws is, all (d,).
    """

    mean: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self, frame: Frame, components: Components, root: SpectralMatrix, **tensors: Tensor
    ) -> None:
        super().__init__()
        self.frame = frame
        self.components = components
        self.root = root
        register(self, tensors)

    @classmethod
    def fit(
        cls,
        x: Tensor,
        generator: Generator,
        source: Tensor | None = None,
        deadline: Deadline = Deadline(),
    ) -> Self:
        """The mixture of data (n, d), on the CPU; float32.

        Repeated values are spread over their cells. A fifth of the rows, of few rows each fifth in
        turn, is held out to choose margins, number of components, their tails and their shrinkage.

        Args:
            x: data, (n, d), on the CPU.
            generator: draws rows, cells and starts.
            source: numbers of the rows, of which copies share one, (n,); copies are held out
                together. None: all are rows of their own.
            deadline: when it is near, fewer rows and choices are looked at.
        """
        drawn = torch.randperm(len(x), generator=generator)[: rows_looked_at(x.shape[1])]
        source = torch.arange(len(x)) if source is None else source
        for m in growing(len(drawn), _HASTY, deadline):
            found = cls._fitted(x[drawn[:m]].double(), generator, source[drawn[:m]], deadline)
        return found

    @classmethod
    def _fitted(cls, x: Tensor, generator: Generator, source: Tensor, deadline: Deadline) -> Self:
        """The mixture of all rows (n, d), in random order."""
        constant = (x == x[:1]).all(0)
        constant[0] &= ~constant.all()  # or there would be no density at all
        kept, repeated, shares = _without_repeated(x, cell_widths(x[:, ~constant]))
        x, source = x[kept], source[kept]
        widths = cell_widths(x)
        x = dequantised(x, widths, generator)
        held_out = _HeldOut(
            x,
            _levels(x, widths),
            constant,
            _folds(source),
            generator,
            deadline=deadline.share(_CHOOSING),
        )
        choice = _chosen(held_out)
        frame = held_out.frame(x, choice)
        y = frame(x)[0]
        n_starts = max(1, min(_STARTS, int(_WORK / choice.work(y))))
        several = [choice.fit(y, generator, 60, 1e-3)]
        while len(several) < n_starts and not deadline.passed:
            several.append(choice.fit(y, generator, 60, 1e-3))
        low, high = _box(frame.margins(x)[0], frame.margins(repeated)[0])
        root, mean = _bulk(x)
        components = Components.pooled(several).with_points(frame(repeated)[0], shares, _FLOOR)
        return cls(frame, components, root, mean=mean, low=low, high=high).float()

    @classmethod
    def blank(cls, tensors: Mapping[str, Tensor]) -> Self:
        """One that can load these tensors, a `state_dict`; all of them are zeros until then."""

        def part(prefix: str) -> dict[str, Tensor]:
            names = [name for name in tensors if name.rpartition(".")[0] == prefix]
            return {name.rpartition(".")[2]: torch.zeros_like(tensors[name]) for name in names}

        frame = Frame(Margins(**part("frame.margins")), **part("frame"))
        components = Components(**part("components"))
        return cls(frame, components, SpectralMatrix(**part("root")), **part(""))

    def whiten(self, x: Tensor) -> Tensor:
        """Coordinates y in which the components are, (..., d) -> (..., q)."""
        y: Tensor = self.frame(x.reshape(-1, x.shape[-1]).to(self.mean))[0]
        return y.reshape(*x.shape[:-1], -1).to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Values of log q(x), (..., d) -> (...)."""
        y, log_rest = self.frame(x.reshape(-1, x.shape[-1]).to(self.mean))
        log_density: Tensor = self.components(y) + log_rest
        return log_density.reshape(x.shape[:-1]).to(x.dtype)

    def sample(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Points from q, (*shape, d), the farthest of them moved into the box of the data."""
        n, d = math.prod(shape), len(self.mean)
        # In parts, as a draw passes through several copies.
        rows = max(1, DRAWN // d)
        parts = [self._drawn(min(rows, n - i), generator) for i in range(0, n, rows)]
        return torch.cat(parts).reshape(*shape, d)

    def _drawn(self, n: int, generator: Generator) -> Tensor:
        y = self.components.sample(n, generator)
        noise = torch.randn(
            (n, len(self.mean)), generator=generator, dtype=y.dtype, device=y.device
        )
        z = self.frame.inverse(y, noise).clamp(self.low, self.high)
        return self.frame.margins.inverse(z)


def rows_looked_at(n_columns: int) -> int:
    """The most rows to which a mixture is fitted."""
    return min(_ROWS, max(_FIRST_ROWS, _VALUES // n_columns))


def robust_moments(z: Tensor) -> tuple[Tensor, Tensor]:
    """Location and scatter of the bulk of points, (n, d) -> (d,), (d, d).

    Weighted moments with weights min(1, 2 (4 + d) / (4 + r²))², r the distance by these moments (an
    M-estimator; Maronna, Ann. Statist. 1976): nearly all that a Gaussian has, and next to nothing
    of far rows. With many columns or few rows, r is measured along the columns alone.

    Args:
        z: points, in robust deviations of each column from its median.
    """
    mean, weights = _robust_weights(z)
    centred = z - mean
    return mean, (centred.T * weights) @ centred / weights.sum()


def _robust_spectrum(z: Tensor) -> tuple[Tensor, SpectralMatrix, Tensor]:
    """Location, decomposed scatter, and the trace of the scatter, of the bulk of points (n, d).

    No matrix (d, d) is formed of few points in many dimensions.
    """
    n, d = z.shape
    if d <= WHOLE or n >= d:
        mean, covariance = robust_moments(z)
        return mean, SpectralMatrix.of(covariance), covariance.trace()
    mean, weights = _robust_weights(z)
    rows = (z - mean) * (weights / weights.sum()).sqrt()[:, None]
    return mean, SpectralMatrix.of_rows(rows), rows.square().sum()


def _robust_weights(z: Tensor) -> tuple[Tensor, Tensor]:
    """Location of the bulk of points, (d,), and the weights of points (n, d), (n,)."""
    n, d = z.shape

    def weighted(squares: Tensor) -> Tensor:
        return (2 * (4 + d) / (4 + squares)).clamp_max(1).square()

    weights = weighted(z.square().sum(1))
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
        weights = weighted(squares)
    return weights @ z / weights.sum(), weights


def _bulk(x: Tensor) -> tuple[SpectralMatrix, Tensor]:
    """Σ^(1/2) and centre of the bulk of data (n, d)."""
    margins = Margins.fit(x, torch.zeros(x.shape[1], dtype=torch.bool))
    z = margins(x)[0]
    if z.shape[1] <= WHOLE or len(z) >= z.shape[1]:
        centre, scatter = robust_moments(z)
        scatter.diagonal().add_(_FLOOR**2)
        bulk = SpectralMatrix.of(margins.scale[:, None] * scatter * margins.scale)
    else:
        centre, weights = _robust_weights(z)
        rows = (z - centre) * (weights / weights.sum()).sqrt()[:, None] * margins.scale
        bulk = SpectralMatrix.of_rows(rows).plus(1.0, _FLOOR**2 * margins.scale.square().mean())
    least = 1e-14 * bulk.values.max()  # below is rounding
    root = SpectralMatrix(bulk.vectors, bulk.values.clamp_min(least), bulk.rest.clamp_min(least))
    return root.power(0.5), margins.inverse(centre[None])[0]


def _box(z: Tensor, repeated: Tensor) -> tuple[Tensor, Tensor]:
    """Corners of the box of draws: the range of z, a deviation wider, but not far from the bulk.

    Points that are components of their own, (m, d), are in it wherever they are.
    """
    low, high = quantiles(z, z.new_tensor(_BULK))
    least, most = z.amin(0), z.amax(0)
    wider = (least < most).to(z)
    low = torch.maximum(least - wider, low - _BEYOND)
    high = torch.minimum(most + wider, high + _BEYOND)
    return torch.cat([low[None], repeated]).amin(0), torch.cat([high[None], repeated]).amax(0)


def _levels(x: Tensor, widths: Tensor) -> Tensor:
    """0 for columns (d,) of few values, whose density is one of steps, 1 with spikes, else 2."""
    cells = (x.amax(0) - x.amin(0)) / widths.amax(0).clamp_min(1e-300)
    spread = widths > 0
    spiked = spread.any(0) & ~spread.all(0)
    return torch.where(spread.all(0) & (cells < 40), 0, torch.where(spiked, 1, 2))


def _without_repeated(x: Tensor, widths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A mask of the rows that do not repeat often, (n,); the others, once each, and their shares.

    Where all columns have cells, rows repeat by nature. Nor are rows taken away without which a
    column would be constant.
    """
    rows, place, counts = torch.unique(x, dim=0, return_inverse=True, return_counts=True)
    many = (counts >= max(5, _REPEATED * len(x))) & ~(widths > 0).all()
    others = rows[~many]
    many &= len(others) > 0 and torch.equal(
        (others == others[:1]).all(0), (rows == rows[:1]).all(0)
    )
    return ~many[place], rows[many], counts[many] / len(x)


def _folds(source: Tensor) -> Tensor:
    """A fold for each row, (n,): the same for copies, and in turn for rows of their own."""
    order = torch.arange(len(source))
    own, place = torch.unique(source, return_inverse=True)
    if len(own) < 2 * _FOLDS:
        return order % _FOLDS
    first = torch.full_like(place, len(source)).scatter_reduce(0, place, order, "amin")
    return first.argsort().argsort()[place] % _FOLDS


class _Choice(NamedTuple):
    """What is chosen on held-out rows.

    Attributes:
        level: of `_levels`, up to which margins are normal.
        k: components.
        strength: of the prior of the covariances, in points a coordinate.
        freedom: of the components.
    """

    level: int
    k: int = 1
    strength: float = 0.3
    freedom: float = 6.0

    def work(self, y: Tensor) -> int:
        """Multiplications of an iteration on points (n, q)."""
        return self.k * y.numel() * y.shape[1]

    def fit(self, y: Tensor, generator: Generator, iterations: int, tolerance: float) -> Components:
        """The mixture of points (n, q)."""
        return expectation_maximisation(
            y,
            partition(y, self.k, generator),
            strength=self.strength * (y.shape[1] + 2),
            freedom=self.freedom,
            iterations=iterations,
            tolerance=tolerance,
        )


class _HeldOut:
    """Log-density of held-out rows by choice, in nats, the mean over folds.

    Args:
        x: data in random order, (n, d).
        levels: of the columns, (d,).
        constant: mask of the constant columns, (d,).
        fold: the fold in which each row is held out, (n,).
        generator: starts of the components.
        deadline: after it all choices that have no score yet have the score -inf.
    """

    def __init__(
        self,
        x: Tensor,
        levels: Tensor,
        constant: Tensor,
        fold: Tensor,
        generator: Generator,
        *,
        deadline: Deadline,
    ) -> None:
        self.deadline = deadline
        self.n = len(x)
        self.levels, self.constant, self.generator = levels, constant, generator
        self.folds = [x[fold == i] for i in range(_FOLDS)]
        self.n_folds = max(1, min(_FOLDS, 600 // self.n))
        self.parts: dict[tuple[int, int], list[tuple[Tensor, Tensor, Tensor]]] = {}
        self.scores: dict[tuple[_Choice, int], float] = {}

    def frame(self, x: Tensor, choice: _Choice) -> Frame:
        """The frame of data (n, d)."""
        return Frame.fit(x, (self.levels <= choice.level) & ~self.constant, self.constant)

    def __call__(self, choice: _Choice, rows: int) -> float:
        """The score of a choice, on this many rows at most; -inf for one that takes too long."""
        if self.deadline.passed and (choice, rows) not in self.scores:
            return -math.inf
        at = choice.level, rows
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
        components = choice.fit(y, self.generator, 40, 5e-3)
        return float((components(held_out) + log_rest).mean())


def _chosen(score: _HeldOut) -> _Choice:
    """Margins and k on some rows; then tails, shrinkage and k, one after another, on more."""
    if score.n < 2 * _FOLDS:
        return _Choice(level=0)
    rows = min(_FIRST_ROWS, max(_HASTY, _VALUES // len(score.constant)))
    wide = len(score.constant) > _DIRECTIONS  # so that each score takes long
    levels = sorted({0, *score.levels[~score.constant].tolist()})
    firsts = [_Choice(level, freedom=_FREEDOMS[0 if wide else -1]) for level in levels]
    choice = max((_climbed(score, c, rows) for c in firsts), key=lambda c: score(c, rows))
    if wide:
        return choice
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
    """The choice with k doubled while held-out rows get likelier, looking two steps ahead."""
    more = [choice._replace(k=choice.k * factor) for factor in (2, 4)]
    for candidate in more:
        if candidate.k <= _MOST and score(candidate, rows) > score(choice, rows):
            return _climbed(score, candidate, rows)
    return choice

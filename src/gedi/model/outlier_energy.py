"""How unusual the rows of a table are: distances to their nearest neighbours, as an energy.

The density of the nearest neighbours (Loftsgaarden & Quesenberry, Ann. Math. Statist. 1965) ranks
outliers better than that of a mixture or a network, which puts components on far rows and finds
some rows that are merely rare in a dense region. Random subsets of the rows as reference, without
their own least typical rows, keep outliers from vouching for each other.
"""

import math
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist, squareform
from torch import Generator, Tensor, nn

from gedi.deadline import Deadline
from gedi.model.margins import CUT, compress, location_and_scale, register

__all__ = ["Explanation", "OutlierEnergy", "reference_rows"]

Metric = Literal["cityblock", "sqeuclidean"]
_OPERATORS: dict[Metric, str] = {"cityblock": "Closest", "sqeuclidean": "ClosestBySquares"}

Numbers = TypeVar("Numbers", Tensor, NDArray[Any])

_HALVINGS = 3  # each gives two references without a common row
_ROWS = 512  # of a reference, at most
_NUMBERS = 2**20  # in a reference, at most
_TRIMMED = 0.1  # share of the rows of a reference that are left out of it
_LEAST_ROWS = 32  # of a reference, where there are so many
_LEAST_HELD_OUT = 200  # rows, where there are so many and time is short
_HELD_OUT = 2000  # rows whose held-out energies are kept
_LEAST = 1e-3  # distance in a column, in robust deviations, that is added to all distances
_SAME = 1e-3  # of the k-th distance: a row closer than that is the point itself
_MANY = 100  # columns above which those of one unit are compared by their directions
_ALIKE = (0.25, 0.98)  # length of the mean direction, between which directions say something
_LENGTH = 0.25  # power of the length of a row, of which 0 would leave nothing
_FAR = 1e30
_PART = 1024  # points at a time, so that memory does not grow with their number
_EXPLAINED = 64  # points at a time whose distances are kept by column


class Explanation(NamedTuple):
    """Why points are unusual.

    Attributes:
        contributions: what each column adds to the energy, in nats, (n, d); they sum up to E(x).
        typical: the median of each column among the nearest neighbours, (n, d).
    """

    contributions: Tensor
    typical: Tensor


class _Nearest(NamedTuple):
    """The nearest rows of a reference: their distances, ascending, and places, (n, k)."""

    distances: Tensor
    places: Tensor


class Reference(nn.Module):
    """Rows to which points are compared.

        E(x) = D log( r(x) / r̄ ),    r(x) = Σ_j ( mean_i |T_j(x) - T_j(x_i)| + 0.001 )

    The mean is over the k nearest of the m rows in the L1 distance, k = √m. A row does not count as
    its own neighbour. T_j divides a column by its robust deviation and compresses the tails beyond
    six of them. Beyond the range of the reference it is linear again, so that no value is so far
    out that it makes no difference. r̄ is the mean of r over the reference, and D its intrinsic
    dimension (Levina & Bickel, NeurIPS 2004).

    Args:
        tensors: rows (m, d); shift, scale and reach of T, the latter in deviations, and the part of
            each column in r̄, (d,); and D, a scalar.
    """

    rows: Tensor
    shift: Tensor
    scale: Tensor
    reach: Tensor
    typical: Tensor
    dimension: Tensor
    _metric: ClassVar[Metric] = "cityblock"
    _same: ClassVar[float] = _SAME

    def __init__(self, **tensors: Tensor) -> None:
        super().__init__()
        register(self, tensors)

    @classmethod
    def fit(cls, x: Tensor) -> Self:
        """The reference of rows (n, d), without a tenth of them."""
        shift, scale = location_and_scale(x)
        whole = cls._unfinished(
            rows=x, shift=shift, scale=scale, reach=torch.full_like(shift, _FAR)
        )
        order, among = whole._most_typical()
        reach = ((x[order] - shift) / scale).abs().amax(0).clamp(CUT, _FAR)
        kept = cls._unfinished(rows=x[order], shift=shift, scale=scale, reach=reach)
        # Their coordinates do not change, as none is beyond its reach.
        kept._finish(among)
        return kept

    @classmethod
    def _unfinished(cls, **tensors: Tensor) -> Self:
        """A reference for which D and r̄ are not known yet."""
        shift = tensors["shift"]
        return cls(**tensors, typical=torch.ones_like(shift), dimension=shift.new_ones(()))

    def _most_typical(self) -> tuple[Tensor, Tensor]:
        """The places of all rows but a tenth, (m,), and the distances among these, (m, m)."""
        n = len(self.rows)
        among = _distances_among(self.coordinates(self.rows), self._metric)
        order = self._mean_of(among).argsort(stable=True)[: max(1, n - int(_TRIMMED * n))]
        return order, among[order][:, order]

    def _finish(self, among: Tensor) -> None:
        """Set D and r̄ from the distances among the rows, (m, m)."""
        rows, (m, d) = self.rows, self.rows.shape
        nearest = self._others(_nearest_of(among, self._n_found))
        distances = nearest.distances + d * _LEAST
        # The inverse of the mean of log(r_k / r_i) over the k - 1 nearest, averaged over rows.
        slopes = (distances[:, -1:] / distances[:, :-1]).log().sum() / max(
            1, distances.shape[1] - 1
        )
        self.dimension = (m / slopes).clamp(1, d) if slopes > 0 else rows.new_tensor(float(d))
        self.typical = self.column_distances(rows, nearest.places).mean(0)

    def forward(self, x: Tensor) -> Tensor:
        """E(x) in nats, (n, d) -> (n,)."""
        r = self._mean_distances(x) + x.shape[-1] * _LEAST
        return self.dimension * (r / self.typical.to(x).sum(-1)).log()

    def coordinates(self, x: Tensor) -> Tensor:
        """T(x), (n, d) -> (n, d)."""
        t = ((x - self.shift) / self.scale).clamp(-_FAR, _FAR)
        beyond = CUT * (t.abs() / self.reach - 1).clamp_min(0)
        return compress(t.clamp(-self.reach, self.reach))[0] + t.sign() * beyond

    def nearest(self, x: Tensor) -> _Nearest:
        """The k nearest rows of points (n, d); a point that is a row is not among them."""
        z, rows = self.coordinates(x), self.coordinates(self.rows.to(x))
        return self._others(_closest(z, rows, self._n_found, self._metric))

    def _others(self, found: _Nearest) -> _Nearest:
        """The k nearest rows that are not the point itself, of the k + 1 nearest."""
        distances, k = found.distances, self._n_neighbours
        is_row = self._is_row(distances[..., 0], distances[..., -1]) & (self.rows.shape[-2] > k)
        chosen = torch.arange(k, device=distances.device) + is_row[..., None]
        return _Nearest(distances.gather(-1, chosen), found.places.gather(-1, chosen))

    def _mean_distances(self, x: Tensor) -> Tensor:
        """The mean distance to the k nearest rows of points (n, d), (n,)."""
        if torch.compiler.is_exporting():
            return self.nearest(x).distances.mean(-1)
        z, rows = self.coordinates(x), self.coordinates(self.rows.to(x))
        return self._mean_of(_distances(z, rows, self._metric))

    def _mean_of(self, distances: Tensor) -> Tensor:
        """The mean of the k least of distances to all rows (n, m), (n,)."""
        k = self._n_neighbours
        if distances.device.type != "cpu" or distances.shape[-1] == k:
            return self._others(_nearest_of(distances, self._n_found)).distances.mean(-1)
        # On a processor numpy's partition takes a quarter of the time of topk.
        found = np.partition(distances.numpy(force=True), k, axis=-1)[..., : k + 1]
        first, last = found.min(-1), found.max(-1)
        # numpy adds in the same order however many points there are, so none depends on others.
        total = found.sum(-1) - np.where(self._is_row(first, last), first, last)
        return torch.from_numpy(total / k).to(distances)

    def _is_row(self, nearest: Numbers, farthest: Numbers) -> Numbers:
        """Whether points are themselves rows, from distances to their first and last neighbours."""
        return nearest < self._same * farthest

    @property
    def _n_neighbours(self) -> int:
        return max(1, round(math.sqrt(self.rows.shape[-2])))

    @property
    def _n_found(self) -> int:
        """The neighbours to find, so that k are left without the point itself."""
        return min(self._n_neighbours + 1, self.rows.shape[-2])

    def column_distances(self, x: Tensor, places: Tensor) -> Tensor:
        """The terms of r(x), (n, d), from the places of the nearest rows, (n, k)."""
        z, others = self.coordinates(x), self.coordinates(self.rows.to(x))
        parts = zip(torch.split(z, _EXPLAINED), torch.split(places, _EXPLAINED), strict=True)
        terms = [self._by_column(some[:, None] - others[at]).mean(1) for some, at in parts]
        return torch.cat(terms) + _LEAST

    @property
    def operator(self) -> str:
        """The name of the search for the nearest rows in an ONNX file."""
        return _OPERATORS[self._metric]

    def _by_column(self, differences: Tensor) -> Tensor:
        """What each column adds to the distances of coordinates."""
        return differences.abs()

    def contributions(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What each column adds to E(x), (n, d), and the places of the nearest rows, (n, k).

        These are the integrated gradients of D log Σ_j a_j (Sundararajan et al., ICML 2017) in the
        column distances a, from those of a typical row, ā, which are known in closed form:

            (a_j - ā_j) D log(r / r̄) / (r - r̄)
        """
        places = self.nearest(x).places
        distances = self.column_distances(x, places)
        usual = self.typical.to(x)
        r, typical = distances.sum(1), usual.sum()
        ratio = r / typical - 1
        near = ratio.abs() < 1e-6  # where the quotient is its limit, 1 - ratio / 2
        slope = torch.where(near, 1 - ratio / 2, ratio.log1p() / torch.where(near, 1.0, ratio))
        excess = (distances - usual) / typical
        return self.dimension * slope[:, None] * excess, places


class DirectionReference(Reference):
    """The same for many columns of one unit, such as features of a network, pixels or counts.

        E(x) = D log( r(x) / r̄ ),    r(x) = Σ_j ( mean_i (T_j(x) - T_j(x_i))² + 0.001 )
        T(x) = √d (u / |u|) (|u| / ℓ)^¼,    u = x - o

    with o the zero of the user's unit and ℓ the median of |u|. Rows are compared by their
    directions, as by the cosine, which tells more about features of photographs than distances in
    columns of equal spread. The length counts a little, so that a row with the usual direction is
    found if its length is far from usual. D is half the intrinsic dimension, as r is a square.

    Args:
        tensors: rows (m, d); shift o, the part of each column in r̄, (d,); scale ℓ / √d and the
            power of the length, (1,); and D, a scalar.
    """

    power: Tensor
    _metric: ClassVar[Metric] = "sqeuclidean"
    _same: ClassVar[float] = _SAME**2

    @classmethod
    def around(cls, x: Tensor, origin: Tensor) -> Self:
        """The reference of rows (n, d), without a tenth of them, for an origin (d,)."""
        length = (x - origin).norm(dim=1).median() / math.sqrt(x.shape[1])
        fixed = {
            "shift": origin,
            "scale": length.clamp_min(torch.finfo(x.dtype).tiny)[None],
            "power": x.new_tensor([_LENGTH]),
        }
        whole = cls._unfinished(rows=x, **fixed)
        order, among = whole._most_typical()
        kept = cls._unfinished(rows=x[order], **fixed)
        kept._finish(among)
        return kept

    def coordinates(self, x: Tensor) -> Tensor:
        """T(x), (n, d) -> (n, d)."""
        u = ((x - self.shift) / self.scale).clamp(-_FAR, _FAR)
        # The length of a row without any would be divided by.
        length = u.double().norm(dim=-1, keepdim=True).clamp_min(1 / _FAR) / math.sqrt(x.shape[-1])
        stretched: Tensor = u * length.pow(self.power - 1).to(u)
        return stretched

    def _by_column(self, differences: Tensor) -> Tensor:
        return differences.square()


class OutlierEnergy(nn.Module):
    """The mean of the energies of several references, in nats: 0 for a typical row.

    Three times the rows are split at random into two halves, of which up to 512 rows each are a
    reference. So at least three references do not know a given row of the training, and their mean
    is its held-out energy.

    Args:
        references: the references.
        tensors: held-out energies of m rows of the training, and the clusters of these, (m,).
    """

    held_out: Tensor
    clusters: Tensor

    def __init__(self, references: list[Reference], **tensors: Tensor) -> None:
        super().__init__()
        self.references = nn.ModuleList(references)
        register(self, tensors)

    @classmethod
    @torch.no_grad()
    def fit(
        cls,
        x: Tensor,
        generator: Generator,
        deadline: Deadline = Deadline(),
        *,
        origin: Tensor | None = None,
    ) -> tuple[Self, Tensor]:
        """The energy of rows (n, d), n >= 2, with held-out energies of up to 2,000 of them.

        Args:
            x: the rows.
            generator: splits them, on the CPU.
            deadline: when it is near, references have fewer rows, and fewer rows are held out.
            origin: the zero of the user's unit, (d,), if all columns share one. With more than 100
                columns, rows are then compared by their directions, see `DirectionReference`, if
                these are similar but not all the same: the length of their mean is from 0.25 to
                0.98.

        Returns:
            The energy, with all clusters 0, and the places of the held-out rows, (m,).
        """
        n, d = x.shape
        m = reference_rows(n, d)
        most = min(_HELD_OUT, max(_LEAST_HELD_OUT, _NUMBERS // (2 * d)))
        if deadline.is_set:
            share = math.sqrt(min(1.0, deadline.left / _seconds(x, m)))
            m, most = (
                min(m, max(_LEAST_ROWS, int(share * m))),
                max(_LEAST_HELD_OUT, int(share * most)),
            )
        halvings = [torch.randperm(n, generator=generator) for _ in range(_HALVINGS)]
        parts = [part for order in halvings for part in (order[:m], order[m : 2 * m])]
        known = torch.zeros(len(parts), n, dtype=torch.bool)
        known.scatter_(1, torch.stack(parts), True)
        # Rows that no reference knows have as many energies as a new row.
        order = torch.randperm(n, generator=generator)
        places = order[known.sum(0)[order].argsort(stable=True)[:most]]
        by_direction = origin is not None and d > _MANY and _are_alike(x, origin)

        def reference(rows: Tensor) -> Reference:
            if origin is None or not by_direction:
                return Reference.fit(rows)
            return DirectionReference.around(rows, origin.to(rows))

        energy = cls([reference(x[part.to(x.device)]) for part in parts])
        each = energy.each(x[places.to(x.device)])
        unknown = (~known[:, places]).to(each)
        held_out = (each * unknown).sum(0) / unknown.sum(0)
        register(energy, {"held_out": held_out, "clusters": torch.zeros_like(held_out).long()})
        return energy, places

    @classmethod
    def blank(cls, tensors: Mapping[str, Tensor], d: int) -> Self:
        """One that can load these tensors, a `state_dict`; all of them are zeros until then.

        Raises:
            ValueError: for tensors that are not those of an energy of points with d columns.
        """
        groups: dict[str, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            prefix, _, end = name.rpartition(".")
            groups.setdefault(prefix, {})[end] = torch.zeros_like(value)
        own = groups.pop("", {})
        by_direction = any("power" in each for each in groups.values())
        columns: dict[str, tuple[int, ...]] = dict.fromkeys(("shift", "typical"), (d,))
        columns |= (
            {"scale": (1,), "power": (1,)} if by_direction else {"scale": (d,), "reach": (d,)}
        )
        for each in groups.values():
            _check_shapes(
                each, {"rows": (len(each.get("rows", ())), d), "dimension": (), **columns}
            )
        m = (len(own.get("held_out", ())),)
        if len({len(each["rows"]) for each in groups.values()}) > 1:
            raise ValueError("outliers: expected references of equal numbers of rows")
        _check_shapes(own, {"held_out": m, "clusters": m})
        kind = DirectionReference if by_direction else Reference
        return cls([kind(**each) for _, each in sorted(groups.items())], **own)

    def forward(self, x: Tensor) -> Tensor:
        """E(x) in nats, (..., d) -> (...)."""
        energy = self.each(x.reshape(-1, x.shape[-1])).mean(0)
        return energy.reshape(x.shape[:-1]).to(x.dtype)

    def each(self, x: Tensor) -> Tensor:
        """The energies of the t references, (n, d) -> (t, n)."""
        parts = torch.split(_wide(x), _PART)
        return torch.stack([torch.cat([one(part) for part in parts]) for one in self._members()])

    def p_values(self, energy: Tensor, clusters: Tensor | None = None) -> Tensor:
        """The share of held-out rows that are at least as unusual, (n,), float64.

            p = (1 + #{i : E_i >= E(x)}) / (m + 1)

        A new row from the law of the training rows, whatever that is, has p <= α with probability
        α at most if no reference knows the held-out rows (split conformal prediction: Vovk et al.,
        2005). Of few rows, each is known to half of the references, whose energies are left out of
        its own (Kim et al., NeurIPS 2020); simulations show no more false alarms from 12 rows on.

        Args:
            energy: E(x), (n,).
            clusters: those of the points, (n,), to be compared with rows of the same cluster.
        """
        if clusters is None:
            return _p_values(self.held_out, energy)
        p = torch.ones_like(energy, dtype=torch.float64)
        for cluster in set(clusters.tolist()):
            inside = clusters == cluster
            p[inside] = _p_values(self.held_out[self.clusters == cluster], energy[inside])
        return p

    def threshold(self, alpha: float) -> float:
        """The energy above which p <= α; infinite with fewer than 1/α - 1 held-out rows."""
        n_above = math.floor(alpha * (len(self.held_out) + 1) + 1e-9) - 1
        if n_above < 0:
            return math.inf
        return float(self.held_out.sort(descending=True).values[n_above])

    @torch.no_grad()
    def explain(self, x: Tensor) -> Explanation:
        """What each column of points (n, d) adds to their energy, and what would be typical."""
        parts = [self._explain(part) for part in torch.split(_wide(x), _EXPLAINED)]
        return Explanation(*(torch.cat(columns) for columns in zip(*parts, strict=True)))

    def _explain(self, x: Tensor) -> Explanation:
        each = [one.contributions(x) for one in self._members()]
        neighbours = [one.rows[at] for one, (_, at) in zip(self._members(), each, strict=True)]
        contributions = torch.stack([some for some, _ in each]).mean(0)
        return Explanation(contributions, torch.cat(neighbours, 1).median(1).values.to(x))

    def stacked(self) -> Reference:
        """All references as one, which takes points (n, d) to their energies (t, n)."""
        each = [dict(one.named_buffers()) for one in self._members()]
        together = {name: torch.stack([one[name] for one in each]) for name in each[0]}
        rows = together.pop("rows")
        kind = type(self._members()[0])
        return kind(rows=rows, **{name: part[:, None] for name, part in together.items()})

    def _members(self) -> list[Reference]:
        return list(self.references)  # type: ignore[arg-type]


def reference_rows(n: int, n_columns: int) -> int:
    """The number of rows in each of the references of n rows."""
    return min(n // 2, _ROWS, max(_LEAST_ROWS, _NUMBERS // n_columns))


def _are_alike(x: Tensor, origin: Tensor) -> bool:
    """Whether rows (n, d) have similar directions from an origin (d,), but not all the same."""
    least, most = _ALIKE
    u = _wide(x[:: max(1, len(x) // _HELD_OUT)]) - origin.to(_wide(x))
    mean = torch.nn.functional.normalize(u, dim=1).mean(0)
    return least <= float(mean.norm()) <= most


def _closest(z: Tensor, rows: Tensor, k: int, metric: Metric) -> _Nearest:
    """The k rows that are nearest to points, (..., n, d) and (..., m, d)."""
    if not torch.compiler.is_exporting():
        return _nearest_of(_distances(z, rows, metric), k)
    # ONNX has no distances: `gedi.export` defines these functions of it, for stacked references.
    name = f"gedi::{_OPERATORS[metric]}"
    shape = (*z.shape[:-1], k)
    operands, dtypes = (z, rows, torch.tensor([k])), (z.dtype, torch.int64)
    return _Nearest(
        *torch.onnx.ops.symbolic_multi_out(name, operands, dtypes=dtypes, shapes=(shape, shape))
    )


def _nearest_of(distances: Tensor, k: int) -> _Nearest:
    """The k least of distances (..., m)."""
    return _Nearest(*distances.topk(k, largest=False))


def _distances_among(z: Tensor, metric: Metric) -> Tensor:
    """Distances of points (n, d) to each other, (n, n), each computed once on a processor."""
    if z.device.type != "cpu":
        return _distances(z, z, metric)
    return torch.from_numpy(squareform(pdist(z.numpy(force=True), metric))).to(z.dtype)


def _distances(z: Tensor, rows: Tensor, metric: Metric) -> Tensor:
    """L1 distances, or squared L2, of points (..., n, d) to rows (..., m, d), (..., n, m)."""
    if z.device.type != "cpu" or z.ndim != 2:
        if metric == "cityblock":
            return torch.cdist(z, rows, p=1)
        # A product of matrices would lose small distances.
        return torch.cdist(z, rows, compute_mode="donot_use_mm_for_euclid_dist").square()
    # On a processor scipy takes half the time of torch.
    found = cdist(z.numpy(force=True), rows.numpy(force=True), metric)
    return torch.from_numpy(found).to(z.dtype)


def _seconds(x: Tensor, m: int) -> float:
    """About how long the fit to rows (n, d) takes with m rows in each reference."""
    some = _wide(x[: min(len(x), _LEAST_ROWS)])
    took = []
    for _ in range(2):  # the first one may load a library
        begun = time.perf_counter()
        _distances(some, some, "cityblock")
        took.append(time.perf_counter() - begun)
    return 2 * _HALVINGS * m * (4 * m + min(len(x), _HELD_OUT)) * min(took) / len(some) ** 2


def _check_shapes(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if found != shapes or any(0 in shape for shape in shapes.values()):
        raise ValueError(f"outliers: expected tensors of the shapes {shapes}, got {found}")


def _p_values(held_out: Tensor, energy: Tensor) -> Tensor:
    """(1 + #{i : E_i >= E}) / (m + 1), (m,) and (n,) -> (n,)."""
    below = torch.searchsorted(held_out.to(energy).sort().values, energy.contiguous())
    return (1 + len(held_out) - below).double() / (1 + len(held_out))


def _wide(x: Tensor) -> Tensor:
    """Points in at least 32 bits."""
    return x if x.dtype == torch.float64 else x.float()

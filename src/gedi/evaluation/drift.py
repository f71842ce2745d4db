"""Drift: how new rows differ from those that a model was trained on.

The model's held-out outlier scores are those of rows that it does not know, so new rows like them
have the same distribution: the two-sample test of Kolmogorov and Smirnov compares them. Clusters
are compared by their shares (Fisher's exact test) and by the means of their columns (Welch's test);
levels are divided by the number of comparisons (Bonferroni), and small changes are not named,
however many rows there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact, ks_2samp, t

from gedi.data.dataset import Values
from gedi.errors import DataError
from gedi.training.trained import TrainedModel

__all__ = ["Batch", "ClusterDrift", "Drift", "drift_of", "look_at"]

Change = Literal["new", "gone", "grew", "shrank", "kept"]

_ALPHA = 0.05  # p-value up to which a row is an outlier
_LEVEL = 0.01  # of all tests of one kind together
_ROWS = 20_000  # new rows that are looked at, at most
_RATIO = 1.25  # of shares, from which a change is named
_EMPTY = 0.05  # ratio of shares below which a cluster is gone
_FEWEST = 10  # rows of a cluster, old and new, whose columns are compared
_SHIFT = 0.5  # standard deviations of a cluster, from which it has moved


class Batch(NamedTuple):
    """New rows, as a model sees them that was not trained on them.

    Attributes:
        rows: the number of rows.
        unusual: the share of rows with a p-value up to 0.05; about 0.05 without drift.
        distance: the largest distance of the distribution functions of their outlier scores and of
            the held-out ones.
        p_value: that of a distance so large without drift.
    """

    rows: int
    unusual: float
    distance: float
    p_value: float

    def __str__(self) -> str:
        scores = "differ from" if self.p_value < _LEVEL else "are like"
        shown = f"= {self.p_value:.2g}" if self.p_value >= 1e-6 else "< 1e-6"
        return (
            f"{self.rows:,} new rows: {self.unusual:.1%} are outliers (about 5% without drift); "
            f"their scores {scores} those of the earlier rows (p {shown})"
        )


class ClusterDrift(NamedTuple):
    """The change of one cluster.

    Attributes:
        cluster: its number.
        before: its share of the old rows.
        now: its share of the new rows.
        change: of the share.
        shift: the largest difference of the means of new and old rows over the columns, in standard
            deviations of the cluster; 0 if no column differs clearly.
        column: the place of that column; -1 if there is none.
    """

    cluster: int
    before: float
    now: float
    change: Change
    shift: float
    column: int


@dataclass(frozen=True)
class Drift:
    """How new rows differ from old ones.

    Args:
        batch: the new rows, by their outlier scores.
        clusters: each cluster.
        names: names of the columns; may be empty.
        titles: names of the clusters; may be empty.
    """

    batch: Batch
    clusters: tuple[ClusterDrift, ...]
    names: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return {
            "batch": self.batch._asdict(),
            "clusters": [each._asdict() for each in self.clusters],
            "names": list(self.names),
        }

    @classmethod
    def of_json(cls, content: Any) -> Self:
        """From what `to_json` returned.

        Raises:
            ValueError: if it is something else.
        """
        try:
            batch = Batch(**content["batch"])
            clusters = tuple(ClusterDrift(**each) for each in content["clusters"])
            names = tuple(map(str, content.get("names", ())))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"drift: cannot be read: {error!r}") from error
        _check_numbers(batch)
        for each in clusters:
            _check_numbers(value for name, value in each._asdict().items() if name != "change")
            if each.change not in _WORDS or (names and each.column not in range(-1, len(names))):
                raise ValueError(f"drift: expected a change in a column, got {each}")
        return cls(batch, clusters, names)

    def __str__(self) -> str:
        lines = [f"{self.batch}."]
        for each in self.clusters:
            parts = []
            if each.change != "kept":
                shares = f"{each.before:.1%} of the old rows, {each.now:.1%} of the new ones"
                parts.append(f"{_WORDS[each.change]} ({shares})")
            if each.column >= 0:
                name = self.names[each.column] if self.names else f"column {each.column}"
                parts.append(f"moved along {name} by {each.shift:+.1f} standard deviations")
            if parts:
                lines.append(f"Cluster {self._title(each.cluster)} {', and '.join(parts)}.")
        if len(lines) == 1:
            lines.append("No cluster grew, shrank, moved, appeared or vanished.")
        return "\n".join(lines)

    def _title(self, cluster: int) -> str:
        title = self.titles[cluster] if self.titles else str(cluster)
        return title if title == str(cluster) else f"{cluster} ({title})"


_WORDS: dict[Change, str] = {
    "new": "is new",
    "gone": "has vanished from the new rows",
    "grew": "grew",
    "shrank": "shrank",
    "kept": "is as large as before",
}


def _check_numbers(values: Iterable[Any]) -> None:
    if not all(isinstance(value, (int, float)) for value in values):
        raise ValueError("drift: expected numbers")


def look_at(trained: TrainedModel, x: Values) -> Batch:
    """Whether new rows (n, d) are like those that a model was trained on.

    Args:
        trained: a model that was not trained on them.
        x: the rows, in the user's units; of more than 20,000, evenly spaced ones are used.

    Raises:
        DataError: if the model has no held-out scores, as for images.
    """
    if trained.outliers is None:
        raise DataError("expected a model of rows of numbers, which knows how unusual rows are")
    some = np.asarray(x[:: -(-len(x) // _ROWS)])
    scores = trained.outlier_scores(some)
    p = trained.outlier_p_values(scores)
    test = ks_2samp(-scores, trained.outliers.held_out.double().numpy())
    return Batch(len(x), float((p <= _ALPHA).mean()), float(test.statistic), float(test.pvalue))


def drift_of(
    trained: TrainedModel,
    x: Values,
    n_before: int,
    batch: Batch,
    *,
    former: NDArray[np.int64] | None = None,
    names: Sequence[str] = (),
    titles: Sequence[str] = (),
) -> Drift:
    """How each cluster changed from the old to the new rows.

    Args:
        trained: a model of all rows.
        x: old rows, then new rows, in the user's units, (n, d).
        n_before: the number of old rows.
        batch: what an earlier model says about the new rows.
        former: the number of each cluster in the earlier model, -1 for new ones, (c,).
        names: of the columns.
        titles: names of the clusters.
    """
    codes = trained.clusters(x)
    c = trained.n_clusters
    old, new = np.asarray(x[:n_before], np.float64), np.asarray(x[n_before:], np.float64)
    old_codes, new_codes = codes[:n_before], codes[n_before:]
    found = []
    for k in range(c):
        a, b = old[old_codes == k], new[new_codes == k]
        is_new = former is not None and former[k] < 0
        table = [[len(a), len(old) - len(a)], [len(b), len(new) - len(b)]]
        surely = bool(fisher_exact(table).pvalue < _LEVEL / c)
        before, now = len(a) / len(old), len(b) / len(new)
        # What a new cluster took from old ones is no earlier place of it.
        shift, column = (0.0, -1) if is_new else _shift(a, b, _LEVEL / c)
        change = _change(before, now, surely=surely, is_new=is_new)
        found.append(ClusterDrift(k, before, now, change, shift, column))
    return Drift(batch, tuple(found), tuple(names), tuple(titles))


def _change(before: float, now: float, *, surely: bool, is_new: bool) -> Change:
    if not surely or max(before, now) < _RATIO * min(before, now):
        return "kept"
    if now < before:
        return "gone" if now < _EMPTY * before else "shrank"
    return "new" if is_new else "grew"


def _shift(a: NDArray[np.float64], b: NDArray[np.float64], level: float) -> tuple[float, int]:
    """The largest clear difference of the means of rows (n, d) and (m, d), and its column."""
    if min(len(a), len(b)) < _FEWEST:
        return 0.0, -1
    var_a, var_b = a.var(0, ddof=1), b.var(0, ddof=1)
    spread = np.sqrt((var_a + var_b) / 2)
    difference = b.mean(0) - a.mean(0)
    error = np.sqrt(var_a / len(a) + var_b / len(b))
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.nan_to_num(difference / spread, posinf=0.0, neginf=0.0)
        score = np.nan_to_num(np.abs(difference) / error, posinf=0.0)
    # With the fewer rows' degrees of freedom, Welch's test errs on the safe side.
    limit = t.isf(level / (2 * a.shape[1]), min(len(a), len(b)) - 1)
    clear = np.where(score > limit, np.abs(shift), 0.0)
    column = int(clear.argmax())
    return (float(shift[column]), column) if clear[column] >= _SHIFT else (0.0, -1)

"""Names of clusters, given by people or found in texts, and merges; stored in the run folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gedi.errors import RunError
from gedi.files import beside
from gedi.untrusted import json_of, readable

__all__ = ["BEFORE", "FILE", "ClusterNames", "given_names", "names_of_run"]

FILE = "names.json"
BEFORE = "names-before.json"  # of the earlier run whose cluster numbers are kept (--like)
_RESULT = "result.json"
_LONGEST = 100


@dataclass(frozen=True)
class ClusterNames:
    """The name of each cluster, and the cluster that it has been merged into.

    Args:
        names: one for each cluster.
        into: for each cluster the one that it was merged into; itself if it was not merged.
        given: for each cluster whether a person gave it its name.
    """

    names: tuple[str, ...]
    into: tuple[int, ...]
    given: tuple[bool, ...]

    def __post_init__(self) -> None:
        n = len(self.names)
        if len(self.given) != n:
            raise ValueError(f"expected whether each of {n} names was given")
        if len(self.into) != n or any(not 0 <= k < n or self.into[k] != k for k in self.into):
            raise ValueError(
                f"expected {n} clusters, each merged into one that is not merged, got {self.into}"
            )

    @classmethod
    def fresh(cls, n_clusters: int, found: Sequence[str] = ()) -> "ClusterNames":
        """Names found in the data, or numbers, and no merges."""
        names = tuple(found) or tuple(map(str, range(n_clusters)))
        return cls(names, tuple(range(n_clusters)), (False,) * n_clusters)

    @classmethod
    def load(cls, folder: Path, n_clusters: int) -> "ClusterNames":
        """The names of the clusters of a run.

        Those that nobody gave are the names that the training found in texts, or numbers.

        Raises:
            RunError: if a file is damaged or holds another number of clusters.
        """
        file = folder / FILE
        fresh = cls.fresh(n_clusters, _found_names(folder, n_clusters))
        if not file.exists():
            return fresh
        stored = cls.of_file(file)
        if len(stored.names) != n_clusters:
            raise RunError(
                f"{file}: expected names of {n_clusters} clusters, got {len(stored.names)}; "
                "remove it to start again"
            )
        both = zip(stored.names, fresh.names, stored.given, strict=True)
        return replace(stored, names=tuple(own if given else new for own, new, given in both))

    @property
    def shown(self) -> list[str]:
        """The name of each cluster; empty if all have only numbers."""
        if self == ClusterNames.fresh(len(self.names)):
            return []
        return [self.of(cluster) for cluster in range(len(self.names))]

    @classmethod
    def of_file(cls, file: Path) -> "ClusterNames":
        """The names in a file, of any number of clusters.

        Raises:
            RunError: if it is damaged.
        """
        with readable(file, "; remove it to start again"):
            content = json_of(file)
            names = tuple(map(str, content["names"]))
            return cls(names, tuple(map(int, content["into"])), tuple(map(bool, content["given"])))

    def save(self, folder: Path, name: str = FILE) -> None:
        """Store the names in a run folder, completely or not at all."""
        content = {
            "names": list(self.names),
            "into": list(self.into),
            "given": list(self.given),
        }
        with beside(folder / name) as file:
            file.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")

    @property
    def groups(self) -> list[int]:
        """The clusters that are not merged into another, in order."""
        return sorted(set(self.into))

    def of(self, cluster: int) -> str:
        """The name of a cluster, or of the one that it was merged into."""
        return self.names[self.into[cluster]]

    def rename(self, cluster: int, name: str) -> "ClusterNames":
        """Rename a cluster and those merged with it.

        Raises:
            ValueError: for an empty name, a long one, or the name of another cluster.
        """
        place, text = self.into[cluster], " ".join(name.split())
        if not 0 < len(text) <= _LONGEST:
            raise ValueError(f"expected a name of 1 to {_LONGEST} characters, got {len(text)}")
        if any(text == self.names[k] for k in self.groups if k != place):
            raise ValueError(f"another cluster has the name {text!r}: merge the two instead")
        return replace(
            self,
            names=(*self.names[:place], text, *self.names[place + 1 :]),
            given=(*self.given[:place], True, *self.given[place + 1 :]),
        )

    def carried(self, former: Sequence[int], found: Sequence[str] = ()) -> "ClusterNames":
        """The given names and the merges for clusters that are the same in another training.

        Args:
            former: the number that each of its clusters has here; -1 for new ones.
            found: the names that its training found, for all other clusters.
        """
        fresh = ClusterNames.fresh(len(former), found)
        names, into, given = list(fresh.names), list(fresh.into), list(fresh.given)
        first: dict[int, int] = {}
        for k, before in enumerate(former):
            if not 0 <= before < len(self.names):
                continue
            group = self.into[before]
            into[k] = first.setdefault(group, k)
            if into[k] == k and self.given[group]:
                names[k], given[k] = self.names[group], True
        return ClusterNames(tuple(names), tuple(into), tuple(given))

    def merge(self, a: int, b: int) -> "ClusterNames":
        """Merge two clusters and those merged with them, under the name of the first.

        Raises:
            ValueError: if they are already merged.
        """
        keep, gone = self.into[a], self.into[b]
        if keep == gone:
            raise ValueError(f"clusters {a} and {b} are already merged")
        return replace(self, into=tuple(keep if k == gone else k for k in self.into))

    def separate(self, cluster: int) -> "ClusterNames":
        """Undo all merges of a cluster."""
        place = self.into[cluster]
        return replace(
            self, into=tuple(own if k == place else k for own, k in enumerate(self.into))
        )

    def probabilities(self, posterior: NDArray[np.float64]) -> NDArray[np.float64]:
        """p(group|x) from p(y|x), summed over merged clusters, (n, c) -> (n, groups)."""
        into = np.array(self.into)
        return np.stack([posterior[:, into == group].sum(1) for group in self.groups], 1)


def given_names(folder: Path, n_clusters: int) -> list[str]:
    """The name of each cluster of a run; empty if all have only numbers.

    Raises:
        RunError: see `ClusterNames.load`.
    """
    return ClusterNames.load(folder, n_clusters).shown


def names_of_run(folder: Path) -> ClusterNames | None:
    """The names and merges that people gave in a run; None if there are none.

    Raises:
        RunError: see `ClusterNames.of_file`.
    """
    file = folder / FILE
    return ClusterNames.of_file(file) if file.is_file() else None


def _found_names(folder: Path, n_clusters: int) -> list[str]:
    """The names that the training found in texts; empty if it found none."""
    file = folder / _RESULT
    if not file.is_file():
        return []
    with readable(file):
        names = [str(name) for name in json_of(file).get("names", [])]
    return names if len(names) == n_clusters else []

"""Names that people give to clusters, and merges of clusters; stored in the run folder."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gedi.errors import RunError
from gedi.files import beside
from gedi.untrusted import RefusedError, json_of

__all__ = ["FILE", "ClusterNames", "given_names"]

FILE = "names.json"
_LONGEST = 100


@dataclass(frozen=True)
class ClusterNames:
    """The name of each cluster, and the cluster that it has been merged into.

    Args:
        names: one for each cluster.
        into: for each cluster the one that it was merged into; itself if it was not merged.
    """

    names: tuple[str, ...]
    into: tuple[int, ...]

    def __post_init__(self) -> None:
        n = len(self.names)
        if len(self.into) != n or any(not 0 <= k < n or self.into[k] != k for k in self.into):
            raise ValueError(
                f"expected {n} clusters, each merged into one that is not merged, got {self.into}"
            )

    @classmethod
    def fresh(cls, n_clusters: int) -> "ClusterNames":
        """Numbers as names, and no merges."""
        return cls(tuple(map(str, range(n_clusters))), tuple(range(n_clusters)))

    @classmethod
    def load(cls, folder: Path, n_clusters: int) -> "ClusterNames":
        """The names stored in a run folder, or fresh ones if there are none.

        Raises:
            RunError: if the file is damaged or holds another number of clusters.
        """
        file = folder / FILE
        if not file.exists():
            return cls.fresh(n_clusters)
        try:
            content = json_of(file)
            names = cls(tuple(map(str, content["names"])), tuple(map(int, content["into"])))
        except (OSError, RefusedError, ValueError, TypeError, KeyError) as error:
            raise RunError(f"{file}: cannot be read ({error}); remove it to start again") from error
        if len(names.names) != n_clusters:
            raise RunError(
                f"{file}: expected names of {n_clusters} clusters, got {len(names.names)}; "
                "remove it to start again"
            )
        return names

    def save(self, folder: Path) -> None:
        """Store the names in a run folder, completely or not at all."""
        content = {"names": list(self.names), "into": list(self.into)}
        with beside(folder / FILE) as file:
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
        return replace(self, names=(*self.names[:place], text, *self.names[place + 1 :]))

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
    """The name of each cluster of a run; empty if none has been named.

    Raises:
        RunError: see `ClusterNames.load`.
    """
    if not (folder / FILE).exists():
        return []
    names = ClusterNames.load(folder, n_clusters)
    return [names.of(cluster) for cluster in range(n_clusters)]

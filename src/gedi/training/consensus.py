"""The consensus of restarts: the average of the clusters that most of them find.

Each of several trainings from random weights makes mistakes of its own: it merges two groups here
and splits one there. Clusters of all trainings that share their points are therefore put together,
and each such group of clusters becomes one (the meta-clustering of Strehl & Ghosh, JMLR 2002,
https://www.jmlr.org/papers/v3/strehl02a.html).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import SpectralClustering
from torch import Tensor

from gedi.distributed import from_first
from gedi.model.encoders import MemberLinear
from gedi.partitions.choice import agreement
from gedi.settings import CompleteSettings
from gedi.training.algorithm import TrainingState
from gedi.training.restarts import Candidate

__all__ = ["FEWEST", "Consensus", "average_head", "grouped", "n_compared", "overlaps", "settle"]

FEWEST = 4  # restarts; fewer cannot outvote the mistakes of one
_LEAST = 1e-6  # overlap of two clusters
_MOST = 2048  # clusters of all restarts whose overlaps are compared, which takes seconds


def n_compared(n_restarts: int, n_clusters: int) -> int:
    """The number of restarts whose clusters are compared."""
    return min(n_restarts, _MOST // n_clusters)


class Consensus(NamedTuple):
    """What restarts agree on.

    Attributes:
        agreement: the adjusted Rand index of the consensus of one half of the restarts and that of
            the other, which is about what another seed gives; None with fewer than eight restarts.
    """

    agreement: float | None


@torch.no_grad()
def settle(
    group: TrainingState,
    into: TrainingState,
    candidates: Sequence[Candidate],
    points: Callable[[], Iterable[Tensor]],
    settings: CompleteSettings,
) -> Consensus | None:
    """Let a training of one network go on from the consensus of several, in place.

    Args:
        group: the state of all networks.
        into: the state of one, of which only head, average, prior and moments change.
        candidates: the measurements of all networks.
        points: gives the points on which clusters are compared, (m_i, d) each.
        settings: those of the training.

    Returns:
        None, and nothing changes, if fewer than four networks can be compared, or if they have
        collapsed.
    """
    c, several = settings.n_clusters, group.average
    shared = np.array([candidate.shared for candidate in candidates])
    best = np.argsort(-shared, kind="stable")[: n_compared(len(shared), c)]
    places = sorted(int(place) for place in best if np.isfinite(shared[place]))
    if len(places) < FEWEST:
        return None
    overlap = overlaps(several.posterior(x[None])[places] for x in points())
    groups = from_first(grouped(overlap, c, settings.seed))
    if groups is None:
        return None

    def clusters(of: list[int], grouping: NDArray[np.int64]) -> Tensor:
        average_head(several.head, of, grouping, into.model.head)
        return torch.cat([into.model.posterior(x).argmax(-1) for x in points()])

    expected = None
    if len(places) >= 2 * FEWEST:
        halves = [slice(start, None, 2) for start in range(2)]
        found = [
            (places[half], grouped(_part(overlap, half, c), c, settings.seed)) for half in halves
        ]
        codes = [clusters(of, own).cpu().numpy() for of, own in found if own is not None]
        expected = from_first(float(agreement(np.stack(codes))[0, -1]) if len(codes) == 2 else 0.0)
    codes_of_all = clusters(places, groups)
    into.average.load_state_dict(into.model.state_dict())
    into.optimizer.state.clear()  # the moments of one network say nothing about the average
    if settings.prior == "learned":
        counts = codes_of_all.bincount(minlength=c).clamp_min(1)
        into.log_prior.copy_((counts / counts.sum()).log())
    return Consensus(expected)


def _part(overlap: Tensor, some: slice, c: int) -> Tensor:
    """The overlaps of the clusters of some of m networks, (m c, m c) -> (k c, k c)."""
    m = len(overlap) // c
    part = overlap.reshape(m, c, m, c)[some, :, some]
    return part.reshape(part.shape[0] * c, -1)


def overlaps(posteriors: Iterable[Tensor]) -> Tensor:
    """How far the points of each two clusters of m networks are the same, (m c, m c).

        J = ⟨p, q⟩ / (|p|² + |q|² - ⟨p, q⟩)

    with p and q the probabilities of the two clusters at all points: the Jaccard index if these are
    0 or 1.

    Args:
        posteriors: the probabilities of the clusters in parts of the points, (m, n_i, c) each.
    """
    products: Tensor | float = 0.0
    for part in posteriors:
        columns = part.transpose(0, 1).flatten(1)
        products = products + columns.T @ columns
    assert isinstance(products, Tensor)
    squares = products.diagonal()
    # A cluster without points has nothing in common with any other.
    either = (squares[:, None] + squares - products).clamp_min(torch.finfo(products.dtype).tiny)
    return products / either


def grouped(overlap: Tensor, n_clusters: int, seed: int) -> NDArray[np.int64] | None:
    """The group of each cluster of m networks, (m, c), by spectral clustering of their overlaps.

    Args:
        overlap: see `overlaps`, (m c, m c).
        n_clusters: the number of groups, c.
        seed: of k-means in the spectral embedding.

    Returns:
        None if fewer than c groups are found, because networks have collapsed.
    """
    search = SpectralClustering(n_clusters, affinity="precomputed", random_state=seed)
    # Without common points at all, the graph would fall apart, which the search warns of.
    groups = search.fit_predict(overlap.cpu().double().clamp_min(_LEAST).numpy())
    if len(np.unique(groups)) < n_clusters:
        return None
    return np.asarray(groups, np.int64).reshape(-1, n_clusters)


@torch.no_grad()
def average_head(
    several: MemberLinear, rows: list[int], groups: NDArray[np.int64], into: MemberLinear
) -> None:
    """Give a head the mean weights of each group of clusters, in place.

    The weights of each network are taken relative to their mean over its clusters, which the
    softmax does not depend on.

    Args:
        several: the heads of several networks.
        rows: the places of m of them.
        groups: the group of each of their clusters, (m, c).
        into: the head that is changed.
    """
    of = torch.nn.functional.one_hot(torch.from_numpy(groups).flatten()).to(several.weight)
    of /= of.sum(0)
    for source, target in ((several.weight, into.weight), (several.bias, into.bias)):
        values = source[rows]
        centred = values - values.mean(-1, keepdim=True)
        target.copy_(centred.transpose(0, 1).flatten(1) @ of)

"""Networks that start from a partition of the data instead of random weights.

If clusters have unequal sizes, networks with random weights converge to wrong partitions, because
PRIOR fills the clusters before INV has found them. Restarts that begin with a partition by k-means
are chosen only if their collapse gap is the smallest: if k-means cuts through dense parts, views
cross the cut.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from gedi.adam import Adam
from gedi.data.dataset import Values
from gedi.data.points import Points
from gedi.deadline import Deadline
from gedi.distributed import anywhere, from_first
from gedi.model import EnergyClassifier, ResidualClassifier
from gedi.model.encoders import MemberLinear
from gedi.model.scaling import Scaling
from gedi.partitions import NumberOfClusters, best_partition, number_of_clusters
from gedi.settings import CompleteSettings

__all__ = [
    "CODED",
    "Codes",
    "FoundNumber",
    "Partition",
    "PrincipalAxes",
    "find_number",
    "fit_codes",
    "found_partition",
    "kmeans_codes",
    "kmeans_head",
    "kmeans_starts",
    "learn_partition",
    "pool_partition",
    "principal_axes",
]

CODED = 5000  # points that are partitioned
_POOL_STEPS = 500  # the most steps of Adam to learn a partition of any shape
_LOOKS = 50  # steps from one look at the learned clusters to the next
_LEARNED = 0.995  # the share of points with which a partition counts as learned
_CODED_STEPS = 200  # steps of Adam to learn the codes of k-means, for nine in ten points
_PART = 500  # points embedded at a time


class Codes(NamedTuple):
    """A partition by k-means from which networks start.

    Attributes:
        codes: the cluster of each point, (n,).
        log_shares: log of the share of points in each cluster, (c,).
    """

    codes: Tensor
    log_shares: Tensor


def kmeans_starts(
    settings: CompleteSettings,
    data: Points,
    log_prior: Tensor,
    model: EnergyClassifier,
    *,
    rows: Tensor | None = None,
    fresh: Callable[[Generator], EnergyClassifier],
    generator: Generator,
) -> Tensor:
    """Let the last n members of a model start from k-means, in place.

    Args:
        settings: the settings of the training; n is `restarts.kmeans`.
        data: all points.
        log_prior: log π, (c,), on the CPU.
        model: all networks side by side, on the CPU.
        rows: places of the points, in random order, as often as their weights say; None means all.
        fresh: returns n networks without a base, which learn the partitions.
        generator: draws the points, the starts of k-means, weights and batches.

    Returns:
        The log of the shares of points in the clusters of k-means, (n, c).
    """
    n = settings.restarts.kmeans
    chosen = torch.randperm(len(data), generator=generator) if rows is None else rows
    x = data[chosen[:CODED].to(data.device)].cpu()
    found = [kmeans_codes(x, log_prior, generator) for _ in range(n)]
    group = fresh(generator)
    fit_codes(
        group,
        x,
        torch.stack([each.codes for each in found]),
        n_steps=_CODED_STEPS,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        generator=generator,
    )
    with torch.no_grad():
        for target, source in zip(model.parameters(), group.parameters(), strict=True):
            target[-n:] = source
    return torch.stack([each.log_shares for each in found])


class Partition(NamedTuple):
    """Points and their clusters, from which a training starts.

    Attributes:
        x: the points, scaled, (m, d).
        codes: their clusters, (m,).
        log_shares: log of the share of points in each cluster, (c,), on the CPU.
        agreement: the expected agreement with the partition of another seed, see
            `gedi.partitions.BestPartition`; None if the clusters were given.
    """

    x: Tensor
    codes: Tensor
    log_shares: Tensor
    agreement: float | None = None


class PrincipalAxes(NamedTuple):
    """Where points are compared if they have many features.

    Attributes:
        centre: the mean of the points, (d,).
        axes: orthonormal columns, (d, k).
        scale: the root of the mean variance along the axes, a scalar.
    """

    centre: Tensor
    axes: Tensor
    scale: Tensor


def principal_axes(x: Tensor, n_axes: int, seed: int) -> PrincipalAxes:
    """The leading principal axes of points.

    Args:
        x: points, (n, d).
        n_axes: the number of axes, k.
        seed: of the randomised decomposition.
    """
    from sklearn.decomposition import PCA  # noqa: PLC0415 - only some trainings need it

    found = PCA(n_axes, svd_solver="randomized", random_state=seed).fit(x.cpu().numpy())
    scale = math.sqrt(found.explained_variance_.mean()) or 1.0
    axes = torch.from_numpy(np.ascontiguousarray(found.components_.T))
    return PrincipalAxes(torch.from_numpy(found.mean_).to(x), axes.to(x), torch.tensor(scale).to(x))


def pool_partition(
    n_clusters: int,
    data: Points,
    generator: Generator,
    *,
    most: int = CODED,
    rows: Tensor | None = None,
    prior: list[float] | None = None,
    axes: PrincipalAxes | None = None,
    deadline: Deadline = Deadline(),
) -> Partition:
    """The best of a pool of partitions of some points; see `gedi.partitions`.

    Args:
        n_clusters: the number of clusters, c.
        data: all points.
        generator: draws the points and the seed of the partitions.
        most: the most points that are partitioned.
        rows: places of the points, in random order, as often as their weights say; None means all.
        prior: the shares of the clusters if the user gave them; the sizes of the clusters get the
            same order. None means any order.
        axes: along which points are compared; None is all features.
        deadline: of the search.
    """
    chosen = torch.randperm(len(data), generator=generator) if rows is None else rows
    x = data[chosen[:most].to(data.device)]
    seed = int(torch.randint(2**31, (), generator=generator))
    seen = x if axes is None else (x - axes.centre) @ axes.axes
    found = best_partition(
        seen.cpu().double().numpy(),
        n_clusters,
        seed,
        one_unit=axes is not None,
        deadline=deadline,
    )
    if deadline.is_set:  # processes may have got differently far
        found = from_first(found)
    codes = found.labels if prior is None else _ordered_as(found.labels, np.asarray(prior))
    return Partition(
        x,
        torch.from_numpy(codes).long().to(x.device),
        _log_shares(codes, n_clusters),
        found.agreement,
    )


class FoundNumber(NamedTuple):
    """The number of clusters that was found, and the rows of the partition.

    Attributes:
        number: the number, its rivals, and the clusters of the rows.
        rows: places of up to 5,000 points, (m,).
    """

    number: NumberOfClusters
    rows: NDArray[np.int64]


def find_number(
    x: Values, seed: int, *, n_axes: int = 0, deadline: Deadline = Deadline()
) -> FoundNumber:
    """The number of clusters, and the partition of up to 5,000 points; see `gedi.partitions`.

    Args:
        x: points in the user's units, (n, d).
        seed: determines the points, and the partitions.
        n_axes: the number of principal axes along which points are compared; 0 is all features.
        deadline: of the search.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(x))[:CODED])
    some = x[rows]
    if n_axes:
        z = Scaling.robust(some)(some)
        axes = principal_axes(z, n_axes, seed)
        some = ((z - axes.centre) @ axes.axes).numpy()
    number = number_of_clusters(
        np.asarray(some, np.float64), seed, one_unit=n_axes > 0, deadline=deadline
    )
    return FoundNumber(number, rows)


def found_partition(found: FoundNumber, data: Points) -> Partition:
    """The partition that came with the number of clusters."""
    codes = found.number.labels
    x = data[torch.from_numpy(found.rows).to(data.device)]
    log_shares = _log_shares(codes, found.number.n_clusters)
    return Partition(
        x, torch.from_numpy(codes).long().to(x.device), log_shares, found.number.agreement
    )


def learn_partition(
    model: EnergyClassifier,
    partition: Partition,
    *,
    learning_rate: float,
    batch_size: int,
    generator: Generator,
    deadline: Deadline = Deadline(),
) -> None:
    """Train one network on a partition: Adam on CE(code, p(y|x)), in place, on its device.

    It ends when nearly all points have their clusters, or when the time is up; INV and PRIOR, and
    the likelihood of the partition, come afterwards.

    Args:
        model: the network, without members.
        partition: the points and their clusters.
        learning_rate: the learning rate of Adam, which falls to zero over the second half.
        batch_size: the number of points per step.
        generator: draws the batches, on the CPU.
        deadline: of the steps.
    """
    x, codes = partition.x, partition.codes
    optimizer = Adam(model.parameters(), lr=learning_rate, fused=True)
    for step in range(_POOL_STEPS):
        if step % _LOOKS == 0 and _agreement(model, x, codes) > _LEARNED:
            break
        if deadline.is_set and anywhere(deadline.passed):
            break
        optimizer.param_groups[0]["lr"] = learning_rate * min(1.0, 2 * (1 - step / _POOL_STEPS))
        pick = torch.randint(len(x), (batch_size,), generator=generator).to(x.device)
        logits = model(x[pick], with_base=False)
        loss = cross_entropy(logits, codes[pick], label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    if isinstance(model, ResidualClassifier):
        # Softmax ignores a shift of all logits, along which Adam has followed rounding errors.
        model.start_at_base()


@torch.no_grad()
def _agreement(model: EnergyClassifier, x: Tensor, codes: Tensor) -> float:
    """The share of points that have the clusters of their codes."""
    found = torch.cat([model(part, with_base=False).argmax(-1) for part in torch.split(x, _PART)])
    return float((found == codes).double().mean())


def kmeans_codes(x: Tensor, log_prior: Tensor, generator: Generator) -> Codes:
    """The clusters of one run of k-means, with sizes in the order of the prior.

    Args:
        x: points (n, d), on the CPU.
        log_prior: log π, (c,).
        generator: draws the start of k-means.
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415 - only trainings need it

    c = len(log_prior)
    seed = int(torch.randint(2**31, (), generator=generator))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # too few distinct points
        found = KMeans(c, n_init=1, random_state=seed).fit_predict(x.numpy())
    codes = _ordered_as(found, log_prior.numpy())
    return Codes(torch.from_numpy(codes), _log_shares(codes, c))


def _ordered_as(codes: NDArray[Any], prior: NDArray[Any]) -> NDArray[np.int64]:
    """The codes with numbers such that the sizes of clusters have the order of a prior, (c,)."""
    counts = np.bincount(codes, minlength=len(prior))
    place = np.empty(len(prior), dtype=np.int64)
    place[np.argsort(-counts, kind="stable")] = np.argsort(-prior, kind="stable")
    return np.asarray(place[codes])


def _log_shares(codes: NDArray[Any], n_clusters: int) -> Tensor:
    """The log of the share of points in each cluster, (c,).

    A cluster without points, as there are fewer distinct points than clusters, counts as one point.
    """
    shares = torch.from_numpy(np.bincount(codes, minlength=n_clusters).clip(1)).double()
    return (shares / shares.sum()).log().float()


@torch.no_grad()
def kmeans_head(model: EnergyClassifier, x: Tensor, n_clusters: int, seed: int) -> EnergyClassifier:
    """A model with the clusters that k-means finds in the embedding of another.

    The nearest of the means m_y has the largest logit of a linear head on the embedding e,

        f_y = ⟨e, m_y⟩ - |m_y|² / 2

    Args:
        model: the model, without members; its head is left out.
        x: points, scaled, (n, d), on the CPU.
        n_clusters: the number of clusters, c.
        seed: the seed of k-means, of which the best of ten runs is used.
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415 - only trainings need it

    embedding = torch.cat([model.encoder(part) for part in torch.split(x, _PART)])
    found = KMeans(n_clusters, n_init=10, random_state=seed).fit(embedding.numpy())
    middles = torch.from_numpy(found.cluster_centers_).to(embedding)
    head = MemberLinear(middles.shape[1], n_clusters, generator=Generator())
    head.weight.copy_(middles.T)
    head.bias.copy_(-0.5 * middles.square().sum(-1))
    return EnergyClassifier(
        model.encoder, n_clusters, base=model.base, head=head, generator=Generator()
    )


def fit_codes(
    model: EnergyClassifier,
    x: Tensor,
    codes: Tensor,
    *,
    n_steps: int,
    learning_rate: float,
    batch_size: int,
    generator: Generator,
) -> None:
    """Train each member on its codes: Adam on CE(code, p(y|x)), in place.

    Labels are smoothed by 0.05, so that the members are not too certain for INV to correct.

    Args:
        model: a network with k members, on the CPU.
        x: points, (n, d).
        codes: the clusters that each member learns, (k, n).
        n_steps: the number of steps of Adam.
        learning_rate: the constant learning rate of Adam.
        batch_size: the number of points per step.
        generator: draws the batches.
    """
    optimizer = Adam(model.parameters(), lr=learning_rate, fused=True)
    for _ in range(n_steps):
        pick = torch.randint(len(x), (batch_size,), generator=generator)
        logits = model(x[pick].expand(len(codes), -1, -1))
        loss = cross_entropy(logits.flatten(0, 1), codes[:, pick].flatten(), label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        # The loss is a mean over all members; each needs the gradient of its own loss.
        (len(codes) * loss).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

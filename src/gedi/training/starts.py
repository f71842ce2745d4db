"""Networks that start from k-means instead of from chance.

Where clusters are of unequal size, networks with random weights settle on wrong partitions: PRIOR
fills the clusters before INV has found them. Restarts that begin with a reasonable partition win
only if their collapse gap says so: where k-means cuts through dense parts, views cross the cut.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from gedi.data.points import Points
from gedi.model import EnergyClassifier, ResidualClassifier
from gedi.model.encoders import MemberLinear
from gedi.partitions import best_partition
from gedi.settings import CompleteSettings

__all__ = [
    "CODED",
    "Codes",
    "Partition",
    "fit_codes",
    "kmeans_codes",
    "kmeans_head",
    "kmeans_starts",
    "learn_partition",
    "pool_partition",
]

CODED = 5000  # points that k-means sees
_POOL_STEPS = 500  # of Adam, to learn a partition of any shape
_CODED_STEPS = 200  # of Adam, to learn its codes; after them nine in ten points have theirs
_PART = 500  # points embedded at a time


class Codes(NamedTuple):
    """A partition to start from.

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
    fresh: Callable[[Generator], EnergyClassifier],
    generator: Generator,
) -> Tensor:
    """Let the last networks of a model start from k-means, in place.

    Args:
        settings: of the training.
        data: all points.
        log_prior: log π, (c,), on the CPU.
        model: all networks side by side, on the CPU.
        fresh: makes as many networks as start from k-means, without a base; they learn the codes.
        generator: draws the points, the starts of k-means, weights and batches.

    Returns:
        The log of the shares of points in the clusters of k-means, (n, c).
    """
    n = settings.restarts.kmeans
    chosen = torch.randperm(len(data), generator=generator)[:CODED]
    x = data[chosen.to(data.device)].cpu()
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
    """Some points with their clusters, from which a training starts.

    Attributes:
        x: the points, scaled, (m, d).
        codes: their clusters, (m,).
        log_shares: log of the share of points in each cluster, (c,), on the CPU.
    """

    x: Tensor
    codes: Tensor
    log_shares: Tensor


def pool_partition(n_clusters: int, data: Points, generator: Generator) -> Partition:
    """The best of a pool of partitions of up to 5,000 points; see `gedi.partitions`.

    Args:
        n_clusters: c.
        data: all points.
        generator: draws points and partitions.
    """
    chosen = torch.randperm(len(data), generator=generator)[:CODED]
    x = data[chosen.to(data.device)]
    seed = int(torch.randint(2**31, (), generator=generator))
    found = best_partition(x.cpu().double().numpy(), n_clusters, seed)
    codes = torch.from_numpy(found).long()
    shares = torch.bincount(codes, minlength=n_clusters).clamp_min(1).double()
    return Partition(x, codes.to(x.device), (shares / shares.sum()).log().float())


def learn_partition(
    model: EnergyClassifier,
    partition: Partition,
    *,
    learning_rate: float,
    batch_size: int,
    generator: Generator,
) -> None:
    """Train one network to know a partition: Adam on CE(code, p(y|x)), in place, on the CPU."""
    x, codes = partition.x.cpu(), partition.codes.cpu()
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    for step in range(_POOL_STEPS):
        optimizer.param_groups[0]["lr"] = learning_rate * min(1.0, 2 * (1 - step / _POOL_STEPS))
        pick = torch.randint(len(x), (batch_size,), generator=generator)
        logits = model(x[pick], with_base=False)
        loss = cross_entropy(logits, codes[pick], label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    if isinstance(model, ResidualClassifier):
        # Adam has made steps of the rounding errors in the gradient of what softmax cancels.
        model.start_at_base()


def kmeans_codes(x: Tensor, log_prior: Tensor, generator: Generator) -> Codes:
    """One run of k-means, its largest cluster where the prior is largest, and so on.

    Args:
        x: points (n, d), on the CPU.
        log_prior: log π, (c,).
        generator: decides where k-means starts.
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415 - only trainings need it

    c = len(log_prior)
    seed = int(torch.randint(2**31, (), generator=generator))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of too few different points
        found = KMeans(c, n_init=1, random_state=seed).fit_predict(x.numpy())
    counts = np.bincount(found, minlength=c)
    place = np.empty(c, dtype=np.int64)
    place[np.argsort(-counts, kind="stable")] = np.argsort(-log_prior.numpy(), kind="stable")
    # Fewer different points than clusters leave some of them empty.
    shares = torch.from_numpy(counts.clip(1)[np.argsort(place)]).double()
    return Codes(torch.from_numpy(place[found]), (shares / shares.sum()).log().float())


@torch.no_grad()
def kmeans_head(model: EnergyClassifier, x: Tensor, n_clusters: int, seed: int) -> EnergyClassifier:
    """Give a single model the clusters that k-means finds in its embedding.

    The nearest of the middles m_y is where f_y = ⟨x, m_y⟩ - |m_y|² / 2 is largest: a linear head.

    Args:
        model: its head is replaced.
        x: points, scaled, (n, d), on the CPU.
        n_clusters: c.
        seed: of k-means, the best of ten runs.
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
    """Train each member to say its codes: Adam on CE(code, p(y|x)), in place.

    Labels are smoothed by 0.05, so that no member is surer of its start than views can undo.

    Args:
        model: a network with k members, on the CPU.
        x: points, (n, d).
        codes: the clusters that each member learns, (k, n).
        n_steps: steps of Adam.
        learning_rate: of Adam, level.
        batch_size: points a step.
        generator: draws the batches.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    for _ in range(n_steps):
        pick = torch.randint(len(x), (batch_size,), generator=generator)
        logits = model(x[pick].expand(len(codes), -1, -1))
        loss = cross_entropy(logits.flatten(0, 1), codes[:, pick].flatten(), label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        # The mean is over all members; each is to have its own.
        (len(codes) * loss).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

"""Networks that start from k-means instead of from chance.

Where clusters are of unequal size, networks with random weights settle on wrong partitions: PRIOR
fills the clusters before INV has found them. Restarts that begin with a reasonable partition win
only if their collapse gap says so: where k-means cuts through dense parts, views cross the cut.
"""

import warnings
from typing import NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from gedi.model import EnergyClassifier
from gedi.model.encoders import MemberLinear

__all__ = ["Codes", "fit_codes", "kmeans_codes", "kmeans_head"]

_PART = 500  # points embedded at a time


class Codes(NamedTuple):
    """A partition to start from.

    Attributes:
        codes: the cluster of each point, (n,).
        log_shares: log of the share of points in each cluster, (c,).
    """

    codes: Tensor
    log_shares: Tensor


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

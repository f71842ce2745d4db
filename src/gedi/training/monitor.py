"""Measurements during a training: the bound and the gap on fixed points under fixed views."""

from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor

from gedi.distributed import mean, means
from gedi.evidence import Evidence
from gedi.model import EnergyClassifier, LinearClassifier, energy_of_logits
from gedi.model.smoothing import Smoothing
from gedi.objective import Terms, Weights, collapse_gap, invariance, prior_agreement
from gedi.views import View

__all__ = ["Monitor", "Plateau"]

_PART = 200  # points at a time: several large networks on all points need too much memory


@dataclass(frozen=True)
class Monitor:
    """Measures a model on fixed points under the same views every time.

    Each of several processes has its share of the points; the measurements are means over all.

    Args:
        x: the fixed points, (n, d), scaled.
        view: the views T(x'|x).
        seed: the seed of the views.
        index: places of the points in the data, (n,); None if they are not in the data.
        evidence: knowledge about some inputs; None if there is none.
        smoothing: the noise that is added to the data for GEN and for their energies.
    """

    x: Tensor
    view: View
    seed: int = 0
    index: Tensor | None = None
    evidence: Evidence | None = None
    smoothing: Smoothing = Smoothing()

    def of_first(self, n: int) -> Self:
        """A monitor of the first n of the points, or of all if there are fewer."""
        index = None if self.index is None else self.index[:n]
        return replace(self, x=self.x[:n], index=index)

    @torch.no_grad()
    def measure(
        self, model: EnergyClassifier, chains: Tensor, log_prior: Tensor
    ) -> tuple[Terms, dict[str, Tensor]]:
        """The terms, the gap and the energies, each of shape (*members,).

        Args:
            model: the network, with or without members.
            chains: positions of the chains, (*members, m, d).
            log_prior: log π, (c,) or (*members, c).

        Returns:
            The terms, and `gap`, `energy_data` and `energy_samples` by name, all in nats.
        """
        generator, noise = (
            torch.Generator(self.x.device).manual_seed(seed) for seed in (self.seed, self.seed + 1)
        )
        members = chains.shape[:-2]
        exact = isinstance(model, LinearClassifier)
        seen = (1,) * len(members) if exact else members  # features are computed once for all
        logits = self.x.new_empty(*members, len(self.x), model.n_clusters)
        view_logits, smoothed_logits = torch.empty_like(logits), logits
        if self.smoothing.scale > 0:
            smoothed_logits = torch.empty_like(logits)
        for start in range(0, len(self.x), _PART):
            part = slice(start, start + _PART)
            x = self.x[part].expand(*seen, -1, -1)
            index = None if self.index is None else self.index[part].expand(*seen, -1)
            view = self.view(x, posterior=model.posterior, generator=generator, index=index)
            logits[..., part, :] = model(x)
            view_logits[..., part, :] = model(view)
            if self.smoothing.scale > 0:
                smoothed_logits[..., part, :] = model(self.smoothing(x, noise))
        inv = mean(invariance(view_logits, logits))
        prior = prior_agreement(logits, log_prior)
        # The data have the noise that GEN sees; without it their energies and those of samples
        # would not be comparable.
        energy_data = energy_of_logits(smoothed_logits).mean(-1)
        energy_samples = model.energy(chains).mean(-1)
        energy_data, energy_samples = means(energy_data, energy_samples)
        evidence = torch.zeros_like(inv)
        if self.evidence is not None:
            observed = self.evidence.draw(tuple(members), generator)
            evidence = mean(observed.log_likelihood(model(observed.x)))
        # Where log Z is exact, samples are as good as the model itself.
        gen = torch.zeros_like(energy_data) if exact else energy_samples - energy_data
        terms = Terms(gen, inv, prior, evidence)
        return terms, {
            "gap": collapse_gap(inv, prior, log_prior),
            "energy_data": energy_data,
            "energy_samples": energy_samples,
        }


@dataclass
class Plateau:
    """The convergence rule: a training has converged when its loss stops falling.

        loss = -w_inv INV - w_prior PRIOR - w_evidence EVIDENCE + w_gen |contrast|

    The loss falls while the clusters improve and while the samples approach the data. Without
    chains, minus the gain in the log-density of held-out points takes the place of |contrast|.

    Args:
        weights: the weights of the bound.
        tol: the least decrease that counts, in nats.
        patience: the number of iterations without such a decrease.
        best: the lowest loss so far, in nats.
        best_iteration: the iteration at which it was reached.
    """

    weights: Weights
    tol: float
    patience: int
    best: float = field(default=float("inf"))
    best_iteration: int = 0

    def reached(self, iteration: int, terms: Terms, gain: float | None = None) -> bool:
        """Whether the loss did not fall by `tol` in the last `patience` iterations.

        Args:
            iteration: the number of iterations done.
            terms: the terms of the bound on fixed points.
            gain: the gain in the log-density of held-out points, in nats; None with chains.
        """
        gen = -terms.gen.abs() if gain is None else torch.full_like(terms.gen, gain)
        loss = -float(terms._replace(gen=gen).bound(self.weights))
        if loss < self.best - self.tol:
            self.best, self.best_iteration = loss, iteration
        return iteration - self.best_iteration >= self.patience

"""A training seen from outside: the bound and the gap on fixed points under fixed views."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from gedi.distributed import mean, means
from gedi.evidence import Evidence
from gedi.model import EnergyClassifier, energy_of_logits
from gedi.model.smoothing import Smoothing
from gedi.objective import Terms, Weights, collapse_gap, invariance, prior_agreement
from gedi.views import View

__all__ = ["Monitor", "Plateau"]

_PART = 200  # points at a time: several large networks on all of them take more than the data


@dataclass(frozen=True)
class Monitor:
    """Measures a model on fixed points under views that are the same every time.

    Of several processes each has its share of the points, and what is measured is that of them all.

    Args:
        x: the fixed points, (n, d).
        view: T(x'|x).
        seed: of the views.
        index: places of the points in the data, (n,); None where they are others.
        evidence: what is known of some inputs.
        smoothing: the noise with which GEN sees the data, and energies of data are told.
    """

    x: Tensor
    view: View
    seed: int = 0
    index: Tensor | None = None
    evidence: Evidence | None = None
    smoothing: Smoothing = Smoothing()

    @torch.no_grad()
    def measure(
        self, model: EnergyClassifier, chains: Tensor, log_prior: Tensor
    ) -> tuple[Terms, dict[str, Tensor]]:
        """The terms, and what else tells how the training goes; one value for each member.

        Args:
            model: the network, with or without members.
            chains: positions of the chains, (*members, m, d).
            log_prior: log π, (c,) or (*members, c).

        Returns:
            The terms, and `gap`, `energy_data`, `energy_samples` in nats.
        """
        generator, noise = (
            torch.Generator(self.x.device).manual_seed(seed) for seed in (self.seed, self.seed + 1)
        )
        members = chains.shape[:-2]
        logits = self.x.new_empty(*members, len(self.x), model.n_clusters)
        view_logits, smoothed_logits = torch.empty_like(logits), logits
        if self.smoothing.scale > 0:
            smoothed_logits = torch.empty_like(logits)
        for start in range(0, len(self.x), _PART):
            part = slice(start, start + _PART)
            x = self.x[part].expand(*members, -1, -1)
            index = None if self.index is None else self.index[part].expand(*members, -1)
            view = self.view(x, posterior=model.posterior, generator=generator, index=index)
            logits[..., part, :] = model(x)
            view_logits[..., part, :] = model(view)
            if self.smoothing.scale > 0:
                smoothed_logits[..., part, :] = model(self.smoothing(x, noise))
        inv = mean(invariance(view_logits, logits))
        prior = prior_agreement(logits, log_prior)
        # As GEN sees them, or they would not compare with samples.
        energy_data = energy_of_logits(smoothed_logits).mean(-1)
        energy_samples = model.energy(chains).mean(-1)
        energy_data, energy_samples = means(energy_data, energy_samples)
        evidence = torch.zeros_like(inv)
        if self.evidence is not None:
            observed = self.evidence.draw(tuple(members), generator)
            evidence = mean(observed.log_likelihood(model(observed.x)))
        terms = Terms(energy_samples - energy_data, inv, prior, evidence)
        return terms, {
            "gap": collapse_gap(inv, prior, log_prior),
            "energy_data": energy_data,
            "energy_samples": energy_samples,
        }


@dataclass
class Plateau:
    """The convergence rule: no gain for a while.

    The loss it follows is -w_inv INV - w_prior PRIOR - w_evidence EVIDENCE + w_gen |contrast|,
    which falls while the clusters get better and while the samples get closer to the data.

    Args:
        weights: of the bound.
        tol: the gain that counts, in nats.
        patience: iterations without one.
    """

    weights: Weights
    tol: float
    patience: int
    best: float = field(default=float("inf"))
    best_iteration: int = 0

    def reached(self, iteration: int, terms: Terms) -> bool:
        """Whether there was no gain in the last `patience` iterations."""
        loss = -float(terms._replace(gen=-terms.gen.abs()).bound(self.weights))
        if loss < self.best - self.tol:
            self.best, self.best_iteration = loss, iteration
        return iteration - self.best_iteration >= self.patience

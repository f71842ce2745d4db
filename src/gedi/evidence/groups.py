"""Groups of inputs that obey a rule, as evidence for a training.

    EVIDENCE = E[ log P_θ(outcome | x_1, ..., x_k) ]

This is the mean over groups of the log-probability of their outcome, which the rule computes from
the posteriors of their inputs: the symbolic term of Sansone & Manhaeve, TMLR 2025,
https://arxiv.org/abs/2401.00873.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import log_softmax

from gedi.data.points import Points
from gedi.evidence.labels import Observed
from gedi.rules import SymbolicRule

__all__ = [
    "Groups",
    "LikeliestOutcomes",
    "RuleEvidence",
    "likeliest_outcomes",
    "outcome_log_probabilities",
    "rule_log_probability",
]

_GROUPS = 256  # evaluated at a time, because a rule may list a million worlds for each of them


@dataclass(frozen=True)
class Groups:
    """Groups of inputs that are observed together, with their outcomes.

    Args:
        rule: the rule that relates symbols and outcomes.
        rows: indices of the inputs in the data, (m, k) for the k symbols of the rule.
        codes: the codes of the outcomes, from the rule's `encode`, (m,).
        weights: the weights of the groups, whose mean is 1, (m,); None means 1 for all.
    """

    rule: SymbolicRule
    rows: Tensor
    codes: Tensor
    weights: Tensor | None = None


@dataclass(frozen=True)
class RuleEvidence:
    """Batches of groups with their outcomes.

    Args:
        data: all inputs.
        groups: the groups, on the device of the data.
        batch_size: the number of groups in a batch; all of them if there are fewer.
    """

    data: Tensor | Points
    groups: Groups
    batch_size: int

    def draw(self, members: tuple[int, ...], generator: Generator) -> Observed:
        """Draw groups with replacement, or return all; see `gedi.evidence.Evidence`."""
        rows, codes = self.groups.rows, self.groups.codes
        m = len(rows)
        shape = (*members, min(m, self.batch_size))
        chosen = (
            torch.arange(m, device=rows.device).expand(shape)
            if m <= self.batch_size
            else torch.randint(m, shape, device=rows.device, generator=generator)
        )
        x = self.data[rows[chosen]]  # (*members, groups, k, d)

        def log_likelihood(logits: Tensor) -> Tensor:
            each = rule_log_probability(self.groups.rule, logits, codes[chosen])
            weights = self.groups.weights
            return (each if weights is None else weights.to(each)[chosen] * each).mean(-1)

        return Observed(x.flatten(-3, -2), log_likelihood)


def rule_log_probability(rule: SymbolicRule, logits: Tensor, codes: Tensor) -> Tensor:
    """The log-probability of the outcomes of groups, log P(outcome | inputs).

    Args:
        rule: a rule over k symbols of c values.
        logits: logits of the inputs, one group after another, (..., m * k, c).
        codes: codes of the outcomes, (..., m).

    Returns:
        Log-probabilities in nats, (..., m).
    """
    log_posteriors = log_softmax(logits, -1)
    grouped = log_posteriors.reshape(*codes.shape, rule.n_symbols, -1)
    return rule.log_probability(grouped, codes)


@torch.no_grad()
def outcome_log_probabilities(rule: SymbolicRule, logits: Tensor, codes: Tensor) -> Tensor:
    """The log-probability of the outcomes of any number of groups, in parts without gradients.

    Args:
        rule: a rule over k symbols of c values.
        logits: logits of the inputs, one group after another, (m * k, c).
        codes: codes of the outcomes, (m,).

    Returns:
        Log-probabilities in nats, (m,).
    """
    parts = zip(_in_parts(rule, logits), torch.split(codes, _GROUPS), strict=True)
    return torch.cat([rule_log_probability(rule, some, of_some) for some, of_some in parts])


class LikeliestOutcomes(NamedTuple):
    """The most probable outcome of each of m groups.

    Attributes:
        codes: the codes of the outcomes, (m,); the first of several that are equally probable.
        log_probabilities: their log-probabilities in nats, (m,).
    """

    codes: Tensor
    log_probabilities: Tensor


@torch.no_grad()
def likeliest_outcomes(rule: SymbolicRule, logits: Tensor) -> LikeliestOutcomes:
    """Find the most probable outcome of each group by evaluating every outcome.

    Args:
        rule: a rule over k symbols of c values.
        logits: logits of the inputs, one group after another, (m * k, c).
    """
    found = [_likeliest(rule, some) for some in _in_parts(rule, logits)]
    return LikeliestOutcomes(*map(torch.cat, zip(*found, strict=True)))


def _in_parts(rule: SymbolicRule, logits: Tensor) -> tuple[Tensor, ...]:
    return torch.split(logits, _GROUPS * rule.n_symbols)


def _likeliest(rule: SymbolicRule, logits: Tensor) -> LikeliestOutcomes:
    m = len(logits) // rule.n_symbols
    best = torch.zeros(m, dtype=torch.int64)
    highest = logits.new_full((m,), -torch.inf)
    for code in range(len(rule.outcomes)):
        codes = torch.full_like(best, code)
        found = rule_log_probability(rule, logits, codes)
        better = found > highest
        best, highest = torch.where(better, codes, best), torch.where(better, found, highest)
    return LikeliestOutcomes(best, highest)

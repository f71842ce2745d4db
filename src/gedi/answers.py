"""What a rule says of groups whose symbols a model reads, some groups at a time."""

from typing import NamedTuple

import torch
from torch import Tensor

from gedi.evidence.groups import rule_log_probability
from gedi.rules import SymbolicRule

__all__ = ["LikeliestOutcomes", "likeliest_outcomes", "log_probabilities"]

_GROUPS = 256  # at a time, as in a batch: a rule may list a million worlds for each of them


class LikeliestOutcomes(NamedTuple):
    """The most probable outcome of m groups.

    Attributes:
        codes: of the outcomes, the first of them where several are as probable, (m,).
        log_probabilities: in nats, (m,).
    """

    codes: Tensor
    log_probabilities: Tensor


@torch.no_grad()
def log_probabilities(rule: SymbolicRule, logits: Tensor, codes: Tensor) -> Tensor:
    """Log P(outcome | inputs) of groups, (m,), in nats.

    Args:
        rule: over k symbols of c values.
        logits: of the inputs, one group after another, (m * k, c).
        codes: of the outcomes, (m,).
    """
    parts = zip(_in_parts(rule, logits), torch.split(codes, _GROUPS), strict=True)
    return torch.cat([rule_log_probability(rule, some, of_some) for some, of_some in parts])


@torch.no_grad()
def likeliest_outcomes(rule: SymbolicRule, logits: Tensor) -> LikeliestOutcomes:
    """The most probable outcome of groups, by the probability of each of them.

    Args:
        rule: over k symbols of c values.
        logits: of the inputs, one group after another, (m * k, c).
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

"""Groups of inputs that obey a rule, as evidence for the training.

EVIDENCE = E[ log P_θ(outcome | x_1, ..., x_k) ], the mean over groups of what a rule makes of the
posteriors of their inputs; the symbolic term of Sansone & Manhaeve (TMLR 2025).
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import log_softmax

from gedi.data.points import Points
from gedi.evidence.labels import Observed
from gedi.rules import SymbolicRule

__all__ = ["Groups", "RuleEvidence", "rule_log_probability"]


@dataclass(frozen=True)
class Groups:
    """Which inputs are seen together, and what was observed of them.

    Args:
        rule: what symbols and outcomes have to do with each other.
        rows: places of the inputs in the data, (m, k) for the k symbols of the rule.
        codes: of the outcomes, as the rule encodes them, (m,).
    """

    rule: SymbolicRule
    rows: Tensor
    codes: Tensor


@dataclass(frozen=True)
class RuleEvidence:
    """Batches of groups with their outcomes.

    Args:
        data: all inputs.
        groups: which of them are seen together; on the device of the data.
        batch_size: groups in a batch; where there are fewer, all of them.
    """

    data: Tensor | Points
    groups: Groups
    batch_size: int

    def draw(self, members: tuple[int, ...], generator: Generator) -> Observed:
        """Groups drawn with replacement, or all; see `gedi.evidence.Evidence`."""
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
            return rule_log_probability(self.groups.rule, logits, codes[chosen]).mean(-1)

        return Observed(x.flatten(-3, -2), log_likelihood)


def rule_log_probability(rule: SymbolicRule, logits: Tensor, codes: Tensor) -> Tensor:
    """Log P(outcome | inputs) of groups whose inputs follow one another.

    Args:
        rule: over k symbols of c values.
        logits: of the inputs, (..., m * k, c).
        codes: of the outcomes, (..., m).

    Returns:
        In nats, (..., m).
    """
    log_posteriors = log_softmax(logits, -1)
    grouped = log_posteriors.reshape(*codes.shape, rule.n_symbols, -1)
    return rule.log_probability(grouped, codes)

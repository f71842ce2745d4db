"""Evidence: a log-likelihood of what the user knows about some inputs.

    EVIDENCE = E[ log P_θ(known | x) ]

It is the fourth term of the bound. For class labels it is the mean of log p(y|x), the supervised
term of JEM (Grathwohl et al., ICLR 2020, https://arxiv.org/abs/1912.03263).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor
from torch.nn.functional import log_softmax

__all__ = ["Evidence", "Labels", "Observed"]


class Observed(NamedTuple):
    """A batch of inputs about which something is known.

    Attributes:
        x: the inputs, (*members, m, d).
        log_likelihood: maps their logits (*members, m, c) to the mean of log P(known | x) in nats,
            (*members,).
    """

    x: Tensor
    log_likelihood: Callable[[Tensor], Tensor]


class Evidence(Protocol):
    """A source of batches of evidence."""

    def draw(self, members: tuple[int, ...], generator: Generator) -> Observed:
        """Draw a batch for each member."""
        ...


@dataclass(frozen=True)
class Labels:
    """Known classes of some points; class y is cluster y.

    Args:
        x: the points, (m, d).
        classes: their classes from 0 to c - 1, (m,).
        batch_size: the number of points in a batch; all of them if there are fewer.
        weights: the weights of the points, whose mean is 1, (m,); None means 1 for all.
    """

    x: Tensor
    classes: Tensor
    batch_size: int
    weights: Tensor | None = None

    def draw(self, members: tuple[int, ...], generator: Generator) -> Observed:
        """Draw points with replacement, or return all."""
        m = len(self.x)
        shape = (*members, min(m, self.batch_size))
        index = (
            torch.arange(m, device=self.x.device).expand(shape)
            if m <= self.batch_size
            else torch.randint(m, shape, device=self.x.device, generator=generator)
        )
        classes = self.classes[index]

        def log_likelihood(logits: Tensor) -> Tensor:
            each = log_softmax(logits, -1).gather(-1, classes[..., None]).squeeze(-1)
            return (each if self.weights is None else self.weights[index] * each).mean(-1)

        return Observed(self.x[index], log_likelihood)

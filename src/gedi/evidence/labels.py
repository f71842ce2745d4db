"""Evidence: what the user knows of some inputs, as a log-likelihood of the model's posteriors.

EVIDENCE = E[ log P_θ(known | x) ] joins the bound as a fourth term. For class labels it is
log p(y|x), the supervised term of JEM (Grathwohl et al., ICLR 2020).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor
from torch.nn.functional import log_softmax

__all__ = ["Evidence", "Labels", "Observed"]


class Observed(NamedTuple):
    """A batch of inputs of which something is known.

    Attributes:
        x: the inputs, (*members, m, d).
        log_likelihood: from their logits (*members, m, c) to log P(known | x) in nats, the mean
            over what is known, (*members,).
    """

    x: Tensor
    log_likelihood: Callable[[Tensor], Tensor]


class Evidence(Protocol):
    """A source of batches of inputs with what is known of them."""

    def draw(self, members: tuple[int, ...], generator: Generator) -> Observed:
        """A batch for each member."""
        ...


@dataclass(frozen=True)
class Labels:
    """Classes that are known for some points: class y is cluster y.

    Args:
        x: the points, (m, d).
        classes: their classes from 0 to c - 1, (m,).
        batch_size: points in a batch; where there are fewer, all of them.
    """

    x: Tensor
    classes: Tensor
    batch_size: int

    def draw(self, members: tuple[int, ...], generator: Generator) -> Observed:
        """Points drawn with replacement, or all."""
        m = len(self.x)
        shape = (*members, min(m, self.batch_size))
        index = (
            torch.arange(m, device=self.x.device).expand(shape)
            if m <= self.batch_size
            else torch.randint(m, shape, device=self.x.device, generator=generator)
        )
        classes = self.classes[index]

        def log_likelihood(logits: Tensor) -> Tensor:
            return log_softmax(logits, -1).gather(-1, classes[..., None]).squeeze(-1).mean(-1)

        return Observed(self.x[index], log_likelihood)

"""Worlds by what is left of them to decide: states that the symbols lead through, one by one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from gedi.rules.tables import Tables

__all__ = ["Lattice"]

Ways = tuple[Tensor, Tensor, Tensor]


class Lattice:
    """The forward algorithm in log space over a finite state.

        α_0 = 1,   α_{i+1}(t) = Σ_{(s, y): s leads to t by y} α_i(s) p(y_i = y | x_i),
        P(outcome) = α_k(outcome)

    (Rabiner, Proceedings of the IEEE 1989, eq. 20). States from which the same values lead to the
    same outcomes are made one at first, so that an outcome's probability costs the fewest sums that
    take the symbols in this order.

    Args:
        steps: for each symbol the next state of each state and value, (S_i, c), -1 for none; the
            last states are codes of outcomes. S_0 = 1.
        n_outcomes: codes are below.
    """

    def __init__(self, steps: Sequence[NDArray[np.int64]], n_outcomes: int) -> None:
        steps = _merged(steps)
        self._widths = [*(len(step) for step in steps[1:]), n_outcomes]
        self._ways = [Tables(*_ways(step)) for step in steps]

    @property
    def cost(self) -> int:
        """Products of two probabilities that a group takes."""
        return sum(len(ways.on(torch.device("cpu"))[0]) for ways in self._ways)

    def log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        """Log P(outcome): (n, k, c) and (n,) -> (n,)."""
        # The groups come last, so that whole rows of them are read, added and summed.
        by_symbol = log_posteriors.permute(1, 2, 0).contiguous()
        states = by_symbol.new_zeros(1, len(codes))
        for log_values, ways, width in zip(by_symbol, self._ways, self._widths, strict=True):
            states = _SumOverWays.apply(states, log_values, ways.on(codes.device), width)  # type: ignore[no-untyped-call]
        return states.gather(0, codes[None]).squeeze(0)


def _merged(steps: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """The same steps with as few states as there are different futures."""
    merged: list[NDArray[np.int64]] = []
    # By the last one, the state of an outcome is its code; -1 stays -1 as the entry at the end.
    renamed: NDArray[np.int64] | None = None
    for step in reversed(steps):
        futures = step if renamed is None else renamed[step]
        different, name = np.unique(futures, axis=0, return_inverse=True)
        alive = (different >= 0).any(1)
        names = np.where(alive, np.cumsum(alive) - 1, -1)
        renamed = np.append(names[name.reshape(-1)], -1)
        merged.append(different[alive])
    return merged[::-1]


def _ways(step: NDArray[np.int64]) -> Ways:
    source, value = np.nonzero(step >= 0)
    target = step[source, value]
    order = np.argsort(target, kind="stable")  # neighbours in memory are summed
    return (
        torch.from_numpy(source[order]),
        torch.from_numpy(value[order]),
        torch.from_numpy(target[order]),
    )


class _SumOverWays(torch.autograd.Function):
    """Autograd alone would keep several arrays of the size of all ways; one is enough."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, values: Tensor, ways: Ways, n_targets: int) -> Tensor:
        source, value, target = ways
        x = states.index_select(0, source)
        x += values.index_select(0, value)
        top = x.new_full((n_targets, x.shape[1]), -torch.inf)
        top.scatter_reduce_(0, target[:, None].expand_as(x), x, "amax")
        # Finite, so that x - top stays -inf where no way to a state is possible.
        top.clamp_(min=torch.finfo(x.dtype).min)
        x -= top.index_select(0, target)
        x.exp_()
        total = torch.zeros_like(top).index_add_(0, target, x)
        ctx.save_for_backward(x, total, source, value, target)
        ctx.n_states, ctx.n_values = len(states), len(values)
        return top.add_(total.log())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, total, source, value, target = ctx.saved_tensors
        share = torch.where(total > 0, gradient / total, 0.0)
        x = x * share.index_select(0, target)
        of_states = x.new_zeros(ctx.n_states, x.shape[1]).index_add_(0, source, x)
        of_values = x.new_zeros(ctx.n_values, x.shape[1]).index_add_(0, value, x)
        return of_states, of_values, None, None

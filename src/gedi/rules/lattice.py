"""Worlds merged into states: the symbols lead from one state to the next."""

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
    """The forward algorithm in log space over finitely many states.

        α_0 = 1,   α_{i+1}(t) = Σ_{(s, y): s leads to t by y} α_i(s) p(y_i = y | x_i),
        P(outcome) = α_k(outcome)

    States from which the same values lead to the same outcomes are merged first, which gives the
    smallest number of states for this order of the symbols. Source: Rabiner, Proceedings of the
    IEEE 1989, eq. 20, https://doi.org/10.1109/5.18626.

    Args:
        steps: for each symbol, the next state of each state and value, (S_i, c) with S_0 = 1; -1 is
            none. The last states are codes of outcomes.
        n_outcomes: the number of outcomes.
    """

    def __init__(self, steps: Sequence[NDArray[np.int64]], n_outcomes: int) -> None:
        steps = _merged(steps)
        self._widths = [*(len(step) for step in steps[1:]), n_outcomes]
        self._ways = [Tables(*_ways(step)) for step in steps]

    @property
    def cost(self) -> int:
        """The number of products of two probabilities for each group."""
        return sum(len(ways.on(torch.device("cpu"))[0]) for ways in self._ways)

    def log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        """The log-probability log P(outcome): (n, k, c) and (n,) -> (n,)."""
        # Groups are the last dimension, so that operations work on contiguous rows.
        by_symbol = log_posteriors.permute(1, 2, 0).contiguous()
        states = by_symbol.new_zeros(1, len(codes))
        for log_values, ways, width in zip(by_symbol, self._ways, self._widths, strict=True):
            states = _SumOverWays.apply(states, log_values, ways.on(codes.device), width)  # type: ignore[no-untyped-call]
        return states.gather(0, codes[None]).squeeze(0)


def _merged(steps: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """The same steps with one state for each different future."""
    merged: list[NDArray[np.int64]] = []
    # After the last symbol, states are codes. The entry at the end maps -1 to -1.
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
    order = np.argsort(target, kind="stable")  # terms of one sum are adjacent in memory
    return (
        torch.from_numpy(source[order]),
        torch.from_numpy(value[order]),
        torch.from_numpy(target[order]),
    )


class _SumOverWays(torch.autograd.Function):
    """A log-sum-exp over ways to each state.

    It saves one array of the size of all ways for its gradient, where autograd would save several.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, values: Tensor, ways: Ways, n_targets: int) -> Tensor:
        source, value, target = ways
        x = states.index_select(0, source)
        x += values.index_select(0, value)
        top = x.new_full((n_targets, x.shape[1]), -torch.inf)
        top.scatter_reduce_(0, target[:, None].expand_as(x), x, "amax")
        # Finite, so that x - top is -inf, not NaN, where every way to a state has probability 0.
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

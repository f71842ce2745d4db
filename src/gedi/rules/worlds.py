"""Listed worlds: a sum of products over those that agree with an outcome."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gedi.rules.log_space import log_sum_exp
from gedi.rules.tables import Tables

__all__ = ["Worlds"]


class Worlds:
    """Lists of the worlds that agree with each outcome.

    All lists are padded to the length of the longest one, which determines the cost of each group.

    Args:
        worlds: the values of the symbols in each world, (R, k).
        codes: the code of the outcome that each world agrees with, (R,); codes start from 0, and
            each occurs at least once.
        n_values: the number of values of each symbol, c.
    """

    def __init__(self, worlds: NDArray[np.int64], codes: NDArray[np.int64], n_values: int) -> None:
        order = np.argsort(codes, kind="stable")
        counts = np.bincount(codes)
        n_symbols = worlds.shape[1]
        place = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
        # Indices into a row of k c log posteriors, to which -inf is appended for no world.
        table = np.full((len(counts), counts.max(), n_symbols), n_symbols * n_values)
        table[codes[order], place] = worlds[order] + n_values * np.arange(n_symbols)
        self._tables = Tables(torch.from_numpy(table))

    def log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        """The log-probability log P(outcome): (n, k, c) and (n,) -> (n,)."""
        (table,) = self._tables.on(codes.device)
        row = torch.nn.functional.pad(log_posteriors.flatten(1), (0, 1), value=-torch.inf)
        read = table.index_select(0, codes)
        found = row.gather(1, read.flatten(1)).view(read.shape).sum(-1)
        return log_sum_exp(found)

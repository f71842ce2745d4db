"""Sums over listed worlds."""

import numpy as np
import torch
from brute_force import log_posteriors

from gedi.rules.worlds import Worlds


def test_each_outcome_sums_its_own_worlds():
    # Outcomes of different numbers of worlds, in no order, and one world in both.
    worlds = Worlds(np.array([[0, 1], [2, 2], [2, 2], [1, 0]]), np.array([1, 0, 1, 1]), 3)
    p = log_posteriors(3, 2, 3)
    a, b = p.exp().unbind(1)
    found = worlds.log_probability(p, torch.tensor([0, 1, 1])).exp()
    one = a[:, 2] * b[:, 2]
    both = one + a[:, 0] * b[:, 1] + a[:, 1] * b[:, 0]
    torch.testing.assert_close(found, torch.stack([one[0], both[1], both[2]]))

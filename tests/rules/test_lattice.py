"""The forward algorithm over states."""

import numpy as np
import torch
from brute_force import log_posteriors

from gedi.rules.lattice import Lattice


def test_the_forward_algorithm_by_hand():
    # After the first symbol state 0 or 1; from 0 only value 0 leads on, to outcome 1.
    steps = [np.array([[0, 1]]), np.array([[1, -1], [0, 1]])]
    lattice = Lattice(steps, 2)
    p = log_posteriors(1, 2, 2)
    (a0, a1), (b0, b1) = p[0].exp()
    found = lattice.log_probability(p.expand(2, 2, 2), torch.tensor([0, 1])).exp()
    torch.testing.assert_close(found, torch.stack([a1 * b0, a0 * b0 + a1 * b1]))
    assert lattice.cost == 5


def test_states_of_equal_futures_are_merged_and_dead_ones_dropped():
    # Of four states two lead to the same outcomes and one nowhere.
    steps = [np.array([[0, 1, 2, 3]]), np.array([[0, 1, 0, 1], [-1] * 4, [0, 1, 0, 1], [1] * 4])]
    lattice = Lattice(steps, 2)
    assert lattice.cost == 3 + 8
    p = log_posteriors(3, 2, 4)
    a, b = p.exp().unbind(1)
    found = lattice.log_probability(p, torch.tensor([0, 0, 1])).exp()
    even, odd = b[:, [0, 2]].sum(1), b[:, [1, 3]].sum(1)
    merged = a[:, [0, 2]].sum(1)
    expected = torch.stack([merged * even, merged * even, merged * odd + a[:, 3]])
    torch.testing.assert_close(found, expected[range(3), range(3)])


def test_a_state_that_many_ways_lead_to():
    # 999 of 1000 values lead to one state: no table is filled up to the widest.
    lattice = Lattice([np.array([[0] + [1] * 999])], 2)
    p = log_posteriors(2, 1, 1000)
    found = lattice.log_probability(p, torch.tensor([0, 1]))
    torch.testing.assert_close(found[0], p[0, 0, 0])
    torch.testing.assert_close(found[1], p[1, 0, 1:].logsumexp(0))

"""Sums in log space."""

import torch

from gedi.rules.log_space import log_sum_exp


def test_it_is_the_sum_even_if_all_probabilities_are_zero():
    x = torch.tensor([[0.2, 0.3], [0.0, 0.4], [0.0, 0.0]], dtype=torch.float64).log()
    x.requires_grad_()
    found = log_sum_exp(x)
    torch.testing.assert_close(found.exp(), torch.tensor([0.5, 0.4, 0.0], dtype=torch.float64))
    (slope,) = torch.autograd.grad(found.sum(), x)
    expected = torch.tensor([[0.4, 0.6], [0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(slope, expected)

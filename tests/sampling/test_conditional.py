"""The conditional energy of some coordinates, on a Gaussian."""

import pytest
import torch

from gedi.sampling import Langevin, evaluate
from gedi.sampling.conditional import given


def test_chains_follow_the_conditional_distribution():
    covariance = torch.tensor([[1.0, 0.8, 0.3], [0.8, 1.0, 0.1], [0.3, 0.1, 1.0]])
    precision = torch.linalg.inv(covariance)
    known, free = torch.tensor([1.5, 99.0, 99.0]), torch.tensor([False, True, True])

    def energy(x):
        return 0.5 * torch.einsum("...i,ij,...j->...", x, precision, x)

    generator = torch.Generator().manual_seed(0)
    sampler = Langevin(0.15, 100, metropolis=True)
    conditional = given(energy, known, free)
    chains = evaluate(conditional, torch.zeros(20_000, 2))
    x = sampler.step(conditional, chains, generator).x
    gain = covariance[1:, :1] / covariance[0, 0]
    mean = 1.5 * gain[:, 0]
    expected = covariance[1:, 1:] - gain @ covariance[:1, 1:]
    # Standard errors of 0.007 and 0.01.
    torch.testing.assert_close(x.mean(0), mean, rtol=0, atol=0.03)
    torch.testing.assert_close(torch.cov(x.T), expected, rtol=0, atol=0.04)


@pytest.mark.parametrize("free", [[True, False], [False, True]])
def test_known_coordinates_are_fixed(free):
    seen = []
    conditional = given(
        lambda x: seen.append(x) or x.sum(-1), torch.tensor([3.0, 4.0]), torch.tensor(free)
    )
    conditional(torch.full((5, 1), 7.0))
    assert seen[0].tolist() == [[7.0, 4.0] if free[0] else [3.0, 7.0]] * 5

"""Moves that leave a Gaussian as it is, against laws in closed form."""

import pytest
import torch

from gedi.model.base import GaussianBase
from gedi.model.spectral import SpectralMatrix
from gedi.sampling.crank_nicolson import crank_nicolson

COVARIANCE = torch.tensor([[4.0, 0.0, 0.3], [0.0, 1e-4, 0.0], [0.3, 0.0, 1.0]])
GAUSSIAN = GaussianBase(torch.tensor([1.0, -2.0, 0.0]), SpectralMatrix.of(COVARIANCE))
TILT = torch.tensor([0.4, 30.0, -0.5])


def moved(log_factor, n=4000, steps=200, length=0.7, adapts=False):
    generator = torch.Generator().manual_seed(0)
    start = GAUSSIAN.sample((n,), generator)
    return crank_nicolson(
        log_factor, GAUSSIAN, start, steps, generator, length=torch.tensor(length), adapts=adapts
    )


def test_an_exponential_factor_shifts_the_mean_and_leaves_the_covariance():
    # N(x; m, S) exp(a x) is proportional to N(x; m + S a, S), however uneven S is.
    x, length = moved(lambda x: x @ TILT)
    error = 4 * (COVARIANCE.diagonal() / len(x)).sqrt()
    assert ((x.mean(0) - GAUSSIAN.mean - COVARIANCE @ TILT).abs() < error).all()
    torch.testing.assert_close(x.T.cov(), COVARIANCE, atol=0.25, rtol=0.1)
    assert length == torch.tensor(0.7)


def test_without_a_factor_every_move_is_accepted_and_the_longest_forgets_the_start():
    first, _ = moved(lambda x: torch.zeros(len(x)), steps=0)
    x, length = moved(lambda x: torch.zeros(len(x)), steps=1, length=1.0)
    assert (x != first).all() and length == 1.0
    assert abs(torch.corrcoef(torch.stack([x[:, 0], first[:, 0]]))[0, 1]) < 0.1


def test_points_without_density_are_never_reached():
    x, _ = moved(lambda x: torch.where(x[:, 0] > 1, 0.0, -torch.inf), n=500)
    start, _ = moved(lambda x: torch.zeros(len(x)), n=500, steps=0)
    assert (x[start[:, 0] > 1, 0] > 1).all() and (x[:, 0] > 1).float().mean() > 0.95


@pytest.mark.parametrize(("factor", "longer"), [(0.0, True), (1000.0, False)])
def test_the_length_adapts_to_how_much_the_factor_varies(factor, longer):
    _, length = moved(
        lambda x: factor * torch.sin(factor * x[:, 2]), n=64, steps=50, length=0.3, adapts=True
    )
    assert (length > 0.3) == longer

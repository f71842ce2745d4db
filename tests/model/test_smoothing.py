"""Noise that keeps a density from overfitting."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator

from gedi.data.dataset import Dataset
from gedi.model.smoothing import Smoothing
from gedi.model.spectral import SpectralMatrix
from gedi.training.plan import plan
from gedi.training.session import start
from small_trainings import SMALL


def seeded(seed=0):
    return Generator().manual_seed(seed)


def test_noise_has_the_covariance_it_should():
    covariance = torch.tensor([[2.0, 0.6], [0.6, 0.5]])
    root = SpectralMatrix.of(covariance).power(0.5)
    noise = Smoothing(0.5, root)(torch.zeros(200_000, 2), seeded())
    torch.testing.assert_close(noise.T.cov(), 0.25 * covariance, atol=0.01, rtol=0.02)
    plain = Smoothing(0.5)(torch.zeros(200_000, 2), seeded())
    torch.testing.assert_close(plain.T.cov(), 0.25 * torch.eye(2), atol=0.01, rtol=0.02)


def test_scale_zero_is_no_noise():
    x = torch.randn(5, 2, generator=seeded())
    assert Smoothing()(x, seeded()) is x


def test_denoising_is_exact_for_a_gaussian():
    # For clean data N(0, V) and noise s² C: E[clean | x] = V (V + s² C)^(-1) x.
    v, c, s = torch.diag(torch.tensor([2.0, 1.0])), torch.diag(torch.tensor([1.0, 0.25])), 0.7
    total = torch.linalg.inv(v + s**2 * c)
    x = torch.randn(30, 2, generator=seeded())
    guess = Smoothing(s, SpectralMatrix.of(c).power(0.5)).denoise(x, x @ total)
    torch.testing.assert_close(guess, x @ total @ v)


def table(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_noise_shrinks_with_more_points_and_is_zero_in_two_dimensions():
    def noise(n, d, **shape):
        return plan(Dataset("x", table(n, d), **shape), SMALL).settings.data_noise

    few, many = noise(60, 6), noise(3000, 6)
    assert 0.2 < few < 1.5 and 0 < many < 0.5 * few
    assert noise(200_000, 6) == 0
    assert noise(60, 2) == 0
    assert noise(60, 4, image_shape=(1, 2, 2), value_range=(0.0, 1.0)) == 0.1


def test_noise_does_not_depend_on_units():
    x = table(80, 5)
    mixed = x @ np.diag([1e-3, 1.0, 50.0, 1.0, 7.0]).astype(np.float32)
    noise = [plan(Dataset("x", points), SMALL).settings.data_noise for points in (x, mixed)]
    assert noise[0] == pytest.approx(noise[1], rel=0.05)


@pytest.mark.slow
def test_held_out_points_of_a_small_table_are_likelier_with_it():
    train, test = table(60, 6), table(500, 6, seed=1)

    def held_out(noise):
        encoder = replace(SMALL.encoder, hidden=[64, 64], base=True)
        settings = replace(SMALL, max_iter=500, encoder=encoder, data_noise=noise)
        return start(Dataset("x", train), settings).run().trained.predict(test).log_density.mean()

    assert held_out(None) > held_out(0.0) + 1

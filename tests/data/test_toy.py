"""The toy sets, and their densities against closed forms, quadrature and samples."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ive
from scipy.stats import gaussian_kde
from sklearn.datasets import make_circles, make_moons

from gedi.data.toy import circles, log_density, moons
from gedi.errors import DataError

PROBES = np.array([[1.0, 0.0], [0.0, 0.5], [0.5, 0.25], [-0.8, 0.9], [2.5, -1.0]])


def test_samples_are_those_of_scikit_learn():
    x, labels = moons(101, noise=0.1, seed=3)
    expected, expected_labels = make_moons(101, noise=0.1, random_state=3)
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(labels, expected_labels)
    x, labels = circles(101, noise=0.1, factor=0.3, seed=3)
    expected, expected_labels = make_circles(101, noise=0.1, factor=0.3, random_state=3)
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(labels, expected_labels)
    assert labels.dtype == np.int64


@pytest.mark.parametrize("noise", [0.05, 0.01, 0.3])
def test_circles_density_is_the_bessel_closed_form(noise):
    # A circle of radius r convolved with a Gaussian, in polar coordinates.
    def ring(rho, r):
        scale = 2 * math.pi * noise**2
        return np.exp(-((rho - r) ** 2) / (2 * noise**2)) * ive(0, rho * r / noise**2) / scale

    x = np.random.default_rng(0).uniform(-1.1, 1.1, (200, 2))
    rho = np.linalg.norm(x, axis=1)
    density = (ring(rho, 1.0) + ring(rho, 0.4)) / 2
    keep = density > 1e-250  # the closed form underflows further out
    got = log_density("circles", x, noise=noise, factor=0.4)
    assert keep.sum() > 30
    np.testing.assert_allclose(got[keep], np.log(density[keep]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("point", PROBES)
def test_moons_density_is_the_adaptive_integral(point):
    noise = 0.2

    def kernel(t):
        first = (point[0] - math.cos(t)) ** 2 + (point[1] - math.sin(t)) ** 2
        second = (point[0] - 1 + math.cos(t)) ** 2 + (point[1] - 0.5 + math.sin(t)) ** 2
        both = math.exp(-first / (2 * noise**2)) + math.exp(-second / (2 * noise**2))
        return both / (2 * math.pi * noise**2)

    integral, _ = quad(kernel, 0, math.pi, epsabs=0, epsrel=1e-11, limit=500)
    expected = math.log(integral / (2 * math.pi))
    assert log_density("moons", point[None], noise=noise)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("moons", (-1.4, -0.9), (2.4, 1.4)), ("circles", (-1.4, -1.4), (1.4, 1.4))],
)
def test_density_integrates_to_one(name, low, high):
    cells = 150
    axes = [a + (np.arange(cells) + 0.5) * (b - a) / cells for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    area = math.prod((b - a) / cells for a, b in zip(low, high, strict=True))
    mass = np.exp(log_density(name, grid)).sum() * area
    assert mass == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("name", "expected"), [("moons", -1.12), ("circles", -1.76)])
def test_held_out_log_density_in_standardised_units(name, expected):
    x, _ = {"moons": moons, "circles": circles}[name](10_000, seed=1)
    held_out = log_density(name, x).mean() + np.log(x.std(axis=0)).sum()
    assert held_out == pytest.approx(expected, abs=0.03)


def test_density_agrees_with_a_kernel_estimate():
    x, _ = moons(20_000, noise=0.2, seed=0)
    fresh, _ = moons(500, noise=0.2, seed=1)
    kernel = gaussian_kde(x.T, bw_method=0.08).logpdf(fresh.T)
    gap = log_density("moons", fresh, noise=0.2) - kernel
    assert abs(gap.mean()) < 0.05
    assert np.abs(gap).mean() < 0.15


def test_density_does_not_depend_on_the_chunks(monkeypatch):
    x, _ = moons(50)
    whole = log_density("moons", x)
    monkeypatch.setattr("gedi.data.toy._CHUNK_VALUES", 1)
    np.testing.assert_allclose(log_density("moons", x), whole, rtol=1e-12)


def test_density_far_away_is_finite():
    assert log_density("moons", np.array([[50.0, 50.0]]))[0] == pytest.approx(-947_000, rel=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: moons(1), "at least 2 points, got 1"),
        (lambda: moons(10, noise=-1.0), "0 or more, got -1.0"),
        (lambda: moons(10, noise=math.nan), "0 or more, got nan"),
        (lambda: moons(10, seed=-1), "seed must be from 0 to 4294967295, got -1"),
        (lambda: circles(10, factor=1.0), "radius must be between 0 and 1, got 1.0"),
        (lambda: log_density("moons", np.zeros((3, 3))), r"expected points \(n, 2\), got \(3, 3\)"),
        (lambda: log_density("moons", np.zeros((3, 2)), noise=0.0), "positive noise, got 0.0"),
        (lambda: log_density("rings", np.zeros((3, 2))), "unknown toy set 'rings'"),
        (lambda: log_density("circles", np.zeros((3, 2)), factor=0.0), "got 0.0"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(DataError, match=message):
        call()

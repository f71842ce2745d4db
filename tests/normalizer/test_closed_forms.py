"""log Z against closed forms."""

import math

import pytest
import torch

from gedi.normalizer import grid, importance
from gedi.normalizer.grid import grid_log_normalizer
from gedi.normalizer.importance import importance_log_normalizer

torch.set_num_threads(1)


def box(dims, half=8.0, dtype=torch.float64):
    return torch.full((dims,), -half, dtype=dtype), torch.full((dims,), half, dtype=dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def gaussian(scale, offset=0.0):
    """Energy of a Gaussian, and its log Z."""

    def energy(x):
        return (x / scale).square().sum(-1) / 2 + offset

    return energy, lambda d: d * math.log(scale * math.sqrt(2 * math.pi)) - offset


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_grid_on_gaussians(dims, dtype):
    energy, log_z = gaussian(0.7, offset=3.0)
    got = grid_log_normalizer(energy, *box(dims, dtype=dtype))
    assert got.shape == () and got.dtype == torch.float64
    assert float(got) == pytest.approx(log_z(dims), abs=1e-9 if dtype == torch.float64 else 1e-5)


def test_grid_is_the_midpoint_rule():
    low, high = torch.tensor([1.0, 0.0]), torch.tensor([3.0, 4.0])
    got = grid_log_normalizer(lambda x: x @ torch.tensor([1.0, 2.0]), low, high, n_cells=2)
    midpoints = [(a, b) for a in (1.5, 2.5) for b in (1.0, 3.0)]
    expected = math.log(sum(2.0 * math.exp(-a - 2 * b) for a, b in midpoints))
    assert float(got) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("dims", [1, 2])
def test_grid_of_a_constant_energy_is_the_volume(dims):
    low, high = box(dims)
    got = grid_log_normalizer(lambda x: 0 * x[:, 0] - 5, low, high, n_cells=7)
    assert float(got) == pytest.approx(dims * math.log(16) + 5)


def test_grid_does_not_depend_on_the_chunks(monkeypatch):
    energy, _ = gaussian(0.7)
    low, high = torch.tensor([-1.0, 0.0]), torch.tensor([2.0, 1.0])
    whole = grid_log_normalizer(energy, low, high, n_cells=13)
    monkeypatch.setattr(grid, "CHUNK_POINTS", 10)
    assert float(grid_log_normalizer(energy, low, high, n_cells=13)) == pytest.approx(float(whole))


def test_several_models_at_once():
    scales = torch.tensor([[0.5], [0.7], [1.0]], dtype=torch.float64)

    def energies(x):
        return (x[None] / scales[..., None]).square().sum(-1) / 2

    expected = 2 * (scales[:, 0] * math.sqrt(2 * math.pi)).log()
    torch.testing.assert_close(grid_log_normalizer(energies, *box(2)), expected)
    anchors = torch.randn(500, 2, dtype=torch.float64, generator=seeded())
    log_z, ess = importance_log_normalizer(
        energies, anchors, 0.5, *box(2), n_samples=8000, generator=seeded()
    )
    assert log_z.shape == ess.shape == (3,)
    torch.testing.assert_close(log_z, expected, atol=0.05, rtol=0)
    alone, _ = importance_log_normalizer(
        lambda x: energies(x)[1], anchors, 0.5, *box(2), n_samples=8000, generator=seeded()
    )
    assert float(alone) == pytest.approx(float(log_z[1]), abs=1e-12)


@pytest.mark.parametrize("dims", [1, 2, 5])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_importance_on_gaussians(dims, dtype):
    energy, log_z = gaussian(1.0, offset=-2.0)
    anchors = torch.randn(500, dims, generator=seeded(1)).to(dtype)
    got, ess = importance_log_normalizer(
        energy, anchors, 0.5, *box(dims, 5.0), n_samples=8000, generator=seeded()
    )
    assert got.shape == ess.shape == () and got.dtype == ess.dtype == torch.float64
    assert float(got) == pytest.approx(log_z(dims), abs=0.03)
    assert 800 < float(ess) <= 8000


def test_importance_ignores_points_outside_the_box():
    # Half of the Gaussian is cut off; the energy outside is not even a number.
    energy, log_z = gaussian(1.0)
    low, high = torch.tensor([0.0]), torch.tensor([8.0])

    def only_inside(x):
        return torch.where((x[:, 0] >= 0), energy(x), math.nan)

    anchors = torch.randn(1000, 1, generator=seeded(1)).abs()
    got, _ = importance_log_normalizer(
        only_inside, anchors, 0.3, low, high, n_samples=8000, generator=seeded()
    )
    assert float(got) == pytest.approx(log_z(1) - math.log(2), abs=0.03)


def test_importance_finds_mass_without_anchors():
    # A flat energy: nine tenths of the box are reached by the uniform part only.
    low, high = torch.zeros(1), torch.full((1,), 10.0)
    anchors = torch.full((5, 1), 0.5)
    got, ess = importance_log_normalizer(
        lambda x: 0 * x[:, 0], anchors, 0.1, low, high, n_samples=8000, generator=seeded()
    )
    assert float(got) == pytest.approx(math.log(10), abs=0.05)
    assert float(ess) < 1000


def test_ess_is_full_when_the_proposal_is_the_density():
    low, high = torch.zeros(1), torch.ones(1)

    def energy(x):
        kernel = torch.exp(-(((x[:, 0] - 0.5) / 0.01) ** 2) / 2) / (0.01 * math.sqrt(2 * math.pi))
        return -torch.log(0.95 * kernel + 0.05)

    got, ess = importance_log_normalizer(
        energy, torch.full((1, 1), 0.5), 0.01, low, high, n_samples=1000, generator=seeded()
    )
    assert float(got) == pytest.approx(0.0, abs=1e-4)
    assert float(ess) == pytest.approx(1000, rel=1e-4)


def test_importance_does_not_depend_on_the_chunks(monkeypatch):
    energy, _ = gaussian(1.0)
    anchors = torch.randn(50, 2, generator=seeded(1))
    whole = importance_log_normalizer(
        energy, anchors, 0.5, *box(2), n_samples=1000, generator=seeded()
    )
    monkeypatch.setattr(importance, "_CHUNK_DISTANCES", 350)
    parts = importance_log_normalizer(
        energy, anchors, 0.5, *box(2), n_samples=1000, generator=seeded()
    )
    torch.testing.assert_close(whole, parts)


def test_no_gradient_is_kept():
    weight = torch.ones(1, requires_grad=True)

    def energy(x):
        return (weight * x).square().sum(-1)

    assert not grid_log_normalizer(energy, *box(1, dtype=torch.float32)).requires_grad
    log_z, _ = importance_log_normalizer(
        energy,
        torch.zeros(1, 1),
        1.0,
        *box(1, dtype=torch.float32),
        n_samples=10,
        generator=seeded(),
    )
    assert not log_z.requires_grad


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda e: grid_log_normalizer(e, *box(3), n_cells=400),
            r"at most 2 dimensions, got 3, .* 400\^3 points: use annealed_log_normalizer",
        ),
        (lambda e: grid_log_normalizer(e, *box(2), n_cells=0), "at least 1 cell, got 0"),
        (
            lambda e: grid_log_normalizer(e, torch.ones(2), torch.tensor([2.0, 1.0])),
            r"a box with low < high, got low \[1.0, 1.0\], high \[2.0, 1.0\]",
        ),
        (lambda e: grid_log_normalizer(e, torch.zeros(2), torch.ones(1)), r"got \(2,\) and \(1,\)"),
        (
            lambda e: importance_log_normalizer(
                e, torch.zeros(4, 3), 1.0, *box(2), n_samples=10, generator=seeded()
            ),
            r"expected anchors \(m, 2\), got \(4, 3\)",
        ),
        (
            lambda e: importance_log_normalizer(
                e, torch.zeros(4, 2), 0.0, *box(2), n_samples=10, generator=seeded()
            ),
            "positive bandwidth, got 0.0",
        ),
        (
            lambda e: importance_log_normalizer(
                e, torch.zeros(4, 2), 1.0, *box(2), n_samples=1, generator=seeded()
            ),
            "at least 2 samples, got 1",
        ),
    ],
)
def test_mistakes(call, message):
    energy, _ = gaussian(1.0)
    with pytest.raises(ValueError, match=message):
        call(energy)

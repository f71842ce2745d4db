"""Laws of Langevin chains: statistical tests with fixed seeds.

Tolerances are some standard errors of the estimates (`within` asks for four), so that a law that
is wrong by a few per cent fails.
"""

import math

import numpy as np
import pytest
import torch

from chain_statistics import effective_sample_size, split_r_hat, within
from gedi.data import toy
from gedi.model.box import Box
from gedi.model.spectral import SpectralMatrix
from gedi.sampling import AnchoredJump, Cycle, Langevin, ReplayBuffer, evaluate

COVARIANCE = torch.tensor([[0.5, 0.3], [0.3, 0.8]], dtype=torch.float64)
MEAN = torch.tensor([2.0, -1.0], dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def flat(x):
    return 0 * x.sum(-1)


def normal(x):
    return 0.5 * x.square().sum(-1)


def gaussian(covariance=COVARIANCE, mean=MEAN):
    precision = torch.linalg.inv(covariance)
    return lambda x: 0.5 * (((x - mean) @ precision) * (x - mean)).sum(-1)


def draw(move, energy, start, n_steps, burn_in, *, seed=0):
    """Positions (steps, chains, d) after the burn-in."""
    generator, chains, draws = seeded(seed), evaluate(energy, start), []
    for step in range(n_steps):
        chains = move.step(energy, chains, generator)
        if step >= burn_in:
            draws.append(chains.x)
    return torch.stack(draws)


def is_gaussian(draws, covariance=COVARIANCE, mean=MEAN):
    """Whether means and covariances of draws are those of a Gaussian, by their standard errors."""
    n = effective_sample_size(draws)
    points = draws.flatten(0, 1)
    variances = covariance.diagonal()
    right = [
        within(float(m), float(expected), math.sqrt(variance / n))
        for m, expected, variance in zip(points.mean(0), mean, variances, strict=True)
    ]
    found = points.T.cov()
    for i in range(len(mean)):
        for j in range(i + 1):
            spread = math.sqrt((variances[i] * variances[j] + covariance[i, j] ** 2) / n)
            right.append(within(float(found[i, j]), float(covariance[i, j]), spread))
    return split_r_hat(draws) < 1.05 and all(right)


BAD_START = torch.tensor([-6.0, 7.0], dtype=torch.float64).expand(100, 2)


def test_mala_has_the_law_of_a_gaussian():
    move = Langevin(0.4, 2, metropolis=True)
    draws = draw(move, gaussian(), BAD_START, 600, 100)
    assert effective_sample_size(draws) > 5000
    assert is_gaussian(draws)
    assert 0.5 < float(move.acceptance) < 0.99


def test_unadjusted_langevin_with_small_steps_has_nearly_the_law_of_a_gaussian():
    draws = draw(Langevin(0.01, 20), gaussian(), BAD_START, 600, 100)
    assert effective_sample_size(draws) > 2000
    assert is_gaussian(draws)


def test_langevin_with_jumps_has_the_law_of_a_gaussian_for_any_anchors():
    anchors = 3 * torch.randn(30, 2, generator=seeded(5), dtype=torch.float64)
    box = Box(torch.full((2,), -15.0), torch.full((2,), 15.0))
    move = Cycle([Langevin(0.3, 2, metropolis=True), AnchoredJump(anchors, 1.0, box)])
    draws = draw(move, gaussian(), BAD_START, 600, 100)
    assert is_gaussian(draws)
    assert 0.01 < float(move.moves[1].acceptance) < 0.9


@pytest.mark.parametrize("factor", [0.8, pytest.param(1.2, marks=pytest.mark.slow)])
def test_the_check_sees_a_noise_that_is_wrong_by_a_fifth(factor):
    noise = factor * math.sqrt(2 * 0.01)
    draws = draw(Langevin(0.01, 20, noise=noise), gaussian(), BAD_START, 600, 100)
    assert not is_gaussian(draws)
    # The law it has instead: temperature factor².
    assert is_gaussian(draws, factor**2 * COVARIANCE)


def test_preconditioned_mala_is_exact_and_mixes_on_a_narrow_gaussian():
    rotation = torch.linalg.qr(torch.randn(2, 2, generator=seeded(1), dtype=torch.float64)).Q
    values = torch.tensor([1.0, 1e-3], dtype=torch.float64)
    covariance = rotation @ torch.diag(values) @ rotation.T
    root = rotation @ torch.diag(values.sqrt()) @ rotation.T
    energy = gaussian(covariance, torch.zeros(2, dtype=torch.float64))
    start = torch.tensor([1.5, 1.5], dtype=torch.float64).expand(300, 2)

    def whitened(move):
        draws = draw(move, energy, start, 350, 100)
        return draws @ torch.linalg.inv(root)

    identity, zero = torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    exact = Langevin(0.4, 2, metropolis=True, preconditioner=SpectralMatrix.of(root))
    assert is_gaussian(whitened(exact), identity, zero)
    assert float(exact.acceptance) > 0.5
    # The wide direction is out of reach for steps that fit the narrow one.
    plain = Langevin(0.4e-3, 2, metropolis=True)
    assert split_r_hat(whitened(plain)) > 1.05


def test_a_preconditioner_other_than_the_covariance_changes_only_the_pace():
    root = torch.tensor([[0.9, -0.3], [-0.3, 0.7]], dtype=torch.float64)
    move = Langevin(0.3, 3, metropolis=True, preconditioner=SpectralMatrix.of(root))
    assert is_gaussian(draw(move, gaussian(), BAD_START, 600, 100))


# Moons: the true density, in raw units.

NOISE = 0.05
N_CURVE = 200  # kernels on each half circle, a third of their width apart


def moon_curves():
    t = (torch.arange(N_CURVE, dtype=torch.float64) + 0.5) * math.pi / N_CURVE
    upper = torch.stack([t.cos(), t.sin()], -1)
    lower = torch.stack([1 - t.cos(), 0.5 - t.sin()], -1)
    return torch.cat([upper, lower])


CURVES = moon_curves()
SQUARES = CURVES.square().sum(-1)


def moon_energy(x):
    # Gradients of a logsumexp of Gaussians, by hand in one product: autograd does the rest.
    kernels = (x @ CURVES.T - 0.5 * (SQUARES + x.square().sum(-1, keepdim=True))) / NOISE**2
    return -kernels.logsumexp(-1)


def on_moons(x):
    """Which moon, the angle along it and the distance across, of points (n, 2)."""
    x = x.flatten(0, -2)
    lower = torch.cdist(x, CURVES).argmin(-1) >= N_CURVE
    centred = torch.where(lower[:, None], torch.tensor([1.0, 0.5]).double() - x, x)
    centred[:, 0] = torch.where(lower, 1 - x[:, 0], x[:, 0])
    return lower, torch.atan2(centred[:, 1], centred[:, 0]), centred.norm(dim=-1) - 1


def across(x):
    """Variance across the curves, away from their ends."""
    _, angle, distance = on_moons(x)
    return float(distance[(angle > 0.2) & (angle < math.pi - 0.2)].var())


def test_moon_energy_is_the_true_density():
    x, _ = toy.moons(500, noise=NOISE, seed=0)
    difference = -moon_energy(torch.from_numpy(x)).numpy() - toy.log_density("moons", x, NOISE)
    assert np.ptp(difference) < 0.02


def test_mala_and_jumps_reach_the_law_of_the_moons():
    box = Box(torch.tensor([-2.0, -1.5]).double(), torch.tensor([3.0, 2.0]).double())
    anchors = torch.from_numpy(toy.moons(80, noise=NOISE, seed=3)[0])
    langevin = Langevin(0.002, 3, metropolis=True, box=box, boundary="reject")
    move = Cycle([langevin, AnchoredJump(anchors, 0.1, box)])
    start = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(250, 2)  # on one moon, all
    draws = draw(move, moon_energy, start, 260, 100)
    assert split_r_hat(draws) < 1.05
    x = draws[::4]
    lower, angle, _ = on_moons(x)
    # Some 3,000 independent draws: standard error 0.01 of the shares.
    assert float(lower.double().mean()) == pytest.approx(0.5, abs=0.04)
    # Variance across within 10 %; that of points on the curves is 3 % less than noise², as the
    # nearest point of a curve, not the one a point came from, counts.
    assert across(x) == pytest.approx(NOISE**2, rel=0.1)
    # Position along the curves: as often in each eighth as an independent sample of the truth.
    truth = on_moons(torch.from_numpy(toy.moons(100_000, noise=NOISE, seed=1)[0]))
    edges = torch.linspace(0.2, math.pi - 0.2, 9).double()
    for moon in (False, True):
        found = torch.histogram(angle[lower == moon], edges).hist / len(angle)
        expected = torch.histogram(truth[1][truth[0] == moon], edges).hist / len(truth[1])
        assert torch.allclose(found, expected, atol=0.015)  # of about 0.055


def test_a_large_step_is_too_wide_across_the_moons():
    scale = torch.from_numpy(toy.moons(20_000, noise=NOISE, seed=2)[0].std(0))

    def energy(z):
        return moon_energy(z * scale)

    start = torch.from_numpy(toy.moons(400, noise=NOISE, seed=4)[0]) / scale
    careless = draw(Langevin(0.005, 10), energy, start, 8, 5) * scale
    exact = draw(Langevin(0.005, 10, metropolis=True), energy, start, 8, 5) * scale
    assert across(careless) > 1.2 * NOISE**2
    assert across(exact) == pytest.approx(NOISE**2, rel=0.1)


# Walls.


@pytest.mark.parametrize("boundary", ["reflect", "reject"])
@pytest.mark.parametrize("step_size", [0.05, 3.0])
def test_uniform_stays_uniform(boundary, step_size):
    box = Box(torch.tensor([-1.0, 0.0]).double(), torch.tensor([1.0, 0.5]).double())
    move = Langevin(step_size, 20, metropolis=True, box=box, boundary=boundary)
    n = 20_000
    chains = move.step(flat, evaluate(flat, box.uniform((n,), seeded(1))), seeded(2))
    assert box.contains(chains.x).all()
    cells = ((chains.x - box.low) / (box.high - box.low) * 5).long().clamp_max(4)
    counts = torch.bincount(cells[:, 0] * 5 + cells[:, 1], minlength=25)
    chi_square = float(((counts - n / 25) ** 2 / (n / 25)).sum())
    assert chi_square < 52  # 99.9 % of 24 degrees of freedom
    if boundary == "reflect":
        assert float(move.acceptance) == pytest.approx(1, abs=1e-6)


def test_uniform_does_not_stay_uniform_under_clamping():
    box = Box(torch.tensor([0.0]).double(), torch.tensor([1.0]).double())
    move = Langevin(0.05, 20, box=box, boundary="clamp")
    chains = move.step(flat, evaluate(flat, box.uniform((2000,), seeded(1))), seeded(2))
    assert float(((chains.x == 0) | (chains.x == 1)).double().mean()) > 0.1


@pytest.mark.parametrize("boundary", ["reflect", "reject"])
@pytest.mark.parametrize("max_gradient", [None, 0.5])
def test_half_gaussian_at_a_wall(boundary, max_gradient):
    box = Box(torch.tensor([0.0]).double(), torch.tensor([8.0]).double())
    move = Langevin(0.5, 4, metropolis=True, box=box, boundary=boundary, max_gradient=max_gradient)
    draws = draw(move, normal, torch.full((400, 1), 5.0).double(), 300, 50)
    assert split_r_hat(draws) < 1.05
    n = effective_sample_size(draws)
    assert n > 10_000
    variance = 1 - 2 / math.pi
    assert within(float(draws.mean()), math.sqrt(2 / math.pi), math.sqrt(variance / n))
    assert within(float(draws.square().mean()), 1.0, math.sqrt(2 / n))


def test_mean_at_a_wall_is_off_without_the_test():
    box = Box(torch.tensor([0.0]).double(), torch.tensor([8.0]).double())
    draws = draw(Langevin(0.5, 4, box=box), normal, torch.ones(400, 1).double(), 100, 50)
    assert abs(float(draws.square().mean()) - 1) > 0.1


# Form of a step.


def test_one_step_is_the_formula():
    x = torch.randn(5, 2, generator=seeded(1), dtype=torch.float64)
    energy = gaussian()
    root = torch.tensor([[1.0, 0.2], [0.2, 0.5]], dtype=torch.float64)
    start = evaluate(energy, x)
    xi = torch.randn(x.shape, dtype=torch.float64, generator=seeded(2))
    plain = Langevin(0.03, 1).step(energy, start, seeded(2)).x
    assert torch.allclose(plain, x - 0.03 * start.gradient + math.sqrt(0.06) * xi, atol=1e-7)
    shaped = (
        Langevin(0.03, 1, preconditioner=SpectralMatrix.of(root)).step(energy, start, seeded(2)).x
    )
    expected = x - 0.03 * start.gradient @ root @ root + math.sqrt(0.06) * xi @ root
    assert torch.allclose(shaped, expected, atol=1e-7)


def test_drift_is_shortened_to_exactly_max_gradient():
    x = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    move = Langevin(0.1, 1, noise=0.0, max_gradient=2.0)
    moved = move.step(normal, evaluate(normal, x), seeded()).x - x
    expected = -0.1 * torch.tensor([[1.2, 1.6], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    assert torch.allclose(moved, expected, atol=1e-8)


def test_jem_form_stays_in_the_box():
    box = Box(torch.full((2,), -1.0), torch.full((2,), 1.0))
    move = Langevin(1.0, 20, noise=0.01, box=box, boundary="clamp")
    chains = evaluate(lambda x: -5 * x.sum(-1), box.uniform((50,), seeded()))
    chains = move.step(lambda x: -5 * x.sum(-1), chains, seeded())
    assert box.contains(chains.x).all() and (chains.x > 0.9).all()


def test_only_input_gradients_are_computed():
    model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1))

    def energy(x):
        return model(x).squeeze(-1)

    buffer = ReplayBuffer(
        16, lambda shape, g: torch.randn(*shape, 2, generator=g), generator=seeded()
    )
    box = Box(torch.full((2,), -9.0), torch.full((2,), 9.0))
    for metropolis in (False, True):
        jump = AnchoredJump(torch.randn(9, 2, generator=seeded()), 1.0, box)
        move = Cycle([Langevin(0.1, 3, metropolis=metropolis), jump])
        x = move.sample(energy, buffer, 8, generator=seeded(1))
        assert x.grad_fn is None and not x.requires_grad
        assert not buffer.positions.requires_grad
        assert all(p.grad is None for p in model.parameters())


def test_the_seed_determines_the_chains():
    start = torch.zeros(20, 2, dtype=torch.float64)
    a, b, c = (
        draw(Langevin(0.1, 5, metropolis=True), normal, start, 3, 0, seed=seed)
        for seed in (0, 0, 1)
    )
    assert torch.equal(a, b) and not torch.equal(a, c)


# Step sizes.


@pytest.mark.parametrize("step_size", [0.001, 3.0])
def test_step_size_adapts_to_the_target_in_training(step_size):
    move = Langevin(step_size, 50, metropolis=True, target_acceptance=0.6)
    chains = evaluate(normal, torch.randn(200, 4, generator=seeded(), dtype=torch.float64))
    generator = seeded(1)
    for _ in range(30):
        chains = move.step(normal, chains, generator)
    rates = []
    for _ in range(10):
        chains = move.step(normal, chains, generator)
        rates.append(float(move.acceptance))
    assert sum(rates) / 10 == pytest.approx(0.6, abs=0.05)


def test_step_size_stays_in_evaluation_and_without_a_target():
    chains = evaluate(normal, torch.zeros(50, 2))
    for move in (
        Langevin(0.5, 20, metropolis=True, target_acceptance=0.6).eval(),
        Langevin(0.5, 20, metropolis=True),
        Langevin(0.5, 20),
    ):
        move.step(normal, chains, seeded())
        assert float(move.step_size) == pytest.approx(0.5)


def test_members_adapt_their_own_step_size():
    move = Langevin(0.3, 300, metropolis=True, target_acceptance=0.6, members=(2,))
    scales = torch.tensor([1.0, 100.0])[:, None]

    def energy(x):
        return 0.5 * scales * x.square().sum(-1)

    start = torch.randn(2, 100, 2, generator=seeded()) / scales.sqrt()[..., None]
    move.step(energy, evaluate(energy, start), seeded(1))
    wide, narrow = move.step_size.tolist()
    assert move.acceptance.shape == (2,)
    assert wide / narrow == pytest.approx(100, rel=0.5)


def test_step_size_is_part_of_the_state():
    move, fresh = Langevin(0.5, metropolis=True), Langevin(0.1, metropolis=True)
    fresh.load_state_dict(move.state_dict())
    assert float(fresh.step_size) == pytest.approx(0.5)


# What is refused.


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("max_gradient", [None, 1.0])
def test_energies_that_are_not_numbers_are_rejected(value, max_gradient):
    def energy(x):
        return normal(x) + torch.where(x[..., 0] > 0.5, value, 0.0)

    move = Langevin(0.5, 20, metropolis=True, max_gradient=max_gradient)
    chains = move.step(energy, evaluate(energy, torch.zeros(200, 1)), seeded())
    assert all(part.isfinite().all() for part in chains)
    assert (chains.x <= 0.5).all() and chains.x.std() > 0.1
    assert 0 < float(move.acceptance) < 1


BOX = Box(torch.zeros(2), torch.ones(2))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"step_size": 0.0}, "step_size > 0"),
        ({"step_size": -1.0}, "step_size > 0"),
        ({"noise": -0.1}, "noise >= 0"),
        ({"metropolis": True, "noise": 0.01}, "noise=None"),
        ({"metropolis": True, "box": BOX, "boundary": "clamp"}, "'reject' or 'reflect'"),
        ({"box": BOX, "boundary": "reject"}, "needs metropolis=True"),
        (
            {"box": BOX, "boundary": "reflect", "preconditioner": SpectralMatrix.blank(2)},
            "preconditioned",
        ),
        ({"target_acceptance": 0.6}, "target_acceptance needs"),
    ],
)
def test_invalid_combinations_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        Langevin(**arguments)

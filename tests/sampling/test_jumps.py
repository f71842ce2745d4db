"""Jumps preserve the distribution, and balance modes that Langevin chains cannot."""

import math

import pytest
import torch

from chain_statistics import split_r_hat
from gedi.model.box import Box
from gedi.sampling import AnchoredJump, Cycle, Langevin, evaluate, likeliest_bandwidth
from gedi.sampling.jumps import draw_categorical

MODES = torch.tensor([[-3.0, 0.0], [3.0, 0.0], [0.0, 4.0]], dtype=torch.float64)
WEIGHTS = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
WIDTH = 0.3
BOX = Box(torch.full((2,), -6.0).double(), torch.full((2,), 6.0).double())


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def three_modes(x):
    squares = (x[..., None, :] - MODES).square().sum(-1)
    return -torch.logsumexp(WEIGHTS.log() - squares / (2 * WIDTH**2), -1)


def nearest_mode(x):
    return torch.cdist(x, MODES).argmin(-1)


def anchors_of_the_wrong_law(n=60):
    """As many anchors at every mode, and a few nowhere: only the test can correct the weights."""
    near = MODES[torch.arange(n) % 3] + WIDTH * torch.randn(n, 2, generator=seeded(9)).double()
    return torch.cat([near, BOX.uniform((6,), seeded(10))])


def sampler(jumps):
    langevin = Langevin(0.02, 2, metropolis=True)
    anchors = anchors_of_the_wrong_law()
    return Cycle([langevin] + [AnchoredJump(anchors, 0.3, BOX) for _ in range(jumps)])


def draw(move, x, n_steps, burn_in):
    generator, chains, draws = seeded(), evaluate(three_modes, x), []
    for step in range(n_steps):
        chains = move.step(three_modes, chains, generator)
        if step >= burn_in:
            draws.append(chains.x)
    return torch.stack(draws)


def test_jumps_balance_modes_from_a_bad_start():
    start = MODES[2].expand(400, 2) + 1.0  # beside the rarest mode
    draws = draw(sampler(jumps=1), start, 600, 150)
    assert split_r_hat(draws) < 1.05
    flat = draws.flatten(0, 1)
    mode = nearest_mode(flat)
    shares = torch.bincount(mode, minlength=3) / len(mode)
    # Standard errors of about 0.005 (some 10,000 independent draws).
    assert torch.allclose(shares, WEIGHTS.float(), atol=0.02)
    assert torch.allclose(flat.mean(0), WEIGHTS @ MODES, atol=0.1)
    around = flat - MODES[mode]
    # Standard error about 1 % of the variance.
    assert torch.allclose(around.T.cov(), WIDTH**2 * torch.eye(2).double(), atol=0.05 * WIDTH**2)


def test_langevin_alone_does_not_balance_them():
    start = MODES[torch.arange(60) % 3]
    draws = draw(sampler(jumps=0), start, 200, 50)
    shares = torch.bincount(nearest_mode(draws.flatten(0, 1)), minlength=3) / (150 * 60)
    assert not torch.allclose(shares, WEIGHTS.float(), atol=0.1)
    assert split_r_hat(draws) > 1.5


def test_detailed_balance_on_a_few_states():
    """On anchors a grid apart, chains that stand on them move among finitely many states."""
    anchors = torch.arange(4.0, dtype=torch.float64)[:, None]
    box = Box(torch.tensor([-0.5]).double(), torch.tensor([3.5]).double())
    energies = torch.tensor([0.0, 1.0, -0.7, 0.4], dtype=torch.float64)

    def energy(x):
        return energies[x[..., 0].round().long().clamp(0, 3)] + 0 * x[..., 0]

    jump = AnchoredJump(anchors, 0.8, box)
    n = 100_000
    flows = torch.zeros(4, 4)
    for state in range(4):
        chains = evaluate(energy, torch.full((n, 1), float(state), dtype=torch.float64))
        after = jump.step(energy, chains, seeded(state)).x[:, 0].round().long()
        flows[state] = torch.bincount(after, minlength=4) / n
    flows *= (-energies).softmax(0)[:, None]
    # Standard errors of the flows are below 0.0008.
    assert torch.allclose(flows, flows.T, atol=0.003)
    assert (flows.fill_diagonal_(1) > 0.01).all()


def test_the_offset_from_the_anchor_is_kept():
    anchors = torch.tensor([[-5.0, 0.0], [5.0, 0.0]], dtype=torch.float64)
    jump = AnchoredJump(anchors, 1.0, Box(torch.full((2,), -20.0), torch.full((2,), 20.0)))
    start = torch.tensor([[-5.0, 7.0]], dtype=torch.float64).expand(50, 2)
    chains = jump.step(lambda x: 0 * x.sum(-1), evaluate(lambda x: 0 * x.sum(-1), start), seeded())
    assert (chains.x[:, 1] == 7).all()
    assert set(chains.x[:, 0].tolist()) == {-5.0, 5.0}
    assert float(jump.acceptance) == pytest.approx(1, abs=1e-6)


def test_jumps_out_of_the_box_are_rejected():
    anchors = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    jump = AnchoredJump(anchors, 0.5, Box(torch.tensor([-1.0]), torch.tensor([1.0])))
    chains = jump.step(
        lambda x: -9 * x.sum(-1),
        evaluate(lambda x: -9 * x.sum(-1), torch.zeros(100, 1).double()),
        seeded(),
    )
    assert (chains.x == 0).all()


def test_members_report_their_own_acceptance():
    jump = AnchoredJump(anchors_of_the_wrong_law(), 0.3, BOX, members=(2,))

    def energy(x):
        return torch.stack([0 * x[0].sum(-1), 1e3 * x[1].square().sum(-1)])

    chains = jump.step(energy, evaluate(energy, torch.zeros(2, 200, 2).double()), seeded())
    assert chains.x.shape == (2, 200, 2) and jump.acceptance.shape == (2,)
    assert jump.acceptance[0] > jump.acceptance[1]


def test_energies_that_are_not_numbers_are_rejected():
    jump = AnchoredJump(MODES, 0.3, BOX)

    def energy(x):
        return torch.where(x[..., 1] > 2, torch.nan, 0 * x.sum(-1))

    start = MODES[:2].repeat(100, 1)
    chains = jump.step(energy, evaluate(energy, start), seeded())
    assert chains.x.isfinite().all() and chains.energy.isfinite().all()
    assert (chains.x[:, 1] <= 2).all()
    assert 0 < float(jump.acceptance) < 1


def test_draw_categorical_frequencies():
    weights = 50 * torch.tensor([0.1, 0.2, 0.0, 0.7])
    index = draw_categorical(weights.expand(2, 50_000, 4), seeded())
    assert index.shape == (2, 50_000)
    shares = torch.bincount(index.flatten(), minlength=4) / index.numel()
    # Standard errors of at most 0.0015.
    assert torch.allclose(shares, torch.tensor([0.1, 0.2, 0.0, 0.7]), atol=0.006)
    assert shares[2] == 0


def test_draw_categorical_of_extreme_weights():
    weights = torch.tensor([[1e-35, 1.0, 1e-35], [1e-35, 0.0, 0.0]])
    for seed in range(20):
        assert draw_categorical(weights, seeded(seed)).tolist() == [1, 0]


@pytest.mark.parametrize(("n", "d"), [(200, 1), (400, 2), (400, 4)])
def test_likeliest_bandwidth_of_gaussian_data(n, d):
    # Silverman's rule, near the optimum for Gaussian data.
    best = (4 / (d + 2)) ** (1 / (d + 4)) * n ** (-1 / (d + 4))
    for scale in (1.0, 50.0):
        h = likeliest_bandwidth(scale * torch.randn(n, d, generator=seeded()))
        assert 0.5 * best < h / scale < 2 * best


def test_likeliest_bandwidth_handles_duplicates():
    anchors = torch.cat([torch.zeros(5, 2), torch.ones(1, 2)])
    h = likeliest_bandwidth(anchors)
    assert math.isfinite(h) and h > 0


def test_kernels_and_their_sum_are_those_of_the_formula():
    anchors, x = anchors_of_the_wrong_law(), MODES + 0.7
    move = AnchoredJump(anchors, 0.3, BOX)
    kernels, log_sum = move._kernels(x)
    expected = -torch.cdist(x, anchors).square() / (2 * 0.3**2)
    torch.testing.assert_close(log_sum, expected.logsumexp(-1))
    torch.testing.assert_close(
        kernels / kernels.sum(-1, keepdim=True), expected.softmax(-1), atol=1e-30, rtol=1e-9
    )

"""States of chains, the Metropolis test and cycles of moves."""

import pytest
import torch

from gedi.sampling import Chains, Cycle, Langevin, Move, ReplayBuffer, accept, evaluate


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def quadratic(x):
    return 0.5 * x.square().sum(-1)


def two_states(n, lower=0.0, upper=1.0):
    """Chains at 0 and proposals at 1 with the given energies."""
    here = Chains(torch.zeros(n, 1), torch.full((n,), lower), torch.zeros(n, 1))
    there = Chains(torch.ones(n, 1), torch.full((n,), upper), torch.ones(n, 1))
    return here, there


def test_evaluate_gives_energy_and_gradient_and_keeps_no_graph():
    x = torch.randn(2, 5, 3, generator=seeded(), requires_grad=True)
    with torch.no_grad():
        chains = evaluate(quadratic, x)
    assert torch.allclose(chains.energy, quadratic(x)) and torch.allclose(chains.gradient, x)
    assert not any(part.requires_grad for part in chains)
    assert x.grad is None


def test_accept_takes_everything_or_the_old_state():
    here, there = two_states(6)
    log_ratio = torch.tensor([0.0, torch.inf, -torch.inf, torch.nan, 5.0, -1e4])
    chains, rate = accept(here, there, log_ratio, seeded())
    assert chains.x[:, 0].tolist() == [1, 1, 0, 0, 1, 0]
    assert chains.energy.tolist() == chains.gradient[:, 0].tolist() == [1, 1, 0, 0, 1, 0]
    assert float(rate) == pytest.approx(0.5)


def test_accept_takes_proposals_with_the_right_probability():
    here, there = two_states(40_000)
    chains, rate = accept(here, there, torch.full((40_000,), 0.3).log(), seeded())
    assert float(rate) == pytest.approx(0.3, abs=1e-6)
    # Standard error 0.0023.
    assert float(chains.x.mean()) == pytest.approx(0.3, abs=0.01)


def test_accept_reports_each_member():
    here = Chains(torch.zeros(2, 3, 1), torch.zeros(2, 3), torch.zeros(2, 3, 1))
    log_ratio = torch.tensor([[0.0, 0.0, 0.0], [-torch.inf, 0.0, 0.0]])
    _, rate = accept(here, here, log_ratio, seeded())
    assert rate.tolist() == pytest.approx([1, 2 / 3])


class Shift(Move):
    """Adds a number; no sampler at all, but its order shows."""

    def __init__(self, factor, shift):
        super().__init__()
        self.factor, self.shift = factor, shift
        self.acceptance = torch.tensor(float(shift))

    def step(self, energy, chains, generator):
        return evaluate(energy, self.factor * chains.x + self.shift)


def test_cycle_moves_in_order_and_reports_the_first_acceptance():
    cycle = Cycle([Shift(2, 0.25), Shift(3, 0.5)])
    chains = cycle.step(quadratic, evaluate(quadratic, torch.ones(4, 1)), seeded())
    assert (chains.x == 3 * 2.25 + 0.5).all()
    assert float(cycle.acceptance) == 0.25
    assert [type(move) for move in cycle] == [Shift, Shift]


def test_cycle_keeps_the_state_of_its_moves():
    cycle, fresh = Cycle([Langevin(0.3)]), Cycle([Langevin(0.1)])
    fresh.load_state_dict(cycle.state_dict())
    assert float(next(iter(fresh)).step_size) == pytest.approx(0.3)


def test_sample_puts_the_chains_back():
    buffer = ReplayBuffer(
        10, lambda shape, g: torch.randn(*shape, 1, generator=g), reinit=0.0, generator=seeded()
    )
    before = buffer.positions.clone()
    x = Shift(1, 100).sample(quadratic, buffer, 4, generator=seeded(1))
    assert x.shape == (4, 1) and (x > 50).all()
    moved = buffer.positions[:, 0] > 50
    assert moved.sum() == 4
    assert torch.equal(buffer.positions[moved].sort(0).values, x.sort(0).values)
    assert torch.equal(buffer.positions[~moved], before[~moved])

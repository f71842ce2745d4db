"""VERA as a source of negatives: what it returns, learns, leaves unchanged and saves."""

import copy
import io

import pytest
import torch

from gedi.model.box import Box
from gedi.model.spectral import SpectralMatrix
from gedi.sampling import AnchoredJump, Cycle, Langevin, ReplayBuffer
from gedi.sampling.vera import VectorGenerator, VeraSampler
from gedi.sampling.vera_source import VeraSource
from small_trainings import same

BOX = Box(torch.full((2,), -3.0), torch.full((2,), 3.0))
MEAN = torch.tensor([1.0, -0.5])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def energy(x):
    return 2 * (x - MEAN).square().sum(-1)


def source(seed=0, *, box=BOX, **arguments):
    network = VectorGenerator(2, 2, [16], generator=seeded(seed))
    moves = Cycle(
        [
            Langevin(0.5, 2, metropolis=True, target_acceptance=0.6, box=box),
            AnchoredJump(torch.randn(20, 2, generator=seeded(3)), 0.3, box),
        ]
    )
    chosen = {"learning_rate": 5e-3, "entropy_weight": 1.0, "n_importance": 10} | arguments
    return VeraSource(VeraSampler(network), moves, box, **chosen)


def buffer_of(made, capacity=64, **arguments):
    return ReplayBuffer(capacity, made.start, generator=seeded(7), **arguments)


def learn(made, buffer, n_calls, generator, *, under=energy):
    for _ in range(n_calls):
        x = made.sample(under, buffer, 64, generator=generator)
    return x


def test_negatives_follow_the_energy():
    made = source()
    buffer = buffer_of(made)
    generator = seeded(1)
    learn(made, buffer, 800, generator)
    x = made.start((5000,), generator)
    torch.testing.assert_close(x.mean(0), MEAN, atol=0.1, rtol=0)
    torch.testing.assert_close(x.std(0), torch.full((2,), 0.5), atol=0.12, rtol=0)
    assert float(made.energy) == pytest.approx(1.0, abs=0.5)  # d / 2, as in equilibrium


def test_negatives_come_without_gradients_and_leave_none_in_the_energy():
    weight = torch.nn.Parameter(torch.ones(2))
    made = source()
    x = made.sample(
        lambda x: (weight * x).square().sum(-1), buffer_of(made), 20, generator=seeded()
    )
    assert x.shape == (20, 2) and not x.requires_grad
    assert weight.grad is None


def test_negatives_and_starts_lie_in_the_box_and_the_sampler_is_led_back_to_it():
    made = source(centre=torch.tensor([4.0, 0.0]))  # starts outside

    def outside():
        raw = made._whole(made.sampler.sample(500, generator=seeded(5)))
        return float((~BOX.contains(raw)).float().mean())

    before = outside()
    generator = seeded(1)
    # Low beyond the wall only: what is outside is told by the energy of its mirror image.
    x = learn(made, buffer_of(made), 300, generator, under=lambda x: 0 * x.sum(-1))
    assert bool(BOX.contains(x).all()) and bool(BOX.contains(made.start((500,), generator)).all())
    assert before > 0.9 and outside() < 0.1


def test_an_eighth_of_the_batch_moves_and_adapts_the_step_size():
    made = source()
    buffer = buffer_of(made, reinit=0.0)
    before, step_size = buffer.positions.clone(), made.moves.moves[0].step_size
    made.sample(energy, buffer, 64, generator=seeded(1))
    moved = (buffer.positions != before).any(-1).sum()
    assert 1 <= int(moved) <= 8
    assert not torch.equal(made.moves.moves[0].step_size, step_size)
    assert made.chain_moves() is made.moves
    assert torch.equal(made.acceptance, made.moves.acceptance)


def test_chains_restart_at_samples():
    made = source(centre=torch.tensor([2.0, 2.0]))
    buffer = ReplayBuffer(500, made.start, reinit=1.0, generator=seeded())
    expected = made.start((500,), seeded())
    assert torch.equal(buffer.positions, expected)
    _, x = buffer.draw(400, seeded(1))
    assert (x.mean(0) - 2).abs().max() < 0.7


def test_whitened_coordinates():
    root = SpectralMatrix.of(torch.tensor([[4.0, 0.0], [0.0, 0.25]]).double()).to(torch.zeros(2))
    box = Box(torch.full((2,), -50.0), torch.full((2,), 50.0))
    plain, whitened = source(box=box), source(box=box, centre=MEAN, preconditioner=root)
    u, x = plain.start((50,), seeded(2)), whitened.start((50,), seeded(2))
    torch.testing.assert_close(x, MEAN + u * torch.tensor([4.0, 0.25]), atol=1e-4, rtol=1e-4)


def test_a_saved_source_resumes_with_the_same_bits():
    whole = source()
    buffer = buffer_of(whole)
    learn(whole, buffer, 5, seeded(1))
    file = io.BytesIO()
    torch.save(whole.state_dict(), file)
    file.seek(0)
    resumed = source(seed=9)
    its_buffer = buffer_of(resumed)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    its_buffer.load_state_dict(buffer.state_dict())
    learn(whole, buffer, 5, seeded(2))
    learn(resumed, its_buffer, 5, seeded(2))
    assert same(resumed.state_dict(), whole.state_dict())
    assert torch.equal(buffer.positions, its_buffer.positions)


def test_a_member_takes_the_whole_source_of_its_group():
    group, alone = source(), source(seed=9)
    learn(group, buffer_of(group), 3, seeded(1))
    alone.load_member(group, 1)
    assert same(alone.state_dict(), group.state_dict())
    saved = copy.deepcopy(alone.state_dict())
    learn(group, buffer_of(group), 1, seeded(1))
    assert same(alone.state_dict(), saved)


def test_members_are_refused():
    made = source()
    with pytest.raises(ValueError, match=r"expected a buffer \(m, d\), got \(2, 64, 2\)"):
        made.sample(energy, buffer_of(made, members=(2,)), 8, generator=seeded())

"""Score matching: its least loss in closed form, and a start that knows the data."""

from dataclasses import replace

import pytest
import torch

from gedi.data.dataset import Dataset
from gedi.objective import Weights, invariance
from gedi.settings import RestartSettings, SamplerSettings, Settings
from gedi.training.plan import plan
from gedi.training.score_matching import denoising_loss, match_scores
from gedi.training.session import start
from small_trainings import SMALL, algorithm, blobs, fresh_state, heaps


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Normal:
    """Energies of N(0, s) in each direction."""

    def __init__(self, variance):
        self.variance = variance

    def energy(self, x):
        return x.square().sum(-1) / (2 * self.variance)


def test_the_loss_is_least_for_the_density_of_the_noisy_points():
    width, d = 0.5, 3
    x, noise = torch.randn(2, 100_000, d, generator=seeded(), dtype=torch.float64)
    right = 1 + width**2
    losses = {
        variance: float(denoising_loss(Normal(variance), x, noise, width).detach())
        for variance in (0.7 * right, right, 1.4 * right)
    }
    # |ξ|² less what the noisy point tells of it.
    assert losses[right] == pytest.approx(d / right, rel=0.01)
    assert min(losses, key=losses.get) == right


@pytest.mark.parametrize("members", [(), (3,)])
def test_matched_energies_know_the_data(members):
    state, data = fresh_state(members=members), 0.3 * blobs()
    noise = torch.randn(data.shape, generator=seeded())

    def loss():
        return denoising_loss(state.model, data.expand(*members, -1, -1), noise, 0.1)

    before = loss()
    match_scores(state, data, algorithm(Weights(1.0, 0.0, 0.0)), n_steps=300, seed=0)
    after = loss()
    assert before.shape == members and (after < 0.98 * before).all()
    assert state.seconds > 0 and state.iteration == 0
    for name, value in state.average.state_dict().items():
        assert torch.equal(value, state.model.state_dict()[name])
    assert all(parameter.grad is None for parameter in state.model.parameters())


def test_clusters_form_meanwhile_where_their_terms_take_part():
    state = fresh_state(members=(2,))
    match_scores(state, blobs(), algorithm(warmups=(0, 20)), n_steps=200, seed=0)
    logits = state.model(blobs().expand(2, -1, -1))
    inv = invariance(logits, logits).detach()  # minus the mean entropy
    assert float(inv[0]) > -0.2 and float(inv[1]) < -0.4
    matched = fresh_state()
    match_scores(matched, blobs(), algorithm(Weights(1.0, 0.0, 0.0)), n_steps=100, seed=0)
    assert float(invariance(*2 * [matched.model(blobs())]).detach()) < -0.4


def test_a_limited_time_is_not_spent_on_it():
    state = fresh_state()
    match_scores(state, blobs(), algorithm(max_time=1.0), n_steps=10**6, seed=0)
    assert state.seconds > 0.2  # it has ended, far from the last step


def test_the_seed_decides():
    heads = []
    for seed in (0, 0, 1):
        state = fresh_state()
        match_scores(state, blobs(), algorithm(), n_steps=3, seed=seed)
        heads.append(state.model.head.weight.detach())
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_a_training_starts_from_it_once():
    def session(n_steps):
        restarts = RestartSettings(n=1, score_matching=n_steps)
        return start(Dataset("heaps", heaps()[0]), replace(SMALL, max_iter=2, restarts=restarts))

    plain, matched = session(0), session(20)
    for each in (plain, matched):
        each.train()
    key = "layers.0.weight"
    weights = [each.state.model.encoder.state_dict()[key] for each in (plain, matched)]
    assert not torch.allclose(*weights, atol=0.01)
    # Taken up again before its first iteration, it is not matched anew.
    first = session(20)
    first._prepare()
    kept = first.state.model.encoder.state_dict()[key].clone()
    again = session(20)
    again.load_state_dict(first.state_dict())
    again._prepare()
    assert torch.equal(again.state.model.encoder.state_dict()[key], kept)


def test_chains_that_start_at_the_data_need_none():
    flat, deep = (start(Dataset("heaps", heaps(d=d)[0]), SMALL) for d in (2, 3))
    assert flat.settings.restarts.score_matching == 13
    assert deep.settings.restarts.score_matching == 0


def test_networks_that_know_the_data_are_fewer_and_chosen_sooner():
    def restarts(**chosen):
        settings = Settings(
            n_clusters=2,
            device="cpu",
            sampler=SamplerSettings(kind="langevin"),
            restarts=RestartSettings(**chosen),
        )
        found = plan(Dataset("heaps", heaps()[0]), settings).settings.restarts
        return found.n, found.iterations, found.score_matching

    assert restarts() == (5, 300, 200)
    assert restarts(score_matching=0) == (6, 600, 0)
    assert restarts(gen=False) == (6, 600, 0)
    assert restarts(n=3, iterations=50) == (3, 50, 33)

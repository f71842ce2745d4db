"""Trainings without chains: from a pool of partitions, on a mixture, by contrast with its draws."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score

import gedi
from gedi.data.dataset import Dataset
from gedi.errors import SettingsError
from gedi.settings import (
    EncoderSettings,
    RestartSettings,
    SamplerSettings,
    Settings,
    WeightSettings,
)
from gedi.training.custom import Custom
from gedi.training.hooks import StopWhen
from gedi.training.plan import plan
from gedi.training.session import start
from gedi.training.storage import load_trained, save_trained
from small_trainings import heaps, same

BASE = Settings(n_clusters=2, device="cpu")
ASKED = replace(BASE, sampler=SamplerSettings(kind="base"))
MOONS, LABELS = make_moons(400, noise=0.05, random_state=0)


@pytest.fixture(scope="module")
def moons():
    return start(Dataset("moons", MOONS.astype(np.float32)), BASE).run()


def test_one_network_finds_the_moons_and_their_density(moons):
    assert adjusted_rand_score(LABELS, moons.trained.predict(MOONS).clusters) == 1
    assert not {"acceptance", "step_size"} & set(moons.history[-1])  # no chain has moved
    assert moons.iterations == 200 and moons.candidates == [] and moons.interventions == []
    assert moons.collapse_gap < 0.05
    fresh, _ = make_moons(400, noise=0.05, random_state=1)
    normalizer = moons.trained.normalizer
    assert normalizer.method == "base" and normalizer.trusted
    held_out = moons.trained.predict(fresh).log_density
    assert held_out.mean() > -0.55  # a single Gaussian has -1.9, the truth about -0.25
    samples, _ = moons.trained.sample(200, generator=torch.Generator().manual_seed(0))
    assert moons.trained.predict(samples).log_density.mean() > -1


def test_a_training_starts_from_the_partition_that_came_with_the_number():
    settings = replace(BASE, n_clusters="auto", max_iter=1)
    session = start(Dataset("moons", MOONS.astype(np.float32)), settings)
    found, partition = session.plan.found, session.parts.partition
    assert found.number.n_clusters == 2
    np.testing.assert_array_equal(partition.codes, found.number.labels)
    back = session.parts.scaling.inverse(partition.x)
    np.testing.assert_allclose(back, MOONS[found.rows], atol=1e-4)


def test_what_is_saved_gives_the_same_numbers(moons, tmp_path):
    save_trained(moons.trained, tmp_path / "model.safetensors")
    back = load_trained(tmp_path / "model.safetensors", moons.settings, (2,))
    for a, b in zip(back.predict(MOONS), moons.trained.predict(MOONS), strict=True):
        np.testing.assert_array_equal(a, b)
    assert torch.equal(back.model.gain, moons.trained.model.gain)


def test_it_goes_on_with_the_same_bits():
    data = Dataset("heaps", heaps(120)[0])
    short = replace(BASE, max_iter=30, evaluate_every=10, encoder=EncoderSettings(hidden=[16]))
    whole = start(data, short)
    whole.train()
    broken = start(data, short)
    broken.train([StopWhen(lambda: broken.state.iteration == 13)])
    resumed = start(data, short)
    resumed.load_state_dict(broken.state_dict())
    resumed.train()
    assert same(whole.state_dict(), resumed.state_dict())


@pytest.mark.slow
def test_a_far_row_does_no_harm():
    x = np.r_[heaps(200)[0], [[1e9, -1e9]]]
    fit = gedi.fit(x, 2, settings=BASE)
    clusters, energies = fit.trained.predict(x[:200]).clusters, fit.trained.predict(x).energy
    assert adjusted_rand_score(heaps(200)[1], clusters) == 1
    assert energies.argmax() == 200 and np.isfinite(energies).all()


def test_what_the_plan_decides():
    decided = plan(Dataset("heaps", heaps(120, 5)[0]), BASE).settings
    assert (decided.restarts.n, decided.restarts.pool, decided.prior) == (1, True, "learned")
    assert decided.sampler.kind == "base" and decided.data_noise == 0
    assert decided.encoder.base and decided.weights.gen == 1
    chosen = replace(BASE, sampler=SamplerSettings(kind="langevin"))
    chains = plan(Dataset("heaps", heaps(120, 5)[0]), chosen)
    assert (chains.settings.sampler.kind, chains.settings.prior) == ("langevin", "uniform")
    assert chains.settings.restarts.pool is False and chains.settings.max_iter == 2000


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": WeightSettings(gen=0.0)}, "a positive weights.gen"),
        ({"encoder": EncoderSettings(base=False)}, "encoder.base true or null"),
        ({"method": "swav"}, "a built-in method with GEN"),
    ],
)
def test_draws_of_a_base_that_is_not_there_are_refused(changes, words):
    with pytest.raises(SettingsError, match=f"setting sampler.kind: base expects {words}"):
        plan(Dataset("heaps", heaps()[0]), replace(ASKED, **changes))


def test_a_pool_is_for_one_network_without_known_classes():
    data = Dataset("heaps", heaps(120)[0])
    pool = RestartSettings(pool=True, n=2)
    with pytest.raises(SettingsError, match=r"restarts.pool: expected false with several networks"):
        plan(data, replace(BASE, restarts=pool))
    known = Custom(classes=np.zeros(120, dtype=np.int64))
    with pytest.raises(SettingsError, match=r"restarts.pool: .* with known classes or groups"):
        plan(data, replace(BASE, restarts=replace(pool, n=1)), known)
    assert plan(data, BASE, known).settings.restarts.pool is False


def test_images_have_no_mixture():
    x = np.random.default_rng(0).uniform(size=(30, 16)).astype(np.float32)
    images = Dataset("images", x, image_shape=(1, 4, 4), value_range=(0.0, 1.0))
    with pytest.raises(SettingsError, match="base expects vectors, but these are images"):
        plan(images, ASKED)


@pytest.mark.slow
def test_a_long_training_ends_when_nothing_improves_on_held_out_points():
    settings = replace(BASE, max_iter=5000, evaluate_every=25)
    long = start(Dataset("moons", MOONS.astype(np.float32)), settings).run()
    assert long.settings.patience == 100
    assert long.ended == "converged" and 200 <= long.iterations < 2000
    assert adjusted_rand_score(LABELS, long.trained.predict(MOONS).clusters) == 1

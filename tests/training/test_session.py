"""From data to a trained model, and trainings that are paused, saved and taken up again."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import gedi
from gedi.data.dataset import Dataset
from gedi.deadline import Deadline
from gedi.errors import DataError, SettingsError
from gedi.sampling import Cycle
from gedi.settings import (
    EncoderSettings,
    RestartSettings,
    SamplerSettings,
    Settings,
    ViewSettings,
    WeightSettings,
)
from gedi.training.custom import Custom
from gedi.training.end import EndCosts
from gedi.training.hooks import Hook, StopWhen
from gedi.training.session import start
from gedi.training.storage import load_trained, save_trained
from gedi.views import Neighbour, VirtualAdversarial
from gedi.views.geometry import Geometry
from small_trainings import SMALL, Each, heaps, same

GROUP = replace(SMALL, restarts=RestartSettings(n=2, kmeans=0, iterations=25, warmup=8, ramp=5))


def session(settings=SMALL, **arguments):
    return start(Dataset("blobs", heaps()[0]), settings, **arguments)


def saved(paused):
    """Through a file, as weights only."""
    file = io.BytesIO()
    torch.save(paused.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.fixture(scope="module")
def whole():
    """Trainings to the end, each done once: the session, and what it found."""
    done = {}

    def of(settings, astray_at=None):
        key = settings.sampler.kind, settings.restarts.n, astray_at
        if key not in done:
            training = session(settings)
            fit = training.run([] if astray_at is None else [astray(astray_at)])
            done[key] = training, fit
        return done[key]

    return of


def without_clock(history):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in history]


def stop_at(training, iteration):
    """A hook that stops a session once it has come so far."""
    return StopWhen(lambda: training.state.iteration >= iteration)


def accuracy(clusters, labels):
    agree = float((clusters == labels).mean())
    return max(agree, 1 - agree)


def test_fit_finds_two_heaps():
    x, labels = heaps()
    settings = replace(SMALL, max_iter=150)
    fit = gedi.fit(x, n_clusters=2, settings=settings)
    prediction = fit.trained.predict(x)
    assert accuracy(prediction.clusters, labels) == 1
    assert fit.ended == "max_iter" and fit.iterations == 150
    assert fit.collapse_gap < 0.2
    np.testing.assert_allclose(prediction.probabilities.sum(1), 1, atol=1e-6)
    # The density is one in the user's units, and far points are unlikely.
    assert prediction.log_density.mean() > float(fit.trained.predict([[560, 500]]).log_density[0])
    samples, clusters = fit.trained.sample(50, generator=torch.Generator().manual_seed(0))
    assert samples.shape == (50, 2) and set(clusters.tolist()) == {0, 1}
    assert x.min() - 50 < samples.min() and samples.max() < x.max() + 50


@pytest.mark.parametrize("n_restarts", [1, 2])
def test_less_precision_is_for_training_alone(n_restarts, tmp_path):
    settings = replace(
        GROUP if n_restarts == 2 else SMALL, precision="bf16-mixed", max_iter=80, seed=1
    )
    seen = set()
    training = session(settings)
    training.state.model.encoder.register_forward_hook(lambda *args: seen.add(args[2].dtype))
    fit = training.run()
    assert seen == {torch.bfloat16}
    assert accuracy(fit.trained.predict(heaps()[0]).clusters, heaps()[1]) == 1
    save_trained(fit.trained, tmp_path / "model.safetensors")
    loaded = load_trained(tmp_path / "model.safetensors", fit.settings, (2,))
    for trained in (fit.trained, loaded):
        assert trained.model.encoder_dtype is None
    x = torch.zeros(3, 2)
    assert torch.equal(loaded.model(x), fit.trained.model(x))


def test_density_integrates_to_one_in_the_users_units():
    trained = session().run().trained
    low, high = (trained.scaling.inverse(corner[None])[0] for corner in trained.box)
    axes = [np.linspace(a, b, 301)[:-1] + (b - a) / 600 for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    total = np.exp(trained.predict(points).log_density).mean() * np.prod(high - low)
    assert total == pytest.approx(1, abs=0.01)


def test_fit_with_restarts_finds_two_heaps():
    x, labels = heaps()
    fit = gedi.fit(x, n_clusters=2, settings=replace(GROUP, max_iter=200))
    assert accuracy(fit.trained.predict(x).clusters, labels) == 1
    assert len(fit.candidates) == 2 and fit.chosen in (0, 1)
    assert [c.warmup for c in fit.candidates] == [0, 8]
    assert all(np.isfinite([c.gap, c.log_likelihood]).all() for c in fit.candidates)


@pytest.mark.parametrize("settings", [SMALL, GROUP], ids=["one", "group"])
def test_one_seed_gives_the_same_bits(settings, whole):
    first, a = whole(settings)
    again = session(settings)
    b = again.run()
    other = session(replace(settings, seed=1))
    other.run()
    assert same(first.state_dict(), again.state_dict())
    assert without_clock(a.history) == without_clock(b.history)
    assert not same(first.state_dict()["state"]["model"], other.state_dict()["state"]["model"])


@pytest.mark.parametrize("settings", [SMALL, GROUP], ids=["one", "group"])
@pytest.mark.parametrize("at", [pytest.param(7, marks=pytest.mark.slow), 25, 40])
def test_a_saved_session_goes_on_with_the_same_bits(settings, at, whole):
    unbroken, expected = whole(settings)
    broken = session(settings)
    paused = broken.run([stop_at(broken, at)])
    assert paused.ended == "interrupted" and paused.iterations == at
    resumed = session(settings)
    resumed.load_state_dict(saved(broken))
    fit = resumed.run()
    assert same(resumed.state_dict(), unbroken.state_dict())
    assert without_clock(fit.history) == without_clock(expected.history)
    x, _ = heaps()
    assert same(
        torch.from_numpy(fit.trained.predict(x).energy),
        torch.from_numpy(expected.trained.predict(x).energy),
    )


def test_a_session_takes_up_all_that_was_saved():
    settings = replace(SMALL, tol=10.0)  # no progress after the first look
    paused = session(settings)
    paused.run()
    resumed = session(settings)
    resumed.load_state_dict(saved(paused))
    assert paused.controller.plateau.best_iteration == 10
    assert same(resumed.state_dict(), paused.state_dict())


def astray(at):
    """A hook that leads a training astray at some iteration."""

    def poison(state):
        if state.iteration == at:
            next(state.model.parameters()).data.fill_(torch.nan)

    return Each(poison)


@pytest.mark.parametrize("settings", [SMALL, GROUP], ids=["one", "group"])
def test_a_training_gone_astray_comes_back_and_says_so(settings):
    settings = replace(settings, max_iter=150)
    fit = session(settings).run([astray(23)])
    assert [each.action for each in fit.interventions] == ["rolled back"]
    assert [record["interventions"] for record in fit.history] == [0, 0, *[1] * 13]
    calm = session(settings).run()
    told = [record.pop("gradient_norm") for record in fit.history]  # as it was before the cure
    assert all(np.isfinite(list(record.values())).all() for record in fit.history)
    assert np.isfinite(told[3:]).all()
    assert fit.history[3]["learning_rate"] < 0.6 * calm.history[3]["learning_rate"]
    x, labels = heaps()
    assert accuracy(fit.trained.predict(x).clusters, labels) == 1


@pytest.mark.parametrize("at", [22, 27, pytest.param(35, marks=pytest.mark.slow)])
def test_a_training_gone_astray_goes_on_with_the_same_bits(at, whole):
    unbroken, _ = whole(GROUP, astray_at=23)
    paused = session(GROUP)
    paused.train([astray(23), stop_at(paused, at)])
    resumed = session(GROUP)
    resumed.load_state_dict(saved(paused))
    resumed.run([astray(23)])
    assert same(resumed.state_dict(), unbroken.state_dict())


@pytest.mark.parametrize("settings", [SMALL, GROUP], ids=["one", "group"])
def test_an_interrupted_session_can_simply_run_on(settings, whole):
    broken = session(settings)
    before = broken.run([stop_at(broken, 10)])
    chains = before.trained.chains.clone()
    energy = before.trained.predict(heaps()[0]).energy
    assert broken.run().ended == "max_iter"
    assert same(broken.state_dict(), whole(settings)[0].state_dict())
    # What was returned before does not change any more.
    assert torch.equal(before.trained.chains, chains)
    np.testing.assert_array_equal(before.trained.predict(heaps()[0]).energy, energy)


def test_time_ends_a_training():
    fit = session(replace(SMALL, max_iter=10**6, max_time=0.3)).run()
    assert fit.ended == "max_time"
    assert 0 < fit.iterations < 10**6


def test_what_is_left_of_the_time_is_for_the_end():
    training = session(replace(SMALL, max_iter=10**6, max_time=2.0))
    training.run()
    late = session(replace(SMALL, max_iter=10**6, max_time=2.0))
    late.deadline = Deadline(0.0)
    fit = late.run()
    assert fit.ended == "max_time" and fit.iterations > 0
    assert late.parts.algorithm.max_time < training.parts.algorithm.max_time < 2.0
    assert late._costs.rest > 0 and late._n_draws == 2000  # the fewest
    unlimited = session(SMALL)
    assert unlimited._n_draws == 20_000 and len(unlimited._sample) == len(unlimited.parts.sample)


def test_restarts_take_only_their_share_of_the_time():
    settings = replace(GROUP, restarts=replace(GROUP.restarts, iterations=10**5), max_iter=10**6)
    training = session(replace(settings, max_time=2.0))
    seconds = []

    class Clock(Hook):
        def on_iteration(self, session):
            if not session.state.members:
                seconds.append(session.state.seconds)

    fit = training.run([Clock()])
    assert len(fit.candidates) == 2 and seconds[0] < 0.5 * fit.seconds


def test_a_look_takes_a_small_share_of_the_time():
    training = session(replace(SMALL, max_iter=10**6, max_time=2.0))
    watched = training.parts.monitor.x
    training._costs = EndCosts(0.0, 0.0, look=0.06 / 60)  # 60 points take 3 % of two seconds
    training._look_briefly()
    assert torch.equal(training.controller.monitor.x, watched[:60]) and len(watched) > 60
    training._costs = EndCosts(0.0, 0.0, look=1.0)
    training._look_briefly()
    assert len(training.parts.monitor.x) == 50


def test_convergence_ends_a_training():
    settings = replace(SMALL, max_iter=100_000, tol=10.0, patience=20, decay=0.5)
    fit = session(settings).run()
    assert fit.ended == "converged"
    # The first look sets the mark, the plateau is seen `patience` later, and then comes the decay.
    assert 40 <= fit.iterations <= 80
    assert fit.history[-1]["iteration"] == fit.iterations
    assert fit.history[-1]["learning_rate"] < 0.01 * settings.learning_rate


def test_hooks_see_every_record_and_every_iteration():
    heard, iterations = [], []

    class Watcher(Hook):
        def on_record(self, session, record):
            heard.append(record)

        def on_iteration(self, session):
            iterations.append(session.state.iteration)

    fit = session().run([Watcher()])
    assert heard == fit.history and iterations == list(range(1, 61))
    assert [record["iteration"] for record in heard] == [10, 20, 30, 40, 50, 60]
    assert all(np.isfinite(list(record.values())).all() for record in heard)


@pytest.mark.parametrize(
    "weights",
    [WeightSettings(gen=1, inv=0, prior=0), WeightSettings(gen=0, inv=1, prior=1)],
    ids=["JEM", "GEDI no gen"],
)
def test_special_cases_train(weights):
    one = session(replace(SMALL, weights=weights))
    before = one.state.buffer.positions.clone()
    fit = one.run()
    assert fit.ended == "max_iter"
    assert torch.equal(one.state.buffer.positions, before) == (weights.gen == 0)
    assert (fit.trained.normalizer is None) == (weights.gen == 0)


def test_jem_needs_no_views():
    none = ViewSettings(noise=0, adversarial=0, neighbours=0)
    weights = WeightSettings(gen=1, inv=0, prior=0)
    fit = session(replace(SMALL, max_iter=10, views=none, weights=weights)).run()
    assert fit.iterations == 10


def images(n=60):
    rng = np.random.default_rng(0)
    return Dataset(
        "images",
        rng.uniform(size=(n, 16)).astype(np.float32),
        image_shape=(1, 4, 4),
        value_range=(0.0, 1.0),
    )


def test_images_have_views_of_their_own():
    only = ViewSettings(noise=0, adversarial=0, neighbours=0, rotate=10)
    fit = start(images(), replace(SMALL, max_iter=5, batch_size=16, views=only)).run()
    assert fit.iterations == 5


@pytest.mark.parametrize("method", ["gedi", "swav"])
def test_settings_decide_the_views_of_images(method):
    def view(**views):
        settings = Settings(method=method, n_clusters=2, batch_size=16, views=ViewSettings(**views))
        return start(images(), settings).parts.algorithm.view

    found = view()
    if method == "gedi":
        found, *others = found.views
        assert [type(other) for other in others] == [VirtualAdversarial, Neighbour]
    assert [type(step).__name__ for step in found.steps] == ["Geometry"]
    strengths = dict.fromkeys(("rotate", "shift", "zoom", "shear"), 0)
    strengths |= {"crop": 0.5, "pixel_noise": 0.25}
    found = view(adversarial=0, neighbours=0, **strengths)
    (step,) = found.steps
    assert step == Geometry(crop=0.5, aspect=step.aspect)
    assert found.pixel_noise == 0.25


def test_images_are_scaled_to_the_range_that_their_views_keep():
    unknown = replace(images(), value_range=None)
    x = start(unknown, replace(SMALL, batch_size=16)).parts.data[:]
    assert (float(x.min()), float(x.max())) == (-1, 1)


def test_views_that_do_not_suit_the_data_are_no_views():
    noise = ViewSettings(noise=1, adversarial=0, neighbours=0, rotate=0, shift=0, zoom=0, shear=0)
    rotation = ViewSettings(rotate=10)
    with pytest.raises(SettingsError, match="settings views: expected one of rotate"):
        start(images(), replace(SMALL, batch_size=16, views=noise))
    with pytest.raises(SettingsError, match=r"setting views\.rotate: is for images"):
        session(replace(SMALL, views=rotation))


def test_prior_of_unequal_shares_with_restarts():
    """Most restarts give the larger share to the smaller heap and stay so; the gap tells."""
    x, labels = heaps()
    keep = np.concatenate([np.flatnonzero(labels == 0)[:80], np.flatnonzero(labels == 1)[:20]])
    settings = replace(
        SMALL,
        max_iter=300,
        prior=[0.2, 0.8],
        weights=WeightSettings(gen=0, prior=4),
        restarts=RestartSettings(n=16, iterations=200),
    )
    fit = gedi.fit(x[keep], n_clusters=2, settings=settings)
    np.testing.assert_array_equal(fit.trained.predict(x[keep]).clusters, 1 - labels[keep])
    gaps = [candidate.gap for candidate in fit.candidates]
    assert fit.chosen == int(np.argmin(gaps)) and max(gaps) > 0.3 > min(gaps)
    assert fit.collapse_gap < 0.1


def test_constant_features_do_no_harm():
    x, labels = heaps()
    x = np.column_stack([x, np.full(len(x), 7.0)])
    fit = gedi.fit(x, n_clusters=2, settings=replace(SMALL, max_iter=150))
    assert accuracy(fit.trained.predict(x).clusters, labels) == 1


def test_fewer_points_than_clusters():
    with pytest.raises(DataError, match="3 points cannot form 4 clusters"):
        gedi.fit(heaps()[0][:3], n_clusters=4, settings=SMALL)


def test_all_points_the_same():
    with pytest.raises(DataError, match="all 50 points are the same"):
        gedi.fit(np.full((50, 2), 3.0), n_clusters=2, settings=SMALL)


def test_points_that_are_no_numbers():
    x = heaps()[0]
    x[3, 1] = np.nan
    with pytest.raises(DataError):
        gedi.fit(x, n_clusters=2, settings=SMALL)


def test_prior_of_the_wrong_length():
    with pytest.raises(SettingsError, match="setting prior: expected 2 shares"):
        gedi.fit(heaps()[0], n_clusters=2, settings=replace(SMALL, prior=[1, 1, 1]))


def test_buffer_smaller_than_the_batch():
    small = replace(SMALL, sampler=SamplerSettings(buffer_size=10))
    with pytest.raises(SettingsError, match=r"sampler\.buffer_size: expected at least"):
        session(small)


def test_a_cluster_that_does_not_exist():
    trained = session(replace(SMALL, max_iter=1)).run().trained
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        trained.sample(5, generator=torch.Generator().manual_seed(0), cluster=2)


def test_predicting_other_columns():
    trained = session(replace(SMALL, max_iter=1)).run().trained
    with pytest.raises(DataError, match="expected 2 features, got 3"):
        trained.predict(np.zeros((4, 3)))


def test_samples_of_one_cluster_lie_there():
    x, _ = heaps()
    trained = gedi.fit(x, n_clusters=2, settings=replace(SMALL, max_iter=300)).trained
    generator = torch.Generator().manual_seed(0)
    for cluster in (0, 1):
        _, clusters = trained.sample(100, generator=generator, cluster=cluster)
        assert (clusters == cluster).mean() > 0.95


@pytest.mark.parametrize("kind", ["conv", pytest.param("resnet8", marks=pytest.mark.slow)])
def test_images_of_bytes_train_convolutions(kind, tmp_path):
    x = np.random.default_rng(0).integers(0, 256, size=(40, 2 * 16 * 16), dtype=np.uint8)
    dataset = Dataset("images", x, image_shape=(2, 16, 16), value_range=(0.0, 255.0))
    settings = Settings(
        n_clusters=2,
        max_iter=4,
        batch_size=8,
        encoder=EncoderSettings(kind=kind),
        restarts=RestartSettings(n=2, iterations=2),
    )
    fit = start(dataset, settings).run()
    first, second = (candidate.gap for candidate in fit.candidates)
    assert first != second  # members start from weights of their own
    save_trained(fit.trained, tmp_path / "model.safetensors")
    back = load_trained(tmp_path / "model.safetensors", fit.settings, (2, 16, 16))
    assert np.array_equal(back.predict(x).energy, fit.trained.predict(x).energy)


@pytest.mark.usefixtures("known_normalizer")
@pytest.mark.parametrize("restarts", [1, 2])
def test_images_in_a_file_train_as_those_in_memory_do(restarts, tmp_path):
    x = np.random.default_rng(0).integers(0, 256, size=(60, 1, 5, 5), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    held = gedi.load(str(tmp_path / "x.npy"))
    mapped = gedi.load(str(tmp_path / "x.npy"), stream_above=0)
    assert isinstance(mapped.x, np.memmap) and not isinstance(held.x, np.memmap)
    settings = replace(GROUP, batch_size=16, restarts=replace(GROUP.restarts, n=restarts))
    whole, broken = start(held, settings), start(mapped, settings)
    whole.train()
    broken.advance(until=20)
    resumed = start(mapped, settings)
    resumed.load_state_dict(saved(broken))
    resumed.train()
    assert same(whole.state_dict(), resumed.state_dict())
    trained = resumed.trained_model()
    for a, b in zip(trained.predict(mapped.x), trained.predict(held.x), strict=True):
        np.testing.assert_array_equal(a, b)


VERA = replace(SMALL, sampler=SamplerSettings(kind="vera", n_anchors=64))
VERA_GROUP = replace(VERA, restarts=RestartSettings(n=2, kmeans=0, iterations=25, ramp=5))


@pytest.mark.usefixtures("known_normalizer")
def test_vera_finds_two_heaps_and_leaves_chains_that_move():
    x, labels = heaps(d=3)
    fit = start(Dataset("heaps", x), replace(VERA, max_iter=200)).run()
    assert accuracy(fit.trained.predict(x).clusters, labels) == 1
    assert np.isfinite(fit.history[-1]["energy_vera"])
    assert isinstance(fit.trained.sampler, Cycle)
    assert fit.history[-1]["step_size"] != fit.settings.sampler.step_size


@pytest.mark.parametrize("settings", [VERA, VERA_GROUP], ids=["one", "group"])
@pytest.mark.parametrize("at", [pytest.param(7, marks=pytest.mark.slow), 40])
def test_a_saved_session_with_vera_goes_on_with_the_same_bits(settings, at, whole):
    unbroken, expected = whole(settings)
    broken = session(settings)
    broken.run([stop_at(broken, at)])
    resumed = session(settings)
    resumed.load_state_dict(saved(broken))
    fit = resumed.run()
    assert same(resumed.state_dict(), unbroken.state_dict())
    assert without_clock(fit.history[-1:]) == without_clock(expected.history[-1:])


def test_vera_makes_images_and_what_it_trained_comes_back(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, size=(40, 16 * 16), dtype=np.uint8)
    dataset = Dataset("images", x, image_shape=(1, 16, 16), value_range=(0.0, 255.0))
    settings = Settings(
        n_clusters=2,
        max_iter=8,
        batch_size=8,
        sampler=SamplerSettings(kind="vera"),
        restarts=RestartSettings(n=2, iterations=2),
    )
    one = start(dataset, settings)
    fit = one.run()
    assert fit.settings.encoder.kind == "conv"
    assert np.isfinite(fit.history[-1]["energy_vera"])
    assert one.state.sampler.start((3,), torch.Generator().manual_seed(0)).shape == (3, 256)
    save_trained(fit.trained, tmp_path / "model.safetensors")
    back = load_trained(tmp_path / "model.safetensors", fit.settings, (1, 16, 16))
    first, second = (
        trained.sample(4, generator=torch.Generator().manual_seed(0), n_steps=2)[0]
        for trained in (fit.trained, back)
    )
    np.testing.assert_array_equal(first, second)


def test_going_on_with_vera_from_a_trained_model():
    previous = session(VERA).run().trained
    fit = session(replace(VERA, max_iter=20), custom=Custom(previous=previous)).run()
    assert fit.iterations == 20
    assert accuracy(fit.trained.predict(heaps()[0]).clusters, heaps()[1]) > 0.9


def streamed(folder, n=600, **more):
    """Two heaps in shards, sorted by heap, with a far point that the sample leaves out."""
    x, labels = heaps(n)
    x = x[np.argsort(labels, kind="stable")]
    x[17, 0] = 5000
    for i, part in enumerate(np.split(x, 3)):
        frame = pd.DataFrame(part, columns=["a", "b"])
        frame.to_parquet(folder / f"{i}.parquet", row_group_size=25)
    return gedi.load_stream(str(folder), buffer_size=150, **more)


@pytest.fixture
def shards(tmp_path, monkeypatch):
    monkeypatch.setattr("gedi.data.shards._SMALL_GROUP", 1)
    monkeypatch.setattr("gedi.data.shards._SAMPLED", 200)
    return streamed(tmp_path)


def test_a_stream_trains_as_data_in_memory_do(shards):
    fit = gedi.fit(shards, n_clusters=2, settings=replace(SMALL, max_iter=150))
    x, labels = heaps(600)
    assert accuracy(fit.trained.predict(x).clusters, labels) > 0.98


@pytest.mark.parametrize("at", [3, pytest.param(14, marks=pytest.mark.slow), 29])
def test_a_streamed_training_goes_on_with_the_same_bits(shards, at):
    settings = replace(SMALL, max_iter=30, restarts=RestartSettings(n=2, iterations=12))
    whole = start(shards, settings)
    whole.train()
    broken = start(shards, settings)
    assert not broken.train([stop_at(broken, at)])
    resumed = start(shards, settings)
    resumed.load_state_dict(saved(broken))
    resumed.train()
    assert resumed.state_dict()["stream"]["drawn"] == 64 * (12 * 2 + 18)
    assert same(whole.state_dict(), resumed.state_dict())


def test_the_box_holds_rows_that_the_sample_of_a_stream_leaves_out(shards):
    assert shards.x.max() < 5000
    box, scaling = start(shards, SMALL).parts.algorithm.box, start(shards, SMALL).parts
    assert box.contains(scaling.scaling(np.array([[5000.0, 500.0]])))[0]


def test_what_is_known_by_places_is_refused_of_a_stream(shards):
    pairs = np.array([[0, 1]])
    for custom in (Custom(positives=pairs), Custom(classes=np.zeros(200, dtype=np.int64))):
        with pytest.raises(SettingsError, match=r"streaming: .* known by the places of rows"):
            start(shards, SMALL, custom=custom)


def test_a_bad_row_in_a_stream_is_told_with_its_file(shards, tmp_path, monkeypatch):
    monkeypatch.setattr("gedi.data.shards._LOOKED_AT", 60)  # so that the sample does not see it
    frame = pd.read_parquet(tmp_path / "2.parquet")
    frame.loc[199, "b"] = np.nan
    frame.to_parquet(tmp_path / "2.parquet", row_group_size=25)
    data = gedi.load_stream(str(tmp_path), seed=4)
    with pytest.raises(
        DataError, match=r"2\.parquet: 1 missing .* the first in row 199, column 'b'"
    ):
        gedi.fit(data, n_clusters=2, settings=replace(SMALL, max_iter=20))

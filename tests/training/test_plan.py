"""Settings that the data decide."""

from dataclasses import FrozenInstanceError, asdict, is_dataclass, replace

import numpy as np
import pytest
import torch

from gedi.data.dataset import Dataset
from gedi.errors import DataError, SettingsError
from gedi.evidence.groups import Groups
from gedi.objective import balance_threshold
from gedi.partitions import number_of_clusters
from gedi.rules import sum_rule
from gedi.settings import (
    CompleteSettings,
    EncoderSettings,
    RestartSettings,
    SamplerSettings,
    Settings,
    VeraSettings,
    ViewSettings,
    WeightSettings,
    check,
    complete,
)
from gedi.settings.presets import NEUTRAL, preset
from gedi.training.custom import Custom
from gedi.training.plan import default_prior_weight, grown_settings, plan, plan_views


def table(n=50, d=3):
    return Dataset("table", np.random.default_rng(0).normal(size=(n, d)).astype(np.float32))


def resolve(settings, dataset, custom=Custom(), **processes):
    """The settings of a plan."""
    return plan(dataset, settings, custom, **processes).settings


def test_every_open_setting_is_filled_in():
    resolved = resolve(Settings(n_clusters=3), table())
    check(resolved)
    assert isinstance(resolved, CompleteSettings) and complete(resolved) == resolved
    assert resolve(resolved, table()) == resolved


def test_what_the_user_says_stays():
    said = Settings(
        n_clusters=3,
        batch_size=17,
        learning_rate=0.5,
        data_noise=0.25,
        weights=WeightSettings(0.5, 2.0, 3.0, start=0.5),
        restarts=RestartSettings(False, 2, 1, 9, gen=True, warmup=3, ramp=2, score_matching=5),
    )
    resolved = resolve(said, table())
    for name in ("batch_size", "learning_rate", "data_noise", "weights", "restarts"):
        mine, theirs = getattr(resolved, name), getattr(said, name)
        assert vars(mine) == vars(theirs) if is_dataclass(mine) else mine == theirs


@pytest.mark.parametrize("c", [2, 3, 10, 100])
def test_the_weight_of_prior_is_above_the_threshold(c):
    assert balance_threshold(c) <= default_prior_weight(c) <= 10 * balance_threshold(c)


def test_jem_needs_no_restarts_and_no_gen_no_warm_up():
    jem = resolve(Settings(n_clusters=2, weights=WeightSettings(1.0, 0.0, 0.0)), table())
    assert jem.restarts.n == 1
    no_gen = resolve(Settings(n_clusters=2, weights=WeightSettings(gen=0.0)), table())
    assert no_gen.restarts.gen is False


@pytest.mark.parametrize("max_iter", [3, 100, 2000])
def test_the_choice_leaves_most_of_the_training(max_iter):
    restarts = resolve(Settings(n_clusters=2, max_iter=max_iter), table()).restarts
    assert 1 <= restarts.iterations <= max(1, max_iter // 3)
    assert restarts.warmup + restarts.ramp <= restarts.iterations


def test_the_number_of_clusters_is_found_once_unless_it_is_known(monkeypatch):
    x = np.random.default_rng(0).normal(size=(90, 2)) + 30 * (np.arange(90) % 3)[:, None]
    data = Dataset("heaps", x)
    for settings in (Settings(), Settings(n_clusters="auto")):
        planned = plan(data, settings)
        assert planned.settings.n_clusters == 3
        assert "3 clusters were found in the data" in str(planned)
        assert len(np.unique(planned.found.number.labels)) == 3 and len(planned.found.rows) == 90
    monkeypatch.setattr("gedi.training.plan.find_number", None)  # not called
    named = replace(data, n_classes=4)
    assert plan(data, Settings(prior=[0.5, 0.3, 0.1, 0.1])).settings.n_clusters == 4
    assert plan(named, Settings()).settings.n_clusters == 4
    assert plan(named, Settings(n_clusters=2)).found is None


def test_the_number_of_clusters_of_wide_data_is_found_along_their_axes(monkeypatch):
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = 6 * rng.normal(size=(3, 300))[y] @ np.diag(np.arange(300) < 4) + rng.normal(size=(90, 300))
    seen = []
    real = number_of_clusters

    def number(some, seed, **options):
        seen.append((some.shape, options["one_unit"]))
        return real(some, seed, **options)

    monkeypatch.setattr("gedi.training.starts.number_of_clusters", number)
    planned = plan(Dataset("wide", x), Settings(n_clusters="auto"))
    assert seen == [((90, planned.settings.encoder.components), True)]
    assert planned.settings.encoder.components == 45 and planned.settings.n_clusters == 3


def test_mistakes_are_told():
    with pytest.raises(DataError, match="4 points cannot form 5 clusters"):
        resolve(Settings(n_clusters=5), table(4))
    with pytest.raises(SettingsError, match="n_clusters: expected how many clusters"):
        resolve(Settings(n_clusters="auto"), images(8))
    with pytest.raises(SettingsError, match="buffer_size"):
        resolve(
            Settings(n_clusters=2, batch_size=20, sampler=SamplerSettings(buffer_size=10)), table()
        )
    late = RestartSettings(n=2, iterations=10, gen=True, warmup=8, ramp=5)
    with pytest.raises(SettingsError, match=r"restarts\.warmup"):
        resolve(Settings(n_clusters=2, restarts=late), table())
    resolve(Settings(n_clusters=2, restarts=replace(late, ramp=2)), table())


def images(side, channels=1):
    size = (30, channels * side * side)
    x = np.random.default_rng(0).integers(0, 256, size=size, dtype=np.uint8)
    return Dataset("images", x, image_shape=(channels, side, side), value_range=(0.0, 255.0))


def image_views(views):
    return {name: getattr(views, name) for name in NEUTRAL}


def test_some_term_must_be_trained():
    nothing = Settings(n_clusters=3, weights=WeightSettings(0.0, 0.0, 0.0))
    with pytest.raises(SettingsError, match="nothing to train"):
        resolve(nothing, table())
    resolve(nothing, table(), Custom(classes=np.zeros(50, dtype=np.int64)))
    rule = sum_rule(2, 3)
    groups = Groups(rule, torch.zeros(1, 2, dtype=torch.int64), rule.encode([0]))
    resolved = resolve(nothing, table(), Custom(groups=groups))
    assert resolved.weights.prior == 0 and resolved.restarts.n == 1
    unheard = replace(nothing, weights=WeightSettings(0.0, 0.0, 0.0, evidence=0.0))
    with pytest.raises(SettingsError, match="nothing to train"):
        resolve(unheard, table(), Custom(groups=groups))


def test_evidence_is_weighed_where_there_is_some():
    heavy = Settings(n_clusters=3, weights=WeightSettings(evidence=3.0))
    with pytest.raises(SettingsError, match=r"weights\.evidence: expected known classes or groups"):
        resolve(heavy, table())
    told = Custom(classes=np.zeros(50, dtype=np.int64))
    assert resolve(heavy, table(), told).weights.evidence == 3


def test_the_preset_follows_the_channels():
    grey, colour = (
        resolve(Settings(n_clusters=3), images(8, channels)).views for channels in (1, 3)
    )
    assert (grey.preset, colour.preset) == ("digits", "natural")
    assert image_views(grey) == preset("digits")
    assert image_views(colour) == preset("natural")
    for views in (grey, colour):
        assert (views.adversarial, views.neighbours) == (0.18, 10)
    resolved = resolve(Settings(n_clusters=3), images(8, 3))
    assert resolve(resolved, images(8, 3)) == resolved


def test_strengths_given_win_over_the_preset():
    said = ViewSettings(preset="digits", rotate=0.0, crop=0.5, jitter=0.25, neighbours=3)
    views = plan_views(said, (3, 8, 8))
    assert image_views(views) == preset("digits") | {"rotate": 0.0, "crop": 0.5, "jitter": 0.25}
    assert (views.preset, views.neighbours, views.adversarial) == ("digits", 3, 0.18)


def test_colour_is_left_out_without_it():
    views = plan_views(ViewSettings(preset="natural"), (1, 8, 8))
    assert image_views(views) == preset("natural") | {"jitter": 0.0, "grey": 0.0}
    assert plan_views(ViewSettings(grey=0.0), (1, 8, 8)).grey == 0
    with pytest.raises(SettingsError, match=r"views\.grey: .*three channels, but these have 1"):
        resolve(Settings(n_clusters=3, views=ViewSettings(grey=0.5)), images(8))


def test_large_images_are_changed_less_and_have_no_neighbours():
    views = plan_views(ViewSettings(), (1, 16, 16))
    assert (views.adversarial, views.neighbours) == (0.15, 0)


def test_gen_pulls_harder_and_more_slowly_on_convolutional_networks():
    plain = resolve(Settings(n_clusters=3), images(16))
    assert (plain.encoder.kind, plain.learning_rate, plain.gen_slowdown) == ("conv", 3e-3, 0.25)
    assert plain.weights.gen == pytest.approx(40 / 256)
    assert plain.weights.max_contrast == 16
    no_gen = resolve(Settings(n_clusters=3, weights=WeightSettings(gen=0.0)), images(16))
    assert (no_gen.gen_slowdown, no_gen.weights.max_contrast) == (1, None)
    mlp = resolve(Settings(n_clusters=3), images(8))
    assert (mlp.weights.gen, mlp.gen_slowdown) == (pytest.approx(4 / 64), 1)
    assert mlp.weights.max_contrast is None
    alone = WeightSettings(inv=0.0, prior=0.0)
    assert resolve(Settings(n_clusters=3, weights=alone), images(8)).gen_slowdown == 0.25


def test_tables_have_no_image_views():
    views = resolve(Settings(n_clusters=3), table()).views
    assert asdict(views) == asdict(ViewSettings(noise=0.5, adversarial=0.18, neighbours=10))
    neutral = ViewSettings(**NEUTRAL)
    assert image_views(resolve(Settings(n_clusters=3, views=neutral), table()).views) == NEUTRAL
    for changes in ({"rotate": 10.0}, {"crop": 0.5}, {"preset": "digits"}):
        with pytest.raises(
            SettingsError, match=rf"setting views\.{next(iter(changes))}: is for im"
        ):
            resolve(Settings(n_clusters=3, views=ViewSettings(**changes)), table())


@pytest.mark.parametrize("method", ["swav", "barlow-twins"])
def test_rivals_see_images_through_the_preset_alone(method):
    rival = Settings(method=method, n_clusters=3)
    views = resolve(rival, images(8)).views
    assert (views.adversarial, views.neighbours) == (0, 0)
    assert image_views(views) == preset("digits")
    views = resolve(replace(rival, views=ViewSettings(adversarial=0.3)), images(8)).views
    assert (views.adversarial, views.neighbours) == (0.3, 0)
    views = resolve(rival, table()).views
    assert (views.adversarial, views.neighbours) == (0.18, 10)


def test_some_view_must_be_left():
    none = ViewSettings(noise=0.0, adversarial=0.0, neighbours=0, **NEUTRAL)
    with pytest.raises(SettingsError, match="one of noise, dropout, adversarial, neighbours"):
        resolve(Settings(n_clusters=3, views=none), table())
    with pytest.raises(SettingsError, match=r"one of rotate, .*pixel_noise.*or crop below 1, for"):
        resolve(Settings(n_clusters=3, views=replace(none, aspect=1.5, noise=1.0)), images(8))
    for changes in ({"crop": 0.5}, {"flip": 0.5}, {"neighbours": 1}):
        views = replace(none, **changes)
        assert resolve(Settings(n_clusters=3, views=views), images(8)).views.crop == views.crop


def test_many_features_get_an_affine_head_and_an_exact_likelihood():
    found = resolve(Settings(n_clusters=3), table(n=500, d=101))
    assert (found.encoder.kind, found.sampler.kind, found.encoder.components) == (
        "linear",
        "exact",
        100,
    )
    assert (found.restarts.n, found.restarts.pool, found.prior) == (16, True, "learned")
    assert (found.views.noise, found.views.adversarial, found.views.neighbours) == (0, 0, 20)
    assert resolve(found, table(n=500, d=101)) == found


@pytest.mark.parametrize(
    "settings",
    [
        Settings(n_clusters=1, weights=WeightSettings(inv=0.0, prior=0.0)),
        Settings(n_clusters=3, encoder=EncoderSettings(hidden=[8])),
        Settings(n_clusters=3, sampler=SamplerSettings(kind="base")),
    ],
    ids=["one cluster", "widths", "draws of the base"],
)
def test_many_features_without_an_affine_head(settings):
    assert resolve(settings, table(n=500, d=101)).encoder.kind == "mlp"


@pytest.mark.parametrize(
    "settings",
    [
        Settings(
            n_clusters=3, sampler=SamplerSettings(kind="exact"), encoder=EncoderSettings("mlp")
        ),
        Settings(
            n_clusters=3, sampler=SamplerSettings(kind="base"), encoder=EncoderSettings("linear")
        ),
    ],
    ids=["exact", "linear"],
)
def test_an_affine_head_and_an_exact_likelihood_expect_each_other(settings):
    with pytest.raises(SettingsError, match=r"linear and exact expect each other"):
        resolve(settings, table())


def test_images_of_some_size_get_convolutions():
    resolved = resolve(Settings(n_clusters=3), images(28))
    assert resolved.encoder.kind == "conv" and resolve(resolved, images(28)) == resolved
    assert (resolved.data_noise, resolved.sampler.n_steps, resolved.sampler.every) == (0.3, 10, 5)
    assert resolve(Settings(n_clusters=3), images(8)).encoder.kind == "mlp"
    assert resolve(Settings(n_clusters=3), table(d=80)).encoder.kind == "mlp"
    said = Settings(n_clusters=3, encoder=EncoderSettings(kind="mlp"))
    assert resolve(said, images(28)).encoder.kind == "mlp"
    widths = resolve(Settings(n_clusters=3, encoder=EncoderSettings(hidden=[7])), images(28))
    assert widths.encoder.kind == "mlp" and widths.encoder.hidden == [7]
    both = EncoderSettings(kind="conv", hidden=[7])
    with pytest.raises(SettingsError, match=r"encoder.hidden: conv has widths of its own"):
        resolve(Settings(n_clusters=3, encoder=both), images(28))
    with pytest.raises(SettingsError, match=r"encoder.kind: conv is for images"):
        resolve(Settings(n_clusters=3, encoder=EncoderSettings(kind="conv")), table())


VERA = Settings(n_clusters=3, sampler=SamplerSettings(kind="vera"))


def test_vera_has_gen_wait_until_one_restart_is_chosen():
    resolved = resolve(VERA, table())
    assert resolved.restarts.n > 1 and resolved.restarts.gen is False
    assert resolve(resolved, table()) == resolved
    alone = resolve(replace(VERA, restarts=RestartSettings(n=1)), table())
    assert alone.restarts.gen is True
    assert resolve(replace(VERA, sampler=SamplerSettings()), table()).restarts.gen is True


def test_latents_and_importance_of_vera():
    cases = ((table(), (3, 20)), (table(d=100), (64, 20)), (table(d=1), (2, 20)))
    for data, expected in (*cases, (images(8), (64, 5))):
        vera = resolve(VERA, data).sampler.vera
        assert (vera.latents, vera.n_importance) == expected
    said = VeraSettings(latents=7, n_importance=3)
    kept = resolve(replace(VERA, sampler=SamplerSettings(kind="vera", vera=said)), table())
    assert asdict(kept.sampler.vera) == asdict(said)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"restarts": RestartSettings(n=2, gen=True)}, "restarts.gen: expected false.*2 restarts"),
        (
            {"restarts": RestartSettings(n=2), "weights": WeightSettings(1.0, 0.0, 0.0)},
            "restarts.gen: expected false.*2 restarts",
        ),
        ({"weights": WeightSettings(gen=0.0)}, "sampler.kind: vera makes the negatives of GEN"),
        ({"method": "swav"}, "sampler.kind: vera makes the negatives of GEN"),
    ],
)
def test_contradictions_with_vera(changes, words):
    with pytest.raises(SettingsError, match=f"setting {words}"):
        resolve(replace(VERA, **changes), table())


def test_sides_of_images_that_vera_makes():
    with pytest.raises(SettingsError, match=r"multiples of 4 pixels, got 10 x 10"):
        resolve(VERA, images(10))
    assert resolve(VERA, images(12)).sampler.kind == "vera"


def test_processes_share_points_and_chains_equally():
    settings = Settings(n_clusters=2, batch_size=12, device="cpu")
    assert plan(table(), settings, devices=3).n_processes == 3
    with pytest.raises(SettingsError, match="batch_size: expected a multiple of the 5 processes"):
        plan(table(), settings, devices=5)
    odd = replace(settings, sampler=SamplerSettings(buffer_size=13))
    with pytest.raises(SettingsError, match=r"sampler.buffer_size: expected a multiple of the 2"):
        plan(table(), odd, devices=2)


def test_a_plan_says_what_will_be_done_and_why():
    chains = Settings(n_clusters=3, sampler=SamplerSettings(kind="langevin"))
    said = str(plan(table(500, 6), chains))
    assert "table: 500 x 6, 3 clusters by GEDI" in said
    assert "6 networks, 2 of them from k-means, until iteration 600" in said
    assert "mlp-100-100 with 11,103 parameters" in said
    assert "noise of" in said and "because there are 500" in said
    assert "from the best partition of a pool" in str(plan(table(500, 6), Settings(n_clusters=3)))
    one = str(plan(images(16), Settings(n_clusters=3, restarts=RestartSettings(n=1))))
    assert "30 images of 1 x 16 x 16" in one and "one network: conv with" in one


def test_a_plan_cannot_change():
    decided = plan(table(), Settings(n_clusters=3))
    with pytest.raises(FrozenInstanceError):
        decided.devices = 2
    with pytest.raises(FrozenInstanceError):
        decided.settings.batch_size = 2


class Built:
    """Counts how often a plug-in's encoder is made."""

    def __init__(self):
        self.n = 0

    def __call__(self, input_shape):
        self.n += 1
        return torch.nn.Sequential(torch.nn.Linear(*input_shape, 4), torch.nn.SiLU())


def test_the_encoder_of_a_plug_in_is_measured_once(monkeypatch):
    made = Built()
    monkeypatch.setattr("gedi.model.kinds.plugins.load", lambda *names, **options: made)
    settings = Settings(n_clusters=3, encoder=EncoderSettings(kind="theirs"))
    decided = plan(table(), settings)
    assert made.n == 1
    assert decided.network.parameters == (3 * 4 + 4) + (4 * 3 + 3)


def test_settings_for_grown_data_start_one_network_from_known_clusters():
    data = Dataset("x", np.random.default_rng(0).normal(size=(60, 2)))
    complete = plan(data, Settings(n_clusters=3, seed=5, max_iter=70)).settings
    grown = grown_settings(complete, 4, seed=None, max_time=None)
    again = plan(data, grown).settings
    assert (again.n_clusters, again.seed, again.max_iter, again.max_time) == (4, 5, 70, None)
    assert (again.restarts.n, again.restarts.pool) == (1, True)
    assert again.weights == plan(data, Settings(n_clusters=4)).settings.weights
    other = grown_settings(complete, 4, seed=9, max_time=30.0)
    assert (other.seed, other.max_time) == (9, 30.0)


def test_a_weight_of_the_prior_that_was_chosen_is_kept():
    chosen = Settings(n_clusters=3, weights=WeightSettings(prior=7.0))
    data = Dataset("x", np.random.default_rng(0).normal(size=(60, 2)))
    complete = plan(data, chosen).settings
    assert grown_settings(complete, 4, seed=None, max_time=None).weights.prior == 7.0

"""The findings of a trained model, and the content of a report."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from gedi.data.dataset import Dataset
from gedi.data.source import load
from gedi.deadline import Deadline
from gedi.evidence.groups import Groups
from gedi.report import verdict_of, write
from gedi.report.content import report_content
from gedi.report.findings import find, rows_in_time, sampling_rounds
from gedi.rules import Rule
from gedi.settings import WeightSettings
from gedi.training.hooks import StopWhen
from gedi.training.session import start
from small_trainings import SMALL, heaps


@pytest.fixture(scope="module")
def labelled():
    x, labels = heaps()
    # Three classes, of which the last has no points: more classes than clusters.
    return Dataset("heaps", x, labels, ("left", "right", "none"), ("a", "b"))


@pytest.fixture(scope="module")
def fit(labelled):
    return start(labelled, SMALL).run()


@pytest.fixture(scope="module")
def found(fit, labelled):
    return find(fit.trained, labelled, fit.settings)


@pytest.fixture
def shortly(monkeypatch):
    """Samples after one round of moves, for what does not depend on them."""
    monkeypatch.setattr("gedi.report.findings._LANGEVIN_STEPS", 1)


def test_clusters_are_compared_with_labels_only_if_there_are_labels(fit, labelled, shortly):
    with_labels = find(fit.trained, labelled, fit.settings)
    assert with_labels.metrics["accuracy"] > 0.95
    assert with_labels.metrics["NMI"] > 0.7
    without = find(fit.trained, replace(labelled, labels=None), fit.settings)
    assert not {"NMI", "ARI", "accuracy"} & without.metrics.keys()
    assert without.collapse_gap == with_labels.collapse_gap


def test_without_time_a_report_is_of_some_rows_which_keep_their_numbers(fit, labelled, shortly):
    repeated = np.resize(np.arange(len(labelled.x)), 20_000)
    many = labelled.subset(repeated)
    assert rows_in_time(fit.trained, many, Deadline()) is many
    assert rows_in_time(fit.trained, many, Deadline.after(600)) is many
    late = Deadline.after(0)
    some = rows_in_time(fit.trained, many, late)
    assert len(some.x) == 5000 and some.n_rows == 20_000
    np.testing.assert_array_equal(some.x, many.x[some.numbers])
    found = find(fit.trained, some, fit.settings, deadline=late)
    content = report_content(fit, found, some, [], deadline=late)
    assert found.sizes.sum() == 5000
    assert content.dataset == "heaps, a sample of its 20,000 rows"
    np.testing.assert_array_equal(content.unusual.numbers, some.numbers[content.unusual.rows])
    assert content.unusual.numbers.max() > 5000


def test_sizes_and_energies_are_those_of_the_data(found, labelled):
    assert found.sizes.sum() == len(labelled.x)
    np.testing.assert_array_equal(found.sizes, np.bincount(found.prediction.clusters, minlength=2))
    assert found.energies["noise"].mean() > found.energies["data"].mean()
    assert found.collapse_gap >= 0


def test_a_rule_is_compared_with_the_observed_outcomes(fit, found, labelled, shortly):
    """Outcomes say whether the members of a pair are in the same cluster; half are wrong."""
    names = {"a": range(2), "b": range(2), "same": [False, True]}
    rule = Rule(lambda a, b, same: (a == b) == same, names)
    clusters = found.prediction.clusters
    pairs = np.arange(len(clusters)).reshape(-1, 2)[:40]
    same = clusters[pairs[:, 0]] == clusters[pairs[:, 1]]
    same[:20] ^= True
    codes = torch.tensor([rule.outcomes.index(bool(one)) for one in same])
    groups = Groups(rule, torch.from_numpy(pairs), codes)
    metrics = find(fit.trained, labelled, fit.settings, groups=groups).metrics
    assert metrics["rule accuracy"] == 0.5
    assert 0 < metrics["rule probability"] < 0.5
    right = replace(groups, rows=groups.rows[20:], codes=codes[20:])
    metrics = find(fit.trained, labelled, fit.settings, groups=right).metrics
    assert metrics["rule accuracy"] == 1 and metrics["rule probability"] > 0.5


@pytest.fixture(scope="module")
def images():
    x = np.random.default_rng(0).integers(0, 256, size=(60, 16), dtype=np.uint8)
    return Dataset("images", x, image_shape=(1, 4, 4), value_range=(0.0, 255.0))


@pytest.mark.parametrize("gen", [None, 0.0])
def test_images_have_scores_of_outliers_and_chains_from_noise(images, gen):
    settings = replace(SMALL, max_iter=3, batch_size=16, weights=WeightSettings(gen=gen))
    fit = start(images, settings).run()
    found = find(fit.trained, images, fit.settings)
    assert found.outliers.scores.keys() == found.outliers.figures.keys()
    for score, sets in found.outliers.scores.items():
        assert list(sets) == ["data", *found.outliers.figures[score]]
        assert all(values.shape == (60,) for values in sets.values())
    if gen is None:
        assert found.walk.shape == (8, len(found.walk_rounds) + 1, 16)
        assert found.walk_rounds == (0, 2, 5, 10, 25, 50, 100)
    else:
        assert found.walk is None
    content = report_content(fit, found, images, [])
    assert content.outliers is found.outliers and content.walk is found.walk
    many = images.subset(np.resize(np.arange(len(images.x)), 500))
    late = find(fit.trained, many, fit.settings, deadline=Deadline.after(0)).outliers
    assert {len(x) for sets in late.scores.values() for x in sets.values()} == {50}


def test_a_report_takes_one_thread(fit, found, labelled, monkeypatch):
    threads = []
    monkeypatch.setattr(
        "gedi.report.content.map_points",
        lambda *_, **__: threads.append(torch.get_num_threads()),
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        report_content(fit, found, labelled, [])
        assert threads == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_vectors_have_no_foils(found):
    assert found.outliers is None and found.walk is None


def test_regret_is_measured_where_the_truth_is_known(shortly):
    moons = load("moons", n_points=300)
    fit = start(moons, replace(SMALL, max_iter=20)).run()
    found = find(fit.trained, moons, fit.settings)
    assert found.metrics["regret"] > 0.1  # hardly trained


def test_confusion_has_its_matches_on_the_diagonal(fit, found, labelled):
    content = report_content(fit, found, labelled, ["gedi evaluate x"])
    matrix, names = content.confusion
    assert names == ("left", "right", "none")
    assert matrix.shape == (3, 2)
    assert matrix[0, 0] > 90
    assert matrix[1, 1] > 90
    assert sorted(content.confusion_clusters) == [0, 1]


def test_a_report_of_the_plane_can_draw_it(fit, found, labelled):
    content = report_content(fit, found, labelled, [])
    x = labelled.x[:7]
    assert content.log_density_function(x).shape == (7,)
    assert content.posterior_function(x).shape == (7, 2)
    assert (content.low < labelled.x.min(0)).all()
    assert (content.high > labelled.x.max(0)).all()
    np.testing.assert_allclose(content.prior, [0.5, 0.5])


@pytest.mark.parametrize("kind", ["base", "langevin"])
def test_moons_that_were_stopped_early_are_unfinished_first(kind, shortly):
    moons = load("moons", n_points=300)
    settings = replace(SMALL, max_iter=2000, sampler=replace(SMALL.sampler, kind=kind))
    session = start(moons, settings)
    stopped = session.run([StopWhen(lambda: session.state.iteration == 10)])
    found = find(stopped.trained, moons, settings=stopped.settings)
    verdict = verdict_of(report_content(stopped, found, moons, []))
    assert (verdict.level, verdict.title) == ("bad", "Unfinished")
    assert "10 of at most 2,000 iterations" in verdict.text.replace("\u202f", ",")


def test_the_density_is_compared_with_the_base_on_points_that_it_was_not_trained_on(shortly):
    moons = load("moons", n_points=300)
    session = start(moons, replace(SMALL, max_iter=20, sampler=replace(SMALL.sampler, kind="base")))
    fit = session.run()
    held_out = session.parts.held_out
    assert len(held_out) == 60
    found = find(fit.trained, moons, fit.settings, held_out=held_out)
    with torch.no_grad():
        gained = -fit.trained.model.energy(held_out) - fit.trained.model.base(held_out)
    expected = float(gained.double().mean()) - fit.trained.normalizer.value
    assert found.over_base == pytest.approx(expected, abs=1e-5)
    of_all = find(fit.trained, moons, fit.settings, held_out=held_out[:0])
    assert of_all.over_base == find(fit.trained, moons, fit.settings).over_base
    unseen = fit.trained.predict(fit.trained.scaling.inverse(held_out)).log_density
    assert found.held_out == pytest.approx(unseen.mean(), abs=1e-4)
    assert of_all.held_out is None


def test_without_time_a_report_looks_at_less_and_has_no_charts(tmp_path):
    table = Dataset("table", np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32))
    fit = start(table, replace(SMALL, max_iter=20)).run()
    whole, hasty = (
        find(fit.trained, table, fit.settings, deadline=Deadline(at)) for at in (math.inf, 0.0)
    )
    assert hasty.walk_rounds == (0, 1) and max(whole.walk_rounds) == sampling_rounds(fit.settings)
    np.testing.assert_array_equal(hasty.prediction.clusters, whole.prediction.clusters)
    assert hasty.samples.shape == whole.samples.shape and np.isfinite(hasty.samples).all()
    content = report_content(fit, hasty, table, [], deadline=Deadline(0.0))
    assert content.unusual.n_compared == 256
    full = report_content(fit, whole, table, [])
    assert full.unusual.n_compared == 400
    pages = []
    for each in (content, full):
        write(tmp_path / "report.html", each)
        pages.append((tmp_path / "report.html").read_text(encoding="utf-8"))
    left_out = "left out for lack of time"
    assert "data:image/png" not in pages[0] and left_out in pages[0]
    assert "data:image/png" in pages[1] and left_out not in pages[1]


def test_samples_and_densities_are_compared_with_the_data(fit, found, labelled):
    assert found.apart < 0.3
    moved = replace(labelled, x=labelled.x + 200)
    assert find(fit.trained, moved, fit.settings).apart > 0.5
    no_base = find(replace(fit.trained, normalizer=None), labelled, fit.settings)
    assert no_base.over_base is None

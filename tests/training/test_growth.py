"""Trainings on grown data: new clusters are found, and old ones are kept."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from gedi.data.dataset import Dataset
from gedi.errors import DataError, RunError
from gedi.evaluation.drift import drift_of, look_at
from gedi.settings import Settings
from gedi.training.custom import Custom
from gedi.training.growth import Carried, carry, load_carried, of_found, save_carried
from gedi.training.numbering import recall
from gedi.training.reference_files import save_reference
from gedi.training.session import fit, start

FULL = Path("/dev/full")
MIDDLES = np.array([[0, 0], [8, 0], [0, 8], [8, 8]])


def rows(sizes, seed):
    noise = np.random.default_rng(seed).normal(size=(sum(sizes), 2))
    return (MIDDLES.repeat(sizes, 0) + noise).astype(np.float32)


OLD = rows([200, 200, 200, 0], 0)
SHORT = Settings(max_iter=60)


@pytest.fixture(scope="module")
def trained():
    return fit(OLD, 3, settings=SHORT).trained


def test_rows_like_those_of_the_training_bring_no_cluster_and_no_drift(trained):
    x = np.concatenate([OLD, rows([100, 100, 100, 0], 1)])
    carried, batch = carry(trained, x, len(OLD), seed=0), look_at(trained, x[len(OLD) :])
    assert carried.n_clusters == 3 and batch.unusual < 0.1 and batch.p_value > 0.01
    drift = drift_of(trained, x, len(OLD), batch)
    assert {each.change for each in drift.clusters} == {"kept"}
    assert "No cluster grew, shrank, moved" in str(drift)


def test_a_new_and_a_vanishing_cluster_on_a_model_that_forgets_nothing(trained, tmp_path):
    x = np.concatenate([OLD, rows([150, 150, 0, 60], 1)])
    carried, batch = carry(trained, x, len(OLD), seed=0), look_at(trained, x[len(OLD) :])
    assert carried.n_clusters == 4 and batch.unusual > 0.15 and batch.p_value < 1e-4
    assert carried.shares.sum() == pytest.approx(1) and carried.shares[3] > 0.04
    custom = Custom(carried=carried, like=recall(trained, x, seed=0))
    settings = Settings(n_clusters=4, max_iter=60)
    now = start(Dataset("x", x), settings, custom=custom).run()
    assert now.numbering is not None and now.numbering.former.tolist() == [0, 1, 2, -1]
    same = now.trained.predict(OLD).clusters == trained.predict(OLD).clusters
    assert same.mean() > 0.99
    drift = drift_of(now.trained, x, len(OLD), batch, former=now.numbering.former)
    gone = int(trained.predict(MIDDLES[2:3]).clusters[0])
    changes = {each.cluster: each.change for each in drift.clusters}
    assert changes[3] == "new" and changes[gone] == "gone"

    save_carried(carried, tmp_path / "start")
    stored = load_carried(tmp_path / "start", len(x))
    assert stored.agreement is None
    for back, given in zip(stored[:3], carried[:3], strict=True):
        np.testing.assert_array_equal(back, given)
    with pytest.raises(RunError, match="places from 0 to 9"):
        load_carried(tmp_path / "start", 10)


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error_of_the_system(trained):
    """Which the command explains."""
    known = recall(trained, OLD, seed=0, names=(), name="old")
    with pytest.raises(OSError, match="No space left"):
        save_reference(known, FULL)
    with pytest.raises(OSError, match="No space left"):
        save_carried(Carried(np.arange(3), np.arange(3), np.full(3, 1 / 3)), FULL)


def test_clusters_found_with_their_number_are_carried_over_a_restart(tmp_path):
    data = Dataset("x", OLD)
    first = start(data, Settings(max_iter=5))
    save_carried(of_found(first.plan.found), tmp_path / "start")
    carried = load_carried(tmp_path / "start", len(OLD))
    own = {each.name: getattr(first.settings, each.name) for each in fields(Settings)}
    again = start(data, Settings(**own), custom=Custom(carried=carried)).parts.partition
    assert 0 < first.parts.partition.agreement == again.agreement
    for one, other in zip(first.parts.partition[:3], again[:3], strict=True):
        assert one.equal(other)


def test_a_cluster_that_moves_is_named_with_its_column(trained):
    new = rows([200, 200, 200, 0], 1)
    new[:200, 1] += 1.5
    x = np.concatenate([OLD, new])
    drift = drift_of(trained, x, len(OLD), look_at(trained, new), names=("a", "b"))
    assert "moved along b by +1." in str(drift)
    assert sum(each.column >= 0 for each in drift.clusters) == 1


def test_models_without_p_values_are_refused(trained):
    with pytest.raises(DataError, match="rows of numbers"):
        carry(replace(trained, outliers=None), OLD, 100, seed=0)


def test_stray_rows_and_copies_form_no_cluster(trained):
    strays = np.random.default_rng(2).uniform(-40, 40, size=(30, 2)).astype(np.float32)
    new = np.concatenate([rows([80, 80, 80, 0], 1), OLD[::6], strays])
    carried = carry(trained, np.concatenate([OLD, new]), len(OLD), seed=0)
    assert carried.n_clusters == 3


@pytest.mark.parametrize("times", [pytest.param(5, marks=pytest.mark.slow), 10])
def test_a_cluster_that_grew_is_not_new(times):
    old = rows([200, 200, 200 // times, 0], 0)
    before = fit(old, 3, settings=SHORT).trained
    x = np.concatenate([old, rows([200, 200, 200, 0], 1)])
    assert carry(before, x, len(old), seed=0).n_clusters == 3


def test_rows_that_are_all_the_same_in_old_and_new_data_bring_no_cluster(trained):
    x = np.concatenate([OLD[:3].repeat(100, 0), OLD[:3].repeat(200, 0)])
    assert carry(trained, x, 300, seed=0).n_clusters == 3


def test_a_new_cluster_beside_an_old_one_gets_the_rows_at_its_border(trained):
    beside = rows([0, 0, 0, 150], 3) - np.array([0, 4], np.float32)  # at (8, 4)
    x = np.concatenate([OLD, rows([100, 100, 100, 0], 1), beside])
    carried = carry(trained, x, len(OLD), seed=0)
    assert carried.n_clusters == 4
    codes = carried.codes[carried.rows >= len(OLD) + 300]
    assert (codes == 3).mean() > 0.9 and (carried.codes[carried.rows < len(OLD)] < 3).all()


def test_too_few_new_rows_are_refused(trained):
    with pytest.raises(DataError, match="at least 10 new rows, got 9"):
        carry(trained, OLD[:209], 200, seed=0)

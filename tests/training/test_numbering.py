"""Clusters that keep the numbers of an earlier model."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from gedi.data.dataset import Dataset
from gedi.errors import DataError, RunError, SettingsError
from gedi.training.custom import Custom
from gedi.training.numbering import Reference, describe, matched, recall
from gedi.training.reference_files import load_reference, save_reference
from gedi.training.session import start
from small_trainings import SMALL, heaps


def hard(labels, c):
    return np.eye(c)[np.asarray(labels)]


def test_clusters_that_are_the_same_get_their_numbers_back():
    before = np.repeat([0, 1, 2], [50, 30, 20])
    numbering = matched(hard(before, 3), hard(np.array([2, 0, 1])[before], 3))
    assert numbering.order.tolist() == [2, 0, 1]
    assert numbering.former.tolist() == [0, 1, 2] and np.all(numbering.overlap == 1)


def test_new_clusters_get_the_free_numbers_the_largest_first():
    before = np.repeat([0, 1], [60, 60])
    now = np.repeat([0, 1, 2, 3], [10, 50, 15, 45])  # 1 is 0 again and 3 is 1
    numbering = matched(hard(before, 2), hard(now, 4))
    assert numbering.order.tolist() == [1, 3, 2, 0]
    assert numbering.former.tolist() == [0, 1, -1, -1]
    assert numbering.overlap[:2] == pytest.approx([50 / 60, 45 / 60])
    assert describe(numbering) == (
        "Numbers of clusters as in : kept, with their overlap from 0 to 1: 0 (0.83), 1 (0.75); "
        "new, or another than before: 2, 3."
    )


def test_with_fewer_clusters_a_high_number_moves_and_it_is_told():
    before = np.repeat([0, 1, 2], 20)
    numbering = matched(hard(before, 3)[20:], hard(np.repeat([0, 1], 20), 2), "old")
    assert numbering.former.tolist() == [2, 1] and numbering.order.tolist() == [1, 0]
    said = describe(numbering)
    assert "2 is now 0 (1.00)" in said and "gone: 0." in said and "kept" in said and "old" in said


def test_a_cluster_in_halves_is_none_of_before():
    numbering = matched(hard([0] * 40, 1), hard([0, 1] * 20, 2))
    assert numbering.former.tolist() == [-1, -1] and numbering.overlap.max() == 0.5


@given(st.integers(0, 2**32 - 1))
def test_what_shares_more_than_a_half_is_always_paired(seed):
    rng = np.random.default_rng(seed)
    c, k = rng.integers(1, 6, 2)
    old = rng.integers(c, size=60)
    now = np.where(rng.random(60) < rng.random(), rng.permutation(max(c, k))[old] % k,
                   rng.integers(k, size=60))  # fmt: skip
    numbering = matched(hard(old, c), hard(now, k))
    assert sorted(numbering.order) == list(range(k))
    found = {
        (i, number)
        for number, place in enumerate(numbering.order)
        for i in range(c)
        if ((old == i) & (now == place)).sum() > 0.5 * ((old == i) | (now == place)).sum()
    }
    assert {(f, number) for number, f in enumerate(numbering.former) if f >= 0} == found
    assert all(i == number for i, number in found if i < k)


# With trained models


@pytest.fixture(scope="module")
def earlier():
    return start(Dataset("heaps", heaps()[0]), SMALL).run().trained


def test_points_that_the_earlier_model_does_not_know_are_left_out(earlier):
    x, _ = heaps()
    new = np.concatenate([x, x[:50] + 1000])
    usual = earlier.outlier_p_values(earlier.outlier_scores(x)) > 0.05
    assert 0 < (~usual).sum() <= 10
    assert recall(earlier, new, seed=0).rows.tolist() == np.flatnonzero(usual).tolist()
    without = replace(earlier, outliers=None)
    assert recall(without, new, seed=0).rows.tolist() == list(range(200))
    energy = earlier.predict(x).energy
    limit = float(np.median(energy))
    found = recall(without, x, seed=0, limit=limit)
    assert found.rows.tolist() == np.flatnonzero(energy <= limit).tolist()
    # Where it knows next to none there is nothing to go by, and all are asked.
    assert len(recall(earlier, x + 1000, seed=0).rows) == 200


def test_columns_are_found_by_their_names(earlier):
    x, _ = heaps()
    wide = np.concatenate([x[:, 1:], np.zeros((200, 1), np.float32), x[:, :1]], 1)
    names = {"names": ("b", "c", "a"), "known_names": ("a", "b")}
    found, alike = recall(earlier, wide, seed=0, **names), recall(earlier, x, seed=0)
    np.testing.assert_array_equal(found.posteriors, alike.posteriors)
    with pytest.raises(DataError, match=r"columns that these data lack.*: z; leave out"):
        recall(earlier, wide, seed=0, names=("b", "c", "a"), known_names=("a", "z"))
    with pytest.raises(DataError, match="was trained on 2 features, and these data have 3"):
        recall(earlier, wide, seed=0)


def test_a_training_takes_over_the_numbers(earlier, caplog):
    dataset = Dataset("heaps", heaps()[0])
    said = earlier.predict(dataset.x).probabilities
    rows = np.arange(200)
    for order in ([0, 1], [1, 0]):
        custom = Custom(like=Reference(rows, said[:, order], "then"))
        with caplog.at_level("INFO", logger="gedi"):
            fit = start(dataset, replace(SMALL, seed=3), custom=custom).run()
        assert fit.numbering.former.tolist() == [0, 1] and fit.numbering.overlap.min() > 0.8
        np.testing.assert_array_equal(fit.trained.predict(dataset.x).clusters,
                                      said[:, order].argmax(1))  # fmt: skip
    assert caplog.messages[-1] == describe(fit.numbering)


def test_clusters_have_one_kind_of_name_only():
    custom = Custom(like=Reference(np.arange(2), np.eye(2)))
    with pytest.raises(SettingsError, match="like: clusters have names already"):
        start(Dataset("heaps", heaps()[0]), replace(SMALL, prior=[0.5, 0.5]), custom=custom)


# In files


def test_what_was_said_comes_back_from_a_file(tmp_path):
    file = tmp_path / "like.safetensors"
    said = Reference(np.array([1, 5]), np.array([[0.25, 0.75], [1, 0]]), "old")
    save_reference(said, file)
    read = load_reference(file, "old", 6)
    assert read.name == "old" and read.posteriors.tolist() == said.posteriors.tolist()
    assert read.rows.tolist() == [1, 5]
    with pytest.raises(RunError, match="places from 0 to 4"):
        load_reference(file, "old", 5)


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"rows": np.array([0.5]), "posteriors": np.ones((1, 2), np.float32)},
        {"rows": np.array([0, 1]), "posteriors": np.ones((1, 2), np.float32)},
        {"rows": np.array([0]), "posteriors": np.full((1, 2), np.nan, np.float32)},
    ],
)
def test_damaged_files_are_refused(tmp_path, tensors):
    file = tmp_path / "like.safetensors"
    save_file(tensors, file)
    with pytest.raises(RunError, match=r"like\.safetensors: cannot be read: "):
        load_reference(file, "old", 6)
    file.unlink()
    with pytest.raises(RunError, match=r"like\.safetensors: cannot be read: "):
        load_reference(file, "old", 6)

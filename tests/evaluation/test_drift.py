"""Drift: exact shares, changes and shifts, for models that are plain functions."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from gedi.errors import DataError
from gedi.evaluation.drift import Batch, ClusterDrift, Drift, drift_of, look_at

BATCH = Batch(rows=40, unusual=0.05, distance=0.1, p_value=0.5)


class ByFirstColumn:
    """A model whose clusters are the values of the first column."""

    def __init__(self, n_clusters):
        self.n_clusters = n_clusters

    def clusters(self, x):
        return np.asarray(x)[:, 0].astype(np.int64)


def rows(sizes, second=0.0):
    """Rows of clusters of these sizes, whose second column is around a value."""
    codes = np.arange(len(sizes)).repeat(sizes).astype(float)
    wave = np.where(np.arange(len(codes)) % 2, 1.0, -1.0)
    return np.stack([codes, second + wave], 1)


def drift(old, new, **options):
    x = np.concatenate([old, new])
    return drift_of(ByFirstColumn(4), x, len(old), BATCH, **options)


def test_shares_and_their_changes():
    found = drift(rows([400, 400, 200, 0]), rows([100, 320, 0, 80]), former=np.array([0, 1, 2, -1]))
    assert [(each.before, each.now) for each in found.clusters] == [
        (0.4, 0.2),
        (0.4, 0.64),
        (0.2, 0.0),
        (0.0, 0.16),
    ]
    assert [each.change for each in found.clusters] == ["shrank", "grew", "gone", "new"]
    assert all(each.column == -1 and each.shift == 0 for each in found.clusters)


def test_a_new_cluster_is_new_even_if_it_took_old_rows_and_has_not_moved():
    old, new = rows([95, 5]), rows([50, 50], second=3)
    found = drift(old, new, former=np.array([0, -1, 1, 2])).clusters
    assert found[1] == ClusterDrift(1, 0.05, 0.5, "new", 0.0, -1)
    assert found[0].change == "shrank" and found[0].column == 1


def test_a_known_cluster_that_was_empty_grew_and_is_not_new():
    old, new = rows([500, 0]), rows([250, 250])
    known = drift(old, new, former=np.array([0, 1, 2, 3]))
    assert [each.change for each in known.clusters[:2]] == ["shrank", "grew"]
    assert drift(old, new).clusters[1].change == "grew"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([500, 500], [250, 250]),  # the same shares
        ([6, 6], [9, 3]),  # chance
        ([500_000, 500_000], [550_000, 450_000]),  # certain, and small
    ],
)
def test_changes_by_chance_and_small_ones_are_not_named(old, new):
    assert {each.change for each in drift(rows(old), rows(new)).clusters} == {"kept"}


def test_a_shift_is_in_standard_deviations_of_the_cluster():
    # Of 100 values of -1 and 1, the variance is 100 / 99.
    found = drift(rows([100, 100]), rows([100, 100], second=-0.8)).clusters[:2]
    expected = -0.8 / np.sqrt(100 / 99)
    assert [each.column for each in found] == [1, 1]
    assert [each.shift for each in found] == pytest.approx([expected, expected])
    assert drift(rows([100]), rows([100], second=0.49)).clusters[0].column == -1  # small
    assert drift(rows([100]), rows([9], second=3)).clusters[0].column == -1  # too few rows
    assert drift(rows([100]), rows([10], second=0.6)).clusters[0].column == -1  # chance


def test_columns_of_one_value_do_not_count():
    old, new = rows([50]), rows([50])
    old[:, 1], new[:, 1] = 3, 4
    assert drift(old, new).clusters[0] == ClusterDrift(0, 1.0, 1.0, "kept", 0.0, -1)


def test_words():
    clusters = (
        ClusterDrift(0, 0.5, 0.25, "shrank", -0.75, 1),
        ClusterDrift(1, 0.5, 0.5, "kept", 0.0, -1),
        ClusterDrift(2, 0.0, 0.25, "new", 0.0, -1),
    )
    assert str(Drift(BATCH, clusters, ("a", "b"), ("0", "1", "rare"))).splitlines() == [
        "40 new rows: 5.0% are outliers (about 5% without drift); their scores are like those of "
        "the earlier rows (p = 0.5).",
        "Cluster 0 shrank (50.0% of the old rows, 25.0% of the new ones), and moved along b by "
        "-0.8 standard deviations.",
        "Cluster 2 (rare) is new (0.0% of the old rows, 25.0% of the new ones).",
    ]
    kept = Drift(BATCH._replace(p_value=1e-9), clusters[1:2])
    assert str(kept).splitlines()[0].endswith("differ from those of the earlier rows (p < 1e-6).")
    assert str(kept).splitlines()[1].startswith("No cluster grew")
    assert kept.to_json()["clusters"][0]["change"] == "kept"


class Scored:
    """A model whose outlier scores are the first column, with held-out energies 1 to 99."""

    def __init__(self):
        self.outliers = SimpleNamespace(held_out=torch.arange(1.0, 100.0))

    def outlier_scores(self, x):
        return np.asarray(x)[:, 0]

    def outlier_p_values(self, scores):
        held_out = -self.outliers.held_out.numpy()
        return (1 + (held_out <= scores[:, None]).sum(1)) / 100


def test_a_batch_is_compared_with_the_held_out_rows():
    same = look_at(Scored(), -np.arange(1.0, 100.0)[:, None])
    assert same == Batch(99, pytest.approx(4 / 99), 0.0, 1.0)
    # All rows are less usual than any that was held out.
    far = look_at(Scored(), -np.arange(200.0, 220.0)[:, None])
    assert far[:3] == (20, 1.0, 1.0)
    expected = ks_2samp(np.arange(200, 220), np.arange(1, 100)).pvalue
    assert far.p_value == pytest.approx(expected)


def test_many_rows_are_thinned_evenly():
    held_out = -np.arange(1.0, 100.0).repeat(500)[:, None]
    found = look_at(Scored(), held_out)
    assert found.rows == 49_500 and found.unusual == pytest.approx(4 / 99, abs=1e-3)


def test_a_model_without_p_values_is_refused():
    with pytest.raises(DataError, match="rows of numbers"):
        look_at(SimpleNamespace(outliers=None), np.zeros((3, 1)))

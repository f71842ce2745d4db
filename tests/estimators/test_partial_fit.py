"""`GEDI.partial_fit`: new points are learned, earlier ones are not forgotten."""

import json

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from gedi import GEDI
from gedi.errors import DataError, RunError, SettingsError
from gedi.estimators.inputs import kept_rows

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("small_mixtures"),
]

MIDDLES = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0], [8.0, 8.0]])


def rows(sizes, seed):
    noise = np.random.default_rng(seed).normal(size=(sum(sizes), 2))
    return pd.DataFrame(MIDDLES.repeat(sizes, 0) + noise, columns=["a", "b"])


OLD, NEW = rows([200, 150, 100, 0], 0), rows([60, 90, 0, 60], 1)


def quick(**changes):
    return GEDI(**{"n_clusters": 3, "max_iter": 40, "random_state": 0, "encoder": (16,)} | changes)


@pytest.fixture(scope="module")
def updated():
    """A model of three clusters, after points of a fourth and none of the third."""
    return quick().partial_fit(OLD).partial_fit(NEW)


def test_the_first_call_is_fit():
    first, fitted = quick().partial_fit(OLD), quick().fit(OLD)
    assert np.array_equal(first.predict_proba(OLD), fitted.predict_proba(OLD))
    assert first.n_samples_seen_ == 450 and not hasattr(first, "drift_")
    assert not hasattr(fitted, "rows_")


def test_a_later_call_learns_a_new_cluster_and_keeps_one_without_new_points(updated):
    assert updated.n_clusters_ == 4
    assert updated.predict(pd.DataFrame(MIDDLES, columns=["a", "b"])).tolist() == [0, 1, 2, 3]
    assert updated.former_clusters_.tolist() == [0, 1, 2, -1]
    assert updated.labels_.shape == (210,) and updated.n_samples_seen_ == 660
    changes = [each.change for each in updated.drift_.clusters]
    assert changes == ["shrank", "kept", "gone", "new"]
    assert updated.drift_.batch.rows == 210 and updated.drift_.batch.unusual > 0.15
    assert "Cluster 2 has vanished from the new rows" in str(updated.drift_)


def test_a_saved_model_goes_on(updated, tmp_path):
    updated.save(tmp_path / "model")
    back = GEDI.load(tmp_path / "model")
    assert back.drift_ == updated.drift_ and np.array_equal(back.rows_, updated.rows_)
    back.save(tmp_path / "model")  # replaces
    back.partial_fit(rows([50, 50, 50, 50], 2))
    assert back.n_samples_seen_ == 860 and back.n_clusters_ == 4
    assert back.drift_.clusters[2].change == "grew"


@pytest.mark.parametrize(
    "damaged",
    [
        {"rows": np.zeros((5, 3))},
        {"rows": np.full((5, 2), np.nan)},
        {"rows": np.zeros((661, 2))},
        {"other": np.zeros((5, 2))},
    ],
)
def test_damaged_points_are_refused(updated, tmp_path, damaged):
    updated.save(tmp_path / "model")
    save_file(damaged, tmp_path / "model" / "rows.safetensors")
    with pytest.raises(RunError, match=r"rows.safetensors: cannot be read"):
        GEDI.load(tmp_path / "model")


@pytest.mark.parametrize(
    "change",
    [{"batch": {}}, {"clusters": 3}, {"names": ["a"]}, {"batch": dict.fromkeys("abcd")}],
)
def test_damaged_drift_is_refused(updated, tmp_path, change):
    updated.save(tmp_path / "model")
    file = tmp_path / "model" / "config.json"
    content = json.loads(file.read_text())
    drift = content["learned"]["drift_"]["drift"]
    drift["clusters"][0]["column"] = 1
    drift |= change
    file.write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"config.json: cannot be read"):
        GEDI.load(tmp_path / "model")


def test_mistakes_say_what_to_do(updated):
    with pytest.raises(DataError, match="at least 10 new rows, got 3"):
        updated.partial_fit(OLD[:3])
    with pytest.raises(ValueError, match="feature names should match"):
        updated.partial_fit(OLD.rename(columns={"a": "z"}))
    fitted = quick(max_iter=5).fit(OLD)
    with pytest.raises(DataError, match="from the beginning"):
        fitted.partial_fit(NEW)
    given = quick(max_iter=5, prior=[0.5, 0.3, 0.2]).partial_fit(OLD)
    with pytest.raises(SettingsError, match="prior: expected"):
        given.partial_fit(NEW)
    with pytest.raises(DataError, match="images"):
        quick().partial_fit(np.zeros((20, 8, 8)))


def test_fit_begins_anew():
    model = quick(max_iter=5).partial_fit(OLD).fit(NEW)
    assert not hasattr(model, "rows_") and not hasattr(model, "n_samples_seen_")


def test_a_sample_of_many_points_stands_for_all_of_them(monkeypatch):
    monkeypatch.setattr("gedi.estimators.inputs._KEPT", 300)
    model = quick().partial_fit(OLD)
    assert model.rows_.shape == (300, 2)
    model.partial_fit(NEW)
    assert model.rows_.shape == (300, 2) and model.n_samples_seen_ == 660
    assert model.n_clusters_ == 4
    # By the sample alone, the new cluster would have 60 of 510.
    assert model.prior_[3] == pytest.approx(60 / 660, abs=0.015)


def test_samples_are_uniform_over_all_points(monkeypatch):
    monkeypatch.setattr("gedi.estimators.inputs._KEPT", 100)
    shares = []
    for seed in range(200):
        kept, n = np.empty((0, 1)), 0
        for call in range(4):
            kept, n = kept_rows(kept, n, np.full((80, 1), float(call)), seed)
        assert n == 320 and len(kept) == 100
        shares.append(np.bincount(kept[:, 0].astype(int), minlength=4) / 100)
    assert np.mean(shares, 0) == pytest.approx([0.25] * 4, abs=0.02)

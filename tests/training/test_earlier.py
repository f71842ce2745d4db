"""What the model of an earlier run says of other data."""

import json

import numpy as np
import pytest

from gedi import GEDI, DataError, RunError, fit
from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.runs import Run
from gedi.training.earlier import holds_run, recall_run
from gedi.training.numbering import recall
from small_trainings import SMALL, heaps

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = heaps()[0]
DATASET = Dataset("heaps", X, feature_names=("a", "b"))


@pytest.fixture(scope="module")
def trained():
    return fit(DATASET, 2, settings=SMALL)


@pytest.fixture
def run(trained, tmp_path):
    run = Run.create(tmp_path / "run", Source("x"), DATASET, trained.settings, overwrite=False)
    run.save_model(trained.trained)
    run.save_result({"energies": {"data": [1.0, 2.0, 3.0]}})
    return run


def test_it_is_what_the_model_of_the_run_says(run):
    assert holds_run(run.path) and not holds_run(run.path.parent)
    grown = Dataset("grown", np.c_[X[:, 1], X[:, 0]] + 1, feature_names=("b", "a"))
    found = recall_run(run.path, grown, seed=3)
    names = {"names": ("b", "a"), "known_names": ("a", "b"), "name": str(run.path)}
    expected = recall(run.load_model(), grown.x, seed=3, limit=3.0 + 1.5 * (3.0 - 1.0), **names)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.posteriors, expected.posteriors)
    assert found.name == expected.name == str(run.path)


def test_an_estimator_gets_the_numbers_of_a_run(run):
    quick = GEDI(2, max_iter=60, encoder=(16,), n_restarts=1, random_state=1)
    model = quick.fit(X, like=str(run.path))
    assert (model.labels_ == run.load_model().predict(X).clusters).mean() > 0.95


def test_other_data_are_refused(run):
    images = Dataset("digits", np.ones((9, 16), np.float32), image_shape=(1, 4, 4))
    with pytest.raises(DataError, match="trained on rows of numbers, and digits has images of 1 ×"):
        recall_run(run.path, images, seed=0)
    with pytest.raises(DataError, match=r"columns that these data lack.*: a"):
        recall_run(run.path, Dataset("z", X, feature_names=("b", "z")), seed=0)


@pytest.mark.parametrize(
    "facts",
    [
        [],
        {"feature_names": 3},
        {"image_shape": 3},
        {"image_shape": [1, "a", None]},
        {"n_features": "two"},
        {"n_features": 10**30},
        {"plugins": 3},
    ],
)
def test_a_damaged_run_is_refused(run, facts):
    file = run.path / "run.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps(whole | facts if isinstance(facts, dict) else facts))
    with pytest.raises((RunError, DataError), match=str(run.path)):
        recall_run(run.path, DATASET, seed=0)


def test_a_damaged_result_or_a_missing_model_is_refused(run):
    (run.path / "result.json").write_text('{"energies": {"data": [1.0]}}')
    with pytest.raises(RunError, match="cannot be read"):
        recall_run(run.path, DATASET, seed=0)
    (run.path / "result.json").unlink()
    (run.path / "model.safetensors").unlink()
    with pytest.raises(RunError, match="gedi resume"):
        recall_run(run.path, DATASET, seed=0)

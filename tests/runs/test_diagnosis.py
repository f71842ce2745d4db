"""What a run folder tells: whole, interrupted, old, damaged."""

import json

import numpy as np
import pytest

from gedi.cli import main
from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.errors import RunError
from gedi.runs import Run
from gedi.runs.diagnosis import diagnose
from gedi.training.session import start
from small_trainings import SMALL, heaps

RESULT = {
    "ended": "max_iter",
    "collapse_gap": 0.02,
    "cluster_sizes": [100, 100],
    "interventions": [],
    "energies": {"data": [1, 2, 3], "samples": [1, 2, 3], "noise": [7, 8, 9]},
    "not_finite": 0,
}


@pytest.fixture(scope="module")
def session():
    session = start(Dataset("heaps", heaps()[0]), SMALL)
    session.run()
    return session


@pytest.fixture
def run(session, tmp_path):
    dataset = Dataset("heaps", heaps()[0])
    run = Run.create(tmp_path / "run", Source("x"), dataset, session.settings, overwrite=False)
    run.save_model(session.trained_model())
    run.write_metrics([{"iteration": 10 * i, "gap": 0.02, "inv": -0.01} for i in range(1, 21)])
    run.save_result(RESULT)
    return run


def test_a_sound_run(run, capsys):
    assert diagnose(run)[:4] == ("GEDI", 200, "max_iter", [])
    assert main(["doctor", str(run.path)]) == 0
    said = capsys.readouterr().out
    assert "GEDI, 200 iterations; ended, because all iterations were done" in said
    assert "Nothing wrong was found" in said


def test_what_result_and_history_tell(run):
    guard = {"iteration": 5, "action": "held", "reason": "x", "learning_rate_factor": 1.0}
    more = {"cluster_sizes": [200, 0], "interventions": [guard], "not_finite": 7}
    run.save_result(RESULT | more | {"energies": {"data": [1, 2, 3], "noise": [1, 2, 3]}})
    told = " ".join(str(symptom) for symptom in diagnose(run).symptoms)
    for words in (
        "7 points have no",
        "at iteration 5, as x",
        "One big",
        "No point is in",
        "Flat energies",
    ):
        assert words in told


def test_a_run_that_was_interrupted(run, capsys):
    (run.path / "result.json").unlink()
    (run.path / "model.safetensors").unlink()
    # A kill left half a line.
    with (run.path / "metrics.csv").open("a") as stream:
        stream.write("210,0.0")
    found = diagnose(run)
    assert (found.iterations, found.ended) == (200, None)
    assert found.symptoms[0].name == "unfinished"
    assert "after 200 of at most" in found.symptoms[0].what
    assert main(["doctor", str(run.path)]) == 0
    assert f"continue with: gedi resume {run.path}" in capsys.readouterr().out
    (run.path / "metrics.csv").write_text("")
    assert diagnose(run).iterations == 0
    (run.path / "metrics.csv").unlink()
    assert diagnose(run).iterations == 0


def test_a_run_of_an_earlier_version_has_no_energies(run):
    run.save_result({name: RESULT[name] for name in list(RESULT)[:4]})
    assert diagnose(run).symptoms == []


@pytest.mark.parametrize(
    "values",
    [
        {"cluster_sizes": [1, 2, 3]},
        {"cluster_sizes": "many"},
        {"cluster_sizes": [1, 10**30]},
        {"energies": [1]},
        {"energies": {"data": [1]}},
        {"collapse_gap": None},
        {"interventions": [{"iteration": 1}]},
        {"interventions": 5},
        {"interventions": [{**dict.fromkeys(("iteration", "reason"), 1), "action": "none",
                            "learning_rate_factor": 1}]},
        {"not_finite": float("inf")},
    ],
)  # fmt: skip
def test_damaged_results(run, capsys, values):
    (run.path / "result.json").write_text(json.dumps(RESULT | values))
    with pytest.raises(RunError, match=r"result\.json: is damaged"):
        diagnose(run)
    assert main(["doctor", str(run.path)]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["iteration,gap\n1,2,3\n", "iteration\nten\n", "a,b\n1,2\n3\n"])
def test_damaged_metrics(run, text):
    (run.path / "metrics.csv").write_text(text)
    with pytest.raises(RunError, match=r"metrics\.csv: cannot be read"):
        diagnose(run)


def test_history_comes_back(run):
    history = run.history()
    assert list(history) == ["iteration", "gap", "inv"]
    np.testing.assert_array_equal(history["iteration"], np.arange(10, 201, 10))

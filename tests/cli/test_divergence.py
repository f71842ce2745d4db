"""A training that would diverge: kept from it, told, and given up with advice."""

import json

import pytest

import kills
from gedi.cli import main

pytestmark = pytest.mark.usefixtures("short_reports")

# Chains that do not move, from which GEN alone runs away.
WILD = [
    *("--n-clusters", "2", "--restarts.n", "1", "--encoder.hidden", "[16]", "--device", "cpu"),
    *("--batch-size", "32", "--evaluate-every", "5", "--weights.inv", "0", "--weights.prior", "0"),
    *("--sampler.kind", "langevin"),
    *("--sampler.metropolis", "false", "--sampler.target-acceptance", "null"),
    *("--sampler.boundary", "clamp", "--sampler.step-size", "1e-7", "--sampler.noise", "0"),
    *("--sampler.jumps", "0", "--sampler.n-steps", "1"),
]


@pytest.fixture
def train(tmp_path):
    return ["train", kills.make_table(tmp_path / "t.csv"), *WILD, "--out", str(tmp_path / "run")]


def test_a_training_kept_from_diverging_says_so(train, tmp_path, capsys):
    assert main([*train, "--learning-rate", "3", "--max-iter", "60"]) == 0
    assert "guard: at iteration 15, as the contrast was" in capsys.readouterr().err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    first = result["interventions"][0]
    assert first["action"] == "rolled back" and first["learning_rate_factor"] == 0.5
    assert "kept the training from diverging" in (tmp_path / "run" / "report.html").read_text()


def test_a_training_past_all_cures_ends_with_advice(train, tmp_path, capsys):
    assert main([*train, "--learning-rate", "1e5", "--max-iter", "600"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("gedi: error: the training diverged 9 times")
    assert "expected a smaller learning_rate (now 1e+05)" in last
    assert not (tmp_path / "run" / "result.json").exists()

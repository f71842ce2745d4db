"""`gedi doctor`: what is installed, and trainings made ill on purpose."""

import numpy as np
import pytest

import gedi
from gedi.cli import main
from gedi.installed import EXTRAS
from processes import start

SMALL = [
    *("--restarts.n", "1", "--encoder.hidden", "[16]", "--batch-size", "32", "--device", "cpu"),
    *("--evaluate-every", "5"),
]
PLAIN = [
    *("--sampler.metropolis", "false", "--sampler.boundary", "clamp", "--sampler.jumps", "0"),
    *("--sampler.precondition", "false", "--sampler.target-acceptance", "null"),
]
ILL = {
    "too many clusters": (
        ["--n-clusters", "12", "--weights.prior", "0.3", "--max-iter", "30"],
        ["The collapse gap is", "fuzzy boundaries", "Unused", "Flat energies"],
    ),
    "no weight against one cluster": (
        [
            *("--n-clusters", "2", "--weights.prior", "0", "--weights.gen", "0"),
            *("--views.noise", "10", "--learning-rate", "5e-2", "--max-iter", "80"),
        ],
        ["One big cluster", "clusters that are not as the prior asks"],
    ),
    "steps across the whole box": (
        ["--n-clusters", "2", *PLAIN, "--sampler.step-size", "20", "--max-iter", "10"],
        ["Chains at the walls", "kept from it: at iteration 5, as", "still improving"],
    ),
    "steps that no test accepts": (
        [
            *("--n-clusters", "2", "--sampler.step-size", "1000", "--max-iter", "5"),
            *("--sampler.target-acceptance", "null"),
        ],
        ["accept only", "--sampler.step-size"],
    ),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "table.npy"
    np.save(path, rng.normal(size=(200, 2)) + 6 * (np.arange(200) % 2)[:, None])
    return str(path)


@pytest.mark.parametrize("name", ILL)
def test_trainings_that_are_ill_on_purpose(table, tmp_path, capsys, name):
    options, told = ILL[name]
    out = str(tmp_path / "run")
    assert main(["train", table, *SMALL, *options, "--out", out]) == 0
    capsys.readouterr()
    assert main(["doctor", out]) == 0
    said = capsys.readouterr().out
    assert all(words in said for words in told), said
    assert said.count("\n- ") == said.count("  change: ") == said.count("  look at: ") > 0
    assert "\\" not in said


def test_the_machine_is_told():
    process = start("doctor")
    said, err = process.communicate(timeout=120)
    assert process.returncode == 0 and err == ""
    names = [line.split()[0] for line in said.splitlines()]
    assert names[:3] == ["gedi", "python", "torch"]
    assert {"memory", "CPU", "--compile", *(extra.name for extra in EXTRAS)} <= set(names)
    assert said.startswith(f"gedi              {gedi.__version__}\n")


def test_what_is_missing_is_told_with_its_extra(monkeypatch, capsys):
    monkeypatch.setattr("gedi.installed.version_of", lambda package: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for extra in EXTRAS:
        assert f"missing ({', '.join(extra.packages)}): pip install 'gedi[{extra.name}]'" in said
    assert "missing: install g++" in said


def test_what_is_refused(tmp_path, capsys):
    for arguments, words in (
        ([str(tmp_path / "nowhere")], "expected a run folder"),
        ([str(tmp_path)], "is not a run folder"),
        (["--deep"], "--deep"),
    ):
        assert main(["doctor", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("gedi: error: ") and words in error

"""`gedi doctor`: what is installed, and trainings made ill on purpose."""

import re
from typing import get_args

import numpy as np
import pytest

import gedi
from gedi.cli import main
from gedi.evaluation.symptoms import Name
from gedi.installed import EXTRAS
from processes import said_by

pytestmark = pytest.mark.usefixtures("no_charts")

SMALL = [
    *("--restarts.n", "1", "--encoder.hidden", "[16]", "--batch-size", "32", "--device", "cpu"),
    *("--evaluate-every", "5"),
]
PLAIN = [
    *("--sampler.metropolis", "false", "--sampler.boundary", "clamp", "--sampler.jumps", "0"),
    *("--sampler.precondition", "false", "--sampler.target-acceptance", "null"),
]
STILL = [
    *("--sampler.boundary", "clamp", "--sampler.noise", "0", "--sampler.n-steps", "1"),
    *("--sampler.step-size", "1e-7"),
]
JEM = ["--weights.inv", "0", "--weights.prior", "0"]
ILL = {
    "too many clusters": (
        "heaps",
        ["--n-clusters", "12", "--weights.prior", "0.3", "--max-iter", "30"],
        {"fuzzy boundaries", "unused clusters", "flat energies"},
    ),
    "no weight against one cluster": (
        "heaps",
        [
            *("--n-clusters", "2", "--weights.prior", "0", "--weights.gen", "0"),
            *("--views.noise", "10", "--learning-rate", "5e-2", "--max-iter", "80"),
        ],
        {"one big cluster", "unequal clusters", "no density"},
    ),
    "little weight against a small cluster, and steps that no test accepts": (
        "unequal",
        [
            *("--n-clusters", "2", "--weights.prior", "0.3", "--max-iter", "60"),
            *("--learning-rate", "3e-2", "--sampler.step-size", "1000"),
            *("--sampler.target-acceptance", "null"),
        ],
        {"small clusters", "rejected moves"},
    ),
    "far too little time": (
        "moons",
        ["--n-clusters", "2", "--max-time", "1e-3"],
        {"unfinished", "wrong density"},
    ),
    "steps across the whole box": (
        "heaps",
        ["--n-clusters", "2", *PLAIN, "--sampler.step-size", "20", "--max-iter", "10"],
        {"chains at the walls", "nearly diverged", "too short"},
    ),
    "chains that stay where they are": (
        "tight",
        [
            *("--n-clusters", "2", *PLAIN, *STILL, "--data-noise", "0.01"),
            *("--max-iter", "100", "--learning-rate", "2e-2"),
        ],
        {"samples that are noise", "samples unlike the data"},
    ),
    "a large buffer that nothing refreshes": (
        "tight",
        [
            *("--n-clusters", "2", "--sampler.buffer-size", "20000", "--sampler.reinit", "0"),
            *("--sampler.n-steps", "2", "--data-noise", "0.01"),
            *("--max-iter", "60", "--learning-rate", "5e-2"),
        ],
        {"stale chains", "peaks without data"},
    ),
    "a learning rate past all cures": (
        "heaps",
        ["--n-clusters", "2", *PLAIN, *STILL, *JEM, "--learning-rate", "1e5", "--max-iter", "600"],
        {"diverged", "no clustering"},
    ),
}


MANY_FEATURES = {  # how far apart four groups are
    "far apart": (0.8, set()),
    "touching": (0.25, {"touching clusters"}),
    "none": (0.0, {"no groups"}),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two heaps of points, tight ones, and one with a small one beside it."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    x, row = rng.normal(size=(200, 2)), np.arange(200)[:, None]
    np.save(folder / "heaps.npy", x + 6 * (row % 2))
    np.save(folder / "tight.npy", 0.1 * x + 6 * (row % 2))
    np.save(folder / "unequal.npy", x + 10 * (row % 40 == 0))
    return folder


@pytest.mark.parametrize("name", ILL)  # with chains, which can fail in more ways
def test_symptoms_made_on_purpose(data, tmp_path, capsys, name):
    points, options, ills = ILL[name]
    out = str(tmp_path / "run")
    source = points if points == "moons" else str(data / f"{points}.npy")
    chains = ["--sampler.kind", "langevin"]
    ended = main(["train", source, *SMALL, *chains, *options, "--out", out])
    assert ended == (2 if "diverged" in ills else 0)
    capsys.readouterr()
    assert main(["doctor", out]) == 0
    said = capsys.readouterr().out
    told = re.findall(r"^- (.*)$", said, re.MULTILINE)
    assert ills <= set(told), said
    assert len(told) == said.count("  change: ") == said.count("  look at: ") > 0
    assert ("because it diverged" in said.splitlines()[0]) == ("diverged" in ills)
    assert "\\" not in said


@pytest.mark.parametrize(
    "name", [pytest.param("far apart", marks=pytest.mark.slow), "touching", "none"]
)
def test_symptoms_of_many_features_made_on_purpose(tmp_path, capsys, name):
    apart, ills = MANY_FEATURES[name]
    rng = np.random.default_rng(0)
    centres = apart * rng.normal(size=(4, 120))
    np.save(tmp_path / "x.npy", centres[np.arange(400) % 4] + rng.normal(size=(400, 120)))
    out = str(tmp_path / "run")
    assert main(["train", str(tmp_path / "x.npy"), "--n-clusters", "4", "--out", out]) == 0
    capsys.readouterr()
    assert main(["doctor", out]) == 0
    said = capsys.readouterr().out
    told = set(re.findall(r"^- (.*)$", said, re.MULTILINE))
    assert told & {"touching clusters", "no groups"} == ills, said


def test_every_symptom_has_been_made_on_purpose():
    made = [ills for *_, ills in (*ILL.values(), *MANY_FEATURES.values())]
    assert set.union(*made) == set(get_args(Name))


def test_a_training_in_good_health_has_none(data, tmp_path, capsys):
    out = str(tmp_path / "run")
    well = ["--n-clusters", "2", "--max-iter", "200", "--learning-rate", "1e-2"]
    assert main(["train", str(data / "heaps.npy"), *SMALL, *well, "--out", out]) == 0
    capsys.readouterr()
    assert main(["doctor", out]) == 0
    assert "Nothing wrong was found" in capsys.readouterr().out


def test_the_machine_is_told():
    said, err = said_by("doctor")
    assert err == ""
    names = [line.split()[0] for line in said.splitlines()]
    assert names[:3] == ["gedi", "python", "torch"]
    assert {"memory", "CPU", *(extra.name for extra in EXTRAS)} <= set(names)
    assert said.startswith(f"gedi              {gedi.__version__}\n")


def test_what_is_missing_is_told_with_its_extra(monkeypatch, capsys):
    monkeypatch.setattr("gedi.installed.version_of", lambda package: None)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for extra in EXTRAS:
        assert f"missing ({', '.join(extra.packages)}): pip install 'gedi[{extra.name}]'" in said


def test_what_is_refused(tmp_path, capsys):
    for arguments, words in (
        ([str(tmp_path / "nowhere")], "expected a run folder"),
        ([str(tmp_path)], "is not a run folder"),
        (["--deep"], "--deep"),
    ):
        assert main(["doctor", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("gedi: error: ") and words in error

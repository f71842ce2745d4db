"""A plug-in on the command line: with it, and when it is gone."""

import shutil
import sys
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import yaml

from gedi.cli import main
from processes import said_by
from waves_site import waves_site

pytestmark = pytest.mark.usefixtures("short_reports")

NAMES = ["--encoder.kind", "wave", "--views.own", "[shifted]", "--method", "symmetric"]
SMALL = ["--n-points", "90", "--max-iter", "6", "--batch-size", "16", "--restarts.n", "1"]


@contextmanager
def installed(site):
    """The plug-in can be found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        try:
            yield
        finally:
            sys.modules.pop("gedi_waves", None)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return waves_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def run(site, tmp_path_factory):
    """A training with data, encoder, view and method of a plug-in."""
    folder = tmp_path_factory.mktemp("runs") / "waves"
    with installed(site):
        said_by("train", "waves", *NAMES, *SMALL, "--out", folder)
    return folder


def test_all_that_a_plug_in_brings_is_trained_with(run):
    settings = yaml.safe_load((run / "settings.yaml").read_text("utf-8"))
    assert settings["encoder"]["kind"] == "wave" and settings["n_clusters"] == 3
    assert settings["method"] == "symmetric" and settings["weights"]["gen"] == 0
    assert settings["views"]["own"] == ["shifted"]
    assert "symmetric" in (run / "report.html").read_text("utf-8")


def test_without_the_plug_in_it_says_what_to_install(run, capsys):
    assert main(["predict", str(run), str(run / "new.npy")]) == 2
    assert capsys.readouterr().err == (
        f"gedi: error: {run}: was trained with the encoder 'wave' of gedi-waves 0.1.0, which is "
        "not installed: install gedi-waves\n"
    )


@pytest.fixture
def interrupted(run, tmp_path, monkeypatch):
    """A run that has its last checkpoint, but no result; the folder it is in is the current one."""
    shutil.copytree(run, tmp_path / "some")
    (tmp_path / "some" / "result.json").unlink()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sample", "some"], "the encoder 'wave' of gedi-waves"),
        (["evaluate", "some"], "the data set 'waves' of gedi-waves"),
        (["resume", "some"], "the data set 'waves' of gedi-waves"),
        (["train", "wavs"], "there is no file 'wavs'"),
        (["train", "moons", "--method", "symetric"], "expected one of gedi, barlow-twins, swav"),
        (["train", "moons", "--encoder.kind", "ml"], "did you mean 'mlp'?"),
        (["train", "moons", "--views.own", "[shifted]"], "expected the view of a plug-in"),
    ],
)
def test_a_plug_in_that_is_gone_is_named(arguments, words, capsys):
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.usefixtures("interrupted")
def test_with_it_a_training_goes_on_and_its_model_is_of_use(site):
    np.save("x.npy", np.random.default_rng(0).normal(size=(20, 32)))
    with installed(site):
        assert main(["resume", "some"]) == 0
        assert main(["sample", "some", "-n", "4", "--n-steps", "2"]) == 0
        assert main(["predict", "some", "x.npy"]) == 0
    assert np.load("samples.npz")["x"].shape == (4, 32)
    probabilities = pd.read_csv("x-clusters.csv").filter(regex="^probability").to_numpy()
    assert probabilities.shape == (20, 3) and np.allclose(probabilities.sum(1), 1, atol=1e-4)

"""Plug-ins are found, loaded, and reported if they are missing or ambiguous."""

import functools
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

import gedi
from gedi import GEDI, plugins
from gedi.cli.parser import parse
from gedi.data.source import load
from gedi.errors import DataError, PluginError
from gedi.model.kinds import fresh_encoder
from gedi.plugins import Plugin
from gedi.settings import EncoderSettings
from waves_site import EXAMPLE, installed, waves_site

GUIDE = Path(__file__).parents[1] / "docs" / "plugins.md"


@pytest.fixture
def waves(tmp_path, monkeypatch):
    """With gedi-waves installed, for one test."""
    monkeypatch.syspath_prepend(waves_site(tmp_path / "site"))
    yield Plugin("gedi.data", "waves", "gedi-waves", "0.1.0")
    sys.modules.pop("gedi_waves", None)


def test_names_are_found_with_their_distribution(waves):
    assert plugins.find("gedi.data", "waves") == waves
    assert plugins.find("gedi.data", "wave") is None  # that is an encoder
    assert "wave" in plugins.installed("gedi.encoders")
    assert str(waves) == "the data set 'waves' of gedi-waves 0.1.0"
    assert load("waves", n_points=20).n_classes == 3


def test_an_unknown_name_is_reported_with_the_known_ones(waves):
    with pytest.raises(PluginError) as told:
        plugins.load("gedi.encoders", "wavs", built_in=("mlp",), setting="setting encoder.kind")
    assert str(told.value).startswith(
        "setting encoder.kind: expected one of mlp, or the encoder of a plug-in ("
    )
    assert "wave" in str(told.value).split("got")[0]
    assert str(told.value).endswith("got 'wavs': did you mean 'wave'?")
    with pytest.raises(DataError, match=r"no file 'wavs': did you mean 'waves'\?"):
        load("wavs")


def test_a_plugin_that_cannot_be_loaded_is_reported_with_its_distribution(tmp_path, monkeypatch):
    site = installed(tmp_path, {"gedi.views": {"lost": "no_such_module:view"}}, "gedi-lost")
    monkeypatch.syspath_prepend(site)
    words = "views.own: the view 'lost' of gedi-lost 0.1.0 cannot be loaded.*ModuleNotFoundError"
    with pytest.raises(PluginError, match=words):
        plugins.load("gedi.views", "lost", setting="views.own")


def test_a_name_that_two_distributions_provide_is_refused(tmp_path, monkeypatch):
    for name in ("gedi-one", "gedi-two"):
        points = {"gedi.views": {"same": "math:sqrt"}}
        monkeypatch.syspath_prepend(installed(tmp_path / name, points, name))
    with pytest.raises(PluginError, match="'same' is provided by gedi-one and gedi-two: uninstall"):
        plugins.find("gedi.views", "same")


def test_plugins_of_a_training_must_be_installed(waves):
    plugins.refuse_missing([waves], "run")
    gone = waves._replace(name="tides", distribution="gedi-tides")
    plugins.refuse_missing([gone], "run", ["gedi.encoders"])
    with pytest.raises(PluginError, match=r"run: was trained with .*'tides'.*install gedi-tides$"):
        plugins.refuse_missing([waves, gone], "run")


def test_plugins_of_plain_values(waves):
    assert plugins.plugins_of([waves._asdict()]) == (waves,)
    for content in ({}, [waves._asdict() | {"group": "os"}], [{"name": "waves"}], [3]):
        with pytest.raises(ValueError, match="plugins: expected a list of entries with"):
            plugins.plugins_of(content)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("return x", "expected a gedi.Dataset from the data set 'bad' of gedi-bad"),
        ("return Dataset('bad', x[0])", r"expected points x \(n, d\), got shape \(2,\)"),
        ("return Dataset('bad', x * np.nan)", "6 missing"),
        ("return Dataset('bad', x, np.arange(3))", "expected labels .n,. that are places"),
        ("return Dataset('bad', x, image_shape=(1, 2, 2))", "expected images of 2 values"),
        ("return Dataset('bad', x, feature_names=('a',))", "expected 2 feature_names or none"),
    ],
)
def test_data_of_plug_ins_are_checked(line, words, tmp_path, monkeypatch):
    start = "import numpy as np\nfrom gedi import Dataset\nx = np.ones((3, 2))\n"
    module = f"{start}def data(**_):\n    {line}\n"
    (tmp_path / "bad_data.py").write_text(module, encoding="utf-8")
    monkeypatch.syspath_prepend(
        installed(tmp_path, {"gedi.data": {"bad": "bad_data:data"}}, "gedi-bad")
    )
    monkeypatch.delitem(sys.modules, "bad_data", raising=False)
    with pytest.raises((DataError, PluginError), match=words):
        load("bad")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("waves")
def test_the_guide_runs_and_shows_the_example(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick = functools.partial(GEDI, max_iter=5, n_restarts=1)
    quick.load = GEDI.load
    monkeypatch.setattr(gedi, "GEDI", quick, raising=False)
    blocks = re.findall(r"```(\w+)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    for kind, block in blocks:
        if kind in ("python", "py"):
            exec(block, names)
        elif kind == "toml":
            assert block.strip() in (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
        else:
            for line in block.splitlines():
                parse(shlex.split(line)[1:])
    X = names["X"]  # noqa: N806
    assert np.array_equal(names["same"].predict_proba(X), names["model"].predict_proba(X))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("waves")
def test_estimators_take_names_and_say_what_is_missing(tmp_path, monkeypatch):
    x = load("waves", n_points=60).x
    names = {"encoder": "wave", "views": ["noise", "shifted"], "method": "symmetric"}
    model = GEDI(3, **names, batch_size=16, max_iter=4, n_restarts=2, random_state=0).fit(x)
    settings = model.settings_
    assert (settings.encoder.kind, settings.method) == ("wave", "symmetric")
    assert settings.views.own == ["shifted"] and settings.views.noise > 0
    assert settings.views.neighbours == 0
    model.save(tmp_path / "model")
    back = GEDI.load(tmp_path / "model")
    assert np.array_equal(back.predict_proba(x), model.predict_proba(x))
    assert clone(back).get_params()["method"] == "symmetric"
    elsewhere = [place for place in sys.path if Path(place).name != "site"]
    monkeypatch.setattr(sys, "path", elsewhere)
    with pytest.raises(PluginError, match=r"with the encoder 'wave' of gedi-waves 0.1.0.*install"):
        GEDI.load(tmp_path / "model")


@pytest.mark.usefixtures("waves")
def test_weights_of_an_encoder_come_from_the_seed():
    def weights(seed, members=()):
        encoder = fresh_encoder(
            EncoderSettings("wave"),
            (32,),
            members=members,
            generator=torch.Generator().manual_seed(seed),
        )
        return next(iter(encoder.parameters()))

    assert torch.equal(weights(0), weights(0)) and not torch.equal(weights(0), weights(1))
    first, second = weights(0, (2,))
    assert not torch.equal(first, second)

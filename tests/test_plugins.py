"""Names of plug-ins: found, loaded, missed and mixed up."""

import sys

import pytest

from gedi import plugins
from gedi.data import load
from gedi.errors import DataError, PluginError
from gedi.plugins import Plugin
from waves_site import installed, waves_site


@pytest.fixture
def waves(tmp_path, monkeypatch):
    """With gedi-waves installed; forgotten after."""
    monkeypatch.syspath_prepend(waves_site(tmp_path / "site"))
    yield Plugin("gedi.data", "waves", "gedi-waves", "0.1.0")
    sys.modules.pop("gedi_waves", None)


def test_names_are_found_with_who_brings_them(waves):
    assert plugins.find("gedi.data", "waves") == waves
    assert plugins.find("gedi.data", "wave") is None  # that is an encoder
    assert "wave" in plugins.installed("gedi.encoders")
    assert str(waves) == "the data set 'waves' of gedi-waves 0.1.0"
    assert load("waves", n_points=20).n_classes == 3


def test_a_name_that_nobody_brings_is_told_with_those_that_there_are(waves):
    with pytest.raises(PluginError) as told:
        plugins.load("gedi.encoders", "wavs", built_in=("mlp",), setting="setting encoder.kind")
    assert str(told.value).startswith(
        "setting encoder.kind: expected one of mlp, or the encoder of a plug-in ("
    )
    assert "wave" in str(told.value).split("got")[0]
    assert str(told.value).endswith("got 'wavs': did you mean 'wave'?")
    with pytest.raises(DataError, match=r"no file 'wavs': did you mean 'waves'\?"):
        load("wavs")


def test_what_cannot_be_loaded_is_told_with_its_distribution(tmp_path, monkeypatch):
    site = installed(tmp_path, {"gedi.views": {"lost": "no_such_module:view"}}, "gedi-lost")
    monkeypatch.syspath_prepend(site)
    words = "views.own: the view 'lost' of gedi-lost 0.1.0 cannot be loaded.*ModuleNotFoundError"
    with pytest.raises(PluginError, match=words):
        plugins.load("gedi.views", "lost", setting="views.own")


def test_a_name_that_two_bring_is_refused(tmp_path, monkeypatch):
    for name in ("gedi-one", "gedi-two"):
        points = {"gedi.views": {"same": "math:sqrt"}}
        monkeypatch.syspath_prepend(installed(tmp_path / name, points, name))
    with pytest.raises(PluginError, match="'same' is brought by gedi-one and gedi-two: uninstall"):
        plugins.find("gedi.views", "same")


def test_what_was_used_must_be_there(waves):
    plugins.refuse_missing([waves], "run")
    gone = waves._replace(name="tides", distribution="gedi-tides")
    plugins.refuse_missing([gone], "run", ["gedi.encoders"])
    with pytest.raises(PluginError, match=r"run: was trained with .*'tides'.*install gedi-tides$"):
        plugins.refuse_missing([waves, gone], "run")


def test_plugins_of_plain_values(waves):
    assert plugins.plugins_of([waves._asdict()]) == (waves,)
    for content in ({}, [waves._asdict() | {"group": "os"}], [{"name": "waves"}], [3]):
        with pytest.raises(ValueError, match="plugins: expected a list of texts as group"):
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

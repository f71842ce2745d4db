"""Methods as values: by name, of a plug-in, or as the user's own object."""

from dataclasses import replace

import numpy as np
import pytest

from gedi import GEDI
from gedi.data.dataset import Dataset
from gedi.errors import PluginError, RunError, SettingsError
from gedi.methods import BUILT_IN, Method, gedi_terms, method_of
from gedi.settings import Settings, WeightSettings
from gedi.training.custom import Custom
from gedi.training.session import start

X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
DATA = Dataset("x", X)
QUICK = {"encoder": (8,), "max_iter": 6, "n_restarts": 1, "random_state": 0}


def terms_without_gen(model, x, view, negatives, log_prior, *, smoothed=None, observed=None):
    assert negatives is None and view is not None
    return gedi_terms(model, x, view, None, log_prior)


MINE = Method("mine", terms_without_gen, gives=("inv", "prior"))


def test_methods_by_name():
    assert [method_of(name) for name in BUILT_IN] == list(BUILT_IN.values())
    assert method_of("swav").two_views and method_of("barlow-twins").projection == 128
    with pytest.raises(PluginError, match=r"expected one of gedi, .*got 'swa': did you mean 'sw"):
        method_of("swa")


def test_terms_that_do_not_exist_are_refused():
    for gives in ((), ("loss",)):
        with pytest.raises(SettingsError, match="mine: expected gives to name some of gen, inv"):
            Method("mine", gedi_terms, gives=gives)


@pytest.mark.filterwarnings("ignore")
def test_an_own_method_is_trained_and_loaded_from_a_file(tmp_path):
    model = GEDI(2, method=MINE, **QUICK).fit(X)
    no_gen = GEDI(2, w_gen=0, **QUICK).set_params(settings=_without_base()).fit(X)
    assert model.settings_.method == "mine" and model.settings_.weights.gen == 0
    assert np.array_equal(model.predict_proba(X), no_gen.predict_proba(X))
    model.save(tmp_path / "model")
    back = GEDI.load(tmp_path / "model", method=MINE)
    assert np.array_equal(back.predict_proba(X), model.predict_proba(X)) and back.method is MINE
    for other in (None, replace(MINE, name="other")):
        with pytest.raises(RunError, match="trained with a method of its own, 'mine': give it"):
            GEDI.load(tmp_path / "model", method=other)


def _without_base():
    settings = Settings()
    return replace(settings, encoder=replace(settings.encoder, base=False))


def test_terms_that_an_own_method_does_not_compute_are_refused():
    for changes, expected in (
        ({"weights": WeightSettings(gen=1.0)}, "weights.gen 0"),
        ({"encoder": replace(Settings().encoder, base=True)}, "encoder.base false"),
    ):
        with pytest.raises(
            SettingsError, match=f"mine gives inv, prior alone: expected {expected}"
        ):
            start(DATA, Settings(n_clusters=2, **changes), custom=Custom(method=MINE))


def test_a_density_alone_needs_no_views():
    calls = []

    def terms(model, x, view, negatives, log_prior, *, smoothed=None, observed=None):
        assert view is None and negatives is not None
        calls.append(x.shape)
        return gedi_terms(model, x, None, negatives, log_prior)

    method = Method("density", terms, gives=("gen",))
    settings = Settings(n_clusters=2, max_iter=3, batch_size=16)
    session = start(DATA, settings, custom=Custom(method=method))
    assert session.settings.weights.inv == 0 and session.settings.weights.gen > 0
    session.advance()
    assert calls == [(16, 3)] * 3


def test_plugins_cannot_replace_built_in_names():
    stranger = replace(MINE, name="gedi")
    with pytest.raises(SettingsError, match="method: gedi is the name of a built-in one"):
        Custom(method=stranger).chosen_method(Settings())
    assert Custom(method=BUILT_IN["swav"]).chosen_method(Settings()).name == "swav"

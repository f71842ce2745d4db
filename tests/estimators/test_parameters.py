"""Each parameter is declared and documented once, and the documentation is true."""

import inspect
from functools import reduce

import numpy as np
import pytest
from sklearn.base import clone

from gedi import GEDI, GEDIClassifier, GEDISymbols, Settings
from gedi.estimators.base import BaseGEDI
from gedi.estimators.docstrings import entries, inherited

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ESTIMATORS = [GEDI, GEDIClassifier, GEDISymbols]
SETTINGS = {
    "prior": "prior",
    "w_gen": "weights.gen",
    "w_inv": "weights.inv",
    "w_prior": "weights.prior",
    "encoder": "encoder.kind",
    "method": "method",
    "views": "views.adversarial",
    "max_iter": "max_iter",
    "max_time": "max_time",
    "tol": "tol",
    "n_restarts": "restarts.n",
    "batch_size": "batch_size",
    "learning_rate": "learning_rate",
    "device": "device",
}


def value(settings, name):
    return reduce(getattr, SETTINGS[name].split("."), settings)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_every_parameter_is_in_the_signature_and_documented(kind):
    parameters = inspect.signature(kind).parameters
    assert set(entries(kind.__doc__)["Args"]) == set(parameters)
    assert set(kind().get_params()) == set(parameters)
    assert all(each.annotation is not inspect.Parameter.empty for each in parameters.values())


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_shared_parameters_have_the_docstring_of_the_base(kind):
    shared = entries(BaseGEDI.__doc__)
    for section, own in entries(kind.__doc__).items():
        assert "..." not in own and shared[section].keys() <= own.keys()
    assert entries(kind.__doc__)["Args"]["tol"] == shared["Args"]["tol"]


def test_a_class_without_such_an_entry_keeps_its_docstring():
    class Own(GEDI):
        """Another one."""

    assert Own.__doc__ == "Another one." and Own(3).n_clusters == 3
    assert inherited(None, BaseGEDI.__doc__) is None and entries(None) == {}


def test_only_gedi_takes_a_positional_parameter():
    assert GEDI(3).n_clusters == 3
    for kind in (GEDIClassifier, GEDISymbols):
        with pytest.raises(TypeError, match="positional"):
            kind(3)


def test_docstrings_and_defaults_agree_with_the_settings():
    x = np.random.default_rng(0).normal(size=(50, 3))
    found = GEDI(2, max_iter=1, n_restarts=None, random_state=0).fit(x).settings_
    for name in SETTINGS:
        default = inspect.signature(GEDI).parameters[name].default
        assert name == "method" or default == value(Settings(), name)
        chosen = value(Settings(), name) is None and value(found, name) is not None
        words = " ".join(entries(GEDI.__doc__)["Args"][name].split())
        assert ("None: chosen from the data, see `gedi.plan`." in words) == chosen, name


def test_numbers_of_numpy_are_valid_parameters(tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 3))
    model = GEDI(np.int64(2), max_iter=np.int64(2), n_restarts=1, random_state=0).fit(x)
    model.save(tmp_path / "model")
    assert clone(GEDI.load(tmp_path / "model")).get_params()["max_iter"] == 2

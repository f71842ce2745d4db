"""Calls from wherever people call: without gradients, in threads, in forked processes, pickled."""

import copy
import os
import pickle
import subprocess
import sys
import threading

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone

from gedi import GEDI, Settings
from gedi.errors import SettingsError
from gedi.settings import SamplerSettings

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("small_mixtures"),
]

X = np.random.default_rng(0).normal(size=(60, 3))


def quick(kind="langevin", **changes):
    settings = Settings(sampler=SamplerSettings(kind=kind))
    chosen = {"n_clusters": 2, "max_iter": 4, "encoder": (8,), "n_restarts": 1}
    return GEDI(**{**chosen, "settings": settings, "random_state": 0, **changes})


def used(kind):
    """What a training and all methods give."""
    model = quick(kind).fit(X)
    return model.log_density(X), model.transform(X), model.sample(3)[0], model.predict_proba(X)


@pytest.fixture(scope="module", params=[pytest.param("langevin", marks=pytest.mark.slow), "base"])
def usual(request):
    return request.param, used(request.param)


def same(usual):
    kind, expected = usual
    return all(np.array_equal(a, b) for a, b in zip(used(kind), expected, strict=True))


@pytest.mark.parametrize(
    "context", [pytest.param(torch.no_grad, marks=pytest.mark.slow), torch.inference_mode]
)
def test_without_gradients_of_the_caller(usual, context):
    with context():
        assert same(usual)


def test_with_another_default_type(usual, tmp_path):
    torch.set_default_dtype(torch.float64)
    try:
        assert same(usual)
        assert torch.get_default_dtype() == torch.float64
        model = quick(usual[0]).fit(X)
        model.save(tmp_path / "model")
        loaded = GEDI.load(tmp_path / "model")
        assert np.array_equal(loaded.log_density(X), usual[1][0])
    finally:
        torch.set_default_dtype(torch.float32)


def test_in_two_threads_at_once(usual):
    found = []
    before = torch.get_num_threads()
    threads = [threading.Thread(target=lambda: found.append(same(usual))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True, True] and torch.get_num_threads() == before


FORK = """
import os, sys, warnings
import numpy as np, torch
from gedi import GEDI
warnings.simplefilter("ignore")
torch.set_num_threads(2)
x = np.random.default_rng(0).normal(size=(60, 3))
(torch.randn(600, 600) @ torch.randn(600, 600)).exp().sum()  # starts the threads
model = GEDI(2, max_iter=2, encoder=(4,), n_restarts=1, random_state=0)
child = os.fork()
if child == 0:
    model.fit(x).sample(2)
    os._exit(7)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks on this system")
def test_a_forked_process_does_not_wait_for_the_threads_of_its_parent():
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run([sys.executable, "-c", FORK], timeout=120, env=environment, check=False)
    assert done.returncode == 7


# Random states and callbacks


def test_generators_as_random_state():
    for make in (np.random.default_rng, lambda seed: torch.Generator().manual_seed(seed)):
        first, again, other = (quick(random_state=make(s)).fit(X) for s in (1, 1, 2))
        assert np.array_equal(first.log_density(X), again.log_density(X))
        assert not np.array_equal(first.log_density(X), other.log_density(X))


def test_one_callback_instead_of_a_list():
    seen = []
    quick(callbacks=lambda record: seen.append(record["iteration"])).fit(X)
    assert seen == [4]
    for wrong in (3, ["print"]):
        with pytest.raises(SettingsError, match="callbacks: expected a function or a list"):
            quick(callbacks=wrong).fit(X)


@pytest.mark.parametrize("name", ["callbacks", "views"])
def test_lambdas_are_copied_and_refused_by_pickle_with_a_reason(name, tmp_path):
    own = {"callbacks": lambda record: None, "views": lambda x: x + 0.1}[name]
    model = quick(**{name: [own]}).fit(X)
    for copied in (clone(model), copy.deepcopy(model)):
        assert getattr(copied, name) == [own]
    with pytest.raises(
        pickle.PicklingError, match=f"^{name}: .*lambda.* cannot be pickled: define"
    ):
        pickle.dumps(model)
    with pytest.raises(pickle.PicklingError, match=f"^{name}: "):
        joblib.dump(model, tmp_path / "model")
    cloudpickle = pytest.importorskip("cloudpickle")
    again = pickle.loads(cloudpickle.dumps(model))
    assert np.array_equal(again.score_samples(X), model.score_samples(X))

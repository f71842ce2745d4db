import json
import os
from pathlib import Path

# For the processes that tests start as well: threads that wait for cores which other tests have
# take many times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Before anything imports scipy: scikit-learn skips a check of its own without it.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import pytest
import torch

from documents import KNOWN, quick  # noqa: F401 - a fixture
from short_reports import with_few_moves, without_charts
from small_mixtures import with_small_mixtures

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared():
    """The folder with golden values and data, which is no part of the repository."""
    default = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("GEDI_SHARED", default))
    if not folder.is_dir():
        pytest.skip("no folder of golden values: set GEDI_SHARED to one")
    return folder


@pytest.fixture
def golden(shared):
    """Inputs, losses and gradient norms of public implementations, in float64."""
    path = shared / "golden" / "ssl_losses.json"
    if not path.is_file():
        pytest.skip("no golden/ssl_losses.json in the folder of golden values")
    cases = json.loads(path.read_text())
    assert cases
    return cases


@pytest.fixture(scope="module")
def no_charts():
    """Pages whose charts are not drawn."""
    with without_charts():
        yield


@pytest.fixture(scope="module")
def short_reports(no_charts):
    """No charts, and samples after a few moves, for tests that look at neither."""
    with with_few_moves():
        yield


@pytest.fixture(scope="module")
def small_mixtures():
    """Densities and starts chosen among few, for tests that look at the quality of neither."""
    with with_small_mixtures():
        yield


@pytest.fixture
def known_normalizer(monkeypatch):
    """Trainings with chains take log Z for known, for tests that do not look at it."""
    monkeypatch.setattr("gedi.training.session.annealed_log_normalizer", lambda *_, **__: KNOWN)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)

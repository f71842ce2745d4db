"""Reports in a fraction of their time, which is most of the time of a short training."""

import functools
from contextlib import contextmanager

import pytest

from gedi.training.trained import TrainedModel


@contextmanager
def without_charts():
    """Pages whose charts are not drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gedi.report.pictures._embedded", lambda *_: "data:image/png;base64,")
        yield


@contextmanager
def with_few_moves():
    """Samples of chains that move twice, for tests that do not look at samples."""
    with pytest.MonkeyPatch.context() as patch:
        few = functools.partialmethod(TrainedModel.sample, n_steps=2)
        patch.setattr(TrainedModel, "sample", few)
        patch.setattr("gedi.report.findings._LANGEVIN_STEPS", 2)
        yield

"""Trainings that start from a density and a partition chosen among few, which takes little time."""

from contextlib import contextmanager

import pytest


@contextmanager
def with_small_mixtures():
    """Mixtures of two components at most, and choices on two folds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gedi.model.mixture._MOST", 2)
        patch.setattr("gedi.model.mixture._STARTS", 1)
        patch.setattr("gedi.model.mixture._FOLDS", 2)
        patch.setattr("gedi.partitions.choice.FOLDS", 2)
        yield

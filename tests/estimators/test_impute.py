"""Missing values of new rows, filled in by a fitted estimator."""

import numpy as np
import pandas as pd
import pytest

from gedi import GEDI
from gedi.errors import DataError
from small_trainings import heaps


@pytest.fixture(scope="module")
def model():
    frame = pd.DataFrame(heaps()[0], columns=["a", "b"])
    return GEDI(2, max_iter=20, n_restarts=1, encoder=(8,), random_state=0).fit(frame)


def test_a_frame_gives_frames_and_equal_calls_equal_values(model):
    frame = pd.DataFrame(heaps()[0][:6], columns=["a", "b"], index=list("uvwxyz"))
    frame.loc["v", "b"] = np.nan
    filled, error = model.impute(frame, n_draws=4)
    assert filled.loc["v", "a"] == frame.loc["v", "a"] and np.isfinite(filled.loc["v", "b"])
    assert error.loc["v", "b"] > 0 and error.to_numpy().sum() == error.loc["v", "b"]
    pd.testing.assert_frame_equal(filled, model.impute(frame, n_draws=4)[0])


def test_infinite_values_and_other_columns_are_refused(model):
    with pytest.raises(DataError, match="inf"):
        model.impute(pd.DataFrame({"a": [np.inf], "b": [np.nan]}))
    with pytest.raises(ValueError, match="features"):
        model.impute(np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match="n_draws"):
        model.impute(heaps()[0][:2], n_draws=1)

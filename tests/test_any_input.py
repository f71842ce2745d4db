"""Whatever is given as settings, arrays or options: it is taken, or refused by an error of ours.

`make fuzz` tries many more of them: GEDI_FUZZ is how many times as many.
"""

import os
import warnings
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gedi
from gedi import GEDI, Settings
from gedi.cli.parser import parse
from gedi.data.dataset import Dataset
from gedi.data.values import check_points
from gedi.errors import DataError, GediError, SettingsError
from gedi.settings import from_dict
from gedi.training.plan import plan
from small_trainings import SMALL, heaps

pytestmark = pytest.mark.usefixtures("small_mixtures")

TIMES = int(os.environ.get("GEDI_FUZZ", "1"))


def examples(n):
    """So many examples, the same ones each time unless there are to be more."""
    return settings(
        max_examples=n * TIMES,
        deadline=None,
        derandomize=TIMES == 1,
        suppress_health_check=list(HealthCheck),
    )


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([0, 1, 2, 10**30, "learned", "mlp", "conv", "vera", "gedi", "swav", "cpu"])
)
VALUES = st.recursive(
    SCALARS,
    lambda parts: (
        st.lists(parts, max_size=3) | st.dictionaries(SCALARS.filter(bool), parts, max_size=3)
    ),
    max_leaves=5,
)


def trees(default):
    """Trees of settings, most of whose names exist, and some of whose values fit."""
    known = {
        name: trees(value) | VALUES
        if isinstance(value, dict)
        else st.just(value) | VALUES | st.floats(0, 1) | st.integers(0, 5)
        for name, value in default.items()
    }
    return st.fixed_dictionaries({}, optional=known)


@examples(60)
@given(st.one_of(trees(asdict(Settings())), VALUES))
def test_any_tree_gives_settings_or_one_error(tree):
    try:
        found = from_dict(tree)
    except SettingsError as error:
        assert len(str(error)) < 1000
        return
    assert isinstance(found, Settings)
    for dataset in (
        Dataset("table", heaps(20)[0]),
        Dataset("images", np.ones((9, 64), np.uint8), image_shape=(1, 8, 8), value_range=(0, 255)),
    ):
        try:
            assert plan(dataset, found).settings.n_clusters > 0
        except GediError as error:
            assert len(str(error)) < 1000


DTYPES = st.one_of(
    hnp.scalar_dtypes(), hnp.unicode_string_dtypes(max_len=3), st.just(np.dtype(object))
)
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
        elements=SCALARS if dtype.hasobject else None,
    )
)


NUMBERS = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int8, np.uint8, np.int64, bool]),
    hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=6),
)


@examples(150)
@given(ARRAYS, st.integers(1, 4))
def test_any_points_are_checked(x, d):
    try:
        points = check_points(x, d)
    except DataError:
        return
    assert points.shape == (len(x), d)
    assert np.isfinite(points).all()


@pytest.fixture(scope="module")
def fitted():
    return GEDI(2, max_iter=2, encoder=[4], n_restarts=1, random_state=0).fit(heaps(40)[0])


@examples(60)
@given(x=ARRAYS | hnp.arrays(float, (3, 2), elements=st.floats(width=32)))
def test_any_points_are_predicted_or_refused(fitted, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            clusters = fitted.predict(x)
        # As scikit-learn has it: TypeError for what cannot be made a number.
        except (ValueError, TypeError):
            return
    assert clusters.shape == (len(x),)


@examples(12)
@given(x=ARRAYS | NUMBERS)
def test_anything_is_fitted_or_refused(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = GEDI(2, max_iter=1, encoder=[4], n_restarts=1, random_state=0).fit(x)
            assert model.labels_.shape == (len(x),)
        except (ValueError, TypeError):
            pass
        try:
            found = gedi.fit(x, 2, settings=replace(SMALL, max_iter=1))
            assert found.trained.predict(x).clusters.shape == (len(x),)
        except (ValueError, TypeError):
            pass


WORDS = st.sampled_from(
    [
        *("train", "resume", "evaluate", "predict", "sample", "reproduce", "moons", "run", "--"),
        *("--n-clusters", "--label", "--config", "--prior", "--encoder.hidden", "--out", "-n"),
        *("--measure", "--against", "--seeds", "--preset", "--encoder", "--views", "--denoise"),
        *("2", "-1", "nan", "[", "[1, 2]", "{a: 1}", "learned", "null", "clustering", "toy", ""),
        *("--encoder.hidden+", "--n_clusters=2", "--sampler.vera", "--sampler={kind: vera}"),
    ]
)


@examples(20)
@given(st.lists(WORDS | st.text(max_size=4), max_size=6))
def test_any_command_line_is_understood_or_refused(words):
    try:
        command, _ = parse(words)
    except SettingsError as error:
        assert "\n" not in str(error)
    except SystemExit as end:  # --help and the like
        assert end.code == 0
    else:
        assert callable(command)

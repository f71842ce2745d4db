"""Points in the containers that people have: frames, tensors, sparse and masked arrays."""

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from gedi import GEDI
from gedi.errors import DataError
from gedi.estimators import frames
from gedi.estimators.frames import as_points, frame_of, framed

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(40, 3))
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
HALVES = np.arange(40) / 2
FLAGS = np.arange(40) % 2 == 0


def quick(**changes):
    chosen = {"n_clusters": 2, "max_iter": 2, "encoder": (4,), "n_restarts": 1, "w_gen": 0}
    return GEDI(**{**chosen, "random_state": 0, **changes})


@pytest.fixture(scope="module")
def fitted():
    return quick().fit(X)


# As numbers


@pytest.mark.parametrize(
    "column",
    [
        pd.array(HALVES, dtype="Float64"),
        pd.array(HALVES, dtype="double[pyarrow]"),
        pd.array([Decimal(str(h)) for h in HALVES], dtype=pd.ArrowDtype(pa.decimal128(6, 2))),
        [Decimal(str(h)) for h in HALVES],
        pd.to_timedelta(HALVES, unit="s"),
        pd.arrays.SparseArray(HALVES, fill_value=0.0),
        HALVES.astype(object),
        HALVES.astype(np.float32),
    ],
    ids=lambda column: str(getattr(column, "dtype", "decimal")),
)
def test_every_numeric_type_of_pandas_becomes_floats(column):
    points = as_points(FRAME.assign(d=column))
    np.testing.assert_array_equal(points["d"], HALVES)
    assert list(points.columns) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("kind", ["bool", "boolean", "bool[pyarrow]", "Int8", "uint8[pyarrow]"])
def test_truth_values_and_whole_numbers_become_floats(kind):
    np.testing.assert_array_equal(
        np.asarray(as_points(pd.DataFrame({"a": FLAGS.astype(int)}).astype(kind)), float)[:, 0],
        FLAGS,
    )


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, None] * 20, dtype="Int64"),
        pd.array([True, None] * 20, dtype="boolean"),
        pd.array([0.5, None] * 20, dtype="double[pyarrow]"),
        np.array([1.5, None] * 20, dtype=object),
        [Decimal(1), None] * 20,
        pd.to_timedelta([3, None] * 20),
    ],
)
def test_missing_values_are_refused_with_their_column(column):
    with pytest.raises(
        DataError, match=r"20 missing \(NaN\) values, the first in row 1, col.* 'd'"
    ):
        quick().fit(FRAME.assign(d=column))


def test_frames_of_other_libraries(fitted):
    nulls = pl.DataFrame({"a": [1.0, None] * 20})
    whole = pl.DataFrame({"a": [Decimal(1), Decimal("0.5")], "b": [True, False]})
    np.testing.assert_array_equal(as_points(whole), [[1, 1], [0.5, 0]])
    np.testing.assert_array_equal(as_points(nulls), [[1.0], [np.nan]] * 20)
    for frame in (pl.DataFrame(X), pl.DataFrame(X).lazy(), pa.table({"a": X[:, 0]})):
        np.testing.assert_array_equal(as_points(frame), X[:, : as_points(frame).shape[1]])


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (["u", "v"] * 20, "text \\('u' in row 0\\)"),
        ([1, "v"] * 20, "text \\('v' in row 1\\)"),
        (pd.array(["u"] * 40, dtype="string"), "text"),
        (pd.Categorical(["u", "v"] * 20), "categories"),
        (pd.date_range("2020", periods=40), "dates"),
        (pd.date_range("2020", periods=40, tz="UTC"), "dates"),
        (pd.period_range("2020", periods=40, freq="D"), "dates"),
        ([date(2020, 1, 1)] * 40, "dates"),
        ([[1]] * 40, "objects like list"),
        (X[:, 0] + 1j, "complex numbers"),
    ],
)
def test_columns_that_are_not_numbers_are_named(fitted, column, what):
    with pytest.raises(DataError, match=f"^X: expected numbers, but column 'd' holds {what}"):
        quick().fit(FRAME.assign(d=column))
    with pytest.raises(DataError, match="column 'd' holds"):
        fitted.predict(FRAME.assign(d=column))


def test_dates_alone_are_not_nanoseconds():
    days = pd.date_range("2020", periods=40)
    for x in (pd.DataFrame({"d": days}), days.to_numpy().reshape(20, 2), pl.DataFrame({"d": days})):
        with pytest.raises(DataError, match="holds dates"):
            quick().fit(x)


# Names of columns


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", 1, "c"], ["a", "1", "c"]),
        (["a", "a", "a"], ["a", "a.1", "a.2"]),
        (["a", "a.1", "a"], ["a", "a.1", "a.2"]),
        ([1, "1", "c"], ["1", "1.1", "c"]),
    ],
)
def test_names_that_are_mixed_or_repeated(names, expected):
    frame = FRAME.set_axis(names, axis=1)
    model = quick().fit(frame)
    assert model.feature_names_in_.tolist() == expected
    assert np.array_equal(model.predict(frame), model.labels_)


def test_names_that_are_numbers_are_kept_in_samples():
    model = quick().fit(FRAME.set_axis([5, 6, 7], axis=1))
    assert not hasattr(model, "feature_names_in_")
    assert list(model.sample(2)[0].columns) == [5, 6, 7]


def test_columns_in_another_order_are_refused_as_by_scikit_learn():
    model = quick().fit(FRAME)
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        model.predict(FRAME[["b", "a", "c"]])


# Other containers


def test_sparse_matrices_and_frames(fitted):
    dense = np.where(X > 0, X, 0)
    for container in (sparse.csr_matrix, sparse.coo_array, sparse.csc_matrix):
        np.testing.assert_array_equal(as_points(container(dense)), dense)
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(dense))
    np.testing.assert_array_equal(as_points(frame), dense)
    assert np.array_equal(fitted.predict(sparse.csr_matrix(X)), fitted.labels_)
    one_hot = pd.get_dummies(pd.Series(list("abca") * 10), sparse=True)
    assert quick().fit(one_hot).n_features_in_ == 3


def test_sparse_matrices_that_do_not_fit_into_memory(monkeypatch):
    with pytest.raises(DataError, match=r"got 100,000 x 200,000, which would take 149\.0 GiB"):
        monkeypatch.setattr(frames, "most_bytes", lambda: 2**33)
        quick().fit(sparse.csr_matrix((100_000, 200_000)))


def test_masked_values_are_missing(fitted):
    masked = np.ma.masked_array(X, mask=np.arange(120).reshape(40, 3) == 10)
    for use in (quick().fit, fitted.predict, fitted.model_.predict):
        with pytest.raises(DataError, match=r"1 missing .* row 3, column 1"):
            use(masked)
    assert np.array_equal(fitted.predict(np.ma.masked_array(X)), fitted.labels_)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(X, requires_grad=True),
        torch.tensor(X).to_sparse(),
        [torch.tensor(row, requires_grad=True) for row in X],
    ],
    ids=["gradient", "sparse", "list"],
)
def test_tensors(fitted, tensor):
    assert np.array_equal(fitted.predict(tensor), fitted.labels_)


def test_images_as_tensors_with_gradients():
    images = torch.rand(20, 1, 6, 6, requires_grad=True)
    assert quick().fit(images).input_shape_ == (1, 6, 6)
    assert as_points(images.bfloat16()).dtype == np.float32


def test_structured_arrays_have_columns():
    rows = np.array([tuple(row) for row in X], dtype=[("a", "f8"), ("b", "f4"), ("c", "f8")])
    assert quick().fit(rows).feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(DataError, match="structured_to_unstructured"):
        quick().fit(np.zeros(9, dtype=[("a", "f8", (2,))]))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (FRAME[[]], "at least one column, got a frame of 40 rows without columns"),
        (pd.DataFrame(), "at least one column"),
        (FRAME.iloc[0], r"series of 3 values: pass X.to_frame\(\).T if it is one row"),
        ({"a": [1, 2]}, r"got a dict: pass a frame"),
        ("points.csv", r"got the text 'points.csv': read a file with gedi.load"),
        (None, "got None"),
        ((row for row in X), "got a generator: collect its rows"),
    ],
)
def test_what_holds_no_points_is_refused(fitted, x, message):
    for use in (quick().fit, fitted.predict):
        with pytest.raises(DataError, match=message):
            use(x)


# Samples as frames


def test_samples_are_frames_with_the_types_of_the_columns(tmp_path):
    frame = FRAME.assign(
        flag=FLAGS,
        count=np.arange(40, dtype=np.uint8),
        maybe=pd.array(np.arange(40), dtype="Int64"),
        span=pd.to_timedelta(np.arange(40), unit="h"),
        price=[Decimal(i) for i in range(40)],
        cost=pd.array([Decimal(i) for i in range(40)], dtype=pd.ArrowDtype(pa.decimal128(6, 2))),
        half=HALVES.astype(np.float32),
    )
    model = quick().fit(frame)
    samples, clusters = model.sample(7)
    assert len(clusters) == 7
    assert samples.dtypes.tolist() == frame.dtypes.tolist()
    assert list(samples.columns) == list(frame.columns)
    assert isinstance(samples["price"][0], Decimal)
    model.save(tmp_path / "model")
    pd.testing.assert_frame_equal(GEDI.load(tmp_path / "model").sample(7)[0], samples)


def test_samples_are_frames_of_the_same_library():
    schema = {"a": pl.Float32, "b": pl.Int64, "c": pl.Boolean}
    frame = pl.DataFrame({"a": HALVES, "b": np.arange(40), "c": FLAGS}, schema=schema)
    samples, _ = quick().fit(frame).sample(3)
    assert isinstance(samples, pl.DataFrame) and dict(samples.schema) == schema
    assert isinstance(quick().fit(frame.to_arrow()).sample(3)[0], pa.Table)
    assert isinstance(quick().fit(X).sample(3)[0], np.ndarray)


def test_numbers_are_rounded_into_the_range_of_their_type():
    like = frame_of(pd.DataFrame({"a": np.array([1], np.int8), "b": [True], "c": [1]}))
    frame = framed(np.array([[300.0, 0.4, 1e30], [-2.6, 0.6, 0.5]]), like)
    assert frame["a"].tolist() == [127, -3] and frame["b"].tolist() == [False, True]
    assert frame["c"].dtype == np.int64 and frame["c"][0] > 2**62


@pytest.mark.parametrize(
    ("n", "message"),
    [
        (5.0, "n_samples: expected a whole number, got 5.0: pass 5"),
        (2.5, "got 2.5"),
        ("3", "got '3'"),
        (True, "got True"),
        (0, "n_samples: expected at least 1, got 0"),
    ],
)
def test_numbers_of_samples_that_are_refused(fitted, n, message):
    with pytest.raises(DataError, match=message):
        fitted.sample(n)
    with pytest.raises(DataError, match=r"cluster: expected a whole number, got 1\.5"):
        fitted.sample(1, cluster=1.5)

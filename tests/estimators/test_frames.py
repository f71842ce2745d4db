"""Points in the containers that people have: frames, tensors, sparse and masked arrays."""

import datetime
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from gedi import GEDI, ClusterSweep, GEDIClassifier
from gedi.data.columns import ColumnPlan
from gedi.errors import DataError, RunError
from gedi.estimators import frames
from gedi.estimators.frames import as_points, frame_of, framed, learn_features

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


# As features


@pytest.mark.parametrize(
    "column",
    [
        pd.array(HALVES, dtype="Float64"),
        pd.array(HALVES, dtype="double[pyarrow]"),
        pd.array([Decimal(str(h)) for h in HALVES], dtype=pd.ArrowDtype(pa.decimal128(6, 2))),
        [Decimal(str(h)) for h in HALVES],
        pd.to_timedelta(HALVES, unit="D"),
        pd.array(pd.to_timedelta(HALVES, unit="D"), dtype=pd.ArrowDtype(pa.duration("s"))),
        pd.arrays.SparseArray(HALVES, fill_value=0.0),
        HALVES.astype(object),
        HALVES.astype(np.float32),
        pd.Timestamp(0) + pd.to_timedelta(HALVES, unit="D"),
        pd.Series(HALVES).astype(str),
    ],
    ids=lambda column: str(getattr(column, "dtype", "decimal")),
)
def test_columns_of_numbers_and_dates_become_floats(column):
    plan, x = learn_features(FRAME.assign(d=column))
    np.testing.assert_array_equal(x[:, 3], HALVES)
    assert [each.name for each in plan.columns] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("kind", ["bool", "boolean", "bool[pyarrow]", "Int8", "uint8[pyarrow]"])
def test_truth_values_and_whole_numbers_become_floats(kind):
    frame = pd.DataFrame({"a": FLAGS.astype(int)}).astype(kind)
    np.testing.assert_array_equal(learn_features(frame)[1][:, 0], FLAGS)


WORDS = np.array(["u", "v", "v", "w"] * 10)


@pytest.mark.parametrize(
    "column",
    [
        WORDS.astype(object),
        pd.array(WORDS, dtype="string"),
        pd.array(WORDS, dtype="string[pyarrow]"),
        pd.Categorical(WORDS),
        pd.Categorical(pd.Series(WORDS).map({"u": 2, "v": 0, "w": 1})),
        pd.Categorical(pd.Series(WORDS).map({"u": 2.5, "v": 0.5, "w": 1.5})),
        pd.cut(pd.Series(WORDS).map({"u": 2, "v": 0, "w": 1}), [-1, 0.5, 1.5, 3]),
        pd.arrays.IntervalArray(pd.cut(pd.Series(WORDS).map({"u": 2, "v": 0, "w": 1}), 3)),
        pd.arrays.ArrowExtensionArray(pa.array(WORDS).dictionary_encode()),
    ],
    ids=lambda column: str(getattr(column, "dtype", "")),
)
def test_categories_have_a_feature_for_each_level(column):
    frame = FRAME.assign(d=column)
    plan, x = learn_features(frame)
    assert plan.columns[3].kind == "category" and x.shape == (40, 6)
    np.testing.assert_array_equal(x[:, 3], WORDS == "v")  # the most frequent level first
    np.testing.assert_array_equal(x[:, 3:].sum(1), 1)
    back = framed(x, frame_of(frame), plan)
    assert back["d"].astype(str).tolist() == frame["d"].astype(str).tolist()


DAYS = pd.date_range("2020", periods=40)


@pytest.mark.parametrize(
    "column",
    [
        DAYS,
        DAYS.tz_localize("UTC"),
        DAYS.tz_localize("Asia/Tokyo"),
        DAYS.as_unit("s"),
        pd.period_range("2020", periods=40, freq="D"),
        list(DAYS.date),
        pd.array(DAYS.date, dtype=pd.ArrowDtype(pa.date32())),
        pd.array(DAYS, dtype=pd.ArrowDtype(pa.timestamp("us"))),
        pd.array(DAYS, dtype=pd.ArrowDtype(pa.timestamp("us", tz="UTC"))),
        DAYS.strftime("%d.%m.%Y"),
        DAYS.strftime("%Y-%m-%d"),
    ],
    ids=lambda column: str(getattr(column, "dtype", "")),
)
def test_dates_are_days_and_come_back_as_dates(column):
    frame = FRAME.assign(d=column)
    plan, x = learn_features(frame)
    assert plan.columns[3].kind == "date"
    np.testing.assert_array_equal(np.diff(x[:, 3]), 1)
    pd.testing.assert_series_equal(framed(x, frame_of(frame), plan)["d"], frame["d"])


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, None, 3, 4] * 10, dtype="Int64"),
        pd.array([1, None, 3, 4] * 10, dtype="uint8[pyarrow]"),
        pd.array([True, None, False, True] * 10, dtype="boolean"),
        pd.array([0.5, None, 1.5, 2.5] * 10, dtype="double[pyarrow]"),
        np.array([1.5, None, 2.5, 3.5] * 10, dtype=object),
        np.array([1.5, pd.NA, 2.5, 3.5] * 10, dtype=object),
        [1.5, np.nan, 2.5, 3.5] * 10,
        [Decimal(1), None, Decimal(2), Decimal(3)] * 10,
        pd.to_timedelta([3, None, 4, 5] * 10),
        pd.to_datetime(["2020-01-01", None, "2020-01-05", "2020-01-07"] * 10),
        pd.Categorical(["u", None, "v", "v"] * 10),
        pd.array(["u", None, "v", "v"] * 10, dtype="string"),
        [datetime.time(3), None, datetime.time(4), datetime.time(5, 30)] * 10,
    ],
    ids=lambda column: str(getattr(column, "dtype", "")),
)
def test_missing_values_are_filled_and_marked(column):
    frame = FRAME.assign(d=column)
    model = quick().fit(frame)
    assert model.columns_.columns[3].mark_missing
    assert len(model.columns_.features) == model.input_shape_[0] > 4
    assert model.n_features_in_ == 4
    assert np.array_equal(model.predict(frame), model.labels_)
    plan, x = learn_features(frame)
    back = framed(x, frame_of(frame), plan)
    assert back["d"].isna().tolist() == frame["d"].isna().tolist()
    assert back["d"].dropna().tolist() == frame["d"].dropna().tolist()


@pytest.mark.parametrize("to", [pl.from_pandas, lambda f: pl.from_pandas(f).lazy(), pa.table])
def test_frames_of_other_libraries(to):
    frame = pd.DataFrame(
        {
            "a": X[:, 0],
            "n": pd.array([1, None, 3, 4] * 10, dtype="Int64"),
            "word": WORDS,
            "kind": pd.Categorical(WORDS),
            "day": pd.array(DAYS.date, dtype=pd.ArrowDtype(pa.date32())),
            "flag": pd.array([True, False, None, True] * 10, dtype="boolean"),
        }
    )
    given = pa.Table.from_pandas(frame) if to is pa.table else to(frame)
    model = quick().fit(given)
    assert np.array_equal(model.predict(given), model.labels_)
    samples, _ = model.sample(5)
    whole = given.collect() if isinstance(given, pl.LazyFrame) else given
    assert type(samples) is type(whole)
    if isinstance(samples, pl.DataFrame):
        assert samples.schema == whole.schema
    else:
        assert [str(kind) for kind in samples.schema.types] == [
            str(kind) for kind in whole.schema.types
        ]


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (
            [1.5, 2.5, 3.5, "v"] * 10,
            r"holds numbers, but 'v' in row 3.*X.astype\({'d': 'category'}",
        ),
        ([[1]] * 40, r"is not numeric, it holds \[1\] in row 0.*X.drop\(columns='d'\)"),
        (X[:, 0] + 1j, "is not numeric, it holds"),
    ],
)
def test_columns_that_cannot_be_read_are_named(fitted, column, what):
    with pytest.raises(DataError, match=f"^X: column 'd' {what}"):
        quick().fit(FRAME.assign(d=column))


def test_columns_that_tell_nothing_are_left_out_with_a_warning():
    frame = FRAME.assign(id=[f"no {i}" for i in range(40)], none=None, b=1.0)
    with pytest.warns(UserWarning, match=r"left out: id \(40 different.*none \(every value is"):
        model = quick().fit(frame)
    samples, _ = model.sample(3)
    assert list(samples.columns) == ["a", "b", "c"]
    assert model.predict(samples).shape == (3,)  # without the columns that are left out
    assert np.array_equal(model.predict(frame.assign(id=0)), model.labels_)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.drop(columns="a"))


def test_the_treatment_of_columns_is_shown(capsys):
    quick(verbose=1).fit(FRAME.assign(d=WORDS))
    assert "column d: category, 3 features (v, u, w)" in capsys.readouterr().err


def test_numbers_in_32_bits_stay_so():
    assert learn_features(FRAME.astype(np.float32))[1].dtype == np.float32
    assert learn_features(FRAME)[1].dtype == np.float64


def test_dates_in_arrays_are_not_nanoseconds():
    with pytest.raises(DataError, match="got an array of dates: pass a frame"):
        quick().fit(DAYS.to_numpy().reshape(20, 2))


def test_values_that_were_not_there_in_training(fitted):
    frame = FRAME.assign(d=WORDS)
    model = quick().fit(frame)
    assert model.predict(frame.assign(d="new")).shape == (40,)
    assert model.predict(frame.assign(d=None, a=np.nan)).shape == (40,)
    with pytest.raises(DataError, match=r"^X: column 'a' holds numbers, but 'x' in row 0"):
        model.predict(frame.assign(a="x"))
    with pytest.raises(DataError, match=r"^X: column 'b' holds numbers, but 'x' in row 0"):
        fitted.predict(FRAME.assign(b="x"))


def test_explanations_have_the_columns_of_the_frame():
    frame = FRAME.assign(d=WORDS, day=DAYS)
    model = quick(w_gen=None).fit(frame)
    contributions, typical = model.explain(frame.set_axis(range(5, 45)))
    assert list(contributions.columns) == list(typical.columns) == list(frame.columns)
    np.testing.assert_allclose(contributions.sum(axis=1), -model.score_samples(frame), atol=1e-6)
    assert typical["day"].dtype.kind == "M" and set(typical["d"]) <= set("uvw")
    assert typical.index.tolist() == list(range(5, 45))


def test_the_number_of_clusters_of_a_frame_is_found():
    frame = FRAME.assign(d=WORDS)
    sweep = ClusterSweep(quick(), n_clusters=(2, 3), n_parts=2, refit=False).fit(frame)
    assert len(sweep.cells_) == 4


def test_labels_of_a_frame_are_learned():
    frame = FRAME.assign(d=WORDS)
    model = GEDIClassifier(max_iter=2, encoder=(4,), n_restarts=1, w_gen=0).fit(frame, WORDS)
    assert set(model.predict(frame)) <= set("uvw")


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


def test_enums_of_polars_come_back_as_enums(tmp_path):
    levels = ["x", "y", "z", "unseen"]
    words = pl.Series(["x", "y", "z", "y"] * 10, dtype=pl.Enum(levels))
    frame = pl.DataFrame({"a": HALVES, "e": words})
    model = quick().fit(frame)
    model.save(tmp_path / "m")
    for each in (model, GEDI.load(tmp_path / "m")):
        assert each.sample(3)[0].schema["e"] == pl.Enum(levels)


def test_numbers_are_rounded_into_the_range_of_their_type():
    like = frame_of(pd.DataFrame({"a": np.array([1], np.int8), "b": [True], "c": [1]}))
    plan = ColumnPlan.of_numbers("abc")
    frame = framed(np.array([[300.0, 0.4, 1e30], [-2.6, 0.6, 0.5]]), like, plan)
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


def test_a_saved_model_keeps_the_treatment_of_columns(tmp_path):
    frame = FRAME.assign(d=pd.Categorical(WORDS), day=DAYS, n=pd.array([1, None] * 20, "Int64"))
    model = quick().fit(frame)
    model.save(tmp_path / "model")
    loaded = GEDI.load(tmp_path / "model")
    assert loaded.columns_ == model.columns_
    assert np.array_equal(loaded.predict(frame), model.labels_)
    pd.testing.assert_frame_equal(loaded.sample(7)[0], model.sample(7)[0])
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["learned"]["columns_"]["columns"].pop()
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match="columns_: expected 6"):
        GEDI.load(tmp_path / "model")


@pytest.mark.parametrize("kinds", [["float64"], ["no type"] * 3, 7])
def test_saved_types_that_are_damaged_are_refused(tmp_path, kinds):
    quick().fit(FRAME).save(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["learned"]["frame_"]["dict"]["types"] = kinds
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"config.json: cannot be read"):
        GEDI.load(tmp_path / "model")


@pytest.mark.parametrize(
    "column",
    [
        [datetime.datetime(1600, 1, 1), datetime.datetime(9998, 1, 1)] * 20,
        np.array([True, None, False, True] * 10, dtype=object),
        pd.Categorical([True, False, False, True] * 10),
        pd.Categorical([1.0, 2.5, 2.5, 3.0] * 10),
    ],
    ids=["years", "flags", "true", "floats"],
)
def test_values_that_come_back_as_they_were(column):
    frame = FRAME.assign(d=column)
    plan, x = learn_features(frame)
    back = framed(x, frame_of(frame), plan)["d"]
    assert back.dtype == frame["d"].dtype
    assert back.isna().tolist() == frame["d"].isna().tolist()
    assert back.dropna().tolist() == frame["d"].dropna().tolist()


def test_a_missing_flag_is_filled_with_a_flag():
    plan, x = learn_features(pd.DataFrame({"f": [True, None, False] * 10}))
    assert plan.columns[0].fill in (0, 1) and set(x[:, 0]) == {0, 1}


def test_columns_of_several_levels_have_joined_names():
    frame = FRAME.set_axis(pd.MultiIndex.from_tuples([("p", "x"), ("p", "y"), ("q", 1)]), axis=1)
    model = quick().fit(frame)
    assert model.feature_names_in_.tolist() == ["p_x", "p_y", "q_1"]
    assert model.explain(frame).typical.shape == (40, 3)


def test_rows_with_one_index_twice_are_rows_of_their_own():
    frame = FRAME.assign(d=WORDS).set_axis([0, 1] * 20)
    frame.loc[0, "a"] = np.nan
    model = quick(w_gen=None).fit(frame)
    filled = model.impute(frame)
    assert filled.index.tolist() == [0, 1] * 20 and not filled.isna().any().any()


def test_an_array_of_objects_has_the_columns_of_the_frame():
    frame = FRAME.assign(d=WORDS, e=DAYS)
    model = quick(w_gen=None).fit(frame)
    objects = frame.to_numpy(dtype=object)
    assert np.array_equal(model.predict(objects), model.labels_)
    objects[3, 0] = None
    assert model.impute(objects).notna().all().all()
    with pytest.raises(DataError, match=r"missing \(NaN\)"):
        quick().fit(np.array([[1.0, pd.NA], [2.0, 3.0]] * 9, dtype=object))

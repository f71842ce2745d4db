"""Data sets from a name or a file: checked rows of numbers, with what is known about them.

Everything a user can get wrong about a file ends in a `DataError` of one sentence: what is
wrong, where, and what to do. Rows are counted from 0; a table's header is not a row. No file
is unpickled, and what a file claims to hold is checked before memory is taken for it; see
`gedi.untrusted`.
"""

import difflib
import math
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gedi import plugins, toy
from gedi.array_claims import ArrayClaim, claim_in_archive, claim_of
from gedi.errors import DataError, PluginError
from gedi.images import (
    PRESETS,
    STREAM_ABOVE,
    Images,
    Watch,
    holds_images,
    read_images,
    unwatched,
)
from gedi.table_claims import check_csv_claims, check_parquet_claims, csv_marks, is_nested
from gedi.untrusted import RefusedError, check_room, refuse_special

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BUILT_IN",
    "Dataset",
    "Values",
    "check_csv",
    "check_parquet",
    "check_points",
    "checked_rows",
    "constant_features",
    "counting_columns",
    "existing_file",
    "is_plugged",
    "label_column",
    "load",
    "not_numeric",
    "numeric_rows",
    "read_npy",
    "read_table",
    "reading",
    "refuse_image_options",
    "refused",
    "require_columns",
    "value_in_row",
    "value_range_of",
]

# Floats, or bytes of images: as floats, CIFAR-10 would take 600 MB instead of 150. What computes
# with them takes either, so that the type does not tell them apart.
Values = NDArray[Any]

BUILT_IN = ("moons", "circles", "digits")

_SUFFIXES = (".npy", ".npz", ".csv", ".parquet")
# What readers of a damaged file are known to raise, found by flipping its bytes.
_NUMPY_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # an archive with a password; a kind of compression that zip does not know
    MemoryError,  # less memory than there seemed to be
    zipfile.BadZipFile,
    zlib.error,
)
_MOST_CHANNELS = 4
_MOST_ARRAYS = 1000  # in an archive


@dataclass(frozen=True, eq=False)
class Dataset:
    """Points in the user's units, and what is known about them.

    Args:
        name: of the set, for reports.
        x: rows (n, d), images flattened; floats, or for images perhaps bytes (uint8), in memory or
            mapped from a file.
        labels: codes (n,) into `class_names`, for evaluation only; None if unknown.
        class_names: one name a code, in the order of the codes.
        feature_names: d names, or empty for images.
        image_shape: (C, H, W) with C * H * W = d; None if the rows are not images.
        value_range: fixed range of an image's values; None if the rows are not images.
        n_skipped: how many images were left out, as they cannot be read.
        n_classes: how many classes a set known by its name has; None for all others, as labels are
            for evaluation only.
        files: the path of each image's file in the folder they come from; empty if they come from
            elsewhere.
    """

    name: str
    x: Values
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    value_range: tuple[float, float] | None = None
    n_skipped: int = 0
    n_classes: int | None = None
    files: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """Rows that are trained on."""
        return len(self.x)

    def subset(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "Dataset":
        """The rows that `index` selects; codes keep their meaning even if a class vanishes."""
        labels = None if self.labels is None else self.labels[index]
        files = tuple(np.array(self.files, dtype=object)[index]) if self.files else ()
        return replace(self, x=self.x[index], labels=labels, files=files)


def load(
    source: str,
    *,
    label: str | None = None,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    n_points: int = 10_000,
    noise: float = 0.05,
    seed: int = 0,
    min_rows: int = 2,
    split: str | None = None,
    image_size: int | None = None,
    skip_bad: bool = False,
    stream_above: int = STREAM_ABOVE,
    watch: Watch = unwatched,
) -> Dataset:
    """Load a built-in set, one of a plug-in, a file, a folder, or images from the hub.

    A .npy file holds points (n, d) or images (n, H, W) or (n, C, H, W). A .npz file holds them
    as `x` or `X`, or as its only array of two dimensions or more, and labels as `y` or
    `labels`. A .csv or .parquet file holds one numeric column a feature, and perhaps a column
    of labels; booleans count as 0 and 1, and an unnamed column that only counts the rows is
    left out. Fields of a .csv are separated by commas, or as spreadsheets write it by semicolons
    (then with decimal commas) or tabs. Floats stay as wide as they are; other numbers become floats
    that hold them, but images of bytes stay bytes. `gedi.images` tells how folders of images,
    .parquet files of images and sets on the Hugging Face hub are read.

    Args:
        source: "moons", "circles", "digits", the path of a file or a folder, or images on the hub:
            "mnist", "cifar10", "cifar100", "svhn", "hf://owner/name"; or what a plug-in calls
            so; a file of such a name is reached as "./moons".
        label: the column or the array of labels; for a .npy file the path of a second one.
        features: take these columns of a table, in this order, and ignore all others; new data
            for a trained model may then have a label column, or its columns in another order.
        drop: leave out these columns of a table.
        n_points: number of points of a toy set; this and the two below are told to plug-ins.
        noise: standard deviation of a toy set's noise.
        seed: of a toy set.
        min_rows: fewest rows accepted.
        split: of images in splits, as train and test; by default train, or the only one.
        image_size: resize images to this many pixels on the shorter side, and keep the square in
            the middle; for sets of image files only.
        skip_bad: leave out image files that cannot be read, and count them in `n_skipped`.
        stream_above: images of more bytes than this, decoded or in a .npy file of bytes, stay on
            disk: `Dataset.x` is mapped from a file. Trainings are the same, and take less memory.
        watch: called with the number of images decoded and that of all, where that is for a file.

    Raises:
        DataError: the source cannot be read, or its values cannot be trained on.
        PluginError: the plug-in that brings it cannot be loaded, or brings no `Dataset`.
    """
    if drop and Path(source).suffix.lower() not in {".csv", ".parquet"}:
        raise DataError(f"{source} is no table, .csv or .parquet: leave out drop (--drop)")
    if is_plugged(source):
        _refuse_label(source, label)
        refuse_image_options(source, None, image_size, skip_bad)
        return _enough(_plugged(source, n_points, seed, split), source, min_rows)
    if source in BUILT_IN:
        _refuse_label(source, label)
        refuse_image_options(source, split, image_size, skip_bad)
        return _digits() if source == "digits" else _toy(source, n_points, noise, seed)
    # Who asks for features of a .parquet file takes it for a table.
    of_images = features is None and holds_images(source)
    path = Path(source) if of_images else existing_file(source, known=_known(source))
    if of_images:
        images = read_images(
            source,
            label=label,
            split=split,
            image_size=image_size,
            skip_bad=skip_bad,
            stream_above=stream_above,
            watch=watch,
        )
        data = _from_images(source, images)
    else:
        refuse_image_options(source, split, image_size, skip_bad)
        data = _from_file(path, label, features, drop, stream_above)
    return _enough(data, source, min_rows)


def _refuse_label(source: str, label: str | None) -> None:
    if label is not None:
        raise DataError(f"{source} brings its own labels: leave out the label {label!r}")


def _enough(data: Dataset, source: str, min_rows: int) -> Dataset:
    if len(data.x) < min_rows:
        raise DataError(f"{source}: expected at least {min_rows} rows, got {len(data.x)}")
    return data


def check_points(x: ArrayLike, n_features: int, *, first_row: int | None = None) -> Values:
    """Check new points for a model trained on `n_features` features.

    Args:
        x: points (n, n_features), or images of as many values.
        n_features: what the model was trained on.
        first_row: the place of the first of them among more points, for errors; None: these are
            all.

    Returns:
        Points (n, n_features), images flattened; bytes stay bytes, all else becomes floats.

    Raises:
        DataError: another number of features, no rows, or values that are not finite numbers.
    """
    points, _ = _rows(np.asarray(x), where="x", keep_bytes=True, first_row=first_row)
    if points.shape[1] != n_features:
        raise DataError(f"x: expected {n_features} features, got {points.shape[1]}")
    if len(points) == 0:
        raise DataError("x: expected at least 1 row, got 0")
    return points


def constant_features(x: Values) -> NDArray[np.intp]:
    """Indices of the columns of x (n, d) that hold one value only."""
    return np.flatnonzero(x.max(axis=0) == x.min(axis=0))


def counting_columns(dataset: Dataset) -> list[str]:
    """Names of the columns of a table that go up by one from row to row, as identities do."""
    if dataset.image_shape is not None or len(dataset.x) < 10:
        return []
    steps = np.flatnonzero((dataset.x[1:] - dataset.x[:-1] == 1).all(axis=0))
    return [dataset.feature_names[i] for i in steps] if dataset.feature_names else []


def is_plugged(source: str) -> bool:
    """Whether a plug-in brings data of this name, which has none of the signs of a path."""
    return _is_bare(source) and plugins.find("gedi.data", source) is not None


def _is_bare(source: str) -> bool:
    ours = source in BUILT_IN or source in PRESETS
    return not ours and not any(sign in source for sign in "./\\:")


def _known(source: str) -> tuple[str, ...]:
    """Names that a user may have meant."""
    plugged = plugins.installed("gedi.data") if _is_bare(source) else ()
    return (*BUILT_IN, *PRESETS, *plugged)


# Built-in sets, and those of plug-ins


def _plugged(name: str, n_points: int, seed: int, split: str | None) -> Dataset:
    make = plugins.load("gedi.data", name, setting="data")
    dataset: object = make(n_points=n_points, seed=seed, split=split)
    source = plugins.find("gedi.data", name)
    if not isinstance(dataset, Dataset):
        raise PluginError(f"data: expected a gedi.Dataset from {source}, got {dataset!r}")
    if dataset.x.ndim != 2:
        raise DataError(f"{source}: expected points x (n, d), got shape {dataset.x.shape}")
    x, _ = _rows(dataset.x, str(source), dataset.feature_names, keep_bytes=True)
    n, d = x.shape
    labels, shape, names = dataset.labels, dataset.image_shape, dataset.feature_names
    if labels is not None:
        codes = np.arange(len(dataset.class_names))
        if labels.shape != (n,) or not np.isin(labels, codes).all():
            raise DataError(f"{source}: expected labels (n,) that are places in class_names")
    if shape is not None and (math.prod(shape) != d or dataset.value_range is None):
        raise DataError(f"{source}: expected images of {d} values with a value_range, got {shape}")
    if names and len(names) != d:
        raise DataError(f"{source}: expected {d} feature_names or none, got {len(names)}")
    return replace(dataset, name=name, x=x)


def _toy(name: str, n_points: int, noise: float, seed: int) -> Dataset:
    if name == "moons":
        x, labels = toy.moons(n_points, noise=noise, seed=seed)
    else:
        x, labels = toy.circles(n_points, noise=noise, seed=seed)
    x, names = x.astype(np.float32), ("x0", "x1")
    return Dataset(name, x, labels, ("0", "1"), names, n_classes=2)


def _digits() -> Dataset:
    from sklearn.datasets import load_digits  # noqa: PLC0415

    digits = load_digits()
    return Dataset(
        name="digits",
        x=digits.data.astype(np.float32),
        labels=digits.target.astype(np.int64),
        class_names=tuple(str(name) for name in digits.target_names),
        image_shape=(1, 8, 8),
        value_range=(0.0, 16.0),
        n_classes=10,
    )


# Files


def _from_file(
    path: Path,
    label: str | None,
    features: Sequence[str] | None,
    drop: Sequence[str],
    stream_above: int,
) -> Dataset:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _from_npy(path, label, stream_above)
    if suffix == ".npz":
        return _from_npz(path, label)
    if suffix in {".csv", ".parquet"}:
        return _from_table(path, label, features, drop)
    raise DataError(
        f"{path}: unknown kind of file {suffix or 'without suffix'}: "
        f"expected one of {', '.join(_SUFFIXES)}, or a folder of images"
    )


def _from_images(source: str, images: Images) -> Dataset:
    n, *shape = images.x.shape
    labels, class_names = images.labels, images.class_names
    codes = None
    if labels is not None and class_names:
        codes = labels.astype(np.int64)
    elif labels is not None:
        codes, class_names = _label_codes(labels, f"{source}, labels", n)
    return Dataset(
        images.name,
        images.x.reshape(n, -1),
        codes,
        class_names,
        image_shape=(shape[0], shape[1], shape[2]),
        value_range=value_range_of(images.x),
        n_skipped=images.n_skipped,
        n_classes=PRESETS[source].n_classes if source in PRESETS else None,
        files=images.files,
    )


def refuse_image_options(
    source: str, split: str | None, image_size: int | None, skip_bad: bool
) -> None:
    """Check that no options of images are given.

    Raises:
        DataError: with those that are.
    """
    options = {"split": split is not None, "image_size": image_size is not None}
    given = [name for name, is_given in (options | {"skip_bad": skip_bad}).items() if is_given]
    if given:
        raise DataError(f"{source} is not a set of image files: leave out {', '.join(given)}")


def existing_file(source: str, known: Sequence[str] = ()) -> Path:
    """The path of a file that exists and is not empty.

    Raises:
        DataError: if there is none; known names that are alike are told.
    """
    path = Path(source)
    try:
        is_dir, exists = path.is_dir(), path.exists()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise DataError(f"{source!r} cannot be opened: {error.strerror}") from error
    if is_dir:
        raise DataError(f"{path} is a directory: give the path of a file ({', '.join(_SUFFIXES)})")
    if not exists:
        close = difflib.get_close_matches(source.lower(), known, n=1)
        hint = f": did you mean {close[0]!r}?" if close else ""
        names = f", and the sets with a name are {', '.join(known)}" if known and not close else ""
        raise DataError(f"there is no file {source!r}{names}{hint}")
    try:
        refuse_special(path)
    except RefusedError as error:
        raise refused(path, error) from error
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes): write it again or give another file")
    return path


def refused(path: Path, error: RefusedError) -> DataError:
    """The error for a file that is not read."""
    return DataError(f"{path} is not read: {error}")


def unreadable(path: Path, kind: str, error: BaseException) -> DataError:
    """The error for a file that a reader of this kind cannot make sense of."""
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return DataError(
        f"{path} cannot be read as {kind} and may be damaged: write it again ({reason})"
    )


def _from_npy(path: Path, label: str | None, stream_above: int) -> Dataset:
    labels = None
    if label is not None:
        label_path = existing_file(label)
        labels = (read_npy(label_path), str(label_path))
    array = read_npy(path, mapped=path.stat().st_size > stream_above)
    return _from_array(path, array, str(path), labels)


def _from_npz(path: Path, label: str | None) -> Dataset:
    claims = _npz_claims(path)
    key = next((k for k in ("y", "labels") if k in claims), None) if label is None else label
    if key is not None and key not in claims:
        raise DataError(f"{path} has no array {key!r} of labels: it holds {_listed(claims)}")
    points = _points_key(path, {name: claims[name] for name in claims if name != key})
    arrays = _read_npz(path, [points] if key is None else [points, key], claims)
    labels = None if key is None else (arrays[key], f"{path}, array {key!r}")
    return _from_array(path, arrays[points], f"{path}, array {points!r}", labels)


def _points_key(path: Path, claims: dict[str, ArrayClaim]) -> str:
    """Name of the array of points in a .npz file, among all but the labels."""
    for key in ("x", "X"):
        if key in claims:
            return key
    candidates = [key for key, claim in claims.items() if len(claim.shape) >= 2]
    if len(candidates) != 1:
        raise DataError(
            f"{path}: cannot tell which array holds the points among {_listed(claims)}: name it 'x'"
        )
    return candidates[0]


def _from_array(
    path: Path,
    array: NDArray[np.generic],
    where: str,
    labels: tuple[NDArray[np.generic], str] | None,
) -> Dataset:
    """A data set of an array, and of labels with the place they come from."""
    x, image_shape = _rows(array, where)
    codes, class_names = (None, ()) if labels is None else _label_codes(*labels, n=len(x))
    if image_shape is None:
        names = tuple(f"x{i}" for i in range(x.shape[1]))
        return Dataset(path.stem, x, codes, class_names, names)
    return Dataset(
        path.stem,
        x,
        codes,
        class_names,
        image_shape=image_shape,
        value_range=value_range_of(array),
    )


def value_range_of(x: NDArray[np.generic]) -> tuple[float, float]:
    """The range of images' values: 0 to 255 for bytes, else from the least to the greatest."""
    if x.dtype == np.uint8:
        return 0.0, 255.0
    return (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)


def read_npy(path: Path, *, mapped: bool = False) -> NDArray[np.generic]:
    """An array, which may be mapped from the file."""
    try:
        with path.open("rb") as stream:
            if stream.read(2) != b"PK":  # a .npz archive, refused below
                stream.seek(0)
                claim = claim_of(stream, path.stat().st_size)
                check_room(0 if mapped else claim.n_bytes, f"its array of shape {claim.shape}")
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except _NUMPY_ERRORS as error:
        raise _numpy_error(path, ".npy", error) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise DataError(f"{path} is a .npz archive: rename it to end in .npz")
    return array


def _npz_claims(path: Path) -> dict[str, ArrayClaim]:
    """What the headers of the arrays in a .npz file say, by name."""
    try:
        with path.open("rb") as stream:
            magic = stream.read(6)
        if magic == np.lib.format.MAGIC_PREFIX:
            raise DataError(f"{path} holds a single .npy array: rename it to end in .npy")
        if not magic.startswith(b"PK"):
            raise DataError(f"{path} is not a .npz file (a pickle is never loaded): save it anew")
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _MOST_ARRAYS:
                raise RefusedError(f"it holds {len(members)} arrays, more than {_MOST_ARRAYS}")
            found = [(member, claim_in_archive(archive, member)) for member in members]
    except DataError:
        raise
    except _NUMPY_ERRORS as error:
        raise _numpy_error(path, ".npz", error) from error
    claims = {
        member.filename.removesuffix(".npy"): claim for member, claim in found if claim is not None
    }
    if not claims:
        raise DataError(f"{path} holds no arrays: save the points in it as 'x'")
    return claims


def _read_npz(
    path: Path, names: Sequence[str], claims: dict[str, ArrayClaim]
) -> dict[str, NDArray[np.generic]]:
    try:
        n_bytes = sum(claims[name].n_bytes for name in names)
        check_room(n_bytes, f"{_listed(names)}, unpacked,")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except _NUMPY_ERRORS as error:
        raise _numpy_error(path, ".npz", error) from error


def _numpy_error(path: Path, kind: str, error: BaseException) -> DataError:
    if "Python objects" in str(error):
        return DataError(
            f"{path} holds an array of Python objects, which is never unpickled: "
            f"save it as numbers, for example with x.astype('float32')"
        )
    if isinstance(error, RefusedError):
        return refused(path, error)
    if "magic string" in str(error):
        return DataError(f"{path} is not a {kind} file (a pickle is never loaded): save it anew")
    return unreadable(path, kind, error)


def _from_table(
    path: Path, label: str | None, features: Sequence[str] | None, drop: Sequence[str]
) -> Dataset:
    if path.suffix.lower() == ".csv":
        frame = _read_csv(path)
    else:
        frame = _read_parquet(path, None if features is None else [*features, *_given(label)])
    frame.columns = frame.columns.map(str)
    if len(frame) == 0:
        raise DataError(f"{path} has a header but no rows: add data")
    codes: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    if label is not None:
        require_columns(path, frame.columns, [label], "label column")
        codes, class_names = label_column(path, frame[label])
    require_columns(path, frame.columns, drop, "column to leave out (--drop)")
    if features is None:
        left_out = {label, *drop}
        names = [n for n in frame.columns if n not in left_out and not _counts_rows(n, frame[n])]
    else:
        names = [str(name) for name in features]
        require_columns(path, frame.columns, names, "column")
    if not names:
        raise DataError(f"{path} has no feature columns: it holds {_listed(frame.columns)}")
    x = numeric_rows(path, frame[names])
    return Dataset(path.stem, x, codes, class_names, tuple(names))


def read_table(path: Path) -> "pd.DataFrame":
    """All columns of a .csv or .parquet file, with names of text.

    Raises:
        DataError: for a file of another kind, or one that cannot be read.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise DataError(f"{path}: expected a table, .csv or .parquet, got {kind or 'no suffix'}")
    frame = _read_csv(path) if kind == ".csv" else _read_parquet(path, None)
    frame.columns = frame.columns.map(str)
    return frame


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415

    with reading(path, "comma-separated text in UTF-8"):
        check_csv_claims(path)
        marks = csv_marks(path)
        frame = pd.read_csv(path, low_memory=False, sep=marks["sep"], decimal=marks["decimal"])
    check_csv(path, frame)
    return frame


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Word what a reader of tables says of a damaged file.

    Raises:
        DataError: for what pandas, pyarrow and decoders raise.
    """
    import pandas as pd  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    try:
        yield
    except DataError:
        raise
    except RefusedError as error:
        raise refused(path, error) from error
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path} is empty: add a line of column names and rows") from error
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise unreadable(path, kind, error) from error


def check_csv(path: Path, frame: "pd.DataFrame", first_row: int = 0) -> None:
    """Check that rows have a header that fits.

    Args:
        path: of the file.
        frame: its rows, or some that follow each other.
        first_row: the place of the first of them.

    Raises:
        DataError: for rows longer than the header, another mark than the comma, or no header.
    """
    import pandas as pd  # noqa: PLC0415

    if not frame.index.equals(pd.RangeIndex(first_row, first_row + len(frame))):
        raise DataError(f"{path}: the rows have more fields than the header: name every column")
    names = [str(name) for name in frame.columns]
    if len(names) == 1 and "|" in names[0]:
        raise DataError(f"{path}: the first line {names[0]!r} has no commas: separate by commas")
    if all(_is_number(name) for name in names) and not _counts_columns(names):
        raise DataError(
            f"{path}: the first line is numbers ({', '.join(names[:3])}, ...), not column names: "
            f"add a line of names"
        )


def _read_parquet(path: Path, wanted: Sequence[str] | None) -> "pd.DataFrame":
    """The columns that are wanted, or all of a file that lacks one of them; None for all."""
    import pandas as pd  # noqa: PLC0415
    from pyarrow.parquet import read_schema  # noqa: PLC0415

    with reading(path, "parquet"):
        schema = read_schema(path)
        check_parquet(path, schema.names)
        columns = None if wanted is None or not set(wanted) <= set(schema.names) else list(wanted)
        for name in schema.names if columns is None else columns:
            if is_nested(schema.field(name).type):
                raise not_numeric(path, name, f"values of type {schema.field(name).type}")
        check_parquet_claims(path, columns)
        return pd.read_parquet(path, engine="pyarrow", columns=columns)


def check_parquet(path: Path, names: Sequence[str]) -> None:
    """Check the names of the columns.

    Raises:
        DataError: if two are the same.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{path} has more than one column {twice[0]!r}: rename all but one")


def _given(label: str | None) -> list[str]:
    return [] if label is None else [label]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _counts_columns(names: Sequence[str]) -> bool:
    """Whether the names are integers that go up by one, as pandas names columns by default."""
    first = names[0]
    return first.isdecimal() and list(names) == [str(int(first) + i) for i in range(len(names))]


def _counts_rows(name: str, column: "pd.Series") -> bool:
    """Whether this is the row index that pandas writes as an unnamed first column of a csv."""
    return name == "Unnamed: 0" and np.array_equal(column.to_numpy(), np.arange(len(column)))


def require_columns(path: Path, columns: Iterable[str], names: Sequence[str], what: str) -> None:
    """Check that all names are among the columns.

    Raises:
        DataError: with those that are not.
    """
    known = dict.fromkeys(columns)
    missing = [name for name in names if name not in known]
    if missing:
        raise DataError(
            f"{path} has no {what} {_listed(missing)}: its columns are {_listed(known)}"
        )


def numeric_rows(path: Path, frame: "pd.DataFrame", *, first_row: int | None = None) -> Values:
    """All columns as finite numbers, (n, d), float64.

    Args:
        path: of the table.
        frame: its columns, or some rows of them.
        first_row: the place of the first of these rows in the table; None: they are all.

    Raises:
        DataError: for a column that is not numeric and for values that are not finite, with the
            row.
    """
    out = np.empty(frame.shape)
    bad: dict[str, int] = {}
    for i, name in enumerate(frame.columns):
        out[:, i], wrong = _numbers(frame[name])
        if wrong is not None:
            bad[name] = wrong
    if bad:
        name, row = next(iter(bad.items()))
        raise not_numeric(path, name, value_in_row(frame[name], row, first_row or 0), list(bad)[1:])
    return checked_rows(out, str(path), names=list(frame.columns), first_row=first_row)


def not_numeric(path: Path, name: str, offender: str, others: Sequence[str] = ()) -> DataError:
    """The error for a column that holds something that is no number, and perhaps others that do."""
    beside = f" (nor are {_listed(others)})" if others else ""
    return DataError(
        f"{path}: column {name!r} is not numeric, it holds {offender}{beside}: leave it out with "
        "--drop, encode it as numbers (categories, dates and gaps: docs/estimators.md), or pass "
        "it with --label if it is the label"
    )


def value_in_row(column: "pd.Series", place: int, first_row: int = 0) -> str:
    """The value at a place of some rows, and the row of the table it is in, in words."""
    return f"{_shown(column.iloc[place])} in row {first_row + place}"


def _numbers(column: "pd.Series") -> tuple[NDArray[np.float64], int | None]:
    """The column as numbers, missing values as NaN; and where its first value is that is none."""
    import pandas as pd  # noqa: PLC0415
    from pandas.api import types  # noqa: PLC0415

    if types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype):
        try:
            numbers = pd.to_numeric(column, errors="coerce")
        except OverflowError:  # a whole number of hundreds of digits
            numbers = pd.to_numeric(column.map(_bounded), errors="coerce")
        wrong = np.flatnonzero(numbers.isna() & column.notna())
    elif types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
        numbers, wrong = column, np.arange(0)
    else:  # dates, categories, complex numbers
        numbers, wrong = pd.Series(np.nan, index=column.index), np.arange(len(column))
    first = int(wrong[0]) if len(wrong) else None
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan), first


def _bounded(value: object) -> object:
    """The value; infinite, as 1e999 is, if it is a whole number too large for a float."""
    try:
        return float(value) if isinstance(value, int) else value
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]


def _shown(value: object, width: int = 40) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= width else text[: width - 3] + "..."


def _listed(names: Iterable[str], most: int = 12) -> str:
    shown = [repr(name) for name in names]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


# Values


def checked_rows(
    array: NDArray[np.generic],
    where: str,
    *,
    names: Sequence[str] = (),
    first_row: int | None = None,
) -> Values:
    """Finite rows (n, d); images flattened, and as bytes if they are bytes.

    Args:
        array: points (n, d), or images (n, H, W) or (n, C, H, W).
        where: words for errors.
        names: of the columns, for errors.
        first_row: the place of the first of these rows among more; None: they are all.

    Raises:
        DataError: for another type or shape, or values that are not finite.
    """
    return _rows(array, where, names, first_row=first_row)[0]


def _rows(
    array: NDArray[np.generic],
    where: str,
    names: Sequence[str] = (),
    keep_bytes: bool = False,
    first_row: int | None = None,
) -> tuple[Values, tuple[int, int, int] | None]:
    """Finite rows (n, d), and the shape of one image if they are images.

    They are float32 or float64; or bytes, of images that are, and of all that is if so asked.
    """
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{where}: expected real numbers, got values of type {array.dtype}: convert them, "
            f"for example with x.astype('float32')"
        )
    image_shape = _image_shape(array, where)
    flat = array.reshape(len(array), math.prod(array.shape[1:]))
    if flat.shape[1] == 0:
        raise DataError(f"{where}: there are no feature columns, its shape is {array.shape}")
    if flat.dtype == np.uint8 and (image_shape is not None or keep_bytes):
        return flat.astype(np.uint8, copy=False), image_shape
    # In native byte order, and wide enough for every value: long integers need 64 bits.
    wide = np.result_type(flat.dtype.newbyteorder("="), np.float32)
    with np.errstate(over="ignore"):
        x: NDArray[np.floating] = flat.astype(
            np.float32 if wide == np.float32 else np.float64, copy=False
        )
    _refuse_not_finite(x, where, names, first_row)
    return x, image_shape


def _image_shape(array: NDArray[np.generic], where: str) -> tuple[int, int, int] | None:
    shape = array.shape
    if array.ndim == 2:
        return None
    if array.ndim == 3:
        return 1, shape[1], shape[2]
    if array.ndim == 4:
        if shape[1] > _MOST_CHANNELS and shape[3] <= _MOST_CHANNELS:
            raise DataError(
                f"{where}: the shape {shape} looks like images with channels last: "
                f"transpose to (n, C, H, W) with x.transpose(0, 3, 1, 2)"
            )
        return shape[1], shape[2], shape[3]
    if array.ndim == 1:
        raise DataError(
            f"{where}: expected rows of features, got one dimension of {len(array)} values: "
            f"reshape to (n, 1) if it is one feature, with x.reshape(-1, 1)"
        )
    raise DataError(
        f"{where}: expected points (n, d) or images (n, H, W) or (n, C, H, W), got {shape}"
    )


def _refuse_not_finite(
    flat: NDArray[np.floating], where: str, names: Sequence[str], first_row: int | None
) -> None:
    finite = np.isfinite(flat)
    if finite.all():
        return
    row, column = np.argwhere(~finite)[0].tolist()
    nans = int(np.isnan(flat).sum())
    infinities = finite.size - int(finite.sum()) - nans
    counts = [f"{nans} missing (NaN)"] * bool(nans) + [f"{infinities} infinite"] * bool(infinities)
    among, start = "", first_row or 0
    if first_row is not None:  # of the others nothing is known
        among = f" among rows {start} to {start + len(flat) - 1}"
    raise DataError(
        f"{where}: {' and '.join(counts)} values{among}, the first in row {start + row}, "
        f"{_column(column, names)}: drop these rows or fill the values in"
    )


def _column(index: int, names: Sequence[str]) -> str:
    return f"column {names[index]!r}" if names else f"column {index}"


# Labels


def _label_codes(
    values: NDArray[np.generic], where: str, n: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Codes (n,) of an array of labels, and the class names, sorted by value."""
    if values.ndim != 1 or len(values) != n:
        raise DataError(f"{where}: expected one label a row, shape ({n},), got {values.shape}")
    if values.dtype.kind == "S":
        values = np.array([value.decode("utf-8", "replace") for value in values.tolist()])
    is_text = values.dtype == object and all(isinstance(value, str) for value in values)
    if values.dtype.kind not in "biufU" and not is_text:
        raise DataError(f"{where}: labels must be numbers or text, got type {values.dtype}")
    if values.dtype.kind == "U" and not _is_text(values):
        raise DataError(f"{where}: holds numbers that no character has: write the labels again")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise _missing_labels(where, int(np.isnan(values).sum()))
    classes, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int64), tuple(_class_name(value) for value in classes)


def _is_text(values: NDArray[np.generic]) -> bool:
    """Whether all characters of an array of text exist; from a file they may be any 32 bits."""
    native = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    return not native.size or bool(native.view(np.uint32).max() <= sys.maxunicode)


def label_column(path: Path, column: "pd.Series") -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Codes (n,) of a column of labels, and the class names, sorted by value.

    Raises:
        DataError: for labels that are missing, or neither numbers nor text.
    """
    from pandas.api import types  # noqa: PLC0415

    where = f"{path}, column {column.name!r}"
    if column.isna().any():
        raise _missing_labels(where, int(column.isna().sum()))
    values = column.to_numpy()
    if not types.is_numeric_dtype(column.dtype) or values.dtype.kind not in "biuf":
        # Each text as long as it is: in an array of text all take as much as the longest.
        values = np.array([str(value) for value in column], dtype=object)
    return _label_codes(values, where, n=len(column))


def _missing_labels(where: str, count: int) -> DataError:
    return DataError(f"{where}: {count} labels are missing: fill them in or leave the label out")


def _class_name(value: np.generic) -> str:
    """Integers that a table holds as floats, for want of a better type, lose their '.0'."""
    if isinstance(value, np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)

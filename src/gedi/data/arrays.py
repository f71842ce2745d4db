"""Arrays of points in .npy and .npz files; nothing is ever unpickled."""

import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gedi.data.dataset import Dataset
from gedi.data.file_errors import existing_file, listed, pattern_files, refused, unreadable
from gedi.data.labels import label_codes
from gedi.data.remote import local_path
from gedi.data.values import checked_values, value_range_of
from gedi.errors import DataError
from gedi.untrusted import RefusedError, check_room
from gedi.untrusted.arrays import ArrayClaim, claim_in_archive, claim_of

__all__ = ["archives", "load_archives", "load_npy", "load_npz", "read_npy"]

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
_MOST_ARRAYS = 1000  # in an archive


def load_npy(path: Path, label: str | None, stream_above: int) -> Dataset:
    """The points of a .npy file.

    Args:
        path: of the file.
        label: the path of another .npy file, which holds the labels.
        stream_above: bytes above which the array stays on disk, mapped from the file.

    Raises:
        DataError: a file is damaged, or holds no points or labels.
    """
    labels = None
    if label is not None:
        label_path = existing_file(label)
        labels = (read_npy(label_path), str(label_path))
    array = read_npy(path, mapped=path.stat().st_size > stream_above)
    return _from_array(path, array, str(path), labels)


def load_npz(path: Path, label: str | None) -> Dataset:
    """The points of a .npz file: its array `x` or `X`, or its only one of two or more dimensions.

    Args:
        path: of the file.
        label: the array of labels; by default `y` or `labels`, if there is one.

    Raises:
        DataError: the file is damaged, or holds no points or labels.
    """
    claims = _npz_claims(path)
    if {"format", "shape", "data"} <= claims.keys():
        if label is not None:
            raise DataError(
                f"{path} is a sparse matrix, without an array {label!r} of labels: leave it out"
            )
        return _from_array(path, _read_sparse(path, claims), str(path), None)
    key = next((k for k in ("y", "labels") if k in claims), None) if label is None else label
    if key is not None and key not in claims:
        raise DataError(f"{path} has no array {key!r} of labels: it holds {listed(claims)}")
    points = _points_key(path, {name: claims[name] for name in claims if name != key})
    arrays = _read_npz(path, [points] if key is None else [points, key], claims)
    labels = None if key is None else (arrays[key], f"{path}, array {key!r}")
    return _from_array(path, arrays[points], f"{path}, array {points!r}", labels)


def archives(source: str) -> tuple[Path, ...]:
    """The .npz files in a folder, or of a pattern such as data/*.npz, by name."""
    path = local_path(source)
    try:
        found = sorted(path.iterdir()) if path.is_dir() else pattern_files(source)
    except OSError:  # for which `existing_file` gives the reason
        return ()
    return tuple(
        file for file in found if file.suffix.lower() == ".npz" and file.name[0] not in "._"
    )


def load_archives(files: Sequence[Path], source: str, label: str | None) -> Dataset:
    """The points of .npz files with the same features, one file after the other.

    Raises:
        DataError: a file is damaged, or is unlike the first.
    """
    parts = [load_npz(existing_file(str(file)), label) for file in files]
    first = parts[0]
    shapes = [part.image_shape or part.x.shape[1:] for part in parts]
    for file, part, shape in zip(files, parts, shapes, strict=True):
        if shape != shapes[0]:
            raise DataError(
                f"{file} holds points of shape {shape}, but {files[0]} of {shapes[0]}: give one of "
                "them"
            )
        if (part.labels is None) != (first.labels is None):
            raise DataError(f"of {files[0]} and {file} only one holds labels: expected all or none")
    check_room(2 * sum(part.x.nbytes for part in parts), f"the {len(files)} files of {source}")
    labels = names = None
    if first.labels is not None:
        named = [np.array(part.class_names)[part.labels] for part in parts]
        labels, names = label_codes(np.concatenate(named), source, n=sum(map(len, named)))
    ranges = [part.value_range for part in parts if part.value_range is not None]
    return replace(
        first,
        name=Path(source).stem,
        x=np.concatenate([part.x for part in parts]),
        labels=labels,
        class_names=names or (),
        value_range=(min(r[0] for r in ranges), max(r[1] for r in ranges)) if ranges else None,
    )


def read_npy(path: Path, *, mapped: bool = False) -> NDArray[np.generic]:
    """The array of a .npy file, in memory or mapped from the file.

    Raises:
        DataError: the file is damaged, or the array does not fit into memory.
    """
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


def _points_key(path: Path, claims: dict[str, ArrayClaim]) -> str:
    """Name of the array of points in a .npz file, among all but the labels."""
    for key in ("x", "X"):
        if key in claims:
            return key
    candidates = [key for key, claim in claims.items() if len(claim.shape) >= 2]
    if len(candidates) != 1:
        raise DataError(
            f"{path}: cannot tell which array holds the points among {listed(claims)}: save it as "
            "'x', with np.savez(path, x=points)"
        )
    return candidates[0]


def _from_array(
    path: Path,
    array: NDArray[np.generic],
    where: str,
    labels: tuple[NDArray[np.generic], str] | None,
) -> Dataset:
    """A data set of an array, and of labels with the source that they come from."""
    x, image_shape = checked_values(array, where)
    codes, class_names = (None, ()) if labels is None else label_codes(*labels, n=len(x))
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


def _npz_claims(path: Path) -> dict[str, ArrayClaim]:
    """The headers of the arrays in a .npz file, by name."""
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
        check_room(n_bytes, f"{listed(names)}, unpacked,")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except _NUMPY_ERRORS as error:
        raise _numpy_error(path, ".npz", error) from error


def _read_sparse(path: Path, claims: dict[str, ArrayClaim]) -> NDArray[np.generic]:
    """A sparse matrix of scipy, as `scipy.sparse.save_npz` writes it, as an array."""
    from scipy import sparse  # noqa: PLC0415

    shape = _read_npz(path, ["shape"], claims)["shape"]
    try:
        n_values = math.prod(int(size) for size in shape.ravel())
        check_room(n_values * claims["data"].dtype.itemsize, f"its {n_values:,} values, unpacked,")
        check_room(sum(claim.n_bytes for claim in claims.values()), "its arrays, unpacked,")
        matrix = sparse.load_npz(path)
        if hasattr(matrix, "check_format"):
            matrix.check_format(full_check=True)  # or places beyond its shape would be written to
        found: NDArray[np.generic] = matrix.toarray()
    except (*_NUMPY_ERRORS, TypeError, IndexError, OverflowError) as error:
        raise _numpy_error(path, ".npz", error) from error
    return found


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

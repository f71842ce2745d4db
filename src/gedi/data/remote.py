"""Data in object stores, as local copies: s3://bucket/rows.parquet, a folder, or a pattern.

    ~/.cache/gedi/remote/KEY/VERSION/...    KEY stands for the address, VERSION for what is there

`local_path` is the only place that knows addresses: all readers get the path of a copy, which is
checked, mapped and read again like any other file, in streamed trainings too. What has not changed
is not copied again, and any folder can be deleted at any time. The store is reached through fsspec,
which finds credentials and endpoints where its other users do.
"""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from gedi.errors import DataError
from gedi.files import cache_home, is_pattern
from gedi.printable import reason

__all__ = ["STORES", "local_path"]

STORES = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs"}
"""The packages that read addresses of each kind."""

_STEADY = 60.0  # seconds for which an address is not looked up again
_MARKS = ("size", "ETag", "etag", "LastModified", "last_modified", "updated", "mtime")
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`",
    "abfs": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and ..._KEY",
}

_known: dict[str, tuple[float, Path]] = {}


def local_path(source: str) -> Path:
    """The path of a source: its own, or that of a copy of what an address in a store holds.

    Args:
        source: a path, or the address of an object, of all objects below a prefix, or a pattern of
            such addresses.

    Raises:
        DataError: the package for the store is missing, there are no credentials, no such bucket
            or object, no room for a copy, or the store cannot be reached.
    """
    scheme, separator, _ = source.partition("://")
    if not separator or scheme not in STORES:
        return Path(source)
    at, path = _known.get(source, (0.0, Path()))
    if not at or time.monotonic() - at > _STEADY or not path.exists():
        path = _copied(source, scheme)
        _known[source] = time.monotonic(), path
    return path


def _copied(source: str, scheme: str) -> Path:
    """The path of a copy that is as new as the objects."""
    with _told(source, scheme):
        store, root = _opened(source, scheme)
        objects = _objects(store, root, source)
    names = {name: _name(name, root) for name in objects}
    marks = [(names[name], *map(facts.get, _MARKS)) for name, facts in sorted(objects.items())]
    folder = cache_home() / "remote" / _hash(source)
    version = folder / _hash(repr(marks))
    if not version.exists():
        _check_room(folder, source, sum(int(facts.get("size") or 0) for facts in objects.values()))
        partial = Path(tempfile.mkdtemp(prefix=".", dir=folder))
        try:
            with _told(source, scheme):
                for name, local in names.items():
                    (partial / local).parent.mkdir(parents=True, exist_ok=True)
                    store.get_file(name, str(partial / local))
            for other in folder.iterdir():  # what was there before
                if other.name[0] != ".":
                    shutil.rmtree(other, ignore_errors=True)
            if not version.exists():  # another process may have been faster
                partial.rename(version)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return version / _top(root)


def _opened(source: str, scheme: str) -> tuple[Any, str]:
    """The store, and the address in it without its scheme."""
    package = STORES[scheme]
    try:
        import fsspec  # noqa: PLC0415 - an extra

        kind = fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        extra = "'gedi[remote]'" if package == "s3fs" else package
        raise DataError(
            f"{source}: {scheme}:// is read with {package}, which is not installed: "
            f"pip install {extra}"
        ) from error
    store = kind()
    store.invalidate_cache()
    return store, str(store._strip_protocol(source))


def _objects(store: Any, root: str, source: str) -> dict[str, Mapping[str, Any]]:
    """The facts about an object, those below a prefix, or those of a pattern, by name.

    Raises:
        DataError: if there are none.
    """
    folder, _, name = root.rpartition("/")
    if is_pattern(folder):
        raise DataError(
            f"{source}: expected * and ? in the names of objects, not in those of folders"
        )
    if is_pattern(name):
        found = store.glob(root, detail=True)
    else:
        facts = store.info(root)
        found = {root: facts} if facts["type"] == "file" else store.find(root, detail=True)
    objects = {
        name: facts
        for name, facts in found.items()
        if facts["type"] == "file" and not name.endswith("/")
    }
    if not objects:
        raise DataError(f"{source}: there are no objects of this name")
    return objects


def _top(root: str) -> str:
    """The name of the copy of an object, or of the folder of the copies of several."""
    name = PurePosixPath(root).name
    return "objects" if is_pattern(name) else name


def _name(name: str, root: str) -> str:
    """The place of the copy of an object.

    Raises:
        DataError: for a name that leads out of the folder.
    """
    if name == root:
        return _top(root)
    is_below = name.startswith(f"{root}/")
    inside = name[len(root) + 1 :] if is_below else PurePosixPath(name).name
    if not {"", "..", "."}.isdisjoint(inside.split("/")):
        raise DataError(f"the object {name!r} has a name that no file can have")
    return f"{_top(root)}/{inside}"


def _check_room(folder: Path, source: str, n_bytes: int) -> None:
    """Make the folder of the copies, and check that there is room in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise DataError(f"{folder}: a copy cannot be kept there ({error.strerror})") from error
    if n_bytes > free:
        raise DataError(
            f"{source}: a copy takes {n_bytes / 2**30:.1f} GiB, but {folder} has "
            f"{free / 2**30:.1f} GiB left: set XDG_CACHE_HOME to a folder with more room"
        )


@contextmanager
def _told(source: str, scheme: str) -> Iterator[None]:
    """Turn what a store raises into an error for the user."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        bucket = source.partition("://")[2].partition("/")[0]
        # The words of s3fs, and the address that gcsfs asked for.
        of_bucket = "bucket does not exist" in str(error) or str(error) == f"b/{bucket}/o"
        missing = f"bucket {bucket!r}" if of_bucket else "such object"
        raise DataError(f"{source}: there is no {missing}") from error
    except Exception as error:
        if isinstance(error, PermissionError) or "credential" in type(error).__name__.lower():
            raise DataError(
                f"{source} cannot be opened without credentials that allow it: set "
                f"{_CREDENTIALS[scheme]} ({reason(error)})"
            ) from error
        raise DataError(f"{source} cannot be read: {reason(error)}") from error


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

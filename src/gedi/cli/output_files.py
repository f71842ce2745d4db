"""Output files, checked before the work starts and never left half written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gedi.errors import RunError
from gedi.files import beside

__all__ = ["check_target", "output_file"]


def check_target(target: str, suffixes: Sequence[str]) -> Path:
    """Return the path of a file to write.

    Args:
        target: the path, as the user gave it.
        suffixes: allowed endings of its name, such as .csv.

    Raises:
        RunError: if the name ends differently, or the folder does not exist.
    """
    path = Path(target)
    if path.suffix.lower() not in suffixes:
        raise RunError(f"{path}: expected a file name that ends in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise RunError(f"{path}: the folder {path.parent} does not exist; create it first")
    return path


@contextmanager
def output_file(target: str, *, suffix: str) -> Iterator[Path]:
    """Write to a temporary file, which is renamed to the target if no error occurs.

    Args:
        target: the path, as the user gave it.
        suffix: how its name must end.

    Yields:
        The path of the temporary file.

    Raises:
        RunError: see `check_target`; before anything is computed.
    """
    with beside(check_target(target, [suffix])) as partial:
        yield partial

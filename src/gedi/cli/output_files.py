"""Output files, checked before the work starts and never left half written."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from jsonargparse import Namespace

from gedi.errors import RunError
from gedi.files import beside, partial_name

__all__ = ["check_target", "figures_file", "output_file"]


def check_target(
    target: str, suffixes: Sequence[str], *, overwrite: bool, inputs: Sequence[str | None] = ()
) -> Path:
    """Return the path of a file to write.

    Args:
        target: the path, as the user gave it.
        suffixes: allowed endings of its name, such as .csv.
        overwrite: whether an existing file may be replaced.
        inputs: files and folders that the command reads; they are never written to.

    Raises:
        RunError: if the name ends differently or is too long, the folder does not exist, the file
            exists and `overwrite` is false, or it is one of the inputs.
    """
    path = Path(target)
    if path.suffix.lower() not in suffixes:
        raise RunError(f"{path}: expected a file name that ends in {' or '.join(suffixes)}")
    try:
        if not path.parent.is_dir():
            raise RunError(f"{path}: the folder {path.parent} does not exist; create it first")
        exists = path.exists()
        # The name that the file has while it is being written is the longest.
        path.with_name(partial_name(path.name)).exists()
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error
    if not exists:
        return path
    if path.is_dir():
        raise RunError(f"{path}: is a folder: choose another --out")
    if any(_reads(source, path) for source in inputs if source is not None):
        raise RunError(f"{path}: is the input, which is never overwritten: choose another --out")
    if not overwrite:
        raise RunError(
            f"{path}: already exists: choose another --out, or add --overwrite to replace it"
        )
    return path


@contextmanager
def output_file(
    target: str, *, suffix: str, overwrite: bool, inputs: Sequence[str | None] = ()
) -> Iterator[Path]:
    """Write to a temporary file, which is renamed to the target if no error occurs.

    Yields:
        The path of the temporary file.

    Raises:
        RunError: see `check_target`; before anything is computed.
    """
    with beside(check_target(target, [suffix], overwrite=overwrite, inputs=inputs)) as partial:
        yield partial


@contextmanager
def figures_file(options: Namespace) -> Iterator[Callable[[Mapping[str, object]], object]]:
    """The file of --out for the figures of a command, as JSON.

    Args:
        options: of the command: out, overwrite, and data, which is never overwritten.

    Yields:
        A function that writes the figures; without --out it does nothing.

    Raises:
        RunError: see `check_target`; before anything is computed.
    """
    if options.out is None:
        yield lambda figures: None
        return
    with output_file(
        options.out, suffix=".json", overwrite=options.overwrite, inputs=[options.data]
    ) as out:
        yield lambda figures: out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"Figures written to {options.out}")


def _reads(source: str, path: Path) -> bool:
    """Whether a command that reads a file or folder reads an existing path."""
    try:
        if Path(source).is_dir():
            return path.resolve().is_relative_to(Path(source).resolve())
        return path.samefile(source)
    except OSError:  # the source is no path, such as hf://owner/name
        return False

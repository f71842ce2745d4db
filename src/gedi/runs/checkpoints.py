"""The checkpoints of a training: the last few are kept, and the newest intact one is loaded.

A checkpoint is a zip archive of plain tensors, numbers and strings, written by `torch.save`. Its
checksums are verified before it is read, with `weights_only`, so that it cannot run code.
"""

import pickle
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gedi.errors import RunError
from gedi.files import beside, partial_name
from gedi.untrusted import refuse_special

__all__ = ["Checkpoints"]

_NAME = re.compile(r"\d{9}\.pt")


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints in a folder, named by iteration.

    Args:
        folder: a folder for checkpoints only; created with the first one.
        keep: number of checkpoints to keep.
    """

    folder: Path
    keep: int = 3

    def files(self) -> list[Path]:
        """All checkpoint files, the oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(file for file in self.folder.iterdir() if _NAME.fullmatch(file.name))

    def save(self, iteration: int, state: dict[str, Any]) -> None:
        """Write a checkpoint, and remove the oldest if there are more than `keep`.

        Args:
            iteration: number of iterations done, with at most nine digits.
            state: tensors, numbers and strings, in lists and dicts.

        Raises:
            OSError: if it cannot be written, for example on a full disk; other checkpoints stay.
        """
        self.folder.mkdir(exist_ok=True)
        for left in self.folder.glob(
            partial_name("*")
        ):  # by a training that was killed while it wrote
            left.unlink()
        with beside(self.folder / f"{iteration:09}.pt") as partial, partial.open("wb") as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:  # by which PyTorch hides that of the system
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise
        for old in self.files()[: -self.keep]:
            old.unlink()

    def load(self) -> tuple[dict[str, Any] | None, list[str]]:
        """Read the newest intact checkpoint.

        Returns:
            The state, or None if there is no checkpoint; and an error for each newer, damaged file.

        Raises:
            RunError: if there are checkpoints, but all are damaged.
        """
        damaged: list[str] = []
        for file in reversed(self.files()):
            try:
                return _read(file), damaged
            except RunError as error:
                damaged.append(str(error))
        if damaged:
            raise RunError("; ".join(damaged))
        return None, []


def _read(file: Path) -> dict[str, Any]:
    try:
        refuse_special(file)
        with zipfile.ZipFile(file) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise RunError(f"{file}: is damaged: it is compressed, which checkpoints never are")
            broken = archive.testzip()
        if broken is not None:
            raise RunError(f"{file}: is damaged: {broken} fails its checksum")
        state = torch.load(file, map_location="cpu", weights_only=True)
    except RunError:
        raise
    # Errors that torch and zipfile raise for truncated or overwritten files.
    except (
        OSError,
        RuntimeError,
        ValueError,
        TypeError,
        LookupError,
        EOFError,
        NotImplementedError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RunError(f"{file}: is damaged: {reason}") from error
    if not isinstance(state, dict):
        raise RunError(f"{file}: is damaged: it contains no state of a training")
    return state

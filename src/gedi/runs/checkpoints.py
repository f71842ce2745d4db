"""The checkpoints of a training: the last few, each whole, the newest good one found again.

A checkpoint is a zip archive of plain tensors, numbers and strings, as `torch.save` writes it. It
is read with `weights_only`, so that nothing in it can run, and after its checksums are tested.
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
    """The checkpoints in a folder, by iteration.

    Args:
        folder: theirs alone; made with the first one.
        keep: how many of the last ones stay.
    """

    folder: Path
    keep: int = 3

    def files(self) -> list[Path]:
        """All of them, the oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(file for file in self.folder.iterdir() if _NAME.fullmatch(file.name))

    def save(self, iteration: int, state: dict[str, Any]) -> None:
        """Write one, and remove those that are too many.

        Args:
            iteration: iterations done, at most nine digits of them.
            state: tensors, numbers, strings, and lists and dicts of them.

        Raises:
            OSError: if it cannot be written, as on a full disk; the others are as they were.
        """
        self.folder.mkdir(exist_ok=True)
        for left in self.folder.glob(partial_name("*")):  # by a training that was killed here
            left.unlink()
        with beside(self.folder / f"{iteration:09}.pt") as partial:
            try:
                torch.save(state, partial)
            except RuntimeError as error:  # of PyTorch's writer, on a full disk
                raise OSError(" ".join(str(error).split())) from error
        for old in self.files()[: -self.keep]:
            old.unlink()

    def load(self) -> tuple[dict[str, Any] | None, list[str]]:
        """The newest that is whole, and what is wrong with those after it.

        Returns:
            The state, None if there is no checkpoint; and one sentence for each damaged file.

        Raises:
            RunError: if there are checkpoints, and all are damaged.
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
                raise RunError(f"{file}: is damaged: it is compressed, as no checkpoint is")
            broken = archive.testzip()
        if broken is not None:
            raise RunError(f"{file}: is damaged: {broken} fails its checksum")
        state = torch.load(file, map_location="cpu", weights_only=True)
    except RunError:
        raise
    # What torch and zipfile are known to raise for files cut short or overwritten.
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
        raise RunError(f"{file}: is damaged: it holds no state of a training")
    return state

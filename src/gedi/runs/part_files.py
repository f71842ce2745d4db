"""A file made in parts, so that work that was interrupted goes on with the next part.

    .NAME.parts/key             what the parts are made from
    .NAME.parts/000003-65536    a part and its number of rows
    NAME                        all of them joined, once all are there

Each is written under another name and renamed, so none is ever incomplete.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gedi.files import beside

__all__ = ["PartFiles"]


@dataclass(frozen=True)
class PartFiles:
    """The parts of a file.

    Args:
        target: the file.
    """

    target: Path

    @property
    def folder(self) -> Path:
        """The folder of the parts."""
        return self.target.with_name(f".{self.target.name}.parts")

    def begin(self, key: str) -> int:
        """Keep the parts if they were made from the same, and remove them otherwise.

        Args:
            key: everything that the parts depend on.

        Returns:
            The number of parts that are kept.
        """
        file = self.folder / "key"
        if not file.is_file() or file.read_text(encoding="utf-8") != key:
            self.discard()
            self.folder.mkdir()
            with beside(file) as partial:
                partial.write_text(key, encoding="utf-8")
        return len(self._parts())

    @property
    def n_rows(self) -> int:
        """The number of rows in all parts."""
        return sum(int(part.name.partition("-")[2]) for part in self._parts())

    def add(self, n_rows: int, write: Callable[[Path], object]) -> None:
        """Make the next part.

        Args:
            n_rows: the number of rows in it.
            write: writes it to the path that it is given.
        """
        with beside(self.folder / f"{len(self._parts()):06d}-{n_rows}") as partial:
            write(partial)

    def finish(self, join: Callable[[Sequence[Path], Path], object]) -> None:
        """Make the file from the parts, and remove them.

        Args:
            join: writes the contents of the paths that it is given first to the last.
        """
        whole = self.folder / "whole"
        join(self._parts(), whole)
        whole.replace(self.target)
        self.discard()

    def discard(self) -> None:
        """Remove the parts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _parts(self) -> list[Path]:
        """The parts from the first one up to the first that is missing."""
        found = sorted(self.folder.glob("[0-9]*-*[0-9]"))
        return [part for i, part in enumerate(found) if int(part.name.partition("-")[0]) == i]

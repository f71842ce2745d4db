"""A file that is written in parts, so that an interrupted command can continue.

    .NAME.parts/key             identifies the input of the parts
    .NAME.parts/000003-65536    part 3, with its number of rows
    NAME                        all parts joined, once they are complete

Each file is written under a temporary name and then renamed, so that it is never incomplete.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gedi.files import beside

__all__ = ["PartFiles"]


@dataclass(frozen=True)
class PartFiles:
    """The parts of a file."""

    target: Path

    @property
    def folder(self) -> Path:
        """The folder of the parts."""
        return self.target.with_name(f".{self.target.name}.parts")

    def begin(self, key: str) -> int:
        """Keep the existing parts if they were made from the same input, else discard them.

        Returns:
            The number of parts that are already there.
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
        """Number of rows in all parts."""
        return sum(int(part.name.partition("-")[2]) for part in self._parts())

    def add(self, n_rows: int, write: Callable[[Path], object]) -> None:
        """Write the next part."""
        with beside(self.folder / f"{len(self._parts()):06d}-{n_rows}") as partial:
            write(partial)

    def finish(self, join: Callable[[Sequence[Path], Path], object]) -> None:
        """Join the parts into the file, and remove them."""
        whole = self.folder / "whole"
        join(self._parts(), whole)
        whole.replace(self.target)
        self.discard()

    def discard(self) -> None:
        """Remove the parts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _parts(self) -> list[Path]:
        """The parts from the first one up to the first gap."""
        found = sorted(self.folder.glob("[0-9]*-*[0-9]"))
        return [part for i, part in enumerate(found) if int(part.name.partition("-")[0]) == i]

"""A file made in parts that lie beside it, so that what was killed goes on with the next part.

    .NAME.parts/key             what the parts are made from
    .NAME.parts/000003-65536    a part and its number of rows
    NAME                        all of them joined, once all are there

Each is written beside and renamed, so none is ever half there.
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
        """Where the parts lie."""
        return self.target.with_name(f".{self.target.name}.parts")

    def begin(self, key: str) -> int:
        """Keep the parts that were made from the same, throw away all others.

        Args:
            key: all that the parts hang on.

        Returns:
            How many parts there are already.
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
        """Rows in all parts."""
        return sum(int(part.name.partition("-")[2]) for part in self._parts())

    def add(self, n_rows: int, write: Callable[[Path], object]) -> None:
        """Make the next part.

        Args:
            n_rows: in it.
            write: writes it to the path that it is given.
        """
        with beside(self.folder / f"{len(self._parts()):06d}-{n_rows}") as partial:
            write(partial)

    def finish(self, join: Callable[[Sequence[Path], Path], object]) -> None:
        """Make the file of the parts, and throw them away.

        Args:
            join: writes the contents of the paths that it is given first to the last.
        """
        whole = self.folder / "whole"
        join(self._parts(), whole)
        whole.replace(self.target)
        self.discard()

    def discard(self) -> None:
        """Throw the parts away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _parts(self) -> list[Path]:
        """Those from the first on, up to where one is missing."""
        found = sorted(self.folder.glob("[0-9]*-*[0-9]"))
        return [part for i, part in enumerate(found) if int(part.name.partition("-")[0]) == i]

"""The data of an updated run: those of the run before it, then new rows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.data.texts import Texts
from gedi.evaluation.drift import Batch

__all__ = ["START", "Growth", "joined"]

START = "start.safetensors"


@dataclass(frozen=True)
class Growth:
    """What an update added to a run.

    Args:
        sources: the new data of all updates since the first training; the last one is that of this
            update.
        n_before: the number of rows before those of the last one.
        batch: the new rows, as the model before saw them.
    """

    sources: tuple[Source, ...]
    n_before: int
    batch: Batch

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return {
            "sources": [asdict(source.absolute()) for source in self.sources],
            "n_before": self.n_before,
            "batch": self.batch._asdict(),
        }

    @classmethod
    def of_json(cls, content: Any) -> Self:
        """From what `to_json` returned.

        Raises:
            ValueError: if it is something else.
        """
        try:
            sources = tuple(Source.of_json(source) for source in content["sources"])
            n_before, batch = content["n_before"], Batch(**content["batch"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"growth: cannot be read: {error!r}") from error
        if not sources or type(n_before) is not int or n_before < 1:
            raise ValueError("growth: expected new data, and the number of rows before them")
        if not all(isinstance(value, (int, float)) for value in batch):
            raise ValueError("growth: expected numbers about the new rows")
        return cls(sources, n_before, batch)


def joined(parts: Sequence[Dataset]) -> Dataset:
    """Data sets with the same columns, one below the other.

    Labels, texts, files and pictures are kept if all have them.
    """
    first = parts[0]
    names = sorted({name for part in parts for name in part.class_names})
    labels = None
    if all(part.labels is not None for part in parts):
        labels = np.concatenate([_codes(part, names) for part in parts])
    texts = None
    if all(part.texts is not None for part in parts):
        texts = Texts.of([text for part in parts for text in part.texts or ()])
    pictures = [part.pictures for part in parts if part.pictures is not None]
    return replace(
        first,
        x=np.concatenate([part.x for part in parts]),
        labels=labels,
        class_names=() if labels is None else tuple(names),
        n_skipped=sum(part.n_skipped for part in parts),
        files=tuple(file for part in parts for file in part.files)
        if all(part.files for part in parts)
        else (),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        texts=texts,
        pictures=np.concatenate(pictures) if len(pictures) == len(parts) else None,
    )


def _codes(part: Dataset, names: list[str]) -> NDArray[np.int64]:
    assert part.labels is not None
    places = np.array([names.index(name) for name in part.class_names], np.int64)
    return places[part.labels]

"""The data of an updated run: those of the run before it, or draws of its model, then new rows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.data.texts import Texts
from gedi.errors import RunError
from gedi.evaluation.drift import Batch
from gedi.untrusted import refuse_special

__all__ = ["DRAWS", "START", "Growth", "joined", "load_draws", "save_draws"]

DRAWS = "draws.safetensors"
START = "start.safetensors"


@dataclass(frozen=True)
class Growth:
    """What an update added to a run.

    Args:
        sources: the new data of all updates since the first training, or since the one that
            replaced its data by draws; the last one is that of this update.
        n_before: the number of rows before those of the last one.
        batch: the new rows, as the model before saw them.
        drawn: whether draws of the model before take the place of its data.
    """

    sources: tuple[Source, ...]
    n_before: int
    batch: Batch
    drawn: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return {
            "sources": [asdict(source.absolute()) for source in self.sources],
            "n_before": self.n_before,
            "batch": self.batch._asdict(),
            "drawn": self.drawn,
        }

    @classmethod
    def of_json(cls, content: Any) -> Self:
        """From what `to_json` returned.

        Raises:
            ValueError: if it is something else.
        """
        try:
            sources = tuple(Source.of_json(source) for source in content["sources"])
            n_before, batch, drawn = (
                content["n_before"],
                Batch(**content["batch"]),
                content["drawn"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"growth: cannot be read: {error!r}") from error
        if not sources or type(n_before) is not int or n_before < 1 or type(drawn) is not bool:
            raise ValueError("growth: expected new data, and the number of rows before them")
        if not all(isinstance(value, (int, float)) for value in batch):
            raise ValueError("growth: expected numbers about the new rows")
        return cls(sources, n_before, batch, drawn)


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


def save_draws(x: NDArray[np.float64], file: Path) -> None:
    """Write rows that a model drew, (n, d)."""
    save_file({"x": np.ascontiguousarray(x)}, file)


def load_draws(file: Path, n_features: int) -> NDArray[np.float64]:
    """Read rows that `save_draws` wrote.

    Raises:
        RunError: if the file cannot be read.
    """
    try:
        refuse_special(file)
        x: NDArray[np.float64] = load_file(file)["x"]
        if x.dtype != np.float64 or x.ndim != 2 or x.shape[1] != n_features:
            raise ValueError(f"expected rows of {n_features} numbers")
        if not np.isfinite(x).all():
            raise ValueError("expected finite numbers")
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise RunError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    return x

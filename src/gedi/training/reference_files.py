"""The predictions of an earlier model in a file, so that a resumed training can read them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from gedi.training.numbering import Reference
from gedi.untrusted import readable, refuse_special

__all__ = ["load_reference", "save_reference"]


def save_reference(reference: Reference, file: Path) -> None:
    """Write the rows and the posteriors of a reference.

    Raises:
        OSError: if the disk is full.
    """
    posteriors = np.ascontiguousarray(reference.posteriors, np.float32)
    rows: NDArray[np.int64] = np.ascontiguousarray(reference.rows)
    file.write_bytes(save({"rows": rows, "posteriors": posteriors}))


def load_reference(file: Path, name: str, n_rows: int) -> Reference:
    """Read a file that `save_reference` wrote.

    Raises:
        RunError: if the file cannot be read, or belongs to other data.
    """
    with readable(file):
        refuse_special(file)
        tensors = load_file(file)
        rows, posteriors = tensors["rows"], tensors["posteriors"]
        if rows.dtype != np.int64 or rows.ndim != 1 or not ((rows >= 0) & (rows < n_rows)).all():
            raise ValueError(f"rows: expected places from 0 to {n_rows - 1}")
        if posteriors.dtype != np.float32 or posteriors.ndim != 2 or len(posteriors) != len(rows):
            raise ValueError("posteriors: expected probabilities, a line for each of the rows")
        if not np.isfinite(posteriors).all():
            raise ValueError("posteriors: expected finite numbers")
    return Reference(rows, posteriors, name)

"""Labels of images: their column, their class names, and their checks."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gedi.data.file_errors import listed
from gedi.data.images.pile import Pile
from gedi.data.labels import label_codes
from gedi.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["class_names_of", "codes_of", "label_column", "labels_of"]

_LABEL_COLUMNS = ("label", "labels", "fine_label")  # the last is CIFAR-100's


def label_column(where: str, schema: "pa.Schema", label: str | None) -> str | None:
    """The column of labels: the one named, or one with a usual name, or None.

    Raises:
        DataError: there is no column of the name given.
    """
    if label is None:
        return next((name for name in _LABEL_COLUMNS if name in schema.names), None)
    if label not in schema.names:
        raise DataError(
            f"{where} has no label column {label!r}: its columns are {listed(schema.names)}"
        )
    return label


def class_names_of(schema: "pa.Schema", column: str | None) -> tuple[str, ...]:
    """Names of the codes in a column, as `datasets` stores them beside the schema; or none."""
    try:
        stored = json.loads((schema.metadata or {})[b"huggingface"])
        names = stored["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):  # not written by `datasets`, or not a class
        return ()
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def labels_of(
    values: list[Any],
    column: str | None,
    class_names: tuple[str, ...],
    where: Callable[[int], str],
) -> NDArray[np.generic] | None:
    """Labels of all images, (n,); None if there are none at all.

    Args:
        values: one label an image.
        column: the column that they come from.
        class_names: the classes that codes stand for; empty where labels are not codes.
        where: the place of an image in words.

    Raises:
        DataError: some are missing, or are not codes of classes.
    """
    # `datasets` writes -1 for a class that is kept secret, as in the test set of a competition.
    missing = [value is None or (bool(class_names) and value == -1) for value in values]
    if all(missing):
        return None
    if any(missing):
        raise DataError(
            f"{where(missing.index(True))} has no label, as {sum(missing)} of {len(values)} rows: "
            f"fill them in, or drop the column {column!r}"
        )
    if not class_names:
        # Each text as long as it is: in an array of text all take as much as the longest.
        texts = any(isinstance(value, str) for value in values)
        return np.array(values, dtype=object if texts else None)
    for i, value in enumerate(values):
        if not isinstance(value, int) or not 0 <= value < len(class_names):
            raise DataError(
                f"{where(i)} has the label {value!r}: expected a code from 0 to "
                f"{len(class_names) - 1}, as the file names {len(class_names)} classes"
            )
    return np.array(values, dtype=np.int64)


def codes_of(
    pile: Pile, kept: NDArray[np.bool_]
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Labels of the images of a pile that are kept, as codes, and the class names."""
    if pile.labels is None:
        return None, pile.class_names
    labels = pile.labels[kept]
    if pile.class_names:
        return labels.astype(np.int64), pile.class_names
    return label_codes(labels, f"{pile.name}, labels", len(labels))

"""Sets of images on the Hugging Face hub."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gedi.data.file_errors import reason
from gedi.data.images.labels import class_names_of, label_column, labels_of
from gedi.data.images.parquet import encoded_in, image_column
from gedi.data.images.pile import PART, Encoded, Pile
from gedi.errors import DataError

__all__ = ["HUB", "PRESETS", "Preset", "hub_pile"]


class Preset(NamedTuple):
    """A set that is known by a short name.

    Attributes:
        address: on the hub.
        n_classes: how many classes it is known to have.
    """

    address: str
    n_classes: int


PRESETS = {
    "mnist": Preset("hf://ylecun/mnist", 10),
    "cifar10": Preset("hf://uoft-cs/cifar10", 10),
    "cifar100": Preset("hf://uoft-cs/cifar100", 100),
    "svhn": Preset("hf://ufldl-stanford/svhn/cropped_digits", 10),
}

HUB = "hf://"


def hub_pile(source: str, label: str | None, split: str | None) -> Pile:
    """The images of a set on the hub, which `datasets` fetches and keeps.

    Args:
        source: one of `PRESETS`, hf://owner/name, or hf://owner/name/configuration.
        label: the column of labels.
        split: which split; None for train.

    Raises:
        DataError: the set cannot be loaded, or holds no images.
    """
    try:
        import datasets  # noqa: PLC0415
    except ImportError as error:
        raise DataError(
            f"{source} is read by the package datasets, which is not installed: "
            f"pip install 'gedi[images]'"
        ) from error
    address = PRESETS[source].address if source in PRESETS else source
    parts = address.removeprefix(HUB).split("/")
    if len(parts) not in {2, 3} or not all(parts):
        raise DataError(f"{source}: expected hf://owner/name or hf://owner/name/configuration")
    name, split = "/".join(parts[:2]), split or "train"
    try:
        found = datasets.load_dataset(name, *parts[2:], split=split)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        local = f"; the folder of this name is ./{source}" if Path(source).exists() else ""
        raise DataError(
            f"{source} cannot be loaded from the Hugging Face hub ({reason(error)}){local}"
        ) from error
    rows = found.with_format("arrow")
    schema = found.features.arrow_schema
    image = image_column(source, schema)
    column = label_column(source, schema, label)
    class_names = class_names_of(schema, column)

    def where(i: int) -> str:
        return f"row {i} of {name} ({split})"

    def encoded() -> Iterator[Sequence[Encoded]]:
        pictures = rows.select_columns(image)
        for start in range(0, len(found), PART):
            part = pictures[start : start + PART][image].to_pylist()
            yield [encoded_in(row) for row in part]

    values = [] if column is None else rows.select_columns(column)[:][column].to_pylist()
    labels = labels_of(values, column, class_names, where)
    short = source if source in PRESETS else parts[1]
    return Pile(
        short,
        len(found),
        encoded,
        where,
        lambda: [f"{name} {split} {found._fingerprint}"],
        labels,
        () if labels is None else class_names,
    )

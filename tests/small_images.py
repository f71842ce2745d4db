"""Small sets of images, as files and on a hub that is made up."""

import io
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def grey(seed=0, height=4, width=5):
    return np.random.default_rng(seed).integers(256, size=(height, width), dtype=np.uint8)


def colour(seed=0, height=4, width=5):
    return np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, kind, **options)
    return file.getvalue()


def write(path, pixels, kind="PNG", **options):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    content = pixels if isinstance(pixels, bytes) else encoded(pixels, kind, **options)
    Path(path).write_bytes(content)


def shard(path, images, names=None, image="image", **columns):
    """A parquet file as `datasets` writes it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [pixels if pixels is None else {"bytes": pixels, "path": None} for pixels in images]
    table = pa.table({image: pa.array(rows, kind), **columns})
    if names is not None:
        features = {"label": datasets.ClassLabel(names=names)}
        schema = datasets.Features(features).arrow_schema
        table = table.replace_schema_metadata(schema.metadata)
    pq.write_table(table, path)


def on_hub(monkeypatch, answer):
    """Stand in for the hub; returns what it was asked."""
    asked = []

    def load_dataset(*arguments, **named):
        asked.append((*arguments, named))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def hub_set(images, **columns):
    kinds = {name: datasets.ClassLabel(names=["u", "v"]) for name in columns}
    return datasets.Dataset.from_dict(
        {"img": images, **columns}, features=datasets.Features({"img": datasets.Image(), **kinds})
    )

"""Features of texts and photographs for other benchmarks: computed once, kept with their labels.

    python benchmarks/features.py --data FOLDER --text-model FOLDER --out FOLDER
        [--sets stackoverflow search_snippets biomedical cifar10 cifar100] [--threads 1]

FOLDER holds texts/NAME.parquet with the columns `text` and `label`, and parquet files of images,
cifar10/test*.parquet and cifar100/test*.parquet. For each set OUT gets NAME.npy, (n, d) in half
precision, and NAME.labels.npy. An interrupted run continues. Labels are only for measuring.
"""

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gedi.features import ImageFeatures, TextFeatures
from gedi.features.base import BaseFeatures
from gedi.features.store import FEATURES, FeatureStore

TEXTS = ("stackoverflow", "search_snippets", "biomedical")
IMAGES = ("cifar10", "cifar100")


def raw(folder: Path, name: str) -> tuple[list[Any], dict[str, NDArray[np.int64]]]:
    """The texts, or encoded images, of a set, and its labels by the suffix of their file."""
    if name in TEXTS:
        table = pd.read_parquet(folder / "texts" / f"{name}.parquet")
        return list(table["text"]), {"labels": pd.factorize(table["label"], sort=True)[0]}
    table = pd.concat(map(pd.read_parquet, sorted((folder / name).glob("test*.parquet"))))
    columns = {"label": "labels", "fine_label": "labels", "coarse_label": "coarse"}
    labels = {end: table[column].to_numpy() for column, end in columns.items() if column in table}
    return [row["bytes"] for row in table["image"]], labels


def compute(network: BaseFeatures, folder: Path, name: str, out: Path) -> None:
    """Write the features of a set, if they are not there yet."""
    target = out / f"{name}.npy"
    if target.is_file():
        return
    items, labels = raw(folder, name)
    for end, codes in labels.items():
        np.save(out / f"{name}.{end}.npy", codes)
    store = FeatureStore(out / f".{name}")
    began, size = time.perf_counter(), network.part_size

    def watch(done: int, n: int) -> None:
        seconds = time.perf_counter() - began
        print(f"{name}: {done:,} of {n:,}, {seconds:.0f} s", flush=True)

    def parts(start: int) -> Any:
        return (items[i : i + size] for i in range(start, len(items), size))

    network.into(store, parts, len(items), watch)
    (store.folder / FEATURES).replace(target)
    shutil.rmtree(store.folder)


def main() -> None:
    """Compute what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--text-model", help="folder or hub name; by default that of TextFeatures")
    parser.add_argument("--image-model", help="by default that of ImageFeatures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=[*TEXTS, *IMAGES], default=[*TEXTS, *IMAGES])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        kind, model = TextFeatures, options.text_model
        if name in IMAGES:
            kind, model = ImageFeatures, options.image_model
        compute(kind(model), options.data, name, options.out)


if __name__ == "__main__":
    main()

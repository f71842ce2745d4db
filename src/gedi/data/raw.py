"""From texts and photographs to the points of a training: features by a pretrained network.

CACHE/KEY/features.npy    see `gedi.features.store`; KEY stands for the content, the network
                          and its options
CACHE/KEY/pictures.npy    small copies of the photographs, for pages
CACHE/texts-KEY.arrow     the texts; KEY stands for the content of the file and its column
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gedi.data.columns import require_columns, typed
from gedi.data.dataset import Dataset
from gedi.data.file_errors import TABLES, existing_file
from gedi.data.images.labels import codes_of
from gedi.data.images.pile import Pile
from gedi.data.images.streaming import Watch
from gedi.data.labels import label_column
from gedi.data.raw_texts import column_parts, line_parts
from gedi.data.tables import TableOptions, column_names, read_table, table_files
from gedi.data.text_columns import Encode, network_of, vectors_of
from gedi.data.texts import Texts, open_texts, write_texts
from gedi.errors import DataError
from gedi.features import ImageFeatures, TextFeatures
from gedi.features.store import FEATURES, PICTURES, FeatureStore
from gedi.features.weights import hash_of_files
from gedi.untrusted.pixels import planes_of

__all__ = ["AUTO", "FeatureCache", "kept_vectors", "read_photographs", "read_texts"]

AUTO = "auto"
_SIDE = 64  # pixels of a small picture
_PART_VALUES = 2**22


@dataclass(frozen=True)
class FeatureCache:
    """Where features are kept, and who watches while they are computed.

    Args:
        folder: of the features; it need not exist. None: nowhere.
        others: folders of features that may hold the same ones already.
        watch: called with the number of rows done and that of all.
    """

    folder: Path | None = None
    others: tuple[Path, ...] = ()
    watch: Watch | None = None


def kept_vectors(cache: FeatureCache) -> Encode:
    """What makes vectors of columns of texts, and keeps them.

    Args:
        cache: where they are kept.
    """

    def encode(name: str | None, texts: Sequence[str]) -> NDArray[np.floating]:
        if cache.folder is None:
            return vectors_of(name, texts)
        network, content = network_of(name), hashlib.sha256()
        for text in texts:
            data = text.encode(errors="surrogatepass")
            content.update(f"{len(data)} ".encode() + data)
        store = _store(cache, network.key(content.hexdigest()))
        return _text_features(network, Texts.of(texts), store, cache.watch)

    return encode


def read_texts(
    source: str,
    *,
    text: str | None,
    label: str | None,
    features: str | None,
    words: bool = True,
    cache: FeatureCache,
    options: TableOptions = TableOptions(),
    keep_blank: bool = False,
) -> Dataset:
    """Texts of one or more files, each as a vector.

    Rows without a text are left out: they all have the same vector, and would be a cluster.

    Args:
        source: the file, a folder of files, or a pattern.
        text: the column of texts; None for files of one text a line.
        label: the column of labels, or None.
        features: what makes vectors of texts; None and "auto": the default of `TextFeatures`.
        words: whether the vectors of the words are part of them.
        cache: where the features are kept.
        options: how tables of text are read.
        keep_blank: keep rows without a text, too, so that predictions have all rows.

    Raises:
        DataError: if a file cannot be read, or there are no texts.
        GediError: if the network cannot be loaded.
    """
    files = table_files(source)
    if not files:
        path = existing_file(source)
        raise DataError(
            f"{path}: expected texts in a file of the kinds {', '.join(TABLES)}, got "
            f"{path.suffix or 'no suffix'}"
        )
    if text is None and label is not None:
        raise DataError(f"{source} has a text on each line, and no column {label!r}")
    network = TextFeatures(None if features in (None, AUTO) else features, words=words)
    if cache.folder is None:
        with tempfile.TemporaryDirectory() as folder:
            texts = Texts.of([t for part in _parts(files, text, options) for t in part])
            _check_texts(source, texts)
            store = FeatureStore(Path(folder))
            x = np.array(_text_features(network, texts, store, cache.watch))
    else:
        place = hashlib.sha256(f"{_hash(files)} {text} {options}".encode()).hexdigest()
        kept = cache.folder / f"texts-{place[:32]}.arrow"
        if not kept.is_file():
            _make(cache.folder)
            write_texts(kept, _parts(files, text, options))
        texts = open_texts(kept)
        _check_texts(source, texts)
        store = _store(cache, network.key(hash_of_files([kept])))
        x = _text_features(network, texts, store, cache.watch)
    codes, class_names = _labels(files, label, options)
    names = tuple(f"feature {j}" for j in range(x.shape[1]))
    name = files[0].name.partition(".")[0] if len(files) == 1 else Path(source).stem
    dataset = Dataset(name, _rows(x), codes, class_names, names, texts=texts)
    if keep_blank:
        return dataset
    dataset = _without_blank(dataset)
    _check_texts(source, dataset.titles)
    return dataset


def read_photographs(pile: Pile, *, features: str, skip_bad: bool, cache: FeatureCache) -> Dataset:
    """Photographs of any sizes, each as a vector.

    Args:
        pile: the photographs.
        features: what makes vectors of them; "auto": the default of `ImageFeatures`.
        skip_bad: leave out those that cannot be read.
        cache: where the features are kept.

    Raises:
        DataError: if one cannot be read, or there are none.
        GediError: if the network cannot be loaded.
    """
    if pile.n == 0:
        raise DataError(f"{pile.name} has no rows: add images")
    network = ImageFeatures(None if features == AUTO else features)
    names = (FEATURES, PICTURES)
    if cache.folder is None:
        with tempfile.TemporaryDirectory() as folder:
            store = FeatureStore(Path(folder), names)
            x, pictures = map(np.array, _photograph_features(network, pile, store, skip_bad, cache))
    else:
        store = _store(cache, network.key(_content(pile)), names)
        x, pictures = _photograph_features(network, pile, store, skip_bad, cache)
    kept = ~np.isnan(np.asarray(x[:, 0], dtype=np.float32))
    if not kept.any():
        raise DataError(f"{pile.name}: none of {pile.n} images can be read")
    if not kept.all():
        if not skip_bad:
            raise _unreadable(pile, int(np.flatnonzero(~kept)[0]), "cannot be read")
        x, pictures = x[kept], pictures[kept]
    codes, class_names = codes_of(pile, kept)
    return Dataset(
        pile.name,
        _rows(x),
        codes,
        class_names,
        tuple(f"feature {j}" for j in range(x.shape[1])),
        n_skipped=int((~kept).sum()),
        files=tuple(compress(pile.files, kept)),
        pictures=pictures,
    )


def _rows(x: NDArray[Any]) -> NDArray[np.float32]:
    """Features in single precision, read part by part."""
    rows = np.empty(x.shape, dtype=np.float32)
    step = max(1, _PART_VALUES // x.shape[1])
    for start in range(0, len(x), step):
        rows[start : start + step] = x[start : start + step]
    return rows


def _text_features(
    network: TextFeatures, texts: Texts, store: FeatureStore, watch: Watch | None
) -> NDArray[np.float16]:
    return network.into(
        store, lambda start: texts.parts(network.part_size, start), len(texts), watch
    )


def _photograph_features(
    network: ImageFeatures,
    pile: Pile,
    store: FeatureStore,
    skip_bad: bool,
    cache: FeatureCache,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Features, NaN where a photograph cannot be read, and small pictures."""
    if not store.is_complete:
        shapes = {FEATURES: (network.n_features,), PICTURES: (3, _SIDE, _SIDE)}
        watch = cache.watch or (lambda done, n: None)
        with (
            store.filling(pile.n, lambda: shapes) as (start, add),
            ThreadPoolExecutor(os.cpu_count()) as pool,
        ):
            done = start
            watch(done, pile.n)
            for block in _blocks(pile, network.part_size, start):
                planes = list(pool.map(partial(planes_of, image_size=None, in_bytes=True), block))
                bad = [k for k, found in enumerate(planes) if isinstance(found, str)]
                if bad and not skip_bad:
                    raise _unreadable(pile, done + bad[0], str(planes[bad[0]]))
                images = [_image(found) for found in planes if not isinstance(found, str)]
                good = [k for k in range(len(planes)) if k not in bad]
                features = np.full((len(planes), network.n_features), np.nan, np.float32)
                pictures = np.zeros((len(planes), 3, _SIDE, _SIDE), np.uint8)
                if good:
                    features[good] = network.encode(images)
                    pictures[good] = [_small(image) for image in images]
                add({FEATURES: features, PICTURES: pictures})
                done += len(planes)
                watch(done, pile.n)
    return store.open(pile.n), store.open(pile.n, PICTURES)


def _blocks(pile: Pile, size: int, start: int) -> Iterator[list[Any]]:
    """Encoded photographs from a place on, some at a time."""
    place, held = 0, []
    for part in pile.parts():
        for encoded in part[max(0, start - place) :]:
            held.append(encoded)
            if len(held) == size:
                yield held
                held = []
        place += len(part)
    if held:
        yield held


def _image(planes: NDArray[Any]) -> Image.Image:
    pixels = planes.transpose(1, 2, 0)
    return Image.fromarray(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels)


def _small(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(ImageOps.fit(image, (_SIDE, _SIDE))).transpose(2, 0, 1)


def _unreadable(pile: Pile, place: int, why: str) -> DataError:
    return DataError(
        f"{pile.where(place)} {why}: replace it, or leave such images out with skip_bad "
        "(--skip-bad)"
    )


def _store(cache: FeatureCache, key: str, names: Sequence[str] = (FEATURES,)) -> FeatureStore:
    """The store of a key, with the features of another folder if they are complete there."""
    assert cache.folder is not None
    store = FeatureStore(cache.folder / key, tuple(names))
    store.adopt(other / key for other in cache.others)
    return store


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: features cannot be kept there ({error.strerror})") from error


def _content(pile: Pile) -> str:
    """A hash of all photographs in their order."""
    found = hashlib.sha256()
    for part in pile.parts():
        for encoded in part:
            if isinstance(encoded, Path):
                found.update(hash_of_files([encoded]).encode() if encoded.is_file() else b"-")
            else:
                found.update(b"-" if encoded is None else hashlib.sha256(encoded).digest())
    return found.hexdigest()


def _parts(files: Sequence[Path], text: str | None, options: TableOptions) -> Iterator[list[str]]:
    if text is None:
        return line_parts(files, options.encoding)
    return column_parts(files, text, options)


def _hash(files: Sequence[Path]) -> str:
    """A hash of the contents of files in their order."""
    return " ".join(hash_of_files([file]) for file in files)


def _without_blank(dataset: Dataset) -> Dataset:
    assert dataset.texts is not None
    kept = np.array([bool(text.strip()) for text in dataset.texts])
    if kept.all():
        return dataset
    n, blank = len(kept), int((~kept).sum())
    note = f"{blank:,} of {n:,} rows have no text and are left out"
    return replace(dataset.subset(kept), notes=(*dataset.notes, note))


def _check_texts(source: str, texts: Sequence[str]) -> None:
    if len(texts) == 0:
        raise DataError(f"{source} holds no texts: add rows")


def _labels(
    files: Sequence[Path], label: str | None, options: TableOptions
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    import pandas as pd  # noqa: PLC0415

    if label is None:
        return None, ()
    for file in files:
        require_columns(file, column_names(file, options), (label,), "label column")
    columns = [read_table(file, [label], options)[label] for file in files]
    return label_column(files[0], typed(pd.concat(columns, ignore_index=True)))

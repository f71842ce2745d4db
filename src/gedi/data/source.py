"""Where data come from: one definition of the options that say how data are read.

The options of the command line, what a run folder keeps of them, and the arguments of `gedi.load`
are the fields of `Source`. Nothing heavy is imported before data are read, so that help comes at
once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, get_args, get_origin, get_type_hints

from gedi.errors import DataError, SettingsError

if TYPE_CHECKING:
    from gedi.data.dataset import Dataset
    from gedi.data.images import Watch
    from gedi.data.raw import FeatureCache

__all__ = ["OPTIONS", "Option", "Source", "load"]

_GIBIBYTE = 2**30


def _option(help_text: str, default: Any = MISSING, unit: int = 1) -> Any:
    return field(default=default, metadata={"help": help_text, "unit": unit})


@dataclass(frozen=True)
class Source:
    """Where data come from, and how they are read."""

    data: str = _option(
        "moons, circles, digits, a file, a folder of images, hf://..., or a name of a plug-in"
    )
    label: str | None = _option(
        "column or array of labels, for evaluation only; for a .npy file another .npy file", None
    )
    n_points: int = _option("number of points of moons and circles", 10_000)
    seed: int = _option("of the random numbers of moons and circles", 0)
    split: str | None = _option(
        "the split of a set of images to read; by default train, or the only one", None
    )
    image_size: int | None = _option("resize images to squares of this many pixels a side", None)
    skip_bad: bool = _option("leave out images that cannot be read", False)
    stream_above: int = _option(
        "GiB of decoded images above which they stay on disk instead of in memory",
        2 * _GIBIBYTE,
        unit=_GIBIBYTE,
    )
    streaming: bool = _option(
        "read a table of .parquet files, one or a folder of them, while training, so that it may "
        "be larger than memory",
        False,
    )
    drop: tuple[str, ...] = _option(
        "columns of a table to leave out, such as names, dates and numbers that only count", ()
    )
    text: str | None = _option(
        "column of texts, which are clustered by their meaning; a .txt file holds a text a line",
        None,
    )
    features: str | None = _option(
        "network that turns texts or images into vectors: auto, a folder, a name on the Hugging "
        "Face hub, an .onnx file, or package.module:function; by default auto for texts, and none "
        "(pixels) for images",
        None,
    )

    @classmethod
    def of_options(cls, options: Mapping[str, Any], seed: int) -> Self:
        """From the options of a command; those that it does not have keep their defaults.

        Args:
            options: the values by name; `stream_above` in GiB.
            seed: of the training.

        Raises:
            SettingsError: for numbers out of range.
        """
        given = {name: options[name] for name in OPTIONS if options.get(name) is not None}
        if given["n_points"] < 2:
            raise SettingsError(f"--n-points: expected at least 2, got {given['n_points']}")
        if "stream_above" in given:
            gibibytes = given["stream_above"]
            if not 0 <= gibibytes < math.inf:
                raise SettingsError(f"--stream-above: expected 0 GiB or more, got {gibibytes}")
            given["stream_above"] = round(gibibytes * _GIBIBYTE)
        return cls(**given | {"seed": seed, "drop": tuple(given.get("drop", ()))})

    @classmethod
    def of_json(cls, content: Any) -> Self:
        """From the fields as JSON has them.

        Raises:
            ValueError: for other fields, or values of other types.
        """
        if not isinstance(content, dict) or not content.keys() <= OPTIONS.keys():
            raise ValueError(f"source: expected values of {', '.join(OPTIONS)}")
        if "data" not in content:
            raise ValueError("source: does not say where the data are")
        for name, value in content.items():
            kinds = OPTIONS[name].json_types
            if type(value) not in kinds:
                expected = " or ".join(kind.__name__ for kind in kinds)
                raise ValueError(
                    f"source: expected {expected} as {name}, got {type(value).__name__}"
                )
        drop = tuple(content.get("drop", ()))
        if not all(isinstance(name, str) for name in drop):
            raise ValueError("source: expected names of columns as drop")
        return cls(**content | {"drop": drop})

    def absolute(self) -> Self:
        """The same with a path that holds in any folder."""
        paths: dict[str, Any] = {
            name: str(Path(value).resolve())
            for name, value in (("data", self.data), ("features", self.features))
            if value is not None and Path(value).exists()
        }
        return replace(self, **paths)

    @property
    def has_features(self) -> bool:
        """Whether texts or images are turned into vectors by a network."""
        from gedi.data.raw import holds_texts

        return self.features is not None or holds_texts(self.data, self.text)

    def read(
        self,
        watch: "Watch | None" = None,
        *,
        cache: "FeatureCache | None" = None,
        features: Sequence[str] | None = None,
        noise: float = 0.05,
        min_rows: int = 2,
    ) -> "Dataset":
        """Read the data set.

        Args:
            watch: called with the number of images decoded and that of all, while images are
                decoded to a file.
            cache: where features of texts and images are kept; None: nowhere.
            features: take these columns of a table, in this order, and ignore all others.
            noise: standard deviation of a toy set's noise.
            min_rows: the fewest rows that are accepted.

        Raises:
            DataError: the data cannot be read, or their values cannot be trained on.
            PluginError: the plug-in that brings them cannot be loaded, or returns no `Dataset`.
        """
        from gedi.data.built_in import BUILT_IN, is_plugged, load_built_in, load_plugged
        from gedi.data.images import holds_images, read_images
        from gedi.data.shards import load_stream

        source = self.data
        if self.has_features:
            return self._read_raw(cache, min_rows)
        if self.streaming:
            self._refuse("split", "image_size", "skip_bad")
            if self.drop:
                raise DataError(
                    "--drop: is for tables in memory, and --streaming keeps all columns"
                )
            return load_stream(source, label=self.label, seed=self.seed)
        if self.drop and Path(source).suffix.lower() not in {".csv", ".parquet"}:
            raise DataError(f"{source} is no table, .csv or .parquet: leave out drop (--drop)")
        if is_plugged(source):
            self._refuse("label", "image_size", "skip_bad")
            dataset = load_plugged(source, self.n_points, self.seed, self.split)
        elif source in BUILT_IN:
            self._refuse("label", "split", "image_size", "skip_bad")
            return load_built_in(source, self.n_points, noise, self.seed)
        elif features is None and holds_images(source):  # a .parquet file with features is a table
            dataset = read_images(
                source,
                label=self.label,
                split=self.split,
                image_size=self.image_size,
                skip_bad=self.skip_bad,
                stream_above=self.stream_above,
                watch=watch,
            )
        else:
            dataset = self._read_file(features)
        if len(dataset.x) < min_rows:
            raise DataError(f"{source}: expected at least {min_rows} rows, got {len(dataset.x)}")
        return dataset

    def _read_raw(self, cache: "FeatureCache | None", min_rows: int) -> "Dataset":
        """Texts, or images with `features`, as vectors."""
        from gedi.data.images import holds_images, pile_of
        from gedi.data.raw import FeatureCache, holds_texts, read_photographs, read_texts

        given = [name for name in ("streaming", "drop") if getattr(self, name)]
        if given:
            raise DataError(f"{self.data} is read as texts or images: leave out {', '.join(given)}")
        cache = cache or FeatureCache()
        if holds_texts(self.data, self.text):
            self._refuse("split", "image_size", "skip_bad")
            dataset = read_texts(
                self.data, text=self.text, label=self.label, features=self.features, cache=cache
            )
        elif holds_images(self.data):
            if self.image_size is not None:
                raise DataError(
                    "--image-size: is for training on pixels; the network of --features sets the "
                    "size"
                )
            assert self.features is not None
            dataset = read_photographs(
                pile_of(self.data, self.label, self.split),
                features=self.features,
                skip_bad=self.skip_bad,
                cache=cache,
            )
        else:
            raise DataError(
                f"{self.data}: --features is for texts and images: for a table give the column of "
                "texts (--text)"
            )
        if len(dataset.x) < min_rows:
            raise DataError(f"{self.data}: expected at least {min_rows} rows, got {len(dataset.x)}")
        return dataset

    def _read_file(self, features: Sequence[str] | None) -> "Dataset":
        from gedi.data.arrays import load_npy, load_npz
        from gedi.data.built_in import known_names
        from gedi.data.file_errors import SUFFIXES, existing_file
        from gedi.data.tables import load_table

        path = existing_file(self.data, known=known_names(self.data))
        self._refuse("split", "image_size", "skip_bad")
        suffix = path.suffix.lower()
        if suffix == ".npy":
            return load_npy(path, self.label, self.stream_above)
        if suffix == ".npz":
            return load_npz(path, self.label)
        if suffix in {".csv", ".parquet"}:
            return load_table(path, self.label, features, self.drop)
        raise DataError(
            f"{path}: unknown kind of file {suffix or 'without suffix'}: "
            f"expected one of {', '.join(SUFFIXES)}, or a folder of images"
        )

    def _refuse(self, *names: str) -> None:
        """Check that options that do not apply to this kind of data are left out."""
        given = [name for name in names if getattr(self, name) != OPTIONS[name].default]
        if "label" in given:
            raise DataError(
                f"{self.data} brings its own labels: leave out the label {self.label!r}"
            )
        if given:
            raise DataError(
                f"{self.data} is not a set of image files: leave out {', '.join(given)}"
            )


class Option(NamedTuple):
    """An option of `Source`.

    Attributes:
        type: of its values.
        default: its value where it is left out; MISSING if it cannot be.
        help: what it does, in a few words.
        unit: what a value of 1 on the command line stands for.
    """

    type: Any
    default: Any
    help: str
    unit: int

    @property
    def argument(self) -> dict[str, Any]:
        """The arguments of `ArgumentParser.add_argument` for it."""
        if self.type is bool:
            return {"action": "store_true", "help": self.help}
        if get_origin(self.type) is tuple:
            return {"type": str, "nargs": "+", "help": self.help}
        if self.unit != 1:
            default = self.default / self.unit
            return {"type": float | None, "default": default, "help": self.help}
        return {"type": self.type, "default": self.default, "help": self.help}

    @property
    def json_types(self) -> tuple[type, ...]:
        """The types that its values have in JSON."""
        return (list,) if get_origin(self.type) is tuple else get_args(self.type) or (self.type,)


OPTIONS = {
    each.name: Option(get_type_hints(Source)[each.name], each.default, **each.metadata)
    for each in fields(Source)
}


def load(
    source: str,
    *,
    label: str | None = Source.label,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = Source.drop,
    text: str | None = Source.text,
    network: str | None = Source.features,
    n_points: int = Source.n_points,
    noise: float = 0.05,
    seed: int = Source.seed,
    min_rows: int = 2,
    split: str | None = Source.split,
    image_size: int | None = Source.image_size,
    skip_bad: bool = Source.skip_bad,
    stream_above: int = Source.stream_above,
    watch: "Watch | None" = None,
) -> "Dataset":
    """Load a built-in set, one of a plug-in, a file, a folder, or images from the hub.

    A .npy file holds points (n, d) or images (n, H, W) or (n, C, H, W). A .npz file holds them
    as `x` or `X`, or as its only array of two dimensions or more, and labels as `y` or
    `labels`. A .csv or .parquet file holds one numeric column a feature, and perhaps a column
    of labels; booleans count as 0 and 1, and an unnamed column that only counts the rows is
    left out. Fields of a .csv file are separated by commas, or, as spreadsheets write it, by
    semicolons (then with decimal commas) or tabs. Floats stay as wide as they are; other numbers
    become floats that hold them, but images of bytes stay bytes. `gedi.data.images` describes how
    folders of images, .parquet files of images and sets on the Hugging Face hub are read.

    Args:
        source: "moons", "circles", "digits", the path of a file or a folder, images on the hub
            ("mnist", "cifar10", "cifar100", "svhn", "hf://owner/name"), or the name of a plug-in's
            data; a file that has such a name is reached as "./moons".
        label: the column or the array of labels; for a .npy file the path of a second one.
        features: take these columns of a table, in this order, and ignore all others; new data
            for a trained model may then have a label column, or its columns in another order.
        drop: leave out these columns of a table.
        text: the column of texts of a .csv, .jsonl or .parquet file; a .txt file holds a text a
            line. The points are then features of the texts.
        network: what turns texts or images into features, see `gedi.TextFeatures` and
            `gedi.ImageFeatures`; "auto" for the default.
        n_points: the number of points of a toy set; plug-ins get it too, and the seed and split.
        noise: standard deviation of a toy set's noise.
        seed: of a toy set.
        min_rows: the fewest rows that are accepted.
        split: of images in splits such as train and test; by default train, or the only one.
        image_size: resize images to this many pixels on the shorter side, and keep the square in
            the middle; for sets of image files only.
        skip_bad: leave out image files that cannot be read, and count them in `n_skipped`.
        stream_above: images of more bytes than this, decoded or in a .npy file of bytes, stay on
            disk: `Dataset.x` is mapped from a file. Trainings are the same, and take less memory.
        watch: called with the number of images decoded and that of all, while images are decoded
            to a file.

    Raises:
        DataError: the source cannot be read, or its values cannot be trained on.
        PluginError: the plug-in that brings it cannot be loaded, or returns no `Dataset`.
    """
    return Source(
        source,
        label=label,
        text=text,
        features=network,
        n_points=n_points,
        seed=seed,
        split=split,
        image_size=image_size,
        skip_bad=skip_bad,
        stream_above=stream_above,
        drop=tuple(drop),
    ).read(watch, features=features, noise=noise, min_rows=min_rows)

"""Where data come from: one definition of the options that say how data are read.

The options of the command line, what a run folder keeps of them, and the arguments of `gedi.load`
are the fields of `Source`. Nothing heavy is imported before data are read, so that help comes at
once.
"""

import codecs
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, get_args, get_origin, get_type_hints

from gedi.errors import DataError, SettingsError

if TYPE_CHECKING:
    from gedi.data.columns import ColumnPlan
    from gedi.data.dataset import Dataset
    from gedi.data.images import Watch
    from gedi.data.raw import FeatureCache
    from gedi.data.tables import TableOptions

__all__ = ["OPTIONS", "TABLE_OPTIONS", "Option", "Source", "load"]

_GIBIBYTE = 2**30


def _option(help_text: str, default: Any = MISSING, unit: int = 1) -> Any:
    return field(default=default, metadata={"help": help_text, "unit": unit})


@dataclass(frozen=True)
class Source:
    """Where data come from, and how they are read.

    Fields without a help text are no options.
    """

    data: str = _option(
        "moons, circles, digits, a file, a folder of images, s3://..., hf://..., or a name of a "
        "plug-in"
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
        "columns of a table to leave out, such as numbers that only count the rows", ()
    )
    columns: tuple[str, ...] = _option(
        "kinds of columns of a table, as NAME=KIND, such as zip=category: number, flag, date, "
        "category, text (free text, by its meaning, together with the other columns) or drop; by "
        "default chosen from the values",
        (),
    )
    no_header: bool = _option("the first line of a table holds values, not names", False)
    skip_footer: int = _option(
        "number of lines to leave out at the end of a table, such as totals", 0
    )
    encoding: str | None = _option(
        "encoding of a table of text, such as shift_jis; by default found in the file", None
    )
    decimal: str | None = _option(
        "mark of decimals in a table of text, . or ,; the other marks thousands; by default found "
        "in the file",
        None,
    )
    text: str | None = _option(
        "column of texts, which are clustered by their meaning alone; a .txt file holds a text a "
        "line; --columns NAME=text takes the other columns, too",
        None,
    )
    features: str | None = _option(
        "network that turns texts or images into vectors: auto, a folder, a name on the Hugging "
        "Face hub, an .onnx file, or package.module:function; by default auto for texts, and none "
        "(pixels) for images",
        None,
    )
    words: bool = True  # whether vectors of their words are part of the features of texts

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
        lists = {name: tuple(given.get(name, ())) for name in ("drop", "columns")}
        source = cls(**given | {"seed": seed} | lists)
        source.check()
        return source

    @classmethod
    def of_json(cls, content: Any) -> Self:
        """From the fields as JSON has them.

        Raises:
            ValueError: for other fields, or values of other types.
        """
        if not isinstance(content, dict) or not content.keys() <= {*OPTIONS, "words"}:
            raise ValueError(f"source: expected values of {', '.join(OPTIONS)}")
        if "data" not in content:
            raise ValueError("source: does not say where the data are")
        options = dict(content)
        words = options.pop("words", False)  # earlier versions had none
        if not isinstance(words, bool):
            raise ValueError("source: expected true or false as words")
        for name, value in options.items():
            kinds = OPTIONS[name].json_types
            if type(value) not in kinds:
                expected = " or ".join(kind.__name__ for kind in kinds)
                raise ValueError(
                    f"source: expected {expected} as {name}, got {type(value).__name__}"
                )
        lists = {name: tuple(content.get(name, ())) for name in ("drop", "columns")}
        for name, values in lists.items():
            if not all(isinstance(value, str) for value in values):
                raise ValueError(f"source: expected names of columns as {name}")
        source = cls(**options | lists, words=words)
        source.check()
        return source

    def check(self) -> None:
        """Check the values of the options.

        Raises:
            SettingsError: if one cannot be used.
        """
        from gedi.data.columns import KINDS

        for option in self.columns:
            name, _, kind = option.rpartition("=")
            if not name or kind not in KINDS:
                raise SettingsError(
                    f"--columns: expected NAME=KIND with one of {', '.join(KINDS)}, got {option!r}"
                )
        if self.decimal not in (None, ".", ","):
            raise SettingsError(f"--decimal: expected . or , got {self.decimal!r}")
        if self.skip_footer < 0:
            raise SettingsError(f"--skip-footer: expected 0 or more, got {self.skip_footer}")
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError as error:
            raise SettingsError(
                f"--encoding: expected an encoding such as utf-8 or cp1252, got {self.encoding!r}"
            ) from error

    @property
    def table_options(self) -> "TableOptions":
        """How tables of text are read."""
        from gedi.data.tables import TableOptions

        return TableOptions(self.encoding, self.decimal, self.no_header, self.skip_footer)

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds of columns that the user gave, by name."""
        given = {name: kind for name, _, kind in (each.rpartition("=") for each in self.columns)}
        return given | dict.fromkeys(self.drop, "drop")

    def absolute(self) -> Self:
        """The same with a path that holds in any folder."""
        paths: dict[str, Any] = {
            name: str(Path(value).resolve())
            for name, value in (("data", self.data), ("features", self.features))
            if value is not None and Path(value).exists()
        }
        is_pattern = any(sign in self.data for sign in "*?[") and "://" not in self.data
        if is_pattern and "data" not in paths:
            paths["data"] = str(Path(self.data).absolute())
        return replace(self, **paths)

    @property
    def has_features(self) -> bool:
        """Whether the points are vectors of texts or images by a network, and nothing else."""
        return not self._has_text_columns and (self.features is not None or self.holds_texts)

    @property
    def _has_text_columns(self) -> bool:
        """Whether the data are a table with a column of texts among others."""
        return self.text is None and "text" in self.kinds.values()

    @property
    def holds_texts(self) -> bool:
        """Whether the data are texts: a column of a table, or lines."""
        from gedi.data.raw_texts import holds_texts

        return not self._has_text_columns and holds_texts(
            self.data, self.text, features=self.features, encoding=self.encoding
        )

    def read(
        self,
        watch: "Watch | None" = None,
        *,
        cache: "FeatureCache | None" = None,
        features: Sequence[str] | None = None,
        plan: "ColumnPlan | None" = None,
        noise: float = 0.05,
        min_rows: int = 2,
        keep_blank: bool = False,
    ) -> "Dataset":
        """Read the data set.

        Args:
            watch: called with the number of images decoded and that of all, while images are
                decoded to a file.
            cache: where features of texts and images are kept; None: nowhere.
            features: take these columns of a table, in this order, and ignore all others.
            plan: what a training did with the columns of its table, to do the same.
            noise: standard deviation of a toy set's noise.
            min_rows: the fewest rows that are accepted.
            keep_blank: keep rows without a text, if the data are texts.

        Raises:
            DataError: the data cannot be read, or their values cannot be trained on.
            PluginError: the plug-in that brings them cannot be loaded, or returns no `Dataset`.
        """
        from gedi.data.built_in import BUILT_IN, is_plugged, load_built_in, load_plugged
        from gedi.data.images import holds_images, read_images
        from gedi.data.shards import load_stream
        from gedi.data.tables import table_files

        source = self.data
        if self.has_features:
            return self._read_raw(cache, min_rows, keep_blank)
        if self.streaming:
            self._refuse("split", "image_size", "skip_bad")
            for name in _FOR_TABLES:
                if getattr(self, name) != OPTIONS[name].default:
                    raise DataError(
                        f"{_flag(name)}: is for tables in memory, and --streaming reads .parquet "
                        "files of numbers with all their columns"
                    )
            return load_stream(source, label=self.label, seed=self.seed)
        files = table_files(source)
        for name in _FOR_TABLES:
            if not files and getattr(self, name) != OPTIONS[name].default:
                raise DataError(f"{source} is not a table: leave out {_flag(name)}")
        if is_plugged(source):
            self._refuse("label", "image_size", "skip_bad")
            dataset = load_plugged(source, self.n_points, self.seed, self.split)
        elif source in BUILT_IN:
            self._refuse("label", "split", "image_size", "skip_bad")
            return load_built_in(source, self.n_points, noise, self.seed)
        elif plan is None and features is None and holds_images(source):
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
            dataset = self._read_file(files, features, plan, cache)
        if len(dataset.x) < min_rows:
            raise DataError(f"{source}: expected at least {min_rows} rows, got {len(dataset.x)}")
        return dataset

    def _read_raw(self, cache: "FeatureCache | None", min_rows: int, keep_blank: bool) -> "Dataset":
        """Texts, or images with `features`, as vectors."""
        from gedi.data.images import holds_images, pile_of
        from gedi.data.raw import FeatureCache, read_photographs, read_texts

        of_values = ("streaming", "drop", "columns", "decimal")
        if self.text is not None:
            if self.columns:
                raise DataError(
                    f"--text {self.text} takes this column alone, but --columns was given, too: "
                    f"write --columns {self.text}=text instead to use the other columns as well"
                )
            self._refuse_raw(*of_values)
        elif self.holds_texts:  # one a line
            self._refuse_raw(*of_values, "no_header", "skip_footer")
        else:
            self._refuse_raw(*of_values, *TABLE_OPTIONS)
        cache = cache or FeatureCache()
        if self.holds_texts:
            self._refuse("split", "image_size", "skip_bad")
            dataset = read_texts(
                self.data,
                text=self.text,
                label=self.label,
                features=self.features,
                words=self.words,
                cache=cache,
                options=self.table_options,
                keep_blank=keep_blank,
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
                "texts (--text NAME, or --columns NAME=text to use the other columns, too)"
            )
        if len(dataset.x) < min_rows:
            raise DataError(f"{self.data}: expected at least {min_rows} rows, got {len(dataset.x)}")
        return dataset

    def _refuse_raw(self, *names: str) -> None:
        """Check that options for numbers are left out."""
        given = [_flag(name) for name in names if getattr(self, name) != OPTIONS[name].default]
        if given:
            raise DataError(f"{self.data} is read as texts or images: leave out {', '.join(given)}")

    def _read_file(
        self,
        files: "Sequence[Path]",
        features: Sequence[str] | None,
        plan: "ColumnPlan | None",
        cache: "FeatureCache | None",
    ) -> "Dataset":
        from gedi.data.arrays import archives, load_archives, load_npy, load_npz
        from gedi.data.built_in import known_names
        from gedi.data.contents import ADVICE
        from gedi.data.file_errors import SUFFIXES, existing_file
        from gedi.data.raw import AUTO, FeatureCache, kept_vectors
        from gedi.data.tables import load_tables
        from gedi.untrusted.packed import PACKED

        self._refuse("split", "image_size", "skip_bad")
        if files:
            return load_tables(
                files,
                self.data,
                label=self.label,
                features=features,
                kinds=self.kinds,
                options=self.table_options,
                plan=plan,
                network=None if self.features == AUTO else self.features,
                encode=kept_vectors(cache or FeatureCache()),
            )
        if found := archives(self.data):
            return load_archives(found, self.data, self.label)
        path = existing_file(self.data, known=known_names(self.data))
        suffix = path.suffix.lower()
        if suffix == ".npy":
            return load_npy(path, self.label, self.stream_above)
        if suffix == ".npz":
            return load_npz(path, self.label)
        if suffix == ".zip":
            raise DataError(
                f"{path}: holds no table, or several files: unpack it, and give the folder or one "
                "of the files"
            )
        hint = ADVICE.get(suffix)
        if suffix in PACKED:
            hint = "unpack it, since only tables are read from packed files"
        raise DataError(
            f"{path}: unknown kind of file {suffix or 'without suffix'}: "
            f"expected one of {', '.join(SUFFIXES)}, or a folder of images"
            + ("" if hint is None else f": {hint}")
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


TABLE_OPTIONS = ("no_header", "skip_footer", "encoding", "decimal")
_FOR_TABLES = ("drop", "columns", *TABLE_OPTIONS)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


OPTIONS = {
    each.name: Option(get_type_hints(Source)[each.name], each.default, **each.metadata)
    for each in fields(Source)
    if each.metadata
}


def load(
    source: str,
    *,
    label: str | None = Source.label,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = Source.drop,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    no_header: bool = Source.no_header,
    skip_footer: int = Source.skip_footer,
    encoding: str | None = Source.encoding,
    decimal: str | None = Source.decimal,
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
    `labels`; or it is a sparse matrix of scipy. A table is a file of the kinds in
    `gedi.data.tables`, perhaps packed, a folder of them, or a pattern such as "data/*.csv".
    `Dataset.columns` says what was done with each of its columns, see `gedi.data.columns`, and
    `Dataset.notes` how text was read. Floats of arrays stay as wide as they are; other numbers
    become floats that hold them, but images of bytes stay bytes. `gedi.data.images` describes how
    folders of images, .parquet files of images and sets on the Hugging Face hub are read.

    Args:
        source: "moons", "circles", "digits", the path of a file or a folder, images on the hub
            ("mnist", "cifar10", "cifar100", "svhn", "hf://owner/name"), an address in an object
            store, see `gedi.data.remote`, or the name of a plug-in's data; a file that has such a
            name is reached as "./moons".
        label: the column or the array of labels; for a .npy file the path of a second one.
        features: take these columns of a table, in this order, and ignore all others; new data
            for a trained model may then have a label column, or its columns in another order.
        drop: leave out these columns of a table.
        columns: the kinds of some columns of a table, by name: number, flag, date, category,
            text or drop.
        no_header: the first line of a table holds values, not names.
        skip_footer: the number of lines to leave out at the end of a table.
        encoding: of a file of text; by default found in the file.
        decimal: the mark of decimals in a table of text, `.` or `,`; by default found in the file.
        text: the column of texts of a table; a .txt file that is no table holds a text a line. The
            points are then features of the texts alone; with `columns={"NAME": "text"}` the texts
            become some columns among the others.
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
        SettingsError: an option has a value that cannot be used.
        PluginError: the plug-in that brings it cannot be loaded, or returns no `Dataset`.
    """
    given = Source(
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
        drop=(drop,) if isinstance(drop, str) else tuple(drop),
        columns=_columns_of(columns),
        no_header=no_header,
        skip_footer=skip_footer,
        encoding=encoding,
        decimal=decimal,
    )
    given.check()
    return given.read(watch, features=features, noise=noise, min_rows=min_rows)


def _columns_of(kinds: Mapping[str, str] | Sequence[str] | None) -> tuple[str, ...]:
    """The kinds of columns as the command line has them, NAME=KIND."""
    if isinstance(kinds, Mapping):
        return tuple(f"{name}={kind}" for name, kind in kinds.items())
    return (kinds,) if isinstance(kinds, str) else tuple(kinds or ())

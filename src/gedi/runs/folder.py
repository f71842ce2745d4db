"""The run folder: settings, metrics, weights, a checkpoint and a report.

    run.json           the data, the format of the folder, and the version that wrote it
    settings.yaml      every setting, resolved; an input for `gedi train --config`
    metrics.csv        the history
    like.safetensors   predictions of the earlier run, if cluster numbers are kept (--like)
    checkpoints/       the last few states from which the training can continue
    model.safetensors  the trained model
    result.json        why the training ended, and what it found
    report.html        the same as a page
    failure.txt        why the training diverged, if it did
    start.safetensors  clusters from which an update starts, or that were found with their number
    drift.txt          what an update changed, in words
    .lock              held by the process that trains
    features.safetensors   the feature network of `gedi evaluate`, if it trained one
    features/          features of texts or photographs, see `gedi.data.raw`; may be deleted

Each file is written under a temporary name and then renamed, so that it is never incomplete. No
file that is read can run code.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

import numpy as np
import yaml
from numpy.typing import NDArray

import gedi
from gedi.data.built_in import is_plugged
from gedi.data.columns import ColumnPlan
from gedi.data.dataset import Dataset
from gedi.data.images import Watch, holds_images
from gedi.data.raw import AUTO, FeatureCache
from gedi.data.raw_texts import holds_lines
from gedi.data.rows import Rows, open_rows
from gedi.data.source import Source
from gedi.data.tables import table_files
from gedi.errors import DataError, RunError
from gedi.evidence.group_files import GroupSource
from gedi.files import beside, partial_name
from gedi.partitions import NumberOfClusters
from gedi.plugins import GROUPS, Group, Plugin, find, plugins_of, refuse_missing
from gedi.runs.checkpoints import Checkpoints
from gedi.runs.growth import START, Growth, joined
from gedi.runs.lock import LOCK
from gedi.runs.names import BEFORE, FILE, ClusterNames
from gedi.settings import CompleteSettings, Settings, complete, from_dict
from gedi.training.custom import Custom
from gedi.training.growth import Carried, load_carried, save_carried
from gedi.training.hooks import Record
from gedi.training.numbering import Reference
from gedi.training.reference_files import load_reference, save_reference
from gedi.training.storage import load_trained, plugins_used, save_trained
from gedi.training.trained import TrainedModel
from gedi.untrusted import (
    check_format,
    check_room,
    check_within,
    json_object,
    json_of,
    readable,
    refuse_special,
    yaml_of,
)

__all__ = ["Run", "feature_cache", "first_free", "is_taken"]

_FORMAT = 1
_EVENTS = "tensorboard"  # of the history, as earlier versions wrote them
_CHECKPOINTS = "checkpoints"
_LIKE = "like.safetensors"
_FAILURE = "failure.txt"
_DRIFT = "drift.txt"
_FEATURES = "features"
_LONGEST_FAILURE = 2000  # characters
_CSV_BYTES = 100  # memory that Python needs for one byte of CSV, at worst (empty values)


class Reading(TypedDict, total=False):
    """How other data are read, where they differ from the training data.

    Attributes:
        split: of a set of images.
        skip_bad: leave out images that cannot be read.
        text: the column of texts, if it has another name.
        table_options: options of `Source` on how tables are read.
    """

    split: str | None
    skip_bad: bool
    text: str | None
    table_options: Mapping[str, Any] | None


@dataclass(frozen=True)
class Run:
    """A run folder.

    Args:
        path: the folder.
        source: where the data came from.
        n_features: number of features, d.
        feature_names: names of the columns; empty for arrays and images.
        image_shape: (C, H, W) if the points are images, else None.
        groups: where the groups under a rule came from; None without groups.
        like: folder of the earlier run whose cluster numbers are kept; None without one.
        plugins: the plug-ins that the training uses.
        columns: what was done with the columns of a table; None if the data have no columns.
        number: how the number of clusters was found, in a sentence; None if it was known.
        growth: what an update added; None for a run that is none.
    """

    path: Path
    source: Source
    n_features: int
    feature_names: tuple[str, ...]
    image_shape: tuple[int, int, int] | None
    groups: GroupSource | None = None
    like: str | None = None
    plugins: tuple[Plugin, ...] = ()
    columns: ColumnPlan | None = None
    number: str | None = None
    growth: Growth | None = None

    @classmethod
    def create(
        cls,
        path: Path,
        source: Source,
        dataset: Dataset,
        settings: Settings,
        *,
        groups: GroupSource | None = None,
        like: Reference | None = None,
        names: ClusterNames | None = None,
        number: NumberOfClusters | None = None,
        growth: Growth | None = None,
        carried: Carried | None = None,
        overwrite: bool,
    ) -> Self:
        """Create a run folder.

        Args:
            path: of the folder.
            source: where the data came from.
            dataset: the data.
            settings: of the training.
            groups: where groups under a rule came from.
            like: the predictions of an earlier run whose cluster numbers are kept.
            names: the names of the clusters of that run.
            number: how the number of clusters was found; None if it was given.
            growth: what an update added; None for a run that is none.
            carried: the clusters from which it starts, if they are not found again.
            overwrite: whether an earlier run in the folder is replaced.

        Raises:
            RunError: if the folder is not empty and `overwrite` is false, is not a run, or cannot
                be created.
        """
        cls.check_free(path, overwrite=overwrite)
        try:
            path.mkdir(parents=True, exist_ok=True)
            _clear(path)
        except OSError as error:
            raise RunError(f"{path}: cannot be written to: {error.strerror}") from error
        groups = None if groups is None else groups.absolute()
        if source.has_features and source.features is None:
            source = replace(source, features=AUTO)  # so that this holds without the data
        run = cls(
            path,
            source,
            dataset.x.shape[1],
            dataset.feature_names,
            dataset.image_shape,
            groups,
            None if like is None else like.name,
            _plugins(source, settings),
            _columns(dataset.columns, dataset.feature_names),
            None if number is None else str(number),
            growth,
        )
        # Absolute paths, so that the data are found from any working directory.
        run._write_json(
            "run.json",
            {
                "format": _FORMAT,
                "version": gedi.__version__,
                "source": asdict(source.absolute()),
                "n_features": run.n_features,
                "feature_names": list(run.feature_names),
                "image_shape": run.image_shape,
                "groups": None if groups is None else asdict(groups),
                "like": run.like,
                "plugins": [plugin._asdict() for plugin in run.plugins],
                "columns": None if dataset.columns is None else dataset.columns.to_json(),
                "notes": list(dataset.notes),
                "number": run.number,
                "number_scores": {} if number is None else number.scores,
                "growth": None if growth is None else growth.to_json(),
            },
        )
        if like is not None:
            run._write(_LIKE, lambda file: save_reference(like, file))
        if names is not None:
            names.save(path, BEFORE)
        if carried is not None:
            run._write(START, lambda file: save_carried(carried, file))
        run._write_text("settings.yaml", yaml.safe_dump(asdict(settings), sort_keys=False))
        return run

    @staticmethod
    def check_free(path: Path, *, overwrite: bool) -> None:
        """Check that a run may be written to a folder.

        Raises:
            RunError: if the folder is not empty and `overwrite` is false, or is not a run.
        """
        try:
            taken = is_taken(path)
        except OSError as error:
            raise RunError(f"{path}: cannot be written to: {error.strerror}") from error
        if taken and not overwrite:
            raise RunError(
                f"{path}: already exists: choose another --out, or add --overwrite to replace it"
            )
        if taken and not (path / "run.json").is_file():
            raise RunError(
                f"{path}: is not a run folder, so it is not overwritten: choose another --out"
            )

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a run folder.

        Raises:
            RunError: if the folder is not a run, or cannot be read.
        """
        if not path.is_dir():
            raise RunError(
                f"{path}: expected a run folder, as written by `gedi train`, but there is no such "
                "folder"
            )
        file = path / "run.json"
        if not file.is_file():
            raise RunError(f"{path}: is not a run folder: it contains no run.json")
        with readable(file):
            check_within(path)
            facts = _facts(json_of(file))
        return cls(path, **facts)

    def require(self, *groups: Group) -> None:
        """Check that the plug-ins of the training are installed.

        Args:
            groups: groups of entry points to check; all of them if none are given.

        Raises:
            PluginError: if one is missing; it names the distribution to install.
        """
        refuse_missing(self.plugins, str(self.path), groups or GROUPS)

    def custom(self, dataset: Dataset) -> Custom:
        """What the training uses in addition to its settings: groups, or an earlier run.

        Raises:
            DataError: if the groups cannot be read, or do not fit the data.
            RuleError: if their rule cannot be read.
            RunError: if the predictions of the earlier run cannot be read.
        """
        carried = like = None
        if self.growth is not None or (self.path / START).is_file():
            carried = load_carried(self.path / START, len(dataset.x))
        if self.like is not None:
            like = load_reference(self.path / _LIKE, self.like, len(dataset.x))
        if self.groups is None:
            return Custom(like=like, carried=carried)
        return Custom(groups=self.groups.read(dataset, self.settings().n_clusters))

    def settings(self) -> CompleteSettings:
        """The settings of the training, all resolved.

        Raises:
            RunError: if they cannot be read.
        """
        file = self.path / "settings.yaml"
        if not file.is_file():
            raise RunError(
                f"{file}: is missing, probably because the training was killed before it began: "
                "train again with --overwrite"
            )
        with readable(file):
            return complete(from_dict(yaml_of(file)))

    # --- data

    @property
    def has_texts(self) -> bool:
        """Whether the points are features of texts."""
        return self.source.holds_texts

    def read(self, watch: Watch | None = None, watch_features: Watch | None = None) -> Dataset:
        """Read the data of the training.

        Args:
            watch: see `Source.read`.
            watch_features: called with the number of rows done and that of all, while features of
                texts or photographs are computed.

        Raises:
            DataError: if they cannot be read.
        """
        cache = feature_cache(self.path, watch_features)
        if self.growth is None:
            return self.source.read(watch, cache=cache)
        sources = (self.source, *self.growth.sources)
        return joined(
            [source.read(watch, cache=cache, plan=self.columns, min_rows=1) for source in sources]
        )

    # --- metrics

    def append_metrics(self, record: Record) -> None:
        """Add one row to metrics.csv."""
        file = self.path / "metrics.csv"
        new = not file.exists() or file.stat().st_size == 0
        with file.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(record))
            if new:
                writer.writeheader()
            writer.writerow(record)

    def write_metrics(self, records: list[Record]) -> None:
        """Replace metrics.csv, for example when a training continues from a checkpoint."""
        text = io.StringIO(newline="")
        if records:
            writer = csv.DictWriter(text, fieldnames=list(records[0]))
            writer.writeheader()
            writer.writerows(records)
        self._write_text("metrics.csv", text.getvalue())

    def history(self) -> dict[str, NDArray[np.float64]]:
        """Read the columns of metrics.csv, each (records,), by name; empty if there are no records.

        Raises:
            RunError: if it cannot be read.
        """
        file = self.path / "metrics.csv"
        if not file.is_file():
            return {}
        with readable(file):
            refuse_special(file)
            check_room(_CSV_BYTES * file.stat().st_size, "what it may contain")
            text = file.read_text(encoding="utf-8")
            # A training that is killed may leave an incomplete last line.
            lines = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
            table = np.array([[float(value) for value in line] for line in lines[1:]], np.float64)
            columns = table.reshape(len(lines) - 1, len(lines[0])).T if lines[1:] else ()
        return dict(zip(lines[0] if lines else (), columns, strict=False))

    # --- checkpoints

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of the training."""
        return Checkpoints(self.path / _CHECKPOINTS)

    # --- model

    def save_model(self, trained: TrainedModel) -> None:
        """Write model.safetensors."""
        self._write("model.safetensors", lambda file: save_trained(trained, file))

    def load_model(self) -> TrainedModel:
        """Read model.safetensors.

        Raises:
            RunError: if there is no model yet, or it does not fit the settings.
            PluginError: if the encoder or the method needs a plug-in that is not installed.
        """
        self.require("gedi.encoders", "gedi.methods")
        file = self.path / "model.safetensors"
        if not file.is_file():
            raise RunError(
                f"{self.path}: contains no model.safetensors yet: continue the training with "
                f"`gedi resume {self.path}`"
            )
        return load_trained(file, self.settings(), self.image_shape or (self.n_features,))

    # --- result

    def save_result(self, result: dict[str, Any]) -> None:
        """Write result.json."""
        self._write_json("result.json", result)

    def result(self) -> dict[str, Any]:
        """Read result.json; empty if the training has not ended.

        Raises:
            RunError: if it cannot be read.
        """
        file = self.path / "result.json"
        return json_object(file) if file.is_file() else {}

    def save_drift(self, words: str) -> None:
        """Write what an update changed."""
        self._write_text(_DRIFT, words + "\n")

    def save_failure(self, reason: str) -> None:
        """Write why the training diverged."""
        self._write_text(_FAILURE, reason + "\n")

    def failure(self) -> str | None:
        """Why the training diverged; None if it did not, or has ended since.

        Raises:
            RunError: if it cannot be read.
        """
        file = self.path / _FAILURE
        if not file.is_file() or self.result():
            return None
        with readable(file):
            refuse_special(file)
            with file.open(encoding="utf-8") as stream:
                return stream.read(_LONGEST_FAILURE).strip()

    def new_data(
        self,
        path: str,
        label: str | None = None,
        *,
        watch: Watch | None = None,
        watch_features: Watch | None = None,
        keep: bool = True,
        keep_blank: bool = False,
        **how: Unpack[Reading],
    ) -> Dataset:
        """Read other data with the columns, or the size of images, that the model was trained on.

        Args:
            path: the data.
            label: the column of labels, if there is one.
            watch: called while images are decoded.
            watch_features: see `read`.
            keep: whether features of texts or photographs are kept in the run folder.
            keep_blank: keep rows without a text, if the data are texts.
            **how: see `Reading`.

        Raises:
            DataError: if they cannot be read, or have a different number of features.
        """
        dataset = self.other_data(
            path,
            label,
            watch=watch,
            watch_features=watch_features,
            keep=keep,
            keep_blank=keep_blank,
            **how,
        )
        self._check_features(path, dataset.x.shape[1])
        return dataset

    def new_rows(self, path: str, table_options: Mapping[str, Any] | None = None) -> Rows | None:
        """Open the rows of other data for the trained model, to be read in blocks.

        Returns:
            The rows; None if only `new_data` can read the data: texts, images, archives, built-in
            sets, and tables if the model was trained on data without column names.

        Raises:
            DataError: if columns are missing, or the number of features is different.
        """
        if self.source.has_features:
            return None
        rows = open_rows(path, self.columns or (), self._source(path, table_options).table_options)
        if rows is not None:
            self._check_features(path, rows.n_features)
        return rows

    def _check_features(self, path: str, n_features: int) -> None:
        if n_features != self.n_features:
            raise DataError(
                f"{path}: expected {self.n_features} features, like the training data of "
                f"{self.path}, got {n_features}"
            )

    def other_data(
        self,
        path: str,
        label: str | None = None,
        *,
        watch: Watch | None = None,
        watch_features: Watch | None = None,
        keep: bool = True,
        keep_blank: bool = False,
        **how: Unpack[Reading],
    ) -> Dataset:
        """Read data of any shape in the same way as the training data; see `new_data`.

        Raises:
            DataError: if they cannot be read.
        """
        source = self.other_source(path, label, **how)
        if self.source.has_features:
            cache = feature_cache(self.path, watch_features) if keep else None
            return source.read(watch, cache=cache, min_rows=1, keep_blank=keep_blank)
        plan = self.columns if table_files(path) else None
        return source.read(watch, plan=plan, min_rows=1)

    def other_source(self, path: str, label: str | None = None, **how: Unpack[Reading]) -> Source:
        """Where `other_data` reads from; the arguments are the same.

        Raises:
            DataError: if the training data were no texts and `text` is given, or for options that
                do not fit the data.
        """
        text, table_options = how.get("text"), how.get("table_options")
        split, skip_bad = how.get("split"), how.get("skip_bad", False)
        if text is not None and not self.has_texts:
            raise DataError(f"--text: {self.path} was not trained on texts: leave it out")
        if self.source.has_features:
            source = self._source(path, table_options)
            column = text or self.source.text
            if column is not None and holds_lines(path, column, source.table_options):
                column = None  # one a line, however the training data were kept
                source = replace(source, no_header=bool((table_options or {}).get("no_header")))
            return replace(
                source,
                label=label,
                split=split,
                skip_bad=skip_bad,
                text=column,
                features=self.source.features,
                words=self.source.words,
            )
        table = self.columns is not None and bool(table_files(path))
        images = not table and holds_images(path)
        source = replace(
            self._source(path, table_options if table else None),
            label=label,
            split=split,
            image_size=self.source.image_size if images else None,
            skip_bad=skip_bad,
            stream_above=self.source.stream_above,
        )
        return source if table else replace(source, no_header=False)

    def _source(self, path: str, table_options: Mapping[str, Any] | None) -> Source:
        """Other data, read like those of the training: without names of columns if it had none."""
        given = {name: value for name, value in (table_options or {}).items() if value}
        source = Source(path, **{"no_header": self.source.no_header} | given)
        source.check()
        return source

    # --- files

    def _write(self, name: str, write: Callable[[Path], None]) -> None:
        with beside(self.path / name) as partial:
            write(partial)

    def _write_text(self, name: str, text: str) -> None:
        def write(file: Path) -> None:
            file.write_text(text, encoding="utf-8")

        self._write(name, write)

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        self._write_text(name, json.dumps(content, indent=2) + "\n")


def is_taken(path: Path) -> bool:
    """Whether the path exists, apart from what a training killed before it began may leave."""
    if not path.is_dir():
        return path.exists()
    left = {partial_name("run.json"), LOCK, _FEATURES}
    return {file.name for file in path.iterdir()} - left != set()


def first_free(path: Path) -> Path:
    """The path, or the first of path-2, path-3, ... that holds nothing yet."""
    candidate, number = path, 1
    while is_taken(candidate):
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def feature_cache(folder: Path, watch: Watch | None = None) -> FeatureCache:
    """Where the features of a run are kept; those of the runs beside it are taken over.

    Args:
        folder: of the run; it need not exist.
        watch: called with the number of rows done and that of all, while features are computed.
    """
    own = folder / _FEATURES
    others = [path for path in sorted(folder.parent.glob(f"*/{_FEATURES}")) if path != own]
    return FeatureCache(own, tuple(others), watch)


def _plugins(source: Source, settings: Settings) -> tuple[Plugin, ...]:
    """The plug-ins that bring the data set, the encoder, the method or views."""
    data = find("gedi.data", source.data) if is_plugged(source.data) else None
    return (*([] if data is None else [data]), *plugins_used(settings))


def _facts(content: Any) -> dict[str, Any]:
    """Read the content of run.json: all fields of `Run` except `path`.

    Raises:
        ValueError: if it is not what `Run.create` writes.
    """
    check_format(content, _FORMAT)
    source, d = Source.of_json(content.get("source")), content.get("n_features")
    names, shape = content.get("feature_names"), content.get("image_shape")
    if type(d) is not int or d < 1:
        raise ValueError("n_features: expected a whole number of at least 1")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("feature_names: expected a list of strings")
    if names and len(names) != d:
        raise ValueError(f"feature_names: expected none or {d} names, got {len(names)}")
    groups, like = _groups(content.get("groups")), content.get("like")
    if like is not None and not isinstance(like, str):
        raise ValueError("like: expected the path of an earlier run, as a string")
    brought, number = plugins_of(content.get("plugins", [])), content.get("number")
    if number is not None and not isinstance(number, str):
        raise ValueError("number: expected a sentence, as a string")
    plan = None if content.get("columns") is None else ColumnPlan.of_json(content["columns"])
    columns = _columns(plan, names)
    if columns is not None and len(columns.features) != d:
        raise ValueError(f"columns: expected {d} features, got {len(columns.features)}")
    image_shape = None if shape is None else _image_shape(shape, d)
    grown = content.get("growth")
    return {
        "source": source,
        "n_features": d,
        "feature_names": tuple(names),
        "image_shape": image_shape,
        "groups": groups,
        "like": like,
        "plugins": brought,
        "columns": columns if image_shape is None else None,
        "number": number,
        "growth": None if grown is None else Growth.of_json(grown),
    }


def _image_shape(shape: Any, n_features: int) -> tuple[int, int, int]:
    whole = isinstance(shape, list) and all(type(side) is int and side > 0 for side in shape)
    if not whole or len(shape) != 3 or math.prod(shape) != n_features:
        raise ValueError(f"image_shape: expected three whole numbers whose product is {n_features}")
    return shape[0], shape[1], shape[2]


def _columns(plan: ColumnPlan | None, names: Sequence[str]) -> ColumnPlan | None:
    """The plan; for data in arrays and streams, that of columns of numbers with these names."""
    return ColumnPlan.of_numbers(names) if plan is None and names else plan


def _groups(content: Any) -> GroupSource | None:
    if content is None:
        return None
    texts = isinstance(content, dict) and all(
        isinstance(value, str) or (name == "outcome" and value is None)
        for name, value in content.items()
    )
    if not texts or content.keys() != {"groups", "rule", "outcome"}:
        raise ValueError("groups: expected strings as groups, rule and outcome")
    return GroupSource(**content)


def _clear(path: Path) -> None:
    """Remove the files of a run, and nothing else.

    run.json stays until it is replaced, so that the folder remains a run if this is interrupted.
    """
    for name in (
        "settings.yaml",
        "metrics.csv",
        "model.safetensors",
        "result.json",
        "report.html",
        "features.safetensors",
        FILE,
        BEFORE,
        _LIKE,
        START,
        _FAILURE,
        _DRIFT,
    ):
        (path / name).unlink(missing_ok=True)
    for file in Checkpoints(path / _CHECKPOINTS).files():
        file.unlink()
    for events in (path / _EVENTS).glob("events.out.tfevents.*"):
        events.unlink()

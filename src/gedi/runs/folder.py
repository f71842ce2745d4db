"""The run folder: settings, metrics, weights, a checkpoint and a report.

    run.json           what was trained on, and by which version
    settings.yaml      every setting, resolved; can be given to `gedi train --config`
    metrics.csv        the history; also under tensorboard/
    like.safetensors   what an earlier model says of some points, if it gave its numbers
    checkpoints/       all that is needed to go on, the last few times it was saved
    model.safetensors  the model to use
    result.json        what ended the training, and what was found
    report.html        the same, to look at
    failure.txt        why the training was given up, if it was
    features.safetensors   the network whose features `gedi evaluate` compared samples in, if it did

Files are written beside and renamed, so none is ever half there. Nothing that is read can run code.
"""

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml
from numpy.typing import NDArray

from gedi.data.built_in import is_plugged
from gedi.data.dataset import Dataset
from gedi.data.images import Watch, holds_images
from gedi.data.rows import Rows, open_rows
from gedi.data.source import Source
from gedi.errors import DataError, RunError
from gedi.evidence.group_files import GroupSource
from gedi.files import beside, partial_name
from gedi.plugins import GROUPS, Group, Plugin, find, plugins_of, refuse_missing
from gedi.runs.checkpoints import Checkpoints
from gedi.settings import CompleteSettings, Settings, complete, from_dict, learns_density
from gedi.training.custom import Custom
from gedi.training.hooks import Record
from gedi.training.numbering import Reference, recall
from gedi.training.reference_files import load_reference, save_reference
from gedi.training.storage import load_trained, plugins_used, save_trained
from gedi.training.trained import TrainedModel
from gedi.untrusted import check_room, check_within, json_of, refuse_special, yaml_of

__all__ = ["Run"]

_FORMAT = 1
_CHECKPOINTS = "checkpoints"
_LIKE = "like.safetensors"
_FAILURE = "failure.txt"
_LONGEST_FAILURE = 2000  # characters
_CSV_BYTES = 100  # that Python takes for a byte of CSV, at worst: empty values


@dataclass(frozen=True)
class Run:
    """A run folder.

    Args:
        path: the folder.
        source: where its data came from.
        n_features: d.
        feature_names: names of the columns; empty for arrays and images.
        image_shape: (C, H, W) if the points are images.
        groups: where groups that obey a rule came from, if they were trained on.
        like: the earlier run whose numbers its clusters get, if there is one.
        plugins: what plug-ins brought to it.
    """

    path: Path
    source: Source
    n_features: int
    feature_names: tuple[str, ...]
    image_shape: tuple[int, int, int] | None
    groups: GroupSource | None = None
    like: str | None = None
    plugins: tuple[Plugin, ...] = ()

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
        overwrite: bool,
    ) -> Self:
        """Make a new run folder.

        Raises:
            RunError: if the folder holds something and is not to be overwritten, or is no run.
        """
        if _is_taken(path):
            if not overwrite:
                raise RunError(
                    f"{path}: exists already; choose another --out, or add --overwrite to lose it"
                )
            if not (path / "run.json").is_file():
                raise RunError(f"{path}: is not a run folder, so it is not overwritten")
            _clear(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{path}: cannot be made: {error.strerror}") from error
        groups = None if groups is None else groups.absolute()
        run = cls(
            path,
            source,
            dataset.x.shape[1],
            dataset.feature_names,
            dataset.image_shape,
            groups,
            None if like is None else like.name,
            _plugins(source, settings),
        )
        # Absolute, so that the run is found again from any folder.
        run._write_json(
            "run.json",
            {
                "format": _FORMAT,
                "source": asdict(source.absolute()),
                "n_features": run.n_features,
                "feature_names": list(run.feature_names),
                "image_shape": run.image_shape,
                "groups": None if groups is None else asdict(groups),
                "like": run.like,
                "plugins": [plugin._asdict() for plugin in run.plugins],
            },
        )
        if like is not None:
            run._write(_LIKE, lambda file: save_reference(like, file))
        run._write_text("settings.yaml", yaml.safe_dump(asdict(settings), sort_keys=False))
        return run

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a run folder.

        Raises:
            RunError: if it is none, or cannot be read.
        """
        if not path.is_dir():
            raise RunError(f"{path}: expected a run folder, as `gedi train` makes one; not found")
        file = path / "run.json"
        if not file.is_file():
            raise RunError(f"{path}: is not a run folder: it holds no run.json")
        try:
            check_within(path)
            facts = _facts(json_of(file))
        except (OSError, ValueError) as error:
            raise RunError(f"{file}: cannot be read: {error}") from error
        return cls(path, *facts)

    def require(self, *groups: Group) -> None:
        """Check that what plug-ins brought to the training is there.

        Args:
            groups: of entry points that matter now; without any, all of them.

        Raises:
            PluginError: naming the distribution to install.
        """
        refuse_missing(self.plugins, str(self.path), groups or GROUPS)

    def custom(self, dataset: Dataset) -> Custom:
        """What was brought to the training beside its settings.

        Raises:
            DataError: the groups cannot be read any more, or not with these data.
            RuleError: nor their rule.
            RunError: nor what an earlier model says of the data.
        """
        if self.like is not None:
            return Custom(like=load_reference(self.path / _LIKE, self.like, len(dataset.x)))
        if self.groups is None:
            return Custom()
        return Custom(groups=self.groups.read(dataset, self.settings().n_clusters))

    def settings(self) -> CompleteSettings:
        """The settings of the training, with nothing left open.

        Raises:
            RunError: if they cannot be read.
        """
        file = self.path / "settings.yaml"
        if not file.is_file():
            raise RunError(
                f"{file}: is missing, as when a training is killed before it began; train again "
                "with --overwrite"
            )
        try:
            settings = complete(from_dict(yaml_of(file)))
        except (OSError, ValueError) as error:  # a SettingsError as well
            reason = " ".join(str(error).split())
            raise RunError(f"{file}: cannot be read: {reason}") from error
        return settings

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
        """Write metrics.csv anew, as when a training goes on from an earlier point."""
        text = io.StringIO(newline="")
        if records:
            writer = csv.DictWriter(text, fieldnames=list(records[0]))
            writer.writeheader()
            writer.writerows(records)
        self._write_text("metrics.csv", text.getvalue())

    def history(self) -> dict[str, NDArray[np.float64]]:
        """Read metrics.csv: its columns by name, (records,); empty where nothing is recorded.

        Raises:
            RunError: if it cannot be read.
        """
        file = self.path / "metrics.csv"
        if not file.is_file():
            return {}
        try:
            refuse_special(file)
            check_room(_CSV_BYTES * file.stat().st_size, "what it may hold")
            text = file.read_text(encoding="utf-8")
            # A training that is killed may leave half a line.
            lines = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
            table = np.array([[float(value) for value in line] for line in lines[1:]], np.float64)
            columns = table.reshape(len(lines) - 1, len(lines[0])).T if lines[1:] else ()
        except (OSError, ValueError, csv.Error) as error:
            raise RunError(f"{file}: cannot be read: {error}") from error
        return dict(zip(lines[0] if lines else (), columns, strict=False))

    # --- checkpoints

    @property
    def checkpoints(self) -> Checkpoints:
        """Those of the training."""
        return Checkpoints(self.path / _CHECKPOINTS)

    # --- model

    def save_model(self, trained: TrainedModel) -> None:
        """Write model.safetensors."""
        self._write("model.safetensors", lambda file: save_trained(trained, file))

    def load_model(self) -> TrainedModel:
        """Read model.safetensors.

        Raises:
            RunError: if there is none, or it does not fit the settings.
            PluginError: if encoder or method are of a plug-in that is not there.
        """
        self.require("gedi.encoders", "gedi.methods")
        file = self.path / "model.safetensors"
        if not file.is_file():
            raise RunError(
                f"{self.path}: holds no model.safetensors yet; `gedi resume {self.path}` goes on"
            )
        return load_trained(file, self.settings(), self.image_shape or (self.n_features,))

    def recall(self, dataset: Dataset, *, seed: int) -> Reference:
        """What the model of this run says of other data, for a training to number clusters alike.

        Args:
            dataset: the data.
            seed: which of its points.

        Raises:
            DataError: if they are not what this run was trained on.
            RunError: if the model cannot be read.
        """
        if dataset.image_shape != self.image_shape:
            raise DataError(
                f"{self.path}: was trained on {_kind(self.image_shape)}, and {dataset.name} has "
                f"{_kind(dataset.image_shape)}, so clusters cannot keep their numbers"
            )
        return recall(
            self.load_model(),
            dataset.x,
            seed=seed,
            limit=self._energy_limit(),
            names=dataset.feature_names,
            known_names=self.feature_names,
            name=str(self.path),
        )

    def _energy_limit(self) -> float:
        """Beyond Tukey's fence of the energies of the training data, in nats.

        Raises:
            RunError: if result.json is damaged.
        """
        try:
            energies = self.result().get("energies", {}).get("data")
            if energies is None or not learns_density(self.settings()):
                return math.inf
            low, _, high = map(float, energies)
        except (AttributeError, TypeError, ValueError) as error:
            raise RunError(f"{self.path / 'result.json'}: is damaged: {error!r}") from error
        return high + 1.5 * (high - low)

    # --- result

    def save_result(self, result: dict[str, Any]) -> None:
        """Write result.json."""
        self._write_json("result.json", result)

    def result(self) -> dict[str, Any]:
        """Read result.json; empty where the training has not ended.

        Raises:
            RunError: if it cannot be read.
        """
        file = self.path / "result.json"
        if not file.is_file():
            return {}
        try:
            content: Any = json_of(file)
        except (OSError, ValueError) as error:
            raise RunError(f"{file}: cannot be read: {error}") from error
        if not isinstance(content, dict):
            raise RunError(f"{file}: cannot be read: expected names with values")
        return content

    def save_failure(self, reason: str) -> None:
        """Write why the training was given up."""
        self._write_text(_FAILURE, reason + "\n")

    def failure(self) -> str | None:
        """Why the training was given up; None if it was not, or has ended since.

        Raises:
            RunError: if it cannot be read.
        """
        file = self.path / _FAILURE
        if not file.is_file() or self.result():
            return None
        try:
            refuse_special(file)
            with file.open(encoding="utf-8") as stream:
                return stream.read(_LONGEST_FAILURE).strip()
        except (OSError, ValueError) as error:
            raise RunError(f"{file}: cannot be read: {error}") from error

    def new_data(
        self,
        path: str,
        label: str | None = None,
        *,
        split: str | None = None,
        skip_bad: bool = False,
        watch: Watch | None = None,
    ) -> Dataset:
        """Other data for the trained model: the columns, or the size, it was trained on.

        Raises:
            DataError: if they cannot be read, or have another number of features.
        """
        dataset = self.other_data(path, label, split=split, skip_bad=skip_bad, watch=watch)
        self._check_features(path, dataset.x.shape[1])
        return dataset

    def new_rows(self, path: str) -> Rows | None:
        """The rows of other data for the trained model, where they can be read some at a time.

        Returns:
            The rows; None where only `new_data` reads them: images, archives, built-in sets, and
            tables where the training was on points without names of columns.

        Raises:
            DataError: if they lack columns, or have another number of features.
        """
        rows = open_rows(path, self.feature_names)
        if rows is not None:
            self._check_features(path, rows.n_features)
        return rows

    def _check_features(self, path: str, n_features: int) -> None:
        if n_features != self.n_features:
            raise DataError(
                f"{path}: expected {self.n_features} features, as {self.path} was trained on, "
                f"got {n_features}"
            )

    def other_data(
        self,
        path: str,
        label: str | None = None,
        *,
        split: str | None = None,
        skip_bad: bool = False,
        watch: Watch | None = None,
    ) -> Dataset:
        """Data of any shape, read as those of the training were.

        Raises:
            DataError: if they cannot be read.
        """
        table = Path(path).suffix.lower() in {".csv", ".parquet"}
        features = self.feature_names if table and self.feature_names else None
        images = features is None and holds_images(path)
        source = Source(
            path,
            label=label,
            split=split,
            image_size=self.source.image_size if images else None,
            skip_bad=skip_bad,
            stream_above=self.source.stream_above,
        )
        return source.read(watch, features=features, min_rows=1)

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


def _kind(image_shape: tuple[int, int, int] | None) -> str:
    if image_shape is None:
        return "rows of numbers"
    return f"images of {' × '.join(map(str, image_shape))}"


def _is_taken(path: Path) -> bool:
    """Whether something is there already, beside what a killed training left before it began."""
    if not path.is_dir():
        return path.exists()
    return {file.name for file in path.iterdir()} - {partial_name("run.json")} != set()


def _plugins(source: Source, settings: Settings) -> tuple[Plugin, ...]:
    """Who brings what is not built in."""
    data = find("gedi.data", source.data) if is_plugged(source.data) else None
    return (*([] if data is None else [data]), *plugins_used(settings))


_Facts = tuple[
    Source,
    int,
    tuple[str, ...],
    tuple[int, int, int] | None,
    GroupSource | None,
    str | None,
    tuple[Plugin, ...],
]


def _facts(content: Any) -> _Facts:
    """What run.json holds: the source, features and shape of the data, groups, and more.

    In the order of the fields of `Run`.

    Raises:
        ValueError: for anything else than `Run.create` writes.
    """
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"expected names with values, and the format {_FORMAT}")
    source, d = Source.of_json(content.get("source")), content.get("n_features")
    names, shape = content.get("feature_names"), content.get("image_shape")
    if type(d) is not int or d < 1:
        raise ValueError("n_features: expected a whole number of at least 1")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("feature_names: expected a list of text")
    if names and len(names) != d:
        raise ValueError(f"feature_names: expected none or {d}, got {len(names)}")
    groups, like = _groups(content.get("groups")), content.get("like")
    if like is not None and not isinstance(like, str):
        raise ValueError("like: expected the path of an earlier run, as text")
    brought = plugins_of(content.get("plugins", []))
    if shape is None:
        return source, d, tuple(names), None, groups, like, brought
    whole = isinstance(shape, list) and all(type(side) is int and side > 0 for side in shape)
    if not whole or len(shape) != 3 or math.prod(shape) != d:
        raise ValueError(f"image_shape: expected three whole numbers whose product is {d}")
    image_shape = (shape[0], shape[1], shape[2])
    return source, d, tuple(names), image_shape, groups, like, brought


def _groups(content: Any) -> GroupSource | None:
    if content is None:
        return None
    texts = isinstance(content, dict) and all(
        isinstance(value, str) or (name == "outcome" and value is None)
        for name, value in content.items()
    )
    if not texts or content.keys() != {"groups", "rule", "outcome"}:
        raise ValueError("groups: expected texts as groups, rule and outcome")
    return GroupSource(**content)


def _clear(path: Path) -> None:
    """Remove what a run left, and nothing else.

    But for run.json, which is replaced: a folder that a kill leaves here is still a run's.
    """
    for name in (
        "settings.yaml",
        "metrics.csv",
        "model.safetensors",
        "result.json",
        "report.html",
        "features.safetensors",
        _LIKE,
        _FAILURE,
    ):
        (path / name).unlink(missing_ok=True)
    for file in Checkpoints(path / _CHECKPOINTS).files():
        file.unlink()
    for events in (path / "tensorboard").glob("events.out.tfevents.*"):
        events.unlink()

"""The model card of a run: a README.md as the Hugging Face hub shows it.

It follows from the run folder alone: the data are not read, and no row is quoted. Source of the
form: Mitchell et al., Model Cards for Model Reporting, FAccT 2019, and
https://huggingface.co/docs/hub/model-cards.
"""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

import yaml

import gedi
from gedi import phrases
from gedi.data.columns import Column
from gedi.errors import RunError
from gedi.model.image_outliers import ImageOutlierEnergy
from gedi.printable import printable
from gedi.report.summary import verdict
from gedi.runs import Run
from gedi.runs.diagnosis import diagnose
from gedi.runs.names import given_names
from gedi.training.trained import TrainedModel

__all__ = ["model_card"]

_MOST_COLUMNS, _MOST_CLUSTERS = 100, 100  # that tables list
_TAGS = ["clustering", "density-estimation", "outlier-detection", "energy-based-model"]
_TREATMENT = {
    "number": "as it is",
    "flag": "0 or 1",
    "date": "days since 1970-01-01, or hours of a time of the day",
    "drop": "left out",
}


def model_card(run: Run) -> str:
    """The card of a run that has ended, in Markdown with a header in YAML.

    Raises:
        RunError: if the training has not ended, or a file of the run cannot be read.
    """
    result = run.result()
    if not result:
        raise RunError(
            f"{run.path}: expected a training that has ended: continue it with "
            f"`gedi resume {run.path}`"
        )
    trained = run.load_model()
    try:
        parts = [
            _header(run),
            f"# {_plain(_name(run))}: {trained.n_clusters} clusters",
            f"A model that clusters {_points(run)}, scores how unusual they are, and generates new "
            f"ones; trained without labels by [GEDI](https://arxiv.org/abs/2401.00873), version "
            f"{gedi.__version__}.",
            *_data(run, result),
            *_clusters(run, result, trained),
            *_figures(run, result),
            *_uses(run, trained),
            *_limits(run, trained),
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{run.path / 'result.json'}: is damaged: {error!r}") from error
    return "\n\n".join(parts) + "\n"


def _header(run: Run) -> str:
    kind = "text" if run.has_texts else "image" if _holds_images(run) else "tabular"
    facts = {"library_name": "gedi", "tags": [*_TAGS, kind]}
    return f"---\n{yaml.safe_dump(facts, sort_keys=False)}---"


def _data(run: Run, result: dict[str, Any]) -> Iterator[str]:
    n = int(result.get("n_rows") or sum(result["cluster_sizes"]))
    sources = (run.source, *(() if run.growth is None else run.growth.sources))
    files = phrases.sentence_list(dict.fromkeys(_file(source.data) for source in sources))
    yield "## Data"
    made = ""
    if run.source.has_features:
        made = f", which the network {_plain(run.source.features)} made of them"
    elif run.image_shape is not None:
        made = f", {'×'.join(map(str, run.image_shape))} pixels"
    yield f"{_points(run).capitalize()} of {files}: {n:,}, with {run.n_features:,} features{made}."
    if run.columns is None or run.source.has_features:
        return
    rows = [
        (_plain(column.name), column.kind, _treatment(column))
        for column in run.columns.columns[:_MOST_COLUMNS]
    ]
    yield _table(("column", "kind", "treatment"), rows)
    if len(run.columns.columns) > _MOST_COLUMNS:
        yield f"{len(run.columns.columns) - _MOST_COLUMNS} more columns are not listed."


def _treatment(column: Column) -> str:
    """What is done with a column, without values of the data."""
    if column.kind == "category":
        pooled = ", rare ones together" if column.pooled else ""
        missing = "; a missing value is a level" if column.mark_missing else ""
        return f"{len(column.levels)} levels{pooled}{missing}"
    said = _TREATMENT[column.kind]
    if column.kind == "number" and column.percent:
        said = "a percentage, divided by 100"
    if column.fill is not None:
        said += "; a missing value becomes the median"
    return said + (", and a feature says so" if column.mark_missing else "")


def _clusters(run: Run, result: dict[str, Any], trained: TrainedModel) -> Iterator[str]:
    sizes, names = result["cluster_sizes"], given_names(run.path, trained.n_clusters)
    total = max(1, sum(sizes))
    rows = [
        (str(k), *([_plain(names[k])] if names else []), f"{size:,}", phrases.percent(size / total))
        for k, size in enumerate(sizes[:_MOST_CLUSTERS])
    ]
    yield "## Clusters"
    if run.number is not None:
        yield f"{_plain(run.number)}."
    if total < int(result.get("n_rows") or 0):
        yield f"In a sample of {total:,} {_points(run)}:"
    yield _table(("cluster", *(["name"] if names else []), "points", "share"), rows)
    if len(sizes) > _MOST_CLUSTERS:
        yield f"{len(sizes) - _MOST_CLUSTERS} more clusters are not listed."


def _figures(run: Run, result: dict[str, Any]) -> Iterator[str]:
    found = diagnose(run)
    judged = verdict(found.signs)
    name, value, *_, ticks = judged.trust
    rows = [(name, f"{value}; {ticks[0]} is best, doubtful from {ticks[2]} on")]
    if result.get("held_out") is not None:
        rows.append(("mean log-density of held-out points", f"{result['held_out']:.3f} nats"))
    rows += [(_plain(name), f"{value:.4f}") for name, value in result["metrics"].items()]
    trained = f"{found.method}, {found.iterations:,} iterations in {result['seconds']:.0f} s"
    yield "## Quality"
    yield f"**{judged.title}.** {judged.text}"
    yield _table(("figure", "value"), [*rows, ("training", trained)])
    others = [each for each in found.symptoms if str(each) != judged.text]
    if others:
        yield "\n".join(f"- {each.name}: {_plain(each.what)}" for each in others)


def _uses(run: Run, trained: TrainedModel) -> Iterator[str]:
    yield "## Use"
    folder = shlex.quote(printable(run.path.resolve().name))
    yield (
        f"```sh\ngedi predict {folder} new-data --out clusters.csv\n"
        f"gedi export {folder} --out model.onnx  # for programs without gedi\n```"
    )
    if trained.outliers is None:
        return
    yield (
        "`p_value` is the share of training points that are at least as unusual as a new one, and "
        "`confidence` says how sure its cluster is: below 0.5, it is not sure."
    )


def _limits(run: Run, trained: TrainedModel) -> Iterator[str]:
    yield "## What it must not be used for"
    limits = [
        "**Decisions about people without a person who checks them.** Clusters are groups of "
        "similar points. Nobody has given them a meaning, and they may follow a protected property "
        "or a way of measuring.",
        "**Points of another kind.** Probabilities and p-values hold for points like those of the "
        "training. A small p-value says that a point is unlike them, not that it is wrong, and a "
        "large one does not say that it is right.",
        "**Causes and forecasts.** The model describes its data; it knows neither causes nor what "
        "comes later. Train again when the data change.",
        "**Anonymous data.** Samples may resemble training points, and the file of the model holds "
        f"{_stored(run, trained)}. Whoever may not see the data must not get this file.",
    ]
    yield "\n".join(f"- {each}" for each in limits)


def _stored(run: Run, trained: TrainedModel) -> str:
    """What the file of the model holds of the data."""
    if trained.outliers is None or isinstance(trained.outliers, ImageOutlierEnergy):
        return "the last positions of chains, which resemble them too"
    tensors = trained.outliers.state_dict().items()
    n = sum(len(rows) for name, rows in tensors if name.endswith(".rows"))
    what = "features of up to" if run.source.has_features else "up to"
    return f"{what} {n:,} of these, to compare others with"


def _name(run: Run) -> str:
    return PurePath(_file(run.source.data)).name.partition(".")[0] or "data"


def _file(data: str) -> str:
    """The data without folders of this machine; names on a hub stay whole."""
    return _plain(data if "://" in data else PurePath(data).name)


def _points(run: Run) -> str:
    return "texts" if run.has_texts else "images" if _holds_images(run) else "rows of data"


def _holds_images(run: Run) -> bool:
    return run.image_shape is not None or (run.source.has_features and not run.has_texts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: object) -> str:
    """Text of the data on one line, in which nothing is markup."""
    line = " ".join(printable(str(text)).replace("`", "'").split())
    for mark in "\\|<>[]*_#":
        line = line.replace(mark, f"\\{mark}")
    return line

"""The inputs of `gedi train` and `gedi profile`: data, groups, earlier run and plan."""

from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

from jsonargparse import Namespace

from gedi.cli.first_process import notes_of_first
from gedi.cli.progress_bars import decoding_bar, features_bar
from gedi.cli.summaries import note_groups, note_reading, note_skipped, note_streamed
from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.errors import RunError, SettingsError
from gedi.evidence.group_files import GroupSource
from gedi.places import is_first_here
from gedi.runs import feature_cache
from gedi.settings import Settings, from_dict
from gedi.training.custom import Custom
from gedi.training.earlier import holds_run, recall_run
from gedi.training.memory import fits
from gedi.training.numbering import Reference
from gedi.training.plan import Plan, plan

__all__ = ["Inputs", "read_inputs"]


class Inputs(NamedTuple):
    """What a training is built from.

    Attributes:
        source: where the data come from.
        dataset: the data.
        groups: where the groups come from; None without groups.
        custom: what the training uses in addition to its settings.
        plan: the plan of the training, which fits in memory.
    """

    source: Source
    dataset: Dataset
    groups: GroupSource | None
    custom: Custom
    plan: Plan


def read_inputs(
    options: Namespace,
    devices: int = 1,
    nodes: int = 1,
    *,
    like: str | None = None,
    folder: Path | None = None,
) -> Inputs:
    """Read the data, plan the training, and check that it fits in memory.

    Args:
        options: the options of the command.
        devices: number of processes on each machine.
        nodes: number of machines.
        like: the folder of an earlier run, whose cluster numbers are kept.
        folder: the folder of the run, where features of texts and images are kept.

    Raises:
        GediError: if options, settings or data are not valid.
    """
    tree = options.as_dict()
    settings = from_dict({field.name: tree[field.name] for field in fields(Settings)})
    source = Source.of_options(tree, settings.seed)
    with notes_of_first(devices, nodes):
        with decoding_bar() as watch, features_bar() as watch_features:
            cache = None if folder is None else feature_cache(folder, watch_features)
            dataset = source.read(watch, cache=cache)
        note_skipped(dataset)
        note_reading(dataset)
        note_streamed(dataset)
        groups = _groups(options)
        if options.streaming and groups is not None:
            raise SettingsError(
                "--groups: not possible with --streaming, as groups refer to row numbers: leave "
                "out one of the two"
            )
        custom = _custom(groups, dataset, settings)
        if like is not None:
            # Read now, since this run may overwrite the earlier one.
            custom = replace(custom, like=_reference(Path(like), dataset, settings.seed))
    planned = plan(dataset, settings, custom, devices=devices, nodes=nodes, begun=options.begun)
    if is_first_here(planned.n_processes):
        fits(planned)
    return Inputs(source, dataset, groups, custom, planned)


def _reference(path: Path, dataset: Dataset, seed: int) -> Reference:
    if not holds_run(path):
        raise RunError(f"--like: {path}: expected a run folder, as written by `gedi train`")
    return recall_run(path, dataset, seed=seed)


def _groups(options: Namespace) -> GroupSource | None:
    if options.groups is None:
        for name in ("rule", "outcome"):
            if options[name] is not None:
                raise SettingsError(
                    f"--{name}: needs a table of groups: add --groups, or leave it out"
                )
        return None
    if options.rule is None:
        raise SettingsError(
            '--groups: expected the rule that they obey, such as --rule "a + b == s" --outcome s'
        )
    return GroupSource(options.groups, options.rule, options.outcome)


def _custom(groups: GroupSource | None, dataset: Dataset, settings: Settings) -> Custom:
    if groups is None:
        return Custom()
    n_clusters = settings.n_clusters or dataset.n_classes
    if not isinstance(n_clusters, int):
        raise SettingsError(
            "--n-clusters: expected the number of values of each symbol of the rule, such as 10 "
            "for digits"
        )
    found = groups.read(dataset, n_clusters)
    note_groups(groups, found)
    return Custom(groups=found)

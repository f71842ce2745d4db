"""What `gedi train` and `gedi profile` start from: data, settings, and groups under a rule."""

from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

from jsonargparse import Namespace

from gedi.cli.crew import notes_of_first
from gedi.cli.decoding import decoding_shown
from gedi.cli.telling import tell_groups, tell_skipped, tell_streamed
from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.errors import SettingsError
from gedi.evidence.group_files import GroupSource
from gedi.places import is_first_here
from gedi.runs import Run
from gedi.settings import Settings, from_dict
from gedi.training.custom import Custom
from gedi.training.memory import fits
from gedi.training.plan import Plan, plan

__all__ = ["Start", "started"]


class Start(NamedTuple):
    """A training that is about to begin.

    Attributes:
        source: where the data come from.
        dataset: the data.
        groups: where groups under a rule come from, if there are some.
        custom: what is brought to the training besides its settings.
        plan: of the training, which fits in memory.
    """

    source: Source
    dataset: Dataset
    groups: GroupSource | None
    custom: Custom
    plan: Plan


def started(
    options: Namespace, devices: int = 1, nodes: int = 1, *, like: str | None = None
) -> Start:
    """Read the data, plan the training of these options, and see that it fits in memory.

    Args:
        options: of the command.
        devices: processes on each machine.
        nodes: machines.
        like: the folder of an earlier run whose numbers clusters get.

    Raises:
        GediError: for options, settings or data that cannot be trained with.
    """
    tree = options.as_dict()
    settings = from_dict({field.name: tree[field.name] for field in fields(Settings)})
    source = Source.of_options(tree, settings.seed)
    with notes_of_first(devices, nodes):
        with decoding_shown() as watch:
            dataset = source.read(watch)
        tell_skipped(dataset)
        tell_streamed(dataset)
        groups = _groups(options)
        if options.streaming and groups is not None:
            raise SettingsError("--groups: refer to rows by their places, which a stream has not")
        custom = _custom(groups, dataset, settings)
        if like is not None:
            # Now, as the earlier run may be overwritten by this one.
            reference = Run.open(Path(like)).recall(dataset, seed=settings.seed)
            custom = replace(custom, like=reference)
    planned = plan(dataset, settings, custom, devices=devices, nodes=nodes)
    if is_first_here(planned.n_processes):
        fits(planned)
    return Start(source, dataset, groups, custom, planned)


def _groups(options: Namespace) -> GroupSource | None:
    if options.groups is None:
        for name in ("rule", "outcome"):
            if options[name] is not None:
                raise SettingsError(f"--{name}: is for --groups, a table of groups; give one")
        return None
    if options.rule is None:
        raise SettingsError(
            '--groups: expected a --rule that they obey, such as --rule "a + b == s" --outcome s'
        )
    return GroupSource(options.groups, options.rule, options.outcome)


def _custom(groups: GroupSource | None, dataset: Dataset, settings: Settings) -> Custom:
    if groups is None:
        return Custom()
    n_clusters = settings.n_clusters or dataset.n_classes
    if n_clusters is None:
        raise SettingsError("--n-clusters: expected how many values the symbols of the rule have")
    found = groups.read(dataset, n_clusters)
    tell_groups(groups, found)
    return Custom(groups=found)

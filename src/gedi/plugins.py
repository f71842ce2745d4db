"""Plug-ins: encoders, views, methods and data of other distributions, by entry point.

    [project.entry-points."gedi.encoders"]
    wave = "gedi_waves:WaveNet"

Names that are built in are never looked up, so that nothing is searched, let alone imported, until
a name is met that is not. What an entry point names is called as docs/plugins.md says.
"""

import difflib
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, NamedTuple, get_args

from gedi.errors import PluginError

__all__ = ["GROUPS", "Group", "Plugin", "find", "installed", "load", "plugins_of", "refuse_missing"]

Group = Literal["gedi.encoders", "gedi.views", "gedi.methods", "gedi.data"]
GROUPS: tuple[Group, ...] = get_args(Group)

_WORDS: dict[Group, str] = {
    "gedi.encoders": "encoder",
    "gedi.views": "view",
    "gedi.methods": "method",
    "gedi.data": "data set",
}


class Plugin(NamedTuple):
    """Who brings a name.

    Attributes:
        group: of entry points.
        name: within the group.
        distribution: what to install.
        version: of the distribution.
    """

    group: Group
    name: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"the {_WORDS[self.group]} {self.name!r} of {self.distribution} {self.version}"


def installed(group: Group) -> tuple[str, ...]:
    """The names that installed distributions bring, sorted."""
    return tuple(sorted(entry_points(group=group).names))


def find(group: Group, name: str) -> Plugin | None:
    """Who brings a name; None where nobody does.

    Raises:
        PluginError: if several distributions do.
    """
    point = _point(group, name)
    return None if point is None else _plugin(group, point)


def load(group: Group, name: str, *, built_in: Sequence[str] = (), setting: str) -> Any:
    """What an entry point names, imported.

    Args:
        group: of entry points.
        name: within the group.
        built_in: names that need no plug-in, for the message.
        setting: where the name comes from, for the message.

    Raises:
        PluginError: if no distribution, or more than one, brings the name, with those that are
            alike; or if the import fails, with the distribution.
    """
    point = _point(group, name)
    if point is None:
        raise PluginError(_unknown(group, name, built_in, setting))
    try:
        return point.load()
    except Exception as error:
        raise PluginError(
            f"{setting}: {_plugin(group, point)} cannot be loaded from {point.value}: "
            f"{type(error).__name__}: {' '.join(str(error).split())}; mend or update it, or "
            "uninstall it"
        ) from error


def plugins_of(content: Any) -> tuple[Plugin, ...]:
    """From a list of plain names and values, as `Plugin._asdict` gives them.

    Raises:
        ValueError: for anything else.
    """
    fits = isinstance(content, list) and all(
        isinstance(each, dict)
        and each.keys() == set(Plugin._fields)
        and all(isinstance(value, str) for value in each.values())
        and each["group"] in GROUPS
        for each in content
    )
    if not fits:
        raise ValueError(f"plugins: expected a list of texts as {', '.join(Plugin._fields)}")
    return tuple(Plugin(**each) for each in content)


def refuse_missing(used: Iterable[Plugin], trained: str, groups: Sequence[Group] = GROUPS) -> None:
    """Check that what was used in a training is still there.

    Args:
        used: as `find` told then.
        trained: what was trained, for the message.
        groups: those that matter now.

    Raises:
        PluginError: naming the distribution to install.
    """
    for plugin in used:
        if plugin.group in groups and find(plugin.group, plugin.name) is None:
            raise PluginError(
                f"{trained}: was trained with {plugin}, which is not installed: install "
                f"{plugin.distribution}"
            )


def _point(group: Group, name: str) -> EntryPoint | None:
    found = tuple(entry_points(group=group, name=name))
    if len(found) > 1:
        owners = " and ".join(sorted(_plugin(group, each).distribution for each in found))
        raise PluginError(
            f"the {_WORDS[group]} {name!r} is brought by {owners}: uninstall all but one"
        )
    return found[0] if found else None


def _plugin(group: Group, point: EntryPoint) -> Plugin:
    owner = point.dist
    assert owner is not None  # entry points of `entry_points()` have one
    return Plugin(group, point.name, owner.name, owner.version)


def _unknown(group: Group, name: str, built_in: Sequence[str], setting: str) -> str:
    plugged = installed(group)
    close = difflib.get_close_matches(name, [*built_in, *plugged], n=1)
    word = _WORDS[group]
    ours = f"one of {', '.join(built_in)}, or " if built_in else ""
    theirs = f"({', '.join(plugged)})" if plugged else "(none is installed)"
    hint = f": did you mean {close[0]!r}?" if close else ""
    return f"{setting}: expected {ours}the {word} of a plug-in {theirs}, got {name!r}{hint}"

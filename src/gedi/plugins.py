"""Plug-ins: encoders, views, methods and data from other distributions, found by entry points.

    [project.entry-points."gedi.encoders"]
    wave = "gedi_waves:WaveNet"

Built-in names are never looked up, so entry points are searched, and plug-ins imported, only when
another name is used. docs/plugins.md says how each kind of entry point is called.
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
    """An entry point and the distribution that provides it.

    Attributes:
        group: the group of entry points.
        name: the name within the group.
        distribution: the name of the distribution, which can be installed.
        version: the version of the distribution.
    """

    group: Group
    name: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"the {_WORDS[self.group]} {self.name!r} of {self.distribution} {self.version}"


def installed(group: Group) -> tuple[str, ...]:
    """The names that installed distributions provide in a group, sorted."""
    return tuple(sorted(entry_points(group=group).names))


def find(group: Group, name: str) -> Plugin | None:
    """The plug-in of a name; None if no distribution provides it.

    Raises:
        PluginError: if several distributions provide the name.
    """
    point = _point(group, name)
    return None if point is None else _plugin(group, point)


def load(group: Group, name: str, *, built_in: Sequence[str] = (), setting: str) -> Any:
    """Import the object that an entry point refers to.

    Args:
        group: the group of entry points.
        name: the name within the group.
        built_in: names that need no plug-in, for the error message.
        setting: the setting that holds the name, for the error message.

    Raises:
        PluginError: if no distribution provides the name (the message suggests a similar one), if
            several do, or if the import fails.
    """
    point = _point(group, name)
    if point is None:
        raise PluginError(_unknown(group, name, built_in, setting))
    try:
        return point.load()
    except Exception as error:
        raise PluginError(
            f"{setting}: {_plugin(group, point)} cannot be loaded from {point.value}: "
            f"{type(error).__name__}: {' '.join(str(error).split())}; repair, update or uninstall "
            "it"
        ) from error


def plugins_of(content: Any) -> tuple[Plugin, ...]:
    """Plug-ins from a list of dictionaries, as `Plugin._asdict` returns them.

    Raises:
        ValueError: if the content is anything else.
    """
    fits = isinstance(content, list) and all(
        isinstance(each, dict)
        and each.keys() == set(Plugin._fields)
        and all(isinstance(value, str) for value in each.values())
        and each["group"] in GROUPS
        for each in content
    )
    if not fits:
        raise ValueError(
            f"plugins: expected a list of entries with the texts {', '.join(Plugin._fields)}"
        )
    return tuple(Plugin(**each) for each in content)


def refuse_missing(used: Iterable[Plugin], trained: str, groups: Sequence[Group] = GROUPS) -> None:
    """Check that the plug-ins of a training are still installed.

    Args:
        used: the plug-ins of the training, from `find`.
        trained: what was trained, for the error message.
        groups: the groups that are needed now; plug-ins of other groups are not checked.

    Raises:
        PluginError: if one is missing; the message names the distribution to install.
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
            f"the {_WORDS[group]} {name!r} is provided by {owners}: uninstall all but one"
        )
    return found[0] if found else None


def _plugin(group: Group, point: EntryPoint) -> Plugin:
    owner = point.dist
    assert owner is not None  # always set for results of `entry_points()`
    return Plugin(group, point.name, owner.name, owner.version)


def _unknown(group: Group, name: str, built_in: Sequence[str], setting: str) -> str:
    plugged = installed(group)
    close = difflib.get_close_matches(name, [*built_in, *plugged], n=1)
    word = _WORDS[group]
    ours = f"one of {', '.join(built_in)}, or " if built_in else ""
    theirs = f"({', '.join(plugged)})" if plugged else "(none is installed)"
    hint = f": did you mean {close[0]!r}?" if close else ""
    return f"{setting}: expected {ours}the {word} of a plug-in {theirs}, got {name!r}{hint}"

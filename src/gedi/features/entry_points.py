"""Functions of other packages by the name of their module and their own."""

from importlib import import_module
from typing import Any

from gedi.errors import GediError
from gedi.printable import reason

__all__ = ["imported", "is_entry_point"]


def is_entry_point(name: str) -> bool:
    """Whether a name has the form package.module:function."""
    module, colon, function = name.partition(":")
    return bool(colon) and all(
        part.isidentifier() for part in (*module.split("."), *function.split("."))
    )


def imported(name: str, option: str) -> Any:
    """What package.module:function names.

    Args:
        name: the name.
        option: the option or argument that gave it, for errors.

    Raises:
        GediError: if it cannot be imported.
    """
    home, _, attribute = name.partition(":")
    try:
        found: Any = import_module(home)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise GediError(
            f"{option}: {name} cannot be imported ({reason(error)}): expected "
            "package.module:function of an installed package"
        ) from error
    return found

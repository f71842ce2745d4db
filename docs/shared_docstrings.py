"""The site shows docstrings as `help` does, with what estimators share written out."""

import inspect
from typing import Any

import griffe

__all__ = ["SharedDocstrings"]


class SharedDocstrings(griffe.Extension):
    """Takes the docstrings of estimators from the classes themselves."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Replace the docstring of a class that has an entry of another class in it."""
        if cls.docstring is not None and "...: those of" in cls.docstring.value:
            cls.docstring.value = inspect.getdoc(griffe.dynamic_import(cls.path)) or ""

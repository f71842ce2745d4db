"""Errors that the user can correct: what was expected, what was found, and what to do.

The command line prints their messages in one line and exits with 2. Any other exception is a bug
in GEDI and keeps its traceback.
"""

__all__ = [
    "DataError",
    "DivergenceError",
    "GediError",
    "NormalizerWarning",
    "PluginError",
    "RuleError",
    "RunError",
    "SettingsError",
]


class GediError(ValueError):
    """Base of all errors that the user can correct."""


class DataError(GediError):
    """The data cannot be read or cannot be trained on."""


class SettingsError(GediError):
    """A setting is unknown, out of range, or contradicts another."""


class PluginError(SettingsError):
    """A plug-in is not installed, or cannot be loaded."""


class RuleError(GediError):
    """A rule cannot be compiled, or does not apply to the symbols or outcomes that are given."""


class DivergenceError(GediError):
    """A training still diverges after all cures."""


class RunError(GediError):
    """A run folder is missing, incomplete, or would be overwritten."""


class NormalizerWarning(UserWarning):
    """The normalising constant of a density is unreliable."""

"""The user's mistakes, worded: what was expected, what came, what to do.

Every error here is the caller's to fix. The command line prints its message in one line and
exits with 2; any other exception is a fault of ours and keeps its traceback.
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
    """Base of all errors that the user can mend."""


class DataError(GediError):
    """The data cannot be read or cannot be trained on."""


class SettingsError(GediError):
    """A setting is unknown, out of range, or contradicts another."""


class PluginError(SettingsError):
    """A plug-in is not installed, or cannot be loaded."""


class RuleError(GediError):
    """A rule cannot be compiled, or is asked about what it does not speak of."""


class DivergenceError(GediError):
    """A training diverged again and again, whatever was done against it."""


class RunError(GediError):
    """A run folder is missing, incomplete, or would be overwritten."""


class NormalizerWarning(UserWarning):
    """The normalising constant of a density is not to be trusted."""

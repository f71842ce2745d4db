"""`gedi completion`."""

from jsonargparse import Namespace

from gedi.cli.parser import build_parser
from gedi.errors import GediError

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Print a script with which a shell completes commands and options."""
    try:
        import shtab  # noqa: PLC0415
    except ImportError as error:
        raise GediError(
            "completion needs the package shtab, which is not installed: pip install "
            "'gedi[completion]'"
        ) from error
    print(shtab.complete(build_parser(), shell=options.shell))
    return 0

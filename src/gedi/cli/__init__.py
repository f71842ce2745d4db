"""The command line `gedi`: thin subcommands over what a Python user would call."""

import errno
import sys
from collections.abc import Sequence

from gedi.errors import GediError
from gedi.places import label
from gedi.printable import printable

__all__ = ["main"]

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the user's to mend, wherever it happens


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for the user's mistakes, 130 for Ctrl-C."""
    from gedi.cli.parser import parse  # noqa: PLC0415 - keeps `import gedi.cli` free of it

    try:
        command, options = parse(arguments)
        return command(options)
    except GediError as error:
        print(f"gedi: error: {label()}{printable(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        place = "" if error.filename is None else f"{error.filename}: "
        print(f"gedi: error: {printable(place)}{error.strerror}: make room", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gedi: interrupted", file=sys.stderr)
        return 130

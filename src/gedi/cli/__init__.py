"""The command line `gedi`: each subcommand calls what a user of the library would call."""

import errno
import sys
from collections.abc import Sequence

from gedi.errors import GediError
from gedi.places import label
from gedi.printable import printable

__all__ = ["main"]

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the user can make room, so no traceback


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    The code is 0 if all went well, 2 for an error that the user can correct, 130 after Ctrl-C.
    """
    from gedi.cli.parser import parse  # noqa: PLC0415 - `import gedi.cli` should stay fast

    try:
        command, options = parse(arguments)
        return command(options)
    except GediError as error:
        print(f"gedi: error: {label()}{printable(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        place = "" if error.filename is None else f"{error.filename}: "
        print(f"gedi: error: {printable(place)}{error.strerror}: make room", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gedi: interrupted", file=sys.stderr)
        return 130

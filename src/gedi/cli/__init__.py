"""The command line `gedi`: each subcommand calls what a user of the library would call."""

import errno
import os
import sys
import time
from collections.abc import Sequence

from gedi.errors import GediError
from gedi.places import label
from gedi.printable import printable

__all__ = ["main"]

# Errors of the system that the user can correct, so no traceback; and how.
_ADVICE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "make room",
    errno.EACCES: "change its permissions, or choose another place",
    errno.EPERM: "change its permissions, or choose another place",
    errno.EROFS: "choose a place that can be written to",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    The code is 0 if all went well, 2 for an error that the user can correct, 130 after Ctrl-C.
    """
    begun = time.perf_counter()
    from gedi.cli.parser import parse  # noqa: PLC0415 - `import gedi.cli` should stay fast

    try:
        command, options = parse(arguments)
        options.begun = begun  # from which `max_time` counts
        code = command(options)
        sys.stdout.flush()
        return code
    except GediError as error:
        print(f"gedi: error: {label()}{printable(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output has ended, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in _ADVICE:
            raise
        place = "" if error.filename is None else f"{error.filename}: "
        reason = f"{error.strerror}: {_ADVICE[error.errno]}"
        print(f"gedi: error: {printable(place)}{reason}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gedi: interrupted", file=sys.stderr)
        return 130

"""Files from anywhere: what a file claims is compared with what is there, before it costs memory.

A file may claim more than the memory holds, contain itself without end, or be no regular file at
all. Each function here refuses one such thing in bounded time and memory; its callers add which
file it was. `gedi.untrusted.arrays` and `gedi.untrusted.tables` do this for arrays and tables.
"""

from gedi.untrusted.limits import (
    MOST_COLUMNS,
    RefusedError,
    check_room,
    check_within,
    most_bytes,
    refuse_special,
)
from gedi.untrusted.text import DAMAGED, check_format, json_object, json_of, readable, yaml_of

__all__ = [
    "DAMAGED",
    "MOST_COLUMNS",
    "RefusedError",
    "check_format",
    "check_room",
    "check_within",
    "json_object",
    "json_of",
    "most_bytes",
    "readable",
    "refuse_special",
    "yaml_of",
]

"""The memory that is available to this process, as reported by the system."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

__all__ = ["Free", "free_memory", "free_on_cpu", "resident"]

_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# For cgroup versions 2 and 1: the folder, the files with the limit and the usage, and the entry of
# memory.stat for the cached pages that the kernel can reclaim.
_VERSIONS = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


class Free(NamedTuple):
    """Memory that can still be allocated.

    Attributes:
        bytes: the number of bytes.
        of: what has this memory, in words for messages.
    """

    bytes: int
    of: str


def free_memory(device: "torch.device") -> Free | None:
    """The memory that a training can use on a device; None if the system does not report it."""
    if device.type == "cuda":
        import torch  # noqa: PLC0415 - readers of files call this too, and need no torch

        return Free(torch.cuda.mem_get_info(device)[0], f"the device {device}")
    return free_on_cpu()


def free_on_cpu(proc: Path = _PROC, groups: Path = _GROUPS) -> Free | None:
    """The smallest amount of memory that the machine, the control group and the process have left.

    These are the memory that Linux counts as available, what remains of the limits of the process's
    control group and of those above it, and what remains of `ulimit -v`. The result is None if the
    system reports none of them.
    """
    found = (_of_machine(proc), _of_groups(proc, groups), _of_process(proc))
    return min((free for free in found if free is not None), default=None)


def resident(proc: Path = _PROC) -> int | None:
    """The resident memory of this process in bytes; None if the system does not report it."""
    found = _figures(proc / "self" / "status").get("VmRSS:")
    return None if found is None else 1024 * found


def _of_machine(proc: Path) -> Free | None:
    available = _figures(proc / "meminfo").get("MemAvailable:")
    return None if available is None else Free(1024 * available, "this machine")


def _of_process(proc: Path) -> Free | None:
    if sys.platform == "win32":  # has no such limits
        return None
    import resource  # noqa: PLC0415

    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return None
    pages = _text(proc / "self" / "statm").split()
    taken = int(pages[0]) * resource.getpagesize() if pages else 0
    return Free(max(0, most - taken), "the limit of this process (ulimit -v)")


def _of_groups(proc: Path, groups: Path) -> Free | None:
    """The smallest amount that the control groups of this process, at any level, have left."""
    found = []
    for folder, limit_name, used_name, inactive in _VERSIONS:
        root = groups / folder
        place = root / _group(proc, folder).lstrip("/")
        # In a container the path of the group may not exist; the root is then the group.
        for group in (place, *place.parents):
            limit, used = _number(group / limit_name), _number(group / used_name)
            if limit is not None and used is not None:
                cached = _figures(group / "memory.stat").get(inactive, 0)
                left = max(0, limit - used + cached)
                found.append(Free(left, "the control group of this process"))
            if group == root:
                break
    return min(found, default=None)


def _group(proc: Path, controller: str) -> str:
    """The path of this process's control group; the controller is empty for version 2."""
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return "/"


def _figures(file: Path) -> dict[str, int]:
    """Parse lines that hold a name and a number."""
    parts = [line.split() for line in _text(file).splitlines()]
    return {part[0]: int(part[1]) for part in parts if len(part) > 1 and part[1].isdecimal()}


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdecimal() else None  # the text is "max" without a limit


def _text(file: Path) -> str:
    """The content of a file; empty if the file is missing or cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""

"""How much memory there is for this process, as the system tells it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

__all__ = ["Free", "free_memory", "free_on_cpu", "resident"]

_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# Files of the limit, of what is used, and of figures with what may be taken back; version 2, 1.
_VERSIONS = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


class Free(NamedTuple):
    """Memory that may still be taken.

    Attributes:
        bytes: how much.
        of: words for what has it.
    """

    bytes: int
    of: str


def free_memory(device: "torch.device") -> Free | None:
    """The memory that is free for a training on a device; None where the system does not tell.

    Args:
        device: cpu or cuda.
    """
    if device.type == "cuda":
        import torch  # noqa: PLC0415 - readers of files ask as well, and need no torch

        return Free(torch.cuda.mem_get_info(device)[0], f"the device {device}")
    return free_on_cpu()


def free_on_cpu(proc: Path = _PROC, groups: Path = _GROUPS) -> Free | None:
    """The least of what the machine, the control group and the process have left.

    That is what Linux counts as available; what the control group of the process, or one above it,
    leaves of its limit; and what `ulimit -v` leaves. None where the system does not tell.

    Args:
        proc: where Linux tells of memory.
        groups: where it tells of control groups.
    """
    found = (_of_machine(proc), _of_groups(proc, groups), _of_process(proc))
    return min((free for free in found if free is not None), default=None)


def resident(proc: Path = _PROC) -> int | None:
    """Bytes of memory that this process has now; None where the system does not tell."""
    found = _figures(proc / "self" / "status").get("VmRSS:")
    return None if found is None else 1024 * found


def _of_machine(proc: Path) -> Free | None:
    available = _figures(proc / "meminfo").get("MemAvailable:")
    return None if available is None else Free(1024 * available, "this machine")


def _of_process(proc: Path) -> Free | None:
    if sys.platform == "win32":  # which has no such limits
        return None
    import resource  # noqa: PLC0415

    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return None
    pages = _text(proc / "self" / "statm").split()
    taken = int(pages[0]) * resource.getpagesize() if pages else 0
    return Free(max(0, most - taken), "the limit of this process (ulimit -v)")


def _of_groups(proc: Path, groups: Path) -> Free | None:
    """The least that the group of this process, and those above it, leave."""
    found = []
    for folder, limit_name, used_name, inactive in _VERSIONS:
        root = groups / folder
        place = root / _group(proc, folder).lstrip("/")
        # In a container the group's own path may not be there, and its root is the group.
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
    """The path of this process's group; that of version 2 has no controller."""
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return "/"


def _figures(file: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    parts = [line.split() for line in _text(file).splitlines()]
    return {part[0]: int(part[1]) for part in parts if len(part) > 1 and part[1].isdecimal()}


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdecimal() else None  # "max" where there is no limit


def _text(file: Path) -> str:
    """What is in a file; nothing where it is not there, or not for us."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""

"""The number of this process among those of a training, from its environment variables.

They are known before the processes are connected.
"""

import os

__all__ = ["is_first", "is_first_here", "label"]

_EVERYWHERE = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")
_HERE = ("LOCAL_RANK", "SLURM_LOCALID")


def is_first(n_processes: int) -> bool:
    """Whether this is the first process of all, the only one that prints and writes files."""
    return n_processes == 1 or _are_zero(_EVERYWHERE)


def is_first_here(n_processes: int) -> bool:
    """Whether this is the first process on its machine."""
    return n_processes == 1 or _are_zero(_HERE)


def label() -> str:
    """The prefix of this process's messages; empty for the first process."""
    for name in ("RANK", "LOCAL_RANK"):
        place = os.environ.get(name, "0")
        if place != "0":
            return f"process {place}: "
    return ""


def _are_zero(names: tuple[str, ...]) -> bool:
    return all(os.environ.get(name, "0") == "0" for name in names)

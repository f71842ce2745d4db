"""The machine on which a figure was measured."""

import os
import platform
from datetime import date

import torch

import gedi

__all__ = ["hardware", "provenance"]


def hardware() -> str:
    """One line that describes the machine."""
    device = f"{torch.cuda.get_device_name()}, " if torch.cuda.is_available() else ""
    return (
        f"{device}{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}, torch {torch.__version__}, gedi {gedi.__version__}"
    )


def provenance() -> dict[str, str]:
    """The machine and the day of a measurement: "hardware" and "date"."""
    return {"hardware": hardware(), "date": date.today().isoformat()}

"""`gedi doctor`."""

import os
import platform
import shlex
from pathlib import Path

from jsonargparse import Namespace

import gedi
from gedi.free_memory import free_on_cpu
from gedi.installed import CORE, EXTRAS, version_of
from gedi.printable import printable

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Print what is installed, or what is wrong with a run."""
    if options.folder is None:
        _print_machine()
    else:
        _print_run(Path(options.folder))
    return 0


def _print_machine() -> None:
    """Devices come last, since finding them takes seconds."""
    _line("gedi", gedi.__version__)
    _line("python", f"{platform.python_version()}, {platform.system()} {platform.machine()}")
    for package in CORE:
        _line(package, version_of(package) or f"missing: pip install {package}")
    free = free_on_cpu()
    known = "unknown" if free is None else f"{_gibibytes(free.bytes)} free, of {free.of}"
    _line("memory", known)
    for extra in EXTRAS:
        missing = extra.missing
        needs = f"missing ({', '.join(missing)}): pip install 'gedi[{extra.name}]'"
        _line(extra.name, f"{needs if missing else 'installed'}; {extra.purpose}")
    _print_devices()


def _print_devices() -> None:
    try:
        import torch  # noqa: PLC0415 - takes seconds
    except ImportError as error:
        _line("devices", f"torch cannot be imported: {error}")
        return
    _line("CPU", f"{os.cpu_count()} cores, of which torch uses {torch.get_num_threads()}")
    if not torch.cuda.is_available():
        built = "this torch is built without it" if torch.version.cuda is None else "no device"
        _line("CUDA", f"none: {built}")
    for number in range(torch.cuda.device_count()):
        left, total = torch.cuda.mem_get_info(number)
        name = torch.cuda.get_device_name(number)
        _line(f"cuda:{number}", f"{name}, {_gibibytes(left)} of {_gibibytes(total)} free")


def _line(name: str, words: str) -> None:
    print(f"{name:17} {printable(words)}", flush=True)


def _gibibytes(n: int) -> str:
    return f"{n / 2**30:.1f} GiB"


def _print_run(path: Path) -> None:
    from gedi.report.content import ENDINGS  # noqa: PLC0415
    from gedi.runs import Run  # noqa: PLC0415
    from gedi.runs.diagnosis import diagnose  # noqa: PLC0415 - imports torch

    found = diagnose(Run.open(path))
    how = f"continue with: gedi resume {shlex.quote(str(path))}"
    if found.ended == "diverged":
        how = "stopped, because it diverged"
    elif found.ended is not None:
        how = f"ended, because {ENDINGS.get(found.ended, found.ended)}"
    print(f"{found.method}, {found.iterations:,} iterations; {printable(how)}")
    for symptom in found.symptoms:
        print(f"\n- {symptom.name}")
        print(f"  {_shown(symptom.what)}")
        print(f"  change: {_shown(symptom.change)}")
        print(f"  look at: {symptom.look}")
    if not found.symptoms:
        print(
            "\nNothing wrong was found, as far as this can be checked without labels. A small gap "
            "is necessary but not sufficient: look at the clusters in report.html."
        )


def _shown(text: str) -> str:
    return printable(text.replace("\N{NO-BREAK SPACE}", " "))

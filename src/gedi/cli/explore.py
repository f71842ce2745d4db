"""`gedi explore`."""

import threading
import time
import webbrowser
from importlib.util import find_spec
from pathlib import Path

from jsonargparse import Namespace

from gedi.errors import GediError, SettingsError
from gedi.runs import Run

__all__ = ["await_computations", "run"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WORKER = "AnyIO worker thread"  # the name of the threads that compute for pages
_PATIENCE = 10.0  # seconds that a computation has to end


def run(options: Namespace) -> int:
    """Serve the page until Ctrl-C."""
    if find_spec("gradio") is None:
        raise GediError(
            "the explorer needs the package gradio, which is not installed: pip install "
            "'gedi[explore]'"
        )
    if options.port is not None and not 0 < options.port < 2**16:
        raise SettingsError(f"--port: expected a port from 1 to 65535, got {options.port}")
    run = Run.open(Path(options.folder))
    other = None if options.against is None else Run.open(Path(options.against))
    from gedi.explorer.app import page_of, serve  # noqa: PLC0415 - an extra, and slow to import

    print(f"{run.path}: reading the data and computing predictions", flush=True)
    page = page_of(run, other)
    try:
        address = serve(page, options.host, options.port)
    except OSError as error:
        raise SettingsError(
            f"{options.host}, port {options.port or 'any'}: {error}; choose another --port"
        ) from error
    if options.host not in _LOOPBACK:
        print(
            f"note: there is no password: everyone who can reach {options.host} can see these data "
            "and change names"
        )
    print(f"{address} (stop with Ctrl-C)", flush=True)
    if not options.no_browser:
        webbrowser.open(address)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        page.close(verbose=False)
        await_computations(_PATIENCE)
    return 0


def await_computations(seconds: float) -> None:
    """Wait until no thread computes for a page, at most so many seconds.

    These threads are daemons: Python would stop them within torch, which aborts the process.
    """
    end = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.name == _WORKER:
            thread.join(max(0.0, end - time.monotonic()))

"""The end of `gedi explore`."""

import threading
import time

import anyio
import anyio.to_thread

from gedi.cli.explore import _WORKER, await_computations


def test_computations_for_pages_end_before_the_process():
    worker = threading.Thread(target=time.sleep, args=(0.5,), name=_WORKER, daemon=True)
    other = threading.Thread(target=time.sleep, args=(5.0,), daemon=True)
    for thread in (worker, other):
        thread.start()
    await_computations(10.0)
    assert not worker.is_alive() and other.is_alive()
    late = threading.Thread(target=time.sleep, args=(5.0,), name=_WORKER, daemon=True)
    late.start()
    await_computations(0.1)
    assert late.is_alive()


def test_threads_of_pages_have_this_name():
    async def name():
        return await anyio.to_thread.run_sync(lambda: threading.current_thread().name)

    assert anyio.run(name) == _WORKER

"""The start of the processes of a training, and their end when one of them has died.

Fabric starts them, or joins those that torchrun or SLURM started. A process that waits for a dead
one would wait until its communication times out, or for ever. A thread in each process therefore
watches the others on its machine.
"""

import atexit
import logging
import os
import signal
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from gedi.distributed import n_processes
from gedi.errors import RunError, SettingsError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Crew", "OneProcess", "Runtime", "launched", "load_libraries", "needs_fabric", "set_up"]

_log = logging.getLogger("gedi.training.processes")

_LONGEST = timedelta(minutes=10)  # the longest wait for another process, which may be reading data
_LOOK = 0.5  # seconds between checks of the others
_GRACE = 3.0  # seconds within which failed communication raises its error


class OneProcess:
    """One process on the CPU, for which Fabric, whose import takes seconds, is not needed."""

    device = torch.device("cpu")

    def setup(
        self, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Return them as they are."""
        return model, optimizer

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients of a loss."""
        loss.backward()  # type: ignore[no-untyped-call]


Runtime: TypeAlias = "Fabric | OneProcess"


@dataclass
class Crew:
    """The processes of a training, from the view of one of them.

    Args:
        fabric: the device and the processes.
        started: Fabric's own list of the processes that this one starts; it is emptied.
        parent: the process that started this one as part of the training; None if none did.
        children: the processes that this one started.
        advice: what to do when the others are gone, in words.
        over: set when this process is about to exit, so that the thread that watches ends before.
    """

    fabric: Runtime
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    parent: int | None = None
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    advice: str = "resume it from its last checkpoint with gedi resume"
    over: threading.Event = field(default_factory=threading.Event)

    def trouble(self) -> str | None:
        """What happened to another process on this machine; None if all are well."""
        if self.parent is not None and os.getppid() != self.parent:
            return "the first process of the training has ended before its time"
        # When a child ends, Fabric kills all processes without a message. With an empty list it
        # does nothing.
        while self.started:
            self.children.append(self.started.pop(0))
        for place, child in enumerate(self.children, 1):
            code = child.poll()
            if code:
                return f"process {place} (counted from 0) {_ended(code)}"
        return None

    @property
    def is_led(self) -> bool:
        """Whether another process on this machine reports failures."""
        return self.parent is not None and os.getppid() == self.parent

    @contextmanager
    def failures_told(self) -> Iterator[None]:
        """Report what happened when communication fails because a process is gone.

        Raises:
            RunError: in place of the error of the communication.
        """
        try:
            yield
        except RuntimeError as error:
            told = self._reason(error)
            if told is None:
                raise
            raise RunError(f"{told}, so the training cannot continue; {self.advice}") from error

    def _reason(self, error: RuntimeError) -> str | None:
        if n_processes() == 1:
            return None
        deadline = time.monotonic() + _GRACE / 2  # a process may take a moment to end
        while (trouble := self.trouble()) is None and time.monotonic() < deadline:
            time.sleep(_LOOK / 10)
        if trouble is not None:
            return trouble
        text = " ".join(str(error).split())
        lost = isinstance(error, torch.distributed.DistError) or "gloo" in text
        return f"the connection to another process was lost ({text[:200]})" if lost else None

    def look_after(self) -> None:
        """Start to watch the other processes, and end this one soon after another has died."""
        watching = threading.Thread(target=self._look, name="look-after-processes", daemon=True)
        watching.start()
        atexit.register(self._leave, watching)

    def _look(self) -> None:
        while (trouble := self.trouble()) is None:
            if self.children and all(child.returncode == 0 for child in self.children):
                return
            if self.over.wait(_LOOK):
                return
        if self.over.wait(_GRACE):
            return
        # The main thread is still waiting for the other process, and nothing can wake it.
        # Without a handler, this message goes to standard error unchanged.
        _log.critical("gedi: error: %s, so the training cannot continue; %s", trouble, self.advice)
        self._end()
        os._exit(2)

    def _leave(self, watching: threading.Thread) -> None:
        """End the thread, then the other processes, before the interpreter ends.

        An interpreter that ends while a thread writes to standard error aborts (SIGABRT).
        """
        self.over.set()
        watching.join()
        self._end()

    def _end(self) -> None:
        for child in [*self.children, *self.started]:
            child.kill()


def launched(accelerator: Literal["auto", "cpu", "cuda"], devices: int, nodes: int) -> Crew:
    """Start the processes of a training, or join them.

    The processes on one machine are started by running the command of this process again. With
    several machines, run the command on each of them, with MASTER_ADDR, MASTER_PORT and NODE_RANK
    in the environment unless torchrun or SLURM sets them.

    Raises:
        SettingsError: if there are too few devices, or torchrun or SLURM started a different
            number of processes.
        RunError: if the processes do not find each other.
    """
    if not needs_fabric(accelerator, devices * nodes):
        return Crew(OneProcess())
    from lightning_fabric import Fabric  # noqa: PLC0415

    if devices * nodes == 1:
        # The model sets its own precision, because the chains use it as well as the loss.
        return Crew(Fabric(accelerator=accelerator, devices=1))
    on_cuda = accelerator != "cpu" and torch.cuda.is_available()
    if on_cuda and torch.cuda.device_count() < devices:
        raise SettingsError(
            f"--devices: expected at most the {torch.cuda.device_count()} CUDA devices that are "
            f"there, got {devices}"
        )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    from lightning_fabric.strategies import DDPStrategy  # noqa: PLC0415

    is_child = os.environ.get("LOCAL_RANK", "0") != "0" and "TORCHELASTIC_RUN_ID" not in os.environ
    try:
        fabric = Fabric(
            accelerator="cuda" if on_cuda else "cpu",
            devices=devices,
            num_nodes=nodes,
            strategy=DDPStrategy(
                process_group_backend="cpu:gloo,cuda:nccl" if on_cuda else "gloo",
                timeout=_LONGEST,
                broadcast_buffers=False,  # the buffers are constants
            ),
        )
        crew = Crew(
            fabric,
            started=getattr(fabric.strategy.launcher, "procs", []),
            parent=os.getppid() if is_child else None,
        )
        crew.look_after()
        fabric.launch()
    except ValueError as error:  # from Fabric, if the environment contradicts the arguments
        raise SettingsError(f"--devices, --nodes: {' '.join(str(error).split())}") from error
    except torch.distributed.DistError as error:
        raise RunError(
            f"the {devices * nodes} processes of the training did not find each other: "
            f"{' '.join(str(error).split())[:300]}"
        ) from error
    return crew


def needs_fabric(accelerator: str, n: int) -> bool:
    """Whether n processes on a device need Fabric: all but a single one on the CPU do."""
    return n > 1 or (accelerator != "cpu" and torch.accelerator.is_available())


def load_libraries(accelerator: Literal["auto", "cpu", "cuda"], n: int) -> None:
    """Import what trainings need, so that what is left of a limit of time is known before them.

    It takes a second or two, once in a process.

    Args:
        accelerator: the device.
        n: the number of processes.
    """
    if needs_fabric(accelerator, n):
        import lightning_fabric  # noqa: F401, PLC0415
    import torch._dynamo  # noqa: F401, PLC0415


def set_up(
    fabric: Runtime, model: nn.Module, optimizer: torch.optim.Optimizer, example: Tensor
) -> tuple[Any, Any]:
    """The model and the optimizer wrapped by Fabric, so that gradients are means over processes.

    DDP chooses the layout of its sums in its first backward pass, and with three or more processes
    the last bits of the sums depend on it. The first pass is therefore discarded, so that a resumed
    training gives the same bits.

    Args:
        fabric: the device and the processes.
        model: the network.
        optimizer: the optimizer of its parameters.
        example: a point, (*members, 1, d).
    """
    if n_processes() == 1:
        wrapped, optimizer = fabric.setup(model, optimizer)
        return wrapped, optimizer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `broadcast_buffers` gets another name
        wrapped, optimizer = fabric.setup(model, optimizer)
    fabric.backward(wrapped(example).sum())
    optimizer.zero_grad(set_to_none=True)
    return wrapped, optimizer


def _ended(code: int) -> str:
    if code > 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"

"""Images a second of a GEDI iteration, its share of the hardware's peak, and the textbook loop's.

    python benchmarks/throughput.py [--case "CIFAR-like, resnet8"] [--batch 256]

One network, all terms taking part, chains that move in every iteration with the same number of
steps: the textbook loop in float32 and eager, GEDI so, in bfloat16, and on a GPU as one CUDA graph;
all in turn in one process, on random bytes: time hangs on shapes, not on what the images show.
GEDI's own way, in which chains move in every fifth iteration, comes last.

The arithmetic is what torch counts for one eager iteration without views; the peak is that of a
large matrix product in the same number format, in the same process.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from statistics import median
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Generator, Tensor
from torch.nn.functional import log_softmax
from torch.utils.flop_counter import FlopCounterMode

from common import missing, provenance, write
from gedi.model.convolutions import ResNet8
from gedi.settings import Settings
from gedi.training.algorithm import train
from gedi.training.custom import Custom
from gedi.training.ingredients import fresh_state
from gedi.training.session import Session, start
from profiles import CASES, random_images, settings_of

Loop = Callable[[int], float]
"""Runs so many iterations, and returns the seconds of one."""

WIDTHS = {"CIFAR-like, resnet8 of 64": 64, "CIFAR-like, resnet8 of 256": 256}  # usually 128
GRAPH = {"cuda_graph": True}
BF16 = {"precision": "bf16-mixed"}
# Iterations that do not count; graphs are captured in the fourth in which chains move.
WARM = {"cpu": 5, "cuda": 20}


def variants(device: torch.device) -> dict[str, dict[str, Any]]:
    """What is timed, and the settings that make it."""
    if device.type == "cpu":
        return {"GEDI": {}, "GEDI, bf16": BF16}
    return {
        "GEDI": {"cuda_graph": False},
        "GEDI, graph": GRAPH,
        "GEDI, bf16": BF16 | {"cuda_graph": False},
        "GEDI, bf16, graph": BF16 | GRAPH,
    }


def assembled(
    case: str, batch_size: int, device: torch.device, changes: dict[str, Any], every: int
) -> Session:
    """A training of the case."""
    of = case if case in CASES else "CIFAR-like, resnet8"
    data = random_images(of)
    settings = settings_of(of, device)
    sampler = replace(settings.sampler, every=every, jumps=0)
    chosen: Settings = replace(settings, batch_size=batch_size, sampler=sampler, **changes)
    custom = Custom()
    if case in WIDTHS:
        assert data.image_shape is not None
        custom = Custom(encoder=ResNet8(data.image_shape, Generator().manual_seed(0), WIDTHS[case]))
    return start(data, chosen, custom=custom)


def gedi_loop(session: Session) -> Loop:
    """Algorithm 1; whenever it is taken up it captures its graphs, before the clock runs."""
    state = fresh_state(session.plan, session.parts, session.custom)
    device = session.parts.data.device
    warm = WARM[device.type]
    fabric = Fabric(accelerator=device.type, devices=1)

    def run(n: int) -> float:
        start, since = state.iteration, [0.0]
        state.horizon = start + warm + n + 1

        def observe(*_: Any) -> bool:
            if state.iteration == start + warm:
                since[0] = now(device)
            return False

        train(
            fabric,
            state,
            session.parts.data,
            session.parts.algorithm,
            until=start + warm + n,
            observe=observe,
        )
        return (now(device) - since[0]) / n

    return run


def textbook_loop(session: Session) -> Loop:
    """The usual loop of joint energy training on the same network: JEM's, with INV and PRIOR."""
    state = fresh_state(session.plan, session.parts, session.custom)
    model, optimizer = state.model, state.optimizer
    data, settings = session.parts.data, session.settings
    batch_size, n_steps = settings.batch_size, settings.sampler.n_steps
    low, high = session.parts.algorithm.box.low, session.parts.algorithm.box.high
    buffer = state.buffer.positions.clone()

    def clustering(x: Tensor) -> Tensor:
        logits, views = model(x), model(x + 0.05 * torch.randn_like(x))
        inv = (views.softmax(-1) * log_softmax(logits, -1)).sum(-1).mean()
        return inv + logits.softmax(-1).mean(0).log().mean()

    def iterate() -> None:
        x = data[torch.randint(len(data), (batch_size,), device=data.device)]
        chosen = torch.randint(len(buffer), (batch_size,), device=data.device)
        chains = buffer[chosen]
        for _ in range(n_steps):
            chains.requires_grad_(True)
            (gradient,) = torch.autograd.grad(model.energy(chains).sum(), chains)
            chains = chains - 1e-4 * gradient + 0.01 * torch.randn_like(chains)
            chains = chains.detach().clamp(low, high)
        buffer[chosen] = chains
        gen = model.energy(chains).mean() - model.energy(x).mean()
        optimizer.zero_grad()
        (-(gen + clustering(x))).backward()
        optimizer.step()

    def run(n: int) -> float:
        for _ in range(WARM["cpu"]):
            iterate()
        start = now(data.device)
        for _ in range(n):
            iterate()
        return (now(data.device) - start) / n

    return run


def now(device: torch.device) -> float:
    """Seconds, when the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def peak(dtype: torch.dtype, device: torch.device) -> float:
    """Operations a second of a large matrix product; the best of several."""
    # Convolutions in float32 take the shorter format of matrix units where there is one.
    torch.set_float32_matmul_precision("high")
    n = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))

    times = []
    for _ in range(10):
        start = now(device)
        a @ b
        times.append(now(device) - start)
    torch.set_float32_matmul_precision("highest")
    return 2 * n**3 / min(times)


def operations(session: Session) -> int:
    """Of one iteration, without views."""
    state = fresh_state(session.plan, session.parts, session.custom)
    settings = session.settings
    x = session.parts.data[: settings.batch_size]
    counter = FlopCounterMode(display=False)
    with counter:
        for _ in range((settings.sampler.n_steps or 0) + 1):
            chains = x.clone().requires_grad_(True)
            # The counter takes no gradient by what was given to a module itself.
            torch.autograd.grad(state.model.energy(1.0 * chains).sum(), chains)
        # A batch, its views, its noisy copies, and the chains.
        state.model(torch.cat([x] * 4)).sum().backward()
    return int(counter.get_total_flops())


def main() -> None:
    """Time all variants in turn, unless it is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", default="CIFAR-like, resnet8", choices=[*CASES, *WIDTHS])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)  # of the textbook loop
    device = torch.device(options.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    if not missing("throughput", data=options.case, batch=options.batch, device=where):
        return

    def make(changes: dict[str, Any], every: int = 1) -> Session:
        return assembled(options.case, options.batch, device, changes, every)

    chosen = variants(device)
    fastest = list(chosen)[-1]
    own_way = f"{fastest}, every fifth"
    plain = make(chosen["GEDI"])
    loops = {"textbook loop": textbook_loop(plain)}
    loops |= {name: gedi_loop(make(changes)) for name, changes in chosen.items()}
    loops[own_way] = gedi_loop(make(chosen[fastest], every=5))
    times: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(options.repeats):
        for name, run in loops.items():
            times[name].append(run(options.iterations))
    arithmetic = operations(plain)
    peaks = {name: peak(dtype, device) for name, dtype in _DTYPES.items()}
    textbook = times["textbook loop"]
    rows = {}
    for name, found in times.items():
        ratios = sorted(a / b for a, b in zip(textbook, found, strict=True))
        rows[name] = {
            "images a second": options.batch / median(found),
            "ratio": [ratios[0], median(ratios), ratios[-1]],
        }
        if name != own_way:  # whose iterations are not all the same
            kind = "bfloat16" if "bf16" in name else "float32"
            rows[name]["share of peak"] = arithmetic / median(found) / peaks[kind]
    row = {
        "batch": options.batch,
        "iterations": options.iterations,
        "repeats": options.repeats,
        "operations": arithmetic,
        "peaks": peaks,
        "variants": rows,
        "settings": {name: asdict(plain.settings)[name] for name in ("encoder", "sampler")},
    }
    seed = plain.settings.seed
    write(
        "throughput", {"data": options.case, "device": where, "seed": seed, **row, **provenance()}
    )


_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


if __name__ == "__main__":
    main()

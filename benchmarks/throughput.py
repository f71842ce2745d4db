"""Images a second of a GEDI iteration, its share of the hardware's peak, and the textbook loop's.

    python benchmarks/throughput.py [--case "CIFAR-like, resnet8"] [--batch 256] [--device cuda]

One network, all terms taking part, chains that move in every iteration with the same number of
steps: the textbook loop in float32 and eager, GEDI so, in bfloat16, and compiled; all in turn in
one process, on random bytes: time hangs on shapes, not on what the images show. GEDI's own way, in
which chains move in every fifth iteration, comes last.

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
from torch import Tensor
from torch.nn.functional import log_softmax
from torch.utils.flop_counter import FlopCounterMode

from common import missing, provenance, write
from gedi.assembly import Assembly, assemble
from gedi.defaults import resolve
from gedi.settings import Settings
from gedi.training import train
from profiles import CASES, random_images, settings_of

Loop = Callable[[int], float]
"""Runs so many iterations, and returns the seconds of one."""

VARIANTS: dict[str, dict[str, Any]] = {
    "GEDI": {},
    "GEDI, bf16": {"precision": "bf16-mixed"},
    "GEDI, compiled": {"compile": True},
    "GEDI, bf16, compiled": {"precision": "bf16-mixed", "compile": True},
}
WARM = 5  # iterations that do not count, each time
OWN_WAY = "GEDI, bf16, compiled, every fifth"


def assembled(
    case: str, batch_size: int, device: torch.device, changes: dict[str, Any], every: int
) -> Assembly:
    """A training of the case."""
    data = random_images(case)
    settings = settings_of(case, device)
    sampler = replace(settings.sampler, every=every, jumps=0)
    chosen: Settings = replace(settings, batch_size=batch_size, sampler=sampler, **changes)
    return assemble(data, resolve(chosen, data), device)


def gedi_loop(assembly: Assembly) -> Loop:
    """Algorithm 1; it compiles whenever it is taken up, which the first iterations wait for."""
    state, device = assembly.state(), assembly.data.device
    fabric = Fabric(accelerator=device.type, devices=1)

    def run(n: int) -> float:
        start, since = state.iteration, [0.0]

        def observe(*_: Any) -> bool:
            if state.iteration == start + WARM:
                since[0] = now(device)
            return False

        train(
            fabric,
            state,
            assembly.data,
            assembly.algorithm,
            until=start + WARM + n,
            observe=observe,
        )
        return (now(device) - since[0]) / n

    return run


def textbook_loop(assembly: Assembly) -> Loop:
    """The usual loop of joint energy training on the same network: JEM's, with INV and PRIOR."""
    state = assembly.state()
    model, optimizer = state.model, state.optimizer
    data, settings = assembly.data, assembly.settings
    batch_size, n_steps = settings.batch_size or 0, settings.sampler.n_steps or 0
    low, high = assembly.algorithm.box.low, assembly.algorithm.box.high
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
        for _ in range(WARM):
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
    n = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))

    times = []
    for _ in range(10):
        start = now(device)
        a @ b
        times.append(now(device) - start)
    return 2 * n**3 / min(times)


def operations(assembly: Assembly) -> int:
    """Of one iteration, without views."""
    state = assembly.state()
    settings = assembly.settings
    x = assembly.data[: settings.batch_size]
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
    parser.add_argument("--case", default="CIFAR-like, resnet8", choices=list(CASES))
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

    def make(changes: dict[str, Any], every: int = 1) -> Assembly:
        return assembled(options.case, options.batch, device, changes, every)

    plain = make({})
    loops = {"textbook loop": textbook_loop(plain)}
    loops |= {name: gedi_loop(make(changes)) for name, changes in VARIANTS.items()}
    loops[OWN_WAY] = gedi_loop(make(VARIANTS["GEDI, bf16, compiled"], every=5))
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
        if name != OWN_WAY:  # whose iterations are not all the same
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

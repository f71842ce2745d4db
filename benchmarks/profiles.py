"""What an iteration of GEDI spends its time on, beside the floor of each part: `gedi profile`.

    python benchmarks/profiles.py [--cases "moons" ...] [--cycles 30] [--threads 1] [--device cpu]

Images are random bytes: time hangs on shapes, not on what the images show. With one thread of a
CPU, time is the processor's on this process, so that what other work takes does not count.
"""

import argparse
from dataclasses import asdict, replace
from statistics import median
from typing import Any

import numpy as np
import torch

from common import missing, provenance, write
from gedi.data.dataset import Dataset
from gedi.data.source import load
from gedi.settings import (
    EncoderKind,
    EncoderSettings,
    RestartSettings,
    SamplerSettings,
    Settings,
    ViewSettings,
)
from gedi.training.profile import Part, profile
from gedi.training.session import start

POINTS = 2000
CASES: dict[str, tuple[tuple[int, int, int], EncoderKind]] = {
    "MNIST-like, conv": ((1, 28, 28), "conv"),
    "CIFAR-like, conv": ((3, 32, 32), "conv"),
    "CIFAR-like, resnet8": ((3, 32, 32), "resnet8"),
}
TEN = SamplerSettings(n_steps=10)
PLAIN = replace(TEN, metropolis=False, target_acceptance=None, boundary="clamp", jumps=0)
ONE = Settings(device="cpu", restarts=RestartSettings(n=1), sampler=TEN)
MOONS: dict[str, tuple[Settings, bool]] = {
    "moons": (ONE, False),
    "moons, plain": (
        replace(ONE, sampler=PLAIN, views=ViewSettings(adversarial=0.0, neighbours=0)),
        False,
    ),
    "moons, restarts": (replace(ONE, restarts=RestartSettings()), True),
}
DEFAULT_CASES = [*MOONS, "MNIST-like, conv"]


def random_images(name: str) -> Dataset:
    """Bytes in the shape of a case."""
    shape, _ = CASES[name]
    x = np.random.default_rng(0).integers(0, 256, (POINTS, int(np.prod(shape))), dtype=np.uint8)
    return Dataset(name, x, image_shape=shape, value_range=(0.0, 255.0))


def settings_of(name: str, device: torch.device) -> Settings:
    """Default settings, but for one network whose terms all take part from the start."""
    return Settings(
        n_clusters=10,
        encoder=EncoderSettings(kind=CASES[name][1]),
        restarts=RestartSettings(n=1, iterations=1, gen=True, warmup=0, ramp=0),
        device="cuda" if device.type == "cuda" else "cpu",
    )


def figures(part: Part) -> dict[str, Any]:
    """Of a part, in short."""

    def spread(values: list[float]) -> list[float]:
        return [float(f"{f(values):.4g}") for f in (min, median, max)] if values else []

    return {
        "seconds": spread(part.seconds),
        "floor": spread(part.floor),
        "ratio": spread(part.ratios),
        "flops": round(part.flops),
        "bytes": round(part.bytes),
    }


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=DEFAULT_CASES, choices=[*MOONS, *CASES])
    parser.add_argument("--cycles", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    processor = device.type == "cpu" and options.threads == 1
    for name in options.cases:
        key = {"case": name, "device": where, "threads": options.threads}
        if not missing("profiles", **key):
            continue
        settings, restarts = MOONS[name] if name in MOONS else (settings_of(name, device), False)
        session = start(load("moons") if name in MOONS else random_images(name), settings)
        found = profile(session, cycles=options.cycles, restarts=restarts, processor=processor)
        row = {
            "clock": "processor" if processor else "wall",
            "cycles": options.cycles,
            "cycle": found.cycle,
            "batch": found.batch_size,
            "members": found.members,
            "peak": found.peak,
            "parts": {part: figures(each) for part, each in found.parts.items()},
            "sizes": {what: asdict(size) for what, size in found.sizes.items()},
            "seed": settings.seed,
            "settings": {
                group: asdict(session.settings)[group] for group in ("encoder", "sampler", "views")
            },
        }
        write("profiles", {**key, **row, **provenance()})


if __name__ == "__main__":
    main()

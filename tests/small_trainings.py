"""Trainings of seconds, used by several tests."""

import copy

import numpy as np
import torch
from torch import Generator

from gedi.model import EnergyClassifier
from gedi.model.base import GaussianBase
from gedi.model.box import Box
from gedi.model.encoders import MLP
from gedi.model.smoothing import Smoothing
from gedi.objective import Weights, uniform_log_prior
from gedi.sampling import AnchoredJump, Cycle, Langevin, ReplayBuffer
from gedi.settings import EncoderSettings, RestartSettings, SamplerSettings, Settings
from gedi.training.algorithm import Algorithm, TrainingState
from gedi.training.hooks import Hook
from gedi.training.schedule import Schedule
from gedi.views import GaussianNoise

BOX = Box(torch.full((2,), -4.0), torch.full((2,), 4.0))

SMALL = Settings(
    n_clusters=2,
    max_iter=60,
    batch_size=64,
    learning_rate=5e-3,
    device="cpu",
    evaluate_every=10,
    encoder=EncoderSettings(hidden=[16]),
    sampler=SamplerSettings(kind="langevin", n_anchors=64),
    restarts=RestartSettings(n=1),
)


class Each(Hook):
    """Calls a function with the state after each iteration."""

    def __init__(self, call):
        self.call = call

    def on_iteration(self, session):
        self.call(session.state)


def heaps(n=200, d=2):
    """Two heaps far apart, in units of their own, and which heap each point is of."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    x = rng.normal(size=(n, d)) + 12 * labels[:, None]
    return (10 * x + 500).astype(np.float32), labels


def ring(k, n=200, width=0.3):
    """Points in k round heaps on a circle, and the heap of each point."""
    rng = np.random.default_rng(k)
    y = np.arange(n) % k
    centers = np.stack([np.cos(2 * np.pi * y / k), np.sin(2 * np.pi * y / k)], axis=1)
    return (3 * centers + width * rng.normal(size=(n, 2))).astype(np.float32), y


def blobs(n=300):
    """Two round heaps of points, scaled."""
    x = 0.3 * torch.randn(n, 2, generator=Generator().manual_seed(11))
    x[:, 0] += torch.where(torch.arange(n) % 2 == 0, -1.0, 1.0)
    return x


def view():
    return GaussianNoise(0.3, lambda x: torch.ones_like(x[..., 0]))


def algorithm(weights=None, *, warmups=(0,), **arguments):
    arguments.setdefault("view", view())
    arguments.setdefault("schedule", Schedule(warmups=warmups, ramp=5, learning_rate_warmup=5))
    return Algorithm(
        weights=weights or Weights(1.0, 1.0, 2.0),
        box=BOX,
        batch_size=64,
        smoothing=Smoothing(0.05),
        **arguments,
    )


def fresh_state(members=(), *, horizon=60, seed=0):
    generator = Generator().manual_seed(seed)
    base = GaussianBase.fit(blobs(), 0.1)
    encoder = MLP(2, [16], members=members, generator=generator)
    model = EnergyClassifier(encoder, 2, base=base, members=members, generator=generator)
    langevin = Langevin(0.05, 2, metropolis=True, target_acceptance=0.6, box=BOX, members=members)
    return TrainingState(
        model=model,
        average=copy.deepcopy(model).requires_grad_(False),
        optimizer=torch.optim.Adam(model.parameters(), lr=2e-3, fused=True),
        sampler=Cycle([langevin, AnchoredJump(blobs()[:40], 0.3, BOX, members=members)]),
        buffer=ReplayBuffer(100, base.sample, members=members, generator=generator),
        log_prior=uniform_log_prior(2).expand(*members, -1).clone(),
        generator=Generator().manual_seed(seed + 1),
        horizon=horizon,
    )


def same(a, b):
    """Whether two nested states hold the same bits; clocks do not count."""
    if isinstance(a, dict):
        keys = [set(d) - {"seconds"} for d in (a, b)]
        return keys[0] == keys[1] and all(same(a[k], b[k]) for k in keys[0])
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    return a == b or str(a) == str(b) == "nan"

"""Samplers: Langevin chains, jumps, and the replay buffer that stores chains."""

from gedi.sampling.chains import Chains, Cycle, Energy, Move, WithGradient, accept, evaluate
from gedi.sampling.jumps import AnchoredJump, likeliest_bandwidth
from gedi.sampling.langevin import Langevin
from gedi.sampling.replay_buffer import ReplayBuffer

__all__ = [
    "AnchoredJump",
    "Chains",
    "Cycle",
    "Energy",
    "Langevin",
    "Move",
    "ReplayBuffer",
    "WithGradient",
    "accept",
    "evaluate",
    "likeliest_bandwidth",
]

"""Langevin dynamics: the walk that turns an energy into samples.

x_{t+1} = Π( x_t - ε C ∇E(x_t) + σ C^(1/2) ξ ),  ξ ~ N(0, I),  Π: back into the box.

With σ = sqrt(2 ε) its law tends to p(x) for small ε. With the Metropolis test the law is p(x) at
every ε (MALA; Roberts & Tweedie, Bernoulli 1996), and ε may follow the acceptance. A smaller σ is
the habit of JEM (Grathwohl et al., ICLR 2020): samples sharper than the density.
"""

import math
from typing import Literal

import torch
from torch import Generator, Tensor

from gedi.distributed import means
from gedi.model.box import Box
from gedi.model.spectral import SpectralMatrix
from gedi.sampling.chains import Chains, Energy, Move, accepted, chosen, evaluate

__all__ = ["Langevin"]


class Langevin(Move):
    """Langevin steps, Metropolis-adjusted on demand.

    Args:
        step_size: ε. With a target acceptance, where its adaptation starts.
        n_steps: how many steps one call takes.
        noise: σ; None is sqrt(2 ε), temperature 1.
        metropolis: accept or refuse each step, so that the law is exact. A drift clipped to
            `max_gradient` and reflection at the box keep it exact, since the test knows of both.
        target_acceptance: in training mode, ε is moved until this share of steps is accepted
            (about 0.6 is best for smooth energies; Roberts & Rosenthal, JRSS B 1998).
        max_gradient: each point's ∇E is shortened to this norm.
        preconditioner: C^(1/2), (d, d); None is the identity. Drift and noise follow the
            shape of the data, so that narrow and wide directions mix at the same pace.
        box: where points live; None is all of space.
        boundary: Π; "reject" refuses steps that leave the box, "reflect" mirrors them back: both
            keep the law. "clamp" leaves atoms on the walls.
        members: leading dimensions of the chains; each member adapts an ε of its own.

    Raises:
        ValueError: for a step size or noise that is not positive, and for the Metropolis test
            together with a noise of its own or with clamping, where the test would not be valid;
            for reflection of preconditioned steps; for rejection without the test.
    """

    low: Tensor | None
    high: Tensor | None
    log_step_size: Tensor

    def __init__(
        self,
        step_size: float = 0.01,
        n_steps: int = 10,
        *,
        noise: float | None = None,
        metropolis: bool = False,
        target_acceptance: float | None = None,
        max_gradient: float | None = None,
        preconditioner: SpectralMatrix | None = None,
        box: Box | None = None,
        boundary: Literal["reject", "reflect", "clamp"] = "reflect",
        members: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        if step_size <= 0 or (noise is not None and noise < 0):
            raise ValueError(f"expected step_size > 0 and noise >= 0, got {step_size} and {noise}")
        if metropolis and noise is not None:
            raise ValueError(f"the Metropolis test needs noise=None (temperature 1), got {noise}")
        if metropolis and box is not None and boundary == "clamp":
            raise ValueError(
                "the Metropolis test needs boundary 'reject' or 'reflect', got 'clamp'"
            )
        if boundary == "reject" and box is not None and not metropolis:
            raise ValueError("boundary='reject' needs metropolis=True")
        if boundary == "reflect" and box is not None and preconditioner is not None:
            raise ValueError("preconditioned steps need boundary 'reject' or 'clamp'")
        if target_acceptance is not None and not metropolis:
            raise ValueError("target_acceptance needs metropolis=True")
        self.n_steps = n_steps
        self.noise = noise
        self.metropolis = metropolis
        self.target_acceptance = target_acceptance
        self.max_gradient = max_gradient
        self.boundary = boundary
        self.preconditioner = preconditioner
        self.register_buffer("low", None if box is None else box.low)
        self.register_buffer("high", None if box is None else box.high)
        self.register_buffer("log_step_size", torch.full(members, math.log(step_size)))
        self.register_buffer("acceptance", torch.ones(members))

    @property
    def box(self) -> Box | None:
        """The box, on the module's device."""
        if self.low is None or self.high is None:
            return None
        return Box(self.low, self.high)

    @property
    def step_size(self) -> Tensor:
        """ε, (*members,)."""
        epsilon: Tensor = self.log_step_size.exp()
        return epsilon

    @torch.no_grad()
    def step(self, energy: Energy, chains: Chains, generator: Generator) -> Chains:
        """Advance all chains by `n_steps` steps; in training mode, ε is that of all processes."""
        # Looked up once: small tensors take less time than it takes to find them in a module.
        walls = self.box
        drift = self._drift(chains)
        for _ in range(self.n_steps):
            chains, drift = self._step(energy, chains, drift, walls, generator)
        if self.training:
            self.log_step_size, self.acceptance = means(self.log_step_size, self.acceptance)
        return chains

    def _step(
        self,
        energy: Energy,
        chains: Chains,
        drift: Tensor,
        box: Box | None,
        generator: Generator,
    ) -> tuple[Chains, Tensor]:
        """One step, and the drift where it ends."""
        here = chains.x
        epsilon = self.log_step_size.exp()[..., None, None]
        sigma = (2 * epsilon).sqrt() if self.noise is None else self.noise
        noise = torch.randn(here.shape, dtype=here.dtype, device=here.device, generator=generator)
        # The step in whitened coordinates, where it is a plain one.
        step = torch.addcmul(sigma * noise, epsilon, drift, value=-1)
        x, sign = self._confine(here + self._whole(step), box)
        proposal = evaluate(energy, x)
        there = self._drift(proposal)
        if not self.metropolis:
            return proposal, there
        # Reflected space is tiled by mirror images of the box and the walk goes on in the tiling,
        # where both directions of the step are plain Gaussians; the image's gradient is mirrored.
        back = torch.addcmul(step, epsilon, there if sign is None else sign * there, value=-1)
        log_ratio = chains.energy - proposal.energy
        log_ratio.add_(torch.linalg.vecdot(noise, noise), alpha=0.5)
        log_ratio.addcdiv_(torch.linalg.vecdot(back, back), epsilon[..., 0], value=-0.25)
        if self.boundary == "reject" and box is not None:
            log_ratio.masked_fill_(~box.contains(x), -torch.inf)
        taken, self.acceptance = accepted(log_ratio, generator)
        if self.training and self.target_acceptance is not None:
            self.log_step_size.add_(self.acceptance - self.target_acceptance, alpha=0.02)
        after = chosen(taken, proposal, chains)
        # A choice costs less than the products of a preconditioner.
        plain = self.preconditioner is None and self.max_gradient is None
        return after, after.gradient if plain else torch.where(taken[..., None], there, drift)

    def _whole(self, step: Tensor) -> Tensor:
        return step if self.preconditioner is None else self.preconditioner(step)

    def _drift(self, chains: Chains) -> Tensor:
        """The gradient in whitened coordinates, C^(1/2) ∇E, shortened if asked for."""
        drift = self._whole(chains.gradient)
        if self.max_gradient is None:
            return drift
        norm = drift.norm(dim=-1, keepdim=True)
        shortened: Tensor = drift * (self.max_gradient / norm.clamp_min(self.max_gradient))
        return shortened

    def _confine(self, x: Tensor, box: Box | None) -> tuple[Tensor, Tensor | None]:
        """Points back in the box, and the sign of each coordinate where it was mirrored."""
        if box is None or self.boundary == "reject":
            return x, None
        if self.boundary == "reflect":
            return box.fold(x)
        return box.clamp(x), None

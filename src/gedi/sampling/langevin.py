"""Langevin dynamics, which samples from an energy.

    x_{t+1} = Π( x_t - ε C ∇E(x_t) + σ C^(1/2) ξ ),  ξ ~ N(0, I),  Π: back into the box

With σ = sqrt(2 ε), the stationary distribution tends to p(x) for small ε. With a Metropolis test it
is p(x) for every ε (MALA; Roberts & Tweedie, Bernoulli 1996), and ε can be adapted to the
acceptance. JEM (Grathwohl et al., ICLR 2020, https://arxiv.org/abs/1912.03263) uses a smaller σ,
which gives samples that are sharper than the density.
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
    """Langevin steps, with an optional Metropolis test.

    Args:
        step_size: the step size ε; its initial value if a target acceptance is given.
        n_steps: the number of steps in one call.
        noise: the standard deviation of the noise, σ; None is sqrt(2 ε), temperature 1.
        metropolis: accept or reject each step, so that the stationary distribution is exact. It
            remains exact with `max_gradient` and with reflection, which the test accounts for.
        target_acceptance: the share of accepted steps to which ε is adapted in training mode; None
            keeps ε fixed. About 0.6 is best for smooth energies (Roberts & Rosenthal, JRSS B 1998,
            https://doi.org/10.1111/1467-9868.00123).
        max_gradient: the largest norm of the gradient in whitened coordinates, C^(1/2) ∇E; longer
            gradients are shortened. None is no limit.
        preconditioner: the matrix C^(1/2), (d, d); None is the identity. Drift and noise follow the
            shape of the data, so that narrow and wide directions mix at the same rate.
        box: the domain of the chains; None is the whole space.
        boundary: the map Π. "reject" rejects steps that leave the box and "reflect" mirrors them
            back; both preserve the distribution. "clamp" accumulates probability on the walls.
        members: leading dimensions of the chains; each member adapts its own ε.

    Raises:
        ValueError: if the step size is not positive or the noise is negative; if the Metropolis
            test is combined with `noise` or with "clamp", which would make it invalid; if "reject"
            or a target acceptance is used without the test; or if "reflect" is combined with a
            preconditioner.
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
        """The step size ε, (*members,)."""
        epsilon: Tensor = self.log_step_size.exp()
        return epsilon

    @torch.no_grad()
    def step(self, energy: Energy, chains: Chains, generator: Generator) -> Chains:
        """Advance all chains by `n_steps` steps.

        In training mode, ε and the acceptance are averaged over all processes.
        """
        # Looked up once, because attribute access of a module takes longer than small operations.
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
        """Take one step; return the chains and their drift after it."""
        here = chains.x
        epsilon = self.log_step_size.exp()[..., None, None]
        sigma = (2 * epsilon).sqrt() if self.noise is None else self.noise
        noise = torch.randn(here.shape, dtype=here.dtype, device=here.device, generator=generator)
        # In whitened coordinates, the step has no preconditioner.
        step = torch.addcmul(sigma * noise, epsilon, drift, value=-1)
        x, sign = self._confine(here + self._whole(step), box)
        proposal = evaluate(energy, x)
        there = self._drift(proposal)
        if not self.metropolis:
            return proposal, there
        # Mirror images of the box tile the space. In this tiling there are no walls, so both
        # directions of the step are Gaussian; the gradient in an image is mirrored.
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
        # Selecting rows is cheaper than multiplying by the preconditioner again.
        plain = self.preconditioner is None and self.max_gradient is None
        return after, after.gradient if plain else torch.where(taken[..., None], there, drift)

    def _whole(self, step: Tensor) -> Tensor:
        return step if self.preconditioner is None else self.preconditioner(step)

    def _drift(self, chains: Chains) -> Tensor:
        """The gradient in whitened coordinates, C^(1/2) ∇E, shortened to `max_gradient`."""
        drift = self._whole(chains.gradient)
        if self.max_gradient is None:
            return drift
        norm = drift.norm(dim=-1, keepdim=True)
        shortened: Tensor = drift * (self.max_gradient / norm.clamp_min(self.max_gradient))
        return shortened

    def _confine(self, x: Tensor, box: Box | None) -> tuple[Tensor, Tensor | None]:
        """The points in the box, and the sign of each coordinate if they are reflected."""
        if box is None or self.boundary == "reject":
            return x, None
        if self.boundary == "reflect":
            return box.fold(x)
        return box.clamp(x), None

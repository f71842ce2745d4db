"""VERA: a network that learns to sample from the energy, instead of chains that walk on it.

The sampler q(x) draws z ~ N(0, I) and x = g(z) + σ ξ, ξ ~ N(0, I), and is trained to minimise
E_q[E(x)] - H(q), which is KL(q ‖ p) up to log Z. The entropy's gradient needs
∇_x log q(x) = E_{q(z|x)}[(g(z) - x) / σ²], whose expectation is taken by importance sampling from
a Gaussian around the very z that made x, of widths learned for each latent dimension.
Source: Grathwohl et al., "No MCMC for me", ICLR 2021.

Gradients for the sampler and for the widths come from separate losses that do not mix, so that
their sum may be minimised by one optimiser. The energy's own parameters get gradients from the
sampler's loss as well: leave them out of that optimiser.
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.nn.functional import interpolate, silu

from gedi.model.convolutions import convolution, dense
from gedi.model.encoders import MLP, MemberLinear
from gedi.sampling.chains import Energy

__all__ = [
    "ImageGenerator",
    "VectorGenerator",
    "VeraSampler",
    "vera_generator_loss",
    "vera_posterior_loss",
]


class VectorGenerator(nn.Module):
    """From latents (n, k) to points (n, d), by a perceptron with a linear last layer.

    Args:
        n_latents: k.
        n_features: d.
        hidden: widths of the layers between; none leaves an affine map.
        generator: source of the initial weights.
    """

    def __init__(
        self, n_latents: int, n_features: int, hidden: Sequence[int], *, generator: Generator
    ) -> None:
        super().__init__()
        self.n_latents = n_latents
        self.body = MLP(n_latents, hidden, generator=generator)
        self.head = MemberLinear(self.body.n_features, n_features, generator=generator)

    def forward(self, z: Tensor) -> Tensor:
        """(n, k) -> (n, d)."""
        points: Tensor = self.head(self.body(z))
        return points


class ImageGenerator(nn.Module):
    """From latents (n, k) to flattened images (n, d) in [-1, 1], by upsampling residual blocks.

    The generator of spectrally normalised GANs (Miyato et al., ICLR 2018), with SiLU, and groups
    instead of batches to normalise, so that every sample stands for itself.

    Args:
        n_latents: k.
        image_shape: (C, H, W); H and W multiples of 4, such as 28 and 32.
        width: channels, a multiple of 8.
        generator: source of the initial weights.

    Raises:
        ValueError: for other sizes and widths.
    """

    def __init__(
        self,
        n_latents: int,
        image_shape: tuple[int, int, int],
        width: int = 128,
        *,
        generator: Generator,
    ) -> None:
        super().__init__()
        channels, height, n_columns = image_shape
        if height % 4 or n_columns % 4 or width % 8:
            raise ValueError(
                "expected a height and width that are multiples of 4 and channels that are one of "
                f"8, got {height}, {n_columns} and {width}"
            )
        self.n_latents = n_latents
        self.start_shape = (width, height // 4, n_columns // 4)
        self.dense = dense(n_latents, math.prod(self.start_shape), generator=generator)
        self.blocks = nn.Sequential(*(_UpBlock(width, generator=generator) for _ in range(2)))
        self.norm = nn.GroupNorm(8, width)
        self.last = convolution(width, channels, 3, generator=generator)

    def forward(self, z: Tensor) -> Tensor:
        """(n, k) -> (n, d)."""
        x = self.blocks(self.dense(z).unflatten(-1, self.start_shape))
        return torch.tanh(self.last(silu(self.norm(x)))).flatten(1)


class _UpBlock(nn.Module):
    """Twice the size: up(x) + conv(silu(norm(conv(up(silu(norm(x)))))))."""

    def __init__(self, width: int, *, generator: Generator) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)
        self.conv1 = convolution(width, width, 3, generator=generator)
        self.conv2 = convolution(width, width, 3, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.conv1(interpolate(silu(self.norm1(x)), scale_factor=2))
        total: Tensor = interpolate(x, scale_factor=2) + self.conv2(silu(self.norm2(branch)))
        return total


class VeraSampler(nn.Module):
    """The sampler q(x), and the approximate posterior of its latents that its training needs.

    Args:
        network: g, maps (n, k) to (n, d), with the attribute `n_latents` = k.
        noise: σ at the start; it is learned.
        noise_range: least and largest σ. Much below the first, the scores (g(z) - x) / σ² get
            too noisy to learn from; above the second, samples would be noise.
        posterior_scale: widths η of the posterior at the start; they are learned.
        widening: the importance sampling draws with widths of this many η. The published code has
            1, but the z it draws around is itself a draw from the posterior, so the others lie
            about sqrt(2) η away from it. With less, weights may have no bounded variance, and
            samplers of Gaussians in two dimensions came out too narrow.

    Raises:
        ValueError: for scales that are not positive, or a σ outside its range.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        noise: float = 0.1,
        noise_range: tuple[float, float] = (0.01, 0.3),
        posterior_scale: float = 0.1,
        widening: float = math.sqrt(2),
    ) -> None:
        super().__init__()
        low, high = noise_range
        if not 0 < low < noise < high or posterior_scale <= 0 or widening <= 0:
            raise ValueError(
                "expected 0 < low < noise < high, posterior_scale > 0 and widening > 0, got "
                f"{low}, {noise}, {high}, {posterior_scale} and {widening}"
            )
        self.network = network
        self.n_latents = int(network.n_latents)  # type: ignore[arg-type]
        self.noise_range = noise_range
        self.widening = widening
        share = (noise - low) / (high - low)
        # A logit keeps σ in its range with gradients that do not stop at the ends.
        self.noise_logit = nn.Parameter(torch.tensor(math.log(share / (1 - share))))
        self.log_posterior_scale = nn.Parameter(
            torch.full((self.n_latents,), math.log(posterior_scale))
        )

    @property
    def noise(self) -> Tensor:
        """σ, a scalar."""
        low, high = self.noise_range
        return low + (high - low) * self.noise_logit.sigmoid()

    @property
    def posterior_scale(self) -> Tensor:
        """η, (k,)."""
        return self.log_posterior_scale.exp()

    def latents(self, n: int, generator: Generator) -> Tensor:
        """Latents z ~ N(0, I), (n, k)."""
        like = self.log_posterior_scale
        return torch.randn(
            n, self.n_latents, dtype=like.dtype, device=like.device, generator=generator
        )

    def forward(self, z: Tensor, generator: Generator) -> Tensor:
        """Points x = g(z) + σ ξ, (n, k) -> (n, d), with gradients."""
        mean: Tensor = self.network(z)
        return mean + self.noise * _randn_like(mean, generator)

    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator) -> Tensor:
        """Points of q, (n, d), without gradients."""
        return self(self.latents(n, generator), generator)  # type: ignore[no-any-return]

    @torch.no_grad()
    def score(self, x: Tensor, z: Tensor, n_importance: int, generator: Generator) -> Tensor:
        """An estimate of ∇_x log q(x), (n, d), for x that was drawn with z.

        Σ_i w_i (g(z_i) - x) / σ² with z_i ~ N(z, (widening η)²) and w_i in proportion to
        q(x|z_i) p(z_i) / N(z_i; z, (widening η)²).

        Args:
            x: (n, d).
            z: (n, k).
            n_importance: how many z_i for each point.
            generator: source of the z_i.
        """
        step = _randn_like(z.expand(n_importance, *z.shape), generator)
        near = z + self.widening * self.posterior_scale * step
        gap = self.network(near.flatten(0, 1)).unflatten(0, (n_importance, -1)) - x
        variance = self.noise.square()
        log_weights = 0.5 * (
            step.square().sum(-1) - near.square().sum(-1) - gap.square().sum(-1) / variance
        )
        weights = log_weights.softmax(0)[..., None]
        score: Tensor = (weights * gap).sum(0) / variance
        return score


def vera_generator_loss(
    energy: Energy,
    sampler: VeraSampler,
    z: Tensor,
    *,
    generator: Generator,
    entropy_weight: float = 1.0,
    n_importance: int = 20,
) -> tuple[Tensor, Tensor]:
    """E_q[E(x)] - w H(q), in nats, whose gradients train g and σ.

    The value stands for the gradient only: in place of H(q) is -mean score(x) · x with the score
    held fixed, which has H's gradient, as E_q[∇_φ log q_φ(x)] = 0 for the direct part.

    Args:
        energy: (n, d) -> (n,).
        sampler: q.
        z: latents, (n, k).
        generator: source of the noise ξ and of the importance sampling.
        entropy_weight: w; 1 is the sampler of p(x), less gives sharper samples. The published
            experiments on images take 1e-4.
        n_importance: latents for each point's score.

    Returns:
        The loss, a scalar, and the samples it was taken at, (n, d), without gradients.
    """
    x = sampler(z, generator)
    score = sampler.score(x, z, n_importance, generator)
    entropy = -(score * x).sum(-1).mean()
    return energy(x).mean() - entropy_weight * entropy, x.detach()


def vera_posterior_loss(
    sampler: VeraSampler, x: Tensor, z: Tensor, *, generator: Generator
) -> Tensor:
    """Minus the evidence bound of log q(x), up to constants, in nats; trains the widths η alone.

    -E_{z' ~ N(z, η²)}[log q(x|z') + log p(z')] - Σ_k log η_k

    Args:
        sampler: q.
        x: samples, (n, d).
        z: the latents they were drawn with, (n, k).
        generator: source of z'.
    """
    fixed = {name: p.detach() for name, p in sampler.network.named_parameters()}
    near = z + sampler.posterior_scale * _randn_like(z, generator)
    gap = functional_call(sampler.network, fixed, (near,)) - x.detach()
    misfit = gap.square().sum(-1) / sampler.noise.detach().square()
    expected = 0.5 * (misfit + near.square().sum(-1)).mean()
    loss: Tensor = expected - sampler.log_posterior_scale.sum()
    return loss


def _randn_like(x: Tensor, generator: Generator) -> Tensor:
    return torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)

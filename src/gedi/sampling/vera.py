"""VERA, an amortised sampler: a network that learns to sample from the energy without chains.

The sampler q(x) draws z ~ N(0, I) and x = g(z) + σ ξ with ξ ~ N(0, I). It is trained to minimise
E_q[E(x)] - H(q), which is KL(q ‖ p) up to log Z. The gradient of the entropy needs the score

    ∇_x log q(x) = E_{q(z|x)}[(g(z) - x) / σ²].

Its expectation is estimated by importance sampling from a Gaussian around the z that generated x,
with a learned width for each latent dimension. Source: Grathwohl et al., "No MCMC for me: Amortized
sampling for fast and stable training of energy-based models", ICLR 2021,
https://arxiv.org/abs/2010.04230.

The sampler and the widths have separate losses whose gradients do not mix, so one optimiser can
minimise their sum. The loss of the sampler also has gradients for the parameters of the energy;
leave these out of that optimiser.
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
    """A network from latents (n, k) to points (n, d): a perceptron with a linear last layer.

    Args:
        n_latents: the number of latents, k.
        n_features: the number of features, d.
        hidden: widths of the hidden layers; without any, the network is an affine map.
        generator: draws the initial weights.
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
    """A network from latents (n, k) to flattened images (n, d) in [-1, 1].

    It upsamples by residual blocks, as the generator of spectrally normalised GANs (Miyato et al.,
    ICLR 2018, https://arxiv.org/abs/1802.05957), but with SiLU, and with group instead of batch
    normalisation, so that samples do not depend on each other.

    Args:
        n_latents: the number of latents, k.
        image_shape: the shape of an image, (C, H, W); H and W are multiples of 4, such as 28 or 32.
        width: the number of channels, a multiple of 8.
        generator: draws the initial weights.

    Raises:
        ValueError: if height or width are not multiples of 4, or `width` is not one of 8.
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
                "expected a height and a width that are multiples of 4 and a number of channels "
                f"that is a multiple of 8, got {height}, {n_columns} and {width}"
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
    """A residual block that doubles the size: up(x) + conv(silu(norm(conv(up(silu(norm(x)))))))."""

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
    """The sampler q(x), with the approximate posterior of its latents that training needs.

    Args:
        network: the network g from (n, k) to (n, d), with the attribute `n_latents` = k.
        noise: the initial standard deviation of the noise, σ; it is learned.
        noise_range: the smallest and the largest σ. With a much smaller σ, the scores
            (g(z) - x) / σ² are too noisy to learn from; with a larger one, samples are noise.
        posterior_scale: the initial widths η of the posterior; they are learned.
        widening: the widths of the importance sampling distribution, in units of η. The published
            code uses 1. However, the z at the centre is itself a draw from the posterior, so other
            draws are about sqrt(2) η away from it. With smaller widths, the variance of the weights
            may be unbounded, and samplers of two-dimensional Gaussians became too narrow.

    Raises:
        ValueError: if a scale is not positive, or σ is outside its range.
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
        # A logit keeps σ in its range with a gradient that is nowhere zero, unlike clamping.
        self.noise_logit = nn.Parameter(torch.tensor(math.log(share / (1 - share))))
        self.log_posterior_scale = nn.Parameter(
            torch.full((self.n_latents,), math.log(posterior_scale))
        )

    @property
    def noise(self) -> Tensor:
        """The standard deviation of the noise, σ, a scalar."""
        low, high = self.noise_range
        return low + (high - low) * self.noise_logit.sigmoid()

    @property
    def posterior_scale(self) -> Tensor:
        """The widths of the posterior, η, (k,)."""
        return self.log_posterior_scale.exp()

    def latents(self, n: int, generator: Generator) -> Tensor:
        """Draw latents z ~ N(0, I), (n, k)."""
        like = self.log_posterior_scale
        return torch.randn(
            n, self.n_latents, dtype=like.dtype, device=like.device, generator=generator
        )

    def forward(self, z: Tensor, generator: Generator) -> Tensor:
        """Draw points x = g(z) + σ ξ, (n, k) -> (n, d), with gradients."""
        mean: Tensor = self.network(z)
        return mean + self.noise * _randn_like(mean, generator)

    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator) -> Tensor:
        """Draw points from q, (n, d), without gradients."""
        return self(self.latents(n, generator), generator)  # type: ignore[no-any-return]

    @torch.no_grad()
    def score(self, x: Tensor, z: Tensor, n_importance: int, generator: Generator) -> Tensor:
        """Estimate the score ∇_x log q(x), (n, d).

        The estimate is Σ_i w_i (g(z_i) - x) / σ² with z_i ~ N(z, (widening η)²) and weights w_i
        proportional to q(x|z_i) p(z_i) / N(z_i; z, (widening η)²).

        Args:
            x: points that were generated from z, (n, d).
            z: their latents, (n, k).
            n_importance: the number of z_i for each point.
            generator: draws the z_i.
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
    """The loss of the sampler, E_q[E(x)] - w H(q) in nats, whose gradients train g and σ.

    Only its gradient is meaningful. H(q) is replaced by -mean score(x) · x with a fixed score,
    which has the same gradient, because E_q[∇_φ log q_φ(x)] = 0.

    Args:
        energy: the energy in nats, (n, d) -> (n,).
        sampler: the sampler q.
        z: latents, (n, k).
        generator: draws the noise ξ and the latents of the importance sampling.
        entropy_weight: the weight of the entropy, w. With 1 the sampler learns p(x), with less its
            samples are sharper. The published experiments on images use 1e-4.
        n_importance: the number of latents for the score of each point.

    Returns:
        The loss, a scalar, and the samples at which it was computed, (n, d), without gradients.
    """
    x = sampler(z, generator)
    score = sampler.score(x, z, n_importance, generator)
    entropy = -(score * x).sum(-1).mean()
    return energy(x).mean() - entropy_weight * entropy, x.detach()


def vera_posterior_loss(
    sampler: VeraSampler, x: Tensor, z: Tensor, *, generator: Generator
) -> Tensor:
    """The negative evidence lower bound of log q(x) in nats, up to constants.

        -E_{z' ~ N(z, η²)}[log q(x|z') + log p(z')] - Σ_k log η_k

    Its gradients train only the widths η.

    Args:
        sampler: the sampler q.
        x: samples, (n, d).
        z: the latents from which they were generated, (n, k).
        generator: draws z'.
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

"""VERA: its score against the exact one, and a sampler trained on a Gaussian."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from gedi.sampling.vera import (
    ImageGenerator,
    VectorGenerator,
    VeraSampler,
    vera_generator_loss,
    vera_posterior_loss,
)

MEAN = torch.tensor([1.0, -0.5])
COVARIANCE = torch.tensor([[1.0, 0.5], [0.5, 0.6]])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def energy(x):
    return -MultivariateNormal(MEAN.to(x), COVARIANCE.to(x)).log_prob(x)


class Affine(torch.nn.Module):
    """q is a known Gaussian: N(b, A Aᵀ + σ² I)."""

    n_latents = 2

    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor([[0.6, 0.1], [-0.1, 0.5]]))
        self.b = torch.nn.Parameter(torch.tensor([0.5, -1.0]))

    def forward(self, z):
        return z @ self.a.T + self.b


def affine_sampler(posterior_scale=0.5):
    sampler = VeraSampler(
        Affine(), noise=0.25, noise_range=(0.01, 0.5), posterior_scale=posterior_scale
    )
    return sampler.double()


def exact_law(sampler):
    a = sampler.network.a
    return MultivariateNormal(
        sampler.network.b,
        a @ a.T + sampler.noise.square() * torch.eye(2, dtype=torch.float64),
    )


def test_score_is_that_of_the_sampler():
    sampler = affine_sampler()
    z = sampler.latents(200, seeded(1))
    x = sampler(z, seeded(2)).detach().requires_grad_()
    (exact,) = torch.autograd.grad(exact_law(sampler).log_prob(x).sum(), x)
    error = sampler.score(x.detach(), z, 4000, seeded(3)) - exact
    assert float(error.square().mean().sqrt()) < 0.1 * float(exact.square().mean().sqrt())


def test_the_loss_has_the_gradient_of_energy_and_entropy():
    sampler = affine_sampler()
    z = sampler.latents(20_000, seeded(1))
    loss, x = vera_generator_loss(energy, sampler, z, generator=seeded(2), n_importance=100)
    assert x.shape == z.shape and not x.requires_grad
    parameters = [sampler.network.a, sampler.network.b, sampler.noise_logit]
    got = torch.autograd.grad(loss, parameters)
    law = exact_law(sampler)
    # E_q[E(x)] of a quadratic energy, from the exact mean and covariance.
    precision = COVARIANCE.double().inverse()
    shift = law.mean - MEAN.double()
    mean_energy = 0.5 * ((precision * law.covariance_matrix).sum() + shift @ precision @ shift)
    want = torch.autograd.grad(mean_energy - law.entropy(), parameters)
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, atol=0.06, rtol=0.03)


def test_the_posterior_loss_is_least_at_the_best_widths_and_moves_only_them():
    sampler = affine_sampler(posterior_scale=0.1)
    optimiser = torch.optim.Adam([sampler.log_posterior_scale], lr=0.05)
    generator = seeded()
    for _ in range(300):
        z = sampler.latents(500, generator)
        loss = vera_posterior_loss(sampler, sampler(z, generator), z, generator=generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    a = sampler.network.a.detach()
    # The best factorised Gaussian has the diagonal of the posterior's precision.
    best = (a.square().sum(0) / sampler.noise.detach().square() + 1).rsqrt()
    torch.testing.assert_close(sampler.posterior_scale.detach(), best, rtol=0.05, atol=0)
    assert all(p.grad is None for p in (*sampler.network.parameters(), sampler.noise_logit))


def trained(entropy_weight):
    generator = seeded()
    network = VectorGenerator(2, 2, [32], generator=generator)
    sampler = VeraSampler(network, noise=0.3, noise_range=(0.01, 0.5), widening=2.0)
    optimiser = torch.optim.Adam(sampler.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, 1000)
    for _ in range(1000):
        z = sampler.latents(128, generator)
        loss, x = vera_generator_loss(
            energy,
            sampler,
            z,
            generator=generator,
            entropy_weight=entropy_weight,
            n_importance=20,
        )
        loss = loss + vera_posterior_loss(sampler, x, z, generator=generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return sampler.sample(20_000, generator=generator)


def test_sampler_finds_mean_and_covariance():
    x = trained(entropy_weight=1.0)
    torch.testing.assert_close(x.mean(0), MEAN, atol=0.1, rtol=0)
    torch.testing.assert_close(x.T.cov(), COVARIANCE, atol=0.12, rtol=0)


def test_without_entropy_the_sampler_collapses():
    x = trained(entropy_weight=0.0)
    torch.testing.assert_close(x.mean(0), MEAN, atol=0.1, rtol=0)
    assert float(x.T.cov().diagonal().sum()) < 0.1


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_images(shape):
    network = ImageGenerator(6, shape, 16, generator=seeded())
    sampler = VeraSampler(network, noise=0.02)
    z = sampler.latents(5, seeded(1))
    d = shape[0] * shape[1] * shape[2]
    means = network(z)
    assert means.shape == (5, d) and means.abs().max() <= 1 and means.std() > 0.05
    torch.testing.assert_close(network(z[:1]), means[:1], atol=1e-5, rtol=1e-4)
    loss, x = vera_generator_loss(
        lambda x: x.square().sum(-1), sampler, z, generator=seeded(2), n_importance=3
    )
    (loss + vera_posterior_loss(sampler, x, z, generator=seeded(3))).backward()
    assert x.shape == (5, d)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in sampler.parameters())


def test_the_generator_determines_weights_and_samples():
    def drawn(seed):
        network = ImageGenerator(4, (1, 8, 8), 8, generator=seeded(seed))
        return VeraSampler(network).sample(3, generator=seeded(5))

    state = torch.random.get_rng_state()
    assert torch.equal(drawn(0), drawn(0)) and not torch.equal(drawn(0), drawn(1))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_noise_starts_at_its_setting_and_stays_in_its_range():
    sampler = VeraSampler(Affine(), noise=0.05, noise_range=(0.01, 0.3))
    assert float(sampler.noise.detach()) == pytest.approx(0.05)
    with torch.no_grad():
        sampler.noise_logit.fill_(100)
    assert float(sampler.noise.detach()) == pytest.approx(0.3)


def test_settings_out_of_range():
    with pytest.raises(ValueError, match="low < noise < high"):
        VeraSampler(Affine(), noise=0.5)
    with pytest.raises(ValueError, match="multiples of 4"):
        ImageGenerator(4, (1, 30, 28), generator=seeded())

"""The loss of the benchmark of energy matching, against energies with the slopes that it wants."""

import math

import pytest
import torch

from energy_matching import Flow, draw_flow, matching_loss, paired

NOISE, D = 0.3, 7


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def flow_to(point, n=300):
    generator = seeded()
    starts = torch.randn(n, D, generator=generator, dtype=torch.float64)
    return draw_flow(starts, point.expand(n, D), NOISE, generator)


def test_a_cone_over_a_single_point_has_no_loss():
    point = torch.linspace(-1, 1, D, dtype=torch.float64)
    flow = flow_to(point)

    def cone(x, steepness=1.0):
        return steepness * math.sqrt(D) / NOISE * (x - point).norm(dim=-1)

    assert matching_loss(cone, flow, NOISE).item() == pytest.approx(0, abs=1e-20)
    # Half as steep, each slope lacks √d / 2s.
    assert matching_loss(lambda x: cone(x, 0.5), flow, NOISE).item() == pytest.approx(D / 8)


def test_a_quadratic_energy_has_no_loss_for_its_own_slopes():
    x = torch.randn(50, D, generator=seeded(), dtype=torch.float64)
    flow = Flow(x, x / NOISE**2)
    loss = matching_loss(lambda x: x.square().sum(-1) / (2 * NOISE**2), flow, NOISE)
    assert loss.item() == pytest.approx(0, abs=1e-20)


def test_half_of_the_points_are_noisy_data_and_the_rest_lie_on_lines():
    point = torch.zeros(D, dtype=torch.float64)
    distance = flow_to(point).x.norm(dim=-1)
    # Noise is shorter than 0.6 s √d or longer than 1.5 s √d for less than one in ten points.
    usual = (distance / (NOISE * math.sqrt(D)) - 1).abs() < 0.5
    assert 0.45 < float(usual.double().mean()) < 0.7
    assert float(distance.max()) > 2.5


def test_starts_go_to_the_ends_that_are_near():
    ends = torch.arange(6.0)[:, None] * torch.ones(D)
    shuffled = ends[torch.tensor([3, 0, 5, 1, 4, 2])] + 0.1
    assert torch.equal(paired(shuffled, ends), ends + 0.1)

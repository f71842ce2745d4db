"""Barlow Twins against golden values and properties of the loss."""

import pytest
import torch

from gedi.methods import barlow_twins_loss


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def test_golden_values(golden):
    for case in golden:
        z1, z2 = (
            torch.tensor(case[k], dtype=torch.float64, requires_grad=True) for k in ("z1", "z2")
        )
        expected = case["expected"]["barlow_lambda_5e-3"]
        loss = barlow_twins_loss(z1, z2)
        g1, g2 = torch.autograd.grad(loss, (z1, z2))
        assert float(loss.detach()) == pytest.approx(expected["loss"], abs=1e-9)
        assert float(g1.norm()) == pytest.approx(expected["grad_norm_z1"], abs=1e-9)
        assert float(g2.norm()) == pytest.approx(expected["grad_norm_z2"], abs=1e-9)


def test_same_uncorrelated_features_cost_nothing():
    # Orthogonal columns of sum zero: a piece of a Hadamard matrix.
    z = torch.tensor([[1, 1, 1], [-1, 1, -1], [1, -1, -1], [-1, -1, 1]], dtype=torch.float64)
    assert float(barlow_twins_loss(z, z)) == pytest.approx(0, abs=1e-8)
    assert float(barlow_twins_loss(z, -z)) == pytest.approx(3 * 4, abs=1e-3)
    redundant = z[:, :1].expand(4, 3)
    assert float(barlow_twins_loss(redundant, redundant, 0.5)) == pytest.approx(3, abs=1e-3)


def test_scale_and_shift_of_features_do_not_matter():
    a, b = randn(20, 4), randn(20, 4, seed=1)
    assert float(barlow_twins_loss(a, b)) == pytest.approx(
        float(barlow_twins_loss(3 * a + 5, b / 2 - 1)), rel=1e-3
    )


def test_members_do_not_mix():
    a, b = randn(3, 6, 4), randn(3, 6, 4, seed=1)
    alone = [barlow_twins_loss(a[k], b[k]) for k in range(3)]
    torch.testing.assert_close(barlow_twins_loss(a, b), torch.stack(alone))


def test_gradients():
    a, b = randn(6, 3).requires_grad_(), randn(6, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(barlow_twins_loss, (a, b))


def test_a_constant_feature_stays_finite():
    z = torch.ones(5, 3, requires_grad=True)
    barlow_twins_loss(z, z).backward()
    assert z.grad.isfinite().all()

"""SwAV against golden values and properties of the codes."""

import pytest
import torch

from gedi.methods import sinkhorn_codes, swav_loss


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def test_golden_values(golden):
    for case in golden:
        s1, s2 = (
            torch.tensor(case[k], dtype=torch.float64, requires_grad=True)
            for k in ("swav_scores1", "swav_scores2")
        )
        codes = torch.tensor(case["sinkhorn_codes1"], dtype=torch.float64)
        torch.testing.assert_close(sinkhorn_codes(s1), codes, atol=1e-9, rtol=0)
        expected = case["expected"]["swav_t0.1_eps0.05_it3"]
        loss = swav_loss(s1, s2)
        g1, g2 = torch.autograd.grad(loss, (s1, s2))
        assert float(loss.detach()) == pytest.approx(expected["loss"], abs=1e-9)
        assert float(g1.norm()) == pytest.approx(expected["grad_norm_z1"], abs=1e-9)
        assert float(g2.norm()) == pytest.approx(expected["grad_norm_z2"], abs=1e-9)


def test_codes_are_assignments_in_equal_shares():
    codes = sinkhorn_codes(randn(2, 60, 4), epsilon=0.5, n_iterations=200)
    torch.testing.assert_close(codes.sum(-1), torch.ones(2, 60, dtype=torch.float64))
    torch.testing.assert_close(codes.sum(-2), torch.full((2, 4), 15, dtype=torch.float64))


def test_without_iterations_codes_are_a_softmax():
    scores = randn(5, 3)
    torch.testing.assert_close(sinkhorn_codes(scores, 0.5, 0), (scores / 0.5).softmax(-1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_large_scores_stay_finite(dtype):
    scores = (1e3 * randn(8, 3)).to(dtype).requires_grad_()
    loss = swav_loss(scores, scores.flip(0))
    loss.backward()
    assert loss.isfinite() and loss.dtype == dtype and scores.grad.isfinite().all()


def test_codes_carry_no_gradient():
    scores = randn(8, 3).requires_grad_()
    assert not sinkhorn_codes(scores).requires_grad


def test_members_do_not_mix():
    a, b = randn(3, 8, 4), randn(3, 8, 4, seed=1)
    alone = [swav_loss(a[k], b[k]) for k in range(3)]
    torch.testing.assert_close(swav_loss(a, b), torch.stack(alone))


def test_views_that_agree_cost_less():
    scores = randn(20, 4)
    assert swav_loss(scores, scores) < swav_loss(scores, randn(20, 4, seed=1))


def test_temperatures_are_positive():
    with pytest.raises(ValueError, match="temperature > 0 and epsilon > 0, got 0 and"):
        swav_loss(randn(4, 2), randn(4, 2), temperature=0)
    with pytest.raises(ValueError, match=r"got 0\.1 and -1"):
        swav_loss(randn(4, 2), randn(4, 2), epsilon=-1)

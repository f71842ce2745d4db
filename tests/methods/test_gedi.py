"""The three terms of one batch."""

import pytest
import torch

from gedi.methods import gedi_terms
from gedi.model import EnergyClassifier
from gedi.model.encoders import MLP
from gedi.objective import Weights, contrast, invariance, prior_agreement


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


LOG_PRIOR = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()


def batch(members):
    """A model, data, their view, samples and smoothed data; sizes differ where they may."""
    encoder = MLP(2, [6], members=members, generator=seeded())
    model = EnergyClassifier(encoder, 3, members=members, generator=seeded(1)).double()
    parts = [
        torch.randn(*members, n, 2, dtype=torch.float64, generator=seeded(k))
        for k, n in enumerate((5, 5, 4, 5))
    ]
    return model, *parts


@pytest.mark.parametrize("members", [(), (2,)])
def test_terms_are_those_of_separate_passes(members):
    model, x, view, negatives, smoothed = batch(members)
    terms = gedi_terms(model, x, view, negatives, LOG_PRIOR)
    close = {"atol": 1e-12, "rtol": 0}
    assert terms.gen.shape == terms.inv.shape == terms.prior.shape == members
    assert torch.allclose(terms.gen, contrast(model.energy(x), model.energy(negatives)), **close)
    # The posterior at x is the target, that at the view the prediction.
    assert torch.allclose(terms.inv, invariance(model(view), model(x)), **close)
    assert torch.allclose(terms.prior, prior_agreement(model(x), LOG_PRIOR), **close)
    noisy = gedi_terms(model, x, view, negatives, LOG_PRIOR, smoothed=smoothed)
    expected = contrast(model.energy(smoothed), model.energy(negatives))
    assert torch.allclose(noisy.gen, expected, **close)
    assert torch.allclose(noisy.inv, terms.inv, **close)
    assert torch.allclose(noisy.prior, terms.prior, **close)


@pytest.mark.parametrize("members", [(), (2,)])
def test_left_out_parts_are_zero(members):
    model, x, view, negatives, _ = batch(members)
    whole = gedi_terms(model, x, view, negatives, LOG_PRIOR)
    no_gen = gedi_terms(model, x, view, None, LOG_PRIOR)
    jem = gedi_terms(model, x, None, negatives, LOG_PRIOR)
    assert no_gen.gen.shape == members and (no_gen.gen == 0).all()
    assert (jem.inv == 0).all()
    assert torch.allclose(no_gen.inv, whole.inv) and torch.allclose(no_gen.prior, whole.prior)
    assert torch.allclose(jem.gen, whole.gen) and torch.allclose(jem.prior, whole.prior)


def test_zero_weights_are_jem_and_no_gen_in_gradients_too():
    model, x, view, negatives, _ = batch(())

    def gradients(weights, *, with_view=True, with_negatives=True):
        terms = gedi_terms(
            model, x, view if with_view else None, negatives if with_negatives else None, LOG_PRIOR
        )
        return torch.autograd.grad(terms.loss(weights), list(model.parameters()))

    jem, no_gen = Weights(1, 0, 0), Weights(0, 1, 2)
    for a, b in zip(gradients(jem), gradients(jem, with_view=False), strict=True):
        assert torch.allclose(a, b, atol=1e-12)
    for a, b in zip(gradients(no_gen), gradients(no_gen, with_negatives=False), strict=True):
        assert torch.allclose(a, b, atol=1e-12)


def test_gradient_raises_the_data_and_lowers_the_samples():
    model, x, _, negatives, _ = batch(())
    terms = gedi_terms(model, x, None, negatives, LOG_PRIOR)
    with torch.no_grad():
        before = model.energy(negatives).mean() - model.energy(x).mean()
    terms.loss(Weights(1, 0, 0)).backward()
    with torch.no_grad():
        for p in model.parameters():
            p.sub_(0.01 * p.grad)
        assert model.energy(negatives).mean() - model.energy(x).mean() > before

"""Trainings with parts that the user brings."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from gedi.data.dataset import Dataset
from gedi.errors import SettingsError
from gedi.settings import ViewSettings
from gedi.training.custom import Custom
from gedi.training.session import start
from small_trainings import SMALL, heaps

NO_VIEWS = ViewSettings(noise=0, adversarial=0, neighbours=0)


def run(settings=SMALL, **custom):
    x, labels = heaps()
    fit = start(Dataset("heaps", x), settings, custom=Custom(**custom)).run()
    clusters = fit.trained.predict(x).clusters
    return fit, max(np.mean(clusters == labels), np.mean(clusters != labels))


@pytest.mark.parametrize("restarts", [1, 3])
def test_any_module_is_an_encoder(restarts):
    torch.manual_seed(0)  # of the user's module
    module = nn.Sequential(nn.Linear(2, 16), nn.LayerNorm(16), nn.SiLU(), nn.Linear(16, 8))
    before = [value.clone() for value in module.parameters()]
    settings = replace(
        SMALL, max_iter=100, restarts=replace(SMALL.restarts, n=restarts, iterations=30)
    )
    fit, accuracy = run(settings, encoder=module)
    assert accuracy > 0.98
    assert fit.trained.embed(heaps()[0]).shape == (200, 8)
    # The user's module is left as it was.
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_own_views_alone_suffice():
    def jitter(x):
        return x + 5 * torch.randn_like(x)

    _, accuracy = run(replace(SMALL, max_iter=100, views=NO_VIEWS), views=(jitter,))
    assert accuracy > 0.98
    with pytest.raises(SettingsError, match="views"):
        run(replace(SMALL, views=NO_VIEWS))


def test_positives_decide_what_belongs_together():
    """The heaps lie left and right; pairs across them, above and below, cut the other way."""
    x, _ = heaps()
    upper = x[:, 1] > np.median(x[:, 1])
    rng = np.random.default_rng(0)
    pairs = np.concatenate(
        [rng.choice(np.flatnonzero(upper == side), size=(1000, 2)) for side in (False, True)]
    )
    settings = replace(SMALL, max_iter=300, views=NO_VIEWS, weights=replace(SMALL.weights, gen=0.0))
    fit, _ = run(settings, positives=pairs)
    found = fit.trained.predict(x).clusters
    assert max(np.mean(found == upper), np.mean(found != upper)) > 0.95


def test_a_trained_model_goes_on_where_it_was():
    first, _ = run(replace(SMALL, max_iter=150))
    x = heaps()[0]
    again, _ = run(replace(SMALL, max_iter=1, learning_rate=1e-9), previous=first.trained)
    np.testing.assert_allclose(
        again.trained.predict(x).energy, first.trained.predict(x).energy, rtol=1e-3, atol=1e-3
    )
    assert torch.equal(again.trained.scaling.shift, first.trained.scaling.shift)
    assert not again.candidates


def test_going_on_needs_the_same_shape():
    first, _ = run()
    with pytest.raises(SettingsError, match="same features, clusters and encoder"):
        run(replace(SMALL, n_clusters=3), previous=first.trained)

"""Restarts from k-means, and priors that are learned."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from torch import Generator

from gedi.data.dataset import Dataset
from gedi.errors import SettingsError
from gedi.evaluation.clustering import nmi
from gedi.model import EnergyClassifier
from gedi.model.encoders import MLP
from gedi.training.custom import Custom
from gedi.training.hooks import StopWhen
from gedi.training.session import start
from gedi.training.starts import fit_codes, kmeans_codes
from small_trainings import SMALL, blobs, heaps

pytestmark = pytest.mark.usefixtures("known_normalizer")

SIZES = [300, 150, 50]
X, Y = make_blobs(SIZES, n_features=5, cluster_std=1.5, random_state=1)
UNEQUAL = Dataset("unequal", X.astype(np.float32))
LEARNED = replace(
    SMALL,
    n_clusters=3,
    prior="learned",
    max_iter=200,
    restarts=replace(SMALL.restarts, n=4, iterations=60),
)


def seeded(seed=0):
    return Generator().manual_seed(seed)


def group(members=2):
    encoder = MLP(2, [16], members=(members,), generator=seeded())
    return EnergyClassifier(encoder, 2, members=(members,), generator=seeded(1))


def test_kmeans_gives_its_largest_cluster_the_largest_share_of_the_prior():
    x = torch.tensor([[0.0], [0.1], [0.2], [9.0], [9.1], [20.0]])
    rising = kmeans_codes(x, torch.tensor([0.1, 0.2, 0.7]).log(), seeded())
    assert rising.codes.tolist() == [2, 2, 2, 1, 1, 0]
    torch.testing.assert_close(rising.log_shares.exp(), torch.tensor([1.0, 2.0, 3.0]) / 6)
    falling = kmeans_codes(x, torch.tensor([0.7, 0.2, 0.1]).log(), seeded())
    assert falling.codes.tolist() == [0, 0, 0, 1, 1, 2]


def test_fewer_points_than_clusters_leave_no_share_at_zero():
    found = kmeans_codes(torch.zeros(5, 1), torch.zeros(3), seeded())
    assert found.log_shares.isfinite().all()


def test_each_member_learns_its_own_codes():
    model, x = group(), blobs()
    left = (x[:, 0] < 0).long()
    fit_codes(
        model,
        x,
        torch.stack([left, 1 - left]),
        n_steps=200,
        learning_rate=1e-2,
        batch_size=64,
        generator=seeded(),
    )
    said = model.posterior(x.expand(2, -1, -1)).argmax(-1)
    assert (said[0] == left).float().mean() > 0.99
    assert (said[1] == 1 - left).float().mean() > 0.99


@pytest.mark.parametrize("kmeans", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_learned_shares_are_those_of_the_data(kmeans):
    settings = replace(LEARNED, restarts=replace(LEARNED.restarts, kmeans=kmeans), max_iter=600)
    fit = start(UNEQUAL, settings).run()
    found = fit.trained.predict(X).clusters
    if kmeans:
        assert nmi(Y, found) > 0.95
    shares = np.bincount(found, minlength=3) / len(X)
    np.testing.assert_allclose(fit.trained.log_prior.exp(), shares, atol=0.05)
    assert np.all(np.diff(shares) <= 0)


def test_learned_priors_start_from_kmeans_and_others_do_not():
    def log_priors(prior):
        settings = replace(LEARNED, prior=prior, restarts=replace(LEARNED.restarts, kmeans=1))
        return start(UNEQUAL, settings).state.log_prior.exp()

    learned = log_priors("learned")
    torch.testing.assert_close(learned[:3], torch.full((3, 3), 1 / 3))
    torch.testing.assert_close(learned[3], torch.tensor([0.6, 0.3, 0.1]), atol=0.05, rtol=0)
    torch.testing.assert_close(log_priors(None), torch.full((4, 3), 1 / 3))


def test_a_learned_prior_survives_a_pause():
    settings = replace(LEARNED, max_iter=100)
    straight = start(UNEQUAL, settings)
    straight.train()
    paused = start(UNEQUAL, settings)
    paused.train([StopWhen(lambda: paused.state.iteration == 90)])
    resumed = start(UNEQUAL, settings)
    resumed.load_state_dict(paused.state_dict())
    resumed.train()
    assert torch.equal(resumed.state.log_prior, straight.state.log_prior)


def test_a_learned_prior_goes_on_with_its_model():
    first = start(UNEQUAL, replace(LEARNED, max_iter=100)).run().trained
    again = start(UNEQUAL, LEARNED, custom=Custom(previous=first))
    assert torch.equal(again.state.log_prior, first.log_prior)


def test_images_do_not_start_from_kmeans_and_tables_do():
    x, _ = heaps(60, 4)
    table = start(Dataset("table", x), replace(SMALL, restarts=replace(SMALL.restarts, n=None)))
    images = Dataset("images", x, image_shape=(1, 2, 2), value_range=(0.0, 1000.0))
    image = start(images, replace(SMALL, restarts=replace(SMALL.restarts, n=None)))
    assert (table.settings.restarts.n, table.settings.restarts.kmeans) == (6, 2)
    assert (image.settings.restarts.n, image.settings.restarts.kmeans) == (4, 0)


def test_mistakes_are_told():
    with pytest.raises(SettingsError, match=r"restarts\.kmeans: expected at most restarts\.n, 4"):
        start(UNEQUAL, replace(LEARNED, restarts=replace(LEARNED.restarts, kmeans=5)))
    with pytest.raises(
        SettingsError, match="prior: expected a list of numbers or uniform or learned, got 'lerned'"
    ):
        start(UNEQUAL, replace(LEARNED, prior="lerned"))

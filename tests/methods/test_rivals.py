"""Methods to compare with, in GEDI's trainer."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from gedi.data.dataset import Dataset
from gedi.errors import SettingsError
from gedi.evaluation.clustering import accuracy
from gedi.evidence import Observed
from gedi.evidence.groups import Groups
from gedi.methods import barlow_twins_loss, barlow_twins_terms, swav_loss, swav_terms
from gedi.rules import sum_rule
from gedi.settings import EncoderSettings, RestartSettings, Settings, WeightSettings
from gedi.training.custom import Custom
from gedi.training.session import start
from gedi.training.storage import load_trained, save_trained

RIVALS = ("barlow-twins", "swav")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_terms_are_the_losses():
    x, view = (torch.randn(2, 9, 4, generator=seeded(k)) for k in (0, 1))
    log_prior = torch.zeros(4)
    terms = barlow_twins_terms(lambda z: 3 * z, x, view, None, log_prior)
    torch.testing.assert_close(terms.inv, -barlow_twins_loss(3 * x, 3 * view))
    assert not terms.gen.any() and not terms.prior.any() and not terms.evidence.any()
    terms = swav_terms(lambda z: z / 0.1, x, view, None, log_prior)
    torch.testing.assert_close(terms.inv, -swav_loss(x, view, 0.1))
    with pytest.raises(ValueError, match="second view"):
        swav_terms(lambda z: z, x, None, None, log_prior)


def test_swav_has_a_term_for_evidence():
    x, view = (torch.randn(9, 4, generator=seeded(k)) for k in (0, 1))
    observed = Observed(torch.ones(5, 4), lambda logits: logits.sum())
    terms = swav_terms(lambda z: z / 0.1, x, view, None, torch.zeros(4), observed=observed)
    torch.testing.assert_close(terms.inv, -swav_loss(x, view, 0.1))
    torch.testing.assert_close(terms.evidence, torch.tensor(200.0))


def heaps():
    """Three heaps of 4x4 images with a bright square in one corner each."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 240)
    x = rng.normal(60, 15, size=(240, 4, 4))
    for k, (i, j) in enumerate([(0, 0), (0, 2), (2, 0)]):
        x[labels == k, i : i + 2, j : j + 2] += 120
    x = x.clip(0, 255).astype(np.uint8).reshape(240, 16)
    return Dataset("heaps", x, labels, image_shape=(1, 4, 4), value_range=(0.0, 255.0))


@pytest.mark.parametrize("method", RIVALS)
def test_rivals_find_clusters_and_are_loaded_from_a_file(method, tmp_path):
    data = heaps()
    settings = Settings(method=method, n_clusters=3, max_iter=150, batch_size=64)
    fit = start(data, settings).run()
    assert fit.trained.n_clusters == 3 and fit.trained.log_prior.shape == (3,)
    assert accuracy(data.labels, fit.trained.predict(data.x).clusters) > 0.95
    save_trained(fit.trained, tmp_path / "model.safetensors")
    back = load_trained(tmp_path / "model.safetensors", fit.settings, (1, 4, 4))
    assert np.array_equal(
        back.predict(data.x).probabilities, fit.trained.predict(data.x).probabilities
    )


def test_clusters_of_barlow_twins_are_those_of_k_means_on_its_embedding():
    data = heaps()
    settings = Settings(method="barlow-twins", n_clusters=3, max_iter=20, batch_size=64)
    trained = start(data, settings).run().trained
    embedding = trained.embed(data.x).astype(np.float32)
    found = KMeans(3, n_init=10, random_state=0).fit_predict(embedding)
    assert accuracy(found, trained.predict(data.x).clusters) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"weights": WeightSettings(gen=0.1)}, "weights.gen 0"),
        ({"weights": WeightSettings(prior=1.0)}, "weights.prior 0"),
        ({"prior": "learned"}, "prior null"),
        ({"encoder": EncoderSettings(base=True)}, "encoder.base false"),
        ({"restarts": RestartSettings(n=3)}, "restarts.n 1"),
    ],
)
def test_settings_that_do_not_fit_a_rival_are_refused(changes, expected):
    words = f"setting method: swav gives inv, evidence alone: expected {expected}$"
    with pytest.raises(SettingsError, match=words):
        start(heaps(), Settings(method="swav", n_clusters=3, **changes))


def test_of_the_rivals_only_swav_takes_rules():
    rule = sum_rule(2, 3)
    rows = torch.arange(240).reshape(120, 2)
    data = heaps()
    # Where the symbols are not those of the classes in their order.
    symbols = (data.labels + 1) % 3
    groups = Groups(rule, rows, rule.encode(symbols[rows.numpy()].sum(1).tolist()))
    settings = Settings(method="swav", n_clusters=3, max_iter=150, batch_size=64)
    fit = start(data, settings, custom=Custom(groups=groups)).run()
    assert np.mean(fit.trained.predict(data.x).clusters == symbols) > 0.95
    with pytest.raises(
        SettingsError, match="barlow-twins gives inv alone: expected no labels and no rules"
    ):
        start(
            data,
            Settings(method="barlow-twins", n_clusters=3),
            custom=Custom(groups=groups),
        )

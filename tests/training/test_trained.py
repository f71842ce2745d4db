"""What a trained model says of points in the user's units."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gedi.data.dataset import Dataset
from gedi.errors import DataError
from gedi.model import EnergyClassifier
from gedi.model.smoothing import Smoothing
from gedi.settings import EncoderSettings
from gedi.training.numbering import Reference, aligned
from gedi.training.session import start
from gedi.training.storage import load_trained, save_trained
from gedi.training.trained import most_probable
from small_trainings import SMALL, heaps


@pytest.fixture(scope="module")
def fit():
    # With a base, as a density that starts flat takes longer than this.
    settings = replace(SMALL, max_iter=400, encoder=EncoderSettings(hidden=[16], base=True))
    return start(Dataset("heaps", heaps()[0]), settings).run()


@pytest.fixture(scope="module")
def trained(fit):
    return fit.trained


def seed(value=0):
    return torch.Generator().manual_seed(value)


def test_predictions_agree_with_each_other(trained):
    x, labels = heaps()
    found = trained.predict(x)
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-12)
    np.testing.assert_array_equal(found.probabilities.argmax(1), found.clusters)
    constant = found.log_density + found.energy
    np.testing.assert_allclose(constant, constant[0], atol=1e-9)
    assert max(np.mean(found.clusters == labels), np.mean(found.clusters != labels)) > 0.95


def test_clusters_alone_are_those_of_predictions(trained):
    rng = np.random.default_rng(0)
    x = heaps()[0][rng.integers(len(heaps()[0]), size=5000)] + rng.normal(size=(5000, 2))
    np.testing.assert_array_equal(trained.clusters(x), trained.predict(x).clusters)
    assert trained.clusters(x).dtype == np.int64
    with pytest.raises(DataError, match="2"):
        trained.clusters(np.ones((3, 5)))


def test_points_near_a_boundary_get_the_clusters_of_the_exact_network():
    seen = []

    def exact(z, with_base):
        seen.append(len(z))
        return torch.stack([z[:, 0], torch.zeros_like(z[:, 0])], 1)

    def rounded(z, with_base):
        return torch.stack([z[:, 0] + 1e-5, torch.zeros_like(z[:, 0])], 1)  # as in float32

    z = torch.linspace(-1, 1, 2000, dtype=torch.float64)[:, None]
    z = torch.cat([z, torch.tensor([[-5e-6], [float("nan")]], dtype=torch.float64)])
    found = most_probable(rounded, exact, z)
    assert torch.equal(found[:-1], (z[:-1, 0] < 0).long()) and found[-2] == 1
    assert 2 <= sum(seen) < 20


def test_a_point_is_judged_alike_in_any_company(trained):
    x, _ = heaps()
    together, alone = trained.predict(x), [trained.predict(x[i : i + 1]) for i in range(20)]
    energies = np.concatenate([found.energy for found in alone])
    np.testing.assert_allclose(together.energy[:20], energies, rtol=1e-12, atol=1e-12)


def test_the_embedding_is_what_the_head_sees(trained):
    x, _ = heaps()
    z = torch.from_numpy(trained.embed(x))
    base = trained.exact.base(trained.scaling(x, torch.float64))
    probabilities = trained.predict(x).probabilities
    logits = trained.exact.head(z) + base[:, None]
    np.testing.assert_allclose(logits.softmax(-1).detach(), probabilities, atol=1e-12)


def test_far_points_are_less_likely(trained):
    near, far = trained.predict([[506.0, 506.0]]), trained.predict([[900.0, 100.0]])
    assert far.log_density[0] < near.log_density[0] - 3


def test_a_file_without_outlier_energy_ranks_by_density_and_has_no_p_values(fit, tmp_path):
    x, _ = heaps()
    file = tmp_path / "model.safetensors"
    trained, settings = fit.trained, fit.settings
    save_trained(replace(trained, outliers=None), file)
    older = load_trained(file, settings, (2,))
    assert older.outliers is None
    np.testing.assert_array_equal(older.outlier_scores(x), older.predict(x).log_density)
    with pytest.raises(DataError, match=r"p-values of outliers.*fewer than 60 images.*train again"):
        older.outlier_p_values([0.0])
    save_trained(trained, file)
    newer = load_trained(file, settings, (2,))
    np.testing.assert_array_equal(newer.outlier_scores(x), trained.outlier_scores(x))
    clusters = trained.predict(x).clusters
    for codes in (None, clusters):
        p = trained.outlier_p_values(trained.outlier_scores(x), codes)
        np.testing.assert_array_equal(newer.outlier_p_values(newer.outlier_scores(x), codes), p)


def test_held_out_rows_have_the_clusters_of_the_final_model():
    x, _ = heaps()
    session = start(Dataset("heaps", x), replace(SMALL, max_iter=300))
    trained = session.run().trained
    _, places = session.parts.outliers
    expected = trained.predict(x[places]).clusters
    np.testing.assert_array_equal(trained.outliers.clusters, expected)
    swapped = Reference(np.arange(200), np.eye(2)[1 - trained.predict(x).clusters])
    renumbered, _ = aligned(trained, swapped, session.parts.data)
    np.testing.assert_array_equal(renumbered.outliers.clusters, 1 - expected)


def test_samples_are_in_the_users_units_and_lie_where_the_data_do(trained):
    x, clusters = trained.sample(200, generator=seed())
    data = heaps()[0]
    assert x.shape == (200, 2)
    assert clusters.shape == (200,)
    np.testing.assert_allclose(x.mean(0), data.mean(0), atol=0.5 * data.std(0).max())
    assert trained.box.contains(trained.scaling(x)).all()


def test_samples_of_a_cluster_are_mostly_of_it(trained):
    for cluster in range(2):
        _, clusters = trained.sample(100, generator=seed(), cluster=cluster)
        assert np.mean(clusters == cluster) > 0.9


def test_samples_hang_on_the_generator_alone(trained):
    one, two, other = (trained.sample(10, generator=seed(s), n_steps=2)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_mistakes_are_told(trained):
    with pytest.raises(DataError, match="2"):
        trained.predict(np.ones((3, 5)))
    with pytest.raises(ValueError, match="from 0 to 1"):
        trained.sample(3, generator=seed(), cluster=2)


def test_noise_is_taken_out_by_its_best_guess(trained):
    # For data N(0, v I) with noise s², the mean of the clean point is z v / (v + s²), exactly.
    v, s = 2.0, 0.5

    class Gaussian(EnergyClassifier):
        def energy(self, x):
            return x.square().sum(-1) / (2 * (v + s * s))

    model = trained.model
    gaussian = Gaussian(model.encoder, 2, generator=seed())
    noisy = replace(trained, model=gaussian, smoothing=Smoothing(s))
    z = torch.randn(40, 2, generator=seed())
    torch.testing.assert_close(noisy.denoise(z), z * v / (v + s * s))
    assert replace(trained, smoothing=Smoothing()).denoise(z) is z

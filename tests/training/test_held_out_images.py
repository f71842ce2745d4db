"""Images that the network does not learn from, and the outlier scores that they give."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from documents import KNOWN
from gedi.data.dataset import Dataset
from gedi.errors import DataError
from gedi.settings import RestartSettings, Settings, ViewSettings
from gedi.training.custom import Custom
from gedi.training.ingredients import n_held_out_images
from gedi.training.numbering import Reference, aligned
from gedi.training.session import start
from gedi.training.storage import load_trained, save_trained
from small_trainings import SMALL

pytestmark = pytest.mark.usefixtures("known_normalizer")

SHAPE = (1, 6, 6)
QUICK = replace(SMALL, max_iter=30, batch_size=16, views=ViewSettings(rotate=10))


def stripes(n, seed=0):
    """Images (n, 36) of random stripes and noise, across and down in turn."""
    rng = np.random.default_rng(seed)
    x = np.sin(np.arange(6) * rng.uniform(0.5, 1.5, (n, 1)) + rng.uniform(0, 6, (n, 1)))
    x = 0.5 + 0.3 * np.repeat(x[:, None], 6, 1) + 0.1 * rng.normal(size=(n, 6, 6))
    x[1::2] = x[1::2].transpose(0, 2, 1)
    return x.clip(0, 1).reshape(n, 36).astype(np.float32)


def of_images(x):
    return Dataset("stripes", x, image_shape=SHAPE, value_range=(0.0, 1.0))


def held_out_rows(session, x):
    """The places of the held-out images in the data."""
    z = session.parts.scaling(x)
    same = (session.parts.held_out[:, None] == z).all(-1)
    assert (same.sum(1) == 1).all()
    return same.int().argmax(1).numpy()


@pytest.fixture(scope="module")
def fit():
    with pytest.MonkeyPatch.context() as patch:  # before `known_normalizer`
        patch.setattr("gedi.training.session.annealed_log_normalizer", lambda *_, **__: KNOWN)
        return start(of_images(stripes(800)), QUICK).run()


def test_a_fifth_of_the_images_and_at_most_128_mib_are_held_out():
    counts = {n: n_held_out_images(n, 36) for n in (59, 60, 300, 50_000)}
    assert counts == {59: 0, 60: 12, 300: 60, 50_000: 2000}
    assert n_held_out_images(50_000, 3 * 224 * 224) == 222


@pytest.mark.parametrize(
    "changes",
    [
        {"max_iter": 20},
        {"restarts": RestartSettings(n=2, iterations=10, kmeans=1, score_matching=5)},
        {"method": "barlow-twins"},
    ],
    ids=["chains", "restarts", "Barlow Twins"],
)
def test_the_network_does_not_depend_on_held_out_images(changes):
    settings = replace(QUICK, max_iter=20, **{k: v for k, v in changes.items() if k != "max_iter"})
    x = stripes(100)
    first = start(of_images(x), settings)
    rows = held_out_rows(first, x)
    seen = np.delete(np.arange(100), rows)
    x[seen[:2]] = [[0.0], [1.0]]  # the box of the chains is that of all images
    first, other = start(of_images(x), settings), x.copy()
    other[rows] = stripes(20, seed=1)
    second = start(of_images(other), settings)
    assert len(rows) == 20 and (second.parts.held_out != first.parts.held_out).any()
    a, b = first.run().trained, second.run().trained
    for name, value in a.model.state_dict().items():
        assert torch.equal(value, b.model.state_dict()[name]), name
    assert torch.equal(a.chains, b.chains)
    assert not torch.equal(a.outliers.held_out, b.outliers.held_out)


def test_labelled_images_are_held_out_last_and_every_class_keeps_one():
    x, classes = stripes(100), np.full(100, -1)
    classes[::10] = np.arange(10) % 2
    session = start(of_images(x), QUICK, custom=Custom(classes=classes))
    assert (classes[held_out_rows(session, x)] == -1).all()
    assert len(session.parts.algorithm.evidence.x) == 10
    classes = np.zeros(100, dtype=np.int64)
    classes[37] = 1
    session = start(of_images(x), QUICK, custom=Custom(classes=classes))
    rows = held_out_rows(session, x)
    assert len(rows) == 20 and 37 not in rows
    evidence = session.parts.algorithm.evidence
    assert len(evidence.x) == 80
    assert not (evidence.x[:, None] == session.parts.held_out).all(-1).any()


def test_constant_and_noisy_images_are_outliers_and_new_ones_are_not(fit):
    rng = np.random.default_rng(2)
    trained, new = fit.trained, stripes(1000, seed=3)
    found = {
        "constant": np.repeat(new[:100].mean(1, keepdims=True), 36, 1),
        "noise": rng.uniform(size=(100, 36)),
    }
    for name, x in found.items():
        p = trained.outlier_p_values(trained.outlier_scores(x))
        assert (p <= 0.05).mean() > 0.9, name
    p = trained.outlier_p_values(trained.outlier_scores(new))
    for alpha in (0.05, 0.2, 0.5):
        assert (p <= alpha).mean() == pytest.approx(alpha, abs=0.12)
    far = trained.outlier_scores(np.full((1, 36), 1e30))
    assert np.isfinite(far).all() and far[0] < trained.outlier_scores(new).min()
    assert trained.outlier_threshold(0.001) == -np.inf


def test_scores_come_back_from_a_file_and_older_files_have_none(fit, tmp_path):
    x, file = stripes(50, seed=4), tmp_path / "model.safetensors"
    save_trained(fit.trained, file)
    back = load_trained(file, fit.settings, SHAPE)
    scores = fit.trained.outlier_scores(x)
    np.testing.assert_array_equal(back.outlier_scores(x), scores)
    clusters = fit.trained.predict(x).clusters
    for codes in (None, clusters):
        p = fit.trained.outlier_p_values(scores, codes)
        np.testing.assert_array_equal(back.outlier_p_values(scores, codes), p)
    save_trained(replace(fit.trained, outliers=None), file)
    older = load_trained(file, fit.settings, SHAPE)
    np.testing.assert_array_equal(older.outlier_scores(x), older.predict(x).log_density)
    with pytest.raises(DataError, match="expected a model with an outlier energy for p-values"):
        older.outlier_p_values(scores)


def test_images_are_scored_alike_in_any_company(fit):
    x = stripes(30, seed=5)
    alone = [fit.trained.outlier_scores(x[i : i + 1])[0] for i in range(30)]
    np.testing.assert_allclose(fit.trained.outlier_scores(x), alone, rtol=1e-9, atol=1e-9)


def test_images_have_no_reasons(fit):
    assert not fit.trained.explains_outliers
    with pytest.raises(DataError, match=r"expected a model of rows of numbers for explanations"):
        fit.trained.explain_outliers(stripes(2))


def test_held_out_images_have_the_clusters_of_the_final_model():
    x = stripes(100)
    session = start(of_images(x), QUICK)
    trained = session.run().trained
    clusters = trained.predict(x[held_out_rows(session, x)]).clusters
    assert sorted(trained.outliers.clusters.tolist()) == sorted(clusters.tolist())
    swapped = Reference(np.arange(100), np.eye(2)[1 - trained.predict(x).clusters])
    renumbered, _ = aligned(trained, swapped, session.parts.data)
    assert torch.equal(renumbered.outliers.clusters, 1 - trained.outliers.clusters)


def test_few_images_are_all_learned_from():
    session = start(of_images(stripes(40)), Settings(n_clusters=2, max_iter=2, batch_size=16))
    assert session.parts.algorithm.rows is None and not len(session.parts.held_out)
    trained = session.run().trained
    assert trained.outliers is None
    x = stripes(5)
    np.testing.assert_array_equal(trained.outlier_scores(x), trained.predict(x).log_density)

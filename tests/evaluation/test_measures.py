"""Measures of a trained model: each by a value known beforehand, or by hand from the same parts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from documents import KNOWN
from gedi.data.dataset import Dataset
from gedi.data.source import load
from gedi.errors import DataError, GediError
from gedi.evaluation.measures import (
    SCORES,
    as_bytes,
    clustering_measures,
    compare_scores,
    detection_measures,
    detection_scores,
    embedding_measures,
    generation_measures,
    outlier_sets,
    some_of,
)
from gedi.evaluation.out_of_distribution import detection, image_foils
from gedi.settings import RestartSettings, SamplerSettings
from gedi.training.session import start
from small_trainings import SMALL, heaps


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def table():
    x, labels = heaps()
    return Dataset("heaps", x, labels, ("left", "right"), ("a", "b"))


@pytest.fixture(scope="module")
def of_table(table):
    return start(table, replace(SMALL, max_iter=150)).run().trained


def stripes(n=240, seed=0):
    """Images of bytes, 6 x 6: bright columns or bright rows, at random places."""
    rng = np.random.default_rng(seed)
    labels, place = rng.integers(2, size=n), rng.integers(6, size=n)
    images = np.zeros((n, 1, 6, 6))
    for image, label, at in zip(images, labels, place, strict=True):
        image[0, :, at] = 230
        if label:
            image[0] = image[0].T
    images = np.clip(images + rng.integers(25, size=images.shape), 0, 255)
    x = images.reshape(n, -1).astype(np.uint8)
    return Dataset("stripes", x, labels, ("columns", "rows"), (), (1, 6, 6), (0.0, 255.0))


@pytest.fixture(scope="module")
def images():
    return stripes()


@pytest.fixture(scope="module")
def of_images(images):
    settings = replace(
        SMALL, max_iter=100, sampler=SamplerSettings(), restarts=RestartSettings(n=1)
    )
    with pytest.MonkeyPatch.context() as patch:  # no measure looks at log Z
        patch.setattr("gedi.training.session.annealed_log_normalizer", lambda *_, **__: KNOWN)
        return start(images, settings).run().trained


def test_clusters_of_two_heaps_are_their_classes(of_table, table):
    found = clustering_measures(of_table, table)
    assert found.keys() == {"NMI", "ARI", "accuracy"}
    assert found["accuracy"] > 0.98 and found["NMI"] > 0.9 and found["ARI"] > 0.9
    clusters = of_table.predict(table.x).clusters
    assert clustering_measures(of_table, replace(table, labels=clusters)) == dict.fromkeys(found, 1)


def test_classes_of_two_heaps_are_predicted_from_embeddings(of_table, table):
    train, test = table.subset(slice(0, 120)), table.subset(slice(120, None))
    found = embedding_measures(of_table, train, test, generator=seeded())
    assert found == {"knn accuracy": 1.0, "linear probe accuracy": 1.0}


def test_embeddings_are_fitted_to_some_training_points(of_table, table, monkeypatch):
    seen = []
    embed = type(of_table).embed
    monkeypatch.setattr(
        type(of_table), "embed", lambda self, x: seen.append(len(x)) or embed(self, x)
    )
    found = embedding_measures(of_table, table, table, n_train=10, generator=seeded())
    assert seen == [10, 200] and found["knn accuracy"] >= 0.5


def test_classes_are_matched_by_name(of_table, table):
    turned = replace(table, labels=1 - table.labels, class_names=("right", "left"))
    new = replace(turned, class_names=("right", "neither"))
    assert embedding_measures(of_table, table, turned, generator=seeded())["knn accuracy"] == 1
    # Half of the points are of a class that was never shown.
    assert embedding_measures(of_table, table, new, generator=seeded())["knn accuracy"] == 0.5


def test_labels_are_required(of_table, table):
    bare, one = replace(table, labels=None), replace(table, labels=0 * table.labels)
    for measure in (
        lambda: clustering_measures(of_table, bare),
        lambda: embedding_measures(of_table, bare, table, generator=seeded()),
        lambda: embedding_measures(of_table, table, bare, generator=seeded()),
    ):
        with pytest.raises(DataError, match="heaps: expected labels to compare with"):
            measure()
    with pytest.raises(DataError, match="at least 2 classes"):
        embedding_measures(of_table, one, table, generator=seeded())


class Pixels(nn.Module):
    """Pixels as features, and what was seen."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        self.seen.append(x)
        return x.float() / 255


def generated(trained, real, n, seed=0, n_steps=3):
    pytest.importorskip("torchmetrics")
    net = Pixels()
    found = generation_measures(trained, real, net, n=n, n_steps=n_steps, generator=seeded(seed))
    return found, net.seen


def test_both_sides_have_the_same_number_of_images_of_whole_values(of_images, images):
    found, (real, samples) = generated(of_images, images, 100)
    assert found.keys() == {"FID", "KID", "precision", "recall"}
    assert real.shape == samples.shape == (100, 36)
    assert real.dtype == samples.dtype == torch.uint8
    _, sides = generated(of_images, images, 10_000)
    assert [len(side) for side in sides] == [240, 240]
    torch.testing.assert_close(sides[0], torch.from_numpy(images.x))


def test_samples_are_drawn_in_parts(of_images, images, monkeypatch):
    seen = []
    sample = type(of_images).sample
    monkeypatch.setattr(
        type(of_images), "sample", lambda self, n, **how: seen.append(n) or sample(self, n, **how)
    )
    monkeypatch.setattr("gedi.evaluation.measures._PART", 20)
    _, (_, samples) = generated(of_images, images, 50)
    assert seen == [20, 20, 10] and len(samples) == 50


def test_generation_depends_on_the_generator_only(of_images, images):
    first, again, other = (generated(of_images, images, 60, seed)[0] for seed in (1, 1, 2))
    assert first == again != other


def test_samples_of_the_model_are_nearer_than_noise(of_images, images):
    found, _ = generated(of_images, images, 200, n_steps=30)

    class Noise(type(of_images)):
        def sample(self, n, *, generator, n_steps):
            x = 255 * torch.rand(n, 36, generator=generator, dtype=torch.float64)
            return x.numpy(), np.zeros(n, dtype=np.int64)

    noise, _ = generated(Noise(**vars_of(of_images)), images, 200)
    assert found["FID"] < 0.7 * noise["FID"] and found["KID"] < noise["KID"]


def vars_of(trained):
    return {name: getattr(trained, name) for name in trained.__dataclass_fields__}


def test_levels_of_images():
    x = np.array([[-1.0, 0.0, 0.5, 0.998, 1.0, 7.0]])
    assert as_bytes(x, (0.0, 1.0)).tolist() == [[0, 0, 128, 254, 255, 255]]
    x = np.array([[0, 7, 255]], dtype=np.uint8)
    assert as_bytes(x, (0.0, 255.0)).tolist() == x.tolist()
    assert as_bytes(np.array([[-0.6, 0.4, 254.5001, 300.0]]), (0.0, 255.0)).tolist() == [
        [0, 0, 255, 255]
    ]
    assert as_bytes(np.full((1, 2), 3.0), (3.0, 3.0)).tolist() == [[0, 0]]
    with pytest.raises(GediError, match="diverged"):
        as_bytes(np.array([[np.nan]]), (0.0, 1.0))


def test_samples_compare_with_images_only(of_table, table, of_images, images):
    with pytest.raises(DataError, match="expected images"):
        generation_measures(of_table, table, Pixels(), generator=seeded())
    with pytest.raises(DataError, match="at least 4 images"):
        generation_measures(of_images, images, Pixels(), n=3, generator=seeded())


def test_scores_are_those_of_the_model(of_images, images):
    found = detection_scores(of_images, images.x)
    assert SCORES.keys() == {"log density", "confidence", "approximate mass"}
    assert found.keys() == SCORES.keys() | {"outlier score"}
    np.testing.assert_array_equal(found["outlier score"], of_images.outlier_scores(images.x))
    older = detection_scores(replace(of_images, outliers=None), images.x)
    assert older.keys() == SCORES.keys()
    exact = of_images.predict(images.x)
    np.testing.assert_allclose(found["log density"], -exact.energy, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(found["confidence"], exact.probabilities.max(1), atol=1e-3)
    z = of_images.scaling(images.x[:5], torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(of_images.exact.energy(z).sum(), z)
    np.testing.assert_allclose(found["approximate mass"][:5], -gradient.norm(dim=1), rtol=1e-3)


def test_confidences_near_one_still_rank(of_images, images):
    model = type(of_images.model)(of_images.model.encoder, 2, generator=seeded())
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(torch.tensor([25.0, 0.0]))
    sure = replace(of_images, model=model.requires_grad_(False))
    assert (detection_scores(sure, images.x)["confidence"] < 1).all()


def test_detection_is_that_of_the_scores(of_images, images):
    outliers = outlier_sets(images, n=50, generator=seeded())
    found = detection_measures(of_images, images, outliers)
    for score, sets in found.items():
        assert sets.keys() == outliers.keys()
        for name, figures in sets.items():
            pair = (detection_scores(of_images, x)[score] for x in (images.x, outliers[name]))
            assert figures == detection(*map(torch.from_numpy, pair))
    assert found["log density"]["inverted"]["AUROC"] > 0.9


def test_scores_that_are_not_numbers_are_refused():
    fine, broken = {"a": np.zeros(3)}, {"a": np.array([0.0, np.nan])}
    assert compare_scores(fine, {"same": fine})["a"]["same"]["AUROC"] == 0.5
    with pytest.raises(GediError, match="scores of other"):
        compare_scores(fine, {"other": broken})


def test_foils_of_bytes_are_bytes(images):
    made = outlier_sets(images, n=30, generator=seeded())
    assert {"uniform noise", "shuffled", "inverted", "constant", "rotated"} < made.keys()
    assert all(x.dtype == np.uint8 and x.shape == (30, 36) for x in made.values())
    np.testing.assert_array_equal(
        np.sort(made["shuffled"]), np.sort(some_of(images, 30, seeded()).x)
    )
    x = torch.from_numpy(images.x).float()
    for name, foil in image_foils(x, images.image_shape, seeded()).items():
        whole = outlier_sets(images, generator=seeded())[name]
        np.testing.assert_array_equal(whole, foil.round().numpy())
    digits = load("digits")
    assert all(x.dtype == np.float32 for x in outlier_sets(digits, generator=seeded()).values())


def test_further_sets_are_added_to_the_foils(images, table):
    other = replace(stripes(seed=1), name="other")
    made = outlier_sets(images, {"other": other}, n=40, generator=seeded())
    assert list(made)[-1] == "other" and made["other"].shape == (40, 36)
    assert outlier_sets(table, {"same": table}, generator=seeded()).keys() == {"same"}
    assert outlier_sets(table, generator=seeded()) == {}


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"x": np.zeros((4, 108), np.uint8), "image_shape": (3, 6, 6)}, "colour images of 6 x 6"),
        ({"x": np.zeros((4, 64), np.uint8), "image_shape": (1, 8, 8)}, "grey images of 8 x 8"),
        ({"image_shape": None}, "got vectors"),
        ({"x": np.zeros((4, 36)), "value_range": (0.0, 1.0)}, "only one is of bytes"),
    ],
)
def test_sets_that_do_not_fit_are_refused(images, changes, words):
    other = replace(images, labels=None, **changes)
    with pytest.raises(DataError, match=f"'mine'.*{words}"):
        outlier_sets(images, {"mine": other}, generator=seeded())


def test_the_number_of_columns_must_be_the_same(table):
    wide = replace(table, x=np.zeros((4, 3), np.float32))
    with pytest.raises(DataError, match="expected 2 features, got 3"):
        outlier_sets(table, {"wide": wide}, generator=seeded())


def test_names_of_foils_are_taken(images):
    with pytest.raises(DataError, match="another name"):
        outlier_sets(images, {"shuffled": images}, generator=seeded())


def test_some_of_a_set(images):
    assert some_of(images, 240, seeded()) is images
    some = some_of(images, 100, seeded())
    assert len(np.unique(some.x, axis=0)) == len(some.labels) == 100
    rows = {x.tobytes(): label for x, label in zip(images.x, images.labels, strict=True)}
    assert all(rows[x.tobytes()] == label for x, label in zip(some.x, some.labels, strict=True))

"""Distances between sets of images: closed forms, points by hand, and noise that grows."""

import sys

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from sklearn.datasets import load_digits
from torch import nn

from gedi.errors import GediError
from gedi.evaluation import generation
from gedi.evaluation.features import train_feature_net
from gedi.evaluation.generation import (
    frechet_inception_distance,
    generation_report,
    kernel_inception_distance,
    precision_recall,
)

GIVEN = nn.Identity()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def points(n, e=4, seed=0):
    return torch.randn(n, e, dtype=torch.float64, generator=seeded(seed))


def exact_gaussian(mean, covariance, n, seed):
    """Points whose own mean and covariance are exactly these."""
    z = points(n, len(mean), seed)
    z = z - z.mean(0)
    white = z @ torch.linalg.inv(torch.linalg.cholesky(z.T.cov())).T
    return mean + white @ torch.linalg.cholesky(covariance).T


def test_fid_is_the_closed_form():
    a, b = points(4, 4, 1), points(4, 4, 2)
    c1, c2 = a @ a.T + torch.eye(4), b @ b.T + torch.eye(4)
    m1, m2 = torch.tensor([1.0, 2.0, 0.0, -1.0]).double(), torch.zeros(4).double()
    expected = float((m1 - m2).square().sum() + (c1 + c2).trace())
    expected -= 2 * np.trace(sqrtm((c1 @ c2).numpy())).real
    got = frechet_inception_distance(
        exact_gaussian(m1, c1, 700, 3), exact_gaussian(m2, c2, 300, 4), GIVEN
    )
    assert got == pytest.approx(expected, rel=1e-9)


def test_fid_of_a_set_with_itself_is_zero():
    assert frechet_inception_distance(points(100), points(100), GIVEN) == pytest.approx(0, abs=1e-9)
    # Also where there are more features than points.
    few = points(5, 20)
    assert frechet_inception_distance(few, few, GIVEN) == pytest.approx(0, abs=1e-5)


def test_kid_is_the_unbiased_estimator():
    real, samples = points(30, 3), points(30, 3, 1) + 1

    def kernel(u, v):
        return ((u @ v.T).numpy() / 3 + 1) ** 3

    def among(x):
        k = kernel(x, x)
        return (k.sum() - np.trace(k)) / (30 * 29)

    expected = among(real) + among(samples) - 2 * kernel(real, samples).mean()
    # With all points in every subset, they are all the same.
    got = kernel_inception_distance(real, samples, GIVEN, subsets=3, generator=seeded())
    assert got == pytest.approx(expected, rel=1e-9)


def test_kid_follows_the_generator_and_nothing_else():
    def kid(seed):
        return kernel_inception_distance(
            points(200),
            points(200, seed=1),
            GIVEN,
            subsets=2,
            subset_size=20,
            generator=seeded(seed),
        )

    before = torch.get_rng_state()
    first = kid(0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    assert kid(0) == first
    assert kid(1) != first
    torch.set_rng_state(before)


def line(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def test_precision_and_recall_by_hand():
    # Balls around 0, 1, 3 of radius 1, 1, 2 reach from -1 to 5.
    real = line(0.0, 1.0, 3.0)
    # Balls around 5, 5.5, 9 of radius 0.5, 0.5, 3.5 reach from 4.5 to 12.5.
    samples = line(5.0, 5.5, 9.0)
    assert precision_recall(real, samples, k=1) == (1 / 3, 0.0)
    assert precision_recall(samples, real, k=1) == (0.0, 1 / 3)
    # To the second nearest: 3, 2, 3 and 4, 3.5, 4, down to 1.
    assert precision_recall(real, samples, k=2) == (2 / 3, 2 / 3)


def test_precision_without_recall():
    real = points(300, 2)
    core = real[real.norm(dim=1) < 0.3]
    precision, recall = precision_recall(real, core)
    assert precision == 1.0 and recall < 0.3
    assert precision_recall(real, real) == (1.0, 1.0)
    assert precision_recall(real, real + 100) == (0.0, 0.0)


def test_points_that_coincide_have_balls_of_no_width():
    same = line(*[0.1] * 5)
    assert precision_recall(same, same) == (1.0, 1.0)
    assert precision_recall(same, same + 1e-9) == (0.0, 0.0)


def test_figures_do_not_depend_on_the_parts(monkeypatch):
    real, samples = points(60), points(50, seed=1) * 1.5
    whole = generation_report(real, samples, GIVEN, seeded())
    monkeypatch.setattr(generation, "_PART", 7)
    assert generation_report(real, samples, GIVEN, seeded()) == pytest.approx(whole)


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    images, labels = torch.from_numpy(x * 15.9375).to(torch.uint8), torch.from_numpy(y)
    order = torch.randperm(len(x), generator=seeded())
    return images[order], labels[order]


def test_noise_is_farther_than_real_images(digits):
    x, y = digits
    net = train_feature_net(
        x[:900], y[:900], (1, 8, 8), n_epochs=6, batch_size=64, generator=seeded()
    )
    real, held_out = x[:500], x[900:1400]
    noise = torch.randint(256, held_out.shape, generator=seeded())
    reports = [
        generation_report(real, (1 - share) * held_out + share * noise, net, seeded())
        for share in (0.0, 0.3, 0.6, 1.0)
    ]
    for figure, sign in (("FID", 1), ("KID", 1), ("precision", -1)):
        values = [sign * report[figure] for report in reports]
        assert values == sorted(values) and len(set(values)) > 2, figure
    assert reports[3]["FID"] > 10 * reports[0]["FID"]
    assert reports[0]["precision"] > 0.7 and reports[0]["recall"] > 0.7
    # Not to zero: to a network that has seen digits only, some of the noise looks like them. And
    # recall does not tell, as balls around points far apart are wide enough to hold anything.
    assert reports[3]["precision"] < reports[0]["precision"] / 2
    alone = frechet_inception_distance(real, held_out, net)
    assert reports[0]["FID"] == pytest.approx(alone)


@pytest.mark.parametrize("module", ["torchmetrics.image.fid", "torchmetrics.image.kid"])
def test_without_torchmetrics(module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(GediError, match=r"needs torchmetrics: pip install 'gedi\[images\]'"):
        generation_report(points(9), points(9), GIVEN, seeded())


@pytest.mark.parametrize(
    ("real", "samples", "message"),
    [
        (points(1), points(9), "at least [24] rows of real, got 1"),
        (points(9), points(1), "at least [24] rows of samples, got 1"),
        (points(9), points(9) / 0, "finite features of samples, got NaN"),
        (points(9), points(9, 5), "the same number of features on both sides, got 4 and 5"),
        (points(9)[..., None], points(9), r"features \(n, e\) of real, got \(9, 4, 1\)"),
    ],
)
def test_mistakes(real, samples, message):
    for figure in (
        lambda: frechet_inception_distance(real, samples, GIVEN),
        lambda: kernel_inception_distance(real, samples, GIVEN, generator=seeded()),
        lambda: precision_recall(real, samples),
        lambda: generation_report(real, samples, GIVEN, seeded()),
    ):
        with pytest.raises(ValueError, match=message):
            figure()


def test_mistakes_of_one():
    with pytest.raises(ValueError, match="expected at least 1 image, got 0"):
        generation_report(points(0), points(9), GIVEN, seeded())
    with pytest.raises(ValueError, match="k of at least 1, got 0"):
        precision_recall(points(9), points(9), k=0)
    with pytest.raises(ValueError, match="1 subset of 2 images, got 0 of 1"):
        kernel_inception_distance(
            points(9), points(9), GIVEN, subsets=0, subset_size=1, generator=seeded()
        )

from typing import get_args

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from gedi.partitions.mixtures import Kind, Mixture, fitted, k_means, kinds, merged

RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(size=(80, 2)) - 4, RNG.normal(size=(40, 2)) * [1, 0.3] + 4])
LABELS = np.repeat([0, 1], [80, 40])


def test_log_density_agrees_with_scipy():
    covariances = np.array([[[2.0, 0.5], [0.5, 1.0]], [[1.0, -0.2], [-0.2, 0.3]]])
    mixture = Mixture(np.array([0.7, 0.3]), np.array([[0.0, 1.0], [2.0, -1.0]]), covariances)
    parts = [
        weight * multivariate_normal(mean, covariance).pdf(X)
        for weight, mean, covariance in zip(
            mixture.weights, mixture.means, covariances, strict=True
        )
    ]
    np.testing.assert_allclose(mixture.log_density(X), np.log(np.sum(parts, 0)))


def test_diagonals_are_covariances_without_the_rest():
    variances = np.array([[2.0, 0.5], [1.0, 3.0]])
    weights, means = np.array([0.7, 0.3]), np.array([[0.0, 1.0], [2.0, -1.0]])
    diagonal = Mixture(weights, means, variances)
    full = Mixture(weights, means, np.stack([np.diag(v) for v in variances]))
    np.testing.assert_allclose(diagonal.log_joint(X), full.log_joint(X))


def test_one_covariance_is_the_same_for_all():
    covariance = np.array([[[2.0, 0.5], [0.5, 1.0]]])
    weights, means = np.array([0.7, 0.3]), np.array([[0.0, 1.0], [2.0, -1.0]])
    tied = Mixture(weights, means, covariance)
    full = Mixture(weights, means, np.repeat(covariance, 2, 0))
    np.testing.assert_allclose(tied.log_joint(X), full.log_joint(X))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_right_partition_stays_and_the_mean_is_that_of_its_rows(kind):
    mixture, responsibility = fitted(X, LABELS, kind)
    np.testing.assert_array_equal(responsibility.argmax(1), LABELS)
    np.testing.assert_allclose(mixture.means[1], X[80:].mean(0), atol=1e-3)
    np.testing.assert_allclose(mixture.weights, [2 / 3, 1 / 3], atol=1e-3)


def test_covariances_by_hand():
    tied = fitted(X, LABELS, "tied", 1)[0].covariances
    scatter = [np.cov(part.T, bias=True) * len(part) for part in (X[:80], X[80:])]
    within = (scatter[0] + scatter[1]) / 120
    np.testing.assert_allclose(tied, (within + 1e-3 * np.eye(2))[None], rtol=1e-6)
    full = fitted(X, LABELS, "full", 1)[0].covariances[1]
    np.testing.assert_allclose(full, (scatter[1] + 3 * within) / 43 + 1e-3 * np.eye(2), rtol=1e-6)


def test_many_columns_have_diagonal_covariances_only():
    assert kinds(1000, 100, 2) == ("diag", "spherical")
    assert kinds(26, 10, 2) == ("full", "tied", "diag", "spherical")
    assert kinds(25, 10, 2) == ("tied", "diag", "spherical")


def test_the_components_that_overlap_most_are_joined():
    responsibility = np.array([[0.6, 0.4, 0.0], [0.4, 0.6, 0.0], [0.0, 0.1, 0.9], [0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(merged(responsibility, 2), [0, 0, 1, 1])


def test_k_means_of_copies_finds_fewer_clusters():
    labels = k_means(np.repeat([[0.0], [1.0]], 5, axis=0), 3, 1, seed=0)
    assert len(np.unique(labels)) == 2

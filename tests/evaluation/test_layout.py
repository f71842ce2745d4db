"""Places of points on a map."""

import numpy as np
import pytest

from gedi.evaluation.layout import layout


def blobs(sizes, d=8):
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    centres = rng.normal(size=(len(sizes), d)) * 5
    return centres[clusters] + rng.normal(size=(len(clusters), d)), clusters


def test_certain_points_lie_in_discs_that_do_not_overlap():
    x, clusters = blobs([300, 200, 100, 60, 40])
    places = layout(x, np.eye(5)[clusters], clusters)
    assert places.shape == (700, 2) and places.dtype == np.float32
    assert (places >= 0).all() and (places <= 1).all()
    middles = np.stack([places[clusters == k].mean(0) for k in range(5)])
    reach = [np.linalg.norm(places[clusters == k] - middles[k], axis=1).max() for k in range(5)]
    for a in range(5):
        for b in range(a):
            assert np.linalg.norm(middles[a] - middles[b]) > 0.75 * (reach[a] + reach[b])
    assert reach[0] > reach[3]  # larger clusters have larger discs


def test_uncertain_points_lie_between():
    x, clusters = blobs([100, 100])
    shares = np.eye(2)[clusters]
    shares[0] = [0.5, 0.5]
    places = layout(x, shares, clusters)
    middles = [places[clusters == k][1:].mean(0) for k in range(2)]
    distances = [np.linalg.norm(places[0] - middle) for middle in middles]
    assert max(distances) < 0.75 * np.linalg.norm(middles[0] - middles[1])


@pytest.mark.parametrize("sizes", [[5], [3, 0, 1], [1, 1]])
def test_few_points_and_empty_clusters(sizes):
    x, clusters = blobs(sizes)
    c = len(sizes)
    places = layout(x, np.full((len(x), c), 1 / c), clusters)
    assert np.isfinite(places).all()
    again = layout(x, np.full((len(x), c), 1 / c), clusters)
    np.testing.assert_array_equal(places, again)

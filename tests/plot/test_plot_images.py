import numpy as np
import pytest
from matplotlib.figure import Figure

from drawn import pixels, texts
from gedi import plot
from gedi.errors import DataError


def test_image_grid_places_tiles_row_by_row(ax):
    images = np.linspace(0, 1, 5)[:, None, None, None] * np.ones((5, 1, 4, 4))
    plot.image_grid(ax, images, 3, captions=list("abcde"))
    assert len(ax.images) == 5
    left, right, bottom, top = ax.images[4].get_extent()
    assert left == pytest.approx(4 * 1.06)
    assert right - left == pytest.approx(4)
    assert bottom - top == pytest.approx(4)
    assert ax.images[4].get_interpolation() == "nearest"
    assert texts(ax) == list("abcde")
    np.testing.assert_allclose(ax.images[4].get_array(), 1.0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_image_grid_takes_any_number_of_channels(ax, channels):
    images = np.random.default_rng(0).uniform(size=(2, channels, 3, 5))
    plot.image_grid(ax, images, 2)
    drawn = ax.images[1].get_array()
    assert drawn.shape == (3, 5, 3)
    if channels == 3:
        np.testing.assert_allclose(drawn, np.moveaxis(images[1], 0, -1))
    else:
        np.testing.assert_allclose(drawn[..., 0], images[1].mean(axis=0))


def test_image_grid_shows_the_images():
    black, white = Figure().subplots(), Figure().subplots()
    plot.image_grid(black, np.zeros((4, 1, 8, 8)), 4)
    plot.image_grid(white, np.ones((4, 1, 8, 8)), 4)
    assert pixels(black).mean() < pixels(white).mean()


def test_samples_of_images_are_a_row_for_each_cluster(ax):
    images = np.linspace(0, 1, 5)[:, None, None] * np.ones((5, 4, 4))
    plot.samples(ax, images, np.array([0, 2, 2, 0, 2]), n_columns=2)
    assert [tile.get_array().max() for tile in ax.images] == pytest.approx([0, 0.75, 0.25, 0.5])
    assert texts(ax) == ["0", "2"]
    tops = [tile.get_extent()[3] for tile in ax.images]
    assert tops[0] == tops[1] < tops[2] == tops[3]


def test_a_cluster_with_few_samples_leaves_its_row_empty(ax):
    plot.samples(ax, np.ones((3, 2, 2)) * [[[0]], [[1]], [[2]]], np.array([0, 1, 1]), n_columns=2)
    assert [tile.get_extent()[0] for tile in ax.images] == pytest.approx([0, 0, 2.12])


def test_samples_of_a_plane_are_dots_and_those_of_a_table_are_refused(ax):
    x = np.array([[0.0, 1.0], [2.0, 3.0]])
    plot.samples(ax, x, np.array([0, 1]))
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), x)
    with pytest.raises(DataError, match="reshape"):
        plot.samples(ax, np.zeros((2, 5)), np.array([0, 1]))

import numpy as np
from scipy import sparse

from gedi.partitions.peaks import log_density, peak_merges, prominent_peaks


def path(n):
    """Rows 0-1-...-n in a row."""
    return sparse.csr_matrix(sparse.diags([np.ones(n - 1), np.ones(n - 1)], [-1, 1]))


#                   peak           peak           small peak
HEIGHT = np.array([3.0, 5.0, 2.0, 1.0, 3.5, 4.0, 2.5, 3.0])


def test_the_most_prominent_peaks_are_left():
    # Peak 7 meets 5 at height 2.5 with one row, and 5 meets 1 at 1 with four.
    np.testing.assert_array_equal(
        prominent_peaks(peak_merges(path(8), HEIGHT), 2, least=1), [0, 0, 0, 1, 1, 1, 1, 1]
    )
    np.testing.assert_array_equal(
        prominent_peaks(peak_merges(path(8), HEIGHT), 3, least=1), [0, 0, 0, 1, 1, 1, 1, 2]
    )
    assert (prominent_peaks(peak_merges(path(8), HEIGHT), 1, least=1) == 0).all()


def test_small_peaks_and_missing_ones_are_none():
    assert prominent_peaks(peak_merges(path(8), HEIGHT), 3, least=2) is None
    assert prominent_peaks(peak_merges(path(8), HEIGHT), 4, least=1) is None


def test_many_rows_count_more_than_a_high_peak():
    # Peak 7 rises 1 above row 5 with three rows, peak 0 rises 1.4 above row 1 with one.
    height = np.array([5.8, 4.4, 7.0, 8.0, 9.0, 4.5, 4.7, 5.5, 4.6])
    np.testing.assert_array_equal(
        prominent_peaks(peak_merges(path(9), height), 2, least=1), [0, 0, 0, 0, 0, 0, 1, 1, 1]
    )


def test_log_density_is_minus_the_log_of_the_root_mean_square_distance():
    np.testing.assert_allclose(log_density(np.array([[1.0, 7.0]])), [-np.log(5)])
    assert np.isfinite(log_density(np.zeros((2, 3)))).all()

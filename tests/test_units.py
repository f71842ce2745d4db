"""Whether columns share a unit, and their common spread."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine

from gedi.units import common_spread, share_unit

RNG = np.random.default_rng(0)


def test_pixels_ratings_and_flags_share_a_unit():
    assert share_unit(load_digits().data)
    assert share_unit(RNG.integers(1, 6, (100, 8)))
    assert share_unit(RNG.integers(0, 2, (100, 5)))


def test_columns_of_different_things_do_not():
    assert not share_unit(load_wine().data)
    flags_and_income = np.c_[RNG.integers(0, 2, (100, 8)), 1000 * RNG.random(100)]
    assert not share_unit(flags_and_income)
    assert not share_unit(RNG.integers(0, 2, (100, 3)))  # too few to say


@pytest.mark.parametrize(("factor", "shared"), [(3.0, True), (100.0, False)])
def test_many_columns_of_similar_width_share_a_unit(factor, shared):
    x = RNG.normal(size=(300, 120)) * np.where(np.arange(120) % 2, factor, 1.0)
    assert share_unit(x) == shared
    assert not share_unit(x[:, :50])


def test_many_columns_that_begin_at_zero_share_a_unit():
    x = np.maximum(RNG.normal(size=(300, 120)), 0) * np.where(np.arange(120) % 2, 30.0, 1.0)
    assert share_unit(x)
    assert not share_unit(x - 1)
    assert not share_unit(x * np.where(np.arange(120) % 2, 10.0, 1.0))


def test_far_rows_do_not_move_the_common_spread():
    x = 2 * RNG.normal(size=(1000, 120))
    x[0] = 1e6
    assert share_unit(x)
    assert common_spread(x) == pytest.approx(2, rel=0.03)
    assert common_spread(np.eye(100)[:, :4]) > 0  # all widths are zero

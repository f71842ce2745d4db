"""What is visible in the columns of a table."""

import numpy as np
import pytest
import torch

from gedi.model.visible import VisibleValues

RNG = np.random.default_rng(0)


def seen(column, values):
    """What values become that are drawn for a column."""
    visible = VisibleValues.fit(np.asarray(column)[:, None])
    return visible(torch.tensor(values, dtype=torch.float64)[:, None])[:, 0].tolist()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("unit", [1.0, 0.1, 0.01])
def test_numbers_are_rounded_as_those_of_the_data(dtype, unit):
    column = (np.arange(-300, 700) * unit).astype(dtype)
    drawn = [unit * 33.4, unit * -12.3, unit * 5.6]
    np.testing.assert_allclose(seen(column, drawn), [33 * unit, -12 * unit, 6 * unit], rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e9])
def test_any_value_of_a_measured_column_stays(scale):
    column = (scale * RNG.normal(size=500)).astype(np.float32)
    inner = (0.3 * column[:50]).astype(float).tolist()
    assert seen(column, inner) == inner


def test_samples_reach_no_further_than_the_data():
    column = RNG.exponential(size=500)
    low, high = column.min(), column.max()
    folded = seen(column, [low - 0.01, high + 0.25, -1e30, 1e30, low, high])
    np.testing.assert_allclose(folded, [low + 0.01, high - 0.25, low, high, low, high])
    assert min(folded) >= low and max(folded) <= high


def test_codes_become_one_of_those_that_occur():
    column = RNG.choice([0.0, 1.0, 7.0], size=300)
    assert seen(column, [-3.0, 0.4, 0.6, 3.9, 4.1, 9.0]) == [0, 0, 1, 1, 7, 7]
    uneven = RNG.choice([-0.123456789, 0.2, 1.1], size=300)
    assert seen(uneven, [-0.2, 0.1, 0.7]) == [-0.123456789, 0.2, 1.1]


def test_a_standardised_count_keeps_its_grid():
    counts = RNG.poisson(60, size=3000).astype(float)
    column = (counts - counts.mean()) / counts.std()
    back = np.array(seen(column, [0.013, -1.21, 1.4])) * counts.std() + counts.mean()
    np.testing.assert_allclose(back, np.round(back), atol=1e-6)


def test_columns_are_independent_and_constants_stay():
    x = np.c_[RNG.integers(0, 2, 200), np.full(200, 3.5), RNG.normal(size=200)].astype(float)
    drawn = torch.tensor([[0.7, 9.0, 0.1234567], [0.2, -9.0, -0.7654321]], dtype=torch.float64)
    expected = [[1.0, 3.5, 0.1234567], [0.0, 3.5, -0.7654321]]
    assert VisibleValues.fit(x)(drawn).tolist() == expected


def test_a_sample_of_a_stream_knows_the_range_of_all_rows():
    x = RNG.uniform(size=(200, 2))
    visible = VisibleValues.fit(x, np.array([-5.0, np.nan]), np.array([9.0, np.nan]))
    assert (visible.low[0], visible.high[0]) == (-5, 9)
    assert (visible.low[1], visible.high[1]) == (x[:, 1].min(), x[:, 1].max())


def test_wrong_tensors_are_refused():
    visible = VisibleValues.fit(RNG.integers(0, 3, (100, 2)).astype(float))
    tensors = visible.state_dict()
    again = VisibleValues.blank(tensors, 2)
    again.load_state_dict(tensors)
    drawn = 3 * torch.rand(50, 2, dtype=torch.float64)
    assert torch.equal(again(drawn), visible(drawn))
    for name, wrong in [
        ("low", torch.zeros(3, dtype=torch.float64)),
        ("per_unit", torch.zeros(2)),
        ("coded", torch.tensor([0, 2])),
        ("codes", torch.zeros(2, 0, dtype=torch.float64)),
    ]:
        with pytest.raises(ValueError, match="visible values of 2 columns"):
            VisibleValues.blank(tensors | {name: wrong}, 2)


def test_one_far_value_makes_no_grid_of_the_others():
    x = np.random.default_rng(0).normal(size=(100, 1))
    x[3] = 1e300
    seen = VisibleValues.fit(x)(torch.from_numpy(x[:3]))
    np.testing.assert_array_equal(seen, x[:3])

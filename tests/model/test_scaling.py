"""Scaling to the units of the network and back."""

import numpy as np
import pytest
import torch

from gedi.model.scaling import Scaling


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(200, 3)) * [1e-3, 1.0, 1e4] + [5, 0, -1e5]).astype(np.float32)


def test_standardised_features_have_mean_zero_and_deviation_one(x):
    z = Scaling.standardise(x)(x)
    assert torch.allclose(z.mean(0), torch.zeros(3), atol=1e-3)
    assert torch.allclose(z.std(0, correction=0), torch.ones(3), atol=1e-3)


def test_inverse_undoes_it(x):
    scaling = Scaling.standardise(x)
    back = scaling.inverse(scaling(x))
    np.testing.assert_allclose(back, x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
def test_constant_features_are_only_centred(value):
    x = np.full((1000, 1), value, dtype=np.float32)
    scaling = Scaling.standardise(x)
    assert float(scaling.scale) == 1
    assert scaling(x).abs().max() < 1e-6 * max(abs(value), 1)


def test_one_range_for_all_features():
    scaling = Scaling.from_range(0, 255, 4)
    z = scaling(np.array([[0, 255, 127.5, 51]], dtype=np.float32))
    assert z.tolist()[0] == pytest.approx([-1, 1, 0, -0.6])
    assert scaling.inverse(z)[0].tolist() == pytest.approx([0, 255, 127.5, 51])


def test_an_empty_range_does_not_divide_by_zero():
    z = Scaling.from_range(3, 3, 2)(np.full((1, 2), 3, dtype=np.float32))
    assert z.isfinite().all()


def test_log_det_turns_densities_of_z_into_those_of_x(x):
    scaling = Scaling.standardise(x)
    exact = np.linalg.slogdet(np.diag(1 / scaling.scale.double().numpy()))[1]
    assert scaling.log_det == pytest.approx(exact)


def test_a_small_spread_around_a_large_value_is_kept():
    dates = 1.7e9 + np.arange(100.0)[:, None]
    z = Scaling.standardise(dates)(dates)
    assert float(z.std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert len(z.unique()) == 100


@pytest.mark.parametrize("size", [1e30, 1e200, 1e-200])
def test_huge_and_tiny_values_neither_overflow_nor_vanish(size):
    x = size * np.random.default_rng(0).normal(size=(5000, 2))
    scaling = Scaling.standardise(x)
    z = scaling(x, torch.float64)
    assert torch.allclose(z.std(0, correction=0), torch.ones(2, dtype=torch.float64))
    np.testing.assert_allclose(scaling.inverse(z), x, rtol=1e-9)


def test_features_constant_in_a_sample_are_divided_by_their_range_in_all_rows():
    x = np.array([[1.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.0, 0.0]])
    scaling = Scaling.standardise(x, spread=np.array([9.0, 50.0, 0.0, np.nan]))
    assert scaling.scale.tolist() == [1.0, 50.0, 1.0, 1.0]


def test_the_origin_of_columns_of_one_unit_is_the_zero_of_the_user():
    x = np.random.default_rng(0).normal(3, 1, size=(300, 120))
    scaling = Scaling.robust(x)
    assert torch.allclose(scaling(np.zeros((1, 120)), torch.float64)[0], scaling.origin)
    assert Scaling.robust(x * np.arange(1, 121)).origin is None


def test_the_farthest_points_are_finite_in_32_bits():
    z = Scaling.robust(np.arange(9.0)[:, None])(np.array([[1e300], [-1e300], [4.0]]))
    assert bool(z.isfinite().all()) and z[2, 0] == 0 and z[0, 0] > 1e30 > -1e30 > z[1, 0]

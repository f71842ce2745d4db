"""Estimates of log Z, and those from a grid."""

import math

import pytest
import torch

from gedi.model.box import Box
from gedi.normalizer.estimate import LogNormalizer
from gedi.normalizer.grid import gridded_log_normalizer

BOX = Box(torch.full((2,), -8.0), torch.full((2,), 8.0))


def test_the_rule_of_trust():
    good = LogNormalizer(-3.0, 0.2, 30.0, "annealing")
    assert good.trusted
    assert not good._replace(error=0.21).trusted
    assert not good._replace(ess=29.0).trusted
    assert not good._replace(value=math.inf).trusted
    assert not good._replace(value=math.nan).trusted
    assert not good._replace(error=math.nan).trusted


def test_grid_of_a_gaussian():
    got = gridded_log_normalizer(lambda x: x.square().sum(-1) / 2, BOX)
    assert got.value == pytest.approx(math.log(2 * math.pi), abs=1e-5)
    assert got.error < 1e-5
    assert got.ess == math.inf and got.method == "grid" and got.trusted


def test_a_spike_narrower_than_a_cell_is_not_trusted():
    def spike(x):
        return (x - 0.02).square().sum(-1) / (2 * 0.004**2)

    assert not gridded_log_normalizer(spike, BOX).trusted


def test_a_grid_needs_at_least_two_cells():
    with pytest.raises(ValueError, match="at least 2 cells, got 1"):
        gridded_log_normalizer(lambda x: x.sum(-1), BOX, n_cells=1)

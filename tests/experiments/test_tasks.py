"""Tasks in which only outcomes of a rule are observed."""

import numpy as np
import pytest
import torch

from gedi.errors import DataError
from gedi.experiments.tasks import TASKS, group_rows

LABELS = np.random.default_rng(0).integers(10, size=2000)


def rows_and_symbols(name, m=60, seed=0):
    rows = group_rows(TASKS[name], LABELS, m, np.random.default_rng(seed))
    return rows, LABELS[rows]


@pytest.mark.parametrize("name", TASKS)
def test_rules_agree_with_outcomes_and_with_no_other(name):
    task = TASKS[name]
    rule = task.rule()
    assert (rule.n_symbols, rule.n_values) == (task.n_symbols, task.n_values)
    _, symbols = rows_and_symbols(name)
    outcomes = task.outcome(symbols)
    codes = rule.encode(outcomes.tolist())
    sure = torch.nn.functional.one_hot(torch.from_numpy(symbols), task.n_values).double().log()
    assert not rule.log_probability(sure, codes).any()
    other = rule.encode(np.roll(outcomes, 1).tolist())
    wrong = torch.from_numpy(np.roll(outcomes, 1) != outcomes)
    assert wrong.any() and (rule.log_probability(sure, other)[wrong] == -torch.inf).all()


@pytest.mark.parametrize("name", TASKS)
def test_groups_are_of_images_with_such_symbols(name):
    task = TASKS[name]
    rows, symbols = rows_and_symbols(name)
    assert rows.shape == (60, task.n_symbols) and symbols.max() == task.n_values - 1
    if name != "sudoku":  # which has more cells than there are images
        assert len(np.unique(rows)) == rows.size
    again, other = (rows_and_symbols(name, seed=seed)[0] for seed in (0, 1))
    assert np.array_equal(rows, again) and not np.array_equal(rows, other)


@pytest.mark.parametrize("name", ["ordering", "sudoku"])
def test_half_of_the_groups_obey(name):
    # Chance makes one in six of three digits ordered, and next to no invalid board valid.
    _, symbols = rows_and_symbols(name)
    outcomes = TASKS[name].outcome(symbols)
    assert outcomes[::2].all() and outcomes[1::2].mean() < 0.4


def test_sudoku_by_hand():
    board = np.array([[0, 1, 2, 3, 2, 3, 0, 1, 1, 0, 3, 2, 3, 2, 1, 0]])
    blocks = np.array([[0, 1, 2, 3, 1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 1, 2]])  # not all different
    row_twice = np.array([[0, 1, 2, 3] * 4])
    outcome = TASKS["sudoku"].outcome
    assert outcome(board).tolist() == [1] and outcome(row_twice).tolist() == [0]
    assert outcome(blocks).tolist() == [0]


def test_carry_by_hand():
    assert TASKS["carry"].outcome(np.array([[9, 9, 9, 9], [1, 2, 3, 4]])).tolist() == [198, 46]


def test_too_few_images_are_refused():
    with pytest.raises(DataError, match="1100 groups of 2 need 2200 images, but there are 2000"):
        group_rows(TASKS["addition"], LABELS, 1100, np.random.default_rng(0))
    with pytest.raises(DataError, match="got none of 3"):
        group_rows(TASKS["sudoku"], LABELS % 3, 10, np.random.default_rng(0))

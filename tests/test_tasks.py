"""Tasks of which only a rule is observed."""

from dataclasses import asdict
from itertools import product

import numpy as np
import pytest
import torch

from gedi.errors import DataError, SettingsError
from gedi.settings import check, method_name
from gedi.tasks import (
    RULE_METHODS,
    TASKS,
    RuleCell,
    group_rows,
    outcome_accuracy_of,
    rule_cells,
    rule_settings,
    rule_table,
)

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


def test_too_few_images_are_told():
    with pytest.raises(DataError, match="1100 groups of 2 take 2200 images, but there are 2000"):
        group_rows(TASKS["addition"], LABELS, 1100, np.random.default_rng(0))
    with pytest.raises(DataError, match="got none of 3"):
        group_rows(TASKS["sudoku"], LABELS % 3, 10, np.random.default_rng(0))


@pytest.mark.parametrize("method", RULE_METHODS)
@pytest.mark.parametrize("task", TASKS)
def test_settings_of_every_cell(task, method):
    settings = rule_settings(RuleCell(task, 100, False, method, 3), 2.0, {"max_iter": 7})
    check(settings)
    assert settings.seed == 3 and settings.max_time == 120 and settings.max_iter == 7
    assert settings.n_clusters == TASKS[task].n_values
    names = {"rule alone": "JEM", "SwAV renamed": "SwAV", "GEDI not renamed": "GEDI"}
    assert method_name(settings) == names.get(method, method)
    assert settings.rename == (method in ("GEDI", "GEDI no gen", "SwAV renamed"))


def test_methods_share_all_other_settings():
    told = [
        asdict(rule_settings(RuleCell("parity", 9, False, m, 0), 1.0, {})) for m in RULE_METHODS
    ]
    for tree, name in product(told, ("method", "weights", "gen_slowdown", "rename")):
        tree.pop(name)
    assert all(tree == told[0] for tree in told)


def test_cells_are_apart_and_first_seeds_come_first():
    found = rule_cells("addition", (10, 20), False, ("GEDI", "SwAV"), 2)
    assert [(c.n_groups, c.seed, c.method) for c in found[:4]] == [
        (10, 0, "GEDI"),
        (10, 0, "SwAV"),
        (10, 1, "GEDI"),
        (10, 1, "SwAV"),
    ]
    everywhere = [*found, *rule_cells("addition", (10, 20), True, ("GEDI", "SwAV"), 2)]
    assert len({cell.name for cell in everywhere}) == len(everywhere) == 16
    with pytest.raises(SettingsError, match="'JEM'"):
        rule_cells("addition", (10,), False, ("JEM",), 1)


def test_outcomes_are_right_above_one_half():
    assert outcome_accuracy_of(np.log([0.9, 0.51, 0.49, 0.0 + 1e-300])) == 0.5


def test_table_has_median_and_deviation():
    def cell(seed, method="GEDI"):
        return RuleCell("parity", 1000, False, method, seed)

    found = [
        (cell(k), {"NMI": value, "minutes": 2.5, "symbol accuracy": 0.1})
        for k, value in enumerate((0.1, 0.2, 0.6))
    ]
    found.append((cell(0, "SwAV"), {"NMI": 0.5}))
    lines = rule_table(found).splitlines()
    assert "| parity | 1,000 | none | GEDI | 3 | - | - | 0.200 ± 0.265 |" in lines[2]
    assert lines[2].endswith("| 2.500 ± 0.000 |")
    assert "| SwAV | 1 | - | - | 0.500 |" in lines[3]

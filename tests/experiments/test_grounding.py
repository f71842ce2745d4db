"""Methods of symbol grounding, their cells and their table."""

from dataclasses import asdict
from itertools import product

import numpy as np
import pytest

from gedi.errors import SettingsError
from gedi.experiments.grounding import (
    RULE_METHODS,
    RuleCell,
    outcome_accuracy_of,
    rule_cells,
    rule_settings,
    rule_table,
)
from gedi.experiments.tasks import TASKS
from gedi.settings import check, method_name


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
    trees = [
        asdict(rule_settings(RuleCell("parity", 9, False, m, 0), 1.0, {})) for m in RULE_METHODS
    ]
    for tree, name in product(trees, ("method", "weights", "gen_slowdown", "rename")):
        tree.pop(name)
    assert all(tree == trees[0] for tree in trees)


def test_cells_have_distinct_names_and_start_with_the_first_seeds():
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

"""Groups from a table."""

import numpy as np
import pandas as pd
import pytest
import torch

from gedi.data.dataset import Dataset
from gedi.errors import DataError, GediError, RuleError
from gedi.evidence.group_files import GroupSource

DATA = Dataset("data", np.zeros((10, 2), dtype=np.float32))
FOLDER = Dataset(
    "folder", np.zeros((3, 2), dtype=np.float32), files=("x/1.png", "x/2.png", "y/1.png")
)


def table(tmp_path, name="groups.csv", **columns):
    frame, path = pd.DataFrame(columns), tmp_path / name
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return str(path)


def certain(*symbols, n_values=3):
    """Log posteriors of one group that are sure of its symbols."""
    return torch.nn.functional.one_hot(torch.tensor(symbols), n_values).double().log()[None]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("rule", ["a + b == s", "sum"])
def test_expression_and_outcomes(kind, rule, tmp_path):
    # The outcome's column need not be the last one.
    path = table(tmp_path, f"groups.{kind}", s=[3, 0, 3], a=[9, 1, 2], b=[0, 4, 5])
    groups = GroupSource(path, rule, "s").read(DATA, 3)
    assert groups.rows.tolist() == [[9, 0], [1, 4], [2, 5]]
    assert groups.codes[0] == groups.codes[2] != groups.codes[1]
    for symbols, expected in (((1, 2), 0.0), ((1, 1), -np.inf)):
        assert float(groups.rule.log_probability(certain(*symbols), groups.codes[:1])) == expected


def test_a_rule_without_outcomes_holds_for_all_groups(tmp_path):
    path = table(tmp_path, a=[0, 1], b=[2, 3], c=[4, 5])
    groups = GroupSource(path, "a < b < c").read(DATA, 3)
    assert groups.rows.shape == (2, 3)
    assert float(groups.rule.log_probability(certain(0, 1, 2), groups.codes[:1])) == 0
    assert float(groups.rule.log_probability(certain(0, 2, 1), groups.codes[:1])) == -np.inf


@pytest.mark.parametrize("values", [[True, False], [1, 0]])
def test_a_file_of_logic(values, tmp_path):
    logic = tmp_path / "rule.cnf"
    logic.write_text("p cnf 2 2\n1 2 0\n-1 -2 0\n")  # exactly one of two symbols has value 1
    path = table(tmp_path, a=[0, 1], b=[2, 3], valid=values)
    source = GroupSource(path, str(logic), "valid")
    groups = source.read(DATA, 2)
    for symbols, expected in (((0, 1), [0.0, -np.inf]), ((1, 1), [-np.inf, 0.0])):
        x = certain(*symbols, n_values=2).expand(2, -1, -1)
        assert groups.rule.log_probability(x, groups.codes).tolist() == expected
    assert source.absolute() == source  # both are already


def test_relative_paths_become_absolute_and_expressions_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert GroupSource("g.csv", "r.cnf").absolute() == GroupSource(
        str(tmp_path / "g.csv"), str(tmp_path / "r.cnf")
    )
    assert GroupSource("g.csv", "a + b == s").absolute().rule == "a + b == s"


def test_files_by_name(tmp_path):
    path = table(tmp_path, a=["y/1.png", "x/1.png"], b=["x/2.png", "x/2.png"])
    assert GroupSource(path, "a != b").read(FOLDER, 3).rows.tolist() == [[2, 1], [0, 1]]


@pytest.mark.parametrize(
    ("columns", "rule", "outcome", "expected"),
    [
        ({"a": [0, 10], "b": [1, 2]}, "a < b", None, (DataError, "from 0 to 9, got 10 in row 1")),
        ({"a": [0, -1], "b": [1, 2]}, "a < b", None, (DataError, "got -1 in row 1")),
        ({"a": [0.5, 1], "b": [1, 2]}, "a < b", None, (DataError, "expected row numbers of data")),
        ({"a": ["x", "y"], "b": [1, 2]}, "a < b", None, (DataError, "expected row numbers.*'x'")),
        ({"a": [0], "s": [0]}, "a == s", "t", (DataError, "'t'")),
        ({"s": [0]}, "s == 0", "s", (DataError, "expected columns of row numbers")),
        (
            {"a": [0], "s": ["few"]},
            "a == s",
            "s",
            (DataError, "outcomes that are whole numbers"),
        ),
        ({"a": [0], "b": [1]}, "sum", None, (RuleError, "expected a column of outcomes")),
        ({"a": [0], "b": [1]}, "a < c", None, (RuleError, "c")),
        ({"a": [0], "b": [1], "s": [5]}, "a + b == s", "s", (RuleError, "unsatisfiable")),
        ({"a": [0, 1], "b": [1, 2], "s": [4, 5]}, "a + b == s", "s", (RuleError, "outcome 1 is 5")),
        ({"a": [0], "b": [1]}, "__import__('os')", None, (RuleError, "__import__")),
    ],
)
def test_mistakes_are_reported(columns, rule, outcome, expected, tmp_path):
    error, words = expected
    path = table(tmp_path, **columns)
    with pytest.raises(error, match=words):
        GroupSource(path, rule, outcome).read(DATA, 3)


def test_files_that_are_not_tables(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        GroupSource(str(tmp_path / "none.csv"), "a < b").read(DATA, 3)
    (tmp_path / "groups.doc").write_text("a,b\n0,1\n")
    with pytest.raises(DataError, match="expected a table"):
        GroupSource(str(tmp_path / "groups.doc"), "a < b").read(DATA, 3)
    (tmp_path / "rule.cnf").write_text("p cnf 9 1\n1 0\n")
    path = table(tmp_path, a=[0], b=[1])
    with pytest.raises(GediError, match="expected 2 variables"):
        GroupSource(path, str(tmp_path / "rule.cnf")).read(DATA, 2)

"""Clauses and DIMACS files."""

import itertools
import os

import pytest

from gedi.errors import RuleError
from gedi.rules import all_different, literal
from gedi.rules.dimacs import n_variables, read_dimacs

TEXT = """c a comment
p cnf 3 2
1 -3 0 c is
2
3 -1 0
%
0
"""


@pytest.mark.parametrize("n_values", [2, 3, 4])
def test_each_value_of_each_symbol_has_its_literal(n_values):
    numbers = [literal(i, v, n_values) for i in range(3) for v in range(n_values)]
    if n_values == 2:
        assert numbers == [-1, 1, -2, 2, -3, 3]
    else:
        assert numbers == list(range(1, 3 * n_values + 1))
    assert max(numbers) == n_variables(3, n_values)


@pytest.mark.parametrize("n_values", [2, 3])
def test_all_different_has_exactly_the_right_models(n_values):
    groups = [(0, 1), (1, 2), (1, 0)]
    clauses = all_different(groups, n_values)
    assert len(clauses) == 2 * n_values  # each pair once
    for world in itertools.product(range(n_values), repeat=3):
        true = {
            sign * abs(number)
            for i in range(3)
            for v in range(n_values)
            for number in [literal(i, v, n_values)]
            for sign in [(1 if number > 0 else -1) if world[i] == v else (-1 if number > 0 else 1)]
        }
        holds = all(true & set(clause) for clause in clauses)
        assert holds == (world[0] != world[1] and world[1] != world[2])


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([(0, 1, 0)], r"different symbols in a group, got \[0, 1, 0\]"),
        ([range(4)], r"4 symbols cannot all be different with 3 values: got the group \[0, 1, 2"),
    ],
)
def test_groups_that_cannot_be_different_are_refused(groups, message):
    with pytest.raises(RuleError, match=message):
        all_different(groups, 3)


def test_a_file_and_its_text_are_read(tmp_path):
    text = TEXT.replace(" c is", "")
    path = tmp_path / "rule.cnf"
    path.write_text(text)
    assert read_dimacs(text, 3) == read_dimacs(path, 3) == read_dimacs(str(path), 3)
    assert read_dimacs(text, 3) == [(1, -3), (2, 3, -1)]
    assert read_dimacs("p cnf 2 1\n0", 2) == [()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT, "line 3: expected whole numbers, got 'c'"),
        ("\n", "expected a line 'p cnf VARIABLES CLAUSES', got none"),
        ("1 2 0\n", "line 1: expected 'p cnf VARIABLES CLAUSES', got '1 2 0'"),
        ("p dnf 3 1\n1 0\n", "line 1: expected 'p cnf .* got 'p dnf 3 1'"),
        ("p cnf 3 1\np cnf 3 1\n", "line 2: expected whole numbers, got 'p'"),
        ("p cnf 3 1\n4 0\n", "line 2: expected variables 1 to 3, got 4"),
        ("p cnf 3 1\n1 0\n2 0\n", "expected 1 clauses, got 2$"),
        ("p cnf 3 1\n1 2\n", "expected 1 clauses, got 0 and one that does not end with 0"),
        ("p cnf 3 1\n1.5 0\n", r"line 2: expected whole numbers, got '1\.5'"),
        ("p cnf 3 1\n--1 0\n", "got '--1'"),
        ("p cnf 3 1\n" + "9" * 5000, "expected whole numbers, got '999"),
        ("p cnf 4 0\n", "expected 3 variables, one for each symbol.*, got 4"),
    ],
)
def test_errors_name_the_line(text, message):
    with pytest.raises(RuleError, match=f"^the formula.*{message}"):
        read_dimacs(text, 3)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(RuleError, match=r"nowhere.cnf cannot be opened: No such file"):
        read_dimacs(tmp_path / "nowhere.cnf", 3)
    with pytest.raises(RuleError, match="is not read: it is a folder"):
        read_dimacs(tmp_path, 3)
    pipe = tmp_path / "pipe.cnf"
    os.mkfifo(pipe)
    with pytest.raises(RuleError, match=r"pipe\.cnf is not read: it is a pipe"):
        read_dimacs(pipe, 3)
    damaged = tmp_path / "damaged.cnf"
    damaged.write_bytes(b"p cnf \xff")
    with pytest.raises(RuleError, match=r"damaged\.cnf cannot be read as a \.cnf file"):
        read_dimacs(damaged, 3)
    large = tmp_path / "large.cnf"
    with large.open("wb") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(RuleError, match=r"large\.cnf is not read: it is larger than 16 MiB"):
        read_dimacs(large, 3)

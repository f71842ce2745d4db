"""Rules in logic, compiled to circuits."""

import itertools
import math
import sys

import numpy as np
import pytest
import torch
from brute_force import check_against_brute_force, check_impossible, log_posteriors
from hypothesis import given, settings
from hypothesis import strategies as st

from gedi.errors import RuleError
from gedi.rules import CircuitRule, Rule, circuit

pytest.importorskip("pysdd", reason="rules in logic need the extra rules")
pytest.importorskip("klay", reason="rules in logic need the extra rules")

FOUR = range(4)
SUDOKU = [
    *([4 * row + column for column in FOUR] for row in FOUR),
    *([4 * row + column for row in FOUR] for column in FOUR),
    *([4 * (2 * a + i // 2) + 2 * b + i % 2 for i in FOUR] for a in (0, 1) for b in (0, 1)),
]


def satisfied(clauses, literals):
    return all(any(number in literals for number in clause) for clause in clauses)


def literals(world, n_values):
    """All literals that hold in a world, by the numbers of DIMACS files."""
    if n_values == 2:
        return {i + 1 if value else -i - 1 for i, value in enumerate(world)}
    return {
        (1 if world[i] == v else -1) * (1 + i * n_values + v)
        for i in range(len(world))
        for v in range(n_values)
    }


@st.composite
def formulas(draw):
    """Numbers of symbols and values, and clauses over them that some world satisfies."""
    k, c = draw(st.sampled_from([(k, 2) for k in range(1, 13)] + [(1, 3), (3, 3), (4, 4), (2, 5)]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = k if c == 2 else k * c
    one = literals(generator.integers(0, c, k).tolist(), c)
    clauses = []
    for _ in range(draw(st.integers(0, 20))):
        size = generator.integers(1, 5)
        clause = (generator.integers(1, n + 1, size) * generator.choice([-1, 1], size)).tolist()
        clauses.append(clause if satisfied([clause], one) else [*clause, min(one, key=abs)])
    return k, c, clauses


@settings(max_examples=40, deadline=None, derandomize=True)
@given(formulas())
def test_random_formulas_equal_brute_force(drawn):
    k, c, clauses = drawn
    rule = CircuitRule.from_clauses(clauses, k, c)
    held = [satisfied(clauses, literals(w, c)) for w in itertools.product(range(c), repeat=k)]
    assert rule.outcomes == ((True,) if all(held) else (False, True))
    check_against_brute_force(
        rule, lambda world, outcome: satisfied(clauses, literals(world, c)) == outcome
    )


def test_sudoku():
    rule = CircuitRule.all_different(SUDOKU, 16, 4)
    assert (rule.n_symbols, rule.n_values, rule.outcomes) == (16, 4, (False, True))
    uniform = torch.full((2, 16, 4), 0.25, dtype=torch.float64).log()
    found = rule.log_probability(uniform, rule.encode([True, False])).exp() * 4**16
    torch.testing.assert_close(
        found, torch.tensor([288.0, 4**16 - 288], dtype=torch.float64), rtol=1e-9, atol=0
    )
    board = torch.tensor([[0, 1, 2, 3], [2, 3, 0, 1], [1, 0, 3, 2], [3, 2, 1, 0]])
    wrong = board.clone()
    wrong[0, 0] = 1
    boards = torch.stack([board, wrong]).flatten(1)
    p = torch.nn.functional.one_hot(boards, 4).double()
    p = 0.9999 * p + 0.0001 * (1 - p) / 3
    found = rule.log_probability(p.log(), rule.encode([True, False])).exp()
    # Other valid boards differ in 4 cells; the wrong one has a valid neighbour.
    expected = [0.9999**16, 1 - 0.9999**15 * 0.0001 / 3]
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), rtol=1e-11, atol=0
    )
    check_impossible(rule, board.flatten().tolist(), False)
    check_impossible(rule, wrong.flatten().tolist(), True)


def test_an_almost_certain_formula_keeps_the_probability_of_its_negation():
    # P(not formula) = e^-30, where 1 - P(formula) is 0 in float32.
    rule = CircuitRule(lambda is_: ~is_(0, 1), n_symbols=1, n_values=2)
    x = torch.tensor([[[-math.exp(-30), -30.0]]], requires_grad=True)
    found = rule.log_probability(x, rule.encode([False]))
    torch.testing.assert_close(found, torch.tensor([-30.0]))
    (slope,) = torch.autograd.grad(found.sum(), x)
    torch.testing.assert_close(slope, torch.tensor([[[0.0, 1.0]]]))


def test_formulas_built_in_python():
    rule = CircuitRule(lambda is_: is_(0, 2) & ~is_(1, 0) | is_.all([is_(1, 1), is_(2, 1)]), 3, 3)

    def holds(world):
        return (world[0] == 2 and world[1] != 0) or (world[1] == 1 and world[2] == 1)

    check_against_brute_force(rule, lambda world, outcome: holds(world) == outcome)
    always = CircuitRule(lambda is_: is_.true, 2, 3)
    assert always.outcomes == (True,)
    torch.testing.assert_close(
        always.log_probability(log_posteriors(2, 2, 3), always.encode([1, 1])).exp(),
        torch.ones(2, dtype=torch.float64),
    )
    with pytest.raises(RuleError, match="outcome 0 is False, with which no world agrees"):
        always.encode([False])


@pytest.mark.parametrize(
    "text",
    [
        "a < b < c",
        "(a < b or c == 0) and not (a == c or b in (1, 2))",
        "a + 2 * b == c and a",
        "a != b and b != c and 1 < 2",
        "not (a == b == c)",
    ],
)
def test_a_formula_as_text_is_the_rule_as_text(text):
    domains = {"c": range(1, 5), "a": range(4), "b": range(4)}
    rule = CircuitRule.from_expression(text, domains)
    listed = Rule.from_expression(text, domains, observed=())
    x, codes = log_posteriors(3, 3, 4), torch.ones(3, dtype=torch.int64)
    torch.testing.assert_close(
        rule.log_probability(x, codes), listed.log_probability(x, codes - 1), rtol=1e-9, atol=1e-9
    )


def test_formulas_as_text_over_many_symbols():
    names = [f"x{i}" for i in range(30)]
    text = " and ".join(f"{a} != {b}" for a, b in itertools.pairwise(names))
    rule = CircuitRule.from_expression(text, dict.fromkeys(names, range(5)))
    uniform = torch.full((1, 30, 5), 0.2, dtype=torch.float64).log()
    found = rule.log_probability(uniform, torch.tensor([1]))
    torch.testing.assert_close(found, torch.full((1,), 29 * math.log(0.8), dtype=torch.float64))
    with pytest.raises(RuleError, match=r"has 15,625 worlds: expected at most 10,000"):
        CircuitRule.from_expression(
            " + ".join(names[:6]) + " == 3", dict.fromkeys(names[:6], range(5))
        )


def test_files(tmp_path):
    path = tmp_path / "rule.cnf"
    path.write_text("p cnf 3 2\n1 -3 0\n2 3 0\n")
    rule = CircuitRule.from_dimacs(path, 3, 2)
    check_against_brute_force(
        rule, lambda w, outcome: ((w[0] or not w[2]) and (w[1] or w[2])) == outcome
    )
    with pytest.raises(RuleError, match=r"rule\.cnf: expected 4 variables, .* got 3"):
        CircuitRule.from_dimacs(path, 4, 2)
    with pytest.raises(RuleError, match="expected 9 variables"):
        CircuitRule.from_dimacs(path, 3, 3)


def test_gradients_and_leading_dimensions():
    rule = CircuitRule.all_different([(0, 1, 2), (2, 3)], 4, 3)
    x, codes = log_posteriors(2, 5, 4, 3), torch.tensor([0, 1, 1, 0, 1])
    found = rule.log_probability(x, codes)
    assert found.shape == (2, 5)
    for member in range(2):
        assert torch.equal(found[member], rule.log_probability(x[member], codes))
    assert rule.log_probability(x[:, :0], codes[:0]).shape == (2, 0)
    assert torch.autograd.gradcheck(
        lambda z: rule.log_probability(z.log_softmax(-1), codes), x.clone().requires_grad_()
    )
    check_impossible(rule, [0, 1, 1, 2], True)
    check_impossible(rule, [0, 1, 2, 0], False)


def test_invalid_formulas_are_refused():
    with pytest.raises(RuleError, match="unsatisfiable: no world of 2 symbols of 3 values"):
        CircuitRule(lambda is_: is_(0, 0) & is_(0, 1), 2, 3)
    with pytest.raises(RuleError, match="unsatisfiable"):
        CircuitRule.from_clauses([(1,), (-1,)], 1, 2)
    with pytest.raises(RuleError, match="unsatisfiable"):
        CircuitRule(lambda is_: is_.false, 2, 3)
    with pytest.raises(RuleError, match="values below 3, got value 3 of symbol 0"):
        CircuitRule(lambda is_: is_(0, 3), 2, 3)
    with pytest.raises(RuleError, match=r"symbols below 2 .* got value 0 of symbol -1"):
        CircuitRule(lambda is_: is_(-1, 0), 2, 3)
    with pytest.raises(RuleError, match=r"variables 1 to 6 in clauses over 2 symbols .* got -7"):
        CircuitRule.from_clauses([(1, -7)], 2, 3)
    with pytest.raises(RuleError, match=r"variables 1 to 6 .* got 0"):
        CircuitRule.from_clauses([(0,)], 2, 3)
    with pytest.raises(RuleError, match="at least 1 symbol of at least 1 value, got 0 of 3"):
        CircuitRule(lambda is_: is_.true, 0, 3)
    rule = CircuitRule(lambda is_: is_(0, 0), 2, 3)
    with pytest.raises(RuleError, match=r"2 symbols of 3 values.*got shape \(5, 3, 3\)"):
        rule.log_probability(log_posteriors(5, 3, 3), torch.zeros(5, dtype=torch.int64))
    with pytest.raises(RuleError, match=r"outcome 1 is 2, which is outside.* one of False, True"):
        rule.encode([1, 2])


def test_formulas_that_grow_too_large_are_refused(monkeypatch):
    monkeypatch.setattr(circuit, "MAX_ELEMENTS", 500)
    with pytest.raises(RuleError, match="takes more than 500 elements to compile"):
        CircuitRule.all_different(SUDOKU, 16, 4)


@pytest.mark.parametrize(("module", "package"), [("pysdd", "pysdd"), ("klay", "klaycircuits")])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RuleError, match=rf"need {package}: pip install 'gedi\[rules\]'"):
        CircuitRule(lambda is_: is_(0, 0), 2, 3)

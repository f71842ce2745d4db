"""Rules as text."""

import itertools

import numpy as np
import pytest

from gedi.errors import RuleError
from gedi.rules.expressions import as_function

DOMAINS = {"a": range(4), "b": range(4), "s": range(7)}


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("a + b == s", lambda a, b, s: a + b == s),
        ("  a - 2 * b // 3 % 2 != -s ", lambda a, b, s: a - 2 * b // 3 % 2 != -s),
        ("a < b <= s", lambda a, b, s: a < b <= s),
        ("a > b and not (s >= 3 or a == 0)", lambda a, b, s: a > b and not (s >= 3 or a == 0)),
        ("a in (1, b) and s not in (2, 3)", lambda a, b, s: a in (1, b) and s not in (2, 3)),
        ("abs(a - b) + max(a, b, 2) == min(s, 5)",
         lambda a, b, s: abs(a - b) + max(a, b, 2) == min(s, 5)),
        ("a", lambda a, b, s: a > 0),
        ("(a == b) == (s == True)", lambda a, b, s: (a == b) == (s == 1)),
    ],
)  # fmt: skip
def test_they_have_the_meaning_of_python(text, function):
    compiled = as_function(text, DOMAINS)
    for values in itertools.product(*DOMAINS.values()):
        assert compiled(*values) is function(*values)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("a ** b == s", r"'a \*\* b'"),
        ("a / b == s", "'a / b'"),
        ("a << b == s", "'a << b'"),
        ("~a == s", "'~a'"),
        ("+a == s", r"'\+a'"),
        ("a is s", "'a is s'"),
        ("a == 1.5", "'1.5'"),
        ("a == 1000000001", "'1000000001'"),
        ("a == 'x'", "\"'x'\""),
        ("(a, b) == s", r"'\(a, b\)'"),
        ("a in b", "'a in b'"),
        ("a < b in (1, 2)", r"'a < b in \(1, 2\)'"),
        ("a.real == s", "'a.real'"),
        ("a[0] == s", r"'a\[0\]'"),
        ("__import__('os').abort()", "__import__"),
        ("pow(a, b) == s", r"'pow\(a, b\)'"),
        ("min(a) == s", r"'min\(a\)'"),
        ("abs(a, b) == s", r"'abs\(a, b\)'"),
        ("max(a, key=b) == s", r"'max\(a, key=b\)'"),
        ("max(a, *b) == s", r"'\*b'"),
        ("(lambda: a)() == s", r"'\(lambda: a\)\(\)'"),
        ("[a for a in s]", r"'\[a for a in s\]'"),
        ("a if b else s", "'a if b else s'"),
        ("(a := b) == s", r"'\(a := b\)'"),
        ("f'{a}' == s", "f'{a}'"),
    ],
)
def test_any_other_part_is_refused_and_named(text, piece):
    with pytest.raises(RuleError, match=f"{piece}.* is not allowed in a rule: expected only names"):
        as_function(text, DOMAINS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a + c == s", "contains 'c', which has no domain: expected one of 'a', 'b', 's'"),
        ("eval == s", "contains 'eval'"),
        ("a + b", "is a number, not a condition"),
        ("-a", "is a number"),
        ("min(a, b)", "is a number"),
        ("1", "is a number"),
        ("a ==", "is not a valid expression: invalid syntax"),
        ("", "is not a valid expression"),
        ("a = b", "is not a valid expression"),
        ("a; b", "is not a valid expression"),
        ("a\0", "is not a valid expression"),
        ("(" * 300 + "a" + ")" * 300, "is not a valid expression: too many nested parentheses"),
        ("not " * 240 + "a", "more than 200 levels of nested parts"),
        ("a" * 1001, "at most 1000 characters, got 1001"),
    ],
)
def test_anything_but_a_condition_over_the_names_is_refused(text, message):
    with pytest.raises(RuleError, match=message):
        as_function(text, DOMAINS)


def test_the_deepest_allowed_nesting_is_evaluated():
    assert as_function("a" + " + 1" * 190 + " == s", {"a": [0], "s": [190]})(0, 190)


def test_a_division_by_zero_names_the_values():
    divides = as_function("a // b == s", DOMAINS)
    assert divides(3, 2, 1)
    with pytest.raises(RuleError, match=r"'a // b == s' divides by zero for a = 3, b = 0, s = 1"):
        divides(3, 0, 1)
    assert not as_function("b > 0 and a // b == s", DOMAINS)(3, 0, 1)


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        ({"a": ["x"]}, "domain of 'a': expected whole numbers up to 1,000,000,000.*got 'x'"),
        ({"a": [0.5]}, r"got 0\.5"),
        ({"a": range(10**12)}, "got 999999999999"),
        ({"a": 3}, "domain of 'a': expected whole numbers such as"),
        ({"1a": [0]}, "expected names such as a or digit_1 in a rule, got '1a'"),
        ({"min": [0]}, "got 'min'"),
        ({"not": [0]}, "got 'not'"),
    ],
)
def test_domains_must_be_names_with_whole_numbers(domains, message):
    with pytest.raises(RuleError, match=message):
        as_function("a == 0", domains)


def test_arrays_are_domains():
    assert as_function("a == 2", {"a": np.arange(3)})(2)

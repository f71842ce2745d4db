"""Propositional logic over symbols: literals, clauses, and DIMACS files."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from gedi.errors import RuleError
from gedi.printable import printable
from gedi.rules.outcomes import shown
from gedi.untrusted import RefusedError, refuse_special

__all__ = ["all_different", "literal", "n_variables", "read_dimacs"]

_MAX_BYTES = 2**24


def n_variables(n_symbols: int, n_values: int) -> int:
    """The number of variables of a formula over k symbols of c values: k c, or k if c = 2."""
    return n_symbols if n_values == 2 else n_symbols * n_values


def literal(symbol: int, value: int, n_values: int) -> int:
    """The literal that means that a symbol has a value, as in DIMACS files.

    It is variable 1 + i c + v for symbol i and value v, both numbered from 0. If symbols have two
    values, each has a single variable i + 1, which is true for value 1 and false for value 0.

    Args:
        symbol: the number of the symbol, i.
        value: the number of the value, v.
        n_values: the number of values of each symbol, c.
    """
    if n_values == 2:
        return symbol + 1 if value == 1 else -(symbol + 1)
    return 1 + symbol * n_values + value


def all_different(groups: Sequence[Sequence[int]], n_values: int) -> list[tuple[int, ...]]:
    """Clauses that no two symbols of a group have the same value.

    Args:
        groups: the symbols of each group, such as the cells of a row of a Sudoku.
        n_values: the number of values of each symbol, c.

    Raises:
        RuleError: if a group names a symbol twice, or has more symbols than there are values.
    """
    for group in groups:
        if len(set(group)) < len(group):
            raise RuleError(f"expected different symbols in a group, got {shown(list(group))}")
        if len(group) > n_values:
            raise RuleError(
                f"{len(group)} symbols cannot all be different with {n_values} values: got the "
                f"group {shown(list(group))}"
            )
    pairs = dict.fromkeys(
        pair for group in groups for pair in combinations(sorted(group), 2)
    )  # once each, in order
    return [
        (-literal(i, value, n_values), -literal(j, value, n_values))
        for i, j in pairs
        for value in range(n_values)
    ]


def read_dimacs(source: Path | str, n_expected: int) -> list[tuple[int, ...]]:
    """Read the clauses of a formula in conjunctive normal form.

    Args:
        source: the path of a .cnf file, or its text, which has several lines.
        n_expected: the number of variables that it must declare.

    Raises:
        RuleError: if the file does not exist, is invalid, or has another number of variables.
    """
    if isinstance(source, str) and "\n" in source:
        return _clauses(source, "the formula", n_expected)
    path = Path(source)
    return _clauses(_text(path), printable(str(path)), n_expected)


def _text(path: Path) -> str:
    name = printable(str(path))
    try:
        refuse_special(path)
        if path.stat().st_size > _MAX_BYTES:
            raise RefusedError(f"it is larger than {_MAX_BYTES // 2**20} MiB")
        return path.read_text(encoding="utf-8")
    except RefusedError as error:
        raise RuleError(f"{name} is not read: {error}") from error
    except OSError as error:
        raise RuleError(f"{name} cannot be opened: {error.strerror}") from error
    except ValueError as error:  # bytes that are not UTF-8, or a null character in the name
        raise RuleError(f"{name} cannot be read as a .cnf file: {error}") from error


def _clauses(text: str, name: str, n_expected: int) -> list[tuple[int, ...]]:
    lines = [(f"{name}, line {i}", line.split()) for i, line in enumerate(text.splitlines(), 1)]
    lines = [(where, words) for where, words in lines if words and not words[0].startswith("c")]
    if not lines:
        raise RuleError(f"{name}: expected a line 'p cnf VARIABLES CLAUSES', got none")
    n_variables, n_clauses = _declared(lines[0][1], lines[0][0])
    if n_variables != n_expected:
        raise RuleError(
            f"{name}: expected {n_expected} variables, one for each symbol if symbols have 2 "
            f"values, else one for each value of each symbol, got {n_variables}"
        )
    clauses: list[tuple[int, ...]] = []
    clause: list[int] = []
    for where, words in lines[1:]:
        if words[0] == "%":  # marks the end in files of SATLIB
            break
        for number in (_number(word, where) for word in words):
            if abs(number) > n_variables:
                raise RuleError(
                    f"{where}: expected variables 1 to {n_variables}, got {abs(number)}"
                )
            if number:
                clause.append(number)
            else:
                clauses.append(tuple(clause))
                clause = []
    if clause or len(clauses) != n_clauses:
        unended = " and one that does not end with 0" if clause else ""
        raise RuleError(f"{name}: expected {n_clauses} clauses, got {len(clauses)}{unended}")
    return clauses


def _declared(words: Sequence[str], where: str) -> tuple[int, int]:
    if len(words) != 4 or words[1] != "cnf":
        raise RuleError(
            f"{where}: expected 'p cnf VARIABLES CLAUSES', got {shown(' '.join(words))}"
        )
    return _number(words[2], where), _number(words[3], where)


def _number(word: str, where: str) -> int:
    digits = word.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise RuleError(f"{where}: expected whole numbers, got {shown(word)}")
    return int(word)

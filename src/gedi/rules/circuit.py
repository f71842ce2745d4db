"""Rules in propositional logic, compiled to a circuit."""

import ast
import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import torch
from torch import Tensor, nn

from gedi.errors import RuleError
from gedi.rules.base import BaseRule
from gedi.rules.dimacs import all_different, n_variables, read_dimacs
from gedi.rules.domains import Domains, values_of
from gedi.rules.expressions import compiled, parsed
from gedi.rules.outcomes import Outcomes, shown

__all__ = ["MAX_ELEMENTS", "CircuitRule", "Diagram"]

MAX_ELEMENTS = 5_000_000  # of a diagram during compilation, about 1 GiB
_MAX_WORLDS = 10_000  # of one comparison; they are evaluated one by one


class Diagram:
    """The building blocks of a formula: `is_(symbol, value)`, combined by &, | and ~.

    Formulas are nodes of a sentential decision diagram (Darwiche, IJCAI 2011), which has one
    variable for each value of each symbol.

    Args:
        n_symbols: the number of symbols, k.
        n_values: the number of values of each symbol, c.

    Raises:
        RuleError: if there is no symbol or no value, or pysdd is not installed.
    """

    def __init__(self, n_symbols: int, n_values: int) -> None:
        if n_symbols < 1 or n_values < 1:
            raise RuleError(
                f"expected at least 1 symbol of at least 1 value, got {n_symbols} of {n_values}"
            )
        sdd = _sdd()
        self.n_symbols = n_symbols
        self.n_values = n_values
        tree = sdd.Vtree(var_count=n_symbols * n_values, vtree_type="balanced")
        self._manager = sdd.SddManager.from_vtree(tree)

    def __call__(self, symbol: int, value: int) -> Any:
        """The formula that a symbol has a value; both are numbered from 0.

        Raises:
            RuleError: if there is no such symbol or value.
        """
        if not (0 <= symbol < self.n_symbols and 0 <= value < self.n_values):
            raise RuleError(
                f"expected symbols below {self.n_symbols} and values below {self.n_values}, got "
                f"value {value} of symbol {symbol}"
            )
        return self._manager.literal(1 + symbol * self.n_values + value)

    @property
    def true(self) -> Any:
        """The formula that always holds."""
        return self._manager.true()

    @property
    def false(self) -> Any:
        """The formula that never holds."""
        return self._manager.false()

    def one_value_each(self) -> Any:
        """The formula that each symbol has exactly one value."""
        return self.all(
            self.any(
                self.all(
                    self(symbol, other) if other == value else ~self(symbol, other)
                    for other in range(self.n_values)
                )
                for value in range(self.n_values)
            )
            for symbol in range(self.n_symbols)
        )

    def all(self, nodes: Iterable[Any]) -> Any:
        """The conjunction of formulas."""
        return reduce(lambda a, b: self.checked(a & b), nodes, self.true)

    def any(self, nodes: Iterable[Any]) -> Any:
        """The disjunction of formulas."""
        return reduce(lambda a, b: self.checked(a | b), nodes, self.false)

    def literal(self, number: int) -> Any:
        """The formula of a literal of a clause, with the numbers of `gedi.rules.literal`.

        Raises:
            RuleError: if there is no such variable.
        """
        variable = abs(number) - 1
        if not 0 <= variable < n_variables(self.n_symbols, self.n_values):
            raise RuleError(
                f"expected variables 1 to {n_variables(self.n_symbols, self.n_values)} in clauses "
                f"over {self.n_symbols} symbols of {self.n_values} values, got {number}"
            )
        if self.n_values == 2:
            return self(variable, int(number > 0))
        node = self(*divmod(variable, self.n_values))
        return node if number > 0 else ~node

    def checked(self, node: Any) -> Any:
        """Return the node after checking the size of the diagram.

        Raises:
            RuleError: if the diagram has more than `MAX_ELEMENTS` elements.
        """
        if self._manager.size() > MAX_ELEMENTS:
            raise RuleError(
                f"the formula takes more than {MAX_ELEMENTS:,} elements to compile: split it into "
                "rules over fewer symbols, or use FoldRule"
            )
        return node


class CircuitRule(BaseRule):
    """A formula over symbols, compiled once to a circuit that is evaluated for whole batches.

        rule = CircuitRule(lambda is_: is_(0, 1) | ~is_(1, 2), n_symbols=2, n_values=3)

    The outcome is whether the formula holds: False or True, or only True if it always holds.

    Both the formula and its negation are combined with the condition that each symbol has exactly
    one value. Each model of these formulas is then a world, and its weight is the product of
    p(y_i | x_i): positive literals have these weights, and negated literals have the weight 1.
    P(not formula) is computed from the negation, because the difference 1 - P(formula) loses
    precision where the formula is almost certain. Sums and products are computed in log space by
    klay (Maene et al., ICLR 2025, https://arxiv.org/abs/2410.11415).

    The time and memory to compile depend on the formula, and are exponential in the number of
    symbols in the worst case.

    Args:
        formula: maps a `Diagram` to one of its nodes.
        n_symbols: the number of symbols, k.
        n_values: the number of values of each symbol, c.
        values: the values of each symbol, value j being cluster j; None is 0 to c - 1. Formulas
            refer to a value by its number j.

    Raises:
        RuleError: if no world satisfies the formula, it is too large to compile, values repeat or
            their number is not c, or pysdd or klay is not installed.
    """

    def __init__(
        self,
        formula: Callable[[Diagram], Any],
        n_symbols: int,
        n_values: int,
        values: Sequence[Any] | None = None,
    ) -> None:
        known = values_of(values, n_values)
        diagram = Diagram(n_symbols, n_values)
        one_each = diagram.one_value_each()
        node = formula(diagram)
        holds, fails = diagram.checked(one_each & node), diagram.checked(one_each & ~node)
        if holds.is_false():
            raise RuleError(
                f"the formula is unsatisfiable: no world of {n_symbols} symbols of {n_values} "
                "values satisfies it"
            )
        roots = {True: holds} if fails.is_false() else {False: fails, True: holds}
        super().__init__(n_symbols, known, Outcomes(list(roots), {False, True} - set(roots)))
        circuit = _klay().Circuit()
        for root in roots.values():
            circuit.add_sdd(root)
        module = circuit.to_torch_module("log", compile=False)
        self._on: dict[torch.device, nn.Module] = {torch.device("cpu"): module}

    @classmethod
    def from_clauses(
        cls,
        clauses: Iterable[Sequence[int]],
        n_symbols: int,
        n_values: int,
        values: Sequence[Any] | None = None,
    ) -> Self:
        """A rule from clauses in conjunctive normal form, such as those of `all_different`.

        Args:
            clauses: the clauses, each a sequence of literals with the numbers of
                `gedi.rules.literal`, at least one of which must hold.
            n_symbols: the number of symbols, k.
            n_values: the number of values of each symbol, c.
            values: the values of each symbol, see the class.
        """

        def formula(diagram: Diagram) -> Any:
            # With this condition first, because intermediate diagrams would otherwise be large.
            parts = (diagram.any(map(diagram.literal, clause)) for clause in clauses)
            return diagram.all((diagram.one_value_each(), *parts))

        return cls(formula, n_symbols, n_values, values)

    @classmethod
    def from_dimacs(
        cls,
        source: Path | str,
        n_symbols: int,
        n_values: int,
        values: Sequence[Any] | None = None,
    ) -> Self:
        """A rule from a DIMACS file, or from its text, in conjunctive normal form.

        Variable 1 + i c + v means that symbol i has value v, both numbered from 0. If symbols have
        two values, variable i + 1 means that symbol i has value 1. The condition that each symbol
        has one value is added automatically.

        Args:
            source: the path of the file, or its text, which has several lines.
            n_symbols: the number of symbols, k.
            n_values: the number of values of each symbol, c.
            values: the values of each symbol, see the class.

        Raises:
            RuleError: if the file cannot be read, or has another number of variables.
        """
        clauses = read_dimacs(source, n_variables(n_symbols, n_values))
        return cls.from_clauses(clauses, n_symbols, n_values, values)

    @classmethod
    def from_expression(cls, text: str, domains: Mapping[str, Sequence[int]]) -> Self:
        """A rule from text, such as "(a < b or c == 0) and a != c", see `Rule.from_expression`.

        All names are symbols, in the order of their domains. Each single comparison may have up to
        10,000 worlds; their combination may have any number.

        Args:
            text: the expression.
            domains: the values of each symbol by its name.
        """
        tree = parsed(text, domains)
        known = Domains.of(domains, (), max_worlds=None, max_checks=None)
        return cls(
            lambda diagram: _Translation(diagram, known, text).node(tree),
            len(known.symbols),
            len(known.values),
            known.values,
        )

    @classmethod
    def all_different(
        cls,
        groups: Sequence[Sequence[int]],
        n_symbols: int,
        n_values: int,
        values: Sequence[Any] | None = None,
    ) -> Self:
        """The rule that no two symbols of a group have the same value, as in Sudoku.

        Args:
            groups: the symbols of each group, numbered from 0.
            n_symbols: the number of symbols, k.
            n_values: the number of values of each symbol, c.
            values: the values of each symbol, see the class.
        """
        return cls.from_clauses(all_different(groups, n_values), n_symbols, n_values, values)

    def _log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        weights = log_posteriors.flatten(1)
        found = self._module(codes.device)(weights, torch.zeros_like(weights))
        chosen: Tensor = found.gather(1, codes[:, None])
        return chosen.squeeze(1)

    def _module(self, device: torch.device) -> nn.Module:
        if device not in self._on:
            with torch.inference_mode(False):  # the copy is kept, and trainings use it too
                self._on[device] = copy.deepcopy(self._on[torch.device("cpu")]).to(device)
        return self._on[device]


class _Translation:
    """From the syntax of an expression to the nodes of a diagram."""

    def __init__(self, diagram: Diagram, known: Domains, text: str) -> None:
        self.diagram = diagram
        self.known = known
        self.places = {name: place for place, name in enumerate(known.symbols)}
        self.text = text

    def node(self, tree: ast.expr) -> Any:
        match tree:
            case ast.BoolOp(op=ast.And(), values=values):
                return self.diagram.all(map(self.node, values))
            case ast.BoolOp(op=ast.Or(), values=values):
                return self.diagram.any(map(self.node, values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self.node(operand)
            case ast.Compare(left=left, ops=ops, comparators=others) if len(ops) > 1:
                pairs = zip(pairwise([left, *others]), ops, strict=True)
                return self.diagram.all(
                    self.node(ast.Compare(a, [op], [b])) for (a, b), op in pairs
                )
        return self._tried(tree)

    def _tried(self, tree: ast.expr) -> Any:
        """Translate a comparison by evaluating it for all values of its symbols."""
        names = sorted(
            {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)} & set(self.places),
            key=self.places.__getitem__,
        )
        n_worlds = self.diagram.n_values ** len(names)
        if n_worlds > _MAX_WORLDS:
            raise RuleError(
                f"{shown(ast.unparse(tree))} has {n_worlds:,} worlds: expected at most "
                f"{_MAX_WORLDS:,} in one comparison; split it, or use FoldRule"
            )
        holds = compiled(tree, names, self.text)

        def rest(values: tuple[int, ...]) -> Any:
            if len(values) == len(names):
                return self.diagram.true if holds(*values) else self.diagram.false
            name = names[len(values)]
            return self.diagram.any(
                self.diagram(self.places[name], j) & rest((*values, value))
                for j, value in enumerate(self.known.symbols[name])
            )

        return rest(())


def _sdd() -> ModuleType | Any:
    try:
        from pysdd import sdd  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _missing("pysdd") from error
    return sdd


def _klay() -> ModuleType | Any:
    try:
        import klay  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _missing("klaycircuits") from error
    return klay


def _missing(package: str) -> RuleError:
    return RuleError(f"rules in logic need {package}: pip install 'gedi[rules]'")

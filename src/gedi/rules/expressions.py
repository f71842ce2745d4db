"""Rules as text over whole numbers; every part is checked before any of it is evaluated."""

import ast
from collections.abc import Callable, Mapping, Sequence
from keyword import iskeyword
from typing import Any

from gedi.errors import RuleError
from gedi.rules.outcomes import plain, shown

__all__ = ["as_function", "compiled", "parsed"]

_MAX_LENGTH = 1000  # characters
_MAX_NUMBER = 10**9
_DEEPEST = 200  # levels of nested parts; Python's own limit is higher
_FUNCTIONS = {"abs": abs, "max": max, "min": min}
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_ALLOWED = (
    "names, whole numbers, + - * // %, comparisons, in (...), and, or, not, parentheses, "
    "abs, min, max"
)


def as_function(text: str, domains: Mapping[str, Sequence[Any]]) -> Callable[..., bool]:
    """The expression as a function of all names, in the order of their domains.

    Raises:
        RuleError: as `parsed`; the function raises it if the expression divides by zero.
    """
    return compiled(parsed(text, domains), tuple(domains), text)


def compiled(tree: ast.expr, names: Sequence[str], text: str) -> Callable[..., bool]:
    """A checked expression, or a part of one, as a function of some names.

    Args:
        tree: the syntax tree, from `parsed`.
        names: the parameters of the function.
        text: the text of the whole expression, for error messages.
    """
    parameters = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(name) for name in names],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    body = ast.fix_missing_locations(ast.Expression(ast.Lambda(parameters, tree)))
    call = eval(compile(body, "<rule>", "eval"), {"__builtins__": {}, **_FUNCTIONS})

    def function(*values: int) -> bool:
        try:
            return bool(call(*values))
        except ZeroDivisionError as error:
            world = ", ".join(
                f"{name} = {value}" for name, value in zip(names, values, strict=True)
            )
            raise RuleError(
                f"{_quoted(text)} divides by zero for {world}: exclude this by a condition before "
                "it, joined by `and`"
            ) from error

    return function


def parsed(text: str, domains: Mapping[str, Sequence[Any]]) -> ast.expr:
    """Parse an expression, and check that it contains only what a rule may contain.

    Args:
        text: the expression, of at most 1000 characters.
        domains: the names that it may contain, with their values, which must be whole numbers.

    Raises:
        RuleError: if the expression or the domains contain anything else; the message names the
            part.
    """
    _check_domains(domains)
    if len(text) > _MAX_LENGTH:
        raise RuleError(
            f"expected an expression of at most {_MAX_LENGTH} characters, got {len(text)}: write a "
            "function instead"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    # The parser raises all of these: ValueError for null characters, the last two for depth.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = (
            error.msg if isinstance(error, SyntaxError) else str(error) or "it is nested too deeply"
        )
        raise RuleError(f"{_quoted(text)} is not a valid expression: {reason}") from error
    if _is_deeper(tree, _DEEPEST):
        raise RuleError(
            f"{_quoted(text)} has more than {_DEEPEST} levels of nested parts: write a function "
            "instead"
        )
    _check(tree, domains)
    if isinstance(tree, ast.BinOp | ast.Constant | ast.Call) or (
        isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub)
    ):
        raise RuleError(
            f"{_quoted(text)} is a number, not a condition: compare it with something, as in "
            "a + b == s"
        )
    return tree


def _check_domains(domains: Mapping[str, Sequence[Any]]) -> None:
    for name, values in domains.items():
        if (
            not isinstance(name, str)
            or not name.isidentifier()
            or iskeyword(name)
            or name in _FUNCTIONS
        ):
            raise RuleError(f"expected names such as a or digit_1 in a rule, got {shown(name)}")
        if not hasattr(values, "__len__"):
            raise RuleError(
                f"domain of {shown(name)}: expected whole numbers such as range(10), got "
                f"{shown(values)}"
            )
        # Only the ends of a range are checked, because it may be too long to iterate over.
        ends = {values[0], values[-1]} if isinstance(values, range) and values else plain(values)
        for value in ends:
            if not isinstance(value, int) or abs(value) > _MAX_NUMBER:
                raise RuleError(
                    f"domain of {shown(name)}: expected whole numbers up to {_MAX_NUMBER:,} for an "
                    f"expression, got {shown(value)}: write a function for other values"
                )


def _is_deeper(tree: ast.expr, most: int) -> bool:
    layer: list[ast.AST] = [tree]
    for _ in range(most):
        layer = [child for node in layer for child in ast.iter_child_nodes(node)]
    return bool(layer)


def _check(tree: ast.expr, names: Mapping[str, Any]) -> None:
    pieces = [tree]
    while pieces:
        piece = pieces.pop()
        if isinstance(piece, ast.Name) and piece.id not in names:
            raise RuleError(
                f"the rule contains {shown(piece.id)}, which has no domain: expected one of "
                f"{', '.join(map(shown, names))}"
            )
        within = _within(piece)
        if within is None:
            raise RuleError(
                f"{shown(ast.unparse(piece))} is not allowed in a rule: expected only {_ALLOWED}"
            )
        pieces.extend(within)


def _within(piece: ast.expr) -> list[ast.expr] | None:
    """The parts of a piece of syntax that is allowed in a rule; None if it is not allowed."""
    found: list[ast.expr] | None = None
    match piece:
        case ast.Name():
            found = []
        case ast.Constant(value=int(number)) if number <= _MAX_NUMBER:
            found = []
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _OPERATORS):
            found = [left, right]
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            found = [operand]
        case ast.BoolOp(values=values):
            found = values
        case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[ast.Tuple(elts=of)]):
            found = [left, *of]
        case ast.Compare(left=left, ops=ops, comparators=others):
            if all(isinstance(op, _COMPARISONS) for op in ops):
                found = [left, *others]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            fits = len(arguments) == 1 if name == "abs" else len(arguments) > 1
            found = arguments if name in _FUNCTIONS and fits else None
    return found


def _quoted(text: str) -> str:
    return f"the rule {shown(text)}"

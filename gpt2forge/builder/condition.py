"""Conditions on the numbers of results, such as `perplexity > baseline * 1.01`.

A condition is a small part of Python's expressions: names of NUMBERS, numbers, `+ - * /`, comparisons, `and` and `or`.
Python's parser reads it, and only these nodes are translated into functions; Python evaluates none of it.
`baseline.perplexity` is the number of the baseline. `baseline` alone is short for that of the one number in the same
comparison.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from gpt2forge.builder.numbers import NUMBERS
from gpt2forge.builder.report import Report
from gpt2forge.errors import UserError, suggest

LONGEST = 300  # characters; so few cannot nest deeper than Python calls
BASELINE = "baseline"
GRAMMAR = "write comparisons of numbers, as in `perplexity > baseline * 1.01`, with `+ - * /`, `and`, `or`"

Find = Callable[[str], float]
"""Returns the number of a name, such as `perplexity` or `baseline.perplexity`."""

Term = Callable[[Find], float]
Test = Callable[[Find], bool]

ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISONS: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@dataclass
class Numbers:
    """The numbers of a result and of the baseline; `found` collects those that a condition reads."""

    report: Report
    baseline: Report
    found: dict[str, float] = field(default_factory=dict)

    def __call__(self, name: str) -> float:
        """Return a number. Raises UserError if it was not measured."""
        own = name.removeprefix(f"{BASELINE}.")
        value = NUMBERS[own](self.report if own == name else self.baseline)
        if value is None:
            whose = "" if own == name else " of the baseline"
            raise UserError(f"`{own}`{whose} was not measured")
        self.found[name] = float(value)
        return self.found[name]

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:.6g}" for name, value in self.found.items())


@dataclass(frozen=True)
class Condition:
    """A condition that was parsed."""

    text: str
    test: Test

    def holds(self, numbers: Numbers) -> bool:
        """Return whether the condition is true. Raises UserError if a number is missing, or divided by zero."""
        try:
            return self.test(numbers)
        except ZeroDivisionError as error:
            raise UserError(f"divides by zero: {numbers}") from error


def parse_condition(text: str) -> Condition:
    """Parse a condition. Raises UserError for any other text, and for a name of no number."""
    if len(text) > LONGEST:
        raise UserError(f"a condition has {len(text)} characters; write at most {LONGEST}")
    try:
        return Condition(text, read_test(ast.parse(text.strip(), mode="eval").body))
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise UserError(f"`{text}` is not a condition; {GRAMMAR}") from error
    except (ValueError, OverflowError) as error:
        raise UserError(f"`{text}`: {error}") from error


def read_test(node: ast.expr) -> Test:
    """Translate comparisons joined by `and` and `or`. Raises ValueError for any other node."""
    if isinstance(node, ast.BoolOp):
        tests = [read_test(part) for part in node.values]
        join = all if isinstance(node.op, ast.And) else any
        return lambda find: join(test(find) for test in tests)
    if isinstance(node, ast.Compare):
        return read_comparison(node)
    raise ValueError(GRAMMAR)


def read_comparison(node: ast.Compare) -> Test:
    """Translate a comparison, which may be a chain such as `0.1 < kl < 0.2`. Raises ValueError for other operators."""
    if not all(type(each) in COMPARISONS for each in node.ops):
        raise ValueError(GRAMMAR)
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} - {BASELINE}
    beside = names.pop() if len(names) == 1 else None
    terms = [read_term(part, beside) for part in (node.left, *node.comparators)]
    operators = [COMPARISONS[type(each)] for each in node.ops]

    def test(find: Find) -> bool:
        values = [term(find) for term in terms]
        return all(compare(*pair) for compare, pair in zip(operators, pairwise(values), strict=True))

    return test


def read_term(node: ast.expr, beside: str | None) -> Term:
    """Translate a number, a name of one, or arithmetic with these; `beside` is the number that `baseline` is of.

    Raises ValueError for any other node, OverflowError for a whole number that is larger than any float.
    """
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = float(node.value)  # type: ignore[arg-type]
        return lambda find: value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        operand = read_term(node.operand, beside)
        return lambda find: -operand(find)
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        compute, left, right = ARITHMETIC[type(node.op)], read_term(node.left, beside), read_term(node.right, beside)
        return lambda find: compute(left(find), right(find))
    name = read_name(node, beside)
    return lambda find: find(name)


def read_name(node: ast.expr, beside: str | None) -> str:
    """Return the name that a node has, with `baseline` alone completed. Raises ValueError for any other node."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == BASELINE:
        check_name(node.attr)
        return f"{BASELINE}.{node.attr}"
    if not isinstance(node, ast.Name):
        raise ValueError(GRAMMAR)
    if node.id != BASELINE:
        check_name(node.id)
        return node.id
    if beside is None:
        raise ValueError("`baseline` is the number of the one name beside it; write `baseline.perplexity` instead")
    check_name(beside)
    return f"{BASELINE}.{beside}"


def check_name(name: str) -> None:
    """Raise ValueError unless a name is that of a number."""
    if name not in NUMBERS:
        raise ValueError(f"unknown number `{name}`{suggest(name, list(NUMBERS))}")

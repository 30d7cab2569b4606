"""Conditions that compare an expression with a number, and by how much such a number has to move."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal

from kernels.evaluate import compute
from kernels.graph import Graph
from kernels.language import Formula, from_text, kind_of
from sweep.formulas import on_inputs
from sweep.space import Condition

Number = int | float
Sense = Literal["<=", "<", ">=", ">"]

DIGITS = 4  # significant ones of a number shown, more in front of the point
LARGEST_PLAIN = 1e15  # numbers from here on, and below the next, are shown with an exponent
SMALLEST_PLAIN = 1e-4

_SENSES: dict[type[ast.cmpop], Sense] = {ast.LtE: "<=", ast.Lt: "<", ast.GtE: ">=", ast.Gt: ">"}
_FLIPPED: dict[Sense, Sense] = {"<=": ">=", "<": ">", ">=": "<=", ">": "<"}


@dataclass(frozen=True)
class Limit:
    """What a condition says: an expression on the side of a number that sense names."""

    expression: Formula
    sense: Sense
    number: Number
    is_count: bool  # whether the expression is a count

    @property
    def is_upper(self) -> bool:
        """Whether less is better."""
        return self.sense in ("<=", "<")

    def holds(self, value: Number) -> bool:
        """Whether a value of the expression is on the right side."""
        above, equal = value > self.number, value == self.number
        return (equal and "=" in self.sense) or (not equal and above != self.is_upper and not math.isnan(value))

    def moved(self, value: Number) -> Number:
        """The number closest to the one asked with which this value of the expression would be on the right side."""
        if "=" in self.sense:
            return value
        if self.is_count:
            return value + (1 if self.is_upper else -1)
        return math.nextafter(value, math.inf if self.is_upper else -math.inf)


def limit(graph: Graph, condition: Condition) -> Limit | None:
    """What a condition compares with a number, whichever side this stands on; None when it is no such comparison."""
    match condition.formula:
        case Formula(steps=(), result=ast.Compare(left=left, ops=[op], comparators=[right])) if type(op) in _SENSES:
            sense = _SENSES[type(op)]
        case _:
            return None
    expression, number = (from_text(name, ast.unparse(side)) for name, side in (("_reached", left), ("number", right)))
    if not expression.parameters:
        expression, number, sense = replace(number, name="_reached"), expression, _FLIPPED[sense]
    kind = kind_of(expression, graph.kinds, graph.words)
    if number.parameters or not expression.parameters or kind not in ("int", "float"):
        return None
    value = compute(graph, number, kind_of(number, {}, {}), {})
    return Limit(expression, sense, value, kind == "int") if math.isfinite(value) else None


def parts(graph: Graph, condition: Condition) -> Iterator[Condition]:
    """The conditions that a condition joins with `and`, or as a chain of comparisons; itself when it joins none."""
    match condition.formula:
        case Formula(steps=(), result=ast.BoolOp(op=ast.And(), values=joined)) if not condition.is_inherent:
            pass
        case Formula(steps=(), result=ast.Compare(left=left, ops=[_, _, *_] as ops, comparators=compared)) if (
            not condition.is_inherent
        ):
            sides = [left, *compared]
            joined = [ast.Compare(sides[k], [op], [sides[k + 1]]) for k, op in enumerate(ops)]
        case _:
            yield condition
            return
    for part in joined:
        text = ast.unparse(part)
        formula = from_text(condition.formula.name, text)
        label = text if condition.label == condition.text else condition.label
        yield from parts(graph, Condition(label, text, formula, on_inputs(graph, formula)))


def outward(bound: Number, is_upper: bool) -> Decimal:
    """A bound with few digits, on the side of it that lets more through: at least DIGITS, and to the last whole one."""
    exact = Decimal(bound)
    if isinstance(bound, int) or not exact:
        return exact
    last = min(0, exact.adjusted() - DIGITS + 1) if abs(bound) < LARGEST_PLAIN else exact.adjusted() - DIGITS + 1
    rounded = exact.quantize(Decimal(1).scaleb(last), ROUND_CEILING if is_upper else ROUND_FLOOR)
    return rounded if math.isfinite(float(rounded)) else Decimal(repr(bound))


def plain(number: Decimal, comma: str = "") -> str:
    """A number as a formula takes it, or with commas, as a person reads it."""
    if number and not SMALLEST_PLAIN <= abs(number) < LARGEST_PLAIN:
        return f"{number.normalize():e}"
    text = f"{number:{comma}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def change(asked: Number, bound: Number) -> str:
    """How far a bound lies from what was asked, in words."""
    if asked == 0:
        return "more" if bound > 0 else "less"
    share = abs(bound - asked) / abs(asked)
    ratio = bound / asked
    if ratio >= 3:
        return f"{ratio:,.3g} times" if ratio < 1e3 else f"{ratio:,.0f} times"
    if 0 < ratio < 0.05:
        return f"1/{1 / ratio:,.0f} of it"
    words = "more" if bound > asked else "less"
    return f"under 0.01 % {words}" if share < 1e-4 else f"{100 * share:.2g} % {words}"

"""Formulas evaluated with many digits by mpmath, counts as real numbers: the oracle of what differentiates."""

import ast
import operator
from collections.abc import Mapping
from typing import Any

import mpmath  # type: ignore[import-untyped]
from mpmath import mpf

from kernels.language import Formula

DIGITS = 60
STEP = mpf(10) ** -20  # leaves 1e-40 of truncation and 1e-40 of rounding
FAR = mpf(10) ** 80  # past it, what doubles say is another matter

_OPERATIONS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip


class Away(Exception):
    """A value that doubles cannot hold, or a point where a formula has no slope."""


def value(formula: Formula, at: Mapping[str, Any]) -> Any:
    """What a formula comes to; words are strings. Away where a number leaves the reals or the range of doubles."""
    scope = dict(at)
    with mpmath.workdps(DIGITS):
        for name, step in formula.steps:
            scope[name] = _Lazy(step, scope)
        return _of(formula.result, scope)


def slope(formula: Formula, at: Mapping[str, Any], parameter: str) -> Any:
    """The partial derivative by central differences; Away at a kink, where the two sides differ."""
    with mpmath.workdps(DIGITS):
        step = STEP * (abs(at[parameter]) or 1)
        here = value(formula, at)
        above = (value(formula, {**at, parameter: at[parameter] + step}) - here) / step
        below = (here - value(formula, {**at, parameter: at[parameter] - step})) / step
        found = (above + below) / 2
        if abs(above - below) > mpf(10) ** -12 * (abs(found) + abs(here / (at[parameter] or 1)) * mpf(10) ** -6):
            raise Away
        return found


class _Lazy:  # a step is evaluated when it is read, for what is not read may be no number
    def __init__(self, node: ast.expr, scope: Mapping[str, Any]) -> None:
        self.node, self.scope = node, dict(scope)

    def get(self) -> Any:
        if not hasattr(self, "found"):
            self.found = _of(self.node, self.scope)
        return self.found


def _of(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=bool() | str() as constant):
            return constant
        case ast.Constant(value=int() | float() as number):
            return mpf(number)
        case ast.Name(id=name):
            found = scope[name]
            return found.get() if isinstance(found, _Lazy) else found
        case ast.BinOp(left=left, op=op, right=right):
            return _real(_arithmetic(op, _of(left, scope), _of(right, scope)))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _of(operand, scope)
        case ast.UnaryOp(op=op, operand=operand):
            return -_of(operand, scope) if isinstance(op, ast.USub) else +_of(operand, scope)
        case ast.BoolOp(op=op, values=values):
            together = all if isinstance(op, ast.And) else any
            return together(_of(v, scope) for v in values)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_of(side, scope) for side in (left, *comparators)]
            return all(_OPERATIONS[type(op)](a, b) for a, op, b in zip(sides, ops, sides[1:], strict=False))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _of(body, scope) if _of(test, scope) else _of(orelse, scope)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _real(_called(name, [_of(a, scope) for a in arguments]))
    raise AssertionError(ast.dump(node))


def _arithmetic(op: ast.operator, a: Any, b: Any) -> Any:
    if isinstance(op, ast.Div | ast.FloorDiv | ast.Mod) and b == 0:
        raise Away
    match op:
        case ast.Div():
            return a / b
        case ast.FloorDiv():
            return mpmath.floor(a / b)
        case ast.Mod():
            return a - b * mpmath.floor(a / b)
        case ast.Pow():
            if a < 0 or (a == 0 and b <= 0) or abs(b) > 200:
                raise Away
            return mpmath.power(a, b)
    return _OPERATIONS[type(op)](a, b)


def _called(name: str, arguments: list[Any]) -> Any:
    x = arguments[0]
    if name in ("min", "max"):
        return (min if name == "min" else max)(arguments)
    if (name in ("log", "log2") and x <= 0) or (name == "sqrt" and x < 0) or (name == "exp" and x > 200):
        raise Away
    return {
        "ceil": mpmath.ceil, "floor": mpmath.floor, "sqrt": mpmath.sqrt, "log": mpmath.log, "exp": mpmath.exp,
        "log2": lambda x: mpmath.log(x, 2),
    }[name](x)  # fmt: skip


def _real(x: Any) -> Any:
    if isinstance(x, bool):
        return mpf(x)
    if not mpmath.isfinite(x) or abs(x) > FAR:
        raise Away
    return x

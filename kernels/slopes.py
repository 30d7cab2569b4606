"""How a formula answers to one of its parameters: bounds on its secants, over all values the others may have.

A secant slope is what the result changes by, over what the parameter changes by, between any two of its values with
everything else held. A bound above 0 proves that the result rises with the parameter, and by how much at least; one
from 0 on that it never falls, which is also true of steps such as ``ceil`` and of conditions, where a derivative says
nothing. The rules are those of interval arithmetic on difference quotients (Krawczyk and Neumaier 1985, "Interval
slopes for rational functions and associated centered forms", SIAM J. Numer. Anal. 22).
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kernels.intervals import (
    Interval,
    binary,
    chosen,
    compared,
    evaluate,
    has_infinity,
    has_zero,
    hull,
    joined,
    product,
    quotient,
    times,
    truth,
)
from kernels.language import ROOTS

Words = Mapping[str, tuple[str, ...]]
NONE = Interval(0.0, 0.0)
FALLS_OR_RISES = Interval(-np.inf, np.inf)


class Slope(NamedTuple):
    """The values of an expression, and bounds on its secant slopes in each of some parameters."""

    value: Interval
    secants: Interval  # arrays, an entry a parameter


def secants(node: ast.expr, scope: Mapping[str, Interval], parameters: Sequence[str], words: Words) -> Slope:
    """The slopes of an expression in each of these parameters while all it reads stays within scope.

    Where the expression may be nan or reach infinity, nothing is known: (-inf, inf).
    """
    place = {name: k for k, name in enumerate(parameters)}

    def seed(name: str) -> Interval:
        ones = np.zeros(len(parameters))
        if name in place:
            ones[place[name]] = 1.0
        return Interval(ones, ones.copy())

    flat = Interval(np.zeros(len(parameters)), np.zeros(len(parameters)))

    def of(child: ast.expr) -> Slope:
        match child:
            case ast.Constant():
                return Slope(evaluate(child, scope, words), flat)
            case ast.Name(id=name):
                return Slope(scope[name], seed(name))
            case ast.BinOp(left=left, op=op, right=right):
                return _binary(op, of(left), of(right))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = of(operand)
                return Slope(evaluate(child, scope, words), _step(_negative(inner.secants)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = of(operand)
                return Slope(evaluate(child, scope, words), _negative(inner.secants))
            case ast.UnaryOp(operand=operand):
                return of(operand)
            case ast.BoolOp(op=op, values=values):
                return _joined(np.minimum if isinstance(op, ast.And) else np.maximum, [_flag(of(v)) for v in values])
            case ast.Compare(comparators=[ast.Constant(value=str())], left=ast.Name(id=name)):
                value = evaluate(child, scope, words)
                return Slope(value, flat if value.low == value.high else _unless_flat(seed(name)))
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                sides = [of(left), *map(of, comparators)]
                return _joined(np.minimum, [_compared(op, *sides[k : k + 2]) for k, op in enumerate(ops)])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return _chosen(_flag(of(test)), of(body), of(orelse))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                parts = [of(argument) for argument in arguments]
                if name in ROOTS:
                    touched = [_unless_flat(part.secants) for part in parts]
                    return Slope(Interval(-np.inf, np.inf, True), _around(touched))
                if name in ("min", "max"):
                    return _joined(np.minimum if name == "min" else np.maximum, parts)
                return _unary(name, parts[0], evaluate(child, scope, words))
        raise TypeError(f"{ast.unparse(child)!r} is not in the language of formulas")

    with np.errstate(all="ignore"):
        found = of(node)
        known = not bool(found.value.unsure) and np.isfinite(found.value.low) and np.isfinite(found.value.high)
        return found if known else Slope(found.value, _unless_flat(found.secants))


def _negative(slope: Interval) -> Interval:
    return Interval(-slope.high, -slope.low)


def _unless_flat(slope: Interval) -> Interval:
    """Nothing is known of how it answers to what it answers to at all."""
    is_flat = (slope.low == 0.0) & (slope.high == 0.0)
    return Interval(np.where(is_flat, 0.0, -np.inf), np.where(is_flat, 0.0, np.inf))


def _step(slope: Interval) -> Interval:
    """Of a step function: its direction stays, its steepness has no bound."""
    return Interval(np.where(slope.low >= 0.0, 0.0, -np.inf), np.where(slope.high <= 0.0, 0.0, np.inf))


def _around(slopes: Sequence[Interval]) -> Interval:
    low, high = slopes[0][:2]
    for slope in slopes[1:]:
        low, high = np.minimum(low, slope.low), np.maximum(high, slope.high)
    return Interval(low, high)


def _flag(slope: Slope) -> Slope:
    """As a condition: 0 or 1, whatever number says so."""
    value = truth(slope.value)
    if value.low == value.high:
        return Slope(value, Interval(np.zeros_like(slope.secants.low), np.zeros_like(slope.secants.low)))
    is_flag = slope.value.low >= 0.0 and slope.value.high <= 1.0
    return Slope(value, _step(slope.secants) if is_flag else _unless_flat(slope.secants))


def _joined(pick: Any, parts: Sequence[Slope]) -> Slope:
    """The least or greatest follows one part or another, and never one that another is always beyond."""
    value = joined(pick, [part.value for part in parts])
    if pick is np.minimum:
        left = [part for part in parts if part.value.low <= min(p.value.high for p in parts)]
    else:
        left = [part for part in parts if part.value.high >= max(p.value.low for p in parts)]
    return Slope(value, _around([part.secants for part in left or parts]))


def _compared(op: ast.cmpop, a: Slope, b: Slope) -> Slope:
    value = compared(op, a.value, b.value)
    if value.low == value.high:
        return Slope(value, Interval(np.zeros_like(a.secants.low), np.zeros_like(a.secants.low)))
    ahead = Interval(a.secants.low - b.secants.high, a.secants.high - b.secants.low)
    if isinstance(op, ast.Gt | ast.GtE):
        return Slope(value, _step(ahead))
    if isinstance(op, ast.Lt | ast.LtE):
        return Slope(value, _step(_negative(ahead)))
    return Slope(value, _unless_flat(ahead))


def _chosen(test: Slope, body: Slope, orelse: Slope) -> Slope:
    value = chosen(test.value, body.value, orelse.value)
    if test.value.low > 0.0:
        return Slope(value, body.secants)
    if test.value.high == 0.0:
        return Slope(value, orelse.secants)
    either = _around([body.secants, orelse.secants])
    jumps = _unless_flat(test.secants)  # from one branch to the other, which may be any distance
    return Slope(value, Interval(np.minimum(either.low, jumps.low), np.maximum(either.high, jumps.high)))


def _scaled(slope: Interval, by: Interval) -> Interval:
    """A slope times a number that lies between bounds."""
    return hull([times(x, y) for x in slope[:2] for y in by[:2]], False)


def _sum(a: Interval, b: Interval) -> Interval:
    low, high = a.low + b.low, a.high + b.high
    return Interval(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))


def _binary(op: ast.operator, a: Slope, b: Slope) -> Slope:
    value = binary(op, a.value, b.value)
    match op:
        case ast.Add():
            return Slope(value, _sum(a.secants, b.secants))
        case ast.Sub():
            return Slope(value, _sum(a.secants, _negative(b.secants)))
        case ast.Mult():
            return Slope(value, _sum(_scaled(a.secants, b.value), _scaled(b.secants, a.value)))
        case ast.Div() | ast.FloorDiv():
            if has_zero(b.value) or has_infinity(a.value):
                return Slope(value, _unless_flat(_around([a.secants, b.secants])))
            shared = _sum(a.secants, _negative(_scaled(b.secants, quotient(a.value, b.value))))
            slope = _scaled(shared, quotient(Interval(1.0, 1.0), b.value))
            return Slope(value, _step(slope) if isinstance(op, ast.FloorDiv) else slope)
        case ast.Pow():
            if not a.value.low > 0.0 or has_infinity(a.value):
                return Slope(value, _unless_flat(_around([a.secants, b.secants])))
            by_base = product(b.value, quotient(value, a.value))
            logarithm = Interval(np.log(a.value.low), np.log(a.value.high))
            by_exponent = product(value, logarithm)
            return Slope(value, _sum(_scaled(a.secants, by_base), _scaled(b.secants, by_exponent)))
    return Slope(value, _unless_flat(_around([a.secants, b.secants])))


def _unary(name: str, a: Slope, value: Interval) -> Slope:
    low, high = a.value.low, a.value.high
    match name:
        case "float":
            return a
        case "ceil" | "floor":
            return Slope(value, _step(a.secants))
        case "exp":
            return Slope(value, _scaled(a.secants, value))
        case "sqrt" if low > 0.0:
            return Slope(value, _scaled(a.secants, Interval(0.5 / np.sqrt(high), 0.5 / np.sqrt(low))))
        case "log" if low > 0.0:
            return Slope(value, _scaled(a.secants, Interval(1.0 / high, 1.0 / low)))
        case "log2" if low > 0.0:
            unit = 1.0 / np.log(2.0)
            return Slope(value, _scaled(a.secants, Interval(unit / high, unit / low)))
    return Slope(value, _unless_flat(a.secants))

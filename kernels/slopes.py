"""How a formula answers to one of its parameters: bounds on its secants, over all values the others may have.

A secant slope is what the result changes by, over what the parameter changes by, between any two of its values with
everything else held. A bound above 0 proves that the result rises with the parameter, and by how much at least; one
from 0 on that it never falls, which is also true of steps such as ``ceil`` and of conditions, where a derivative says
nothing. The rules are those of interval arithmetic on difference quotients (Krawczyk and Neumaier 1985, "Interval
slopes for rational functions and associated centered forms", SIAM J. Numer. Anal. 22).

What loops compute is rounded. An operation of arithmetic is monotone as a double too, so a direction that all parts of
a formula agree on holds to the last bit. Where parts pull in opposite directions and one outweighs the other, it holds
once the parameter differs by enough to outweigh what they were rounded by; so does every strict difference.
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kernels.intervals import (
    UNARY,
    Interval,
    binary,
    chosen,
    compared,
    evaluate,
    has_infinity,
    has_zero,
    joined,
    product,
    quotient,
    times,
    truth,
)
from kernels.language import ROOTS

Words = Mapping[str, tuple[str, ...]]
ROUNDED = 2.0**-48  # of a number: sixteen last places, more than any operation is off by
TINY = 5e-324
ANY_SLOPE = Interval(-np.inf, np.inf)


class Slope(NamedTuple):
    """The values of an expression, and how it answers to each of some parameters (arrays, an entry a parameter).

    A parameter that differs by d moves what is computed by no less than secants.low * d - error, and by no more than
    secants.high * d + error. From d = least on this holds, and a bound of 0 says the direction exactly. moves is
    whether the expression answers at all, be it in the last place; spoils, whether that it is nan may depend on it.
    """

    value: Interval
    secants: Interval
    error: Any
    least: Any
    moves: Any
    spoils: Any


def secants(
    node: ast.expr,
    scope: Mapping[str, Interval],
    parameters: Sequence[str],
    words: Words,
    errors: Sequence[float] | None = None,
) -> Slope:
    """The slopes of an expression in each of these parameters while all it reads stays within scope.

    errors are what each parameter itself is off by, nothing unless given. Where the expression may reach infinity, or
    be nan for some values of a parameter and not for others, nothing is known: (-inf, inf).
    """
    place = {name: k for k, name in enumerate(parameters)}
    off = np.zeros(len(parameters)) if errors is None else np.array(errors, np.float64)
    none = np.zeros(len(parameters))
    never = np.zeros(len(parameters), bool)

    def fixed(value: Interval) -> Slope:
        return Slope(value, Interval(none, none), none, none, never, never)

    def named(name: str) -> Slope:
        if name not in place:
            return fixed(scope[name])
        at = np.arange(len(parameters)) == place[name]
        slope = Interval(at.astype(np.float64), at.astype(np.float64))
        own = np.where(at, off, 0.0)
        return Slope(scope[name], slope, own, own, at, at & bool(scope[name].unsure))

    seen: dict[int, Slope] = {}  # formulas that are written out name a part as often as it is read

    def of(child: ast.expr) -> Slope:
        found = seen.get(id(child))
        if found is None:
            found = seen[id(child)] = anew(child)
        return found

    def anew(child: ast.expr) -> Slope:
        match child:
            case ast.Constant():
                return fixed(evaluate(child, scope, words))
            case ast.Name(id=name):
                return named(name)
            case ast.BinOp(left=left, op=op, right=right):
                return _binary(op, of(left), of(right))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = _flag(of(operand))
                value = Interval(1.0 - inner.value.high, 1.0 - inner.value.low)
                return inner._replace(value=value, secants=_negative(inner.secants))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = of(operand)
                value = Interval(-inner.value.high, -inner.value.low, inner.value.unsure)
                return inner._replace(value=value, secants=_negative(inner.secants))
            case ast.UnaryOp(operand=operand):
                return of(operand)
            case ast.BoolOp(op=op, values=values):
                return _joined(np.minimum if isinstance(op, ast.And) else np.maximum, [_flag(of(v)) for v in values])
            case ast.Compare(comparators=[ast.Constant(value=str())], left=ast.Name(id=name)):
                value = evaluate(child, scope, words)
                return fixed(value) if value.low == value.high else _unknown(value, [named(name)])
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                sides = [of(left), *map(of, comparators)]
                return _joined(np.minimum, [_compared(op, *sides[k : k + 2]) for k, op in enumerate(ops)])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return _chosen(_flag(of(test)), of(body), of(orelse))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                parts = [of(argument) for argument in arguments]
                if name in ROOTS:
                    return _unknown(Interval(-np.inf, np.inf, True), parts, True)
                if name in ("min", "max"):
                    return _joined(np.minimum if name == "min" else np.maximum, parts)
                return _unary(name, parts[0], UNARY[name](parts[0].value))
        raise TypeError(f"{ast.unparse(child)!r} is not in the language of formulas")

    with np.errstate(all="ignore"):
        found = of(node)
        if not (np.isfinite(found.value.low) and np.isfinite(found.value.high)):
            return _unknown(found.value, [found])
        return _hidden(found, found.spoils)


def _negative(slope: Interval) -> Interval:
    return Interval(-slope.high, -slope.low)


def _is_fixed(slope: Slope) -> bool:
    """Whether it answers to no parameter."""
    return not (slope.moves.any() or slope.spoils.any() or slope.secants.low.any() or slope.secants.high.any())


def _any(masks: Sequence[Any]) -> Any:
    return np.logical_or.reduce(masks)


def _most(numbers: Sequence[Any]) -> Any:
    return np.maximum.reduce(numbers)


def _hidden(slope: Slope, where: Any) -> Slope:
    """A slope of which nothing is known in some parameters."""
    low, high = np.where(where, -np.inf, slope.secants.low), np.where(where, np.inf, slope.secants.high)
    return slope._replace(secants=Interval(low, high))


def _unknown(value: Interval, parts: Sequence[Slope], turns: bool = False) -> Slope:
    """Nothing is known of how it answers to what its parts answer to; turns: to nan, perhaps."""
    moves = _any([part.moves for part in parts])
    spoils = moves if turns else _any([part.spoils for part in parts])
    slope = Interval(np.where(moves, -np.inf, 0.0), np.where(moves, np.inf, 0.0))
    return Slope(value, slope, np.zeros(len(moves)), np.zeros(len(moves)), moves, spoils)


def _step(slope: Slope) -> Slope:
    """Of a step function: its direction stays, its steepness has no bound."""
    low, high = slope.secants.low, slope.secants.high
    moved = Interval(np.where(low >= 0.0, 0.0, -np.inf), np.where(high <= 0.0, 0.0, np.inf))
    moved = Interval(np.where(slope.moves, moved.low, 0.0), np.where(slope.moves, moved.high, 0.0))
    return slope._replace(secants=moved, error=np.zeros_like(slope.error))


def _around(slopes: Sequence[Interval]) -> Interval:
    low, high = slopes[0][:2]
    for slope in slopes[1:]:
        low, high = np.minimum(low, slope.low), np.maximum(high, slope.high)
    return Interval(low, high)


def _flag(slope: Slope) -> Slope:
    """As a condition: 0 or 1, whatever number says so."""
    value = truth(slope.value)
    if value.low == value.high:
        return _constant(value, slope)
    is_flag = slope.value.low >= 0.0 and slope.value.high <= 1.0
    found = _step(slope._replace(value=value)) if is_flag else _unknown(value, [slope])
    return _hidden(found, slope.spoils)._replace(spoils=np.zeros_like(slope.spoils))


def _constant(value: Interval, like: Slope) -> Slope:
    none, never = np.zeros_like(like.error), np.zeros_like(like.moves)
    return Slope(value, Interval(none, none), none, none, never, never)


def _joined(pick: Any, parts: Sequence[Slope]) -> Slope:
    """The least or greatest follows one part or another, and never one that another is always beyond, but for nan."""
    value = joined(pick, [part.value for part in parts])
    if pick is np.minimum:
        left = [part for part in parts if part.value.low <= min(p.value.high for p in parts)]
    else:
        left = [part for part in parts if part.value.high >= max(p.value.low for p in parts)]
    left = left or list(parts)
    return Slope(
        value,
        _around([part.secants for part in left]),
        _most([part.error for part in left]),
        _most([part.least for part in left]),
        _any([part.moves for part in left] + [part.spoils for part in parts]),
        _any([part.spoils for part in parts]),
    )


def _compared(op: ast.cmpop, a: Slope, b: Slope) -> Slope:
    value = compared(op, a.value, b.value)
    if value.low == value.high:
        return _constant(value, a)
    ahead = _met(value, a.secants, _negative(b.secants), a.error + b.error, a, b, False)
    if isinstance(op, ast.Gt | ast.GtE):
        found = _step(ahead)
    elif isinstance(op, ast.Lt | ast.LtE):
        found = _step(ahead._replace(secants=_negative(ahead.secants)))
    else:
        found = _unknown(value, [ahead])
    return _hidden(found, ahead.spoils)._replace(spoils=np.zeros_like(ahead.spoils))


def _chosen(test: Slope, body: Slope, orelse: Slope) -> Slope:
    value = chosen(test.value, body.value, orelse.value)
    if test.value.low > 0.0:
        return body._replace(value=value)
    if test.value.high == 0.0:
        return orelse._replace(value=value)
    either = _joined(np.minimum, [body, body])._replace(
        value=value,
        secants=_around([body.secants, orelse.secants]),
        error=_most([body.error, orelse.error]),
        least=_most([body.least, orelse.least]),
        moves=_any([test.moves, body.moves, orelse.moves]),
        spoils=_any([body.spoils, orelse.spoils]),
    )
    if body.value.unsure or orelse.value.unsure:  # one branch may be nan and the other not
        either = either._replace(spoils=either.spoils | test.moves)
    return _hidden(either, test.moves)  # from one branch to the other it may be any distance


def _scaled(slope: Interval, by: Interval) -> Interval:
    """A slope times a number that lies between bounds; as kernels.intervals.times, none times infinity is none."""
    if not (slope.low.any() or slope.high.any()):
        return slope
    corners = np.array(slope[:2])[:, None] * np.array(by[:2])[:, None]
    corners[np.isnan(corners)] = 0.0
    return Interval(corners.min(axis=(0, 1)), corners.max(axis=(0, 1)))


def _sum(a: Interval, b: Interval) -> Interval:
    low, high = a.low + b.low, a.high + b.high
    return Interval(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))


def _size(value: Interval) -> Any:
    return max(abs(value.low), abs(value.high))


def _met(
    value: Interval,
    first: Interval,
    second: Interval,
    error: Any,
    a: Slope,
    b: Slope,
    turns: bool,
    within: Interval = ANY_SLOPE,
) -> Slope:
    """An operation on a and b, from what each adds to its slope and what both lie within; turns: to nan, perhaps."""
    total = _sum(first, second)
    total = Interval(np.maximum(total.low, within.low), np.minimum(total.high, within.high))
    agree = ((first.low >= 0.0) & (second.low >= 0.0)) | ((first.high <= 0.0) & (second.high <= 0.0))
    weight = np.where(total.low > 0.0, total.low, np.where(total.high < 0.0, -total.high, 0.0))
    moves = a.moves | b.moves
    error = np.where(moves, np.where(np.isnan(error), np.inf, error), 0.0)
    needed = np.where(agree | (weight == 0.0), 0.0, error / np.where(weight > 0.0, weight, 1.0))
    needed = np.where(np.isnan(needed), np.inf, needed)
    level = np.logical_not(agree)  # what only just does not fall may fall by rounding
    low = np.where(level & (total.low == 0.0), -TINY, total.low)
    high = np.where(level & (total.high == 0.0), TINY, total.high)
    spoils = a.spoils | b.spoils | (moves if turns else False)
    return Slope(value, Interval(low, high), error, _most([a.least, b.least, needed]), moves, spoils)


def _sure(value: Interval) -> Interval:
    return Interval(value.low, value.high)


def _binary(op: ast.operator, a: Slope, b: Slope) -> Slope:
    value = binary(op, a.value, b.value)
    if _is_fixed(a) and _is_fixed(b):
        return _constant(value, a)
    turns = bool(binary(op, _sure(a.value), _sure(b.value)).unsure)
    fresh = ROUNDED * _size(value)
    match op:
        case ast.Add():
            return _met(value, a.secants, b.secants, a.error + b.error + fresh, a, b, turns)
        case ast.Sub():
            return _met(value, a.secants, _negative(b.secants), a.error + b.error + fresh, a, b, turns)
        case ast.Mult():
            error = times(a.error, _size(b.value)) + times(b.error, _size(a.value)) + fresh
            return _met(value, _scaled(a.secants, b.value), _scaled(b.secants, a.value), error, a, b, turns)
        case ast.Div() | ast.FloorDiv():
            if has_zero(b.value) or has_infinity(a.value):
                return _unknown(value, [a, b], turns)
            ratio, inverse = quotient(a.value, b.value), quotient(Interval(1.0, 1.0), b.value)
            by_a, by_b = _scaled(a.secants, inverse), _scaled(_scaled(_negative(b.secants), ratio), inverse)
            shared = _scaled(_sum(a.secants, _negative(_scaled(b.secants, ratio))), inverse)
            error = times(a.error + times(b.error, _size(ratio)), _size(inverse)) + ROUNDED * _size(ratio)
            found = _met(value, by_a, by_b, error, a, b, turns, shared)
            return _step(found) if isinstance(op, ast.FloorDiv) else found
        case ast.Pow():
            if not a.value.low > 0.0 or has_infinity(a.value):
                return _unknown(value, [a, b], turns)
            by_base = product(b.value, quotient(value, a.value))
            by_exponent = product(value, Interval(np.log(a.value.low), np.log(a.value.high)))
            error = times(a.error, _size(by_base)) + times(b.error, _size(by_exponent)) + fresh
            return _met(value, _scaled(a.secants, by_base), _scaled(b.secants, by_exponent), error, a, b, turns)
    return _unknown(value, [a, b], turns)


def _unary(name: str, a: Slope, value: Interval) -> Slope:
    low, high = a.value.low, a.value.high
    unit = 1.0 / np.log(2.0)
    match name:
        case "float":
            return a
        case "ceil" | "floor":
            return _step(a._replace(value=value))
        case "exp":
            slope = value
        case "sqrt" if low > 0.0:
            slope = Interval(0.5 / np.sqrt(high), 0.5 / np.sqrt(low))
        case "log" if low > 0.0:
            slope = Interval(1.0 / high, 1.0 / low)
        case "log2" if low > 0.0:
            slope = Interval(unit / high, unit / low)
        case _:
            return _unknown(value, [a], bool(low < 0.0))
    error = np.where(a.moves, times(a.error, _size(slope)) + ROUNDED * _size(value), 0.0)
    return a._replace(value=value, secants=_scaled(a.secants, slope), error=error)

"""What a formula can come to when all that is known of its parameters is an interval each.

The bounds hold for the numbers a loop computes, rounding included: every operation of arithmetic is monotone as a
double too, so it is taken at the corners as it is, and what comes from libm is widened by a few last places. They hold
for what is no ``nan``; whether it may be is told apart, since a comparison with ``nan`` takes the other branch.

One box or many at once: bounds are float64 arrays, or numbers. A condition lies between 0 and 1.
"""

import ast
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, NamedTuple

import numpy as np

from kernels.language import ROOTS, Formula

LIBM = 2.0**-48  # sixteen last places: glibc's functions and numpy's vectorised ones stay within four
GREATEST = float(np.finfo(np.float64).max)
EXACT = 2.0**53  # below it doubles hold every whole number, and it may stand for the one above


class Interval(NamedTuple):
    """Bounds of a number, and whether it may be nan instead."""

    low: Any
    high: Any
    unsure: Any = False


ANYTHING = Interval(-np.inf, np.inf, True)


def bounds(formula: Formula, scope: Mapping[str, Interval], words: Mapping[str, tuple[str, ...]]) -> Interval:
    """The least and the greatest that a formula comes to while each parameter stays within its interval of scope."""
    known = dict(scope)
    with np.errstate(all="ignore"):
        for name, value in formula.steps:
            known[name] = evaluate(value, known, words)
        return evaluate(formula.result, known, words)


def evaluate(node: ast.expr, scope: Mapping[str, Interval], words: Mapping[str, tuple[str, ...]]) -> Interval:
    """As bounds, of an expression."""

    def of(child: ast.expr) -> Interval:
        return evaluate(child, scope, words)

    match node:
        case ast.Constant(value=value):
            number = float(value)  # type: ignore[arg-type]
            is_large = isinstance(value, int) and abs(number) >= EXACT
            return rounded(Interval(number, number)) if is_large else Interval(number, number)
        case ast.Name(id=name):
            return scope[name]
        case ast.BinOp(left=left, op=op, right=right):
            return binary(op, of(left), of(right))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = truth(of(operand))
            return Interval(1.0 - inner.high, 1.0 - inner.low)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = of(operand)
            return Interval(-inner.high, -inner.low, inner.unsure)
        case ast.UnaryOp(operand=operand):
            return of(operand)
        case ast.BoolOp(op=op, values=values):
            return joined(np.minimum if isinstance(op, ast.And) else np.maximum, [truth(of(v)) for v in values])
        case ast.Compare(left=ast.Name(id=name), comparators=[ast.Constant(value=str() as word)], ops=[op]):
            code = float(words[name].index(word))
            return compared(op, scope[name], Interval(code, code))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [of(left), *map(of, comparators)]
            return joined(np.minimum, [compared(op, *sides[k : k + 2]) for k, op in enumerate(ops)])
        case ast.IfExp(test=test, body=body, orelse=orelse):
            branches = (evaluate(n, supposed(test, h, scope, words), words) for n, h in ((body, True), (orelse, False)))
            return chosen(truth(of(test)), *branches)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            if name in ROOTS:
                return ANYTHING
            parts = [of(argument) for argument in arguments]
            if name in ("min", "max"):
                return joined(np.minimum if name == "min" else np.maximum, parts)
            return UNARY[name](parts[0])
    raise TypeError(f"{ast.unparse(node)!r} is not in the language of formulas")


def supposed(
    test: ast.expr, holds: bool, scope: Mapping[str, Interval], words: Mapping[str, tuple[str, ...]]
) -> Mapping[str, Interval]:
    """What names lie between where a test holds, or does not: what it compares a name with is a bound of it.

    Where the two cannot be, a branch that is not taken is bounded by an interval that ends before it begins.
    """
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return supposed(operand, not holds, scope, words)
        case ast.BoolOp(op=op, values=values) if isinstance(op, ast.And) == holds:
            for value in values:
                scope = supposed(value, holds, scope, words)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if not isinstance(right, ast.Constant) or not (
            isinstance(right.value, str)
        ):
            sides = evaluate(left, scope, words), evaluate(right, scope, words)
            for node, mirrored in ((left, False), (right, True)):
                if isinstance(node, ast.Name):
                    own, other = reversed(sides) if mirrored else sides
                    way = MIRRORED.get(type(op), type(op)) if mirrored else type(op)
                    scope = {**scope, node.id: _within(own, way if holds else OPPOSITE[way], other, holds)}
    return scope


MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE,
}  # fmt: skip
OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}  # fmt: skip


def _within(own: Interval, op: type[ast.cmpop], other: Interval, holds: bool) -> Interval:
    """Numbers that compare so with some other: with nan no comparison holds but !=, so that its opposite may be nan."""
    is_plain = all(type(end) is float for end in (*own[:2], *other[:2])) and not other.unsure
    if is_plain and -EXACT < other.low <= other.high < EXACT:  # a tenth of the time
        least = max(own.low, other.low) if op in (ast.Gt, ast.GtE, ast.Eq) else own.low
        greatest = min(own.high, other.high) if op in (ast.Lt, ast.LtE, ast.Eq) else own.high
        return Interval(least, greatest, own.unsure and (not holds or op is ast.NotEq))
    low, high = rounded(other)[:2]
    if not holds:  # then the other may be nan, which bounds nothing
        low, high = np.where(other.unsure, -np.inf, low), np.where(other.unsure, np.inf, high)
    least = np.maximum(own.low, low) if op in (ast.Gt, ast.GtE, ast.Eq) else own.low
    greatest = np.minimum(own.high, high) if op in (ast.Lt, ast.LtE, ast.Eq) else own.high
    return Interval(least, greatest, own.unsure if not holds or op is ast.NotEq else False)


def sound(low: Any, high: Any, unsure: Any = False) -> Interval:
    """The interval; all numbers where a corner came to nan."""
    return Interval(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high), unsure)


def joined(pick: Callable[[Any, Any], Any], parts: list[Interval]) -> Interval:
    """The least or the greatest of some numbers, nan where one is; of flags, whether all or any of them hold."""
    low, high, unsure = parts[0]
    for part in parts[1:]:
        low, high, unsure = pick(low, part.low), pick(high, part.high), unsure | part.unsure
    return sound(low, high, unsure)


def truth(flag: Interval) -> Interval:
    """Whether a flag holds, between 0 and 1: it may be another number than 1, and nan is not 0."""
    is_zero = (flag.low == 0.0) & (flag.high == 0.0) & np.logical_not(flag.unsure)
    return Interval(np.where((flag.low > 0.0) | (flag.high < 0.0), 1.0, 0.0), np.where(is_zero, 0.0, 1.0))


def hull(corners: list[Any], unsure: Any) -> Interval:
    """The smallest interval around some corners; all numbers where one came to nan."""
    low = high = corners[0]
    for corner in corners[1:]:
        low, high = np.minimum(low, corner), np.maximum(high, corner)
    return sound(low, high, unsure)


def widened(value: Interval) -> Interval:
    """An interval that came from libm, with its last places let go: what overflowed may be the greatest number."""
    low, high = np.clip(value.low, None, GREATEST), np.clip(value.high, -GREATEST, None)
    low = np.where(low == -np.inf, low, low - LIBM * np.abs(low))
    high = np.where(high == np.inf, high, high + LIBM * np.abs(high))
    return Interval(*sound(low, high, value.unsure))


def rounded(value: Interval) -> Interval:
    """What may be a whole number, or reckoned in them exactly, where doubles no longer hold them all."""
    large = np.maximum(np.abs(value.low), np.abs(value.high)) >= EXACT
    if not large.any():
        return value
    wide = widened(value)
    return Interval(np.where(large, wide.low, value.low), np.where(large, wide.high, value.high), value.unsure)


def as_count(value: Interval) -> Interval:
    """A number that is held as a count: cut to its whole part, and 0 where it is none."""
    odd = value.unsure | has_infinity(value)
    low, high = np.floor(value.low), np.ceil(value.high)
    return rounded(Interval(np.where(odd, np.minimum(low, 0.0), low), np.where(odd, np.maximum(high, 0.0), high)))


def has_zero(a: Interval) -> Any:
    """Whether 0 is among the numbers."""
    return (a.low <= 0.0) & (a.high >= 0.0)


def has_infinity(a: Interval) -> Any:
    """Whether an infinity is among them."""
    return np.isinf(a.low) | np.isinf(a.high)


def times(a: Any, b: Any) -> Any:
    """A product of bounds: nothing times infinity is nothing, for what the infinity stands for may be less."""
    with np.errstate(all="ignore"):
        return np.where((a == 0.0) | (b == 0.0), 0.0, np.multiply(a, b))


def product(a: Interval, b: Interval) -> Interval:
    """All products of two numbers."""
    unsure = a.unsure | b.unsure | (has_zero(a) & has_infinity(b)) | (has_infinity(a) & has_zero(b))
    return rounded(hull([times(x, y) for x in a[:2] for y in b[:2]], unsure))


def quotient(a: Interval, b: Interval) -> Interval:
    """All quotients; where the divisor may be 0, all numbers: a zero has a sign, which bounds do not tell."""
    unsure = a.unsure | b.unsure | (has_zero(a) & has_zero(b)) | (has_infinity(a) & has_infinity(b))
    found = hull([np.divide(x, y) for x in a[:2] for y in b[:2]], unsure)
    by_zero = has_zero(b)
    return sound(np.where(by_zero, -np.inf, found.low), np.where(by_zero, np.inf, found.high), unsure)


def _of_floats(op: ast.operator, a: Interval, b: Interval) -> Interval | None:
    """As binary, of finite Python floats, a tenth of the time; None where it is anything else or not arithmetic."""
    if not (type(a.low) is type(a.high) is type(b.low) is type(b.high) is float) or a.unsure or b.unsure:
        return None
    if not -inf < a.low <= a.high < inf or not -inf < b.low <= b.high < inf:
        return None
    match op:
        case ast.Add():
            low, high = a.low + b.low, a.high + b.high
        case ast.Sub():
            low, high = a.low - b.high, a.high - b.low
        case ast.Mult():
            corners = a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high
            low, high = min(corners), max(corners)
        case ast.Div() if b.low > 0.0 or b.high < 0.0:
            corners = a.low / b.low, a.low / b.high, a.high / b.low, a.high / b.high
            low, high = min(corners), max(corners)
        case _:
            return None
    most = max(abs(low), abs(high))
    return Interval(low, high) if most < EXACT or (most < inf and isinstance(op, ast.Div)) else None


def _of_sizes(op: ast.operator, a: Interval, b: Interval) -> Interval | None:
    """As binary, of finite numbers none of which is negative, a third of the time; None where it is anything else."""
    least_of, greatest_of = np.minimum.reduce, np.maximum.reduce
    if not (np.ndim(a.low) == np.ndim(a.high) == 1 or np.ndim(b.low) == np.ndim(b.high) == 1):
        return None
    ends = [np.ravel(end) for end in (a.low, b.low, a.high, b.high)]
    if not all(end.size for end in ends):  # of no box at all
        return None
    if not all(least_of(end) >= 0.0 for end in ends[:2]) or not all(greatest_of(end) < inf for end in ends[2:]):
        return None
    match op:
        case ast.Add():
            low, high = a.low + b.low, a.high + b.high
        case ast.Sub():
            low, high = a.low - b.high, a.high - b.low
        case ast.Mult():
            low, high = a.low * b.low, a.high * b.high
        case ast.Div() if least_of(ends[1]) > 0.0:
            low, high = a.low / b.high, a.high / b.low
            return Interval(low, high, a.unsure | b.unsure) if greatest_of(high) < inf else None
        case _:
            return None
    found = Interval(low, high, a.unsure | b.unsure)
    return found if greatest_of(high) < EXACT and least_of(low) > -EXACT else rounded(found)


def binary(op: ast.operator, a: Interval, b: Interval) -> Interval:
    """What an operator of the language comes to."""
    found = _of_floats(op, a, b)
    found = _of_sizes(op, a, b) if found is None else found
    if found is not None:
        return found
    unsure = a.unsure | b.unsure
    match op:
        case ast.Add():
            opposed = ((a.high == np.inf) & (b.low == -np.inf)) | ((a.low == -np.inf) & (b.high == np.inf))
            return rounded(sound(np.add(a.low, b.low), np.add(a.high, b.high), unsure | opposed))
        case ast.Sub():
            opposed = ((a.high == np.inf) & (b.high == np.inf)) | ((a.low == -np.inf) & (b.low == -np.inf))
            return rounded(sound(np.subtract(a.low, b.high), np.subtract(a.high, b.low), unsure | opposed))
        case ast.Mult():
            return product(a, b)
        case ast.Div():
            return quotient(a, b)
        case ast.FloorDiv():
            found, by_zero = quotient(a, b), has_zero(b)
            low = np.floor(np.nextafter(found.low, -np.inf))  # what is rounded down is the quotient itself
            high = np.floor(found.high)
            low, high = np.where(by_zero, np.minimum(low, 0.0), low), np.where(by_zero, np.maximum(high, 0.0), high)
            return Interval(low, high, found.unsure | by_zero | has_infinity(a))  # a count divided by none is 0
        case ast.Mod():
            return remainder(a, b)
    return power(a, b)


def remainder(a: Interval, b: Interval) -> Interval:
    """A remainder has the sign of the divisor and stays below it; a number below the divisor is its own."""
    unsure = a.unsure | b.unsure | has_zero(b) | has_infinity(a)
    inside = (a.low >= 0.0) & (a.high < b.low)
    low = np.where(inside, a.low, np.minimum(b.low, 0.0))
    high = np.where(inside, a.high, np.maximum(b.high, 0.0))
    single = (a.low == a.high) & (b.low == b.high) & np.logical_not(unsure)
    exact = np.mod(a.low, b.low)
    return sound(np.where(single, exact, low), np.where(single, exact, high), unsure)


def power(a: Interval, b: Interval) -> Interval:
    """All powers; a negative base gives nan and is left out."""
    unsure = a.unsure | b.unsure | (a.low < 0.0) | (has_infinity(a) & has_zero(b)) | has_infinity(b)
    base = np.maximum(a.low, 0.0), np.maximum(a.high, 0.0)
    found = hull([np.power(x, y) for x in base for y in b[:2]], unsure)
    rises_and_falls = ((base[0] < 1.0) & (base[1] > 1.0)) | ((b.low < 0.0) & (b.high > 0.0))  # it is 1 between
    low = np.where(rises_and_falls, np.minimum(found.low, 1.0), found.low)
    high = np.where(rises_and_falls, np.maximum(found.high, 1.0), found.high)
    return widened(Interval(low, high, unsure))


def compared(op: ast.cmpop, a: Interval, b: Interval) -> Interval:
    """Whether a comparison must hold and whether it can; with nan none holds but !=."""
    sure = np.logical_not(a.unsure | b.unsure)
    match op:
        case ast.Lt():
            always, never = a.high < b.low, a.low >= b.high
        case ast.LtE():
            always, never = a.high <= b.low, a.low > b.high
        case ast.Gt():
            always, never = a.low > b.high, a.high <= b.low
        case ast.GtE():
            always, never = a.low >= b.high, a.high < b.low
        case _:
            same = (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
            apart = (a.high < b.low) | (a.low > b.high)
            if isinstance(op, ast.NotEq):
                return Interval(np.where(apart, 1.0, 0.0), np.where(same & sure, 0.0, 1.0))
            always, never = same, apart
    return Interval(np.where(always & sure, 1.0, 0.0), np.where(never, 0.0, 1.0))


def chosen(test: Interval, body: Interval, orelse: Interval) -> Interval:
    """The branch that is taken; both where the test can come out either way."""
    always, never = test.low > 0.0, test.high == 0.0

    def either(x: Any, y: Any, both: Any) -> Any:
        return np.where(always, x, np.where(never, y, both))

    return sound(
        either(body.low, orelse.low, np.minimum(body.low, orelse.low)),
        either(body.high, orelse.high, np.maximum(body.high, orelse.high)),
        either(body.unsure, orelse.unsure, body.unsure | orelse.unsure),
    )


def rising(function: Callable[[Any], Any], from_libm: bool, least: float = -np.inf) -> Callable[[Interval], Interval]:
    """The bounds of a function that rises; below least it has no value."""

    def of(a: Interval) -> Interval:
        ends = function(np.maximum(a.low, least)), function(np.maximum(a.high, least))
        found = Interval(*ends, a.unsure | (a.low < least))
        return widened(found) if from_libm else found

    return of


UNARY: dict[str, Callable[[Interval], Interval]] = {
    "ceil": rising(np.ceil, False),
    "floor": rising(np.floor, False),
    "sqrt": rising(np.sqrt, False, 0.0),
    "log": rising(np.log, True, 0.0),
    "log2": rising(np.log2, True, 0.0),
    "exp": rising(np.exp, True),
    "float": lambda a: a,
}

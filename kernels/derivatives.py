"""Formulas differentiated: the slope of a formula is another formula of the metric language, for the same readers.

Counts are taken for real numbers. ``ceil``, ``floor``, ``//``, comparisons and the number of the fastest layout are
steps, whose slope is 0 wherever they have one; ``min``, ``max`` and conditionals have the slope of the branch they
take, the first where two are equal, and not that of a branch for one value alone.

Every operation becomes a step of its own, equal ones the same step, and slopes are taken of them in order (Griewank and
Walther 2008, Evaluating Derivatives, 3.1), so that a slope costs a few times what its formula does, however deep. What
is read once is put back in its place.

A function that looks for a root has no formula. It is differentiated along all its arguments at once, by a central
difference of fourth order in ln(input): a step of 2e-4 leaves about 1e-10 of rounding, and less of truncation but for
the exponents of laws, which turn a step into twenty (1e-8 there). Each kind of root has equations of its own to
differentiate instead, and several fallbacks; the difference is of what is really computed. The slopes of the arguments,
and of what is made of the root, remain exact.
"""

import ast
import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

from kernels.language import BINARY, ROOTS, Formula, names_in
from kernels.pace import LAYOUTS

STEP = 2e-4  # of ln(input), for functions that look for a root
DEEPEST_LINE = 40  # what would be nested deeper keeps a step of its own
ZERO, ONE = ast.Constant(0.0), ast.Constant(1.0)

Slope = ast.expr | None  # None is a slope of 0 that is seen in the text


def derivative(name: str, formula: Formula, slopes: Mapping[str, ast.expr]) -> Formula | None:
    """How fast a formula's result moves, given how fast its parameters do; None where it never does.

    slopes are names or numbers; parameters without one stand still. Where a root is looked for they have to be
    slopes along the logarithm of something, for that is the scale that STEP is a part of.
    """
    tape = _Tape()
    scope: dict[str, tuple[ast.expr, Slope]] = {p: (ast.Name(p, ast.Load()), slopes.get(p)) for p in formula.parameters}
    for step, value in formula.steps:
        scope[step] = tape.followed(value, scope)
    found = tape.followed(formula.result, scope)[1]
    if found is None:
        return None
    steps, result = tape.written(found)
    names = dict.fromkeys([*formula.parameters, *(s.id for s in slopes.values() if isinstance(s, ast.Name))])
    read = set().union(*(names_in(tree) for tree in [*(v for _, v in steps), result]))
    return Formula(name, tuple(n for n in names if n in read), steps, result)


@functools.lru_cache(maxsize=4096)
def partial(formula: Formula, parameter: str) -> Formula:
    """The partial derivative of a formula by one of its parameters, the others held.

    By a function that looks for a root it is the slope in ln(parameter) over the parameter, nan where that is 0.
    """
    assert parameter in formula.parameters
    name = f"{formula.name}_by_{parameter}"
    itself = ast.Name(parameter, ast.Load())
    found = derivative(name, formula, {parameter: itself if formula.finds_a_root else ONE})
    if found is None:
        return Formula(name, (), (), ZERO)
    if not formula.finds_a_root:
        return found
    names = tuple(dict.fromkeys([*found.parameters, parameter]))
    return Formula(name, names, found.steps, ast.BinOp(found.result, ast.Div(), itself))


class _Tape:
    """Operations in order, each on names and numbers alone, equal ones once."""

    def __init__(self) -> None:
        self._steps: dict[str, ast.expr] = {}
        self._named: dict[str, str] = {}

    def _put(self, node: ast.expr) -> ast.expr:
        """The name of an operation."""
        text = ast.unparse(node)
        if text not in self._named:
            self._named[text] = f"_{len(self._steps) + 1}"
            self._steps[self._named[text]] = node
        return ast.Name(self._named[text], ast.Load())

    def followed(self, node: ast.expr, scope: Mapping[str, tuple[ast.expr, Slope]]) -> tuple[ast.expr, Slope]:
        """What an expression comes to, and its slope."""
        match node:
            case ast.Constant():
                return node, None
            case ast.Name(id=name):
                return scope[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value, slope = self.followed(operand, scope)
                return self._minus(value), None if slope is None else self._minus(slope)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                value, slope = self.followed(operand, scope)
                return self._put(ast.UnaryOp(ast.UAdd(), value)), slope
            case ast.UnaryOp(op=op, operand=operand):
                return self._put(ast.UnaryOp(op, self.followed(operand, scope)[0])), None
            case ast.BoolOp(op=op, values=values):
                return self._put(ast.BoolOp(op, [self.followed(v, scope)[0] for v in values])), None
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                sides = [self.followed(side, scope)[0] for side in (left, *comparators)]
                return self._put(ast.Compare(sides[0], ops, sides[1:])), None
            case ast.IfExp(test=test, body=body, orelse=orelse):
                when = self.followed(test, scope)[0]
                (a, da), (b, db) = self.followed(body, scope), self.followed(orelse, scope)
                return self._put(ast.IfExp(when, a, b)), self._chosen(self._lasting(test, when, scope), da, db)
            case ast.BinOp(left=left, op=op, right=right):
                return self._joined(op, self.followed(left, scope), self.followed(right, scope))
            case ast.Call(func=ast.Name(id="float"), args=[number]):  # of a formula that is cut to what a plan knows
                value, slope = self.followed(number, scope)
                return self._put(ast.BinOp(ONE, ast.Mult(), value)), slope
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._called(name, [self.followed(a, scope) for a in arguments])
        raise AssertionError(ast.unparse(node))

    def _joined(
        self, op: ast.operator, left: tuple[ast.expr, Slope], right: tuple[ast.expr, Slope]
    ) -> tuple[ast.expr, Slope]:
        (a, da), (b, db) = left, right
        value = self._put(ast.BinOp(a, op, b))
        match op:
            case ast.Add():
                return value, self._plus(da, db)
            case ast.Sub():
                return value, self._plus(da, None if db is None else self._minus(db))
            case ast.Mult():
                return value, self._plus(self._times(b, da), self._times(a, db))
            case ast.Div():
                down = self._times(value, db)
                return value, self._plus(self._over(da, b), None if down is None else self._minus(self._by(down, b)))
            case ast.Mod():
                down = None if db is None else self._times(self._put(ast.BinOp(a, ast.FloorDiv(), b)), db)
                return value, self._plus(da, None if down is None else self._minus(down))
            case ast.Pow():
                return value, self._plus(self._times_power(a, b, da), self._times_log(a, value, db))
        assert isinstance(op, ast.FloorDiv)
        return value, None

    def _times_power(self, a: ast.expr, b: ast.expr, slope: Slope) -> Slope:
        """b a**(b - 1) times a slope: 0 for b = 0, at a = 0 too."""
        if slope is None or _number(b) == 0.0:
            return None
        exponent = _number(b)
        if exponent is not None:
            rest = a if exponent == 2.0 else self._put(ast.BinOp(a, ast.Pow(), ast.Constant(exponent - 1.0)))
            return slope if exponent == 1.0 else self._times(self._times(ast.Constant(exponent), rest), slope)
        less = self._put(ast.BinOp(b, ast.Sub(), ONE))
        falls = self._put(ast.BinOp(b, ast.Mult(), self._put(ast.BinOp(a, ast.Pow(), less))))
        flat = self._put(ast.Compare(b, [ast.Eq()], [ZERO]))
        return self._times(self._put(ast.IfExp(flat, ZERO, falls)), slope)

    def _times_log(self, a: ast.expr, power: ast.expr, slope: Slope) -> Slope:
        """a**b ln(a) times a slope: 0 for a = 0, where a**b stays what it is."""
        if slope is None:
            return None
        grows = self._put(ast.BinOp(power, ast.Mult(), self._call("log", a)))
        if _number(a) is None:
            grows = self._put(ast.IfExp(self._put(ast.Compare(a, [ast.Eq()], [ZERO])), ZERO, grows))
        return self._times(grows, slope)

    def _lasting(self, test: ast.expr, when: ast.expr, scope: Mapping[str, tuple[ast.expr, Slope]]) -> ast.expr | bool:
        """The test that tells which branch a slope is of; True or False where that is seen.

        A test such as exponent == 1.0 holds at a point alone, so what moves the exponent takes the other branch.
        """
        match test:
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as op], comparators=[ast.Constant(value=float())]):
                moves = self.followed(left, scope)[1]
                if moves is None:
                    return when
                is_apart = isinstance(op, ast.NotEq)
                if _number(moves):
                    return is_apart
                still = self._put(ast.Compare(moves, [ast.NotEq() if is_apart else ast.Eq()], [ZERO]))
                return self._put(ast.BoolOp(ast.Or() if is_apart else ast.And(), [when, still]))
        return when

    def _called(self, name: str, arguments: list[tuple[ast.expr, Slope]]) -> tuple[ast.expr, Slope]:
        values = [value for value, _ in arguments]
        value = self._call(name, *values)
        x, slope = arguments[0]
        if name == LAYOUTS:
            return value, None
        if name in ROOTS:
            return value, self._difference(name, arguments)
        if name in ("min", "max"):
            chosen = x
            for other, its in arguments[1:]:
                test = self._put(ast.Compare(chosen, [ast.LtE() if name == "min" else ast.GtE()], [other]))
                slope = self._chosen(test, slope, its)
                chosen = self._call(name, chosen, other)
            return value, slope
        if name in ("ceil", "floor") or slope is None:
            return value, None
        if name == "exp":
            return value, self._times(value, slope)
        if name == "sqrt":
            return value, self._over(slope, self._put(ast.BinOp(ast.Constant(2.0), ast.Mult(), value)))
        return value, self._over(slope, x if name == "log" else self._times(ast.Constant(math.log(2.0)), x))

    def _difference(self, name: str, arguments: list[tuple[ast.expr, Slope]]) -> Slope:
        """The slope of a function that looks for a root, all arguments moved along theirs."""
        if all(slope is None for _, slope in arguments):
            return None

        def at(steps: float) -> ast.expr:
            moved = [self._plus(value, self._times(ast.Constant(steps * STEP), slope)) for value, slope in arguments]
            return self._call(name, *(m for m in moved if m is not None))

        near = self._put(ast.BinOp(at(1.0), ast.Sub(), at(-1.0)))
        far = self._put(ast.BinOp(at(2.0), ast.Sub(), at(-2.0)))
        eight = self._put(ast.BinOp(ast.Constant(8.0), ast.Mult(), near))
        return self._put(ast.BinOp(self._put(ast.BinOp(eight, ast.Sub(), far)), ast.Div(), ast.Constant(12.0 * STEP)))

    # ------------------------------------------------------------------------------------- without 0 + x, 1 * x, 0 * x

    def _plus(self, a: Slope, b: Slope) -> Slope:
        return (b if a is None else a) if a is None or b is None else self._put(ast.BinOp(a, ast.Add(), b))

    def _minus(self, a: ast.expr) -> ast.expr:
        match a:
            case ast.Constant(value=int() | float() as value):
                return ast.Constant(-value)
        return self._put(ast.UnaryOp(ast.USub(), a))

    def _times(self, a: Slope, b: Slope) -> Slope:
        if a is None or b is None or _number(a) == 0.0 or _number(b) == 0.0:
            return None
        if _number(b) == 1.0 or _number(a) == 1.0:
            return a if _number(b) == 1.0 else b
        if _number(b) == -1.0:
            return self._minus(a)
        return self._put(ast.BinOp(a, ast.Mult(), b))

    def _by(self, a: ast.expr, b: ast.expr) -> ast.expr:
        return a if _number(b) == 1.0 else self._put(ast.BinOp(a, ast.Div(), b))

    def _over(self, a: Slope, b: ast.expr | None) -> Slope:
        return None if a is None or b is None else self._by(a, b)

    def _chosen(self, test: ast.expr | bool, a: Slope, b: Slope) -> Slope:
        if isinstance(test, bool):
            return a if test else b
        if a is None and b is None:
            return None
        a, b = a or ZERO, b or ZERO
        return a if ast.unparse(a) == ast.unparse(b) else self._put(ast.IfExp(test, a, b))

    def _call(self, name: str, *arguments: ast.expr) -> ast.expr:
        return self._put(ast.Call(ast.Name(name, ast.Load()), list(arguments), []))

    # ----------------------------------------------------------------------------------------------------- written out

    def written(self, result: ast.expr) -> tuple[tuple[tuple[str, ast.expr], ...], ast.expr]:
        """The steps that a result needs, and the result; what is read once, or is a plain test, put in its place."""
        uses = _reads(result)
        for name, node in reversed(self._steps.items()):
            for read in _reads(node) if name in uses else ():
                uses[read] = uses.get(read, 0) + 1
        steps: list[tuple[str, ast.expr]] = []
        inline: dict[str, _Inline] = {}
        for name, node in self._steps.items():
            if name not in uses:
                continue
            built, depth = _filled(node, inline)
            if depth < DEEPEST_LINE and (uses[name] == 1 or _is_plain_test(node, self._steps)):
                inline[name] = _Inline(built, depth, uses[name] == 1)
            else:
                steps.append((name, built))
        return tuple(steps), _filled(result, inline)[0]


def _number(node: ast.expr | None) -> float | None:
    match node:
        case ast.Constant(value=int() as value) if abs(value) >= 2**53:
            return None
        case ast.Constant(value=int() | float() as value):
            return float(value)
    return None


def _reads(node: ast.expr) -> dict[str, int]:
    """The names an operation reads, and how often; the name of a function is none."""
    found: dict[str, int] = {}
    for part in _operands(node):
        if isinstance(part, ast.Name):
            found[part.id] = found.get(part.id, 0) + 1
    return found


def _operands(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.Call(args=arguments):
            return arguments
        case ast.Name() | ast.Constant():
            return [node]
    return [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]


def _is_plain_test(node: ast.expr, steps: Mapping[str, ast.expr]) -> bool:
    """Whether an operation compares what is given, so that a reader who knows it sees the branch taken."""
    return isinstance(node, ast.Compare) and not any(name in steps for name in _reads(node))


class _Inline(NamedTuple):
    """What stands in the place of a name: how deep it nests, and whether in this one place."""

    built: ast.expr
    depth: int
    is_once: bool


def _filled(node: ast.expr, inline: Mapping[str, _Inline]) -> tuple[ast.expr, int]:
    """A new copy of an operation with what stands for names in their place, and how deep it nests."""
    depth = 0

    def of(part: ast.expr) -> ast.expr:
        nonlocal depth
        if isinstance(part, ast.Name) and part.id in inline:
            there = inline[part.id]
            depth = max(depth, there.depth + 1)
            return there.built if there.is_once else _copied(there.built)
        return _copied(part)

    match node:
        case ast.Name() | ast.Constant():
            return of(node), depth
        case ast.UnaryOp(op=op, operand=operand):
            made: ast.expr = ast.UnaryOp(op, of(operand))
        case ast.BinOp(left=left, op=op, right=right):
            assert type(op) in BINARY
            made = ast.BinOp(of(left), op, of(right))
        case ast.BoolOp(op=op, values=values):
            made = ast.BoolOp(op, [of(v) for v in values])
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            made = ast.Compare(of(left), ops, [of(c) for c in comparators])
        case ast.IfExp(test=test, body=body, orelse=orelse):
            made = ast.IfExp(of(test), of(body), of(orelse))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            made = ast.Call(ast.Name(name, ast.Load()), [of(a) for a in arguments], [])
        case _:
            raise AssertionError(ast.unparse(node))
    return made, depth


def _copied(node: ast.expr) -> ast.expr:
    """A copy that shares no node: whoever transforms a tree edits what it is given."""
    return _filled(node, {})[0] if not isinstance(node, ast.Name | ast.Constant) else _fresh(node)


def _fresh(node: ast.Name | ast.Constant) -> ast.expr:
    return ast.Name(node.id, ast.Load()) if isinstance(node, ast.Name) else ast.Constant(node.value)

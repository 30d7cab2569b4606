"""Functions that search for a root as SQL macros, made of the Python that they are written in.

``kernels.roots`` and what it calls are functions of numbers with assignments, conditions and loops. Here each becomes a
scalar macro of any DuckDB client. A relation of one row holds what is known so far, every assignment is a column more,
and a function that is called stands in its place. A loop is a recursive query, of which the row that left it goes on;
branches are all computed, and which counts is chosen by their conditions, except that a loop in a branch that is not
taken ends before it begins. DuckDB joins the row of each call with the query's own, so many rows loop together.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from kernels import roots
from kernels.language import FormulaError
from sweep.sqlsteps import Column, Loop, relation
from sweep.sqltext import ROOT_PREFIX, WITHOUT_SQL, double, quoted

UNROLLED = 4  # times of a loop that are written out
ROLLED = 2  # times that a statement is said, from which on it is a loop: planned once
_OUTSIDE = "not among what is translated to SQL"
_NAN, _INFINITY = "cast('nan' as double)", "cast('inf' as double)"
_CONSTANTS = {"math.nan": _NAN, "math.inf": _INFINITY}
_SYMBOLS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}

_COMPARISONS: dict[type, str] = {
    ast.Lt: "{a} < {b} and not isnan({b})",
    ast.LtE: "{a} <= {b} and not isnan({b})",
    ast.Gt: "{a} > {b} and not isnan({a})",
    ast.GtE: "{a} >= {b} and not isnan({a})",
    ast.Eq: "{a} = {b} and not isnan({a})",
    ast.NotEq: "({a} <> {b} or isnan({a}))",
}

# True and False as they are, numbers and conditions as SQL, several of them together
Value = Any
Scope = dict[str, Value]


def names() -> list[str]:
    """The functions that have a macro."""
    return [name for name in roots.ROOTS if name not in WITHOUT_SQL]


def macros() -> list[str]:
    """The statements that make all of them."""
    return list(map(macro, names()))


@lru_cache(maxsize=64)
def macro(name: str) -> str:
    """The statement that makes a function a scalar macro of its numbers; null where one of them is null.

    FormulaError where it says something that is not translated.
    """
    function = roots.ROOTS[name]
    parameters = list(inspect.signature(function).parameters)
    steps = Steps()
    given = [steps.let(f"cast({quoted(p)} as double)") for p in parameters]
    found = steps.result_of(function, given)
    known = steps.let(" and ".join(f"{column} is not null" for column in given))
    result = steps.let(f"case when {known} then {_sql(found)} end")
    query = f"select {result} from {relation(steps.made, None, {result})}"
    return f"create or replace macro {ROOT_PREFIX}{name}({', '.join(map(quoted, parameters))}) as ({query});"


class _Left:
    """How a block is left: whether before its end, by a break or a return, and what is returned."""

    def __init__(self, stopped: Value = False, returned: Value = False, result: Value = _NAN) -> None:
        self.stopped, self.returned, self.result = stopped, returned, result


def _literal(value: float) -> str:
    """A number as SQL: with an exponent it is a double, without one a decimal."""
    text = repr(value)
    return double(value) if not math.isfinite(value) or value < 0.0 else text if "e" in text else f"{text}e0"


def _sql(value: Value) -> str:
    """A value as SQL."""
    if isinstance(value, bool):
        return str(value).lower()
    assert isinstance(value, str), value
    return value


class Steps:
    """The steps of a function in the making: what names stand for is a column, a constant or several of them."""

    def __init__(self) -> None:
        self.made: list[Column | Loop] = []
        self._count = 0
        self._known: dict[str, str] = {}
        self._path: list[Value] = []  # conditions under which what is computed counts
        self._names: dict[str, Any] = {}  # of the module of the function

    def let(self, text: str) -> str:
        """A column with this value; none for what is one, or a constant."""
        if re.fullmatch(r"_\d+|[\d.]+e[+-]?\d+|cast\('[^']*' as double\)", text):
            return text
        if text not in self._known:
            self._known[text] = self.fresh()
            self.made.append(Column(self._known[text], text))
        return self._known[text]

    def fresh(self) -> str:
        """A name that no column has yet."""
        self._count += 1
        return f"_{self._count}"

    def result_of(self, function: Callable[..., Any], given: Sequence[Value]) -> Value:
        """What a function returns for these numbers."""
        definition = _definition(function)
        around, self._names = self._names, function.__globals__
        left = self._block(definition.body, {a.arg: x for a, x in zip(definition.args.args, given, strict=True)})
        self._names = around
        return left.result

    @contextmanager
    def _under(self, test: Value) -> Iterator[None]:
        """What is computed meanwhile counts only where test holds."""
        self._path.append(test)
        yield
        self._path.pop()

    # -------------------------------------------------------------------------------------------------- values

    def _chosen(self, test: Value, body: Value, orelse: Value) -> Value:
        """One of two values, part by part where they have parts."""
        if isinstance(test, bool):
            return body if test else orelse
        if isinstance(body, tuple):
            return tuple(self._chosen(test, a, b) for a, b in zip(body, orelse, strict=True))
        if body == orelse:
            return body
        if isinstance(body, bool) and isinstance(orelse, bool):
            return test if body else self._not(test)
        return self.let(f"case when {test} then {_sql(body)} else {_sql(orelse)} end")

    def _not(self, test: Value) -> Value:
        return not test if isinstance(test, bool) else self.let(f"not {test}")

    def _all(self, tests: Sequence[Value]) -> Value:
        if any(test is False for test in tests):
            return False
        kept = [test for test in tests if test is not True]
        return self.let(" and ".join(kept)) if kept else True

    def _any(self, tests: Sequence[Value]) -> Value:
        if any(test is True for test in tests):
            return True
        kept = [test for test in tests if test is not False]
        return self.let(" or ".join(kept)) if kept else False

    def _value(self, node: ast.expr, scope: Scope) -> Value:
        def of(child: ast.expr) -> Value:
            return self._value(child, scope)

        match node:
            case ast.Constant(value=bool() as value):
                return value
            case ast.Constant(value=int() | float() as value):
                return _literal(float(value))
            case ast.Name(id=name):
                return scope[name] if name in scope else _literal(float(self._names[name]))
            case ast.Attribute() if ast.unparse(node) in _CONSTANTS:
                return _CONSTANTS[ast.unparse(node)]
            case ast.Tuple(elts=elements):
                return tuple(map(of, elements))
            case ast.Subscript(value=whole, slice=ast.Constant(value=int() as place)):
                return of(whole)[place]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _SYMBOLS:
                return self.let(f"{of(left)} {_SYMBOLS[type(op)]} {of(right)}")
            case ast.BinOp(left=ast.Name(id=name), op=ast.Pow(), right=right) if name not in scope:
                return _literal(float(self._names[name] ** ast.literal_eval(right)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.let(f"-{of(operand)}")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._not(of(operand))
            case ast.BoolOp(op=op, values=values):
                return (self._all if isinstance(op, ast.And) else self._any)(list(map(of, values)))
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                sides = [of(side) for side in (left, *comparators)]
                return self._all([self._compared(a, op, b) for a, op, b in zip(sides, ops, sides[1:], strict=False)])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                asked = of(test)
                if isinstance(asked, bool):
                    return of(body if asked else orelse)
                with self._under(asked):
                    first = of(body)
                with self._under(self._not(asked)):
                    second = of(orelse)
                return self._chosen(asked, first, second)
            case ast.Call(func=called, args=arguments):
                return self._called(ast.unparse(called), list(map(of, arguments)))
        raise FormulaError(f"{ast.unparse(node)!r}: {_OUTSIDE}")

    def _compared(self, a: str, op: ast.cmpop, b: str) -> Value:
        """A comparison as numbers have it: false with nan, which DuckDB holds equal to itself and above everything."""
        return self.let(_COMPARISONS[type(op)].format(a=a, b=b))

    def _called(self, name: str, given: list[Value]) -> Value:
        """A function of a library in SQL; one of ours in its place."""
        match name, given:
            case "exp" | "abs", [x]:
                return self.let(f"{name}({x})")
            case "log", [x]:
                return self.let(f"case when {x} > 0 then ln({x}) when {x} = 0 then -{_INFINITY} else {_NAN} end")
            case "math.log1p", [x]:
                return self.let(f"case when {x} > -1 then ln(1 + {x}) else {_NAN} end")
            case "math.sqrt", [x]:
                return self.let(f"case when {x} >= 0 then sqrt({x}) else {_NAN} end")
            case "min", [a, b]:  # Python's own: the first, unless the second is less
                return self._chosen(self._compared(b, ast.Lt(), a), b, a)
            case "max", [a, b]:
                return self._chosen(self._compared(b, ast.Gt(), a), b, a)
            case "vector_exp", [x]:  # both as kernels.elementary holds them to usual doubles
                held = self.let(f"case when {x} < 709e0 then {x} else 709e0 end")
                return self.let(f"exp(case when {held} > -708e0 then {held} else -708e0 end)")
            case "vector_log", [x]:
                held = self.let(f"case when {x} > 1e-307 and not isnan({x}) then {x} else 1e-307 end")
                return self.let(f"ln(case when {held} < 1e307 then {held} else 1e307 end)")
        return self.result_of(self._names[name], given)

    # ---------------------------------------------------------------------------------------------- statements

    def _block(self, body: Sequence[ast.stmt], scope: Scope) -> _Left:
        """Carry out statements, scope being what their names stand for."""
        place = 0
        while place < len(body):
            times = _times(body[place:])
            left = (
                self._statement(body[place], scope)
                if times < ROLLED
                else self._loop(times, body[place : place + 1], scope)
            )
            place += times if times >= ROLLED else 1
            if left.stopped is True:
                return left
            if left.stopped is not False:  # the rest is for those who come to it
                after = dict(scope)
                with self._under(self._not(left.stopped)):
                    rest = self._block(body[place:], after)
                return self._merged(left.stopped, (left, dict(scope)), (rest, after), scope)
        return _Left()

    def _statement(self, statement: ast.stmt, scope: Scope) -> _Left:
        match statement:
            case ast.Expr(value=ast.Constant()):
                pass
            case ast.Assign(targets=[target], value=value):
                self._assign(target, self._value(value, scope), scope)
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                scope[name] = self._value(ast.BinOp(ast.Name(name), op, value), scope)
            case ast.Return(value=ast.expr() as value):
                return _Left(True, True, self._value(value, scope))
            case ast.Break():
                return _Left(True)
            case ast.If(test=test, body=body, orelse=orelse):
                return self._branches(self._value(test, scope), body, orelse, scope)
            case ast.For(target=ast.Name(id=name), iter=ast.Call(args=[ast.Constant(value=int() as times)]), body=body):
                if times > UNROLLED:
                    return self._loop(times, body, scope)
                for k in range(times):
                    scope[name] = _literal(float(k))
                    if self._block(body, scope).stopped is not False:
                        raise FormulaError(f"a loop of {times} times that is left before its end: {_OUTSIDE}")
            case _:
                raise FormulaError(f"{ast.unparse(statement)!r}: {_OUTSIDE}")
        return _Left()

    def _assign(self, target: ast.expr, value: Value, scope: Scope) -> None:
        match target:
            case ast.Name(id=name):
                scope[name] = value
            case ast.Tuple(elts=elements):
                for element, part in zip(elements, value, strict=True):
                    self._assign(element, part, scope)
            case _:
                raise FormulaError(f"{ast.unparse(target)!r}: {_OUTSIDE}")

    def _branches(self, test: Value, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], scope: Scope) -> _Left:
        """Carry out both branches, or the one that is known to be taken."""
        if isinstance(test, bool):
            return self._block(body if test else orelse, scope)
        first, second = dict(scope), dict(scope)
        with self._under(test):
            one = self._block(body, first)
        with self._under(self._not(test)):
            other = self._block(orelse, second)
        return self._merged(test, (one, first), (other, second), scope)

    def _merged(self, test: Value, one: tuple[_Left, Scope], other: tuple[_Left, Scope], scope: Scope) -> _Left:
        """What two ways come to, the first where test holds; scope is changed to it."""
        (left, first), (right, second) = one, other
        for name in {**first, **second}:
            either = first.get(name, second.get(name))
            scope[name] = (
                self._chosen(test, first[name], second[name]) if name in first.keys() & second.keys() else either
            )
        stopped = self._chosen(test, left.stopped, right.stopped)
        if left.returned is False or right.returned is False:
            result = right.result if left.returned is False else left.result
        else:
            result = self._chosen(test, left.result, right.result)
        return _Left(stopped, self._chosen(test, left.returned, right.returned), result)

    def _loop(self, times: int, body: Sequence[ast.stmt], scope: Scope) -> _Left:
        """Carry out a loop, which ends before it begins where what is computed here does not count."""
        changed = [name for name in _assigned(body) if name in scope]
        before = {name: _sql(scope[name]) for name in changed}
        is_out = _sql(self._not(self._all(self._path)))
        step, stopped, returned, result = (self.fresh() for _ in range(4))
        inside = {name: self.fresh() for name in changed}
        around = self.made, self._path, self._known
        self.made, self._path, self._known = [], [], dict(self._known)
        again: Scope = dict(scope) | inside
        left = self._block(body, again)
        steps = self.made
        self.made, self._path, self._known = around
        told = (
            (is_out, stopped, _sql(left.stopped)),
            ("false", returned, _sql(left.returned)),
            (_NAN, result, _sql(left.result)),
        )
        moved = tuple((before[name], inside[name], _sql(again[name])) for name in changed)
        self.made.append(Loop(times, step, told, moved, steps))
        scope.update(inside)
        return _Left(returned, returned, result) if left.returned is not False else _Left()


@lru_cache(maxsize=256)
def _definition(function: Callable[..., Any]) -> ast.FunctionDef:
    found = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(found, ast.FunctionDef)
    return found


@lru_cache(maxsize=4096)
def _said(statement: ast.stmt) -> str:
    return ast.dump(statement)


def _times(body: Sequence[ast.stmt]) -> int:
    """How often the first of some statements is said one after the other, such as a step of Newton's method."""
    first = _said(body[0])
    return next((place for place, other in enumerate(body) if _said(other) != first), len(body))


def _assigned(body: Sequence[ast.stmt]) -> list[str]:
    """The names that statements assign to."""
    found = [n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return list(dict.fromkeys(found))

"""Formulas over whole arrays without compiling: the bits of compiled loops, tens of times sooner than one by one.

Arithmetic, comparisons and rounding are numpy's, which round as compiled code does. Powers, logarithms and exponentials
are taken one number at a time from libm, for numpy's own differ in the last bit, and so are the functions that search;
of many numbers a compiled loop does so, where the compiler is loaded for other reasons.
A conditional computes the branch that is taken; both where some elements take one and some the other.
"""

from __future__ import annotations

import ast
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import Any

import numpy as np

from kernels import roots, scalar
from kernels.compiler import HEADER_CELLS, OPERAND_CELLS, Loop, is_loaded, jit
from kernels.evaluate import Kinds, Words
from kernels.interpreter import number
from kernels.language import BINARY, COMPARE, Formula, Kind, unified

Array = Any
MANY = 1 << 15  # elements


@jit
def _powers(a: Array, b: Array, found: Array) -> None:
    for i in range(found.size):
        found[i] = math.pow(a[i], b[i])


@jit
def _exponentials(x: Array, found: Array) -> None:
    for i in range(found.size):
        found[i] = math.exp(x[i])


@jit
def _logarithms(x: Array, found: Array) -> None:
    for i in range(found.size):
        found[i] = math.log(x[i])


_COMPILED: dict[Callable[..., Any], Any] = {math.pow: _powers, math.exp: _exponentials, math.log: _logarithms}


def _mapped(function: Callable[..., Any], arguments: Iterable[Array]) -> Array:
    """function of floats that cannot raise on them, element by element: compiled where the compiler is there anyway."""
    cells, shape = _spread(arguments)
    if math.prod(shape) >= MANY and function in _COMPILED and is_loaded():
        result = np.empty(math.prod(shape))
        _COMPILED[function](
            *(np.ascontiguousarray(np.broadcast_to(np.float64(c), result.shape)) for c in cells), result
        )
        return result.reshape(shape)
    found = map(function, *(cell.tolist() if isinstance(cell, np.ndarray) else repeat(cell) for cell in cells))
    return np.fromiter(found, np.float64, math.prod(shape)).reshape(shape)


def _spread(arguments: Iterable[Array]) -> tuple[list[Any], tuple[int, ...]]:
    """The arguments over their common shape, each in one run; single numbers as they are."""
    arguments = list(arguments)
    shape = np.broadcast_shapes(*(np.shape(a) for a in arguments))
    return [np.broadcast_to(a, shape).reshape(-1) if np.ndim(a) else a for a in arguments], shape


def _where(
    usual: Array, function: Callable[..., float], others: Callable[..., float], arguments: Iterable[Array]
) -> Array:
    """function where the arguments are usual, which cannot raise there, and others elsewhere, element by element."""
    if usual.all():
        return _mapped(function, arguments)
    cells, shape = _spread(arguments)
    is_usual = np.broadcast_to(usual, shape).reshape(-1)
    found = np.empty(math.prod(shape))
    for those, chosen in ((is_usual, function), (~is_usual, others)):
        found[those] = _mapped(chosen, [cell[those] if isinstance(cell, np.ndarray) else cell for cell in cells])
    return found.reshape(shape)


def _logarithm(libm: Callable[[float], float], ours: Callable[[float], float]) -> Callable[[Array], Array]:
    def logarithm(x: Array) -> Array:
        if not np.ndim(x):
            return np.float64(ours(x))
        x = np.asarray(x, np.float64)
        return _where(x > 0.0, libm, ours, [x])

    return logarithm


def _exp(x: Array) -> Array:
    if not np.ndim(x):
        return np.float64(scalar.exp(x))
    x = np.asarray(x, np.float64)
    return _where(~(x > 709.0), math.exp, scalar.exp, [x])


def _power(a: Array, b: Array) -> Array:
    if not np.ndim(a) and not np.ndim(b):
        return np.float64(scalar.power(a, b))
    a, b = np.broadcast_arrays(np.float64(a), np.float64(b))
    with np.errstate(all="ignore"):
        usual = (a > 0.0) & (a < math.inf) & (b * np.log2(a) < 1000.0)  # within the largest double
    if usual.all():
        return _mapped(math.pow, [a, b])
    found = np.where(b == b, np.where(a == 0.0, np.where(b < 0.0, math.inf, b == 0.0), math.nan), math.nan)
    left = (a > 0.0) & (b == b)  # such as a share of 0, which is plenty
    found[left] = _where(usual[left], math.pow, scalar.power, [a[left], b[left]])
    return found


def _sqrt(x: Array) -> Array:
    root = np.sqrt(np.float64(x))
    return np.where(np.less(x, 0.0), math.nan, root) if np.less(x, 0.0).any() else root


def _minimum(a: Array, b: Array) -> Array:
    return np.where((a <= b) | (a != a), a, b)  # numpy's own may take the other of two zeros


def _maximum(a: Array, b: Array) -> Array:
    return np.where((a >= b) | (a != a), a, b)


def _searched(function: Callable[..., Any]) -> Callable[..., Array]:
    """A function that has a loop, of numbers as numpy's, so that dividing by zero is inf in it."""

    def mapped(*arguments: Array) -> Array:
        cells, shape = _spread(arguments)
        each = zip(
            *(cell if isinstance(cell, np.ndarray) else repeat(cell, math.prod(shape)) for cell in cells), strict=True
        )
        return np.fromiter((function(*given) for given in each), np.float64, math.prod(shape)).reshape(shape)

    return mapped


def _truth(value: Array) -> Array:
    return value if value.dtype == np.bool_ else value != 0


def _chosen(test: Array, body: Callable[[], Array], orelse: Callable[[], Array]) -> Array:
    if test.all():
        return body()
    if not test.any():
        return orelse()
    return np.where(test, body(), orelse())


def _rows_at(cells: Array, starts: Array, length: int) -> Array:
    """cells[start : start + length] for each start; a view where the starts are evenly apart."""
    size = cells.itemsize
    step = int(starts[1] - starts[0]) if len(starts) > 1 else 0
    if step >= 0 and (np.diff(starts) == step).all():
        shape, strides, first = (len(starts), length), (step * size, size), int(starts[0])
        return np.lib.stride_tricks.as_strided(cells[first:], shape, strides, writeable=False)
    runs = (len(cells) - length + 1, length)  # every run of that length, of which some are copied
    return np.lib.stride_tricks.as_strided(cells, runs, (size, size), writeable=False)[starts]


SCOPE: dict[str, Any] = {name: _searched(function) for name, function in roots.ROOTS.items()}
SCOPE |= {
    "minimum": _minimum,
    "maximum": _maximum,
    "ceil": lambda x: np.ceil(np.float64(x)),
    "floor": lambda x: np.floor(np.float64(x)),
    "sqrt": _sqrt,
    "log": _logarithm(math.log, scalar.log),
    "log2": _logarithm(math.log2, scalar.log2),
    "exp": _exp,
    "power": _power,
    "float": np.float64,
    "whole": np.int64,
    "rows_at": _rows_at,
    "truth": _truth,
    "chosen": _chosen,
}


class _Text:
    """Expressions written out as numpy's operations, literals kept in scope under names of their own."""

    def __init__(self, rename: Mapping[str, str], words: Mapping[str, tuple[str, ...]]) -> None:
        self._rename, self._words = rename, words
        self.literals: dict[str, Any] = {}

    def of(self, node: ast.expr) -> str:
        """The numbers that an expression comes to; a test as 0 or 1."""
        match node:
            case ast.Constant(value=int() | float() as value):
                name = f"literal_{len(self.literals)}"
                self.literals[name] = number(value)
                return name
            case ast.Name(id=name):
                return self._rename.get(name, name)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return f"power({self.of(left)}, {self.of(right)})"
            case ast.BinOp(left=left, op=op, right=right):
                return f"({self.of(left)} {BINARY[type(op)]} {self.of(right)})"
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
                return f"({'-' if isinstance(op, ast.USub) else '+'}{self.of(operand)})"
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return f"chosen({self._test(test)}, lambda: {self.of(body)}, lambda: {self.of(orelse)})"
            case ast.Call(func=ast.Name(id="min" | "max" as name), args=arguments):
                return functools.reduce(lambda a, b: f"{name}imum({a}, {b})", map(self.of, arguments))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return f"{name}({', '.join(map(self.of, arguments))})"
        return f"whole({self._test(node)})"

    def _test(self, node: ast.expr) -> str:
        """The same as an array of bool."""
        match node:
            case ast.BoolOp(op=op, values=values):
                return "(" + (" & " if isinstance(op, ast.And) else " | ").join(map(self._test, values)) + ")"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(~{self._test(operand)})"
            case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[ast.Constant(value=str() as word)]):
                return f"({self._rename.get(name, name)} {COMPARE[type(op)]} {self._words[name].index(word)})"
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                sides = [self.of(side) for side in (left, *comparators)]
                pairs = zip(sides, ops, sides[1:], strict=False)
                return "(" + " & ".join(f"({a} {COMPARE[type(op)]} {b})" for a, op, b in pairs) + ")"
        return f"truth({self.of(node)})"


@functools.lru_cache(maxsize=4096)
def _loop(formula: Formula, pattern: str, kinds: Kinds, words: Words) -> Loop:
    known, typed = dict(words), dict(kinds)
    formula = unified(formula, typed, known)
    rename: dict[str, str] = {}
    lines = ["n_outer = desc[0]", "n_inner = desc[1]"]
    for k, (parameter, letter) in enumerate(zip(formula.parameters, pattern, strict=True)):
        cells = "wf" if typed[parameter] == "float" else "wi"
        start, moves = (f"desc[{HEADER_CELLS + OPERAND_CELLS * k + more}]" for more in (0, 1))
        starts = f"{start} + tabs[{moves} : {moves} + n_outer]"
        read = {
            "s": f"{cells}[{start}]",
            "r": f"{cells}[{start} : {start} + n_inner]",
            "c": f"{cells}[{starts}].reshape(n_outer, 1)",
            "b": f"rows_at({cells}, {starts}, n_inner)",
        }
        lines.append(f"x{k} = {read[letter]}")
        rename[parameter] = f"x{k}"
    text = _Text(rename, known)
    for k, (name, value) in enumerate(formula.steps):
        lines.append(f"t{k} = {text.of(value)}")
        rename[name] = f"t{k}"
    cells = "wf" if typed[formula.name] == "float" else "wi"
    out = f"{cells}[desc[2] : desc[2] + n_outer * n_inner].reshape(n_outer, n_inner)"
    lines.append(f"{out}[:] = {text.of(formula.result)}")
    scope = SCOPE | text.literals
    exec("\n    ".join(["def loop(wf, wi, tabs, desc):", *lines]), scope)
    loop: Loop = scope["loop"]
    return loop


def array_loop(formula: Formula, pattern: str, kinds: Mapping[str, Kind], words: Mapping[str, tuple[str, ...]]) -> Loop:
    """What compiler.compiled makes of compiler.loop_source of the same, as numpy's operations."""
    typed = tuple((name, kinds[name]) for name in (*formula.parameters, formula.name))
    return _loop(formula, pattern, typed, tuple((p, words[p]) for p in formula.parameters if p in words))

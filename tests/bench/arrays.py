"""Rivals that work on arrays in blocks, or in loops over designs: NumPy, numexpr, JAX, numba."""

from __future__ import annotations

import ast
import math
import operator
import re
from math import prod
from typing import Any, ClassVar

import numpy as np

from tests.bench import broadcast
from tests.bench.job import Blocks, Rival, Sums
from tests.bench.measure import installed
from tests.bench.text import Dialect, written


class NumPy(Blocks):
    """Broadcasting."""

    name, package = "NumPy", "numpy"

    def prepare(self) -> None:
        self.steps = [
            (node.name, broadcast.function(node.formula, self.job.words), node.formula.parameters)
            for node in self.nodes
        ]

    def evaluate(self, values: dict[str, Any]) -> dict[str, Any]:
        with np.errstate(all="ignore"):
            for name, function, parameters in self.steps:
                values[name] = function(*[values[p] for p in parameters])
        return {name: values[name] for name in self.job.columns}


class NumExpr(Blocks):
    """numexpr: an expression a formula, compiled once."""

    name, package, needs = "numexpr", "numexpr", ("numexpr",)

    def prepare(self) -> None:
        self.numexpr = installed("numexpr")
        self.numexpr.set_num_threads(1)
        self.truths = {node.name for node in self.job.plan.nodes if node.kind == "bool"}
        constants: dict[str, Any] = {n: v for n, v in self.given.items() if np.ndim(v) == 0}
        constants = {n: bool(v) if n in self.truths else float(v) for n, v in constants.items()}
        self.given = {n: np.asarray(v, self.kind(n)) for n, v in self.given.items() if n not in constants}
        self.steps = []
        for node, text in written(self, Dialect(), constants):
            used = [p for p in node.formula.parameters if p not in constants and re.search(rf"\b{p}\b", text)]
            if used:
                compiled = self.numexpr.NumExpr(text, [(p, self.kind(p)) for p in used])
                self.steps.append((node.name, compiled, list(compiled.input_names)))
            else:
                constants[node.name] = eval(text, {"where": lambda c, a, b: a if c else b, "nan": math.nan})
        self.constants = constants

    def kind(self, name: str) -> Any:
        """The type of a value: numbers are all float64."""
        return bool if name in self.truths else np.float64

    def evaluate(self, values: dict[str, Any]) -> dict[str, Any]:
        values = {**self.constants, **values}
        for name, compiled, used in self.steps:
            values[name] = compiled(*[values[p] for p in used])
        return {name: values[name] for name in self.job.columns}


class Jax(Blocks):
    """JAX: the whole block, sums included, as one compiled function."""

    name, package, needs = "JAX", "jax", ("jax",)

    def prepare(self) -> None:
        jax = installed("jax")
        jax.config.update("jax_enable_x64", True)
        jnp = jax.numpy
        functions = {n: getattr(jnp, n) for n in ("minimum", "maximum", "ceil", "floor", "sqrt", "log", "log2", "exp")}
        functions |= {name: getattr(operator, name) for name in broadcast.COMPARE.values()}
        functions |= {"where": jnp.where, "float": lambda v: jnp.asarray(v, jnp.float64)}
        functions |= {"both": jnp.logical_and, "either": jnp.logical_or, "no": jnp.logical_not}
        functions["power"] = lambda a, b: jnp.power(jnp.asarray(a, jnp.float64), b)
        steps = [
            (node.name, broadcast.function(node.formula, self.job.words, functions), node.formula.parameters)
            for node in self.nodes
        ]
        scalars = {n: v for n, v in self.given.items() if np.ndim(v) == 0}
        self.given = {n: v for n, v in self.given.items() if np.ndim(v)}

        def columns(values: dict[str, Any]) -> dict[str, Any]:
            values = {**scalars, **values}
            for name, function, parameters in steps:
                values[name] = function(*[values[p] for p in parameters])
            return {name: values[name] for name in self.job.columns}

        def sums(values: dict[str, Any]) -> dict[str, Any]:
            return {n: jnp.sum(jnp.asarray(v, jnp.float64)) for n, v in columns(values).items()}

        self.columns, self.compiled = jax.jit(columns), jax.jit(sums)

    def evaluate(self, values: dict[str, Any]) -> dict[str, Any]:
        return {n: np.asarray(v) for n, v in self.columns(values).items()}

    def sums(self) -> Sums:
        totals = dict.fromkeys(self.job.columns, 0.0)
        for block in self.job.blocks(self.points):
            values = self.values(block)
            points = prod(self.job.shape(block))
            for name, value in self.compiled(values).items():
                own = [v.shape for p, v in values.items() if p == name] or [self.shapes(block)[name]]
                totals[name] += float(value) * (points // max(1, prod(own[0])))
        return totals

    def shapes(self, block: tuple[slice, ...]) -> dict[str, tuple[int, ...]]:
        """How broad each column is over a block of this shape."""
        key = tuple(self.job.shape(block))
        self._shapes: dict[Any, dict[str, tuple[int, ...]]] = getattr(self, "_shapes", {})
        if key not in self._shapes:
            self._shapes[key] = {n: np.shape(v) for n, v in self.columns(self.values(block)).items()}
        return self._shapes[key]


SCALARS = """
def lt(a, b): return a < b
def le(a, b): return a <= b
def gt(a, b): return a > b
def ge(a, b): return a >= b
def eq(a, b): return a == b
def ne(a, b): return a != b
def minimum(a, b): return a if a < b or a != a else b
def maximum(a, b): return a if a > b or a != a else b
def power(a, b): return float(a) ** b
def where(c, a, b): return a if c else b
def both(a, b): return a and b
def either(a, b): return a or b
def no(a): return not a
"""


class Numba(Rival):
    """numba: nested loops over the axes that a person would write, values read as far out as they can be."""

    name, package, needs = "numba loops", "numba", ("numba",)
    fast: ClassVar = {"reassoc", "nsz", "arcp", "contract"}  # sums in any order, so that they vectorise

    def prepare(self) -> None:
        numba = installed("numba")
        plain: dict[str, Any] = {}
        exec(SCALARS, plain)
        scope: dict[str, Any] = {n: numba.njit(f, error_model="numpy") for n, f in plain.items() if callable(f)}
        scope |= {n: getattr(math, n) for n in ("ceil", "floor", "sqrt", "log", "log2", "exp")}
        self.arrays = {n: np.asarray(v) for n, v in self.given.items() if np.ndim(v)}
        scope |= {n: v for n, v in self.given.items() if not np.ndim(v)}
        depth, dimensions = len(self.job.sizes), range(len(self.job.sizes))
        parameters = ", ".join([*(f"a_{n}" for n in self.arrays), *(f"n{k}" for k in dimensions)])
        lines: dict[int, list[str]] = {k: [] for k in dimensions}
        for name, value in self.arrays.items():
            at = ", ".join(f"i{k}" if value.shape[k] > 1 else "0" for k in dimensions)
            level = max((k for k in dimensions if value.shape[k] > 1), default=0)
            lines[level].append(f"{name} = a_{name}[{at}]")
        for node in self.nodes:
            inner = {step: f"{node.name}__{step}" for step, _ in node.formula.steps}
            for step, body in node.formula.steps:
                lines[depth - 1].append(f"{inner[step]} = {self.emitted(body, inner)}")
            lines[depth - 1].append(f"{node.name} = {self.emitted(node.formula.result, inner)}")
        ends = {
            "sums": [f"s_{n} += {n}" for n in self.job.columns],
            "rows": [f"out[{c}, row] = {n}" for c, n in enumerate(self.job.columns)] + ["row += 1"],
        }
        starts = {"sums": [f"s_{n} = 0.0" for n in self.job.columns], "rows": ["row = 0"]}
        results = {"sums": ", ".join(f"s_{n}" for n in self.job.columns), "rows": "row"}
        for what in ends:
            text = [
                f"def {what}({parameters}{', out' if what == 'rows' else ''}):",
                *(f"    {s}" for s in starts[what]),
            ]
            for k in dimensions:
                text.append("    " * (k + 1) + f"for i{k} in range(n{k}):")
                text += ["    " * (k + 2) + line for line in lines[k]]
            text += ["    " * (depth + 1) + line for line in ends[what]]
            text.append(f"    return {results[what]}")
            exec("\n".join(text), scope)
        self.compiled_sums = numba.njit(scope["sums"], error_model="numpy", fastmath=self.fast)
        self.compiled_rows = numba.njit(scope["rows"], error_model="numpy")

    def emitted(self, node: ast.expr, rename: dict[str, str]) -> str:
        """An expression with the steps of its formula named apart from those of others."""
        tree = ast.parse(broadcast.emit(node, self.job.words), mode="eval")
        for name in ast.walk(tree):
            if isinstance(name, ast.Name):
                name.id = rename.get(name.id, name.id)
        return ast.unparse(tree)

    def table(self) -> dict[str, Any]:
        out = np.empty((len(self.job.columns), self.job.points))
        self.compiled_rows(*self.arrays.values(), *self.job.sizes, out)
        return dict(zip(self.job.columns, out, strict=True))

    def sums(self) -> Sums:
        return dict(zip(self.job.columns, self.compiled_sums(*self.arrays.values(), *self.job.sizes), strict=True))

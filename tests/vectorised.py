"""Metrics of many designs at once in numpy, written out from the same formulas: for fits, which ask thousands of times.

Conditionals become where(), so that both branches are computed; words are compared as they are.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import reduce
from typing import Any

import numpy as np

from kernels.graph import Graph
from kernels.language import Formula

Array = Any


class _Numpy(ast.NodeTransformer):
    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        return _call("where", [self.visit(part) for part in (node.test, node.body, node.orelse)])

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        parts: list[ast.expr] = [_call("truth", [self.visit(part)]) for part in node.values]
        operator = ast.BitAnd() if isinstance(node.op, ast.And) else ast.BitOr()
        return reduce(lambda left, right: ast.BinOp(left, operator, right), parts)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return ast.UnaryOp(ast.Invert(), _call("truth", [operand]))
        return ast.UnaryOp(node.op, operand)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        assert isinstance(node.func, ast.Name)
        name, arguments = node.func.id, [self.visit(part) for part in node.args]
        if name in ("min", "max"):
            whole: ast.expr = reduce(lambda left, right: _call(f"{name}imum", [left, right]), arguments)
            return whole
        return _call(name, arguments)


def _call(name: str, arguments: list[ast.expr]) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), arguments, [])


_NAMES = {
    name: getattr(np, name) for name in ("where", "minimum", "maximum", "ceil", "floor", "sqrt", "log", "log2", "exp")
}
_NAMES["truth"] = lambda value: np.asarray(value).astype(bool)


def compiled(formula: Formula) -> Callable[..., Array]:
    """A function of arrays for a formula."""
    lines = [f"    {name} = {ast.unparse(_Numpy().visit(deepcopy(step)))}" for name, step in formula.steps]
    result = ast.unparse(_Numpy().visit(deepcopy(formula.result)))
    source = "\n".join([f"def value({', '.join(formula.parameters)}):", *lines, f"    return {result}"])
    scope: dict[str, Any] = dict(_NAMES)
    exec(source, scope)
    function: Callable[..., Array] = scope["value"]
    return function


class Vectorised:
    """The wanted metrics of a graph as one function of the arrays of its inputs, those with a formula included."""

    def __init__(self, graph: Graph, wanted: Iterable[str]) -> None:
        nodes, self.leaves = graph.resolve(list(wanted), graph.inputs)
        self._steps = [(node.name, node.formula.parameters, compiled(node.formula)) for node in nodes]
        self._after: dict[str, set[str]] = {}
        for name, parameters, _ in self._steps:
            self._after[name] = set(parameters).union(*(self._after.get(p, set()) for p in parameters))

    def __call__(self, values: Mapping[str, Array], changed: Iterable[str] | None = None) -> dict[str, Array]:
        """Everything computed, inputs among it; where changed is given, what follows from nothing of it is kept."""
        found = dict(values)
        moved = None if changed is None else set(changed)
        with np.errstate(all="ignore"):
            for name, parameters, function in self._steps:
                if moved is None or name not in found or self._after[name] & moved:
                    found[name] = function(*(found[p] for p in parameters))
        return found

"""Whole numbers that a formula of a spec may take past what 64 bits hold, where they would start again from below."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.graph import Graph
from kernels.intervals import ANYTHING, Interval, bounds, evaluate
from kernels.language import Formula, kind_in, names_in
from kernels.quantiles import quantile_of
from sweep.errors import Problem
from sweep.space import Axis

MOST = 2.0**63
COUNT = Interval(-(2.0**53), 2.0**53)  # what is taken of a count that is not known beforehand


class Reach:
    """Between what every value of a graph lies, given axes and what is fixed; wider where values hang together."""

    def __init__(self, graph: Graph, axes: Iterable[Axis], given: Mapping[str, int | float]) -> None:
        self._graph = graph
        self._known = {name: Interval(float(value), float(value)) for name, value in given.items()}
        for axis in axes:
            self._known |= {name: _ends(values) for name, values in axis.sets.items() if len(values)}

    def __getitem__(self, name: str) -> Interval:
        if name not in self._known:
            self._known[name] = COUNT if self._graph.kinds[name] == "int" else ANYTHING  # where formulas go in circles
            self._known[name] = self._of(name)
        return self._known[name]

    def _of(self, name: str) -> Interval:
        declared = self._graph.metrics.get(name) or self._graph.inputs[name]
        formula = declared.formula
        if formula is None or formula.finds_a_root or quantile_of(formula) or name == "train_layout":
            return self._known[name]
        return bounds(formula, {p: self[p] for p in formula.parameters}, self._graph.words)


def overflows(
    graph: Graph, axes: Iterable[Axis], given: Mapping[str, int | float], written: Sequence[tuple[str, Formula]]
) -> list[Problem]:
    """What is wrong with formulas, each with its place, of which a whole number could be too large."""
    reach = Reach(graph, axes, given)
    with np.errstate(all="ignore"):
        return [problem for place, formula in written for problem in _overflow(graph, reach, place, formula)]


def _overflow(graph: Graph, reach: Reach, place: str, formula: Formula) -> Iterable[Problem]:
    """The innermost operation that goes too far, if one does."""
    names = [name for name in formula.parameters if name in graph]
    scope = {name: graph.kinds[name] for name in names}
    for node in sorted(_operations(formula.result), key=lambda n: len(ast.unparse(n))):
        if not names_in(node) <= {*names, "min", "max"} or kind_in(node, scope, graph.words) != "int":
            continue
        found = evaluate(node, {name: reach[name] for name in names_in(node) & scope.keys()}, graph.words)
        most = max(abs(found.low), abs(found.high))
        if MOST <= most < np.inf:  # what is divided by nothing has no bounds
            text = ast.unparse(node)
            yield Problem(
                place, f'"{text}"', f"may come to {most:.3g}, and a whole number ends at 9.22e18; write 1.0 * {text}"
            )
            return


def _operations(tree: ast.expr) -> list[ast.expr]:
    return [n for n in ast.walk(tree) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Add | ast.Sub | ast.Mult)]


def _ends(values: npt.NDArray[Any]) -> Interval:
    known = values[~np.isnan(values)] if values.dtype == np.float64 else values
    if not len(known):
        return ANYTHING
    return Interval(float(known.min()), float(known.max()), len(known) < len(values))

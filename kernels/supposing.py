"""Metrics at a corner: what they come to if some of their inputs are what suits them best.

A bound of a search is a metric of which some inputs are not known yet. Each formula that reads such an input is
evaluated with what makes the metric least, which may differ from formula to formula; all that depends on it follows.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kernels.graph import Graph, Metric
from kernels.language import Formula

Corner = Mapping[str, Mapping[str, str]]  # of an input, what is put in its place; by metric, "" for all others

OUTCOME: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def supposing(graph: Graph, wanted: str, corner: Corner, ending: str) -> list[Metric]:
    """The wanted metric at a corner and what leads to it, named as they are with an ending; what is read lies in graph.

    A formula that reads an input of which the corner says nothing to it is a mistake of ours.
    """
    nodes, _ = graph.resolve([wanted], corner)
    found: dict[str, Metric] = {}
    for node in nodes:
        formula = node.formula
        put = {p: _put(corner[p], node.name) for p in formula.parameters if p in corner}
        put |= {p: f"{p}_{ending}" for p in formula.parameters if p in found}
        if put:
            name = f"{node.name}_{ending}"
            found[node.name] = Metric(name, node.unit, node.source, node.meaning, _replaced(name, formula, put))
    return list(found.values())


def _put(places: Mapping[str, str], name: str) -> str:
    return places[name] if name in places else places[""]


class _Put(ast.NodeTransformer):
    """Expressions in the place of names, and of what is then decided the outcome."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.trees = {name: ast.parse(text, mode="eval").body for name, text in texts.items()}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.trees.get(node.id, node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        match node.test:
            case ast.Compare(ast.Constant(value=left), [op], [ast.Constant(value=right)]) if type(op) in OUTCOME:
                return node.body if OUTCOME[type(op)](left, right) else node.orelse
        return node


def _replaced(name: str, formula: Formula, texts: Mapping[str, str]) -> Formula:
    """A formula with expressions in the place of some parameters, which it takes instead."""
    put = _Put(texts)
    names = [n.id for p in formula.parameters for n in ast.walk(put.visit(ast.Name(p))) if isinstance(n, ast.Name)]
    steps = tuple((step, put.visit(_copy(value))) for step, value in formula.steps)
    result = put.visit(_copy(formula.result))
    return replace(formula, name=name, parameters=tuple(dict.fromkeys(names)), steps=steps, result=result)


def _copy(tree: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(tree), mode="eval").body

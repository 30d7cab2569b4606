"""Formulas as plain Python that follows the compiler's rules: the same bits, without compiling.

Python's own numbers raise where compiled ones give inf or nan, and its comparisons are not counts. So every number in
an interpreted formula is one of numpy's: literals, the results of functions, and the 0 or 1 of a comparison.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import roots, scalar


def _numpy_result(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*arguments: Any) -> Any:
        result = function(*arguments)
        return np.float64(result) if isinstance(result, float) else result

    return wrapped


SCOPE: dict[str, Any] = {name: _numpy_result(function) for name, function in (scalar.FUNCTIONS | roots.ROOTS).items()}
SCOPE |= {"float": np.float64, "whole": np.int64}


def number(value: int | float) -> Any:
    """A literal as numpy's."""
    return np.float64(value) if isinstance(value, float) else np.int64(value)


class _NumpyNumbers(ast.NodeTransformer):
    """Literals as numpy's, kept in scope under names of their own; comparisons and negations as 0 or 1."""

    def __init__(self) -> None:
        self.literals: dict[str, Any] = {}

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, int | float):
            return node
        name = f"literal_{len(self.literals)}"
        self.literals[name] = number(node.value)
        return _named(name)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        return _whole(self.generic_visit(node))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        visited = self.generic_visit(node)
        return _whole(visited) if isinstance(node.op, ast.Not) else visited  # type: ignore[return-value]


def _whole(node: ast.AST) -> ast.expr:
    return ast.Call(_named("whole"), [node], [], lineno=1, col_offset=0)  # type: ignore[list-item]


def _named(name: str) -> ast.Name:
    """A name with a place, as the compiler asks for: giving one to every node that has none takes as long again."""
    return ast.Name(name, ast.Load(), lineno=1, col_offset=0)


def interpret(source: str, name: str) -> Callable[..., Any]:
    """The function of that name in a source generated from a checked formula."""
    numbers = _NumpyNumbers()
    tree = numbers.visit(ast.parse(source))
    scope = SCOPE | numbers.literals
    exec(compile(tree, "<formula>", "exec"), scope)
    function: Callable[..., Any] = scope[name]
    return function

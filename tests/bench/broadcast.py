"""The rival: the same metrics, from the same definitions, as NumPy broadcasting."""

import ast
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from kernels.language import Formula
from sweep.plan import Plan
from sweep.space import Space

COMPARE = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}
FUNCTIONS = {
    **{name: getattr(operator, name) for name in COMPARE.values()},
    "minimum": np.minimum,
    "maximum": np.maximum,
    "ceil": np.ceil,
    "floor": np.floor,
    "sqrt": np.sqrt,
    "log": np.log,
    "log2": np.log2,
    "exp": np.exp,
    "power": lambda a, b: np.asarray(a, np.float64) ** b,
    "where": np.where,
    "float": np.float64,
    "both": np.logical_and,
    "either": np.logical_or,
    "no": np.logical_not,
}


def emit(node: ast.expr, words: dict[str, tuple[str, ...]]) -> str:
    """An expression of the metric language for whole arrays."""

    def of(child: ast.expr) -> str:
        return emit(child, words)

    match node:
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return f"power({of(left)}, {of(right)})"
        case ast.BinOp(left=left, op=op, right=right):
            sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"}[type(op)]
            return f"({of(left)} {sign} {of(right)})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return f"where({of(test)}, {of(body)}, {of(orelse)})"
        case ast.BoolOp(op=op, values=values):
            text = of(values[0])
            for value in values[1:]:
                text = f"{'both' if isinstance(op, ast.And) else 'either'}({text}, {of(value)})"
            return text
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"no({of(operand)})"
        case ast.UnaryOp(operand=operand):
            return f"(-{of(operand)})"
        case ast.Compare(left=ast.Name(id=name), comparators=[ast.Constant(value=str() as word)], ops=[op]):
            return f"({name} {'==' if isinstance(op, ast.Eq) else '!='} {words[name].index(word)})"
        case ast.Compare(left=left, comparators=[right], ops=[op]):
            return f"{COMPARE[type(op)]}({of(left)}, {of(right)})"
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=[first, *rest]):
            text = of(first)
            for argument in rest:
                text = f"{'minimum' if name == 'min' else 'maximum'}({text}, {of(argument)})"
            return text
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return f"{name}({of(argument)})"
        case _:
            return ast.unparse(node)


def function(formula: Formula, words: dict[str, tuple[str, ...]], functions: dict[str, Any] = FUNCTIONS) -> Any:
    """A formula as a function of arrays, or of whatever these functions take."""
    lines = [f"    {name} = {emit(value, words)}" for name, value in formula.steps]
    body = "\n".join([*lines, f"    return {emit(formula.result, words)}"])
    scope: dict[str, Any] = dict(functions)
    exec(f"def value({', '.join(formula.parameters)}):\n{body}", scope)
    return scope["value"]


def evaluate(space: Space, columns: Iterable[str], part: slice, *, factored: bool) -> dict[str, Any]:
    """Columns over the space with its first axis cut to a part, each as broad as it needs to be.

    factored keeps every value to the axes it depends on, as an expert would; otherwise every axis is spread over the
    whole product first, as a meshgrid does.
    """
    plan = Plan(space, columns)  # its formulas: what a spec decides is decided, as whoever writes this by hand would
    nodes, leaves = plan.nodes, plan.leaves
    shape = [len(axis) for axis in space.axes]
    shape[0] = len(range(*part.indices(shape[0])))
    values: dict[str, Any] = {leaf: space.fixed[leaf] for leaf in leaves if leaf in space.fixed}
    for k, axis in enumerate(space.axes):
        for name, column in axis.sets.items():
            cut = column[part] if k == 0 else column
            spread = cut.reshape([-1 if j == k else 1 for j in range(len(shape))])
            values[name] = spread if factored else np.broadcast_to(spread, shape).reshape(-1)
    with np.errstate(all="ignore"):
        for node in nodes:
            values[node.name] = function(node.formula, space.graph.words)(*(values[p] for p in node.formula.parameters))
    return {name: values[name] for name in columns}


def materialised(space: Space, found: dict[str, Any], part: slice) -> dict[str, Any]:
    """Every column spread over all designs, as a table needs it."""
    shape = [len(axis) for axis in space.axes]
    shape[0] = len(range(*part.indices(shape[0])))
    return {
        name: np.ascontiguousarray(np.broadcast_to(value, shape) if np.ndim(value) != 1 else value).reshape(-1)
        for name, value in found.items()
    }

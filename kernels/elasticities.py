"""Elasticities along the graph: d ln(value) / d ln(input), as metrics like any other.

``elasticity_of_<value>_to_<input>`` is how many per cent a value moves when an input rises by one per cent. Between the
two stands a chain of slopes, one for each value that the input moves, taken along ln(input): forward, so that slopes
by the same input are shared by everything that follows from it, and each varies along no more axes than its value does.

Inputs that follow from others by a formula carry the movement on; what is given stands still. The elasticity to a value
that has a formula of its own holds everything else, what that formula reads too.
"""

import ast
import difflib
import re
from collections.abc import Collection, Iterable

from kernels.derivatives import derivative
from kernels.graph import Graph, GraphError, Input, Metric, near
from kernels.language import Formula
from kernels.quantiles import quantile_of

PREFIX = "elasticity_of_"
BETWEEN = "_to_"
SOURCE = "chain rule over the formulas between the two"
NAME = re.compile(rf"\b{PREFIX}\w+")


def asked(texts: Iterable[str]) -> list[str]:
    """The names in these texts that ask for an elasticity, each once."""
    return list(dict.fromkeys(name for text in texts for name in NAME.findall(text)))


def placeholders(names: Iterable[str]) -> list[Input]:
    """Inputs that stand for elasticities until it is known what is given, and so what moves."""
    return [Input(name, "", "float", "an elasticity", float("-inf")) for name in names]


def split(graph: Graph, name: str) -> tuple[str, str]:
    """The value and the input that the name of an elasticity means.

    GraphError for what is no name of the graph, is no number, or can be read in two ways.
    """
    parts = name.removeprefix(PREFIX).split(BETWEEN)
    pairs = [(BETWEEN.join(parts[:k]), BETWEEN.join(parts[k:])) for k in range(1, len(parts))]
    if not pairs:
        raise GraphError(f"an elasticity is named {PREFIX}<metric>{BETWEEN}<input>")
    found = [pair for pair in pairs if pair[0] in graph and pair[1] in graph]
    if len(found) > 1:
        told = " or ".join(f"of {value} to {by}" for value, by in found)
        raise GraphError(f"it can be read as {told}")
    if not found:
        raise GraphError(_unknown(graph, pairs))
    value, by = found[0]
    for part in found[0]:
        if graph.kinds[part] in ("word", "bool"):
            what = "takes words" if graph.kinds[part] == "word" else "is yes or no"
            raise GraphError(f"{part} {what}, and an elasticity is between numbers")
    return value, by


def _unknown(graph: Graph, pairs: list[tuple[str, str]]) -> str:
    """What is wrong with a name that no split makes sense of: told of the split that is closest to one."""
    known = [*graph.metrics, *graph.inputs]

    def likeness(pair: tuple[str, str]) -> float:
        return sum(1.0 if part in graph else _ratio(part, known) for part in pair)

    parts = max(pairs, key=likeness)
    return " and ".join(f"{p} is neither a metric nor an input{near(p, known)}" for p in parts if p not in graph)


def _ratio(name: str, known: list[str]) -> float:
    close = difflib.get_close_matches(name, known, 1)
    return difflib.SequenceMatcher(None, name, close[0]).ratio() if close else 0.0


def extended(graph: Graph, names: Iterable[str], given: Collection[str]) -> Graph:
    """The graph with these elasticities in it, and the slopes between; given are the names that stand as they are.

    GraphError as chain.
    """
    return joined(graph, [metric for name in names for metric in chain(graph, name, given)])


def joined(graph: Graph, metrics: Iterable[Metric]) -> Graph:
    """The graph with the metrics of some chains in it, in place of what held places for them."""
    added = {metric.name: metric for metric in metrics if metric.name not in graph.metrics}
    if not added:
        return graph
    inputs = [declared for declared in graph.inputs.values() if declared.name not in added]
    return Graph(inputs, [*graph.metrics.values(), *added.values()])


def chain(graph: Graph, name: str, given: Collection[str]) -> list[Metric]:
    """The slopes between the two that an elasticity is named after, each after what it reads, and the elasticity.

    GraphError as split, and for a value that is a quantile over draws, which has no formula to follow.
    """
    value, by = split(graph, name)
    found: list[Metric] = []
    slopes: dict[str, ast.expr] = {by: _name(by)}
    nodes, leaves = graph.resolve([value], {*given, by})
    if within := [leaf for leaf in leaves if leaf.startswith(PREFIX) and leaf not in given]:
        raise GraphError(f"{value} reads {within[0]}, and the elasticity of an elasticity is not taken")
    for node in nodes:
        moved = {p: slopes[p] for p in node.formula.parameters if p in slopes}
        if not moved or node.kind == "bool":
            continue
        if quantile_of(node.formula):
            raise GraphError(f"{node.name} is a quantile over draws of the law, which has no elasticity")
        slope = f"_slope_of_{node.name}{BETWEEN}{by}"
        formula = derivative(slope, node.formula, moved)
        if formula is not None:
            slopes[node.name] = _name(slope)
            found.append(
                Metric(slope, node.unit, f"derivative of {node.name}", f"how {node.name} moves with ln({by})", formula)
            )
    moves = slopes.get(value, ast.Constant(0.0))
    ratio = ast.BinOp(moves, ast.Div(), _name(value))
    nothing = ast.BinOp(_name(value), ast.Sub(), _name(value))  # 0, or nan where the value is no finite number
    parameters = tuple(dict.fromkeys([*([moves.id] if isinstance(moves, ast.Name) else []), value]))
    formula = Formula(name, parameters, (), ast.BinOp(ratio, ast.Add(), nothing))
    meaning = f"per cent that {value} moves when {by} rises by one per cent"
    return [*found, Metric(name, "", SOURCE, meaning, formula)]


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())

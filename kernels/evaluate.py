"""One design at a time, in plain Python: for explanations, for a spec's small questions, and as a second opinion."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from kernels.graph import Graph
from kernels.interpreter import interpret
from kernels.language import Formula, Kind, emit, unified

Number = int | float


@functools.lru_cache(maxsize=4096)
def _function(
    formula: Formula, kinds: tuple[tuple[str, Kind], ...], words: tuple[tuple[str, tuple[str, ...]], ...]
) -> Callable[..., Any]:
    known = dict(words)
    typed = unified(formula, dict(kinds), known)
    lines = [f"    {name} = {emit(value, {}, known)}" for name, value in typed.steps]
    source = "\n".join(
        [f"def value({', '.join(formula.parameters)}):", *lines, f"    return {emit(typed.result, {}, known)}"]
    )
    return interpret(source, "value")


def compute(graph: Graph, formula: Formula, kind: Kind, values: Mapping[str, Number]) -> Number:
    """The value of one formula, words as codes; the numbers numpy's, so that dividing by zero is inf, not an error."""
    kinds = tuple((p, graph.kinds[p]) for p in formula.parameters)
    words = tuple((p, graph.words[p]) for p in formula.parameters if p in graph.words)
    function = _function(formula, kinds, words)
    numbers = [np.float64(values[p]) if k == "float" else np.int64(values[p]) for p, k in kinds]
    with np.errstate(all="ignore"):
        result = function(*numbers)
        if kind == "float":
            return float(result)
        return int(result) if np.isfinite(result) else 0


def evaluate(graph: Graph, wanted: Iterable[str], given: Mapping[str, Number]) -> dict[str, Number]:
    """The wanted values and everything they took, for one design; words as codes.

    KeyError for an input that has no value; GraphError for a name that nothing declares.
    """
    nodes, leaves = graph.resolve(wanted, given)
    values: dict[str, Number] = {leaf: given[leaf] for leaf in leaves}
    for node in nodes:
        values[node.name] = compute(graph, node.formula, node.kind, values)
    return values

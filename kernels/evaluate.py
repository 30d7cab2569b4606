"""One design at a time, in plain Python: for explanations, for a spec's small questions, and as a second opinion."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from kernels import scalar
from kernels.graph import Graph
from kernels.language import Formula, Kind, emit

Number = int | float


@functools.lru_cache(maxsize=4096)
def _function(formula: Formula, words: tuple[tuple[str, tuple[str, ...]], ...]) -> Callable[..., Any]:
    known = dict(words)
    lines = [f"    {name} = {emit(value, {}, known)}" for name, value in formula.steps]
    source = "\n".join(
        [f"def value({', '.join(formula.parameters)}):", *lines, f"    return {emit(formula.result, {}, known)}"]
    )
    scope: dict[str, Any] = dict(scalar.FUNCTIONS)
    exec(compile(source, f"<{formula.name}>", "exec"), scope)
    function: Callable[..., Any] = scope["value"]
    return function


def compute(formula: Formula, kind: Kind, values: Mapping[str, Number], words: Mapping[str, tuple[str, ...]]) -> Number:
    """The value of one formula, words as codes; the numbers numpy's, so that dividing by zero is inf, not an error."""
    function = _function(formula, tuple((p, words[p]) for p in formula.parameters if p in words))
    numbers = [np.float64(v) if isinstance(v, float) else np.int64(v) for v in (values[p] for p in formula.parameters)]
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
        values[node.name] = compute(node.formula, node.kind, values, graph.words)
    return values

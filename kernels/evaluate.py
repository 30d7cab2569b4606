"""One design at a time, in plain Python: for explanations, for a spec's small questions, and as a second opinion."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from kernels.graph import Graph
from kernels.interpreter import interpret
from kernels.language import Formula, Kind, emit, unified

Number = int | float


Kinds = tuple[tuple[str, Kind], ...]  # of parameters, in their order
Words = tuple[tuple[str, tuple[str, ...]], ...]


@functools.lru_cache(maxsize=4096)
def _function(formula: Formula, kinds: Kinds, words: Words) -> Callable[..., Any]:
    known = dict(words)
    typed = unified(formula, dict(kinds), known)
    rename = {p: f"x{k}" for k, p in enumerate(formula.parameters)}  # as a loop does: a name may be a function's
    lines = []
    for k, (name, step) in enumerate(typed.steps):
        lines.append(f"    t{k} = {emit(step, rename, known)}")
        rename[name] = f"t{k}"
    arguments = ", ".join(f"x{k}" for k in range(len(formula.parameters)))
    source = "\n".join([f"def value({arguments}):", *lines, f"    return {emit(typed.result, rename, known)}"])
    return interpret(source, "value")


def types(graph: Graph, formula: Formula) -> tuple[Kinds, Words]:
    """The types of a formula's parameters, and the words of those that take words."""
    kinds = tuple((p, graph.kinds[p]) for p in formula.parameters)
    return kinds, tuple((p, graph.words[p]) for p in formula.parameters if p in graph.words)


def result(formula: Formula, kinds: Kinds, words: Words, values: Mapping[str, Number]) -> Any:
    """What a formula comes to before it is held as any type; numpy's numbers, so that dividing by zero is inf."""
    numbers = [np.float64(values[p]) if k == "float" else np.int64(values[p]) for p, k in kinds]
    with np.errstate(all="ignore"):
        return _function(formula, kinds, words)(*numbers)


def compute(graph: Graph, formula: Formula, kind: Kind, values: Mapping[str, Number]) -> Number:
    """The value of one formula, words as codes; 0 where a count comes to no number."""
    found = result(formula, *types(graph, formula), values)
    if kind == "float":
        return float(found)
    return int(found) if np.isfinite(found) else 0


def evaluate(graph: Graph, wanted: Iterable[str], given: Mapping[str, Number]) -> dict[str, Number]:
    """The wanted values and everything they took, for one design; words as codes.

    KeyError for an input that has no value; GraphError for a name that nothing declares.
    """
    nodes, leaves = graph.resolve(wanted, given)
    values: dict[str, Number] = {leaf: given[leaf] for leaf in leaves}
    for node in nodes:
        values[node.name] = compute(graph, node.formula, node.kind, values)
    return values

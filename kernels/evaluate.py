"""One design at a time, in plain Python: for explanations, for a spec's small questions, and as a second opinion."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

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


def _numbers(kinds: Kinds, values: Mapping[str, Number]) -> list[Any]:
    """The values of parameters as numpy's numbers."""
    return [np.float64(values[p]) if kind == "float" else np.int64(values[p]) for p, kind in kinds]


def _held(found: Any, kind: Kind) -> Number:
    """A result as a value of that type; 0 where a count comes to no number."""
    if kind == "float":
        return float(found)
    return int(found) if np.isfinite(found) else 0


def result(formula: Formula, kinds: Kinds, words: Words, values: Mapping[str, Number]) -> Any:
    """What a formula comes to before it is held as any type; numpy's numbers, so that dividing by zero is inf."""
    with np.errstate(all="ignore"):
        return _function(formula, kinds, words)(*_numbers(kinds, values))


def compute(graph: Graph, formula: Formula, kind: Kind, values: Mapping[str, Number]) -> Number:
    """The value of one formula, words as codes; 0 where a count comes to no number."""
    return _held(result(formula, *types(graph, formula), values), kind)


# of every graph, what computes each of its names and the types of its parameters: looked up a million times
_ready: WeakKeyDictionary[Graph, dict[str, tuple[Callable[..., Any], Kinds]]] = WeakKeyDictionary()


def evaluate(graph: Graph, wanted: Iterable[str], given: Mapping[str, Number]) -> dict[str, Number]:
    """The wanted values and everything they took, for one design; words as codes.

    KeyError for an input that has no value; GraphError for a name that nothing declares.
    """
    nodes, leaves = graph.resolve(wanted, given)
    values: dict[str, Number] = {leaf: given[leaf] for leaf in leaves}
    ready = _ready.setdefault(graph, {})
    with np.errstate(all="ignore"):
        for node in nodes:
            if node.name not in ready:
                kinds, words = types(graph, node.formula)
                ready[node.name] = _function(node.formula, kinds, words), kinds
            function, kinds = ready[node.name]
            values[node.name] = _held(function(*_numbers(kinds, values)), node.kind)
    return values

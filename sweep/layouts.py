"""Where the layout of training is from: assumed away, given, or searched for.

Whoever states a degree, a micro batch or a sharding stage means that layout; whoever states none has an assumed share
of the peak; a word of one's own for parallelism comes before both. Under ``parallelism = "best"`` whatever the search
decides gets a formula, a digit of ``train_layout``; designs that no layout fits are none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from kernels.graph import Graph
from kernels.language import Formula, from_text
from kernels.layouts import FOLLOWING, SEARCHED, chosen
from kernels.model import GRAPH
from sweep.catalogue import Value
from sweep.formulas import on_inputs
from sweep.space import Axis, Condition

WORD = "parallelism"
BATCH = "global_batch_size"
FITS = 'parallelism != "best" or train_layout == train_layout'
SHOWN = (*SEARCHED, "data_parallel")  # what a table says of the layouts that were found
LABEL = "some layout of training fits the GPUs"
NONE = "no layout of training fits these GPUs"


def default_of(name: str, default: Value, explicit: Collection[str]) -> Value:
    """The default of an input, which for parallelism follows from what else is stated."""
    return "given" if name == WORD and any(degree in explicit for degree in SHOWN) else default


def best_code(graph: Graph) -> int:
    """What stands for best in a cell of parallelism."""
    return graph.words[WORD].index("best")


def may_be_best(graph: Graph, axes: Iterable[Axis], fixed: Mapping[str, int | float]) -> bool:
    """Whether some design of these axes and fixed inputs asks for the fastest layout."""
    code = best_code(graph)
    along = [axis.sets[WORD] for axis in axes if WORD in axis.sets]
    return any(bool((values == code).any()) for values in along) or (not along and fixed.get(WORD) == code)


def refusal(name: str) -> str:
    """Why a degree cannot be given where a search decides it."""
    bound = f", or bound what is tried by most_{name}" if name in SEARCHED else ""
    return f'{WORD} = "best" decides {name}: leave it out{bound}'


def refused(names: Collection[str]) -> list[str]:
    """The names among these that a search decides."""
    return [name for name in (*SEARCHED, *FOLLOWING) if name in names]


def with_layouts(graph: Graph, fixed: dict[str, Any], batch_is_given: bool) -> Graph:
    """The graph in which a search decides the degrees, whose defaults are taken out of fixed.

    GraphError when an input that the search starts from follows from what it decides.
    """
    formulas: dict[str, Formula] = {}
    for name, text in chosen().items():
        default = fixed.pop(name)
        formulas[name] = from_text(name, f'({text}) if {WORD} == "best" else {default!r}')
    if batch_is_given:
        formulas["batch_sequences"] = from_text("batch_sequences", BATCH)
        if graph.formula(BATCH) == GRAPH.formula(BATCH):  # a default that nobody reads, but a graph has no cycles
            formulas[BATCH] = from_text(BATCH, "max(1, train_batch_tokens // sequence_length)")
    return graph.extended((), formulas)


def searches(graph: Graph) -> bool:
    """Whether the degrees of a graph follow from a search of layouts."""
    formula = graph.formula(SEARCHED[0])
    return formula is not None and "train_layout" in formula.parameters


def condition(graph: Graph) -> Condition:
    """What holds of the designs that a layout was found for."""
    formula = from_text("layout", FITS)
    return Condition(LABEL, FITS, formula, on_inputs(graph, formula), True)

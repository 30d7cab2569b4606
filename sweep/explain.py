"""How a design's numbers come about: every formula with the numbers in place, and the source of each."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from kernels.evaluate import evaluate
from kernels.graph import Graph
from kernels.language import Formula
from kernels.quantiles import SOURCE, quantile_of
from kernels.specialise import Specialised
from sweep import catalogue
from sweep.designs import check_id, places
from sweep.evaluator import whole
from sweep.space import Space

Number = int | float


@dataclass(frozen=True)
class Line:
    """One value of a design: a formula and its numbers for what is computed, '' for what is given."""

    name: str
    value: str
    unit: str
    formula: str
    numbers: str
    source: str


def explain(space: Space, design_id: int, metrics: Iterable[str]) -> list[Line]:
    """How these metrics of a design come about, inputs first, each value after what it depends on.

    Formulas are shown with the branches that this design takes, and only what these read.

    SpecError when the space has no such design; GraphError for a metric that nothing declares.
    """
    return list(_lines(space, *given_to(space, design_id), list(metrics)))


def given_to(space: Space, design_id: int) -> tuple[dict[str, Number], dict[str, str]]:
    """What a design is given, words as codes, and for what axes and records decide, which. SpecError for no design."""
    import numpy as np

    check_id(space, design_id)
    given: dict[str, Number] = dict(space.fixed)
    told: dict[str, str] = {}
    for axis, place in zip(space.axes, places(space, np.array([design_id])), strict=True):
        label = axis.labels[int(place[0])]
        for name, values in axis.sets.items():
            given[name] = values[place[0]].item()
            told[name] = "the axis" if name == axis.name else f"{axis.name} {label}"
    for kind, record in space.chosen.items():
        for name in catalogue.KINDS[kind].sets:
            if name in given:
                told.setdefault(name, f"{kind} {record}")
    return given, told


def _lines(space: Space, given: Mapping[str, Number], told: Mapping[str, str], wanted: list[str]) -> Iterator[Line]:
    graph = space.graph
    given = dict(given)
    for node in graph.resolve(wanted, given)[0]:
        if quantile_of(node.formula):  # takes the plan of a space, of one design here
            given[node.name] = whole(replace(space, axes=(), fixed=given, conditions=()), node.name)[0].item()
    nodes, leaves = Specialised(graph, given, given).resolve(wanted)
    values = evaluate(graph, [*wanted, *(node.name for node in nodes)], given)
    for name in leaves:
        if name in graph.metrics and quantile_of(graph.metrics[name].formula):
            formula = graph.metrics[name].formula
            yield Line(name, shown(graph, name, values[name]), graph.unit(name), formula.text, "", SOURCE)
            continue
        yield Line(name, shown(graph, name, values[name]), graph.unit(name), "", "", origin(space, name, told))
    for node in nodes:
        yield Line(
            node.name,
            shown(graph, node.name, values[node.name]),
            node.unit,
            node.formula.text,
            with_numbers(graph, node.formula, values),
            node.source,
        )


def origin(space: Space, name: str, told: Mapping[str, str]) -> str:
    """Where a given value is from: the record and its source, the spec, or the default and its source."""
    if name in told:
        kind, _, record = told[name].partition(" ")
        if record in (catalogue.records(kind) if kind in catalogue.KINDS else {}):
            how = "default " if kind in space.stated else ""
            return f"{how}{told[name]}: {catalogue.records(kind)[record].source}"
        return told[name]
    if name in space.stated:
        default = catalogue.defaults()[name]
        return f"default ({default.confidence}): {default.source}"
    return "the spec"


def shown(graph: Graph, name: str, value: Number) -> str:
    """A value as a person reads it: words as words, counts in full, other numbers to six digits."""
    if name in graph.words:
        return graph.words[name][int(value)]
    if graph.kinds[name] == "bool":
        return "1" if value else "0"
    if isinstance(value, int):
        return f"{value:,}"
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.6g}"


def with_numbers(graph: Graph, formula: Formula, values: Mapping[str, Number]) -> str:
    """The formula with its parameters replaced by their values."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            if node.id not in formula.parameters:
                return node
            text = shown(graph, node.id, values[node.id])
            return ast.Constant(text) if node.id in graph.words else ast.Name(text.replace(",", "_"), ast.Load())

    lines = []
    for name, value in formula.steps:
        lines.append(f"{name} = {ast.unparse(Fill().visit(ast.parse(ast.unparse(value), mode='eval').body))}")
    lines.append(ast.unparse(Fill().visit(ast.parse(ast.unparse(formula.result), mode="eval").body)))
    return "\n".join(lines)


SUM = (
    ("loss_before_corrections_nats", "the law as printed"),
    ("repetition_penalty_nats", "tokens seen again"),
    ("train_precision_penalty_nats", "training in few bits"),
    ("moe_gain_nats", "experts that the law does not see"),
    ("shape_penalty_nats", "width and depth"),
    ("vocabulary_penalty_nats", "vocabulary"),
)


def loss_sum(space: Space, design_id: int) -> list[tuple[str, float, str]]:
    """The predicted loss of a design as a sum: columns, values and what each is for, the total last."""
    parts = (*SUM, ("loss_nats", "predicted loss, as trained"))
    values = evaluate(space.graph, [name for name, _ in parts], given_to(space, design_id)[0])
    return [(name, float(values[name]), what) for name, what in parts]

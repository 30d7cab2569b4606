"""What would move a number most: the elasticity of a metric of one design to every number it follows from.

Slopes are those of kernels.derivatives, accumulated from the metric back to the inputs, so that one pass serves all
inputs. Beside them stands what raising an input by a tenth does, evaluated anew with every step on the way.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kernels.consistency import RULES
from kernels.derivatives import partial
from kernels.elasticities import BETWEEN, PREFIX, extended
from kernels.evaluate import compute, evaluate
from kernels.graph import Graph, Node, near
from kernels.quantiles import quantile_of
from sweep.errors import Problem, SpecError
from sweep.explain import given_to, origin
from sweep.space import Space

if TYPE_CHECKING:
    import polars as pl

Number = int | float

RAISED = 1.1
SAID = "_said_"  # an input as some records name it, where the others leave it to its formula


@dataclass(frozen=True)
class Sensitivity:
    """How a metric of a design answers to an input: its elasticity, and what raising the input does.

    raised is the input a tenth higher, where it is a count the nearest count and one more at least. change is the
    relative change of the metric then, 0.1 for a tenth more; None where the input takes no such value or the design
    would contradict itself, nan where the metric is no number.
    """

    input: str
    value: Number
    unit: str
    elasticity: float
    raised: Number
    change: float | None
    source: str
    meaning: str


@dataclass(frozen=True)
class Sensitivities:
    """A metric of a design and every number it follows from, the one that moves it most first."""

    metric: str
    value: Number
    unit: str
    inputs: tuple[Sensitivity, ...]


def sensitivities(space: Space, design_id: int, metric: str) -> Sensitivities:
    """Every number that a metric of a design follows from, the one that moves it most first.

    Inputs are what the design is given; those that follow from others by a formula carry the movement on.
    SpecError for a metric that nothing declares, that is no number, or that takes all draws of a law.
    """
    graph = space.graph
    given, told = given_to(space, design_id)
    nodes, leaves = graph.resolve(_checked(graph, metric), given)
    if any(quantile_of(node.formula) for node in nodes):
        problem = Problem(metric, "", "is a quantile over draws of the law, which has no slopes")
        raise SpecError("--sensitivity", [problem])
    values = evaluate(graph, [metric], given)
    slopes = gradient(graph, nodes, metric, values)
    found = []
    for leaf in leaves:
        if graph.kinds[leaf] not in ("int", "float"):
            continue
        name = leaf.removeprefix(SAID)
        raised = _raised(given[leaf], graph.kinds[leaf] == "int")
        slope = slopes.get(leaf, 0.0)
        moved = slope * given[leaf] if slope != 0.0 else 0.0  # what is not read may be no number
        elasticity = _ratio(moved, values[metric])
        if math.isnan(slope) and math.isfinite(values[metric]):
            elasticity = _forward(graph, metric, leaf, given)
        found.append(
            Sensitivity(
                name,
                given[leaf],
                graph.unit(name),
                elasticity,
                raised,
                _change(graph, metric, values[metric], {**given, leaf: raised}, name),
                origin(space, name, told),
                (graph.metrics.get(name) or graph.inputs[name]).meaning,
            )
        )
    return Sensitivities(metric, values[metric], graph.unit(metric), tuple(sorted(found, key=_most)))


def told(found: Sensitivities, everything: bool) -> Iterator[str]:
    """Sensitivities as lines for a reader; those that move nothing are only counted, unless everything is shown."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    still = [s for s in found.inputs if s.elasticity == 0.0 and s.change == 0.0 and not everything]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in ("input", "value", "unit", "elasticity", "raised to", "which moves it by", "from"):
        table.add_column(title, justify="left" if title in ("input", "unit", "from") else "right", no_wrap=True)
    for s in found.inputs:
        if s not in still:
            source = s.source.partition(": ")[0]
            table.add_row(
                s.input, _figure(s.value), s.unit, _signed(s.elasticity), _figure(s.raised), _moved(s.change), source
            )
    stream = io.StringIO()
    Console(file=stream, width=200, color_system=None).print(table)
    if len(still) < len(found.inputs):
        yield from (line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n"))
    if still:
        yield f"{len(still)} inputs move nothing here; --all shows them"
    yield "elasticity: per cent it moves when the input rises by one per cent, counts as real numbers, roundings flat"


def _figure(value: Number) -> str:
    """Up to six significant digits; counts that are not too long in full."""
    return f"{value:,}" if isinstance(value, int) and value < 1e7 else f"{value:.6g}"


def _signed(value: float) -> str:
    if math.isnan(value) or value == 0.0:
        return "0" if value == 0.0 else "?"
    return f"{value:+.4f}" if abs(value) >= 5e-5 else f"{value:+.1e}"


def _moved(change: float | None) -> str:
    if change is None:
        return "no design"
    return "?" if math.isnan(change) else "0" if change == 0.0 else f"{100.0 * change:+.3g} %"


def frame(found: Iterable[Sensitivity]) -> pl.DataFrame:
    """Sensitivities as a frame, a row an input."""
    import polars as pl

    types = {"input": pl.String, "value": pl.Float64, "unit": pl.String, "elasticity": pl.Float64,
             "raised": pl.Float64, "change": pl.Float64, "source": pl.String, "meaning": pl.String}  # fmt: skip
    return pl.DataFrame([asdict(s) for s in found], schema=types, orient="row")


def gradient(graph: Graph, nodes: list[Node], metric: str, values: Mapping[str, Number]) -> dict[str, float]:
    """The slope of a metric by every value before it that moves it, from the values of one design."""
    slopes = {metric: 1.0}
    for node in reversed(nodes):
        above = slopes.get(node.name, 0.0)
        if above == 0.0 or node.kind == "bool":
            continue
        for parameter in node.formula.parameters:
            # what is no number, and leaves the result one, was not read
            if graph.kinds[parameter] not in ("int", "float") or math.isnan(values[parameter]):
                continue
            slope = float(compute(graph, partial(node.formula, parameter), "float", values))
            if slope != 0.0:
                slopes[parameter] = slopes.get(parameter, 0.0) + above * slope
    return slopes


def _forward(graph: Graph, metric: str, leaf: str, given: Mapping[str, Number]) -> float:
    """An elasticity from the input on: the slope by one argument of a search is not known where that is 0, but that of
    the search along all of them may be.
    """
    name = f"{PREFIX}{metric}{BETWEEN}{leaf}"
    return float(evaluate(extended(graph, [name], given), [name], given)[name])


def _checked(graph: Graph, metric: str) -> list[str]:
    if metric not in graph:
        known = [*graph.metrics, *graph.inputs]
        raise SpecError("--sensitivity", [Problem(metric, "", f"not known{near(metric, known)}")])
    if graph.kinds[metric] not in ("int", "float"):
        raise SpecError("--sensitivity", [Problem(metric, "", "is no number")])
    return [metric]


def _ratio(moved: float, value: Number) -> float:
    """A movement over a value, nan where that is 0 or no finite number."""
    return moved / value if value and math.isfinite(value) else math.nan


def _raised(value: Number, is_whole: bool) -> Number:
    return max(round(value * RAISED), int(value) + 1) if is_whole and value > 0 else value * RAISED


def _change(graph: Graph, metric: str, before: Number, given: Mapping[str, Number], name: str) -> float | None:
    """What a metric is multiplied with, less 1, when a design is given this instead."""
    declared = graph.inputs.get(name)
    value = given.get(name, 0.0)
    if declared is not None and not math.isnan(value) and value > declared.high:
        return None
    values = evaluate(graph, [metric, *(p for rule in RULES for p in rule.formula.parameters)], given)
    if not all(compute(graph, rule.formula, "bool", values) for rule in RULES):
        return None
    after = float(values[metric])
    if after == before:
        return 0.0
    return after / before - 1.0 if before else math.nan


def _most(found: Sensitivity) -> tuple[bool, float, float, str]:
    """What moves a metric most comes first; what cannot be told comes after what can."""
    unknown = math.isnan(found.elasticity)
    return unknown, 0.0 if unknown else -abs(found.elasticity), -abs(found.change or 0.0), found.input

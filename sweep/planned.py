"""How a space would be computed: the walk and its blocks, what is computed how often, and how fast that is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from textwrap import wrap
from typing import Any

import numpy as np

from sweep.columns import wanted
from sweep.execute import Evaluator, Worker
from sweep.parts import designs_before
from sweep.plan import Plan, Value
from sweep.progress import short
from sweep.question import Finding
from sweep.removals import LARGEST_COUNT, Loss, loss_table, losses_of, tally
from sweep.space import Space
from sweep.thinning import LARGEST_SCAN, SHORTEST_THOUGHT, is_walked, thinned

MEASURED_SECONDS = 0.4
PLACES = 64  # from which blocks are measured, evenly over the walk
MEASURED_POINTS = 1 << 20  # at each
MOST_NAMED = 12  # records that are named as out of the question
MOST_COLUMNS = 3  # that are named
WIDTH = 116


@dataclass(frozen=True)
class PlannedAxis:
    """An axis of the walk: values that are walked, of how many written, and how many a block holds."""

    name: str
    values: int
    written: int
    in_block: int

    @property
    def how(self) -> str:
        """How blocks are cut along it."""
        if self.in_block == self.values:
            return "whole"
        return "one at a time" if self.in_block == 1 else f"in slices of {self.in_block:,}"


@dataclass(frozen=True)
class PlannedValue:
    """Something that is computed: along which axes it varies, over how many cells and how often.

    within are the axes that the cells lie along. A table is computed once over the whole of its axes; anything else
    over its part of a block, again whenever a block moves along one of the axes that level names. nanoseconds are those
    of a whole walk, as the planner expects them, nan for a table.
    """

    name: str
    axes: tuple[str, ...]
    within: tuple[str, ...]
    cells: int
    times: int
    level: tuple[str, ...]
    is_table: bool
    nanoseconds: float


@dataclass(frozen=True)
class Planned:
    """How a space would be computed, for these columns.

    visited are the designs left by conditions on one axis alone, idle the axes that nothing asked for depends on.
    Rates are nanoseconds a design on one core: as the planner expects them of compiled loops, tables and picking what
    meets the conditions left aside, and as measured here on some of the blocks; None where there is none. losses are
    counted on all designs or, where counted is less, estimated from that many. would_reason says whether a frontier
    would be reasoned about rather than walked, as any space of up to largest_walk is. findings are None where nobody
    asked.
    """

    name: str
    columns: tuple[str, ...]
    designs: int
    visited: int
    axes: tuple[PlannedAxis, ...]
    idle: tuple[str, ...]
    block_points: int
    blocks: int
    values: tuple[PlannedValue, ...]
    predicted_ns: float | None
    measured_ns: float | None
    measured_designs: int
    counted: int
    left: int
    losses: tuple[Loss, ...]
    objectives: tuple[str, ...]
    largest_walk: int
    would_reason: bool
    findings: tuple[Finding, ...] | None

    def table(self) -> dict[str, Any]:
        """Everything, for JSON."""
        found = asdict(self)
        for value in found["values"]:
            if value["is_table"]:
                del value["nanoseconds"]
        return found

    def lines(self) -> list[str]:
        """For the terminal."""
        return [*self._walk(), *self._values(), *self._speed(), *self._conditions(), *self._frontier()]

    def _walk(self) -> Iterator[str]:
        left = f", {self.visited:,} left by conditions on one axis alone" if self.visited < self.designs else ""
        asked = ", ".join(self.columns) if len(self.columns) <= MOST_COLUMNS else f"{len(self.columns)} columns"
        yield f"{self.name}: {self.designs:,} designs{left}, asked for {asked}"
        yield ""
        if not self.visited:
            gone = ", ".join(axis.name for axis in self.axes if not axis.values)
            yield f"nothing to compute: conditions on one axis alone leave no value of {gone}"
            return
        yield f"walk, the outermost axis first: {_counted(self.blocks, 'block')} of {self.block_points:,} designs"
        rows = [("axis", "values", "in a block")]
        for axis in self.axes:
            written = f" of {axis.written:,}" if axis.values < axis.written else ""
            rows.append((axis.name, f"{axis.values:,}{written}", axis.how))
        wide, middle = (max(len(row[k]) for row in rows) for k in range(2))
        yield from (f"  {name:<{wide}}  {values:>{middle}}  {how}" for name, values, how in rows)
        if self.idle:
            yield f"nothing that is asked for depends on {', '.join(self.idle)}"

    def _values(self) -> Iterator[str]:
        tables = [value for value in self.values if value.is_table]
        others = [value for value in self.values if not value.is_table]
        if not self.visited:
            return
        yield ""
        yield f"computed once, as tables: {_counted(len(tables), 'value')}"
        for (axes, cells), group in _grouped(tables, lambda v: (v.axes, v.cells)):
            along = " x ".join(axes) or "the same in every design"
            yield f"  {along}: {_counted(cells, 'cell')}"
            yield from _named(group)
        yield f"computed in blocks: {_counted(len(others), 'value')}"
        for (level, within, cells, times), group in _grouped(others, lambda v: (v.level, v.within, v.cells, v.times)):
            expected = sum(value.nanoseconds for value in group) / max(1, self.visited)
            when = f"for every {' x '.join(level)}, {_counted(times, 'time')}" if level else "once"
            along = f" of {' x '.join(within)}" if within else ""
            yield f"  {when}, {expected:.2g} ns a design"
            yield f"    {_counted(cells, 'cell')}{along}"
            yield from _named(group)

    def _speed(self) -> Iterator[str]:
        if self.measured_ns is None:
            return
        yield ""
        yield "speed on one core"
        if self.predicted_ns is not None:
            yield f"  predicted  {_rate(self.predicted_ns)}, by the planner's costs, of computing values alone"
        else:
            yield "  predicted  not at all: so few designs are visited over arrays, without compiled code"
        yield f"  measured   {_rate(self.measured_ns)}, here and now, on {self.measured_designs:,} of them"

    def _conditions(self) -> Iterator[str]:
        yield ""
        if not self.losses:
            yield "conditions: none"
            return
        exact = self.counted == self.designs
        if exact:
            yield f"conditions: {self.left:,} of {self.designs:,} designs meet all"
        else:
            share = f"by a sample of {short(self.counted)}"
            yield f"conditions: about {short(self.left)} of {self.designs:,} designs meet all, {share}"
        yield from (f"  {line}" for line in loss_table(self.losses, exact))

    def _frontier(self) -> Iterator[str]:
        yield ""
        than = "more" if self.would_reason else "no more"
        does = "reasons about this space" if self.would_reason else "walks this space"
        limit = f"{than} than {self.largest_walk:,}"
        if self.visited > self.largest_walk and self.predicted_ns is not None:
            walk = self.visited * self.predicted_ns / 1e9
            limit = f"expected to take {walk:.3g} s to walk, {than} than {SHORTEST_THOUGHT:g} s"
        yield f"sweep frontier {does}: {self.visited:,} designs, {limit}"
        if self.findings is None:
            if self.would_reason and not self.objectives:
                yield "  what it leaves out depends on the objectives: --minimize, --maximize"
            return
        yield f"  reasoning, by {', '.join(self.objectives)}:"
        if not self.findings:
            yield "  no choice along an axis is certain not to matter"
        yield from (f"  {line}" for finding in self.findings for line in finding_lines(finding))


def planned(
    space: Space, reason: bool = False, largest: int = LARGEST_COUNT, seconds: float = MEASURED_SECONDS
) -> Planned:
    """How a space would be computed for its objectives, or for the columns of a run where it has none.

    With reason, and for a space that a frontier reasons about, what reasoning about the objectives leaves out is found.
    At most that many points are walked to count what conditions remove, that many seconds spent on measuring.
    """
    objectives = (*space.minimize, *space.maximize)
    plan = Plan(space, objectives or wanted(space))
    measured, visited = _measured(plan, seconds) if plan.points else (None, 0)
    found = tally(space, largest)
    would_reason = not is_walked(plan)
    asked = objectives and plan.points and (reason or would_reason)
    return Planned(
        name=space.name,
        columns=plan.columns,
        designs=space.size,
        visited=plan.points,
        axes=tuple(
            PlannedAxis(axis.name, len(axis), axis.length, extent)
            for axis, extent in zip(plan.axes, plan.box.extents, strict=True)
        ),
        idle=tuple(
            axis.name
            for k, axis in enumerate(plan.axes)
            if not any(k in value.axes for name, value in plan.values.items() if not name.startswith("#"))
        ),
        block_points=plan.box.points,
        blocks=plan.box.blocks,
        values=tuple(_planned(plan, value) for value in plan.values.values() if value.node is not None),
        predicted_ns=None if plan.over_arrays else plan.nanoseconds_a_design,
        measured_ns=measured,
        measured_designs=visited,
        counted=found.counted,
        left=found.of_all(found.left),
        losses=tuple(losses_of(found)),
        objectives=objectives,
        largest_walk=LARGEST_SCAN,
        would_reason=would_reason,
        findings=thinned(space).findings if asked else None,
    )


def finding_lines(finding: Finding) -> Iterator[str]:
    """What reasoning found out about some axes, for the terminal."""
    axes = " x ".join(finding.axes)
    yield f"{finding.left:,} of {finding.choices:,} choices of {axes} are left; no other can matter"
    for name, gone in finding.gone.items():
        if gone and len(gone) <= MOST_NAMED:
            yield f"  no {name} among {', '.join(map(str, gone))}"


def _planned(plan: Plan, value: Value) -> PlannedValue:
    """A value, with the axes that blocks move along up to the innermost that it depends on."""
    names = [axis.name for axis in plan.axes]
    moving = [k for k in range(len(names)) if plan.box.counts[k] > 1]
    inner = max((k for k in value.axes if k in moving), default=-1)
    held = plan.box.sizes if value.is_table else plan.box.extents
    cells = 1
    for axis in value.axes:
        cells *= held[axis]
    return PlannedValue(
        _called(plan, value.name),
        tuple(names[k] for k in value.axes),
        tuple(names[k] for k in value.axes if held[k] > 1),
        cells,
        1 if value.is_table else plan.times(value.name),
        () if value.is_table else tuple(names[k] for k in moving if k <= inner),
        value.is_table,
        float("nan") if value.is_table else plan.nanoseconds(value.name),
    )


def _called(plan: Plan, name: str) -> str:
    """A value by the name a reader knows."""
    if name.startswith("_where_"):
        return f'"{plan.space.conditions[int(name.removeprefix("_where_"))].label}"'
    return {"_keep": "all conditions together", "_keep_inputs": "conditions on inputs together"}.get(name, name)


def _measured(plan: Plan, seconds: float) -> tuple[float, int]:
    """Nanoseconds a design on this thread, and how many designs that is from: runs of blocks from all over the walk."""
    evaluator = Evaluator(plan)
    worker = Worker(evaluator)
    blocks = plan.box.blocks
    length = max(1, min(MEASURED_POINTS // max(1, plan.box.points), -(-blocks // PLACES)))
    starts = sorted({k * blocks // PLACES for k in range(PLACES)})
    order = sorted(range(len(starts)), key=lambda k: int(f"{k:06b}"[::-1], 2))  # far apart first
    visited, spent = 0, 0.0
    with np.errstate(all="ignore"):
        worker.count(range(1))  # the first call loads what was compiled
        for k in order:
            run = range(starts[k], min(starts[k] + length, (*starts[1:], blocks)[k]))
            began = time.perf_counter()
            worker.count(run)
            spent += time.perf_counter() - began
            visited += designs_before(plan, run.stop) - designs_before(plan, run.start)
            if spent > seconds:
                break
    return 1e9 * spent / visited, visited


def _grouped(values: Iterable[PlannedValue], key: Any) -> Iterator[tuple[Any, list[PlannedValue]]]:
    """Values that are computed alike, the fewest cells first."""
    ordered = sorted(values, key=lambda v: (v.times, v.cells, key(v)))
    for at, group in groupby(ordered, key):
        yield at, list(group)


def _named(values: Sequence[PlannedValue]) -> list[str]:
    names = ", ".join(value.name for value in values)
    return wrap(names, WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=False)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _rate(nanoseconds: float) -> str:
    return f"{nanoseconds:.3g} ns a design, {short(1e9 / nanoseconds)} designs/s"

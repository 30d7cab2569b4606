"""What a run would be, without one: counts that are exact, and estimates measured on samples of the space."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from textwrap import wrap

from sweep.columns import Column
from sweep.execute import WALKED_POINTS, Evaluator, Rows, Worker, chunks, cores, each
from sweep.growth import Walk
from sweep.parts import Layout, designs_before, encode
from sweep.plan import Plan
from sweep.progress import short
from sweep.run import memory_bound, prepare
from sweep.space import Condition, Space

COUNTED_POINTS = 2_000_000_000  # a larger sub-space of the conditions on inputs is not counted
SAMPLES = 256  # places, evenly over the space
NEIGHBOURS = 4  # chunks at each: a walk that only jumped would be slower than the real one
SAMPLE_SECONDS = 0.8


@dataclass(frozen=True)
class Estimate:
    """What a space holds and what writing it takes.

    designs and designs_after_input_conditions are exact, the latter None where counting would take too long; the rest
    was measured on sampled designs of the space, on this machine as busy as it was.
    """

    name: str
    designs: int
    visited: int
    designs_after_input_conditions: int | None
    columns: tuple[Column, ...]
    row_bytes: int
    sampled: int
    sampled_rows: int
    designs_per_s: float
    seconds: float
    disk_bytes: float
    memory_bytes: int
    threads: int
    defaults: Mapping[str, str]

    @property
    def kept_share(self) -> float:
        """The share of the sampled designs that met all conditions."""
        return self.sampled_rows / self.sampled if self.sampled else 0.0

    @property
    def rows(self) -> float:
        """Rows to be expected."""
        return self.kept_share * self.visited

    @property
    def rows_per_s(self) -> float:
        """Rows written a second, to be expected."""
        return self.rows / self.seconds if self.seconds else 0.0

    def lines(self) -> list[str]:
        """For the terminal."""
        after = self.designs_after_input_conditions
        width = max(len(column.name) for column in self.columns)
        most = max(len(_type(column)) for column in self.columns)
        defaults = ", ".join(f"{name} = {value}" for name, value in self.defaults.items()) or "none"
        return [
            f"{self.name}: nothing was written",
            f"  designs   {self.designs:,}",
            "            "
            + ("too many to count" if after is None else f"{after:,}")
            + " after the conditions on inputs",
            f"            about {short(self.rows)} after all conditions: {_percent(self.kept_share)} of "
            f"{self.visited:,} visited, by a sample of {short(self.sampled)}",
            f"  time      about {_duration(self.seconds)} on {self.threads} threads"
            f" ({short(self.designs_per_s)} designs/s, {short(self.rows_per_s)} rows/s)",
            f"  disk      about {_bytes(self.disk_bytes)}; a row is {self.row_bytes} bytes in memory",
            f"  memory    below {_bytes(self.memory_bytes)}",
            *wrap(defaults, 116, initial_indent="  defaults  ", subsequent_indent=" " * 12),
            f"  columns   {len(self.columns)}",
            *(f"    {c.name:<{width}}  {_type(c):<{most}}  {c.unit:<10}  {c.meaning}".rstrip() for c in self.columns),
        ]


def dry_run(space: Space, threads: int | None = None) -> Estimate:
    """Count and measure a space; writes nothing but the cache of compiled kernels."""
    threads = threads or cores()
    plan, columns, layout = prepare(space)
    row_bytes = 8 * len(columns)
    estimate = Estimate(
        space.name,
        space.size,
        plan.points,
        count_after_inputs(space, plan, threads),
        tuple(columns),
        row_bytes,
        *(0, 0, 0.0, 0.0, 0.0, 0, threads),
        {**space.chosen, **space.stated},
    )
    if not plan.points:
        return estimate
    evaluator = Evaluator(plan)
    sampled, taken, seconds = _sample(evaluator, layout, threads)
    rows = sum(map(len, taken))
    encoded, encoding = _encoded(taken, space, columns, layout)
    speed = sampled / seconds
    growth = plan.points / sampled
    return replace(
        estimate,
        sampled=sampled,
        sampled_rows=rows,
        designs_per_s=speed,
        seconds=growth * (seconds + encoding / threads),
        disk_bytes=growth * encoded,
        memory_bytes=memory_bound(evaluator, len(columns), layout, threads),
    )


def count_after_inputs(space: Space, plan: Plan, threads: int) -> int | None:
    """How many designs meet the conditions on inputs, exactly; None when that takes walking too many.

    Conditions that share no axis are counted apart, each group over nothing but the axes that it looks at.
    """
    groups: list[tuple[set[str], list[Condition]]] = []
    for k, condition in enumerate(space.conditions):
        if condition.on_inputs:
            seen = {plan.axes[a].name for a in plan.values[f"_where_{k}"].axes}
            joined = [group for group in groups if group[0] & seen]
            groups = [group for group in groups if not group[0] & seen]
            axes = seen.union(*(group[0] for group in joined))
            groups.append((axes, [*(c for group in joined for c in group[1]), condition]))
    walked = set().union(*(axes for axes, _ in groups)) if groups else set()
    total = prod(len(axis) for axis in space.axes if axis.name not in walked)
    for axes, conditions in groups:
        kept = tuple(a for a in space.axes if a.name in axes)
        # what an axis left out decides all the same stays known
        part = replace(space, axes=kept, fixed=space.constants, conditions=tuple(conditions))
        points = prod(len(axis) for axis in part.axes)
        if points > COUNTED_POINTS:
            return None
        total *= _count(part, threads) if points else 0
    return total


def _count(space: Space, threads: int) -> int:
    plan = Plan(space, ())
    return sum(each(Evaluator(plan), Worker.count, chunks(plan, WALKED_POINTS), threads))


def _sample(evaluator: Evaluator, layout: Layout, threads: int) -> tuple[int, list[Rows], float]:
    """Designs visited, their rows and the seconds that took: runs of blocks from everywhere, as many as time allows."""
    plan = evaluator.plan
    work = Walk(plan, layout, {}).work
    runs = len(range(0, plan.box.blocks, layout.chunk_blocks))
    groups = min(SAMPLES, ceil(runs / NEIGHBOURS))
    starts = [k * runs // groups for k in range(groups)] + [runs]
    # far apart first, so that a sample cut short is from everywhere too
    order = sorted(range(groups), key=lambda k: int(f"{k:08b}"[::-1], 2))
    places = [c for k in order for c in range(starts[k], min(starts[k] + NEIGHBOURS, starts[k + 1]))]
    picked = [next(layout.chunks(c * layout.chunk_blocks, plan.box.blocks)) for c in places]
    list(each(evaluator, work, picked[:1], 1))  # compiles what is not in the cache
    taken: list[Rows] = []
    visited = held = 0
    seconds = 0.0
    began = time.perf_counter()
    for (_, rows), run in zip(each(evaluator, work, picked, threads), picked, strict=True):
        visited += designs_before(plan, run.stop) - designs_before(plan, run.start)
        held += len(rows)
        if len(rows):
            taken.append(rows)
        seconds = time.perf_counter() - began
        if seconds > SAMPLE_SECONDS or held >= layout.part_rows:
            break
    return visited, taken, seconds


def _encoded(taken: list[Rows], space: Space, columns: Sequence[Column], layout: Layout) -> tuple[int, float]:
    """Bytes that these rows take as Parquet, and the seconds that encoding them takes a thread."""
    began = time.perf_counter()
    content, _ = encode(taken, space, columns, layout, {})
    return len(content), time.perf_counter() - began


def _type(column: Column) -> str:
    return f"{len(column.words)} words" if column.kind == "word" else column.kind


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _bytes(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} PB"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "a second"
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} seconds"

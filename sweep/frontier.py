"""The exact frontier of a space, without writing the space.

A small space is walked: blocks are evaluated on threads and folded at once into running frontiers, one a thread, which
are merged at the end. A large one is reasoned about (sweep.reasoned), and the same designs come out. Designs of equal
objectives are all kept, or one for all with their number; a design with a nan objective is never on the frontier.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from kernels.arrayfrontier import ArrayFrontier
from kernels.epsilon import LEAST_EPSILON, EpsilonFrontier
from kernels.pareto import RunningFrontier
from sweep.columns import wanted
from sweep.designs import designs
from sweep.errors import Problem, SpecError
from sweep.execute import Evaluator, Worker, chunks, design_ids, each
from sweep.monotone import go_one_way
from sweep.plan import Plan
from sweep.question import Finding
from sweep.reasoned import every_id, reasoned
from sweep.space import Space
from sweep.thinning import is_walked

if TYPE_CHECKING:
    import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Ties = Literal["all", "one"]

FOLDED_POINTS = 1 << 22  # points a thread folds at once: they leave nothing behind but the frontier
LEAST_THOUGHT = 1 << 26  # points; to show what rises or falls along the innermost axis takes hundredths of a second
LEAST_RUNS = 64  # that a walk is cut into
MOST_DESIGNS = 1 << 24  # that are listed: more tie than anyone reads


@dataclass(frozen=True)
class Frontier:
    """The frontier of a space: its designs by objectives, then id; and what it took to find them.

    evaluated is how many designs were evaluated, feasible how many met all conditions, None where most were not looked
    at. findings, boxes and choices are those of reasoning.
    """

    frame: pl.DataFrame
    evaluated: int
    feasible: int | None
    findings: tuple[Finding, ...] = ()
    boxes: int = 0
    choices: int = 0


def objectives_of(space: Space) -> list[tuple[str, float]]:
    """What a space minimises, with 1, and maximises, with -1. SpecError when it names nothing."""
    objectives = [(name, 1.0) for name in space.minimize] + [(name, -1.0) for name in space.maximize]
    if not objectives:
        advice = "give --minimize or --maximize, or a [frontier] table in the spec"
        raise SpecError(space.name, [Problem("frontier", "", advice)])
    return objectives


def frontier(
    space: Space,
    *,
    ties: Ties = "all",
    epsilon: float | None = None,
    reason: bool | None = None,
    least: int | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Frontier:
    """The designs that no other design beats on the space's objectives.

    With epsilon, so few that each of the others is worse than one of them by that share at most in every objective.
    ties = "one" keeps the design with the smallest id of those with equal objectives; num_equal says how many they are.
    reason says whether to reason or to walk, None for whatever is sooner done; least is the size of a space from which
    on axes are put together. progress is told parts done and in all.
    SpecError when the space names no objective, or epsilon is not between 1e-9 and 1.
    """
    objectives = objectives_of(space)
    if epsilon is not None and not LEAST_EPSILON <= epsilon <= 1.0:
        raise SpecError(space.name, [Problem("epsilon", f"{epsilon:g}", f"give a share from {LEAST_EPSILON:g} to 1")])
    if reason is None:
        reason = not is_walked(Plan(space, [name for name, _ in objectives]))
    if not reason:
        return _walked(space, objectives, ties, epsilon, threads, progress)
    told = (lambda share: progress(int(share * 1000), 1000)) if progress is not None else None
    found = reasoned(space, objectives, epsilon, threads, told, least)
    if ties == "all" and epsilon is None:
        total = int(found.counts.sum())
        if total > MOST_DESIGNS:
            advice = f"{total:,} designs tie on the frontier; ask for one of those that are equal (--ties one)"
            raise SpecError(space.name, [Problem("ties", "all", advice)])
        rows, ids = every_id(found)
        frame = _listed(space, rows, ids)
    else:
        frame = _listed(space, *_merged(found.objectives, found.ids, found.counts), with_counts=epsilon is None)
    sifted = found.thinned.evaluated
    return Frontier(frame, found.designs + sifted, None, found.thinned.findings, found.boxes, sifted)


def scattered(plan: Plan) -> list[range]:
    """The blocks of a plan, each once: first some from everywhere, then the runs between these, in no order.

    What comes early is what the rest is held against. In the order of the walk, where an axis improves things step by
    step, everything would be on the frontier for a while.
    """
    blocks = plan.box.blocks
    step = max(2, min(FOLDED_POINTS // max(1, plan.box.points), blocks // LEAST_RUNS))
    if blocks < 2 * step:
        return list(chunks(plan))
    firsts = [range(first, first + 1) for first in range(0, blocks, step)]
    runs = [range(first + 1, min(first + step, blocks)) for first in range(0, blocks, step)]
    draw = np.random.default_rng(blocks)
    return [
        *(firsts[k] for k in draw.permutation(len(firsts))),
        *(runs[k] for k in draw.permutation(len(runs)) if runs[k]),
    ]


def _walked(
    space: Space,
    objectives: Sequence[tuple[str, float]],
    ties: Ties,
    epsilon: float | None,
    threads: int | None,
    progress: Callable[[int, int], None] | None,
) -> Frontier:
    names, signs = [name for name, _ in objectives], [sign for _, sign in objectives]
    plan = Plan(space, names)
    evaluator = Evaluator(plan)
    at_ends = go_one_way(evaluator, names) if evaluator.compiled and plan.points >= LEAST_THOUGHT else None
    local = threading.local()
    running: list[ArrayFrontier | RunningFrontier | EpsilonFrontier] = []

    def empty() -> ArrayFrontier | RunningFrontier | EpsilonFrontier:
        if epsilon:
            return EpsilonFrontier(len(names), epsilon, evaluator.compiled)
        return RunningFrontier(len(names), ties) if evaluator.compiled else ArrayFrontier(len(names), ties)

    by_walk = ties == "all" and not epsilon  # then ids do not choose, and few have to be told in the end

    def named(walked: Ints) -> Ints:
        return walked if by_walk else design_ids(plan, walked)

    def fold(worker: Worker, run: range) -> tuple[int, int]:
        if not hasattr(local, "frontier"):
            local.frontier = empty()
            running.append(local.frontier)
            local.walk = worker.walk(names, signs, at_ends=at_ends)
        if local.walk is not None:
            local.walk.enter(run)
            local.frontier.fold_walk(local.walk, named)
            return len(run), local.walk.held
        feasible = 0
        for block in run:
            count = worker.visit(block)
            if count:
                feasible += count
                columns = [worker.column(name) for name in names]
                walked = worker.walk_ids(block)
                local.frontier.fold_columns(columns, signs, lambda found, walked=walked: named(walked[found]))
        return len(run), feasible

    feasible = done = 0
    for blocks, count in each(evaluator, fold, scattered(plan), threads):
        feasible += count
        done += blocks
        if progress is not None:
            progress(done, evaluator.box.blocks)
    merged = empty()
    for part in running:
        merged.merge(part)  # type: ignore[arg-type]
    values, ids = merged.result()
    if isinstance(merged, EpsilonFrontier):
        return Frontier(_listed(space, values, ids), plan.points, feasible)
    if ties == "one":
        return Frontier(_listed(space, values, ids, merged.counts, True), plan.points, feasible)
    return Frontier(_listed(space, values, design_ids(plan, ids)), plan.points, feasible)


def _merged(objectives: Floats, ids: Ints, counts: Ints) -> tuple[Floats, Ints, Ints]:
    """Of rows with equal objectives the one with the smallest id, for all of them."""
    order = np.lexsort((ids, *objectives.T[::-1]))
    objectives, ids, counts = objectives[order], ids[order], counts[order]
    fresh = np.ones(len(ids), bool)
    fresh[1:] = (objectives[1:] != objectives[:-1]).any(axis=1)
    starts = np.flatnonzero(fresh)
    return objectives[starts], ids[starts], np.add.reduceat(counts, starts) if len(starts) else counts


def _listed(
    space: Space, values: Floats, ids: Ints, counts: Ints | None = None, with_counts: bool = False
) -> pl.DataFrame:
    """The designs by objectives, then id, with how many are equal where that is asked for."""
    import polars as pl

    order = np.lexsort((ids, *values.T[::-1]))
    frame = designs(space, ids[order], wanted(space))
    if with_counts and counts is not None:
        frame = frame.with_columns(pl.Series("num_equal", counts[order], pl.Int64))
    return frame


def per_value(space: Space, name: str, find: Callable[[Space], Frontier]) -> Frontier:
    """The frontier of each value of an axis by itself, one after another. SpecError when there is no such axis."""
    import polars as pl

    index = next((k for k, axis in enumerate(space.axes) if axis.name == name), None)
    if index is None:
        names = ", ".join(axis.name for axis in space.axes)
        raise SpecError(space.name, [Problem("per", name, f"not an axis of the space; it has {names}")])
    found = []
    for place in range(len(space.axes[index])):
        axes = tuple(a.take(np.array([place])) if k == index else a for k, a in enumerate(space.axes))
        found.append(find(replace(space, axes=axes)))
    whole = designs(space, [], wanted(space))  # the columns as they are for all values
    frames = [part.frame.cast({n: t for n, t in whole.schema.items() if n in part.frame.columns}) for part in found]
    feasible = [part.feasible for part in found]
    return Frontier(
        pl.concat(frames) if frames else whole,
        sum(part.evaluated for part in found),
        None if None in feasible else sum(count or 0 for count in feasible),
        tuple(finding for part in found for finding in part.findings),
        sum(part.boxes for part in found),
        sum(part.choices for part in found),
    )

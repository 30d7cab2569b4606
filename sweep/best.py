"""The best designs of a space by one objective, without writing the space."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sweep.columns import wanted
from sweep.designs import designs
from sweep.errors import Problem, SpecError
from sweep.execute import Evaluator, Worker, chunks, design_ids, each
from sweep.frontier import FOLDED_POINTS, Frontier, objectives_of
from sweep.plan import Plan
from sweep.space import Space

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class RunningBest:
    """The designs of least value seen so far, of equal ones those with the smallest ids."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._values, self._ids = np.empty(0), np.empty(0, np.int64)

    @property
    def bound(self) -> float:
        """What a value has to be no greater than to be among them."""
        return float(self._values[-1]) if len(self._values) == self._count else np.inf

    def fold(self, values: Floats, ids: Ints) -> None:
        """Take in designs; those with nan are passed over."""
        real = ~np.isnan(values)
        values = np.concatenate([self._values, values[real]])
        ids = np.concatenate([self._ids, ids[real]])
        order = np.lexsort((ids, values))[: self._count]
        self._values, self._ids = values[order], ids[order]

    def result(self) -> tuple[Floats, Ints]:
        """Their values and ids, the best first."""
        return self._values, self._ids


def best(
    space: Space,
    count: int,
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Frontier:
    """The count designs that are best by the space's one objective, the best first, then by id.

    SpecError when the space names no objective or several, or count is less than 1.
    """
    objectives = objectives_of(space)
    if len(objectives) > 1:
        named = ", ".join(name for name, _ in objectives)
        advice = "several objectives have a frontier and no order; name one with --minimize or --maximize"
        raise SpecError(space.name, [Problem("top", named, advice)])
    if count < 1:
        raise SpecError(space.name, [Problem("top", str(count), "ask for at least 1 design")])
    [(name, sign)] = objectives
    plan = Plan(space, [name])
    evaluator = Evaluator(plan)
    local = threading.local()
    running: list[RunningBest] = []

    def fold(worker: Worker, run: range) -> tuple[int, int]:
        if not hasattr(local, "best"):
            local.best = RunningBest(count)
            running.append(local.best)
        feasible = 0
        for block in run:
            found = worker.visit(block)
            feasible += found
            if found:
                values = sign * worker.column(name).astype(np.float64)
                good = np.flatnonzero(values <= local.best.bound)
                if len(good):
                    local.best.fold(values[good], design_ids(plan, worker.walk_ids(block)[good]))
        return len(run), feasible

    feasible = done = 0
    for blocks, found in each(evaluator, fold, chunks(plan, FOLDED_POINTS), threads):
        feasible += found
        done += blocks
        if progress is not None:
            progress(done, evaluator.box.blocks)
    merged = RunningBest(count)
    for part in running:
        merged.fold(*part.result())
    return Frontier(designs(space, merged.result()[1], wanted(space)), plan.points, feasible)

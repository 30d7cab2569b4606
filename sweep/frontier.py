"""The exact frontier of a space, without writing the space.

Blocks are evaluated on threads and folded at once into running frontiers, one a thread, which are merged at the end.
All designs of equal objectives are kept; a design with a nan objective is never on it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kernels.pareto import RunningFrontier
from sweep.columns import wanted
from sweep.designs import designs
from sweep.errors import Problem, SpecError
from sweep.execute import Evaluator, Worker, chunks, design_ids, each
from sweep.plan import Plan
from sweep.space import Space

if TYPE_CHECKING:
    import polars as pl

FOLDED_POINTS = 1 << 22  # points a thread folds at once: they leave nothing behind but the frontier


@dataclass(frozen=True)
class Frontier:
    """The frontier of a space: its designs by objectives, then id; and what it took to find them."""

    frame: pl.DataFrame
    evaluated: int
    feasible: int


def frontier(
    space: Space, *, threads: int | None = None, progress: Callable[[int, int], None] | None = None
) -> Frontier:
    """The designs that no other design beats on the space's objectives.

    progress is told blocks done and blocks in all. SpecError when the space names no objective.
    """
    objectives = [(name, 1.0) for name in space.minimize] + [(name, -1.0) for name in space.maximize]
    if not objectives:
        advice = "give --minimize or --maximize, or a [frontier] table in the spec"
        raise SpecError(space.name, [Problem("frontier", "", advice)])
    signs = [sign for _, sign in objectives]
    plan = Plan(space, [name for name, _ in objectives])
    evaluator = Evaluator(plan)
    local = threading.local()
    running: list[RunningFrontier] = []

    def fold(worker: Worker, run: range) -> tuple[int, int]:
        if not hasattr(local, "frontier"):
            local.frontier = RunningFrontier(len(objectives))
            running.append(local.frontier)
        feasible = 0
        for block in run:
            count = worker.visit(block)
            if count:
                feasible += count
                columns = [worker.column(name) for name, _ in objectives]
                local.frontier.fold_columns(columns, signs, worker.walk_ids(block))
        return len(run), feasible

    feasible = done = 0
    for blocks, count in each(evaluator, fold, chunks(plan, FOLDED_POINTS), threads):
        feasible += count
        done += blocks
        if progress is not None:
            progress(done, evaluator.box.blocks)
    merged = RunningFrontier(len(objectives))
    for part in running:
        merged.merge(part)
    values, walked = merged.result()
    ids = design_ids(plan, walked)
    order = np.lexsort((ids, *values.T[::-1]))
    return Frontier(designs(space, ids[order], wanted(space)), plan.points, feasible)

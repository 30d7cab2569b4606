"""Walking a plan: blocks in order, on threads, into rows."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from sweep.evaluator import Cells, Evaluator
from sweep.memory import Memory
from sweep.plan import Plan
from sweep.worker import DESIGN_ID, Worker

T = TypeVar("T")

CHUNK_POINTS = 1 << 19  # points a thread takes at once
WALKED_POINTS = 1 << 24  # the same where nothing but a number comes back: a few milliseconds between two calls


@dataclass(frozen=True)
class Rows:
    """Designs that hold: their ids, and a column (int64, float64 or 0 and 1) for every wanted name.

    The place on an axis stands under '#' and its name.
    """

    design_id: Cells
    columns: dict[str, Cells]

    def __len__(self) -> int:
        return len(self.design_id)


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def design_ids(plan: Plan, walk_ids: Cells) -> Cells:
    """Design ids (mixed radix in the axes as written) of points numbered in the order of the walk."""
    if not len(walk_ids):  # perhaps of a space with nothing left, whose axes have no first place
        return np.empty(0, np.int64)
    box = plan.box
    blocks, positions = np.divmod(walk_ids, box.points)
    ids = np.zeros(len(walk_ids), np.int64)
    at: dict[int, Any] = dict.fromkeys(range(len(box.sizes)), 0)
    for axis in reversed(range(len(box.sizes))):
        if box.counts[axis] > 1:
            blocks, place = np.divmod(blocks, box.counts[axis])
            at[axis] = place * box.extents[axis]
    for axis in reversed(range(len(box.sizes))):
        extent = box.extents[axis] if axis != box.sliced else np.minimum(box.extents[axis], box.sizes[axis] - at[axis])
        inside: Any = 0
        if box.extents[axis] > 1:
            positions, inside = np.divmod(positions, extent)
        written = plan.order[axis]
        ids += plan.axes[axis].kept[at[axis] + inside] * plan.space.id_strides[written]
    return ids


def rows(worker: Worker, blocks: range, columns: Sequence[str]) -> Rows:
    """The designs of these blocks that hold, in the order of the walk."""
    found = gathered(worker, blocks, [DESIGN_ID, *(f"#{axis.name}" for axis in worker.plan.space.axes), *columns])
    return Rows(found.pop(DESIGN_ID), found)


def gathered(worker: Worker, blocks: range, names: Sequence[str]) -> dict[str, Cells]:
    """These columns, DESIGN_ID and places on axes among them, of the designs of these blocks that hold."""
    found = {name: np.empty(0, worker.dtype(name)) for name in names}
    block, end = blocks.start, 0
    while block < blocks.stop:
        block, end, count = worker.take(range(block, blocks.stop), found, end)
        if block < blocks.stop:  # room for as many from every block that is left, and a little more
            room = max(end + count + (blocks.stop - block - 1) * count * 5 // 4, 2 * end)
            found = {name: _longer(worker.memory, values, end, room) for name, values in found.items()}
    return {name: values[:end] for name, values in found.items()}


def _longer(memory: Memory, cells: Cells, end: int, room: int) -> Cells:
    """The same rows up to end, with room for more."""
    longer = memory.empty(room, cells.dtype)
    longer[:end] = cells[:end]
    return longer


def chunks(plan: Plan, points: int = CHUNK_POINTS) -> Iterator[range]:
    """The blocks of a plan, in runs of about that many points; made as they are asked for, since they have no bound."""
    step = max(1, points // max(1, plan.box.points))
    for first in range(0, plan.box.blocks, step):
        yield range(first, min(first + step, plan.box.blocks))


def each(
    evaluator: Evaluator,
    work: Callable[[Worker, range], T],
    runs: Iterable[range],
    threads: int | None = None,
    pool: Executor | None = None,
) -> Generator[T]:
    """work(worker, run) for every run of blocks, on threads, results in order; a few runs ahead and never more.

    pool, when given, has that many threads, and is left open. Otherwise one thread is the caller's. Where nothing is
    compiled there is one: what calls NumPy for short arrays holds the interpreter most of the time, and two that take
    turns are slower.
    """
    threads = threads or cores()
    local = threading.local()

    def task(run: range) -> T:
        if not hasattr(local, "worker"):
            local.worker = Worker(evaluator)
        with np.errstate(all="ignore"):
            return work(local.worker, run)

    if pool is None and (threads == 1 or not evaluator.compiled):
        yield from map(task, runs)
        return
    waiting = iter(runs)
    with ThreadPoolExecutor(threads) if pool is None else nullcontext(pool) as pool:
        ahead = deque(pool.submit(task, run) for run in islice(waiting, threads + 2 if evaluator.compiled else 1))
        try:
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(pool.submit(task, run) for run in islice(waiting, 1))
        finally:
            for future in ahead:
                future.cancel()


__all__ = ["DESIGN_ID", "Evaluator", "Rows", "Worker", "chunks", "cores", "design_ids", "each", "gathered", "rows"]

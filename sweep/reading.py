"""The rows of a space as they are asked for: blocks evaluated on threads, in order, a few batches ahead at most.

The first batch is one block, evaluated when it is asked for and nothing ahead of it, so that whoever wants a few rows
pays for a few; from the second on, all threads work, and batches grow to what is moved best.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from sweep.columns import Column
from sweep.draws import pieces
from sweep.execute import DESIGN_ID, WALKED_POINTS, Evaluator, Worker, chunks, each, gathered
from sweep.idfilter import Ids, blocks_of
from sweep.plan import REPEATED, Box, Plan
from sweep.space import Space

T = TypeVar("T")

BATCH_ROWS = 1 << 19  # rows of a batch of few columns
BATCH_CELLS = 1 << 21  # and fewer rows of more columns: 16 MiB
# Where more points hold than held before, a batch turns out to have up to so many times these rows. Batches ahead are
# two more than threads, so that what is held here is at most (threads + 3) times 64 MiB, or a block where that is more.
LARGEST = 4


class Counter:
    """How many designs were evaluated, counted by whichever threads evaluate them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.points = 0

    def add(self, points: int) -> None:
        """Count so many more."""
        with self._lock:
            self.points += points


@dataclass(frozen=True)
class Cells:
    """The rows of some blocks: plain arrays, words as codes.

    words says what the codes of an axis of words mean, which is not what they mean in its column where a filter
    shortened the axis.
    """

    count: int
    columns: dict[str, Any]
    words: Mapping[str, Sequence[str]]


def code_type(column: Column) -> Any:
    """The type of the codes of a column's words."""
    return np.uint8 if len(column.words) < 2**8 else (np.uint16 if len(column.words) < 2**16 else np.uint32)


class _Reader:
    """Blocks of a plan into cells of the asked columns, and of no others."""

    def __init__(self, space: Space, columns: Sequence[Column]) -> None:
        self.columns = columns
        self._given = {axis.name for axis in space.axes if axis.name in axis.sets and not axis.is_words}
        asked = {column.name for column in columns}
        by_label = [axis for axis in space.axes if axis.name in asked and axis.name not in self._given]
        self._words = {axis.name: axis.labels for axis in by_label if axis.is_words}
        self._labels = {axis.name: np.asarray(axis.labels) for axis in by_label if not axis.is_words}
        computed = [c.name for c in columns if c.name != DESIGN_ID and (not c.is_axis or c.name in self._given)]
        self.plan = Plan(space, computed)

    @cached_property
    def evaluator(self) -> Evaluator:
        """The plan made ready."""
        return Evaluator(self.plan)

    def __call__(self, worker: Worker, blocks: range) -> Cells | None:
        """The rows of these blocks that hold; None where there are none."""
        if not self.columns:
            count = worker.count(blocks)
            return Cells(count, {}, {}) if count else None
        found = gathered(worker, blocks, [self._read(column) for column in self.columns])
        count = len(found[self._read(self.columns[0])])
        if not count:
            return None
        said = {column.name: self._said(column, found[self._read(column)]) for column in self.columns}
        return Cells(count, said, self._words)

    def _read(self, column: Column) -> str:
        """What is gathered for a column: places on its axis where that has names for its values."""
        if column.name == DESIGN_ID or not column.is_axis or column.name in self._given:
            return column.name
        return f"#{column.name}"

    def _said(self, column: Column, values: Any) -> Any:
        """What was gathered for a column, as the column says it."""
        if column.kind == "word":
            return values.astype(code_type(column))
        return self._labels[column.name][values] if column.name in self._labels else values


def points_of(box: Box, blocks: range) -> int:
    """Points of consecutive blocks; the last slice of an axis can be shorter than the others."""
    if not box.tail:
        return len(blocks) * box.points
    along = box.counts[box.sliced]  # the axes inside the sliced one are whole, so it moves with every block
    tails = blocks.stop // along - blocks.start // along
    full = box.extents[box.sliced]
    return len(blocks) * box.points - tails * (box.points // full) * (full - box.tail)


class _Runs:
    """Blocks in runs: one block first, then more and more, until a run gives a batch of rows or takes a while."""

    def __init__(self, box: Box, columns: int, ids: Iterable[int] | None) -> None:
        self._box, self._ids = box, ids
        self._rows = min(BATCH_ROWS, BATCH_CELLS // columns) if columns else WALKED_POINTS
        self._walked = self._found = 0

    def found(self, points: int, rows: int) -> None:
        """So many rows were found among so many points, last."""
        self._walked, self._found = points, rows

    def __iter__(self) -> Iterator[range]:
        size = 1
        for stretch in [range(self._box.blocks)] if self._ids is None else _stretches(self._ids):
            at = stretch.start
            while at < stretch.stop:
                yield range(at, min(at + size, stretch.stop))
                at += size
                size = max(1, min(2 * size, self._most() // max(1, self._box.points)))

    def _most(self) -> int:
        """Points that give about a batch of rows, as far as one can tell from the last."""
        if not self._walked:
            return self._rows
        return min(WALKED_POINTS, LARGEST * self._rows, self._rows * self._walked // max(1, self._found))


def _stretches(blocks: Iterable[int]) -> Iterator[range]:
    """Numbers in order as ranges."""
    at, stop = 0, 0
    for block in blocks:
        if block != stop:
            if stop > at:
                yield range(at, stop)
            at = block
        stop = block + 1
    if stop > at:
        yield range(at, stop)


def read(
    space: Space,
    columns: Sequence[Column],
    build: Callable[[Cells], T | None],
    counter: Counter,
    ids: Ids | None = None,
) -> Iterator[T]:
    """The rows of a space, built into what the caller wants on the threads that evaluate; without those that are None.

    ids says whose blocks to walk, all of them when it is None. Closing the iterator stops the work. Quantiles over
    draws are found before a walk, so where they are many it is one walk after another, each over a piece of the space.
    """
    if any(len(axis) == 0 for axis in space.axes):
        return
    reader = _Reader(space, columns)
    if not reader.plan.drawn:
        yield from _walked(reader, columns, build, counter, ids)
        return

    def drawn(part: Space) -> Sequence[tuple[Sequence[int], float]]:
        return (reader if part is space else _Reader(part, columns)).plan.drawn

    for piece in pieces(space, drawn, lambda part: _holds_anything(part, counter)):
        yield from _walked(reader if piece is space else _Reader(piece, columns), columns, build, counter, ids)


def _holds_anything(space: Space, counter: Counter) -> bool:
    """Whether any design meets the conditions, as far as that takes no quantile to tell."""
    plan = Plan(space, (), largest_table=0, patience=REPEATED)  # one of many, of which little is walked
    if plan.drawn:
        return True
    worker = Worker(Evaluator(plan))
    with np.errstate(all="ignore"):
        for blocks in chunks(plan):
            counter.add(points_of(plan.box, blocks))
            if worker.count(blocks):
                return True
    return False


def _walked(
    reader: _Reader,
    columns: Sequence[Column],
    build: Callable[[Cells], T | None],
    counter: Counter,
    ids: Ids | None,
) -> Iterator[T]:
    """The rows of one walk."""
    box = reader.plan.box
    runs = _Runs(box, len(columns), None if ids is None else blocks_of(reader.plan, ids).tolist())

    def work(worker: Worker, blocks: range) -> tuple[int, int, T | None]:
        points = points_of(box, blocks)
        counter.add(points)
        cells = reader(worker, blocks)
        return (points, 0, None) if cells is None else (points, cells.count, build(cells))

    waiting = iter(runs)
    begun = next(waiting, None)
    if begun is None:
        return
    with np.errstate(all="ignore"):
        points, rows, built = work(Worker(reader.evaluator), begun)
    runs.found(points, rows)
    if built is not None:
        yield built
    with closing(each(reader.evaluator, work, waiting)) as rest:
        for points, rows, built in rest:
            runs.found(points, rows)
            if built is not None:
                yield built

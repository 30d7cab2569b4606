"""One thread's share of a walk: visit a block, then read the columns of the points that hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np

from kernels.compiler import Loop, workspace
from kernels.select import gather, gather_block, select, select_mapped, spread
from sweep.evaluator import Cells, Evaluator


class Worker:
    """A workspace of one thread: visit a block, then read the columns of the points that hold."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.plan = evaluator.plan
        self._floats, self._integers = workspace(evaluator.cells)
        self._integers[: len(evaluator.tables)] = evaluator.tables
        self._descriptors = {extent: shape.descriptors.copy() for extent, shape in evaluator.shapes.items()}
        steps = [*evaluator.first, *evaluator.rest]
        never = 1 << len(self.plan.box.sizes)  # a bit of its own: what has never been computed is stale
        self._steps = [(evaluator.loops[v.name], row, never | _bits(v.axes)) for row, v in enumerate(steps)]
        self._split = len(evaluator.first)
        self._stale_first = self._stale_rest = never
        self._at: tuple[int, ...] | None = None
        self._positions = np.zeros(max(1, self.plan.box.points), np.int32)
        self._all = np.arange(max(1, self.plan.box.points), dtype=np.int32)
        self.shape = next(iter(evaluator.shapes.values()))
        self.positions = self._all[:0]
        self._ids = np.zeros(1, np.int64)
        self._ids_key = (-1, -1)

    def visit(self, block: int) -> int:
        """Evaluate a block; how many of its points meet all conditions. Their places in the block are positions."""
        box, evaluator = self.plan.box, self.evaluator
        at = self._at_block(block)
        extent = box.extents[box.sliced] if box.sizes else 1
        if box.sizes and at[box.sliced] + extent > box.sizes[box.sliced]:
            extent = box.tail
        self.shape = shape = evaluator.shapes[extent]
        descriptors = self._descriptors[extent]
        if len(shape.moving):
            descriptors.reshape(-1)[shape.moving] = shape.descriptors.reshape(-1)[shape.moving] + shape.pull @ at
        if self._at is not None:
            changed = _bits(a for a, (x, y) in enumerate(zip(at, self._at, strict=True)) if x != y)
            self._stale_first |= changed
            self._stale_rest |= changed
        self._at = at
        self._run(self._steps[: self._split], descriptors, self._stale_first)
        self._stale_first = 0
        if self.plan.keep_inputs is not None and not self._any(self.plan.keep_inputs):
            self.positions = self._all[:0]
            return 0
        self._run(self._steps[self._split :], descriptors, self._stale_rest)
        self._stale_rest = 0
        self.positions = self._selected()
        return len(self.positions)

    def dtype(self, name: str) -> type[np.generic]:
        """The type of a column: places on an axis take half of what counts do."""
        if name.startswith("#"):
            return np.int32
        return np.float64 if self.plan.values[name].kind == "float" else np.int64

    def column(self, name: str, out: Cells | None = None) -> Cells:
        """The values of a column (or, under '#' and its name, the places on an axis) at the points that hold.

        out, when given, is as long as positions, and is filled.
        """
        value = self.plan.values[name]
        cells = self._floats if value.kind == "float" else self._integers
        if out is None:
            out = np.empty(len(self.positions), self.dtype(name))
        where = self.shape.maps[name]
        start = self._start(name)
        if len(self.positions) == self.shape.points:  # all hold: nothing to pick from
            if where is None:
                out[:] = cells[start : start + len(out)]
            else:
                spread(cells, start, where, out)
        elif where is None:
            gather_block(cells, start, self.positions, out)
        else:
            gather(cells, start, where, self.positions, out)
        return out

    def design_ids(self) -> Cells:
        """Design ids (mixed radix in the axes as written) of the points that hold."""
        assert self._at is not None
        box, axes = self.plan.box, self.plan.axes
        strides = [self.plan.space.id_strides[k] for k in self.plan.order]
        key = (self._at[box.sliced] if box.sizes else 0, self.shape.points)
        if key != self._ids_key:
            ids = np.zeros(1, np.int64)
            for a in range(box.sliced, len(axes)):
                first = self._at[a]
                part = axes[a].kept[first : first + box.extents[a]] * strides[a]
                ids = (ids[:, None] + part).reshape(-1)
            self._ids, self._ids_key = ids, key
        if len(self.positions) == self.shape.points:
            return self._ids + self._base_id(strides)
        return self._ids[self.positions] + self._base_id(strides)

    def _base_id(self, strides: Sequence[int]) -> np.int64:
        """What the axes outside the block add to a design id."""
        assert self._at is not None
        box, axes = self.plan.box, self.plan.axes
        base = sum(int(axes[a].kept[self._at[a]]) * strides[a] for a in range(box.sliced))
        return np.int64(base)

    def walk_ids(self, block: int) -> Cells:
        """Numbers of the points that hold in the order of the walk; execute.design_ids turns them into design ids."""
        return np.int64(block) * self.plan.box.points + self.positions

    def _at_block(self, block: int) -> tuple[int, ...]:
        at = [0] * len(self.plan.box.sizes)
        counts = self.plan.box.counts
        for axis in reversed(range(len(counts))):
            block, place = divmod(block, counts[axis])
            at[axis] = place * self.plan.box.extents[axis]
        return tuple(at)

    def _run(self, steps: Sequence[tuple[Loop, int, int]], descriptors: Cells, stale: int) -> None:
        for loop, row, axes in steps:
            if axes & stale:
                loop(self._floats, self._integers, self.evaluator.starts, descriptors[row])

    def _start(self, name: str) -> int:
        assert self._at is not None
        return self.evaluator.place(name) + sum(step * self._at[a] for a, step in self.evaluator.moves(name).items())

    def _any(self, name: str) -> bool:
        """Whether a condition holds anywhere in the block."""
        value = self.plan.values[name]
        place = self.evaluator.place(name)
        if not value.is_table:
            count = prod(self.plan.box.extents[a] for a in value.axes)
            return bool(self._integers[place : place + count].any())
        held = self._integers[place : place + prod(self.plan.box.sizes[a] for a in value.axes)]
        box = held.reshape([self.plan.box.sizes[a] for a in value.axes])
        assert self._at is not None
        part = tuple(slice(self._at[a], self._at[a] + self.plan.box.extents[a]) for a in value.axes)
        return bool(box[part].any())

    def _selected(self) -> Cells:
        keep = self.plan.keep
        if keep is None:
            return self._all[: self.shape.points]
        where = self.shape.maps[keep]
        positions = self._positions[: self.shape.points]
        start = self._start(keep)
        if where is None:
            count = select(self._integers, start, positions)
        else:
            count = select_mapped(self._integers, start, where, positions)
        return positions[:count]


def _bits(axes: Iterable[int]) -> int:
    bits = 0
    for axis in axes:
        bits |= 1 << axis
    return bits

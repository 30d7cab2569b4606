"""A plan made ready: tables filled, the workspace laid out, a descriptor for every loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels import driver
from kernels.arrays import array_loop
from kernels.compiler import HEADER_CELLS, OPERAND_CELLS, Loop, compiled, interpreted, loop_source, workspace
from kernels.driver import Program
from kernels.graph import Node
from kernels.quantiles import quantile_of
from sweep.draws import quantile_table
from sweep.memory import Memory
from sweep.plan import Plan, Value
from sweep.space import Space

FEW_POINTS = 8  # so few numbers are computed sooner one by one than as an array

Cells = npt.NDArray[Any]


class _Starts:
    """The starts of the outer indices of all operands, each run of them stored once."""

    def __init__(self) -> None:
        self._runs: list[Cells] = []
        self._places: dict[bytes, int] = {}
        self._cells = 0

    def place(self, starts: Cells) -> int:
        """Where these starts lie, put there when they are new."""
        key = starts.tobytes()
        if key not in self._places:
            self._places[key] = self._cells
            self._runs.append(starts)
            self._cells += len(starts)
        return self._places[key]

    def cells(self) -> Cells:
        """All of them, in one run."""
        return np.concatenate(self._runs) if self._runs else np.zeros(1, np.int64)


@dataclass(frozen=True)
class Shape:
    """What blocks of one shape need: descriptors of the loops (loops, cells), and where columns lie.

    maps says, per value read into rows, where each point's value lies, None when it lies at the point itself. That of
    the conditions on inputs says it of the cells of their own axes, of which there are inputs.
    """

    points: int
    descriptors: Cells
    maps: dict[str, Cells | None]
    inputs: int


class Evaluator:
    """A plan made ready: tables filled, workspace laid out, loops loaded.

    Points are visited in the plan's order; results never depend on threads or on how blocks are cut.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.box = plan.box
        self._place: dict[str, int] = {}
        cells = 0
        for value in sorted(plan.values.values(), key=lambda v: not v.is_table):  # tables first: copied in one go
            self._place[value.name] = cells
            cells += self._cells(value, self.box.extents)
        self.cells = cells
        computed = [v for v in plan.values.values() if v.node is not None]
        first = plan.needed_for([plan.keep_inputs] if plan.keep_inputs else [])
        self.first = [v for v in computed if not v.is_table and v.name in first]
        self.rest = [v for v in computed if not v.is_table and v.name not in first]
        own = self._fill_tables([v for v in computed if v.is_table])
        self.tables = own[: sum(self._cells(v, self.box.extents) for v in plan.values.values() if v.is_table)]
        self._unused = [own]
        self.memory = Memory()  # of gathered columns; one, since each of a thread would keep the most it ever held
        starts = _Starts()
        self.loops: dict[str, Loop] = {}
        full = self.box.extents[self.box.sliced] if self.box.sizes else 1
        extents = [full, self.box.tail] if self.box.tail else [full]
        self.read = [f"#{axis.name}" for axis in plan.axes] + list(plan.columns)
        self.read += [name for name in (plan.keep, plan.keep_inputs) if name is not None]
        shapes = [self._shape(extent, starts) for extent in extents]
        shapes = [shapes[0], shapes[-1]]
        self.compiled = not plan.over_arrays and all(hasattr(f, "address") for f in self.loops.values())
        steps = [self.loops[value.name] for value in (*self.first, *self.rest)]
        self.steps: Any = np.array([f.address for f in steps], np.int64) if self.compiled else steps  # type: ignore[attr-defined]
        self.program = self._program(shapes, starts.cells())

    def workspace(self) -> tuple[Cells, Cells]:
        """Cells that begin with the tables, for one thread, as float64 and as int64; the first to ask gets our own."""
        try:
            integers = self._unused.pop()
        except IndexError:
            floats, integers = workspace(self.cells)
            integers[: len(self.tables)] = self.tables
            return floats, integers
        return integers.view(np.float64), integers

    def place(self, name: str) -> int:
        """Where a value lies in the workspace; a table's value at the block is further on, see moves."""
        return self._place[name]

    def moves(self, name: str) -> dict[int, int]:
        """What one step of the block along each axis adds to the place of a value: nothing but for tables."""
        value = self.plan.values[name]
        return self._strides(value, self.box.extents) if value.is_table else {}

    def laid(self, name: str, shape: int) -> tuple[list[int], list[int]]:
        """The extents of a block (of shape 1 where it is the shorter one), and a value's strides along its axes."""
        extents = list(self.box.extents)
        if shape and self.box.tail:
            extents[self.box.sliced] = self.box.tail
        strides = self._strides(self.plan.values[name], extents)
        return extents, [strides.get(axis, 0) for axis in range(len(extents))]

    # ------------------------------------------------------------------------------------------------- layout

    def _cells(self, value: Value, extents: Sequence[int]) -> int:
        held = self.box.sizes if value.is_table else extents
        return prod(held[a] for a in value.axes)

    def _strides(self, value: Value, extents: Sequence[int]) -> dict[int, int]:
        """Cells that one step along each axis of a value takes."""
        held = self.box.sizes if value.is_table else extents
        strides, stride = {}, 1
        for axis in reversed(value.axes):
            strides[axis] = stride
            stride *= held[axis]
        return strides

    def _groups(
        self, axes: Sequence[int], extents: Sequence[int], strides: Sequence[dict[int, int]]
    ) -> list[list[int]]:
        """The axes in groups that every operand walks as one: the last is the inner loop, the others the outer."""
        groups: list[list[int]] = []
        for axis in reversed([a for a in axes if extents[a] > 1]):
            if groups:
                head = groups[0][0]
                if all(s.get(axis, 0) == s.get(head, 0) * extents[head] for s in strides):
                    groups[0].insert(0, axis)
                    continue
            groups.insert(0, [axis])
        return groups

    def _describe(
        self, value: Value, extents: Sequence[int], full: Sequence[int], starts: _Starts
    ) -> tuple[list[int], str]:
        """The descriptor of a value's loop over these extents, and its operand pattern.

        Axes are grouped and patterns chosen by the extents of a full block, so that the last, shorter slice of an axis
        runs through the same compiled loop.
        """
        assert value.node is not None
        operands = [self.plan.values[p] for p in value.node.formula.parameters]
        groups = self._groups(value.axes, full, [self._strides(v, full) for v in (value, *operands)])
        lengths = [prod(extents[a] for a in group) for group in groups] or [1]
        descriptor = [prod(lengths[:-1]), lengths[-1], self._place[value.name]]
        pattern = ""
        for operand in operands:
            stride = self._strides(operand, extents)
            outer = np.zeros(1, np.int64)
            for group, length in zip(groups[:-1], lengths[:-1], strict=True):
                step = stride.get(group[-1], 0)
                outer = (outer[:, None] + step * np.arange(length, dtype=np.int64)).reshape(-1)
            runs = bool(groups) and groups[-1][-1] in stride
            assert not runs or stride[groups[-1][-1]] == 1
            moves = any(group[-1] in stride for group in groups[:-1])
            pattern += ("b" if moves else "r") if runs else ("c" if moves else "s")
            descriptor += [self._place[operand.name], starts.place(outer) if moves else 0]
        return descriptor, pattern

    def _loop(self, node: Node, pattern: str, is_compiled: bool, few: bool = False) -> Loop:
        """The loop of a formula; few numbers at a time, again and again, are computed one by one."""
        kinds = {p: self.plan.values[p].kind for p in node.formula.parameters} | {node.name: node.kind}
        words = self.plan.space.graph.words
        if is_compiled:
            return compiled(loop_source(node.formula, pattern, kinds, words))
        if few:
            return interpreted(loop_source(node.formula, pattern, kinds, words))
        return array_loop(node.formula, pattern, kinds, words)

    def _shape(self, sliced: int, starts: _Starts) -> Shape:
        """Descriptors and maps of blocks whose sliced axis has this extent."""
        extents = list(self.box.extents)
        if extents:
            extents[self.box.sliced] = sliced
        steps = [*self.first, *self.rest]
        width = HEADER_CELLS + OPERAND_CELLS * max((len(v.node.formula.parameters) for v in steps if v.node), default=0)
        rows: list[list[int]] = []
        for value in steps:
            assert value.node is not None
            descriptor, pattern = self._describe(value, extents, self.box.extents, starts)
            if value.name not in self.loops:
                held = self._cells(value, self.box.extents)
                searched = value.node.formula.finds_a_root and self.plan.is_slow(value.node, self.plan.points)
                is_compiled = searched or not self.plan.over_arrays
                self.loops[value.name] = self._loop(value.node, pattern, is_compiled, held <= FEW_POINTS)
            rows.append(descriptor + [0] * (width - len(descriptor)))
        memo: dict[tuple[int, ...], Cells | None] = {}
        maps = {name: self._map(name, extents, memo) for name in self.read}
        inputs = 0
        if self.plan.keep_inputs is not None:  # looked at cell by cell, not point by point
            value = self.plan.values[self.plan.keep_inputs]
            strides = self._strides(value, extents)
            cells = _places([strides[a] for a in value.axes], [extents[a] for a in value.axes])
            maps[value.name], inputs = cells, len(cells)
        return Shape(prod(extents), np.array(rows, np.int64).reshape(len(rows), width), maps, inputs)

    def _map(self, name: str, extents: Sequence[int], memo: dict[tuple[int, ...], Cells | None]) -> Cells | None:
        """Where the value of every point of a block lies, from the value's place; None when it lies at the point."""
        strides = self._strides(self.plan.values[name], extents)
        key = tuple(strides.get(a, 0) for a in range(len(extents)))
        if key not in memo:
            places = _places(key, extents)
            memo[key] = None if np.array_equal(places, np.arange(len(places))) else places
        return memo[key]

    def _program(self, shapes: Sequence[Shape], tabs: Cells) -> Program:
        """The plan as the arrays that the driver walks."""
        plan, box, read = self.plan, self.box, self.read
        axes = max(1, len(box.sizes))  # a space without axes is one of a single place
        bits, bit = [0] * axes, 1
        for axis, size in enumerate(box.sizes):
            if size > 1:  # no more than 62 of them: a space has no more than 2**62 designs
                bits[axis], bit = bit, 2 * bit
        steps = [*self.first, *self.rest]
        moving_from, moving, moved = [0], [], []
        for value in steps:
            assert value.node is not None
            for k, parameter in enumerate(value.node.formula.parameters):
                if self.moves(parameter):
                    moving.append(HEADER_CELLS + OPERAND_CELLS * k)
                    moved.append(parameter)
            moving_from.append(len(moving))

        def pulls(names: Sequence[str]) -> list[int]:
            return [self.moves(name).get(a, 0) for name in names for a in range(axes)]

        strides = [plan.space.id_strides[k] for k in plan.order]
        parts = [axis.kept * stride for axis, stride in zip(plan.axes, strides, strict=True)]
        inner = np.zeros(1, np.int64)
        for part in parts[box.sliced + 1 :]:
            inner = (inner[:, None] + part).reshape(-1)
        column_map, maps = _in_one_run([[shape.maps[name] for name in read] for shape in shapes])
        inputs = plan.keep_inputs
        numbers = {
            driver.AXES: axes,
            driver.SLICED: box.sliced,
            driver.STEPS: len(steps),
            driver.FIRST: len(self.first),
            driver.CELLS: shapes[0].descriptors.shape[1],
            driver.MOVES: len(moving),
            driver.COLUMNS: len(read),
            driver.KEEP: read.index(plan.keep) if plan.keep else -1,
            driver.INPUTS: read.index(inputs) if inputs else -1,
            driver.INNER: len(inner),
        }
        arrays = {
            driver.SIZES: box.sizes or [1],
            driver.EXTENTS: box.extents or [1],
            driver.COUNTS: box.counts or [1],
            driver.BITS: bits,
            driver.STEP_AXES: [driver.NEVER | sum(bits[a] for a in value.axes) for value in steps],
            driver.DESCRIPTORS: [shape.descriptors for shape in shapes],
            driver.MOVING_FROM: moving_from,
            driver.MOVING_CELL: moving,
            driver.MOVING_PULL: pulls(moved),
            driver.COLUMN_START: [self.place(name) for name in read],
            driver.COLUMN_PULL: pulls(read),
            driver.COLUMN_MAP: column_map,
            driver.INPUTS_CELLS: [shape.inputs for shape in shapes],
            driver.POINTS_OF: [shape.points for shape in shapes],
            driver.ID_START: np.cumsum([0, *map(len, parts)])[:axes],
            driver.ID_PARTS: np.concatenate([*parts, np.zeros(1, np.int64)]),
            driver.INNER_IDS: inner,
        }
        return driver.pack(numbers, arrays, maps, tabs)

    def _fill_tables(self, computed: Sequence[Value]) -> Cells:
        """A workspace with what the axes and the spec give, then every value that is small over the whole space."""
        space = self.plan.space
        values = [v for v in self.plan.values.values() if v.is_table]
        floats, integers = workspace(self.cells)
        for value in values:
            if value.node is not None:
                continue
            place, count = self._place[value.name], self._cells(value, self.box.extents)
            cells = floats if value.kind == "float" else integers
            if value.name.startswith("#"):
                cells[place : place + count] = np.arange(count)
            elif value.axes:
                cells[place : place + count] = self.plan.axes[value.axes[0]].sets[value.name]
            else:
                cells[place] = space.fixed[value.name]
        self._fill_quantiles([v for v in computed if v.node and quantile_of(v.node.formula)], floats)
        with np.errstate(all="ignore"):
            for value in computed:
                assert value.node is not None
                if self._cells(value, self.box.extents) == 0:
                    continue  # an axis with nothing left: there is no point to compute it at
                if quantile_of(value.node.formula) is not None:
                    continue
                starts = _Starts()
                descriptor, pattern = self._describe(value, self.box.sizes, self.box.sizes, starts)
                cells = self._cells(value, self.box.extents)
                loop = self._loop(value.node, pattern, self.plan.is_slow(value.node, cells))
                loop(floats, integers, starts.cells(), np.array(descriptor, np.int64))
        own: Cells = integers
        return own

    def _fill_quantiles(self, values: Sequence[Value], floats: Cells) -> None:
        """The values that are quantiles over the draws of a law, those of one metric from one evaluation."""
        by_base: dict[str, list[tuple[float, Value]]] = {}
        for value in values:
            assert value.node is not None
            found = quantile_of(value.node.formula)
            assert found is not None
            by_base.setdefault(found[0], []).append((found[1], value))
        for base, wanted in by_base.items():
            axes = [self.plan.order[a] for a in wanted[0][1].axes]
            held = quantile_table(self.plan.space, base, [share for share, _ in wanted], axes, whole)
            for row, (_, value) in zip(held, wanted, strict=True):
                floats[self._place[value.name] : self._place[value.name] + len(row)] = row


def _places(strides: Sequence[int], extents: Sequence[int]) -> Cells:
    """Where every point of a box lies, the last axis fastest, from strides along its axes."""
    places = np.zeros(1, np.int32)
    for step, extent in zip(strides, extents, strict=True):
        places = (places[:, None] + np.arange(extent, dtype=np.int32) * np.int32(step)).reshape(-1)
    return places


def _in_one_run(shapes: Sequence[Sequence[Cells | None]]) -> tuple[list[list[int]], Cells]:
    """Where each map begins in one run of all of them, each held once; -1 for None. And that run."""
    distinct = {id(held): held for maps in shapes for held in maps if held is not None}
    ends = np.cumsum([0, *map(len, distinct.values())]).tolist()
    begin = dict(zip(distinct, ends, strict=False))
    run = np.concatenate([*distinct.values(), np.zeros(1, np.int32)])
    return [[begin.get(id(held), -1) for held in maps] for maps in shapes], run


def whole(space: Space, name: str, times: int = 1) -> Cells:
    """A metric at every point of a space, conditions left aside, in the order of its axes.

    times is how many spaces like it are evaluated one after the other.
    """
    plan = Plan(space, [name], largest_table=math.inf, times=times)
    evaluator = Evaluator(plan)
    value = plan.values[name]
    place = evaluator.place(name)
    sizes = [plan.box.sizes[a] for a in value.axes]
    cells = evaluator.tables[place : place + prod(sizes)]
    held = (cells.view(np.float64) if value.kind == "float" else cells).reshape(sizes)
    written = [plan.order[a] for a in value.axes]
    held = held.transpose(np.argsort(written))
    shape = [len(axis) if k in written else 1 for k, axis in enumerate(space.axes)]
    return np.broadcast_to(held.reshape(shape), [len(axis) for axis in space.axes]).reshape(-1)

"""One thread's share of a walk: visit a block, then read the columns of the points that hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from kernels.compiler import plain
from kernels.driver import AT, HELD, POINTS, SHAPE, start_of, state, visit
from kernels.folding import Walk
from kernels.groups import Groups, groups_of, note_ends
from kernels.rows import IDS, column_into, gather_rows, ids_into, pick_into, take
from sweep.evaluator import Cells, Evaluator

DESIGN_ID = "design_id"  # the column of design ids

_visit, _start_of = plain(visit), plain(start_of)  # where nothing is compiled
_column_into, _ids_into = plain(column_into), plain(ids_into)


class Worker:
    """A workspace of one thread: visit a block, then read the columns of the points that hold.

    visit and the methods that read its block cost a few microseconds a call; count and take do many blocks in one.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.plan = evaluator.plan
        floats, integers = evaluator.workspace()
        self._program, self._loops = evaluator.program, evaluator.steps
        self.state = state(self._program, floats, integers)
        self._columns = {name: column for column, name in enumerate(evaluator.read)}
        self._wanted: dict[tuple[str, ...], tuple[list[str], Cells, int]] = {}  # columns gathered together before
        self._groups: dict[tuple[str, ...], Groups] = {}
        self._all = np.arange(max(1, self.plan.box.points), dtype=np.int32)
        self.memory = evaluator.memory  # of the columns that are gathered; those of one chunk serve a later one

    def table(self, name: str) -> Cells:
        """The cells of a table in this worker's own workspace; forget what follows from it after writing to them."""
        value, place = self.plan.values[name], self.evaluator.place(name)
        cells: Cells = self.state.floats if value.kind == "float" else self.state.integers
        return cells[place : place + prod(self.plan.box.sizes[a] for a in value.axes)]

    def forget(self) -> None:
        """Take nothing of earlier blocks for computed."""
        self.state.words[: AT + len(self.plan.box.sizes)] = -1

    def visit(self, block: int) -> int:
        """Evaluate a block; how many of its points meet all conditions. Their places in the block are positions."""
        return self.count(range(block, block + 1))

    def count(self, blocks: range) -> int:
        """Evaluate consecutive blocks; how many of their points meet all conditions."""
        arguments = self._loops, self._program, self.state, blocks.start, blocks.stop
        if self.evaluator.compiled:
            return int(visit(*arguments))
        with np.errstate(all="ignore"):  # compiled code says nothing of what divides by zero either
            return int(_visit(*arguments))

    @property
    def held(self) -> int:
        """How many points of the block meet all conditions."""
        return int(self.state.words[HELD])

    @property
    def points(self) -> int:
        """How many points the block has."""
        return int(self.state.words[POINTS])

    @property
    def positions(self) -> Cells:
        """The places in the block of the points that hold (int32), in order."""
        every = self.held == self.state.words[POINTS]
        return (self._all if every else self.state.positions)[: self.held]

    def dtype(self, name: str) -> type[np.generic]:
        """The type of a column: places on an axis take half of what counts do."""
        if name.startswith("#"):
            return np.int32
        if name == DESIGN_ID:
            return np.int64
        return np.float64 if self.plan.values[name].kind == "float" else np.int64

    def column(self, name: str, out: Cells | None = None) -> Cells:
        """The values of a column (or, under '#' and its name, the places on an axis) at the points that hold.

        out, when given, is as long as positions, and is filled.
        """
        if out is None:
            out = np.empty(self.held, self.dtype(name))
        self.read({name: out})
        return out

    def design_ids(self) -> Cells:
        """Design ids (mixed radix in the axes as written) of the points that hold."""
        out = np.empty(self.held, np.int64)
        self.read({DESIGN_ID: out})
        return out

    def walk_ids(self, block: int) -> Cells:
        """Numbers of the points that hold in the order of the walk; execute.design_ids turns them into design ids."""
        return np.int64(block) * self.plan.box.points + self.positions

    def take(self, blocks: range, found: Mapping[str, Cells], end: int) -> tuple[int, int, int]:
        """Visit consecutive blocks and write their rows that hold from row end on, as far as there is room.

        The columns found (DESIGN_ID for the ids), by name and of their dtype, are equally long. Returns the block to
        go on from, the row behind the last, and how many rows that block has.
        """
        room = min(map(len, found.values()))
        if not self.evaluator.compiled:
            for block in blocks:
                first, end = end, end + self.visit(block)
                if end > room:
                    return block, first, end - first
                self.read({name: values[first:end] for name, values in found.items()})
            return blocks.stop, end, 0
        columns, addresses, narrow = self._targets({name: values[end:] for name, values in found.items()})
        program, state = self._program, self.state
        start, stop = blocks.start, blocks.stop
        next_block, end, count = take(self._loops, program, state, start, stop, end, room, columns, addresses, narrow)
        return int(next_block), int(end), int(count)

    def walk(
        self,
        names: Sequence[str],
        signs: Sequence[float],
        *,
        each_other: bool = True,
        at_ends: Sequence[bool] | None = None,
    ) -> Walk | None:
        """These columns of this worker's blocks to be sifted by what is known; None where loops are not compiled.

        at_ends says which of them are known to be least and greatest at an end of every group of points.
        """
        if not self.evaluator.compiled:
            return None
        columns, is_whole = self._numbers(names)
        blocks = self._loops, self._program, self.state, self.plan.box.points
        return Walk(*blocks, columns, is_whole, signs, at_ends or [False] * len(names), each_other)

    def ends(self, names: tuple[str, ...]) -> dict[str, tuple[float, float, bool]]:
        """What all values of columns in the block lie between, nan apart, and whether there are such.

        Values of points that do not hold are among them. Only where loops are compiled.
        """
        columns, is_whole = (np.array(parts) for parts in self._numbers(names))
        if names not in self._groups:
            self._groups[names] = groups_of(self._program, columns)
        found = np.empty((len(names), 3))
        note_ends(self._program, self.state, self._groups[names], columns, is_whole, found)
        return {name: (low, high, nans > 0) for name, (low, high, nans) in zip(names, found.tolist(), strict=True)}

    def pick(self, name: str, places: Cells) -> Cells:
        """The values of a column at these points of the block, as whole numbers of the same bits.

        Only where loops are compiled.
        """
        out = np.empty(len(places), np.int64)
        pick_into(self._program, self.state, self._columns[name], places, out)
        return out

    def _numbers(self, names: Sequence[str]) -> tuple[list[int], list[bool]]:
        """Where columns stand in the program, and which hold whole numbers."""
        return [self._columns[name] for name in names], [self.plan.values[name].kind != "float" for name in names]

    def read(self, found: Mapping[str, Cells]) -> None:
        """Fill columns of a block by name, each of its dtype and as long as positions."""
        if self.evaluator.compiled:
            gather_rows(self._program, self.state, *self._targets(found))
            return
        every = self.held == self.state.words[POINTS]
        for name, out in found.items():
            if name == DESIGN_ID:
                _ids_into(self._program, self.state, out)
            elif every and len(out):
                self._lay(name, out)
            elif len(out):
                cells = out if out.dtype == np.int32 else out.view(np.int64)
                _column_into(self._program, self.state, self._columns[name], cells)

    def _lay(self, name: str, out: Cells) -> None:
        """Fill a column at all points of a block: its values, again along the axes that it does not vary along."""
        assert out.flags.c_contiguous, name
        extents, strides = self.evaluator.laid(name, int(self.state.words[SHAPE]))
        cells = self.state.floats if out.dtype == np.float64 else self.state.integers
        first = cells[_start_of(self._program, self.state, self._columns[name]) :]
        steps = [stride * cells.itemsize for stride in strides]
        out.reshape(extents)[...] = np.lib.stride_tricks.as_strided(first, extents, steps, writeable=False)

    def _targets(self, found: Mapping[str, Cells]) -> tuple[Cells, Cells, int]:
        """What gather_rows wants to know of the arrays to fill: columns, addresses, how many are narrow."""
        key = tuple(found)
        if key not in self._wanted:
            names = sorted(found, key=lambda name: self.dtype(name) is not np.int32)
            columns = [IDS if name == DESIGN_ID else self._columns[name] for name in names]
            narrow = sum(self.dtype(name) is np.int32 for name in names)
            self._wanted[key] = names, np.array(columns, np.int64), narrow
        names, columns_of, narrow = self._wanted[key]
        for name, values in found.items():
            assert values.dtype == self.dtype(name), name
            assert values.flags.c_contiguous, name
        addresses = [found[name].__array_interface__["data"][0] for name in names]
        return columns_of, np.array(addresses, np.int64), narrow

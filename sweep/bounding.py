"""What the values of a plan lie between in boxes of its space, many boxes of one size at a time.

A box is a run of places along every axis. Of a table the least and greatest over every run are looked up; of what is
computed from tables they follow from its formula (kernels.intervals).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.intervals import Interval, as_count, bounds, rounded
from sweep.evaluator import Evaluator
from sweep.plan import Plan
from sweep.ranges import is_cut_to_count

Ints = npt.NDArray[np.int64]
Levels = tuple[int, ...]  # the size of a box along each axis of the space, as powers of two


class Boxes(NamedTuple):
    """Boxes of one size: along each axis box n begins at at[n, axis] times that size."""

    levels: Levels
    at: Ints

    def __len__(self) -> int:
        return len(self.at)

    def halved(self, axis: int, sizes: Sequence[int]) -> Boxes:
        """Each box as two along an axis, without what lies behind the end of the axis."""
        levels = (*self.levels[:axis], self.levels[axis] - 1, *self.levels[axis + 1 :])
        at = np.repeat(self.at, 2, axis=0)
        at[:, axis] *= 2
        at[1::2, axis] += 1
        return Boxes(levels, at[(at[:, axis] << levels[axis]) < sizes[axis]])

    def take(self, which: npt.NDArray[Any]) -> Boxes:
        """Some of the boxes."""
        return Boxes(self.levels, self.at[which])


class Bounding:
    """Bounds of what some targets follow from.

    tables are the values that bounds start from, formulas what is computed from them, each after what it reads.
    """

    def __init__(self, plan: Plan, evaluator: Evaluator, targets: Iterable[str]) -> None:
        self._plan, self._evaluator = plan, evaluator
        needed = self._needed(targets)
        self.tables = [name for name, value in plan.values.items() if name in needed and value.is_table]
        self.formulas = [name for name, value in plan.values.items() if name in needed and not value.is_table]
        self._counts = {name for name in self.formulas if is_cut_to_count(plan.values[name], plan)}
        self._axes = {name: sorted(plan.order[a] for a in plan.values[name].axes) for name in self.tables}
        self._runs: dict[tuple[str, Levels], Interval] = {}

    def _needed(self, targets: Iterable[str]) -> set[str]:
        """All that targets follow from, as far as tables."""
        values, seen, stack = self._plan.values, set[str](), list(targets)
        while stack:
            name = stack.pop()
            if name not in seen:
                seen.add(name)
                node = values[name].node
                if node is not None and not values[name].is_table:
                    stack.extend(node.formula.parameters)
        return seen

    def read(self, *lots: Boxes, names: Sequence[str] | None = None) -> dict[str, Interval]:
        """Bounds of tables, all unless named, in the boxes of some lots, one lot behind the other."""
        scope: dict[str, Interval] = {}
        for name in self.tables if names is None else names:
            parts = [self._in_boxes(name, lot) for lot in lots]
            together = parts[0]
            if len(parts) > 1 and self._axes[name]:
                low, high = (np.concatenate(ends) for ends in list(zip(*parts, strict=True))[:2])
                is_array = isinstance(together.unsure, np.ndarray)
                unsure = np.concatenate([part.unsure for part in parts]) if is_array else together.unsure
                together = Interval(low, high, unsure)
            scope[name] = together
        return scope

    def _in_boxes(self, name: str, boxes: Boxes) -> Interval:
        """Bounds of a table in each box."""
        axes = self._axes[name]
        found = self._of_runs(name, tuple(boxes.levels[k] for k in axes))
        index = tuple(boxes.at[:, k] for k in axes)
        unsure = found.unsure[index] if isinstance(found.unsure, np.ndarray) and axes else found.unsure
        return Interval(found.low[index], found.high[index], unsure)

    def follow(self, scope: dict[str, Interval], names: Sequence[str] | None = None) -> None:
        """Add the bounds of formulas, all unless named, to those of what they read."""
        for name in self.formulas if names is None else names:
            node = self._plan.values[name].node
            assert node is not None
            found = bounds(node.formula, scope, self._plan.space.graph.words)
            scope[name] = as_count(found) if name in self._counts else found

    def _of_runs(self, name: str, levels: Levels) -> Interval:
        """The least and greatest of a table over runs of these sizes along its axes, of each run in its place."""
        key = name, levels
        if key not in self._runs:
            last = next((k for k in reversed(range(len(levels))) if levels[k]), None)
            if last is None:
                self._runs[key] = self._whole(name)
            else:
                finer = self._of_runs(name, (*levels[:last], levels[last] - 1, *levels[last + 1 :]))
                starts = np.arange(0, finer.low.shape[last], 2)
                low = np.fmin.reduceat(finer.low, starts, axis=last)
                high = np.fmax.reduceat(finer.high, starts, axis=last)
                unsure = finer.unsure
                if isinstance(unsure, np.ndarray):
                    unsure = np.logical_or.reduceat(unsure, starts, axis=last)
                self._runs[key] = Interval(low, high, unsure)
        return self._runs[key]

    def _whole(self, name: str) -> Interval:
        """A table at every place, its axes in the order of the space."""
        value = self._plan.values[name]
        place = self._evaluator.place(name)
        shape = [self._plan.box.sizes[a] for a in value.axes]
        cells = self._evaluator.tables[place : place + prod(shape)]
        held = (cells.view(np.float64) if value.kind == "float" else cells.astype(np.float64)).reshape(shape)
        held = held.transpose(np.argsort([self._plan.order[a] for a in value.axes])) if shape else held
        bad = np.isnan(held)
        unsure = bad if bad.any() else False
        if value.kind == "float":
            return Interval(held, held, unsure)
        low, high, _ = rounded(Interval(held, held))
        return Interval(low, high, unsure)

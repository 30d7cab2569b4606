"""What the values of a plan lie between in boxes of its space, many boxes of one size at a time.

A box is a run of places along every axis. Of a table the least and greatest over every run are looked up; of what is
computed from tables they follow from its formula (kernels.intervals). Formulas read what goes together: bounds of
``num_layers - num_moe_layers`` from those of the two would have fewer layers than none. So a part of a formula that
reads several tables along one axis is a table too.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.intervals import UNARY, Interval, as_count, bounds, evaluate, rounded
from kernels.language import Formula, names_in
from sweep.evaluator import Evaluator
from sweep.plan import TABLE_POINTS, Plan
from sweep.ranges import is_cut_to_count

Ints = npt.NDArray[np.int64]
FUNCTIONS = UNARY.keys() | {"min", "max"}

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

    def __init__(self, plan: Plan, evaluator: Evaluator, targets: Sequence[str]) -> None:
        self._plan, self._evaluator = plan, evaluator
        needed = self._needed(targets)
        self.tables = [name for name, value in plan.values.items() if name in needed and value.is_table]
        self.formulas = [name for name, value in plan.values.items() if name in needed and not value.is_table]
        self._counts = {name for name in self.formulas if is_cut_to_count(plan.values[name], plan)}
        self._axes = {name: sorted(plan.order[a] for a in plan.values[name].axes) for name in self.tables}
        self._runs: dict[tuple[str, Levels], Interval] = {}
        self._parts: dict[str, ast.expr] = {}  # tables that are parts of formulas
        self._formulas = {name: self._in_parts(name) for name in self.formulas}
        trees = [tree for f in self._formulas.values() for tree in (*(value for _, value in f.steps), f.result)]
        read = set(targets).union(*map(names_in, trees))
        self.tables = [name for name in (*self.tables, *self._parts) if name in read]

    def _needed(self, targets: Sequence[str]) -> set[str]:
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
            found = bounds(self._formulas[name], scope, self._plan.space.graph.words)
            scope[name] = as_count(found) if name in self._counts else found

    def axes_of(self, table: str) -> frozenset[int]:
        """The axes of the space along which a table varies."""
        return frozenset(self._axes[table])

    def _in_parts(self, name: str) -> Formula:
        """A formula that reads its parts from tables."""
        node = self._plan.values[name].node
        assert node is not None
        formula = node.formula
        read = set(formula.parameters) - {step for step, _ in formula.steps}  # a step has the name that it is given
        steps = tuple((step, self._in_tables(expression, read)) for step, expression in formula.steps)
        return replace(formula, steps=steps, result=self._in_tables(formula.result, read))

    def _in_tables(self, expression: ast.expr, read: set[str]) -> ast.expr:
        """An expression with its largest parts that read some tables along one axis, of these, replaced by names."""
        if isinstance(expression, ast.BinOp | ast.Call | ast.IfExp) and self._is_table(expression, read):
            text = ast.unparse(expression)
            if text not in self._parts:
                self._parts[text] = expression
                self._axes[text] = sorted({a for n in names_in(expression) - FUNCTIONS for a in self._axes[n]})
            return ast.Name(id=text, ctx=ast.Load())
        found = copy(expression)
        for field, child in ast.iter_fields(expression):
            if isinstance(child, ast.expr):
                setattr(found, field, self._in_tables(child, read))
            elif isinstance(child, list) and all(isinstance(part, ast.expr) for part in child):
                setattr(found, field, [self._in_tables(part, read) for part in child])
        return found

    def _is_table(self, expression: ast.expr, read: set[str]) -> bool:
        """Whether an expression reads nothing but tables, some of them along the same axis, and is soon one itself."""
        names = names_in(expression) - FUNCTIONS
        if not names <= self._axes.keys() & read:
            return False
        spread = [axis for name in names for axis in self._axes[name]]
        cells = prod(len(self._plan.space.axes[axis]) for axis in set(spread))
        return len(spread) > len(set(spread)) and cells <= TABLE_POINTS

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
        if name in self._parts:
            return self._whole_part(name)
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

    def _whole_part(self, name: str) -> Interval:
        """The same of a part of a formula."""
        axes, scope = self._axes[name], {}
        for read in names_in(self._parts[name]) - FUNCTIONS:
            shape = [len(self._plan.space.axes[a]) if a in self._axes[read] else 1 for a in axes]
            whole = self._of_runs(read, (0,) * len(self._axes[read]))
            scope[read] = Interval(*(np.reshape(end, shape) if np.ndim(end) else end for end in whole))
        with np.errstate(all="ignore"):
            found = evaluate(self._parts[name], scope, self._plan.space.graph.words)
        shape = [len(self._plan.space.axes[a]) for a in axes]
        low, high = (np.broadcast_to(end, shape) for end in found[:2])
        return Interval(low, high, np.broadcast_to(found.unsure, shape) if np.any(found.unsure) else False)

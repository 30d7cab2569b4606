"""Between what bounds the values of a plan lie: looked at one by one where they are few, else from what they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.intervals import Interval, as_count, bounds, rounded
from kernels.language import kind_of
from sweep.evaluator import Evaluator
from sweep.plan import Plan, Value

WALKED = 1 << 24  # points of a value that are all computed to know its range


class Ranges:
    """The least and greatest of every value of a plan, over all of its axes.

    found are those known better than from the plan alone: of the values of a group over its own choices. walk finds
    the extremes of a value too large for a table and small enough to be looked at one by one; None: no value is.
    in_boxes bounds a value that is larger still, box by box of its axes, if it is given.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        walk: Callable[[str], Interval] | None,
        in_boxes: Callable[[str], Interval] | None = None,
    ) -> None:
        self._evaluator = evaluator
        self._plan = evaluator.plan
        self._walk, self._in_boxes = walk, in_boxes
        self._looked_at: dict[str, Interval] = {}
        self._found: dict[str, Interval] = {}

    def with_found(self, found: Mapping[str, Interval]) -> Ranges:
        """These ranges, with some known better. What either looks at one by one, the other need not."""
        better = Ranges(self._evaluator, self._walk, self._in_boxes)
        better._looked_at, better._found = self._looked_at, self._found | dict(found)
        return better

    def __getitem__(self, name: str) -> Interval:
        """Exact where the value is small enough, else from what its formula reads: wider, since that is correlated."""
        if name not in self._found:
            value = self._plan.values[name]
            if self._is_looked_at(value):
                if name not in self._looked_at:
                    self._looked_at[name] = self._looked(value)
                self._found[name] = self._looked_at[name]
            elif self._in_boxes is None or name.startswith("_"):
                self._found[name] = self._of(value)
            else:
                self._found[name] = _in_both(self._of(value), self._in_boxes(name))
        return self._found[name]

    def _is_looked_at(self, value: Value) -> bool:
        """Whether a value is known at every place, or soon is."""
        if value.is_table or value.node is None:
            return True
        if self._walk is None:
            return False
        return prod(self._plan.box.sizes[a] for a in value.axes) <= WALKED and not value.node.formula.finds_a_root

    def _looked(self, value: Value) -> Interval:
        if self._walk is not None and not value.is_table and value.node is not None:
            return self._walk(value.name)
        place = self._evaluator.place(value.name)
        cells = self._evaluator.tables[place : place + prod(self._plan.box.sizes[a] for a in value.axes)]
        return extremes(cells.view(np.float64) if value.kind == "float" else cells)

    def _of(self, value: Value) -> Interval:
        assert value.node is not None
        formula = value.node.formula
        found = bounds(formula, {p: self[p] for p in formula.parameters}, self._plan.space.graph.words)
        return plain(as_count(found) if is_cut_to_count(value, self._plan) else found)


def is_cut_to_count(value: Value, plan: Plan) -> bool:
    """Whether a formula that comes to a number is held as a count."""
    graph = plan.space.graph
    assert value.node is not None
    return value.kind == "int" and kind_of(value.node.formula, graph.kinds, graph.words) == "float"


def extremes(values: npt.NDArray[Any], finite: bool = False) -> Interval:
    """The least and greatest of some values, nan apart; finite: infinities apart too."""
    held = values[np.isfinite(values)] if finite else values[~np.isnan(values)]
    if not len(held):
        return Interval(-np.inf, np.inf, True)
    found = Interval(float(held.min()), float(held.max()), not finite and len(held) < len(values))
    return found if values.dtype == np.float64 else plain(rounded(found))


def ends_of(low: float, high: float, has_nan: bool, dtype: type[np.generic]) -> Interval:
    """What numbers of a type lie between whose least and greatest are known, nan apart."""
    found = Interval(low, high, has_nan)
    return found if dtype is np.float64 else plain(rounded(found))


NOTHING = Interval(np.inf, -np.inf)


def around(a: Interval, b: Interval) -> Interval:
    """What lies in either."""
    return Interval(min(a.low, b.low), max(a.high, b.high), a.unsure or b.unsure)


def _in_both(a: Interval, b: Interval) -> Interval:
    """What lies in both."""
    return Interval(max(a.low, b.low), min(a.high, b.high), a.unsure and b.unsure)


def lies_within(a: Interval, b: Interval) -> bool:
    """Whether all that lies in one lies in the other."""
    return bool(b.low <= a.low and a.high <= b.high and (b.unsure or not a.unsure))


def plain(found: Interval) -> Interval:
    """An interval of Python's own numbers: reckoning with single ones of NumPy takes ten times as long."""
    return Interval(*(x.item() if hasattr(x, "item") else x for x in found))

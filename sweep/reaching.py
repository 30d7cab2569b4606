"""Which choices may be as good as a design that is known: boxes of the others are left out whole.

Along an axis an objective gets better until conditions fail (sweep.along). So a choice along the other axes can be as
good as what is known only if the conditions hold at the first place where its objective is. In a box of choices no
such place comes before the first where the objective's bound is as good; where the conditions cannot hold there, they
hold for none of its choices at any place that counts. Other boxes are halved (sweep.halving), and in the end their
choices are evaluated there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kernels.intervals import Interval
from sweep.bounding import Bounding, Boxes
from sweep.halving import Halving
from sweep.listed import Points
from sweep.question import Question

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Scope = Mapping[str, Interval]

LOT = 1 << 18  # choices that are evaluated together
BOX = 16.0  # choices that are evaluated while one box is bounded


@dataclass(frozen=True)
class Reached:
    """Choices at[axes, n] that may be as good, and steps from the axis's worse end: low, where they hold, and by which
    of later ones they are as good.
    """

    at: Ints
    low: Ints
    later: Ints


def gathered(parts: Iterable[Reached], count: int) -> Iterator[Reached]:
    """The first part, which tells of something good, then the others, so many choices and more together."""
    waiting: list[Reached] = []
    least = 0
    for part in parts:
        waiting.append(part)
        if sum(len(w.low) for w in waiting) >= least:
            yield _together(waiting)
            waiting, least = [], count
    if waiting:
        yield _together(waiting)


def _together(parts: Sequence[Reached]) -> Reached:
    at = np.concatenate([part.at for part in parts], axis=1)
    return Reached(at, *(np.concatenate([getattr(part, name) for part in parts]) for name in ("low", "later")))


class Reaching:
    """The choices of a space that may be as good as a value, less being better, a part at a time.

    The objective gets better along axis, or before where it is not further. opened and evaluated count boxes and
    designs.
    """

    def __init__(self, question: Question, objective: tuple[str, float], axis: int, further: bool) -> None:
        self._name, self._sign = objective
        self._axis, self._further = axis, further
        self._axes, self._sizes = question.space.axes, [len(a) for a in question.space.axes]
        self._last = self._sizes[axis] - 1
        self._points = Points(question.space, [])
        plan = question.plan
        self._keep = plan.keep
        self._bounding = Bounding(plan, question.evaluator, [self._name, *([plan.keep] if plan.keep else [])])
        own = plan.needed_for([self._name])
        moved = {name for name, spread in question.spread.items() if axis in spread}
        formulas, tables = self._bounding.formulas, self._bounding.tables
        self._still = [name for name in formulas if name in own and name not in moved]
        self._objective = [name for name in formulas if name in own and name in moved]
        self._others = [name for name in formulas if name not in own]
        self._moved = [name for name in tables if axis in self._bounding.axes_of(name)]
        self.opened = self.evaluated = 0

    def parts(self, best: Callable[[], float]) -> Iterator[Reached]:
        """Those that may be as good as best() is when their part comes."""

        def may_matter(lots: Sequence[Boxes]) -> Bools:
            return self._may_hold([self._from_worse_end(lot) for lot in lots], best())[0]

        halving = Halving(self._axes, frozenset([self._axis]), may_matter, BOX)
        for boxes in halving.boxes():
            self.opened = halving.opened
            yield from self._choices(boxes, best())
        self.opened = halving.opened

    def _from_worse_end(self, boxes: Boxes) -> Boxes:
        """Boxes of single places of the axis, of which nothing is asked but where they are placed."""
        return Boxes((*boxes.levels[: self._axis], 0, *boxes.levels[self._axis + 1 :]), boxes.at)

    def _may_hold(self, lots: Sequence[Boxes], best: float) -> tuple[Bools, Ints]:
        """Which boxes may hold a choice that is as good, and the first step at which it may be."""
        scope = self._bounding.read(*lots)
        self._bounding.follow(scope, self._still)
        low = self._first_step(lots, scope, lambda found: self._may_be(found, best))
        left = low <= self._last
        if self._keep is not None:
            scope |= self._bounding.read(*self._placed(lots, np.minimum(low, self._last)), names=self._moved)
            self._bounding.follow(scope, [*self._objective, *self._others])
            left &= np.broadcast_to(scope[self._keep].high != 0.0, len(left))
        return left, low

    def _first_step(self, lots: Sequence[Boxes], scope: dict[str, Interval], holds: Callable[[Scope], Bools]) -> Ints:
        """The first step at which something holds that holds from there on, found by halving; behind the last: none."""
        low = np.zeros(sum(map(len, lots)), np.int64)
        high = low + self._last + 1
        while (low < high).any():
            middle = (low + high) // 2
            placed = self._placed(lots, np.minimum(middle, self._last))
            scope |= self._bounding.read(*placed, names=self._moved)
            self._bounding.follow(scope, self._objective)
            held, is_open = np.broadcast_to(holds(scope), len(low)), low < high
            high = np.where(is_open & held, middle, high)
            low = np.where(is_open & ~held, middle + 1, low)
        return low

    def _may_be(self, scope: Scope, best: float) -> Bools:
        """Whether a choice may be as good, or is a nan."""
        low, high, unsure = scope[self._name]
        return np.asarray(((low if self._sign > 0 else -high) <= best) | unsure, np.bool_)

    def _must_be(self, scope: Scope, best: float) -> Bools:
        """Whether all choices are as good."""
        low, high, _ = scope[self._name]
        return np.asarray((high if self._sign > 0 else -low) <= best, np.bool_)

    def _placed(self, lots: Sequence[Boxes], steps: Ints) -> list[Boxes]:
        """Boxes at so many steps from the axis's worse end."""
        found, end = [], 0
        for lot in lots:
            at, own = lot.at.copy(), steps[end : end + len(lot)]
            at[:, self._axis] = own if self._further else self._last - own
            found.append(Boxes(lot.levels, at))
            end += len(lot)
        return found

    def _choices(self, boxes: Boxes, best: float) -> Iterator[Reached]:
        """The choices of some boxes that hold at the first step at which one of their box may be as good."""
        boxes = self._from_worse_end(boxes)
        left, low = self._may_hold([boxes], best)
        boxes, low = boxes.take(left), low[left]
        scope = self._bounding.read(boxes)
        self._bounding.follow(scope, self._still)
        later = np.minimum(self._first_step([boxes], scope, lambda found: self._must_be(found, best)), self._last)
        levels, ends = np.array(boxes.levels), np.array(self._sizes)[:, None]
        inside = np.indices([1 << level for level in boxes.levels]).reshape(len(levels), -1)
        many = max(1, LOT // inside.shape[1])
        for first in range(0, len(boxes), many):
            corners = (boxes.at[first : first + many] << levels).T
            at = (corners[:, :, None] + inside[:, None, :]).reshape(len(levels), -1)
            box = np.repeat(np.arange(first, first + corners.shape[1]), inside.shape[1])
            there = (at < ends).all(axis=0)
            at, box = at[:, there], box[there]
            at[self._axis] = low[box] if self._further else self._last - low[box]
            self.evaluated += len(box)
            held = np.concatenate([np.empty(0, np.int64), *(positions for _, positions in self._points.at(at))])
            at, box = at[:, held], box[held]
            at[self._axis] = 0
            yield Reached(at, low[box], np.maximum(low, later)[box])

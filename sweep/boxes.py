"""Designs that cannot matter left out a box at a time: what is best in a box bounds everything in it.

A box is a run of values along every axis. What its designs come to lies between bounds that follow from the metric
definitions alone (kernels.intervals), starting from tables of which the least and greatest over every run are known.
A box in which a condition cannot hold, or whose best corner is beaten by a design already found, is dropped whole;
what is left is halved along one axis after another, until boxes are so small that their designs are evaluated. All
boxes of a generation have the same size, so that a generation is a few operations on arrays. When there are too many,
the most promising are followed to the end first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, inf, log2, prod
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sweep.bounding import Bounding, Boxes
from sweep.evaluator import Evaluator
from sweep.listed import Points
from sweep.plan import Plan
from sweep.space import Space

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_BOXES = 1 << 16  # of a generation that are halved together
LEAF_POINTS = 32  # a box of fewer designs is evaluated: bounding one costs what evaluating as many does
BATCH = 1 << 19  # designs evaluated at once
PROBED = 1 << 12  # boxes of a generation of which a design is evaluated, so that there is something to be beaten by


class Filter(Protocol):
    """What designs are held against: it knows the best ones so far."""

    def beaten(self, least: Floats) -> npt.NDArray[np.bool_]:
        """Of boxes whose objectives are no less than least[n, k], those no design of which can matter."""

    def fold(self, objectives: Floats, at: Ints) -> None:
        """Take in designs: objectives[n, k], less being better, and their places at[axes, n] on the axes."""


class Search:
    """The designs of a space that matter to a filter, found by halving boxes.

    objectives are metrics or inputs with 1 where less is better and -1 where more is. opened and evaluated count boxes
    and designs.
    """

    def __init__(self, space: Space, objectives: Sequence[tuple[str, float]]) -> None:
        self.space, self.objectives = space, objectives
        self.plan = Plan(space, [name for name, _ in objectives], patience=inf)  # its tables are all that is read
        self.evaluator = Evaluator(self.plan)
        self.opened = self.evaluated = 0
        self.sizes = tuple(len(axis) for axis in space.axes)
        targets = [name for name, _ in objectives] + ([self.plan.keep] if self.plan.keep else [])
        self._bounding = Bounding(self.plan, self.evaluator, targets)
        self._levels = self._halvings()
        self._points = Points(space, list(dict.fromkeys(name for name, _ in objectives)))

    def run(self, filter_: Filter, progress: Callable[[float], None] | None = None) -> None:
        """Show the filter every design that can matter, and some others. progress is told the share of designs done."""
        if prod(self.sizes) == 0:
            return
        whole = prod(self.sizes)
        done = 0
        stack: list[tuple[int, Ints]] = [(0, np.zeros((1, len(self.sizes)), np.int64))]
        while stack:
            step, boxes = stack.pop()
            before = int(self._volumes(step, boxes).sum())
            left, least = self._left(step, boxes, filter_)
            done += before - int(self._volumes(step, left).sum())
            if len(left):
                if step == len(self._levels) - 1 or prod(1 << level for level in self._levels[step]) <= LEAF_POINTS:
                    done += int(self._volumes(step, left).sum())
                    self._evaluate(step, left, filter_)
                else:
                    if step % 4 == 0:
                        self._probe(step, left, least, filter_)
                    stack += self._halved(step, left, least)
            if progress is not None:
                progress(done / whole)

    def _halvings(self) -> list[tuple[int, ...]]:
        """The size of boxes, as powers of two along each axis, generation by generation.

        Records first: their order means nothing, so a run of them bounds little. Then always the longest run.
        """
        levels = [ceil(log2(size)) if size > 1 else 0 for size in self.sizes]
        found = [tuple(levels)]
        while any(levels):
            words = [k for k, axis in enumerate(self.space.axes) if axis.is_words and levels[k]]
            halved = words[0] if words else max(range(len(levels)), key=lambda k: levels[k])
            levels[halved] -= 1
            found.append(tuple(levels))
        return found

    # ------------------------------------------------------------------------------------------------------- halving

    def _volumes(self, step: int, boxes: Ints) -> Ints:
        """Designs in each box; the last along an axis may be cut short."""
        volume = np.ones(len(boxes), np.int64)
        for k, (level, size) in enumerate(zip(self._levels[step], self.sizes, strict=True)):
            volume *= np.minimum((boxes[:, k] + 1) << level, size) - (boxes[:, k] << level)
        return volume

    def _left(self, step: int, boxes: Ints, filter_: Filter) -> tuple[Ints, Floats]:
        """The boxes that may hold a design that matters, and the least their objectives can come to."""
        self.opened += len(boxes)
        scope = self._bounding.read(Boxes(self._levels[step], boxes))
        self._bounding.follow(scope)
        least = np.empty((len(boxes), len(self.objectives)))
        for k, (name, sign) in enumerate(self.objectives):
            low, high, _ = scope[name]
            least[:, k] = low if sign > 0 else -high
        np.nan_to_num(least, copy=False, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        keep = np.ones(len(boxes), bool)
        if self.plan.keep is not None:
            keep &= np.broadcast_to(scope[self.plan.keep].high != 0.0, keep.shape)
        keep[keep] &= ~filter_.beaten(least[keep])
        return boxes[keep], least[keep]

    def _halved(self, step: int, boxes: Ints, least: Floats) -> list[tuple[int, Ints]]:
        """Each box as two, of the next generation; in several lots where there are many, the most promising last."""
        axis = next(k for k, (a, b) in enumerate(zip(*self._levels[step : step + 2], strict=True)) if a != b)
        if len(boxes) > MOST_BOXES // 2:
            boxes = boxes[np.argsort(_promise(least), kind="stable")]
        lots: list[tuple[int, Ints]] = []
        for first in range(0, len(boxes), MOST_BOXES // 2):
            lot = Boxes(self._levels[step], boxes[first : first + MOST_BOXES // 2])
            lots.append((step + 1, lot.halved(axis, self.sizes).at))
        return lots[::-1]

    def _probe(self, step: int, boxes: Ints, least: Floats, filter_: Filter) -> None:
        """Evaluate the middle of the most promising boxes."""
        chosen = boxes[np.argsort(_promise(least), kind="stable")[:PROBED]] if len(boxes) > PROBED else boxes
        at = np.empty((len(self.sizes), len(chosen)), np.int64)
        for k, (level, size) in enumerate(zip(self._levels[step], self.sizes, strict=True)):
            first = chosen[:, k] << level
            at[k] = (first + np.minimum((chosen[:, k] + 1) << level, size) - 1) // 2
        self._show(at, filter_)

    def _evaluate(self, step: int, boxes: Ints, filter_: Filter) -> None:
        """Evaluate every design of some boxes."""
        levels = self._levels[step]
        inside = np.indices([1 << level for level in levels]).reshape(len(levels), -1)
        many = max(1, BATCH // inside.shape[1])
        for first in range(0, len(boxes), many):
            lot = boxes[first : first + many]
            at = np.stack([((lot[:, k] << level)[:, None] + inside[k]).reshape(-1) for k, level in enumerate(levels)])
            at = at[:, (at < np.array(self.sizes)[:, None]).all(axis=0)]
            self._show(at, filter_)

    def _show(self, at: Ints, filter_: Filter) -> None:
        self.evaluated += at.shape[1]
        for found, positions in self._points.at(at):
            objectives = np.empty((len(positions), len(self.objectives)))
            for k, (name, sign) in enumerate(self.objectives):
                objectives[:, k] = sign * found[name]
            filter_.fold(objectives, at[:, positions])


def _promise(least: Floats) -> Floats:
    """An order of boxes in which those that may be good in everything come first."""
    rank = np.zeros(len(least))
    for column in least.T:
        rank += np.argsort(np.argsort(column))
    return rank

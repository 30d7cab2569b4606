"""Boxes of choices halved as long as that leaves out enough of them.

Boxes are halved along the axis that some of them, halved along each, show to leave out most, until bounding one more
costs what its choices do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil, log2

import numpy as np
import numpy.typing as npt

from sweep.bounding import Boxes
from sweep.space import Axis

Bools = npt.NDArray[np.bool_]

FEW_PLACES = 1 << 3  # of an axis that is taken apart before anything is bounded, as records are
FEW_BOXES = 1 << 11  # that are halved before anything is bounded: it takes as long to bound one as that many
MOST_BOXES = 1 << 16  # of a generation that are bounded together
SAMPLE = 1 << 7  # boxes that are halved along every axis to see along which one it pays
HOPE = 0.125  # the share of choices that the generation after the next leaves out where the next leaves out none


def first_boxes(axes: Sequence[Axis], whole: frozenset[int]) -> Boxes:
    """The choices in boxes of single records, and as many as are bounded as fast as one; whole along some axes."""
    sizes = [len(axis) for axis in axes]
    boxes = Boxes(tuple(ceil(log2(n)) if n > 1 else 0 for n in sizes), np.zeros((1, len(sizes)), np.int64))
    while len(boxes) < FEW_BOXES:
        open_ = [k for k, level in enumerate(boxes.levels) if level and k not in whole]
        if not open_:
            break
        records = [k for k in open_ if axes[k].is_words or not axes[k].labels or sizes[k] <= FEW_PLACES]
        boxes = boxes.halved(min(records) if records else max(open_, key=lambda k: boxes.levels[k]), sizes)
    return boxes


class Halving:
    """Small boxes of the choices along some axes, those along others whole, that may matter.

    may_matter says so of the boxes of some lots. Bounding a box takes as long as so many of its choices, box_cost.
    opened counts boxes.
    """

    def __init__(
        self,
        axes: Sequence[Axis],
        whole: frozenset[int],
        may_matter: Callable[[Sequence[Boxes]], Bools],
        box_cost: float,
    ) -> None:
        self._axes, self._sizes = axes, [len(axis) for axis in axes]
        self._whole, self._may_matter, self._box_cost = whole, may_matter, box_cost
        self.opened = 0

    def boxes(self) -> Iterator[Boxes]:
        """The boxes that are left, a lot at a time; what may matter is asked anew for each lot."""
        stack = [first_boxes(self._axes, self._whole)]
        while stack:
            boxes = stack.pop()
            self.opened += len(boxes)
            boxes = boxes.take(self._may_matter([boxes]))
            if not len(boxes):
                continue
            axis, share = self._pays(boxes)
            if axis is None or max(share, HOPE) * self._choices(boxes) < 2.0 * self._box_cost:
                yield boxes
                continue
            halves = boxes.halved(axis, self._sizes)
            lots = [slice(first, first + MOST_BOXES) for first in range(0, len(halves), MOST_BOXES)]
            stack += [halves.take(lot) for lot in reversed(lots)]

    def _choices(self, boxes: Boxes) -> int:
        """Choices of a box along the axes that are halved."""
        return int(np.prod([1 << level for k, level in enumerate(boxes.levels) if k not in self._whole]))

    def _some(self, boxes: Boxes) -> Boxes:
        return boxes.take(np.linspace(0, len(boxes) - 1, min(len(boxes), SAMPLE)).astype(np.int64))

    def _pays(self, boxes: Boxes) -> tuple[int | None, float]:
        """Along which axis halving some of the boxes leaves out most, and which share of their choices that is."""
        open_ = [k for k, level in enumerate(boxes.levels) if level and k not in self._whole]
        axes = sorted(open_, key=lambda k: -boxes.levels[k])
        if not axes:
            return None, 0.0
        some = self._some(boxes)
        lots = [some.halved(axis, self._sizes) for axis in axes]
        left = self._may_matter(lots)
        shares = [1.0 - part.mean() for part in np.split(left, np.cumsum([len(lot) for lot in lots])[:-1])]
        found = int(np.argmax(shares))
        return axes[found], float(shares[found])

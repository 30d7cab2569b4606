"""Designs of a space evaluated by their places on its axes, a lot at a time.

Whoever asks asks again and again, for any number of designs: a plan for lots of some sizes is made once, and its tables
filled anew with the values of the axes at those places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sweep.evaluator import Evaluator
from sweep.plan import REPEATED, Plan
from sweep.space import Axis, Space
from sweep.worker import Worker

Ints = npt.NDArray[np.int64]

LEAST_LOT, LARGEST_LOT, TIMES = 1 << 6, 1 << 18, 4  # designs: lots are of the least size, of four times as many, ...


class Points:
    """Designs of a space by their places on its axes. Threads may ask at once."""

    def __init__(self, space: Space, columns: Sequence[str]) -> None:
        self._space, self._columns = space, columns
        self._evaluators: dict[int, Evaluator] = {}
        self._idle: dict[int, list[Worker]] = {}

    def at(self, at: Ints) -> Iterator[tuple[dict[str, npt.NDArray[Any]], Ints]]:
        """The columns of those designs at[axes, n] that meet all conditions, and which of the n these are."""
        for first in range(0, at.shape[1], LARGEST_LOT):
            lot = at[:, first : first + LARGEST_LOT]
            size = LEAST_LOT
            while size < lot.shape[1]:
                size *= TIMES
            for found, positions in self._lot(lot, size):
                yield found, first + positions

    def _lot(self, at: Ints, size: int) -> Iterator[tuple[dict[str, npt.NDArray[Any]], Ints]]:
        """As at, of no more designs than a lot of that size has."""
        worker, count = self._take(at, size), at.shape[1]
        points = worker.plan.box.points
        with np.errstate(all="ignore"):
            for first in range(0, count, points):
                worker.visit(first // points)
                positions = first + worker.positions.astype(np.int64)
                held = int(np.searchsorted(positions, count))
                if held:
                    yield {name: worker.column(name)[:held] for name in self._columns}, positions[:held]
        if worker.evaluator is self._evaluators.get(size):
            self._idle[size].append(worker)

    def _take(self, at: Ints, size: int) -> Worker:
        """A worker for lots of that size that nobody else has, with these designs, the last one again to its end."""
        at = np.concatenate([at, np.repeat(at[:, -1:], size - at.shape[1], axis=1)], axis=1)
        pairs = list(zip(self._space.axes, at, strict=True))
        try:
            worker = self._idle.setdefault(size, []).pop()
        except IndexError:
            if size not in self._evaluators:
                sets = {name: values[places] for axis, places in pairs for name, values in axis.sets.items()}
                listed = replace(self._space, axes=(Axis("row", (), sets, np.arange(size), size),))
                known = self._space.constants
                plan = Plan(listed, self._columns, largest_table=0, patience=REPEATED, known=known)
                evaluator = Evaluator(plan)
                if any(value.node and value.is_table and value.axes for value in plan.values.values()):
                    return Worker(evaluator)  # a quantile: of these designs, and computed once
                self._evaluators[size] = evaluator
            worker = Worker(self._evaluators[size])
        for axis, places in pairs:
            for name in axis.sets.keys() & worker.plan.values.keys():
                worker.table(name)[:] = axis.sets[name][places]
        worker.forget()
        return worker

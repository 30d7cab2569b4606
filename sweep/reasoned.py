"""The frontier of a space found by reasoning: choices that cannot matter left out, then boxes that cannot.

The designs found are those that walking the whole space would find, ids and ties included. What is known of designs
already evaluated prunes what is left; only the last few of every box are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

from kernels.boxtree import are_dominated, build_tree
from kernels.epsilon import EpsilonFrontier, cells
from kernels.pareto import RunningFrontier
from kernels.zorder import z_order
from sweep.along import Settled, best_along
from sweep.boxes import Search
from sweep.question import Members, Thinned
from sweep.space import Space
from sweep.thinning import of_records, thinned

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

GROWTH = 1.25  # of what is known before the tree over it is built anew


@dataclass(frozen=True)
class Reasoned:
    """Objectives[f, k] of what was found, less being better, the smallest design id behind each, and how many.

    at[axes, f] are their places in the smaller space; boxes were opened, designs evaluated one by one.
    """

    objectives: Floats
    ids: Ints
    counts: Ints
    thinned: Thinned
    at: Ints
    boxes: int
    designs: int


class _Known:
    """What boxes are held against."""

    def __init__(
        self, num_objectives: int, epsilon: float | None, sizes: Sequence[int], members: Sequence[Members]
    ) -> None:
        self._epsilon = epsilon
        self._members = members
        self._numbers = np.empty((2, 0), np.int64)  # with epsilon, ids of designs that were folded and their numbers
        self.running: RunningFrontier | EpsilonFrontier
        self.running = RunningFrontier(num_objectives) if not epsilon else EpsilonFrontier(num_objectives, epsilon)
        self._strides = np.array([prod(sizes[k + 1 :]) for k in range(len(sizes))], np.int64)
        self._tree = build_tree(np.empty((0, num_objectives)))
        self._since = 0
        self._size = 0
        self._cells: dict[bytes, tuple[float, ...]] = {}

    def fold(self, objectives: Floats, at: Ints) -> None:
        """Take in designs by their places on the axes."""
        numbers = (at * self._strides[:, None]).sum(axis=0)
        ids = numbers
        if (
            self._epsilon
        ):  # of equal designs the one of least id stands for a cell, and numbers need not be in their order
            ids = np.zeros(len(numbers), np.int64)
            for members, place in zip(self._members, at, strict=True):
                ids += members.first[place]
            self._numbers = np.concatenate([self._numbers, [ids, numbers]], axis=1)
        self.running.fold(objectives, ids)
        self._since += len(objectives)

    def result(self) -> tuple[Floats, Ints]:
        """The objectives of what is kept and the numbers of its places on the axes."""
        rows, found = self.running.result()
        if not self._epsilon:
            return rows, found
        ids, first = np.unique(self._numbers[0], return_index=True)
        self._numbers = self._numbers[:, first[np.searchsorted(ids, found)]]
        return rows, self._numbers[1].copy()

    def beaten(self, least: Floats) -> npt.NDArray[np.bool_]:
        """Boxes of which even the best corner is beaten, or with epsilon lies in a beaten cell."""
        if self._since > (GROWTH - 1.0) * self._size:
            rows, _ = self.result()
            if self._epsilon:
                lying = cells(rows, self._epsilon)
                self._cells = {cell.tobytes(): tuple(row) for cell, row in zip(lying, rows, strict=True)}
                rows = lying
            rows = np.ascontiguousarray(rows)
            self._tree = build_tree(rows[z_order(rows)])
            self._since, self._size = 0, len(rows)
        if not self._epsilon:
            return are_dominated(self._tree, np.ascontiguousarray(least))
        corner = np.ascontiguousarray(cells(least, self._epsilon))
        found = are_dominated(self._tree, corner)
        for i in np.flatnonzero(~found):  # in the cell of a design that comes before anything the box may hold
            first = self._cells.get(corner[i].tobytes())
            found[i] = first is not None and first < tuple(least[i])
        return found


class _Elsewhere:
    """What is known, for a search of some places of an axis alone."""

    def __init__(self, known: _Known, axis: int, places: Ints) -> None:
        self._known, self._axis, self._places = known, axis, places
        self.beaten = known.beaten

    def fold(self, objectives: Floats, at: Ints) -> None:
        """Take in designs by their places on the axes of the part."""
        at = at.copy()
        at[self._axis] = self._places[at[self._axis]]
        self._known.fold(objectives, at)


def _part(space: Space, axis: int, places: Ints) -> Space:
    """A space with some places of an axis."""
    return replace(space, axes=tuple(a.take(places) if k == axis else a for k, a in enumerate(space.axes)))


def reasoned(
    space: Space,
    objectives: Sequence[tuple[str, float]],
    epsilon: float | None = None,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
    least: int | None = None,
) -> Reasoned:
    """The frontier on objectives, each with 1 to minimise or -1 to maximise. progress is told the share done.

    least is the size from which on axes are put together; see thinned.
    """
    smaller, settled = _settled(space, objectives[0], threads) if len(objectives) == 1 and not epsilon else (None, None)
    if smaller is None or settled is None or len(settled.unsettled):
        smaller = thinned(space, threads, least)
        settled = best_along(smaller, objectives[0]) if len(objectives) == 1 and not epsilon else None
    sizes = [len(axis) for axis in smaller.space.axes]
    known = _Known(len(objectives), epsilon, sizes, smaller.members)
    opened = evaluated = 0
    if settled is not None:
        known.fold(np.full((settled.at.shape[1], 1), settled.value), settled.at)
        opened, evaluated = settled.opened, settled.evaluated
    if settled is None or len(settled.unsettled):
        part = smaller.space if settled is None else _part(smaller.space, settled.axis, settled.unsettled)
        search = Search(part, objectives)
        search.run(known if settled is None else _Elsewhere(known, settled.axis, settled.unsettled), progress)
        opened, evaluated = opened + search.opened, evaluated + search.evaluated
    rows, numbers = known.result()
    numbers, first = np.unique(numbers, return_index=True)  # a design may have been met twice
    rows = rows[first]
    at = np.empty((len(sizes), len(numbers)), np.int64)
    rest = numbers
    for k in reversed(range(len(sizes))):
        rest, at[k] = np.divmod(rest, sizes[k])
    ids, counts = np.zeros(len(numbers), np.int64), np.ones(len(numbers), np.int64)
    for members, place in zip(smaller.members, at, strict=True):
        ids += members.first[place]
        counts *= members.counts[place]
    return Reasoned(rows, ids, counts, smaller, at, opened, evaluated)


def _settled(space: Space, objective: tuple[str, float], threads: int | None) -> tuple[Thinned | None, Settled | None]:
    """The best of a space as far as it is settled along an axis, before choices are compared with each other."""
    smaller = of_records(space, threads)
    return smaller, best_along(smaller, objective) if smaller is not None and smaller.points else None


def every_id(found: Reasoned) -> tuple[Floats, Ints]:
    """The objectives and ids of all designs that were found, those that tie included."""
    number = np.arange(len(found.ids))
    ids = np.zeros(len(found.ids), np.int64)
    for members, place in zip(found.thinned.members, found.at, strict=True):
        where = place[number]
        counts = members.counts[where]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        ids = np.repeat(ids, counts) + members.ids[np.repeat(members.starts[where], counts) + within]
        number = np.repeat(number, counts)
    return found.objectives[number], ids

"""A running frontier over arrays, without compiling: for as many rows as are gone through before anything is compiled.

The same rows as kernels.pareto keeps, from the same calls. Every block meets a dozen good rows, one array operation
each, and with two objectives the settled frontier by halving; what is left waits until twice as many rows wait as the
frontier has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LEAST_WAITING = 1 << 13
MOST_CHAMPIONS = 12
SEEN = 512  # rows of the last block by which champions are chosen
CANDIDATES = 1024  # rows of the frontier among which they are
LEAST_BEATEN = 0.01  # of what is left, for a champion to be worth its operation
GROUP = 64  # rows that others are held against in one operation
MOST_KEPT = 1 << 14  # rows of a frontier of three objectives and more that are found without compiling


def beaten_by(row: Floats, columns: Sequence[Floats]) -> Bools:
    """Which of the rows columns[j][n] one row beats; none with a nan."""
    no_worse = np.ones(len(columns[0]), np.bool_)
    worse = np.zeros(len(columns[0]), np.bool_)
    for value, column in zip(row, columns, strict=True):
        no_worse &= column >= value
        worse |= column > value
    return no_worse & worse


def unbeaten(rows: Floats) -> Bools:
    """Which of rows[n, k], none with a nan, no other beats."""
    if rows.shape[1] == 1:
        return rows[:, 0] == rows[:, 0].min() if len(rows) else np.zeros(0, np.bool_)
    if rows.shape[1] == 2:
        return _unbeaten_pairs(rows)
    ranks = np.zeros(len(rows), np.int64)
    for column in rows.T:
        ranks += np.unique(column, return_inverse=True)[1]
    left = np.argsort(ranks, kind="stable")  # whatever beats a row stands before it
    done = 0
    while done < len(left):
        if done > MOST_KEPT:
            from kernels.nondominated import nondominated

            return nondominated(rows)
        group = left[done : done + GROUP]
        later = left[done:]
        alive = ~_beaten_by_any(rows[group], [np.ascontiguousarray(column) for column in rows[later].T])
        done += int(alive[: len(group)].sum())
        left = np.concatenate([left[: len(left) - len(later)], later[alive]])
    kept = np.zeros(len(rows), np.bool_)
    kept[left] = True
    return kept


def _no_worse(group: Floats, columns: Sequence[Floats]) -> Bools:
    """For each row of a group and each of the rows columns[j][n], whether the one is nowhere worse than the other."""
    found: Bools = group[:, :1] <= columns[0]
    for value, column in zip(group.T[1:], columns[1:], strict=True):
        found &= value[:, None] <= column
    return found


def _better(group: Floats, columns: Sequence[Floats]) -> Bools:
    """The same of being somewhere better."""
    found: Bools = group[:, :1] < columns[0]
    for value, column in zip(group.T[1:], columns[1:], strict=True):
        found |= value[:, None] < column
    return found


def _beats(group: Floats, columns: Sequence[Floats]) -> Bools:
    return _no_worse(group, columns) & _better(group, columns)


def _beaten_by_any(group: Floats, columns: Sequence[Floats]) -> Bools:
    """Which of the rows columns[j][n] a row of a group beats; none with a nan."""
    no_worse = _no_worse(group, columns)
    beaten: Bools = np.logical_or.reduce(no_worse, axis=0)
    some = np.flatnonzero(beaten)  # or equal to one of them
    better = _better(group, [column[some] for column in columns])
    beaten[some] = np.logical_or.reduce(better & no_worse[:, some], axis=0)
    return beaten


def _unbeaten_pairs(rows: Floats) -> Bools:
    order = np.lexsort(rows.T[::-1])
    x, y = rows[order].T
    least = np.minimum.accumulate(y) if len(y) else y
    first = np.ones(len(x), np.bool_)  # of those with the same x, which has the least y
    first[1:] = x[1:] != x[:-1]
    starts = np.flatnonzero(first)
    which = np.cumsum(first) - 1
    before = np.concatenate([[np.inf], least[starts[1:] - 1]]) if len(x) else least
    beaten = (y > y[starts][which]) | ((which > 0) & (y >= before[which]))
    kept = np.empty(len(x), np.bool_)
    kept[order] = ~beaten
    return kept


class ArrayFrontier:
    """kernels.pareto.RunningFrontier for one thread and few rows: see there."""

    def __init__(self, num_objectives: int, ties: str = "all") -> None:
        self._ties = ties
        self._rows = np.empty((0, num_objectives))
        self._ids = np.empty(0, np.int64)
        self._counts = np.empty(0, np.int64)
        self._waiting: list[tuple[Floats, Ints, Ints]] = []
        self._num_waiting = 0
        self._champions: Floats | None = None

    def fold_columns(
        self, columns: Sequence[Any], signs: Sequence[float], ids: Callable[[Any], Ints], counts: Ints | None = None
    ) -> None:
        """As RunningFrontier.fold_columns, ids by positions."""
        signed = [np.asarray(column, np.float64) * sign for column, sign in zip(columns, signs, strict=True)]
        places = np.flatnonzero(~np.any([np.isnan(column) for column in signed], axis=0))
        if not len(places):
            return
        if len(places) < len(signed[0]):
            signed = [column[places] for column in signed]
        if self._champions is None:
            self._champions = self._chosen(signed)
        for row in self._champions:
            left = ~beaten_by(row, signed)
            signed, places = [column[left] for column in signed], places[left]
        if len(signed) == 2 and len(self._rows):
            left = ~self._beaten_pairs(*signed)
            signed, places = [column[left] for column in signed], places[left]
        if len(places):
            ones = np.ones(len(places), np.int64) if counts is None else counts[places]
            self._waiting.append((np.stack(signed, axis=1), ids(places), ones))
            self._num_waiting += len(places)
        if self._num_waiting > max(LEAST_WAITING, 2 * len(self._rows)):
            self._settle()

    def fold(self, objectives: Floats, ids: Ints) -> None:
        """Take in objectives[n, k], all to be minimised, and ids[n]."""
        self.fold_columns(list(objectives.T), [1.0] * objectives.shape[1], lambda found: ids[found])

    def merge(self, other: ArrayFrontier) -> None:
        """Take in everything that another frontier has seen; counts add up."""
        rows, ids = other.result()
        self._waiting.append((rows, ids, other.counts))
        self._num_waiting += len(rows)

    def result(self) -> tuple[Floats, Ints]:
        """The frontier's objectives[f, k] and ids[f], by objectives from the first to the last and then by id."""
        self._settle()
        return self._rows.copy(), self._ids.copy()

    @property
    def num_settled(self) -> int:
        """Rows that were on the frontier when last those that wait were brought into it."""
        return len(self._rows)

    @property
    def counts(self) -> Ints:
        """How many rows each row of the result stands for."""
        self._settle()
        return self._counts.copy()

    def _beaten_pairs(self, x: Floats, y: Floats) -> Bools:
        """Which of these rows the settled frontier beats, but for those with the y of a row of it."""
        known_x, known_y = self._rows.T  # by x rising, so y falls
        place = np.searchsorted(known_x, x, side="right") - 1
        beaten: Bools = (place >= 0) & (known_y[place] < y)
        return beaten

    def _chosen(self, columns: Sequence[Floats]) -> Floats:
        """Rows of the frontier, or of these, that together beat most of these, the best first."""
        seen = np.stack([column[:: -(-len(columns[0]) // SEEN) or 1] for column in columns], axis=1)
        pool = self._rows if len(self._rows) else seen
        pool = pool[:: -(-len(pool) // CANDIDATES) or 1]
        found: list[Floats] = []
        beats = _beats(pool, list(seen.T))
        while beats.size and len(found) < MOST_CHAMPIONS:
            numbers = beats.sum(axis=1)
            best = int(numbers.argmax())
            if numbers[best] <= LEAST_BEATEN * beats.shape[1]:
                break
            found.append(pool[best])
            beats = beats[:, ~beats[best]]
        return np.array(found).reshape(len(found), len(columns))

    def _settle(self) -> None:
        """Bring the rows that wait into the frontier."""
        if not self._num_waiting:
            return
        parts = [(self._rows, self._ids, self._counts), *self._waiting]
        rows, ids, counts = (np.concatenate([part[k] for part in parts]) for k in range(3))
        kept = unbeaten(rows)
        rows, ids, counts = rows[kept], ids[kept], counts[kept]
        order = np.lexsort((ids, *rows.T[::-1]))
        rows, ids, counts = rows[order], ids[order], counts[order]
        if self._ties == "one" and len(rows):
            starts = np.flatnonzero(np.concatenate([[True], (rows[1:] != rows[:-1]).any(axis=1)]))
            rows, ids, counts = rows[starts], ids[starts], np.add.reduceat(counts, starts)
        self._rows, self._ids, self._counts = rows, ids, counts
        self._waiting, self._num_waiting, self._champions = [], 0, None

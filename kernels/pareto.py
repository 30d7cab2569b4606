"""The rows that no other row beats, kept while rows stream by.

Every objective is minimised; negate what is to be maximised. A row beats another when it is <= in all objectives and
< in at least one. Equal rows do not beat each other: all of them are kept, or one for all, with how many there were.
A row with a nan is never on the frontier; infinities are ordinary values.

Nearly all rows of a design space are beaten by one of a few good rows, so each block meets those first
(kernels.screen). What they let through waits until about twice as many rows wait as the frontier has. Then all of
them are compared with the frontier and each other in one go (kernels.dominance), which so costs each row that waited
about the same however long the frontier grows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from kernels.compiler import jit
from kernels.dominance import lexicographic, mark_new, merged, unbeaten
from kernels.folding import Walk
from kernels.nondominated import as_columns, screened, unbeaten_with_ties
from kernels.screen import Screen, build_screen
from kernels.sieve import CHUNK, load_whole

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int32]
Ties = Literal["all", "one"]
LEAST_WAITING = 8 * CHUNK
FEW_CHUNKS = 4  # of survivors of a block, after which it is seen whether most rows survive
WAITING_PER_ROW = 2  # rows that may wait for every row of the frontier
NUM_SEEN = 64
NUM_MISSED = 256
NUM_SLOTS = 4096  # a power of two


@jit
def take_in(
    rows: Floats, ids: Ints, counts: Ints, waiting: Floats, waiting_ids: Ints, waiting_counts: Ints, n: int, slots: Ints
) -> int:
    """Add rows[m, k] to the n that wait, or to the count of one of them where equal; returns how many wait.

    slots remembers, by a hash of its values, where a row waits. It may forget: equal rows then wait apart.
    """
    for i in range(rows.shape[0]):
        mixed = np.int64(0)
        for j in range(rows.shape[1]):
            bits = np.float64(rows[i, j] + 0.0).view(np.int64)  # equal zeros have equal bits
            mixed = (mixed * 31) ^ (bits >> 32) ^ (bits & 0xFFFFFFFF)
            mixed = (mixed ^ (mixed >> 13)) & 0xFFFFFFFFFFFF
        slot = (mixed ^ (mixed >> 12) ^ (mixed >> 24) ^ (mixed >> 36)) & (slots.size - 1)
        place = slots[slot]
        equal = place < n
        if equal:
            for j in range(rows.shape[1]):
                if rows[i, j] != waiting[place, j]:
                    equal = False
                    break
        if equal:
            waiting_counts[place] += counts[i]
            if ids[i] < waiting_ids[place]:
                waiting_ids[place] = ids[i]
                waiting[place] = rows[i]  # its zeros may have other signs
        else:
            waiting[n] = rows[i]
            waiting_ids[n] = ids[i]
            waiting_counts[n] = counts[i]
            slots[slot] = n
            n += 1
    return n


class RunningFrontier:
    """The frontier of all rows folded in so far, whatever the order and the size of the blocks they came in.

    Of rows with equal objectives, ties="all" keeps all, ties="one" only the one with the smallest id, for all of them.
    counts says how many rows each row kept stands for: with "all" itself, with "one" all rows folded that are equal to
    it; a row folded with a weight counts as that many.

    One thread at a time may fold into it; several threads each fold into their own and merge. Memory is a small
    multiple of the frontier, which with "one" does not grow with ties. ValueError on num_objectives < 1 or other ties.
    """

    def __init__(self, num_objectives: int, ties: Ties = "all") -> None:
        if num_objectives < 1:
            raise ValueError(f"num_objectives = {num_objectives}: a frontier needs at least one objective")
        if ties not in ("all", "one"):
            raise ValueError(f'ties = {ties!r}, neither "all" nor "one"')
        self._ties = ties
        self._rows = np.empty((0, num_objectives))
        self._ids = np.empty(0, dtype=np.int64)
        self._counts = np.empty(0, dtype=np.int64)
        self._seen = np.empty((0, num_objectives))
        self._missed = self._seen
        self._screen: Screen | None = None  # built once it is asked for
        self._is_dense = False  # whether lately most rows survived
        self._waiting, self._ids_waiting, self._counts_waiting = self._rows, self._ids, self._counts
        self._num_waiting = 0
        self._slots = np.zeros(NUM_SLOTS if ties == "one" else 0, dtype=np.int64)
        self._reserve(LEAST_WAITING)

    def fold(self, objectives: Floats, ids: Ints, counts: Ints | None = None) -> None:
        """Take in a block: objectives[n, k], all to be minimised, and the ids[n] by which the rows are known.

        counts[n], at least 1 each, says how many rows each stands for; 1 unless given. ValueError on other shapes.
        """
        objectives = np.ascontiguousarray(objectives, dtype=np.float64)
        ids = np.ascontiguousarray(ids, dtype=np.int64)
        if objectives.shape != (len(ids), self._rows.shape[1]):
            raise ValueError(f"objectives have shape {objectives.shape}, not {(len(ids), self._rows.shape[1])}")
        self._take(list(objectives.T), np.ones(objectives.shape[1]), lambda found: ids[found], counts)

    def fold_columns(
        self,
        columns: Sequence[Floats],
        signs: Sequence[float],
        ids: Ints | Callable[[Positions], Ints],
        counts: Ints | None = None,
    ) -> None:
        """Take in a block whose objectives are signs[j] * columns[j], k arrays of n; only what survives is gathered.

        A sign is +1 where the column is to be minimised, -1 where it is to be maximised. ids[n] is an array, or gives
        the ids[m] of int32 positions[m] when called. counts as in fold. ValueError on other shapes and signs.
        """
        columns = [np.ascontiguousarray(column, dtype=np.float64) for column in columns]
        num_objectives = self._rows.shape[1]
        shapes = [column.shape for column in columns]
        if len(shapes) != num_objectives or any(len(shape) != 1 or shape != shapes[0] for shape in shapes):
            raise ValueError(f"columns have shapes {shapes}, not {num_objectives} times (n,)")
        signed = np.array(signs, dtype=np.float64)
        if signed.shape != (num_objectives,) or not (abs(signed) == 1).all():
            raise ValueError(f"signs = {list(signs)}, not {num_objectives} times +1 or -1")
        if callable(ids):
            self._take(columns, signed, ids, counts)
            return
        known = np.ascontiguousarray(ids, dtype=np.int64)
        if known.shape != shapes[0]:
            raise ValueError(f"ids have shape {known.shape}, not {shapes[0]}")
        self._take(columns, signed, lambda found: known[found], counts)

    def fold_walk(self, walk: Walk, named: Callable[[Ints], Ints]) -> None:
        """Take in the blocks that a walk has entered, without a step of Python a block.

        named gives the ids by which rows are known, of numbers in the order of the walk.
        """
        while not walk.done:
            if len(self._ids_waiting) - self._num_waiting < CHUNK:
                self._settle()
            if self._screen is None:
                seen = walk.seen[~np.isnan(walk.seen).any(axis=1)]
                self._screen = build_screen(self._rows, seen if len(seen) else self._seen, self._missed)
            n = self._num_waiting
            rows = self._waiting[n:] if self._ties == "all" else self._found[n:]
            ids = np.empty(len(rows), dtype=np.int64)
            count = walk.sift(self._screen, rows, ids)
            self._wait(rows[:count], named(ids[:count]), None)

    def merge(self, other: RunningFrontier) -> None:
        """Take in everything that another frontier has seen; counts add up."""
        self.fold(*other.result(), other.counts)

    def result(self) -> tuple[Floats, Ints]:
        """The frontier's objectives[f, k] and ids[f], by objectives from the first to the last and then by id."""
        self._settle()
        return self._rows.copy(), self._ids.copy()

    @property
    def objectives(self) -> Floats:
        return self.result()[0]

    @property
    def ids(self) -> Ints:
        return self.result()[1]

    @property
    def counts(self) -> Ints:
        """How many rows each row of the result stands for."""
        self._settle()
        return self._counts.copy()

    def _take(
        self,
        columns: list[Floats],
        signs: Floats,
        ids: Callable[[Positions], Ints],
        counts: Ints | None,
    ) -> None:
        num_rows = columns[0].size
        if counts is not None:
            counts = np.ascontiguousarray(counts, dtype=np.int64)
            if counts.shape != (num_rows,):
                raise ValueError(f"counts have shape {counts.shape}, not {(num_rows,)}")
            if (counts < 1).any():
                raise ValueError("a row counts less than once")
        if num_rows == 0:
            return
        padded = as_columns(columns)
        every = -(-num_rows // NUM_SEEN)
        sample = np.stack([sign * column[::every] for sign, column in zip(signs, columns, strict=True)], axis=1)
        self._seen = np.concatenate([self._seen, sample])[-2 * NUM_SEEN :]  # of the last blocks, which may be small
        first = looked = survived = 0
        while first < num_rows:
            is_dense = self._is_dense
            self._make_room(num_rows - first if is_dense else CHUNK, is_dense)
            n, start = self._num_waiting, first
            rows = self._waiting[n:] if self._ties == "all" else self._found[n:]
            if is_dense:  # most rows survive what is known: sooner compared with each other than with that
                first, count = num_rows, load_whole(padded, signs, first, self._positions[n:], rows)
            else:
                if self._screen is None:
                    self._screen = build_screen(self._rows, self._seen, self._missed)
                few = self._positions[n : n + FEW_CHUNKS * CHUNK]  # so that it soon shows how many survive
                first, count = screened(self._screen, padded, signs, first, few, rows)
                looked, survived = looked + first - start, survived + count
                self._is_dense = len(self._ids) > 0 and 2 * survived > looked
            found = self._positions[n : n + count]
            self._wait(rows[:count], ids(found), None if counts is None else counts[found])

    def _make_room(self, needed: int, is_dense: bool) -> None:
        """Make room for so many rows: settle, unless most of them survive and few wait beside them and the frontier."""
        if len(self._ids_waiting) - self._num_waiting >= needed:
            return
        few = min(needed, WAITING_PER_ROW * len(self._ids) + 1)
        if not is_dense or self._num_waiting >= few:
            self._settle()
        if len(self._ids_waiting) - self._num_waiting < needed:
            self._reserve(self._num_waiting + needed)

    def _wait(self, rows: Floats, ids: Ints, counts: Ints | None) -> None:
        """Put by until there are enough what survived: rows[m, k], which stand there already unless ties are merged."""
        n, end = self._num_waiting, self._num_waiting + len(rows)
        if self._ties == "one":
            counts = np.ones(len(rows), dtype=np.int64) if counts is None else counts
            waiting = self._waiting, self._ids_waiting, self._counts_waiting
            ids = np.ascontiguousarray(ids, dtype=np.int64)
            self._num_waiting = take_in(rows, ids, counts, *waiting, n, self._slots)
            return
        self._ids_waiting[n:end] = ids
        self._counts_waiting[n:end] = 1 if counts is None else counts
        self._num_waiting = end

    def _settle(self) -> None:
        """Bring the rows that wait into the frontier."""
        n = self._num_waiting
        if n == 0:
            return
        order = lexicographic(self._waiting[:n], self._ids_waiting[:n])
        rows = self._waiting.take(order, axis=0)
        ids, counts = self._ids_waiting[order], self._counts_waiting[order]
        if len(self._ids):
            rows, ids, counts = merged(self._rows, self._ids, self._counts, rows, ids, counts)
        new = mark_new(rows)
        if self._ties == "one":
            starts = np.flatnonzero(new)
            rows, ids, counts = rows[starts], ids[starts], np.add.reduceat(counts, starts)
            kept = unbeaten(rows)
        else:
            kept = unbeaten_with_ties(rows, new)
        if not kept.all():
            missed = rows[~kept]
            self._missed = missed[:: -(-len(missed) // NUM_MISSED)]
            rows, ids, counts = rows[kept], ids[kept], counts[kept]
        self._is_dense = self._is_dense and 2 * (len(ids) - len(self._ids)) > n
        self._rows, self._ids, self._counts = rows, ids, counts
        self._screen = None
        self._num_waiting = 0
        self._reserve(max(LEAST_WAITING, WAITING_PER_ROW * len(self._ids)))

    def _reserve(self, num_rows: int) -> None:
        """Make room for so many waiting rows, keeping those that wait."""
        n = self._num_waiting
        if num_rows == len(self._ids_waiting):
            return
        rows, ids, counts = self._waiting[:n], self._ids_waiting[:n], self._counts_waiting[:n]
        self._waiting = np.empty((num_rows, self._rows.shape[1]))
        self._ids_waiting = np.empty(num_rows, dtype=np.int64)
        self._counts_waiting = np.empty(num_rows, dtype=np.int64)
        self._waiting[:n], self._ids_waiting[:n], self._counts_waiting[:n] = rows, ids, counts
        self._positions = np.empty(num_rows, dtype=np.int32)
        self._found = np.empty((num_rows if self._ties == "one" else 0, self._rows.shape[1]))

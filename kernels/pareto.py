"""The rows that no other row beats, kept while rows stream by.

Every objective is minimised; negate what is to be maximised. A row beats another when it is <= in all objectives and
< in at least one. Equal rows do not beat each other, so all of them are kept. A row with a nan is never on the
frontier; infinities are ordinary values.

Nearly all rows of a design space are beaten by one of a few good rows, so each row meets those first. What they let
through searches the whole frontier (kernels.dominance), and what passes that waits until enough rows wait to be worth
rebuilding it. So a row costs a few nanoseconds, or a search where the frontier is dense, and never a comparison with
every row kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kernels.compiler import jit
from kernels.dominance import are_dominated, build_tree, find_dominator, z_order

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
NUM_CHAMPIONS = 8
LEAST_WAITING = 1024


@jit
def dominates(challengers: Floats, c: int, rows: Floats, i: int) -> bool:
    """Whether challengers[c] is <= rows[i] in all objectives and < in one; not where either holds a nan."""
    better = False
    for j in range(rows.shape[1]):
        if not challengers[c, j] <= rows[i, j]:
            return False
        better = better or challengers[c, j] < rows[i, j]
    return better


@jit
def has_nan(rows: Floats, i: int) -> bool:
    for j in range(rows.shape[1]):
        if rows[i, j] != rows[i, j]:
            return True
    return False


@jit
def beaten_by_champion(champions: Floats, rows: Floats, i: int) -> bool:
    """Whether one of a few rows beats rows[i]. The one that does moves a place forward, so the best are asked first."""
    for c in range(champions.shape[0]):
        if dominates(champions, c, rows, i):
            if c > 0:
                for j in range(rows.shape[1]):
                    champions[c, j], champions[c - 1, j] = champions[c - 1, j], champions[c, j]
            return True
    return False


@jit
def select(
    objectives: Floats,
    ids: Ints,
    first: int,
    boxes: Floats,
    champions: Floats,
    waiting: Floats,
    waiting_ids: Ints,
    num_waiting: int,
) -> tuple[int, int]:
    """Add to waiting, from row first on, the rows that no champion and no row of the tree beats.

    Stops when waiting is full; returns the row to go on from and how many wait.
    """
    num_leaves = boxes.shape[0] // 2
    for i in range(first, objectives.shape[0]):
        if dominates(champions, 0, objectives, i):  # nearly always, and worth not leaving the loop for
            continue
        if beaten_by_champion(champions, objectives, i) or has_nan(objectives, i):
            continue
        node = find_dominator(boxes, objectives, i)
        if node > 0:
            while node < num_leaves:
                node *= 2
            champions[champions.shape[0] - 1] = boxes[node, 0]
            continue
        if num_waiting > 0 and dominates(objectives, i, waiting, num_waiting - 1):
            num_waiting -= 1  # along an axis that improves everything, each row beats the one before
        waiting[num_waiting] = objectives[i]
        waiting_ids[num_waiting] = ids[i]
        num_waiting += 1
        if num_waiting == waiting.shape[0]:
            return i + 1, num_waiting
    return objectives.shape[0], num_waiting


class RunningFrontier:
    """The frontier of all rows folded in so far, whatever the order and the size of the blocks they came in.

    One thread at a time may fold into it; several threads each fold into their own and merge. Memory is a small
    multiple of the frontier.
    """

    def __init__(self, num_objectives: int) -> None:
        if num_objectives < 1:
            raise ValueError(f"num_objectives = {num_objectives}: a frontier needs at least one objective")
        self._rows = np.empty((0, num_objectives))
        self._ids = np.empty(0, dtype=np.int64)
        self._boxes = build_tree(self._rows)
        self._champions = np.full((NUM_CHAMPIONS, num_objectives), np.nan)
        self._num_waiting = 0
        self._reserve(LEAST_WAITING)

    def fold(self, objectives: Floats, ids: Ints) -> None:
        """Take in a block: objectives[n, k], all to be minimised, and the ids[n] by which the rows are known."""
        objectives = np.ascontiguousarray(objectives, dtype=np.float64)
        ids = np.ascontiguousarray(ids, dtype=np.int64)
        if objectives.shape != (len(ids), self._rows.shape[1]):
            raise ValueError(f"objectives have shape {objectives.shape}, not {(len(ids), self._rows.shape[1])}")
        first = 0
        while first < len(ids):
            first, self._num_waiting = select(
                objectives,
                ids,
                first,
                self._boxes,
                self._champions,
                self._waiting,
                self._waiting_ids,
                self._num_waiting,
            )
            if self._num_waiting == len(self._waiting):
                self._settle()

    def merge(self, other: RunningFrontier) -> None:
        """Take in everything that another frontier has seen."""
        self.fold(*other.result())

    def result(self) -> tuple[Floats, Ints]:
        """The frontier's objectives[f, k] and ids[f], by objectives from the first to the last and then by id."""
        self._settle()
        order = np.lexsort((self._ids, *self._rows.T[::-1]))
        return self._rows[order], self._ids[order]

    @property
    def objectives(self) -> Floats:
        return self.result()[0]

    @property
    def ids(self) -> Ints:
        return self.result()[1]

    def _settle(self) -> None:
        """Bring the rows that wait into the frontier. None is beaten by it, but they may beat it and each other."""
        if self._num_waiting == 0:
            return
        rows, ids = self._waiting[: self._num_waiting], self._waiting_ids[: self._num_waiting]
        order = z_order(rows)
        rows, ids = rows[order], ids[order]
        boxes = build_tree(rows)
        kept, stayed = ~are_dominated(boxes, rows), ~are_dominated(boxes, self._rows)
        rows, ids = np.concatenate([self._rows[stayed], rows[kept]]), np.concatenate([self._ids[stayed], ids[kept]])
        order = z_order(rows)
        self._rows, self._ids = rows[order], ids[order]
        self._boxes = build_tree(self._rows)
        self._reserve(max(LEAST_WAITING, len(ids)))

    def _reserve(self, num_rows: int) -> None:
        """Make room for as many waiting rows as the frontier has: rebuilding then costs each row the same."""
        self._waiting = np.empty((num_rows, self._rows.shape[1]))
        self._waiting_ids = np.empty(num_rows, dtype=np.int64)
        self._num_waiting = 0

"""Choices that are certain to be beaten, whatever else a design is made of, sifted out while they stream by.

A choice is seen through its cuts (sweep.cuts): numbers of which less is better, or which have to be the same. One
removes another when in every cut it is better, or the same, and in one that an objective answers to strictly it is
better by enough to move the objective. Only then is every design of the one certain to be beaten by a design of the
other, ties on the way included: choices that may come to equal objectives all stay.

Better means by a margin, since a cut put together from several values is not rounded as the loops round it; the same
means made of the very same values. What is neither, like nan or two numbers a last place apart, removes nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kernels.boxtree import build_tree, z_order
from kernels.compiler import jit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MARGIN = 1e-12  # thousands of last places: more than any order of a dozen operations differs by
NUM_CHAMPIONS = 8
LEAST_WAITING = 4096
SELDOM = 16  # tiles after which a sibling that nobody removed is compared with all others again


@jit
def removes(
    cuts: Floats,
    leaves: Ints,
    c: int,
    row: Floats,
    row_leaves: Ints,
    i: int,
    least: Floats,
    strict: Floats,
    owner: Ints,
) -> bool:
    """Whether choice c of one table removes choice i of another.

    least[k] is what a cut has to be better by for that to count, strict[k] before an objective is certain to move; nan
    where the cut has to be the same. owner[m] is the cut that leaf m is part of.
    """
    moves = False
    for k in range(strict.size):
        better = row[i, k] - cuts[c, k]
        if strict[k] == strict[k] and better > max(least[k], MARGIN * max(abs(row[i, k]), abs(cuts[c, k]))):
            moves = moves or better > strict[k]
            continue
        if cuts[c, k] != row[i, k]:
            return False
        for m in range(owner.size):
            if owner[m] == k and leaves[c, m] != row_leaves[i, m]:
                return False
    return moves


@jit
def find_remover(
    boxes: Floats,
    cuts: Floats,
    leaves: Ints,
    row: Floats,
    row_leaves: Ints,
    i: int,
    least: Floats,
    strict: Floats,
    owner: Ints,
) -> int:
    """The place in a table, which lies under a tree of boxes (kernels.boxtree), of what removes row i; or -1."""
    num_leaves = boxes.shape[0] // 2
    node = 1
    while True:
        begins_before = True
        for k in range(strict.size):
            if not boxes[node, 0, k] <= row[i, k] or (strict[k] != strict[k] and not boxes[node, 1, k] >= row[i, k]):
                begins_before = False
                break
        if begins_before:
            if node < num_leaves:
                node *= 2
                continue
            if removes(cuts, leaves, node - num_leaves, row, row_leaves, i, least, strict, owner):
                return node - num_leaves
        while node & 1:
            node >>= 1
        if node == 0:
            return -1
        node += 1


@jit
def left_over(
    boxes: Floats, cuts: Floats, leaves: Ints, row: Floats, row_leaves: Ints, least: Floats, strict: Floats, owner: Ints
) -> npt.NDArray[np.bool_]:
    """For each row, whether no choice of the table removes it."""
    left = np.empty(row.shape[0], dtype=np.bool_)
    for i in range(row.shape[0]):
        left[i] = find_remover(boxes, cuts, leaves, row, row_leaves, i, least, strict, owner) < 0
    return left


@jit
def stand_up(columns: Floats, leaf_columns: Ints, place: Ints, row: Floats, row_leaves: Ints, picked: Ints) -> int:
    """Turn columns[k, n] and leaf_columns[l, n] into rows; those with a number that is not finite are passed over.

    Leaf m of a row is column place[m]. picked says which choice each row is; returns how many there are.
    """
    count = 0
    for i in range(columns.shape[1]):
        finite = True
        for k in range(columns.shape[0]):
            row[count, k] = columns[k, i]
            finite = finite and abs(columns[k, i]) < np.inf
        if finite:
            for m in range(place.size):
                row_leaves[count, m] = leaf_columns[place[m], i]
            picked[count] = i
            count += 1
    return count


@jit
def among_siblings(
    row: Floats,
    row_leaves: Ints,
    tile: Ints,
    sibling: Ints,
    remover: Ints,
    rested: Ints,
    least: Floats,
    strict: Floats,
    owner: Ints,
) -> npt.NDArray[np.bool_]:
    """For each row, whether none of its own tile removes it.

    Rows of a tile stand together and differ in one thing, such as the GPU: sibling says which one each has. Whoever
    removed a sibling in the last tile is likely to do so in this one: remover remembers whom to ask first. A sibling
    that nobody removed is compared with all others only once in a while; rested counts how long it was not.
    """
    left = np.ones(row.shape[0], dtype=np.bool_)
    slots = np.full(remover.size, -1, dtype=np.int64)
    first = 0
    while first < row.shape[0]:
        last = first
        while last < row.shape[0] and tile[last] == tile[first]:
            slots[sibling[last]] = last
            last += 1
        for i in range(first, last):
            which = sibling[i]
            asked = remover[which]
            if asked >= 0:
                c = slots[asked]
                if c >= 0 and removes(row, row_leaves, c, row, row_leaves, i, least, strict, owner):
                    left[i] = False
                    continue
            rested[which] += 1
            if asked >= 0 or rested[which] >= SELDOM:
                rested[which] = 0
                remover[which] = -1
                for c in range(first, last):
                    if c != i and removes(row, row_leaves, c, row, row_leaves, i, least, strict, owner):
                        remover[which] = sibling[c]
                        left[i] = False
                        break
        for i in range(first, last):
            slots[sibling[i]] = -1
        first = last
    return left


@jit
def sift(
    row: Floats,
    row_leaves: Ints,
    ids: Ints,
    first: int,
    boxes: Floats,
    cuts: Floats,
    leaves: Ints,
    champions: Ints,
    waiting: Floats,
    waiting_leaves: Ints,
    waiting_ids: Ints,
    num_waiting: int,
    least: Floats,
    strict: Floats,
    owner: Ints,
) -> tuple[int, int]:
    """Add to waiting, from row first on, what nothing kept so far removes; where to go on from, and how many wait.

    champions are places of kept choices that removed much lately; a useful one moves to the front.
    """
    for i in range(first, row.shape[0]):
        removed = False
        for p in range(champions.size):
            c = champions[p]
            if c >= 0 and removes(cuts, leaves, c, row, row_leaves, i, least, strict, owner):
                if p > 0:
                    champions[p], champions[p - 1] = champions[p - 1], c
                removed = True
                break
        if removed:
            continue
        found = find_remover(boxes, cuts, leaves, row, row_leaves, i, least, strict, owner)
        if found >= 0:
            champions[champions.size - 1] = found
            continue
        waiting[num_waiting] = row[i]
        waiting_leaves[num_waiting] = row_leaves[i]
        waiting_ids[num_waiting] = ids[i]
        num_waiting += 1
        if num_waiting == waiting.shape[0]:
            return i + 1, num_waiting
    return row.shape[0], num_waiting


class Sieve:
    """What is left of the choices folded in so far, in whatever blocks they came.

    least[k], strict[k] and owner[m] are as in removes.
    """

    def __init__(self, least: Floats, strict: Floats, owner: Ints) -> None:
        self._least, self._strict, self._owner = least, strict, owner
        self._cuts = np.empty((0, len(strict)))
        self._leaves = np.empty((0, len(owner)), np.int64)
        self._ids = np.empty(0, np.int64)
        self._boxes = build_tree(self._cuts)
        self._champions = np.full(NUM_CHAMPIONS, -1, np.int64)
        self._num_waiting = 0
        self._reserve(LEAST_WAITING)

    def fold(self, cuts: Floats, leaves: Ints, ids: Ints) -> None:
        """Take in a block: cuts[n, k], less being better, leaves[n, m] by their bits, and the ids[n] of the choices."""
        first = 0
        while first < len(ids):
            first, self._num_waiting = sift(
                cuts,
                leaves,
                ids,
                first,
                self._boxes,
                self._cuts,
                self._leaves,
                self._champions,
                self._waiting,
                self._waiting_leaves,
                self._waiting_ids,
                self._num_waiting,
                self._least,
                self._strict,
                self._owner,
            )
            if self._num_waiting == len(self._waiting):
                self._settle()

    def result(self) -> tuple[Floats, Ints, Ints]:
        """The cuts, leaves and ids of what is left, by id."""
        self._settle()
        order = np.argsort(self._ids, kind="stable")
        return self._cuts[order], self._leaves[order], self._ids[order]

    def merge(self, other: Sieve) -> None:
        """Take in what another has left."""
        self.fold(*other.result())

    def _settle(self) -> None:
        if self._num_waiting == 0:
            return
        order = z_order(self._waiting[: self._num_waiting])
        cuts, leaves, ids = self._waiting[order], self._waiting_leaves[order], self._waiting_ids[order]
        boxes = build_tree(cuts)
        fresh = left_over(boxes, cuts, leaves, cuts, leaves, self._least, self._strict, self._owner)
        stay = left_over(boxes, cuts, leaves, self._cuts, self._leaves, self._least, self._strict, self._owner)
        cuts = np.concatenate([self._cuts[stay], cuts[fresh]])
        leaves = np.concatenate([self._leaves[stay], leaves[fresh]])
        ids = np.concatenate([self._ids[stay], ids[fresh]])
        order = z_order(cuts)
        self._cuts, self._leaves, self._ids = cuts[order], leaves[order], ids[order]
        self._boxes = build_tree(self._cuts)
        self._champions[:] = -1
        self._reserve(max(LEAST_WAITING, len(ids)))

    def _reserve(self, num_rows: int) -> None:
        """Room for as many waiting rows as are kept: rebuilding then costs each row the same."""
        self._waiting = np.empty((num_rows, len(self._strict)))
        self._waiting_leaves = np.empty((num_rows, len(self._owner)), np.int64)
        self._waiting_ids = np.empty(num_rows, np.int64)
        self._num_waiting = 0

"""Choices that are certain to be beaten, whatever else a design is made of, sifted out while they stream by.

A choice is seen through its cuts (sweep.cuts): numbers of which less is better, or which have to be the same. One
removes another when in every cut it is better, or the same, and in one that an objective answers to strictly it is
better by enough to move the objective. Only then is every design of the one certain to be beaten by a design of the
other, ties on the way included: choices that may come to equal objectives all stay.

Better means by a margin, since a cut put together from several values is not rounded as the loops round it; the same
means made of the very same values. What is neither, like nan or two numbers a last place apart, removes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.boxtree import build_tree
from kernels.compiler import jit
from kernels.nondominated import as_columns, screened
from kernels.screen import Screen, build_screen
from kernels.sieve import CHUNK
from kernels.zorder import z_order

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int32]
MARGIN = 1e-12  # thousands of last places: more than any order of a dozen operations differs by
TINY = 5e-324
NUM_CHAMPIONS = 8
NUM_SEEN = 128  # choices of a block
MOST_SCREENED = 8  # cuts
LEAST_WAITING = 4096
SELDOM = 16  # tiles after which a sibling of which nobody removed half is compared with all others again


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
def mark_removed(
    columns: Floats, c: int, i: int, count: int, least: Floats, strict: Floats, alike: Bools, goes: Bools, moves: Bools
) -> None:
    """Say in goes and moves of so many choices, from c and from i on, whether each removes its fellow.

    As removes, but for equal cuts: those are the same only where alike[k] says that equal ones always are.
    """
    goes[:count] = True
    moves[:count] = False
    for k in range(strict.size):
        if strict[k] != strict[k]:
            for n in range(count):
                goes[n] &= alike[k] & (columns[k, i + n] == columns[k, c + n])
            continue
        for n in range(count):
            a, b = columns[k, i + n], columns[k, c + n]
            better = a - b
            is_better = better > max(least[k], MARGIN * max(abs(a), abs(b)))
            goes[n] &= is_better | (alike[k] & (a == b))
            moves[n] |= is_better & (better > strict[k])


@jit
def among_siblings(
    columns: Floats,
    finite: Bools,
    num_siblings: int,
    inner: int,
    remover: Ints,
    rested: Ints,
    least: Floats,
    strict: Floats,
    alike: Bools,
    left: Bools,
) -> None:
    """Take out of left[n] the choices of columns[k, n] that a sibling removes: another record, else the same choice.

    Choices come in tiles: for each sibling in turn, inner choices along another axis. Only finite ones remove or are
    removed. Whoever removed most of a sibling in the last tile is likely to do so in this one: remover remembers whom
    to ask first. Of whom nobody removes half, all others are asked once in a while; rested counts how long they were
    not. alike is as in mark_removed.
    """
    goes, moves = np.empty(inner, dtype=np.bool_), np.empty(inner, dtype=np.bool_)
    tile = num_siblings * inner
    for first in range(0, left.size, tile):
        for sibling in range(num_siblings):
            i = first + sibling * inner
            asked, most = remover[sibling], 0
            if asked >= 0:
                most = _take_out(
                    columns, finite, first + asked * inner, i, inner, least, strict, alike, goes, moves, left
                )
            if 2 * most >= inner:
                continue
            rested[sibling] += 1
            if rested[sibling] < SELDOM:
                continue
            rested[sibling] = 0
            for other in range(num_siblings):
                if other != sibling and other != asked:
                    c = first + other * inner
                    gone = _take_out(columns, finite, c, i, inner, least, strict, alike, goes, moves, left)
                    if gone > most:
                        most, remover[sibling] = gone, other


@jit
def _take_out(
    columns: Floats,
    finite: Bools,
    c: int,
    i: int,
    inner: int,
    least: Floats,
    strict: Floats,
    alike: Bools,
    goes: Bools,
    moves: Bools,
    left: Bools,
) -> int:
    """Take out of left what choices from c on remove of those from i on; how many these remove."""
    mark_removed(columns, c, i, inner, least, strict, alike, goes, moves)
    gone = 0
    for n in range(inner):
        removed = goes[n] & moves[n] & finite[i + n] & finite[c + n]
        gone += removed
        left[i + n] &= not removed
    return gone


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


class Margins(NamedTuple):
    """By how much a choice has to be better for certain: of each cut, so much and that share of the number."""

    much: Floats
    share: Floats


def are_apart(values: Floats, least: float) -> bool:
    """Whether of some numbers any two are the same, or one better by enough for that to count."""
    ordered = np.unique(values[~np.isnan(values)])
    with np.errstate(invalid="ignore"):
        gaps, sizes = np.diff(ordered), np.maximum(np.abs(ordered[1:]), np.abs(ordered[:-1]))
        return bool((gaps > np.maximum(least, MARGIN * sizes)).all())


def margins_of(least: Floats, strict: Floats, apart: Bools) -> Margins | None:
    """Differences that certainly count, in one cut at least also certainly move an objective; None where none do.

    Cuts whose numbers are_apart need none, since with them any difference counts.
    """
    moving = np.isfinite(strict)
    if np.isnan(strict).any() or not moving.any():
        return None
    free = apart.copy()
    if not (moving & ~free).any():
        free[np.flatnonzero(moving)[-1]] = False
    with np.errstate(over="ignore"):
        much = np.maximum(least, np.where(moving, strict, 0.0)) * 1.001 + TINY
    return Margins(np.where(free, 0.0, much), np.where(free, 0.0, 3.0 * MARGIN))


def raised(cuts: Floats, margins: Margins) -> Floats:
    """The numbers of cuts[n, k] that something must be no less than, for these to be better by the margins."""
    with np.errstate(over="ignore"):
        return cuts + (margins.much + margins.share * np.abs(cuts))


class Sieve:
    """What is left of the choices folded in so far, in whatever blocks they came.

    least[k], strict[k] and owner[m] are as in removes. Cuts that are apart have no leaves, and whatever comes, their
    numbers are_apart.
    """

    def __init__(self, least: Floats, strict: Floats, owner: Ints, apart: Bools | None = None) -> None:
        self._least, self._strict, self._owner = least, strict, owner
        self._cuts = np.empty((0, len(strict)))
        self._leaves = np.empty((0, len(owner)), np.int64)
        self._ids = np.empty(0, np.int64)
        self._boxes = build_tree(self._cuts)
        self._champions = np.full(NUM_CHAMPIONS, -1, np.int64)
        self._num_waiting = 0
        self._reserve(LEAST_WAITING)
        margins = None if apart is None else margins_of(least, strict, apart)
        self._margins = margins if 1 < len(strict) <= MOST_SCREENED else None
        self._screen: Screen | None = None
        self._seen = self._cuts
        self._signs = np.ones(len(strict))
        self._positions, self._rows = np.empty(0, np.int32), np.empty((0, len(strict)))

    @property
    def can_screen(self) -> bool:
        """Whether a quick look tells of most choices that they are removed."""
        return self._margins is not None

    def screen(self, seen: Floats) -> Screen:
        """What beats certainly is removed by what is left so far. seen[s, k] are some of the choices that come by."""
        assert self._margins is not None
        if self._screen is None:
            seen = seen[~np.isnan(seen).any(axis=1)]
            self._seen = seen if len(seen) else self._seen
            self._screen = build_screen(raised(self._cuts, self._margins), self._seen, self._seen)
        return self._screen

    def screened(self, columns: Floats) -> Positions:
        """Which choices of columns[k, n] with no nan are not removed at a quick look by what is left so far."""
        count = columns.shape[1]
        if len(self._positions) < count + CHUNK:
            self._positions, self._rows = np.empty(count + CHUNK, np.int32), np.empty((count + CHUNK, len(columns)))
        screen = self.screen(columns[:, :: max(1, count // NUM_SEEN)].T)
        kept = screened(screen, as_columns(list(columns)), self._signs, 0, self._positions, self._rows, False)[1]
        return self._positions[:kept]

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
                self.settle()

    def result(self) -> tuple[Floats, Ints, Ints]:
        """The cuts, leaves and ids of what is left, by id."""
        self.settle()
        order = np.argsort(self._ids, kind="stable")
        return self._cuts[order], self._leaves[order], self._ids[order]

    def merge(self, other: Sieve) -> None:
        """Take in what another has left."""
        self.fold(*other.result())

    def settle(self) -> None:
        """Compare what waits with what is left, so that a quick look knows all of it."""
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
        self._screen = None
        self._reserve(max(LEAST_WAITING, 2 * len(ids)))

    def _reserve(self, num_rows: int) -> None:
        """Room for twice as many waiting rows as are kept: rebuilding then costs each row the same."""
        self._waiting = np.empty((num_rows, len(self._strict)))
        self._waiting_leaves = np.empty((num_rows, len(self._owner)), np.int64)
        self._waiting_ids = np.empty(num_rows, np.int64)
        self._num_waiting = 0

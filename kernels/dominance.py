"""Which of a set of rows does another row of the set beat: exact, in one go, for rows that are all there.

A row beats another when it is <= in all objectives and < in at least one. The rows come distinct and in lexicographic
order. Then whatever beats a row stands before it, and of two rows the first beats the second once it is <= in the
objectives after the first: no comparison has to ask for "<".

Two objectives: the least second objective so far decides. Three: the least third objective of the rows so far whose
second objective is no greater, kept in a binary indexed tree over the ranks of the second (Kung, Luccio and Preparata
1975, "On Finding the Maxima of a Set of Vectors", JACM, with the tree of Fenwick 1994 for their balanced one).

Four and more: rows are laid along a Z-shaped curve (Lee, Zheng, Li and Lee 2007, "Approaching the Skyline in Z Order",
VLDB), so rows close in every objective stand together, and every sixteen of them, and every sixteen of those, have
their least corner noted. A corner is a word: coarse ranks of the objectives side by side, a spare bit above each, so
that one subtraction compares all objectives at once (Lamport 1975, "Multiple Byte Processing with Full-Word
Instructions", CACM). A row meets only the rows of groups whose corner is <= it: a few dozen groups on a frontier of a
million rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kernels.address import fields_no_less, trailing_zeros
from kernels.compiler import jit
from kernels.zorder import interleave, layout_of, ranks_of

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]
GROUP = 16
LONGEST_INSERTED = 32  # rows of equal leading objectives that are sorted by insertion


@jit
def sort_short_runs(order: Indices, leading: Floats, rows: Floats, ids: Ints) -> Bools:
    """Sort, in place, each short run of order[n] whose rows have equal leading[n], by what follows and then by ids[n].

    Returns which places are in longer runs, that are left as they are. No ids: equal rows in any order.
    """
    longer = np.zeros(order.size, dtype=np.bool_)
    start = 0
    while start < order.size:
        stop = start + 1
        while stop < order.size and leading[stop] == leading[start]:
            stop += 1
        if stop - start > LONGEST_INSERTED:
            longer[start:stop] = True
        else:
            for i in range(start + 1, stop):
                moved, place = order[i], i
                while place > start:
                    other = order[place - 1]
                    before = ids.size > 0 and ids[moved] < ids[other]
                    for j in range(1, rows.shape[1]):
                        if rows[moved, j] != rows[other, j]:
                            before = rows[moved, j] < rows[other, j]
                            break
                    if not before:
                        break
                    order[place] = other
                    place -= 1
                order[place] = moved
        start = stop
    return longer


def lexicographic(rows: Floats, ids: Ints | None = None) -> Indices:
    """The permutation that sorts rows[n, k] by objective after objective, and equal rows by ids[n] where given.

    No row holds a nan.
    """
    order = np.argsort(rows[:, 0])  # not stable, and several times as fast: ties are sorted below anyway
    leading = rows[order, 0]
    longer = sort_short_runs(order, leading, rows, np.empty(0, np.int64) if ids is None else ids)
    if longer.any():
        places = np.flatnonzero(longer)
        among = order[places]
        keys = rows[among].T[::-1]
        # runs of equal leads keep their places, so sorting all of them together sorts each
        order[places] = among[np.lexsort(keys if ids is None else (ids[among], *keys))]
    return order


@jit
def merged(
    rows: Floats, ids: Ints, counts: Ints, more: Floats, more_ids: Ints, more_counts: Ints
) -> tuple[Floats, Ints, Ints]:
    """Two sets of rows, each in the order of lexicographic, as one in that order, with what belongs to the rows."""
    num_rows, size = ids.size + more_ids.size, rows.shape[1]
    all_rows = np.empty((num_rows, size))
    all_ids, all_counts = np.empty(num_rows, dtype=np.int64), np.empty(num_rows, dtype=np.int64)
    i = k = 0
    for n in range(num_rows):
        first = k == more_ids.size
        if not first and i < ids.size:
            first = ids[i] < more_ids[k]
            for j in range(size):
                if rows[i, j] != more[k, j]:
                    first = rows[i, j] < more[k, j]
                    break
        if first:
            for j in range(size):
                all_rows[n, j] = rows[i, j]
            all_ids[n], all_counts[n] = ids[i], counts[i]
            i += 1
        else:
            for j in range(size):
                all_rows[n, j] = more[k, j]
            all_ids[n], all_counts[n] = more_ids[k], more_counts[k]
            k += 1
    return all_rows, all_ids, all_counts


@jit
def mark_new(rows: Floats) -> Bools:
    """For each of rows[n, k] in lexicographic order, whether it differs from the one before."""
    new = np.ones(rows.shape[0], dtype=np.bool_)
    for i in range(1, rows.shape[0]):
        new[i] = False
        for j in range(rows.shape[1]):
            if rows[i, j] != rows[i - 1, j]:
                new[i] = True
                break
    return new


@jit
def descend(second: Floats) -> Bools:
    """Two objectives: which rows lower the least second objective."""
    kept = np.empty(second.size, dtype=np.bool_)
    least = np.nan  # not inf: a row may hold that
    for i in range(second.size):
        kept[i] = not least <= second[i]
        if kept[i]:
            least = second[i]
    return kept


@jit
def rank_densely(column: Floats, order: Indices) -> npt.NDArray[np.int32]:
    """The rank of each value of column[n], from 1 on, equal values alike; order sorts the column."""
    ranks = np.empty(column.size, dtype=np.int32)
    rank = 0
    for p in range(order.size):
        if p == 0 or column[order[p]] != column[order[p - 1]]:
            rank += 1
        ranks[order[p]] = rank
    return ranks


@jit
def sweep(ranks: npt.NDArray[np.int32], third: Floats) -> Bools:
    """Three objectives: which rows have a third objective below that of every row before of no greater rank[n]."""
    kept = np.empty(third.size, dtype=np.bool_)
    least = np.full(third.size + 1, np.nan)  # least[p]: over the ranks from p - (p & -p) + 1 to p
    for i in range(third.size):
        value = third[i]
        kept[i] = True
        p = int(ranks[i])
        while p > 0:
            if least[p] <= value:
                kept[i] = False
                break
            p &= p - 1
        if kept[i]:
            p = int(ranks[i])
            while p <= third.size and not least[p] <= value:
                least[p] = value
                p += p & -p
    return kept


@jit
def note_corners(words: Ints, first: int, last: int, target: int, num_fields: int, width: int) -> None:
    """Into words from group target on, the least rank in every field over each of the groups from first up to last."""
    for group in range(first, last):
        corner = np.int64(0)
        for field in range(num_fields):
            mask = ((1 << width) - 1) << (width * field)
            least = words[group * GROUP] & mask
            for lane in range(1, GROUP):
                least = min(least, words[group * GROUP + lane] & mask)
            corner |= least
        words[target * GROUP + group - first] = corner


@jit
def begins_before(words: Ints, group: int, guarded: int, guard: int) -> int:
    """Bit per word of a group: whether it is <= the guarded word in every field, none of which then borrows."""
    return int(fields_no_less(words, group * GROUP, guarded, guard))


@jit
def search(words: Ints, starts: Ints, guard: int, rows: Floats) -> Bools:
    """Which of rows[n, k] no other row is <= in all objectives. The groups of level l stand from starts[l] on."""
    num_rows, num_objectives = rows.shape
    top = starts.size - 2
    groups, unvisited = np.zeros(top + 1, dtype=np.int64), np.zeros(top + 1, dtype=np.int64)
    kept = np.ones(num_rows, dtype=np.bool_)
    for i in range(num_rows):
        guarded = words[i] | guard
        level = top
        groups[top] = 0
        unvisited[top] = begins_before(words, starts[top], guarded, guard)
        while level <= top:
            found = unvisited[level]
            if found == 0:
                level += 1
                continue
            unvisited[level] = found & (found - 1)
            child = groups[level] * GROUP + trailing_zeros(found)
            if level > 0:
                level -= 1
                groups[level] = child
                unvisited[level] = begins_before(words, starts[level] + child, guarded, guard)
            elif child != i:
                beaten = True
                for j in range(num_objectives):
                    if rows[child, j] > rows[i, j]:
                        beaten = False
                        break
                if beaten:
                    kept[i] = False
                    break
    return kept


def corners_of(ranks: Ints, num_fields: int, width: int, guard: int) -> tuple[Ints, Ints]:
    """The words of all levels for ranks[n] along the curve, and the group where each level begins."""
    sizes = [max(1, -(-len(ranks) // GROUP))]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // GROUP))
    starts = np.cumsum([0, *sizes])
    words = np.full(int(starts[-1]) * GROUP, guard, dtype=np.int64)  # what is empty is greater than any row
    words[: len(ranks)] = ranks
    for level in range(len(sizes) - 1):
        note_corners(words, starts[level], starts[level + 1], starts[level + 1], num_fields, width)
    return words, starts


def search_along_curve(rows: Floats) -> Bools:
    """Four objectives and more, though it is right from two on; the order of the rows does not matter."""
    num_rows, num_objectives = rows.shape
    num_fields, width, guard = layout_of(num_objectives)
    ranks = ranks_of(rows)
    order = np.argsort(interleave(ranks, num_fields, width))
    words, starts = corners_of(ranks[order], num_fields, width, guard)
    kept = np.empty(num_rows, dtype=np.bool_)
    kept[order] = search(words, starts, guard, rows.take(order, axis=0))
    return kept


def unbeaten(rows: Floats) -> Bools:
    """Which of rows[n, k] no other row beats. The rows are distinct, in lexicographic order and without nan."""
    num_rows, num_objectives = rows.shape
    if num_objectives == 1 or num_rows == 0:
        return np.arange(num_rows) == 0
    if num_objectives == 2:
        return descend(np.ascontiguousarray(rows[:, 1]))
    if num_objectives == 3:
        second = np.ascontiguousarray(rows[:, 1])
        return sweep(rank_densely(second, np.argsort(second)), np.ascontiguousarray(rows[:, 2]))
    return search_along_curve(rows)

"""A quick look that most rows do not survive: is a row beaten by what is already known of a few good rows?

Nothing is dropped that no known row beats; what survives need not be on the frontier. Two looks, both over separate
columns, so that only what survives has to be gathered. The first compares with a few known rows that beat most of those
seen lately, the champions, a column at a time. The second reads a table over all objectives but the last: each is cut
into buckets, and a cell holds the least last objective of the known rows that are nowhere greater in the others.

A bucket is a number that never falls as the value grows, whatever is rounded, so known rows in an earlier bucket are
less. In the row's own bucket they are no greater if the row is not below the bucket's threshold, a value that some
known row has, and they are not above it. So a bucket has two levels, and objectives of a few values lose nothing.
Values are cut evenly, or evenly by the bits of their floating-point form, which is nearly by their logarithm,
whichever sets the known rows further apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.compiler import inlined, jit

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int32]
Columns = tuple[Floats, ...]

CHUNK = 1024  # rows that stay in the first-level cache
COARSE_GROUP, FINE_GROUP = 64, 16  # rows that are first looked at together, by the best of each objective among them
NONE: Any = np.int64(0)  # a bare 0 has a type of its own to numba, which compiles whatever is called with it once more
LANES = 8  # of them, least numbers are kept side by side: that vectorises
NUM_CHAMPIONS = 32
NUM_LEADERS = 4  # of them, those that may become the champion of a chunk
TRIED_ROWS = 16  # of a chunk, when the champion is chosen anew
FEW_LEFT = 64  # one row in so many: no longer worth asking another leader about the whole chunk
MOST_CANDIDATES = 512
MOST_TABLE_OBJECTIVES = 5
COARSE_DIMENSIONS = 3  # of a table too coarse to do without more champions
PROBED = 4096  # known rows that decide how values are cut
FINE = 1024  # even steps, of which as many make a bucket as hold its share of the known rows
LEAST_CELLS = 4096
MOST_CELLS = 1 << 20
FEWEST_BITS_DROPPED = 12  # of the bits of a value: the difference of any two then fits a word


@dataclass(frozen=True)
class Screen:
    """What is known of some rows[f, k]. buckets is 0 where there is no table, which is then of one cell, nan."""

    champions: Floats  # [c, k]; the kernels reorder them
    by_bits: Bools  # [k - 1]
    origins: Floats  # [k - 1]; the value where steps begin, or its bits
    scales: Floats  # [k - 1]; steps per unit
    steps: Positions  # [k - 1, s]; the bucket that each step belongs to
    thresholds: Floats  # [k - 1, buckets]
    table: Floats  # [(2 buckets) ** (k - 1)], nan where nothing is known
    buckets: int


@inlined
def step_of(value: float, by_bits: bool, origin: float, scale: float, num_steps: int) -> int:
    """Never falls as value grows; a nan gets any step. Both zeros get the same one."""
    if by_bits:
        bits = np.float64(value + 0.0).view(np.int64)
        bits = bits ^ ((bits >> 63) & np.int64(0x7FFFFFFFFFFFFFFF))  # the order of the values
        value = float(bits >> FEWEST_BITS_DROPPED)
    place = (value - origin) * scale
    if not place > 0:  # a nan too, as from inf times nought
        return 0
    if place >= num_steps:
        return num_steps - 1
    return int(place)


@jit
def steps_of(column: Floats, by_bits: bool, origin: float, scale: float, num_steps: int) -> Ints:
    found = np.empty(column.size, dtype=np.int64)
    for i in range(column.size):
        found[i] = step_of(column[i], by_bits, origin, scale, num_steps)
    return found


@jit
def load(columns: Columns, signs: Floats, first: int, size: int, chunk: Floats) -> None:
    """Into chunk[k, size] the signed objectives of the rows from the first on."""
    for j in range(signs.size):
        column, sign, target = columns[j][first : first + size], signs[j], chunk[j]
        for i in range(size):
            target[i] = sign * column[i]


@inlined
def known_beats(
    chunk: Floats,
    i: int,
    by_bits: Bools,
    origins: Floats,
    scales: Floats,
    steps: Positions,
    thresholds: Floats,
    table: Floats,
    levels: int,
) -> bool:
    """Whether a known row beats column i of chunk, by the table; not every one that is beaten is seen to be."""
    cell = strict = 0
    for j in range(chunk.shape[0] - 1):
        value = chunk[j, i]
        bucket = steps[j, step_of(value, by_bits[j], origins[j], scales[j], steps.shape[1])]
        cell = cell * levels + 2 * bucket + (thresholds[j, bucket] <= value)
        strict = strict * levels + 2 * bucket
    known, last = table[cell], chunk[chunk.shape[0] - 1, i]
    return known < last or (known == last and table[strict] <= last)


@jit
def without_beaten_groups(
    chunk: Floats,
    size: int,
    group: int,
    corners: Floats,
    champions: Floats,
    by_bits: Bools,
    origins: Floats,
    scales: Floats,
    steps: Positions,
    thresholds: Floats,
    table: Floats,
    buckets: int,
    which: Ints,
) -> int:
    """Close up a chunk in place without those runs of so many rows, a group, whose best corner a known row beats.

    which[i] becomes the place that row i had; returns how many rows are left. A row with nan counts for nothing.
    """
    left = 0
    for first in range(0, size, group):
        last = min(first + group, size)
        for j in range(chunk.shape[0]):
            corners[j, 0] = np.inf
            if last - first == group:
                row, lanes = chunk[j, first:last], corners[j]
                lanes[:] = np.inf
                for start in range(0, group, LANES):
                    for k in range(LANES):
                        lanes[k] = row[start + k] if row[start + k] < lanes[k] else lanes[k]
                for k in range(1, LANES):
                    lanes[0] = lanes[k] if lanes[k] < lanes[0] else lanes[0]
            else:
                for i in range(first, last):
                    corners[j, 0] = chunk[j, i] if chunk[j, i] < corners[j, 0] else corners[j, 0]
        beaten = champions.shape[0] > 0 and champion_beats(champions, NONE, corners, NONE)
        if not beaten and buckets > 0:
            beaten = known_beats(corners, NONE, by_bits, origins, scales, steps, thresholds, table, 2 * buckets)
        if not beaten:
            for j in range(chunk.shape[0]):
                if left < first:
                    for i in range(last - first):
                        chunk[j, left + i] = chunk[j, first + i]
            for i in range(last - first):
                which[left + i] = first + i
            left += last - first
    return left


@jit
def swap(champions: Floats, a: int, b: int) -> None:
    for j in range(champions.shape[1]):
        champions[a, j], champions[b, j] = champions[b, j], champions[a, j]


@jit
def choose_champion(champions: Floats, chunk: Floats, size: int) -> None:
    """Move the leader that is nowhere greater than most of a few rows to the front, in place."""
    best, most = NONE, -1
    for c in range(min(NUM_LEADERS, champions.shape[0])):
        beaten = 0
        for i in range(0, size, max(1, size // TRIED_ROWS)):
            before = True
            for j in range(champions.shape[1]):
                before = before and champions[c, j] <= chunk[j, i]
            beaten += before
        if beaten > most:
            best, most = c, beaten
    swap(champions, NONE, best)


@jit
def mark_beaten(champions: Floats, c: int, chunk: Floats, size: int, marks: Bytes, beaten: Bytes) -> int:
    """Set beaten for the rows of the chunk that the champion beats; returns how many are not set. marks is scratch."""
    marks[:size] = 1  # bit 0: so far the champion is nowhere greater; bit 1: it is somewhere less
    for j in range(champions.shape[1]):
        own, column = champions[c, j], chunk[j]
        for i in range(size):
            no_greater, less = np.uint8(own <= column[i]), np.uint8(own < column[i])
            marks[i] = (marks[i] | (less << np.uint8(1))) * no_greater
    num_beaten = 0
    for i in range(size):
        beaten[i] |= np.uint8(marks[i] == 3)
        num_beaten += int(beaten[i])
    return size - num_beaten


@inlined
def champion_beats(champions: Floats, c: int, chunk: Floats, i: int) -> bool:
    less = False
    for j in range(champions.shape[1]):
        if not champions[c, j] <= chunk[j, i]:
            return False
        less = less or champions[c, j] < chunk[j, i]
    return less


@jit
def beats(chunk: Floats, a: int, b: int) -> bool:
    """Whether row a beats row b; not where either holds a nan."""
    less = False
    for j in range(chunk.shape[0]):
        if not chunk[j, a] <= chunk[j, b]:
            return False
        less = less or chunk[j, a] < chunk[j, b]
    return less


@jit
def has_nan(chunk: Floats, i: int) -> bool:
    for j in range(chunk.shape[0]):
        if chunk[j, i] != chunk[j, i]:
            return True
    return False


@jit
def sift_chunk(
    chunk: Floats,
    size: int,
    champions: Floats,
    by_bits: Bools,
    origins: Floats,
    scales: Floats,
    steps: Positions,
    thresholds: Floats,
    table: Floats,
    buckets: int,
    scratch: Bytes,
    left: Ints,
) -> int:
    """How many of chunk[k, size] nothing known beats and hold no nan; left says which. scratch[2, CHUNK] is room."""
    if size == 0:
        return 0
    marks, beaten = scratch[0], scratch[1]
    if champions.shape[0] > 0:
        choose_champion(champions, chunk, size)
    beaten[:size] = 0
    unbeaten = size
    asked = NONE
    while asked < min(NUM_LEADERS, champions.shape[0]) and unbeaten * FEW_LEFT > size:
        unbeaten = mark_beaten(champions, asked, chunk, size, marks, beaten)
        asked += 1
    num_left = 0
    for i in range(size):
        left[num_left] = i
        num_left += beaten[i] == 0
    num_kept = 0
    for m in range(num_left):
        i = left[m]
        c = asked
        while c < champions.shape[0] and not champion_beats(champions, c, chunk, i):
            c += 1
        if c < champions.shape[0]:
            if c > NUM_LEADERS:  # not a leader: a place forward, so that the best are asked first
                swap(champions, c, c - 1)
            continue
        if buckets > 0 and known_beats(chunk, i, by_bits, origins, scales, steps, thresholds, table, 2 * buckets):
            continue
        if has_nan(chunk, i):
            continue
        if num_kept > 0:  # along an axis that improves everything, each row beats the one before
            if beats(chunk, left[num_kept - 1], i):
                continue
            if beats(chunk, i, left[num_kept - 1]):
                num_kept -= 1
        left[num_kept] = i
        num_kept += 1
    return num_kept


@jit
def survive(
    columns: Columns,
    signs: Floats,
    first: int,
    champions: Floats,
    by_bits: Bools,
    origins: Floats,
    scales: Floats,
    steps: Positions,
    thresholds: Floats,
    table: Floats,
    buckets: int,
    positions: Positions,
    rows: Floats,
) -> tuple[int, int]:
    """Fill positions[p] and rows[p, k] with what, from row first on, nothing known beats and holds no nan.

    Stops when they may not hold the next chunk; returns the row to go on from and how many survived. columns may be
    more than there are signs[k]; the objectives are signs[j] * columns[j].
    """
    num_objectives, num_rows = signs.size, columns[0].size
    chunk = np.empty((num_objectives, CHUNK))
    scratch = np.empty((2, CHUNK), np.uint8)
    left, which, corners = np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64), np.empty((num_objectives, LANES))
    count = 0
    while first < num_rows and count + CHUNK <= positions.size:
        size = min(CHUNK, num_rows - first)
        load(columns, signs, first, size, chunk)
        left_over = without_beaten_groups(
            chunk,
            size,
            COARSE_GROUP,
            corners,
            champions,
            by_bits,
            origins,
            scales,
            steps,
            thresholds,
            table,
            buckets,
            which,
        )
        num_kept = sift_chunk(
            chunk, left_over, champions, by_bits, origins, scales, steps, thresholds, table, buckets, scratch, left
        )
        for m in range(num_kept):
            positions[count + m] = first + which[left[m]]
        for j in range(num_objectives):
            for m in range(num_kept):
                rows[count + m, j] = chunk[j, left[m]]
        count += num_kept
        first += size
    return first, count


@jit
def choose_champions(candidates: Floats, rows: Floats, most: int) -> Floats:
    """Of candidates[c, k], at most that many, each beating the most of rows[n, k] that those before left over."""
    num_candidates, num_rows = candidates.shape[0], rows.shape[0]
    beaten = np.ones((num_candidates, num_rows), dtype=np.uint8)
    for c in range(num_candidates):
        for i in range(num_rows):
            for j in range(rows.shape[1]):
                if not candidates[c, j] <= rows[i, j]:
                    beaten[c, i] = 0
                    break
    left = np.ones(num_rows, dtype=np.uint8)
    chosen = np.empty((most, candidates.shape[1]))
    for slot in range(most):
        best, greatest = 0, 0
        for c in range(num_candidates):
            count = 0
            for i in range(num_rows):
                count += beaten[c, i] & left[i]
            if count > greatest:
                best, greatest = c, count
        if greatest == 0:
            return chosen[:slot]
        chosen[slot] = candidates[best]
        for i in range(num_rows):
            left[i] &= np.uint8(1) - beaten[best, i]
    return chosen


@dataclass(frozen=True)
class Cut:
    """An objective in buckets, as in Screen, and the bucket of each known row."""

    by_bits: bool
    origin: float
    scale: float
    steps: Positions
    buckets: Ints


def lay_steps(values: Floats, by_bits: bool, num_steps: int) -> tuple[float, float]:
    """Origin and scale of so many steps over finite values[n]."""
    if not values.size:
        return 0.0, 0.0
    ends = np.array([values.min(), values.max()])
    if by_bits:
        bits = (ends + 0.0).view(np.int64)
        ends = ((bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF)) >> FEWEST_BITS_DROPPED).astype(np.float64)
    low, high = ends.tolist()
    return low, float(np.divide(num_steps, high - low)) if high > low else 0.0


def lay_cut(column: Floats, buckets: int, num_steps: int) -> Cut:
    """Cut an objective, of which the values of the known rows are given, into so many buckets of a number of steps."""
    finite = column[np.isfinite(column)]
    probe = np.ascontiguousarray(column[:: -(-column.size // PROBED)])
    crowd = np.inf
    for tried in (False, True):
        low, per_unit = lay_steps(finite, tried, num_steps)
        together = np.square(np.bincount(steps_of(probe, tried, low, per_unit, num_steps))).sum()
        if together < crowd:
            crowd, by_bits, origin, scale = together, tried, low, per_unit
    found = steps_of(column, by_bits, origin, scale, num_steps)
    steps = np.arange(num_steps, dtype=np.int32)
    if buckets < num_steps:
        held = np.bincount(found, minlength=num_steps)
        steps = ((np.cumsum(held) - held) * buckets // column.size).astype(np.int32)
    steps[-1] = buckets - 1
    return Cut(by_bits, origin, scale, steps, steps[found].astype(np.int64))


def thresholds_of(column: Floats, of_objective: Cut, buckets: int) -> Floats:
    """Of each bucket a value that some known row has."""
    thresholds = np.full(buckets, np.inf)
    np.minimum.at(thresholds, of_objective.buckets, column)
    in_last = column[of_objective.buckets == buckets - 1]
    if in_last.size:
        thresholds[-1] = in_last.max()  # most rows lie beyond the known ones
    return thresholds


def build_screen(rows: Floats, seen: Floats, missed: Floats) -> Screen:
    """A screen that knows rows[f, k], without nan, with champions that beat many of seen[s, k] or else of missed[m, k].

    Both are samples: of all rows, and of those that were beaten although the last screen let them through.
    """
    num_rows, num_objectives = rows.shape
    dimensions = num_objectives - 1
    candidates = np.ascontiguousarray(rows[:: -(-num_rows // MOST_CANDIDATES) or 1])
    seen, missed = np.ascontiguousarray(seen), np.ascontiguousarray(missed)
    leaders = choose_champions(candidates, seen, NUM_LEADERS)
    most_others = NUM_CHAMPIONS - len(leaders) if dimensions >= COARSE_DIMENSIONS else 0
    champions = np.concatenate([leaders, choose_champions(candidates, missed, most_others)])
    cells = min(MOST_CELLS, max(LEAST_CELLS, (16 if dimensions > 1 else 4) * num_rows))
    buckets = int(cells ** (1 / max(1, dimensions)) * (1 + 1e-12)) // 2
    if num_rows == 0 or not 0 < dimensions < MOST_TABLE_OBJECTIVES:
        none = np.zeros(dimensions)
        steps, thresholds = np.zeros((dimensions, 1), dtype=np.int32), np.zeros((dimensions, 1))
        return Screen(champions, none > 0, none, none, steps, thresholds, np.array([np.nan]), 0)
    levels = 2 * buckets
    with np.errstate(all="ignore"):
        cuts = [lay_cut(np.ascontiguousarray(rows[:, j]), buckets, max(FINE, buckets)) for j in range(dimensions)]
    thresholds = np.array([thresholds_of(rows[:, j], cuts[j], buckets) for j in range(dimensions)])
    cell = np.zeros(num_rows, dtype=np.int64)
    for j in range(dimensions):
        bucket = cuts[j].buckets
        cell = cell * levels + 2 * bucket + 1 + (rows[:, j] > thresholds[j, bucket])
    table = np.full(levels**dimensions, np.inf)
    np.minimum.at(table, cell, rows[:, -1])
    known = np.zeros(table.size, dtype=np.bool_)  # apart, since the least may itself be inf
    known[cell] = True
    shape = (levels,) * dimensions
    for axis in range(dimensions):
        np.minimum.accumulate(table.reshape(shape), axis=axis, out=table.reshape(shape))
        np.logical_or.accumulate(known.reshape(shape), axis=axis, out=known.reshape(shape))
    table[~known] = np.nan
    return Screen(
        champions,
        np.array([of_objective.by_bits for of_objective in cuts]),
        np.array([of_objective.origin for of_objective in cuts]),
        np.array([of_objective.scale for of_objective in cuts]),
        np.array([of_objective.steps for of_objective in cuts]),
        thresholds,
        table,
        buckets,
    )

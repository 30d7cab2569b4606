"""A quick look that most rows do not survive: is a row beaten by what is already known of a few good rows?

Nothing is dropped that no known row beats; what survives need not be on the frontier. The first look compares with a
few known rows that beat most of those seen lately, the champions. The second reads a table over all objectives but the
last: each is cut into buckets (kernels.buckets), and a cell holds the least last objective of the known rows that are
nowhere greater in the others. With many objectives such a table is coarse, and there is a third: all known rows along a
curve (kernels.curve).

Known rows in an earlier bucket are less. In the row's own bucket they are no greater if the row is not below the
bucket's threshold, a value that some known row has, and they are not above it. So a bucket has two levels, and
objectives of a few values lose nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.buckets import Cut, lay_cut, step_of
from kernels.compiler import inlined, jit
from kernels.curve import NO_CURVE, Curve, lay_along

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NONE: Any = np.int64(0)  # a bare 0 has a type of its own to numba, which compiles whatever is called with it once more
NUM_CHAMPIONS = 32
NUM_LEADERS = 4  # of them, those that may become the champion of a chunk
MOST_CANDIDATES = 512
MOST_TABLE_OBJECTIVES = 5
COARSE_DIMENSIONS = 3  # of a table too coarse to do without more champions
FINE = 1024  # even steps, of which as many make a bucket as hold its share of the known rows
LEAST_CELLS = 4096
MOST_CELLS = 1 << 20
LEAST_CURVED = 4  # objectives: with fewer, what a table lets through is mostly on the frontier
LEAST_LAID = 1024  # rows, before they are worth laying along a curve


class Screen(NamedTuple):
    """What is known of some rows[f, k]. buckets is 0 where there is no table, which is then of one cell, nan."""

    champions: Any  # [c, k]; the kernels reorder them
    by_bits: Any  # [k - 1]
    origins: Any  # [k - 1]; the value where steps begin, or its bits
    scales: Any  # [k - 1]; steps per unit
    steps: Any  # [k - 1, s]; the bucket that each step belongs to
    thresholds: Any  # [k - 1, buckets]
    table: Any  # [(2 buckets) ** (k - 1)], nan where nothing is known
    buckets: int
    curve: Curve  # without rows where it is not worth asking


@inlined
def known_beats(screen: Screen, chunk: Floats, i: int) -> bool:
    """Whether a known row beats column i of chunk, by the table; not every one that is beaten is seen to be."""
    steps, thresholds, table, levels = screen.steps, screen.thresholds, screen.table, 2 * screen.buckets
    cell = strict = 0
    for j in range(chunk.shape[0] - 1):
        value = chunk[j, i]
        bucket = steps[j, step_of(value, screen.by_bits[j], screen.origins[j], screen.scales[j], steps.shape[1])]
        cell = cell * levels + 2 * bucket + (thresholds[j, bucket] <= value)
        strict = strict * levels + 2 * bucket
    known, last = table[cell], chunk[chunk.shape[0] - 1, i]
    return known < last or (known == last and table[strict] <= last)


@inlined
def champion_beats(champions: Floats, c: int, chunk: Floats, i: int) -> bool:
    less = False
    for j in range(champions.shape[1]):
        if not champions[c, j] <= chunk[j, i]:
            return False
        less = less or champions[c, j] < chunk[j, i]
    return less


@inlined
def has_curve(screen: Screen) -> bool:
    return screen.curve.words.size > 0


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


@jit
def lower(thresholds: Floats, buckets: Ints, column: Floats) -> None:
    """To the least of the values in each of these buckets."""
    for i in range(column.size):
        if column[i] < thresholds[buckets[i]]:
            thresholds[buckets[i]] = column[i]


def thresholds_of(column: Floats, of_objective: Cut, buckets: int) -> Floats:
    """Of each bucket a value that some known row has."""
    thresholds = np.full(buckets, np.inf)
    lower(thresholds, of_objective.buckets, column)
    in_last = column[of_objective.buckets == buckets - 1]
    if in_last.size:
        thresholds[-1] = in_last.max()  # most rows lie beyond the known ones
    return thresholds


@jit
def note(table: Floats, cells: Ints, values: Floats) -> None:
    """Into each of these cells the least of its values; nan in a cell is no value yet."""
    for i in range(cells.size):
        if not table[cells[i]] <= values[i]:
            table[cells[i]] = values[i]


@jit
def spread(table: Floats, inside: int, levels: int) -> None:
    """Along an axis with so many cells inside one step, into each cell the least up to it; nan is no value."""
    for start in range(0, table.size, levels * inside):
        for place in range(start + inside, start + levels * inside):
            before, here = table[place - inside], table[place]
            table[place] = before if before < here or here != here else here


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
    curve = lay_along(rows) if num_objectives >= LEAST_CURVED and num_rows >= LEAST_LAID else NO_CURVE
    cells = min(MOST_CELLS, max(LEAST_CELLS, (16 if dimensions > 1 else 4) * num_rows))
    buckets = int(cells ** (1 / max(1, dimensions)) * (1 + 1e-12)) // 2
    if num_rows == 0 or not 0 < dimensions < MOST_TABLE_OBJECTIVES:
        none = np.zeros(dimensions)
        steps, thresholds = np.zeros((dimensions, 1), dtype=np.int32), np.zeros((dimensions, 1))
        return Screen(champions, none > 0, none, none, steps, thresholds, np.array([np.nan]), 0, curve)
    levels = 2 * buckets
    columns = [np.ascontiguousarray(rows[:, j]) for j in range(dimensions)]
    with np.errstate(all="ignore"):
        cuts = [lay_cut(column, buckets, max(FINE, buckets)) for column in columns]
    thresholds = np.array([thresholds_of(columns[j], cuts[j], buckets) for j in range(dimensions)])
    cell = np.zeros(num_rows, dtype=np.int64)
    for j in range(dimensions):
        bucket = cuts[j].buckets
        cell = cell * levels + 2 * bucket + 1 + (rows[:, j] > thresholds[j, bucket])
    table = np.full(levels**dimensions, np.nan)
    note(table, cell, np.ascontiguousarray(rows[:, -1]))
    for axis in range(dimensions):
        spread(table, levels ** (dimensions - 1 - axis), levels)
    return Screen(
        champions,
        np.array([of_objective.by_bits for of_objective in cuts]),
        np.array([of_objective.origin for of_objective in cuts]),
        np.array([of_objective.scale for of_objective in cuts]),
        np.array([of_objective.steps for of_objective in cuts]),
        thresholds,
        table,
        buckets,
        curve,
    )

"""Which of a set of rows no other row of it beats.

Every objective is minimised; negate what is to be maximised. A row beats another when it is <= in all objectives and
< in at least one. Equal rows do not beat each other. A row with a nan counts as beaten and beats nothing; infinities
are ordinary values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kernels.compiler import jit
from kernels.dominance import lexicographic, mark_new, unbeaten
from kernels.screen import Screen, build_screen
from kernels.sieve import CHUNK, Columns, survive

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.signedinteger]
FIRST_SAMPLE = 4096
SAMPLE_GROWTH = 4
SEEN_APART = 64  # rows of the sample, of which one in so many chooses the champions
NUM_MISSED = 256
MOSTLY_KEPT = 0.75  # of a sample: the frontier is then most of all rows, or hard to screen
WORTH_SCREENING = 4  # times the sample
MOST_ROWS = 2**31 - 1
COMPILED_COLUMNS = 8  # up to as many, all numbers of objectives share one compiled kernel


def as_columns(columns: Sequence[Floats]) -> Columns:
    """The columns as kernels.sieve takes them: the last repeated, so that their number rarely differs.

    Each in one run and not to be written to, whoever keeps them: for other arrays the kernels would be compiled anew.
    """
    if columns[0].size > MOST_ROWS:
        raise ValueError(f"{columns[0].size} rows at once: at most {MOST_ROWS}")
    columns = [np.ascontiguousarray(column).view() for column in columns]
    for column in columns:
        column.flags.writeable = False
    return (*columns, *[columns[-1]] * (COMPILED_COLUMNS - len(columns)))


def screened(
    screen: Screen,
    columns: Columns,
    signs: Floats,
    first: int,
    positions: npt.NDArray[np.int32],
    rows: Floats,
    each_other: bool = True,
) -> tuple[int, int]:
    """kernels.sieve.survive, and no word of what is not a number."""
    with np.errstate(all="ignore"):
        return survive(columns, signs, first, screen, positions, rows, each_other)


@jit
def are_whole(rows: Floats) -> Bools:
    """Which of rows[n, k] hold no nan."""
    whole = np.ones(rows.shape[0], dtype=np.bool_)
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            if rows[i, j] != rows[i, j]:
                whole[i] = False
    return whole


def unbeaten_with_ties(rows: Floats, new: Bools) -> Bools:
    """kernels.dominance.unbeaten for rows[n, k] that are not distinct; new marks those that differ from the last."""
    return unbeaten(rows) if new.all() else unbeaten(rows[new])[np.cumsum(new) - 1]


def exactly(rows: Floats) -> Bools:
    """Which of rows[n, k], none with a nan, no other beats; by comparing them all in one go."""
    order = lexicographic(rows)
    ordered = rows.take(order, axis=0)
    kept = np.empty(len(rows), dtype=np.bool_)
    kept[order] = unbeaten_with_ties(ordered, mark_new(ordered))
    return kept


def nondominated(rows: npt.ArrayLike) -> Bools:
    """Which of rows[n, k], k >= 1, no other row beats, all objectives minimised. Equal rows are kept or dropped alike.

    O(n log n) for up to three objectives; nearly so for more, on the frontiers that models of cost have. Much less
    where few rows are good: then all are compared with the frontier of a sample first. ValueError on another shape.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] < 1:
        raise ValueError(f"rows have shape {rows.shape}, not (n, k) with k >= 1")
    places: Positions | None = None  # of what is left; None while that is all rows
    left = rows
    size = FIRST_SAMPLE
    while len(left) > WORTH_SCREENING * size:
        sample = np.ascontiguousarray(left[:: -(-len(left) // size)])
        sample = sample[are_whole(sample)]
        kept = exactly(sample)
        if kept.sum() > MOSTLY_KEPT * len(sample):
            break
        missed = sample[~kept]
        screen = build_screen(sample[kept], sample[::SEEN_APART], missed[:: -(-len(missed) // NUM_MISSED) or 1])
        room = len(left) + CHUNK
        positions, rows_left = np.empty(room, dtype=np.int32), np.empty((room, left.shape[1]))
        _, count = screened(screen, as_columns(list(left.T)), np.ones(left.shape[1]), 0, positions, rows_left)
        if 2 * count > len(left):
            break  # the frontier is most of them
        found = positions[:count]
        places, left = found if places is None else places[found], rows_left[:count]
        size *= SAMPLE_GROWTH
    whole = are_whole(left)
    if not whole.all():
        places, left = np.flatnonzero(whole) if places is None else places[whole], left[whole]
    if places is None:
        return exactly(left)
    result = np.zeros(len(rows), dtype=np.bool_)
    result[places[exactly(left)]] = True
    return result

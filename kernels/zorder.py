"""Rows along a Z-shaped curve, so that rows close in every objective stand together.

The order of Lee, Zheng, Li and Lee 2007, "Approaching the Skyline in Z Order", VLDB. Coarse ranks of the objectives
stand side by side in a word, a spare bit above each; their bits taken in turns are the place along the curve.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kernels.buckets import lay_cut
from kernels.compiler import jit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]
WORD_BITS = 63
STEPS_PER_LEVEL = 4  # of an objective, by which many rows are ranked without being sorted
LEAST_FIELD = 3  # bits: two of rank and the spare one; objectives that no longer fit are left to the exact comparison


def layout_of(num_objectives: int) -> tuple[int, int, int]:
    """How many ranks go into a word, how many bits each has, and the bits that are spare."""
    width = max(LEAST_FIELD, WORD_BITS // num_objectives)
    num_fields = min(num_objectives, WORD_BITS // width)
    return num_fields, width, sum(1 << (width * field + width - 1) for field in range(num_fields))


@jit
def add_ranks(words: Ints, column: Floats, order: Indices, levels: int, shift: int) -> None:
    """Add to words[n], in place and shift bits up, the coarse rank of each value: below levels, equal values alike."""
    start = 0
    for p in range(order.size):
        if p > 0 and column[order[p]] != column[order[p - 1]]:
            start = p
        words[order[p]] |= (start * levels // order.size) << shift


def ranks_of(rows: Floats) -> Ints:
    """The words of rows[n, k], k >= 2: in each field the coarse rank of an objective, equal values alike."""
    num_rows = len(rows)
    num_fields, width, _ = layout_of(rows.shape[1])
    words = np.zeros(num_rows, dtype=np.int64)
    levels = 1 << (width - 1)
    for field in range(num_fields):
        column = np.ascontiguousarray(rows[:, field])
        if num_rows < STEPS_PER_LEVEL * levels:
            add_ranks(words, column, np.argsort(column), levels, width * field)
        else:
            with np.errstate(all="ignore"):
                words |= lay_cut(column, levels, STEPS_PER_LEVEL * levels).buckets << (width * field)
    return words


@jit
def interleave(words: Ints, num_fields: int, width: int) -> Ints:
    """The bits of the ranks in words[n] taken in turns, the highest first: the place along the curve."""
    low = (width - 1) // 2
    size = 1 << (width - 1 - low)
    spread = np.zeros(size, dtype=np.int64)  # the bits of a number, so many apart
    for number in range(size):
        for bit in range(width - 1 - low):
            spread[number] |= (number >> bit & 1) << (bit * num_fields)
    codes = np.empty(words.size, dtype=np.int64)
    for i in range(words.size):
        code = 0
        for field in range(num_fields):
            rank = words[i] >> (width * field) & ((1 << (width - 1)) - 1)
            apart = spread[rank >> low] << (low * num_fields) | spread[rank & ((1 << low) - 1)]
            code |= apart << (num_fields - 1 - field)
        codes[i] = code
    return codes


def z_order(rows: Floats) -> Indices:
    """The permutation that lays rows[n, k] along the curve. Only speed depends on it."""
    if rows.shape[1] < 2:
        return np.argsort(rows[:, 0], kind="stable") if rows.shape[1] else np.arange(len(rows))
    num_fields, width, _ = layout_of(rows.shape[1])
    return np.argsort(interleave(ranks_of(rows), num_fields, width), kind="stable")

"""A frontier along a Z-shaped curve, for rows from outside: does one of its rows beat them?

As kernels.dominance finds the rows of a set that others of it beat; here the coarse ranks of a row from outside are
read from tables of steps, as in kernels.screen. What the tables of a screen are too coarse for, with four objectives
and more, is settled here exactly, for a few hundred nanoseconds a row.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.compiler import jit
from kernels.dominance import GROUP, PLACE, corners_of, interleave, layout_of
from kernels.screen import lay_cut, step_of

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST_RANKS = 1 << 12
STEPS_PER_RANK = 4


class Curve(NamedTuple):
    """Rows[f, k] in the order of the curve, their words and corners as in kernels.dominance, and what ranks a value."""

    rows: Any
    words: Any
    starts: Any
    guard: int
    width: int
    by_bits: Any  # [fields]
    origins: Any  # [fields]
    scales: Any  # [fields]
    steps: Any  # [fields, steps]; the rank of each


def lay_along(rows: Floats) -> Curve:
    """The curve of rows[f, k], at least one, without nan."""
    num_fields, width, guard = layout_of(rows.shape[1])
    num_ranks = min(MOST_RANKS, 1 << (width - 1))
    with np.errstate(all="ignore"):
        cuts = [
            lay_cut(np.ascontiguousarray(rows[:, field]), num_ranks, STEPS_PER_RANK * num_ranks)
            for field in range(num_fields)
        ]
    ranks = np.zeros(len(rows), np.int64)
    for field, of_objective in enumerate(cuts):
        ranks |= of_objective.buckets << (width * field)
    order = np.argsort(interleave(ranks, num_fields, width))
    words, starts = corners_of(ranks[order], num_fields, width, guard)
    return Curve(
        rows[order],
        words,
        starts,
        guard,
        width,
        np.array([of_objective.by_bits for of_objective in cuts]),
        np.array([of_objective.origin for of_objective in cuts]),
        np.array([of_objective.scale for of_objective in cuts]),
        np.array([of_objective.steps for of_objective in cuts]),
    )


@jit
def last_before(words: Ints, group: int, guarded: int, guard: int) -> int:
    """As kernels.dominance.begins_before with the last word's bit first: what beats a row by little stands close."""
    start = group * GROUP
    found = 0
    for lane in range(GROUP):
        found |= int(((guarded - words[start + lane]) & guard) == guard) << (GROUP - 1 - lane)
    return found


@jit
def unbeaten_by(curve: Curve, rows: Floats) -> Ints:
    """Which of rows[n, k], without nan, no row of the curve beats, in order."""
    words, starts, guard = curve.words, curve.starts, curve.guard
    top = starts.size - 2
    groups, unvisited = np.zeros(top + 1, dtype=np.int64), np.zeros(top + 1, dtype=np.int64)
    found = np.empty(rows.shape[0], dtype=np.int64)
    count = 0
    for i in range(rows.shape[0]):
        guarded = guard
        for field in range(curve.steps.shape[0]):
            step = step_of(
                rows[i, field], curve.by_bits[field], curve.origins[field], curve.scales[field], curve.steps.shape[1]
            )
            guarded |= int(curve.steps[field, step]) << (curve.width * field)
        level = top
        groups[top] = 0
        unvisited[top] = last_before(words, starts[top], guarded, guard)
        beaten = False
        while level <= top and not beaten:
            lanes = unvisited[level]
            if lanes == 0:
                level += 1
                continue
            unvisited[level] = lanes & (lanes - 1)
            child = groups[level] * GROUP + GROUP - 1 - PLACE[(lanes & -lanes) % 19]
            if level > 0:
                level -= 1
                groups[level] = child
                unvisited[level] = last_before(words, starts[level] + child, guarded, guard)
            else:
                less = False
                beaten = True
                for j in range(rows.shape[1]):
                    less = less or curve.rows[child, j] < rows[i, j]
                    if curve.rows[child, j] > rows[i, j]:
                        beaten = False
                        break
                beaten = beaten and less
        found[count] = i
        count += not beaten
    return found[:count]

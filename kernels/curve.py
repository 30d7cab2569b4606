"""A frontier along a Z-shaped curve, for rows from outside: does one of its rows beat them?

As kernels.dominance finds the rows of a set that others of it beat; here the coarse ranks of a row from outside are
read from tables of steps (kernels.buckets). What the tables of a screen are too coarse for, with four objectives
and more, is settled here exactly, for a few hundred nanoseconds a row, or a corner of many rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.address import leading_zeros
from kernels.buckets import lay_cut, step_of
from kernels.compiler import jit_uncounted
from kernels.dominance import GROUP, begins_before, corners_of
from kernels.zorder import interleave, layout_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST_RANKS = 1 << 12
STEPS_PER_RANK = 4
LEVELS = 16  # more than any curve has


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
        rows.take(order, axis=0),
        words,
        starts,
        guard,
        width,
        np.array([of_objective.by_bits for of_objective in cuts]),
        np.array([of_objective.origin for of_objective in cuts]),
        np.array([of_objective.scale for of_objective in cuts]),
        np.array([of_objective.steps for of_objective in cuts]),
    )


NO_CURVE = Curve(
    np.empty((0, 0)),
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    0,
    0,
    np.empty(0, np.bool_),
    np.empty(0),
    np.empty(0),
    np.empty((0, 0), np.int32),
)


@jit_uncounted
def curve_beats(curve: Curve, rows: Floats, i: int, room: Ints) -> bool:
    """Whether a row of the curve, which has some, beats row i of rows[n, k]; not one with a nan.

    room[2, LEVELS] is scratch.
    """
    words, starts, guard = curve.words, curve.starts, curve.guard
    guarded = guard
    for field in range(curve.steps.shape[0]):
        step = step_of(
            rows[i, field], curve.by_bits[field], curve.origins[field], curve.scales[field], curve.steps.shape[1]
        )
        guarded |= int(curve.steps[field, step]) << (curve.width * field)
    groups, unvisited = room[0], room[1]
    level = top = starts.size - 2
    groups[top] = 0
    unvisited[top] = begins_before(words, starts[top], guarded, guard)
    while level <= top:
        lanes = unvisited[level]
        if lanes == 0:
            level += 1
            continue
        lane = 63 - leading_zeros(lanes)  # the last first: what beats a row by little stands close
        unvisited[level] = lanes ^ (1 << lane)
        child = groups[level] * GROUP + lane
        if level > 0:
            level -= 1
            groups[level] = child
            unvisited[level] = begins_before(words, starts[level] + child, guarded, guard)
        else:
            less, beaten = False, True
            for j in range(rows.shape[1]):
                less = less or curve.rows[child, j] < rows[i, j]
                if not curve.rows[child, j] <= rows[i, j]:
                    beaten = False
                    break
            if beaten and less:
                return True
    return False

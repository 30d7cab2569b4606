"""The points of a block in groups, and the least of every column over each of them.

A group is a few dozen points that follow each other in the block, laid so that they do not run over the end of an axis:
a column then has them in one run, or one value for all. Columns that do not vary along every axis meet the same cells
in many groups, so the least of these is found once a block.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.address import LEAST_RUN, greatest_in, least_in
from kernels.compiler import jit_uncounted
from kernels.driver import AXES, COLUMN_MAP, COLUMNS, EXTENTS, POINTS_OF, SHAPE, SIZES, SLICED, Program, State, start_of
from kernels.slopes import ROUNDED

Ints = npt.NDArray[np.int64]

GROUP = 64  # points, at most
SHAPES = 2  # full blocks, and the shorter ones at the end of the axis that is cut
MAPPED = 0  # points of a span that are in no one run
# of a span
ORIGIN = 0  # how far from the start of the column the first value is; of mapped ones, where in maps the places stand
SIZE = 1  # values in a row; MAPPED: as many as the group has points
POINTS = 2  # of the group
SPAN = 3


class Groups(NamedTuple):
    """Where groups begin and which spans of a column they meet.

    begins[firsts[s] + g] is the first point of group g of a block of shape s, and the next one where it ends.
    meets[firsts[s] + g, j] is the span that column j has there, spans[n, SPAN] are all of them, and those of column j
    in a block of shape s stand from stands[s, j, 0] up to stands[s, j, 1].
    """

    begins: Any
    firsts: Any
    meets: Any
    spans: Any
    stands: Any


def lay(extents: list[int]) -> Ints:
    """Where groups begin in a block of so many places along each axis, and where the last ends."""
    trailing, axis = 1, len(extents) - 1
    while axis >= 0 and trailing * extents[axis] <= GROUP:
        trailing *= extents[axis]
        axis -= 1
    if axis < 0:
        return np.array([0, trailing], np.int64)
    along = extents[axis]
    parts = -(-along // (GROUP // trailing))
    begins = np.arange(parts) * along // parts * trailing
    outer = int(np.prod(extents[:axis], dtype=np.int64))
    run = along * trailing
    return np.append((np.arange(outer)[:, None] * run + begins).reshape(-1), outer * run).astype(np.int64)


def spans_of(begins: Ints, places: Any, maps_at: int) -> tuple[Ints, Ints]:
    """Of a column with its values at these places of each point: which span each group meets, and the spans."""
    first, size = begins[:-1], np.diff(begins)
    inside = np.minimum(first[:, None] + np.arange(GROUP), begins[1:, None] - 1)
    cells = np.ascontiguousarray(places[inside], np.int32)  # short groups repeat their last
    whole = cells.view(np.dtype((np.void, cells.dtype.itemsize * GROUP))).reshape(-1)
    _, example, meets = np.unique(whole, return_index=True, return_inverse=True)
    here, points = cells[example], size[example]
    is_one = (here == here[:, :1]).all(axis=1)
    is_run = (here == here[:, :1] + np.minimum(np.arange(GROUP), points[:, None] - 1)).all(axis=1)
    origins = np.where(is_one | is_run, here[:, 0], maps_at + first[example])
    sizes = np.where(is_one, 1, np.where(is_run, points, MAPPED))
    spans = np.stack([origins, sizes, points], axis=1).astype(np.int64)
    return meets.reshape(-1).astype(np.int64), spans


def groups_of(program: Program, columns: Ints) -> Groups:
    """The groups of a program's blocks, for these of its columns."""
    words = program.words
    num_axes = int(words[AXES])
    extents = words[words[EXTENTS] :][:num_axes].tolist()
    sizes = words[words[SIZES] :][:num_axes].tolist()
    sliced = int(words[SLICED])
    begins: list[Ints] = []
    meets: list[Ints] = []
    spans: list[Ints] = []
    firsts, stands = [0], np.zeros((SHAPES, len(columns), 2), np.int64)
    num_spans = 0
    for shape in range(SHAPES):
        if shape == 1:
            extents[sliced] = sizes[sliced] % extents[sliced]
        points = int(words[words[POINTS_OF] + shape])
        laid = lay(extents) if 0 < points == int(np.prod(extents)) else np.arange(0, points + GROUP, GROUP)
        laid = np.minimum(laid, points)
        meeting = np.zeros((len(laid), len(columns)), np.int64)
        for j, column in enumerate(columns.tolist()):
            at = int(words[words[COLUMN_MAP] + shape * words[COLUMNS] + column])
            places = np.arange(points) if at < 0 else program.maps[at : at + points]
            stands[shape, j, 0] = num_spans
            if points:
                meeting[:-1, j], of_column = spans_of(laid, places, at)
                meeting[:-1, j] += num_spans
                spans.append(of_column)
                num_spans += len(of_column)
            stands[shape, j, 1] = num_spans
        begins.append(laid)
        meets.append(meeting)
        firsts.append(firsts[-1] + len(laid))
    every = np.concatenate(spans) if spans else np.empty((0, SPAN), np.int64)
    return Groups(np.concatenate(begins), np.array(firsts), np.concatenate(meets), every, stands)


@jit_uncounted
def least_of(floats: Any, first: int, size: int) -> float:
    """The least of a run of floats[n], nan passed over; inf where there is no other."""
    if size >= LEAST_RUN:
        return float(least_in(floats, first, size))
    least = np.inf
    for i in range(first, first + size):
        least = floats[i] if floats[i] < least else least
    return least


@jit_uncounted
def greatest_of(floats: Any, first: int, size: int) -> float:
    """As least_of, the greatest."""
    if size >= LEAST_RUN:
        return float(greatest_in(floats, first, size))
    greatest = -np.inf
    for i in range(first, first + size):
        greatest = floats[i] if floats[i] > greatest else greatest
    return greatest


@jit_uncounted
def note_leasts(
    program: Program, state: State, groups: Groups, columns: Any, is_whole: Any, signs: Any, at_ends: Any, leasts: Any
) -> None:
    """Into leasts[n] the least, over every span of the block's shape, of the signed values of its column.

    Of columns that are least at_ends of every span but for a few last places, what is certainly no more than that.
    """
    shape = state.words[SHAPE]
    for j in range(columns.shape[0]):
        start, sign = start_of(program, state, columns[j]), signs[j]
        for s in range(groups.stands[shape, j, 0], groups.stands[shape, j, 1]):
            origin, size = groups.spans[s, ORIGIN], groups.spans[s, SIZE]
            if is_whole[j] or size == MAPPED:
                least = np.inf
                for i in range(groups.spans[s, POINTS] if size == MAPPED else size):
                    place = start + (program.maps[origin + i] if size == MAPPED else origin + i)
                    value = sign * (state.integers[place] if is_whole[j] else state.floats[place])
                    least = value if value < least else least
                leasts[s] = least
            elif at_ends[j]:
                least, last = sign * state.floats[start + origin], sign * state.floats[start + origin + size - 1]
                least = least if least < last else last
                least -= ROUNDED * abs(least)
                leasts[s] = least if least == least else np.inf
            elif sign > 0:
                leasts[s] = least_of(state.floats, start + origin, size)
            else:
                leasts[s] = -greatest_of(state.floats, start + origin, size)


@jit_uncounted
def note_ends(program: Program, state: State, groups: Groups, columns: Any, is_whole: Any, ends: Any) -> None:
    """Into ends[j] what all values of a column in the block lie between, nan apart, and how many of these there are."""
    shape = state.words[SHAPE]
    for j in range(columns.shape[0]):
        start = start_of(program, state, columns[j])
        least, greatest, odd = np.inf, -np.inf, 0
        for s in range(groups.stands[shape, j, 0], groups.stands[shape, j, 1]):
            origin, size = groups.spans[s, ORIGIN], groups.spans[s, SIZE]
            if is_whole[j] or size == MAPPED:
                for i in range(groups.spans[s, POINTS] if size == MAPPED else size):
                    place = start + (program.maps[origin + i] if size == MAPPED else origin + i)
                    value = float(state.integers[place]) if is_whole[j] else state.floats[place]
                    least = value if value < least else least
                    greatest = value if value > greatest else greatest
                    odd += value != value
            else:
                low = least_of(state.floats, start + origin, size)
                high = greatest_of(state.floats, start + origin, size)
                least = low if low < least else least
                greatest = high if high > greatest else greatest
                for i in range(start + origin, start + origin + size):
                    odd += state.floats[i] != state.floats[i]
        ends[j, 0], ends[j, 1], ends[j, 2] = least, greatest, odd

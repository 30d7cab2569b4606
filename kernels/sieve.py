"""Rows that meet what is known, a chunk at a time: groups of them by their best corner first, then each.

Only what survives is gathered. What is known is a kernels.screen.Screen; rows come as columns, one after another, from
arrays here and from the blocks of a walk in kernels.folding.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.compiler import inlined, jit
from kernels.curve import LEVELS, curve_beats
from kernels.screen import NONE, NUM_LEADERS, Screen, champion_beats, has_curve, known_beats

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int32]
Columns = tuple[Floats, ...]

CHUNK = 1024  # rows that stay in the first-level cache
COARSE_GROUP, FINE_GROUP = 64, 16  # rows that are first looked at together, by the best of each objective among them
LANES = 8  # of them, least numbers are kept side by side: that vectorises
TRIED_ROWS = 16  # of a chunk, when the champion is chosen anew
FEW_LEFT = 64  # one row in so many: no longer worth asking another leader about the whole chunk


class Room(NamedTuple):
    """Room for a chunk and what is done with it; what is in it does not matter."""

    chunk: Any  # [k, CHUNK]
    marks: Any  # [2, CHUNK]
    left: Any  # [CHUNK]
    places: Any  # [CHUNK]
    corners: Any  # [k, LANES]
    row: Any  # [1, k]
    levels: Any  # [2, LEVELS]


@jit
def room_for(num_objectives: int) -> Room:
    """Room for rows of so many objectives."""
    return Room(
        np.empty((num_objectives, CHUNK)),
        np.empty((2, CHUNK), np.uint8),
        np.empty(CHUNK, np.int64),
        np.empty(CHUNK, np.int64),
        np.empty((num_objectives, LANES)),
        np.empty((1, num_objectives)),
        np.empty((2, LEVELS), np.int64),
    )


@jit
def load(columns: Columns, signs: Floats, first: int, size: int, chunk: Floats) -> None:
    """Into chunk[k, size] the signed objectives of the rows from the first on."""
    for j in range(signs.size):
        column, sign, target = columns[j][first : first + size], signs[j], chunk[j]
        for i in range(size):
            target[i] = sign * column[i]


@inlined
def column_is_beaten(screen: Screen, chunk: Floats, i: int, room: Room) -> bool:
    """Whether a row of the curve beats column i of chunk."""
    for j in range(chunk.shape[0]):
        room.row[0, j] = chunk[j, i]
    return curve_beats(screen.curve, room.row, NONE, room.levels)


@inlined
def corner_is_beaten(screen: Screen, room: Room) -> bool:
    """Whether a known row beats room.corners[k, 0], the best of each objective among some rows, and so all of them."""
    if screen.champions.shape[0] > 0 and champion_beats(screen.champions, NONE, room.corners, NONE):
        return True
    if screen.buckets > 0 and known_beats(screen, room.corners, NONE):
        return True
    return has_curve(screen) and column_is_beaten(screen, room.corners, NONE, room)


@jit
def without_beaten_groups(screen: Screen, room: Room, size: int, group: int) -> int:
    """Close up room.chunk in place without those runs of so many rows, a group, whose best corner a known row beats.

    room.places[i] becomes the place that row i had; returns how many rows are left. A row with nan counts for nothing.
    """
    chunk, corners, which = room.chunk, room.corners, room.places
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
        if not corner_is_beaten(screen, room):
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
def sift_chunk(screen: Screen, room: Room, size: int, each_other: bool) -> int:
    """How many of the first rows in room.chunk nothing known beats and hold no nan; room.left says which.

    each_other: they may beat each other too.
    """
    if size == 0:
        return 0
    chunk, left, champions = room.chunk, room.left, screen.champions
    marks, beaten = room.marks[0], room.marks[1]
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
        if screen.buckets > 0 and known_beats(screen, chunk, i):
            continue
        c = asked
        while c < champions.shape[0] and not champion_beats(champions, c, chunk, i):
            c += 1
        if c < champions.shape[0]:
            if c > NUM_LEADERS:  # not a leader: a place forward, so that the best are asked first
                swap(champions, c, c - 1)
            continue
        if has_nan(chunk, i):
            continue
        if each_other and num_kept > 0:  # along an axis that improves everything, each row beats the one before
            if beats(chunk, left[num_kept - 1], i):
                continue
            if beats(chunk, i, left[num_kept - 1]):
                num_kept -= 1
        if has_curve(screen) and column_is_beaten(screen, chunk, i, room):
            continue
        left[num_kept] = i
        num_kept += 1
    return num_kept


@jit
def survive(
    columns: Columns, signs: Floats, first: int, screen: Screen, positions: Positions, rows: Floats, each_other: bool
) -> tuple[int, int]:
    """Fill positions[p] and rows[p, k] with what, from row first on, nothing known beats and holds no nan.

    Stops when they may not hold the next chunk; returns the row to go on from and how many survived. columns may be
    more than there are signs[k]; the objectives are signs[j] * columns[j]. each_other: they may beat each other too.
    """
    num_objectives, num_rows = signs.size, columns[0].size
    room = room_for(num_objectives)
    count = 0
    while first < num_rows and count + CHUNK <= positions.size:
        size = min(CHUNK, num_rows - first)
        load(columns, signs, first, size, room.chunk)
        left_over = without_beaten_groups(screen, room, size, COARSE_GROUP)
        num_kept = sift_chunk(screen, room, left_over, each_other)
        for m in range(num_kept):
            positions[count + m] = first + room.places[room.left[m]]
        for j in range(num_objectives):
            for m in range(num_kept):
                rows[count + m, j] = room.chunk[j, room.left[m]]
        count += num_kept
        first += size
    return first, count


@jit
def load_whole(columns: Columns, signs: Floats, first: int, positions: Positions, rows: Floats) -> int:
    """Fill positions[p] and rows[p, k] with all rows from the first on that hold no nan; how many they are."""
    count = 0
    for i in range(first, columns[0].size):
        is_whole = True
        for j in range(signs.size):
            rows[count, j] = signs[j] * columns[j][i]
            is_whole = is_whole and rows[count, j] == rows[count, j]
        positions[count] = i
        count += is_whole
    return count

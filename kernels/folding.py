"""From visited blocks straight into a running frontier, without leaving compiled code between them.

The objectives of a block are read where the loops left them, a chunk at a time, and meet what is known of the frontier
(kernels.screen). Only what survives is written anywhere.
"""

from typing import Any

import numpy as np

from kernels.compiler import jit_uncounted, part
from kernels.driver import COLUMN_MAP, COLUMNS, HELD, POINTS, SHAPE, Program, State, start_of, visit
from kernels.families import Families, families_of, note_closed
from kernels.groups import Groups, groups_of, note_leasts
from kernels.screen import NONE, Screen
from kernels.sieve import CHUNK, FINE_GROUP, Room, corner_is_beaten, room_for, sift_chunk, without_beaten_groups

FEW_HOLD = 4  # of the points of a block one in so many or fewer: groups are then not judged, their rows are looked at
SEEN_MASK = 15  # of one group in so many and one, a row is kept as seen
# how far a walk is
BLOCK, NEXT, HELD_BEFORE, ROWS, LOOKED, NOTED = range(6)


@part
def load_held(
    program: Program,
    state: State,
    start: int,
    offsets: int,
    is_whole: bool,
    sign: float,
    first: int,
    size: int,
    out: Any,
) -> None:
    """Into out the signed values of a column at the points of the block that hold, from the first of these on.

    start is where the column begins, offsets where its places stand in maps, below 0 where they are the points.
    """
    all_hold = state.words[HELD] == state.words[POINTS]
    floats, integers = state.floats[start:], state.integers[start:]
    if offsets < 0 and all_hold:
        for i in range(size):
            place = np.uint64(first + i)
            out[i] = sign * (integers[place] if is_whole else floats[place])
    elif offsets < 0:
        for i in range(size):
            place = np.uint64(state.positions[np.uint64(first + i)])
            out[i] = sign * (integers[place] if is_whole else floats[place])
    else:
        maps = program.maps[offsets:]
        for i in range(size):
            at = np.uint64(first + i)
            place = np.uint64(maps[at if all_hold else np.uint64(state.positions[at])])
            out[i] = sign * (integers[place] if is_whole else floats[place])


@jit_uncounted
def flush(
    state: State, block: int, points: int, screen: Screen, room: Room, filled: int, which: Any, rows: Any, ids: Any,
    count: int, each_other: bool,
) -> int:  # fmt: skip
    """Sift the rows gathered in room.chunk and write what is left behind the first count rows; how many there are."""
    kept = sift_chunk(screen, room, without_beaten_groups(screen, room, filled, FINE_GROUP), each_other)
    all_hold = state.words[HELD] == state.words[POINTS]
    for m in range(kept):
        place = which[room.places[room.left[m]]]
        ids[count + m] = block * points + (place if all_hold else state.positions[place])
    for j in range(room.chunk.shape[0]):
        for m in range(kept):
            rows[count + m, j] = room.chunk[j, room.left[m]]
    return count + kept


@jit_uncounted
def sift_walk(
    loops: Any, program: Program, state: State, at: Any, stop: int, points: int, columns: Any, is_whole: Any,
    signs: Any, at_ends: Any, groups: Groups, leasts: Any, families: Families, closed: Any, screen: Screen, room: Room,
    which: Any, lying: Any, seen: Any, rows: Any, ids: Any, each_other: bool,
) -> int:  # fmt: skip
    """Fill rows[p, k] and ids[p] with what, of the blocks up to stop, nothing known beats; how many there are.

    at is where to go on, and moves: BLOCK; NEXT, the group of it (-1 before it is visited); ROWS, how many of the rows
    of it that hold are done; HELD_BEFORE, how many have held so far; LOOKED, the number of groups; NOTED, the block
    that leasts[n] are of. Stops where rows may not hold what comes next. ids number the points in the order of the
    walk, points a block. lying[k, 2] is room. seen[s, k] keeps some of the rows that came by last, whatever became of
    them.

    Groups of rows are first judged by the best of each objective among their points, whether these hold or not; what
    known rows beat there is not even gathered. each_other: rows that are left may beat each other too.
    """
    count = NONE
    num_objectives = columns.shape[0]
    while at[BLOCK] < stop:
        if at[NEXT] < 0:
            at[NEXT] = at[ROWS] = 0
            at[HELD_BEFORE] += visit(loops, program, state, at[BLOCK], at[BLOCK] + 1)
        held, shape = state.words[HELD], state.words[SHAPE]
        all_hold = held == state.words[POINTS]
        is_judged = held * FEW_HOLD > state.words[POINTS] and (screen.champions.shape[0] > 0 or screen.buckets > 0)
        if is_judged and at[NOTED] != at[BLOCK]:
            note_leasts(program, state, groups, columns, is_whole, signs, at_ends, leasts)
            note_closed(groups, families, shape, leasts, screen, room, closed)
            at[NOTED] = at[BLOCK]
        has_families = is_judged and families.stands[shape + 1] > families.stands[shape]
        for j in range(num_objectives):
            lying[j, 0] = start_of(program, state, columns[j])
            lying[j, 1] = program.words[
                program.words[COLUMN_MAP] + state.words[SHAPE] * program.words[COLUMNS] + columns[j]
            ]
        filled = NONE
        row = at[ROWS]
        for group in range(groups.firsts[shape] + at[NEXT], groups.firsts[shape + 1] - 1):
            end = groups.begins[group + 1]
            first, row = row, end
            if not all_hold:
                row = first
                while row < held and state.positions[row] < end:
                    row += 1
            size = row - first
            if size == 0:
                continue
            at[LOOKED] += 1
            if at[LOOKED] & SEEN_MASK == 0:
                for j in range(num_objectives):
                    load_held(
                        program, state, lying[j, 0], lying[j, 1], is_whole[j], signs[j], first + size // 2, 1,
                        seen[at[LOOKED] // (SEEN_MASK + 1) % seen.shape[0], j:],
                    )  # fmt: skip
            if has_families and closed[families.family_of[group]]:
                continue
            if is_judged:
                for j in range(num_objectives):
                    room.corners[j, 0] = leasts[groups.meets[group, j]]
                if corner_is_beaten(screen, room):
                    continue
            if filled + size > CHUNK or count + filled + size > rows.shape[0]:
                count = flush(state, at[BLOCK], points, screen, room, filled, which, rows, ids, count, each_other)
                filled = NONE
                if count + size > rows.shape[0]:
                    at[NEXT] = group - groups.firsts[shape]
                    at[ROWS] = first
                    return count
            for j in range(num_objectives):
                load_held(
                    program, state, lying[j, 0], lying[j, 1], is_whole[j], signs[j], first, size,
                    room.chunk[j, filled : filled + size],
                )  # fmt: skip
            for i in range(size):
                which[filled + i] = first + i
            filled += size
        count = flush(state, at[BLOCK], points, screen, room, filled, which, rows, ids, count, each_other)
        at[BLOCK] += 1
        at[NEXT] = -1
    return count


NUM_SEEN = 128


class Walk:
    """A run of blocks of a plan, and how far it has been sifted.

    loops, program and state are those of kernels.driver; columns are numbers of the program's columns, is_whole says
    which of them hold whole numbers, signs are 1 to minimise and -1 to maximise, at_ends says which are least and
    greatest at an end of every group. each_other: rows may beat each other too, and not only known ones them.
    """

    def __init__(
        self, loops: Any, program: Program, state: State, points: int, columns: Any, is_whole: Any, signs: Any,
        at_ends: Any, each_other: bool,
    ) -> None:  # fmt: skip
        self._walk = loops, program, state
        self._points = points
        self._columns = np.asarray(columns, np.int64)
        self._is_whole = np.asarray(is_whole, np.bool_)
        self._signs = np.asarray(signs, np.float64)
        self._at_ends = np.asarray(at_ends, np.bool_)
        groups = groups_of(program, self._columns)
        families = families_of(groups)
        closed = np.zeros(len(families.begins), np.bool_)
        self.grouped: Any = groups, np.empty(len(groups.spans)), families, closed
        self._room = (
            room_for(len(self._columns)),
            np.empty(CHUNK, np.int64),
            np.empty((len(self._columns), 2), np.int64),
        )
        self.seen = np.full((NUM_SEEN, len(self._columns)), np.nan)
        self._at = np.zeros(6, np.int64)
        self._stop = 0
        self._each_other = each_other

    def enter(self, blocks: range) -> None:
        """Begin these consecutive blocks."""
        self._at[[BLOCK, NEXT, HELD_BEFORE, NOTED]] = blocks.start, -1, 0, -1
        self._stop = blocks.stop

    def enter_visited(self, block: int) -> None:
        """Begin a block that was just visited."""
        self._at[[BLOCK, NEXT, ROWS, HELD_BEFORE, NOTED]] = block, 0, 0, 0, -1
        self._stop = block + 1

    @property
    def done(self) -> bool:
        """Whether all blocks are sifted."""
        return bool(self._at[BLOCK] >= self._stop)

    @property
    def held(self) -> int:
        """How many points of the blocks so far met all conditions."""
        return int(self._at[HELD_BEFORE])

    def sift(self, screen: Screen, rows: Any, ids: Any) -> int:
        """Fill rows[p, k] and ids[p] with survivors, as many as there is room for; how many there are."""
        columns: Any = self._columns, self._is_whole, self._signs, self._at_ends
        arguments: Any = (
            *self._walk,
            self._at,
            self._stop,
            self._points,
            *columns,
            *self.grouped,
            screen,
            *self._room,
            self.seen,
            rows,
            ids,
            self._each_other,
        )
        return int(sift_walk(*arguments))

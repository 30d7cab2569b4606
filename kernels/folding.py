"""From visited blocks straight into a running frontier, without leaving compiled code between them.

The objectives of a block are read where the loops left them, a chunk at a time, and meet what is known of the frontier
(kernels.screen). Only what survives is written anywhere.
"""

from typing import Any

import numpy as np

from kernels.compiler import jit_uncounted, part
from kernels.driver import COLUMN_MAP, COLUMNS, HELD, POINTS, SHAPE, Program, State, start_of, visit
from kernels.screen import CHUNK, GROUP, LANES, NONE, Screen, champion_beats, known_beats, sift_chunk

RUN = 4 * GROUP  # rows that are judged together before they are in groups


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
    for i in range(size):
        place = first + i
        if not all_hold:
            place = int(state.positions[place])
        if offsets >= 0:
            place = program.maps[offsets + place]
        out[i] = sign * (state.integers[start + place] if is_whole else state.floats[start + place])


@part
def least_of(
    program: Program, state: State, start: int, offsets: int, is_whole: bool, sign: float, first: int, size: int,
    lanes: Any,
) -> float:  # fmt: skip
    """The least of the signed values of a column over some points of a block of which all hold; nan passed over."""
    in_a_row, at_once = 0, 1
    if offsets >= 0:
        places = program.maps[offsets + first : offsets + first + size]
        origin = places[0]
        at_once = 0
        for i in range(size):
            in_a_row |= places[i] - origin - i
            at_once |= places[i] - origin
        start += origin
    else:
        start += first
    if is_whole or size % LANES != 0 or (in_a_row != 0 and at_once != 0):
        least = np.inf
        for i in range(size):
            place = i
            if offsets >= 0:
                place = program.maps[offsets + first + i] - program.maps[offsets + first]
            value = sign * (state.integers[start + place] if is_whole else state.floats[start + place])
            least = value if value < least else least
        return least
    if at_once == 0:
        value = sign * state.floats[start]
        return value if value < np.inf else np.inf
    cells = state.floats[start : start + size]
    lanes[:] = np.inf
    for begin in range(0, size, LANES):
        run = cells[begin : begin + LANES]
        for k in range(LANES):
            value = sign * run[k]
            lanes[k] = value if value < lanes[k] else lanes[k]
    least = lanes[0]
    for k in range(1, LANES):
        least = lanes[k] if lanes[k] < least else least
    return least


@jit_uncounted
def flush(
    state: State, block: int, points: int, champions: Any, by_bits: Any, origins: Any, scales: Any,
    steps: Any, thresholds: Any, table: Any, buckets: int, chunk: Any, filled: int, which: Any, scratch: Any, left: Any,
    rows: Any, ids: Any, count: int,
) -> int:  # fmt: skip
    """Sift the rows gathered in chunk and write what is left behind the first count rows; how many there are then."""
    kept = sift_chunk(
        chunk, filled, champions, by_bits, origins, scales, steps, thresholds, table, buckets, scratch, left
    )
    all_hold = state.words[HELD] == state.words[POINTS]
    for m in range(kept):
        place = which[left[m]]
        ids[count + m] = block * points + (place if all_hold else state.positions[place])
    for j in range(chunk.shape[0]):
        for m in range(kept):
            rows[count + m, j] = chunk[j, left[m]]
    return count + kept


@jit_uncounted
def sift_walk(
    loops: Any, program: Program, state: State, at: Any, stop: int, points: int, columns: Any, is_whole: Any,
    signs: Any, champions: Any, by_bits: Any, origins: Any, scales: Any, steps: Any, thresholds: Any, table: Any,
    buckets: int, chunk: Any, scratch: Any, left: Any, which: Any, corners: Any, lanes: Any, lying: Any, seen: Any,
    rows: Any, ids: Any,
) -> int:  # fmt: skip
    """Fill rows[p, k] and ids[p] with what, of the blocks up to stop, nothing known beats; how many there are.

    at is where to go on: the block, how many of its rows are done (-1 before it is visited), how many rows have held
    so far, and the number of runs of rows; it moves. Stops where rows may not hold what comes next. ids number the
    points in the order of the walk, points a block. lying[k, 2] is room for where columns lie. seen[s, k] keeps some
    of the rows that came by last, whatever became of them.

    Runs of rows are first judged by the best of each objective among them, read where the loops left them; what known
    rows beat there is not even gathered.
    """
    count = NONE
    num_objectives = columns.shape[0]
    while at[0] < stop:
        if at[1] < 0:
            at[1] = 0
            at[2] += visit(loops, program, state, at[0], at[0] + 1)
        held = state.words[HELD]
        all_hold = held == state.words[POINTS]
        filled = NONE
        for j in range(num_objectives):
            lying[j, 0] = start_of(program, state, columns[j])
            lying[j, 1] = program.words[
                program.words[COLUMN_MAP] + state.words[SHAPE] * program.words[COLUMNS] + columns[j]
            ]
        for first in range(at[1], held, RUN):
            if filled + RUN > CHUNK or count + filled + RUN > rows.shape[0]:
                count = flush(
                    state, at[0], points, champions, by_bits, origins, scales, steps, thresholds, table,
                    buckets, chunk, filled, which, scratch, left, rows, ids, count,
                )  # fmt: skip
                filled = NONE
                if count + RUN > rows.shape[0]:
                    at[1] = first
                    return count
            size = min(RUN, held - first)
            groups = (size + GROUP - 1) // GROUP if all_hold else 0
            for j in range(num_objectives):
                load_held(
                    program, state, lying[j, 0], lying[j, 1], is_whole[j], signs[j], first + at[3] % size, 1, lanes
                )
                seen[at[3] % seen.shape[0], j] = lanes[0]
                corners[j, groups] = np.inf
                for g in range(groups):
                    begin = first + g * GROUP
                    least = least_of(
                        program,
                        state,
                        lying[j, 0],
                        lying[j, 1],
                        is_whole[j],
                        signs[j],
                        begin,
                        min(GROUP, held - begin),
                        lanes,
                    )
                    corners[j, g] = least
                    corners[j, groups] = least if least < corners[j, groups] else corners[j, groups]
            at[3] += 1
            knows = champions.shape[0] > 0
            if groups > 0 and (
                (knows and champion_beats(champions, NONE, corners, groups))
                or (
                    buckets > 0
                    and known_beats(corners, groups, by_bits, origins, scales, steps, thresholds, table, 2 * buckets)
                )
            ):
                continue
            for g in range(max(1, groups)):
                begin = first + g * GROUP if groups > 0 else first
                rows_here = min(GROUP, held - begin) if groups > 0 else size
                if groups > 0 and (
                    (knows and champion_beats(champions, NONE, corners, g))
                    or (
                        buckets > 0
                        and known_beats(corners, g, by_bits, origins, scales, steps, thresholds, table, 2 * buckets)
                    )
                ):
                    continue
                for j in range(num_objectives):
                    load_held(
                        program, state, lying[j, 0], lying[j, 1], is_whole[j], signs[j], begin, rows_here,
                        chunk[j, filled : filled + rows_here],
                    )  # fmt: skip
                for i in range(rows_here):
                    which[filled + i] = begin + i
                filled += rows_here
        count = flush(
            state, at[0], points, champions, by_bits, origins, scales, steps, thresholds, table, buckets,
            chunk, filled, which, scratch, left, rows, ids, count,
        )  # fmt: skip
        at[0] += 1
        at[1] = -1
    return count


NUM_SEEN = 128


class Walk:
    """A run of blocks of a plan, and how far it has been sifted.

    loops, program and state are those of kernels.driver; columns are numbers of the program's columns, is_whole says
    which of them hold whole numbers, signs are 1 to minimise and -1 to maximise.
    """

    def __init__(
        self, loops: Any, program: Program, state: State, points: int, columns: Any, is_whole: Any, signs: Any
    ) -> None:
        self._walk = loops, program, state
        self._points = points
        self._columns = np.asarray(columns, np.int64)
        self._is_whole = np.asarray(is_whole, np.bool_)
        self._signs = np.asarray(signs, np.float64)
        self._room = (
            np.empty((len(self._columns), CHUNK)),
            np.empty((2, CHUNK), np.uint8),
            np.empty(CHUNK, np.int64),
            np.empty(CHUNK, np.int64),
            np.empty((len(self._columns), RUN // GROUP + 1)),
            np.empty(LANES),
            np.empty((len(self._columns), 2), np.int64),
        )
        self.seen = np.full((NUM_SEEN, len(self._columns)), np.nan)
        self._at = np.zeros(4, np.int64)
        self._stop = 0

    def enter(self, blocks: range) -> None:
        """Begin these consecutive blocks."""
        self._at[:3] = blocks.start, -1, 0
        self._stop = blocks.stop

    @property
    def done(self) -> bool:
        """Whether all blocks are sifted."""
        return bool(self._at[0] >= self._stop)

    @property
    def held(self) -> int:
        """How many points of the blocks so far met all conditions."""
        return int(self._at[2])

    def sift(self, screen: Screen, rows: Any, ids: Any) -> int:
        """Fill rows[p, k] and ids[p] with survivors, as many as there is room for; how many there are."""
        return int(
            sift_walk(
                *self._walk,
                self._at,
                self._stop,
                self._points,
                self._columns,
                self._is_whole,
                self._signs,
                screen.champions,
                screen.by_bits,
                screen.origins,
                screen.scales,
                screen.steps,
                screen.thresholds,
                screen.table,
                screen.buckets,
                *self._room,
                self.seen,
                rows,
                ids,
            )
        )

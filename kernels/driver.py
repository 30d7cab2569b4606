"""Walking a plan in compiled code: a block is one call, or many blocks are.

A compiled loop is called by its address: all have one signature, so a single driver, compiled once and kept on disk,
serves every plan, and Python is not asked between two loops. What a plan is to the driver is a Program, plain arrays
that threads share and nobody writes; what a thread knows of where it is is a State.

Any other kernel may call ``visit`` block by block and read the values of the points that hold from where ``start_of``
says they begin, without leaving compiled code. Loops come apart from the Program: addresses in compiled code, Python
functions where ``visit`` is run as plain Python, which is how small plans are walked.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kernels.address import call
from kernels.compiler import jit_uncounted, part
from kernels.select import select, select_mapped

# Where things lie in Program.words: numbers,
AXES = 0  # axes, in the order of the walk; at least one
SLICED = 1  # the axis that is cut in slices
STEPS = 2  # loops
FIRST = 3  # the loops that the conditions on inputs need; the others come after
CELLS = 4  # cells of a descriptor
MOVES = 5  # operands whose place moves with the block
COLUMNS = 6  # values that are read into rows
KEEP = 7  # the column that says whether all conditions hold, -1 for none
INPUTS = 8  # the one that says whether those on inputs do, -1 for none
INNER = 9  # points of one slice
# and where arrays begin. There are two shapes of blocks: the full ones, and the shorter ones at the end of SLICED.
SIZES = 10  # (axes,)
EXTENTS = 11  # (axes,) of a full block
COUNTS = 12  # (axes,) blocks
BITS = 13  # (axes,) the bit that stands for an axis in what follows
STEP_AXES = 14  # (steps,) bits of the axes that a loop's value varies along
DESCRIPTORS = 15  # (shapes, steps, cells) for the block at the origin
MOVING_FROM = 16  # (steps + 1,) which moves are a loop's
MOVING_CELL = 17  # (moves,) the cell of the descriptor
MOVING_PULL = 18  # (moves, axes) what one place along each axis adds to it
COLUMN_START = 19  # (columns,) the cell where a column begins, for the block at the origin
COLUMN_PULL = 20  # (columns, axes) what one place along each axis adds to it
COLUMN_MAP = 21  # (shapes, columns) where in maps stands how far on each point's value is; -1: as far as the point
INPUTS_CELLS = 22  # (shapes,) cells of INPUTS in a block, which is mapped cell by cell
POINTS_OF = 23  # (shapes,) points of a block
ID_START = 24  # (axes,) where an axis begins in ID_PARTS, counted from here
ID_PARTS = 25  # what each place on each axis adds to a design id
INNER_IDS = 26  # (inner,) what the axes inside SLICED add
HEADER = 27

# Where things lie in State.words
STALE_FIRST = 0  # bits of the axes that the first loops have not followed yet
STALE_REST = 1  # the same of the others
SHAPE = 2  # 0 for a full block, 1 for a shorter one
POINTS = 3  # points of the block
HELD = 4  # how many of them hold
AT = 5  # (axes,) the place along each axis; behind it the descriptors as they stand

NEVER = 1 << 62  # a bit of its own: what has never been computed is stale


class Program(NamedTuple):
    """A plan as arrays: words (int64) and maps (int32) as above, tabs (int64) the starts of outer indices."""

    words: Any
    maps: Any
    tabs: Any


class State(NamedTuple):
    """Where one thread is: its workspace, as float64 and as int64; words as above; and positions (int32), the places
    in the block of the points that hold, written only where not all do."""

    floats: Any
    integers: Any
    words: Any
    positions: Any


def pack(numbers: Mapping[int, int], arrays: Mapping[int, Any], maps: Any, tabs: Any) -> Program:
    """A Program of these numbers and arrays, by where they or their beginnings stand in words."""
    words = np.zeros(HEADER, np.int64)
    runs, end = [words], HEADER
    for place, array in arrays.items():
        run = np.asarray(array, np.int64).reshape(-1)
        words[place] = end
        runs.append(run)
        end += len(run)
    for place, number in numbers.items():
        words[place] = number
    return Program(np.concatenate(runs), maps, tabs)


def state(program: Program, floats: Any, integers: Any) -> State:
    """A thread's state before its first block, on this workspace."""
    words = program.words
    descriptors = words[words[DESCRIPTORS] :][: 2 * words[STEPS] * words[CELLS]]
    head = np.full(AT + words[AXES], -1, np.int64)
    points = max(1, int(words[words[POINTS_OF]]))
    return State(floats, integers, np.concatenate([head, descriptors]), np.zeros(points, np.int32))


@part
def enter(program: Program, state: State, block: int) -> None:
    """Go to a block: its place along each axis, its shape, and what is stale for having moved."""
    words, mine = program.words, state.words
    changed = 0
    for axis in range(words[AXES] - 1, -1, -1):
        count, place = words[words[COUNTS] + axis], 0
        if count > 1:
            place = block % count * words[words[EXTENTS] + axis]
            block //= count
        if place != mine[AT + axis]:
            mine[AT + axis] = place
            changed |= words[words[BITS] + axis]
    mine[STALE_FIRST] |= changed
    mine[STALE_REST] |= changed
    sliced = words[SLICED]
    over = mine[AT + sliced] + words[words[EXTENTS] + sliced] > words[words[SIZES] + sliced]
    mine[SHAPE] = 1 if over else 0
    mine[POINTS] = words[words[POINTS_OF] + mine[SHAPE]]


@part
def pulled(program: Program, state: State, start: int, pull: int) -> int:
    """A place for the block at the origin, moved to where the block is; pull is where its steps stand in words."""
    for axis in range(program.words[AXES]):
        start += program.words[pull + axis] * state.words[AT + axis]
    return start


@part
def start_of(program: Program, state: State, column: int) -> int:
    """The cell where a column begins at the block."""
    words = program.words
    return pulled(program, state, words[words[COLUMN_START] + column], words[COLUMN_PULL] + column * words[AXES])


@part
def run_stale(loops: Any, program: Program, state: State, first: int, stop: int, mark: int) -> None:
    """Run the loops from first up to stop that are stale by a mark, and clear it."""
    words, mine = program.words, state.words
    stale, cells = mine[mark], words[CELLS]
    for step in range(first, stop):
        if words[words[STEP_AXES] + step] & stale:
            place = (mine[SHAPE] * words[STEPS] + step) * cells
            here = AT + words[AXES] + place
            for move in range(words[words[MOVING_FROM] + step], words[words[MOVING_FROM] + step + 1]):
                cell = words[words[MOVING_CELL] + move]
                start = words[words[DESCRIPTORS] + place + cell]
                mine[here + cell] = pulled(program, state, start, words[MOVING_PULL] + move * words[AXES])
            call(loops[step], state.floats, state.integers, program.tabs, mine[here : here + cells])
    mine[mark] = 0


@part
def inputs_hold(program: Program, state: State) -> bool:
    """Whether the conditions on inputs hold anywhere in the block."""
    words, shape = program.words, state.words[SHAPE]
    if words[INPUTS] < 0:
        return True
    start = start_of(program, state, words[INPUTS])
    offsets = words[words[COLUMN_MAP] + shape * words[COLUMNS] + words[INPUTS]]
    for k in range(words[words[INPUTS_CELLS] + shape]):
        if state.integers[start + program.maps[offsets + k]] != 0:
            return True
    return False


@part
def select_kept(program: Program, state: State) -> int:
    """How many points of the block meet all conditions; their places are written unless there are no conditions."""
    words, points = program.words, state.words[POINTS]
    if words[KEEP] < 0:
        return points
    start = start_of(program, state, words[KEEP])
    offsets = words[words[COLUMN_MAP] + state.words[SHAPE] * words[COLUMNS] + words[KEEP]]
    if offsets < 0:
        return select(state.integers, start, state.positions[:points])
    return select_mapped(state.integers, start, program.maps[offsets : offsets + points], state.positions[:points])


@jit_uncounted
def visit(loops: Any, program: Program, state: State, first: int, stop: int) -> int:
    """Evaluate the blocks from first up to stop; how many of their points meet all conditions.

    Of the last block, state.words[HELD] points hold: all where that is state.words[POINTS], and otherwise those at
    positions up to that.
    """
    count = 0
    for block in range(first, stop):
        enter(program, state, block)
        run_stale(loops, program, state, 0, program.words[FIRST], STALE_FIRST)
        held = 0
        if inputs_hold(program, state):
            run_stale(loops, program, state, program.words[FIRST], program.words[STEPS], STALE_REST)
            held = select_kept(program, state)
        state.words[HELD] = held
        count += held
    return count

"""From visited blocks to rows: ids and every wanted column of the points that hold, in one call for many blocks."""

from typing import Any

import numpy as np

from kernels.address import int32_at, int64_at
from kernels.compiler import jit_uncounted, over_arrays, part
from kernels.driver import (
    AT,
    COLUMN_MAP,
    COLUMNS,
    HELD,
    ID_PARTS,
    ID_START,
    INNER,
    INNER_IDS,
    POINTS,
    SHAPE,
    SLICED,
    Program,
    State,
    start_of,
    visit,
)
from kernels.select import copy, gather, gather_block, spread

IDS = -1  # stands for the design ids among columns


@part
def column_into(program: Program, state: State, column: int, out: Any) -> None:
    """The values of a column at the points that hold, as the 8-byte cells or the places that they are."""
    words, count = program.words, out.shape[0]
    start = start_of(program, state, column)
    points = state.words[POINTS]
    offsets = words[words[COLUMN_MAP] + state.words[SHAPE] * words[COLUMNS] + column]
    if count == points:  # all hold: nothing to pick from
        if offsets < 0:
            copy(state.integers, start, out)
        else:
            spread(state.integers, start, program.maps[offsets : offsets + points], out)
    elif offsets < 0:
        gather_block(state.integers, start, state.positions, out)
    else:
        gather(state.integers, start, program.maps[offsets : offsets + points], state.positions, out)


@part
def ids_into(program: Program, state: State, out: Any) -> None:
    """Design ids of the points that hold."""
    words, count = program.words, out.shape[0]
    inner, parts, inside = words[INNER], words[ID_PARTS], words[INNER_IDS]
    base = 0
    for axis in range(words[SLICED]):
        base += words[parts + words[words[ID_START] + axis] + state.words[AT + axis]]
    slices = words[parts + words[words[ID_START] + words[SLICED]] + state.words[AT + words[SLICED]] :]
    within = words[inside : inside + inner]
    if count == state.words[POINTS]:
        for i in range(count // inner):
            outside, row = base + slices[i], out[i * inner : i * inner + inner]
            for j in range(inner):
                row[j] = outside + within[j]
        return
    begin = 0
    outside = base + slices[0]
    for k in range(count):
        position = state.positions[k]
        if position >= begin + inner:
            i = position // inner
            begin = i * inner
            outside = base + slices[i]
        out[k] = outside + within[np.uint64(position - begin)]


@over_arrays(ids_into)
def _ids_into(program: Program, state: State, out: Any) -> None:
    words, at = program.words, state.words
    inner, parts, sliced = words[INNER], words[ID_PARTS], words[SLICED]
    starts = parts + words[words[ID_START] + np.arange(sliced + 1)] + at[AT : AT + sliced + 1]
    slices = words[starts[sliced] : starts[sliced] + at[POINTS] // inner] + words[starts[:sliced]].sum()
    ids = (slices[:, None] + words[words[INNER_IDS] :][:inner]).reshape(-1)
    out[:] = ids if len(out) == at[POINTS] else ids[state.positions[: len(out)]]


@jit_uncounted
def pick_into(program: Program, state: State, column: int, places: Any, out: Any) -> None:
    """The values of a column at these points of the block, as the 8-byte cells that they are."""
    words = program.words
    start = start_of(program, state, column)
    offsets = words[words[COLUMN_MAP] + state.words[SHAPE] * words[COLUMNS] + column]
    for i in range(out.shape[0]):
        out[i] = state.integers[start + (places[i] if offsets < 0 else program.maps[offsets + places[i]])]


@jit_uncounted
def gather_rows(program: Program, state: State, columns: Any, addresses: Any, narrow: int) -> None:
    """Write columns (int64; IDS for design ids) at the points that hold to the arrays that begin at these addresses.

    The first narrow of them are int32, for places on axes, the others of 8-byte cells.
    """
    count = state.words[HELD]
    if count == 0:
        return
    for k in range(columns.shape[0]):
        if columns[k] == IDS:
            ids_into(program, state, int64_at(addresses[k], count))
        elif k < narrow:
            column_into(program, state, columns[k], int32_at(addresses[k], count))
        else:
            column_into(program, state, columns[k], int64_at(addresses[k], count))


@jit_uncounted
def take(
    loops: Any, program: Program, state: State, first: int, stop: int, end: int, room: int,
    columns: Any, addresses: Any, narrow: int,
) -> Any:  # fmt: skip
    """Visit the blocks from first on and write the rows that hold from row end on, where there is room for room rows.

    columns and narrow as in gather_rows; addresses are those of row end, and move on. Returns the block to go on from,
    the row behind the last, and how many rows the block without room has.
    """
    for block in range(first, stop):
        count = visit(loops, program, state, block, block + 1)
        if end + count > room:
            return block, end, count
        gather_rows(program, state, columns, addresses, narrow)
        end += count
        for k in range(columns.shape[0]):
            addresses[k] += (4 if k < narrow else 8) * count
    return stop, end, 0

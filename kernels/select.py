"""From a block of the space to rows: which of its points hold, and their values side by side.

Cells are read from where a column begins on, by places that cannot be below 0: an index that might be is compared
with 0 each time, which takes as long again as reading, and longer than reading many at once.
"""

from typing import Any

import numpy as np

from kernels.compiler import over_arrays, part


@part
def select(flags: Any, start: int, positions: Any) -> int:
    """Write the places where flags[start : start + n] is not 0 into positions (int32, n long); return how many."""
    count = 0
    own = flags[start : start + positions.shape[0]]
    for i in range(positions.shape[0]):
        positions[np.uint64(count)] = i  # written always and overwritten when it does not hold: no branch to mispredict
        count += own[i] != 0
    return count


@part
def select_mapped(flags: Any, start: int, offsets: Any, positions: Any) -> int:
    """As select, for flags that do not vary along every axis: point i's lies at start + offsets[i]."""
    count = 0
    own = flags[start:]
    for i in range(positions.shape[0]):
        positions[np.uint64(count)] = i
        count += own[np.uint64(offsets[i])] != 0
    return count


@part
def gather(cells: Any, start: int, offsets: Any, positions: Any, out: Any) -> None:
    """out[k] = cells[start + offsets[positions[k]]]; offsets (int32, one per point) says where a point's value lies."""
    own = cells[start:]
    for k in range(out.shape[0]):
        out[k] = own[np.uint64(offsets[np.uint64(positions[k])])]


@part
def gather_block(cells: Any, start: int, positions: Any, out: Any) -> None:
    """out[k] = cells[start + positions[k]], for values that differ at every point."""
    own = cells[start:]
    for k in range(out.shape[0]):
        out[k] = own[np.uint64(positions[k])]


@part
def spread(cells: Any, start: int, offsets: Any, out: Any) -> None:
    """out[k] = cells[start + offsets[k]]: the values of all points of a block."""
    own = cells[start:]
    for k in range(out.shape[0]):
        out[k] = own[np.uint64(offsets[k])]


@part
def copy(cells: Any, start: int, out: Any) -> None:
    """out[k] = cells[start + k]: the values of all points of a block, for values that differ at every point."""
    own = cells[start : start + out.shape[0]]
    for k in range(out.shape[0]):
        out[k] = own[k]


@over_arrays(select)
def _select(flags: Any, start: int, positions: Any) -> int:
    found = np.flatnonzero(flags[start : start + len(positions)])
    positions[: len(found)] = found
    return len(found)


@over_arrays(select_mapped)
def _select_mapped(flags: Any, start: int, offsets: Any, positions: Any) -> int:
    found = np.flatnonzero(flags[start:][offsets])
    positions[: len(found)] = found
    return len(found)


def _taken(cells: Any, places: Any, out: Any) -> None:
    """out[k] = cells[places[k]]; places that are not checked take half the time, and clip needs no other array."""
    if out.dtype == cells.dtype:
        cells.take(places, out=out, mode="clip")
    else:
        out[:] = cells.take(places, mode="clip")


@over_arrays(gather)
def _gather(cells: Any, start: int, offsets: Any, positions: Any, out: Any) -> None:
    _taken(cells[start:], offsets[positions[: len(out)]], out)


@over_arrays(gather_block)
def _gather_block(cells: Any, start: int, positions: Any, out: Any) -> None:
    _taken(cells[start:], positions[: len(out)], out)

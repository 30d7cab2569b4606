"""Arrays of memory that is used again: never one that somebody still holds, and never more than was held at once."""

import gc
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.memory import SMALLEST, Memory

SIZES = [0, 1, SMALLEST // 8 - 1, SMALLEST // 8, SMALLEST // 8 + 1, SMALLEST, 3 * SMALLEST + 5]
STEPS = st.lists(
    st.tuples(st.sampled_from(SIZES), st.sampled_from([np.int32, np.int64, np.float64]), st.integers(0, 9))
)


@settings(deadline=None)
@given(STEPS)
def test_what_somebody_holds_stays_as_it_was(steps: list[tuple[int, type[np.generic], int]]) -> None:
    """Arrays are made, filled with their number and dropped in any order; views and Arrow's arrays hold them too."""
    memory = Memory()
    held: list[tuple[bytes, Any]] = []
    for number, (count, dtype, dropped) in enumerate(steps):
        made = memory.empty(count, dtype)
        assert made.shape == (count,)
        assert made.dtype == dtype
        made[:] = number
        kept = [made, made[1:], pa.array(made), made.view(np.uint8)][number % 4]
        held.append((np.asarray(kept).tobytes(), kept))
        del made, kept
        if dropped < len(held):
            held.pop(dropped)
        for content, kept in held:
            assert np.asarray(kept).tobytes() == content


def test_memory_is_used_again() -> None:
    memory = Memory()
    first = memory.empty(SMALLEST, np.float64)
    address = first.ctypes.data
    inner = first[5:]
    del first
    assert memory.empty(SMALLEST, np.float64).ctypes.data != address  # inner still holds it
    del inner
    gc.collect()
    addresses = {array.ctypes.data for array in [memory.empty(SMALLEST - k, np.float64) for k in range(2)]}
    assert address in addresses


def test_no_more_is_kept_than_was_held_at_once() -> None:
    memory = Memory()
    for count in range(SMALLEST, 40 * SMALLEST, SMALLEST):  # none fits the one after it for long
        memory.empty(count, np.uint8)
        assert memory._held_bytes == 0
        assert memory._kept_bytes == memory._most_bytes <= count * 9 // 8 + 8


def test_arrays_outlive_it() -> None:
    array = Memory().empty(SMALLEST, np.int64)
    array[:] = 7
    gc.collect()
    assert (array == 7).all()

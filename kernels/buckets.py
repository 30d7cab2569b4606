"""Values in buckets: numbers that never fall as the value grows, whatever is rounded.

Values are cut evenly, or evenly by the bits of their floating-point form, which is nearly by their logarithm,
whichever sets some known values further apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kernels.compiler import inlined, jit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int32]

PROBED = 4096  # known values that decide how values are cut
FEWEST_BITS_DROPPED = 12  # of the bits of a value: the difference of any two then fits a word


@inlined
def step_of(value: float, by_bits: bool, origin: float, scale: float, num_steps: int) -> int:
    """Never falls as value grows; a nan gets any step. Both zeros get the same one."""
    if by_bits:
        bits = np.float64(value + 0.0).view(np.int64)
        bits = bits ^ ((bits >> 63) & np.int64(0x7FFFFFFFFFFFFFFF))  # the order of the values
        value = float(bits >> FEWEST_BITS_DROPPED)
    place = (value - origin) * scale
    if not place > 0:  # a nan too, as from inf times nought
        return 0
    if place >= num_steps:
        return num_steps - 1
    return int(place)


@jit
def steps_of(column: Floats, by_bits: bool, origin: float, scale: float, num_steps: int) -> Ints:
    found = np.empty(column.size, dtype=np.int64)
    for i in range(column.size):
        found[i] = step_of(column[i], by_bits, origin, scale, num_steps)
    return found


@dataclass(frozen=True)
class Cut:
    """An objective in buckets: the bucket of each of its even steps, and of each known row."""

    by_bits: bool
    origin: float
    scale: float
    steps: Positions
    buckets: Ints


def lay_steps(values: Floats, by_bits: bool, num_steps: int) -> tuple[float, float]:
    """Origin and scale of so many steps over finite values[n]."""
    if not values.size:
        return 0.0, 0.0
    ends = np.array([values.min(), values.max()])
    if by_bits:
        bits = (ends + 0.0).view(np.int64)
        ends = ((bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF)) >> FEWEST_BITS_DROPPED).astype(np.float64)
    low, high = ends.tolist()
    return low, float(np.divide(num_steps, high - low)) if high > low else 0.0


def lay_cut(column: Floats, buckets: int, num_steps: int) -> Cut:
    """Cut an objective, of which the values of the known rows are given, into so many buckets of a number of steps."""
    finite = column[np.isfinite(column)]
    probe = np.ascontiguousarray(column[:: -(-column.size // PROBED)])
    crowd = np.inf
    for tried in (False, True):
        low, per_unit = lay_steps(finite, tried, num_steps)
        together = np.square(np.bincount(steps_of(probe, tried, low, per_unit, num_steps))).sum()
        if together < crowd:
            crowd, by_bits, origin, scale = together, tried, low, per_unit
    found = steps_of(column, by_bits, origin, scale, num_steps)
    steps = np.arange(num_steps, dtype=np.int32)
    if buckets < num_steps:
        held = np.bincount(found, minlength=num_steps)
        steps = ((np.cumsum(held) - held) * buckets // column.size).astype(np.int32)
    steps[-1] = buckets - 1
    return Cut(by_bits, origin, scale, steps, steps[found].astype(np.int64))

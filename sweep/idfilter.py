"""Which design ids a filter lets through, and what that leaves of a space: parts of its axes, a few of its blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sweep.arrowfilter import Call, Expression, comparison, values
from sweep.designs import places
from sweep.plan import Plan
from sweep.space import Space

LISTED_IDS = 1 << 16  # ids that are gone through one by one


@dataclass(frozen=True)
class Ids:
    """Ids from low to high, ends included; only the listed ones of these where they are listed."""

    low: int
    high: int
    listed: frozenset[int] | None = None

    def __and__(self, other: Ids) -> Ids:
        low, high = max(self.low, other.low), min(self.high, other.high)
        lists = [ids for ids in (self.listed, other.listed) if ids is not None]
        if not lists and high - low < LISTED_IDS:
            lists = [frozenset(range(low, high + 1))]
        return Ids(
            low, high, frozenset(k for k in lists[0].intersection(*lists) if low <= k <= high) if lists else None
        )

    def __or__(self, other: Ids) -> Ids:
        low, high = min(self.low, other.low), max(self.high, other.high)
        both = self.listed is not None and other.listed is not None
        return Ids(low, high, self.listed | other.listed if both else None)  # type: ignore[operator]


def ids_of(tree: Expression, every: Ids) -> Ids:
    """The ids that an expression over ids alone lets through, or more than these: every one where it is not plain."""
    match tree:
        case Call("and_kleene", (left, right)):
            return ids_of(left, every) & ids_of(right, every)
        case Call("or_kleene", (left, right)):
            return ids_of(left, every) | ids_of(right, every)
        case Call("is_in"):
            listed = values(tree)
            if listed is None or not pa.types.is_int64(listed.type) or listed.null_count:
                return every
            return every & Ids(every.low, every.high, frozenset(listed.to_pylist()))
    compared = comparison(tree)
    if compared is None or not pa.types.is_int64(compared[2].type) or not compared[2].is_valid:
        return every
    value = compared[2].as_py()
    match compared[1]:
        case "==":
            return every & Ids(value, value)
        case "<" | "<=":
            return every & Ids(every.low, value - (compared[1] == "<"))
        case ">" | ">=":
            return every & Ids(value + (compared[1] == ">"), every.high)
    return every


def within(space: Space, ids: Ids) -> Space:
    """The space without the values of axes that none of these ids has."""
    if ids.listed is not None:
        found = places(space, np.array(sorted(ids.listed), np.int64))
        kept = [np.unique(place[place >= 0]) for place in found]
    elif ids.low <= 0 and ids.high >= space.size - 1:
        return space
    else:
        kept, free = [], False  # behind the first axis on which the ends differ, every value occurs
        for axis, stride in zip(space.axes, space.id_strides, strict=True):
            first, last = ids.low // stride % axis.length, ids.high // stride % axis.length
            kept.append(np.flatnonzero(free | ((axis.kept >= first) & (axis.kept <= last))))
            free = free or first != last
    return replace(space, axes=tuple(axis.take(place) for axis, place in zip(space.axes, kept, strict=True)))


def blocks_of(plan: Plan, ids: Ids) -> npt.NDArray[np.int64]:
    """The blocks of a walk that hold listed ids, in order."""
    assert ids.listed is not None
    found = places(plan.space, np.array(sorted(ids.listed), np.int64))
    there = np.logical_and.reduce([place >= 0 for place in found])
    blocks = np.zeros(int(there.sum()), np.int64)
    for k, axis in enumerate(plan.order):
        blocks = blocks * plan.box.counts[k] + found[axis][there] // plan.box.extents[k]
    return np.unique(blocks)

"""Families of groups: those that meet the same cells of some columns, judged together before each alone.

On a block over GPUs, precisions and token budgets, the loss is the same for every GPU: groups of equal loss are a
family, and where the cheapest of them is beaten all of them are.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.compiler import jit_uncounted
from kernels.groups import SHAPES, Groups
from kernels.screen import Screen
from kernels.sieve import Room, corner_is_beaten

Ints = npt.NDArray[np.int64]

FEWEST_GROUPS = 3  # of a family, on average: fewer are judged each alone as soon


class Families(NamedTuple):
    """Which groups are of a family.

    family_of[firsts[s] + g] is the family of group g of a block of shape s, as kernels.groups numbers them. The
    families of a shape are numbered from stands[s] up to stands[s + 1]; those of family f are members[i], i from
    begins[f] up to begins[f + 1]. A shape whose groups have little in common has none.
    """

    family_of: Any
    stands: Any
    begins: Any
    members: Any


def families_of(groups: Groups) -> Families:
    """The families of these groups: by the columns that make most families, which so differ least, but few enough."""
    num_columns = groups.meets.shape[1]
    family_of = np.zeros(len(groups.meets), np.int64)
    stands, sizes, members = [0], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for shape in range(SHAPES):
        first, stop = groups.firsts[shape], groups.firsts[shape + 1] - 1  # behind it where the last group ends
        best: tuple[Ints, Ints] | None = None
        for together in itertools.product((False, True), repeat=num_columns):
            key = np.zeros(stop - first, np.int64)
            for column in np.flatnonzero(together):
                _, key = np.unique(key * len(groups.spans) + groups.meets[first:stop, column], return_inverse=True)
            numbers = np.bincount(key)
            is_few = FEWEST_GROUPS * len(numbers) <= stop - first
            if any(together) and is_few and (best is None or len(numbers) > len(best[1])):
                best = key, numbers
        if best is not None:
            family_of[first:stop] = stands[-1] + best[0]
            members.append(first + np.argsort(best[0], kind="stable"))
            sizes.append(best[1])
        stands.append(sum(map(len, sizes)))
    begins = np.append(0, np.cumsum(np.concatenate(sizes)))
    return Families(family_of, np.array(stands), begins, np.concatenate(members))


@jit_uncounted
def note_closed(
    groups: Groups, families: Families, shape: int, leasts: Any, screen: Screen, room: Room, closed: Any
) -> None:
    """Into closed[f] whether a known row beats all groups of a family of the shape, by the leasts[n] of their spans."""
    for family in range(families.stands[shape], families.stands[shape + 1]):
        for j in range(room.corners.shape[0]):
            least = np.inf
            for i in range(families.begins[family], families.begins[family + 1]):
                value = leasts[groups.meets[families.members[i], j]]
                least = value if value < least else least
            room.corners[j, 0] = least
        closed[family] = corner_is_beaten(screen, room)

"""Proof by example that reasoning finds what there is to find: both ways, and by hand, on parts of a space.

A part takes some values of every axis, drawn at random; it is reasoned about, walked, and compared pair by pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

from sweep.execute import Evaluator, Worker, rows
from sweep.frontier import frontier, objectives_of
from sweep.plan import Plan
from sweep.space import Space

MOST_POINTS = 200_000
PARTS = 5


@dataclass(frozen=True)
class Part:
    """A part of a space: its designs, how many meet the conditions, how many are on its frontier, and if all agree."""

    designs: int
    feasible: int
    found: int
    agrees: bool


def by_hand(objectives: npt.NDArray[np.float64], ids: npt.NDArray[np.int64]) -> list[int]:
    """The ids of the rows of objectives[n, k] that no other row beats, from the definition, in ascending order."""
    keep = ~np.isnan(objectives).any(axis=1)
    objectives, ids = objectives[keep], ids[keep]
    order = np.lexsort(objectives.T[::-1])  # what beats a row comes before it: fewer are asked about
    objectives, ids = objectives[order], ids[order]
    left = np.ones(len(ids), bool)
    for i in range(len(ids)):
        if left[i]:
            worse = (objectives[i] <= objectives).all(axis=1) & (objectives[i] < objectives).any(axis=1)
            left &= ~worse
    return sorted(ids[left].tolist())


def parts(space: Space, seed: int) -> Iterator[Space]:
    """Spaces of some values of every axis each, small enough to be compared pair by pair."""
    draw = np.random.default_rng(seed)
    for _ in range(PARTS):
        sizes = [len(axis) for axis in space.axes]
        while prod(sizes) > MOST_POINTS:
            longest = int(np.argmax(sizes))
            sizes[longest] = max(1, int(sizes[longest] * draw.uniform(0.5, 0.9)))
        chosen = [np.sort(draw.choice(len(a), n, replace=False)) for a, n in zip(space.axes, sizes, strict=True)]
        yield replace(space, axes=tuple(axis.take(places) for axis, places in zip(space.axes, chosen, strict=True)))


def exact_check(space: Space, seed: int = 0) -> list[Part]:
    """Compare reasoning, walking and the definition on parts of a space."""
    objectives = objectives_of(space)
    found = []
    for part in parts(space, seed):
        by_reason = sorted(frontier(part, reason=True, least=0).frame["design_id"].to_list())
        by_walk = sorted(frontier(part, reason=False).frame["design_id"].to_list())
        values, ids = _values(part, objectives)
        expected = by_hand(values, ids)
        agrees = by_reason == by_walk == expected
        found.append(Part(prod(len(axis) for axis in part.axes), len(ids), len(expected), agrees))
    return found


def _values(
    part: Space, objectives: Sequence[tuple[str, float]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Objectives, less being better, and ids of all designs that meet the conditions."""
    names = [name for name, _ in objectives]
    evaluator = Evaluator(Plan(part, names))
    with np.errstate(all="ignore"):
        found = rows(Worker(evaluator), range(evaluator.box.blocks), names)
    values = np.stack([sign * found.columns[name].astype(np.float64) for name, sign in objectives], axis=1)
    return values, found.design_id

"""Quantiles over the draws of a law's coefficients: a metric evaluated once per draw, over the axes it varies along."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sweep import catalogue
from sweep.space import Axis, Space

Cells = npt.NDArray[Any]

CELLS_AT_ONCE = 1 << 21  # values of all draws held at a time: 16 MiB a metric on the way
NANOSECONDS_A_PIECE = 1e9  # of compiled loops, to find quantiles ahead of the first row


def draw_axis() -> Axis:
    """All draws as an axis, the law as printed left out."""
    records = [r for r in catalogue.records("law_draw").values() if r.id != "0"]
    sets = catalogue.KINDS["law_draw"].sets
    columns = {name: np.array([float(r.values[name]) for r in records]) for name in sets}
    places = np.arange(len(records))
    return Axis("law_draw", tuple(r.id for r in records), columns, places, len(records))


def quantile_table(
    space: Space, base: str, shares: Sequence[float], axes: Sequence[int], whole: Callable[[Space, str, int], Cells]
) -> Cells:
    """Quantiles of a metric over all draws, (shares, points), at every point of these axes in their order.

    whole gives a metric at every point of a space, in the order of its axes, and is told for how many spaces. nan under
    a law that has no draws, and where a draw gives nan.
    """
    draws = draw_axis()
    along = [space.axes[k] for k in axes if space.axes[k].name != "law_draw"]
    chosen = [replace(a, sets={n: v for n, v in a.sets.items() if n not in draws.sets}) for a in along]
    fixed = dict(space.fixed)
    for axis in space.axes:  # what the metric does not vary along still gives the inputs it sets a value
        fixed |= {name: values[0].item() for name, values in axis.sets.items() if len(values)}
    fixed = {name: value for name, value in fixed.items() if name not in draws.sets}
    out = np.empty((len(shares), prod(len(axis) for axis in chosen)))
    done = 0
    at_once = max(1, CELLS_AT_ONCE // max(1, len(draws)))
    times = -(-out.shape[1] // at_once)
    for part in _parts(chosen, at_once):
        count = prod(len(axis) for axis in part)
        box = tuple(replace(axis, kept=np.arange(len(axis)), length=len(axis)) for axis in (draws, *part))
        values = whole(replace(space, axes=box, fixed=fixed, conditions=(), minimize=(), maximize=()), base, times)
        out[:, done : done + count] = quantiles(values.reshape(len(draws), count).T.copy(), shares)
        done += count
    out[:, ~_has_draws(chosen, fixed)] = np.nan  # what takes nothing of a draw is no surer for that
    if any(space.axes[k].name == "law_draw" for k in axes):  # the quantile is the same at every draw
        shape = [len(space.axes[k]) for k in axes]
        inner = [1 if space.axes[k].name == "law_draw" else len(space.axes[k]) for k in axes]
        return np.broadcast_to(out.reshape([len(shares), *inner]), [len(shares), *shape]).reshape(len(shares), -1)
    return out


def _has_draws(axes: Sequence[Axis], fixed: Mapping[str, int | float]) -> npt.NDArray[np.bool_]:
    """Whether the draws are of the law, at every point of these axes in their order."""
    has = np.full([len(axis) for axis in axes], bool(fixed.get(catalogue.HAS_DRAWS, True)))
    for k, axis in enumerate(axes):
        if catalogue.HAS_DRAWS in axis.sets:
            has[:] = np.reshape(axis.sets[catalogue.HAS_DRAWS] != 0, [-1 if j == k else 1 for j in range(len(axes))])
    return has.reshape(-1)


def pieces(
    space: Space,
    drawn: Callable[[Space], Sequence[tuple[Sequence[int], float]]],
    is_left: Callable[[Space], bool],
) -> Iterator[Space]:
    """A space in pieces, one after the other along its axes, none with many quantiles to find ahead of its rows.

    Where it is cut, parts of which is_left does not hold are left out. drawn gives for each quantile that is asked of a
    space the axes that it varies along, by their places, and the nanoseconds that a compiled loop takes for one value
    of what it is a quantile of.
    """
    draws = len(draw_axis())
    held = [([k for k in axes if space.axes[k].name != "law_draw"], each) for axes, each in drawn(space)]
    costs = [each * draws * prod(len(space.axes[k]) for k in axes) for axes, each in held]
    most = max(costs, default=0.0)
    along = [] if not costs else held[costs.index(most)][0]
    if most <= NANOSECONDS_A_PIECE or not along:
        yield space
        return
    longest = max(along, key=lambda k: len(space.axes[k]))
    axis = space.axes[longest]
    step = max(1, int(len(axis) * NANOSECONDS_A_PIECE / most))
    if step >= len(axis):
        yield space
        return
    for first in range(0, len(axis), step):
        part = axis.take(np.arange(first, min(first + step, len(axis))))
        piece = replace(space, axes=(*space.axes[:longest], part, *space.axes[longest + 1 :]))
        if is_left(piece):
            yield from pieces(piece, drawn, is_left)


def quantiles(values: Cells, shares: Sequence[float]) -> Cells:
    """Quantiles of each row of (rows, draws), between draws by a straight line, as (shares, rows); reorders the rows.

    nan where a draw is nan.
    """
    places = [share * (values.shape[1] - 1) for share in shares]
    lower = [int(place) for place in places]
    upper = [min(below + 1, values.shape[1] - 1) for below in lower]
    last = values.shape[1] - 1  # where nan comes to stand
    values.partition(sorted({*lower, *upper, last}), axis=1)
    found = np.empty((len(shares), len(values)))
    with np.errstate(all="ignore"):
        for row, place, a, b in zip(found, places, lower, upper, strict=True):
            below, above = values[:, a], values[:, b]
            row[:] = np.where(below == above, below, below + (above - below) * (place - a))
    return np.where(np.isnan(values[:, last]), np.nan, found)


def _parts(axes: Sequence[Axis], cells: int) -> Iterator[list[Axis]]:
    """The product of the axes in boxes of at most so many cells, in its order."""
    if not axes:
        yield []
        return
    rest = prod(len(axis) for axis in axes[1:])
    step = max(1, cells // max(1, rest))
    for first in range(0, len(axes[0]), step):
        slab = axes[0].take(np.arange(first, min(first + step, len(axes[0]))))
        if len(slab) * rest <= cells:
            yield [slab, *axes[1:]]
        else:
            yield from ([slab, *part] for part in _parts(axes[1:], cells))

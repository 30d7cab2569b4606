"""Which choices may be as good as a design that is known: of all others not one design is evaluated more than once.

Along an axis an objective gets better until conditions fail (sweep.along). So a choice along the other axes can be as
good as what is known only if the conditions hold at the first place where its objective is. Where that place is, is
decided by the few axes that the objective depends on: it lies between two of some places that are tried for each choice
along these. At the earliest that it can be, the conditions are then evaluated, once for every choice along all axes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.driver import POINTS
from sweep.designs import places
from sweep.evaluator import Evaluator
from sweep.execute import Worker, design_ids
from sweep.plan import REPEATED, Plan, cut
from sweep.space import Axis, Space

Ints = npt.NDArray[np.int64]

PART = 1 << 19  # choices along the axes that the objective depends on, that are looked at together
LEAST_TRIED, MOST_TRIED = 16, 256  # places of an axis
TRIED_PER_CHOICE = 2  # places that are tried, for each choice along the axes that the objective does not see


@dataclass(frozen=True)
class Reached:
    """Choices at[axes, n] that may be as good, and steps from the axis's worse end: low, where they hold, and by which
    of later ones they are as good.
    """

    at: Ints
    low: Ints
    later: Ints


def gathered(parts: Iterable[Reached], count: int) -> Iterator[Reached]:
    """The first part, which tells of something good, then the others, so many choices and more together."""
    waiting: list[Reached] = []
    least = 0
    for part in parts:
        waiting.append(part)
        if sum(len(w.low) for w in waiting) >= least:
            yield _together(waiting)
            waiting, least = [], count
    if waiting:
        yield _together(waiting)


def _together(parts: Sequence[Reached]) -> Reached:
    at = np.concatenate([part.at for part in parts], axis=1)
    return Reached(at, *(np.concatenate([getattr(part, name) for part in parts]) for name in ("low", "later")))


class Reaching:
    """The choices of a space that may be as good as a value, less being better, a part at a time.

    The objective gets better along axis, or before where it is not further; it depends on that and the axes seen.
    """

    def __init__(
        self, space: Space, objective: tuple[str, float], axis: int, further: bool, seen: frozenset[int]
    ) -> None:
        self._space, (self._name, self._sign) = space, objective
        self._axis, self._further = axis, further
        self._seen = sorted(seen - {axis})
        sizes = [len(space.axes[k]) for k in self._seen]
        self._others = [k for k in range(len(space.axes)) if k != axis and k not in seen]
        self._last = len(space.axes[axis]) - 1
        each = TRIED_PER_CHOICE * prod(len(space.axes[k]) for k in self._others)
        tried = np.linspace(0, self._last, max(LEAST_TRIED, min(MOST_TRIED, each)))
        self._tried = np.unique(np.rint(tried).astype(np.int64))
        self._box = cut(sizes, PART)
        self.evaluated = 0

    def parts(self, best: Callable[[], float]) -> Iterator[Reached]:
        """Those that may be as good as best() is when their part comes; the parts in no order."""
        for part in np.random.default_rng(self._box.blocks).permutation(self._box.blocks).tolist():
            ranges: list[Ints] = []
            for size, extent, count in reversed(list(zip(*self._dimensions, strict=True))):
                part, place = divmod(part, count)
                ranges.insert(0, np.arange(place * extent, min(size, (place + 1) * extent)))
            yield self._part(ranges, best())

    @property
    def _dimensions(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        return self._box.sizes, self._box.extents, self._box.counts

    def _place(self, steps: Ints) -> Ints:
        return steps if self._further else self._last - steps

    def _part(self, ranges: list[Ints], best: float) -> Reached:
        shapes, tries = self._shapes(ranges, best)
        low = np.where(tries > 0, self._tried[tries - 1] + 1, 0)
        later = np.maximum(low, self._tried[tries])
        sets: dict[str, Any] = {}
        for k, at in [*zip(self._seen, shapes, strict=True), (self._axis, self._place(low))]:
            sets |= {name: values[at] for name, values in self._space.axes[k].sets.items()}
        row = np.arange(len(low))
        axes = (Axis("reached", (), sets, row, len(row)), *(self._space.axes[k] for k in self._others))
        walked = replace(self._space, axes=axes)
        held = [worker.design_ids() for worker in self._blocks(Plan(walked, (), patience=REPEATED), len(row))]
        found = np.array(places(walked, np.concatenate([np.empty(0, np.int64), *held])))
        at = np.empty((len(self._space.axes), found.shape[1]), np.int64)
        at[self._seen] = shapes[:, found[0]]
        at[self._others] = found[1:]
        at[self._axis] = 0
        return Reached(at, low[found[0]], later[found[0]])

    def _shapes(self, ranges: list[Ints], best: float) -> tuple[Ints, Ints]:
        """Choices[seen, n] along the axes that the objective depends on, that come to be as good, and by which try."""
        taken = {self._axis: self._place(self._tried), **dict(zip(self._seen, ranges, strict=True))}
        axes = tuple(a.take(taken.get(k, np.zeros(1, np.int64))) for k, a in enumerate(self._space.axes))
        plan = Plan(
            replace(self._space, axes=axes, conditions=()),
            [self._name],
            innermost=[self._axis],
            patience=REPEATED,
        )
        count = len(self._tried)
        shapes, tries = [np.empty((len(self._seen), 0), np.int64)], [np.empty(0, np.int64)]
        for worker in self._blocks(plan, 1):
            values = self._sign * worker.column(self._name).reshape(-1, count)
            worse = (values > best).sum(axis=1)
            come = np.flatnonzero(worse < count)
            at = places(plan.space, design_ids(plan, np.int64(self._block) * plan.box.points + come * count))
            shapes.append(np.array([ranges[n][at[k]] for n, k in enumerate(self._seen)]).reshape(len(self._seen), -1))
            tries.append(worse[come])
        return np.concatenate(shapes, axis=1), np.concatenate(tries)

    def _blocks(self, plan: Plan, points: int) -> Iterator[Worker]:
        """A worker at each block of a plan in which some design holds."""
        if not points:
            return
        worker = Worker(Evaluator(plan))
        for self._block in range(plan.box.blocks):
            held = worker.visit(self._block)
            self.evaluated += int(worker.state.words[POINTS])
            if held:
                yield worker

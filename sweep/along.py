"""The best design by one objective, when along some axis more is better until a condition no longer holds.

More training tokens lower the loss until the budget is spent. Where that is certain of every choice along the other
axes (sweep.cuts says so of an objective and of each condition), the best of a choice's designs is the last that holds,
which halving finds in a dozen evaluations, and of all choices only those last ones have to be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

from kernels.intervals import Interval, evaluate
from sweep.cuts import Group, Target, TooLarge
from sweep.listed import Points
from sweep.question import Question, Thinned, targets
from sweep.ranges import extremes
from sweep.reaching import Reaching, gathered
from sweep.space import Axis

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_PLACES = 16  # of an axis along which halving is worth its while
CHOICES = 1 << 18  # that are halved together
SOME = 1 << 14  # of more than that, halved before the others to have something good


@dataclass(frozen=True)
class Settled:
    """The best designs, all that tie: their value, less being better, and their places at[axes, n].

    Of axis those places are not among the choices that were looked at: where something is infinite or nan. opened and
    evaluated count boxes and designs.
    """

    value: float
    at: Ints
    axis: int
    unsettled: Ints
    opened: int
    evaluated: int


def best_along(found: Thinned, objective: tuple[str, float]) -> Settled | None:
    """The best of a space's designs, of its finite choices; None where along no axis the last one is certain to do."""
    whole = found.space
    finite = [_finite(axis) for axis in whole.axes]
    odd = [k for k, held in enumerate(finite) if not held.all()]
    apart = odd[0] if odd else 0
    if len(odd) > 1 or not prod(int(held.sum()) for held in finite):
        return None
    kept = np.flatnonzero(finite[apart])
    space = replace(whole, axes=tuple(a.take(kept) if k in odd else a for k, a in enumerate(whole.axes)))
    question = Question(replace(found, space=space))
    long = [k for k, axis in enumerate(space.axes) if len(axis) >= LEAST_PLACES and not axis.is_words and k not in odd]
    for axis in sorted(long, key=lambda k: -len(space.axes[k])):
        better = _better(question, axis, objective[0])
        if better is not None:
            value, at, opened, evaluated = _Halving(question, objective, axis, better).best()
            if np.isnan(value):
                return None
            at[apart] = kept[at[apart]]
            return Settled(value, at, apart, np.flatnonzero(~finite[apart]), opened, evaluated)
    return None


def _finite(axis: Axis) -> Bools:
    """At which places of an axis all values are finite; one that says nothing has none that are not."""
    held = np.ones(len(axis), bool)
    for values in axis.sets.values():
        held &= np.isfinite(np.asarray(values, np.float64))
    return held


def _better(question: Question, axis: int, name: str) -> bool | None:
    """Whether the objective is better further along an axis, or before; None unless conditions say the opposite."""
    ways = {target.name: _way(question, target, axis) for target in targets(question.space)}
    objective = ways.pop(name)
    if not objective or any(way is None or way == objective for way in ways.values()):
        return None
    return objective > 0


def _way(question: Question, target: Target, axis: int) -> int | None:
    """1 where a target is no worse further along an axis, -1 where it is no better, 0 where it does not see it."""
    held = question.space.axes[axis].sets
    known = {n: extremes(values, finite=True) for n, values in held.items()}
    group = Group(question.plan, question.ranges.with_found(known), [target], frozenset([axis]))
    if question.spread[target.name] <= frozenset([axis]) and question.spread[target.name]:
        return None
    try:
        cuts = group.cuts
    except TooLarge:
        return None
    ways = set()
    for cut in cuts:
        scope = _along(question, cut.leaves, axis)
        if scope is None or cut.direction == 0:
            return None
        with np.errstate(all="ignore"):
            steps = _steps(evaluate(cut.expression, scope, question.space.graph.words), scope)
        steps = -cut.direction * steps[steps != 0.0]
        if np.isnan(steps).any() or (np.abs(steps) < cut.least).any() or ((steps > 0).any() and (steps < 0).any()):
            return None
        ways |= set(np.sign(steps[:1]).astype(int).tolist())
    return None if len(ways) > 1 else next(iter(ways), 0)


def _steps(found: Interval, scope: Mapping[str, Interval]) -> Floats:
    """By how much at least a value goes up or down from place to place; nan where bounds do not tell which.

    Bounds at one place may be far apart: a remainder by something that libm computed is known to be one, no more.
    """
    count = max((len(held.low) for held in scope.values()), default=1)
    low, high = (np.broadcast_to(np.asarray(end, np.float64), (count,)) for end in found[:2])
    alike = np.all([held.low[1:] == held.low[:-1] for held in scope.values()], axis=0)
    alike |= (low[1:] == high[1:]) & (low[:-1] == high[:-1]) & (low[1:] == low[:-1])
    up, down = low[1:] - high[:-1], high[1:] - low[:-1]
    return np.where(alike, 0.0, np.where(up > 0.0, up, np.where(down < 0.0, down, np.nan)))


def _along(question: Question, leaves: Sequence[str], axis: int) -> dict[str, Interval] | None:
    """Values of an axis at all its places; None where one is not at hand."""
    scope = {}
    for name in leaves:
        value = question.plan.values[name]
        if not value.is_table or question.spread[name] != frozenset([axis]):
            return None
        place, count = question.evaluator.place(name), len(question.space.axes[axis])
        cells = question.evaluator.tables[place : place + count]
        values = cells.view(np.float64) if value.kind == "float" else cells.astype(np.float64)
        scope[name] = Interval(values, values)
    return scope


class _Halving:
    """The last design along an axis that holds, of all choices along the others."""

    def __init__(self, question: Question, objective: tuple[str, float], axis: int, is_better_further: bool) -> None:
        space = question.space
        self._name, self._sign = objective
        self._axis, self._further = axis, is_better_further
        self._sizes = [len(a) for a in space.axes]
        self._points = Points(space, [self._name])
        self._reaching = Reaching(question, objective, axis, is_better_further)
        self._evaluated = 0
        self._best, self._found = np.inf, np.empty((len(self._sizes), 0), np.int64)

    def best(self) -> tuple[float, Ints, int, int]:
        """Its value, where it is, with all that tie, boxes opened and designs evaluated. nan where a value is nan."""
        others = [1 if k == self._axis else size for k, size in enumerate(self._sizes)]
        few = prod(others) <= CHOICES
        some = np.arange(prod(others)) if few else np.random.default_rng(CHOICES).integers(0, prod(others), SOME)
        at = np.array(np.unravel_index(some, others), np.int64)
        none = np.full(len(some), -1, np.int64)
        self._take_in(at, none, none + 1 + self._sizes[self._axis] // 2)
        if not few:
            for part in gathered(self._reaching.parts(lambda: self._best), CHOICES):
                for first in range(0, len(part.low), CHOICES):
                    run = slice(first, first + CHOICES)
                    self._take_in(part.at[:, run], part.low[run], part.later[run])
        return self._best, self._found, self._reaching.opened, self._evaluated + self._reaching.evaluated

    def _take_in(self, at: Ints, low: Ints, later: Ints) -> None:
        """Find the last of each choice that holds and keep the best; low and later as _last takes them."""
        last = self._last(at, low, later)
        at, last = at[:, last >= 0], last[last >= 0]
        values = self._values(at, last)
        if np.isnan(values).any() or np.isnan(self._best):
            self._best = np.nan
        elif len(values) and values.min() <= self._best:
            better = values.min() < self._best
            self._best = float(values.min())
            ties = self._ties(at[:, values == self._best], last[values == self._best], self._best)
            self._found = ties if better else np.concatenate([self._found, ties], axis=1)

    def _placed(self, at: Ints, steps: Ints) -> Ints:
        """Choices at so many steps from the axis's worse end."""
        placed = at.copy()
        placed[self._axis] = steps if self._further else self._sizes[self._axis] - 1 - steps
        return placed

    def _values(self, at: Ints, steps: Ints) -> Floats:
        """The objective, less being better; inf where a design does not hold."""
        values = np.full(at.shape[1], np.inf)
        self._evaluated += at.shape[1]
        for found, positions in self._points.at(self._placed(at, steps)):
            values[positions] = self._sign * found[self._name]
        return values

    def _last(self, at: Ints, low: Ints, later: Ints | None) -> Ints:
        """The last step of each choice that holds, -1 for none; low where that one holds, later to be tried first."""
        low = low.copy()
        high = np.full(at.shape[1], self._sizes[self._axis] - 1, np.int64)
        while (low < high).any():
            open_ = np.flatnonzero(low < high)
            middle = (low[open_] + high[open_] + 1) // 2
            if later is not None:
                middle, later = np.maximum(later[open_], low[open_] + 1), None
            holds = np.zeros(len(open_), bool)
            self._evaluated += len(open_)
            for _, positions in self._points.at(self._placed(at[:, open_], middle)):
                holds[positions] = True
            low[open_[holds]] = middle[holds]
            high[open_[~holds]] = middle[~holds] - 1
        return low

    def _ties(self, at: Ints, last: Ints, best: float) -> Ints:
        """The best designs with those before them that are as good."""
        found = []
        while at.shape[1]:
            found.append(self._placed(at, last))
            at, last = at[:, last > 0], last[last > 0] - 1
            equal = self._values(at, last) == best
            at, last = at[:, equal], last[equal]
        return np.concatenate(found, axis=1)

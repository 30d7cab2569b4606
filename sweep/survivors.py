"""The choices along some axes that no other is certain to beat, found in one walk over all of them.

A quick look at a table of what is left so far removes most; where a sample says that it would not, records are compared
first, since of choices that differ in nothing else few are worth more. What stays is held against all that is left
(kernels.sifting).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.folding import Walk
from kernels.groups import greatest_of, least_of
from kernels.intervals import Interval, rounded
from kernels.sifting import SELDOM, Sieve, among_siblings, are_apart
from sweep.boxes import Points
from sweep.cuts import Cut
from sweep.evaluator import Evaluator
from sweep.execute import Worker, chunks, design_ids, each
from sweep.plan import REPEATED, Plan
from sweep.ranges import NOTHING, around, extremes, lies_within, plain
from sweep.space import Space

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_SIBLINGS = 1 << 12  # records that are compared with each other before anything else
LEAST_SEEDED = 1 << 20  # choices of which some are looked at before the others
SEEDS, SEEDED_SHARE = 1 << 17, 32  # of them that are: so many, or one in so many if that is less
SEED = -1  # the id of all of these
PROBED = 1 << 12  # more of them, by which it is judged what a quick look is worth
MOST_LEFT = 0.3  # of them, for that to be worth it
LEAST_LONG = 16  # of an axis along which choices are looked at together
ROOM = 1 << 13  # choices that come out of a block at once
COMPARED = 1 << 9  # choices that are drawn to know along which


@dataclass(frozen=True)
class Survivors:
    """Ids of the choices that are left, in order, within their space; their cuts, less being better; their leaves, by
    their bits.

    finite and whole are what the values that were watched lie between: those that are finite, and all.
    """

    ids: Ints
    cuts: Floats
    leaves: Ints
    finite: Mapping[str, Interval]
    whole: Mapping[str, Interval]


def survivors(
    space: Space,
    cuts: Sequence[Cut],
    columns: Sequence[str],
    watched: Mapping[str, Interval],
    tables: Mapping[str, npt.NDArray[Any]],
    threads: int | None,
) -> Survivors:
    """What is left of the choices of a space, of which columns hold the cuts; and the ranges of what is watched.

    watched is what values are expected to lie between.
    tables are leaves of the cuts that vary along few axes, at all places on these.
    """
    walk = _Walk(space, cuts, columns, watched, tables)
    runs = list(chunks(walk.plan, walk.plan.box.points))
    np.random.default_rng(len(runs)).shuffle(runs)  # along an axis that improves things all would stay a while
    for _ in each(walk.evaluator, walk.fold, runs, threads):
        pass
    return walk.result()


def _bits(values: npt.NDArray[Any]) -> Ints:
    """Values as whole numbers that are equal when they are the same to the bit."""
    return values.view(np.int64) if values.dtype == np.float64 else values.astype(np.int64)


def _is_apart(cut: Cut, tables: Mapping[str, npt.NDArray[Any]]) -> bool:
    """Whether a cut is one value of few numbers, of which any two are the same or differ by enough."""
    return cut.is_exact and cut.leaves[0] in tables and are_apart(tables[cut.leaves[0]].astype(np.float64), cut.least)


def _extremes_of(values: npt.NDArray[Any]) -> tuple[Interval, Interval]:
    """What values lie between: those that are finite (unsure where there are none), and all."""
    if values.dtype == np.float64:
        low, high = least_of(values, 0, len(values)), greatest_of(values, 0, len(values))
        if np.isfinite(low) and np.isfinite(high):
            return Interval(low, high), Interval(low, high, bool(np.isnan(values).any()))
    return extremes(values, finite=True), extremes(values)


def _ends_of(low: float, high: float, nans: float, dtype: type[np.generic]) -> Interval:
    """What values of a block lie between, as extremes has it."""
    found = Interval(float(low), float(high), bool(nans))
    return found if dtype is np.float64 else plain(rounded(found))


class _Thread:
    """What one thread has found, and room for a block."""

    def __init__(
        self, sieve: Sieve, walk: Walk | None, num_siblings: int, watched: Iterable[str], num_columns: int
    ) -> None:
        self.sieve, self.walk = sieve, walk
        self.rows, self.ids = np.empty((ROOM, num_columns)), np.empty(ROOM, np.int64)
        self.remover = np.full(num_siblings, -1, np.int64)
        self.rested = np.full(num_siblings, SELDOM, np.int64)
        self.finite, self.whole = dict.fromkeys(watched, NOTHING), dict.fromkeys(watched, NOTHING)
        self.aside: list[tuple[Floats, Ints, Ints]] = []
        self.columns = np.empty((num_columns, 0))
        self._room: dict[str, npt.NDArray[Any]] = {}

    def read(self, worker: Worker, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
        """These values of the choices of a block."""
        if self.columns.shape[1] < worker.held:
            self.columns = np.empty((len(self.columns), worker.points))
            self._room = {name: np.empty(worker.points, worker.dtype(name)) for name in names}
        found = {name: self._room[name][: worker.held] for name in names}
        worker.read(found)
        return found

    def watch(self, name: str, some: Interval, every: Interval) -> None:
        """Take note of what values lie between: those that are finite, if there are any, and all."""
        self.finite[name] = around(self.finite[name], NOTHING if some.unsure else some)
        self.whole[name] = around(self.whole[name], every)


class _Walk:
    """A walk over the choices, and what its threads find."""

    def __init__(
        self,
        space: Space,
        cuts: Sequence[Cut],
        columns: Sequence[str],
        watched: Mapping[str, Interval],
        tables: Mapping[str, npt.NDArray[Any]],
    ) -> None:
        together = [(k, leaf) for k, cut in enumerate(cuts) if not cut.is_exact for leaf in cut.leaves]
        self._columns, self._watched = columns, watched
        self._leaves = list(dict.fromkeys(leaf for _, leaf in together))
        self._place = np.array([self._leaves.index(leaf) for _, leaf in together], np.int64)
        self._owner = np.array([k for k, _ in together], np.int64)
        self._least = np.array([cut.least for cut in cuts])
        self._strict = np.array([cut.strict if cut.direction else np.nan for cut in cuts])
        self._signs = np.array([float(cut.direction or 1) for cut in cuts])
        self._decides = [k for k, cut in enumerate(cuts) if cut.is_fatal and cut.is_exact]
        self._looked_at = tuple(dict.fromkeys([*columns, *watched]))
        # where one that decides is nan, a choice is gone; one that does not is put aside
        self._whole = [name for k, name in enumerate(columns) if k not in self._decides]
        records = [k for k, axis in enumerate(space.axes) if axis.is_words and len(axis) > 1]
        siblings = prod(len(space.axes[k]) for k in records)
        if not 1 < siblings <= MOST_SIBLINGS:
            records, siblings = [], 1
        self._names = list(dict.fromkeys([*columns, *self._leaves, *watched]))
        self._space = space
        self._apart = np.array([_is_apart(cut, tables) for cut in cuts], np.bool_)
        self._points = Points(space, list(dict.fromkeys([*columns, *self._leaves])))
        innermost: list[int] = []
        self._sown: list[Sieve] = []
        self._screens = prod(len(axis) for axis in space.axes) >= LEAST_SEEDED and self._is_worth_screening()
        if self._screens:
            records, siblings, innermost = [], 1, self._calmest()
        self.plan = Plan(space, self._names, innermost=innermost, beside=records, patience=REPEATED)
        self.evaluator = Evaluator(self.plan)
        values = self.plan.values
        # a cut put together may be nan where the formula, which is written otherwise, is not: then its values decide
        fatal = {leaf for cut in cuts if cut.is_fatal and not cut.is_exact for leaf in cut.leaves}
        self._unknown = [leaf for leaf in self._leaves if leaf in fatal and values[leaf].kind == "float"]
        box = self.plan.box
        inside = 1 + len(records)
        is_whole = box.extents[-inside:] == box.sizes[-inside:]
        self._siblings = siblings if is_whole and len(box.sizes) >= inside else 1
        spread = [{a for leaf in cut.leaves for a in values[leaf].axes} for cut in cuts]
        of_records = set(range(len(box.sizes) - inside, len(box.sizes) - 1))
        self._alike = np.array([c.is_exact or not s & of_records for c, s in zip(cuts, spread, strict=True)], np.bool_)
        self._local = threading.local()
        self._threads: list[_Thread] = []

    def _sieve(self) -> Sieve:
        return Sieve(self._least, self._strict, self._owner, self._apart)

    def _is_worth_screening(self) -> bool:
        """Whether a quick look tells of most choices that they are removed, judged by some drawn at random."""
        sieve = self._sieve()
        if not sieve.can_screen:
            return False
        self._sow(sieve)
        self._sown.append(sieve)
        held = left = 0
        for rows, _ in self._some(PROBED):
            held, left = held + len(rows), left + len(sieve.screened(np.ascontiguousarray(rows.T)))
        return left < MOST_LEFT * held

    def _calmest(self) -> list[int]:
        """A long axis along which the cuts differ least, if there is one: there a quick look tells of many at once."""
        sizes = np.array([len(axis) for axis in self._space.axes])
        long = [k for k, axis in enumerate(self._space.axes) if len(axis) >= LEAST_LONG and not axis.is_words]
        if len(long) < 2:
            return []
        drawn = self._drawn(COMPARED)
        ends = []
        for k in long:
            near, far = drawn.copy(), drawn.copy()
            near[k] = np.minimum(near[k], sizes[k] - LEAST_LONG)
            far[k] = near[k] + LEAST_LONG - 1
            ends += [near, far]
        values = np.full((COMPARED * len(ends), len(self._columns)), np.nan)
        for found, positions in self._points.at(np.concatenate(ends, axis=1)):
            values[positions] = self._faces(found, len(positions))
        with np.errstate(all="ignore"):
            nearest, farthest = values.reshape(len(long), 2, COMPARED, -1).swapaxes(0, 1)
            apart = np.abs(nearest - farthest) / (np.abs(nearest) + np.abs(farthest))
        apart = np.nan_to_num(apart, nan=0.0).mean(axis=1).max(axis=1)
        return [long[int(np.argmin(apart))]]

    def _drawn(self, count: int) -> Ints:
        """Places[axes, n] of choices drawn at random."""
        sizes = np.array([len(axis) for axis in self._space.axes])
        return np.random.default_rng(count).integers(sizes[:, None], size=(len(sizes), count))

    def _faces(self, found: Mapping[str, npt.NDArray[Any]], count: int) -> Floats:
        """The cuts of so many choices as rows, less being better."""
        rows = np.empty((count, len(self._columns)))
        for k, (name, sign) in enumerate(zip(self._columns, self._signs, strict=True)):
            rows[:, k] = sign * found[name]
        return rows

    def _some(self, count: int) -> Iterator[tuple[Floats, Ints]]:
        """The cuts and leaves of choices drawn at random, those that are finite."""
        for found, positions in self._points.at(self._drawn(count)):
            rows = self._faces(found, len(positions))
            picked = np.flatnonzero(np.isfinite(rows).all(axis=1))
            yield rows[picked], self._stood_up({name: _bits(found[name]) for name in self._leaves}, picked)

    def _sow(self, sieve: Sieve) -> None:
        """Fold in some choices from all over the space, under no id, so that from the first something is beaten."""
        choices = prod(len(axis) for axis in self._space.axes)
        for rows, leaves in self._some(min(SEEDS, choices // SEEDED_SHARE + 1)):
            sieve.fold(rows, leaves, np.full(len(rows), SEED))
        sieve.settle()

    def fold(self, worker: Worker, run: range) -> None:
        """Take in the choices of these blocks."""
        if not hasattr(self._local, "found"):
            try:
                sieve = self._sown.pop()
            except IndexError:  # another thread has it
                sieve = self._sieve()
                if self._screens:
                    self._sow(sieve)
            walk = worker.walk(self._columns, self._signs.tolist(), each_other=False) if self._screens else None
            self._local.found = _Thread(sieve, walk, self._siblings, self._watched, len(self._columns))
            self._threads.append(self._local.found)
        for block in run:
            if worker.visit(block) and not self._sifted(worker, block, self._local.found):
                self._take_in(worker, block, self._local.found)

    def _sifted(self, worker: Worker, block: int, found: _Thread) -> bool:
        """Take in a block where it lies, if none of it is to be put aside, and what is watched is as expected."""
        if found.walk is None:
            return False
        ends = {name: _ends_of(*end, worker.dtype(name)) for name, end in worker.ends(self._looked_at).items()}
        if not all(isfinite(end.low) and isfinite(end.high) for end in ends.values()):
            return False
        if any(ends[name].unsure for name in self._whole):
            return False
        if not all(lies_within(ends[name], expected) for name, expected in self._watched.items()):
            return False
        for name in self._watched:
            found.watch(name, ends[name]._replace(unsure=False), ends[name])
        found.walk.enter_visited(block)
        points = self.plan.box.points
        while not found.walk.done:
            count = found.walk.sift(found.sieve.screen(found.walk.seen), found.rows, found.ids)
            ids, every = found.ids[:count], np.arange(count)
            leaves = {name: worker.pick(name, ids - block * points) for name in self._leaves}
            found.sieve.fold(found.rows[:count], self._stood_up(leaves, every), ids)
        return True

    def _take_in(self, worker: Worker, block: int, found: _Thread) -> None:
        """Take in a block of any numbers."""
        read = found.read(worker, self._names)
        for name in self._watched:
            found.watch(name, *_extremes_of(read[name]))
        columns = found.columns[:, : worker.held]
        finite = np.ones(worker.held, np.bool_)
        for column, name, sign in zip(columns, self._columns, self._signs, strict=True):
            np.multiply(read[name], sign, out=column)
            finite &= np.isfinite(column)
        leaves = {name: _bits(read[name]) for name in self._leaves}
        ids = worker.walk_ids(block)
        if not finite.all():
            self._put_aside(columns, leaves, ids, finite, found)
        if self._screens:
            near = found.sieve.screened(columns)
            picked = near[finite[near]].astype(np.int64)
        else:
            picked = np.flatnonzero(finite & self._among_siblings(worker, columns, finite, found))
        found.sieve.fold(np.ascontiguousarray(columns[:, picked].T), self._stood_up(leaves, picked), ids[picked])

    def _among_siblings(self, worker: Worker, columns: Floats, finite: Bools, found: _Thread) -> Bools:
        """Which choices of a block no sibling removes; those that conditions left out are there as not finite."""
        points, positions = worker.points, worker.positions
        if self._siblings == 1:
            return finite
        if len(positions) < points:
            every, held = np.full((len(columns), points), np.nan), np.zeros(points, np.bool_)
            every[:, positions], held[positions] = columns, finite
            columns, finite = every, held
        left = np.ones(points, np.bool_)
        among_siblings(
            columns,
            finite,
            self._siblings,
            self.plan.box.sizes[-1],
            found.remover,
            found.rested,
            self._least,
            self._strict,
            self._alike,
            left,
        )
        return left[positions]

    def _stood_up(self, leaves: Mapping[str, Ints], picked: Any) -> Ints:
        """The leaves of some choices as rows."""
        rows = np.empty((len(picked), len(self._place)), np.int64)
        for m, place in enumerate(self._place):
            rows[:, m] = leaves[self._leaves[place]][picked]
        return rows

    def _put_aside(self, columns: Floats, leaves: Mapping[str, Ints], ids: Ints, finite: Bools, found: _Thread) -> None:
        """What is not finite is no better and no worse; what an objective or condition has no use for is gone."""
        odd = np.flatnonzero(~finite)
        gone = np.isnan(columns[:, odd][self._decides]).any(axis=0)
        for name in self._unknown:
            gone |= np.isnan(leaves[name][odd].view(np.float64))
        odd = odd[~gone]
        if len(odd):
            found.aside.append((columns[:, odd].T, self._stood_up(leaves, odd), ids[odd]))

    def result(self) -> Survivors:
        """What all threads have left together."""
        sieves = [found.sieve for found in self._threads] or [self._sieve()]
        for sieve in sieves[1:]:
            sieves[0].merge(sieve)
        finite, whole = dict.fromkeys(self._watched, NOTHING), dict.fromkeys(self._watched, NOTHING)
        for found in self._threads:
            finite = {name: around(ends, found.finite[name]) for name, ends in finite.items()}
            whole = {name: around(ends, found.whole[name]) for name, ends in whole.items()}
        aside = [part for found in self._threads for part in found.aside]
        rows, held, walked = (np.concatenate(parts) for parts in zip(sieves[0].result(), *aside, strict=True))
        met = walked != SEED
        rows, held, ids = rows[met], held[met], design_ids(self.plan, walked[met])
        order = np.argsort(ids, kind="stable")
        return Survivors(ids[order], rows[order], held[order], finite, whole)

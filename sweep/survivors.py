"""The choices along some axes that no other is certain to beat, found in one walk over them.

A quick look at a table of what is left so far removes most; where a sample says that it would not, records are compared
first, since of choices that differ in nothing else few are worth more. What stays is held against all that is left
(kernels.sifting).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.folding import Walk
from kernels.intervals import Interval
from kernels.sifting import SELDOM, Sieve, among_siblings
from sweep.choices import Choices, bits
from sweep.cuts import Cut
from sweep.drawn import SEED, Drawn
from sweep.evaluator import Evaluator
from sweep.execute import Worker, chunks, design_ids, each
from sweep.plan import REPEATED, Plan
from sweep.ranges import NOTHING, around, ends_of, extremes, lies_within
from sweep.space import Space

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_SIBLINGS = 1 << 12  # records that are compared with each other before anything else
LEAST_SEEDED = 1 << 20  # choices of which some are looked at before the others
ROOM = 1 << 13  # choices that come out of a block at once


@dataclass(frozen=True)
class Survivors:
    """Ids of the choices that are left, in order, within their space; their cuts, less being better; their leaves, by
    their bits.

    finite and whole are what the values that were watched lie between: those that are finite, and all. So many choices
    were evaluated, those drawn beforehand among them.
    """

    ids: Ints
    cuts: Floats
    leaves: Ints
    finite: Mapping[str, Interval]
    whole: Mapping[str, Interval]
    evaluated: int


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
    choices = Choices(space, cuts, columns, tables)
    found = _Found(choices, watched)
    names = list(dict.fromkeys([*columns, *choices.leaves, *watched]))
    if not found.screens:
        records = [k for k, axis in enumerate(space.axes) if axis.is_words and len(axis) > 1]
        siblings = prod(len(space.axes[k]) for k in records)
        records = records if 1 < siblings <= MOST_SIBLINGS else []
        plan = Plan(space, names, beside=records, patience=REPEATED)
        return _walked(found, plan, len(records), threads)
    calmest = found.drawn.calmest()
    plan = Plan(space, names, innermost=[] if calmest is None else [calmest], patience=REPEATED)
    return _walked(found, plan, 0, threads)


def _walked(found: _Found, plan: Plan, records: int, threads: int | None) -> Survivors:
    """What is left after a walk over a plan, so many axes of records innermost but one."""
    walk, runs = _Walk(found, plan, records), list(chunks(plan, plan.box.points))
    np.random.default_rng(len(runs)).shuffle(runs)  # along an axis that improves things all would stay a while
    for _ in each(Evaluator(plan), walk.fold, runs, threads):
        pass
    return found.result(plan)


def _extremes(values: npt.NDArray[Any]) -> Interval:
    """What values lie between, nan apart: nothing, where there is nothing else."""
    found = extremes(values)
    return found if isfinite(found.low) or not np.isnan(values).all() else NOTHING._replace(unsure=True)


class _Thread:
    """What one thread has found."""

    def __init__(self, sieve: Sieve, watched: Mapping[str, Interval]) -> None:
        self.sieve = sieve
        self.finite, self.whole = dict.fromkeys(watched, NOTHING), dict.fromkeys(watched, NOTHING)
        self.aside: list[tuple[Floats, Ints, Ints]] = []

    def watch(self, name: str, some: Interval, every: Interval) -> None:
        """Take note of what values lie between: those that are finite, if there are any, and all."""
        self.finite[name] = around(self.finite[name], NOTHING if some.unsure else some)
        self.whole[name] = around(self.whole[name], every)


class _Found:
    """What all threads have found, and how it is looked for: with a quick look first, or not."""

    def __init__(self, choices: Choices, watched: Mapping[str, Interval]) -> None:
        self.choices, self.watched = choices, watched
        self.drawn = Drawn(choices)
        self.first = _Thread(choices.sieve(), watched)
        self.screens = choices.count >= LEAST_SEEDED and self.first.sieve.can_screen
        if self.screens:
            self.drawn.sow(self.first.sieve)
            self.screens = self.drawn.are_mostly_removed(self.first.sieve)
        if not self.screens:
            self.first = _Thread(choices.sieve(), watched)
        self._threads, self._idle = [self.first], [self.first]

    def take(self) -> _Thread:
        """One that no other thread has."""
        try:
            return self._idle.pop()
        except IndexError:
            found = _Thread(self.choices.sieve(), self.watched)
            if self.screens:
                self.drawn.sow(found.sieve)
            self._threads.append(found)
            return found

    def give_back(self, found: _Thread) -> None:
        """Let another thread have it."""
        self._idle.append(found)

    def result(self, plan: Plan) -> Survivors:
        """What all threads have left together, after a walk over a plan."""
        for other in self._threads[1:]:
            self.first.sieve.merge(other.sieve)
        finite, whole = dict.fromkeys(self.watched, NOTHING), dict.fromkeys(self.watched, NOTHING)
        for found in self._threads:
            finite = {name: around(ends, found.finite[name]) for name, ends in finite.items()}
            whole = {name: around(ends, found.whole[name]) for name, ends in whole.items()}
        aside = [part for found in self._threads for part in found.aside]
        rows, held, walked = (np.concatenate(parts) for parts in zip(self.first.sieve.result(), *aside, strict=True))
        met = walked != SEED
        rows, held, ids = rows[met], held[met], design_ids(plan, walked[met])
        order = np.argsort(ids, kind="stable")
        evaluated = plan.points + self.drawn.evaluated
        return Survivors(ids[order], rows[order], held[order], finite, whole, evaluated)


class _Walk:
    """A walk over choices; where there is no quick look, the records innermost but one are compared with each other."""

    def __init__(self, found: _Found, plan: Plan, records: int) -> None:
        self._plan, self._found, self._choices = plan, found, found.choices
        choices, values, box = found.choices, plan.values, plan.box
        self._names = list(dict.fromkeys([*choices.columns, *choices.leaves, *found.watched]))
        self._looked_at = tuple(dict.fromkeys([*choices.columns, *found.watched]))
        # where one that decides is nan, a choice is gone; one that does not is put aside
        self._whole = [name for k, name in enumerate(choices.columns) if k not in choices.decides]
        # a cut put together may be nan where the formula, which is written otherwise, is not: then its values decide
        fatal = {leaf for cut in choices.cuts if cut.is_fatal and not cut.is_exact for leaf in cut.leaves}
        self._unknown = [leaf for leaf in choices.leaves if leaf in fatal and values[leaf].kind == "float"]
        inside = 1 + records
        is_whole = len(box.sizes) >= inside and box.extents[-inside:] == box.sizes[-inside:]
        self._siblings = prod(box.sizes[-inside:-1]) if records and is_whole else 1
        of_records = set(range(len(box.sizes) - inside, len(box.sizes) - 1))
        spread = [{a for leaf in cut.leaves for a in values[leaf].axes} for cut in choices.cuts]
        self._alike = np.array(
            [c.is_exact or not s & of_records for c, s in zip(choices.cuts, spread, strict=True)], np.bool_
        )
        self._local = threading.local()

    def fold(self, worker: Worker, run: range) -> None:
        """Take in the choices of these blocks."""
        local = self._local
        if not hasattr(local, "room"):
            local.room = _Room(worker, self._choices, self._siblings, self._found.screens)
        found = self._found.take()
        for block in run:
            if worker.visit(block) and not self._sifted(worker, block, found, local.room):
                self._take_in(worker, block, found, local.room)
        self._found.give_back(found)

    def _sifted(self, worker: Worker, block: int, found: _Thread, room: _Room) -> bool:
        """Take in a block where it lies, if none of it is to be put aside, and what is watched is as expected."""
        if room.walk is None:
            return False
        ends = {name: ends_of(*end, worker.dtype(name)) for name, end in worker.ends(self._looked_at).items()}
        for name in [name for name, end in ends.items() if not self._is_as_expected(name, end)]:
            if worker.held < worker.points:  # perhaps because of choices that do not hold
                ends[name] = _extremes(worker.column(name))
            if not self._is_as_expected(name, ends[name]):
                return False
        for name in self._found.watched:
            found.watch(name, ends[name]._replace(unsure=ends[name].low > ends[name].high), ends[name])
        room.walk.enter_visited(block)
        points = self._plan.box.points
        while not room.walk.done:
            count = room.walk.sift(found.sieve.screen(room.walk.seen), room.rows, room.ids)
            walked, every = room.ids[:count], np.arange(count)
            leaves = {name: worker.pick(name, walked - block * points) for name in self._choices.leaves}
            found.sieve.fold(room.rows[:count], self._choices.leaf_rows(leaves, every), walked)
        return True

    def _is_as_expected(self, name: str, ends: Interval) -> bool:
        """Whether nothing is to be put aside for what a value lies between, and no expectation was wrong."""
        if not (isfinite(ends.low) and isfinite(ends.high)) and not ends.low > ends.high:
            return False
        if ends.unsure and name in self._whole:
            return False
        expected = self._found.watched.get(name)
        return expected is None or lies_within(ends, expected)

    def _take_in(self, worker: Worker, block: int, found: _Thread, room: _Room) -> None:
        """Take in a block of any numbers."""
        read = room.read(worker, self._names)
        for name in self._found.watched:
            found.watch(name, extremes(read[name], finite=True), _extremes(read[name]))
        columns = room.columns[:, : worker.held]
        finite = np.ones(worker.held, np.bool_)
        for column, name, sign in zip(columns, self._choices.columns, self._choices.signs, strict=True):
            np.multiply(read[name], sign, out=column)
            finite &= np.isfinite(column)
        leaves = {name: bits(read[name]) for name in self._choices.leaves}
        walked = worker.walk_ids(block)
        if not finite.all():
            self._put_aside(columns, leaves, walked, finite, found)
        if self._found.screens:
            near = found.sieve.screened(columns)
            picked = near[finite[near]].astype(np.int64)
        else:
            picked = np.flatnonzero(finite & self._among_siblings(worker, columns, finite, room))
        rows = np.ascontiguousarray(columns[:, picked].T)
        found.sieve.fold(rows, self._choices.leaf_rows(leaves, picked), walked[picked])

    def _among_siblings(self, worker: Worker, columns: Floats, finite: Bools, room: _Room) -> Bools:
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
            self._plan.box.sizes[-1],
            room.remover,
            room.rested,
            self._choices.least,
            self._choices.strict,
            self._alike,
            left,
        )
        return left[positions]

    def _put_aside(self, columns: Floats, leaves: Mapping[str, Ints], walked: Ints, finite: Bools, to: _Thread) -> None:
        """What is not finite is no better and no worse; what an objective or condition has no use for is gone."""
        odd = np.flatnonzero(~finite)
        gone = np.isnan(columns[:, odd][self._choices.decides]).any(axis=0)
        for name in self._unknown:
            gone |= np.isnan(leaves[name][odd].view(np.float64))
        odd = odd[~gone]
        if len(odd):
            to.aside.append((columns[:, odd].T, self._choices.leaf_rows(leaves, odd), walked[odd]))


class _Room:
    """What a worker needs to take in its blocks: room, and which record removed most of each other one lately."""

    def __init__(self, worker: Worker, choices: Choices, siblings: int, screens: bool) -> None:
        self.walk: Walk | None = None
        if screens:
            self.walk = worker.walk(choices.columns, choices.signs, each_other=False)
        self.rows, self.ids = np.empty((ROOM, len(choices.columns))), np.empty(ROOM, np.int64)
        self.remover, self.rested = np.full(siblings, -1, np.int64), np.full(siblings, SELDOM, np.int64)
        self.columns = np.empty((len(choices.columns), 0))
        self._values: dict[str, npt.NDArray[Any]] = {}

    def read(self, worker: Worker, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
        """These values of the choices of a block."""
        if self.columns.shape[1] < worker.held:
            self.columns = np.empty((len(self.columns), worker.points))
            self._values = {name: np.empty(worker.points, worker.dtype(name)) for name in names}
        found = {name: self._values[name][: worker.held] for name in names}
        worker.read(found)
        return found

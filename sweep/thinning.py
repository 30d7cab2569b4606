"""A space with the choices left out that cannot matter to a question, before any design is evaluated.

An axis that nothing asked for depends on is not walked. Of a record, or of a shape put together from several axes, only
those choices stay that no other is certain to beat (sweep.cuts says what certain means, kernels.sifting applies it).
They become one axis of a smaller space, whose designs are the same designs with the same numbers to the last bit, and
whose frontier is the frontier of the whole: what was left out is beaten by what is left, strictly, and designs that
agree in everything a question sees are kept together under one place of the axis and come out again at the end.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.graph import Metric
from kernels.intervals import ANYTHING, Interval
from kernels.language import Formula, names_in
from kernels.pareto import RunningFrontier
from kernels.quantiles import quantile_of
from kernels.zorder import z_order
from sweep.cuts import MOST_CUTS, Cut, TooLarge
from sweep.designs import places
from sweep.evaluator import Evaluator
from sweep.execute import Worker, chunks, each
from sweep.grouping import best_group
from sweep.listed import Points
from sweep.plan import REPEATED, Plan
from sweep.question import Finding, Members, Question, Thinned, targets, untouched
from sweep.ranges import NOTHING, around, extremes, lies_within
from sweep.space import Axis, Space
from sweep.survivors import MOST_SIBLINGS, Survivors, survivors

Ints = npt.NDArray[np.int64]

LARGEST_SCAN = 1 << 26  # a space of fewer points is walked sooner than it is thought about
SHORTEST_THOUGHT = 0.5  # seconds that a walk is expected to take on one core, up to which it is sooner done too
LEAST_GUESSED = 1 << 20  # choices of a group of which not all are looked at to know what its values lie between
SAMPLE = 1 << 12  # of them that are
TRIED = 1 << 14  # designs of a long axis by which each of its places may be seen to be needed
MOST_DESIGNS = 32  # beside which all places of an axis are tried
WIDER = 0.1  # by which share of its ends a guess is wider than the sample


def thinned(space: Space, threads: int | None = None, least: int | None = None) -> Thinned:
    """The smallest space that has the same frontier, as far as can be shown and is worth the time.

    Axes of a space of fewer points than least are not put together; LARGEST_SCAN unless given.
    """
    least = LARGEST_SCAN if least is None else least
    found = untouched(space)
    if not _is_reasonable(space):
        return found
    question = Question(found)
    needed = _all_needed(question)
    for axis in [axis.name for axis in space.axes if axis.name not in needed]:
        if not question.found.points:  # no choice along some axis meets the conditions
            return question.found
        smaller = _alone(question, axis, threads)
        question = Question(smaller) if smaller.points < question.found.points else question
    while question.found.points and (group := best_group(question, least)) is not None:
        smaller = _sifted(question, group, threads)
        if smaller.points >= question.found.points:
            return replace(question.found, evaluated=smaller.evaluated)
        question = Question(smaller)
    return question.found


def is_walked(plan: Plan) -> bool:
    """Whether a space, as its objectives would be computed, is walked sooner than it is thought about."""
    return plan.points <= LARGEST_SCAN or plan.points * plan.nanoseconds_a_design <= 1e9 * SHORTEST_THOUGHT


def of_records(space: Space, threads: int | None = None) -> Thinned | None:
    """A space with its records put together and sifted, and without the axes that nothing asked for depends on.

    What is left has few choices of records with values that are not known, and was soon found. None where none is left.
    """
    if not _is_reasonable(space):
        return None
    question = Question(untouched(space))
    for axis in [axis.name for axis in space.axes]:
        index = next(k for k, a in enumerate(question.space.axes) if a.name == axis)
        if not question.group(frozenset([index]), question.ranges).leaves:
            question = Question(_alone(question, axis, threads))
        if not question.found.points:  # no choice along some axis meets the conditions
            return question.found
    records = frozenset(k for k, axis in enumerate(question.space.axes) if axis.is_words)
    if records and prod(len(question.space.axes[k]) for k in records) <= MOST_SIBLINGS:
        return _sifted(question, records, threads)
    return question.found


def _is_reasonable(space: Space) -> bool:
    """Whether there are designs, and what is asked is computed design by design, as a quantile is not."""
    plan = Plan(space, [target.name for target in targets(space) if not target.is_condition])
    return plan.points > 0 and not any(v.node and quantile_of(v.node.formula) for v in plan.values.values())


def _all_needed(question: Question) -> set[str]:
    """Axes of which each place is seen to be as good as no other: in some design, whatever else is the same.

    None of these can be left out, and to see it takes less than to look for what is certain.
    """
    space, draw = question.space, np.random.default_rng(TRIED)
    tried = [k for k, axis in enumerate(space.axes) if 1 < len(axis) <= TRIED and not question.inside(frozenset([k]))]
    sizes = np.array([len(axis) for axis in space.axes])
    places: list[Ints] = []
    for k in tried:
        count = min(MOST_DESIGNS, max(1, TRIED // sizes[k]))
        designs = np.repeat(draw.integers(sizes[:, None], size=(len(sizes), count)), sizes[k], axis=1)
        designs[k] = np.arange(designs.shape[1]) % sizes[k]
        places.append(designs)
    if not places:
        return set()
    signs = {target.name: target.sign for target in question.targets if not target.is_condition}
    at = np.concatenate(places, axis=1)
    values = np.full((at.shape[1], len(signs)), np.nan)
    for found, positions in Points(space, list(signs)).at(at):
        values[positions] = np.stack([sign * found[name] for name, sign in signs.items()], axis=1)
    ends = np.cumsum([designs.shape[1] for designs in places])
    return {
        space.axes[k].name
        for k, of_axis in zip(tried, np.split(values, ends[:-1]), strict=True)
        if _is_each_needed(of_axis.reshape(-1, sizes[k], len(signs)))
    }


def _is_each_needed(values: npt.NDArray[np.float64]) -> bool:
    """Whether each choice is in one of values[designs, choices, k] at least as good as no other."""
    needed = np.zeros(values.shape[1], np.bool_)
    for rows in values:
        frontier = RunningFrontier(values.shape[2], ties="one")
        frontier.fold(rows, np.arange(len(rows)))
        needed[frontier.ids[frontier.counts == 1]] = True
        if needed.all():
            return True
    return False


def _alone(question: Question, name: str, threads: int | None) -> Thinned:
    """A space with one of its axes thinned by itself: to one place if nothing depends on it."""
    found = question.found
    index = next(k for k, axis in enumerate(found.space.axes) if axis.name == name)
    axis = found.space.axes[index]
    if len(axis) == 1:
        return found
    group = question.group(frozenset([index]), question.ranges)
    if not group.leaves and not question.inside(frozenset([index])):
        together = Members(np.array([0, len(axis)], np.int64), np.sort(found.members[index].ids))
        if found.members[index].counts.max(initial=1) > 1:
            together = Members(
                np.array([0, len(found.members[index].ids)], np.int64), np.sort(found.members[index].ids)
            )
        return _replaced(found, [index], axis.take(np.array([0])), together, Finding((name,), len(axis), 1, {}), 0)
    return _sifted(question, frozenset([index]), threads)


def _replaced(
    found: Thinned, axes: Sequence[int], axis: Axis, members: Members, finding: Finding, evaluated: int,
    conditions: Sequence[int] = (),
) -> Thinned:  # fmt: skip
    """A space with some axes replaced by one, at the place of the first."""
    kept = [k for k in range(len(found.space.axes)) if k not in axes or k == axes[0]]
    moved = set(axis.sets).union(*(other.sets for k, other in enumerate(found.space.axes) if k not in axes))
    fixed = {n: v for n, v in (dict(found.space.fixed) | found.space.constants).items() if n not in moved}
    space = replace(
        found.space,
        axes=tuple(axis if k == axes[0] else found.space.axes[k] for k in kept),
        fixed=fixed,
        conditions=tuple(c for k, c in enumerate(found.space.conditions) if k not in conditions),
    )
    names = dict(found.names)
    names[axis.name] = tuple(n for k in axes for n in found.names[found.space.axes[k].name])
    return Thinned(
        space,
        tuple(members if k == axes[0] else found.members[k] for k in kept),
        (*found.findings, finding) if finding.left < finding.choices else found.findings,
        found.evaluated + evaluated,
        names,
        found.extremes,
    )


# ------------------------------------------------------------------------------------------------------------ sifting


def _sifted(question: Question, axes: frozenset[int], threads: int | None) -> Thinned:
    """A space with these axes made one, on which only those choices are left that are not certain to be beaten."""
    found, order = question.found, sorted(axes)
    group = question.group(axes, question.ranges)
    if len(group.leaves) > 2 * MOST_CUTS:
        return found
    try:
        sifted = _walked(question, axes, group.leaves, threads)
    except TooLarge:
        return found
    if sifted is None:
        return found
    subspace, left, seen = sifted
    survivors, cut_rows, leaf_rows = left.ids, left.cuts, left.leaves
    first, starts, member_rows = _classes(cut_rows, leaf_rows)
    if len(order) > 1 and len(first):  # what is alike in every cut stands together: runs of it have narrow bounds
        along = z_order(np.ascontiguousarray(cut_rows[first]))
        lengths = np.diff(starts)[along]
        member_rows = np.concatenate([member_rows[starts[k] : starts[k + 1]] for k in along])
        first, starts = first[along], np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    at = places(subspace, survivors)
    ids, offsets = _member_ids(found, order, at, starts, member_rows)
    sets = _leaf_values(question, axes, [place[first] for place in at], group.leaves)
    name = "+".join(found.space.axes[k].name for k in order)
    row = np.arange(len(first))
    axis = Axis(name, (), sets, row, max(1, len(row)))
    if len(order) == 1:  # as it was, with fewer places
        old = found.space.axes[order[0]]
        axis = replace(old.take(at[0][first]), sets={n: v[at[0][first]] for n, v in old.sets.items()})
    choices = prod(len(axis) for axis in subspace.axes)
    gone = {
        a.name: tuple(a.labels[i] for i in sorted(set(range(len(a))) - set(place.tolist())))
        for a, place in zip(subspace.axes, at, strict=True)
        if a.is_words
    }
    finding = Finding(tuple(n for k in order for n in found.names[found.space.axes[k].name]), choices, len(first), gone)
    smaller = _replaced(found, order, axis, Members(offsets, ids), finding, seen, question.inside(axes))
    return smaller if len(first) < choices else replace(found, evaluated=smaller.evaluated)


def _walked(
    question: Question, axes: frozenset[int], leaves: Sequence[str], threads: int | None
) -> tuple[Space, Survivors, int] | None:
    """A group's choices, those that are left, and how many were evaluated; None where nothing is known of any cut.

    What its cuts mean depends on what its values lie between. Of a large group that is guessed, and looked at while it
    is sifted: a guess that was right is as good as what is known, and spares a walk.
    """
    subspace = question.subspace(axes)
    plan = Plan(subspace, leaves, patience=REPEATED)
    evaluator = Evaluator(plan)
    tables = _tables(plan, evaluator, leaves)
    finite = {name: extremes(values, finite=True) for name, values in tables.items()}
    whole = {name: extremes(values) for name, values in tables.items()}
    streamed = [name for name in leaves if name not in finite]
    guess = _guessed(subspace, streamed) if streamed and plan.points >= LEAST_GUESSED else None
    seen = 0
    while True:
        if streamed and guess is None:
            some, every = _ranges_of_walk(evaluator, streamed, threads)
            seen += plan.points
        else:
            some, every = guess or ({}, {})
        known = question.ranges.with_found(finite | some), question.ranges.with_found(whole | every)
        cuts = question.group(axes, *known).cuts
        if all(cut.direction == 0 for cut in cuts) and len(axes) == 1 and not question.inside(axes):
            return None
        choices, columns = _subspace(question, axes, cuts)
        left = survivors(choices, cuts, columns, guess[1] if guess else {}, tables, threads)
        seen += left.evaluated
        pairs = [(left.finite, some), (left.whole, every)] if guess else []
        if all(lies_within(found[name], ends[name]) for found, ends in pairs for name in streamed):
            return choices, left, seen
        guess = None


def _subspace(question: Question, axes: frozenset[int], cuts: Sequence[Cut]) -> tuple[Space, list[str]]:
    """The choices, with a metric for every cut that is put together; and the columns that hold the cuts."""
    metrics, columns = [], []
    for k, cut in enumerate(cuts):
        if isinstance(cut.expression, ast.Name):
            columns.append(cut.expression.id)
            continue
        names = sorted(names_in(cut.expression) & question.spread.keys())
        formula = Formula(f"_cut_{k}", tuple(names), (), cut.expression)
        metrics.append(Metric(formula.name, "", "", "a cut", formula))
        columns.append(formula.name)
    return question.subspace(axes, metrics), columns


def _tables(plan: Plan, evaluator: Evaluator, leaves: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Those values of a group that are tables."""
    found: dict[str, npt.NDArray[Any]] = {}
    for name in leaves:
        value = plan.values[name]
        if value.is_table:
            place = evaluator.place(name)
            cells = evaluator.tables[place : place + prod(plan.box.sizes[a] for a in value.axes)]
            found[name] = cells.view(np.float64) if value.kind == "float" else cells
    return found


def _ranges_of_walk(
    evaluator: Evaluator, streamed: Sequence[str], threads: int | None
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """The extremes of the others, found by looking at all choices: finite ones and all."""

    def extent(worker: Worker, run: range) -> list[tuple[Interval, Interval]]:
        ends = [(NOTHING, NOTHING)] * len(streamed)
        for block in run:
            if worker.visit(block):
                for k, name in enumerate(streamed):
                    column = worker.column(name)
                    found = extremes(column, finite=True)
                    every = extremes(column) if found.unsure or not np.isfinite(column).all() else found
                    some = ends[k][0] if found.unsure else around(ends[k][0], found)
                    ends[k] = some, around(ends[k][1], every)
        return ends

    finite, whole = dict.fromkeys(streamed, NOTHING), dict.fromkeys(streamed, NOTHING)
    for ends in each(evaluator, extent, chunks(evaluator.plan), threads):
        for name, (some, every) in zip(streamed, ends, strict=True):
            finite[name], whole[name] = around(finite[name], some), around(whole[name], every)
    for found in finite, whole:
        found.update({name: ANYTHING for name, ends in found.items() if not ends.low <= ends.high})
    return finite, whole


def _guessed(subspace: Space, streamed: Sequence[str]) -> tuple[dict[str, Interval], dict[str, Interval]] | None:
    """What values of a group seem to lie between, by its corners and a sample: finite ones, all. None where none is."""
    sizes = [len(axis) for axis in subspace.axes]
    corners = [np.array(at) for at in islice(product(*({0, size - 1} for size in sizes)), SAMPLE)]
    drawn = np.random.default_rng(SAMPLE).integers(np.array(sizes)[:, None], size=(len(sizes), SAMPLE))
    at = np.concatenate([np.stack(corners, axis=1), drawn], axis=1)
    finite, whole = dict.fromkeys(streamed, NOTHING), dict.fromkeys(streamed, NOTHING)
    for values, _ in Points(subspace, streamed).at(at):
        for name in streamed:
            some, every = extremes(values[name], finite=True), extremes(values[name])
            finite[name] = finite[name] if some.unsure else around(finite[name], some)
            whole[name] = around(whole[name], every)
    if not all(ends.low <= ends.high for ends in finite.values()):
        return None
    return {n: _wider(e) for n, e in finite.items()}, {n: _wider(e) for n, e in whole.items()}


def _wider(ends: Interval) -> Interval:
    return Interval(ends.low - WIDER * abs(ends.low), ends.high + WIDER * abs(ends.high), ends.unsure)


def _classes(cuts: npt.NDArray[np.float64], leaves: Ints) -> tuple[Ints, Ints, Ints]:
    """Rows that agree in all bits, together: the first of each class, where each starts, and all rows by class."""
    bits = np.concatenate([cuts.view(np.int64).reshape(cuts.shape), leaves], axis=1)
    if not bits.shape[1]:  # nothing of the group is seen: all are one
        starts = np.array([0, len(cuts)] if len(cuts) else [0], np.int64)
        return np.zeros(len(starts) - 1, np.int64), starts, np.arange(len(cuts), dtype=np.int64)
    order = np.lexsort((np.arange(len(bits)), *bits.T))
    fresh = np.ones(len(bits), bool)
    fresh[1:] = (bits[order[1:]] != bits[order[:-1]]).any(axis=1)
    starts = np.append(np.flatnonzero(fresh), len(bits))
    by_first = np.argsort(order[starts[:-1]], kind="stable")
    lengths = np.diff(starts)[by_first]
    rows = np.concatenate([order[starts[k] : starts[k + 1]] for k in by_first]) if len(by_first) else order
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return rows[offsets[:-1]], offsets, rows


def _member_ids(found: Thinned, axes: Sequence[int], at: Sequence[Ints], starts: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """The designs behind each class: all combinations of those behind the places of each of its rows."""
    if all(found.members[k].counts.max(initial=1) == 1 for k in axes):
        ids = np.zeros(len(rows), np.int64)
        for k, place in zip(axes, at, strict=True):
            ids += found.members[k].first[place[rows]]
        return _sorted_runs(ids, starts)
    runs = []
    for row in rows:
        ids = np.zeros(1, np.int64)
        for k, place in zip(axes, at, strict=True):
            members = found.members[k]
            part = members.ids[members.starts[place[row]] : members.starts[place[row] + 1]]
            ids = (ids[:, None] + part).reshape(-1)
        runs.append(ids)
    lengths = np.array([len(run) for run in runs], np.int64)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return _sorted_runs(np.concatenate(runs) if runs else np.empty(0, np.int64), ends[starts])


def _sorted_runs(ids: Ints, starts: Ints) -> tuple[Ints, Ints]:
    """The ids of every run in ascending order."""
    run = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return ids[np.lexsort((ids, run))], starts


def _leaf_values(
    question: Question, axes: frozenset[int], at: Sequence[Ints], leaves: Sequence[str]
) -> dict[str, npt.NDArray[Any]]:
    """The values of a group, computed at some of its choices."""
    subspace = replace(question.subspace(axes), conditions=())
    sets: dict[str, Any] = {}
    for axis, place in zip(subspace.axes, at, strict=True):
        sets |= {name: values[place] for name, values in axis.sets.items()}
    count = len(at[0])
    row = np.arange(count)
    listed = replace(subspace, axes=(Axis("row", (), sets, row, max(1, count)),))
    plan = Plan(listed, leaves, patience=REPEATED)
    worker = Worker(Evaluator(plan))
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in leaves}
    with np.errstate(all="ignore"):
        for block in range(plan.box.blocks if count else 0):
            worker.visit(block)
            for name in leaves:
                parts[name].append(worker.column(name))
    empty = {name: np.empty(0, worker.dtype(name)) for name in leaves}
    return {name: np.concatenate([empty[name], *parts[name]]) for name in leaves}

"""A space with the choices left out that cannot matter to a question, before any design is evaluated.

An axis that nothing asked for depends on is not walked. Of a record, or of a shape put together from several axes, only
those choices stay that no other is certain to beat (sweep.cuts says what certain means, kernels.sifting applies it).
They become one axis of a smaller space, whose designs are the same designs with the same numbers to the last bit, and
whose frontier is the frontier of the whole: what was left out is beaten by what is left, strictly, and designs that
agree in everything a question sees are kept together under one place of the axis and come out again at the end.
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.boxtree import z_order
from kernels.graph import Metric
from kernels.intervals import Interval
from kernels.language import Formula
from kernels.quantiles import quantile_of
from kernels.sifting import SELDOM, Sieve, among_siblings, stand_up
from sweep.cuts import MOST_CUTS, Cut, TooLarge
from sweep.designs import places
from sweep.evaluator import Evaluator
from sweep.execute import Worker, chunks, design_ids, each
from sweep.grouping import best_group
from sweep.plan import REPEATED, Plan
from sweep.question import Finding, Members, Question, Thinned, targets, untouched
from sweep.ranges import extremes
from sweep.space import Axis, Space

Ints = npt.NDArray[np.int64]

LARGEST_SCAN = 1 << 26  # a space of fewer points is walked sooner than it is thought about
MOST_SIBLINGS = 1 << 12  # records that are compared with each other before anything else


def thinned(space: Space, threads: int | None = None, least: int | None = None) -> Thinned:
    """The smallest space that has the same frontier, as far as can be shown and is worth the time.

    Axes of a space of fewer points than least are not put together; LARGEST_SCAN unless given.
    """
    least = LARGEST_SCAN if least is None else least
    found = untouched(space)
    if not _is_reasonable(space):
        return found
    question = Question(found)
    for axis in [axis.name for axis in space.axes]:
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
    )


# ------------------------------------------------------------------------------------------------------------ sifting


def _sifted(question: Question, axes: frozenset[int], threads: int | None) -> Thinned:
    """A space with these axes made one, on which only those choices are left that are not certain to be beaten."""
    found, order = question.found, sorted(axes)
    group = question.group(axes, question.ranges)
    if len(group.leaves) > 2 * MOST_CUTS:
        return found
    finite, whole, seen = _leaf_ranges(question, axes, group.leaves, threads)
    group = question.group(axes, question.ranges.with_found(finite), question.ranges.with_found(whole))
    try:
        cuts = group.cuts
    except TooLarge:
        return found
    if all(cut.direction == 0 for cut in cuts) and len(axes) == 1 and not question.inside(axes):
        return found
    subspace, columns = _subspace(question, axes, cuts)
    survivors, cut_rows, leaf_rows = _survivors(subspace, cuts, columns, threads)
    seen += prod(len(axis) for axis in subspace.axes)
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


def _subspace(question: Question, axes: frozenset[int], cuts: Sequence[Cut]) -> tuple[Space, list[str]]:
    """The choices, with a metric for every cut that is put together; and the columns that hold the cuts."""
    metrics, columns = [], []
    for k, cut in enumerate(cuts):
        if isinstance(cut.expression, ast.Name):
            columns.append(cut.expression.id)
            continue
        names = sorted({n.id for n in ast.walk(cut.expression) if isinstance(n, ast.Name)} & question.spread.keys())
        formula = Formula(f"_cut_{k}", tuple(names), (), cut.expression)
        metrics.append(Metric(formula.name, "", "", "a cut", formula))
        columns.append(formula.name)
    return question.subspace(axes, metrics), columns


def _leaf_ranges(
    question: Question, axes: frozenset[int], leaves: Sequence[str], threads: int | None
) -> tuple[dict[str, Interval], dict[str, Interval], int]:
    """The extremes of the values of a group over its own choices: finite ones and all; how many choices that took."""
    subspace = question.subspace(axes)
    plan = Plan(subspace, leaves, patience=REPEATED)
    evaluator = Evaluator(plan)
    finite: dict[str, Interval] = {}
    whole: dict[str, Interval] = {}
    streamed: list[str] = []
    for name in leaves:
        value = plan.values[name]
        if not value.is_table:
            streamed.append(name)
            continue
        place = evaluator.place(name)
        cells = evaluator.tables[place : place + prod(plan.box.sizes[a] for a in value.axes)]
        held = cells.view(np.float64) if value.kind == "float" else cells
        finite[name], whole[name] = extremes(held, finite=True), extremes(held)
    if not streamed:
        return finite, whole, 0

    def extent(worker: Worker, run: range) -> list[tuple[Interval, Interval]]:
        ends = [(NOTHING, NOTHING)] * len(streamed)
        for block in run:
            if worker.visit(block):
                for k, name in enumerate(streamed):
                    column = worker.column(name)
                    found = extremes(column, finite=True)
                    every = extremes(column) if found.unsure or not np.isfinite(column).all() else found
                    some = ends[k][0] if found.unsure else _around(ends[k][0], found)
                    ends[k] = some, _around(ends[k][1], every)
        return ends

    for ends in each(evaluator, extent, chunks(plan), threads):
        for name, (some, every) in zip(streamed, ends, strict=True):
            finite[name] = _around(finite.get(name, NOTHING), some)
            whole[name] = _around(whole.get(name, NOTHING), every)
    for name in streamed:
        if not finite[name].low <= finite[name].high:
            finite[name] = Interval(-np.inf, np.inf, True)
        if not whole[name].low <= whole[name].high:
            whole[name] = Interval(-np.inf, np.inf, True)
    return finite, whole, plan.points


NOTHING = Interval(np.inf, -np.inf)


def _around(a: Interval, b: Interval) -> Interval:
    """What lies in either."""
    return Interval(min(a.low, b.low), max(a.high, b.high), a.unsure or b.unsure)


def _bits(values: npt.NDArray[Any]) -> Ints:
    """Values as whole numbers that are equal when they are the same to the bit."""
    return values.view(np.int64) if values.dtype == np.float64 else values.astype(np.int64)


def _survivors(
    subspace: Space, cuts: Sequence[Cut], columns: Sequence[str], threads: int | None
) -> tuple[Ints, npt.NDArray[np.float64], Ints]:
    """Ids, within the subspace, of the choices that are left, by id; their cuts, less being better; their leaves."""
    together = [(k, leaf) for k, cut in enumerate(cuts) if not cut.is_exact for leaf in cut.leaves]
    leaves = list(dict.fromkeys(leaf for _, leaf in together))
    least = np.array([cut.least for cut in cuts])
    strict = np.array([cut.strict if cut.direction else np.nan for cut in cuts])
    signs = [float(cut.direction or 1) for cut in cuts]
    owner = np.array([k for k, _ in together], np.int64)
    place = np.array([leaves.index(leaf) for _, leaf in together], np.int64)
    decides = [k for k, cut in enumerate(cuts) if cut.is_fatal and cut.is_exact]
    # a cut put together may be nan where the formula, which is written otherwise, is not: then its values decide
    fatal = {leaf for cut in cuts if cut.is_fatal and not cut.is_exact for leaf in cut.leaves}
    records = [k for k, axis in enumerate(subspace.axes) if axis.is_words and len(axis) > 1]
    siblings = prod(len(subspace.axes[k]) for k in records)
    records = records if 1 < siblings <= MOST_SIBLINGS else []
    plan = Plan(subspace, [*columns, *leaves], innermost=records, patience=REPEATED)
    unknown = [m for m, leaf in enumerate(leaves) if leaf in fatal and plan.values[leaf].kind == "float"]
    evaluator = Evaluator(plan)
    local = threading.local()
    sieves: list[Sieve] = []
    aside: list[tuple[npt.NDArray[np.float64], Ints, Ints]] = []

    def fold(worker: Worker, run: range) -> None:
        if not hasattr(local, "sieve"):
            local.sieve = Sieve(least, strict, owner)
            sieves.append(local.sieve)
            local.remover = np.full(siblings, -1, np.int64), np.full(siblings, SELDOM, np.int64)
        for block in run:
            count = worker.visit(block)
            if not count:
                continue
            ids = worker.walk_ids(block)
            held = np.empty((len(columns), count))
            for k, name in enumerate(columns):
                held[k] = worker.column(name)
                if signs[k] < 0.0:
                    np.negative(held[k], out=held[k])
            bits = np.empty((len(leaves), count), np.int64)
            for m, name in enumerate(leaves):
                bits[m] = _bits(worker.column(name))
            rows, row_leaves = np.empty((count + 1, len(columns))), np.empty((count + 1, len(owner)), np.int64)
            picked = np.empty(count + 1, np.int64)
            finite = stand_up(held, bits, place, rows, row_leaves, picked)
            if (
                finite < count
            ):  # what is not finite is no better and no worse; what an objective or condition has no use for is gone
                gone = np.isnan(held[decides]).any(axis=0) | np.isnan(bits[unknown].view(np.float64)).any(axis=0)
                if finite + int(gone.sum()) < count:
                    odd = ~np.isfinite(held).all(axis=0) & ~gone
                    aside.append((held[:, odd].T, bits[:, odd].T[:, place], ids[odd]))
            rows, row_leaves, picked = rows[:finite], row_leaves[:finite], picked[:finite]
            if records:
                tile, sibling = np.divmod(worker.positions[picked].astype(np.int64), siblings)
                remover, rested = local.remover
                left = among_siblings(rows, row_leaves, tile, sibling, remover, rested, least, strict, owner)
                rows, row_leaves, picked = rows[left], row_leaves[left], picked[left]
            local.sieve.fold(rows, row_leaves, ids[picked])

    runs = list(chunks(plan, plan.box.points))  # in no order: along an axis that improves things all would stay a while
    np.random.default_rng(len(runs)).shuffle(runs)
    for _ in each(evaluator, fold, runs, threads):
        pass
    merged = Sieve(least, strict, owner)
    for sieve in sieves:
        merged.merge(sieve)
    rows, held, walked = (np.concatenate(parts) for parts in zip(merged.result(), *aside, strict=True))
    ids = design_ids(plan, walked)
    order = np.argsort(ids, kind="stable")
    return ids[order], rows[order], held[order]


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

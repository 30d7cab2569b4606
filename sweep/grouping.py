"""Which axes of a question are worth putting together, judged by a sample before anything is sifted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.graph import Metric
from kernels.intervals import Interval, evaluate
from kernels.sifting import Sieve
from sweep.cuts import TooLarge
from sweep.evaluator import Evaluator
from sweep.execute import Worker
from sweep.plan import Plan
from sweep.question import Question
from sweep.ranges import Ranges, extremes
from sweep.space import Axis, Space

Ints = npt.NDArray[np.int64]

LARGEST_GROUP = 1 << 32  # choices that are sifted: some ten nanoseconds each
SAMPLE = 512  # choices by which a group is judged before it is sifted


def best_group(question: Question, least: int) -> frozenset[int] | None:
    """The axes that are worth putting together: what sifting them and walking the rest costs least; None for none."""
    found = question.found
    long = [k for k, axis in enumerate(found.space.axes) if len(axis) > 1]
    if len(long) < 2 or found.points < least:
        return None
    ranges, sample = _sampled(question)
    best: tuple[float, frozenset[int]] | None = None
    for left_out in (1, 2):
        for rest in combinations(long, left_out):
            axes = frozenset(long) - frozenset(rest)
            choices = prod(len(found.space.axes[k]) for k in axes)
            if not 1 < choices <= LARGEST_GROUP or not axes:
                continue
            cost = choices + found.points * _share_left(question, axes, ranges, sample, choices)
            if best is None or cost < best[0]:
                best = cost, axes
    if best is None or best[0] > found.points / 2:
        return None
    return best[1]


def _sampled(question: Question) -> tuple[Ranges, dict[str, npt.NDArray[Any]]]:
    """Every value of a question at some designs drawn at random, and the ranges these span."""
    draw = np.random.default_rng(20_240_229)
    space = question.space
    at = [draw.integers(len(axis), size=SAMPLE) for axis in space.axes]
    sets: dict[str, Any] = {}
    for axis, place in zip(space.axes, at, strict=True):
        sets |= {name: values[place] for name, values in axis.sets.items()}
    row = np.arange(SAMPLE)
    fixed = {name: value for name, value in (dict(space.fixed) | space.constants).items() if name not in sets}
    conditions = {c: replace(condition.formula, name=c) for c, condition in _named(space).items()}
    extra = [Metric(name, "", "", "a condition", formula) for name, formula in conditions.items()]
    listed = replace(
        space,
        axes=(Axis("row", (), sets, row, SAMPLE),),
        fixed=fixed,
        conditions=(),
        graph=space.graph.extended(extra, {}),
    )
    names = [name for name in question.plan.values if not name.startswith("#") and not name.startswith("_keep")]
    names = [name for name in names if name in listed.graph]
    plan = Plan(listed, names)
    worker = Worker(Evaluator(plan))
    with np.errstate(all="ignore"):
        worker.visit(0)
        found = {name: worker.column(name).copy() for name in names}
    return question.ranges.with_found({n: extremes(v, finite=True) for n, v in found.items()}), found


def _named(space: Space) -> dict[str, Any]:
    return {f"_where_{k}": condition for k, condition in enumerate(space.conditions)}


def _share_left(
    question: Question, axes: frozenset[int], ranges: Ranges, sample: Mapping[str, npt.NDArray[Any]], choices: int
) -> float:
    """The share of a group's choices that is likely to be left, judged by how fast that of a sample falls."""
    group = question.group(axes, ranges)
    try:
        cuts = group.cuts
    except TooLarge:
        return 1.0
    if not cuts:
        return 1.0 / choices
    if all(cut.direction == 0 for cut in cuts):
        return 1.0
    rows = np.empty((SAMPLE, len(cuts)))
    with np.errstate(all="ignore"):
        for k, cut in enumerate(cuts):
            scope = {name: Interval(sample[name], sample[name]) for name in cut.leaves}
            value = evaluate(cut.expression, scope, question.space.graph.words).low
            rows[:, k] = float(cut.direction or 1) * value
    keep = np.ones(SAMPLE, bool)
    for k in question.inside(axes):
        keep &= sample[f"_where_{k}"] != 0
    rows = rows[keep & np.isfinite(rows).all(axis=1)]
    if len(rows) < 32:
        return 1.0
    least = np.array([cut.least for cut in cuts])
    strict = np.array([cut.strict if cut.direction else np.nan for cut in cuts])

    def left(count: int) -> int:
        sieve = Sieve(least, strict, np.empty(0, np.int64))
        sieve.fold(np.ascontiguousarray(rows[:count]), np.empty((count, 0), np.int64), np.arange(count))
        return max(1, len(sieve.result()[2]))

    few = len(rows) // 4
    growth = float(np.log(left(len(rows)) / left(few)) / np.log(len(rows) / few))
    kept = keep.mean() * choices
    return float(min(1.0, left(len(rows)) / len(rows) * (kept / len(rows)) ** (min(1.0, growth) - 1.0)) * keep.mean())

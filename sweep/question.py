"""What a question asks of a space: its targets, a plan for them, and the smaller spaces that ask the same.

A smaller space has fewer places on its axes, or fewer axes; which designs stand behind each place is kept beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, prod
from operator import is_
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.graph import Metric
from kernels.intervals import ANYTHING, Interval
from sweep.bounding import Bounding
from sweep.cuts import Group, Target
from sweep.evaluator import Evaluator
from sweep.execute import Worker
from sweep.halving import first_boxes
from sweep.plan import REPEATED, Plan
from sweep.ranges import NOTHING, Ranges, around, ends_of, extremes, plain
from sweep.space import Axis, Space

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Members:
    """The designs behind each place of an axis: what they add to a design id, in runs, the smallest first."""

    starts: Ints
    ids: Ints

    @classmethod
    def single(cls, ids: Ints) -> Members:
        """One design a place."""
        return cls(np.arange(len(ids) + 1, dtype=np.int64), ids)

    @property
    def counts(self) -> Ints:
        """How many there are at each place."""
        return np.diff(self.starts)

    @property
    def first(self) -> Ints:
        """The smallest at each place."""
        return self.ids[self.starts[:-1]]


@dataclass(frozen=True)
class Finding:
    """Of so many choices along some axes so many are left; gone are the records that none of these has."""

    axes: tuple[str, ...]
    choices: int
    left: int
    gone: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Thinned:
    """The smaller space, what its axes stand for, and how it came about.

    extremes are those of values that were looked at before, with the axes along which they vary.
    """

    space: Space
    members: tuple[Members, ...]
    findings: tuple[Finding, ...] = ()
    evaluated: int = 0
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # the axes of the spec in each axis
    extremes: dict[str, tuple[tuple[Axis, ...], Interval]] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """Points of the smaller space."""
        return prod(len(axis) for axis in self.space.axes)


def targets(space: Space) -> list[Target]:
    """What a question looks at."""
    asked = [Target(name, 1.0) for name in space.minimize] + [Target(name, -1.0) for name in space.maximize]
    return asked + [Target(f"_where_{k}", 1.0, True) for k in range(len(space.conditions))]


def untouched(space: Space) -> Thinned:
    """A space as it is."""
    kept = [axis.kept.astype(np.int64) * stride for axis, stride in zip(space.axes, space.id_strides, strict=True)]
    names = {axis.name: (axis.name,) for axis in space.axes}
    return Thinned(space, tuple(Members.single(ids) for ids in kept), names=names)


class Question:
    """A space's plan for its targets, what conditions lie within a group of axes, and what else is asked of it."""

    def __init__(self, found: Thinned) -> None:
        self.found, self.space = found, found.space
        self.targets = targets(self.space)
        asked = [target.name for target in self.targets if not target.is_condition]
        self.plan = Plan(self.space, asked, patience=inf)  # its tables are all that is read
        self.evaluator = Evaluator(self.plan)
        self.ranges = Ranges(self.evaluator, self.walked, self.in_boxes)
        self._boxed: dict[frozenset[int], dict[str, Interval]] = {}
        self.spread = {n: frozenset(self.plan.order[a] for a in v.axes) for n, v in self.plan.values.items()}

    def walked(self, name: str) -> Interval:
        """The extremes of a value over all choices along the axes it depends on."""
        if name.startswith("_"):
            return Interval(0.0, 1.0)
        axes = tuple(self.space.axes[k] for k in sorted(self.spread[name]))
        before = self.found.extremes.get(name)
        if before is not None and len(before[0]) == len(axes) and all(map(is_, before[0], axes)):
            return before[1]
        plan = Plan(replace(self.subspace(self.spread[name]), conditions=()), [name], patience=REPEATED)
        worker = Worker(Evaluator(plan))
        found = NOTHING
        with np.errstate(all="ignore"):
            for block in range(plan.box.blocks):
                worker.visit(block)
                if worker.evaluator.compiled:
                    found = around(found, ends_of(*worker.ends((name,))[name], worker.dtype(name)))
                else:
                    found = around(found, extremes(worker.column(name)))
        found = found if found.low <= found.high else ANYTHING
        self.found.extremes[name] = axes, found
        return found

    def in_boxes(self, name: str) -> Interval:
        """Bounds of a value over all choices along the axes it depends on, from those of boxes of them.

        Formulas read what goes together: of a large model both the parameters and those of its embedding are many.
        """
        spread = self.spread[name]
        if spread not in self._boxed:
            names = [n for n, axes in self.spread.items() if axes == spread and not n.startswith(("_", "#"))]
            bounding = Bounding(self.plan, self.evaluator, names)
            scope = bounding.read(first_boxes(self.space.axes, frozenset(range(len(self.space.axes))) - spread))
            bounding.follow(scope)
            ends = {n: (np.min(scope[n].low), np.max(scope[n].high), np.any(scope[n].unsure)) for n in names}
            self._boxed[spread] = {n: plain(Interval(*found)) for n, found in ends.items()}
        return self._boxed[spread][name]

    def inside(self, axes: frozenset[int]) -> list[int]:
        """The conditions that look at nothing outside these axes."""
        return [k for k in range(len(self.space.conditions)) if self.spread[f"_where_{k}"] <= axes]

    def group(self, axes: frozenset[int], ranges: Ranges, whole: Ranges | None = None) -> Group:
        """These axes, the conditions within them apart: those are met before anything else."""
        inside = {f"_where_{k}" for k in self.inside(axes)}
        return Group(self.plan, ranges, [t for t in self.targets if t.name not in inside], axes, whole)

    def subspace(self, axes: frozenset[int], metrics: Sequence[Metric] = ()) -> Space:
        """The choices along these axes alone, the others held at their first value."""
        fixed = dict(self.space.constants)
        moved = {name for k in axes for name in self.space.axes[k].sets}
        for k, axis in enumerate(self.space.axes):
            if k not in axes:
                fixed |= {name: values[0].item() for name, values in axis.sets.items()}
        return replace(
            self.space,
            axes=tuple(axis for k, axis in enumerate(self.space.axes) if k in axes),
            fixed={name: value for name, value in fixed.items() if name not in moved},
            conditions=tuple(self.space.conditions[k] for k in self.inside(axes)),
            graph=self.space.graph.extended(metrics, {}) if metrics else self.space.graph,
        )

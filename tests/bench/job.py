"""What every rival is told, and what a rival is.

As written: axes are spread over all designs and every formula is evaluated at every design, as whoever types in the
definitions gets it. By an expert: what the engine holds in tables is taken from tables as well, and only the formulas
that vary along more axes than that are evaluated, over blocks that stay in the cache where the rival works in blocks.
Nobody stores rows: all sum every column.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from sweep.plan import TABLE_POINTS, Plan
from sweep.space import Space
from tests.bench import broadcast
from tests.bench.measure import installed

Sums = dict[str, float]


class Job:
    """What every rival is told: the plan of the whole space, and which first places of its outermost axis to do.

    values are the inputs along their axes in the order of the walk, as arrays of as many dimensions; with tables, the
    values that the engine holds in tables as well.
    """

    def __init__(
        self, space: Space, columns: Sequence[str], outer: int | None = None, largest_table: float = TABLE_POINTS
    ) -> None:
        self.space, self.columns = space, tuple(columns)
        self.plan = Plan(space, columns, largest_table, patience=0.0)
        names = [axis.name for axis in self.plan.axes]
        self.axes = list(self.plan.axes)
        self.sizes = [len(axis) for axis in self.axes]
        if outer is not None:
            self.sizes[0] = min(outer, self.sizes[0])
        self.names = names
        self.points = prod(self.sizes)
        self.words = space.graph.words
        self.small = [node for node in self.plan.nodes if self.plan.values[node.name].is_table]
        self.large = [node for node in self.plan.nodes if not self.plan.values[node.name].is_table]

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """The inputs: numbers, or arrays along their axis."""
        values: dict[str, Any] = {n: v for n, v in self.space.fixed.items() if n in self.plan.leaves}
        for k, axis in enumerate(self.axes):
            for name, column in axis.sets.items():
                if name in self.plan.leaves or name in self.columns:
                    values[name] = column[: self.sizes[k]].reshape([-1 if j == k else 1 for j in range(len(self.axes))])
        return values

    @cached_property
    def tables(self) -> dict[str, Any]:
        """The inputs and all that the engine holds in tables."""
        values = dict(self.inputs)
        with np.errstate(all="ignore"):
            for node in self.small:
                function = broadcast.function(node.formula, self.words)
                values[node.name] = function(*(values[p] for p in node.formula.parameters))
        return values

    def blocks(self, points: int) -> Iterable[tuple[slice, ...]]:
        """Boxes of about so many designs, inner axes whole, one in slices."""
        extents = [1] * len(self.sizes)
        for k in reversed(range(len(self.sizes))):
            extents[k] = min(self.sizes[k], max(1, points))
            points //= self.sizes[k]
        steps = [range(0, size, extent) for size, extent in zip(self.sizes, extents, strict=True)]
        for starts in itertools.product(*steps):
            yield tuple(slice(start, start + extent) for start, extent in zip(starts, extents, strict=True))

    def shape(self, block: tuple[slice, ...]) -> list[int]:
        """How long a block is along each axis."""
        return [len(range(*part.indices(size))) for part, size in zip(block, self.sizes, strict=True)]


def cut(value: Any, block: tuple[slice, ...]) -> Any:
    """A value over a block: its axes of length 1 stay as they are."""
    if np.ndim(value) == 0:
        return value
    return value[tuple(part if n > 1 else slice(None) for part, n in zip(block, value.shape, strict=True))]


class Rival(ABC):
    """One way to do a job."""

    name = ""
    package = ""
    needs: tuple[str, ...] = ()

    def __init__(self, job: Job, expert: bool, points: int = 0) -> None:
        """points is the size of a block for those that work in blocks."""
        self.job, self.expert, self.points = job, expert, points or job.plan.box.points
        self.nodes = job.large if expert else job.plan.nodes
        self.given = job.tables if expert else job.inputs
        used = {p for node in self.nodes for p in node.formula.parameters} | set(job.columns)
        self.given = {name: value for name, value in self.given.items() if name in used}
        self.prepare()

    @classmethod
    def is_here(cls) -> bool:
        """Whether what it needs is installed."""
        return all(installed(module) is not None for module in cls.needs)

    @abstractmethod
    def prepare(self) -> None:
        """Whatever happens once."""

    @abstractmethod
    def table(self) -> dict[str, Any]:
        """Every column of every design, in the order of the walk."""

    @abstractmethod
    def sums(self) -> Sums:
        """The sum of every column over all designs."""


class Blocks(Rival):
    """Those that work on arrays in blocks."""

    @abstractmethod
    def evaluate(self, values: dict[str, Any]) -> dict[str, Any]:
        """The columns of a block from what is given over it."""

    def values(self, block: tuple[slice, ...]) -> dict[str, Any]:
        if self.expert:
            return {name: cut(value, block) for name, value in self.given.items()}
        shape = self.job.shape(block)
        return {
            name: np.ascontiguousarray(np.broadcast_to(cut(value, block), shape)) if np.ndim(value) else value
            for name, value in self.given.items()
        }

    def table(self) -> dict[str, Any]:
        found: dict[str, Any] = {name: np.empty(self.job.sizes) for name in self.job.columns}
        for block in self.job.blocks(self.points):
            for name, value in self.evaluate(self.values(block)).items():
                found[name][block] = value
        return {name: value.reshape(-1) for name, value in found.items()}

    def sums(self) -> Sums:
        totals = dict.fromkeys(self.job.columns, 0.0)
        for block in self.job.blocks(self.points):
            points = prod(self.job.shape(block))
            for name, value in self.evaluate(self.values(block)).items():
                totals[name] += float(np.sum(value)) * (points // max(1, np.size(value)))
        return totals


def shortened(space: Space, most: int) -> Space:
    """The space with no more than so many values on an axis of numbers: first, last, and between them evenly."""
    axes = []
    for axis in space.axes:
        if axis.is_words:
            axes.append(axis)
            continue
        places = np.unique(np.linspace(0, len(axis) - 1, min(most, len(axis))).astype(np.int64))
        axes.append(axis.take(places))
    return replace(space, axes=tuple(axes))

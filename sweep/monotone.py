"""Which values of a plan rise or fall along its innermost axis, whatever the other axes are: shown, not tried.

A table is looked at. Of any other value its formula says how it answers to what it reads (kernels.slopes), each of
which rises, falls or stays; where all that moves pulls the same way, the value goes that way, as a double too, but for
the last places of what libm computes.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from kernels.groups import GROUP
from kernels.intervals import Interval, evaluate
from kernels.language import names_in
from kernels.slopes import secants
from sweep.evaluator import Evaluator
from sweep.ranges import Ranges, is_cut_to_count, plain

UNKNOWN = None


def go_one_way(evaluator: Evaluator, names: Sequence[str]) -> list[bool]:
    """Of each of these values, whether in every group of points it is least and greatest at one of the ends."""
    box = evaluator.plan.box
    if not box.sizes or not (box.extents[-1] > GROUP // 2 or box.sliced == len(box.sizes) - 1):
        return [False] * len(names)  # a group may run over the end of the axis
    ways = _Ways(evaluator)
    return [ways[name] is not UNKNOWN for name in names]


class _Ways:
    """1 for a value that never falls along the innermost axis, -1 for one that never rises, 0 for one that stays."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator, self._plan = evaluator, evaluator.plan
        self._axis = len(self._plan.box.sizes) - 1
        self._ranges = Ranges(evaluator, None)
        self._found: dict[str, int | None] = {}

    def __getitem__(self, name: str) -> int | None:
        if name not in self._found:
            value = self._plan.values[name]
            if self._axis not in value.axes:
                self._found[name] = 0
            elif value.is_table or value.node is None:
                self._found[name] = self._of_table(name)
            elif is_cut_to_count(value, self._plan) or value.node.formula.finds_a_root:
                self._found[name] = UNKNOWN
            else:
                self._found[name] = self._of_formula(name)
        return self._found[name]

    def _of_table(self, name: str) -> int | None:
        value = self._plan.values[name]
        place, shape = self._evaluator.place(name), [self._plan.box.sizes[a] for a in value.axes]
        cells = self._evaluator.tables[place : place + prod(shape)]
        held = (cells.view(np.float64) if value.kind == "float" else cells).reshape(shape)
        held = np.moveaxis(held, value.axes.index(self._axis), -1)
        if not np.isfinite(held).all():
            return UNKNOWN
        rises, falls = (held[..., 1:] >= held[..., :-1]).all(), (held[..., 1:] <= held[..., :-1]).all()
        return int(rises) - int(falls) if rises or falls else UNKNOWN

    def _of_formula(self, name: str) -> int | None:
        node = self._plan.values[name].node
        assert node is not None
        formula, words = node.formula, self._plan.space.graph.words
        ways = {parameter: self[parameter] for parameter in formula.parameters}
        if UNKNOWN in ways.values():
            return UNKNOWN
        scope = {parameter: self._ranges[parameter] for parameter in formula.parameters}
        with np.errstate(all="ignore"):
            for step, expression in formula.steps:
                ways[step] = _way(expression, scope, ways, words)
                scope[step] = plain(evaluate(expression, scope, words))
            return _way(formula.result, scope, ways, words)


def _way(
    node: ast.expr, scope: Mapping[str, Interval], ways: Mapping[str, int | None], words: Mapping[str, tuple[str, ...]]
) -> int | None:
    """Which way an expression goes whose names go those ways."""
    names = sorted(names_in(node) & ways.keys())
    if any(ways[name] is UNKNOWN for name in names):
        return UNKNOWN
    moving = [name for name in names if ways[name]]
    if not moving:
        return 0
    found = secants(node, scope, moving, words)
    turns = np.array([ways[name] for name in moving])
    rises, falls = found.secants.low >= 0.0, found.secants.high <= 0.0
    if found.least.any() or found.spoils.any() or not (rises | falls).all():
        return UNKNOWN
    total = set((turns * (rises.astype(int) - falls.astype(int))).tolist()) - {0}
    return UNKNOWN if len(total) > 1 else next(iter(total), 0)

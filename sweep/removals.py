"""What each condition of a space removes: by itself, in order, and where no other condition does.

Every design is told which conditions it fails, as the bits of one number, and these numbers are counted. Axes that no
condition depends on are not walked, only multiplied. Where what is left is too large to walk, designs drawn at random
stand for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.evaluate import compute, evaluate
from kernels.graph import Metric
from kernels.language import from_text
from kernels.quantiles import quantile_of
from sweep.execute import Evaluator, Worker, chunks, each, gathered
from sweep.plan import Plan
from sweep.space import Axis, Condition, Space

LARGEST_COUNT = 1 << 26  # points of a walk that counts; of more, a sample is looked at
SAMPLED = 200_000
SEED = 20260  # the same designs every time
BITS = 60  # conditions that one number tells of
WIDEST = 48  # characters of a text in a table
MOST_BINS = 1 << 20  # of numbers that are counted in a table rather than sorted


@dataclass(frozen=True)
class Tally:
    """How many of the designs that were looked at fail which conditions.

    patterns gives the number of designs, of counted in all, by which conditions they fail, bit k for conditions[k].
    designs are those of the unfiltered product: as many as counted where is_exact, else counted is a sample of them.
    """

    conditions: tuple[Condition, ...]
    designs: int
    counted: int
    is_exact: bool
    patterns: Mapping[int, int]

    @property
    def left(self) -> int:
        """Of those counted, the designs that meet all conditions."""
        return self.patterns.get(0, 0)

    def removed(self, condition: int) -> int:
        """Of those counted, the designs that fail a condition, whatever the others say."""
        return sum(count for pattern, count in self.patterns.items() if pattern >> condition & 1)

    def alone(self, condition: int) -> int:
        """Of those counted, the designs that fail a condition and no other."""
        return self.patterns.get(1 << condition, 0)

    def without(self, dropped: Iterable[int]) -> int:
        """Of those counted, the designs that meet all conditions but perhaps these."""
        rest = ~_bits(dropped)
        return sum(count for pattern, count in self.patterns.items() if not pattern & rest)

    def after(self, condition: int) -> int:
        """Of those counted, the designs that meet this condition and all before it."""
        before = (2 << condition) - 1
        return sum(count for pattern, count in self.patterns.items() if not pattern & before)

    def meeting(self, conditions: Iterable[int]) -> int:
        """Of those counted, the designs that meet all of these, whatever the others say."""
        asked = _bits(conditions)
        return sum(count for pattern, count in self.patterns.items() if not pattern & asked)

    def share(self, count: int) -> float:
        """A number of designs as a share of those counted."""
        return count / self.counted if self.counted else 0.0

    def of_all(self, count: int) -> int:
        """A number of those counted as a number of all designs: rounded where the rest was not looked at."""
        return count if self.is_exact else round(self.share(count) * self.designs)


@dataclass(frozen=True)
class Loss:
    """What a condition removes, in designs: by itself, where no other does, and what is left after all up to it."""

    label: str
    text: str
    removed: int
    share: float
    alone: int
    left: int


def _bits(conditions: Iterable[int]) -> int:
    return sum(1 << k for k in set(conditions))


def tally(space: Space, largest: int = LARGEST_COUNT, sampled: int = SAMPLED, threads: int | None = None) -> Tally:
    """Which conditions the designs of a space fail: exactly, or of some designs drawn at random where there are many.

    What was taken out by conditions on one axis alone counts too: conditions are those of space.unpruned. A walk is of
    at most largest points.
    """
    space = space.unpruned
    conditions = space.conditions
    always, varying = _settled(space)
    if not varying or not space.size:
        return Tally(conditions, space.size, space.size, True, {always: space.size})
    told, names = _telling(space, varying)
    walked, weight = _walked(told, names)
    points = prod(len(axis) for axis in walked.axes)
    exact = points <= largest
    if not exact:
        walked, weight = _drawn(told, sampled), 1
    found = _counted(walked, names, threads, largest_table=None if exact else 0)
    patterns: dict[int, int] = {}
    for words, count in found.items():
        pattern = always
        for place, word in enumerate(words):
            for bit, k in enumerate(varying[place * BITS : (place + 1) * BITS]):
                pattern |= (word >> bit & 1) << k
        patterns[pattern] = patterns.get(pattern, 0) + weight * count
    return Tally(conditions, space.size, space.size if exact else sampled, exact, patterns)


def _settled(space: Space) -> tuple[int, list[int]]:
    """The conditions that no design meets, as bits, and those that only some meet, by their places."""
    always, varying = 0, []
    constants = space.constants
    for k, condition in enumerate(space.conditions):
        nodes, leaves = space.graph.resolve(condition.formula.parameters, space.given)
        if any(quantile_of(node.formula) for node in nodes) or not constants.keys() >= set(leaves):
            varying.append(k)
            continue
        values = evaluate(space.graph, condition.formula.parameters, constants)
        if not compute(space.graph, condition.formula, "bool", values):
            always |= 1 << k
    return always, varying


def _telling(space: Space, varying: Sequence[int]) -> tuple[Space, list[str]]:
    """The space without conditions, with metrics that say which of them a design fails; and their names."""
    metrics, names = [], []
    for k in varying:
        condition = space.conditions[k]
        formula = replace(condition.formula, name=f"_meets_{k}")
        metrics.append(Metric(formula.name, "", "the spec", condition.text, formula))
    for first in range(0, len(varying), BITS):
        name = f"_fails_{first // BITS}"
        bits = [f"(0 if _meets_{k} else {1 << bit})" for bit, k in enumerate(varying[first : first + BITS])]
        metrics.append(Metric(name, "", "the spec", "conditions that fail", from_text(name, " + ".join(bits))))
        names.append(name)
    return replace(space, graph=space.graph.extended(metrics, {}), conditions=()), names


def _walked(space: Space, names: Sequence[str]) -> tuple[Space, int]:
    """The space over nothing but the axes that these values vary along, and how many designs each of its points is."""
    plan = Plan(space, names)
    if any(node is not None and quantile_of(node.formula) for node in (v.node for v in plan.values.values())):
        return space, 1  # a quantile looks at all axes
    along = {plan.order[a] for name in names for a in plan.values[name].axes}
    fixed = dict(space.fixed)
    for k, axis in enumerate(space.axes):
        if k not in along:
            fixed |= {name: values[0].item() for name, values in axis.sets.items()}
    kept = tuple(axis for k, axis in enumerate(space.axes) if k in along)
    decided = {name for axis in kept for name in axis.sets}
    fixed = {name: value for name, value in fixed.items() if name not in decided}
    weight = prod(len(axis) for k, axis in enumerate(space.axes) if k not in along)
    return replace(space, axes=kept, fixed=fixed), weight


def _drawn(space: Space, count: int) -> Space:
    """Designs of a space drawn at random, each as likely as any other, as a space of one axis."""
    generator = np.random.default_rng(SEED)
    sets: dict[str, Any] = {}
    for axis in space.axes:
        place = generator.integers(len(axis), size=count)
        sets |= {name: values[place] for name, values in axis.sets.items()}
    return replace(space, axes=(Axis("row", (), sets, np.arange(count), count),))


def _counted(
    space: Space, names: Sequence[str], threads: int | None, largest_table: float | None
) -> dict[tuple[int, ...], int]:
    """How many designs of a space have which values of these columns."""
    plan = Plan(space, names) if largest_table is None else Plan(space, names, largest_table)
    found: dict[tuple[int, ...], int] = {}

    def count(worker: Worker, run: range) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        columns = list(gathered(worker, run, names).values())
        if len(columns) == 1 and columns[0].max(initial=0) < MOST_BINS:
            bins = np.bincount(columns[0])
            seen = np.flatnonzero(bins)
            return seen[:, None], bins[seen]
        return np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)

    for seen, counts in each(Evaluator(plan), count, chunks(plan), threads):
        for words, times in zip(seen.tolist(), counts.tolist(), strict=True):
            found[tuple(words)] = found.get(tuple(words), 0) + times
    return found


def losses_of(found: Tally) -> Iterator[Loss]:
    """What each condition removes; of those that no spec writes, only the ones that do remove something."""
    for k, condition in enumerate(found.conditions):
        removed = found.removed(k)
        if removed or not condition.is_inherent:
            counts = (found.of_all(count) for count in (found.alone(k), found.after(k)))
            yield Loss(condition.label, condition.text, found.of_all(removed), found.share(removed), *counts)


def loss_table(losses: Sequence[Loss], is_exact: bool) -> list[str]:
    """What conditions remove, side by side; estimates with a ~ and three digits."""
    if not losses:
        return []
    rows = [["condition", "asks", "removes", "", "it alone", "left after it"]]
    for loss in losses:
        asks = "" if loss.text == loss.label else _short(loss.text)
        removed, alone, left = (_count(count, is_exact) for count in (loss.removed, loss.alone, loss.left))
        rows.append([_short(loss.label), asks, removed, _percent(loss.share, is_exact), alone, left])
    if not any(row[1] for row in rows[1:]):
        rows = [[row[0], *row[2:]] for row in rows]
    texts = len(rows[0]) - 4  # columns that are not numbers
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{w}}" if k < texts else f"{cell:>{w}}" for k, (cell, w) in enumerate(zip(row, wide, strict=True))
        )
        for row in rows
    ]


def _count(count: int, is_exact: bool) -> str:
    return f"{count:,}" if is_exact else f"~{int(float(f'{count:.3g}')):,}"


def _percent(share: float, is_exact: bool) -> str:
    """A share that is called all only where it is."""
    if share == 1.0 and is_exact:
        return "all"
    return f"{100 * share:.3g} %" if share < 0.9995 else "> 99.9 %"


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"

"""Why no design is left: what each condition removes, and the smallest change of one of them that leaves something.

A condition that compares an expression with a number is relaxed to the best value that the expression reaches among
the designs that meet all others: the frontier of the space without that condition, with the expression as its one
objective. So the number is exact however large the space is: a tighter one leaves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations

import numpy as np

from kernels.graph import Metric
from sweep.frontier import frontier
from sweep.relaxing import Limit, Number, Sense, change, limit, outward, parts, plain
from sweep.removals import LARGEST_COUNT, Loss, Tally, loss_table, losses_of, tally
from sweep.resolve import prune
from sweep.space import Space

MOST_NAMED = 5  # pairs that are named


@dataclass(frozen=True)
class Relaxation:
    """The number with which a condition leaves something, all others as they are.

    asked stands in the condition, best is what the expression reaches in design_id, bound the number closest to asked
    that leaves something: best itself, or what comes right behind it where the condition is strict. change is how far
    bound lies from asked, as a share of asked.
    """

    label: str
    text: str
    expression: str
    sense: Sense
    asked: Number
    best: Number
    bound: Number
    design_id: int

    @property
    def change(self) -> float:
        """How far the bound lies from what was asked, as a share of it; inf where that was 0."""
        return abs(self.bound - self.asked) / abs(self.asked) if self.asked else float("inf")

    @property
    def rounded(self) -> Decimal:
        """The bound with few digits, rounded so that it lets the design through."""
        return outward(self.bound, self.sense in ("<=", "<"))

    @property
    def condition(self) -> str:
        """A condition to ask for instead."""
        return f"{self.expression} {self.sense} {plain(self.rounded)}"

    def line(self) -> str:
        """For the terminal."""
        asked = plain(Decimal(str(self.asked)), ",")
        how = change(self.asked, self.bound)
        shown = plain(self.rounded, ",")
        return (
            f'"{self.label}" would have to be {self.expression} {self.sense} {shown} ({asked} asked: {how}); '
            f"design {self.design_id} meets it"
        )


@dataclass(frozen=True)
class Stuck:
    """A condition that no number helps, and how many designs are left without it."""

    label: str
    reason: str
    left: int


@dataclass(frozen=True)
class Emptiness:
    """What there is to say of a space of which no design is left.

    is_empty is None where most designs were not looked at and nothing tells of the rest; left are those that meet all
    conditions after all. Counts are of all designs; where counted is less than designs they are estimates from that
    many drawn at random. conflicts are pairs of conditions that no design
    meets both of; sets are the smallest sets of conditions without which designs are left, with how many, the most
    first; either is told where relaxing one condition does not help. undefined are objectives that are nan in every
    design that is left.
    """

    name: str
    designs: int
    counted: int
    is_empty: bool | None
    left: int
    losses: tuple[Loss, ...]
    relaxations: tuple[Relaxation, ...] = ()
    stuck: tuple[Stuck, ...] = ()
    conflicts: tuple[tuple[str, str], ...] = ()
    sets: tuple[tuple[tuple[str, ...], int], ...] = ()
    undefined: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether every design was looked at."""
        return self.counted == self.designs

    def lines(self) -> list[str]:
        """For the terminal."""
        if self.is_empty is False:
            return self._of_what_is_left()
        sampled = f"{self.counted:,} designs drawn at random"
        certain = "no design" if self.is_empty else f"none of {sampled}"
        about = "" if self.is_exact else f"; counts are estimates from {sampled}"
        lines = [f"{certain} of {self.name} meets all conditions: {self.designs:,} designs{about}"]
        lines += [f"  {line}" for line in loss_table(self.losses, self.is_exact)]
        if self.relaxations:
            lines.append("one condition relaxed would leave something, the smallest change first:")
            lines += [f"  {relaxation.line()}" for relaxation in self.relaxations]
        elif self.is_empty:
            lines.append("no number changed in one condition alone would leave anything")
        lines += [f'  "{a}" and "{b}" contradict each other: no design meets both' for a, b in self.conflicts]
        lines += [f"  without {_listed(labels)}, {count:,} designs are left" for labels, count in self.sets]
        for stuck in self.stuck:
            left = f"; without it {stuck.left:,} designs are left" if stuck.left else ""
            lines.append(f'  "{stuck.label}" cannot be relaxed alone: {stuck.reason}{left}')
        return lines

    def _of_what_is_left(self) -> list[str]:
        """That there is something after all, and why a question may have had no answer."""
        if not self.left:
            return [f"designs of {self.name} meet all conditions, if fewer than 1 in {self.counted:,}"]
        about = "" if self.is_exact else "about "
        if not self.undefined:
            return [f"{about}{self.left:,} of {self.designs:,} designs of {self.name} meet all conditions"]
        names = " and ".join(self.undefined)
        return [f"{about}{self.left:,} designs of {self.name} meet all conditions, and {names} is nan in all of them"]


def why_empty(space: Space, *, largest: int = LARGEST_COUNT, threads: int | None = None) -> Emptiness:
    """What each condition of a space removes and which one, relaxed by how little, would leave a design.

    Conditions joined with `and` are told apart. Designs are counted one by one in a space of at most largest points
    (along the axes that conditions look at), else estimated; relaxations are exact either way.
    """
    whole = space.unpruned
    conditions = tuple(part for c in whole.conditions for part in parts(whole.graph, c))
    whole = replace(whole, conditions=conditions)
    found = tally(whole, largest, threads=threads)
    losses = tuple(losses_of(found))
    if found.left:
        undefined = tuple(_undefined(space, threads))
        left = found.of_all(found.left)
        return Emptiness(space.name, found.designs, found.counted, False, left, losses, undefined=undefined)
    relaxations, stuck = [], []
    certain = found.is_exact
    for k, condition in enumerate(conditions):
        if condition.is_inherent or (found.is_exact and not found.removed(k)):
            continue
        asked = limit(whole.graph, condition)
        alone = found.of_all(found.alone(k))
        if asked is None:
            if alone:
                stuck.append(Stuck(condition.label, "it is not an expression compared with a number", alone))
            continue
        if found.is_exact and not alone:
            continue
        reached = _best(whole, k, asked, threads)
        if reached is not None and asked.holds(reached[0]):  # a sample has missed the designs that there are
            return Emptiness(space.name, found.designs, found.counted, False, 0, losses)
        certain = True
        if reached is None or not np.isfinite(reached[0]):
            if alone:
                reason = f"{asked.expression.text} is nan or infinite in every design that meets the others"
                stuck.append(Stuck(condition.label, reason, alone))
            continue
        best, design_id = reached
        text = asked.expression.text
        relaxations.append(
            Relaxation(
                condition.label, condition.text, text, asked.sense, asked.number, best, asked.moved(best), design_id
            )
        )
    relaxations.sort(key=lambda r: r.change)
    pairs, sets = _together(found) if found.is_exact and not relaxations else ((), ())
    return Emptiness(
        space.name, found.designs, found.counted, True if certain else None, 0, losses, tuple(relaxations),
        tuple(stuck), pairs, sets,
    )  # fmt: skip


def _best(whole: Space, k: int, asked: Limit, threads: int | None) -> tuple[Number, int] | None:
    """The best value that an expression reaches where all conditions but one are met, and a design that has it."""
    name = asked.expression.text
    graph = whole.graph
    if name not in graph:
        name = "_reached"
        graph = graph.extended([Metric(name, "", "the spec", asked.expression.text, asked.expression)], {})
    objectives = ((name,), ()) if asked.is_upper else ((), (name,))
    others = tuple(c for j, c in enumerate(whole.conditions) if j != k)
    asking = replace(
        whole, graph=graph, conditions=others, columns=(name,), own_metrics=(), minimize=objectives[0],
        maximize=objectives[1],
    )  # fmt: skip
    frame = frontier(prune(asking), ties="one", threads=threads).frame
    if not len(frame):
        return None
    value = frame[name][0]
    return (int(value) if asked.is_count else float(value)), int(frame["design_id"][0])


def _undefined(space: Space, threads: int | None) -> Iterator[str]:
    """The objectives that are nan in every design."""
    for name in (*space.minimize, *space.maximize):
        alone = replace(space, minimize=(name,), maximize=())
        if not len(frontier(alone, ties="one", threads=threads).frame):
            yield name


def _together(found: Tally) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[tuple[str, ...], int], ...]]:
    """The pairs of conditions that no design meets both of, and the smallest sets without which designs are left."""
    asked = [k for k in range(len(found.conditions)) if 0 < found.removed(k) < found.counted]
    labels = [condition.label for condition in found.conditions]
    pairs = [(labels[i], labels[j]) for i, j in combinations(asked, 2) if not found.meeting((i, j))]
    fewest = min(pattern.bit_count() for pattern in found.patterns)
    sets = [(found.of_all(n), p) for p, n in found.patterns.items() if p.bit_count() == fewest and fewest > 1]
    named = [
        (tuple(label for k, label in enumerate(labels) if pattern >> k & 1), count)
        for count, pattern in sorted(sets, key=lambda s: (-s[0], s[1]))
    ]
    return tuple(pairs[:MOST_NAMED]), tuple(named[:MOST_NAMED])


def _listed(labels: Sequence[str]) -> str:
    quoted = [f'"{label}"' for label in labels]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)

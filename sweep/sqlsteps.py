"""A relation in the making, as SQL: columns that follow from each other in a row, and loops that change some of them.

Columns stand level by level, each level a query over the last; what is no longer read is left behind now and then, and
what a single column reads stands in it, since every column of every level takes time to plan. A loop is a recursive
query, whose rows go on with the columns that are read in it or after it, each until it is through. Columns are called
_1, _2 and so on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 300  # characters of what is written into something else
STARRED = 8  # levels of columns of which one names what is still read, and the others pass on all


def columns_in(text: str) -> list[str]:
    """The columns that a text reads."""
    return re.findall(r"\b_\d+\b", text)


@dataclass(frozen=True)
class Column:
    """A column of the row and what it is."""

    name: str
    text: str


@dataclass(frozen=True)
class Loop:
    """Columns that change: what they are before it, in it, and after each time. told is whether it is left, and how."""

    times: int
    step: str
    told: tuple[tuple[str, str, str], ...]
    changed: tuple[tuple[str, str, str], ...]
    steps: list[Column | Loop]

    @property
    def own(self) -> set[str]:
        """The columns that it makes."""
        return {self.step, *(inside for _, inside, _ in (*self.told, *self.changed))}

    @property
    def reads_before(self) -> set[str]:
        return {column for before, _, _ in (*self.told, *self.changed) for column in columns_in(before)}

    @property
    def reads_after(self) -> set[str]:
        return {self.step} | {column for _, _, after in (*self.told, *self.changed) for column in columns_in(after)}


def _needed(steps: Sequence[Column | Loop], last: set[str]) -> list[set[str]]:
    """The columns that are read after each of some steps, and before the first; last are those read in the end."""
    found = [last]
    for step in reversed(steps):
        live = found[-1]
        if isinstance(step, Column):
            live = (live - {step.name}) | set(columns_in(step.text)) if step.name in live else live
        else:
            live = _kept(step, live) | step.reads_before
        found.append(live)
    return found[::-1]


def _kept(loop: Loop, after: set[str]) -> set[str]:
    """What goes through a loop unchanged, being read in it or after it."""
    return (after | _needed(loop.steps, loop.reads_after)[0]) - loop.own


def _inlined(steps: Sequence[Column | Loop], last: set[str]) -> list[Column | Loop]:
    """The steps with what a single column reads, once, written there: every column of the row takes time to plan."""
    reads: dict[str, int] = {}
    for step in steps:
        if isinstance(step, Column):
            found = columns_in(step.text)
        else:  # more than once, so that nothing is written into a loop
            found = [*step.reads_before, *_needed(step.steps, step.reads_after)[0]] * 2
        for name in found:
            reads[name] = reads.get(name, 0) + 1
    texts: dict[str, str] = {}  # of those that are written elsewhere
    made: list[Column | Loop] = []
    for step in steps:
        if isinstance(step, Column):
            text = re.sub(r"\b_\d+\b", lambda found: texts.pop(found.group(), found.group()), step.text)
            if reads.get(step.name) == 1 and step.name not in last and len(text) < LONGEST:
                texts[step.name] = f"({text})"
            else:
                made.append(Column(step.name, text))
        else:
            made.append(step)
    return made


def relation(steps: Sequence[Column | Loop], source: str | None, last: set[str]) -> str:
    """The relation that has these columns, made from one that has those which the steps read."""
    steps = _inlined(steps, last)
    needed = _needed(steps, last)
    waiting: list[Column] = []
    held: set[str] = needed[0] if source is not None else set()
    tables: list[str] = []
    for step, after in zip(steps, needed[1:], strict=True):
        if isinstance(step, Column):
            waiting += [step] if step.name in after else []
            continue
        kept = _kept(step, after)
        source = _with_columns(source, held, waiting, kept | step.reads_before)
        table, source = _looped(step, source, sorted(kept))
        tables, waiting, held = [*tables, table], [], kept | step.own
    found = _with_columns(source, held, waiting, last)
    # side by side, since some versions of DuckDB bind what a recursive query starts from twice
    return f"(with recursive {', '.join(tables)} select * from {found})" if tables else found


def _with_columns(source: str | None, held: set[str], more: Sequence[Column], last: set[str]) -> str:
    """A relation that holds some columns with more of them, of all of which the last are kept."""
    depth: dict[str, int] = {}
    levels: dict[int, list[Column]] = {}
    for column in more:
        at = depth[column.name] = 1 + max((depth.get(read, 0) for read in columns_in(column.text)), default=0)
        levels.setdefault(at, []).append(column)
    for at in sorted(levels):
        made = [f"{column.text} as {column.name}" for column in levels[at]]
        if source is None:
            source = f"(select {', '.join(made)})"
        elif at % STARRED:
            source = f"(select *, {', '.join(made)} from {source})"
        else:
            later = last.union(*(columns_in(c.text) for above in levels if above > at for c in levels[above]))
            held &= later
            source = f"(select {', '.join([*sorted(held), *made])} from {source})"
        held |= {column.name for column in levels[at]}
    assert source is not None
    return source


def _looped(loop: Loop, source: str, kept: Sequence[str]) -> tuple[str, str]:
    """The table of a loop, a recursive query, and the rows with which it is left: the last ones of it."""
    table, rows, stop = f"loop{loop.step}", (*loop.told, *loop.changed), loop.told[0][1]
    names = ", ".join([loop.step, *(inside for _, inside, _ in rows), *kept])
    first = ", ".join(["0", *(before for before, _, _ in rows), *kept])
    again = ", ".join([f"{loop.step} + 1", *(after for _, _, after in rows), *kept])
    going = f"(select * from {table} where not {stop} and {loop.step} < {loop.times})"
    body = relation(loop.steps, going, loop.reads_after | set(kept))
    queries = f"select {first} from {source} union all select {again} from {body}"
    last = f"(select * from {table} where {stop} or {loop.step} = {loop.times})"
    return f"{table}({names}) as ({queries})", last

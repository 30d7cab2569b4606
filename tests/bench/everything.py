"""Every column at every design, each block consumed where it lies, one thread: the engine beside other programs.

    python -m tests.bench.everything [SPEC]

All get the same formulas of the same space and sum every column over all designs; nobody stores rows, save where it
says so. Before anything is timed, each is held to the engine's numbers to 1e-12 on a small space, and to its sums on
the whole one. Slow ones do a part of the space, so many values of the outermost axis that it takes them a while.
"Engine is" compares with evaluated and summed; "spread is" with the engine writing every column of every design out
into a block's worth of rows, as those who evaluate as written do. Passes take turns; a ratio is the median of the
ratios of passes that stood beside each other.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numba
import numpy as np

from kernels.driver import POINTS, start_of, visit
from sweep.columns import wanted
from sweep.execute import Evaluator, Worker, chunks, rows
from sweep.parts import designs_before
from sweep.plan import Plan
from sweep.resolve import load
from sweep.space import Space
from tests.bench import rivals
from tests.bench.measure import Spent, in_turns, keep_memory, median, on_one_thread, once, versions

AIM = {"numpy": 8, "numexpr": 5, "polars": 20, "duckdb": 30}  # times each package, said beforehand
LEAST_SECONDS = 0.05
OUTER = (1, 4, None)  # how many values of the outermost axis are done; all only where nothing is held at once
PASSES = 5


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"}, inline="always")
def added_up(cells):
    """The sum of a run of cells: over a slice, for what is indexed from a start is read by gathering."""
    total = 0.0
    for k in range(cells.shape[0]):
        total += cells[k]
    return total


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"})
def consume(loops, program, state, columns, repeats, whole, blocks, out):
    """The sum of each column over all designs into out (columns,), block by block, read where the engine left it.

    repeats (columns,) is for how many points of a block a cell stands, whole (columns,) is 1 for int64.
    """
    out[:] = 0.0
    for block in range(blocks):
        visit(loops, program, state, block, block + 1)
        points = state.words[POINTS]
        for c in range(columns.shape[0]):
            start = start_of(program, state, columns[c])
            stop = start + points // repeats[c]
            total = added_up(state.integers[start:stop]) if whole[c] else added_up(state.floats[start:stop])
            out[c] += total * repeats[c]


CONSUME: Any = consume


class Engine:
    """The engine's ways to do the same."""

    def __init__(self, space: Space, columns: list[str]) -> None:
        self.columns = columns
        self.plan = plan = Plan(space, columns, patience=0.0)
        self.evaluator = Evaluator(plan)
        self.worker = Worker(self.evaluator)
        self.out = np.zeros(len(columns))
        extents = plan.box.extents
        varies = [plan.values[name].axes for name in columns]
        self.repeats = np.array([prod(e for a, e in enumerate(extents) if a not in axes) for axes in varies])
        self.read = np.array([self.evaluator.read.index(name) for name in columns])
        self.whole = np.array([plan.values[name].kind != "float" for name in columns])
        runs = list(chunks(plan))
        self.some = runs[:: max(1, len(runs) // 40)]
        self.few = sum(designs_before(plan, run.stop) - designs_before(plan, run.start) for run in self.some)
        self.buffer = {name: np.empty(2 * plan.box.points, self.worker.dtype(name)) for name in columns}

    def evaluate(self) -> None:
        self.worker.count(range(self.plan.box.blocks))

    def sums(self) -> dict[str, float]:
        arguments = (self.evaluator.steps, self.evaluator.program, self.worker.state, self.read, self.repeats)
        CONSUME(*arguments, self.whole, self.plan.box.blocks, self.out)
        return dict(zip(self.columns, self.out.tolist(), strict=True))

    def spread(self) -> None:
        """Every column of every design written out, over and over into the same two blocks' worth of rows."""
        block, blocks = 0, self.plan.box.blocks
        while block < blocks:
            block, _, _ = self.worker.take(range(block, blocks), self.buffer, 0)

    def gather(self) -> None:
        with np.errstate(all="ignore"):
            for run in self.some:
                rows(self.worker, run, self.columns)


@dataclass(frozen=True)
class Entry:
    """A line of the table: who, in which way, over how many designs, and whether rows are stored."""

    name: str
    way: str
    points: int
    stored: str
    work: Callable[[], Any]
    aim: int | None = None


def checked(space: Space, columns: list[str], kind: type[rivals.Rival]) -> None:
    """AssertionError when a rival differs from the engine by more than 1e-12 on a small space."""
    small = rivals.shortened(space, 2)
    plan = Plan(small, columns, largest_table=16, patience=0.0)
    ours = rows(Worker(Evaluator(plan)), range(plan.box.blocks), columns)
    for expert in (False, True):
        theirs = kind(rivals.Job(small, columns, largest_table=16), expert, points=16).table()
        for name in columns:
            np.testing.assert_allclose(theirs[name].astype(float), ours.columns[name].astype(float), rtol=1e-12)


def outer_of(space: Space, columns: list[str], kind: type[rivals.Rival], expert: bool) -> tuple[rivals.Rival, int]:
    """A rival with as much to do as takes it a while."""
    for outer in OUTER[:-1] if issubclass(kind, rivals.Joined) else OUTER:
        rival = kind(rivals.Job(space, columns, outer), expert)
        rival.sums()
        if once(rival.sums).cpu > LEAST_SECONDS:
            break
    return rival, rival.job.points


def agree(engine: dict[str, float], rival: rivals.Rival, space: Space, columns: list[str]) -> None:
    """AssertionError when sums over the same designs differ by more than their rounding."""
    axis = rival.job.axes[0]
    if rival.job.sizes[0] < len(axis):
        cut = axis.take(np.arange(rival.job.sizes[0]))
        space = replace(space, axes=tuple(cut if a.name == axis.name else a for a in space.axes))
        engine = Engine(space, columns).sums()
    for name, value in rival.sums().items():
        np.testing.assert_allclose(value, engine[name], rtol=1e-9, err_msg=f"{type(rival).__name__} {name}")


def entries(space: Space, columns: list[str]) -> list[Entry]:
    """The engine first, then whoever is installed."""
    engine = Engine(space, columns)
    points = engine.plan.points
    found = [
        Entry("engine", "evaluated and summed", points, "no", engine.sums),
        Entry("engine", "evaluated", points, "no", engine.evaluate),
        Entry("engine", "spread over every design", points, "a block's", engine.spread),
        Entry("engine", "every row stored", engine.few, "yes", engine.gather),
    ]
    totals = engine.sums()
    for kind in rivals.ALL:
        if not kind.is_here():
            continue
        checked(space, columns, kind)
        for expert in (False, True):
            rival, done = outer_of(space, columns, kind, expert)
            agree(totals, rival, space, columns)
            way = "by an expert" if expert else "as written"
            found.append(Entry(kind.name, way, done, "no", rival.sums, AIM.get(kind.package)))
    return found


def ratio(ours: list[Spent], our_points: int, theirs: list[Spent], their_points: int) -> float:
    """How many times as fast we are, by processor time, pass by pass."""
    each = [b.cpu / their_points / (a.cpu / our_points) for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(each)


def table(spec: str = "first-look") -> list[str]:
    """A line a way."""
    keep_memory()
    space = replace(load(spec), conditions=())
    columns = list(wanted(space))
    listed = entries(space, columns)
    found = in_turns({str(k): entry.work for k, entry in enumerate(listed)}, PASSES)
    engine = listed[0]
    lines = [
        f"{spec}: {engine.points:,} designs, {len(columns)} columns summed over them, conditions left out, one thread",
        f"{'':55}{'M designs a second of':>23}{'engine':>9}{'spread':>9}   rows",
        f"{'':44}{'designs':>11}{'processor':>12}{'clock':>11}{'is':>9}{'is':>9}   stored     aim",
    ]
    for k, entry in enumerate(listed):
        spent = median(found[str(k)])
        times = ratio(found["0"], engine.points, found[str(k)], entry.points)
        wide = ratio(found["2"], engine.points, found[str(k)], entry.points)
        aim = "" if entry.aim is None else f"   {'met' if times >= entry.aim else 'missed'}: {entry.aim} x"
        lines.append(
            f"{entry.name + ', ' + entry.way:44}{entry.points:>11,}{entry.points / spent.cpu / 1e6:12.1f}"
            f"{entry.points / spent.wall / 1e6:11.1f}{times:7.1f} x{wide:7.1f} x   {entry.stored:8}{aim}".rstrip()
        )
    missing = [kind.name for kind in rivals.ALL if not kind.is_here()]
    lines.append(versions("numpy", "numexpr", "polars", "duckdb", "numba", "jax"))
    if missing:
        lines.append(f"left out, not installed: {', '.join(missing)}")
    return lines


if __name__ == "__main__":
    if on_one_thread("tests.bench.everything"):
        print("\n".join(table(*sys.argv[1:])))

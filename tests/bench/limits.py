"""What the machine has to give, beside what the engine takes of it.

    python -m tests.bench.limits

Memory: NumPy's copy and triad of arrays far larger than the cache, against the rows that the engine stores. Arithmetic:
a loop on registers, on one thread and on two. Disk format: polars' Parquet writer alone, with the settings of a run,
against a whole run of the same rows.
"""

from __future__ import annotations

import io
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sweep.columns import declare, frame, wanted
from sweep.execute import rows
from sweep.parts import Layout
from sweep.resolve import load
from sweep.run import write
from sweep.space import Space
from tests.bench.driver import on_threads, registers
from tests.bench.everything import Engine
from tests.bench.measure import in_turns, keep_memory, median, versions

CELLS = 16_000_000
STEPS = 20_000_000
PASSES = 5


def part_of(space: Space, outer: int) -> Space:
    """The space with so many values of its first axis."""
    return replace(space, axes=(space.axes[0].take(np.arange(outer)), *space.axes[1:]))


def table(spec: str = "first-look") -> list[str]:
    """A line a limit."""
    keep_memory()
    whole = replace(load(spec), conditions=())
    columns = list(wanted(whole))
    engine = Engine(whole, columns)
    a, b, c = np.ones(CELLS), np.ones(CELLS), np.ones(CELLS)
    registers(1)

    def triad() -> None:
        np.multiply(b, 3.0, out=c)
        np.add(a, c, out=c)

    small = part_of(whole, 6)
    part = Engine(small, columns)
    found = rows(part.worker, range(part.plan.box.blocks), columns)
    table_rows = frame(declare(small, columns), small, found)
    layout = Layout.of(part.plan, len(columns))

    def parquet() -> None:
        table_rows.write_parquet(
            io.BytesIO(), compression="zstd", compression_level=layout.zstd_level, row_group_size=layout.row_group_rows
        )

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            write(small, Path(folder) / "run")

    works: dict[str, Callable[[], Any]] = {
        "copy": lambda: np.copyto(a, b),
        "triad": triad,
        "gather": engine.gather,
        "one": lambda: registers(2 * STEPS),
        "two": lambda: on_threads(lambda: registers(STEPS), 2),
        "parquet": parquet,
        "run": run,
    }
    turns = in_turns(works, PASSES)
    spent = {name: median(passes) for name, passes in turns.items()}
    stored = sum(np.dtype(engine.worker.dtype(n)).itemsize for n in columns) + 8 + 4 * len(whole.axes)
    copy = 2 * 8 * CELLS / spent["copy"].cpu / 1e9
    moved = stored * engine.few / spent["gather"].cpu / 1e9
    both = statistics.median(x.wall / y.wall for x, y in zip(turns["one"], turns["two"], strict=True))
    share = statistics.median(x.cpu / y.cpu for x, y in zip(turns["parquet"], turns["run"], strict=True))
    by_clock = statistics.median(x.wall / y.wall for x, y in zip(turns["parquet"], turns["run"], strict=True))
    written = len(table_rows) / 1e6
    return [
        f"memory: copy {copy:.1f} GB/s read and written, triad {5 * 8 * CELLS / spent['triad'].cpu / 1e9:.1f} GB/s; "
        f"engine's rows {moved:.1f} GB/s written, {2 * moved / copy:.2f} of what copying writes",
        f"arithmetic on registers: two threads are {both:.2f} x as fast as one by the clock",
        f"Parquet of {written:.1f} M rows of {table_rows.width} columns, M rows a processor second: the writer alone "
        f"{written / spent['parquet'].cpu:.2f}, a whole run {written / spent['run'].cpu:.2f}; "
        f"the writer is {share:.0%} of a run's processor time, {by_clock:.0%} of its clock",
        versions("numpy", "polars"),
    ]


if __name__ == "__main__":
    print("\n".join(table()))

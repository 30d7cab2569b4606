"""Million designs a second on one core: the engine beside NumPy, the same columns of the same space in one run.

    python tasks.py bench [SPEC] [--readme]

Every rate is the median of several passes after a first one that is not counted, so that compiling and page faults are
nobody's advantage. The two are compared before they are timed: the same numbers to 1e-12.
"""

import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sweep.columns import wanted
from sweep.execute import WALKED_POINTS, Evaluator, Worker, chunks, cores, each, rows
from sweep.parts import designs_before
from sweep.plan import Plan
from sweep.resolve import load
from sweep.space import Space
from tests.bench import broadcast, optimum

PASSES = 5
README = Path(__file__).parents[2] / "README.md"


def rate(points: int, work: Callable[[], Any], passes: int = PASSES) -> float:
    """Million designs a second of processor time, the median of the passes."""
    work()
    spent = []
    for _ in range(passes):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return points / statistics.median(spent) / 1e6


def agree(space: Space, plan: Plan, columns: list[str]) -> None:
    """Stop when engine and NumPy differ by more than 1e-12 anywhere in the first part of the space."""
    part = slice(0, 1)
    theirs = broadcast.materialised(space, broadcast.evaluate(space, columns, part, factored=True), part)
    ours = rows(Worker(Evaluator(plan)), range(plan.box.blocks), columns) if plan.points < 3e7 else None
    if ours is None:
        return
    first = ours.columns[f"#{space.axes[0].name}"] == 0
    order = np.argsort(ours.design_id[first])
    for name in columns:
        np.testing.assert_allclose(
            ours.columns[name][first][order].astype(float), theirs[name].astype(float), rtol=1e-12
        )


def main(*arguments: str) -> None:
    spec = next((a for a in arguments if not a.startswith("-")), "first-look")
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        print(line)

    space = replace(load(spec), conditions=())
    columns = list(wanted(space))
    plan = Plan(space, columns)
    evaluator = Evaluator(plan)
    worker = Worker(evaluator)
    agree(space, plan, columns)
    runs = list(chunks(plan))
    some = runs[:: max(1, len(runs) // 40)]
    few = sum(designs_before(plan, run.stop) - designs_before(plan, run.start) for run in some)
    parts = [slice(k, k + 1) for k in range(0, len(space.axes[0]), max(1, len(space.axes[0]) // 6))]
    part_points = plan.points // len(space.axes[0]) * len(parts)

    def visit() -> None:
        worker.count(range(plan.box.blocks))

    def take() -> None:
        with np.errstate(all="ignore"):
            for run in some:
                rows(worker, run, columns)

    def numpy_factored() -> None:
        for part in parts:
            broadcast.evaluate(space, columns, part, factored=True)

    def numpy_table() -> None:
        for part in parts:
            broadcast.materialised(space, broadcast.evaluate(space, columns, part, factored=True), part)

    def numpy_meshgrid() -> None:
        broadcast.materialised(space, broadcast.evaluate(space, columns, parts[0], factored=False), parts[0])

    say(f"{spec}: {plan.points:,} designs, {len(columns)} columns of {len(plan.nodes)} metrics, conditions left out")
    results = {
        "engine, evaluated in blocks": rate(plan.points, visit),
        "engine, every column of every row gathered": rate(few, take),
        "NumPy, factored by an expert, left factored": rate(part_points, numpy_factored),
        "NumPy, factored by an expert, then materialised": rate(part_points, numpy_table),
        "NumPy, broadcast in full": rate(part_points // len(parts), numpy_meshgrid, 3),
    }
    for name, value in results.items():
        say(f"  {name:<50} {value:10.1f} M designs/s/core")
    engine, gathered, left, table, full = results.values()
    say(f"  evaluated: {engine / left:.0f} x factored NumPy, {engine / full:.0f} x NumPy broadcast in full")
    say(f"  as a table: {gathered / table:.1f} x factored NumPy, {gathered / full:.0f} x NumPy broadcast in full")
    walked = list(chunks(plan, WALKED_POINTS))
    for threads in sorted({1, cores()}):
        start = time.perf_counter()
        for _ in each(evaluator, Worker.count, walked, threads):
            pass
        print(
            f"  {threads} thread(s): {plan.points / (time.perf_counter() - start) / 1e6:.0f} M designs/s by the clock"
        )
    say("what the optimum costs beside the loss:")
    for line in optimum.table():
        say(f"  {line}")
    if "--readme" in arguments:
        text = README.read_text()
        indented = "\n".join(f"    {line}" for line in lines)
        README.write_text(
            re.sub(r"(<!-- bench -->\n).*?(<!-- /bench -->)", rf"\1{indented}\n\2", text, flags=re.DOTALL)
        )


if __name__ == "__main__":
    main(*sys.argv[1:])

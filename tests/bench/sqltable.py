"""SQL over a space that is evaluated as it is asked, and over the Parquet of a run.

    python -m tests.bench.sqltable [DESIGNS]

The space is first-look with finer axes, up to DESIGNS designs. One question, a minimum by GPU under a condition on an
axis and one on a metric, is asked of all of them, with the spec's own conditions and without; three columns are scanned
over a tenth, which is also written as a run and asked the same. Each has a process of its own, whose largest memory is
told. Scans take turns: through DuckDB, the same batches read by nobody, the same columns evaluated and not read out.
Of three minima DuckDB is handed those of each batch; of three sums and three counts it is handed every row, which it
adds up or does not look at.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweep.database import Database
from sweep.dataset import DesignsDataset
from sweep.execute import WALKED_POINTS, Evaluator, chunks, each
from sweep.plan import Plan
from sweep.resolve import loads
from sweep.run import write
from sweep.space import Space
from sweep.spec import find
from tests.bench.measure import PASSES, ROOT, Spent, in_turns, median, most_memory, once, versions

DESIGNS = 10**9
PER_BUDGET = 289 * 19 * 2 * 4 * 3 * 6  # designs a token budget, with four times as many widths as first-look has
WHERE = "loss_nats < 2.1 and precision = 'bf16'"
QUESTION = f"select gpu, min(lifetime_usd) from designs where {WHERE} group by gpu"
COLUMNS = ["lifetime_usd", "train_usd", "loss_nats"]
SCAN, SUMS, COUNTS = (
    f"select {', '.join(f'{function}({name})' for name in COLUMNS)} from designs"
    for function in ("min", "sum", "count")
)
AIM_CLOCK, AIM_MEMORY, AIM_SHARE = 5.0, 1e9, 0.5  # seconds and bytes of the question, share of the scan


def space(designs: int, conditions: bool) -> Space:
    """First-look with about so many designs."""
    text = find("first-look").read_text().replace("step = 128", "step = 32")
    text = text.replace("points = 141", f"points = {max(2, round(designs / PER_BUDGET))}")
    found = loads(text)
    return found if conditions else replace(found, conditions=())


def whole(designs: int, conditions: bool) -> dict[str, float]:
    """The question, asked of everything a second time, so that all is compiled."""
    asked = space(designs, conditions)
    with Database.open_space(asked) as database:
        database.query(QUESTION).pl()
        before = database.evaluated
        spent = once(lambda: database.query(QUESTION).pl())
        evaluated = database.evaluated - before
        counted = once(lambda: database.query("select count(*) from designs").pl())
    found = {"designs": asked.size, "evaluated": evaluated, "counted": counted.cpu}
    return {**vars(spent), **found, "bytes": float(most_memory())}


def scans(designs: int) -> dict[str, float]:
    """Rates of three columns, in designs a second of processor time, tables aside where nothing is read out."""
    asked = space(designs // 10, False)
    dataset = DesignsDataset(asked)
    evaluator = Evaluator(Plan(asked, COLUMNS, patience=0.0))
    with Database.open_space(asked) as database:
        turns = in_turns(
            {
                "DuckDB": lambda: database.query(SCAN).pl(),
                "sums": lambda: database.query(SUMS).pl(),
                "counts": lambda: database.query(COUNTS).pl(),
                "batches": lambda: sum(batch.num_rows for batch in dataset.reader(COLUMNS)),
                "evaluated": lambda: sum(
                    each(evaluator, lambda w, b: w.count(b), chunks(evaluator.plan, WALKED_POINTS))
                ),
            },
            PASSES - 2,
        )
    found = {name: asked.size / median(passes).cpu for name, passes in turns.items()}
    shares = {
        f"{name} share": statistics.median(b.cpu / a.cpu for a, b in zip(turns[name], turns["batches"], strict=True))
        for name in ("DuckDB", "sums", "counts")
    }
    return {**found, **shares, "designs": asked.size}


def parquet(designs: int) -> dict[str, float]:
    """The question over a run, and over the same space as it is asked."""
    asked = replace(space(designs // 10, False), columns=tuple(COLUMNS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        written = once(lambda: write(asked, folder))
        size = sum(path.stat().st_size for path in (folder / "parts").iterdir())
        with Database.open_run(folder) as run, Database.open_space(asked) as virtual:
            assert sorted(run.query(QUESTION).pl().rows()) == sorted(virtual.query(QUESTION).pl().rows())
            works = {"run": lambda: run.query(QUESTION).pl(), "virtual": lambda: virtual.query(QUESTION).pl()}
            turns = in_turns(works)
    found = {f"{name} cpu": median(passes).cpu for name, passes in turns.items()}
    return {**found, "designs": asked.size, "written": written.cpu, "bytes": size}


JOBS: dict[str, Callable[[int], dict[str, float]]] = {
    "open": lambda designs: whole(designs, False),
    "conditions": lambda designs: whole(designs, True),
    "scans": scans,
    "parquet": parquet,
}


def job(name: str, designs: int) -> dict[str, float]:
    """What a job found, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.sqltable", str(designs), name]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def asked(name: str, found: dict[str, Any]) -> str:
    """The line of a question over everything."""
    spent = Spent(found["cpu"], found["wall"])
    is_met = spent.wall <= AIM_CLOCK and found["bytes"] <= AIM_MEMORY
    return (
        f"{name:24}{found['designs']:>14,}{found['evaluated']:>14,}{spent.cpu:10.2f}{spent.wall:10.2f}"
        f"{found['bytes'] / 1e6:8.0f} MB{found['counted']:10.2f}   {'met' if is_met else 'missed'}"
    )


def met(share: float) -> str:
    """Whether the share of a scan is what is aimed at."""
    return f"{'met' if share >= AIM_SHARE else 'missed'}: {AIM_SHARE:g}"


def table(designs: int = DESIGNS) -> list[str]:
    """A line a job."""
    found = {name: job(name, designs) for name in JOBS}
    scan, kept = found["scans"], found["parquet"]
    return [
        QUESTION,
        f"{'':24}{'designs':>14}{'evaluated':>14}{'processor':>10}{'clock':>10}{'memory':>11}{'count(*)':>10}"
        f"   aim: {AIM_CLOCK:g} s by the clock, {AIM_MEMORY / 1e6:g} MB",
        asked("without conditions", found["open"]),
        asked("with the spec's five", found["conditions"]),
        f"three columns of {scan['designs']:,} designs, M designs a second of processor: {scan['DuckDB'] / 1e6:.0f} "
        f"through DuckDB, {scan['batches'] / 1e6:.0f} as batches nobody reads, {scan['evaluated'] / 1e6:.0f} evaluated "
        f"and not read out",
        f"DuckDB's rate is {scan['DuckDB share']:.2f} of the batches' for minima, whose rows it is not handed   "
        f"{met(scan['DuckDB share'])}",
        f"{scan['sums share']:.2f} for sums, of which it sees every row   {met(scan['sums share'])}; "
        f"{scan['counts share']:.2f} for counts, which leaves what the scan alone takes   {met(scan['counts share'])}",
        f"the question over {kept['designs']:,} designs: {kept['virtual cpu']:.2f} s of processor as it is asked, "
        f"{kept['run cpu']:.2f} s over their Parquet, which took {kept['written']:.1f} s to write and "
        f"{kept['bytes'] / 1e6:.0f} MB",
        versions("duckdb", "pyarrow"),
    ]


if __name__ == "__main__":
    size = int(float(sys.argv[1])) if len(sys.argv) > 1 else DESIGNS
    if len(sys.argv) > 2:
        print(json.dumps(JOBS[sys.argv[2]](size)))
    else:
        print("\n".join(table(size)))

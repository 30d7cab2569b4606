"""What a frontier costs in SQL over Parquet: rows a second of processor time and the most memory, one thread.

    python -m tests.bench.paretosql [MILLIONS OF ROWS] [KIND ...]

Scan, frontier and its whole rows are included, at a memory limit of 2 GB. A run: the parts that sweep run writes of
first-look with finer axes and no conditions, asked for lifetime cost, loss, serving memory and training cost, by the
macros and, "in process", as sweep sql asks, where the compiled kernels fold one scan. The other kinds are rows in
random order, which compress to nothing: a file, in process a view of it. Scattered: uniformly random. Costs: money,
loss, memory and seconds of sizes and tokens. The rival is the plain window form, the least of one objective among all
rows up to the other, which sorts all rows. The limit is reading the objectives: once in process; the macros read them
for a sample, for the frontier and for its rows. Every job runs in a process of its own and has to find as many rows as
the others. One of less than SOON seconds runs three times, of which the median counts; files are on the disk before the
first.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from kernels.pareto import RunningFrontier
from sweep.database import Database
from sweep.opensql import macros
from sweep.resolve import load, loads
from sweep.run import write
from sweep.spec import find
from tests.bench.measure import ROOT, most_memory, versions

Floats = npt.NDArray[np.float64]
BLOCK = 1 << 20
WINDOW = """
    select id from (from designs qualify y <= min(y) over (order by x)) qualify x <= min(x) over (partition by y)
"""
JOBS = {
    "two columns read": "select sum(x), sum(y) from designs",
    "pareto2": "select id from pareto2('designs', x, y)",
    "plain window": WINDOW,
    "three columns read": "select sum(x), sum(y), sum(z) from designs",
    "pareto3": "select id from pareto3('designs', x, y, z)",
    "four columns read": "select sum(x), sum(y), sum(z), sum(w) from designs",
    "pareto of four": "select id from pareto('designs', x, y, z, w)",
}
IN_PROCESS = ("pareto2", "pareto3", "pareto of four")
SOON = 20.0  # seconds of processor time
MOST_SORTED = 30_000_000  # rows; more do not fit the memory limit, and the plain window writes and reads for minutes
AIMS = {"pareto2": 20.0, "pareto3": 2.0}  # M rows a second
RUN = "run"
OF_RUN = {"x": "lifetime_usd", "y": "loss_nats", "z": "serve_bytes", "w": "train_usd", "id": "design_id"}
PER_BUDGET = 73 * 19 * 2 * 4 * 3 * 6  # designs a token budget in first-look


def scattered(generator: np.random.Generator, n: int) -> Floats:
    return generator.random((3, n))


def costs(generator: np.random.Generator, n: int) -> Floats:
    size, tokens = 10 ** generator.uniform(8, 12, n), 10 ** generator.uniform(9.5, 13.5, n)
    usd = 6 * size * tokens * 10 ** generator.uniform(-18.2, -17.2, n)
    loss = 1.69 + 406.4 / size**0.34 + 410.7 / tokens**0.28 + generator.exponential(0.02, n)
    return np.stack([usd, loss, size * generator.choice([0.5, 1.0, 2.0], n) + generator.uniform(0, 1e9, n)])


KINDS: dict[str, Callable[[np.random.Generator, int], Floats]] = {"scattered": scattered, "costs": costs}


def fourth(kind: str, generator: np.random.Generator, columns: Floats) -> Floats:
    """The column beside the three of a kind, drawn apart so that those stay what they are."""
    drawn = generator.random(len(columns[0]))
    return np.sqrt(columns[2]) * np.power(10.0, 2 * drawn - 1) if kind == "costs" else drawn


def rows_of(kind: str, num_rows: int, path: Path) -> None:
    """A Parquet file of id, x, y, z and w in row groups of a million."""
    generator, own = np.random.default_rng(7), np.random.default_rng(11)
    schema = pa.schema({"id": pa.int64()} | {name: pa.float64() for name in "xyzw"})
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, use_dictionary=False) as writer:
        for first in range(0, num_rows, BLOCK):
            n = min(BLOCK, num_rows - first)
            drawn = KINDS[kind](generator, n)
            columns = [np.arange(first, first + n), *drawn, fourth(kind, own, drawn)]
            writer.write_table(pa.table(columns, schema=schema))


def run_of(num_rows: int, folder: Path) -> None:
    """A run of about so many designs."""
    budgets = max(2, round(num_rows / PER_BUDGET))
    space = loads(find("first-look").read_text().replace("points = 141", f"points = {budgets}"))
    space = replace(space, conditions=(), columns=tuple(OF_RUN[name] for name in "xyzw"))
    write(space, folder)


def job(path: str, query: str, how: str) -> None:
    """Print rows found, processor seconds and the most bytes held."""
    found, before = in_process(path, query) if how == "in process" else by_macros(path, query)
    spent = time.process_time() - before
    print(json.dumps([found, spent, most_memory()]))


def by_macros(path: str, query: str) -> tuple[int, float]:
    """How many rows a query of DuckDB alone finds, and when it began."""
    with tempfile.TemporaryDirectory() as spilled, duckdb.connect() as connection:
        connection.execute("set threads = 1; set memory_limit = '2GB'; set enable_progress_bar = false")
        connection.execute(f"set temp_directory = '{spilled}'")
        connection.execute(macros())
        listed = ", ".join(f"{column} as {name}" for name, column in OF_RUN.items())
        source = f"select {listed} from '{path}/parts/*.parquet'" if Path(path).is_dir() else f"from '{path}'"
        connection.execute(f"create view designs as {source}")
        before = time.process_time()
        return len(connection.execute(query).fetchall()), before


def in_process(path: str, query: str) -> tuple[int, float]:
    """The same of a query on a run, or on a view of a file beside a space, the kernels loaded."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for columns in (2, 3, 4):
        RunningFrontier(columns).fold(np.random.default_rng(1).random((100_000, columns)), np.arange(100_000))
    is_run = Path(path).is_dir()
    if is_run:
        query = re.sub(r"\b(id|[xyzw])\b", lambda found: OF_RUN[found[0]], query)
    else:
        query = f"create view rows as from '{path}'; {query.replace('designs', 'rows')}"
    of_run, beside = Database.open_run, Database.open_space
    with of_run(path, memory="2GB") if is_run else beside(load("laptop"), unsafe=True, memory="2GB") as database:
        before = time.process_time()
        return len(database.query(query).pl()), before


def told(name: str, num_rows: int, path: Path, query: str, how: str = "") -> tuple[str, int, float]:
    """The line of a job, the rows it found and its processor seconds."""
    command = [sys.executable, "-m", "tests.bench.paretosql", "--job", str(path), query, how]
    done: list[tuple[float, int, int]] = []
    while not done or (len(done) < 3 and done[0][0] < SOON):
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        count, spent, most = json.loads(answer.stdout)
        done.append((spent, count, most))
    assert len({count for _, count, _ in done}) == 1, done
    spent, count, most = sorted(done)[len(done) // 2]
    rate = num_rows / spent / 1e6
    job_name = name.split(", ")[1]
    verdict = f"   {'met' if rate >= AIMS[job_name] else 'missed'}: {AIMS[job_name]:g}" if job_name in AIMS else ""
    return f"{name:45}{rate:>15.1f}{spent:>10.1f}{most / 1e9:>7.2f}{count:>9,}{verdict}", count, spent


def lines_of(kind: str, num_rows: int, path: Path) -> list[str]:
    """A line a job over a file or a run."""
    lines: list[str] = []
    spent: dict[str, float] = {}
    counts: dict[str, int] = {}
    for name, query in JOBS.items():
        if query == WINDOW and num_rows > MOST_SORTED:
            continue
        line, counts[name], spent[name] = told(f"{kind}, {name}", num_rows, path, query)
        lines.append(line)
        if name in IN_PROCESS:
            line, count, _ = told(f"{kind}, {name}, in process", num_rows, path, query, "in process")
            lines.append(line)
            assert count == counts[name], (name, count, counts)
    if "plain window" in counts:
        assert counts["pareto2"] == counts["plain window"], counts
        lines.append(f"{kind}: pareto2 is {spent['plain window'] / spent['pareto2']:.1f} x the plain window")
    read = 3 * spent["two columns read"] / spent["pareto2"]
    return [*lines, f"{kind}: reading two columns three times is {read:.2f} of pareto2"]


def table(millions: float = 100, *kinds: str) -> list[str]:
    """A line a job."""
    num_rows = int(millions * 1e6)
    lines = [f"{num_rows:,} rows of Parquet, one thread{'M rows a second':>22}{'seconds':>10}{'GB':>7}{'found':>9}"]
    for kind in kinds or (RUN, *KINDS):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / (kind if kind == RUN else f"{kind}.parquet")
            command = [sys.executable, "-m", "tests.bench.paretosql", "--make", kind, str(num_rows), str(path)]
            subprocess.run(command, cwd=ROOT, check=True)  # apart, so that what it holds is not counted
            os.sync()  # or the first job would be slowed by the system writing what it holds
            lines += lines_of(kind, num_rows, path)
    return [*lines, versions("duckdb")]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        job(*sys.argv[2:])
    elif sys.argv[1:2] == ["--make"]:
        kind, size, made = sys.argv[2:]
        run_of(int(size), Path(made)) if kind == RUN else rows_of(kind, int(size), Path(made))
    else:
        print("\n".join(table(float(sys.argv[1] if sys.argv[1:] else 100), *sys.argv[2:])))

"""What a frontier costs in SQL over Parquet: rows a second of processor time and the most memory, one thread.

    python -m tests.bench.paretosql [MILLIONS OF ROWS] [KIND ...]

Scan, frontier and its whole rows are included, at a memory limit of 2 GB. The rival is the plain window form, the
least of one objective among all rows up to the other, which sorts all rows. The limit is reading the objectives twice,
once to find the frontier and once to find its rows. Scattered: uniformly random. Costs: money, loss, memory and seconds
of sizes and tokens. Every job runs in a process of its own and has to find as many rows as the others.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench.measure import ROOT, versions

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
MOST_SORTED = 30_000_000  # rows; more do not fit the memory limit, and the plain window writes and reads for minutes
AIMS = {"pareto2": 20.0, "pareto3": 2.0, "pareto of four": 0.5}  # M rows a second


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


def job(path: str, query: str) -> None:
    """Print rows found, processor seconds and the most bytes held."""
    import duckdb

    from sweep.opensql import macros

    with tempfile.TemporaryDirectory() as spilled, duckdb.connect() as connection:
        connection.execute("set threads = 1; set memory_limit = '2GB'; set enable_progress_bar = false")
        connection.execute(f"set temp_directory = '{spilled}'")
        connection.execute(macros())
        connection.execute(f"create view designs as from '{path}'")
        before = time.process_time()
        found = len(connection.execute(query).fetchall())
        spent = time.process_time() - before
    print(json.dumps([found, spent, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))


def table(millions: float = 100, *kinds: str) -> list[str]:
    """A line a job."""
    num_rows = int(millions * 1e6)
    lines = [f"{num_rows:,} rows of Parquet, one thread{'M rows a second':>22}{'seconds':>10}{'GB':>7}{'found':>9}"]
    for kind in kinds or tuple(KINDS):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.parquet"
            rows_of(kind, num_rows, path)
            spent: dict[str, float] = {}
            counts: dict[str, int] = {}
            jobs = {name: query for name, query in JOBS.items() if query != WINDOW or num_rows <= MOST_SORTED}
            for name, query in jobs.items():
                command = [sys.executable, "-m", "tests.bench.paretosql", "--job", str(path), query]
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
                counts[name], spent[name], most = json.loads(done.stdout)
                rate = num_rows / spent[name] / 1e6
                verdict = f"   {'met' if rate >= AIMS[name] else 'missed'}: {AIMS[name]:g}" if name in AIMS else ""
                figures = f"{rate:>15.1f}{spent[name]:>10.1f}{most / 1e9:>7.2f}{counts[name]:>9,}"
                lines.append(f"{f'{kind}, {name}':45}{figures}{verdict}")
        if "plain window" in counts:
            assert counts["pareto2"] == counts["plain window"], counts
            lines.append(f"{kind}: pareto2 is {spent['plain window'] / spent['pareto2']:.1f} x the plain window")
        read = 2 * spent["two columns read"] / spent["pareto2"]
        lines.append(f"{kind}: reading two columns twice is {read:.2f} of pareto2")
    lines.append(versions("duckdb"))
    return lines


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        job(*sys.argv[2:])
    else:
        print("\n".join(table(float(sys.argv[1] if sys.argv[1:] else 100), *sys.argv[2:])))

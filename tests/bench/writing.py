"""How fast a run is written, beside polars writing rows that are there already; what a design takes on disk.

    python -m tests.bench.writing

A run is everything: evaluating first-look, conditions left out, encoding, hashes, fsync, manifest. Polars gets frames
of the same parts from memory, one after the other, with row groups as long and the same statistics, once with lz4 like
a run's numbers and once with zstd, and only hands its files to the system. All take turns; each size and number of
threads has a process of its own, since polars reads the latter at its start. Ratios are rates of rows, ours over
polars', by processor time and by the clock. What a run takes however small it is (its SQL, tables, loops) shows in the
smaller of two sizes.
"""

import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from sweep.columns import Column, frame
from sweep.execute import Evaluator, Rows, each
from sweep.growth import Walk
from sweep.parts import Layout, encode
from sweep.plan import Plan
from sweep.resolve import load, loads
from sweep.run import prepare, write
from sweep.space import Space
from tests.bench.growth import text_of
from tests.bench.measure import machine, most_memory

Codec = Literal["lz4", "zstd"]
CODECS: tuple[Codec, ...] = ("lz4", "zstd")
PASSES = {8_000_000: 5, 100_000_000: 3}  # by how many designs there are about
AIM = 0.85  # of the rate of polars
LARGEST, AIM_MEMORY = 200_000_000, 1.5  # designs and GB
ORDERED = 2_000_000  # rows that are put in other orders
FINER = 128, 4, 2  # steps of width and depth and how many vocabularies first-look has


def space_about(designs: int) -> Space:
    """first-look without conditions, with fewer widths or more token budgets: of about so many designs."""
    space = replace(load("first-look"), conditions=())
    product = Plan(space, ()).points
    if designs > product:
        tokens = next(len(axis) for axis in space.axes if axis.name == "train_tokens")
        return replace(loads(text_of(*FINER, round(designs / product * tokens))), conditions=())
    axis = next(axis for axis in space.axes if axis.name == "hidden_size")
    kept = max(1, round(len(axis) * designs / product))
    fewer = axis.take(axis.kept[:: max(1, len(axis) // kept)])
    return replace(space, axes=tuple(fewer if a is axis else a for a in space.axes))


def clock(work: Callable[[], object]) -> tuple[float, float]:
    """Processor time and time on the clock."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def parts_of(space: Space, columns: list[Column], plan: Plan, layout: Layout) -> Iterator[pl.DataFrame]:
    """The frames of the parts of a run, one after the other."""
    held: list[pl.DataFrame] = []
    for _, found in each(Evaluator(plan), Walk(plan, layout, {}).work, layout.chunks(0, plan.box.blocks)):
        held.append(frame(columns, space, found))
        if sum(f.height for f in held) >= layout.part_rows:
            yield pl.concat(held, rechunk=True)
            held = []
    if held:
        yield pl.concat(held, rechunk=True)


def by_polars(part: pl.DataFrame, path: Path, codec: Codec, layout: Layout) -> None:
    """Have polars write a part."""
    part.write_parquet(
        path,
        compression=codec,
        compression_level=layout.zstd_level if codec == "zstd" else None,
        statistics={"min": True, "max": True, "distinct_count": False, "null_count": True},
        row_group_size=layout.row_group_rows,
    )


def compare(designs: int, threads: int) -> None:
    """Print the ratios on so many threads."""
    space = space_about(designs)
    plan, columns, layout = prepare(space)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ("a run", *CODECS)}
    size: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(space_about(min(PASSES)), folder / "first", threads=threads)
        for k in range(PASSES[designs]):
            at = folder / f"run-{k}"
            spent["a run"].append(clock(lambda at=at: write(space, at, threads=threads)))  # type: ignore[misc]
            size["a run"] = sum(path.stat().st_size for path in (at / "parts").iterdir())
            shutil.rmtree(at)
            times = dict.fromkeys(CODECS, (0.0, 0.0))
            for number, part in enumerate(parts_of(space, columns, plan, layout)):
                for codec in CODECS:
                    path = folder / f"{codec}-{number}.parquet"
                    took = clock(lambda part=part, path=path, codec=codec: by_polars(part, path, codec, layout))  # type: ignore[misc]
                    times[codec] = (times[codec][0] + took[0], times[codec][1] + took[1])
            for codec in CODECS:
                spent[codec].append(times[codec])
                files = list(folder.glob(f"{codec}-*.parquet"))
                size[codec] = sum(path.stat().st_size for path in files)
                for path in files:
                    path.unlink()
    print(f"  {plan.points:,} designs on {threads} thread{'s' * (threads > 1)}, ns of a processor a row")
    for name, passes in spent.items():
        ratio = np.median(np.array(passes) / np.array(spent["a run"]), axis=0)
        met = "met" if ratio[0] >= AIM else "missed"
        beside = f"   a run is {ratio[0]:.2f} x by processor, {ratio[1]:.2f} x by the clock   {met}: {AIM}"
        print(
            f"    {name if name == 'a run' else f'polars, {name}':<13}"
            f"{statistics.median(t[0] for t in passes) / plan.points * 1e9:4.0f} ns"
            f"{size[name] / plan.points:8.2f} bytes{'' if name == 'a run' else beside}",
            flush=True,
        )


def memory(designs: int) -> None:
    """Print the most memory that a run of so many designs takes."""
    space = space_about(designs)
    with tempfile.TemporaryDirectory() as name:
        done = write(space, Path(name) / "run", threads=2)
    peak = most_memory() / 1e9
    met = "met" if peak < AIM_MEMORY else "missed"
    print(f"  {done.rows:,} rows on 2 threads, most memory {peak:.2f} GB   {met}: {AIM_MEMORY} GB", flush=True)


def orders(plan: Plan, rows: Rows) -> dict[str, np.ndarray]:
    """Ways to put rows in order."""
    walk = [rows.columns[f"#{axis.name}"] for axis in plan.axes]
    return {
        "as walked": np.arange(len(rows)),
        "as the spec has its axes": np.argsort(rows.design_id),
        "the walk inside out": np.lexsort(walk),
        "shuffled": np.random.default_rng(1).permutation(len(rows)),
    }


def disk() -> None:
    """Print bytes a design by the order of rows."""
    space = space_about(ORDERED)
    plan, columns, layout = prepare(space)
    found = [rows for _, rows in each(Evaluator(plan), Walk(plan, layout, {}).work, layout.chunks(0, plan.box.blocks))]
    whole = Rows(
        np.concatenate([rows.design_id for rows in found]),
        {name: np.concatenate([rows.columns[name] for rows in found]) for name in found[0].columns},
    )
    axes = [c.is_axis for c in columns]
    print(f"{len(whole):,} designs, bytes a design:    all   ids  axes")
    for order, picked in orders(plan, whole).items():
        part = Rows(whole.design_id[picked], {name: values[picked] for name, values in whole.columns.items()})
        content, _ = encode([part], space, columns, layout, {})
        said = pq.ParquetFile(io.BytesIO(content)).metadata
        groups = [said.row_group(k) for k in range(said.num_row_groups)]
        sizes = np.array([sum(g.column(k).total_compressed_size for g in groups) for k in range(len(columns))])
        sizes = sizes / len(whole)
        print(f"  {order:<32} {len(content) / len(whole):7.3f} {sizes[0]:5.2f} {sizes[axes].sum():5.3f}")


def main(designs: str = "", threads: str = "") -> None:
    if threads:
        compare(int(designs), int(threads))
        return
    if designs:
        memory(int(designs))
        return
    print(f"first-look, conditions left out; {machine()}", flush=True)
    jobs = [[str(size), count] for size in PASSES for count in ("1", "2")]
    for job in [*jobs, [str(LARGEST)]]:
        command = [sys.executable, "-m", "tests.bench.writing", *job]
        subprocess.run(command, check=True, env=os.environ | {"POLARS_MAX_THREADS": job[-1] if len(job) > 1 else "2"})
    disk()


if __name__ == "__main__":
    main(*sys.argv[1:])

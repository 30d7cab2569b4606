"""How fast a run is written, beside polars writing rows that are there already; what a design takes on disk.

    python -m tests.bench.writing [SPEC] [DESIGNS]

A run is everything: evaluating the space, conditions left out, encoding, hashes, fsync, manifest. Polars gets frames of
the same parts from memory, with row groups as long and the same statistics, once with lz4 like a run's numbers and once
with zstd, and only hands its files to the system. All take turns; each number of threads has a process of its own,
since polars reads it at its start. Ratios are rates of rows, ours over polars', by processor time and by the clock.
"""

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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
from sweep.resolve import load
from sweep.run import prepare, write
from sweep.space import Space
from tests.bench.measure import machine

Codec = Literal["lz4", "zstd"]
CODECS: tuple[Codec, ...] = ("lz4", "zstd")
PASSES = 5
DESIGNS = 8_000_000
ORDERED = 2_000_000  # rows that are put in other orders


def cut(spec: str, designs: int) -> Space:
    """A spec without conditions, its longest axis but one thinned to about so many designs."""
    space = replace(load(spec), conditions=())
    product = Plan(space, ()).points
    axis = sorted(space.axes, key=len)[-2]
    kept = max(1, min(len(axis), round(len(axis) * designs / product)))
    fewer = axis.take(axis.kept[:: max(1, len(axis) // kept)])
    return replace(space, axes=tuple(fewer if a is axis else a for a in space.axes))


def clock(work: Callable[[], object]) -> tuple[float, float]:
    """Processor time and time on the clock."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def parts_of(space: Space, columns: list[Column], plan: Plan, layout: Layout) -> list[pl.DataFrame]:
    """The frames of the parts of a run."""
    parts: list[pl.DataFrame] = []
    held: list[pl.DataFrame] = []
    for _, found in each(Evaluator(plan), Walk(plan, layout, {}).work, layout.chunks(0, plan.box.blocks)):
        held.append(frame(columns, space, found))
        if sum(f.height for f in held) >= layout.part_rows:
            parts.append(pl.concat(held, rechunk=True))
            held = []
    return parts + ([pl.concat(held, rechunk=True)] if held else [])


def compare(spec: str, designs: int, threads: int) -> None:
    """Print the ratios on so many threads."""
    space = cut(spec, designs)
    plan, columns, layout = prepare(space)
    parts = parts_of(space, columns, plan, layout)
    rows = sum(part.height for part in parts)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ("a run", *CODECS)}
    size: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(space, folder / "first", threads=threads)

        def polars(codec: Codec) -> None:
            for k, part in enumerate(parts):
                part.write_parquet(
                    folder / f"polars-{k}.parquet",
                    compression=codec,
                    compression_level=layout.zstd_level if codec == "zstd" else None,
                    statistics={"min": True, "max": True, "distinct_count": False, "null_count": True},
                    row_group_size=layout.row_group_rows,
                )

        for codec in CODECS:
            polars(codec)
            size[codec] = sum(path.stat().st_size for path in folder.glob("polars-*.parquet"))
        for k in range(PASSES):
            at = folder / f"run-{k}"
            spent["a run"].append(clock(lambda at=at: write(space, at, threads=threads)))  # type: ignore[misc]
            size["a run"] = sum(path.stat().st_size for path in (at / "parts").iterdir())
            for path in (at / "parts").iterdir():
                path.unlink()
            for codec in CODECS:
                spent[codec].append(clock(lambda codec=codec: polars(codec)))  # type: ignore[misc]
    for name, times in spent.items():
        ratio = np.median(np.array(times) / np.array(spent["a run"]), axis=0)
        beside = "" if name == "a run" else f"   a run is {ratio[0]:.2f} x by processor, {ratio[1]:.2f} x by the clock"
        print(
            f"  {threads} threads, {name if name == 'a run' else f'polars, {name}':<13}"
            f"{statistics.median(t[0] for t in times) / rows * 1e9:4.0f} ns of a processor a row,"
            f"{size[name] / rows:6.2f} bytes{beside}"
        )


def orders(plan: Plan, rows: Rows) -> dict[str, np.ndarray]:
    """Ways to put rows in order."""
    walk = [rows.columns[f"#{axis.name}"] for axis in plan.axes]
    return {
        "as walked": np.arange(len(rows)),
        "as the spec has its axes": np.argsort(rows.design_id),
        "the walk inside out": np.lexsort(walk),
        "shuffled": np.random.default_rng(1).permutation(len(rows)),
    }


def disk(spec: str) -> None:
    """Print bytes a design by the order of rows."""
    space = cut(spec, ORDERED)
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


def main(spec: str = "first-look", designs: str = str(DESIGNS), threads: str = "") -> None:
    if threads:
        compare(spec, int(designs), int(threads))
        return
    print(f"{spec}: {Plan(cut(spec, int(designs)), ()).points:,} designs, conditions left out; {machine()}", flush=True)
    for count in ("1", "2"):
        command = [sys.executable, "-m", "tests.bench.writing", spec, designs, count]
        subprocess.run(command, check=True, env=os.environ | {"POLARS_MAX_THREADS": count})
    disk(spec)


if __name__ == "__main__":
    main(*sys.argv[1:])

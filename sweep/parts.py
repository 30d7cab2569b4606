"""The Parquet parts of a run: how rows are cut into them, how one gets to disk, which of them can be kept.

A part appears under its name only when it is whole and on disk. Its footer says which run it belongs to, which blocks
of the walk its rows are from, and the sha256 of the rest of it: the parts alone say how far a run has come, and each
is known to the bit.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import takewhile
from math import ceil, prod
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sweep.columns import Column, schema
from sweep.evaluator import Cells
from sweep.execute import CHUNK_POINTS, DESIGN_ID, Rows
from sweep.manifest import Part
from sweep.plan import Plan
from sweep.space import Axis, Space

if TYPE_CHECKING:
    import pyarrow as pa

Compression = Literal["none", "lz4", "zstd"]
PART_ROWS = 1 << 20
PART_BYTES = 128 << 20  # of a part in memory: wide rows make fewer rows a part
PART_POINTS = 1 << 30  # designs after which a part is written however few of them held
CHUNK_BYTES = 32 << 20  # of the rows a thread makes at once
ROW_GROUP_ROWS = 1 << 18
PAGE_ROWS = 1 << 16
ZSTD_LEVEL = 1
# the share of the bytes that has to be saved: fewer cost reader and writer less than saving them does
WORTH: dict[Compression, float] = {"lz4": 1 / 6, "zstd": 1 / 3}
RESTLESS = 1 / 64  # what lz4 leaves at most of an axis that goes without a dictionary, which would leave less still
FOOTER = "llm-sweep"  # the key of what a part says of itself
UNSEALED = "0" * 64
PIECE = 1 << 16  # written at once, between two looks at whether to stop; of large pieces Linux makes large pages first


class Stopped(Exception):
    """Writing was called off; nothing is left of the file."""


@dataclass(frozen=True)
class Layout:
    """How rows are cut: a part is closed after the chunk that brings it to so many rows, or to so many blocks."""

    chunk_blocks: int
    part_rows: int
    part_blocks: int
    row_group_rows: int
    zstd_level: int
    digits: int

    @classmethod
    def of(cls, plan: Plan, columns: int, part_rows: int = PART_ROWS) -> Layout:
        """The layout of the rows of a plan with so many columns. It never depends on threads or on the machine."""
        row_bytes = 8 * columns
        points = max(1, plan.box.points)
        rows = max(1, min(part_rows, PART_BYTES // row_bytes))
        chunk = max(1, min(CHUNK_POINTS, CHUNK_BYTES // row_bytes, rows) // points)
        blocks = max(1, PART_POINTS // points)
        most_parts = ceil(plan.points / rows) + ceil(plan.box.blocks / blocks)
        return cls(chunk, rows, blocks, ROW_GROUP_ROWS, ZSTD_LEVEL, max(5, len(str(most_parts))))

    def described(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)

    def chunks(self, first: int, blocks: int) -> Iterator[range]:
        """Runs of blocks from a block on. Made as they are asked for: a list of them has no bound."""
        for start in range(first, blocks, self.chunk_blocks):
            yield range(start, min(start + self.chunk_blocks, blocks))

    def name(self, number: int) -> str:
        """The file name of a part; by name they are in the order of their rows."""
        return f"part-{number:0{self.digits}d}.parquet"


def designs_before(plan: Plan, block: int) -> int:
    """Designs of the walk before a block. The last slice of an axis may be shorter, so this is no product."""
    box = plan.box
    if block == box.blocks:
        return plan.points
    whole, slices = divmod(block, box.counts[box.sliced])
    width = prod(box.sizes[box.sliced + 1 :])
    return (whole * box.sizes[box.sliced] + slices * box.extents[box.sliced]) * width


def publish(path: Path, content: bytes | memoryview, stop: Event | None = None) -> None:
    """Write a file so that it is there whole or not at all, whatever happens. Stopped when stop is set meanwhile."""
    scratch = path.with_name(f".{path.name}.tmp")
    try:
        with scratch.open("wb") as stream:
            for start in range(0, len(content), PIECE):
                if stop is not None and stop.is_set():
                    raise Stopped
                stream.write(content[start : start + PIECE])
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(scratch, path)
        sync_folder(path.parent)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def encode(
    held: list[Rows], space: Space, columns: Sequence[Column], layout: Layout, said: Mapping[str, Any]
) -> tuple[memoryview, str]:
    """Rows of a space as a Parquet file, with what the part says of itself in its footer, sealed; and its sha256.

    held is emptied on the way, so that its rows go as the bytes come. All of it is done on the thread that calls, and
    next to nothing of it under the lock of the interpreter.
    """
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    floats = [c.name for c in columns if c.kind == "float" and not c.is_axis]
    # DuckDB takes a column with a greatest number for one without nan (duckdb/duckdb#25521), so isnan would be wrong
    unordered = {name for name in floats if any(np.isnan(rows.columns[name].min()) for rows in held if len(rows))}
    dense = [c.name for c in columns if c.kind in ("float", "int") and not c.is_axis and c.name != DESIGN_ID]
    numbers = [space.axis(c.name) for c in columns if c.is_axis and c.kind != "word"]
    restless = [axis.name for axis in numbers if axis is not None and is_restless(held, axis)]
    codecs = {n: compression(held, n, layout.zstd_level) if n in dense else "zstd" for n in (c.name for c in columns)}
    codecs |= dict.fromkeys(restless, "lz4")
    style: dict[str, Any] = {
        "compression": codecs,
        "compression_level": {name: layout.zstd_level for name, found in codecs.items() if found == "zstd"},
        # where values are few for certain; of the rest, most would turn out to be too many after a long search
        "use_dictionary": [c.name for c in columns if (c.is_axis or c.kind == "word") and c.name not in restless],
        "column_encoding": {DESIGN_ID: "DELTA_BINARY_PACKED"},  # ids are steps
        "write_statistics": [c.name for c in columns if c.name not in unordered],
        "write_batch_size": PAGE_ROWS,  # a tenth less time than with pyarrow's own
        "max_rows_per_page": PAGE_ROWS,  # each page is compressed anew: fewer take less time, larger ones more to read
    }
    stream = pa.BufferOutputStream()
    # as polars has it: what makes an Enum of a word stands in the metadata of its field
    types = pl.DataFrame(schema=schema(columns)).to_arrow().schema
    # no cell is ever null, and saying so spares a level a cell, which takes as long as a cell that compresses well
    types = pa.schema([field.with_nullable(False) for field in types], types.metadata)
    with pq.ParquetWriter(stream, types, **style) as writer:
        for group in _row_groups(held, space, columns, types, layout.row_group_rows):
            writer.write_table(group, row_group_size=layout.row_group_rows)
        writer.add_key_value_metadata({FOOTER: json.dumps({**said, "seal": UNSEALED})})
    content = memoryview(stream.getvalue()).cast("B")
    return content, _seal(content)


def compression(held: Sequence[Rows], name: str, zstd_level: int) -> Compression:
    """What numbers of a column are compressed by, as a page of them tells: of its longest rows the middle.

    lz4 is sooner read than zstd and mostly compresses nearly as well, but it sees nothing that repeats after more
    than 64 KiB, as where an inner axis is long.
    """
    import pyarrow as pa

    page = _page(held, name)
    if not len(page):
        return "zstd"
    best: Compression = "none"
    size = float(page.nbytes)
    tried: tuple[tuple[Compression, pa.Codec], ...] = (
        ("lz4", pa.Codec("lz4_raw")),
        ("zstd", pa.Codec("zstd", compression_level=zstd_level)),
    )
    for found, compressor in tried:
        worth = WORTH[found] * page.nbytes
        if size > worth and (smaller := compressor.compress(pa.py_buffer(page)).size) <= size - worth:
            best, size = found, smaller
    return best


def is_restless(held: Sequence[Rows], axis: Axis) -> bool:
    """Whether the numbers of an axis change from row to row and come back soon, as a page of them tells.

    Looking each up in a dictionary takes three times as long as writing it, and lz4 leaves as good as nothing of them.
    """
    import pyarrow as pa

    places = _page(held, f"#{axis.name}")
    if 2 * np.count_nonzero(np.diff(places)) <= len(places):
        return False
    page = np.asarray(axis.labels)[places]
    return bool(pa.Codec("lz4_raw").compress(pa.py_buffer(page)).size <= RESTLESS * page.nbytes)


def _page(held: Sequence[Rows], name: str) -> Cells:
    """A page of a column: of its longest rows the middle."""
    cells = max(held, key=len).columns[name] if held else np.empty(0)
    start = max(0, len(cells) - PAGE_ROWS) // 2
    return np.ascontiguousarray(cells[start : start + PAGE_ROWS])


def _row_groups(
    held: list[Rows], space: Space, columns: Sequence[Column], types: pa.Schema, length: int
) -> Iterator[pa.Table]:
    """Rows as tables of so many, the last with the rest."""
    import pyarrow as pa

    tables: list[pa.Table] = []
    while held:
        rows = held.pop(0)
        arrays = [_array(column, space, rows, types.field(column.name).type) for column in columns]
        tables.append(pa.Table.from_arrays(arrays, schema=types))
        del rows, arrays
        while sum(map(len, tables)) >= length:
            gathered = pa.concat_tables(tables)  # nothing is copied
            yield gathered.slice(0, length)
            tables = [gathered.slice(length)]
    if any(map(len, tables)):
        yield pa.concat_tables(tables)


def _array(column: Column, space: Space, rows: Rows, dtype: pa.DataType) -> pa.Array:
    """A column as Arrow has it; numbers are not copied, and words are places in a dictionary as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    axis = space.axis(column.name) if column.is_axis else None
    values = (
        rows.design_id if column.name == DESIGN_ID else rows.columns[column.name if axis is None else f"#{column.name}"]
    )
    if column.kind == "word":
        places = values.astype(dtype.index_type.to_pandas_dtype())
        return pa.DictionaryArray.from_arrays(places, pa.array(column.words, dtype.value_type), ordered=True)
    if column.kind == "bool" and axis is None:
        return pa.array(values != 0)
    if axis is not None:
        return pc.take(pa.array(axis.labels, dtype), pa.array(values), boundscheck=False)
    if column.kind == "bool":
        return pa.array(values != 0)
    return pa.array(np.asarray(values, dtype.to_pandas_dtype()), dtype)


def sha256_of(path: Path) -> str:
    """The sha256 of a file, as manifests have it of parts."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seal(content: memoryview) -> str:
    """Seal a part; its sha256 then.

    The seal is the sha256 of the file with zeros in place of the seal, so a part can be checked alone. Both hashes are
    one up to there.
    """
    place = _seal_place(content, UNSEALED)
    assert place is not None
    sealed = hashlib.sha256(content[:place])
    unsealed = sealed.copy()
    unsealed.update(content[place:])
    content[place : place + len(UNSEALED)] = unsealed.hexdigest().encode()
    sealed.update(content[place:])
    return sealed.hexdigest()


def footer_of(identity: str, number: int, blocks: tuple[int, int], rows: int) -> dict[str, Any]:
    """What a part says of itself, its seal aside; blocks are its first one and the one after its last."""
    return {"run": identity, "part": number, "blocks": list(blocks), "rows": rows}


def kept(folder: Path, layout: Layout, identity: str, threads: int) -> list[Part]:
    """The parts that a run can go on from: its own, in a row from the first, none damaged.

    Nothing but the parts is asked, and their files are read whole.
    """
    footers: list[dict[str, Any]] = []
    while (found := _footer(folder / layout.name(len(footers)))) is not None:
        start = footers[-1]["blocks"][1] if footers else 0
        expected = footer_of(identity, len(footers), (start, found["blocks"][1]), found["rows"])
        if found != expected | {"seal": found["seal"]}:
            break
        footers.append(found)

    def checked(footer: dict[str, Any]) -> Part | None:
        name = layout.name(footer["part"])
        content = bytearray((folder / name).read_bytes())
        digest = hashlib.sha256(content).hexdigest()
        place = _seal_place(content, footer["seal"])
        if place is None:
            return None
        content[place : place + len(UNSEALED)] = UNSEALED.encode()
        if hashlib.sha256(content).hexdigest() != footer["seal"]:
            return None
        return Part(name, footer["rows"], len(content), digest, *footer["blocks"])

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(checked, footers))
    return [part for part in takewhile(lambda part: part is not None, parts) if part is not None]


def sweep_out(folder: Path, parts: Sequence[Part]) -> None:
    """Remove what an interrupted run left: unfinished files, and parts behind a gap. Other people's files stay."""
    names = {part.name for part in parts}
    for path in folder.iterdir():
        if re.fullmatch(r"\.part-\d+\.parquet\.tmp", path.name) or (
            re.fullmatch(r"part-\d+\.parquet", path.name) and path.name not in names
        ):
            path.unlink()


def _footer(path: Path) -> dict[str, Any] | None:
    """What a part says of itself; None when it is missing or does not end as ours do."""
    import polars as pl

    if not path.is_file():
        return None
    try:
        found = json.loads(pl.read_parquet_metadata(path)[FOOTER])
        whole = len(found["blocks"]) == 2 and len(found["seal"]) == len(UNSEALED) and found["rows"] >= 0
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, KeyError, TypeError, ValueError):
        return None
    return found if whole else None


def _seal_place(content: memoryview | bytearray, seal: str) -> int | None:
    """Where the seal stands in the footer of a Parquet file, whose length the file ends with."""
    length = int.from_bytes(content[-8:-4], "little") + 8
    found = bytes(content[-length:]).find(f'"seal": "{seal}"'.encode())
    return None if found < 0 else len(content) - length + found + len('"seal": "')

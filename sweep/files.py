"""Tables as files: CSV, JSON, Parquet and workbooks out, whole or not at all; tables of designs in."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias, cast

from sweep.columns import Column
from sweep.errors import SweepError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    Source: TypeAlias = pl.DataFrame | pa.RecordBatchReader

EXACT_IN_A_SHEET = 2**53  # a sheet holds floats only
FORMATS = ("csv", "json", "parquet", "xlsx")


def format_of(path: Path | None, format_: str | None) -> str:
    """The format to write: the one named, else the one the file's name ends in. SweepError when neither says."""
    chosen = format_ or (path.suffix.removeprefix(".").lower() if path is not None else "csv")
    if chosen == "table":
        chosen = "csv"
    if chosen not in FORMATS:
        raise SweepError(f"{path}: the name does not say a format; end it in .{', .'.join(FORMATS)} or give --format")
    return chosen


def write(source: Source, path: str | Path | None, format_: str | None = None, columns: Iterable[Column] = ()) -> int:
    """Write a frame or a stream of batches to a file, whole or not at all, or to standard output; the rows written.

    CSV, JSON and Parquet take any number of rows. What is not finite is null in JSON and an empty cell in workbooks.
    """
    path = Path(path) if path is not None else None
    chosen = format_of(path, format_)
    if path is None:
        if chosen in ("parquet", "xlsx"):
            raise SweepError(f"{chosen} is not text: name a file with -o")
        try:
            count = _WRITERS[chosen](source, sys.stdout.buffer, tuple(columns))
            sys.stdout.buffer.flush()
        except OSError as error:
            if "broken pipe" in str(error).lower():  # polars forgets the number of the error
                raise BrokenPipeError from None
            raise
        return count
    with replacing(path) as stream:
        return _WRITERS[chosen](source, stream, tuple(columns))


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream that becomes the file once all of it is written."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w+b") as stream:
            yield stream
        os.replace(partial, path)
    except OSError as error:
        raise SweepError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def frames(source: Source) -> Iterator[pl.DataFrame]:
    """The rows of a source as frames; one at least, so that the columns are known."""
    import polars as pl

    if isinstance(source, pl.DataFrame):
        yield source
        return
    yield cast("pl.DataFrame", pl.from_arrow(source.schema.empty_table()))
    for batch in source:
        yield cast("pl.DataFrame", pl.from_arrow(batch))


def _write_csv(source: Source, stream: IO[bytes], _: Sequence[Column]) -> int:
    count = 0
    for index, frame in enumerate(frames(source)):
        flat(frame).write_csv(stream, include_header=index == 0)
        count += len(frame)
    return count


def _write_json(source: Source, stream: IO[bytes], _: Sequence[Column]) -> int:
    count = 0
    for frame in frames(source):
        for row in frame.iter_rows(named=True):
            text = json.dumps({name: _plain(value) for name, value in row.items()}, ensure_ascii=False, allow_nan=False)
            stream.write(((",\n" if count else "[\n") + text).encode())
            count += 1
    stream.write(b"\n]\n" if count else b"[]\n")
    return count


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    try:
        return int(value) if value == int(value) else float(value)  # a Decimal
    except (TypeError, ValueError):
        return str(value)


def _write_parquet(source: Source, stream: IO[bytes], _: Sequence[Column]) -> int:
    import polars as pl

    if isinstance(source, pl.DataFrame):
        unordered = any(series.is_nan().any() for series in source if series.dtype.is_float())
        source.write_parquet(stream, compression="zstd", compression_level=1, statistics=not unordered)
        return len(source)
    import pyarrow as pa
    import pyarrow.parquet as pq

    # DuckDB takes a column with a greatest number for one without nan (duckdb/duckdb#25521)
    ordered: Any = [field.name for field in source.schema if not pa.types.is_floating(field.type)]
    style: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "write_statistics": ordered}
    count = 0
    with pq.ParquetWriter(stream, source.schema, **style) as writer:
        for batch in source:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists, which CSV and sheets have not, as text."""
    import polars as pl

    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    texts = [
        pl.Series(n, [None if v is None else json.dumps(v, default=str) for v in frame[n].to_list()]) for n in nested
    ]
    return frame.with_columns(texts)


def _write_xlsx(source: Source, stream: IO[bytes], columns: Sequence[Column]) -> int:
    from sweep.workbook import write_xlsx

    return write_xlsx(frames(source), stream, columns)


_WRITERS: dict[str, Callable[[Source, IO[bytes], Sequence[Column]], int]] = {
    "csv": _write_csv,
    "json": _write_json,
    "parquet": _write_parquet,
    "xlsx": _write_xlsx,
}


def read(path: Path | None) -> pl.DataFrame:
    """A table of designs: CSV (- is standard input), Parquet or a workbook's first sheet; one design when None.

    The cells of a CSV stay the text they are, so that a column we do not read comes out as it went in. SweepError for a
    file that cannot be read, and for two columns of the same input.
    """
    import polars as pl

    if path is None:
        return pl.DataFrame(height=1)
    try:
        if str(path) == "-":
            return _csv(sys.stdin.buffer.read(), "standard input")
        match path.suffix.lower():
            case ".parquet":
                return pl.read_parquet(path)
            case ".xlsx":
                return _first_sheet(path)
            case ".csv":
                return _csv(path, str(path))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SweepError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    raise SweepError(f"{path}: designs come as .csv, .parquet or .xlsx, or as CSV from standard input with -")


def _csv(source: Path | bytes, name: str) -> pl.DataFrame:
    """A CSV, all cells text."""
    import polars as pl

    frame = pl.read_csv(source, infer_schema=False)
    stream = source.open("rb") if isinstance(source, Path) else io.BytesIO(source)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    with text, contextlib.suppress(csv.Error):  # what polars reads all the same
        _check_headers(next(filter(None, csv.reader(text)), []), name)
    return frame


def _check_headers(written: Sequence[str | None], name: str) -> None:
    """SpecError when a table names an input twice, which a frame has under another name the second time."""
    from sweep import headers

    headers.inputs([header for header in written if header], name)


def _first_sheet(path: Path) -> pl.DataFrame:
    """The first sheet of a workbook, columns of whole numbers as such: a sheet itself knows floats only."""
    import fastexcel
    import polars as pl

    try:
        book = fastexcel.read_excel(str(path))
        frame = book.load_sheet(0).to_polars()
        first = book.load_sheet(0, header_row=None, n_rows=1, dtypes="string").to_polars()
    except fastexcel.FastExcelError as error:
        raise SweepError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    _check_headers(first.row(0) if len(first) else [], str(path))
    columns = []
    for series in frame:
        if series.dtype.is_float():
            whole = series.is_between(-EXACT_IN_A_SHEET, EXACT_IN_A_SHEET) & (series == series.round())
            series = series.cast(pl.Int64) if whole.all() else series
        columns.append(series)
    return pl.DataFrame(columns)

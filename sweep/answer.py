"""The rows a query returns: read once, as Arrow batches while they come or as a polars frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl


class Answer:
    """The rows of a query. wait(work, cursor) does the work where Ctrl-C can stop it."""

    def __init__(
        self, wait: Callable[[Callable[[], Any], Any], Any], cursor: Any, reader: pa.RecordBatchReader
    ) -> None:
        self._wait = wait
        self._cursor = cursor
        self._reader = reader
        self.schema: pa.Schema = reader.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, batch by batch, however many there are."""
        try:
            while (batch := self._wait(self._next, self._cursor)) is not None:
                if batch.num_rows:
                    yield batch
        finally:
            self.close()

    def reader(self) -> pa.RecordBatchReader:
        """The rows as an Arrow stream, for whoever takes one."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())

    def pl(self) -> pl.DataFrame:
        """All rows at once; sums of whole numbers, which DuckDB widens, as int64 where they fit and else float64."""
        import polars as pl

        table = pl.from_arrow(pa.Table.from_batches(list(self.batches()), self.schema))
        assert isinstance(table, pl.DataFrame)
        return table.with_columns(narrowed(table[name]) for name in table.columns)

    def close(self) -> None:
        """Stop reading."""
        self._cursor.close()

    def _next(self) -> pa.RecordBatch | None:
        try:
            return self._reader.read_next_batch()
        except StopIteration:
            return None


def narrowed(series: pl.Series) -> pl.Series:
    """A decimal column as int64 where it holds whole numbers that fit, else as float64; others as they are."""
    import polars as pl

    if not series.dtype.is_decimal():
        return series
    if series.dtype == pl.Decimal(38, 0):
        whole = series.cast(pl.Int64, strict=False)
        if whole.null_count() == series.null_count():
            return whole
    return series.cast(pl.Float64)

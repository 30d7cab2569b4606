"""The rows a query returns: read once, as Arrow batches while they come or as a polars frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sweep.errors import QueryError

if TYPE_CHECKING:
    import polars as pl


class Answer:
    """The rows of a query. wait(work, cursor) does the work where Ctrl-C can stop it.

    A name that the query gives to several columns is that of the first; the others are numbered, gpu_1 after gpu.
    """

    def __init__(
        self, wait: Callable[[Callable[[], Any], Any], Any], cursor: Any, reader: pa.RecordBatchReader
    ) -> None:
        self._wait = wait
        self._cursor = cursor
        self._reader = reader
        names = distinct(reader.schema.names)
        self.schema = pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])

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
        """All rows at once; sums of whole numbers, which DuckDB widens, as int64 where they fit and else float64.

        QueryError names a column of a type that a frame cannot hold.
        """
        import polars as pl

        for field in self.schema:
            if _is_foreign(field.type):
                self.close()
                raise QueryError(f"{field.name} holds intervals or unions, which no table can: cast it to varchar")

        table = pl.from_arrow(pa.Table.from_batches(list(self.batches()), self.schema))
        assert isinstance(table, pl.DataFrame)
        return table.with_columns(narrowed(table[name]) for name in table.columns)

    def close(self) -> None:
        """Stop reading."""
        self._cursor.close()

    def _next(self) -> pa.RecordBatch | None:
        try:
            batch = self._reader.read_next_batch()
        except StopIteration:
            return None
        return pa.RecordBatch.from_arrays(batch.columns, schema=self.schema)


def distinct(names: Sequence[str]) -> list[str]:
    """Names with the repeats numbered, gpu_1 after gpu, past numbers that another column has."""
    taken = set(names)
    seen: set[str] = set()
    found = []
    for name in names:
        free, number = name, 1
        while free in seen or (free != name and free in taken):
            free, number = f"{name}_{number}", number + 1
        seen.add(free)
        found.append(free)
    return found


def _is_foreign(kind: pa.DataType) -> bool:
    """Whether polars has no such type, or none of what is nested in it."""
    inner = [kind.field(k).type for k in range(kind.num_fields)]
    return pa.types.is_interval(kind) or pa.types.is_union(kind) or any(map(_is_foreign, inner))


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

"""A space as a virtual table: rows are evaluated when something asks for them, and only the columns it asks for.

``dataset`` is for pyarrow and any DuckDB, ``Table`` for the DuckDB of ``Database``, ``sweep.lazyframe`` for polars. All
offer every metric of the space. Rows come in the order of the walk, which depends on what is asked for; ``design_id``
says which row is which.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from kernels.graph import GraphError
from sweep import layouts
from sweep.arrowfilter import fields_named
from sweep.columns import Column, declare, wanted
from sweep.pushdown import Narrowed, narrowed
from sweep.reading import Cells, Counter, code_type, read
from sweep.space import Space

ROW = "_row"  # the column of Table that costs nothing
CONSTANT_ROWS = 1 << 20  # of its batches
# where nan is greater than all numbers, as SQL has it
ENDS: dict[str, Callable[[Any], Any]] = {"min": np.fmin.reduce, "max": np.max}

Build: TypeAlias = Callable[[Cells], pa.RecordBatch | None]

_ROW = pa.schema([pa.field(ROW, pa.int8())])


def offered(space: Space) -> list[Column]:
    """The columns of the virtual table: id, axes, what the space names, then everything else that can be had."""
    sets = [name for axis in space.axes for name in axis.sets]
    names = dict.fromkeys([*wanted(space), *sets, *space.graph.metrics])
    axes = {axis.name for axis in space.axes}
    shown = [name for name in names if name not in axes and not name.startswith("_")]  # _slope_of_... is between others
    return declare(space, [name for name in shown if _can_be_had(space, name)])


def _can_be_had(space: Space, name: str) -> bool:
    """Whether the space gives every input that a name starts from; a search of layouts is for those who ask for it."""
    if name == "train_layout" and not layouts.searches(space.graph):
        return False
    try:
        _, leaves = space.graph.resolve([name], space.given)
    except GraphError:
        return False
    return space.given.issuperset(leaves)


def _arrow_type(column: Column) -> pa.DataType:
    if column.kind == "word":
        return pa.dictionary(pa.from_numpy_dtype(code_type(column)), pa.string())
    return {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}[column.kind]


def _field(column: Column) -> pa.Field:
    metadata = {"unit": column.unit, "meaning": column.meaning, "source": column.source}
    return pa.field(column.name, _arrow_type(column), nullable=True, metadata=metadata)


def _to_arrow(columns: Sequence[Column], names: Sequence[str], condition: Any) -> Build:
    """What makes a batch of these names of cells that hold these columns, and of rows for which a condition holds."""
    fields = pa.schema([_field(c) for c in columns])
    words = {c.name: pa.array(c.words, pa.string()) for c in columns if c.kind == "word"}

    def build(cells: Cells) -> pa.RecordBatch | None:
        arrays = []
        for column in columns:
            values = cells.columns[column.name]
            if column.kind == "word":
                said = cells.words.get(column.name)
                meant = words[column.name] if said is None else pa.array(said, pa.string())
                arrays.append(pa.DictionaryArray.from_arrays(pa.array(values), meant))
            else:
                arrays.append(pa.array(values != 0 if column.kind == "bool" else values))
        batch = pa.RecordBatch.from_arrays(arrays, schema=fields)
        if condition is not None:
            batch = batch.filter(condition)
        return batch.select(names) if batch.num_rows else None

    return build


class DesignsDataset(ds.InMemoryDataset):  # type: ignore[misc]  # pyarrow has no types
    """A space as a pyarrow dataset: whoever scans it hands over columns and a filter.

    evaluated is how many designs have been evaluated for all scans so far, those that a filter then dropped among them;
    what conditions on inputs rule out is visited and counted too.
    """

    _first: tuple[pa.Field, ...] = ()

    def __init__(self, space: Space, columns: Iterable[Column] | None = None, counter: Counter | None = None) -> None:
        self.space = space
        self.columns = {column.name: column for column in (offered(space) if columns is None else columns)}
        self.fields = pa.schema([*self._first, *map(_field, self.columns.values())])
        self._counter = counter or Counter()
        super().__init__(self.fields.empty_table())

    @property
    def evaluated(self) -> int:
        """How many designs have been evaluated."""
        return self._counter.points

    def reader(self, columns: Sequence[str] | None = None, filter: Any = None) -> pa.RecordBatchReader:
        """The rows for which the filter holds as a stream; nothing is evaluated before it is read, nor far ahead."""
        if isinstance(columns, dict):
            raise TypeError("columns of a space are named; expressions belong into the query")
        names = list(self.fields.names if columns is None else columns)
        left = narrowed(self.space, self.columns, filter)
        return pa.RecordBatchReader.from_batches(
            pa.schema([self.fields.field(name) for name in names]), self._batches(names, left, filter)
        )

    def scanner(self, columns: Sequence[str] | None = None, filter: Any = None, **options: Any) -> ds.Scanner:
        """A scanner of pyarrow over the reader, which it reads some batches ahead."""
        passed = {k: v for k, v in options.items() if k in ("use_threads", "memory_pool")}
        return ds.Scanner.from_batches(self.reader(columns, filter), **passed)

    def head(self, num_rows: int, columns: Sequence[str] | None = None, filter: Any = None, **_: Any) -> pa.Table:
        """The first rows; no more are evaluated than that takes."""
        reader = self.reader(columns, filter)
        batches, left = [], num_rows
        while left > 0 and (batch := next(reader, None)) is not None:
            batches.append(batch.slice(0, left))
            left -= batches[-1].num_rows
        reader.close()
        return pa.Table.from_batches(batches, reader.schema)

    def filter(self, expression: Any) -> DesignsDataset:  # noqa: ARG002
        """Not to be had: a filter belongs to what is asked. TypeError says so."""
        raise TypeError("hand the filter to what reads, as in to_table(filter=...)")

    def count_rows(self, filter: Any = None, **_: Any) -> int:
        """How many rows there are for which the filter holds; nothing is evaluated where the axes alone say it."""
        return sum(self._counts(narrowed(self.space, self.columns, filter), filter))

    def _batches(self, names: Sequence[str], left: Narrowed, condition: Any) -> Iterator[pa.RecordBatch]:
        needed = self._needed(names, left, condition)
        if not needed:  # rows without columns have no count, and the id costs next to nothing
            needed = [self.columns["design_id"]]
        build = self._built(needed, names, None if left.is_exact else condition)
        return read(left.space, needed, build, self._counter, left.ids)

    def _built(self, columns: Sequence[Column], names: Sequence[str], condition: Any) -> Build:
        """What makes a batch, on the thread that evaluated its cells."""
        return _to_arrow(columns, names, condition)

    def _needed(self, names: Sequence[str], left: Narrowed, condition: Any) -> list[Column]:
        """The columns to evaluate: those asked for, and those that Arrow needs for what it has to filter itself."""
        used = set(names) if left.is_exact else {*names, *fields_named(condition, self.columns)}
        return [c for c in self.columns.values() if c.name in used]

    def _counts(self, left: Narrowed, condition: Any) -> Iterator[int]:
        """How many rows hold, piece by piece."""
        if not left.is_exact:
            yield from (batch.num_rows for batch in self._batches(["design_id"], left, condition))
        elif left.space.conditions or left.ids is not None:
            yield from read(left.space, [], lambda cells: cells.count, self._counter, left.ids)
        else:
            yield prod(len(axis) for axis in left.space.axes)


@dataclass(frozen=True)
class _Scan:
    """What DuckDB wants of a scanner."""

    reader: pa.RecordBatchReader

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows."""
        return self.reader


class Table(DesignsDataset):
    """The same for a DuckDB that is told to look at all columns but the first.

    DuckDB asks for the first column when it only wants to know how many rows there are, so that is one that costs
    nothing: rows are counted, or known from the axes, and evaluated no further. And DuckDB gets the stream itself, not
    a scanner, so that it reads no further ahead than it wants.
    """

    _first = tuple(_ROW)

    def of(self, names: Iterable[str]) -> Table:
        """The table with some of its columns. Designs evaluated for either count for both."""
        return Table(self.space, [self.columns[name] for name in names], self._counter)

    def ends(self, names: Iterable[str]) -> Ends:
        """The same, of least and greatest values."""
        return Ends(self.space, [self.columns[name] for name in names], self._counter)

    def scanner(self, columns: Sequence[str] | None = None, filter: Any = None, **_: Any) -> Any:
        """What DuckDB reads."""
        names = list(self.fields.names if columns is None else columns)
        asked = [name for name in names if name != ROW]
        if asked == names:
            return _Scan(self.reader(names, filter))
        if asked:  # somebody looks at the registered table itself
            rows = (_with_row(batch).select(names) for batch in self.reader(asked, filter))
            return _Scan(pa.RecordBatchReader.from_batches(pa.schema([self.fields.field(n) for n in names]), rows))
        left = narrowed(self.space, self.columns, filter)
        return _Scan(pa.RecordBatchReader.from_batches(_ROW, _constant(self._counts(left, filter))))


class Ends(Table):
    """A table of some columns, whose batches are the least and greatest values of their columns of numbers.

    Whoever asks for least and greatest values, and for nothing else, finds the same in it. A row has no design that it
    is of. kept says which ends there are, "min", "max" or both; with columns that are not all of numbers, batches are
    what they are.
    """

    kept: Collection[str] = ENDS

    def _built(self, columns: Sequence[Column], names: Sequence[str], condition: Any) -> Build:
        whole, kept = super()._built(columns, names, condition), [ENDS[end] for end in self.kept]
        if not all(self.columns[name].kind in ("int", "float") for name in names):
            return whole

        def build(cells: Cells) -> pa.RecordBatch | None:
            batch = whole(cells)
            if batch is None:
                return None
            found = [[end(column.to_numpy()) for end in kept] for column in batch.columns]
            return pa.record_batch([pa.array(np.array(ends)) for ends in found], schema=batch.schema)

        return build


def _with_row(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.append_column(_ROW.field(0), pa.array(np.zeros(batch.num_rows, np.int8)))


def _constant(counts: Iterator[int]) -> Iterator[pa.RecordBatch]:
    """As many rows as that of a column that says nothing; all of them are the same memory."""
    batch = pa.record_batch([pa.array(np.zeros(CONSTANT_ROWS, np.int8))], schema=_ROW)
    for count in counts:
        for _ in range(count // CONSTANT_ROWS):
            yield batch
        yield batch.slice(0, count % CONSTANT_ROWS)


def dataset(space: Space) -> DesignsDataset:
    """The space as a virtual table for pyarrow, and for DuckDB (register it)."""
    return DesignsDataset(space)

"""A space as a virtual table: rows are evaluated when something asks for them, and only the columns it asks for.

``dataset`` is for DuckDB and pyarrow, ``scan`` for polars. Both offer every metric of the space. Rows come in the
order of the walk, which depends on what is asked for; ``design_id`` says which row is which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from kernels.graph import GraphError
from sweep.columns import Column, declare, schema, wanted
from sweep.execute import CHUNK_POINTS, DESIGN_ID, Evaluator, Worker, each, gathered
from sweep.plan import Plan
from sweep.space import Axis, Space

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")

PRUNED_VALUES = 1024  # axes longer than this are not searched for values that a filter rules out


def offered(space: Space) -> list[Column]:
    """The columns of the virtual table: id, axes, what the space names, then everything else that can be had."""
    sets = [name for axis in space.axes for name in axis.sets]
    names = dict.fromkeys([*wanted(space), *sets, *space.graph.metrics])
    axes = {axis.name for axis in space.axes}
    shown = [name for name in names if name not in axes and not name.startswith("_")]  # _slope_of_... is between others
    return declare(space, [name for name in shown if _can_be_had(space, name)])


def _can_be_had(space: Space, name: str) -> bool:
    """Whether the space gives every input that a name starts from."""
    try:
        _, leaves = space.graph.resolve([name], space.given)
    except GraphError:
        return False
    return space.given.issuperset(leaves)


@dataclass(frozen=True)
class _Cells:
    """The rows of some blocks: plain arrays, words as codes."""

    count: int
    columns: dict[str, Any]


def _labels(axis: Axis, column: Column) -> Any:
    """What each value of an axis is in its column; words by their place among all the column may hold."""
    if column.kind != "word":
        return np.asarray(axis.labels)
    codes = {word: code for code, word in enumerate(column.words)}
    return np.array([codes[label] for label in axis.labels], _code(column))


def _code(column: Column) -> Any:
    """The type of the codes of a column's words."""
    return np.uint8 if len(column.words) < 2**8 else (np.uint16 if len(column.words) < 2**16 else np.uint32)


class _Reader:
    """Blocks of a plan into cells of the asked columns, and of no others."""

    def __init__(self, space: Space, columns: Sequence[Column]) -> None:
        self.columns = columns
        self._given = {axis.name for axis in space.axes if axis.name in axis.sets and not axis.is_words}
        declared = {column.name: column for column in columns}
        self._labels = {
            axis.name: _labels(axis, declared[axis.name])
            for axis in space.axes
            if axis.name in declared and axis.name not in self._given
        }
        computed = [c.name for c in columns if c.name != "design_id" and (not c.is_axis or c.name in self._given)]
        self.plan = Plan(space, computed)
        self.evaluator = Evaluator(self.plan)

    def __call__(self, worker: Worker, blocks: range) -> list[_Cells]:
        """The rows of these blocks that hold."""
        found = gathered(worker, blocks, [self._read(column) for column in self.columns])
        if not len(found[self._read(self.columns[0])]):
            return []
        cells = {column.name: self._said(column, found[self._read(column)]) for column in self.columns}
        return [_Cells(len(cells[self.columns[0].name]), cells)]

    def _read(self, column: Column) -> str:
        """What is gathered for a column: places on its axis where that has names for its values."""
        if column.name == DESIGN_ID or not column.is_axis or column.name in self._given:
            return column.name
        return f"#{column.name}"

    def _said(self, column: Column, values: Any) -> Any:
        """What was gathered for a column, as the column says it."""
        return self._labels[column.name][values] if self._read(column) != column.name else values

    def chunks(self) -> Iterator[range]:
        """All blocks, in runs that start small, so that whoever wants a few rows waits for a few blocks."""
        blocks, at, size = self.plan.box.blocks, 0, 1
        most = max(1, CHUNK_POINTS // max(1, self.plan.box.points))
        while at < blocks:
            yield range(at, min(at + size, blocks))
            at += size
            size = min(2 * size, most)


def _read(space: Space, columns: Sequence[Column], build: Callable[[_Cells], T]) -> Iterator[T]:
    """The rows of a space, block by block, built into what the caller wants on the threads that evaluate."""
    if any(len(axis) == 0 for axis in space.axes):
        return
    reader = _Reader(space, columns)

    def work(worker: Worker, blocks: range) -> list[T]:
        return [build(cells) for cells in reader(worker, blocks)]

    for built in each(reader.evaluator, work, reader.chunks()):
        yield from built


# ----------------------------------------------------------------------------------------------------------- pyarrow


def _arrow_type(column: Column) -> pa.DataType:
    if column.kind == "word":
        return pa.dictionary(pa.from_numpy_dtype(_code(column)), pa.string())
    return {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}[column.kind]


def _field(column: Column) -> pa.Field:
    metadata = {"unit": column.unit, "meaning": column.meaning, "source": column.source}
    return pa.field(column.name, _arrow_type(column), nullable=True, metadata=metadata)


def _to_arrow(columns: Sequence[Column]) -> Callable[[_Cells], pa.RecordBatch]:
    fields = pa.schema([_field(c) for c in columns])
    words = {c.name: pa.array(c.words, pa.string()) for c in columns if c.kind == "word"}

    def build(cells: _Cells) -> pa.RecordBatch:
        arrays = []
        for column in columns:
            values = cells.columns[column.name]
            if column.kind == "word":
                codes = pa.array(values.astype(_code(column)))
                arrays.append(pa.DictionaryArray.from_arrays(codes, words[column.name]))
            else:
                arrays.append(pa.array(values != 0 if column.kind == "bool" else values))
        return pa.RecordBatch.from_arrays(arrays, schema=fields)

    return build


def _left_by(space: Space, names: Iterable[str], condition: Any, fields: pa.Schema) -> Space:
    """The space without the axis values that an Arrow condition rules out on their own.

    Arrow's own reasoning decides, the one by which it skips files of a partitioned dataset: each value of an axis
    stands as a file that guarantees it.
    """
    names = set(names)
    axes = list(space.axes)
    file_format, nowhere = ds.ParquetFileFormat(), pafs.LocalFileSystem()
    for place, axis in enumerate(axes):
        if axis.name not in names or not 1 < len(axis) <= PRUNED_VALUES:
            continue
        values = [pa.scalar(v, pa.string() if axis.is_words else fields.field(axis.name).type) for v in axis.labels]
        files = [
            file_format.make_fragment(str(k), nowhere, partition_expression=ds.field(axis.name) == value)
            for k, value in enumerate(values)
        ]
        possible = ds.FileSystemDataset(files, fields, file_format, nowhere).get_fragments(filter=condition)
        axes[place] = _only(axis, [int(file.path) for file in possible])
    return replace(space, axes=tuple(axes))


def _only(axis: Axis, places: Sequence[int]) -> Axis:
    return axis if len(places) == len(axis) else axis.take(np.array(places, np.int64))


class DesignsDataset(ds.InMemoryDataset):  # type: ignore[misc]  # pyarrow has no types
    """A space as a pyarrow dataset: DuckDB and polars hand their columns and filters to its scanner."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.columns = {column.name: column for column in offered(space)}
        self.fields = pa.schema([_field(c) for c in self.columns.values()])
        super().__init__(self.fields.empty_table())

    def scanner(self, columns: Sequence[str] | None = None, filter: Any = None, **options: Any) -> ds.Scanner:
        """A scanner over these columns of the rows for which the filter holds; nothing is evaluated before it is read.

        Columns that only the filter needs are evaluated too, and left out of what comes back.
        """
        if isinstance(columns, dict):
            raise TypeError("columns of a space are named; expressions belong into the query")
        names = list(self.fields.names if columns is None else columns)
        text = "" if filter is None else str(filter)
        used = {name for name in re.findall(r"\w+", text) if name in self.columns}
        # rows without columns have no count, and the id costs next to nothing
        needed = [c for c in self.columns.values() if c.name in names or c.name in used] or [self.columns["design_id"]]
        space = self.space if filter is None else _left_by(self.space, used, filter, self.fields)
        passed = {k: v for k, v in options.items() if k in ("use_threads", "memory_pool")}
        batches = _read(space, needed, _to_arrow(needed))
        return ds.Scanner.from_batches(
            batches, schema=pa.schema([_field(c) for c in needed]), columns=names, filter=filter, **passed
        )

    def count_rows(self, filter: Any = None, **options: Any) -> int:
        """How many rows there are for which the filter holds; nothing is evaluated where the axes alone say it."""
        if filter is None and not self.space.conditions:
            return prod(len(axis) for axis in self.space.axes)
        counted: int = self.scanner([], filter, **options).count_rows()
        return counted


def dataset(space: Space) -> DesignsDataset:
    """The space as a virtual table for DuckDB (register it) and pyarrow."""
    return DesignsDataset(space)


# ------------------------------------------------------------------------------------------------------------ polars


def _to_polars(columns: Sequence[Column]) -> Callable[[_Cells], pl.DataFrame]:
    import polars as pl

    types = schema(columns)

    def build(cells: _Cells) -> pl.DataFrame:
        series = []
        for column in columns:
            values = cells.columns[column.name]
            if column.kind == "word":
                codes = pl.Series(column.name, values.astype(_code(column)))
                series.append(codes.cat.to(types[column.name]))
            else:
                series.append(pl.Series(column.name, values != 0 if column.kind == "bool" else values))
        return pl.DataFrame(series)

    return build


def _left_by_expression(space: Space, condition: pl.Expr) -> Space:
    """The space without the axis values that a part of a polars condition, looking at one axis only, rules out."""
    import polars as pl

    axes = {axis.name: axis for axis in space.axes}
    types = schema(declare(space, []))
    for part in _conjuncts(condition):
        names = set(part.meta.root_names())
        name = next(iter(names), "")
        if len(names) != 1 or name not in axes or not part.meta.is_row_separable():
            continue
        values = pl.DataFrame({name: pl.Series(list(axes[name].labels), dtype=types[name])})
        holds = values.select(part.alias("holds"))["holds"]
        axes[name] = _only(axes[name], holds.fill_null(False).arg_true().to_list())
    return replace(space, axes=tuple(axes.values()))


def _conjuncts(condition: pl.Expr) -> list[pl.Expr]:
    """The parts of a condition that all have to hold."""
    import polars as pl

    parts = condition.meta.pop()
    if len(parts) == 2 and (parts[0] & parts[1]).meta.eq(condition):
        return [*_conjuncts(parts[0]), *_conjuncts(parts[1])]
    if len(parts) == 2 and (parts[1] & parts[0]).meta.eq(condition):
        return [*_conjuncts(parts[1]), *_conjuncts(parts[0])]
    assert isinstance(condition, pl.Expr)
    return [condition]


def scan(space: Space) -> pl.LazyFrame:
    """The space as a LazyFrame: only the columns of a query are evaluated, only the rows it keeps are kept."""
    from polars.io.plugins import register_io_source

    columns = {column.name: column for column in offered(space)}

    def read(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        names = list(columns if with_columns is None else with_columns)
        used = set(names) | set(predicate.meta.root_names() if predicate is not None else [])
        # as above: a frame without columns has no length
        needed = [c for c in columns.values() if c.name in used] or [columns["design_id"]]
        # rows are counted before the condition, so a space that lost some of its values would count others
        part = space if predicate is None or n_rows is not None else _left_by_expression(space, predicate)
        left = n_rows
        for rows in _read(part, needed, _to_polars(needed)):
            if left is not None:
                rows = rows.head(left)
                left -= rows.height
            if predicate is not None:
                rows = rows.filter(predicate)
            rows = rows.select(names)
            yield from rows.iter_slices(batch_size) if batch_size else [rows]
            if left == 0:
                return

    return register_io_source(read, schema=schema(columns.values()), explain_name="DESIGNS", explain_detail=space.name)

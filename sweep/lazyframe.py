"""A space as a polars LazyFrame: rows are evaluated when a query asks for them, and only the columns it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sweep.columns import Column, declare, schema
from sweep.dataset import offered
from sweep.reading import Cells, Counter, code_type, read
from sweep.space import Axis, Space

if TYPE_CHECKING:
    import polars as pl


def _to_polars(columns: Sequence[Column]) -> Callable[[Cells], pl.DataFrame]:
    import polars as pl

    types = schema(columns)

    def build(cells: Cells) -> pl.DataFrame:
        series = []
        for column in columns:
            values = cells.columns[column.name]
            if column.kind == "word":
                said = cells.words.get(column.name, column.words)
                if len(said) != len(column.words):
                    values = np.array([column.words.index(word) for word in said], code_type(column))[values]
                series.append(pl.Series(column.name, values).cat.to(types[column.name]))
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


def _only(axis: Axis, places: Sequence[int]) -> Axis:
    return axis if len(places) == len(axis) else axis.take(np.array(places, np.int64))


def scan(space: Space, counter: Counter | None = None) -> pl.LazyFrame:
    """The space as a LazyFrame: only the columns of a query are evaluated, only the rows it keeps are kept.

    counter, when given, counts the designs that are evaluated for it.
    """
    from polars.io.plugins import register_io_source

    columns = {column.name: column for column in offered(space)}
    evaluated = counter or Counter()

    def rows_of(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        names = list(columns if with_columns is None else with_columns)
        used = set(names) | set(predicate.meta.root_names() if predicate is not None else [])
        # as above: a frame without columns has no length
        needed = [c for c in columns.values() if c.name in used] or [columns["design_id"]]
        # rows are counted before the condition, so a space that lost some of its values would count others
        part = space if predicate is None or n_rows is not None else _left_by_expression(space, predicate)
        left = n_rows
        for rows in read(part, needed, _to_polars(needed), evaluated):
            if left is not None:
                rows = rows.head(left)
                left -= rows.height
            if predicate is not None:
                rows = rows.filter(predicate)
            rows = rows.select(names)
            yield from rows.iter_slices(batch_size) if batch_size else [rows]
            if left == 0:
                return

    return register_io_source(
        rows_of, schema=schema(columns.values()), explain_name="DESIGNS", explain_detail=space.name
    )

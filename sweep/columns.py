"""What a row holds: every column declared once, with its type, unit, meaning and source, and rows into frames."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kernels.graph import Graph
from sweep import layouts
from sweep.space import Space

if TYPE_CHECKING:
    import polars as pl

    from sweep.execute import Rows

DEFAULT_COLUMNS = (
    "params_total",
    "params_active",
    "loss_nats",
    "tokens_per_param",
    "in_fitted_range",
    "times_outside_fitted_range",
    "train_flops",
    "train_gpu_hours",
    "train_usd",
    "weight_bytes",
    "kv_cache_bytes",
    "serve_bytes",
    "min_gpus_to_serve",
    "decode_tokens_per_s",
    "serve_usd_per_million_tokens",
    "lifetime_usd",
)


MARKS = ("in_fitted_range", "times_outside_fitted_range")  # stand beside whatever follows from a law
COEFFICIENTS = frozenset({"law_floor_nats", "law_params_scale", "law_tokens_scale", "law_optimal_params_scale"})


@dataclass(frozen=True)
class Column:
    """A column of the designs table. words are its possible words, in order; () for numbers."""

    name: str
    kind: str  # int, float, bool or word
    unit: str
    meaning: str
    source: str
    words: tuple[str, ...] = ()
    is_axis: bool = False


def wanted(space: Space) -> tuple[str, ...]:
    """The inputs and metrics that a space's rows carry beside the axes: those it names, or the usual ones.

    Objectives and what the conditions on metrics look at are always among them, and where anything follows from a law,
    whether and how far it is extrapolated.
    """
    names = list(space.columns or DEFAULT_COLUMNS)
    for condition in (c for c in space.conditions if not c.is_inherent):
        names += [p for p in condition.formula.parameters if p in space.graph.metrics]
    names += [*space.own_metrics, *space.minimize, *space.maximize]
    if layouts.searches(space.graph):
        names += [name for name in layouts.SHOWN if name not in names]
    if leans_on_law(space.graph, names, space.given):
        names += MARKS
    axes = {axis.name for axis in space.axes}
    return tuple(name for name in dict.fromkeys(names) if name not in axes)


def leans_on_law(graph: Graph, names: Iterable[str], given: Collection[str]) -> bool:
    """Whether any of these follows from a fitted law, so that it can be an extrapolation."""
    return not COEFFICIENTS.isdisjoint(graph.resolve(names, given)[1])


def declare(space: Space, names: Iterable[str]) -> list[Column]:
    """All columns of the rows of a space: the design's id, its axes in order, then these inputs and metrics."""
    columns = [Column("design_id", "int", "", "number of the design in the unfiltered product", "the spec")]
    for axis in space.axes:
        declared = space.graph.inputs.get(axis.name)
        meaning = declared.meaning if declared else f"which {axis.name} is chosen"
        if axis.is_words:
            words = tuple(str(label) for label in axis.labels)
            columns.append(Column(axis.name, "word", "", meaning, "the spec", words, True))
        else:
            kind = space.graph.kinds[axis.name]
            columns.append(Column(axis.name, kind, space.graph.unit(axis.name), meaning, "the spec", (), True))
    for name in names:
        declared_as = space.graph.metrics.get(name) or space.graph.inputs[name]
        columns.append(
            Column(
                name,
                space.graph.kinds[name],
                declared_as.unit,
                declared_as.meaning,
                declared_as.source,
                space.graph.words.get(name, ()),
            )
        )
    return columns


def schema(columns: Iterable[Column]) -> dict[str, pl.DataType]:
    """The polars type of every column; words are an Enum of a frozen list, so that parts never disagree."""
    import polars as pl

    types: Mapping[str, Any] = {"int": pl.Int64(), "float": pl.Float64(), "bool": pl.Boolean()}
    return {c.name: pl.Enum(c.words) if c.kind == "word" else types[c.kind] for c in columns}


def frame(columns: Iterable[Column], space: Space, rows: Rows) -> pl.DataFrame:
    """Rows as a frame with these columns, axes by what a person calls their values."""
    import numpy as np
    import polars as pl

    series = []
    for column in columns:
        if column.name == "design_id":
            series.append(pl.Series("design_id", rows.design_id, pl.Int64))
            continue
        if column.is_axis:
            places = rows.columns[f"#{column.name}"]
            axis = space.axis(column.name)
            assert axis is not None
            values = places if column.kind == "word" else np.asarray(axis.labels)[places]
        else:
            values = rows.columns[column.name]
        if column.kind == "word":
            code = pl.UInt8 if len(column.words) < 2**8 else (pl.UInt16 if len(column.words) < 2**16 else pl.UInt32)
            series.append(pl.Series(column.name, values).cast(code).cat.to(pl.Enum(column.words)))
        elif column.kind == "bool":
            series.append(pl.Series(column.name, values != 0))
        else:
            dtype = np.int64 if column.kind == "int" else np.float64
            series.append(pl.Series(column.name, np.asarray(values, dtype)))
    return pl.DataFrame(series)

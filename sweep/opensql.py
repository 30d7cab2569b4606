"""``open.sql``: what any DuckDB client needs to read a run, as text that names no place.

Started inside the run folder, ``duckdb -init open.sql`` has the view ``designs`` over the run's parts, the catalogue,
the metrics and inputs, and the macros. The same statements set up our own connections, so that both see the same.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sweep import sqldraws, sqlroots
from sweep.columns import Column
from sweep.resources import resource_dir
from sweep.sqltext import has_sql, literal, macro, quoted

if TYPE_CHECKING:
    import polars as pl

    from kernels.graph import Graph
    from kernels.language import Formula

NAME = "open.sql"
CATALOGUE = (
    *("accelerators", "precisions", "laws", "models"),
    *("optimizers", "train_frameworks", "engines", "prices", "grids"),
)
MACROS = (  # files of queries/macros/, each after those whose macros it uses
    "grid",
    "steps",
    "stairs",
    "epsilon",
    "pareto",
    "pareto_per",
    "pareto_rank",
    "pareto_distance",
    "pareto_knee",
    "hypervolume",
    "dominated_by",
)


def text(columns: Sequence[Column], name: str, own: Sequence[str] = ()) -> str:
    """The open.sql of a run with these columns and the statements of its own. The same of all give the same bytes."""
    from kernels.model import GRAPH

    heading = [
        f"-- {_one_line(name)}: everything to ask about this run. Start a DuckDB client inside its folder:",
        "--     duckdb -init open.sql",
        f"{view(literal('parts/*.parquet'))};",
    ]
    tables = [*map(table, CATALOGUE), metrics(GRAPH, columns), inputs(GRAPH)]
    parts = [heading, comments(columns), [axes(columns)], tables, [macros()], sqlroots.macros(), metric_macros(GRAPH)]
    if drawn := sqldraws.asked(GRAPH, (column.name for column in columns)):
        parts += [[table(sqldraws.TABLE)], [sqldraws.macro(GRAPH, name) for name in drawn]]
    parts += [[statement] for statement in own if statement]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def view(files: str) -> str:
    """The statement that makes designs of these Parquet files."""
    return f"create or replace view designs as select * from read_parquet({files}, hive_partitioning = false)"


def _one_line(name: str) -> str:
    return " ".join(name.split())


def comments(columns: Iterable[Column]) -> list[str]:
    """Statements that tell the unit, the meaning and the source of every column of designs."""
    return [f"comment on column designs.{quoted(c.name)} is {literal(comment(c))};" for c in columns]


def comment(column: Column) -> str:
    """What there is to know of a column, in a line."""
    unit = f"[{column.unit}] " if column.unit else ""
    source = f" ({column.source})" if column.source else ""
    return f"{unit}{column.meaning}{source}"


def axes(columns: Iterable[Column]) -> str:
    """The statement that makes the table axes: which columns of designs are axes of the space, in its order."""
    rows = [(place, c.name, c.unit, c.meaning) for place, c in enumerate(columns) if c.is_axis]
    listed = ", ".join(f"({place}, {', '.join(map(literal, texts))})" for place, *texts in rows)
    values = f"(values {listed})" if rows else "(select 0, '', '', '' where false)"
    made = f"create or replace table axes as select * from {values} as rows(position, name, unit, meaning);"
    return "\n".join([made, *_meanings("axes", ["position", "name", "unit", "meaning"])])


def table(name: str) -> str:
    """Statements that make a table of the catalogue and tell what it and its columns hold."""
    from sweep.catalogue import KINDS, frame

    found = frame(name)
    titles = dict.fromkeys(kind.title for kind in KINDS.values() if kind.file.partition(".")[0] == name)
    told = f"comment on table {name} is {literal('; '.join(titles))};"
    return "\n".join([_table(name, found), told])


def metrics(graph: Graph, columns: Iterable[Column] = ()) -> str:
    """The statement that makes the table metrics; columns nobody else declares are metrics of the spec."""
    import polars as pl

    from sweep import listing

    known = listing.metrics(graph)
    own = [
        {"name": c.name, "unit": c.unit, "meaning": c.meaning, "formula": None, "source": c.source, "depends_on": None}
        for c in columns
        if c.name not in graph and c.name != "design_id" and not c.is_axis
    ]
    return _table("metrics", pl.concat([known, pl.DataFrame(own, schema=known.schema)]))


def inputs(graph: Graph) -> str:
    """The statement that makes the table inputs."""
    from sweep import listing

    return _table("inputs", listing.inputs(graph))


def macros() -> str:
    """The macros of ``queries/macros/``."""
    folder = resource_dir("queries") / "macros"
    return "\n\n".join((folder / f"{name}.sql").read_text(encoding="utf-8").strip() for name in MACROS)


def metric_macros(graph: Graph) -> list[str]:
    """Statements that make every metric a scalar macro of what it depends on, for what-ifs on a row.

    The macro of a column is its name and ``_of``; its parameters are those of the metric, by place or by name. The
    search over all layouts has none; roots that are searched for are sweep.sqlroots, quantiles over draws
    sweep.sqldraws, of which a run has those that it stores.
    """
    return [macro(macro_name(formula), formula, graph.kinds) for formula in translated(graph)]


def translated(graph: Graph) -> list[Formula]:
    """The formulas of metrics that SQL can say; elasticities take the whole chain of slopes and are none."""
    formulas = [m.formula for name, m in graph.metrics.items() if not name.startswith("_") and m.formula.parameters]
    return [f for f in formulas if has_sql(f) and not any(p.startswith("_") for p in f.parameters)]


def macro_name(formula: Formula) -> str:
    """What the macro of a metric is called."""
    return f"{formula.name}_of"


def _table(name: str, frame: pl.DataFrame) -> str:
    """Statements that make a table of a frame: its rows as literals, its types and the meaning of its columns said."""
    types = [_type(dtype) for dtype in frame.dtypes]
    names = ", ".join(map(quoted, frame.columns))
    rows = ",\n".join("    (" + ", ".join(map(_cell, row)) + ")" for row in frame.iter_rows())
    casts = ", ".join(f"cast({quoted(c)} as {t}) as {quoted(c)}" for c, t in zip(frame.columns, types, strict=True))
    made = f"create or replace table {name} as select {casts} from (values\n{rows}\n) as rows({names});"
    return "\n".join([made, *_meanings(name, frame.columns)])


def _meanings(table: str, columns: Sequence[str]) -> list[str]:
    """Statements that tell what columns of a table beside designs hold: inputs by themselves, the others by data/."""
    from kernels.model import GRAPH

    known = _declared_meanings()
    told = []
    for column in columns:
        declared = GRAPH.inputs.get(column)
        if (table, column) in known or declared is None:
            unit, meaning = known.get((table, column)) or known["", column]
        else:
            unit, meaning = declared.unit, declared.meaning
        text = f"[{unit}] {meaning}" if unit else meaning
        told.append(f"comment on column {table}.{quoted(column)} is {literal(text)};")
    return told


@lru_cache(maxsize=1)
def _declared_meanings() -> dict[tuple[str, str], tuple[str, str]]:
    """Unit and meaning by table and column of what is no input; '' for the table where any may have the column."""
    with (resource_dir("data") / "column_meanings.csv").open(encoding="utf-8", newline="") as file:
        return {(row["table"], row["column"]): (row["unit"], row["meaning"]) for row in csv.DictReader(file)}


def _type(dtype: pl.DataType) -> str:
    import polars as pl

    return {pl.String(): "varchar", pl.Float64(): "double", pl.Int64(): "bigint"}[dtype]


def _cell(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, float):
        return f"'{value!r}'" if math.isinf(value) or math.isnan(value) else f"{value!r}"
    return str(value)

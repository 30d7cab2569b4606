"""Frontiers that a query asks for, from the compiled kernels instead of the macros of ``queries/macros/``.

``from pareto2('designs', loss_nats, -decode_tokens_per_s)`` in a query on a spec or a run is found in DuckDB's own
syntax tree, and a relation with the same rows takes its place: of a spec, the frontier that sweep.frontier finds
without writing the space, its designs evaluated by id; of a run, one scan of the objectives folded batch by batch.
Whatever is not such a call over plain columns, or says something else in another version of the tree, is left to the
macros, which are right for every relation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds

from kernels.arrayfrontier import ArrayFrontier
from kernels.epsilon import LEAST_EPSILON, EpsilonFrontier
from kernels.pareto import RunningFrontier, Ties
from sweep.columns import Column
from sweep.dataset import DesignsDataset
from sweep.designs import designs
from sweep.errors import SweepError
from sweep.frontier import frontier
from sweep.resolve import narrow
from sweep.space import Space
from sweep.sqltext import literal, quoted

ARGUMENTS = {"pareto": range(1, 9), "pareto2": (2,), "pareto3": (3,)}
MOST_WHOLE = 2.0**53  # whole numbers from here on are not all apart as float64
BATCH_ROWS = 1 << 17
WORTH_COMPILING = 1 << 21  # rows from which the compiled kernels, when they have to be made first, are sooner done
MOST_ON_ARRAYS = 1 << 11  # and rows of a frontier of three objectives and more, each held against all that wait
SETTINGS = ("ties", "epsilon")


@dataclass(frozen=True)
class Call:
    """A frontier of designs: columns with 1 for what is minimised and -1 for what is maximised."""

    objectives: tuple[tuple[str, float], ...]
    ties: Ties = "all"
    epsilon: float = 0.0


@dataclass(frozen=True)
class Goal:
    """An expression of SQL and its sign: 1 where it is minimised, -1 where it is maximised."""

    sql: str
    sign: float
    is_whole: bool


Ids = npt.NDArray[np.int64]


def made(cursor: Any) -> list[Any]:
    """What designs and the macros are in a database, to see later that nobody put something else in their place."""
    names = ", ".join(map(literal, ARGUMENTS))
    found: list[Any] = cursor.execute(
        "select view_name, temporary, sql from duckdb_views() where lower(view_name) = 'designs' "
        "union all select table_name, temporary, sql from duckdb_tables() where lower(table_name) = 'designs' "
        "union all select function_name, internal, macro_definition from duckdb_functions() "
        f"where lower(function_name) in ({names}) order by all"
    ).fetchall()
    return found


def answered(
    cursor: Any, sql: str, columns: Sequence[Column], space: Space | None, shown: Sequence[str], ours: Sequence[Any]
) -> str:
    """The query with each frontier of designs as a relation of this cursor, or as it was where there is none.

    columns are those that can be had of a space or, where that is None, those of a run; shown are those that designs of
    a space has here; ours is what was made of them.
    """
    if "pareto" not in sql.lower():
        return sql
    tree = tree_of(cursor, sql)
    found = [(node, call) for node in _tables(tree) if (call := _call(node, columns)) is not None]
    if not found or "designs" in {name.lower() for name in _own_tables(tree)} or made(cursor) != list(ours):
        return sql
    for place, (node, call) in enumerate(found):
        name = f"_pareto_{place}"
        ids = _of_run(cursor, call, columns) if space is None else _of_space(space, call)
        if ids is None:
            return sql
        _put(cursor, name, ids, space, shown)
        table = tree_of(cursor, f"from {name}")["statements"][0]["node"]["from_table"]
        alias = node["alias"]
        node.clear()
        node.update(table | {"alias": alias})
    try:
        text: str = cursor.execute("select json_deserialize_sql(?::json)", [json.dumps(tree)]).fetchall()[0][0]
    except duckdb.Error:  # the macros answer what this version cannot write
        return sql
    return text


# ----------------------------------------------------------------------------------------------------- the frontiers


def _of_space(space: Space, call: Call) -> Ids | None:
    """The ids of the frontier of a space; None where the macro has to answer."""
    minimize = [name for name, sign in call.objectives if sign > 0]
    maximize = [name for name, sign in call.objectives if sign < 0]
    if call.epsilon and [name for name, _ in call.objectives] != [*minimize, *maximize]:
        return None  # which of a cell stands for it depends on the order
    try:
        narrowed = narrow(space, (), minimize, maximize)
    except SweepError:  # a column that is no objective of a spec, such as the id
        return None
    rows = frontier(narrowed, ties=call.ties, epsilon=call.epsilon or None).frame
    values = rows.select(name for name, _ in call.objectives)
    whole = [values[name].to_numpy() for name in values.columns if values[name].dtype.is_integer()]
    return rows["design_id"].to_numpy() if _are_exact(whole) else None


def _of_run(cursor: Any, call: Call, columns: Sequence[Column]) -> Ids | None:
    """The ids of the frontier of the rows of a run; None where the macro has to answer."""
    kinds = {c.name: c.kind for c in columns}
    goals = [Goal(quoted(name), sign, kinds[name] == "int") for name, sign in call.objectives]
    return folded(cursor, "designs", goals, call.ties, call.epsilon)


def folded(cursor: Any, source: str, goals: Sequence[Goal], ties: Ties = "all", epsilon: float = 0.0) -> Ids | None:
    """The ids of the frontier of a source of rows with a design_id, by objectives and then by id, in one scan of them.

    None where objectives are whole numbers that float64 cannot tell apart, which a macro has to answer.
    """
    running: ArrayFrontier | RunningFrontier | EpsilonFrontier
    running = EpsilonFrontier(len(goals), epsilon) if epsilon else ArrayFrontier(len(goals), ties)
    signs = [goal.sign for goal in goals]
    listed = ", ".join(f"cast({goal.sql} as double)" for goal in goals)
    num_rows = 0
    # the cursor itself, and no other of its database: it alone sees the virtual table of a space
    for batch in cursor.sql(f"select design_id, {listed} from {source}").to_arrow_reader(BATCH_ROWS):
        ids, *values = (_array(column) for column in batch.columns)
        num_rows += len(ids)
        many = len(goals) > 2 and isinstance(running, ArrayFrontier) and running.num_settled > MOST_ON_ARRAYS
        if isinstance(running, ArrayFrontier) and (many or num_rows > WORTH_COMPILING):
            compiled = RunningFrontier(len(goals), ties)
            compiled.fold(*running.result(), running.counts)
            running = compiled
        running.fold_columns(values, signs, ids.__getitem__)
    rows, kept = running.result()
    return kept if _are_exact([rows[:, k] for k, goal in enumerate(goals) if goal.is_whole]) else None


def _array(column: pa.Array) -> npt.NDArray[Any]:
    """A column of numbers, with nan for null."""
    filled = column.fill_null(float("nan")) if column.null_count else column
    return filled.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _are_exact(whole: Sequence[npt.NDArray[Any]]) -> bool:
    """Whether whole numbers of a frontier found among float64 are those that were compared."""
    return all(len(values) == 0 or float(np.abs(values.astype(np.float64)).max()) < MOST_WHOLE for values in whole)


class ChosenDesigns(DesignsDataset):
    """Designs of a space by their ids, as a pyarrow dataset: only columns that are asked for are evaluated."""

    def __init__(self, space: Space, ids: Ids) -> None:
        super().__init__(space)
        self.ids = ids

    def scanner(self, columns: Sequence[str] | None = None, filter: Any = None, **options: Any) -> ds.Scanner:
        """As that of the whole space."""
        names = list(self.fields.names if columns is None else columns)
        text = set(re.findall(r"\w+", "" if filter is None else str(filter)))
        needed = [name for name in self.fields.names if name in names or name in text] or ["design_id"]
        given = {"design_id", *(axis.name for axis in self.space.axes)}  # which come unasked
        frame = designs(self.space, self.ids, [name for name in needed if name not in given])
        fields = pa.schema([self.fields.field(name) for name in needed])
        arrays = [pa.array(frame[field.name].to_list(), field.type) for field in fields]
        rows = pa.RecordBatch.from_arrays(arrays, schema=fields)
        passed = {k: v for k, v in options.items() if k in ("use_threads", "memory_pool")}
        return ds.Scanner.from_batches([rows], schema=fields, columns=names, filter=filter, **passed)


def _put(cursor: Any, name: str, ids: Ids, space: Space | None, shown: Sequence[str]) -> None:
    """Make a relation of the designs with these ids, which this cursor alone sees."""
    if space is not None:
        cursor.register(f"{name}_rows", ChosenDesigns(space, ids))
        listed = ", ".join(map(quoted, shown))
        cursor.execute(f"create or replace temp view {name} as select {listed} from {name}_rows")
        return
    cursor.register(f"{name}_ids", pa.table({"design_id": ids}))
    cursor.execute(
        f"create or replace temp view {name} as "
        f"select * from designs where design_id in (select design_id from {name}_ids)"
    )


# --------------------------------------------------------------------------------------------------- the syntax tree


def tree_of(cursor: Any, sql: str) -> Any:
    """The tree of a query; None for what is no query."""
    tree = json.loads(cursor.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()[0][0])
    return None if tree["error"] or len(tree["statements"]) != 1 else tree


def _tables(tree: Any) -> Iterator[dict[str, Any]]:
    """Everything in a tree that is called as a table."""
    if isinstance(tree, dict):
        if tree.get("type") == "TABLE_FUNCTION":
            yield tree
        for value in tree.values():
            yield from _tables(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _tables(value)


def _own_tables(tree: Any) -> Iterator[str]:
    """The names of the tables that a query makes for itself."""
    if isinstance(tree, dict):
        yield from (entry["key"] for entry in tree.get("cte_map", {}).get("map", ()))
        if "cte_name" in tree:
            yield tree["cte_name"]
        for value in tree.values():
            yield from _own_tables(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _own_tables(value)


def _call(node: Mapping[str, Any], columns: Sequence[Column]) -> Call | None:
    """The frontier that a node asks for, where it is one of designs over plain columns of numbers."""
    try:
        function = node["function"]
        name = function["function_name"].lower()
        plain = not function["schema"] and not function["catalog"] and not node["column_name_alias"]
        if name not in ARGUMENTS or not plain or node["sample"] or node["with_ordinality"] != "WITHOUT_ORDINALITY":
            return None
        given = [(argument["name"].lower(), argument["expression"]) for argument in function["arguments"]]
        (_, relation), *rest = given
        if given[0][0] or _literal(relation) != "designs":
            return None
        kinds = {c.name.lower(): c for c in columns if c.kind in ("int", "float")}
        objectives = tuple(_objective(expression, kinds) for name, expression in rest if not name)
        settings = {name: _literal(expression) for name, expression in rest if name}
        if len(objectives) not in ARGUMENTS[name] or not settings.keys() <= set(SETTINGS):
            return None
        ties, epsilon = settings.get("ties", "all"), float(settings.get("epsilon", 0))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if ties not in ("all", "one") or not (epsilon == 0 or LEAST_EPSILON <= epsilon <= 1):
        return None  # the macro says what is wrong with it
    return Call(objectives, "one" if ties == "one" else "all", epsilon)


def _literal(expression: Mapping[str, Any]) -> Any:
    """A text or a number as it is written. KeyError for anything else."""
    if expression["class"] != "CONSTANT":
        raise KeyError("class")
    return expression["literal"]["text"]


def _objective(expression: Mapping[str, Any], kinds: Mapping[str, Column]) -> tuple[str, float]:
    """A column of numbers and its sign. KeyError for anything else."""
    if expression["class"] == "FUNCTION":
        function = expression
        (argument,) = function["arguments"]
        if function["function_name"] != "-" or not function["is_operator"]:
            raise KeyError("function")
        name, sign = _objective(argument["expression"], kinds)
        return name, -sign
    (name,) = expression["column_names"]
    return kinds[name.lower()].name, 1.0

"""Frontiers that a query asks for, from the compiled kernels instead of the macros of ``queries/macros/``.

``from pareto2('designs', loss_nats, -decode_tokens_per_s)`` in a query on a spec or a run is found in DuckDB's own
syntax tree, and a relation with the same rows takes its place: of a spec, the frontier that sweep.frontier finds
without writing the space, its designs evaluated by id; of a run, or by expressions, one scan of the objectives folded
batch by batch; of any other table or view that has a name, one scan too, with the columns that the query names, or a
second one for whole rows. Whatever is no such call, or says something else in another version of the tree, is left to
the macros, which are right for every relation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from kernels.epsilon import LEAST_EPSILON
from kernels.pareto import Ties
from sweep.columns import Column
from sweep.dataset import DesignsDataset
from sweep.designs import designs
from sweep.errors import SweepError
from sweep.frontier import frontier
from sweep.resolve import narrow
from sweep.space import Space
from sweep.sqlfolding import Goal, Ids, are_exact, folded, frontier_rows, frontier_values
from sweep.sqltext import literal, quoted

ARGUMENTS = {"pareto": range(1, 9), "pareto2": (2,), "pareto3": (3,)}
SETTINGS = ("ties", "epsilon")
NAME = re.compile(r"[A-Za-z_]\w*")
EXPRESSIONS = {"COLUMN_REF", "CONSTANT", "FUNCTION", "CAST", "OPERATOR", "CASE"}  # of one row alone
WHOLE = {f"{u}{size}INT" for u in ("", "U") for size in ("TINY", "SMALL", "BIG")} | {"INTEGER", "UINTEGER"}
FLOATS = {"DOUBLE", "FLOAT"}
CARRIED = WHOLE | FLOATS | {"BOOLEAN", "VARCHAR", "DATE", "TIMESTAMP"}  # that come back out of Arrow as they were
_DESIGNS = (
    "select view_name, temporary, sql from duckdb_views() where lower(view_name) = 'designs' "
    "union all select table_name, temporary, sql from duckdb_tables() where lower(table_name) = 'designs'"
)


@dataclass(frozen=True)
class Call:
    """A frontier of a relation: what is minimised, as it stands in the tree; of designs by plain columns, these with 1
    for what is minimised and -1 for what is maximised."""

    relation: str
    expressions: tuple[Any, ...]
    objectives: tuple[tuple[str, float], ...]
    ties: Ties = "all"
    epsilon: float = 0.0


def made(cursor: Any) -> list[Any]:
    """What designs and the macros are in a database, to see later that nobody put something else in their place."""
    names = ", ".join(map(literal, ARGUMENTS))
    found: list[Any] = cursor.execute(
        f"{_DESIGNS} union all select function_name, internal, macro_definition from duckdb_functions() "
        f"where lower(function_name) in ({names}) order by all"
    ).fetchall()
    return found


def is_ours(cursor: Any, ours: Sequence[Any]) -> bool:
    """Whether designs is what it was made of, whatever the macros are, which take a while to be looked up."""
    found = cursor.execute(f"{_DESIGNS} order by all").fetchall()
    return bool(found == [row for row in ours if row[0].lower() == "designs"])


def answered(
    cursor: Any, sql: str, columns: Sequence[Column], space: Space | None, shown: Sequence[str], ours: Sequence[Any]
) -> str:
    """The query with each frontier that kernels find as a relation of this cursor, or as it was where there is none.

    columns are those that can be had of a space or, where that is None, those of a run; shown are those that designs of
    a space has here; ours is what was made of them.
    """
    if "pareto" not in sql.lower():
        return sql
    tree = tree_of(cursor, sql)
    found = [(node, call) for node in _tables(tree) if (call := _call(node, columns)) is not None]
    own = {name.lower() for name in _own_tables(tree)}
    found = [(node, call) for node, call in found if call.relation.lower() not in own]
    if not found or "designs" in own or made(cursor) != list(ours):
        return sql
    is_changed = False
    for place, (node, call) in enumerate(found):
        name = f"_pareto_{place}"
        try:
            is_put = _put_frontier(cursor, name, call, columns, space, shown, _named(tree, node, sql))
        except duckdb.Error:  # the macros say what is wrong
            is_put = False
        if not is_put:
            continue
        is_changed = True
        table = tree_of(cursor, f"from {name}")["statements"][0]["node"]["from_table"]
        alias = node["alias"]
        node.clear()
        node.update(table | {"alias": alias})
    if not is_changed:
        return sql
    try:
        text: str = cursor.execute("select json_deserialize_sql(?::json)", [json.dumps(tree)]).fetchall()[0][0]
    except duckdb.Error:  # the macros answer what this version cannot write
        return sql
    return text


# ----------------------------------------------------------------------------------------------------- the frontiers


def _put_frontier(
    cursor: Any,
    name: str,
    call: Call,
    columns: Sequence[Column],
    space: Space | None,
    shown: Sequence[str],
    named: set[str] | None,
) -> bool:
    """Make a relation of the rows of a frontier; whether there is one now, and not a macro to be asked.

    named are the words of the query, among which are the columns that it needs; None where those are all.
    """
    if call.relation == "designs":
        ids = _of_designs(cursor, call, columns, space)
        if ids is not None:
            _put(cursor, name, ids, space, shown)
        return ids is not None
    if call.ties != "all" or call.epsilon or (goals := _goals(cursor, call)) is None:
        return False
    source = quoted(call.relation)
    of = cursor.sql(f"from {source} limit 0")
    kinds = dict(zip(of.columns, map(str, of.types), strict=True))
    named = named if all(map(NAME.fullmatch, kinds)) else None
    needed = [column for column in kinds if named is not None and column.lower() in named] or list(kinds)[:1]
    if named is not None and CARRIED.issuperset(kinds[column] for column in needed):
        rows = frontier_rows(cursor, source, goals, needed)
        if rows is not None:
            cursor.register(f"{name}_rows", rows)
            cursor.execute(f"create or replace temp view {name} as from {name}_rows")
        return rows is not None
    values = frontier_values(cursor, source, goals)
    if values is None:
        return False
    made_up = [f"_{name}_{k}" for k in range(len(goals))]
    cursor.register(f"{name}_values", pa.table(list(values.T), made_up))
    alike = " and ".join(f"cast({g.sql} as double) = {name}" for g, name in zip(goals, made_up, strict=True))
    cursor.execute(f"create or replace temp view {name} as from {source} semi join {name}_values on {alike}")
    return True


def _of_designs(cursor: Any, call: Call, columns: Sequence[Column], space: Space | None) -> Ids | None:
    """The ids of the frontier of designs; None where the macro has to answer."""
    if space is not None and call.objectives:
        return _of_space(space, call)
    kinds = {c.name: c.kind for c in columns}
    goals: Sequence[Goal] | None = [Goal(quoted(n), sign, kinds[n] == "int") for n, sign in call.objectives]
    goals = goals or _goals(cursor, call)
    return None if goals is None else folded(cursor, "designs", goals, call.ties, call.epsilon)


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
    values = rows.select(list(dict.fromkeys(name for name, _ in call.objectives)))  # one may be named twice
    whole = [values[name].to_numpy() for name in values.columns if values[name].dtype.is_integer()]
    return rows["design_id"].to_numpy() if are_exact(whole) else None


def _goals(cursor: Any, call: Call) -> list[Goal] | None:
    """What is minimised, as SQL; None where it is not a number that the kernels compare as DuckDB does."""
    called = [part["function_name"].lower() for part in _parts(list(call.expressions)) if "function_name" in part]
    volatile = (
        "select count(*) from duckdb_functions() where stability = 'VOLATILE' and list_contains(?, function_name)"
    )
    if called and cursor.execute(volatile, [called]).fetchall()[0][0]:
        return None  # the macro refuses what is another number each time it is asked
    tree = tree_of(cursor, "select 1")
    texts = []
    for expression in call.expressions:
        tree["statements"][0]["node"]["select_list"] = [expression]
        ((text,),) = cursor.execute("select json_deserialize_sql(?::json)", [json.dumps(tree)]).fetchall()
        texts.append(text.removeprefix("SELECT "))
    listed = ", ".join(f"{text} as o{k}" for k, text in enumerate(texts))
    kinds = list(map(str, cursor.sql(f"select {listed} from {quoted(call.relation)} limit 0").types))
    if not (WHOLE | FLOATS).issuperset(kinds):
        return None
    return [Goal(text, 1.0, kind in WHOLE) for text, kind in zip(texts, kinds, strict=True)]


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
    for part in _parts(tree):
        if part.get("type") == "TABLE_FUNCTION":
            yield part


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
    """The frontier that a node asks for, where it is one of a relation that has a name."""
    try:
        function = node["function"]
        name = function["function_name"].lower()
        plain = not function["schema"] and not function["catalog"] and not node["column_name_alias"]
        if name not in ARGUMENTS or not plain or node["sample"] or node["with_ordinality"] != "WITHOUT_ORDINALITY":
            return None
        given = [(argument["name"].lower(), argument["expression"]) for argument in function["arguments"]]
        (_, relation), *rest = given
        source = _literal(relation)
        source = "designs" if source.lower() == "designs" else source
        expressions = tuple(expression for name, expression in rest if not name)
        settings = {name: _literal(expression) for name, expression in rest if name}
        if given[0][0] or not NAME.fullmatch(source) or len(expressions) not in ARGUMENTS[name]:
            return None
        if not settings.keys() <= set(SETTINGS) or not all(map(_is_of_a_row, expressions)):
            return None
        ties, epsilon = settings.get("ties", "all"), float(settings.get("epsilon", 0))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if ties not in ("all", "one") or not (epsilon == 0 or LEAST_EPSILON <= epsilon <= 1):
        return None  # the macro says what is wrong with it
    kinds = {c.name.lower(): c for c in columns if c.kind in ("int", "float")}
    try:
        objectives = tuple(_objective(expression, kinds) for expression in expressions) if source == "designs" else ()
    except (KeyError, TypeError, ValueError):
        objectives = ()
    return Call(source, expressions, objectives, "one" if ties == "one" else "all", epsilon)


def _is_of_a_row(expression: Any) -> bool:
    """Whether an expression follows from the columns of a row alone."""
    if isinstance(expression, list):
        return all(map(_is_of_a_row, expression))
    if not isinstance(expression, dict):
        return True
    if expression.get("class", "CONSTANT") not in EXPRESSIONS or expression.get("filter") or expression.get("distinct"):
        return False
    return all(map(_is_of_a_row, expression.values()))


def _named(tree: Any, node: Mapping[str, Any], sql: str) -> set[str] | None:
    """The words of a query, among which are the columns it needs of what a node gives; None where it may need all."""
    whole = {node["alias"].lower()}
    for part in _parts(tree):
        if part.get("class") in ("STAR", "POSITIONAL_REFERENCE") or part.get("ref_type") == "NATURAL":
            return None
        if part.get("type") == "PIVOT" or {name.lower() for name in part.get("column_names") or ()} == whole:
            return None
    return {word.lower() for word in re.findall(r"\w+", sql)}


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Everything in a tree."""
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _parts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _parts(value)


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

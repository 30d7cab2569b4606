"""Least and greatest values, for the query that asks nothing else: DuckDB is handed those of each batch.

DuckDB takes longer to compare rows than they take to be evaluated. ``select min(train_usd), max(loss_nats) from designs
where gpu = 'h100_sxm'`` reads another relation, which has the ends of each batch in place of its rows. That is right
where the whole condition is handed to the scan and nothing stands on it but min and max of columns. DuckDB's plan says
whether that is so; whatever is planned in another way is left as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import duckdb

from sweep.dataset import ENDS, Table
from sweep.sqlcount import is_of_designs
from sweep.sqlpareto import is_ours, tree_of

NAME = "_ends"

_CLASSES = {"FUNCTION", "CONSTANT", "CAST", "OPERATOR", "COMPARISON", "CONJUNCTION", "CASE", "PARAMETER", "TYPE"}
_AGGREGATE = re.compile(r"(min|max)\(#\d+\)")


def answered(cursor: Any, sql: str, params: Any, table: Table, ours: Sequence[Any]) -> str:
    """The query over the ends of batches of designs, or as it was where it asks for anything but ends of columns.

    params are those that the query runs with; ours is what designs was made of: somebody may have put something else
    in its place.
    """
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    if "designs" not in words or words.isdisjoint(ENDS):
        return sql
    tree = tree_of(cursor, sql)
    node = {} if tree is None else tree["statements"][0]["node"]
    numbers = {name.lower() for name, column in table.columns.items() if column.kind in ("int", "float")}
    if not is_of_designs(node, ("where_clause",)) or not _takes_ends(node, numbers) or not is_ours(cursor, ours):
        return sql
    other = tree_of(cursor, f"from {NAME}")["statements"][0]["node"]["from_table"]
    node["from_table"] = other | {"alias": node["from_table"]["alias"] or "designs"}
    ends = table.ends(name for name in table.columns if name.lower() in words)
    try:
        cursor.register(NAME, ends)
        ((text,),) = cursor.execute("select json_deserialize_sql(?::json)", [json.dumps(tree)]).fetchall()
        ((_, plan),) = cursor.execute(f"explain (format json) {text}", params).fetchall()
        ends.kept = _kept(json.loads(plan)[0])
    except (duckdb.Error, KeyError):  # DuckDB says itself what is wrong, or this version tells its plan otherwise
        return sql
    return text if ends.kept else sql


def _takes_ends(node: Mapping[str, Any], numbers: Collection[str]) -> bool:
    """Whether what a query selects takes nothing of designs but least and greatest values of columns of numbers."""
    try:
        return set(_columns(node["select_list"])) <= set(numbers)
    except (KeyError, TypeError, ValueError):
        return False


def _columns(expression: Any) -> Iterator[str]:
    """The columns, by lower case, whose ends an expression takes. KeyError where it takes anything else of designs."""
    if isinstance(expression, list):
        for part in expression:
            yield from _columns(part)
    elif isinstance(expression, dict):
        if expression.get("class", "CONSTANT") not in _CLASSES:
            raise KeyError(expression["class"])
        if expression.get("function_name", "").lower() in ENDS:
            (argument,) = expression["arguments"]
            yield argument["expression"]["column_names"][-1].lower()
            return
        for part in expression.values():
            yield from _columns(part)


def _kept(plan: Mapping[str, Any]) -> Collection[str]:
    """Which ends are all that a plan takes of the rows it scans; none where it takes more."""
    while plan["name"] != "UNGROUPED_AGGREGATE":
        if len(plan["children"]) != 1:
            return ()
        plan = plan["children"][0]
    found = [_AGGREGATE.fullmatch(aggregate) for aggregate in _listed(plan, "Aggregates")]
    below = plan["children"]
    if len(below) == 1 and below[0]["name"] == "PROJECTION":
        columns = _listed(below[0], "Projections")
        below = below[0]["children"]
        if not set(columns) <= set(_listed(below[0], "Projections")):  # of something computed
            return ()
    if len(below) != 1 or not below[0]["name"].endswith("ARROW_SCAN"):
        return ()
    return {match[1] for match in found if match} if all(found) else ()


def _listed(node: Mapping[str, Any], what: str) -> list[str]:
    """What a plan says of a node: a text where it is one thing."""
    told = node["extra_info"].get(what, [])
    return [told] if isinstance(told, str) else list(told)

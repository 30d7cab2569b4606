"""How many designs there are, for the query that asks nothing else: DuckDB would be handed as many empty rows.

``select count(*) from designs`` is found in DuckDB's own syntax tree. Without conditions on metrics the axes say the
number; with them designs are counted where they are evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweep.dataset import Table
from sweep.sqlpareto import is_ours, tree_of
from sweep.sqltext import quoted

# what a query has that asks for nothing but columns of one table; the rest of it is empty
_PARTS = ("select_list", "from_table", "type", "aggregate_handling", "cte_map")
_COUNTED = {"type": "BASE_TABLE", "table_name": "designs", "schema_name": "", "catalog_name": ""}
_COUNTS = {"function_name": "count_star", "distinct": False, "filter": None}


def answered(cursor: Any, sql: str, table: Table, ours: Sequence[Any]) -> str:
    """The query with the number in place of the count, or as it was where it asks for anything else.

    ours is what designs was made of: somebody may have put something else in its place.
    """
    words = sql.lower()
    name = _name(cursor, sql) if "count" in words and "designs" in words else None
    if name is None or not is_ours(cursor, ours):
        return sql
    return f"select cast({table.count_rows()} as bigint) as {quoted(name)}"


def _name(cursor: Any, sql: str) -> str | None:
    """What the count is called; None for any other query."""
    tree = tree_of(cursor, sql)
    node = {} if tree is None else tree["statements"][0]["node"]
    if len(node.get("select_list", ())) != 1:
        return None
    asked = node["select_list"][0]
    if not is_of_designs(node) or not _COUNTS.items() <= _told(asked).items():
        return None
    return asked["alias"] or "count_star()"


def is_of_designs(node: Mapping[str, Any], more: Sequence[str] = ()) -> bool:
    """Whether a node of a tree selects from designs as they are and has, beside what it selects, no more than that."""
    if node.get("type") != "SELECT_NODE" or node["cte_map"]["map"]:
        return False
    source = node["from_table"]
    is_bare = not any(value for part, value in node.items() if part not in (*_PARTS, *more))
    is_bare = is_bare and node["aggregate_handling"] == "STANDARD_HANDLING"
    is_whole = not source.get("sample") and not source.get("at_clause") and not source.get("column_name_alias")
    return is_bare and is_whole and _COUNTED.items() <= _told(source).items()


def _told(node: dict[str, Any]) -> dict[str, Any]:
    """What can be compared of a node; names are the same however they are written."""
    plain = {part: value for part, value in node.items() if not isinstance(value, list | dict)}
    return plain | {part: plain[part].lower() for part in ("table_name", "function_name") if part in plain}

"""What stands beside designs in a database: the catalogue, what is known of metrics, and their macros.

All of it is a second's work to set up and a query names little of it, so each is made when a query first names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from kernels.graph import Graph
from sweep import opensql
from sweep.columns import Column
from sweep.sqltext import macro

# a query with one of these looks at what there is, so all of it has to be there
LOOKS_AROUND = frozenset(
    {"show", "describe", "information_schema", "pg_catalog", "sqlite_master", "comment"}
    | {f"duckdb_{what}" for what in ("columns", "tables", "views", "functions", "schemas", "databases")}
)


def _words(sql: str) -> set[str]:
    return {word.lower() for word in re.findall(r"\w+", sql)}


class Beside:
    """Statements to run before a query, each once. shown are those of the columns that designs has unasked."""

    def __init__(self, graph: Graph, columns: Sequence[Column], shown: Sequence[Column]) -> None:
        self._waiting: dict[str, Callable[[], list[str]]] = {
            table: lambda table=table: [opensql.table(table)]  # type: ignore[misc]
            for table in opensql.CATALOGUE
        }
        self._waiting["metrics"] = lambda: [opensql.metrics(graph, columns)]
        self._waiting["inputs"] = lambda: [opensql.inputs(graph)]
        self._waiting["axes"] = lambda: [opensql.axes(columns)]
        self._waiting["comment"] = lambda: opensql.comments(shown)
        for formula in opensql.translated(graph):
            name = opensql.macro_name(formula)
            self._waiting[name] = lambda name=name, formula=formula: [macro(name, formula, graph.kinds)]  # type: ignore[misc]

    def named(self, sql: str) -> list[str]:
        """The statements that make what a query names and nobody named before."""
        words = _words(sql)
        names = [name for name in self._waiting if name in words or not words.isdisjoint(LOOKS_AROUND)]
        return [statement for name in names for statement in self._waiting.pop(name)()]

"""What stands beside designs in a database: the catalogue, what is known of metrics, and their macros.

All of it is a second's work to set up and a query names little of it, so each is made when a query first names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from kernels.graph import Graph
from kernels.language import Formula
from sweep import opensql, sqldraws, sqlroots
from sweep.columns import Column
from sweep.sqltext import ROOT_PREFIX, macro

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
        for name in sqlroots.names():
            self._waiting[ROOT_PREFIX + name] = lambda name=name: [sqlroots.macro(name)]  # type: ignore[misc]
        for formula in opensql.translated(graph):
            name = opensql.macro_name(formula)
            self._waiting[name] = lambda name=name, formula=formula: self._macro(name, formula, graph)  # type: ignore[misc]
        self._waiting[sqldraws.TABLE] = lambda: [opensql.table(sqldraws.TABLE)]
        for name in sqldraws.names():
            self._waiting[f"{name}_of"] = lambda name=name: self._quantile(name, graph)  # type: ignore[misc]

    def _macro(self, name: str, formula: Formula, graph: Graph) -> list[str]:
        """The macro of a metric, after those of the roots that it searches for."""
        made = macro(name, formula, graph.kinds)
        return [*self.needed(made), made]

    def _quantile(self, name: str, graph: Graph) -> list[str]:
        """The macro of a quantile over draws, after the table of these."""
        made = sqldraws.macro(graph, name)
        return [*self.needed(made), made]

    def needed(self, sql: str) -> list[str]:
        """The statements that make the roots that one of ours searches for, and the draws, if nobody named them."""
        named = _words(sql) & self._waiting.keys()
        return self._made(sorted(n for n in named if n.startswith(ROOT_PREFIX) or n == sqldraws.TABLE))

    def named(self, sql: str) -> list[str]:
        """The statements that make what a query names and nobody named before."""
        words = _words(sql)
        looked = set() if words.isdisjoint(LOOKS_AROUND) else self._waiting.keys()
        if "duckdb_functions" not in words:  # several seconds' work that is in the way of everything else
            looked = looked - {f"{name}_of" for name in sqldraws.names()}
        return self._made([name for name in self._waiting if name in words or name in looked])

    def _made(self, names: Sequence[str]) -> list[str]:
        found = [self._waiting.pop(name) for name in names]
        return [statement for make in found for statement in make()]

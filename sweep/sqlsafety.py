"""What a query may do: read the tables it was given, and nothing else of the machine.

DuckDB itself is closed first (no files but those of the run, no network, no extension, no setting changed); statements
that write are refused besides, because a file that may be read may be written as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sweep.errors import QueryError
from sweep.sqltext import literal

# in the memory of the query's own database, so that views, tables and variables help to ask
ALLOWED = frozenset({"SELECT", "CREATE", "INSERT", "UPDATE", "DELETE", "DROP", "SET", "TRANSACTION"})
_READS = ("select", "with", "from", "pivot", "unpivot", "values", "table", "describe", "summarize", "show")
_NOISE = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_EXPLAIN = re.compile(r"explain\b\s*(?:\([^)]*\)|analyze\b)?", re.IGNORECASE)
_NOT_HERE = "not in a query: it reads designs and the catalogue, and writes nothing; -o FILE keeps an answer"


def closed(files: Iterable[str]) -> list[str]:
    """Settings, in order, after which DuckDB reads these files and no other, and no setting can be changed."""
    listed = ", ".join(map(literal, files))
    return [
        f"set allowed_paths = [{listed}]",
        "set enable_external_access = false",
        "set lock_configuration = true",
    ]


def check(statements: Sequence[Any], parse: Callable[[str], Sequence[Any]]) -> None:
    """QueryError for the first statement that does more than read or keep something in memory."""
    for statement in statements:
        kind, word = statement.type.name, _first_word(statement.query)
        if kind in ALLOWED or (kind == "MULTI" and word in _READS):
            continue
        if kind == "EXPLAIN":
            text = statement.query[_NOISE.match(statement.query).end() :]  # type: ignore[union-attr]
            explained = parse(_EXPLAIN.sub("", text, count=1))
            if all(s.type.name == "SELECT" for s in explained):
                continue
            word = next(_first_word(s.query) for s in explained if s.type.name != "SELECT")
        raise QueryError(f"{word.upper()} is {_NOT_HERE}; --unsafe lets it through")


def _first_word(sql: str) -> str:
    start = _NOISE.match(sql)
    word = re.match(r"\w+", sql[start.end() :] if start else sql)
    return word.group().lower() if word else ""

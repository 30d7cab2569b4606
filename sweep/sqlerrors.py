"""What DuckDB says of a query that fails, as a person should read it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import duckdb

from kernels.graph import near
from sweep.errors import QueryError

_CLOSED = "file system operations are disabled by configuration"


def told(error: duckdb.Error, sql: str = "") -> QueryError:
    """DuckDB's message without the name of its exception; candidates and the marked line stay."""
    message = re.sub(r"^[A-Z][A-Za-z ]*Error: ", "", str(error)).strip()
    message = re.sub(r"\n\s*\n", "\n", message)
    if (macro := re.match(r"Macro (\w+)\(\) does not support the supplied arguments", message)) is not None:
        return QueryError(_arguments(macro.group(1), message, sql))
    if _CLOSED in message:
        file = re.search(r'"(.*)"', message)
        return QueryError(
            f"{file.group(1) if file else 'this file'} is not for queries: they read designs and the catalogue, and no "
            "other file; --unsafe lets them"
        )
    return QueryError(message)


def is_of_a_file(error: duckdb.Error) -> bool:
    """Whether a file may be the reason, and not what was asked of it."""
    kinds = duckdb.IOException, duckdb.InternalException, duckdb.SerializationException
    said = re.search(r"TProtocol|thrift|parquet|don't know what type|snappy|zstd|lz4", str(error), re.IGNORECASE)
    return isinstance(error, kinds) or said is not None


def misnamed(
    message: str, columns: Collection[str], metrics: Collection[str], inputs: Collection[str] = ()
) -> list[str]:
    """A line with the column that was meant, where DuckDB knows no column of that name and may not know all.

    metrics are names that a spec may have evaluated: what rows that are written lack, another run can hold. inputs are
    all there are, those that are the same in every design too.
    """
    found = re.match(r'Referenced column "(\w+)" not found', message)
    if found is None:
        return []
    name = found.group(1)
    if name in metrics:
        lacked = f"{name} is a metric that these designs do not hold"
        return [f"{lacked}: ask their spec, which evaluates it, or a run with it among its columns"]
    if name in inputs:
        lacked = f"{name} is an input that these designs do not hold as a column"
        return [f'{lacked}: columns = ["{name}", ...] or an axis of it in the spec makes it one']
    hint = near(name, columns) or near(name, metrics)
    return [f"{name} is not a column of designs{hint}"] if hint else []


def with_the_place(error: duckdb.Error, cursor: Any, sql: str, params: Any) -> duckdb.Error:
    """The error of a query that could not be prepared, with the line it is in: DuckDB says that when executing."""
    if "\nLINE " in str(error):
        return error
    try:
        cursor.execute(sql, params)
    except duckdb.Error as placed:
        return placed if type(placed) is type(error) else error
    return error


def _arguments(macro: str, message: str, sql: str) -> str:
    """What is wrong with the arguments of a macro, whose candidates DuckDB lists whole."""
    known = [name.strip('"') for name in re.findall(r'("?\w+"?) :=', message)]
    given = re.findall(r"(\w+)\s*:=", sql[sql.find(macro) :])
    unknown = [name for name in given if known and name not in known]
    if not unknown:
        return message
    hint = near(unknown[0], known) or f"; it takes {', '.join(known)}"
    return f"{macro} has no input {unknown[0]}{hint}"

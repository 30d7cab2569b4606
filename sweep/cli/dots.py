"""The commands of the shell beside SQL: what there is, how a design comes about, how answers are shown."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kernels.graph import near
from sweep.errors import SweepError

if TYPE_CHECKING:
    import polars as pl

    from sweep.database import Database
    from sweep.space import Space

FORMATS = ("table", "csv", "json")


@dataclass
class Session:
    """A shell's database, the space behind it, how it shows answers, and the last one."""

    database: Database
    space: Callable[[], Space]
    format: str = "table"
    rows: int = 40
    timer: bool = True
    answer: pl.DataFrame | None = field(default=None, repr=False)

    def show(self, frame: pl.DataFrame) -> None:
        """Print an answer in the session's format."""
        from sweep import files, tables

        if self.format == "table":
            tables.print_table(frame, self.rows)
        else:
            files.write(frame, None, self.format)


class Quit(Exception):  # not an error: how a shell ends
    """The person wants to leave."""


def run(session: Session, line: str) -> None:
    """Run a line that starts with a dot. SweepError for what is not known, with what is."""
    try:
        name, *arguments = shlex.split(line)
    except ValueError as error:
        raise SweepError(f"{line}: {error}") from None
    if name not in COMMANDS:
        raise SweepError(f"{name} is not a command{near(name, COMMANDS) or '; .help lists them'}")
    COMMANDS[name][1](session, arguments)


def _help(_session: Session, _arguments: list[str]) -> None:
    click.echo("SQL ends with a semicolon; beside it:")
    for usage, _, meaning in COMMANDS.values():
        click.echo(f"  {usage:<26} {meaning}")


def _tables(session: Session, _arguments: list[str]) -> None:
    from sweep import tables

    told = (
        "select view_name as name, column_count as columns from duckdb_views() where view_name = 'designs' "
        "union all select table_name, column_count from duckdb_tables() where not internal order by name"
    )
    frame = session.database.query(told).pl()
    tables.print_listing(frame)


def _columns(session: Session, arguments: list[str]) -> None:
    import polars as pl

    columns = session.database.columns
    rows = [(c.name, "axis" if c.is_axis else c.kind, c.unit, c.meaning) for c in columns]
    _listed(pl.DataFrame(rows, ["name", "kind", "unit", "meaning"], orient="row"), arguments)


def _metrics(session: Session, arguments: list[str]) -> None:
    _listed(session.database.query("select name, unit, meaning, source from metrics").pl(), arguments)


def _inputs(session: Session, arguments: list[str]) -> None:
    columns = 'name, unit, "default", allowed, meaning'
    _listed(session.database.query(f"select {columns} from inputs").pl(), arguments)


def _macros(session: Session, arguments: list[str]) -> None:
    listed = (
        "select function_name as name, array_to_string(parameters, ', ') as parameters from duckdb_functions() "
        "where function_type in ('macro', 'table_macro') and not internal order by name"
    )
    _listed(session.database.query(listed).pl(), arguments)


def _listed(frame: pl.DataFrame, arguments: list[str]) -> None:
    """A listing, only the rows that have each of the words in their name or meaning."""
    import polars as pl

    from sweep import tables

    for word in arguments:
        has = pl.any_horizontal(pl.col(pl.String).str.to_lowercase().str.contains(word.lower(), literal=True))
        frame = frame.filter(has)
    if frame.is_empty():
        raise SweepError(f"nothing has {' and '.join(arguments)} in it")
    tables.print_listing(frame)


def _explain(session: Session, arguments: list[str]) -> None:
    from sweep.cli.explain import explain_design

    if not arguments or not arguments[0].isdigit():
        raise SweepError(".explain takes the id of a design, then metrics, e.g. .explain 12345 loss_nats")
    explain_design(session.space(), int(arguments[0]), arguments[1:], everything=False)


def _query(session: Session, arguments: list[str]) -> None:
    from sweep import queryfile
    from sweep.cli.shared import settings

    if not arguments:
        for file in queryfile.all_files():
            click.echo(f"{file.name:<24}{file.question}")
        return
    file = queryfile.load(arguments[0])
    session.answer = session.database.ask(file, settings(tuple(arguments[1:]))).pl()
    session.show(session.answer)


def _format(session: Session, arguments: list[str]) -> None:
    if len(arguments) != 1 or arguments[0] not in FORMATS:
        raise SweepError(f".format takes one of {', '.join(FORMATS)}; it is {session.format}")
    session.format = arguments[0]


def _rows(session: Session, arguments: list[str]) -> None:
    if len(arguments) != 1 or not arguments[0].isdigit() or arguments[0] == "0":
        raise SweepError(f".rows takes how many rows of a table to show; it is {session.rows}")
    session.rows = int(arguments[0])


def _timer(session: Session, arguments: list[str]) -> None:
    if len(arguments) != 1 or arguments[0] not in ("on", "off"):
        raise SweepError(f".timer takes on or off; it is {'on' if session.timer else 'off'}")
    session.timer = arguments[0] == "on"


def _save(session: Session, arguments: list[str]) -> None:
    from sweep import files

    if len(arguments) != 1:
        raise SweepError(".save takes a file: .csv, .json, .parquet or .xlsx")
    if session.answer is None:
        raise SweepError("there is no answer to save yet")
    files.write(session.answer, Path(arguments[0]), None)
    click.echo(f"{session.answer.height:,} rows to {arguments[0]}", err=True)


def _quit(_session: Session, _arguments: list[str]) -> None:
    raise Quit


COMMANDS: dict[str, tuple[str, Callable[[Session, list[str]], None], str]] = {
    ".help": (".help", _help, "this list"),
    ".tables": (".tables", _tables, "what can be asked"),
    ".columns": (".columns [WORD ...]", _columns, "columns of designs, with units and meaning"),
    ".metrics": (".metrics [WORD ...]", _metrics, "metrics with these words in name, meaning or source"),
    ".inputs": (".inputs [WORD ...]", _inputs, "inputs, their defaults and what they may be"),
    ".macros": (".macros [WORD ...]", _macros, "macros: <metric>_of, what_if, frontiers"),
    ".explain": (".explain ID [METRIC ...]", _explain, "how a design's numbers come about"),
    ".query": (".query [NAME [K=V ...]]", _query, "a question of sweep query, or the list of them"),
    ".format": (".format table|csv|json", _format, "how answers are shown"),
    ".rows": (".rows N", _rows, "rows of a table to show"),
    ".timer": (".timer on|off", _timer, "say how long an answer took"),
    ".save": (".save FILE", _save, "write the last answer: .csv, .json, .parquet, .xlsx"),
    ".quit": (".quit", _quit, "leave; so does Ctrl-D"),
}

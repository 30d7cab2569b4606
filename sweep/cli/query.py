"""sweep query"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweep.cli.shared import notes, open_space, output_options, run_folder, where_option

if TYPE_CHECKING:
    from sweep.queryfile import QueryFile
    from sweep.space import Space


@click.command("query")
@click.argument("name", required=False)
@click.argument("spec_or_run", metavar="[SPEC_OR_RUN]", required=False)
@click.option("--list", "listed", is_flag=True, help="Name the questions, by topic.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a parameter; repeat it for more.")
@where_option
@output_options("table csv json parquet xlsx", rows=40)
def query_command(
    name: str | None,
    spec_or_run: str | None,
    listed: bool,
    params: tuple[str, ...],
    where: tuple[str, ...],
    output: Path | None,
    format_: str | None,
    rows: int,
) -> None:
    """Ask a question that planners ask: a file of queries/, over the designs of a spec or a run.

    \b
        sweep query --list
        sweep query best_per_budget
        sweep query best_per_budget first-look --param budgets_usd=1e6,2e6

    Without SPEC_OR_RUN, what a question reads, takes and returns. From a spec, or with --where, the table is evaluated
    as it is asked. The files are plain SQL: in a run folder, duckdb -init open.sql -f NAME.sql answers the same.
    """
    from sweep import queryfile

    if listed or name is None:
        if not listed:
            raise click.UsageError("name a question; sweep query --list tells which there are")
        click.echo("\n".join(list_lines()))
        return
    file = queryfile.load(name)
    if spec_or_run is None:
        if params or where or output is not None:
            raise click.UsageError("give SPEC_OR_RUN, whose designs the question is about")
        click.echo("\n".join(file.lines()))
        return
    given = _given(params)
    file.values(given)  # mistakes in them are told before anything is opened
    answer(file, spec_or_run, given, where, output, format_, rows)


def answer(
    file: QueryFile,
    spec_or_run: str,
    given: dict[str, str],
    where: tuple[str, ...],
    output: Path | None,
    format_: str | None,
    rows: int,
) -> None:
    """Print what a question answers, or write it to a file."""
    from sweep import files, tables
    from sweep.database import Database
    from sweep.resolve import narrow

    folder = run_folder(spec_or_run)
    shown = output is None and format_ in (None, "table")
    space = narrow(open_space(spec_or_run), where) if folder is None or where or shown else None
    if folder is not None and not where:
        opened = Database.open_run(folder)
    else:
        assert space is not None
        opened = Database.open_space(space)
    with opened as database:
        result = database.ask(file, given).pl()
    if not shown:
        files.write(result, output, format_)
        return
    assert space is not None
    tables.print_table(result, rows)
    if not len(result):
        click.echo(f"no row; with other parameters there may be some: sweep query {file.name}")
    for note in read_notes(file, given, space):
        click.echo(f"  {note}")


def read_notes(file: QueryFile, given: dict[str, str], space: Space) -> list[str]:
    """What a reader of an answer has to know of the columns that it was drawn from."""
    import polars as pl

    read = file.needs(file.values(given))
    said = notes(space, pl.DataFrame(schema=list(read)))
    laws = space.axis("law")
    if "loss_nats" in read and "law" not in read and laws is not None and len(laws) > 1:
        told = "losses of different laws are compared with each other; --where \"law == '...'\" keeps to one"
        said.insert(0, told)
    return said


def list_lines() -> list[str]:
    """The questions by topic, for a terminal."""
    from sweep import queryfile

    found = queryfile.all_files()
    width = max(len(file.name) for file in found)
    lines: list[str] = []
    for topic in queryfile.TOPICS:
        lines += ["", topic] if lines else [topic]
        lines += [f"  {file.name:<{width}}  {file.question}" for file in found if file.topic == topic]
    return lines


def _given(pairs: tuple[str, ...]) -> dict[str, str]:
    """--param name=value, parsed."""
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"{pair!r} is not name=value", param_hint="--param")
        if name.strip().removeprefix("$") in given:
            raise click.BadParameter(f"{name.strip()} is given twice", param_hint="--param")
        given[name.strip().removeprefix("$")] = value.strip()
    return given

"""sweep eval"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweep.cli.shared import output_options, settings

if TYPE_CHECKING:
    import polars as pl


@click.command("eval")
@click.argument("points", required=False, type=click.Path(path_type=Path))
@click.option("--columns", metavar="A,B", help="Metrics to add, separated by commas; the usual ones when not given.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Set an input for every row; repeat it.")
@click.option("--strict", is_flag=True, help="Stop at the first row that cannot be evaluated.")
@output_options("table csv json parquet xlsx")
def eval_command(
    points: Path | None,
    columns: str | None,
    sets: tuple[str, ...],
    strict: bool,
    output: Path | None,
    format_: str | None,
) -> None:
    """Add metrics to a table of designs, the same rows in the same order; an empty cell takes its default.

    \b
        sweep eval --set model=llama-3.1-8b --set gpu=h100_sxm --columns params_total,serve_bytes
        sweep eval designs.csv --columns params_total,loss_nats -o evaluated.csv

    POINTS is a CSV, Parquet or XLSX file, or - for CSV from standard input. Columns that are not inputs pass through; a
    table without any is an error, unless --set describes the designs.
    What follows from a scaling law comes with two columns that say whether and how far it is extrapolated.
    """
    from sweep import files, tables
    from sweep.columns import MARKS, leans_on_law
    from sweep.errors import SweepError
    from sweep.formulas import SHORT
    from sweep.points import added_name, evaluate_rows, graph_of, known_columns

    frame = files.read(points)
    names = [name.strip() for name in columns.split(",") if name.strip()] if columns else []
    given = settings(sets)
    known = [SHORT.get(name, name) for name in names]
    graph = graph_of(known_columns(known))
    if names and leans_on_law(graph, known, given):
        names += [mark for mark in MARKS if mark not in names]
    if points is not None:
        _tell_what_is_not_read(points, frame.columns, bool(given))
    result, bad = evaluate_rows(frame, names, given)
    places = _lines(points, frame) if bad else []
    lines = [f"line {places[b.row]}: {b.column}: {b.reason}" for b in bad]
    if points is None and bad:
        raise SweepError(f"--set: {bad[0].column}: {bad[0].reason}")
    if strict and lines:
        raise SweepError(f"{points}: {lines[0]}; nothing was written")
    if output is not None or format_ not in (None, "table"):
        files.write(result, output, format_)
    elif points is None:
        tables.print_record(result)
    else:
        tables.print_table(result)
    mark = added_name("in_fitted_range", frame.columns)
    if mark in result.columns and (outside := int((result[mark] == False).sum())):  # noqa: E712
        said = f"{outside} of {len(result)} rows lie outside" if len(result) > 1 else "this lies outside"
        click.echo(f"{said} the range the law was fitted on: extrapolated", err=True)
    if lines:
        shown = "\n  ".join(lines[:50] + ([f"... and {len(lines) - 50} more"] if len(lines) > 50 else []))
        evaluated = len(result) - len(lines)
        click.echo(f"{points}: {len(lines)} of {len(result)} rows were not evaluated\n  {shown}", err=True)
        click.echo(f"{evaluated} rows were evaluated; the others kept their place with empty metrics", err=True)


def _lines(points: Path | None, frame: pl.DataFrame) -> list[int]:
    """The line of its file that each row starts on: a cell of a CSV may go over several."""
    import polars as pl

    suffix = "" if points is None else points.suffix.lower()
    first = 1 if points is None or suffix == ".parquet" else 2
    if points is None or suffix in (".parquet", ".xlsx"):
        return list(range(first, first + len(frame)))
    first += sum(header.count("\n") for header in frame.columns)
    breaks = frame.select(pl.sum_horizontal(pl.all().str.count_matches("\n").fill_null(0).cast(pl.Int64))).to_series()
    return [row + first + before for row, before in enumerate(breaks.cum_sum().shift(1, fill_value=0))]


def _tell_what_is_not_read(points: Path, columns: Sequence[str], settings_given: bool) -> None:
    """Say which columns are almost inputs; SweepError when nothing says what the designs are."""
    from sweep import headers
    from sweep.errors import SweepError

    almost = headers.near_misses(columns)
    has_inputs = bool(headers.inputs(columns))
    if not has_inputs and not settings_given:
        raise SweepError("\n  ".join([f"{points}: {headers.none_of(columns)}", *almost]))
    for line in almost:
        click.echo(f"{points}: {line} it is passed through", err=True)
    if not has_inputs:
        click.echo(f"{points}: {headers.none_of(columns)}", err=True)

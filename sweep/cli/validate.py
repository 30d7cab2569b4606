"""sweep validate"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sweep.cli.shared import output_options

WHAT = ("params", "laws")
SHIPPED = {"params": ("models.csv", "param_cases.csv"), "laws": ("law_checks.csv",)}
COLUMNS = ["group", "rows", "covered", "passed"]


@click.command("validate")
@click.argument("what", metavar="WHAT", type=click.Choice(WHAT))
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--failing", metavar="N", type=click.IntRange(0), default=20, help="Misses to name; 20 when not given.")
@output_options("table csv json")
def validate_command(what: str, file: Path | None, failing: int, output: Path | None, format_: str | None) -> None:
    """Compare our numbers with published ones: a line a group, then one total line.

    \b
        sweep validate params
        sweep validate laws --format json

    WHAT is params: counts of parameters, cache elements and FLOPs, a group for each column of the reference table; or
    laws: what scaling laws say, a group for each law and quantity.

    FILE is a CSV, Parquet or XLSX file, or - for CSV from standard input. For params it has the columns of
    data/models.csv; without it, released models and random configurations whose module classes were counted. For laws
    it has those of data/law_checks.csv, which stands in for it; files that its rows name are looked for beside it.
    Exit code 0 only when every row is covered and within tolerance: counts exactly, FLOPs to 1e-12, laws to the
    tolerance of the row.
    """
    import polars as pl

    from sweep import files, tables
    from sweep.resources import resource_dir
    from sweep.validate import validate_params
    from sweep.validate_laws import validate_laws

    paths = [file] if file is not None else [resource_dir("data") / name for name in SHIPPED[what]]
    frames = [files.read(path) for path in paths]
    places = [place for path, frame in zip(paths, frames, strict=True) for place in _places(path, len(frame))]
    name = str(file) if file is not None else ", ".join(path.name for path in paths)
    whole = pl.concat(frames, how="diagonal")
    groups = validate_params(whole, name) if what == "params" else validate_laws(whole, paths[0].parent, name)
    lines = pl.DataFrame([(g.group, g.rows, g.covered, g.passed) for g in groups], orient="row", schema=COLUMNS)
    if output is not None or format_ not in (None, "table"):
        files.write(lines, output, format_)
    else:
        tables.print_listing(lines)
    misses = sorted((miss for group in groups for miss in group.misses), key=lambda miss: miss.row)
    for miss in misses[:failing]:
        said = f"not covered: {miss.reason}" if miss.reason else f"expected {miss.expected}, ours {miss.ours}"
        click.echo(f"{places[miss.row]}: {miss.label}: {miss.column}: {said}", err=True)
    if misses:
        left = f"; {len(misses) - failing} more misses: --failing {len(misses)}" if len(misses) > failing else ""
        rows = len({miss.row for miss in misses})
        click.echo(f"{name}: {rows} of {len(places)} rows are not covered or do not agree{left}", err=True)
        sys.exit(1)


def _places(path: Path, rows: int) -> list[str]:
    """Where a person finds each row: a line of a CSV or sheet, below its header."""
    if path.suffix.lower() == ".parquet":
        return [f"{path.name}: row {row + 1}" for row in range(rows)]
    return [f"{path.name}: line {row + 2}" for row in range(rows)]

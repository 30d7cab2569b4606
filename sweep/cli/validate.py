"""sweep validate"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweep.cli.shared import output_options

if TYPE_CHECKING:
    import polars as pl

    from sweep.validate_measured import Comparison, Scored

SHIPPED = {
    "params": ("models.csv", "param_cases.csv"),
    "laws": ("law_checks.csv",),
    "serve": ("measurements_serve.csv",),
    "train": ("measurements_train.csv",),
}
COLUMNS = ["group", "rows", "covered", "passed"]
MEASURED = ("serve", "train")
WIDE = 200  # characters of a line of errors where no terminal says how many it has
MOST_LINES = 4  # line numbers named beside a reason


@click.command("validate")
@click.argument("what", metavar="WHAT", type=click.Choice(tuple(SHIPPED)))
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--failing", metavar="N", type=click.IntRange(0), help="Rows to name; 20 of params and laws, else 0.")
@click.option("--by", metavar="COLUMN", multiple=True, help="Group measurements by this column; repeat it for more.")
@click.option(
    "--chart", metavar="FILE", type=click.Path(path_type=Path), help="Draw measurements; .png, .svg or .html."
)
@output_options("table csv json")
def validate_command(
    what: str,
    file: Path | None,
    failing: int | None,
    by: tuple[str, ...],
    chart: Path | None,
    output: Path | None,
    format_: str | None,
) -> None:
    """Compare our numbers with published ones: a line a group, then one total line.

    \b
        sweep validate params
        sweep validate laws --format json
        sweep validate serve --by gpu --by engine

    WHAT is params: counts of parameters, cache elements and FLOPs, a group for each column of the reference table;
    laws: what scaling laws say, a group for each law and quantity; or serve, train: times and memory that were
    measured, a group for each source and quantity, or for what --by says.

    FILE is a CSV, Parquet or XLSX file, or - for CSV from standard input. For params it has the columns of
    data/models.csv; without it, released models and random configurations whose module classes were counted. For laws
    it has those of data/law_checks.csv, which stands in for it; files that its rows name are looked for beside it. For
    serve and train those of data/measurements_serve.csv and data/measurements_train.csv, which stand in for it.

    Exit code of params and laws 0 only when every row is covered and within tolerance: counts exactly, FLOPs to 1e-12,
    laws to the tolerance of the row. Measurements have no tolerance: 0 when anything could be evaluated.
    """
    import polars as pl

    from sweep import files
    from sweep.resources import resource_dir

    for option, given in (("--by", by), ("--chart", chart)):
        if given and what not in MEASURED:
            raise click.BadParameter(
                f"{what} is not measured; it goes with {' and '.join(MEASURED)}", param_hint=option
            )
    paths = [file] if file is not None else [resource_dir("data") / name for name in SHIPPED[what]]
    frames = [files.read(path) for path in paths]
    places = [place for path, frame in zip(paths, frames, strict=True) for place in _places(path, len(frame))]
    name = str(file) if file is not None else ", ".join(path.name for path in paths)
    whole = pl.concat(frames, how="diagonal")
    if what in MEASURED:
        _measured(whole, what, name, by, chart, places, failing or 0, output, format_)
    else:
        folder, most = paths[0].parent, 20 if failing is None else failing
        _counted(whole, what, name, folder, places, most, output, format_)


def _counted(
    whole: pl.DataFrame,
    what: str,
    name: str,
    folder: Path,
    places: Sequence[str],
    failing: int,
    output: Path | None,
    format_: str | None,
) -> None:
    """Counts and laws: what is not covered or does not agree is named, and the exit code says so."""
    import polars as pl

    from sweep.validate import validate_params
    from sweep.validate_laws import validate_laws

    groups = validate_params(whole, name) if what == "params" else validate_laws(whole, folder, name)
    lines = [(g.group, g.rows, g.covered, g.passed) for g in groups]
    _print(pl.DataFrame(lines, orient="row", schema=COLUMNS), output, format_)
    misses = sorted((miss for group in groups for miss in group.misses), key=lambda miss: miss.row)
    for miss in misses[:failing]:
        said = f"not covered: {miss.reason}" if miss.reason else f"expected {miss.expected}, ours {miss.ours}"
        click.echo(f"{places[miss.row]}: {miss.label}: {miss.column}: {said}", err=True)
    if misses:
        left = f"; {len(misses) - failing} more misses: --failing {len(misses)}" if len(misses) > failing else ""
        rows = len({miss.row for miss in misses})
        click.echo(f"{name}: {rows} of {len(places)} rows are not covered or do not agree{left}", err=True)
        sys.exit(1)


def _measured(
    whole: pl.DataFrame,
    what: str,
    name: str,
    by: Sequence[str],
    chart: Path | None,
    places: Sequence[str],
    failing: int,
    output: Path | None,
    format_: str | None,
) -> None:
    """Measurements: how far ours are, then what was left out, taken for granted, or cannot be."""
    from sweep import chart as charts
    from sweep.validate_measured import table, validate_measured

    if chart is not None:
        charts.check_suffix(chart)
    found = validate_measured(whole, what, name, by or ("source_group",))
    lines = table(found.lines, what)
    # a group's name ends in its quantity, and a table has no room to say it twice
    _print(lines if output is not None or format_ not in (None, "table") else lines.drop("quantity"), output, format_)
    if chart is not None:
        charts.write(found.scored, chart, f"{name}: predicted against measured")
    for text in _notes(found, places):
        click.echo(text, err=True)
    for figure in [figure for figure in found.scored if not figure.covered][:failing]:
        click.echo(f"{places[figure.row]}: {figure.id}: {figure.quantity}: not evaluated: {figure.reason}", err=True)
    if not found.lines[-1].covered:
        sys.exit(1)


def _notes(found: Comparison, places: Sequence[str]) -> list[str]:
    """What a reader has to know to read the lines."""
    total = found.lines[-1]
    texts = [
        "  rows are figures, each scored once; errors are ours over the measured figure, less one, in %, a rate turned"
        " into a time first; bias_pct is the median of the signed errors"
    ]
    texts += [f"  set aside, in no line: {count:,} rows: {why}" for why, count in found.aside.items()]
    texts += [f"  assumed of {count:,} figures: {what}" for what, count in found.assumed.items()]
    if found.reasons:
        texts.append(
            f"  not evaluated: {total.rows - total.covered:,} of {total.rows:,} figures; --failing N names them"
        )
        texts += [f"    {len(figures):>5,}  {reason}{_lines(figures, places)}" for reason, figures in found.reasons]
    for figure in found.below_floor:
        texts.append(
            f"  {places[figure.row]}: {figure.id}: {figure.quantity} = {figure.measured:.4g} is less than the"
            f" {figure.floor:.4g} that its bytes take at full bandwidth: the row, our bytes or the bandwidth is wrong"
        )
    return [*texts, *_beside_one_hfu(found)]


def _beside_one_hfu(found: Comparison) -> list[str]:
    """What the columns of HFU mean, and which groups knowing one HFU of each device is nearer to than ours."""
    lines = found.beside_one_hfu
    if not lines:
        return []
    further = {
        "the median": [
            f"{line.group} ({line.median_abs_pct_error:.3g} against {line.one_hfu_median_pct:.3g})"
            for line in lines
            if (line.median_abs_pct_error or 0.0) >= (line.one_hfu_median_pct or 0.0)
        ],
        "the 90th percentile": [
            f"{line.group} ({line.p90_abs_pct_error:.3g} against {line.one_hfu_p90_pct:.3g})"
            for line in lines
            if (line.p90_abs_pct_error or 0.0) >= (line.one_hfu_p90_pct or 0.0)
        ],
    }
    texts = [
        "  one_hfu_* are the errors of the same figures if of each GPU and precision of the group its median HFU were"
        " known and nothing of layouts, recomputed FLOPs counted, attention causal; empty where each has one figure,"
        " which that would meet exactly, and for layers and memory"
    ]
    for where, groups in further.items():
        but = f"; not in {', '.join(groups)}" if groups else ""
        nearer = f"{len(lines) - len(groups)} of {len(lines)} groups that print layouts"
        texts.append(f"  nearer than one HFU at {where} in {nearer}{but}")
    return texts


def _lines(figures: Sequence[Scored], places: Sequence[str]) -> str:
    rows = sorted({figure.row for figure in figures})
    named = ", ".join(places[row].rpartition(": ")[2].removeprefix("line ") for row in rows[:MOST_LINES])
    return f"   (line{'s' if len(rows) > 1 else ''} {named}{', ...' if len(rows) > MOST_LINES else ''})"


def _print(lines: pl.DataFrame, output: Path | None, format_: str | None) -> None:
    from sweep import files, tables

    if output is not None or format_ not in (None, "table"):
        files.write(lines, output, format_)
    else:
        tables.print_listing(lines, piped=WIDE)


def _places(path: Path, rows: int) -> list[str]:
    """Where a person finds each row: a line of a CSV or sheet, below its header."""
    if path.suffix.lower() == ".parquet":
        return [f"{path.name}: row {row + 1}" for row in range(rows)]
    return [f"{path.name}: line {row + 2}" for row in range(rows)]

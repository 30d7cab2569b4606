"""sweep frontier"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweep.cli.shared import (
    notes,
    objective_options,
    open_space,
    output_options,
    run_folder,
    spec_or_run,
    where_option,
)

if TYPE_CHECKING:
    import polars as pl

    from sweep.space import Space


@click.command("frontier")
@spec_or_run
@objective_options
@where_option
@output_options("table csv json parquet xlsx", rows=20)
def frontier_command(
    spec_or_run: str,
    minimize: tuple[str, ...],
    maximize: tuple[str, ...],
    where: tuple[str, ...],
    output: Path | None,
    format_: str | None,
    rows: int,
) -> None:
    """Print the designs that no other design beats on every objective.

    \b
        sweep frontier laptop --maximize decode_tokens_per_s --maximize params_total

    Exact, and from a spec without writing the space. Equal designs are all kept, ordered by the objectives, then by id.
    """
    from sweep import files, tables

    space, found, summary = frontier_of(spec_or_run, minimize, maximize, where)
    if output is not None or format_ not in (None, "table"):
        files.write(found, output, format_)
        if output is not None:
            click.echo(f"{output}: {len(found)} designs", err=True)
        return
    objectives = [*space.minimize, *space.maximize]
    shown = spaced(found, rows)
    tables.print_frontier(shown, space, objectives, rows)
    if len(shown) < len(found):
        click.echo(f"{len(shown)} of {len(found)} designs, evenly spaced along the frontier; -o FILE writes all")
    click.echo(summary)
    for note in notes(space, found):
        click.echo(f"  {note}")


def spaced(frame: pl.DataFrame, rows: int) -> pl.DataFrame:
    """So many rows of a frame, from the first to the last and evenly spaced between."""
    if len(frame) <= rows:
        return frame
    if rows == 1:
        return frame.head(1)
    return frame[[i * (len(frame) - 1) // (rows - 1) for i in range(rows)]]


def frontier_of(
    spec_or_run: str, minimize: tuple[str, ...], maximize: tuple[str, ...], where: tuple[str, ...]
) -> tuple[Space, pl.DataFrame, str]:
    """The space with these objectives and conditions, its frontier, and a sentence on how it was found."""
    from sweep.resolve import narrow

    space = narrow(open_space(spec_or_run), where, minimize, maximize)
    folder = run_folder(spec_or_run)
    if folder is not None:
        from sweep.database import run_frontier

        found = run_frontier(folder, space.minimize, space.maximize, where)
        return space, found, f"{len(found)} designs on the frontier of {folder}"
    from sweep.frontier import frontier
    from sweep.progress import Progress, bar

    with bar(space.name) as report:

        def progress(done: int, blocks: int) -> None:
            if report is not None:
                report(Progress(done, blocks, done * space.size // blocks, space.size, 0, 0))

        result = frontier(space, progress=progress)
    left = f", {result.evaluated:,} left by conditions on single inputs" if result.evaluated < space.size else ""
    sentence = (
        f"{len(result.frame)} designs on the frontier of {space.name}: "
        f"{space.size:,} designs{left}, {result.feasible:,} met all conditions"
    )
    return space, result.frame, sentence

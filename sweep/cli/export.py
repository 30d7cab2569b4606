"""sweep export"""

from __future__ import annotations

from pathlib import Path

import click

from sweep.cli.shared import notes, objective_options, spec_or_run, tell_why_empty, where_option


@click.command("export")
@spec_or_run
@click.argument("output", metavar="OUT.xlsx", type=click.Path(path_type=Path))
@objective_options
@where_option
def export_command(
    spec_or_run: str, output: Path, minimize: tuple[str, ...], maximize: tuple[str, ...], where: tuple[str, ...]
) -> None:
    """Write the frontier, its columns' meanings and the assumptions behind it as a workbook.

    \b
        sweep export first-look plan.xlsx
    """
    from sweep import workbook
    from sweep.cli.frontier import frontier_of

    space, found, _ = frontier_of(spec_or_run, minimize, maximize, where)
    workbook.export(found, space, output, notes(space, found))
    click.echo(f"{output}: the frontier, {len(found)} designs, with columns and assumptions on sheets of their own")
    if not len(found):
        tell_why_empty(space, err=True)

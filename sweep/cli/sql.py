"""sweep sql"""

from __future__ import annotations

from pathlib import Path

import click

from sweep.cli.shared import open_space, output_options, run_folder, spec_or_run


@click.command("sql")
@spec_or_run
@click.argument("query")
@output_options("table csv json parquet xlsx", rows=40)
def sql_command(spec_or_run: str, query: str, output: Path | None, format_: str | None, rows: int) -> None:
    """Ask DuckDB about the table designs and the catalogue: accelerators, precisions, laws, models, metrics, inputs.

    \b
        sweep sql first-look "select gpu, min(lifetime_usd) from designs where loss_nats < 2.1 group by gpu"

    From a spec, the table is evaluated as it is asked, only the columns and rows the query needs.
    """
    from sweep import files, tables
    from sweep.database import Database

    folder = run_folder(spec_or_run)
    opened = Database.open_run(folder) if folder is not None else Database.open_space(open_space(spec_or_run))
    with opened as database:
        result = database.query(query).pl()
    if output is not None or format_ not in (None, "table"):
        files.write(result, output, format_)
    else:
        tables.print_table(result, rows)

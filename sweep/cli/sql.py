"""sweep sql"""

from __future__ import annotations

import re
from pathlib import Path

import click

from sweep.cli.shared import database_options, open_database, output_options, spec_or_run


class SqlCommand(click.Command):
    """A query may begin with a comment, which is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As any command, but for what starts with two dashes and a space."""
        return super().parse_args(ctx, [f"\n{text}" if re.match(r"--\s", text) else text for text in args])


@click.command("sql", cls=SqlCommand)
@spec_or_run
@click.argument("query")
@database_options
@output_options("table csv json parquet xlsx", rows=40)
def sql_command(
    spec_or_run: str, query: str, unsafe: bool, memory: str | None, output: Path | None, format_: str | None, rows: int
) -> None:
    """Ask DuckDB about the table designs and the catalogue: accelerators, precisions, laws, models, metrics, inputs.

    \b
        sweep sql first-look "select gpu, min(lifetime_usd) from designs where loss_nats < 2.1 group by gpu"

    From a spec, the table is evaluated as it is asked, only the columns and rows the query needs. Every metric is a
    macro of its own, <metric>_of(...), and what_if(input := value, ...) is designs with inputs changed.
    """
    from sweep import files, tables

    with open_database(spec_or_run, unsafe, memory) as database:
        result = database.query(query).pl()
    if output is not None or format_ not in (None, "table"):
        files.write(result, output, format_)
    else:
        tables.print_table(result, rows)

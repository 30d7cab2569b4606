"""The command line. Commands load what they need when they run, so that --help answers at once."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from sweep import __version__
from sweep.cli.compare import compare_command
from sweep.cli.evaluate import eval_command
from sweep.cli.explain import explain_command
from sweep.cli.export import export_command
from sweep.cli.frontier import frontier_command
from sweep.cli.listing import list_command
from sweep.cli.query import query_command
from sweep.cli.run import run_command
from sweep.cli.shell import shell_command
from sweep.cli.sql import sql_command
from sweep.cli.validate import validate_command
from sweep.errors import SweepError

COMMANDS = (
    run_command,
    eval_command,
    frontier_command,
    sql_command,
    shell_command,
    query_command,
    export_command,
    explain_command,
    compare_command,
    validate_command,
    list_command,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="llm-sweep")
def cli() -> None:
    """Evaluate the design space of large language models: parameters, memory, FLOPs, time, money and loss.

    \b
        sweep frontier first-look
    """


for command in COMMANDS:
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line: exit code 2 for what a person can put right, 130 when interrupted."""
    try:
        code = cli.main(prog_name="sweep", standalone_mode=False)
    except click.exceptions.Abort as stopped:  # what click makes of Ctrl-C
        click.echo(str(stopped.__cause__ or "") or "interrupted", err=True)
        sys.exit(130)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SweepError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except KeyboardInterrupt as stopped:
        click.echo(str(stopped) or "interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)

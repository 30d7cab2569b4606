"""sweep shell"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweep.cli.shared import database_options, open_database, open_space, spec_or_run
from sweep.errors import SweepError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

    from sweep.cli.dots import Session

KEYWORDS = """
    select from where group by order limit having with as and or not in between is null distinct join using on union all
    count min max sum avg median quantile_cont arg_min arg_max case when then else end desc asc qualify over partition
    describe summarize pivot unpivot materialized
"""


@click.command("shell")
@spec_or_run
@database_options
def shell_command(spec_or_run: str, unsafe: bool, memory: str | None) -> None:
    """Ask in SQL, one question after another, with history and completion.

    \b
        sweep shell first-look

    SQL ends with a semicolon; .help lists commands, such as .metrics and .explain ID. Ctrl-C stops a query, Ctrl-D
    ends. A script can be piped in: it stops at the first mistake.
    """
    from sweep.cli import dots
    from sweep.cli.statements import statements

    with open_database(spec_or_run, unsafe, memory) as database:
        session = dots.Session(database, cache(lambda: open_space(spec_or_run)))
        if not sys.stdin.isatty():
            session.timer = False
            for text in statements(sys.stdin):
                try:
                    _one(session, text)
                except dots.Quit:
                    return
            return
        click.echo(f"designs of {spec_or_run}: {len(database.columns)} columns; .help lists commands, Ctrl-D ends")
        _talk(session, _prompts(session))


def _talk(session: Session, typed: Iterable[str | None]) -> None:
    """Answer what is typed until the person leaves; None stands for a line that was given up."""
    from sweep.cli import dots

    for text in typed:
        if text is None or not text.strip():
            continue
        try:
            _one(session, text)
        except dots.Quit:
            return
        except SweepError as error:
            click.echo(str(error), err=True)
        except click.ClickException as error:  # of what is written as on the command line
            click.echo(error.format_message(), err=True)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)


def _one(session: Session, text: str) -> None:
    from sweep.cli import dots

    if text.lstrip().startswith("."):
        dots.run(session, text)
        return
    begun = time.monotonic()
    session.answer = session.database.query(text).pl()
    session.show(session.answer)
    if session.timer:
        rows = session.answer.height
        took = time.monotonic() - begun
        click.echo(f"{rows:,} row{'' if rows == 1 else 's'} in {took:.2f} s", err=True)


def _prompts(session: Session) -> Iterator[str | None]:
    prompt = _prompt(session)
    while True:
        try:
            yield prompt.prompt()
        except KeyboardInterrupt:
            yield None
        except EOFError:
            return


def _prompt(session: Session) -> PromptSession[str]:
    """A prompt with history kept between shells, completion, and lines until a statement is whole."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings

    from sweep.cli.completion import SqlCompleter
    from sweep.cli.statements import is_whole

    keys = KeyBindings()

    @keys.add("enter")
    def _(_event: object) -> None:
        buffer = prompt.default_buffer
        if is_whole(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.newline()

    folder = Path(click.get_app_dir("llm-sweep"))
    history: History
    try:
        folder.mkdir(parents=True, exist_ok=True)
        history = FileHistory(str(folder / "history"))
    except OSError:  # nowhere to keep it
        history = InMemoryHistory()
    prompt: PromptSession[str] = PromptSession(
        "sweep> ",
        multiline=True,
        prompt_continuation="   ... ",
        key_bindings=keys,
        history=history,
        auto_suggest=AutoSuggestFromHistory(),
        completer=SqlCompleter(session.database.columns, KEYWORDS.split()),
        complete_while_typing=False,
    )
    return prompt

"""What the shell offers to complete a word with: columns and macros of designs, tables, commands, words of SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from kernels.model import GRAPH
from sweep import sqldraws
from sweep.cli.dots import COMMANDS
from sweep.columns import Column
from sweep.opensql import CATALOGUE, macro_name, translated
from sweep.whatif import NAME

TABLES = ("designs", *CATALOGUE, sqldraws.TABLE, "axes", "metrics", "inputs")


class SqlCompleter(Completer):
    """Completes names by how they begin, columns first; inside quotes the words a column may hold."""

    def __init__(self, columns: Sequence[Column], keywords: Sequence[str]) -> None:
        self._names = {column.name: f"{column.kind} {column.unit}".strip() for column in columns}
        self._names |= dict.fromkeys(TABLES, "table")
        self._names |= {macro_name(formula): "macro" for formula in translated(GRAPH)} | {NAME: "table macro"}
        self._names |= {f"{name}_of": "macro" for name in sqldraws.names()}
        self._names |= dict.fromkeys(keywords, "")
        self._metrics = [*GRAPH.metrics, *(c.name for c in columns if c.name not in GRAPH.metrics)]
        self._words = {word: column.name for column in columns for word in column.words}

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002
        """Whatever begins with the word before the cursor."""
        line = document.current_line_before_cursor.lstrip()
        if line.startswith(".") and " " not in line:
            yield from _beginning(line, {name: meaning for name, (_, _, meaning) in COMMANDS.items()})
            return
        if document.text_before_cursor.count("'") % 2:
            word = document.text_before_cursor.rsplit("'", 1)[1]
            yield from _beginning(word, self._words)
            return
        word = document.get_word_before_cursor(WORD=False)
        if line.startswith("."):
            yield from _beginning(word, dict.fromkeys(self._metrics, "metric"))
        elif word.strip():
            yield from _beginning(word, self._names)


def _beginning(word: str, names: dict[str, str]) -> Iterable[Completion]:
    for name, said in names.items():
        if name.lower().startswith(word.lower()):
            yield Completion(name, -len(word), display_meta=said)

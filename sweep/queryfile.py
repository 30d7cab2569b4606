"""The questions of ``queries/``: a header that is a contract, read and checked, and the SQL beneath it.

A parameter is a DuckDB variable, which the first lines of a file set to its default where nobody set it before: so the
same text runs here, in a DuckDB shell inside a run folder, and pasted into ``sweep sql``. A wrong header is our own
mistake and raises ValueError; what a person names or gives wrongly raises SweepError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from textwrap import wrap
from typing import Any

from kernels.graph import near
from sweep.errors import SweepError
from sweep.querycolumns import THE_AXES
from sweep.queryvalue import Parameter
from sweep.resources import resource_dir

# in the order in which they are listed
TOPICS = (
    "budgets and targets",
    "a lifetime of serving",
    "what matters, and what it costs",
    "hardware and formats",
    "memory and speed",
    "shape and experts",
    "how far to trust it",
)
WIDTH = 116  # of a header in a terminal
FIELDS = ("Topic", "Question", "Input", "Parameter", "Output", "Ties")

_FIELD = re.compile(rf"--\s(?P<name>{'|'.join(FIELDS)}):\s*(?P<text>.*)")
_PARAMETER = re.compile(r"\$(?P<name>\w+) = (?P<default>\[[^\]]*\]|'[^']*'|[^,]+), (?P<meaning>.+)")
_TABLE = re.compile(r"(\w+) \(([^)]*)\)")


@dataclass(frozen=True)
class QueryFile:
    """A question: what it reads, what may be set, what comes back, and the text that answers it.

    tables are the columns read, by table; "the axes" stands for all axes of a space, in tables and in output.
    """

    name: str
    topic: str
    question: str
    tables: Mapping[str, tuple[str, ...]]
    parameters: tuple[Parameter, ...]
    output: tuple[str, ...]
    rows: str
    ties: str
    sql: str

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The value of each parameter that nobody sets."""
        return {parameter.name: parameter.value for parameter in self.parameters}

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is given, as the parameters take it: text from a command line, or values. SweepError names mistakes."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise SweepError(f"{self.name} has no parameter {name}; {has}{near(name, known)}")
        return {name: known[name].read(value, self.name) for name, value in given.items()}

    def needs(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """The columns of designs that are read with these values: those named, and those that parameters name."""
        found = [name for name in self.tables.get("designs", ()) if name not in ("design_id", THE_AXES)]
        for parameter in self.parameters:
            if parameter.names_columns:
                value = values.get(parameter.name, parameter.value)
                found += [value] if isinstance(value, str) else list(value)
        return tuple(dict.fromkeys(found))

    def columns(self, axes: Sequence[str]) -> list[str]:
        """The columns that come back, in order, of a space with these axes."""
        return [name for column in self.output for name in (axes if column == THE_AXES else [column])]

    def lines(self) -> list[str]:
        """The header, for a reader."""
        told = [self.question, "", *_wrapped("reads", self._reads)]
        left = [f"{parameter.name} = {parameter.default}" for parameter in self.parameters]
        width = max((len(text) for text in left), default=0)
        for k, (text, parameter) in enumerate(zip(left, self.parameters, strict=True)):
            told.append(f"  {'--param' if k == 0 else '':<7}  {text:<{width}}  {parameter.meaning}")
        told += [*_wrapped("returns", ", ".join(self.output)), *_wrapped("", self.rows)]
        return [*told, *_wrapped("ties", self.ties)]

    @property
    def _reads(self) -> str:
        return "; ".join(f"{table} ({', '.join(columns)})" for table, columns in self.tables.items())


def names() -> list[str]:
    """The questions that can be asked by name, by topic and then by name."""
    return [file.name for file in all_files()]


def all_files() -> list[QueryFile]:
    """Every question, by topic and then by name. Files without a topic are read by others, not asked."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in resource_dir("queries").glob("*.sql")}
    found = [parse(name, text) for name, text in texts.items() if text.startswith("-- Topic:")]
    return sorted(found, key=lambda file: (TOPICS.index(file.topic), file.name))


def load(name: str) -> QueryFile:
    """The question of that name. SweepError with a near miss."""
    path = resource_dir("queries") / f"{name}.sql"
    if re.fullmatch(r"\w+", name) and path.is_file():
        text = path.read_text(encoding="utf-8")
        if text.startswith("-- Topic:"):
            return parse(name, text)
    raise SweepError(f"no question is called {name!r}; sweep query --list names them{near(name, names())}")


def parse(name: str, text: str) -> QueryFile:
    """A question from the text of its file. ValueError says what is wrong with the header."""
    fields: dict[str, list[str]] = {}
    field = ""
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        if found := _FIELD.fullmatch(line):
            field = found["name"]
            if (field in fields) and field != "Parameter":
                raise ValueError(f"{name}: {field} is given twice")
            fields.setdefault(field, []).append(found["text"])
        elif field:
            fields[field][-1] += " " + line.removeprefix("--").strip()
    if missing := [name for name in FIELDS if name not in fields]:
        raise ValueError(f"{name}: the header has no {missing[0]}")
    (topic,), (question,), (reads,), (output,), (ties,) = (fields[f] for f in FIELDS if f != "Parameter")
    if topic not in TOPICS:
        raise ValueError(f"{name}: {topic!r} is no topic")
    tables = {table: tuple(_words(columns)) for table, columns in _TABLE.findall(reads)}
    if "designs" not in tables:
        raise ValueError(f"{name}: the header names no columns of designs")
    columns, semicolon, rows = output.partition("; ")
    if not semicolon:
        raise ValueError(f"{name}: the output says no rows")
    named = [column for columns in (*tables.values(), _words(columns)) for column in columns]
    if wrong := [column for column in named if column != THE_AXES and not re.fullmatch(r"\w+", column)]:
        raise ValueError(f"{name}: {wrong[0]!r} is no column")
    told = [] if fields["Parameter"] == ["none"] else fields["Parameter"]
    return QueryFile(
        name, topic, question, tables, tuple(_parameter(name, one) for one in told),
        tuple(_words(columns)), rows, ties, text,
    )  # fmt: skip


def _parameter(name: str, text: str) -> Parameter:
    found = _PARAMETER.fullmatch(text)
    if found is None:
        raise ValueError(f"{name}: {text!r} is not $name = default, meaning")
    return Parameter(found["name"], found["default"].strip(), found["meaning"])


def _wrapped(label: str, text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=f"  {label:<7}  ", subsequent_indent=" " * 11, break_on_hyphens=False)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]

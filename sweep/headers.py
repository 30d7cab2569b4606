"""Which columns of a table are inputs: each under its own or its short name, and no input twice."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from kernels.graph import near
from kernels.model import GRAPH
from sweep import catalogue
from sweep.errors import Problem, SpecError
from sweep.formulas import SHORT

KNOWN = [*GRAPH.inputs, *(kind for kind in catalogue.KINDS if kind not in GRAPH.inputs)]
CLOSE = 0.8  # how like an input a header is that may be meant as one; 1 is the same


def full_name(header: str) -> str:
    """The name that a header stands for."""
    name = header.strip()
    return SHORT.get(name, name)


def inputs(headers: Iterable[str], table: str = "the table") -> dict[str, str]:
    """The header of every input and kind of record that has one. SpecError for those that have two."""
    found: dict[str, list[str]] = {}
    for header in headers:
        if (name := full_name(header)) in KNOWN:
            found.setdefault(name, []).append(header.strip())
    problems = [
        Problem(" and ".join(twice), "", f"both are {name}: leave one of them out")
        for name, twice in found.items()
        if len(twice) > 1
    ]
    if problems:
        raise SpecError(table, problems)
    return {full_name(header): header for header in headers if full_name(header) in KNOWN}


def near_misses(headers: Sequence[str]) -> list[str]:
    """A line on each column that is no input and is called almost like one that the table has not."""
    has = {full_name(header) for header in headers}
    lines = []
    for header in headers:
        if full_name(header) in KNOWN or full_name(header) in GRAPH:
            continue
        close = difflib.get_close_matches(header.strip().lower(), KNOWN, 1, CLOSE)
        if close and close[0] not in has:
            lines.append(f"{header.strip()} is no input{near(close[0], close)}")
    return lines


def none_of(headers: Sequence[str]) -> str:
    """What to say of a table without inputs: most often it is no table of commas."""
    if any("\0" in header for header in headers):
        return "none of its columns is an input: a table is UTF-8 text"
    if len(headers) == 1 and (";" in headers[0] or "\t" in headers[0]):
        return f"none of its columns is an input: a table is separated by commas, not as {headers[0]!r} is"
    return "none of its columns is an input; see `sweep list inputs`"

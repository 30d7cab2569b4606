"""Which columns of a table are inputs: each under its own or its short name, and no input twice."""

from __future__ import annotations

from collections.abc import Iterable

from kernels.model import GRAPH
from sweep import catalogue
from sweep.errors import Problem, SpecError
from sweep.formulas import SHORT

KNOWN = [*GRAPH.inputs, *(kind for kind in catalogue.KINDS if kind not in GRAPH.inputs)]


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

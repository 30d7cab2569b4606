"""Whether single cells of ``data/`` are what their column takes: each check yields what is wrong, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sweep.catalogue import INPUTS, parsed, source_of

CONFIDENCE = ("high", "medium", "low")
FLAGS = tuple(i.name for i in INPUTS if i.kind == "bool")
RANGES = {i.name: (i.low, i.high) for i in INPUTS if i.kind not in ("word", "bool")}


def within(row: dict[str, str], ranges: dict[str, tuple[float, float]], optional: bool = True) -> Iterator[str]:
    """Numbers within their ranges; an empty cell is none unless it has to be there."""
    for name, (low, high) in ranges.items():
        cell = row.get(name, "")
        if not cell:
            if not optional:
                yield f"{name} is empty"
            continue
        value = parsed(cell)
        if isinstance(value, str):
            yield f"{name} = {cell!r} is not a number"
        elif not low <= value <= high:
            yield f"{name} = {cell} is outside {low:g} to {high:g}"


def one_of(row: dict[str, str], name: str, words: tuple[str, ...], optional: bool = False) -> Iterator[str]:
    """A cell that holds one of these words."""
    cell = row.get(name, "")
    if cell not in words and not (optional and not cell):
        yield f"{name} = {cell!r} is not one of {', '.join(words)}"


def sourced(row: dict[str, str]) -> Iterator[str]:
    """A row that says where it is from."""
    if not source_of(row):
        yield "has no source"


def number(row: dict[str, str], name: str) -> float:
    """nan for what is empty or no number: the range check has already named the latter."""
    value = parsed(row.get(name, ""))
    return math.nan if isinstance(value, str) else float(value)

"""How far our metrics are from a table of checks of scaling laws, told by law and quantity and by the rows that miss.

A row names a law and a quantity of it, gives the inputs as JSON, and says what somebody else found and how close ours
has to be. A row that cannot be answered, or does not say what it should, is not covered and loses no other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernels.graph import near
from sweep import catalogue
from sweep.errors import SweepError
from sweep.law_case import Case, NotCovered
from sweep.law_quantities import quantity
from sweep.validate import Group, Miss, total

if TYPE_CHECKING:
    import polars as pl

NEEDED = ("law_id", "quantity", "inputs", "expected", "tolerance", "tol_type")


def validate_laws(frame: pl.DataFrame, folder: Path = Path(), name: str = "the table") -> list[Group]:
    """A group for every law and quantity in the order they are met, then one named total.

    Files that rows name are looked for from the folder. SweepError for a missing column, or a table without rows.
    """
    missing = [column for column in NEEDED if column not in frame.columns]
    if missing:
        wanted = ", ".join(NEEDED)
        raise SweepError(f"{name}: there is no column {' or '.join(missing)}; a check of a law has {wanted}")
    if not len(frame):
        raise SweepError(f"{name}: no row to compare with")
    found: dict[str, list[Miss | None]] = {}
    for number, row in enumerate(frame.iter_rows(named=True)):
        cells = {column: _text(cell) for column, cell in row.items()}
        group = f"{cells['law_id'] or '?'} {cells['quantity'] or '?'}"
        found.setdefault(group, []).append(_missed(number, group, cells, folder))
    groups = [_group(group, rows) for group, rows in found.items()]
    return [*groups, total(groups)]


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()


def _group(name: str, rows: list[Miss | None]) -> Group:
    misses = tuple(miss for miss in rows if miss is not None)
    uncovered = sum(bool(miss.reason) for miss in misses)
    return Group(name, len(rows), len(rows) - uncovered, len(rows) - len(misses), misses)


def _missed(number: int, group: str, cells: Mapping[str, str], folder: Path) -> Miss | None:
    """What a row misses by, None when ours is within its tolerance."""
    label = cells.get("check_id") or cells["law_id"]
    try:
        expected, tolerance = _number(cells, "expected"), _tolerance(cells)
        value = ours(cells["law_id"], cells["quantity"], cells["inputs"], folder)
    except NotCovered as reason:
        return Miss(number, label, group, cells["expected"], "", str(reason))
    passed = abs(value - expected) <= tolerance * (abs(expected) if cells["tol_type"] == "rel" else 1.0)
    return None if passed else Miss(number, label, group, cells["expected"], repr(value), "")


def ours(law: str, name: str, inputs: str, folder: Path = Path()) -> float:
    """What we say a quantity of a law is for these inputs, a JSON object. NotCovered when that cannot be said."""
    found = quantity(law, name)
    said = _inputs(inputs)
    wrong = found.misfit(said)
    if wrong:
        raise NotCovered(wrong)
    try:
        return found.value(Case(law, said, folder))
    except (ArithmeticError, ValueError) as problem:
        raise NotCovered(f"cannot be evaluated for these inputs: {problem}") from problem


def _number(cells: Mapping[str, str], column: str) -> float:
    try:
        number = float(cells[column])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise NotCovered(f"{column} is {cells[column]!r}, which is not a number")
    return number


def _tolerance(cells: Mapping[str, str]) -> float:
    tolerance = _number(cells, "tolerance")
    if tolerance < 0.0:
        raise NotCovered(f"tolerance is {cells['tolerance']!r}, which is less than nothing")
    if cells["tol_type"] not in ("rel", "abs"):
        raise NotCovered(f"tol_type is {cells['tol_type']!r}; it is rel or abs")
    return tolerance


def _inputs(text: str) -> dict[str, Any]:
    """The inputs of a row: numbers but for the name of a law and of a file."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise NotCovered(f"inputs are not JSON: {problem}") from None
    if not isinstance(said, dict):
        raise NotCovered("inputs are no JSON object of names and numbers")
    return {key: _input(key, value) for key, value in said.items()}


def _input(key: str, value: object) -> float | str:
    """One input: a law that we carry, the name of a file, or a number."""
    if key == "base_law":
        laws = catalogue.records("law")
        if not isinstance(value, str) or value not in laws:
            raise NotCovered(f"base_law is {value!r:.40}, which is no law we carry{near(str(value), laws)}")
        return value
    if key == "csv":
        if not isinstance(value, str):
            raise NotCovered(f"csv is {value!r:.40}, which is no name of a file")
        return value
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.nan
    if math.isnan(number):
        raise NotCovered(f"{key} is {value!r:.40}, which is not a number")
    return number

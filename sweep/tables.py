"""Tables for the terminal: numbers a person reads, units below the names, and a word on what did not fit."""

from __future__ import annotations

import io
import math
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from sweep.columns import MARKS, Column, declare

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from sweep.space import Space

MOST_CELL = 48  # characters of a text shown in a terminal
LISTED_CELL = 36  # where several columns are texts
PIPED = 160  # characters of a line where no terminal says how many it has
_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_COUNTS = ((1e12, "T"), (1e9, "B"), (1e6, "M"))


def number(value: Any, unit: str = "") -> str:
    """A value for a reader: four significant digits at least, whole numbers below a million in full."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "?" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    size = abs(value)
    if unit == "byte" and size >= 1e3:
        return _scaled(value, _PREFIXES, "B")
    if unit.startswith("USD") and size >= 100:
        return f"{value:,.0f}" if size < 1e15 else f"{value:.3e}"
    if unit == "" and 1e6 <= size < 1e15:
        return _scaled(value, _COUNTS, "")
    if size >= 1e6:
        return f"{value:.3e}"
    if float(value).is_integer():
        return f"{value:,.0f}"
    if size < 1e-3:
        return f"{value:.3e}"
    return f"{value:,.{max(0, 3 - math.floor(math.log10(size)))}f}"


def _scaled(value: float, scales: Sequence[tuple[float, str]], unit: str) -> str:
    """A value in the largest unit that keeps it above one, e.g. 70.55 B or 16.06 GB."""
    for scale, prefix in scales:
        if abs(value) >= scale * 0.99995 or scale == scales[-1][0]:
            return f"{_digits(value / scale)} {prefix}{unit}"
    raise AssertionError("no scales")


def _digits(value: float) -> str:
    """Four significant digits, more in front of the point when there are more."""
    if value == int(value):
        return f"{int(value):,}"
    whole = len(str(int(abs(value))))
    return f"{value:,.{max(0, 4 - whole)}f}"


def _unit_shown(unit: str) -> str:
    """What stands below a column's name: bytes say their unit in every cell."""
    return "" if unit == "byte" else unit


def known_columns(frame: pl.DataFrame, columns: Iterable[Column] = ()) -> dict[str, Column]:
    """What is known of each column of a frame: from these declarations, else from the metrics and inputs."""
    from kernels.model import GRAPH

    found = {column.name: column for column in columns}
    for name in frame.columns:
        declared = GRAPH.metrics.get(name) or GRAPH.inputs.get(name)
        if name not in found and declared is not None:
            found[name] = Column(name, GRAPH.kinds[name], declared.unit, declared.meaning, declared.source)
    return {name: found.get(name, Column(name, "", "", "", "")) for name in frame.columns}


def render(
    frame: pl.DataFrame,
    columns: Iterable[Column] = (),
    max_rows: int = 20,
    width: int | None = None,
    first: Sequence[str] = (),
    most: int = MOST_CELL,
    whole: Sequence[str] = (),
) -> str:
    """A frame as text for a terminal that wide (that of the process by default): names, units, then rows.

    Where not all columns fit, those named first and the axes stay longest, and a last line says what was left out.
    Texts longer than most characters are cut, but for those of the first column and of whole ones.
    """
    from rich.console import Console

    known = known_columns(frame, columns)
    width = width or (shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else PIPED)
    head = frame.head(max_rows)
    whole = [*frame.columns[:1], *whole]
    cells = {
        name: _cells(name, head[name].to_list(), known[name], MOST_CELL if name in whole else most)
        for name in frame.columns
    }
    wide = {name: max(map(len, [name, _unit_shown(known[name].unit), *texts])) + 3 for name, texts in cells.items()}
    shown = _fitting(list(frame.columns), known, wide, width, first)
    table = _table_of(shown, known, cells, head)
    console = Console(file=io.StringIO(), width=max(width, sum(wide[name] for name in shown)), color_system=None)
    console.print(table)
    lines = [line.rstrip() for line in cast("io.StringIO", console.file).getvalue().rstrip("\n").split("\n")]
    if len(frame) > max_rows:
        lines.append(f"... {len(frame) - max_rows:,} more rows")
    left_out = [name for name in frame.columns if name not in shown]
    if left_out:
        lines.append(f"not shown for want of width: {', '.join(left_out)}")
    return "\n".join(lines)


def _table_of(
    shown: Sequence[str], known: Mapping[str, Column], cells: Mapping[str, list[str]], head: pl.DataFrame
) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    units = any(_unit_shown(known[name].unit) for name in shown)
    for name in shown:
        title = f"{name}\n{_unit_shown(known[name].unit)}" if units else name
        is_text = not (head[name].dtype.is_numeric() or head[name].dtype.is_decimal())
        table.add_column(Text(title), justify="left" if is_text else "right", no_wrap=True)
    for row in range(len(head)):
        table.add_row(*(Text(cells[name][row]) for name in shown))
    return table


def _cells(name: str, values: list[Any], column: Column, most: int = MOST_CELL) -> list[str]:
    if name == "in_fitted_range" and not any(isinstance(value, str) for value in values):
        return ["" if value is None else ("yes" if value else "extrapolated") for value in values]
    if name.endswith("_id"):  # numbers of designs, to be typed again
        return ["" if value is None else str(value) for value in values]
    texts = [number(value, column.unit) for value in values]
    return [text if len(text) <= most else text[: most - 1] + "…" for text in texts]


def _fitting(
    names: list[str], known: Mapping[str, Column], wide: Mapping[str, int], width: int, first: Sequence[str]
) -> list[str]:
    """The columns that fit side by side: what is asked for first, the id and the axes, whether a loss is extrapolated,
    then the rest in order."""
    axes = [name for name in names if known[name].is_axis or name == "design_id"]
    asked = [name for name in first if name in names]
    kept: set[str] = set()
    used = 0
    warned = [name for name in MARKS if name in names]
    for name in dict.fromkeys([*asked, *axes, *warned, *names]):
        if used + wide[name] <= width or not kept:
            kept.add(name)
            used += wide[name]
    return [name for name in names if name in kept]


def print_table(frame: pl.DataFrame, max_rows: int = 20, columns: Iterable[Column] = ()) -> None:
    """Print a frame."""
    print(render(frame, columns, max_rows))


def print_listing(frame: pl.DataFrame, whole: Sequence[str] = (), piped: int = PIPED) -> None:
    """Print every row of a frame; its first column, a source and whole ones are the last to give way.

    piped is how wide it may be where no terminal says.
    """
    first = [n for n in frame.columns if n == frame.columns[0] or n.startswith("source") or n in whole]
    width = None if sys.stdout.isatty() else piped
    print(render(frame, (), max(1, len(frame)), width, first=first, most=LISTED_CELL, whole=whole))


def print_record(frame: pl.DataFrame) -> None:
    """Print each row of a frame as lines of name, value and unit."""
    known = known_columns(frame)
    for row, values in enumerate(frame.iter_rows(named=True)):
        texts = {name: _cells(name, [value], known[name])[0] for name, value in values.items()}
        left, middle = max(map(len, texts), default=0), max(map(len, texts.values()), default=0)
        lines = [f"{n:<{left}}  {text:>{middle}}  {_unit_shown(known[n].unit)}".rstrip() for n, text in texts.items()]
        print(("\n" if row else "") + "\n".join(lines))


def print_frontier(frame: pl.DataFrame, space: Space, objectives: Sequence[str] = (), max_rows: int = 20) -> None:
    """Print the frontier of a space; its objectives are the last columns to give way."""
    print(render(frame, declared(space, frame), max_rows, first=objectives))


def declared(space: Space, frame: pl.DataFrame) -> list[Column]:
    """The declarations of a frame's columns, as far as the space has them."""
    axes = {axis.name for axis in space.axes}
    return declare(space, [n for n in frame.columns if n in space.graph and n not in axes])

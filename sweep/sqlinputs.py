"""Every input of a design in SQL, beside its row of designs: the columns it has, rows of records, literals."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from kernels.graph import Graph
from sweep.space import Axis, Space
from sweep.sqltext import TYPES, double, literal, quoted


def given(space: Space, names: Iterable[str], stored: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """The SQL of each of these inputs in a query ``from designs``, and the joins that it needs there.

    stored are the columns of designs; the axes of the space are always among them.
    """
    columns = {*stored, *(axis.name for axis in space.axes)}
    cells: dict[str, str] = {}
    joins: list[str] = []
    wanted = list(names)
    for axis in space.axes:
        sets = [name for name in wanted if name in axis.sets and name not in columns and name not in cells]
        if not sets:
            continue
        if not axis.labels:  # no designs, but every input
            cells |= {name: f"cast(null as {TYPES[space.graph.kinds[name]]})" for name in sets}
            continue
        table = quoted(f"of {axis.name}")
        listed = ", ".join(map(quoted, [axis.name, *sets]))
        rows = ", ".join(_rows(space.graph, axis, sets))
        matches = f"designs.{quoted(axis.name)} = {table}.{quoted(axis.name)}"
        joins.append(f"join (values {rows}) as {table}({listed}) on {matches}")
        cells |= {name: f"{table}.{quoted(name)}" for name in sets}
    for name in wanted:
        if name in columns:
            cells[name] = f"designs.{quoted(name)}"
        elif name not in cells:
            cells[name] = _value(space.graph, name, space.fixed[name])
    return cells, joins


def _rows(graph: Graph, axis: Axis, sets: Sequence[str]) -> Iterable[str]:
    """What an axis decides beside itself, a row a label."""
    for place, label in enumerate(axis.labels):
        said = literal(label) if isinstance(label, str) else double(float(label))
        cells = [_value(graph, name, axis.sets[name][place].item()) for name in sets]
        yield f"({', '.join([said, *cells])})"


def _value(graph: Graph, name: str, value: Any) -> str:
    """A value of an input as SQL; words instead of their codes."""
    if name in graph.words:
        return literal(graph.words[name][int(value)])
    kind = graph.kinds.get(name, "int")
    if kind == "bool":
        return str(bool(value)).lower()
    return double(float(value)) if kind == "float" else f"cast({int(value)} as bigint)"

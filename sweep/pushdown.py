"""A filter of Arrow taken into the space it filters: fewer values on axes, more conditions, fewer ids.

A part of a filter that looks at one axis is tried on the values of that axis, by Arrow. A part that compares columns
with constants becomes a condition like those of a spec, so that rows are dropped before anything else of them is read.
A part about ids says which blocks to walk. Whatever is neither is left to Arrow, row by row.

No column holds nulls, and with nan Arrow compares as the language does: it is unequal to everything, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kernels.graph import Graph, Input
from kernels.language import Kind, from_text
from sweep.arrowfilter import (
    Call,
    Expression,
    Field,
    comparison,
    conjuncts,
    fields,
    plain,
    read,
    values,
    written,
)
from sweep.columns import Column
from sweep.formulas import on_inputs
from sweep.idfilter import Ids, ids_of, within
from sweep.resolve import prune
from sweep.space import Axis, Condition, Space

TRIED_VALUES = 1024  # an axis no longer than this is gone through for a condition that only varies along it
LISTED_VALUES = 32  # so many values of ``in`` make a condition; more are left to Arrow
DEEPEST = 64
BOUNDS = 32  # constants of each type that the conditions of one filter may have


@dataclass(frozen=True)
class Narrowed:
    """What a filter leaves of a space.

    ids are those it lets through, as far as it says; is_exact when every row left is one for which the filter holds.
    """

    space: Space
    ids: Ids | None = None
    is_exact: bool = True


class _LeftError(Exception):
    """A part that is left to Arrow."""


@dataclass
class _Conditions:
    """Parts of a filter as text of the language; constants stand in it by names, so that loops serve any of them."""

    space: Space
    columns: Mapping[str, Column]
    bounds: dict[str, int | float] = field(default_factory=dict)

    def said(self, tree: Expression, depth: int = 0) -> str:
        """The text of a part; _LeftError when the language or the graph does not have it."""
        if depth > DEEPEST:
            raise _LeftError
        match tree:
            case Call("and_kleene" | "or_kleene" as function, (left, right)):
                word = "and" if function == "and_kleene" else "or"
                return f"({self.said(left, depth + 1)} {word} {self.said(right, depth + 1)})"
            case Call("invert", (part,)):
                return f"(not {self.said(part, depth + 1)})"
            case Call("is_in", (Field(name),)):
                return self._listed(name, values(tree))
            case Field(name) if self._column(name).kind == "bool":
                return name
        compared = comparison(tree)
        if compared is None:
            raise _LeftError
        return self._compared(*compared)

    def _column(self, name: str) -> Column:
        column = self.columns.get(name)
        if column is None or name not in self.space.graph:
            raise _LeftError
        if column.is_axis and all(name not in axis.sets for axis in self.space.axes):
            raise _LeftError
        return column

    def _compared(self, name: str, sign: str, value: pa.Scalar) -> str:
        column = self._column(name)
        constant = value.as_py()
        match column.kind:
            case "int" if pa.types.is_int64(value.type) and constant is not None:
                return f"({name} {sign} {self._bound('int', constant)})"
            case "float" if pa.types.is_float64(value.type) and constant is not None:
                return f"({name} {sign} {self._bound('float', constant)})"
            case "bool" if sign in ("==", "!=") and constant is not None and pa.types.is_boolean(value.type):
                return name if constant == (sign == "==") else f"(not {name})"
            case "word" if sign in ("==", "!=") and constant in self.space.graph.words.get(name, ()):
                return f"({name} {sign} {constant!r})"
        raise _LeftError

    def _listed(self, name: str, listed: pa.Array | None) -> str:
        if listed is None or not 0 < len(listed) <= LISTED_VALUES or listed.null_count:
            raise _LeftError
        # as keys of a table two zeros differ, and nan is itself
        if pa.types.is_floating(listed.type) and any(v == 0.0 or math.isnan(v) for v in listed.to_pylist()):
            raise _LeftError
        return f"({' or '.join(self._compared(name, '==', value) for value in listed)})"

    def _bound(self, kind: Kind, value: int | float) -> str:
        """The name of a constant."""
        taken = sum(isinstance(v, float) == (kind == "float") for v in self.bounds.values())
        if taken == BOUNDS:
            raise _LeftError
        name = _name(kind, taken)
        self.bounds[name] = value
        return name


def _name(kind: Kind, place: int) -> str:
    return f"_{kind}_bound_{place}"


@lru_cache(maxsize=8)
def _with_bounds(graph: Graph) -> Graph:
    """A graph that knows the names of constants as well."""
    kinds: list[Kind] = ["int", "float"]
    bounds = [Input(_name(kind, k), "", kind, "a constant of a filter") for kind in kinds for k in range(BOUNDS)]
    return graph.extended((), {}, bounds)


def narrowed(space: Space, columns: Mapping[str, Column], condition: pc.Expression | None) -> Narrowed:
    """What a filter leaves of a space that offers these columns."""
    if condition is None:
        return Narrowed(space)
    tree = read(condition)
    if tree is None:
        return Narrowed(space, is_exact=False)
    conditions, ids, is_exact = _Conditions(space, columns), Ids(0, space.size - 1), True
    texts: list[str] = []
    axes = {axis.name: axis for axis in space.axes}
    for part in map(plain, conjuncts(tree)):
        names = fields(part)
        name = next(iter(names), "")
        match part:
            case Call("is_valid", (Field(name),)) if name in columns:
                continue  # DuckDB asks for it where a condition follows from another table
        if len(names) == 1 and name in axes:
            axes[name] = _tried(axes[name], columns[name], part)
        elif names == {"design_id"}:
            ids, is_exact = ids & ids_of(part, ids), False
        else:
            before = dict(conditions.bounds)
            try:
                texts.append(conditions.said(part))
            except _LeftError:
                conditions.bounds, is_exact = before, False
    space = replace(space, axes=tuple(axes.values()))
    space = within(space, ids)
    if texts:
        space = _conditioned(space, texts, conditions.bounds)
    return Narrowed(space, ids if ids.listed is not None else None, is_exact)


def _tried(axis: Axis, column: Column, part: Expression) -> Axis:
    """The axis with those of its values for which a part, which looks at nothing else, holds."""
    types = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "word": pa.string()}
    tried = pa.table({axis.name: pa.array(list(axis.labels), types[column.kind]), "": np.arange(len(axis))})
    condition = written(part)
    assert condition is not None  # it was compared with what was read
    left = tried.filter(condition)[""].to_numpy()
    return axis if len(left) == len(axis) else axis.take(left)


def _conditioned(space: Space, texts: Sequence[str], bounds: Mapping[str, int | float]) -> Space:
    """The space with conditions added; one that varies along a short axis alone shortens that axis."""
    graph = _with_bounds(space.graph)
    space = replace(space, graph=graph, fixed={**space.fixed, **bounds})
    left, tried = list(space.conditions), list[Condition]()
    for text in texts:
        formula = from_text("filter", text)
        condition = Condition(text, text, formula, on_inputs(graph, formula))
        _, leaves = graph.resolve(formula.parameters, space.given)
        along = [axis for axis in space.axes if any(leaf in axis.sets for leaf in leaves)]
        (tried if len(along) == 1 and len(along[0]) <= TRIED_VALUES else left).append(condition)
    shortened = prune(replace(space, conditions=tuple(tried)))
    return replace(shortened, conditions=(*left, *shortened.conditions), written=space.written)

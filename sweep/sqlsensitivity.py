"""What would move a number most, for any DuckDB client: the table macro ``sensitivities(id)`` of a run's ``open.sql``.

The macro computes one design anew, a level of the graph a step, and with it the slope of every formula by every number
it reads (kernels.derivatives, as SQL). A recursive query then carries slopes from each metric back to the inputs, one
formula further at a time: what reaches an input on all ways together, times input over metric, is the elasticity.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from kernels.derivatives import partial
from kernels.graph import Graph, Node
from kernels.language import ROOTS, Formula, Kind, kind_of, names_in
from kernels.quantiles import quantile_of
from kernels.specialise import Specialised
from sweep.space import Space
from sweep.sqlinputs import given
from sweep.sqltext import TYPES, literal, quoted, to_sql

NAME = "sensitivities"
_TRANSLATED = {*ROOTS, "float"}
MOST_CHARACTERS = 400_000  # of the macro; where it would be longer, it is of the objectives alone


def statement(space: Space, columns: Iterable[str]) -> str:
    """The statement that makes the macro for a run with these columns, with a comment that says what it is of.

    It is of every number among them, where that is too long of those that never search for a root, where that is too
    long of the objectives. What is searched for has no SQL and is nan. '' where nothing is left.
    """
    specialised = Specialised(space.graph, space.given, space.constants)
    names = [name for name in columns if name in space.graph and space.graph.kinds[name] in ("int", "float")]
    every = _reached(specialised, names)
    behind = {name: every.behind(name) for name in names}
    computed = {node.name for node in every.nodes}
    names = [name for name in names if name in computed and not behind[name] & every.over_draws]
    plain = [name for name in names if not behind[name] & every.searched]
    goals = [name for name in names if name in (*space.minimize, *space.maximize)]
    for kept in (names, plain, goals):
        searched = [name for name in kept if name not in plain]
        made = _macro(space, specialised, kept, searched) if kept else ""
        if 0 < len(made) <= MOST_CHARACTERS:
            return made
    return ""


def _macro(space: Space, specialised: Specialised, metrics: Sequence[str], searched: Sequence[str]) -> str:
    graph = space.graph
    found = _reached(specialised, metrics)
    leaves = found.leaves
    columns = _Columns(graph, leaves)
    for node in found.nodes:
        columns.hold(node, _translatable(node.formula))
    edges = [
        (literal(node), literal(reads), f"cast({columns.of(_translatable(slope))[0]} as double)")
        for (node, reads), slope in found.slopes.items()
    ]
    parts = [f"inputs as (\n    {_inputs(space, leaves)}\n)"]
    before = "inputs"
    for depth, level in enumerate(columns.levels(), start=1):
        cells = ",\n        ".join(f"{text} as {name}" for name, text in level)
        parts.append(f"level_{depth} as (\n    select *,\n        {cells}\n    from {before}\n)")
        before = f"level_{depth}"
    numbers = [leaf for leaf in leaves if graph.kinds[leaf] in ("int", "float")]
    parts += [_edges(edges, before), _listed("measured", metrics, before), _listed("given", numbers, before)]
    told = f";\n-- nan where {', '.join(searched)} would have to be searched for" if searched else ""
    return (
        f"-- {NAME}(id): per cent that each metric of a design moves when an input rises by one per cent, a row a\n"
        f"-- metric and an input that moves it{told}\n"
        f"create or replace macro {NAME}(id) as table\nwith recursive {', '.join(parts)},\n{_ACCUMULATED}"
    )


_ACCUMULATED = """slopes as (
    select name as metric, name as node, cast(1 as double) as slope from measured
    union all
    select slopes.metric, edges.reads, sum(slopes.slope * edges.slope)
    from slopes join edges on edges.node = slopes.node
    group by slopes.metric, edges.reads
),
moved as (select metric, node, sum(slope) as slope from slopes group by metric, node)
select moved.metric, regexp_replace(moved.node, '^_said_', '') as input, given.value,
    case when isfinite(measured.value) and measured.value <> 0 then moved.slope * given.value / measured.value
        else cast('nan' as double) end as elasticity
from moved join given on given.name = moved.node join measured on measured.name = moved.metric
order by moved.metric, abs(elasticity) desc, input;"""


def _inputs(space: Space, leaves: Sequence[str]) -> str:
    """The query of one row that has every input of the design id."""
    cells, joins = given(space, leaves, ())
    kinds = space.graph.kinds
    told = ",\n        ".join(f"cast({cells[name]} as {TYPES[kinds[name]]}) as {quoted(name)}" for name in leaves)
    return f"select {told}\n    from {' '.join(['designs', *joins])} where designs.design_id = id"


@dataclass(frozen=True)
class _Reached:
    """What some metrics follow from: the values to compute, the inputs, and the slopes between them."""

    nodes: list[Node]
    leaves: list[str]
    slopes: dict[tuple[str, str], Formula]

    @cached_property
    def searched(self) -> set[str]:
        """What has no translation, or a slope without one."""
        formulas = [*((node.name, node.formula) for node in self.nodes), *((n, f) for (n, _), f in self.slopes.items())]
        return {name for name, formula in formulas if formula.finds_a_root}

    @cached_property
    def over_draws(self) -> set[str]:
        """What takes all draws of a law."""
        return {node.name for node in self.nodes if quantile_of(node.formula)}

    @cached_property
    def _reads(self) -> dict[str, set[str]]:
        """What each value and its slopes read."""
        found = {node.name: set(node.formula.parameters) for node in self.nodes}
        for (name, parameter), slope in self.slopes.items():
            found[name] |= {parameter, *slope.parameters}
        return found

    def behind(self, metric: str) -> set[str]:
        """A metric and all that it and its slopes follow from."""
        found, waiting = {metric}, [metric]
        while waiting:
            more = self._reads.get(waiting.pop(), set()) - found
            found |= more
            waiting += more
        return found


def _reached(specialised: Specialised, metrics: Sequence[str]) -> _Reached:
    """Values and slopes cut to what the spec decides. Slopes are taken before the cut: a branch for one value alone is
    not that of what moves away from it, and so they may read more than the values do.
    """
    graph = specialised.graph
    slopes: dict[tuple[str, str], Formula] = {}
    wanted, seen = dict.fromkeys(metrics), set()
    while True:
        nodes, leaves = specialised.resolve(wanted)
        for node in nodes:
            if node.name in seen or node.kind == "bool" or quantile_of(node.formula):
                continue
            seen.add(node.name)
            formula = graph.formula(node.name)
            assert formula is not None
            formula = node.formula if formula.finds_a_root else formula
            for parameter in formula.parameters:
                if graph.kinds[parameter] not in ("int", "float"):
                    continue
                slope = specialised.reduced(partial(formula, parameter))
                if not _is_nothing(slope):
                    slopes[node.name, parameter] = slope
                    wanted |= dict.fromkeys([parameter, *slope.parameters])
        if all(name in leaves or any(node.name == name for node in nodes) for name in wanted):
            return _Reached(nodes, leaves, slopes)


class _Columns:
    """What has to be computed before what: the columns of each level read those of the levels before it alone.

    Steps of formulas are columns too, equal ones one: written out in each other they would grow beyond any measure.
    """

    def __init__(self, graph: Graph, leaves: Iterable[str]) -> None:
        self._graph = graph
        self._depth: dict[str, int] = dict.fromkeys(map(quoted, leaves), 0)
        self._text: dict[str, str] = {}
        self._named: dict[str, str] = {}

    def hold(self, node: Node, formula: Formula) -> None:
        """A column of a value as its type holds it: a count loses what is behind the point."""
        text, depth = self.of(formula)
        whole = f"cast(trunc({text}) as bigint)" if node.kind == "int" else f"cast({text} as {TYPES[node.kind]})"
        self._put(quoted(node.name), whole, depth + 1)

    def of(self, formula: Formula) -> tuple[str, int]:
        """A formula as SQL over the columns there are, its steps among them, and the level these are on."""
        kinds: dict[str, Kind] = {p: self._graph.kinds[p] for p in formula.parameters}
        rename = {p: quoted(p) for p in formula.parameters}
        for name, tree in formula.steps:
            step = Formula(name, tuple(kinds), (), tree)
            kind = kind_of(step, kinds, self._graph.words)
            text = to_sql(step, kinds, rename)
            if text not in self._named:
                self._named[text] = quoted(f"_step_{len(self._named) + 1}")
                self._put(self._named[text], text, 1 + self._below(tree, rename))
            kinds[name], rename[name] = kind, self._named[text]
        result = Formula(formula.name, tuple(kinds), (), formula.result)
        return to_sql(result, kinds, rename), self._below(formula.result, rename)

    def levels(self) -> list[list[tuple[str, str]]]:
        """The columns of each level, with their text."""
        last = max(self._depth.values(), default=0)
        return [[(n, self._text[n]) for n, d in self._depth.items() if d == k] for k in range(1, last + 1)]

    def _below(self, tree: ast.expr, rename: Mapping[str, str]) -> int:
        return max((self._depth[rename[name]] for name in names_in(tree) & rename.keys()), default=0)

    def _put(self, name: str, text: str, depth: int) -> None:
        self._depth[name], self._text[name] = depth, text


def _is_nothing(slope: Formula) -> bool:
    return isinstance(slope.result, ast.Constant) and slope.result.value == 0.0


def _edges(rows: Sequence[tuple[str, str, str]], table: str) -> str:
    """The slope of every formula by every number it reads, where it has one."""
    node, reads, slope = (f"unnest([{', '.join(cells)}])" for cells in zip(*rows, strict=True))
    unnested = f"select {node} as node, {reads} as reads, {slope} as slope from {table}"
    return f"edges as (select * from ({unnested}) where slope <> 0)"


def _listed(name: str, columns: Sequence[str], table: str) -> str:
    """Columns of the one row as rows of name and value."""
    names = ", ".join(map(literal, columns))
    values = ", ".join(f"cast({quoted(c)} as double)" for c in columns)
    return f"{name} as (select unnest([{names}]) as name, unnest([{values}]) as value from {table})"


class _Translate(ast.NodeTransformer):
    """Puts nan for what is searched for, and 1.0 times what a cut formula converts."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Name) and node.func.id in ROOTS:
            return ast.Constant(math.nan)
        arguments = [self.visit(argument) for argument in node.args]
        if isinstance(node.func, ast.Name) and node.func.id == "float":
            return ast.BinOp(ast.Constant(1.0), ast.Mult(), arguments[0])
        return ast.Call(node.func, arguments, [])


def _translatable(formula: Formula) -> Formula:
    """The formula so that all of it has an SQL."""

    def made(tree: ast.expr) -> ast.expr:
        found: ast.expr = _Translate().visit(ast.parse(ast.unparse(tree), mode="eval").body)
        return found

    trees = [*(value for _, value in formula.steps), formula.result]
    if not any(names_in(tree) & _TRANSLATED for tree in trees):
        return formula  # which is most, and a copy takes as long as all else
    return replace(
        formula, steps=tuple((name, made(value)) for name, value in formula.steps), result=made(formula.result)
    )

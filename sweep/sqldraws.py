"""Quantiles over the draws of a law in SQL: a metric once per draw, then a percentage point of what that gave.

A metric follows from the coefficients of a draw through others, some with searches for a root. All of that stands in
one relation with a row a draw, in which every row goes through every search; what does not depend on a draw is given.
Draws are those of the table law_draws. A query with searches is long and takes DuckDB a third of a second to plan, so
the macro of a quantile is made only where it is asked for.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from kernels import roots
from kernels.graph import Graph
from kernels.language import Formula, Kind, names_in
from kernels.quantiles import BASES, PERCENTS, quantile_of
from sweep import catalogue
from sweep.sqlroots import Steps
from sweep.sqlsteps import relation
from sweep.sqltext import NAN, TYPES, as_double, double, expression, quoted, spared

TABLE = "law_draws"

Scope = dict[str, tuple[str, Kind]]  # the column that holds a name, and its kind


def names() -> list[str]:
    """The metrics that are quantiles over draws."""
    return [f"{base}_p{percent:02d}" for base in BASES for percent in PERCENTS]


def parameters(graph: Graph, name: str) -> list[str]:
    """The parameters of the macro of a quantile, in its order."""
    return _of_metric(graph, _quantile(graph, name)[0]).parameters


def macro(graph: Graph, name: str) -> str:
    """The statement that makes a quantile a macro: nan where a draw gives nan, null where it is told null."""
    base, share = _quantile(graph, name)
    drawn = _of_metric(graph, base)
    given = {p: f"cast({quoted(p)} as {TYPES[graph.kinds[p]]})" for p in drawn.parameters}
    return f"create or replace macro {name}_of({', '.join(map(quoted, given))}) as {drawn.quantile(share, given)};"


def asked(graph: Graph, columns: Iterable[str]) -> list[str]:
    """Those of some columns that are quantiles over draws."""
    known = set(columns)
    return [name for name in names() if name in known and name in graph.metrics]


def _quantile(graph: Graph, name: str) -> tuple[str, float]:
    found = quantile_of(graph.metrics[name].formula)
    assert found is not None, name
    return found


@lru_cache(maxsize=32)
def _of_metric(graph: Graph, base: str) -> Drawn:
    return Drawn(base, graph.formula, graph.kinds)


class Drawn:
    """A metric at every draw of a law.

    formulas gives the formula of a name, None for an input; parameters are the names that the metric depends on beside
    the draw, each the last on its way that does not depend on it.
    """

    def __init__(self, base: str, formulas: Callable[[str], Formula | None], kinds: Mapping[str, Kind]) -> None:
        order, takes = _followed(base, formulas)
        self.parameters = [*takes, *({catalogue.HAS_DRAWS: None}.keys() - takes)]
        self._steps = Steps()
        self._named = {column: self._steps.fresh() for column in catalogue.frame(TABLE).columns}
        scope: Scope = {name: (self._named[column], "float") for name, column in _coefficients().items()}
        self._given = {name: self._steps.fresh() for name in takes}
        scope |= {name: (column, kinds[name]) for name, column in self._given.items()}
        for formula in order:
            scope[formula.name] = _computed(formula, scope, self._steps)
        self._found = scope[base][0]

    def quantile(self, share: float, given: Mapping[str, str], where: str = "true") -> str:
        """The query of one value for the SQL of the parameters; null, and nothing computed, unless where holds."""
        # the columns of the table are renamed, since parameters of a macro can have their names
        read = [self._named[column] for column in _coefficients().values()]
        read += [f"{given[name]} as {column}" for name, column in self._given.items()]
        known = " and ".join([f"({where})", *(f"{given[name]} is not null" for name in self._given)])
        source = f"(select {', '.join(read)} from {TABLE} as drawn({', '.join(self._named.values())}) where {known})"
        rows, values = relation(self._steps.made, source, {self._found}), self._found
        # as sweep.draws has it, which a percentage point of DuckDB's is not where infinities stand beside each other
        place = f"{double(share)} * (len({values}) - 1)"
        below = f"{values}[cast(floor({place}) as bigint) + 1]"
        above = f"{values}[least(cast(floor({place}) as bigint) + 2, len({values}))]"
        between = f"case when {below} = {above} then {below} else {below} + ({above} - {below}) * ({place} % 1) end"
        result = f"case when isnan({values}[-1]) then {NAN} else {between} end"
        drawn = f"(select {result} from (select list_sort(list({values})) as {values} from {rows}))"
        return f"case when ({where}) and not ({given[catalogue.HAS_DRAWS]}) then {NAN} else {drawn} end"


def _coefficients() -> dict[str, str]:
    """What a draw gives, and the column of the table that holds it."""
    return {name: name.replace("draw_", "law_", 1) for name in catalogue.KINDS["law_draw"].sets}


def _followed(base: str, formulas: Callable[[str], Formula | None]) -> tuple[list[Formula], list[str]]:
    """The formulas through which a metric depends on a draw, in an order to compute them, and what else they take."""
    depends = dict.fromkeys(_coefficients(), True)
    order: list[Formula] = []
    others: dict[str, None] = {}

    def follow(name: str) -> bool:
        if name not in depends:
            formula = formulas(name)
            taken = {} if formula is None else {p: follow(p) for p in formula.parameters}
            depends[name] = any(taken.values())
            if formula is not None and depends[name]:
                others.update(dict.fromkeys(p for p, varies in taken.items() if not varies))
                order.append(formula)
        return depends[name]

    if not follow(base):
        others[base] = None
    return order, list(others)


def _computed(formula: Formula, scope: Scope, steps: Steps) -> tuple[str, Kind]:
    """A column for what a formula gives, made of the columns of what it takes."""
    inside = {name: scope[name] for name in formula.parameters}
    for name, tree in [*formula.steps, ("", formula.result)]:
        text, kind = expression(_searched(spared(tree), inside, steps), inside)
        inside[name] = steps.let(text), kind
    return inside[""]


def _searched(tree: ast.expr, scope: Scope, steps: Steps) -> ast.expr:
    """An expression with a name in place of each search for a root: in scope it is the column of what was found."""

    class Searched(ast.NodeTransformer):
        def visit_Call(self, call: ast.Call) -> ast.expr:
            self.generic_visit(call)
            if not (isinstance(call.func, ast.Name) and call.func.id in roots.ROOTS):
                return call
            given = [steps.let(as_double(expression(argument, scope))) for argument in call.args]
            name = f"found {len(scope)}"
            scope[name] = steps.result_of(roots.ROOTS[call.func.id], given), "float"
            return ast.Name(name, ast.Load())

    if not names_in(tree) & roots.ROOTS.keys():
        return tree
    found: ast.expr = Searched().visit(ast.parse(ast.unparse(tree), mode="eval").body)
    return found

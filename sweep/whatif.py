"""``what_if``: the rows of a run with inputs changed and everything that follows from them computed again, in SQL.

    select gpu, min(lifetime_usd) from what_if(gpu_usd_per_hour := 2.0) group by gpu
    from what_if(gpu_usd_per_hour := case when gpu = 'h100_sxm' then gpu_usd_per_hour / 2 end)

A table macro of a run's own: its parameters are the numbers that the columns follow from, each null unless it is given,
and null leaves a row as it is. A column that no change reaches is the stored one, bit for bit; the others are made of
the metrics' own formulas. What is made of all layouts has none, and is an error once a change reaches it. The rows
stay those of the run: a condition of its spec is not asked again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from kernels.graph import Node
from kernels.quantiles import quantile_of
from kernels.specialise import Specialised
from sweep.columns import Column
from sweep.space import Space
from sweep.sqldraws import Drawn
from sweep.sqlinputs import given
from sweep.sqltext import TYPES, has_sql, literal, quoted, to_sql

NAME = "what_if"


def statement(space: Space, columns: Sequence[Column]) -> str:
    """The statement that makes the macro for designs that hold these columns."""
    return "\n".join(_Macro(space, columns).lines())


class _Macro:
    """What the columns follow from, level by level."""

    def __init__(self, space: Space, columns: Sequence[Column]) -> None:
        self.space, self.columns, self.graph = space, columns, space.graph
        self.axes = {axis.name for axis in space.axes}
        self.stored = {c.name for c in columns if c.name in self.graph and c.name not in self.axes}
        # words do not change, so the branches they rule out, and the searches in these, are left out
        words = {name: value for name, value in space.constants.items() if name in self.graph.words}
        self.nodes, self.leaves = Specialised(self.graph, space.given, words).resolve(sorted(self.stored))
        self.leaves += [a.name for a in space.axes if a.name in self.graph and a.name not in self.leaves]
        self.reached: dict[str, frozenset[str]] = {}  # the parameters that change each name
        self.level: dict[str, int] = {}
        self.opaque: set[str] = set()
        self.drawn: dict[str, tuple[Drawn, float]] = {}  # of those that are a quantile over draws of a law
        self._formulas = {node.name: node.formula for node in self.nodes}
        for name in self.leaves:
            self.reached[name] = frozenset([name]) if self._is_changeable(name) else frozenset()
            self.level[name] = 0
        for node in self.nodes:
            self._place(node)
        self.nodes = [node for node in self.nodes if node.name in self.level]
        self.parameters = sorted(frozenset().union(*self.reached.values()))

    def _is_changeable(self, name: str) -> bool:
        return name in self.graph.inputs and self.graph.kinds[name] != "word" and not name.startswith("_")

    def _place(self, node: Node) -> None:
        """Where a name is computed; nowhere when it has no SQL, or follows from what has none and is not stored."""
        takes: Sequence[str] = node.formula.parameters
        if (quantile := quantile_of(node.formula)) is not None:
            drawn = Drawn(quantile[0], self._formulas.get, self.graph.kinds)
            self.drawn[node.name], takes = (drawn, quantile[1]), drawn.parameters
        own = frozenset([node.name]) if self._is_changeable(node.name) else frozenset()
        self.reached[node.name] = own.union(*(self.reached[p] for p in takes))
        has_text = has_sql(node.formula) or node.name in self.drawn
        if not has_text or any(p not in self.level for p in takes):
            if node.name not in self.stored:
                return
            self.opaque.add(node.name)
            self.level[node.name] = 1
            return
        self.level[node.name] = 1 + max((self.level[p] for p in takes), default=0)

    def lines(self) -> Iterable[str]:
        """The statement, line by line."""
        listed = ", ".join(f"{quoted(p)} := null" for p in self.parameters)
        changed = ",\n        ".join(self._changed(name) for name in self.leaves)
        yield f"create or replace macro {NAME}({listed}) as table"
        yield "with given as ("
        yield from self._given()
        yield "),"
        yield f"level0 as (\n    select\n        *,\n        {changed}\n    from given\n)"
        deepest = max(self.level.values(), default=0)
        for level in range(1, deepest + 1):
            computed = [node for node in self.nodes if self.level[node.name] == level]
            made = ",\n        ".join(f"{self._computed(node)} as {_new(node.name)}" for node in computed)
            yield f", level{level} as (\n    select\n        *,\n        {made}\n    from level{level - 1}\n)"
        last = f"level{deepest}"
        result = [self._result(c.name, last) for c in self.columns]
        yield f"select {', '.join(result)} from {last};"

    def _result(self, name: str, last: str) -> str:
        return f"{last}.{_new(name) if name in self.level else quoted(name)} as {quoted(name)}"

    # ------------------------------------------------------------------------------------------- what is given

    def _given(self) -> Iterable[str]:
        """What is stored of every design, and every input beside it."""
        stored = [c.name for c in self.columns]
        cells, joins = given(self.space, self.leaves, stored)
        said = [f"designs.{quoted(name)}" for name in stored]
        said += [f"{cells[name]} as {quoted(name)}" for name in self.leaves if name not in stored]
        yield "    select\n        " + ",\n        ".join(said)
        yield "    from designs"
        yield from (f"    {join}" for join in joins)

    def _changed(self, name: str) -> str:
        value = f"given.{quoted(name)}"
        if self._is_changeable(name):
            value = f"coalesce({self._asked(name)}, {value})"
        return f"{value} as {_new(name)}"

    def _asked(self, name: str) -> str:
        """The value that is given for a name, or an error where an input may not have it; null where none is given."""
        kind, declared, value = self.graph.kinds[name], self.graph.inputs.get(name), quoted(name)
        taken = f"cast({value} as {TYPES[kind]})"
        low, high = (declared.low, declared.high) if declared else (-math.inf, math.inf)
        ends = [f"{value} < {low!r}"] * (low > -math.inf) + [f"{value} > {high!r}"] * (high < math.inf)
        outside = [*ends, f"{value} % 1 <> 0"] if kind == "int" else ends
        if kind not in ("int", "float") or not outside:
            return taken
        whole = "a whole number, " if kind == "int" else ""
        said = f"{NAME}: {name} is {whole}at least {low:g}" + (f" and at most {high:g}" if high < math.inf else "")
        return f"case when {' or '.join(outside)} then error({literal(said)}) else {taken} end"

    # ------------------------------------------------------------------------------------------ what follows

    def _computed(self, node: Node) -> str:
        before = f"level{self.level[node.name] - 1}"
        stored = f"{before}.{quoted(node.name)}"
        if node.name in self.opaque:
            said = (
                f"{NAME}: {node.name} is made of all layouts, which SQL cannot do; "
                "evaluate a spec with the inputs changed instead"
            )
            return f"case when {self._is_reached(node.name)} then error({literal(said)}) else {stored} end"
        if node.name in self.drawn:
            drawn, share = self.drawn[node.name]
            takes = {p: f"{before}.{_new(p)}" for p in drawn.parameters}
            formula = drawn.quantile(share, takes, self._is_reached(node.name))
        else:
            takes = {p: f"{before}.{_new(p)}" for p in node.formula.parameters}
            formula = to_sql(node.formula, self.graph.kinds, takes)
        formula = f"cast({formula} as {TYPES[node.kind]})"
        if self._is_changeable(node.name):
            formula = f"coalesce({self._asked(node.name)}, {formula})"
        if node.name not in self.stored:
            return formula
        return f"case when {self._is_reached(node.name)} then {formula} else {stored} end"

    def _is_reached(self, name: str) -> str:
        """Whether a change reaches it: known before a row is read where what changes is said with constants."""
        return " or ".join(f"{quoted(p)} is not null" for p in sorted(self.reached[name])) or "false"


def _new(name: str) -> str:
    """The name of a value as changed; under its own name stands what it was, for the expressions that are given."""
    return quoted(f"new {name}")

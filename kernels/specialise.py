"""A graph with what a plan knows put in: formulas reduced, and what no longer matters left out.

A formula names everything that either branch of a conditional reads. Where a test comes out the same all over a plan,
only the branch taken is left, so that a value varies along fewer axes, and what the other branch alone needs is not
computed. What is left gives the same bits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from kernels.evaluate import Number, result, types
from kernels.graph import Graph, Node
from kernels.language import Formula, Kind
from kernels.quantiles import quantile_of
from kernels.reduction import deciding, reduced


class Specialised:
    """A graph in which some values are known: given are the names taken as they are, known those that are constant.

    What follows from constants alone decides tests as they do, and is computed like everything else.
    """

    def __init__(self, graph: Graph, given: Iterable[str], known: Mapping[str, Number]) -> None:
        self.graph = graph
        self._given = frozenset(given)
        self._known = known
        self._is_constant: dict[str, bool] = {}  # of names that were asked for: a plan knows hundreds and asks for few
        self._values: dict[str, Number | None] = {}
        self._formulas: dict[str, Formula] = {}

    def resolve(self, wanted: Iterable[str]) -> tuple[list[Node], list[str]]:
        """As Graph.resolve, with reduced formulas, and without what none of them reads."""
        stack = list(wanted)
        nodes, leaves = self.graph.resolve(stack, self._given)
        computed = {node.name for node in nodes}
        needed: set[str] = set()
        while stack:
            name = stack.pop()
            if name not in needed:
                needed.add(name)
                stack.extend(self._formula(name).parameters if name in computed else ())
        left = [replace(node, formula=self._formula(node.name)) for node in nodes if node.name in needed]
        return left, [leaf for leaf in leaves if leaf in needed]

    def reduced(self, formula: Formula) -> Formula:
        """The formula with its tests decided as far as they are known; itself where none is."""
        names = deciding(formula)
        self._settle(names)
        known = {name: value for name in names if (value := self._value(name)) is not None}
        return reduced(formula, known, *types(self.graph, formula)) if known else formula

    def _formula(self, name: str) -> Formula:
        """What computes a name that is not given, reduced."""
        if name not in self._formulas:
            formula = self.graph.formula(name)
            assert formula is not None
            self._formulas[name] = self.reduced(formula)
        return self._formulas[name]

    def _settle(self, names: Iterable[str]) -> None:
        """See which of these names are constant; in the order of the graph, for recursion would not bear a long chain.

        Their values are computed only where a test asks for them, for some take a search.
        """
        stack, unseen = list(names), set()
        while stack:
            name = stack.pop()
            if name in self._is_constant or name in unseen:
                continue
            if name in self._known or name in self._given:
                self._is_constant[name] = name in self._known
                continue
            unseen.add(name)
            formula = self.graph.formula(name)
            stack.extend(formula.parameters if formula else ())
        for name in sorted(unseen, key=self.graph.place):
            formula = self.graph.formula(name)
            alone = formula is not None and quantile_of(formula) is None  # one evaluation does not give a quantile
            self._is_constant[name] = alone and all(self._is_constant[p] for p in self._formula(name).parameters)

    def _value(self, name: str) -> Number | None:
        """The value of a name, None where it is not constant or no cell holds it."""
        stack = [name] if self._is_constant[name] else []
        while stack:
            last = stack[-1]
            if last in self._values:
                stack.pop()
                continue
            if last in self._known:
                self._values[last] = _held(self._known[last], self.graph.kinds[last])
                continue
            formula = self._formula(last)
            missing = [p for p in formula.parameters if p not in self._values]
            stack.extend(missing)
            if not missing:
                self._values[last] = self._computed(last, formula)
        return self._values.get(name)

    def _computed(self, name: str, formula: Formula) -> Number | None:
        values = {p: value for p in formula.parameters if (value := self._values[p]) is not None}
        if len(values) < len(formula.parameters):
            return None
        return _held(result(formula, *types(self.graph, formula), values), self.graph.kinds[name])


def _held(value: Any, kind: Kind) -> Number | None:
    """A number as a cell of its type holds it; None for what a whole one cannot hold: nan, and from 2**63 on."""
    if kind == "float":
        return float(value)
    return int(value) if -(2.0**63) <= value < 2.0**63 else None

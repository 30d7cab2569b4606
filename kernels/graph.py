"""The metric graph: inputs declared once, metrics that name what they depend on, and the order that follows."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from kernels.language import Formula, FormulaError, Kind, from_function, kind_of

F = TypeVar("F", bound=Callable[..., Any])


class GraphError(ValueError):
    """The graph cannot be built or asked; the message names the culprit."""


@dataclass(frozen=True)
class Input:
    """A named number (or word) a design starts from."""

    name: str
    unit: str
    kind: Kind
    meaning: str
    low: float = 0.0
    high: float = float("inf")
    words: tuple[str, ...] = ()
    formula: Formula | None = None
    source: str = ""


@dataclass(frozen=True)
class Metric:
    """A pure scalar function of inputs and other metrics, known by its name."""

    name: str
    unit: str
    source: str
    meaning: str
    formula: Formula
    function: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Node:
    """A named value that a formula computes: a metric, or an input that nobody gave and that has a default formula."""

    name: str
    formula: Formula
    kind: Kind
    source: str
    meaning: str
    unit: str


def metric(*, unit: str, source: str) -> Callable[[F], F]:
    """Declare a metric: its name is the column, its parameters what it depends on, its docstring the meaning.

    unit is '' for counts and ratios; source says where the formula is from. The function itself is returned, so it
    can be called with plain numbers.
    """

    def declare(function: F) -> F:
        meaning = " ".join((function.__doc__ or "").split("\n\n")[0].split())
        if not meaning:
            raise GraphError(f"{function.__name__}: a metric says what it counts in its docstring")
        declared = Metric(function.__name__, unit, source, meaning, from_function(function), function)
        function.__metric__ = declared  # type: ignore[attr-defined]
        return function

    return declare


def default(
    *, unit: str = "", source: str, low: float = 0.0, high: float = float("inf"), kind: Kind = "int"
) -> Callable[[F], F]:
    """Declare an input whose default follows from other inputs, by the formula of the function."""

    def declare(function: F) -> F:
        meaning = " ".join((function.__doc__ or "").split("\n\n")[0].split())
        formula = from_function(function)
        function.__input__ = Input(  # type: ignore[attr-defined]
            function.__name__, unit, kind, meaning, low, high, (), formula, source
        )
        return function

    return declare


def declared_input(function: Callable[..., Any]) -> Input:
    """The input that a function under ``default`` declares."""
    declared: Input = function.__input__  # type: ignore[attr-defined]
    return declared


SHORTEST_BEGINNING = 3  # letters from which on the beginning of a name may be meant


def near(name: str, known: Iterable[str]) -> str:
    """'; did you mean "x"?' when a known name is close, else ''; one that begins so is closest, capitals apart."""
    typed = name.lower()
    names: dict[str, str] = {}
    for other in known:
        names.setdefault(other.lower(), other)
    longer = [other for other in names if len(typed) >= SHORTEST_BEGINNING and other.startswith(typed)]
    found = sorted(longer, key=len)[:1] or difflib.get_close_matches(typed, list(names), 1)
    return f'; did you mean "{names[found[0]]}"?' if found else ""


class Graph:
    """Inputs and metrics, checked against each other.

    order holds all names, each after what it depends on. GraphError for a name declared twice, a parameter that nothing
    declares, or a cycle, naming the culprit.
    """

    def __init__(self, inputs: Iterable[Input], metrics: Iterable[Metric], smaller: "Graph | None" = None) -> None:
        """smaller is a graph that this one holds, with all types of its names."""
        self.inputs: dict[str, Input] = {}
        self.metrics: dict[str, Metric] = {}
        everything: list[Input | Metric] = [*inputs, *metrics]
        for declared in everything:
            if declared.name in self.inputs or declared.name in self.metrics:
                raise GraphError(f"{declared.name} is declared twice")
            if isinstance(declared, Input):
                self.inputs[declared.name] = declared
            else:
                self.metrics[declared.name] = declared
        self.words = {name: i.words for name, i in self.inputs.items() if i.words}
        self._formulas: dict[str, Formula] = {n: m.formula for n, m in self.metrics.items()}
        self._formulas |= {n: i.formula for n, i in self.inputs.items() if i.formula is not None}
        self._nodes: dict[str, Node] = {}  # made when asked for: a spec's graph is asked for few of them
        known = [*self.inputs, *self.metrics]
        for name, formula in self._formulas.items():
            for parameter in formula.parameters:
                if parameter not in self.inputs and parameter not in self.metrics:
                    raise GraphError(f"{name} depends on {parameter}, which nothing declares{near(parameter, known)}")
        self.order = self._sort(smaller)
        self._computed_at = {name: place for place, name in enumerate(self.order)}
        self._declared_at = {name: place for place, name in enumerate(known)}
        self.kinds = self._infer(smaller)

    def extended(
        self, metrics: Iterable[Metric], formulas: Mapping[str, Formula], more: Iterable[Input] = ()
    ) -> "Graph":
        """This graph with a spec's metrics and inputs added, and its formulas for inputs in place of the defaults."""
        inputs = [
            replace(i, formula=formulas[i.name], source="the spec") if i.name in formulas else i
            for i in self.inputs.values()
        ]
        return Graph([*inputs, *more], [*self.metrics.values(), *metrics], self)

    def __contains__(self, name: str) -> bool:
        return name in self.inputs or name in self.metrics

    def formula(self, name: str) -> Formula | None:
        """What computes a name when it isn't given; None for an input that has to be given."""
        return self._formulas.get(name)

    def node(self, name: str) -> Node:
        """The computed value of that name."""
        if name not in self._nodes:
            self._nodes[name] = self._node(name)
        return self._nodes[name]

    def _node(self, name: str) -> Node:
        declared = self.metrics.get(name) or self.inputs[name]
        assert declared.formula is not None
        return Node(name, declared.formula, self.kinds[name], declared.source, declared.meaning, declared.unit)

    def place(self, name: str) -> int:
        """Where a name stands in the order."""
        return self._computed_at[name]

    def unit(self, name: str) -> str:
        """The unit of an input or metric, '' for counts and ratios."""
        return (self.metrics.get(name) or self.inputs[name]).unit

    def resolve(self, wanted: Iterable[str], given: Iterable[str]) -> tuple[list[Node], list[str]]:
        """The values to compute for the wanted names, each after what it depends on, and the inputs they start from.

        A given name is taken as it is, metrics included, and nothing is computed on its account.
        """
        if not isinstance(
            given, dict | set | frozenset
        ):  # a design's four hundred inputs, for a rule that looks at five
            given = set(given)
        needed: set[str] = set()
        stack = list(wanted)
        while stack:
            name = stack.pop()
            if name in needed:
                continue
            if name not in self:
                raise GraphError(f"{name} is neither an input nor a metric{near(name, [*self.inputs, *self.metrics])}")
            needed.add(name)
            formula = self._formulas.get(name)
            if name not in given and formula is not None:
                stack.extend(formula.parameters)
        # Sorted by place rather than picked out of all names: a rule looks at five of six hundred.
        computed = {n for n in needed if n not in given and n in self._formulas}
        nodes = [self.node(n) for n in sorted(computed, key=self._computed_at.__getitem__)]
        return nodes, sorted(needed - computed, key=self._declared_at.__getitem__)

    def _sort(self, smaller: "Graph | None") -> list[str]:
        order: list[str] = []
        if smaller and all(self._formulas.get(name) is smaller._formulas.get(name) for name in smaller.order):
            order += smaller.order  # whose formulas name nothing that is new here
        done = set(order)
        path: dict[str, None] = {}  # the names on the way to the one that is visited

        def visit(name: str) -> None:
            if name in path:
                way = list(path)
                raise GraphError("a cycle: " + " -> ".join((*way[way.index(name) :], name)))
            path[name] = None
            formula = self._formulas.get(name)
            for parameter in formula.parameters if formula else ():
                if parameter not in done:
                    visit(parameter)
            del path[name]
            done.add(name)
            order.append(name)

        for name in (*self.inputs, *self.metrics):
            if name not in done:
                visit(name)
        return order

    def _infer(self, smaller: "Graph | None") -> dict[str, Kind]:
        kinds: dict[str, Kind] = {name: i.kind for name, i in self.inputs.items()}
        known = smaller._formulas if smaller else {}
        for name in self.order:
            formula = self._formulas.get(name)
            if formula is None:
                continue
            if smaller and formula is known.get(name):  # of the same names, which have their types from there as well
                kinds[name] = smaller.kinds[name]
                continue
            try:
                kind = kind_of(formula, kinds, self.words)
            except FormulaError as error:
                raise GraphError(f"{name}: {error}") from None
            if name in self.metrics:  # an input keeps the type it was declared with, whatever formula fills it
                kinds[name] = kind
            elif kinds[name] == "word":
                raise GraphError(f"{name} takes a word and cannot be derived")
        return kinds

"""Metrics written out as nested loops: the best of all combinations of some inputs.

A search over inputs is a function of whatever does not depend on them. Its text holds a loop for every input searched;
each metric that leads to the goal, and each step of its formula, stands in the outermost loop in which all it depends
on is fixed, so that a loop inside repeats only what it changes. Conditions are asked as soon as they can be, and a
combination whose least possible goal is no better than the best found is gone past.
"""

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from kernels.graph import Graph, Node
from kernels.language import Formula, emit, from_text, names_in, unified

WIDTH = 110  # of a line of the text


@dataclass(frozen=True)
class Loop:
    """The values tried of one input, in Python over what is fixed further out.

    ``values`` makes places, and ``value`` turns a place (called k) into a value. Or, for a loop that is gone through
    many times, the values are what divides a number, up to a most of at most 64: ``divisors`` says both. These are
    found once wherever the number is fixed, and kept as the bits of an integer.
    """

    name: str
    values: str = ""
    value: str = "k"
    divisors: str = ""

    @property
    def text(self) -> str:
        """All that it reads."""
        return self.divisors or f"({self.values}, {self.value})"


@dataclass(frozen=True)
class Search:
    """What is searched: the loops from outside in, what must hold, what is made least, and what is given back.

    bounds are metrics that are never more than the goal; conditions and code are formulas over inputs and metrics. nan
    comes back where no combination meets all conditions; of equal ones the first is taken. own are metrics of the
    search alone, which are computed in it even where no loop changes them.
    """

    name: str
    loops: Sequence[Loop]
    conditions: Sequence[str]
    goal: str
    bounds: Sequence[str]
    code: str
    own: frozenset[str] = frozenset()


class Nested:
    """The text of a search over a graph, and what it takes."""

    def __init__(self, graph: Graph, search: Search) -> None:
        self.graph = graph
        self.search = search
        self.level = {loop.name: k + 1 for k, loop in enumerate(search.loops)}
        self.conditions = [from_text("condition", text) for text in search.conditions]
        self.code = from_text("code", search.code)
        wanted = [search.goal, *search.bounds, *self.code.parameters]
        wanted += [p for condition in self.conditions for p in condition.parameters]
        self._place(wanted)
        self._outer = self._further_out()
        self.parameters = self._taken()

    def _place(self, wanted: Iterable[str]) -> None:
        """The level of every value that some loop changes; the others are taken as they are."""
        nodes, _ = self.graph.resolve(wanted, self.level)
        self.nodes = []
        for node in nodes:
            deepest = max((self.level.get(p, 0) for p in node.formula.parameters), default=0)
            if deepest or node.name in self.search.own:
                self.level[node.name] = deepest
                self.nodes.append(node)

    def _further_out(self) -> list[list[str]]:
        """By level, the steps of formulas further in that depend on nothing but what is fixed there, as lines."""
        found: list[list[str]] = [[] for _ in range(len(self.search.loops) + 1)]
        self._moved: set[str] = set()
        for node in self.nodes:
            rename, steps = self._steps(node)
            level = {p: self.level.get(p, 0) for p in node.formula.parameters}
            for step, value in steps:
                level[step] = max((level[n] for n in names_in(value) & level.keys()), default=0)
                if level[step] < self.level[node.name]:
                    found[level[step]].append(f"{rename[step]} = {self._emitted(value, rename)}")
                    self._moved.add(rename[step])
        return found

    def _steps(self, node: Node) -> tuple[dict[str, str], Sequence[tuple[str, ast.expr]]]:
        """The steps of a formula, and what they are called."""
        steps = unified(node.formula, self.graph.kinds, self.graph.words).steps
        return {step: f"{node.name}__{step}" for step, _ in steps}, steps

    def _emitted(self, value: ast.expr, rename: Mapping[str, str]) -> str:
        return emit(value, dict(rename), self.graph.words)

    def _taken(self) -> list[str]:
        """What the search depends on, in the order of the graph."""
        formulas = [*(node.formula for node in self.nodes), *self.conditions, self.code]
        named = {p for formula in formulas for p in formula.parameters}
        for loop in self.search.loops:
            named |= _names(loop.text) & set(self.graph.order)
        return [n for n in self.graph.order if n in named and n not in self.level]

    def source(self) -> str:
        """The function, as Python."""
        lines = [f"def {self.search.name}("]
        lines += [f"    {line}" for line in wrap("".join(f"{p}, " for p in self.parameters), WIDTH)]
        lines += ["):", f'    """{self._doc()}"""', "    found = math.nan", "    least = math.inf"]
        for node in self.nodes:
            if self.level[node.name] == 0:
                lines += [f"    {line}" for line in self._computed(node)]
        lines += [f"    {line}" for line in [*self._outer[0], *self._divided(0)]]
        for depth, loop in enumerate(self.search.loops, start=1):
            indent = "    " * depth
            lines += [f"{indent}{line}" for line in _head(loop)]
            lines += [f"{indent}    {line}" for line in self._body(depth)]
        inside = "    " * (len(self.search.loops) + 1)
        lines.append(f"{inside}if {self.search.goal} < least:")
        lines.append(f"{inside}    least = {self.search.goal}")
        lines.append(f"{inside}    found = float({self._text(self.code)})")
        return "\n".join([*lines, "    return found", ""])

    def _doc(self) -> str:
        return f"The code of what makes {self.search.goal} least; nan where nothing will do."

    def _body(self, depth: int) -> list[str]:
        """What is computed and asked at a level: each condition right after what it depends on."""
        lines = []
        asked: set[int] = set()
        known = {name for name, level in self.level.items() if level < depth} | {self.search.loops[depth - 1].name}
        known |= set(self.parameters)
        mine = [node for node in self.nodes if self.level[node.name] == depth]
        lines += self._asked(depth, known, asked)
        for node in self._cheapest_first(mine, depth):
            lines += self._computed(node)
            known.add(node.name)
            lines += self._asked(depth, known, asked)
            if node.name in self.search.bounds:
                lines += [f"if not {node.name} < least:", "    continue"]
        return lines + self._outer[depth] + self._divided(depth)

    def _divided(self, depth: int) -> list[str]:
        """The divisors that are known once a level is, for loops further in."""
        return [
            f"{loop.name}__ways = divisors({loop.divisors})"
            for loop in self.search.loops
            if loop.divisors and max((self.level.get(n, 0) for n in _names(loop.divisors)), default=0) == depth
        ]

    def _cheapest_first(self, nodes: Sequence[Node], depth: int) -> list[Node]:
        """The nodes of a level in an order in which conditions come as early as they can, the goal last."""
        by_name = {node.name: node for node in nodes}
        order: dict[str, None] = {}

        def visit(name: str) -> None:
            node = by_name.get(name)
            if node is None or name in order:
                return
            for parameter in node.formula.parameters:
                visit(parameter)
            order[name] = None

        def weight(names: Iterable[str]) -> int:
            seen: set[str] = set()
            stack = list(names)
            while stack:
                name = stack.pop()
                if name in by_name and name not in seen:
                    seen.add(name)
                    stack.extend(by_name[name].formula.parameters)
            return len(seen)

        deepest = [c for c in self.conditions if max(self.level.get(p, 0) for p in c.parameters) == depth]
        first = [c.parameters for c in deepest] + [(b,) for b in self.search.bounds if self.level.get(b) == depth]
        for names in sorted(first, key=weight):
            for name in names:
                visit(name)
        for node in nodes:
            visit(node.name)
        return [by_name[name] for name in order]

    def _asked(self, depth: int, known: set[str], asked: set[int]) -> list[str]:
        lines = []
        for k, condition in enumerate(self.conditions):
            deepest = max((self.level.get(p, 0) for p in condition.parameters), default=0)
            if k not in asked and deepest == depth and known.issuperset(condition.parameters):
                asked.add(k)
                lines += [f"if not {self._text(condition)}:", "    continue"]
        return lines

    def _computed(self, node: Node) -> list[str]:
        rename, steps = self._steps(node)
        lines = [f"{rename[s]} = {self._emitted(v, rename)}" for s, v in steps if rename[s] not in self._moved]
        result = unified(node.formula, self.graph.kinds, self.graph.words).result
        return [*lines, f"{node.name} = {_cell(self.graph.kinds[node.name])}({self._emitted(result, rename)})"]

    def _text(self, formula: Formula) -> str:
        formula = unified(formula, self.graph.kinds, self.graph.words)
        return emit(formula.result, {}, self.graph.words)


def _head(loop: Loop) -> list[str]:
    """The head of a loop, and the value that it takes next."""
    if not loop.divisors:
        return [f"for k in {loop.values}:", f"    {loop.name} = {loop.value}"]
    rest, following = f"{loop.name}__rest", f"{loop.name}__next"
    return [
        f"{rest} = {loop.name}__ways",
        f"{following} = 1",
        f"while {following} > 0:",
        f"    {loop.name} = {following}",
        f"    {following} = least_divisor({rest})",
        f"    {rest} &= {rest} - 1",
    ]


def _names(text: str) -> set[str]:
    """The names that a loop's text reads."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def _cell(kind: str) -> str:
    """What turns a value into what a cell of its type holds."""
    return "float" if kind == "float" else "int"

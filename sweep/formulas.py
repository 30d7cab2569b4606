"""The formulas of a spec: its own metrics, derived inputs, conditions and objectives, checked against the graph."""

from __future__ import annotations

import ast
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from kernels import elasticities
from kernels.graph import Graph, GraphError, Input, Metric, near
from kernels.language import CALLS, Formula, FormulaError, from_text, kind_of
from kernels.model import GRAPH
from sweep import catalogue
from sweep.errors import Collector
from sweep.space import Condition
from sweep.spec import FrontierTable, OwnMetric

SHORT = {
    "d": "hidden_size",
    "L": "num_layers",
    "V": "vocab_size",
    "experts": "num_experts",
    "tokens": "train_tokens",
    "GPU": "gpu",
}


UNLIMITED = 1e6  # from which on the end of a range is not worth telling
COLUMNS = ("design_id", "num_equal")  # of answers, beside metrics and inputs


class Formulas(Collector):
    """Parses and checks formulas; what is wrong gathers in problems."""

    def _formula(self, place: str, name: str, text: str) -> Formula | None:
        try:
            return renamed(from_text(name, text), SHORT)
        except FormulaError as error:
            self.problem(place, f'"{text}"', str(error))
            return None

    def graph(self, own: Mapping[str, str | OwnMetric], derived: Mapping[str, tuple[str, str]]) -> Graph:
        """The metric graph with the spec's own metrics and derived inputs in it."""
        metrics: list[Metric] = []
        texts = [g.formula if isinstance(g, OwnMetric) else g for g in own.values()]
        asked = elasticities.asked([*texts, *(text for _, text in derived.values())])
        names = [*GRAPH.inputs, *GRAPH.metrics, *catalogue.KINDS, *own, *asked]
        taken = {n.lower(): n for n in (*GRAPH.inputs, *GRAPH.metrics, *catalogue.KINDS, *SHORT, *COLUMNS)}
        for name, given in own.items():
            stated = given if isinstance(given, OwnMetric) else OwnMetric(formula=given)
            if not name.isidentifier() or name in CALLS or name.startswith("_"):
                self.problem(
                    f"metrics.{name}", "", "a metric's name is letters, digits and _, and starts with a letter"
                )
            elif name.startswith(elasticities.PREFIX):
                self.problem(f"metrics.{name}", "", f"{name} can be had without stating it; give this one another name")
            elif (other := taken.setdefault(name.lower(), name)) is not name:  # SQL knows no capitals
                self.problem(f"metrics.{name}", "", f"{other} exists already; give this one another name")
            elif (formula := self._formula(f"metrics.{name}", name, stated.formula)) is not None:
                meaning = stated.meaning or f"{stated.formula}, as the spec states it"
                metrics.append(Metric(name, stated.unit, "the spec", meaning, formula))
        formulas: dict[str, Formula] = {}
        for name, (place, text) in derived.items():
            declared = GRAPH.inputs.get(name)
            if declared is None:
                hint = near(name, GRAPH.inputs).removeprefix("; ") or "see `sweep list inputs`"
                self.problem(place, f'"{text}"', f"only an input can be derived, and {name} is none; {hint}")
            elif declared.kind == "word":
                self.problem(place, f'"{text}"', f"{name} takes a word ({', '.join(declared.words)}), not a formula")
            elif (formula := self._formula(place, name, text)) is not None:
                formulas[name] = formula
        for place, formula in [
            *((f"metrics.{m.name}", m.formula) for m in metrics),
            *((derived[n][0], f) for n, f in formulas.items()),
        ]:
            for parameter in formula.parameters:
                if parameter not in names:
                    self.problem(
                        place, f'"{ast.unparse(formula.result)}"', f"{parameter} is not known{near(parameter, names)}"
                    )
        if self.problems:
            known = [m for m in metrics if all(p in names for p in m.formula.parameters)]
            metrics, formulas = known, {}
        if not metrics and not formulas:
            return plain_graph()
        try:
            return GRAPH.extended(metrics, formulas, [*record_words(), *elasticities.placeholders(asked)])
        except GraphError as error:
            self.problem("metrics" if metrics else "derived", "", str(error))
            return plain_graph()

    def conditions(
        self, graph: Graph, derived: Mapping[str, tuple[str, str]], where: Mapping[str, str]
    ) -> tuple[Condition, ...]:
        """The conditions of a spec: that derived inputs are what they may be, then its own."""
        conditions = []
        for name, (_, text) in derived.items():
            declared = graph.inputs.get(name)
            if declared is not None and declared.formula is not None and not self.problems:
                conditions += _within(declared, text)
        for label, text in where.items():
            condition = self.condition(graph, f'where."{label}"', label, text)
            if condition is not None:
                conditions.append(condition)
        return tuple(replace(c, on_inputs=on_inputs(graph, c.formula)) for c in conditions)

    def condition(self, graph: Graph, place: str, label: str, text: str) -> Condition | None:
        """A condition of the spec; None when something is wrong with it. Whether it is on inputs is seen later."""
        formula = self._formula(place, "condition", text)
        if formula is None:
            return None
        for parameter in formula.parameters:
            if parameter not in graph:
                known = [*graph.inputs, *graph.metrics]
                self.problem(place, f'"{text}"', f"{parameter} is not known{near(parameter, known)}")
        if all(p in graph for p in formula.parameters):
            try:
                if kind_of(formula, graph.kinds, graph.words) != "bool":
                    self.problem(place, f'"{text}"', "not a condition: compare it with something")
                    return None
            except FormulaError as error:
                self.problem(place, f'"{text}"', str(error))
                return None
            return Condition(label, text, formula, False)
        return None

    def elasticities(self, graph: Graph, asking: Iterable[tuple[str, str]], given: Collection[str]) -> Graph:
        """The graph with every elasticity that these texts, each with its place, ask for.

        What is wrong is noted, and stands in the graph as a number, so that nothing else complains of it.
        """
        chains: dict[str, list[Metric]] = {}
        wrong: dict[str, None] = {}
        for place, text in asking:
            for name in elasticities.asked([text]):
                try:
                    if name not in graph.metrics and name not in chains:
                        chains[name] = elasticities.chain(graph, name, given)
                except GraphError as error:
                    self.problem(place, f'"{text}"', str(error) if text == name else f"{name}: {error}")
                    wrong[name] = None
        try:
            graph = elasticities.joined(graph, [metric for chain in chains.values() for metric in chain])
        except GraphError as error:  # a cycle, where an input is derived from what follows from it
            self.problem("derived", "", str(error))
        held = elasticities.placeholders(n for n in (*wrong, *chains) if n not in graph)
        return graph.extended((), {}, held) if held else graph

    def known(self, graph: Graph, name: str, place: str) -> str:
        """A column by its full name, noted as a problem when there is none."""
        name = SHORT.get(name, name)
        if name not in graph and name not in catalogue.KINDS:
            known = [*graph.metrics, *graph.inputs]
            self.problem(
                place, f'"{name}"', f"neither a metric nor an input{near(name, known) or '; see `sweep list metrics`'}"
            )
        return name

    def objectives(self, graph: Graph, frontier: FrontierTable) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the frontier minimises and maximises."""
        found: dict[str, list[str]] = {"minimize": [], "maximize": []}
        for sense, names in found.items():
            for i, name in enumerate(getattr(frontier, sense)):
                place = f"frontier.{sense}[{i}]"
                known = self.known(graph, name, place)
                if known in catalogue.KINDS or graph.kinds.get(known) == "word":
                    self.problem(place, f'"{name}"', "takes words; an objective is a number")
                names.append(known)
        for name in found["minimize"]:
            if name in found["maximize"]:
                self.problem("frontier", f'"{name}"', "cannot be minimised and maximised at once")
        return tuple(found["minimize"]), tuple(found["maximize"])


def _within(declared: Input, text: str) -> list[Condition]:
    """That a derived input is within what it may be; what is not known, which is nan, stays so."""
    low, high = declared.low, declared.high
    name, number = declared.name, f"({text})"
    whole = [f"{number} % 1 == 0"] if declared.kind in ("int", "bool") else []
    least = [f"{number} >= {low!r}" if whole else f"not {number} < {low!r}"] if low > -math.inf else []
    most = [f"{number} <= {high!r}" if whole else f"not {number} > {high!r}"] if high < math.inf else []
    if not (whole or least or most):
        return []
    written = " and ".join([*whole, *least, *most])
    kind = "a whole number" if whole else "a number"
    ends = f"from {low:g} to {high:g}" if high < UNLIMITED else f"of at least {low:g}"
    label = f"{name} is 0 or 1" if declared.kind == "bool" else f"{name} is {kind} {ends}"
    return [Condition(label, written, renamed(from_text(name, written), SHORT), True, True)]


def record_words() -> list[Input]:
    """The kinds of records as inputs that take their ids as words, so that a condition can name a GPU."""
    return [
        Input(kind.name, "", "word", f"which {kind.name} is chosen", words=tuple(catalogue.records(kind.name)))
        for kind in catalogue.KINDS.values()
    ]


@lru_cache
def plain_graph() -> Graph:
    """The graph of a spec that adds nothing to it; sorting and typing some hundred metrics takes 10 ms."""
    return GRAPH.extended((), {}, record_words())


def renamed(formula: Formula, short: Mapping[str, str]) -> Formula:
    """The formula with short names written out."""
    used = [p for p in formula.parameters if p in short]
    if not used:
        return formula

    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            return ast.copy_location(ast.Name(short.get(node.id, node.id), node.ctx), node)

    parameters = tuple(dict.fromkeys(short.get(p, p) for p in formula.parameters))
    return Formula(formula.name, parameters, (), Rename().visit(formula.result))


def following(graph: Graph, partly_said: Collection[str]) -> Graph:
    """The graph in which an input that only some records of an axis name follows its formula for the others."""
    if not partly_said:
        return graph
    formulas, inputs = {}, []
    for name in partly_said:
        declared = graph.inputs[name]
        assert declared.formula is not None and not declared.formula.steps
        has, said = f"_has_{name}", f"_said_{name}"
        result = ast.IfExp(ast.Name(has, ast.Load()), ast.Name(said, ast.Load()), declared.formula.result)
        formulas[name] = Formula(name, (has, said, *declared.formula.parameters), (), result)
        inputs.append(Input(has, "", "bool", f"whether the record names {name}"))
        inputs.append(Input(said, declared.unit, declared.kind, f"{name} as the record names it"))
    return graph.extended((), formulas, inputs)


def on_inputs(graph: Graph, formula: Formula) -> bool:
    """Whether a condition follows from inputs alone, so that it can be decided before any metric."""
    nodes, leaves = graph.resolve(formula.parameters, ())
    return not any(name in graph.metrics for name in [*leaves, *(node.name for node in nodes)])

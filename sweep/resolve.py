"""From a spec to a space: every name looked up, every value checked, defaults filled in and named.

All mistakes of a spec are collected and reported together, each with its place, what stands there, and what would be
right; nothing is computed before they are put right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from kernels.consistency import RULES
from kernels.evaluate import compute, evaluate
from kernels.graph import Graph, GraphError
from kernels.quantiles import quantile_of
from sweep import layouts
from sweep.errors import Problem, SpecError
from sweep.formulas import SHORT, Formulas, following, on_inputs
from sweep.overflow import overflows
from sweep.space import Axis, Condition, Space, Written
from sweep.spec import FrontierTable, Spec, find, parse
from sweep.values import Values

LARGEST = 2**62
GONE_THROUGH = 1024  # points at which a condition is tried before it is left to the walk


def load(spec: str | Path) -> Space:
    """The space of a spec file, or of a shipped spec by its name. SpecError with everything that is wrong with it."""
    path = find(str(spec))
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(str(spec), [Problem("cannot be read", "", str(error))]) from None
    return loads(text, str(spec), path.stem)


def loads(text: str, name: str = "spec", stem: str = "") -> Space:
    """The space of a spec given as text."""
    spec, problems = parse(text, name)
    space = resolve(spec, name, problems)
    return replace(space, name=space.name or stem or name, text=text)


def resolve(spec: Spec, name: str, problems: Iterable[Problem] = (), needs_axes: bool = True) -> Space:
    """The space of a spec, or SpecError with all problems, those found already among them."""
    found = list(problems)
    formulas, values = Formulas(found), Values(found)
    axes = {SHORT.get(k, k): (f"axes.{k}", v) for k, v in spec.axes.items()}
    fixed = {SHORT.get(k, k): (f"fixed.{k}", v) for k, v in spec.fixed.items()}
    derived = {SHORT.get(k, k): (f"derived.{k}", v) for k, v in spec.derived.items()}
    _check_twice(spec, formulas, axes, fixed, derived)
    graph = formulas.graph(spec.metrics, derived)
    explicit = {*axes, *fixed, *derived}
    built = [values.axis(graph, key, place, value, explicit) for key, (place, value) in axes.items()]
    chosen: dict[str, str] = {}
    given: dict[str, int | float] = {}
    for key, (place, value) in fixed.items():
        values.fix(graph, key, place, value, explicit, given, chosen)
    good = tuple(axis for axis in built if axis is not None)
    stated = values.defaults(graph, explicit, good, given, chosen)
    values.check_draws(good, chosen, explicit)
    good = values.without_draws(good, explicit, given)
    graph = following(graph, values.partly_said)
    graph = _with_layouts(graph, good, given, stated, explicit, formulas)
    graph = formulas.elasticities(graph, _asking(spec), {*given, *(name for axis in good for name in axis.sets)})
    conditions = [*consistency(graph), *found_layouts(graph), *formulas.conditions(graph, derived, spec.where)]
    minimize, maximize = formulas.objectives(graph, spec.frontier)
    columns = tuple(formulas.known(graph, c, f"columns[{i}]") for i, c in enumerate(spec.columns))
    if not axes and needs_axes:
        formulas.problem("axes", "", 'a space has at least one axis, such as gpu = ["h100_sxm", "b200_sxm"]')
    if prod(len(axis) for axis in good) > LARGEST:
        formulas.problem("axes", "", f"their product is over 2**62 designs ({prod(map(len, good)):.3g})")
    if not found:
        written = [(f"metrics.{n}", graph.metrics[n].formula) for n in spec.metrics]
        written += [(place, f) for n, (place, _) in derived.items() if (f := graph.inputs[n].formula) is not None]
        written += [(f'where."{c.label}"', c.formula) for c in conditions if not c.is_inherent]
        found += overflows(graph, good, given, written)
    if found:
        raise SpecError(name, found)
    space = Space(
        spec.name, graph, good, given, tuple(conditions), minimize, maximize, columns, chosen, stated,
        tuple(spec.metrics), spec.description,
    )  # fmt: skip
    _check_consistency(space, name)
    return prune(space)


def _with_layouts(
    graph: Graph, axes: tuple[Axis, ...], given: dict[str, int | float], stated: dict[str, str],
    explicit: set[str], formulas: Formulas,
) -> Graph:  # fmt: skip
    """The graph, with a search of layouts where parallelism may be best."""
    if not layouts.may_be_best(graph, axes, given):
        return graph
    named = layouts.refused(explicit)
    for name in named:
        formulas.problem(name, "", layouts.refusal(name))
    if named:
        return graph
    for name in layouts.SHOWN:
        stated.pop(name, None)
    try:
        return layouts.with_layouts(graph, given, layouts.BATCH in explicit)
    except GraphError as error:
        formulas.problem("derived", "", f"what a search of layouts starts from follows from what it decides: {error}")
        return graph


def found_layouts(graph: Graph) -> list[Condition]:
    """What holds of a design whose layout is searched for; nothing where none is."""
    return [layouts.condition(graph)] if layouts.searches(graph) else []


def _asking(spec: Spec) -> list[tuple[str, str]]:
    """Every place of a spec where an elasticity may be named, with what stands there."""
    texts = [(f"metrics.{n}", m if isinstance(m, str) else m.formula) for n, m in spec.metrics.items()]
    texts += [(f"derived.{name}", text) for name, text in spec.derived.items()]
    texts += [(f'where."{label}"', text) for label, text in spec.where.items()]
    for sense in ("minimize", "maximize"):
        texts += [(f"frontier.{sense}[{k}]", name) for k, name in enumerate(getattr(spec.frontier, sense))]
    return texts + [(f"columns[{k}]", name) for k, name in enumerate(spec.columns)]


def consistency(graph: Graph) -> list[Condition]:
    """What the inputs of every design must fulfil together, as conditions that come before those of a spec."""
    return [Condition(rule.label, rule.text, rule.formula, on_inputs(graph, rule.formula), True) for rule in RULES]


def _check_consistency(space: Space, name: str) -> None:
    """SpecError when what a spec fixes contradicts itself whatever the axes; what axes contradict is left out."""
    problems = []
    for condition in space.conditions[: len(RULES)]:
        names = condition.formula.parameters
        _, leaves = space.graph.resolve(names, space.given)
        if any(leaf in axis.sets for leaf in leaves for axis in space.axes):
            continue
        values = evaluate(space.graph, names, space.fixed)
        if not compute(space.graph, condition.formula, "bool", values):
            found = ", ".join(f"{n} = {_shown(space.graph, n, values[n])}" for n in names)
            problems.append(Problem(found, "", condition.label))
    if problems:
        raise SpecError(name, problems)


def _shown(graph: Graph, name: str, value: int | float) -> str:
    return graph.words[name][int(value)] if name in graph.words else f"{value:g}"


def _check_twice(spec: Spec, formulas: Formulas, *tables: Mapping[str, tuple[str, Any]]) -> None:
    seen: dict[str, str] = {}
    for table in tables:
        for name, (place, _) in table.items():
            if name in seen:
                formulas.problem(place, "", f"{name} is already set by {seen[name]}")
            seen[name] = place
    for short, name in SHORT.items():
        for label, written in (("axes", spec.axes), ("fixed", spec.fixed), ("derived", spec.derived)):
            if short in written and name in written:
                formulas.problem(f"{label}.{short}", "", f"{short} is short for {name}, which is given too")


def prune(space: Space) -> Space:
    """The space without the axis values that a condition on that axis alone rules out, and without those conditions.

    An axis of one value counts as fixed. A condition that is seen to hold whatever the design is dropped.
    """
    axes = list(space.axes)
    left = []
    for condition in space.conditions:
        nodes, leaves = space.graph.resolve(condition.formula.parameters, space.given)
        if any(quantile_of(node.formula) or node.name == "train_layout" for node in nodes):
            left.append(condition)  # takes all draws of the law, or a search a design: it is left to the walk
            continue
        along = [i for i, axis in enumerate(axes) if len(axis) != 1 and any(leaf in axis.sets for leaf in leaves)]
        given = dict(space.fixed)
        for axis in axes:
            if len(axis) == 1:
                given |= {name: values[0].item() for name, values in axis.sets.items()}
        if not along:
            if not _holds(space, condition, given):
                left.append(condition)
        elif len(along) == 1:
            axis = axes[along[0]]
            at = [{name: values[k].item() for name, values in axis.sets.items()} for k in range(len(axis))]
            holds = [_holds(space, condition, given | values) for values in at]
            axes[along[0]] = axis.take(np.flatnonzero(np.array(holds, bool)))
        elif not (condition.on_inputs and _holds_everywhere(space, condition, given, [axes[i] for i in along])):
            left.append(condition)
    written = space.written or Written(space.axes, space.conditions)
    return replace(space, axes=tuple(axes), conditions=tuple(left), written=written)


def _holds_everywhere(
    space: Space, condition: Condition, given: Mapping[str, int | float], along: Sequence[Axis]
) -> bool:
    """Whether a condition holds at every point of a few short axes; long ones are not gone through here."""
    if prod(len(axis) for axis in along) > GONE_THROUGH:
        return False
    for places in product(*(range(len(axis)) for axis in along)):
        point = dict(given)
        for axis, place in zip(along, places, strict=True):
            point |= {name: values[place].item() for name, values in axis.sets.items()}
        if not _holds(space, condition, point):
            return False
    return True


def _holds(space: Space, condition: Condition, given: Mapping[str, int | float]) -> bool:
    values = evaluate(space.graph, condition.formula.parameters, given)
    return bool(compute(space.graph, condition.formula, "bool", values))


def narrow(
    space: Space, where: Iterable[str] = (), minimize: Iterable[str] = (), maximize: Iterable[str] = ()
) -> Space:
    """The space with more conditions, and with these objectives in place of its own when any are named.

    SpecError names what is not known or not a condition.
    """
    formulas = Formulas([])
    where, minimize, maximize = list(where), list(minimize), list(maximize)
    asking = [("--where", text) for text in where] + [("frontier", name) for name in (*minimize, *maximize)]
    space = replace(space, graph=formulas.elasticities(space.graph, asking, space.given))
    added = [formulas.condition(space.graph, "--where", text, text) for text in where]
    objectives = formulas.objectives(space.graph, FrontierTable(minimize=minimize, maximize=maximize))
    if not formulas.problems:
        asked = [("--where", c.formula) for c in added if c is not None]
        formulas.problems += overflows(space.graph, space.axes, space.fixed, asked)
    if formulas.problems:
        raise SpecError("the command", formulas.problems)
    conditions = [replace(c, on_inputs=on_inputs(space.graph, c.formula)) for c in added if c is not None]
    before = space.written or Written(space.axes, space.conditions)
    written = replace(before, conditions=(*before.conditions, *conditions))
    space = replace(space, conditions=(*space.conditions, *conditions), written=written)
    if any(objectives):
        space = replace(space, minimize=objectives[0], maximize=objectives[1])
    return prune(space)


def naming(space: Space, texts: Iterable[str], place: str) -> Space:
    """The space with every elasticity that these texts name in its graph. SpecError names what makes no sense."""
    formulas = Formulas([])
    graph = formulas.elasticities(space.graph, [(place, text) for text in texts], space.given)
    if formulas.problems:
        raise SpecError("the question", formulas.problems)
    return space if graph is space.graph else replace(space, graph=graph)


def single(given: Mapping[str, str]) -> Space:
    """A space of one design, described by its inputs. SpecError with everything that is wrong with them."""
    return resolve(Spec(fixed={name: _parsed(text) for name, text in given.items()}), "--set", needs_axes=False)


def _parsed(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text

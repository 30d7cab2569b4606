"""The values of a spec: axes, fixed inputs, records and defaults, each checked against what its input takes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kernels.graph import Graph, near
from sweep import catalogue, layouts
from sweep.axisvalues import listed
from sweep.errors import Collector, Problem
from sweep.formulas import SHORT
from sweep.space import Axis

LISTS = {"gpu": "gpus", "precision": "precisions", "kv_precision": "precisions", "train_precision": "precisions",
         "law": "laws", "model": "models", "optimizer": "optimizers", "train_framework": "frameworks",
         "price": "prices", "grid": "grids",
         "engine": "engines",
         } | {kind.name: "corrections" for kind in catalogue.CORRECTIONS}  # fmt: skip


LARGEST_COUNT = 2**53  # beyond which a float64 misses some


def as_number(value: int | float) -> float:
    """As a float64: inf where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return -math.inf if value < 0 else math.inf


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


class Values(Collector):
    """Looks values up; what is wrong gathers in problems, inputs that only some records name in partly_said."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.partly_said: list[str] = []

    def axis(self, graph: Graph, name: str, place: str, value: Any, explicit: set[str]) -> Axis | None:
        """The axis that a spec writes, or None when something is wrong with it."""
        before = len(self.problems)
        if name in catalogue.KINDS:
            records = catalogue.records(name)
            kind = "int" if catalogue.KINDS[name].numbered else None
            values = list(records) if value == "all" else listed(value, kind, place, self.problem)
            found = [self._record(name, v, f"{place}[{i}]") for i, v in enumerate(values)]
            chosen = [record for record in found if record is not None]
            self._check_repeated([record.id for record in chosen], place)
            if len(self.problems) > before:
                return None
            sets = self._record_columns(graph, name, chosen, place, explicit)
            if len(self.problems) > before:
                return None
            code_of = {word: code for code, word in enumerate(graph.words[name])}
            sets[name] = np.array([code_of[record.id] for record in chosen], np.int64)
            return Axis(name, tuple(record.id for record in chosen), sets, np.arange(len(chosen)), len(chosen))
        declared = graph.inputs.get(name) or graph.metrics.get(name)
        if declared is None:
            known = [*graph.inputs, *catalogue.KINDS, *SHORT, *graph.metrics]
            self.problem(place, "", f"{name} is neither an input nor a record{near(name, known)}")
            return None
        values = listed(value, graph.kinds[name], place, self.problem)
        codes = [
            self.value(graph, name, v, f"{place}[{i}]" if isinstance(value, list) else place, v)
            for i, v in enumerate(values)
        ]
        self._check_repeated(values, place)
        if len(self.problems) > before:
            return None
        column = np.array(codes, np.float64 if graph.kinds[name] == "float" else np.int64)
        said = {"word": tuple(str(v) for v in values), "bool": tuple(column.astype(bool).tolist())}
        labels = said.get(graph.kinds[name], tuple(column.tolist()))
        return Axis(name, labels, {name: column}, np.arange(len(values)), len(values))

    def _check_repeated(self, values: Iterable[Any], place: str) -> None:
        seen: set[Any] = set()
        for value in values:
            if value in seen:
                self.problem(place, repr(value), "stands on the axis twice")
                return
            seen.add(value)

    def _record(self, kind: str, value: Any, place: str) -> catalogue.Record | None:
        records = catalogue.records(kind)
        identity = catalogue.identified(kind, value)
        if identity in records:
            return records[identity]
        hint = catalogue.nearest(kind, identity) or f"; see `sweep list {LISTS.get(kind, kind)}`"
        self.problem(place, _quoted(value), f"not in data/{Path(catalogue.KINDS[kind].file).name}{hint}")
        return None

    def _record_columns(
        self, graph: Graph, kind: str, records: list[catalogue.Record], place: str, explicit: set[str]
    ) -> dict[str, Any]:
        """The inputs that the records of an axis decide, along it; what the spec gives itself is left out.

        Where only some records say something of an input, the others take its default.
        """
        columns: dict[str, Any] = {}
        for name in catalogue.KINDS[kind].sets:
            said = [name in r.values for r in records]
            if name in explicit or not any(said) or name not in graph.inputs:
                continue
            default = catalogue.defaults().get(name)
            codes = [
                self.value(graph, name, v, f"{place} {record.id}", v, True)
                for record in records
                for v in [record.values.get(name, default.value if default else graph.inputs[name].low)]
            ]
            kind_ = graph.kinds[name]
            if any(c is None for c in codes):
                continue
            column = np.array(codes, np.float64 if kind_ == "float" else np.int64)
            if all(said) or default is not None:
                columns[name] = column
            else:  # the records that say nothing of it follow its formula, design by design
                columns |= {f"_has_{name}": np.array(said, np.int64), f"_said_{name}": column}
                self.partly_said.append(name)
        return columns

    def value(
        self, graph: Graph, name: str, value: Any, place: str, shown: Any, from_data: bool = False
    ) -> int | float | None:
        """A value checked against what the input takes; words as codes. None when something is wrong."""
        declared = graph.inputs.get(name)
        kind = graph.kinds[name]
        if kind == "word":
            assert declared is not None
            if value in declared.words:
                return declared.words.index(value)
            hint = near(str(value), declared.words).removeprefix("; ") or f"it takes {', '.join(declared.words)}"
            self.problem(place, _quoted(shown), f"not a word that {name} takes; {hint}")
            return None
        if isinstance(value, str):
            self.problem(place, _quoted(shown), f"{name} takes a number")
            return None
        if isinstance(value, bool) and kind != "bool":
            self.problem(place, repr(shown).lower(), f"{name} takes a number, not true or false")
            return None
        number = as_number(value)
        if math.isnan(number) and from_data:
            return number
        low, high = (declared.low, declared.high) if declared else (-math.inf, math.inf)
        if kind != "float" and number != int(number if math.isfinite(number) else 0):
            self.problem(place, _quoted(shown), f"{name} is a whole number")
            return None
        if not low <= number <= high:
            advice = f"{name} lies between {low:g} and {high:g}" if high < math.inf else f"{name} is at least {low:g}"
            if name == "num_experts" and number == 0:
                advice = "0 is not a count; a dense model is num_experts = 1"
            self.problem(place, _quoted(shown), advice)
            return None
        if kind != "float" and abs(number) > LARGEST_COUNT:  # of metrics, whose range is not declared
            self.problem(place, _quoted(shown), f"{name} is a count, and none is beyond 2**53")
            return None
        return number if kind == "float" else int(number)

    def fix(
        self, graph: Graph, name: str, place: str, value: Any, explicit: set[str],
        values: dict[str, int | float], chosen: dict[str, str],
    ) -> None:  # fmt: skip
        if name in catalogue.KINDS:
            record = self._record(name, value, place)
            if record is not None:
                chosen[name] = record.id
                values[name] = graph.words[name].index(record.id)
                for key, column in self._record_columns(graph, name, [record], place, explicit).items():
                    values.setdefault(key, column[0].item())
            return
        if name not in graph:
            known = [*graph.inputs, *catalogue.KINDS, *SHORT, *graph.metrics]
            self.problem(place, repr(value), f"{name} is neither an input nor a record{near(name, known)}")
            return
        code = self.value(graph, name, value, place, value)
        if code is not None:
            values[name] = code

    def check_draws(self, axes: tuple[Axis, ...], chosen: dict[str, str], explicit: set[str]) -> None:
        """Draws replace the coefficients of the law they are draws of, and of no other."""
        along = {axis.name: axis.labels for axis in axes}
        place = "axes.law_draw" if "law_draw" in along else "fixed.law_draw"
        drawn = along.get("law_draw", (chosen.get("law_draw", catalogue.PRINTED),))
        draw = next((d for d in drawn if d != catalogue.PRINTED), None)
        laws = along.get("law", (chosen.get("law", ""),))
        if draw is None or ("law" in explicit and laws == ("",)):  # a law that is not known is reported already
            return
        of = catalogue.drawn_law(draw)
        for law in laws:
            if law != of:
                other = law or "coefficients of the spec's own"
                self.problem(place, draw, f'a draw of {of}, not of {other}: law = "{of}", or law_draw = 0')
        for name in catalogue.LAW_COEFFICIENTS:
            if name in explicit and of in laws:
                self.problem(place, draw, f"replaces {name}, which the spec gives: leave one of them out")

    def without_draws(
        self, axes: tuple[Axis, ...], explicit: set[str], values: dict[str, int | float]
    ) -> tuple[Axis, ...]:
        """The axes of a spec, and what it fixes, where coefficients of its own are of no law that has draws."""
        if catalogue.HAS_DRAWS in explicit or explicit.isdisjoint(catalogue.LAW_COEFFICIENTS):
            return axes
        values.update({catalogue.HAS_DRAWS: 0} if catalogue.HAS_DRAWS in values else {})
        none = [{n: np.zeros_like(v) if n == catalogue.HAS_DRAWS else v for n, v in axis.sets.items()} for axis in axes]
        return tuple(replace(axis, sets=sets) for axis, sets in zip(axes, none, strict=True))

    def defaults(
        self, graph: Graph, explicit: set[str], axes: tuple[Axis, ...],
        values: dict[str, int | float], chosen: dict[str, str],
    ) -> dict[str, str]:  # fmt: skip
        """Fill in what the spec leaves open; what was filled in, in words."""
        stated: dict[str, str] = {}
        covered = explicit | set(values) | {name for axis in axes for name in axis.sets}
        names = {axis.name for axis in axes} | set(chosen) | explicit
        for name, default in catalogue.defaults().items():
            if name in catalogue.KINDS and name not in names:
                sets = [s for s in catalogue.KINDS[name].sets if s in graph.inputs]
                if all(s in covered for s in sets):
                    continue
                record = catalogue.records(name)[str(default.value)]
                chosen[name] = record.id
                stated[name] = record.id
                values[name] = graph.words[name].index(record.id)
                for key, column in self._record_columns(graph, name, [record], f"default {name}", covered).items():
                    values[key] = column[0].item()
            elif name in graph.inputs and name not in covered:
                value = layouts.default_of(name, default.value, covered)
                code = self.value(graph, name, value, f"default {name}", value, True)
                assert code is not None
                values[name] = code
                stated[name] = str(value)
        for name, declared in graph.inputs.items():
            if declared.formula is not None and name not in covered and name not in self.partly_said:
                stated[name] = declared.formula.text
        return stated

"""Designs given as rows of a table: the same rows out, in the same order, with metrics added.

A column named after an input, or after a kind of record (``gpu``, ``model``, ...), is read; every other column passes
through untouched. Two columns of the same input are an error. An empty cell takes its default. A row that cannot be
evaluated keeps its place with empty metrics and is reported; the others are not lost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels import elasticities
from kernels.consistency import RULES, Rule
from kernels.graph import Graph, GraphError, Input, Metric, near
from kernels.model import GRAPH
from sweep import catalogue, headers, layouts, truth
from sweep.columns import DEFAULT_COLUMNS, declare
from sweep.errors import Problem, SpecError
from sweep.execute import Evaluator, each, rows
from sweep.formulas import SHORT
from sweep.plan import Plan
from sweep.space import Axis, Space

if TYPE_CHECKING:
    import polars as pl

Array = Any
MOST = 2**53  # whole numbers are read as floats, which hold them one by one up to here


_RULES = {f"_rule_{k}": rule for k, rule in enumerate(RULES)}
_WITH_RULES = GRAPH.extended(
    [Metric(name, "", "", rule.label, replace(rule.formula, name=name)) for name, rule in _RULES.items()], {}
)


@dataclass(frozen=True)
class BadRow:
    """A row that was not evaluated: its number (0 for the first), the column and what is wrong with it."""

    row: int
    column: str
    reason: str


@dataclass
class _Cells:
    """One input along the rows: values where has is true."""

    values: Array
    has: Array


def evaluate(
    frame: pl.DataFrame, columns: Sequence[str] = (), given: Mapping[str, Any] | None = None, *, threads: int = 0
) -> pl.DataFrame:
    """The frame with metrics added; columns are inputs or metrics, the usual ones when none are named.

    given sets inputs (or metrics, taken as they are) for every row, whatever the row says. SpecError names every row
    that cannot be evaluated; see evaluate_rows for the rows that can.
    """
    result, bad = evaluate_rows(frame, columns, given, threads=threads)
    if bad:
        problems = [Problem(f"row {b.row + 1}, {b.column}", "", b.reason) for b in bad[:50]]
        raise SpecError("the table", problems, "nothing is returned")
    return result


def evaluate_rows(
    frame: pl.DataFrame, columns: Sequence[str] = (), given: Mapping[str, Any] | None = None, *, threads: int = 0
) -> tuple[pl.DataFrame, list[BadRow]]:
    """As evaluate, with the rows that could not be evaluated beside the frame, their metrics empty.

    A wanted metric whose name is a column of the table already comes out as added_name has it.
    """
    import polars as pl

    wanted = known_columns([SHORT.get(c, c) for c in (columns or DEFAULT_COLUMNS)])
    given = truth.numbered(given or {})
    headers.inputs(given, "--set")
    reader = _Reader(frame, {SHORT.get(k, k): v for k, v in given.items()})
    cells, pinned = reader.read()
    good = np.flatnonzero(~reader.bad)
    words = GRAPH.words
    declared = graph_of(wanted)
    results: dict[str, Array] = {}
    for name in wanted:
        results[name] = np.zeros(len(frame), np.float64 if declared.kinds[name] == "float" else np.int64)
    for group in _alike(cells, good):
        space = _space(cells, pinned, group)
        searched = layouts.may_be_best(space.graph, space.axes, space.fixed)
        if searched:
            named = layouts.refused([name for name, cell in cells.items() if cell.has[group[0]]])
            if named:
                reader.refuse_for(group, named[0], layouts.refusal(named[0]))
                continue
            fixed = dict(space.fixed)
            graph = layouts.with_layouts(space.graph, fixed, layouts.BATCH in space.given)
            space = replace(space, fixed=fixed, graph=graph)
        space = replace(space, graph=elasticities.extended(space.graph, elasticities.asked(wanted), space.given))
        computed = [*_RULES, *(name for name in wanted if name not in pinned)]
        if searched:
            computed = list(dict.fromkeys([*computed, "train_layout"]))
        evaluator = Evaluator(Plan(space, computed))
        blocks = range(evaluator.box.blocks)
        runs = [range(k, min(k + 8, len(blocks))) for k in range(0, len(blocks), 8)]
        found = list(each(evaluator, partial(rows, columns=computed), runs, threads or None))
        for name in computed:
            values = np.concatenate([part.columns[name] for part in found])
            if name in _RULES:
                reader.refuse(group[values == 0], _RULES[name])
            elif name in results:
                results[name][group] = values
            if name == "train_layout" and searched:
                reader.refuse_for(group[np.isnan(values)], "num_gpus", layouts.NONE)
        for name in set(wanted) & set(pinned):
            results[name][group] = pinned[name]
    added = []
    for column in declare(Space("rows", declared, (), {}), wanted)[1:]:
        values = results[column.name]
        if column.kind == "word":
            series = pl.Series(column.name, [words[column.name][int(v)] for v in values], pl.String)
        elif column.kind == "bool":
            series = pl.Series(column.name, values != 0)
        else:
            series = pl.Series(column.name, values)
        if reader.bad.any():
            series = series.to_frame().select(pl.when(pl.Series(~reader.bad)).then(pl.col(column.name))).to_series()
        added.append(series.alias(added_name(column.name, frame.columns)))
    return frame.with_columns(added), sorted(reader.reports, key=lambda b: b.row)


def added_name(name: str, taken: Collection[str]) -> str:
    """What a metric is called beside the columns of a table: ``<name>_computed`` where there is one of its name."""
    while name in taken:
        name += "_computed"
    return name


def known_columns(names: Sequence[str]) -> list[str]:
    """The names, each once; SpecError for what is neither a metric, an input nor an elasticity of one to the other."""
    names = list(dict.fromkeys(names))
    known = [*GRAPH.metrics, *GRAPH.inputs]
    problems = []
    for name in names:
        if elasticities.asked([name]):
            try:
                elasticities.extended(GRAPH, [name], ())
            except GraphError as error:
                problems.append(Problem("columns", f'"{name}"', str(error)))
        elif name in catalogue.KINDS:
            problems.append(
                Problem("columns", f'"{name}"', "an input, and no metric to add: a table or --set gives it")
            )
        elif name not in GRAPH:
            hint = near(name, known) or "; see `sweep list metrics`"
            problems.append(Problem("columns", f'"{name}"', f"neither a metric nor an input{hint}"))
    if problems:
        raise SpecError("the table", problems)
    return names


def graph_of(columns: Sequence[str]) -> Graph:
    """The graph in which these columns are declared, elasticities with nothing given among them."""
    return elasticities.extended(GRAPH, elasticities.asked(columns), ())


class _Reader:
    """Turns the columns of a table into inputs along its rows, and notes the rows that are wrong."""

    def __init__(self, frame: pl.DataFrame, given: Mapping[str, Any]) -> None:
        self.frame = frame
        self.given = given
        self.columns = headers.inputs(frame.columns)
        self.rows = len(frame)
        self.bad = np.zeros(self.rows, bool)
        self.reports: list[BadRow] = []
        self.ids: dict[str, Array] = {}

    def read(self) -> tuple[dict[str, _Cells], dict[str, int | float]]:
        """Inputs along the rows, and metrics given for all of them."""
        pinned = self._check_given()
        records: dict[str, _Cells] = {}
        explicit: dict[str, _Cells] = {}
        for name, column in self.columns.items():
            if name in self.given:
                continue
            if name in catalogue.KINDS:
                records |= self._records(name, self._ids(name, column))
            else:
                explicit[name] = self._numbers(name, column)
        for name, value in self.given.items():
            if name in catalogue.KINDS:
                records |= self._records(name, np.full(self.rows, catalogue.identified(name, value), object))
            elif name in GRAPH.inputs:
                explicit[name] = self._constant(name, value)
        self._check_draws(explicit)
        merged = dict(records)
        for name, cells in explicit.items():
            under = records.get(name)
            if under is None:
                merged[name] = cells
            else:
                merged[name] = _Cells(np.where(cells.has, cells.values, under.values), cells.has | under.has)
        own = [cells.has for name, cells in explicit.items() if name in catalogue.LAW_COEFFICIENTS]
        if own and catalogue.HAS_DRAWS not in explicit:  # coefficients of one's own are of no law that has draws
            none = _Cells(np.zeros(self.rows, np.int64), np.logical_or.reduce(own))
            drawn = merged.get(catalogue.HAS_DRAWS, none)
            merged[catalogue.HAS_DRAWS] = _Cells(np.where(none.has, 0, drawn.values), drawn.has | none.has)
        for name in pinned:
            merged.pop(name, None)
        return merged, pinned

    def refuse(self, rows: Array, rule: Rule) -> None:
        """Note rows whose inputs contradict each other."""
        self.refuse_for(rows, ", ".join(rule.formula.parameters), rule.label)

    def refuse_for(self, rows: Array, column: str, reason: str) -> None:
        """Note rows that cannot be evaluated for one reason."""
        wrong = np.zeros(self.rows, bool)
        wrong[rows] = True
        self._report(wrong, column, lambda _: reason)

    def _check_given(self) -> dict[str, int | float]:
        pinned: dict[str, int | float] = {}
        problems = []
        for name, value in self.given.items():
            if name in GRAPH.metrics:
                if why := _not_taken_as_is(name, value):
                    problems.append(Problem(f"--set {name}", f'"{value}"', why))
                else:
                    pinned[name] = float(value) if GRAPH.kinds[name] == "float" else int(float(value))
            elif name not in GRAPH.inputs and name not in catalogue.KINDS:
                known = [*GRAPH.inputs, *catalogue.KINDS, *GRAPH.metrics]
                problems.append(Problem(f"--set {name}", f'"{value}"', f"{name} is not known{near(name, known)}"))
            elif name in catalogue.KINDS and catalogue.identified(name, value) not in catalogue.records(name):
                hint = catalogue.nearest(name, str(value)).removeprefix("; ") or "see `sweep list`"
                problems.append(Problem(f"--set {name}", f'"{value}"', f"not a known {name}; {hint}"))
            elif name in GRAPH.inputs and (why := _refused(name, value)):
                problems.append(Problem(f"--set {name}", f'"{value}"', why))
        if problems:
            raise SpecError("--set", problems)
        return pinned

    def _constant(self, name: str, value: Any) -> _Cells:
        code = GRAPH.inputs[name].words.index(str(value)) if name in GRAPH.words else float(value)
        kind = np.float64 if GRAPH.kinds[name] == "float" else np.int64
        return _Cells(np.full(self.rows, code).astype(kind), np.ones(self.rows, bool))

    def _report(self, wrong: Array, column: str, reason: Any) -> None:
        for row in np.flatnonzero(wrong & ~self.bad):
            self.reports.append(BadRow(int(row), column, reason(int(row))))
        self.bad |= wrong

    def _text(self, column: str) -> Array:
        """The cells of a column as text without spaces around it, None where there is nothing."""
        import polars as pl

        series = self.frame[column]
        if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
            return np.array([None if v is None else str(v) for v in series.to_list()], object)
        text = series.cast(pl.String).str.strip_chars()
        return np.array([None if v == "" else v for v in text.to_list()], object)

    def _ids(self, kind: str, column: str) -> Array:
        """The record ids in a column, None where there is none."""
        if self.frame[column].dtype.is_float():
            written = self.frame[column].to_list()
            return np.array([None if v is None else catalogue.identified(kind, v) for v in written], object)
        return self._text(column)

    def _check_draws(self, explicit: Mapping[str, _Cells]) -> None:
        """Note rows whose law is not the one that their draw of coefficients is of, or that give them themselves."""
        if "law_draw" not in self.ids:
            return
        draws = self.ids["law_draw"]
        default = str(catalogue.defaults()["law"].value)
        laws = np.array([v or default for v in self.ids.get("law", np.full(self.rows, default))], object)
        known = catalogue.records("law_draw")
        of = np.array([known[v].facts["law"] if v in known else "" for v in draws], object)
        wrong = np.array([bool(a) and a != b for a, b in zip(of, laws, strict=True)], bool)
        self._report(wrong, "law_draw", lambda row: f"draw {draws[row]} is of {of[row]}, not of {laws[row]}")
        for name in catalogue.LAW_COEFFICIENTS:
            if name in explicit:
                both = explicit[name].has & (of != "")
                self._report(both, name, lambda row: f"draw {draws[row]} replaces it: leave one of them out")

    def _numbers(self, name: str, column: str) -> _Cells:
        import polars as pl

        declared = GRAPH.inputs[name]
        if declared.kind == "word":
            text = self._text(column)
            codes = {word: k for k, word in enumerate(declared.words)}
            has = np.array([v is not None for v in text], bool)
            wrong = np.array([v is not None and v not in codes for v in text], bool)
            self._report(wrong, column, lambda row: _refused(name, text[row]))
            return _Cells(np.array([codes.get(v, 0) for v in text], np.int64), has & ~wrong)
        series = self.frame[column]
        if series.dtype in (pl.String, pl.Categorical, pl.Enum):
            series = series.cast(pl.String).str.strip_chars().replace("", None)
            series = series.replace(truth.NUMBERS) if declared.kind == "bool" else series
            numbers = series.cast(pl.Float64, strict=False)
        elif series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.Null):
            numbers = series.cast(pl.Float64)
        else:  # dates would be days since 1970
            numbers = pl.Series([None] * self.rows, dtype=pl.Float64)
        has = series.is_not_null().to_numpy()
        values = numbers.fill_null(float("nan")).to_numpy()
        wrong = has & ~((values >= declared.low) & (values <= _most(declared)))
        if declared.kind != "float":
            wrong |= has & (values != np.floor(values))
        self._report(wrong, column, lambda row: _refused_cell(name, series.slice(row, 1).to_list()[0]))
        has = has & ~wrong
        kind = np.float64 if declared.kind == "float" else np.int64
        return _Cells(np.where(has, values, 0).astype(kind), has)

    def _records(self, kind: str, ids: Array) -> dict[str, _Cells]:
        self.ids[kind] = ids
        known = catalogue.records(kind)
        wrong = np.array([v is not None and v not in known for v in ids], bool)
        if kind == "model":  # a name that we do not know is a label where the row describes the model itself
            described = np.ones(self.rows, bool)
            for needed in ("hidden_size", "num_layers", "vocab_size"):
                if needed not in self.columns:
                    described[:] = False
                else:
                    described &= np.array([v is not None for v in self._text(self.columns[needed])], bool)
            wrong &= ~described
        self._report(
            wrong, kind, lambda row: f"{ids[row]!r} is not a known {kind}{catalogue.nearest(kind, str(ids[row]))}"
        )
        cells: dict[str, _Cells] = {}
        used = sorted({v for v in ids if v in known}) if any(v is not None for v in ids) else []
        place = {v: k for k, v in enumerate(used)}
        at = np.array([place.get(v, -1) for v in ids], np.int64)
        for name in catalogue.KINDS[kind].sets:
            if name not in GRAPH.inputs:
                continue
            floats = GRAPH.kinds[name] == "float"
            values = np.zeros(len(used) + 1, np.float64 if floats else np.int64)
            said = np.zeros(len(used) + 1, bool)
            for k, record in enumerate(used):
                value = known[record].values.get(name)
                if value is None:
                    continue
                if isinstance(value, str) and value not in GRAPH.words.get(name, ()):
                    self._report(
                        at == k, kind, lambda _, r=record, n=name, v=value: f"{r}: {n} {v} is not evaluated yet"
                    )
                    continue
                values[k] = GRAPH.words[name].index(value) if isinstance(value, str) else value
                said[k] = True
            cells[name] = _Cells(values[at], said[at])
        return cells


def _refused(name: str, value: Any) -> str:
    """Why an input does not take a value, '' when it does."""
    declared = GRAPH.inputs[name]
    if declared.words:
        if str(value) in declared.words:
            return ""
        return (
            f"{value!r} is not a word that {name} takes: {', '.join(declared.words)}{near(str(value), declared.words)}"
        )
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return _no_number(name, value)
    if declared.kind != "float" and not number.is_integer():
        return f"{name} is a whole number, not {value}"
    most = _most(declared)
    if not declared.low <= number <= most:
        upper = f" and at most {_limit(most)}" if most < float("inf") else ""
        return f"{name} is at least {declared.low:g}{upper}, not {value}"
    return ""


def _refused_cell(name: str, value: Any) -> str:
    """Why an input does not take a cell, some of which are numbers to Python only, such as 1_000."""
    return _refused(name, value) or _no_number(name, value)


def _no_number(name: str, value: Any) -> str:
    """A number is needed; text and bytes are shown as such, other values as they are written."""
    return f"{name} takes a number, not {repr(value) if isinstance(value, str | bytes) else value}"


def _not_taken_as_is(name: str, value: Any) -> str:
    """Why a metric cannot be given as this value, '' when it can."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return f"{name} is a number"
    if GRAPH.kinds[name] == "float":
        return ""
    if not number.is_integer():
        return f"{name} is a whole number"
    return "" if abs(number) <= MOST else f"{name} is at most {_limit(MOST)}"


def _most(declared: Input) -> float:
    """The greatest value that an input takes."""
    return declared.high if declared.kind == "float" else min(declared.high, MOST)


def _limit(most: float) -> str:
    return "2**53" if most == MOST else f"{most:g}"


def _alike(cells: Mapping[str, _Cells], good: Array) -> list[Array]:
    """The rows in groups that give the same inputs, so that each group is one space."""
    if not len(good):
        return []
    mixed = [c.has[good] for c in cells.values() if c.has[good].any() and not c.has[good].all()]
    if layouts.WORD in cells:
        searched = cells[layouts.WORD].has & (cells[layouts.WORD].values == layouts.best_code(GRAPH))
        mixed.append(searched[good])
    if not mixed:
        return [good]
    patterns, member = np.unique(np.stack(mixed, axis=1), axis=0, return_inverse=True)
    return [good[member.reshape(-1) == k] for k in range(len(patterns))]


def _space(cells: Mapping[str, _Cells], pinned: Mapping[str, int | float], group: Array) -> Space:
    """The rows of a group as a space with one axis."""
    sets = {name: c.values[group] for name, c in cells.items() if c.has[group[0]]}
    fixed: dict[str, int | float] = dict(pinned)
    for name, default in catalogue.defaults().items():
        if name in catalogue.KINDS:
            record = catalogue.records(name)[str(default.value)]
            for key, value in record.values.items():
                if key in GRAPH.inputs and key not in sets:
                    fixed.setdefault(key, _code(key, value))
        elif name in GRAPH.inputs and name not in sets:
            fixed.setdefault(name, _code(name, layouts.default_of(name, default.value, sets)))
    places = np.arange(len(group))
    axis = Axis("row", tuple(places.tolist()), sets, places, len(group))
    return Space("rows", _WITH_RULES, (axis,), fixed)


def _code(name: str, value: Any) -> int | float:
    if name in GRAPH.words:
        return GRAPH.words[name].index(str(value))
    return float(value) if GRAPH.kinds[name] == "float" else int(value)

"""open.sql: any DuckDB client, started in the run folder wherever that is, has the same tables."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.evaluate import compute
from kernels.interpreter import SCOPE
from kernels.language import FormulaError, Kind, emit, from_text, kind_of, unified
from kernels.model import GRAPH
from sweep import sqlroots
from sweep.columns import Column
from sweep.opensql import macro_name, metric_macros, text, translated
from sweep.resolve import loads
from sweep.sqltext import to_sql

TYPES = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "word": pl.String}
COLUMNS = [
    Column("design_id", "int", "", "number of the design", "the spec"),
    Column("loss_nats", "float", "nat", "what's lost", "a paper; another"),
    Column("my_score", "float", "", "a metric of the spec", "the spec"),
]

READER = """
import duckdb, sys
con = duckdb.connect()
for statement in con.extract_statements(open("open.sql", encoding="utf-8").read()):
    con.execute(statement.query)
print(con.execute("select count(*), min(loss_nats) from designs").fetchall())
print(con.execute("select design_id from pareto2('designs', loss_nats, my_score) order by 1").fetchall())
print(con.execute("select gpu_memory_bytes from accelerators where id = 'h100_sxm'").fetchall())
print(con.execute("select (select count(*) > 20 from models), (select count(*) > 2 from laws)").fetchall())
print(con.execute("select name from metrics where name in ('loss_nats', 'my_score') order by 1").fetchall())
told = "select comment from duckdb_columns() where table_name = 'designs' and column_name = 'loss_nats'"
print(con.execute(told).fetchall())
"""


def test_a_run_folder_opens_wherever_it_was_moved(tmp_path: Path) -> None:
    (tmp_path / "here" / "parts").mkdir(parents=True)
    for part in range(2):
        rows = {"design_id": [2 * part, 2 * part + 1], "loss_nats": [2.0 + part, 3.0], "my_score": [1.0, 0.5 * part]}
        pl.DataFrame(rows).write_parquet(tmp_path / "here" / "parts" / f"part-{part:05d}.parquet")
    (tmp_path / "here" / "open.sql").write_text(text(COLUMNS, "a name\nof two lines"), encoding="utf-8")
    moved = tmp_path / "year=2026"
    (tmp_path / "here").rename(moved)
    done = subprocess.run([sys.executable, "-c", READER], cwd=moved, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["[(4, 2.0)]", "[(0,), (1,)]"]
    assert lines[3:5] == ["[(True, True)]", "[('loss_nats',), ('my_score',)]"]
    assert lines[5] == """[("[nat] what's lost (a paper; another)",)]"""


def test_the_text_is_the_same_every_time_and_names_no_place() -> None:
    first = text(COLUMNS, "x")
    assert first == text(COLUMNS, "x")
    assert str(Path(__file__).resolve().parent.parent) not in first


# ------------------------------------------------------------------------------- formulas mean the same in SQL

FLOATS = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5, -2.5, 7.0, 1e10, math.nan, math.inf, -math.inf]),
    st.floats(-1e6, 1e6, allow_subnormal=False),
)
INTEGERS = st.integers(-1000, 1000)
KINDS: dict[str, Kind] = {"x": "float", "y": "float", "i": "int", "j": "int", "flag": "bool", "compute_format": "word"}
WORDS = {"compute_format": GRAPH.words["compute_format"]}


def numbers() -> st.SearchStrategy[str]:
    leaves = st.sampled_from(["x", "y", "i", "j", "2", "0", "-3", "0.1", "1e3", "flag"])

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pairs = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner)
        calls = st.tuples(st.sampled_from(["ceil", "floor", "sqrt", "log", "log2", "exp"]), inner)
        return st.one_of(
            pairs.map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
            calls.map(lambda c: f"{c[0]}({c[1]})"),
            st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda c: f"{c[0]}({c[1]}, {c[2]})"),
            inner.map(lambda a: f"({a}) ** 2"),
            st.tuples(inner, conditions(inner), inner).map(lambda c: f"({c[0]} * 1.0 if {c[1]} else {c[2]} * 1.0)"),
        )

    return st.recursive(leaves, larger, max_leaves=4)


def conditions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    compared = st.tuples(inner, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner).map(" ".join)
    chained = st.tuples(inner, inner, inner).map(lambda c: f"{c[0]} < {c[1]} <= {c[2]}")
    words = st.sampled_from(['compute_format == "bf16"', 'compute_format != "fp8"', "flag"])
    simple = st.one_of(compared, chained, words)
    both = st.tuples(simple, st.sampled_from(["and", "or"]), simple).map(lambda c: f"({c[0]} {c[1]} {c[2]})")
    return st.one_of(simple, both, both.map(lambda c: f"not {c}"))


ROW = st.tuples(FLOATS, FLOATS, INTEGERS, INTEGERS, st.booleans(), st.sampled_from(WORDS["compute_format"]))


def in_python(expression: str, row: tuple[object, ...]) -> object:
    """The language as it is evaluated everywhere else, with numpy's rules for division."""
    import numpy as np

    formula = from_text("f", expression)
    cells = dict(zip(KINDS, row, strict=True))
    cells["compute_format"] = WORDS["compute_format"].index(str(cells["compute_format"]))
    wrapped: dict[str, Callable[[Any], Any]] = {"float": np.float64, "int": np.int64}
    scope = {n: wrapped[KINDS[n]](v) if KINDS[n] in wrapped else v for n, v in cells.items()}
    code = emit(unified(formula, KINDS, WORDS).result, {}, WORDS)
    with np.errstate(all="ignore"):
        return eval(code, dict(SCOPE), scope)


@given(st.one_of(numbers(), conditions(numbers())), ROW)
@settings(max_examples=400, deadline=None)
def test_formulas_mean_the_same_in_sql(expression: str, row: tuple[object, ...]) -> None:
    formula = from_text("f", expression)
    kind_of(formula, KINDS, WORDS)
    try:
        expected = in_python(expression, row)
    except (ZeroDivisionError, OverflowError, ValueError):  # constants alone: Python has its own rules for those
        return
    names = ", ".join(f'"{name}"' for name in KINDS)
    types = {"float": "double", "int": "bigint", "bool": "boolean", "word": "varchar"}
    values = ", ".join(f"cast(? as {types[kind]})" for kind in KINDS.values())
    sql = f"select {to_sql(formula, KINDS)} from (values ({values})) as t({names})"
    found = CONNECTION.execute(sql, list(row)).fetchall()[0][0]
    assert isinstance(found, bool) == (kind_of(formula, KINDS, WORDS) == "bool")
    assert found == pytest.approx(float(expected), rel=1e-12, abs=1e-300, nan_ok=True), sql  # type: ignore[arg-type]


CONNECTION = duckdb.connect()


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize("left", [1.0, math.nan])
@pytest.mark.parametrize("right", [1.0, math.nan])
def test_comparisons_with_nan_are_those_of_python(operator: str, left: float, right: float) -> None:
    expression = f"x {operator} y"
    sql = to_sql(from_text("f", expression), {"x": "float", "y": "float"})
    found = CONNECTION.execute(
        f"select {sql} from (values (?::double, ?::double)) as t(x, y)", [left, right]
    ).fetchall()
    assert found == [(eval(expression, {"x": left, "y": right}),)]


def test_a_word_is_compared_with_words_only() -> None:
    with pytest.raises(FormulaError):
        to_sql(from_text("f", "x + word"), {"x": "float", "word": "word"})


def test_every_metric_is_a_macro_that_agrees_with_the_kernels() -> None:
    """Each macro, given what the kernels computed for its parameters, returns what they computed for it.

    Only the search over all layouts and what is over all draws of a law have none.
    """
    from sweep.lazyframe import scan

    space = loads("""
        [axes]
        hidden_size = [1024, 4096]
        num_experts = [1, 8]
        precision = ["bf16", "int4_g128"]
        gpu = ["v100_sxm2_32", "h100_sxm"]
    """)
    designs = scan(space).collect()
    fixed = {
        name: space.graph.words[name][int(value)] if name in space.graph.words else value
        for name, value in space.fixed.items()
        if name not in designs.columns
    }
    designs = designs.with_columns(pl.lit(value).alias(name) for name, value in fixed.items())
    with duckdb.connect() as connection:
        connection.register("designs", designs.to_arrow())
        compared = 0
        for statement in sqlroots.macros():
            connection.execute(statement)
        for formula, statement in zip(translated(GRAPH), metric_macros(GRAPH), strict=True):
            metric = GRAPH.metrics[formula.name]
            connection.execute(statement)
            if {metric.name, *metric.formula.parameters} <= set(designs.columns):
                arguments = ", ".join(f'"{p}"' for p in metric.formula.parameters)
                sql = f'select "{metric.name}_of"({arguments}) as ours, "{metric.name}" as theirs from designs'
                for ours, theirs in connection.execute(sql).fetchall():
                    assert ours == pytest.approx(theirs, rel=1e-12, nan_ok=True), metric.name
                compared += 1
        assert compared > 150


EDGES: dict[Kind, list[object]] = {
    "float": [0.0, 1.0, 0.5, 3.7, 1e3, 1e12, 1e26, math.nan, math.inf],
    "int": [0, 1, 2, 7, 64, 1000, 4096],
    "bool": [False, True],
}


def test_every_macro_agrees_with_its_kernel_on_random_inputs_edges_and_nan() -> None:
    """Kernels in plain Python on each row are the oracle; whole numbers past 2**63 are an error in SQL."""
    random = Random(7)
    with duckdb.connect() as connection:
        for statement in sqlroots.macros():
            connection.execute(statement)
        for formula, statement in zip(translated(GRAPH), metric_macros(GRAPH), strict=True):
            connection.execute(statement)
            choices = {p: list(GRAPH.words.get(p, EDGES.get(GRAPH.kinds[p], []))) for p in formula.parameters}
            rows = [{p: random.choice(values) for p, values in choices.items()} for _ in range(30)]
            table = pl.DataFrame(rows, {p: TYPES[GRAPH.kinds[p]] for p in formula.parameters})
            connection.register("given", table.to_arrow())
            asked = ", ".join(f'"{p}"' for p in formula.parameters)
            found = connection.execute(f'select "{macro_name(formula)}"({asked}) from given').fetchall()
            for row, (ours,) in zip(rows, found, strict=True):
                codes = {p: GRAPH.words[p].index(str(v)) if p in GRAPH.words else v for p, v in row.items()}
                with np.errstate(all="ignore"):
                    theirs = compute(GRAPH, formula, GRAPH.kinds[formula.name], codes)  # type: ignore[arg-type]
                assert ours == pytest.approx(theirs, rel=1e-12, nan_ok=True), (formula.name, row)

"""A query's frontiers as the kernels find them, against the macros in whose place they answer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sweep import sqlfolding, sqlpareto
from sweep.database import Database, QueryError
from sweep.lazyframe import scan
from sweep.resolve import loads
from sweep.run import write
from sweep.space import Space
from tests import naive_pareto

SPEC = """
columns = ["params_total", "loss_nats", "lifetime_usd", "serve_bytes", "decode_tokens_per_s"]
[axes]
hidden_size  = [1024, 2048, 4096]
num_layers   = [16, 24, 80]
train_tokens = { log10 = [10, 13], points = 5 }
precision    = ["bf16", "int4_g128"]
gpu          = ["v100_sxm2_32", "h100_sxm"]
[where]
"fits" = "min_gpus_to_serve <= 4"
"""
GOALS = ("loss_nats", "lifetime_usd", "-decode_tokens_per_s", "-params_total", "serve_bytes", "num_layers")
REPLACED = [
    "select * from pareto2('designs', loss_nats, lifetime_usd)",
    "select p.gpu, count(*) as n from PARETO3('designs', Loss_Nats, lifetime_usd, -(-serve_bytes)) as p group by p.gpu",
    "with f as (from pareto('designs', -params_total, ties := 'one')) select design_id, precision from f",
    "select (select count(*) from pareto('designs', serve_bytes)) as n, a.design_id from designs a where loss_nats < 3",
    "from pareto('designs', loss_nats, lifetime_usd, epsilon := 0.05) where serve_bytes > $least",
    "from pareto2('designs', loss_nats * 2, abs(lifetime_usd), ties := 'one')",
    "select design_id from pareto2('designs', loss_nats, loss_nats)",
    "select a.design_id from pareto('Designs', loss_nats) a, pareto('designs', (select 1)) b",
]
LEFT = [
    "with designs as (select 1 as x, 2 as y) select x as design_id from pareto2('designs', x, y)",
    "with few as (from designs where num_layers = 16) select design_id from pareto2('few', loss_nats, lifetime_usd)",
    "select design_id from pareto2('designs', design_id, loss_nats)",
    "select design_id from pareto2('designs', loss_nats, (select 1))",
    "select design_id from pareto2('designs', loss_nats, cast(num_layers as hugeint))",
    "select 'pareto2(''designs'', loss_nats, lifetime_usd)' as design_id",
]


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Database]]:
    space: Space = loads(SPEC)
    folder = tmp_path_factory.mktemp("run") / "run"
    write(space, folder)
    with Database.open_space(space) as virtual, Database.open_run(folder) as kept:
        yield [virtual, kept]


def both(database: Database, query: str) -> tuple[pl.DataFrame, pl.DataFrame, bool]:
    """The answer, that of the macros, and whether kernels had a part in the first."""
    params = {"least": 1e9} if "$least" in query else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlpareto, "answered", lambda cursor, sql, *_: sql)
        slow = database.query(query, params).pl()
    made: list[bool] = []
    put = sqlpareto._put_frontier

    def noted(*arguments: Any) -> bool:
        made.append(put(*arguments))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlpareto, "_put_frontier", noted)
        fast = database.query(query, params).pl()
    order = slow.columns
    return fast.sort(order), slow.sort(order), any(made)


@pytest.mark.parametrize(("query", "is_replaced"), [(q, True) for q in REPLACED] + [(q, False) for q in LEFT])
def test_kernels_answer_as_the_macros_do(databases: list[Database], query: str, is_replaced: bool) -> None:
    for k, database in enumerate(databases):
        if "design_id, loss" in query and k == 1:
            continue  # of a run the id is a column like others
        fast, slow, found = both(database, query)
        assert_frame_equal(fast, slow, check_exact=True, categorical_as_str=True)
        assert found == is_replaced


@pytest.mark.slow
@given(
    st.lists(st.sampled_from(GOALS), min_size=1, max_size=5, unique=True),
    st.sampled_from(["", ", ties := 'one'", ", epsilon := 0.02"]),
)
@settings(deadline=None, max_examples=30)
def test_kernels_answer_any_call_as_the_macros_do(databases: list[Database], goals: list[str], setting: str) -> None:
    query = f"from pareto('designs', {', '.join(goals)}{setting})"
    for database in databases:
        fast, slow, _ = both(database, query)
        assert_frame_equal(fast, slow, check_exact=True, categorical_as_str=True)


ODD = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e308]
OTHERS = [  # over the view or table v of a, b, c and word, and whether kernels answer
    ("from pareto2('v', a, b)", True),
    ("select a, n from pareto2('v', a, b) order by all", True),
    ("select v.word, count(*) as m from pareto3('v', -a, b, c + 1) v group by all", True),
    ("select count(*) as m from pareto('v', b)", True),
    ("""select "of n" from pareto2('w', a, b)""", True),
    ("select f.n from pareto2('v', a, c) f", True),
    ("select t from pareto2('v', a, c) t", True),
    ("select l.n, r.n as other from pareto2('v', a, b) l join pareto2('V', b, c) r using (word)", True),
    ("select #1 as first from pareto2('v', a, b)", True),
    ("select n, word from pareto2('v', a, b, ties := 'one')", False),
    ("select n from pareto2('v', a, ln(abs(b) + 1))", True),
    ("select n from pareto2('v', a, c::hugeint)", False),
    ("select n from pareto2('main.v', a, c)", False),
]


@pytest.mark.parametrize("which", [0, 1])
@given(
    st.lists(
        st.tuples(*[st.sampled_from([*ODD, 1.0, 2.0, 3.0, None])] * 2, st.integers(-3, 3) | st.none()), max_size=40
    )
)
@settings(deadline=None, max_examples=5)
def test_kernels_answer_of_any_relation_as_the_macros_do(
    databases: list[Database], which: int, rows: list[tuple[float | None, float | None, int | None]]
) -> None:
    """Nulls, nan and infinities, rows that are equal; objectives that are no columns, columns nobody asked for."""
    kinds = {"a": pl.Float64, "b": pl.Float64, "c": pl.Int64}
    frame = pl.DataFrame(rows, kinds, orient="row").with_row_index("n").with_columns(word=pl.col("n") % 3)
    database, table = databases[which], ("v", "v_rows")[which]
    database._connection.register("_given", frame.with_columns(pl.col("word").cast(pl.String)).to_arrow())
    database._connection.execute(f"create or replace table {table} as from _given")
    if which:
        database._connection.execute("create or replace view v as from v_rows")
    database._connection.execute("""create or replace view w as select a, b, n as "of n" from v""")
    for query, is_replaced in OTHERS:
        fast, slow, found = both(database, query)
        assert_frame_equal(fast, slow, check_exact=True)
        assert found == is_replaced, query


def test_rows_that_are_beaten_later_are_let_go(databases: list[Database], monkeypatch: pytest.MonkeyPatch) -> None:
    """The best come last, so that nearly every row is kept at first; what is kept is on the frontier or waits."""
    most: list[int] = []
    only = sqlfolding._Kept.only

    def noted(kept: Any, ids: Any) -> Any:
        most.append(kept._num_rows)
        return only(kept, ids)

    monkeypatch.setattr(sqlfolding, "MOST_KEPT", 1000)
    monkeypatch.setattr(sqlfolding, "BATCH_ROWS", 512)
    monkeypatch.setattr(sqlfolding._Kept, "only", noted)
    made = "select 40000 - i as x, 40000 - i + (i * 7919) % 100 as y, i as id from range(40000) r(i)"
    for database in databases:
        database._connection.execute(f"create or replace view falling as {made}")
        fast, slow, found = both(database, "select id, x, y from pareto2('falling', x, y)")
        assert_frame_equal(fast, slow, check_exact=True)
        assert found
    assert most
    assert max(most) < 3000


def test_a_relation_that_is_not_there_is_said_by_the_macro(databases: list[Database]) -> None:
    for database in databases:
        with pytest.raises(QueryError, match="nowhere"):
            database.query("from pareto2('nowhere', x, y)")
        with pytest.raises(QueryError, match="missing"):
            database.query("select n from pareto2('accelerators', gpu_tdp_w, missing)")
        with pytest.raises(QueryError, match="volatile"):
            database.query("select id from pareto2('accelerators', gpu_tdp_w, random())")


@pytest.mark.slow
def test_only_the_frontier_of_a_spec_is_evaluated() -> None:
    """A space of 10^9 designs, which no one could write down in the time of a test.

    Loss falls with every token and layers do not know of tokens, so its frontier is that of the largest budget, whose
    120 designs are compared pair by pair.
    """
    text = SPEC.replace("[16, 24, 80]", "[16, 24, 28, 32, 36, 40, 48, 64, 72, 80]")
    space = loads(text.replace("points = 5", "points = 10000000"))
    assert space.size > 10**9
    few = scan(loads(text.replace("{ log10 = [10, 13], points = 5 }", "[1e13]"))).select("loss_nats", "num_layers")
    rows = few.collect().rows()
    expected = {rows[i] for i in naive_pareto.frontier(rows)}
    with Database.open_space(space) as database:
        question = "select loss_nats, num_layers from pareto2('designs', loss_nats, num_layers, ties := 'one')"
        found = database.query(question).pl().rows()
    assert len(found) == len(expected)
    assert {layers for _, layers in found} == {layers for _, layers in expected}
    assert sorted(loss for loss, _ in found) == pytest.approx(sorted(loss for loss, _ in expected), rel=1e-12)


def test_a_table_put_in_the_place_of_designs_is_asked_itself() -> None:
    with Database.open_space(loads(SPEC)) as database:
        database.query("create temp table designs as select 1 as loss_nats, 2 as lifetime_usd").pl()
        query = "create temp table designs as select 1 as loss_nats, 2 as lifetime_usd; "
        found = database.query(query + "from pareto2('designs', loss_nats, lifetime_usd)").pl()
        assert found.rows() == [(1, 2)]
        with pytest.raises(QueryError, match="neither 'all' nor 'one'"):
            database.query("from pareto2('designs', loss_nats, lifetime_usd, ties := 'few')")


def test_parameters_in_order_keep_their_places(databases: list[Database]) -> None:
    query = "select count(*) from pareto2('designs', loss_nats, lifetime_usd) where ? < loss_nats and num_layers > ?"
    counts = {database.query(query, [1.0, 16]).pl().item() for database in databases}
    assert len(counts) == 1
    assert counts.pop() > 0

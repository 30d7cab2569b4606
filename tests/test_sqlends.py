"""Least and greatest values: DuckDB's own over all rows, whether it sees them all or the ends of each batch."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sweep import sqlends
from sweep.database import Database
from sweep.dataset import ENDS
from sweep.resolve import loads
from sweep.space import Space

SPEC = """
[axes]
hidden_size     = [512, 1024, 2048, 4096]
num_layers      = [16, 24, 80]
tied_embeddings = [true, false]
train_tokens    = { log10 = [10, 13], points = 9 }
gpu             = ["v100_sxm2_32", "h100_sxm", "b200_sxm"]

[where]
"not too deep" = "hidden_size >= 64 * num_layers or gpu_memory_bytes > 1e11"
"""
THINNED = [
    "select min(loss_nats) from designs",
    "SELECT Max(designs.Loss_Nats) AS worst, min(train_usd) FROM Designs",
    "from designs d select max(d.hidden_size) - min(d.hidden_size), round(min(train_usd), 2), 7",
    "select min(min_gpus_to_serve), max(min_gpus_to_serve), max(decode_tokens_per_s) from designs",
    "select max(train_usd) from designs where gpu = 'h100_sxm' and hidden_size in (512, 2048)",
    "select min(train_usd), max(params_total) from designs where loss_nats < 2.6 and num_layers > 16",
    "select min(design_id), max(design_id) from designs where design_id between 17 and 90",
    "select min(train_usd) from designs where loss_nats < 0",
    "select case when max(loss_nats) > 3 then 'high' else 'low' end as c from designs",
]
LEFT = [
    "select min(train_usd) from designs where tied_embeddings",
    "select min(loss_nats), count(*) from designs",
    "select min(gpu), max(loss_nats) from designs",
    "select min(tied_embeddings) from designs",
    "select min(loss_nats * 2) from designs",
    "select min(loss_nats) filter (gpu = 'h100_sxm') from designs",
    "select min(loss_nats) from designs where loss_nats * train_usd > 1e6",
    "select min(loss_nats) from designs where train_usd > (select avg(train_usd) from designs)",
    "select min(loss_nats) from designs where train_usd in (select max(train_usd) from designs)",
    "select min(loss_nats), (select max(train_usd) from designs) from designs",
    "select min(loss_nats, 2) from designs",
    "select gpu, min(loss_nats) from designs group by gpu order by gpu",
    "select min(loss_nats) from designs having max(loss_nats) > 1",
    "select min(loss_nats) over () from designs limit 1",
    "select min(loss_nats) from (select -loss_nats as loss_nats from designs)",
    "select min(loss_nats) from (select train_usd as loss_nats, loss_nats as train_usd from designs)",
    "select min(a.loss_nats) from designs a join designs b on a.loss_nats = b.train_usd",
    "select min(x) from designs as t(x)",
    "select min(loss_nats) from designs using sample 100 percent",
    "select sum(design_id), min(loss_nats) from designs",
    "select min(columns('loss_.*')) from designs",
    "with designs as (select 3 as loss_nats) select min(loss_nats) from designs",
]
REPLACED = [
    "create temp table designs as select 3 as loss_nats; select min(loss_nats) from designs",
    "create temp table _ends as select 3 as loss_nats; select min(loss_nats) from designs",
    "create temp macro min(x) as sum(x); select min(design_id) from designs",
    "create temp macro max(x) as -x; select min(max(design_id)) from designs",
]


@pytest.fixture(scope="module")
def space() -> Space:
    return loads(SPEC)


@pytest.fixture
def thinned(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each query from now on is one over thinned rows."""
    seen: list[bool] = []
    answered = sqlends.answered

    def noted(cursor: Any, sql: str, *rest: Any) -> str:
        found = answered(cursor, sql, *rest)
        seen.append(found != sql)
        return found

    monkeypatch.setattr(sqlends, "answered", noted)
    return seen


def by_duckdb(space: Space, sql: str, params: Any = None) -> pl.DataFrame:
    """What DuckDB finds among all rows."""
    with Database.open_space(space, unsafe=True) as database, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlends, "answered", lambda _cursor, sql, *_: sql)
        return database.query(sql, params).pl()


@pytest.mark.parametrize("sql", [*THINNED, *LEFT, *REPLACED])
def test_the_answer_is_that_of_all_rows(space: Space, sql: str, thinned: list[bool]) -> None:
    expected = by_duckdb(space, sql)
    with Database.open_space(space, unsafe=True) as database:
        assert_frame_equal(database.query(sql).pl(), expected, check_exact=True)
    assert thinned == [sql in THINNED]


def test_a_query_with_parameters_is_thinned_by_what_they_are(space: Space, thinned: list[bool]) -> None:
    sql = "select min(train_usd), max(train_usd) from designs where gpu = {} and loss_nats < {}"
    for text, params in (
        (sql.format("$gpu", "$most"), {"gpu": "b200_sxm", "most": 2.6}),
        (sql.format("?", "?"), ["b200_sxm", 2.6]),
        (f"set variable most = 2.6; {sql.format('$gpu', 'getvariable(most)')}".replace("(most)", "('most')"),
         {"gpu": "b200_sxm"}),
    ):  # fmt: skip
        expected = by_duckdb(space, text, params)
        with Database.open_space(space) as database:
            assert_frame_equal(database.query(text, params).pl(), expected, check_exact=True)
        assert thinned.pop()


def test_no_more_designs_are_evaluated_and_all_are_counted(space: Space) -> None:
    with Database.open_space(space) as database:
        database.query("select min(loss_nats) from designs where gpu = 'h100_sxm'").pl()
        assert database.evaluated == space.size // 3


def test_elasticities_are_left_to_duckdb(space: Space, thinned: list[bool]) -> None:
    with Database.open_space(space) as database:
        least, most = database.query(
            "select min(elasticity_of_loss_nats_to_train_tokens), max(elasticity_of_loss_nats_to_train_tokens) "
            "from designs"
        ).pl().rows()[0]  # fmt: skip
    assert -1 < least < most < 0
    assert thinned == [False]


FLOATS = st.lists(st.lists(st.floats(), min_size=1, max_size=4), min_size=1, max_size=4)


@given(FLOATS)
@example([[math.nan, math.inf], [math.nan]])
@example([[math.nan], [-math.inf, math.nan]])
def test_ends_of_batches_have_the_ends_of_all(batches: list[list[float]]) -> None:
    """nan and infinities too: to DuckDB nan is greater than all numbers."""
    whole = pa.table({"x": np.concatenate([np.array(batch) for batch in batches])})
    ends = pa.table({"x": np.array([end(np.array(batch)) for batch in batches for end in ENDS.values()])})
    with duckdb.connect() as connection:
        connection.register("whole", whole)
        connection.register("ends", ends)
        found = [connection.sql(f"select min(x), max(x) from {name}").fetchall()[0] for name in ("whole", "ends")]
    np.testing.assert_array_equal(found[0], found[1])

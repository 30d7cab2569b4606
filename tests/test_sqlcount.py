"""How many designs there are: told at once where nothing else is asked, counted by DuckDB where anything is."""

from __future__ import annotations

import pytest

from sweep.database import Database
from sweep.resolve import loads

AXES = """
[axes]
hidden_size  = { start = 1024, stop = 65_536, step = 1 }
num_layers   = { start = 1, stop = 1000, step = 1 }
train_tokens = { log10 = [10, 14], points = 100_000 }
"""
FEW = """
[axes]
hidden_size  = [1024, 2048, 4096]
train_tokens = [1e10, 1e12]
[where]
"small" = "params_total < 2e9"
"""
THREE = """
[axes]
hidden_size  = [1024, 2048]
train_tokens = [1e10, 1e12]
[where]
"some" = "hidden_size * train_tokens < 2e15"
"""
ASKED = ["select count(*) from designs", "SELECT count() as n FROM Designs d", "from designs select count(*)"]


@pytest.mark.parametrize("sql", ASKED)
def test_what_the_axes_say_is_told_at_once(sql: str) -> None:
    """Six million million designs, of which DuckDB would count the rows for an hour."""
    with Database.open_space(loads(AXES)) as database:
        found = database.query(sql).pl()
        assert found.rows() == [((65_536 - 1023) * 1000 * 100_000,)]
        assert found.columns == ["n" if " n " in sql else "count_star()"]
        assert database.evaluated == 0


@pytest.mark.parametrize("sql", ASKED)
def test_with_conditions_designs_are_counted(sql: str) -> None:
    with Database.open_space(loads(FEW)) as database:
        rows = database.query("select count(*) filter (true) as n from designs").pl()["n"][0]
        assert 0 < rows < 6
        assert database.query(sql).pl().rows() == [(rows,)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select count(*) from designs where hidden_size = 1024", 2),
        ("select count(*), max(hidden_size) from designs", 3),
        ("select count(distinct hidden_size) from designs", 2),
        ("select count(*) from designs limit 0", None),
        ("select count(*) from designs group by hidden_size order by hidden_size", 2),
        ("select count(*) from designs group by all", 3),
        ("select count(*) from designs using sample 1 rows", 1),
        ("with designs as (select 1) select count(*) from designs", 1),
        ("create temp table designs as select 1; select count(*) from designs", 1),
        ("select count(*) from (from designs limit 1)", 1),
    ],
)
def test_whatever_else_is_asked_is_left_to_duckdb(sql: str, expected: int | None) -> None:
    with Database.open_space(loads(THREE), unsafe=True) as database:
        rows = database.query(sql).pl().rows()
        assert (rows[0][0] if rows else None) == expected

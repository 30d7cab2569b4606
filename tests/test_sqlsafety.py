"""Queries read designs and the catalogue: they write nothing, read no other file, reach no network."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from sweep.database import Database, QueryError
from sweep.resolve import loads
from sweep.run import write

SPEC = """
name = "closed"
columns = ["params_total"]
[axes]
hidden_size = [1024, 2048]
gpu = ["h100_sxm", "b200_sxm"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "closed"
    write(loads(SPEC), folder)
    return folder


@pytest.fixture(scope="module", params=["space", "run"])
def database(request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    opened = Database.open_run(folder) if request.param == "run" else Database.open_space(loads(SPEC))
    with opened as database:
        yield database


@pytest.mark.parametrize(
    "sql",
    [
        "copy designs to 'HERE/x.csv'",
        "copy (pivot designs on gpu using count(*)) to 'HERE/x.csv'",
        "explain analyze copy designs to 'HERE/x.csv'",
        "explain (analyze) copy designs to 'HERE/x.csv'",
        "/* a (comment) */ -- and another\n explain analyze copy designs to 'HERE/x.csv'",
        "prepare p as copy designs to 'HERE/x.csv'; execute p",
        "export database 'HERE/x'",
        "attach 'HERE/x.db' as other",
        "install httpfs",
        "load httpfs",
        "call pragma_version()",
        "select 1; copy designs to 'HERE/x.csv'",
    ],
)
def test_statements_that_write_or_load_are_refused_before_any_runs(
    database: Database, sql: str, tmp_path: Path
) -> None:
    with pytest.raises(QueryError, match=r"is not in a query: it reads designs and the catalogue.*--unsafe"):
        database.query(sql.replace("HERE", str(tmp_path)))
    assert not list(tmp_path.iterdir())


def test_a_part_cannot_be_overwritten(folder: Path) -> None:
    part = next((folder / "parts").glob("*.parquet"))
    before = part.read_bytes()
    with Database.open_run(folder) as database:
        for sql in (
            f"copy (select 1) to '{part}' (use_tmp_file false)",
            f"create table x as from read_parquet('{part}')",
        ):
            try:
                database.query(sql).pl()
            except QueryError:
                continue
    assert part.read_bytes() == before


@pytest.mark.parametrize(
    "sql",
    [
        "from read_csv('HERE/secret.csv')",
        "select * from read_text('HERE/secret.csv')",
        "select * from 'HERE/secret.csv'",
        "select * from glob('HERE/*')",
        "create persistent secret s (type s3, key_id 'x')",
    ],
)
def test_other_files_cannot_be_read(database: Database, sql: str, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(QueryError, match=r"HERE|--unsafe|disabled|secret"):
        database.query(sql.replace("HERE", str(tmp_path))).pl()


@pytest.mark.parametrize("sql", ["set threads = 1", "set memory_limit = '1TB'", "set enable_external_access = true"])
def test_no_setting_can_be_changed(database: Database, sql: str) -> None:
    with pytest.raises(QueryError):
        database.query(sql)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("with few as (from designs limit 3) select count(*) from few", 1),
        ("from designs", 4),
        ("pivot designs on gpu using count(*)", 4),
        ("unpivot (select design_id, params_total from designs) on params_total", 4),
        ("explain from designs", 1),
        ("explain analyze select count(*) from designs", 1),
        ("describe designs", 4),
        ("set variable x = 2; select getvariable('x')", 1),
        ("create or replace temp table few as from designs limit 2; from few", 2),
        ("create or replace macro twice(x) as 2 * x; select twice(3)", 1),
    ],
)
def test_whatever_reads_or_stays_in_memory_is_welcome(database: Database, sql: str, rows: int) -> None:
    found = database.query(sql).pl()
    assert found.height >= 1
    if "pivot" not in sql and "describe" not in sql:
        assert found.height == rows


def test_unsafe_lets_a_query_write(tmp_path: Path) -> None:
    with Database.open_space(loads(SPEC), unsafe=True) as database:
        database.query(f"copy (select gpu, params_total from designs) to '{tmp_path / 'x.csv'}'").pl()
    assert pl.read_csv(tmp_path / "x.csv").height == 4


def test_memory_is_bounded_as_asked() -> None:
    with Database.open_space(loads(SPEC), memory="64MB") as database:
        said = database.query("select current_setting('memory_limit') as m").pl()["m"][0]
        assert said == "61.0 MiB"
        with pytest.raises(QueryError, match=r"(?i)memory"):
            database.query("select list(range) from range(100000000)").pl()
    with pytest.raises(QueryError, match="Memory must have a number"):
        Database.open_space(loads(SPEC), memory="lots")

"""SQL over a space that was never written and over a run: the same answers, and errors in plain words."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from kernels import arrayfrontier
from sweep import opensql, sqlfolding
from sweep.columns import Column, declare, wanted
from sweep.database import Database, QueryError, run_frontier
from sweep.errors import RunError, SweepError
from sweep.frontier import frontier
from sweep.lazyframe import scan
from sweep.resolve import loads, narrow
from sweep.run import write
from sweep.space import Space

SPEC = """
name = "small"
columns = ["params_total", "loss_nats", "lifetime_usd", "serve_bytes", "decode_tokens_per_s", "in_fitted_range"]
[axes]
hidden_size  = [1024, 2048, 3072, 4096]
num_layers   = [16, 24, 80]
train_tokens = { log10 = [10, 13], points = 9 }
precision    = ["bf16", "fp8_e4m3", "int4_g128"]
gpu          = ["v100_sxm2_32", "h100_sxm", "b200_sxm"]
[metrics]
usd_per_loss = { formula = "lifetime_usd / loss_nats", unit = "USD/nat", meaning = "Price of a nat." }
[where]
"fits" = "min_gpus_to_serve <= 4"
[frontier]
minimize = ["loss_nats", "lifetime_usd"]
"""


@pytest.fixture(scope="module")
def space() -> Space:
    return loads(SPEC)


@pytest.fixture(scope="module")
def folder(space: Space, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "a=b [x]"  # what DuckDB could take for a partition or a pattern
    write(space, folder)
    return folder


@pytest.fixture(scope="module")
def virtual(space: Space) -> Iterator[Database]:
    with Database.open_space(space) as database:
        yield database


@pytest.fixture(scope="module")
def kept(folder: Path) -> Iterator[Database]:
    with Database.open_run(folder) as database:
        yield database


def test_a_space_and_its_run_answer_alike(space: Space, virtual: Database, kept: Database) -> None:
    names = ", ".join(c.name for c in declare(space, wanted(space)))
    query = f"select {names} from designs order by design_id"
    there, here = virtual.query(query).pl(), kept.query(query).pl()
    assert len(there) == scan(space).select(pl.len()).collect().item()
    assert_frame_equal(here, there, check_exact=True, check_dtypes=False, categorical_as_str=True)


def test_what_stands_beside_designs(virtual: Database, kept: Database) -> None:
    for database in (virtual, kept):
        for table in ("accelerators", "precisions", "laws", "models", "metrics", "inputs"):
            assert len(database.query(f"from {table}").pl()) > 5
        own = database.query("select unit, meaning from metrics where name = 'usd_per_loss'").pl()
        assert own.rows() == [("USD/nat", "Price of a nat.")]
        told = database.query(
            "select comment from duckdb_columns() where table_name = 'designs' and column_name = 'serve_bytes'"
        ).pl()
        assert str(told.item()).startswith("[byte] ")
        best = database.query("select count(*) from pareto2('designs', loss_nats, lifetime_usd)").pl().item()
        assert best > 0
    cache = "kv_cache_uniform_page_bytes_of(kv_cache_bytes_per_token := 2, context_tokens := 3, batch_size := 4)"
    head = virtual.query(f"select {cache}")
    assert head.pl().item() == 24


def test_every_column_of_every_table_says_what_it_holds(virtual: Database, kept: Database) -> None:
    """And data/column_meanings.csv speaks of no column that is not there."""
    listed = "select table_name, column_name, comment from duckdb_columns() where database_name = 'memory'"
    for database in (virtual, kept):
        found = database.query(listed).pl()
        assert {"designs", "accelerators", "precisions", "laws", "models", "metrics"} <= set(found["table_name"])
        assert found.filter(pl.col("comment").is_null()).rows() == []
        names = set(found.select("table_name", "column_name").rows())
        declared = opensql._declared_meanings()
        assert {(table, column) for table, column in declared if table} <= names
        assert {column for table, column in declared if not table} <= {column for _, column in names}


def test_a_join_with_the_catalogue(virtual: Database) -> None:
    found = virtual.query(
        "select distinct gpu, designs.gpu_memory_bytes as ours, a.gpu_memory_bytes as theirs "
        "from designs join accelerators as a on a.id = gpu order by gpu"
    )
    rows = found.pl()
    assert len(rows) == 3
    assert rows["ours"].to_list() == rows["theirs"].to_list()


def test_parameters_are_bound_by_name_or_in_order(virtual: Database) -> None:
    query = "select count(*) as n from designs where num_layers = $layers and gpu = $gpu"
    named = virtual.query(query, {"layers": 16, "gpu": "h100_sxm"}).pl().item()
    assert (
        named
        == virtual.query("select count(*) from designs where num_layers = ? and gpu = ?", [16, "h100_sxm"]).pl().item()
    )
    assert named > 0
    with pytest.raises(QueryError, match=r"no parameter \$layer; it asks for \$gpu, \$layers; did you mean .layers."):
        virtual.query(query, {"layer": 16, "gpu": "h100_sxm"})
    with pytest.raises(QueryError, match="Values were not provided for the following parameters: layers"):
        virtual.query(query, {"gpu": "h100_sxm"})


def test_several_statements_return_the_rows_of_the_last(virtual: Database) -> None:
    text = "create or replace temp table few as select * from designs limit $n; select count(*) as n from few"
    assert virtual.query(text, {"n": 3}).pl().item() == 3
    assert virtual.query("select sum(num_layers) as s from designs").pl().schema == {"s": pl.Int64}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("selec 1", 'syntax error at or near "selec"'),
        ("select los_nats from designs", 'Candidate bindings: "loss_nats"'),
        ("from design", 'Did you mean "designs"?'),
        ("select cast('x' as double)", "Could not convert string 'x' to DOUBLE"),
        (" ; ", "the query is empty"),
        ("from somewhere_in_python", "does not exist"),
    ],
)
def test_errors_are_in_the_words_of_duckdb(virtual: Database, query: str, message: str) -> None:
    somewhere_in_python = pl.DataFrame({"a": [1]})
    with pytest.raises(QueryError) as caught:
        virtual.query(query).pl()
    assert message in str(caught.value)
    assert "Error:" not in str(caught.value)
    assert len(somewhere_in_python) == 1


def test_a_metric_that_a_run_lacks_is_told_from_a_name_that_is_wrong(kept: Database) -> None:
    """Whatever columns have nearly its name."""
    for name in ("prefill_s", "lifetime_kwh"):
        assert name not in [column.name for column in kept.columns]
        with pytest.raises(QueryError, match=f"\n{name} is a metric that these designs do not hold: ask their spec"):
            kept.query(f"select {name} from designs")
    with pytest.raises(
        QueryError, match=r"\nbatch_size is an input that these designs do not hold as a column: columns ="
    ):
        kept.query("select batch_size from designs")
    for wrong, meant in (("los_nats", "loss_nats"), ("prefil_s", "prefill_s")):
        with pytest.raises(QueryError, match=f'{wrong} is not a column of designs; did you mean "{meant}"'):
            kept.query(f"select {wrong} from designs")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("select gpu, gpu, gpu from designs limit 1", ["gpu", "gpu_1", "gpu_2"]),
        ("select 1 as a, 2 as a_1, 3 as a, 4 as a_1, 5 as A", ["a", "a_1", "a_2", "a_1_1", "A"]),
        ("select count(*), count(*) from designs", ["count_star()", "count_star()_1"]),
        ("select a.gpu, b.gpu from designs a, designs b limit 1", ["gpu", "gpu_1"]),
    ],
)
def test_columns_of_one_name_are_numbered(virtual: Database, query: str, names: list[str]) -> None:
    assert virtual.query(query).pl().columns == names
    assert virtual.query(query).reader().read_all().column_names == names


def test_numbered_columns_keep_their_places(virtual: Database) -> None:
    assert virtual.query("select 1 as a, 2 as a_1, 3 as a, 4 as a_1").pl().rows() == [(1, 2, 3, 4)]
    both = virtual.query("select * from accelerators a join precisions p on true limit 1").pl()
    assert {"confidence", "confidence_1"} <= set(both.columns)


@pytest.mark.parametrize(
    "query", ["select interval 1 day as d", "select [{'a': interval 1 day}] as d", "select union_value(a := 1) as d"]
)
def test_a_type_that_no_table_has_is_named(virtual: Database, query: str) -> None:
    with pytest.raises(QueryError, match="d holds intervals or unions, which no table can: cast it to varchar"):
        virtual.query(query).pl()
    assert virtual.query(f"select cast(d as varchar) as d from ({query})").pl().height == 1


def test_a_large_answer_streams(virtual: Database) -> None:
    answer = virtual.query("select i, i + 0.5 as half from range(100000000000) as t(i)")
    first = next(answer.batches())
    assert isinstance(first, pa.RecordBatch)
    assert 0 < first.num_rows < 10**6
    answer.close()
    assert virtual.query("select 1").pl().item() == 1
    unread = virtual.query("select * from designs")
    assert virtual.query("select 2").pl().item() == 2
    assert unread.reader().read_all().num_rows == virtual.query("select count(*) from designs").pl().item()


def test_ctrl_c_stops_a_query(virtual: Database) -> None:
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    started = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        virtual.query("select count(*) from range(100000000) as a(i), range(100000) as b(j) where i * j % 7 = 3").pl()
    assert time.monotonic() - started < 10
    assert virtual.query("select 1").pl().item() == 1


# ---------------------------------------------------------------------------------------------------- frontiers


@pytest.mark.parametrize(
    ("minimize", "maximize"),
    [
        (["loss_nats", "lifetime_usd"], []),
        (["serve_bytes"], ["decode_tokens_per_s"]),
        (["loss_nats", "lifetime_usd", "serve_bytes"], ["decode_tokens_per_s"]),
        ([], ["params_total"]),
    ],
)
@pytest.mark.parametrize("where", [(), ("loss_nats < 2.6 and not (lifetime_usd > 1e6)",)])
def test_the_frontier_of_a_run_is_that_of_its_space(
    space: Space, folder: Path, virtual: Database, minimize: list[str], maximize: list[str], where: tuple[str, ...]
) -> None:
    """Over its rows, and over the table that is evaluated as it is read."""
    expected = frontier(narrow(space, where, minimize, maximize)).frame
    for found in (run_frontier(folder, minimize, maximize, where), virtual.frontier(minimize, maximize, where)):
        assert len(found) > 0
        assert found["design_id"].to_list() == expected["design_id"].to_list()
        for name in (*minimize, *maximize):
            assert found[name].to_list() == expected[name].to_list()


def test_a_frontier_of_columns_that_the_table_does_not_show_by_itself(space: Space, virtual: Database) -> None:
    """Whatever can be evaluated is an objective or a condition, and then a column."""
    found = virtual.frontier(["loss_nats"], ["train_flops"], where="prefill_s < 1")
    expected = frontier(narrow(space, ["prefill_s < 1"], ["loss_nats"], ["train_flops"])).frame
    assert found["design_id"].to_list() == expected["design_id"].to_list()
    assert {"train_flops", "prefill_s"} <= set(found.columns)


@pytest.mark.parametrize("first", [2**53 - 40, 2**60])
def test_a_frontier_of_whole_numbers_that_float64_cannot_tell_apart(tmp_path: Path, first: int) -> None:
    """By the macros where there are such, in the kernels' order; a null is never on it."""
    most = [first + 30 - k for k in range(30)]
    frame = pl.DataFrame({"design_id": range(31), "x": [*range(first, first + 30), None], "y": [*most, first]})
    frame.write_parquet(tmp_path / "rows.parquet")
    columns = [Column(name, "int", "", "", "") for name in frame.columns]
    with Database.open_parts([tmp_path / "rows.parquet"], columns) as database:
        assert database.frontier(["x", "y"])["design_id"].to_list() == list(range(30))
        assert database.frontier(["y"], ["x"])["design_id"].to_list() == [29]
        assert database.frontier(["y", "x"], where="x < y")["design_id"].to_list() == list(range(14, -1, -1))


@pytest.mark.parametrize("ties", ["all", "one"])
def test_a_frontier_goes_on_in_compiled_code_after_some_rows(
    kept: Database, ties: Literal["all", "one"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many, or once the frontier of three objectives has so many."""
    goals = [sqlfolding.Goal("hidden_size", 1.0, True), sqlfolding.Goal("loss_nats", 1.0, False)]
    for asked in (goals, [*goals, sqlfolding.Goal("lifetime_usd", 1.0, False)]):
        found = []
        for rows, kept_rows in ((1 << 21, 1 << 11), (100, 1 << 11), (1 << 21, 2)):
            monkeypatch.setattr(sqlfolding, "WORTH_COMPILING", rows)
            monkeypatch.setattr(sqlfolding, "MOST_ON_ARRAYS", kept_rows)
            monkeypatch.setattr(sqlfolding, "BATCH_ROWS", 64)
            monkeypatch.setattr(arrayfrontier, "LEAST_WAITING", 64)
            ids = sqlfolding.folded(kept._cursor(), "designs", asked, ties)
            assert ids is not None
            found.append(ids.tolist())
        assert found[0] == found[1] == found[2]
        assert len(found[0]) > 2


def test_a_condition_on_words_and_on_what_is_nan(kept: Database) -> None:
    found = kept.frontier(["loss_nats"], where='gpu == "h100_sxm" and precision != "bf16"')
    assert set(found["gpu"]) == {"h100_sxm"}
    everything = kept.query("select count(*) from designs").pl().item()
    slow = kept.query(f"select count(*) from designs where {kept.condition('decode_tokens_per_s > 0')}").pl().item()
    unknown = kept.query("select count(*) from designs where isnan(decode_tokens_per_s)").pl().item()
    assert slow == everything - unknown
    assert unknown > 0  # which DuckDB denies where the file's statistics show a greatest number


def test_what_is_nan_in_a_run_is_nan_to_every_query(virtual: Database, kept: Database) -> None:
    for column in ("lifetime_usd", "decode_tokens_per_s"):
        query = f"select count(*) as n, count(*) filter (where isnan({column})) as m from designs where isnan({column})"
        assert kept.query(query).pl().rows() == virtual.query(query).pl().rows()
        beyond = f"select count(*) from designs where {column} > 1e300"
        assert kept.query(beyond).pl().item() == virtual.query(beyond).pl().item() > 0


@pytest.mark.parametrize(
    ("minimize", "where", "message"),
    [
        (["los_nats"], (), 'los_nats is not a column of designs; did you mean "loss_nats"?'),
        (["gpu"], (), "gpu holds words"),
        ([], (), "a frontier needs an objective"),
        (["loss_nats"] * 9, (), "up to 8 objectives, not 9"),
        (["loss_nats"], ("serve_byte < 3",), 'did you mean "serve_bytes"?'),
        (["loss_nats"], ('gpu == "h100"',), "did you mean 'h100_sxm'?"),
        (["loss_nats"], ("serve_bytes",), "not a condition"),
        (["loss_nats"], ("1; drop table x",), "not an expression"),
        (['x" from y; --'], (), "is not a column of designs"),
    ],
)
def test_mistakes_in_a_question_are_named(
    kept: Database, minimize: list[str], where: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SweepError) as caught:
        kept.frontier(minimize, where=where)
    assert message in str(caught.value)


def test_a_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        Database.open_run(tmp_path)


def test_a_run_without_designs_has_columns(tmp_path: Path) -> None:
    nothing = loads('[axes]\nhidden_size = [1024, 2048]\n[where]\n"none" = "loss_nats < 0"')
    write(nothing, tmp_path / "run")
    with Database.open_run(tmp_path / "run") as database:
        assert database.query("from designs").pl().shape[0] == 0
        assert len(database.frontier(["loss_nats"])) == 0

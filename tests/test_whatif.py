"""what_if: rows with inputs changed are those of the space that had the inputs so from the start."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sweep.database import Database, QueryError
from sweep.points import evaluate
from sweep.resolve import loads
from sweep.run import write

SPEC = """
name = "priced"
columns = STORED
[axes]
hidden_size  = [1024, 2048]
num_experts  = [1, 8]
train_tokens = [1e10, 1e12]
precision    = ["bf16", "fp8_e4m3"]
kv_precision = ["kv_bf16", "kv_q8_0"]
gpu          = ["v100_sxm2_32", "h100_sxm", "b200_sxm"]
[fixed]
inference_tokens = 1e12
[where]
"fits" = "min_gpus_to_serve <= 4"
"""
STORED = ["params_total", "loss_nats", "train_usd", "lifetime_usd", "serve_bytes", "decode_tokens_per_s"]
STORED += ["in_fitted_range", "loss_nats_p50"]
DRAWN = ["loss_nats_p05", "excess_loss_nats_p50", "compute_optimal_params_p95", "inference_optimal_tokens_p50"]
AXES = ["hidden_size", "num_experts", "train_tokens", "precision", "kv_precision", "gpu"]
COLUMNS = ["params_total", "loss_nats", "train_usd", "lifetime_usd", "serve_bytes", "decode_tokens_per_s"]
COLUMNS += ["in_fitted_range", "min_gpus_to_serve"]
OPTIMA = ["compute_optimal_params", "compute_optimal_loss_nats", "inference_optimal_params", "inference_optimal_tokens"]
OPTIMA += ["usd_optimal_params", "usd_optimal_tokens"]


def spec(columns: list[str]) -> str:
    """The space with these columns."""
    return SPEC.replace("STORED", str(columns))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "priced"
    write(loads(spec(STORED)), folder)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Iterator[Database]:
    with Database.open_run(folder) as database:
        yield database


def asked(database: Database, arguments: str, columns: str = ", ".join(["design_id", *COLUMNS])) -> pl.DataFrame:
    return database.query(f"select {columns} from what_if({arguments}) order by design_id").pl()


def evaluated(database: Database, columns: list[str] = COLUMNS, /, **changes: float) -> pl.DataFrame:
    """The same designs, described one by one with the inputs changed."""
    designs = database.query(f"select design_id, {', '.join(AXES)} from designs order by design_id").pl()
    designs = designs.with_columns(pl.lit(value).alias(name) for name, value in changes.items())
    fixed = {name: value for name, value in {"inference_tokens": 1e12}.items() if name not in changes}
    return evaluate(designs, columns, fixed).select("design_id", *columns)


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "gpu_usd_per_hour": st.floats(0.1, 20),
        "gpu_train_mfu": st.floats(0.1, 0.9),
        "gpu_memory_byte_per_s": st.floats(1e11, 1e13),
        "train_tokens": st.floats(1e9, 1e13),
        "batch_size": st.integers(1, 200),
        "num_layers": st.integers(1, 96),
        "head_dim": st.sampled_from([64, 128]),
        "law_params_exponent": st.floats(0.2, 0.5),
    },
)


@settings(max_examples=12, deadline=None)
@given(CHANGES)
def test_rows_are_those_of_the_space_with_the_inputs_changed(run: Database, changes: dict[str, float]) -> None:
    """The oracle describes every design by its inputs, the changed ones among them, and has the kernels evaluate it."""
    arguments = ", ".join(f"{name} := {value!r}" for name, value in changes.items())
    assert_frame_equal(asked(run, arguments), evaluated(run, **changes), rel_tol=1e-12, abs_tol=0)


def test_without_a_change_the_rows_are_the_stored_ones(run: Database) -> None:
    assert run.query("select count(*) as n from designs").pl()["n"][0] == 96
    assert run.query("from what_if() except from designs").pl().is_empty()
    assert run.query("from designs except from what_if()").pl().is_empty()
    unchanged = "from what_if(gpu_usd_per_hour := case when gpu = 'none of these' then 1.0 end) except from designs"
    assert run.query(unchanged).pl().is_empty()


def test_a_change_may_say_of_which_rows_and_by_how_much(run: Database) -> None:
    """Half the price of one GPU halves what training on it costs and moves no other; a price twice is twice a price."""
    half = "gpu_usd_per_hour := case when gpu = 'h100_sxm' then gpu_usd_per_hour / 2 end"
    before, after = asked(run, "", "design_id, gpu, train_usd"), asked(run, half, "design_id, gpu, train_usd")
    share = pl.when(pl.col("gpu") == "h100_sxm").then(0.5).otherwise(1.0)
    assert_frame_equal(after, before.with_columns(pl.col("train_usd") * share), rel_tol=1e-12)
    dear = "gpu_usd_per_hour := case when train_usd < 1e4 and gpu_usd_per_hour > 1 then 1.0 end"
    both = run.query(
        f"select a.train_usd as now, b.train_usd as was from what_if({dear}) a join designs b using (design_id)"
    )
    for now, was in both.pl().drop_nans().iter_rows():
        assert now < was < 1e4 or now == was


@pytest.mark.parametrize("changes", [{"train_tokens": 3e11}, {"inference_tokens": 1e14, "unique_tokens": 1e10}])
def test_optima_that_are_searched_for_are_searched_for_anew(changes: dict[str, float]) -> None:
    """Also where tokens repeat, of which no design of the space has to."""
    with Database.open_space(loads(spec([*OPTIMA, "train_usd"]))) as database:
        arguments = ", ".join(f"{name} := {value!r}" for name, value in changes.items())
        found = asked(database, arguments, ", ".join(["design_id", *OPTIMA]))
        expected = evaluated(database, OPTIMA, **{"inference_tokens": 1e12} | changes)
    assert_frame_equal(found, expected, rel_tol=1e-12, abs_tol=0)
    assert not found.select(pl.col("compute_optimal_params").is_nan().all()).item()


def test_quantiles_over_draws_are_those_of_the_changed_inputs(run: Database) -> None:
    """One that no change reaches is the stored one."""
    kept = run.query("select design_id, loss_nats_p50 from designs").pl()
    assert_frame_equal(asked(run, "batch_size := 3", "design_id, loss_nats_p50"), kept.sort("design_id"))
    few = spec(DRAWN).replace('["v100_sxm2_32", "h100_sxm", "b200_sxm"]', '["h100_sxm"]')
    with Database.open_space(loads(few.replace('["kv_bf16", "kv_q8_0"]', '["kv_bf16"]'))) as database:
        for change, value, columns in (("train_tokens", 1e11, DRAWN[:1]), ("unique_tokens", 3e9, DRAWN)):
            found = asked(database, f"{change} := {value!r}", ", ".join(["design_id", *columns]))
            assert_frame_equal(found, evaluated(database, columns, **{change: value}), rel_tol=1e-12, abs_tol=0)
            assert found.select(pl.all().is_not_nan().all()).row(0) == (True,) * len(found.columns)


def test_what_is_made_of_all_layouts_is_refused_once_a_change_reaches_it() -> None:
    text = """
    columns = ["train_usd", "train_layout"]
    [axes]
    hidden_size = [1024, 2048]
    [fixed]
    num_gpus = 8
    parallelism = "best"
    """
    with Database.open_space(loads(text)) as database:
        columns = "design_id, train_usd, train_layout"
        assert asked(database, "gpu_usd_per_hour := 3", columns).height == 2
        with pytest.raises(QueryError, match="train_layout is made of all layouts, which SQL cannot do"):
            asked(database, "num_layers := 5", columns)


def test_a_wrong_name_is_answered_with_the_right_one(run: Database) -> None:
    with pytest.raises(QueryError, match=r'^what_if has no input gpu_usd_per_hours; did you mean "gpu_usd_per_hour"'):
        asked(run, "gpu_usd_per_hours := 2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("batch_size := -1", "what_if: batch_size is a whole number, at least 1"),
        ("batch_size := 2.5", "what_if: batch_size is a whole number, at least 1"),
        ("output_token_share := 1.5", "what_if: output_token_share is at least 0 and at most 1"),
        ("batch_size := batch_size - 1000", "what_if: batch_size is a whole number"),
    ],
)
def test_a_value_that_an_input_may_not_have_is_refused(run: Database, change: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        run.query(f"select sum(decode_tokens_per_s) from what_if({change})").pl()


def test_a_space_that_was_never_written_answers_as_its_run(run: Database) -> None:
    with Database.open_space(loads(spec(STORED))) as virtual:
        for change in ("", "batch_size := 7", "hidden_size := 4096, gpu_usd_per_hour := 3"):
            assert_frame_equal(asked(virtual, change), asked(run, change), rel_tol=1e-12)
        named = virtual.query("select sum(kv_cache_bytes) as x from what_if(batch_size := 32)").pl()["x"][0]
        assert named == pytest.approx(2 * virtual.query("select sum(kv_cache_bytes) as x from designs").pl()["x"][0])


READER = """
import duckdb
con = duckdb.connect()
for statement in con.extract_statements(open("open.sql", encoding="utf-8").read()):
    con.execute(statement.query)
asked = "from what_if(gpu_usd_per_hour := 1.5) select sum(train_usd) where not isnan(train_usd)"
print(con.execute(asked).fetchone()[0])
"""


def test_plain_duckdb_has_it_too(folder: Path, run: Database) -> None:
    done = subprocess.run([sys.executable, "-c", READER], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(
        evaluated(run, gpu_usd_per_hour=1.5)["train_usd"].drop_nans().sum(), rel=1e-12
    )


def test_an_axis_without_values_has_the_macro_all_the_same(tmp_path: Path) -> None:
    empty = spec(STORED).replace("[where]", '[where]\n"none" = "gpu_usd_per_hour < 0"\n')
    write(loads(empty), tmp_path / "empty")
    with Database.open_run(tmp_path / "empty") as database:
        assert database.query("from what_if(batch_size := 2)").pl().is_empty()

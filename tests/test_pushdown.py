"""Filters taken into the space: the rows they leave of all rows, whoever asks, and no more work than they leave."""

import math
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.ipc as ipc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep import arrowfilter, plan
from sweep.columns import declare, frame, wanted
from sweep.database import Database
from sweep.dataset import DesignsDataset
from sweep.execute import Evaluator, Worker, rows
from sweep.idfilter import Ids
from sweep.lazyframe import scan
from sweep.plan import Plan, cut
from sweep.pushdown import narrowed
from sweep.reading import Counter, points_of
from sweep.resolve import loads
from sweep.space import Space

# a v100 has no fp8, so that what follows from it is nan
SPEC = """
[axes]
hidden_size  = [1024, 2048, 3072, 4096]
num_layers   = [16, 24, 80]
train_tokens = { log10 = [10, 13], points = 9 }
precision    = ["bf16", "fp8_e4m3", "int4_g128"]
gpu          = ["v100_sxm2_32", "h100_sxm", "mi300x"]
"""
WHERE = """
[where]
"not too deep" = "hidden_size >= 64 * num_layers or gpu_memory_bytes > 1e11"
"fits" = "min_gpus_to_serve <= 4"
"""
NAMES = [
    "loss_nats", "lifetime_usd", "serve_bytes", "min_gpus_to_serve", "in_fitted_range", "gpu_memory_bytes",
    "gpu_fp8_flop_per_s", "train_usd",
]  # fmt: skip


def everything(space: Space) -> pl.DataFrame:
    """All rows, made as the writer of runs makes them: the oracle."""
    evaluator = Evaluator(Plan(space, NAMES))
    with np.errstate(all="ignore"):
        found = rows(Worker(evaluator), range(evaluator.box.blocks), NAMES)
    return frame(declare(space, NAMES), space, found).sort("design_id")


@pytest.fixture(scope="module", params=["", WHERE], ids=["whole", "with conditions"])
def space(request: pytest.FixtureRequest) -> Space:
    return loads(SPEC + request.param)


@pytest.fixture(scope="module")
def written(space: Space) -> pl.DataFrame:
    found = everything(space)
    assert found["lifetime_usd"].is_nan().any()
    assert not found["lifetime_usd"].is_nan().all()
    return found


@pytest.fixture(scope="module")
def plain(written: pl.DataFrame) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB over rows that are there already."""
    with duckdb.connect() as connection:
        words = [name for name, dtype in written.schema.items() if dtype == pl.Enum]
        connection.register("designs", written.with_columns(pl.col(words).cast(pl.String)).to_arrow())
        yield connection


@pytest.fixture(scope="module")
def database(space: Space) -> Iterator[Database]:
    with Database.open_space(space) as database:
        yield database


# ------------------------------------------------------------------------------------------------- reading a filter

FIELD = ds.field
EXPRESSIONS = [
    FIELD("loss_nats") < 2.1,
    FIELD("in_fitted_range"),
    (FIELD("gpu") == "a\"b\nc'\\") & ~(FIELD("hidden_size") >= 3),
    (FIELD("a") == 1) | (FIELD("b") != 2) & (FIELD("c") > math.inf),
    pc.if_else(FIELD("w").is_valid(), FIELD("w").isin(list(range(500))), pa.scalar(None, pa.bool_())),
    FIELD("a").is_null(nan_is_null=True) | FIELD("b").is_null(),
    FIELD("a") == pa.scalar(None, pa.float64()),
    FIELD("a") == math.nan,
]
STRANGE = [
    FIELD("a").cast("int32") == 1,
    pc.add(FIELD("a"), 1) < 3,
    FIELD("a", "b") == 1,
    FIELD("a'\nend: 'b") == 1,
    pc.starts_with(FIELD("gpu"), "h"),
]


@pytest.mark.parametrize("condition", EXPRESSIONS, ids=str)
def test_a_filter_is_read_and_written_back(condition: pc.Expression) -> None:
    tree = arrowfilter.read(condition)
    assert tree is not None
    again = arrowfilter.written(tree)
    assert again is not None
    assert again.equals(condition)


@pytest.mark.parametrize("condition", STRANGE, ids=str)
def test_what_is_not_known_is_not_guessed_at(condition: pc.Expression) -> None:
    assert arrowfilter.read(condition) is None


def test_a_form_that_pyarrow_no_longer_has_is_left_to_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were expressions kept otherwise one day, filters would be slower and mean the same."""
    _, (other,) = (FIELD("a") == 2).__reduce__()
    condition, opened = FIELD("a") == 1, ipc.open_file
    monkeypatch.setattr(ipc, "open_file", lambda _: opened(other))
    assert arrowfilter.read(condition) is None
    monkeypatch.setattr(ipc, "open_file", lambda _: opened(pa.py_buffer(b"something else")))
    assert arrowfilter.read(condition) is None


# ------------------------------------------------------------------------------------------- SQL, form by form

FORMS = [
    "hidden_size = 2048", "hidden_size <> 2048", "hidden_size < 2048", "hidden_size <= 2048", "hidden_size > 2048",
    "hidden_size >= 2048", "hidden_size between 2000 and 3100", "hidden_size in (1024, 4096, 5)",
    "hidden_size = 1024 or hidden_size = 3072", "not hidden_size = 2048", "hidden_size is null",
    "hidden_size is not null", "hidden_size is distinct from 2048", "hidden_size < 2500.5", "hidden_size % 2048 = 0",
    "train_tokens < 1e12", "train_tokens > 1e12", "train_tokens >= 'nan'::double", "train_tokens <> 1e10",
    "train_tokens = 1e10", "train_tokens in (1e10, 1e13)", "train_tokens between 1e11 and 1e12",
    "gpu = 'h100_sxm'", "gpu <> 'h100_sxm'", "gpu < 'm'", "gpu <= 'h100_sxm'", "gpu > 'h100_sxm'", "gpu >= 'i'",
    "gpu in ('h100_sxm', 'nobody')", "gpu in ('h100_sxm', null)", "gpu not in ('h100_sxm', 'mi300x')", "gpu = null",
    "gpu like 'h%'", "gpu like '%x'", "starts_with(gpu, 'mi')", "gpu between 'a' and 'i'", "gpu is null",
    "gpu = 'h100_sxm' or precision = 'bf16'", "gpu = 'h100_sxm' and precision <> 'bf16'", "gpu || precision = 'h'",
    "loss_nats < 2.5", "loss_nats <= 2.5", "loss_nats > 2.5", "loss_nats >= 2.5", "loss_nats <> 2.5",
    "not loss_nats < 2.5", "loss_nats between 2.2 and 2.6", "loss_nats < 'nan'::double", "loss_nats < 2.5::float",
    "lifetime_usd < 1e7", "lifetime_usd <= 1e7", "lifetime_usd > 1e7", "lifetime_usd >= 1e7", "lifetime_usd <> 1e7",
    "lifetime_usd = 'nan'::double", "lifetime_usd <> 'nan'::double", "lifetime_usd < 'nan'::double",
    "lifetime_usd >= 'nan'::double", "lifetime_usd is null", "lifetime_usd is not null", "isnan(lifetime_usd)",
    "lifetime_usd < 'inf'::double", "not isnan(lifetime_usd) and lifetime_usd < 1e8", "lifetime_usd in (1, 'nan')",
    "gpu_fp8_flop_per_s = 'nan'::double", "gpu_fp8_flop_per_s > 1e15", "gpu_fp8_flop_per_s < 1e16",
    "gpu_fp8_flop_per_s in (1.9789e15)", "gpu_memory_bytes > 5e10", "gpu_memory_bytes < 1e11",
    "in_fitted_range", "not in_fitted_range", "in_fitted_range = true", "in_fitted_range = false",
    "in_fitted_range is null", "min_gpus_to_serve <= 2", "min_gpus_to_serve > 2", "min_gpus_to_serve in (1, 3)",
    "min_gpus_to_serve <> 1", "gpu = 'mi300x' or loss_nats < 2.4",
    "hidden_size = 1024 and (loss_nats < 2.5 or gpu > 'i')",
    "(loss_nats < 2.4 and gpu = 'h100_sxm') or (lifetime_usd < 1e6 and num_layers = 16)",
    "lifetime_usd < loss_nats * 1e6", "loss_nats < (select avg(loss_nats) from designs)",
    "design_id = 17", "design_id in (3, 17, 200, 971)", "design_id in (3, -1, 100000)", "design_id between 40 and 99",
    "design_id < 40", "design_id >= 900", "design_id <> 17", "design_id = 17 or design_id = 18", "design_id % 7 = 0",
    "design_id = 17 or gpu = 'h100_sxm'", "design_id < 40 and gpu = 'h100_sxm' and loss_nats < 3",
    "design_id > 10 and design_id < 5", "true", "false", "1 = 2 or gpu = 'h100_sxm'",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_sql_means_what_it_means_over_rows(
    form: str, space: Space, database: Database, plain: duckdb.DuckDBPyConnection
) -> None:
    """Rows are asked for where the spec has conditions, and counted where axes alone may say how many."""
    asked = "design_id, gpu, lifetime_usd = 1" if space.conditions else "count(*)"
    question = f"select {asked} from designs where {form} order by 1"
    assert database.query(question).pl().rows() == plain.execute(question).fetchall()


QUESTIONS = [
    "select gpu, precision, count(*), min(lifetime_usd), max(loss_nats) from designs group by all order by all",
    "select design_id, loss_nats from designs order by loss_nats, design_id limit 5",
    "select design_id from designs order by lifetime_usd desc, design_id limit 5",
    "select count(*) from designs join (values (1024), (3072)) as v(x) on x = hidden_size where loss_nats < 2.6",
    "select count(*) from designs join (values ('h100_sxm'), ('mi300x')) as v(x) on x = gpu",
    "select max(loss_nats), max(lifetime_usd), min(gpu_fp8_flop_per_s) from designs",
    "select design_id from designs where loss_nats = (select min(loss_nats) from designs) order by all",
    "select count(*) from designs as a join designs as b using (design_id) where a.gpu = 'mi300x'",
    "select (select count(*) from designs), (select count(*) from designs where gpu = 'h100_sxm')",
    "select count(*) from designs where design_id + 1 in (select design_id from designs)",
    "select 1 from designs limit 3",
    "select hidden_size, count(*) from designs where gpu in (select 'h100_sxm') group by all order by all",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_have_the_answers_they_have_over_rows(
    question: str, database: Database, plain: duckdb.DuckDBPyConnection
) -> None:
    theirs = plain.execute(question).fetchall()
    ours = database.query(question).pl().rows()
    assert repr(ours) == repr(theirs)  # nan is nan


# ---------------------------------------------------------------------------------------------- filters at random

AXES: dict[str, list[Any]] = {
    "hidden_size": [1024, 2000, 4096],
    "train_tokens": [1e10, 5.0e11, 1e13, math.nan],
    "gpu": ["h100_sxm", "v100_sxm2_32", "m"],
    "precision": ["bf16", "fp8_e4m3", "x"],
    "design_id": [0, 17, 500, 971, 5000],
    "loss_nats": [2.2, 2.5, 3.0, math.nan, math.inf],
    "lifetime_usd": [1e5, 1e7, 1e9, math.nan, -math.inf],
    "min_gpus_to_serve": [0, 1, 2, 3],
    "gpu_fp8_flop_per_s": [0.0, 1e15, math.nan],
    "in_fitted_range": [True, False],
}
SIGNS = ["<", "<=", ">", ">=", "==", "!="]


@st.composite
def filters(draw: st.DrawFn) -> pc.Expression:
    """Filters as Arrow has them, over axes, metrics and ids, deeper and deeper."""

    def leaf() -> pc.Expression:
        name = draw(st.sampled_from(sorted(AXES)))
        values = AXES[name]
        kind = draw(st.sampled_from(["compare"] * 4 + ["in", "valid", "null", "between"]))
        if kind == "in":
            return FIELD(name).isin(draw(st.lists(st.sampled_from(values), max_size=3)) or values[:1])
        if kind == "valid":
            return FIELD(name).is_valid()
        if kind == "null":
            return FIELD(name).is_null(nan_is_null=draw(st.booleans()))
        if name == "in_fitted_range":
            return FIELD(name) == draw(st.booleans())
        low, high = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        if kind == "between":
            return (FIELD(name) >= low) & (FIELD(name) <= high)
        return getattr(FIELD(name), {
            "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__", "==": "__eq__", "!=": "__ne__",
        }[draw(st.sampled_from(SIGNS))])(low)  # fmt: skip

    def tree(depth: int) -> pc.Expression:
        kind = draw(st.sampled_from(["leaf", "and", "or", "not"])) if depth else "leaf"
        if kind == "leaf":
            return leaf()
        if kind == "not":
            return ~tree(depth - 1)
        one, other = tree(depth - 1), tree(depth - 1)
        return one & other if kind == "and" else one | other

    return tree(draw(st.integers(0, 3)))


@given(filters())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_filter_leaves_the_rows_that_arrow_leaves_of_all(
    space: Space, written: pl.DataFrame, condition: pc.Expression
) -> None:
    words = [name for name, dtype in written.schema.items() if dtype == pl.Enum]
    table = written.with_columns(pl.col(words).cast(pl.String)).to_arrow()
    table = table.cast(pa.schema([f.with_type(pa.string()) if f.name in words else f for f in table.schema]))
    expected = table.filter(condition)["design_id"].to_pylist()
    dataset = DesignsDataset(space)
    assert sorted(dataset.to_table(columns=["design_id"], filter=condition)["design_id"].to_pylist()) == expected
    assert dataset.count_rows(filter=condition) == len(expected)
    assert dataset.head(3, columns=["gpu"], filter=condition).num_rows == min(3, len(expected))


@st.composite
def specs(draw: st.DrawFn) -> str:
    """Small specs with some of the axes' values, and with conditions or not."""
    axes = {
        "hidden_size": ["1024", "2048", "3072"],
        "num_layers": ["16", "24", "80"],
        "train_tokens": ["1e10", "3e11", "1e13"],
        "precision": ['"bf16"', '"fp8_e4m3"', '"int4_g128"'],
        "gpu": ['"v100_sxm2_32"', '"h100_sxm"', '"mi300x"'],
    }
    kept = {name: draw(st.lists(st.sampled_from(v), min_size=1, unique=True)) for name, v in axes.items()}
    text = "[axes]\n" + "".join(f"{name} = [{', '.join(values)}]\n" for name, values in kept.items())
    conditions = ["min_gpus_to_serve <= 4", "loss_nats < 2.6", "hidden_size > 1024", "lifetime_usd < 1e8"]
    chosen = draw(st.lists(st.sampled_from(conditions), unique=True, max_size=2))
    return text + "[where]\n" + "".join(f'"{c}" = "{c}"\n' for c in chosen)


@pytest.mark.slow
@given(specs(), st.lists(st.sampled_from(FORMS), min_size=2, max_size=3))
@settings(max_examples=8, deadline=None)
def test_any_space_answers_as_its_rows_do(spec: str, forms: list[str]) -> None:
    space = loads(spec)
    found = everything(space)
    words = [name for name, dtype in found.schema.items() if dtype == pl.Enum]
    with duckdb.connect() as connection, Database.open_space(space) as database:
        connection.register("designs", found.with_columns(pl.col(words).cast(pl.String)).to_arrow())
        for question in (
            f"select count(*) from designs where ({forms[0]}) and ({forms[1]})",
            f"select design_id, precision, min_gpus_to_serve from designs where ({') or ('.join(forms)}) order by 1",
        ):
            assert database.query(question).pl().rows() == connection.execute(question).fetchall(), question


# ------------------------------------------------------------------------------------------------ how much is done

LARGE = """
[axes]
hidden_size  = { start = 1024, stop = 9216, step = 128 }
num_layers   = { start = 1, stop = 32, step = 1 }
train_tokens = { log10 = [10, 13], points = 3000 }
gpu          = ["v100_sxm2_32", "h100_sxm", "mi300x"]
"""


@pytest.fixture(scope="module")
def large() -> Space:
    """18.7 million designs; the axis of tokens is longer than those that are gone through one by one."""
    return replace(loads(LARGE), conditions=())


def block(space: Space, *names: str) -> int:
    """Points of a block of a walk for these columns."""
    return Plan(space, names).box.points


@pytest.mark.parametrize(
    ("where", "share"),
    [
        ("gpu = 'h100_sxm'", 1 / 3),
        ("gpu in ('h100_sxm', 'mi300x') and num_layers <= 8", 2 / 3 / 4),
        ("gpu <> 'h100_sxm'", 2 / 3),
        ("train_tokens < 1e11", 1 / 3),
        ("num_layers = 4 and loss_nats < 2.1", 1 / 32),
        ("gpu_memory_bytes < 1e11", 2 / 3),
        ("hidden_size between 2048 and 3000 and lifetime_usd < 1e9", 8 / 65),
    ],
)
def test_a_filter_on_axes_leaves_so_much_less_to_evaluate(where: str, share: float, large: Space) -> None:
    with Database.open_space(large) as database:
        database.query(f"select min(loss_nats) from designs where {where}").pl()
        assert database.evaluated == pytest.approx(share * large.size, rel=1e-3)


def test_counting_evaluates_conditions_and_nothing_else(large: Space) -> None:
    with Database.open_space(large) as database:
        assert database.query("select count(*) from designs").pl().item() == large.size
        assert database.query("select count(*) from designs where gpu = 'h100_sxm'").pl().item() == large.size // 3
        assert database.query("select count(*) from designs where train_tokens < 0").pl().item() == 0
        assert database.evaluated == 0
        some = database.query("select count(*) from designs where num_layers = 7 and loss_nats < 2.5").pl().item()
        assert database.evaluated == large.size // 32
        assert 0 < some < large.size // 32


@pytest.mark.parametrize(
    ("where", "condition"),
    [
        ("loss_nats < 2.3", pl.col("loss_nats") < 2.3),
        ("loss_nats <= 2.3 and serve_bytes < 4e10", (pl.col("loss_nats") <= 2.3) & (pl.col("serve_bytes") < 4e10)),
        (
            "(lifetime_usd < 1e6 or gpu = 'mi300x') and min_gpus_to_serve > 1",
            ((pl.col("lifetime_usd") < 1e6) | (pl.col("gpu") == "mi300x")) & (pl.col("min_gpus_to_serve") > 1),
        ),
        (
            "in_fitted_range = false and hidden_size <> 2048",
            ~pl.col("in_fitted_range") & (pl.col("hidden_size") != 2048),
        ),
    ],
)
def test_compiled_conditions_keep_the_rows_that_polars_keeps(
    where: str, condition: pl.Expr, large: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "WORTH_COMPILING_NS", 0.0)
    some = replace(large, axes=tuple(axis.take(np.arange(0, len(axis), 1 + len(axis) // 60)) for axis in large.axes))
    kept = scan(some).filter(condition).select("design_id").collect()["design_id"].sort()
    with Database.open_space(some) as database:
        found = database.query(f"select design_id from designs where {where} order by 1").pl()["design_id"]
        assert found.equals(kept)
        assert database.query(f"select count(*) from designs where {where}").pl().item() == len(kept) > 0


def test_ids_are_found_in_their_blocks(large: Space) -> None:
    with Database.open_space(large) as database:

        def asked(where: str) -> int:
            before = database.evaluated
            ids = database.query(f"select design_id, loss_nats from designs where {where}").pl()["design_id"]
            expected = pl.int_range(large.size, eager=True).alias("design_id").to_frame()
            assert ids.sort().equals(
                pl.SQLContext(t=expected).execute(f"select * from t where {where}").collect()["design_id"]
            )
            return database.evaluated - before

        assert asked("design_id = 17") == 1
        assert asked("design_id = 17 or design_id = 12345678") <= 2**4
        assert asked("design_id in (0, 7777777, 18000000)") <= 3**4
        assert asked("design_id between 1000000 and 1000999") <= 2 * block(large, "loss_nats")
        assert asked("design_id < 300000") <= 2 * 288_000
        assert asked("design_id > 18000000 and design_id < 5") == 0


def test_a_limit_evaluates_a_block(large: Space) -> None:
    with Database.open_space(large) as database:
        assert len(database.query("select loss_nats from designs limit 10").pl()) == 10
        assert (
            0 < database.evaluated <= block(large, "loss_nats") * 31
        )  # once DuckDB has asked for a second batch, 30 blocks may be on their way
        database.query("select loss_nats from designs").close()
        answer = database.query("select loss_nats, lifetime_usd from designs")
        next(answer.batches())
        answer.close()
        assert database.evaluated < large.size
    found = DesignsDataset(large)
    assert found.head(10, columns=["loss_nats"]).num_rows == 10
    assert found.evaluated == block(large, "loss_nats")


def test_ctrl_c_stops_what_would_take_forever() -> None:
    endless = loads(LARGE.replace("points = 3000", "points = 300_000"))
    with Database.open_space(endless) as database:
        database.query("select min(loss_nats) from designs where train_tokens < 1.001e10 and num_layers = 1").pl()
        timer = threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            database.query("select min(loss_nats) from designs").pl()
        stopped = database.evaluated
        assert stopped < endless.size
        assert database.query("select 1").pl().item() == 1
        assert database.evaluated == stopped


def test_polars_leaves_out_as_much(large: Space) -> None:
    def evaluated(question: Any) -> int:
        counter = Counter()
        question(scan(large, counter)).collect()
        return counter.points

    tokens = pl.col("train_tokens") < 1e11
    assert evaluated(lambda t: t.filter(pl.col("gpu") == "h100_sxm").select(pl.len())) == large.size // 3
    assert evaluated(lambda t: t.filter(tokens).select("loss_nats").min()) == pytest.approx(large.size / 3, rel=1e-3)
    assert evaluated(lambda t: t.select("loss_nats").head(10)) == block(large, "loss_nats")
    assert evaluated(lambda t: t.filter(pl.col("train_tokens") < 0).select("loss_nats")) == 0


def test_blocks_are_counted_by_their_points() -> None:
    for sizes in ([5, 7, 3], [4, 10], [11], [3, 2], []):
        for points in (1, 3, 6, 8, 100):
            box = cut(sizes, points)
            each = [points_of(box, range(k, k + 1)) for k in range(box.blocks)]
            assert sum(each) == math.prod(sizes)
            for start in range(box.blocks):
                assert points_of(box, range(start, box.blocks)) == sum(each[start:])


def test_the_counter_counts_on_many_threads() -> None:
    counter = Counter()

    def count() -> None:
        for _ in range(5000):
            counter.add(1)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.points == 40_000


@given(st.lists(st.tuples(st.sampled_from("&|"), st.integers(-5, 40), st.integers(-5, 40)), max_size=6))
def test_ids_combine_as_sets_do(steps: list[tuple[str, int, int]]) -> None:
    ids, exact = Ids(0, 30), set(range(31))
    for sign, low, high in steps:
        other = Ids(0, 30) & Ids(low, high)
        among = set(range(max(low, 0), min(high, 30) + 1))
        ids, exact = (ids & other, exact & among) if sign == "&" else (ids | other, exact | among)
    held = set(range(ids.low, ids.high + 1)) if ids.listed is None else set(ids.listed)
    assert exact <= held
    assert ids.listed is None or held == exact


def test_a_constant_is_no_part_of_a_loop(large: Space) -> None:
    columns = {column.name: column for column in declare(large, ["loss_nats"])}
    texts = {
        condition.text
        for value in (2.1, 2.2)
        for condition in narrowed(large, columns, ds.field("loss_nats") < value).space.conditions
    }
    assert texts == {"(loss_nats < _float_bound_0)"}


def test_the_column_that_costs_nothing_is_not_seen(database: Database, space: Space, written: pl.DataFrame) -> None:
    usual = [c.name for c in declare(space, wanted(space))]
    assert database.query("describe designs").pl()["column_name"].to_list() == usual
    named = database.query("select * from designs where gpu_usable_bytes >= 0 limit 1").pl()
    assert named.columns == [*usual, "gpu_usable_bytes"]
    seen = database.query("describe _designs").pl()["column_name"].to_list()  # none that the query does not name
    assert seen == ["_row", *usual]
    found = database.query("select _row, gpu from _designs where gpu = 'h100_sxm'").pl()
    assert found.rows() == [(0, "h100_sxm")] * len(written.filter(pl.col("gpu") == "h100_sxm"))


def test_another_duckdb_and_pyarrow_read_the_dataset(space: Space, written: pl.DataFrame) -> None:
    dataset = DesignsDataset(space)
    some = written.filter(pl.col("gpu") == "h100_sxm", pl.col("loss_nats") < 2.6)
    with duckdb.connect() as connection:
        connection.register("mine", dataset)
        question = "select count(*) from mine where gpu = 'h100_sxm' and loss_nats < 2.6"
        assert connection.execute(question).fetchall() == [(len(some),)]
    assert dataset.to_table(columns=[], filter=ds.field("gpu") == "h100_sxm").num_rows == len(
        written.filter(pl.col("gpu") == "h100_sxm")
    )
    assert dataset.evaluated > 0
    with pytest.raises(TypeError, match="to what reads"):
        dataset.filter(ds.field("gpu") == "h100_sxm")

"""The virtual table: the same rows whoever asks, only the work that is asked for, and no more of it than needed."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.dataset as ds
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sweep import reading as module
from sweep.columns import declare, frame, schema, wanted
from sweep.database import Database
from sweep.dataset import DesignsDataset, dataset, offered
from sweep.execute import Evaluator, Worker, rows
from sweep.frontier import frontier
from sweep.lazyframe import scan
from sweep.plan import Plan
from sweep.resolve import loads, narrow
from sweep.run import write
from sweep.space import Space

SPEC = """
[axes]
hidden_size  = [1024, 2048, 3072, 4096]
num_layers   = [16, 24, 80]
train_tokens = { log10 = [10, 13], points = 9 }
precision    = ["bf16", "fp8_e4m3", "int4_g128"]
gpu          = ["v100_sxm2_32", "h100_sxm", "b200_sxm"]

[where]
"not too deep" = "hidden_size >= 64 * num_layers or gpu_memory_bytes > 1e11"
"fits" = "min_gpus_to_serve <= 4"
"""


@pytest.fixture(scope="module")
def space() -> Space:
    return loads(SPEC)


@pytest.fixture(scope="module")
def written(space: Space) -> pl.DataFrame:
    """The rows as the writer of runs makes them: the oracle."""
    names = wanted(space)
    evaluator = Evaluator(Plan(space, names))
    columns = declare(space, names)
    with np.errstate(all="ignore"):
        found = rows(Worker(evaluator), range(evaluator.box.blocks), names)
    return frame(columns, space, found).sort("design_id")


def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The columns of every plan that is made from now on."""
    seen: list[tuple[str, ...]] = []

    class Recorded(Plan):
        def __init__(self, space: Space, columns: list[str]) -> None:
            super().__init__(space, columns)
            seen.append(self.columns)

    monkeypatch.setattr(module, "Plan", Recorded)
    return seen


def test_every_metric_and_every_input_an_axis_sets_is_offered(space: Space) -> None:
    names = [column.name for column in offered(space)]
    head = ["design_id", *(axis.name for axis in space.axes), *wanted(space)]
    assert names[: len(head)] == head
    assert len(names) == len(set(names))
    searched = {"train_layout"}  # offered only where the degrees follow from it
    assert (set(space.graph.metrics) | set(space.axes[-1].sets)) - searched <= set(names)


def test_scan_and_dataset_give_the_rows_of_a_run(space: Space, written: pl.DataFrame) -> None:
    assert 0 < len(written) < space.size
    assert_frame_equal(scan(space).select(written.columns).collect().sort("design_id"), written, check_exact=True)
    table = pl.from_arrow(dataset(space).to_table(columns=written.columns))
    assert isinstance(table, pl.DataFrame)
    words = {name: dtype for name, dtype in written.schema.items() if dtype == pl.Enum}
    found = table.with_columns(pl.col(name).cast(pl.String).cast(dtype) for name, dtype in words.items())
    assert_frame_equal(found.sort("design_id"), written, check_exact=True)


def test_all_columns_can_be_had_at_once(space: Space) -> None:
    few = narrow(space, ["hidden_size <= 2048", "num_layers == 16", "train_tokens < 1e11", 'precision != "bf16"'])
    everything = scan(few).collect()
    assert everything.schema == pl.Schema(schema(offered(few)))
    assert 10 < len(everything) == dataset(few).count_rows()
    assert dataset(few).to_table().num_rows == len(everything)


AXIS_CONDITIONS = [
    pl.col("hidden_size") > 1024,
    pl.col("hidden_size").is_in([2048, 4096]),
    pl.col("gpu") == "b200_sxm",
    pl.col("gpu").is_in(["h100_sxm", "v100_sxm2_32"]),
    pl.col("num_layers") != 24,
    (pl.col("precision") == "bf16") | (pl.col("num_layers") == 16),
    pl.col("loss_nats") < 2.3,
    ~(pl.col("serve_bytes") > 2e10),
    pl.col("train_tokens") > 1e15,
    pl.col("hidden_size") > pl.col("hidden_size").mean(),
]


@given(st.lists(st.sampled_from(AXIS_CONDITIONS), min_size=1, max_size=3))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_polars_conditions_mean_what_they_mean_on_a_frame(
    space: Space, written: pl.DataFrame, conditions: list[pl.Expr]
) -> None:
    found = scan(space).filter(*conditions).select("design_id", "gpu", "train_usd").collect().sort("design_id")
    assert_frame_equal(found, written.filter(*conditions).select("design_id", "gpu", "train_usd"))


FIELD_CONDITIONS = [
    (ds.field("hidden_size") > 1024, pl.col("hidden_size") > 1024),
    (ds.field("hidden_size").isin([2048, 4096]), pl.col("hidden_size").is_in([2048, 4096])),
    (ds.field("gpu") == "b200_sxm", pl.col("gpu") == "b200_sxm"),
    (ds.field("gpu").isin(["h100_sxm"]), pl.col("gpu") == "h100_sxm"),
    (ds.field("num_layers").is_valid() & (ds.field("num_layers") != 24), pl.col("num_layers") != 24),
    ((ds.field("gpu") == "h100_sxm") | (ds.field("loss_nats") < 2.3),
     (pl.col("gpu") == "h100_sxm") | (pl.col("loss_nats") < 2.3)),
]  # fmt: skip


@given(st.lists(st.sampled_from(FIELD_CONDITIONS), min_size=1, max_size=3))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_arrow_conditions_mean_what_they_mean_on_a_frame(
    space: Space, written: pl.DataFrame, conditions: list[tuple[ds.Expression, pl.Expr]]
) -> None:
    condition, *others = (arrow for arrow, _ in conditions)
    for other in others:
        condition = condition & other
    ids = dataset(space).to_table(columns=["design_id"], filter=condition)["design_id"].to_pylist()
    assert sorted(ids) == written.filter(*(p for _, p in conditions))["design_id"].to_list()


@pytest.mark.parametrize("values", [[True, False], [False, True], [True], [False]])
def test_a_boolean_axis_is_what_its_designs_are(values: list[bool], tmp_path: Path) -> None:
    """Whatever the order of its values, in every way to the rows and under every filter."""
    listed = str(values).lower()
    space = loads(f"[axes]\ntied_embeddings = {listed}\nvocab_size = [1000, 2000]\nhidden_size = [512, 1024]")
    write(space, tmp_path / "run")
    names = ["design_id", "tied_embeddings", "vocab_size", "hidden_size", "params_total"]
    told = sorted(scan(space).select(names).collect().rows())
    assert [row[1] for row in told] == [value for value in values for _ in range(4)]
    tied = {row[2:4]: row[4] for row in told if row[1]}
    untied = {row[2:4]: row[4] for row in told if not row[1]}
    for v, h in tied.keys() & untied.keys():  # an output head of its own
        assert untied[v, h] == tied[v, h] + v * h
    with Database.open_space(space) as virtual, Database.open_run(tmp_path / "run") as kept:
        for value in (True, False):
            expected = [row for row in told if row[1] == value]
            column = pl.col("tied_embeddings")
            for wanted_rows in (column == value, column.is_in([value]), column if value else ~column):
                assert sorted(scan(space).select(names).filter(wanted_rows).collect().rows()) == expected
            found = dataset(space).to_table(names, filter=ds.field("tied_embeddings") == value).to_pylist()
            assert sorted(tuple(row.values()) for row in found) == expected
            word = "" if value else "not "
            for condition in (f"tied_embeddings = {value}", f"tied_embeddings in ({value})", f"{word}tied_embeddings"):
                query = f"select {', '.join(names)} from designs where {condition} order by design_id"
                assert virtual.query(query).pl().rows() == kept.query(query).pl().rows() == expected
            best = frontier(narrow(space, [f"tied_embeddings == {int(value)}"], ["params_total"])).frame
            assert best["params_total"].to_list() == sorted(row[4] for row in expected)[:1]


def test_only_what_is_asked_for_is_evaluated(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = asked(monkeypatch)
    scan(space).filter(pl.col("loss_nats") < 2.5).select("train_usd").collect()
    assert set(seen.pop()) == {"train_usd", "loss_nats"}
    dataset(space).count_rows()
    assert seen.pop() == ()
    scan(space).select(pl.len()).collect()
    assert len(seen.pop()) <= 1  # polars asks for one column, of its choice
    assert seen == []


def test_values_a_condition_rules_out_are_not_walked(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[int] = []

    class Recorded(Plan):
        def __init__(self, space: Space, columns: list[str]) -> None:
            super().__init__(space, columns)
            walked.append(self.points)

    monkeypatch.setattr(module, "Plan", Recorded)
    scan(space).select("gpu", "loss_nats").filter(pl.col("gpu") == "h100_sxm", pl.col("loss_nats") < 3).collect()
    dataset(space).to_table(columns=["gpu"], filter=(ds.field("gpu") == "h100_sxm") & (ds.field("loss_nats") < 3))
    assert walked == [Plan(space, []).points // 3] * 2


def test_a_limit_is_counted_before_a_condition_when_it_stands_before_it(space: Space) -> None:
    asked = scan(space).select("design_id", "gpu", "loss_nats")
    head = asked.head(50).collect()
    assert len(head) == 50
    assert asked.head(50).filter(pl.col("gpu") == "b200_sxm").collect().equals(head.filter(pl.col("gpu") == "b200_sxm"))
    assert len(asked.filter(pl.col("gpu") == "b200_sxm").head(7).collect()) == 7


def test_a_limit_stops_a_space_that_would_take_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = loads("""
        [axes]
        hidden_size = { start = 1024, stop = 131072, step = 128 }
        num_layers = { start = 1, stop = 1000, step = 1 }
        vocab_size = { start = 32000, stop = 256000, step = 128 }
        train_tokens = { log10 = [10, 14], points = 1000 }
    """)
    assert endless.size > 10**12
    assert len(scan(endless).select("loss_nats").head(10).collect()) == 10
    assert dataset(endless).head(10, columns=["loss_nats"]).num_rows == 10


def test_batches_are_no_larger_than_asked_for(space: Space) -> None:
    sizes = [len(batch) for batch in scan(space).select("train_usd").collect_batches(chunk_size=10)]
    assert sum(sizes) == len(scan(space).select("design_id").collect())


def test_an_empty_space_has_columns_and_no_rows() -> None:
    nothing = loads('[axes]\nhidden_size = [1024, 2048]\n[where]\n"none" = "hidden_size > 4096"')
    assert scan(nothing).collect().shape == (0, len(offered(nothing)))
    assert dataset(nothing).count_rows() == 0


def test_duckdb_takes_the_dataset_for_what_it_is(space: Space) -> None:
    assert isinstance(dataset(space), DesignsDataset)
    assert dataset(space).schema.field("serve_bytes").metadata[b"unit"] == b"byte"

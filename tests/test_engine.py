"""The engine agrees with evaluating one design after another, however a space is cut, ordered and threaded."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep import plan
from sweep.columns import declare, frame, wanted
from sweep.designs import designs
from sweep.errors import SpecError
from sweep.execute import Evaluator, Rows, Worker, chunks, design_ids, each, rows
from sweep.frontier import frontier
from sweep.plan import Plan, cut
from sweep.resolve import load, loads, narrow
from sweep.space import Space
from tests import naive
from tests.effort import compiled_only, examples

pytestmark = pytest.mark.nojit

AXES = {
    "hidden_size": "[512, 1000, 1024, 4096]",
    "num_layers": "[1, 7, 32]",
    "vocab_size": "[32_000, 128_256]",
    "num_experts": "[1, 8, 64]",
    "precision": '["bf16", "int4_g128", "fp8_e4m3"]',
    "train_tokens": "{ log10 = [9, 13], points = 5 }",
    "gpu": '["a100_sxm_80", "h100_sxm", "t4"]',
    "law": '["besiroglu_2024", "kumar_base"]',
    "batch_size": "[1, 64]",
    "attention_kind": '["gqa", "mla"]',
    "gpu_usd_per_hour": "[1.0, 2.5]",
    "model": '["llama-3.1-8b", "mixtral-8x7b", "deepseek-v3"]',
}
CONDITIONS = [
    "hidden_size % 128 == 0",
    "hidden_size * num_layers <= 20000 or num_experts > 1",
    "min_gpus_to_serve <= 8",
    "loss_nats < 3.0 and lifetime_usd < 1e9",
    'gpu != "t4" or precision == "bf16"',
    "train_days <= 100",
]
COLUMNS = ["params_total", "loss_nats", "in_fitted_range", "min_gpus_to_serve", "lifetime_usd", "decode_step_s"]


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """A space of one to five axes with up to three conditions, few enough designs to go through one by one."""
    names = draw(st.lists(st.sampled_from(sorted(AXES)), min_size=1, max_size=5, unique=True))
    where = draw(st.lists(st.sampled_from(CONDITIONS), max_size=3, unique=True))
    axes = "\n".join(f"{name} = {AXES[name]}" for name in names)
    conditions = "\n".join(f"\"c{i}\" = '''{text}'''" for i, text in enumerate(where))
    latent = "kv_lora_rank = 512\nqk_nope_head_dim = 64\nqk_rope_head_dim = 64\nv_head_dim = 128"
    return loads(f"[axes]\n{axes}\n[fixed]\n{latent}\n[where]\n{conditions}\n")


def all_rows(space: Space, columns: list[str], threads: int = 2, points: int = 64) -> Rows:
    ready = Plan(space, columns)
    parts = list(each(Evaluator(ready), lambda w, run: rows(w, run, columns), chunks(ready, points), threads))
    names = [*(f"#{axis.name}" for axis in space.axes), *columns]
    none = [np.zeros(0, np.int64)]
    columns_found = {name: np.concatenate([part.columns[name] for part in parts] or none) for name in names}
    return Rows(np.concatenate([part.design_id for part in parts] or none), columns_found)


def bits(value: int | float) -> bytes:
    return struct.pack("d", value) if isinstance(value, float) else struct.pack("q", value)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(space=spaces(), block=st.integers(1, 300), table=st.sampled_from([0, 5, 10**6]))
def test_blocks_hold_what_one_design_after_another_gives_to_the_last_bit(space: Space, block: int, table: int) -> None:
    """Whatever the size of blocks and tables; a vanished design, a repeated one or a swapped column would show."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "TABLE_POINTS", table)
        patch.setattr(plan.cut, "__defaults__", (block,))
        found = all_rows(space, COLUMNS)
    expected = dict(naive.designs(space, COLUMNS))
    assert sorted(found.design_id.tolist()) == sorted(expected)
    for k, design_id in enumerate(found.design_id.tolist()):
        for name in COLUMNS:
            assert bits(found.columns[name][k].item()) == bits(expected[design_id][name]), (name, design_id)


@settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(space=spaces(), data=st.data())
def test_frontier_of_a_space_matches_comparing_every_pair(space: Space, data: Any) -> None:
    names = data.draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4, unique=True))
    split = data.draw(st.integers(0, len(names)))
    minimize, maximize = names[:split], names[split:]
    found = frontier(narrow(space, (), minimize, maximize), threads=2)
    expected = naive.frontier(list(naive.designs(space, COLUMNS)), minimize, maximize)
    assert found.frame["design_id"].to_list() == expected


ODD = """
[axes]
batch_size = [1, 2, 4, 8]
train_tokens = { log10 = [9, 13], points = 9 }
[metrics]
by_zero = "1 / log(batch_size) + 5 // (batch_size - 1)"
counted = "(batch_size > 2) + (train_tokens > 1e11)"
"""


def test_what_divides_by_zero_divides_alike_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled, interpreted, and with NUMBA_DISABLE_JIT: inf, never an error; a comparison counts as 0 or 1."""
    space = loads(ODD)
    expected = dict(naive.designs(space, ["by_zero", "counted"]))
    assert expected[0]["by_zero"] == np.inf
    for worth in (1e18, 0.0):
        monkeypatch.setattr(plan, "WORTH_COMPILING_NS", worth)
        found = all_rows(space, ["by_zero", "counted"])
        for name in ("by_zero", "counted"):
            values = dict(zip(found.design_id.tolist(), found.columns[name].tolist(), strict=True))
            assert values == {i: row[name] for i, row in expected.items()}


SMALL = """
[axes]
hidden_size = { start = 1024, stop = 4096, step = 256 }
num_layers = { start = 8, stop = 40, step = 8 }
precision = ["bf16", "int4_g128"]
train_tokens = { log10 = [10, 13], points = 40 }
gpu = ["h100_sxm", "mi300x"]
[where]
"fits" = "min_gpus_to_serve <= 8"
"shape" = "hidden_size >= 64 * num_layers"
"""


def test_compiled_and_interpreted_loops_agree_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """No reordering is involved anywhere, so compiling must not move a bit."""
    space = loads(SMALL)
    columns = list(wanted(space))
    monkeypatch.setattr(plan, "WORTH_COMPILING_NS", 1e18)
    slow = all_rows(space, columns)
    monkeypatch.setattr(plan, "WORTH_COMPILING_NS", 0.0)
    fast = all_rows(space, columns)
    assert slow.design_id.tobytes() == fast.design_id.tobytes()
    for name in columns:
        assert slow.columns[name].tobytes() == fast.columns[name].tobytes(), name


def test_rows_do_not_depend_on_threads_or_chunks() -> None:
    space = loads(SMALL)
    columns = list(wanted(space))
    one = all_rows(space, columns, threads=1, points=10**9)
    many = all_rows(space, columns, threads=5, points=1)
    assert one.design_id.tobytes() == many.design_id.tobytes()
    assert all(one.columns[name].tobytes() == many.columns[name].tobytes() for name in columns)


def test_a_worker_may_visit_blocks_in_any_order() -> None:
    """What is kept from the block before must never leak into one that differs in what it depends on."""
    space = loads(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan.cut, "__defaults__", (50,))
        ready = Plan(space, ["lifetime_usd"])
    evaluator = Evaluator(ready)
    steady, jumping = Worker(evaluator), Worker(evaluator)
    blocks = list(range(ready.box.blocks))
    expected = {}
    for block in blocks:
        steady.visit(block)
        expected[block] = steady.column("lifetime_usd").tobytes()
    for block in np.random.default_rng(1).permutation(blocks * 2).tolist():
        jumping.visit(block)
        assert jumping.column("lifetime_usd").tobytes() == expected[block]


def test_workers_that_take_turns_keep_no_more_than_one() -> None:
    """A thread that held many rows and then encodes leaves their memory to those that gather the next."""
    evaluator = Evaluator(Plan(loads(SMALL), ["loss_nats", "lifetime_usd"]))
    held = [rows(Worker(evaluator), range(evaluator.box.blocks), ["loss_nats", "lifetime_usd"])]
    most = evaluator.memory._most_bytes
    assert most > 0
    for _ in range(3):
        held.clear()
        held.append(rows(Worker(evaluator), range(evaluator.box.blocks), ["loss_nats", "lifetime_usd"]))
    assert evaluator.memory._held_bytes + evaluator.memory._kept_bytes <= most


def test_design_ids_follow_from_the_walk() -> None:
    space = loads(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan.cut, "__defaults__", (37,))
        ready = Plan(space, ["loss_nats"])
    worker = Worker(Evaluator(ready))
    for block in range(0, ready.box.blocks, 7):
        worker.visit(block)
        by_walk = design_ids(ready, worker.walk_ids(block))
        assert by_walk.tolist() == rows(worker, range(block, block + 1), ["loss_nats"]).design_id.tolist()


def test_a_design_is_recomputed_from_its_id_alone() -> None:
    space = loads(SMALL)
    columns = list(wanted(space))
    found = frame(declare(space, columns), space, all_rows(space, columns))
    some = found.sample(50, seed=3)
    assert designs(space, some["design_id"].to_numpy(), columns).equals(some, null_equal=True)


@compiled_only
def test_an_axis_value_ruled_out_alone_is_not_walked_and_ids_do_not_move() -> None:
    small = SMALL.replace("points = 40", "points = 4")
    space = loads(small + '"few" = "num_layers <= 16"\n')
    assert Plan(space, ["loss_nats"]).points == space.size * 2 // 5
    assert all_rows(space, ["num_layers"]).design_id.max() < space.size
    everything = dict(naive.designs(loads(small), ["num_layers"]))
    kept = all_rows(space, ["num_layers"]).design_id.tolist()
    assert sorted(kept) == [i for i, row in sorted(everything.items()) if row["num_layers"] <= 16]


def test_a_space_with_nothing_left_has_no_rows() -> None:
    for text in ("hidden_size > 1e6", "loss_nats < 0", "hidden_size + num_layers < 0"):
        space = loads(SMALL + f'"none" = "{text}"\n')
        assert len(all_rows(space, ["loss_nats"])) == 0
        assert len(frontier(narrow(space, (), ["loss_nats"])).frame) == 0


def test_blocks_cover_every_point_once() -> None:
    for sizes in ([], [1], [7, 3], [2, 1, 5], [100_000], [3, 70_000, 2]):
        for points in (1, 2, 6, 64, 10**6):
            box = cut(sizes, points)
            assert all(e * c >= s > e * (c - 1) for e, c, s in zip(box.extents, box.counts, sizes, strict=True))
            assert box.points <= max(1, points)


def test_a_metric_is_evaluated_only_along_what_it_depends_on() -> None:
    ready = Plan(load("first-look"), ["loss_nats", "decode_step_s", "lifetime_usd"])
    along = {name: {ready.axes[a].name for a in value.axes} for name, value in ready.values.items()}
    shape = {"hidden_size", "num_layers", "vocab_size", "num_experts"}
    assert along["loss_nats"] == shape | {"train_tokens"}
    assert along["decode_step_s"] == shape | {"precision", "gpu"}
    assert along["loss_tokens_term_nats"] == {"train_tokens"}
    assert along["lifetime_usd"] == shape | {"train_tokens", "precision", "gpu"}


def test_seven_axes_alone_make_a_space() -> None:
    """The defaults for everything else are stated, not silent."""
    axes = "d = [1024]\nL = [8]\nV = [32_000]\nexperts = [1, 8]\nprecision = ['bf16']\ntokens = [1e10]"
    space = loads(f"[axes]\n{axes}\nGPU = ['h100_sxm']")
    assert [axis.name for axis in space.axes][:4] == ["hidden_size", "num_layers", "vocab_size", "num_experts"]
    assert space.stated["law"] == "besiroglu_2024"
    assert space.stated["ffn_size"].startswith("(8 * hidden_size")
    assert len(all_rows(space, list(wanted(space)))) == 2


def test_a_frontier_needs_an_objective() -> None:
    with pytest.raises(SpecError, match="--minimize"):
        frontier(loads(SMALL))

"""The fastest layout is the one that trying them all by hand finds, and what it decides follows from it everywhere."""

import random
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import polars as pl
import pytest

import sweep
from kernels.divisors import divisors, least_divisor
from kernels.evaluate import evaluate
from kernels.language import from_text
from kernels.layouts import GOAL, SEARCHED, search, searched_graph
from kernels.model import GRAPH
from kernels.nested import Loop, Nested, Search
from kernels.scalar import FUNCTIONS
from sweep.columns import wanted
from sweep.errors import SpecError
from sweep.points import evaluate_rows
from tests.effort import compiled_only
from tests.layout_search import PATH, text

DENSE = {"hidden_size": 4096, "num_layers": 24, "num_gpus": 48, "train_batch_tokens": 4096 * 96.0}
DESIGNS: dict[str, Mapping[str, Any]] = {
    "dense": DENSE,
    "one GPU": {"hidden_size": 1024, "num_layers": 8, "num_gpus": 1, "train_batch_tokens": 4096 * 8.0},
    "layers that do not divide": DENSE | {"num_layers": 30, "hidden_size": 6144, "num_gpus": 40},
    "a long sequence": DENSE | {"sequence_length": 16384, "num_gpus": 32, "train_batch_tokens": 16384 * 16.0},
    "mixture": DENSE | {"num_experts": 16, "hidden_size": 2048, "num_gpus": 32, "first_dense_layers": 1},
    "v3": {"model": "deepseek-v3", "num_gpus": 512, "train_batch_tokens": 4096 * 512.0, "most_pipeline_parallel": 8},
}


def layouts_of(design: Mapping[str, Any]) -> Iterator[dict[str, int]]:
    """Every combination of degrees that divides the GPUs and, once in stages, has even runs of layers."""
    frame, _ = evaluate_rows(pl.DataFrame([design]), ["num_layers", "num_experts", *MOST])
    known = frame.row(0, named=True)
    gpus, layers, experts = design["num_gpus"], known["num_layers"], known["num_experts"]
    degrees = product(
        range(1, known["most_tensor_parallel"] + 1),
        range(1, known["most_context_parallel"] + 1),
        range(1, min(experts, known["most_expert_parallel"]) + 1),
        range(1, min(layers, known["most_pipeline_parallel"]) + 1),
    )
    for tensor, context, expert, stages in degrees:
        if gpus % (tensor * context * stages) or experts % expert:
            continue
        for runs in range(1, (known["most_pipeline_interleave"] if stages > 1 else 1) + 1):
            if runs > 1 and layers % (stages * runs):
                continue
            for micro, zero in product((1, 2, 4, 8, 16), range(4)):
                if gpus // (tensor * context * stages) * micro <= design["train_batch_tokens"] // known_length(design):
                    yield dict(zip(SEARCHED, (tensor, context, expert, stages, runs, micro, zero), strict=True))


MOST = [name for name in GRAPH.inputs if name.startswith("most_")]


def known_length(design: Mapping[str, Any]) -> int:
    """Tokens of a sequence."""
    return int(design.get("sequence_length", 4096))


@compiled_only
@pytest.mark.parametrize("name", DESIGNS)
def test_the_search_finds_what_trying_all_by_hand_finds(name: str) -> None:
    design = DESIGNS[name]
    by_hand = pl.DataFrame([{**design, **layout, "parallelism": "given"} for layout in layouts_of(design)])
    tried, _ = evaluate_rows(by_hand, [GOAL, "train_fits"])
    least = tried.filter(pl.col("train_fits"))[GOAL].min()
    columns = [GOAL, "train_fits", *SEARCHED]
    found, bad = evaluate_rows(pl.DataFrame([{**design, "parallelism": "best"}] * 2), columns)
    if least is None:
        assert [b.reason for b in bad] == ["no layout of training fits these GPUs"] * 2
        return
    assert not bad
    row = found.row(1, named=True)
    assert row["train_fits"]
    assert row[GOAL] == least
    chosen = {name: row[name] for name in SEARCHED}
    again, _ = evaluate_rows(pl.DataFrame([{**design, **chosen, "parallelism": "given"}]), [GOAL])
    assert again[GOAL][0] == least


def test_the_loops_are_written_from_the_metrics_as_they_are() -> None:
    assert PATH.read_text() == text(), "run python -m tests.layout_search"


LEADING = {"num_experts": 8, "hidden_size": 2048, "num_gpus": 64, "num_layers": 24, "train_batch_tokens": 4096 * 128.0}
BOUNDED: dict[str, Mapping[str, Any]] = {
    **DESIGNS,
    "leading dense layers": LEADING | {"first_dense_layers": 5, "ffn_size": 30000},
    "every other layer routed": LEADING | {"moe_layer_period": 2, "recompute": "full"},
    "further tokens predicted": LEADING | {"mtp_layers": 1, "recompute": "selective", "flash_attention": 0},
}


@pytest.mark.parametrize("most_zero_stage", [1, 3])
@pytest.mark.parametrize("name", BOUNDED)
def test_no_bound_is_past_what_it_bounds(name: str, most_zero_stage: int) -> None:
    """Of layouts drawn from all there are; a layout's memory is that of its fullest stage."""
    design = {**BOUNDED[name], "most_zero_stage": most_zero_stage}
    layouts = [layout for layout in layouts_of(design) if layout["zero_stage"] <= most_zero_stage]
    drawn = random.Random(name).sample(layouts, min(len(layouts), 150))
    rows = pl.DataFrame([{**design, **layout, "parallelism": "given"} for layout in drawn])
    graph, asked = searched_graph(GRAPH), search(GRAPH)
    of_memory = ("train_bytes_least", "stages_bytes_least", "sharded_bytes_least")
    bounds = [*asked.bounds, *of_memory]
    nodes, _ = graph.resolve(bounds, set(GRAPH.metrics) | set(GRAPH.inputs))
    taken = {p for node in nodes for p in node.formula.parameters} - asked.own
    columns = sorted(taken | {GOAL, "train_bytes_per_gpu"} | (set(bounds) - asked.own))
    found, _ = evaluate_rows(rows, columns)
    found = found.drop_nulls(GOAL)  # of layouts that contradict themselves there is none
    assert len(found) > 20 or name == "one GPU"
    codes = {n: GRAPH.words[n].index for n in columns if n in GRAPH.words}
    for row in found.rows(named=True):
        known = {n: codes[n](row[n]) if n in codes else row.get(f"{n}_computed", row[n]) for n in columns}
        values = evaluate(graph, bounds, known)
        assert all(values[bound] <= row[GOAL] for bound in asked.bounds)
        assert all(values[bound] <= row["train_bytes_per_gpu"] for bound in of_memory)


@pytest.mark.nojit
def test_divisors_come_back_in_order() -> None:
    for number, most in product((1, 2, 60, 61, 63 * 64, 2**20 * 61), (1, 2, 7, 64)):
        rest, found = divisors(number, most), []
        while rest:
            found.append(least_divisor(rest))
            rest &= rest - 1
        assert found == [k for k in range(2, min(number, most) + 1) if number % k == 0]
    assert least_divisor(0) == 0


def test_what_follows_from_a_layout_is_in_the_loops() -> None:
    nested = Nested(searched_graph(GRAPH), search(GRAPH))
    assert nested.level["data_parallel"] == nested.level["pipeline_parallel"]
    assert not {"data_parallel", *SEARCHED} & set(nested.parameters)


def test_a_search_of_two_loops_is_the_best_of_the_square() -> None:
    """On a goal whose least anybody can see."""
    goal = from_text("goal", "max(tensor_parallel - 3, 3 - tensor_parallel) + tensor_parallel - pipeline_parallel")
    graph = GRAPH.extended((), {"most_context_parallel": goal})
    loops = (Loop("tensor_parallel", "range(1, 9)"), Loop("pipeline_parallel", "range(1, tensor_parallel)"))
    wanted = Search(
        "found",
        loops,
        ["pipeline_parallel > 1"],
        "most_context_parallel",
        (),
        "10 * tensor_parallel + pipeline_parallel",
    )
    scope: dict[str, Any] = dict(FUNCTIONS) | {"math": __import__("math")}
    exec(Nested(graph, wanted).source(), scope)
    assert scope["found"]() == 32


def test_given_degrees_contradict_a_search() -> None:
    frame = pl.DataFrame({"parallelism": ["best", "given"], "tensor_parallel": [2, 2], "num_gpus": [8, 8]})
    _, bad = evaluate_rows(frame, ["train_bytes_per_gpu"])
    assert [(b.row, b.column) for b in bad] == [(0, "tensor_parallel")]
    assert "most_tensor_parallel" in bad[0].reason


def test_a_batch_of_ones_own_is_dealt_out_and_an_empty_cell_is_none() -> None:
    """Rows that give a batch beside rows that leave it to train_batch_tokens."""
    shape = {"hidden_size": 2048, "num_layers": 16, "num_gpus": 16, "parallelism": "best"}
    frame = pl.DataFrame([shape | {"global_batch_size": size} for size in (None, 16, 64)])
    columns = ["global_batch_size", "data_parallel", "micro_batch_size", "micro_batches"]
    found, bad = evaluate_rows(frame, columns, {"train_batch_tokens": 32 * 4096})
    assert not bad
    sizes = found["global_batch_size_computed"].to_list()
    assert sizes == [32, 16, 64]
    dealt = (found["data_parallel"] * found["micro_batch_size"] * found["micro_batches"]).to_list()
    assert all(size <= tokens for size, tokens in zip(sizes, dealt, strict=True))
    assert all(d * m <= size for d, m, size in zip(
        found["data_parallel"].to_list(), found["micro_batch_size"].to_list(), sizes, strict=True))  # fmt: skip


def space_of(text: str, tmp_path: Any) -> Any:
    """The space of a spec given as text."""
    (tmp_path / "spec.toml").write_text(text)
    return sweep.load(str(tmp_path / "spec.toml"))


SPEC = """
[axes]
hidden_size = [1024, 2048, 20480]
num_gpus = [2, 16]
[fixed]
num_layers = 16
parallelism = "best"
train_batch_tokens = 262144
"""


def test_a_space_shows_what_was_chosen_and_leaves_out_what_does_not_fit(tmp_path: Any) -> None:
    frame = space_of(SPEC, tmp_path).scan().select("hidden_size", "num_gpus", *SEARCHED, "train_fits").collect()
    assert frame["train_fits"].all()
    assert 0 < len(frame) < 6
    rows = frame.select(
        pl.exclude("train_fits"), pl.lit(16).alias("num_layers"), pl.lit(262144.0).alias("train_batch_tokens")
    )
    again, bad = evaluate_rows(rows, ["train_bytes_per_gpu", "train_fits"], {"parallelism": "given"})
    assert not bad
    assert again["train_fits"].all()


@pytest.mark.parametrize("batch", ["[fixed]\nglobal_batch_size = 32", '[derived]\nglobal_batch_size = "2 * num_gpus"'])
def test_a_spec_may_give_the_batch(batch: str, tmp_path: Any) -> None:
    text = SPEC.replace("train_batch_tokens = 262144\n", "")
    text = text.replace("[fixed]", batch) if "[fixed]" in batch else f"{text}{batch}\n"
    text = 'columns = ["global_batch_size", "data_parallel"]\n' + text
    frame = space_of(text, tmp_path).scan().select("global_batch_size", "data_parallel", "num_gpus").collect()
    assert len(frame)
    assert (frame["data_parallel"] <= frame["global_batch_size"]).all()
    assert set(frame["global_batch_size"]) <= ({32} if "[fixed]" in batch else {4, 32})


def test_a_batch_that_follows_from_the_layout_is_refused(tmp_path: Any) -> None:
    with pytest.raises(SpecError, match="follows from what it decides"):
        space_of(SPEC + '[derived]\nglobal_batch_size = "4 * data_parallel"\n', tmp_path)


def test_assumed_and_best_are_an_axis(tmp_path: Any) -> None:
    """Where no layout is searched for, degrees have their defaults and utilisation is assumed."""
    both = SPEC.replace('parallelism = "best"\n', "").replace("[fixed]", 'parallelism = ["assumed", "best"]\n[fixed]')
    columns = ["parallelism", "num_gpus", "mfu", "assumed_mfu", *SEARCHED]
    frame = space_of(both, tmp_path).scan().select("hidden_size", *columns).collect()
    assumed, best = (frame.filter(pl.col("parallelism") == word) for word in ("assumed", "best"))
    assert len(assumed) == 6
    assert (assumed["mfu"] == assumed["assumed_mfu"]).all()
    assert assumed.select("tensor_parallel", "zero_stage").unique().rows() == [(1, 3)]
    alone = space_of(SPEC, tmp_path).scan().select("hidden_size", "num_gpus", "mfu", *SEARCHED).collect()
    assert best.select(alone.columns).sort("hidden_size", "num_gpus").equals(alone.sort("hidden_size", "num_gpus"))


def test_a_table_shows_degrees_and_not_the_code_of_them(tmp_path: Any) -> None:
    shown = wanted(space_of(SPEC, tmp_path).space)
    assert {*SEARCHED, "data_parallel"} <= set(shown)
    assert "train_layout" not in shown


def test_a_spec_that_gives_what_a_search_decides_is_refused(tmp_path: Any) -> None:
    with pytest.raises(SpecError, match="leave it out, or bound what is tried by most_zero_stage"):
        space_of(SPEC + "zero_stage = 1\n", tmp_path)

"""Specs: what they may say, and every mistake at once, with its place, what stands there and what would be right."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep import catalogue
from sweep.errors import SpecError
from sweep.lazyframe import scan
from sweep.resolve import load, loads, narrow, single
from sweep.space import Space
from sweep.spec import shipped

pytestmark = pytest.mark.nojit

GPU = "gpu = ['h100_sxm']"


def problems(text: str) -> list[str]:
    """'place found advice' of every problem of a spec."""
    with pytest.raises(SpecError) as caught:
        loads(text)
    return [f"{p.place} {p.found} {p.advice}" for p in caught.value.problems]


def values(space: Space, name: str) -> list[object]:
    axis = space.axis(name)
    assert axis is not None
    return list(axis.labels)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[1024, 2048]", [1024, 2048]),
        ("{ start = 1024, stop = 1536, step = 256 }", [1024, 1280, 1536]),
        ("{ start = 1024, stop = 1500, step = 256 }", [1024, 1280]),
        ("{ start = 10, stop = 1, step = -3 }", [10, 7, 4, 1]),
        ("{ start = 1, stop = 3, points = 5 }", [1, 2, 3]),  # counts are rounded to whole numbers, repeats dropped
        ("{ log2 = [3, 6], points = 4 }", [8, 16, 32, 64]),
        ("{ log10 = [1, 3], points = 3 }", [10, 100, 1000]),
    ],
)
def test_axis_forms(written: str, expected: list[int]) -> None:
    assert values(loads(f"[axes]\nhidden_size = {written}"), "hidden_size") == expected


def test_a_range_of_a_number_keeps_its_fractions() -> None:
    axis = loads("[axes]\ntrain_tokens = { log10 = [10, 13], points = 7 }").axis("train_tokens")
    assert axis is not None
    np.testing.assert_allclose(np.log10(axis.sets["train_tokens"]), np.linspace(10, 13, 7), rtol=1e-15)


@settings(max_examples=50, deadline=None)
@given(start=st.integers(1, 1000), step=st.integers(1, 300), count=st.integers(1, 50))
def test_a_stepped_range_includes_its_stop_exactly_when_the_step_reaches_it(start: int, step: int, count: int) -> None:
    stop = start + step * (count - 1)
    for end, last in ((stop, stop), (stop + step - 1, stop)):
        found = values(
            loads(f"[axes]\nhidden_size = {{ start = {start}, stop = {end}, step = {step} }}"), "hidden_size"
        )
        assert found == list(range(start, last + 1, step))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[1, 2, 3]", ["1", "2", "3"]),
        ("['17', 4]", ["17", "4"]),
        ("{ start = 1, stop = 200, step = 1 }", [str(draw) for draw in range(1, 201)]),
        ("'all'", [str(draw) for draw in range(1001)]),
    ],
)
def test_draws_of_a_law_are_named_by_their_numbers(written: str, expected: list[str]) -> None:
    space = loads(f"[axes]\nlaw_draw = {written}")
    assert values(space, "law_draw") == expected
    axis = space.axis("law_draw")
    assert axis is not None
    floors = catalogue.records("law_draw")
    said = [floors[draw].values["draw_floor_nats"] for draw in expected]
    np.testing.assert_array_equal(axis.sets["draw_floor_nats"], said)


def test_one_draw_may_be_fixed() -> None:
    for written in ("17", "17.0", "'17'"):
        assert loads(f"[axes]\n{GPU}\n[fixed]\nlaw_draw = {written}").chosen["law_draw"] == "17"
    assert single({"law_draw": "17"}).chosen["law_draw"] == "17"
    printed = single({}).fixed
    assert math.isnan(printed["draw_floor_nats"])


def test_a_row_with_a_draw_of_another_law_is_reported() -> None:
    import polars as pl

    from sweep.points import evaluate_rows

    table = pl.DataFrame(
        {
            "law": ["besiroglu_2024", "hoffmann_a3_tex", None, "hoffmann_a3_tex", None],
            "law_draw": [17, 17, 17, 0, 1001],
            "law_params_scale": [None, None, 400.0, 400.0, None],
        }
    )
    for rows in (table, table.with_columns(pl.col("law_draw").cast(pl.Float64))):
        result, bad = evaluate_rows(rows, ["loss_params_scale"])
        assert [(b.row, b.column, b.reason) for b in bad] == [
            (1, "law_draw", "draw 17 is of besiroglu_2024, not of hoffmann_a3_tex"),
            (2, "law_params_scale", "draw 17 replaces it: leave one of them out"),
            (4, "law_draw", "'1001' is not a known law_draw; it has 0 to 1000"),
        ]
        drawn = catalogue.records("law_draw")["17"].values["draw_params_scale"]
        assert result["loss_params_scale"].to_list() == [drawn, None, None, 400.0, None]


def test_short_names_work_everywhere() -> None:
    text = "[axes]\nd = [1024, 2048]\nL = [8]\nV = [32000]\nexperts = [1]\ntokens = [1e12]\nGPU = ['h100_sxm']"
    space = loads(
        text
        + "\n[where]\n'x' = 'd * L <= 10000 and V > 1 and experts == 1 and tokens > 1'\n[frontier]\nminimize = ['d']"
    )
    assert [a.name for a in space.axes] == [
        "hidden_size",
        "num_layers",
        "vocab_size",
        "num_experts",
        "train_tokens",
        "gpu",
    ]
    assert values(space, "hidden_size") == [1024]
    assert space.minimize == ("hidden_size",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[axes]\ngpu = ['h100_smx']", "axes.gpu[0] \"h100_smx\" not in data/accelerators.csv; did you mean \"h100_sxm\"?"),
        ("[axes]\nnum_experts = [0, 8]", "axes.num_experts[0] 0 0 is not a count; a dense model is num_experts = 1"),
        ("[axes]\nhiden_size = [1]", 'axes.hiden_size  hiden_size is neither an input nor a record; did you mean "hidden_size"?'),
        ("[axes]\nhidden_size = [1.5]", "axes.hidden_size[0] 1.5 hidden_size is a whole number"),
        ("[axes]\nhidden_size = ['x']", 'axes.hidden_size[0] "x" hidden_size takes a number'),
        ("[axes]\nhidden_size = []", "axes.hidden_size [] an axis has at least one value"),
        ("[axes]\nhidden_size = [8, 8]", "axes.hidden_size 8 stands on the axis twice"),
        ("[axes]\nhidden_size = 8", "axes.hidden_size 8 an axis is a list; one value alone belongs below [fixed], or write [8]"),
        ("[axes]\nattention_kind = ['mle']", 'axes.attention_kind[0] "mle" not a word that attention_kind takes; did you mean "mla"?'),
        (f"[axes]\n{GPU}\n[fixed]\nlaw = 'kaplan'", 'fixed.law "kaplan" not in data/laws.toml'),
        (f"[axes]\n{GPU}\n[fixed]\nlaw_draw = 17\nlaw = 'hoffmann_a3_tex'", 'fixed.law_draw 17 a draw of besiroglu_2024, not of hoffmann_a3_tex: law = "besiroglu_2024", or law_draw = 0'),
        (f"[axes]\n{GPU}\nlaw_draw = [0, 3]\nlaw = ['besiroglu_2024', 'muennighoff_c4']", "axes.law_draw 3 a draw of besiroglu_2024, not of muennighoff_c4"),
        (f"[axes]\n{GPU}\nlaw_draw = [1001]", "axes.law_draw[0] 1001 not in data/law_draws.csv; it has 0 to 1000"),
        (f"[axes]\n{GPU}\nlaw_draw = [1, '1']", "axes.law_draw '1' stands on the axis twice"),
        (f"[axes]\n{GPU}\n[fixed]\nlaw_draw = 1.5", "fixed.law_draw 1.5 not in data/law_draws.csv"),
        (f"[axes]\n{GPU}\n[fixed]\nlaw_draw = 3\nlaw_floor_nats = 1.0", "fixed.law_draw 3 replaces law_floor_nats, which the spec gives: leave one of them out"),
        (f"[axes]\n{GPU}\n[fixed]\nmoe_law = 'joint'", 'fixed.moe_law "joint" not in data/moe_laws.toml; did you mean "joint_moe"?'),
        (f"[axes]\n{GPU}\nptq_law = ['quip']", "not in data/ptq_laws.toml; see `sweep list corrections`"),
        (f"[axes]\n{GPU}\n[fixed]\ngpu = 't4'", "fixed.gpu  gpu is already set by axes.gpu"),
        (f"[axes]\n{GPU}\nGPU = ['t4']", "axes.GPU  GPU is short for gpu, which is given too"),
        (f"[axes]\n{GPU}\n[fixed]\noutput_token_share = 1.5", "fixed.output_token_share 1.5 output_token_share lies between 0 and 1"),
        (f"[axes]\n{GPU}\n[where]\n'a' = 'los_nats < 2'", 'where."a" "los_nats < 2" los_nats is not known; did you mean "loss_nats"?'),
        (f"[axes]\n{GPU}\n[where]\n'a' = 'loss_nats'", 'where."a" "loss_nats" not a condition: compare it with something'),
        (f"[axes]\n{GPU}\n[where]\n'a' = 'loss_nats <'", 'where."a" "loss_nats <" not an expression: invalid syntax'),
        (f"[axes]\n{GPU}\n[where]\n'a' = 'gpu == \"h100\"'", "gpu does not know the word 'h100'"),
        (f"[axes]\n{GPU}\n[derived]\nloss_nats = '1'", "derived.loss_nats \"1\" only an input can be derived"),
        (f"[axes]\n{GPU}\n[derived]\nnum_heads = 'hidden_size / hed_dim'", 'hed_dim is not known; did you mean "head_dim"?'),
        (f"[axes]\n{GPU}\n[derived]\nnum_heads = 'num_kv_heads'", "a cycle: num_heads -> num_kv_heads -> num_heads"),
        (f"[axes]\n{GPU}\n[metrics]\nloss_nats = '1.0'", "loss_nats exists already; give this one another name"),
        (f"[axes]\n{GPU}\n[frontier]\nminimize = ['lifetime_us']", 'neither a metric nor an input; did you mean "lifetime_usd"?'),
        (f"[axes]\n{GPU}\n[frontier]\nminimize = ['loss_nats']\nmaximize = ['loss_nats']", "cannot be minimised and maximised at once"),
        (f"columns = ['los_nats']\n[axes]\n{GPU}", 'columns[0] "los_nats" neither a metric nor an input; did you mean "loss_nats"?'),
        (f"colums = ['loss_nats']\n[axes]\n{GPU}", 'colums  not a key of a spec; did you mean "columns"?'),
        (f"[axes]\n{GPU}\n[metrics]\ncost = '1.0'\nCost = '2.0'", "metrics.Cost  cost exists already; give this one another name"),
        (f"[axes]\n{GPU}\n[metrics]\nParams_Total = '1.0'", "params_total exists already; give this one another name"),
        (f"[axes]\n{GPU}\n[metrics]\ndesign_id = '1.0'", "design_id exists already; give this one another name"),
        (f"[axes]\n{GPU}\n[metrics]\nnum_equal = '1.0'", "num_equal exists already; give this one another name"),
        (f"[axes]\n{GPU}\n[metrics]\na = {{ formula = '1.0', units = 'byte' }}", 'metrics.a units not a key of a metric; did you mean "unit"?'),
        (f"[axes]\n{GPU}\n[metrics]\na = {{ unit = 'byte' }}", "metrics.a  a metric that is written as a table has a formula"),
        (f"[axes]\n{GPU}\n[derived]\nL = '8'\nnum_layers = '16'", "derived.L  L is short for num_layers, which is given too"),
        ("[axes]\nhidden_size = [true]", "axes.hidden_size[0] true hidden_size takes a number, not true or false"),
        (f"[axes]\n{GPU}\n[fixed]\ntrain_tokens = true", "fixed.train_tokens true train_tokens takes a number, not true or false"),
        (f"[axes]\nhidden_size = [{10**400}]", "hidden_size is a whole number"),
        (f"[axes]\n{GPU}\n[fixed]\ntrain_tokens = {10**400}", "train_tokens lies between 1 and 1e+18"),
        (f"[axes]\nhidden_size = {{ start = 0, stop = {10**400}, step = 1 }}", "a number is needed"),
        ("[axes]\ntrain_tokens = { start = 0, stop = 1e308, step = 1e-308 }", "inf values and more; an axis holds at most 10,000,000"),
        ("[axes]\nhidden_size = { start = -1.7e308, stop = 1.7e308, points = 5 }", "too far apart"),
        (f"[axes]\nparams_total = [{10**24}]", "params_total is a count, and none is beyond 2**53"),
        (f"[axes]\n{GPU}\n[where]\n'a' = 'params_total > {10**21}'", "1e+21 has more digits than a whole number may have; write it as 1e+21"),
        (f"[axes]\n{GPU}\n[metrics]\na = 'params_total * params_total'", "may come to 5.67e+19, and a whole number ends at 9.22e18; write 1.0 * params_total * params_total"),
        (f"[axes]\n{GPU}\n[where]\n'a' = 'hidden_size * {2**62} > 1'", 'where."a" "hidden_size * 4611686018427387904" may come to'),
        (f"[axes]\n{GPU}\n[derived]\nnum_layers = '{' * '.join(['hidden_size'] * 6)} - 1'", "derived.num_layers"),
        ("[fixed]\ngpu = 't4'", "axes  a space has at least one axis"),
        ("[axes]\ntrain_tokens = { log10 = [10, 400], points = 3 }", "10 to that power is no number"),
        ("[axes]\ntrain_tokens = { start = 1, stop = 2, step = -1 }", "axes.train_tokens.step -1 does not lead from 1 to 2"),
        ("[axes\n", "not TOML  "),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_what_would_be_right(text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(text)), problems(text)


def test_all_mistakes_are_reported_at_once() -> None:
    found = problems(
        "nme = 'x'\n[axes]\nhidden_size = [0]\ngpu = ['h100']\n[fixed]\nnum_layer = 3\n[where]\n'a' = 'foo > 1'\n"
        "[frontier]\nminimise = ['loss_nats']\n"
    )
    assert len(found) == 6
    for place in ("nme", "axes.hidden_size[0]", "axes.gpu[0]", "fixed.num_layer", 'where."a"', "frontier.minimise"):
        assert any(problem.startswith(place) for problem in found), place


def test_the_message_reads_like_a_table() -> None:
    with pytest.raises(SpecError) as caught:
        loads("[axes]\ngpu = ['h100_smx']\nnum_experts = [0, 8]", "specs/laptop.toml")
    assert str(caught.value).splitlines() == [
        "specs/laptop.toml: 2 problems, nothing was run",
        '  axes.gpu[0] = "h100_smx"  not in data/accelerators.csv; did you mean "h100_sxm"?',
        "  axes.num_experts[0] = 0   0 is not a count; a dense model is num_experts = 1",
    ]


def test_an_unknown_spec_names_its_nearest() -> None:
    with pytest.raises(SpecError, match='did you mean "first-look"'):
        load("frist-look")


def test_a_derived_count_that_is_no_whole_number_is_not_a_design() -> None:
    """1000 / 128 is no number of heads: the design is left out, not rounded."""
    space = loads("[axes]\nhidden_size = [1000, 1024]\n[derived]\nnum_heads = 'hidden_size / 128'")
    assert values(space, "hidden_size") == [1024]


def test_what_a_spec_gives_overrides_a_record() -> None:
    space = loads("[axes]\nmodel = ['llama-3.1-8b', 'mixtral-8x7b']\nvocab_size = [1000]\n[fixed]\nnum_layers = 4")
    model = space.axis("model")
    assert model is not None
    assert "num_layers" not in model.sets
    assert "vocab_size" not in model.sets
    assert space.fixed["num_layers"] == 4


def test_a_metric_may_be_given_and_then_nothing_is_computed_for_it() -> None:
    """'a 7B at bf16 takes 14 GB' needs no shape: kernels.graph.Graph.resolve."""
    space = single({"params_total": "7e9", "params_embedding": "0", "params_head": "0", "precision": "bf16"})
    nodes, _ = space.graph.resolve(["weight_bytes"], space.given)
    assert [node.name for node in nodes] == ["params_at_embedding_bits", "weight_bytes"]


def test_defaults_in_use_are_stated() -> None:
    space = loads("[axes]\nhidden_size = [1024]")
    assert space.stated["gpu"] == "h100_sxm"
    assert space.stated["head_dim"] == "128"
    assert "hidden_size" not in space.stated
    assert space.chosen["law"] == "besiroglu_2024"


def test_narrowing_adds_conditions_and_replaces_objectives() -> None:
    space = narrow(load("laptop"), ["gpu == 'rtx_4090'", "serve_bytes < 2e10"], [], ["decode_tokens_per_s"])
    assert values(space, "gpu") == ["rtx_4090"]
    assert space.maximize == ("decode_tokens_per_s",)
    assert space.size == load("laptop").size
    with pytest.raises(SpecError, match="serve_byte is not known"):
        narrow(load("laptop"), ["serve_byte < 2e10"])


def test_shipped_specs_are_whole() -> None:
    """A first look of at least twenty million designs, a laptop's question, a frontier lab's."""
    assert set(shipped()) >= {"first-look", "laptop", "frontier-lab"}
    assert load("first-look").size >= 20_000_000
    for name in shipped():
        space = load(name)
        assert space.minimize or space.maximize
        assert space.description
        assert math.prod(len(axis) for axis in space.axes) > 0


CONTRADICTIONS = [
    ({"num_experts": "8", "experts_per_token": "9"}, "a token cannot visit more experts than there are"),
    ({"num_experts": "8", "num_moe_layers": "40"}, "there cannot be more MoE layers than layers"),
    ({"num_sliding_layers": "50", "sliding_window": "128"}, "linear and sliding layers cannot be more than layers"),
    ({"num_sliding_layers": "5"}, "sliding layers need a sliding_window"),
    ({"attention_kind": "hybrid", "num_linear_layers": "8"}, "linear layers need a linear_attention_kind"),
    (
        {"num_linear_layers": "8", "linear_attention_kind": "lightning"},
        'linear layers belong to attention_kind = "hybrid"',
    ),
    ({"attention_kind": "mla"}, "mla needs kv_lora_rank"),
    ({"num_heads": "12", "num_kv_heads": "5"}, "query heads share key-value heads in whole groups"),
]


@pytest.mark.parametrize(("given", "message"), CONTRADICTIONS)
def test_inputs_that_contradict_each_other_are_refused(given: dict[str, str], message: str) -> None:
    """Each may be right alone; together they once gave negative caches and more active than total parameters."""
    with pytest.raises(SpecError, match=message):
        single(given)
    fixed = "\n".join(f'{name} = "{v}"' if v.isalpha() else f"{name} = {v}" for name, v in given.items())
    with pytest.raises(SpecError, match=message):
        loads(f"[axes]\n{GPU}\n[fixed]\n{fixed}")
    import polars as pl

    from sweep.points import evaluate_rows

    table = pl.DataFrame({"hidden_size": [1024, 4096], **{name: [None, v] for name, v in given.items()}})
    result, bad = evaluate_rows(table, ["params_total"])
    assert [(b.row, b.reason.startswith(message)) for b in bad] == [(1, True)]
    assert result["params_total"].is_null().to_list() == [False, True]


def test_axes_that_contradict_each_other_leave_the_designs_that_do_not() -> None:
    space = loads("[axes]\nnum_experts = [1, 4, 8]\nexperts_per_token = [1, 2, 8]")
    assert space.size == 9
    assert any("more experts" in condition.label for condition in space.conditions)


def test_a_record_may_be_compared_in_any_formula() -> None:
    text = f"[axes]\n{GPU}\n[metrics]\nx = \"1 if gpu == 't4' else 2\"\ny = 'batch_size'\n[derived]\nbatch_size = \"1 if gpu == 't4' else 2\""
    found = scan(loads(text)).select("gpu", "x", "y").collect()
    assert found["x"].to_list() == found["y"].to_list() == [1 if gpu == "t4" else 2 for gpu in found["gpu"]]


@pytest.mark.parametrize(
    ("derived", "kept"),
    [
        ("train_tokens = '20 * (hidden_size * 1e6 - 2e9)'", [2048, 4096]),
        ("num_layers = 'hidden_size * 4'", [1024, 2048]),
        ("num_layers = 'hidden_size - 1024'", [2048, 4096]),
        ("ffn_gated = 'hidden_size / 1024 - 1'", [1024, 2048]),
        ("ffn_gated = 'hidden_size > 2000'", [1024, 2048, 4096]),
        ("output_token_share = 'hidden_size / 2048'", [1024, 2048]),
    ],
)
def test_a_derived_input_lies_where_its_values_may(derived: str, kept: list[int]) -> None:
    """As if it had been fixed: what it may not be is no design, and counted."""
    space = loads(f"[axes]\nhidden_size = [1024, 2048, 4096]\ngpu = ['t4', 'h100_sxm']\n[derived]\n{derived}")
    found = scan(space).select("hidden_size").collect()["hidden_size"]
    assert sorted(set(found)) == kept


def test_what_is_not_known_stays_in_a_derived_input() -> None:
    """A price that a GPU has none of is nan, and its designs are kept."""
    space = loads(
        "[axes]\ngpu = 'all'\nhidden_size = [1024]\n[metrics]\ny = 'gpu_reserved_bytes'\n[derived]\ngpu_reserved_bytes = 'gpu_fp4_flop_per_s * 1e-9'"
    )
    found = scan(space).select("gpu", "y").collect()
    assert len(found) == len(catalogue.records("gpu"))
    assert found["y"].is_nan().any()

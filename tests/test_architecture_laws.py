"""Counts, FLOPs and caches of random architectures: against an enumeration of every tensor, and laws they obey.

The enumeration is tests/naive_model.py, written layer by layer and head by head; the formulas have to agree with it to
the last parameter. Whole numbers stay below 2**53 here, so that floats hold them exactly.
"""

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.decoding import experts_read_per_step
from kernels.evaluate import evaluate
from kernels.model import GRAPH
from sweep.resolve import single
from tests import naive_model
from tests.test_laws_of_metrics import below

Design = dict[str, Any]
BASE = single({}).fixed
SUMS = 1e-12  # floats added in another order

KINDS = ("gqa", "mla", "lightning", "gated_delta")
FLAGS = ("qkv_bias", "attn_out_bias", "attn_sinks", "ffn_gated", "mlp_bias", "final_norm", "embedding_norm",
         "tied_embeddings", "lm_head_bias", "parallel_block")  # fmt: skip
MOE_FLAGS = ("expert_bias", "shared_expert_gate", "router_bias", "router_correction_bias")


def values(metrics: list[str], design: Design, **changed: Any) -> dict[str, float]:
    """Metrics of one design described by all the inputs they take; those left open have a default."""
    given_: dict[str, int | float] = dict(BASE)
    for name, number in {**design, **changed}.items():
        given_[name] = GRAPH.words[name].index(number) if name in GRAPH.words else number
    found = evaluate(GRAPH, metrics, given_)
    return {name: found[name] for name in metrics}


def value(metric: str, design: Design, **changed: Any) -> float:
    return values([metric], design, **changed)[metric]


@st.composite
def architectures(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS, moe: bool | None = None) -> Design:
    """Every input that says what a model is, and how much of a sequence it sees."""
    kind = draw(st.sampled_from(kinds))
    flag = st.integers(0, 1)
    layers = draw(st.integers(1, 12))
    linear = draw(st.integers(1, layers)) if kind in naive_model.LINEAR else 0
    heads = draw(st.sampled_from([1, 2, 3, 8]))
    design: Design = {
        "hidden_size": draw(st.integers(1, 300)),
        "num_layers": layers,
        "vocab_size": draw(st.integers(1, 5000)),
        "num_heads": heads,
        "num_kv_heads": draw(st.sampled_from([k for k in range(1, heads + 1) if heads % k == 0])),
        "head_dim": draw(st.integers(1, 48)),
        "ffn_size": draw(st.integers(1, 500)),
        "attention_kind": "hybrid" if linear else kind,
        "linear_attention_kind": kind if linear else "none",
        "num_linear_layers": linear,
        "num_sliding_layers": draw(st.integers(0, layers - linear)),
        "sliding_window": draw(st.sampled_from([0, 1, 64, 1000])),
        **{name: draw(flag) for name in FLAGS},
        "norm_kind": draw(st.sampled_from(GRAPH.words["norm_kind"])),
        "norms_per_layer": draw(st.integers(0, 4)),
        "activation_params_per_layer": draw(st.integers(0, 2)),
        "learned_position_rows": draw(st.sampled_from([0, 77])),
        "embedding_proj_dim": draw(st.sampled_from([0, 0, 13])),
        "sequence_length": draw(st.integers(1, 3000)),
        "context_tokens": draw(st.integers(1, 3000)),
        "batch_size": draw(st.integers(1, 40)),
        "kv_bits": draw(st.sampled_from([16.0, 8.0, 4.5])),
        "mtp_layers": draw(st.integers(0, 2)),
        "qk_norm": "none",
        "attn_output_gate": 0,
    }  # fmt: skip
    if kind == "mla":
        latents = ("q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
        low = {"q_lora_rank": 0}
        design |= {name: draw(st.integers(low.get(name, 1), 60)) for name in latents}
        design |= {"attn_sinks": 0}  # no released latent attention has them
    else:
        design |= {"qk_norm": draw(st.sampled_from(GRAPH.words["qk_norm"])), "attn_output_gate": draw(flag)}
    if kind == "gated_delta":
        design["linear_num_key_heads"] = draw(st.integers(1, 4))
        design["linear_num_value_heads"] = draw(st.integers(1, 4))
        design["linear_key_head_dim"] = draw(st.integers(1, 40))
        design["linear_value_head_dim"] = draw(st.integers(1, 40))
        design["linear_conv_kernel"] = draw(st.integers(0, 4))
    routed = draw(st.booleans()) if moe is None else moe
    design["num_experts"] = draw(st.integers(2, 12)) if routed else 1
    design["experts_per_token"] = draw(st.integers(1, design["num_experts"]))
    design["expert_ffn_size"] = draw(st.integers(1, 200))
    design["first_dense_layers"] = draw(st.integers(0, layers - 1)) if routed else 0
    design["moe_layer_period"] = draw(st.integers(1, 3)) if routed else 1
    for name in MOE_FLAGS:
        design[name] = draw(flag) if routed else 0
    for name in ("shared_expert_ffn_size", "dense_residual_ffn_size"):
        design[name] = draw(st.sampled_from([0, 90])) if routed else 0
    return design


ANY = architectures()
laws = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

# --------------------------------------------------------------------------------------- against the enumeration


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@laws
def test_parameters_match_counting_every_tensor(kind: str, data: st.DataObject) -> None:
    design = data.draw(architectures((kind,)))
    naive = naive_model.counts(design)
    found = values(
        ["params_total", "params_active", "params_matmul_active", "trunk_params", "params_routed_experts",
         "params_embedding", "params_head", "weight_flops_per_token"], design,
    )  # fmt: skip
    assert found["params_total"] == naive["total"]
    assert found["params_active"] == naive["active"]
    assert found["trunk_params"] == naive["trunk"]
    assert found["params_routed_experts"] == naive["routed"]
    assert found["params_embedding"] == naive["embedding"]
    assert found["params_head"] == naive["head"]
    assert found["params_matmul_active"] == naive["multiplied"]
    assert found["weight_flops_per_token"] == 2 * naive["multiplied"]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@laws
def test_flops_and_caches_match_going_head_by_head(kind: str, data: st.DataObject) -> None:
    design = data.draw(architectures((kind,)))
    found = values(
        ["attention_flops_per_token", "linear_attention_flops_per_token", "linear_state_elements",
         "kv_cache_ideal_bytes", "kv_cache_uniform_page_bytes"], design, attention_flops_convention="full",
    )  # fmt: skip
    assert found["attention_flops_per_token"] == naive_model.score_flops(design)
    assert found["linear_attention_flops_per_token"] == naive_model.state_flops(design)
    assert found["linear_state_elements"] == naive_model.state_elements(design)
    held = design["kv_bits"] / 8 * design["batch_size"]
    assert found["kv_cache_ideal_bytes"] == naive_model.cached_elements(design, windows=True) * held
    assert found["kv_cache_uniform_page_bytes"] == naive_model.cached_elements(design, windows=False) * held


# ---------------------------------------------------------------------------------------------------- parameters


@given(ANY)
@laws
def test_trunk_experts_tables_and_head_are_the_total(design: Design) -> None:
    parts = ["trunk_params", "params_routed_experts", "params_embedding", "params_head"]
    found = values([*parts, "params_total", "params_token_embedding", "params_positions"], design)
    assert found["params_total"] == sum(found[name] for name in parts)
    assert found["params_embedding"] == found["params_token_embedding"] + found["params_positions"]


@given(ANY)
@laws
def test_a_token_passes_through_all_parameters_only_where_it_visits_every_expert(design: Design) -> None:
    found = values(["params_active", "params_total", "num_moe_layers"], design)
    if found["num_moe_layers"] == 0 or design["experts_per_token"] == design["num_experts"]:
        assert found["params_active"] == found["params_total"]
    else:
        assert found["params_active"] < found["params_total"]
    everyone = values(["params_active", "params_total"], design, experts_per_token=design["num_experts"])
    assert everyone["params_active"] == everyone["params_total"] == found["params_total"]


@given(architectures(moe=True))
@laws
def test_all_experts_are_one_dense_mlp_as_wide_as_they_are_together(design: Design) -> None:
    """All layers MoE, every expert visited, nothing beside the experts: but for the router, a dense model.

    Biases are left out: E experts have E biases on their way down where one MLP has one.
    """
    plain = dict.fromkeys((*MOE_FLAGS, "first_dense_layers", "mlp_bias"), 0)
    sizes = {"shared_expert_ffn_size": 0, "dense_residual_ffn_size": 0, "moe_layer_period": 1}
    experts = design["num_experts"]
    routed = {**design, **plain, **sizes, "experts_per_token": experts}
    dense = {**routed, "num_experts": 1, "ffn_size": experts * design["expert_ffn_size"]}
    router = design["hidden_size"] * experts * design["num_layers"]
    assert value("num_moe_layers", routed) == design["num_layers"]
    for metric in ("params_total", "params_active", "params_non_embedding", "params_matmul_active"):
        assert value(metric, routed) - router == value(metric, dense), metric
    assert value("forward_flops_per_token", routed) - 2 * router == pytest.approx(
        value("forward_flops_per_token", dense), rel=SUMS
    )


@given(ANY)
@laws
def test_twice_the_layers_are_twice_everything_between_the_ends(design: Design) -> None:
    """Twice the layers of each kind: what stays are tables, head, the two projections, final and embedding norm."""
    once: Design = {**design, "moe_layer_period": 1}
    kinds = ("num_layers", "num_linear_layers", "num_sliding_layers", "first_dense_layers")
    twice = {**once, **{name: 2 * once[name] for name in kinds}}
    ends = (design["final_norm"] + design["embedding_norm"]) * value("norm_params", design)
    ends += 2 * design["embedding_proj_dim"] * design["hidden_size"]
    for metric in ("params_non_embedding", "params_active_non_embedding", "trunk_params"):
        assert value(metric, twice) - ends == 2 * (value(metric, once) - ends), metric
    doubled = (
        "params_routed_experts", "kv_elements_per_token", "kv_cache_ideal_bytes", "kv_cache_uniform_page_bytes",
        "linear_state_elements", "attention_flops_per_token", "linear_attention_flops_per_token", "num_moe_layers",
        "router_correction_elements",
    )  # fmt: skip
    for metric in doubled:
        assert value(metric, twice) == 2 * value(metric, once), metric
    for metric in ("params_embedding", "params_head", "params_mtp"):
        assert value(metric, {**twice, "mtp_layers": 0}) == value(metric, {**once, "mtp_layers": 0}), metric


@given(ANY)
@laws
def test_what_is_left_without_the_input_tables(design: Design) -> None:
    """Untied, the tables go and the head stays. Tied, nothing goes: positions are looked up beside the table."""
    found = values(
        ["params_active_excl_input_embedding", "params_active", "params_active_non_embedding", "params_head"], design
    )
    if design["tied_embeddings"]:
        assert found["params_active_excl_input_embedding"] == found["params_active"]
    else:
        left = found["params_active_non_embedding"] + found["params_head"]
        assert found["params_active_excl_input_embedding"] == left
    assert found["params_active_excl_input_embedding"] <= found["params_active"]


@given(ANY)
@laws
def test_tying_removes_one_table_and_no_work(design: Design) -> None:
    """The head counts in FLOPs whether it is tied or not: two for every weight of the table."""
    table = design["vocab_size"] * (design["embedding_proj_dim"] or design["hidden_size"])
    for metric in ("params_total", "params_active", "params_head"):
        removed = value(metric, design, tied_embeddings=0) - value(metric, design, tied_embeddings=1)
        assert removed == table, metric
    for metric in ("forward_flops_per_token", "params_matmul_active", "decode_weight_bytes", "trunk_params"):
        assert value(metric, design, tied_embeddings=0) == value(metric, design, tied_embeddings=1), metric
    more = {**design, "vocab_size": design["vocab_size"] + 1}
    row = design["embedding_proj_dim"] or design["hidden_size"]
    assert value("weight_flops_per_token", more) - value("weight_flops_per_token", design) == 2 * row


@given(ANY, st.integers(0, 5))
@laws
def test_offsets_and_predicted_tokens_are_in_no_other_count(design: Design, mtp_layers: int) -> None:
    own = {"router_correction_elements", "params_mtp"}
    timed = {*below("head_s"), "train_layout"}  # a step trains them
    metrics = [name for name in GRAPH.metrics if name not in own | timed]
    plain, shipped = (
        values([*metrics, *own], design, router_correction_bias=flag, mtp_layers=layers)
        for flag, layers in ((0, 0), (1, mtp_layers))
    )
    for name in metrics:
        assert np.array_equal(shipped[name], plain[name], equal_nan=True), name
    assert plain["router_correction_elements"] == plain["params_mtp"] == 0
    offsets = design["num_experts"] * value("num_moe_layers", design)
    assert shipped["router_correction_elements"] == offsets
    one = value("params_mtp", design, mtp_layers=1)
    assert shipped["params_mtp"] == mtp_layers * one
    assert one >= 2 * design["hidden_size"] ** 2


@given(architectures(("mla",)))
@laws
def test_a_query_latent_takes_the_place_of_direct_queries(design: Design) -> None:
    """Without it, hidden_size times heads times head; with it, down and up, its norm, and its bias where there are."""
    layers, rank = design["num_layers"], design["q_lora_rank"]
    queries = design["num_heads"] * (design["qk_nope_head_dim"] + design["qk_rope_head_dim"])
    direct = value("params_total", design, q_lora_rank=0)
    through = value("params_total", design, q_lora_rank=rank)
    norm_and_bias = rank * (1 + design["qkv_bias"])
    if rank:
        difference = rank * (design["hidden_size"] + queries) + norm_and_bias - design["hidden_size"] * queries
        assert through - direct == layers * difference
    without = value("params_total", {**design, "q_lora_rank": 0, "qk_nope_head_dim": design["qk_nope_head_dim"] + 1})
    wider = design["num_heads"] * (design["hidden_size"] + design["kv_lora_rank"])  # a query row, a key row a head
    assert without - direct == layers * wider


@given(architectures(("mla",)), st.integers(1, 64), st.integers(1, 64))
@laws
def test_a_latent_cache_knows_nothing_of_heads(design: Design, heads: int, size: int) -> None:
    """DeepSeek-V2, table 1: the latent and one rotary key; as much as grouped attention would hold with half as wide a
    head, keys and values of one head.
    """
    cache = "kv_cache_ideal_bytes"
    changed = {
        "num_heads": heads,
        "num_kv_heads": heads,
        "head_dim": size,
        "qk_nope_head_dim": size,
        "v_head_dim": size,
    }
    assert value(cache, {**design, **changed, "q_lora_rank": size}) == value(cache, design)
    width = design["kv_lora_rank"] + design["qk_rope_head_dim"]
    grouped = {**design, "attention_kind": "gqa", "num_kv_heads": 1, "head_dim": width}
    assert value(cache, grouped) == 2 * value(cache, design)


@given(architectures(("gqa",)))
@laws
def test_what_a_gqa_model_is_does_not_depend_on_the_inputs_of_others(design: Design) -> None:
    metrics = ["params_total", "forward_flops_per_token", "kv_cache_ideal_bytes", "linear_state_elements"]
    others = {"q_lora_rank": 7, "kv_lora_rank": 9, "qk_nope_head_dim": 5, "qk_rope_head_dim": 3, "v_head_dim": 11,
              "linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8,
              "linear_value_head_dim": 8, "linear_conv_kernel": 4}  # fmt: skip
    assert values(metrics, {**design, **others}) == values(metrics, design)


# --------------------------------------------------------------------------------------------------------- FLOPs


@given(ANY)
@laws
def test_a_forward_pass_is_weights_scores_and_states(design: Design) -> None:
    parts = ["weight_flops_per_token", "attention_flops_per_token", "linear_attention_flops_per_token"]
    full = values([*parts, "forward_flops_per_token"], design, attention_flops_convention="full")
    causal = values([*parts, "forward_flops_per_token"], design, attention_flops_convention="causal")
    for found in (full, causal):
        assert found["forward_flops_per_token"] == sum(found[name] for name in parts)
    assert 2 * causal["attention_flops_per_token"] == full["attention_flops_per_token"]
    assert causal["weight_flops_per_token"] == full["weight_flops_per_token"]
    assert causal["linear_attention_flops_per_token"] == full["linear_attention_flops_per_token"]


@given(ANY)
@laws
def test_recomputation_adds_a_forward_of_the_scores_or_of_the_layers(design: Design) -> None:
    """None, at most the scores, at most everything but the head, in this order."""
    metric = "train_hardware_flops_per_token"
    none, selective, full = (value(metric, design, recompute=word) for word in ("none", "selective", "full"))
    found = values(
        ["train_flops_per_token", "attention_flops_per_token", "forward_flops_per_token", "params_token_embedding"],
        design,
    )
    assert none == found["train_flops_per_token"] == 3 * found["forward_flops_per_token"]
    assert selective == none + found["attention_flops_per_token"]
    head = 2 * found["params_token_embedding"]
    assert full == pytest.approx(4 * found["forward_flops_per_token"] - head, rel=SUMS)
    assert none <= selective <= full


# -------------------------------------------------------------------------------------------------------- caches


@given(ANY)
@laws
def test_windows_never_hold_more(design: Design) -> None:
    found = values(["kv_cache_ideal_bytes", "kv_cache_uniform_page_bytes", "kv_elements_per_token_and_layer"], design)
    ideal, uniform = found["kv_cache_ideal_bytes"], found["kv_cache_uniform_page_bytes"]
    window = design["sliding_window"]
    if design["num_sliding_layers"] == 0 or window == 0 or design["context_tokens"] <= window:
        assert ideal == uniform
    else:
        assert ideal < uniform
    assert value("kv_cache_bytes", design, kv_cache_reading="ideal") == ideal
    assert value("kv_cache_bytes", design, kv_cache_reading="uniform_page") == uniform


@given(ANY)
@laws
def test_past_the_window_only_the_other_layers_grow(design: Design) -> None:
    longer = {**design, "context_tokens": design["context_tokens"] + 1}
    growth = value("kv_cache_ideal_bytes", longer) - value("kv_cache_ideal_bytes", design)
    inside = design["sliding_window"] == 0 or design["context_tokens"] < design["sliding_window"]
    elements = value("kv_elements_per_token" if inside else "kv_elements_per_token_unwindowed", design)
    assert growth == elements * design["kv_bits"] / 8 * design["batch_size"]


@given(ANY, st.integers(1, 50))
@laws
def test_sequences_add_up(design: Design, times: int) -> None:
    many = {**design, "batch_size": times * design["batch_size"]}
    for metric in ("kv_cache_ideal_bytes", "kv_cache_uniform_page_bytes", "linear_state_bytes"):
        assert value(metric, many) == times * value(metric, design), metric


@given(architectures(("lightning", "gated_delta")))
@laws
def test_linear_layers_remember_the_same_of_any_context(design: Design) -> None:
    """They add nothing to the cache, and their state is as large for one token as for a million."""
    linear = design["num_linear_layers"]
    state = value("linear_state_bytes", design)
    assert value("linear_state_bytes", design, context_tokens=10**6, sequence_length=10**6) == state
    assert state > 0
    if linear < design["num_layers"]:
        alone = {**design, "attention_kind": "gqa", "num_linear_layers": 0, "num_layers": design["num_layers"] - linear}
        for metric in ("kv_cache_ideal_bytes", "kv_cache_uniform_page_bytes", "attention_flops_per_token"):
            assert value(metric, design) == value(metric, alone), metric
        assert value("linear_state_bytes", alone) == 0
    else:
        assert value("kv_cache_ideal_bytes", design) == value("attention_flops_per_token", design) == 0


# --------------------------------------------------------------------------------------------- experts of a step


@pytest.mark.parametrize(("experts", "visited", "batch"), [(4, 2, 3), (5, 2, 3), (5, 4, 2), (3, 1, 6)])
def test_expected_experts_match_every_possible_draw(experts: int, visited: int, batch: int) -> None:
    """Every way in which so many tokens can choose so many different experts each, all as likely."""
    choices = list(combinations(range(experts), visited))
    seen = [len(set().union(*draw)) for draw in product(choices, repeat=batch)]
    assert experts_read_per_step(experts, visited, batch) == pytest.approx(sum(seen) / len(seen), rel=SUMS)


@pytest.mark.parametrize(("experts", "visited", "batch"), [(8, 2, 4), (128, 8, 32), (256, 8, 64), (64, 6, 3)])
def test_expected_experts_match_drawing_them(experts: int, visited: int, batch: int) -> None:
    """2000 steps of tokens that choose evenly; the mean lies within 4 of its standard errors of the expectation."""
    random = np.random.default_rng(20_240_601)
    steps = 2000
    chosen = random.random((steps, batch, experts)).argpartition(visited, axis=2)[:, :, :visited]
    read = np.zeros((steps, experts), bool)
    read[np.arange(steps)[:, None], chosen.reshape(steps, -1)] = True
    distinct = read.sum(axis=1)
    error = distinct.std(ddof=1) / steps**0.5
    assert abs(experts_read_per_step(experts, visited, batch) - distinct.mean()) < 4 * error


@given(st.integers(1, 512), st.integers(1, 512), st.integers(1, 1000))
@settings(deadline=None)
def test_one_token_reads_its_own_experts_and_many_read_all(experts: int, visited: int, batch: int) -> None:
    visited = min(visited, experts)
    assert experts_read_per_step(experts, visited, 1) == pytest.approx(visited, rel=experts * 1e-15)  # of 1 - (1 - k/E)
    fewer, more = (experts_read_per_step(experts, visited, b) for b in (batch, batch + 1))
    assert fewer <= more * (1 + 1e-15)
    assert more <= experts
    assert experts_read_per_step(experts, visited, 10**6) == experts

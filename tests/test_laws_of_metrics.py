"""What has to hold of the metrics whatever their values, and a few figures that others published."""

import functools
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.decoding import experts_read_per_step
from kernels.evaluate import evaluate
from kernels.flops import train_flops_per_token
from kernels.graph import Graph
from kernels.model import GRAPH
from sweep import catalogue
from sweep.resolve import single

Number = int | float | str
Design = dict[str, Number]


def values(metrics: list[str], design: Design, graph: Graph = GRAPH) -> dict[str, float]:
    """Metrics of one design described by its inputs, records and given metrics."""
    space = single({name: str(number) for name, number in design.items()})
    found = evaluate(graph, metrics, space.fixed)
    return {name: float(found[name]) for name in metrics}


def value(metric: str, design: Design, **changed: Number) -> float:
    return values([metric], {**design, **changed})[metric]


@st.composite
def dense_designs(draw: st.DrawFn) -> Design:
    flag = st.integers(0, 1)
    heads = draw(st.sampled_from([1, 2, 4, 8, 32]))
    return {
        "hidden_size": draw(st.integers(1, 64)) * 64,
        "num_layers": draw(st.integers(1, 100)),
        "vocab_size": draw(st.integers(2, 300_000)),
        "num_heads": heads,
        "num_kv_heads": draw(st.sampled_from([k for k in (1, 2, 4, 8, 32) if heads % k == 0])),
        "head_dim": draw(st.sampled_from([32, 64, 80, 128])),
        "ffn_size": draw(st.integers(1, 200)) * 64,
        **{name: draw(flag) for name in ("qkv_bias", "attn_out_bias", "mlp_bias", "ffn_gated", "final_norm")},
        **{name: draw(flag) for name in ("attn_sinks", "tied_embeddings", "lm_head_bias", "embedding_norm")},
        "qk_norm": draw(st.sampled_from(["none", "head", "full"])),
        "norm_kind": draw(st.sampled_from(["rmsnorm", "layernorm", "nonparametric"])),
        "learned_position_rows": draw(st.sampled_from([0, 2048])),
        "num_experts": 1,
        "sequence_length": draw(st.integers(1, 20_000)),
        "train_tokens": draw(st.floats(1e9, 1e14)),
    }


@st.composite
def expert_designs(draw: st.DrawFn) -> Design:
    experts = draw(st.integers(2, 256))
    moe: Design = {
        "num_experts": experts,
        "experts_per_token": draw(st.integers(1, experts)),
        "expert_ffn_size": draw(st.integers(1, 64)) * 64,
        "shared_expert_ffn_size": draw(st.sampled_from([0, 1024])),
        **{name: draw(st.integers(0, 1)) for name in ("expert_bias", "router_bias")},
        "first_dense_layers": draw(st.integers(0, 3)),
    }
    dense = draw(dense_designs())
    return {**dense, **moe, "first_dense_layers": min(int(moe["first_dense_layers"]), int(dense["num_layers"]) - 1)}


DESIGNS = st.one_of(dense_designs(), expert_designs())
laws = settings(deadline=None, max_examples=50)

# -------------------------------------------------------------------------------------------------- parameters


@given(DESIGNS)
@laws
def test_parts_sum_to_the_total(design: Design) -> None:
    found = values(
        ["params_total", "params_active", "params_non_embedding", "params_active_non_embedding", "params_embedding",
         "params_head", "trunk_params", "params_routed_experts", "params_active_experts"], design,
    )  # fmt: skip
    tables = found["params_embedding"] + found["params_head"]
    assert found["params_total"] == found["params_non_embedding"] + tables
    assert found["params_active"] == found["params_active_non_embedding"] + tables
    assert found["params_non_embedding"] == found["trunk_params"] + found["params_routed_experts"]
    assert found["params_active_non_embedding"] == found["trunk_params"] + found["params_active_experts"]


@given(DESIGNS)
@laws
def test_active_is_at_most_total(design: Design) -> None:
    found = values(["params_total", "params_active", "params_routed_experts"], design)
    assert found["params_active"] <= found["params_total"]
    if design["num_experts"] == 1 or design.get("experts_per_token") == design["num_experts"]:
        assert found["params_active"] == found["params_total"]
    elif found["params_routed_experts"]:
        assert found["params_active"] < found["params_total"]


@given(dense_designs(), st.integers(2, 32))
@laws
def test_all_experts_of_a_layer_are_one_wide_mlp_and_a_router(design: Design, experts: int) -> None:
    """E experts of width w that every token visits are a dense MLP of width E w, but for E d router weights a layer."""
    design = {**design, "mlp_bias": 0}
    width = int(design["ffn_size"])
    dense = {**design, "ffn_size": experts * width}
    routed = {**design, "num_experts": experts, "experts_per_token": experts, "expert_ffn_size": width}
    router = experts * int(design["hidden_size"]) * int(design["num_layers"])
    for metric in ("params_total", "params_active", "params_non_embedding", "params_matmul_active"):
        assert value(metric, routed) == value(metric, dense) + router, metric
    flops = [value("forward_flops_per_token", d) for d in (routed, dense)]
    assert flops[0] == pytest.approx(flops[1] + 2 * router, rel=1e-15)  # floats past 2**53 may round


@given(dense_designs())
@laws
def test_doubling_the_layers_doubles_the_body(design: Design) -> None:
    design = {**design, "final_norm": 0, "embedding_norm": 0}
    once, twice = (
        values(["params_non_embedding", "kv_elements_per_token", "params_embedding", "params_head"], d)
        for d in (design, {**design, "num_layers": 2 * int(design["num_layers"])})
    )
    assert twice["params_non_embedding"] == 2 * once["params_non_embedding"]
    assert twice["kv_elements_per_token"] == 2 * once["kv_elements_per_token"]
    assert (twice["params_embedding"], twice["params_head"]) == (once["params_embedding"], once["params_head"])


@given(DESIGNS)
@laws
def test_tying_removes_the_table_exactly_once(design: Design) -> None:
    tied, untied = ({**design, "tied_embeddings": flag} for flag in (1, 0))
    table = int(design["vocab_size"]) * int(design["hidden_size"])
    for metric in ("params_total", "params_active", "params_head"):
        assert value(metric, untied) - value(metric, tied) == table
    assert value("forward_flops_per_token", untied) == value("forward_flops_per_token", tied)


@given(DESIGNS)
@laws
def test_counts_do_not_depend_on_how_the_model_is_served_or_trained(design: Design) -> None:
    other = {**design, "precision": "int4", "gpu": "a100_sxm_80", "batch_size": 77, "law": "hoffmann_a3_tex"}
    metrics = ["params_total", "params_active", "forward_flops_per_token", "train_flops", "kv_elements_per_token"]
    assert values(metrics, design) == values(metrics, other)


# ------------------------------------------------------------------------------------------------------ FLOPs


@given(DESIGNS)
@laws
def test_the_causal_half_is_half_of_attention_and_nothing_else(design: Design) -> None:
    metrics = ["attention_flops_per_token", "forward_flops_per_token", "train_flops_6nd"]
    full = values(metrics, {**design, "attention_flops_convention": "full"})
    causal = values(metrics, {**design, "attention_flops_convention": "causal"})
    attention = full["attention_flops_per_token"]
    assert causal["attention_flops_per_token"] == attention / 2
    saved = full["forward_flops_per_token"] - causal["forward_flops_per_token"]
    assert saved == pytest.approx(attention / 2, rel=1e-9)  # a difference of large numbers
    assert causal["train_flops_6nd"] == full["train_flops_6nd"]


@given(DESIGNS)
@laws
def test_training_is_three_forwards_of_every_token(design: Design) -> None:
    found = values(["train_flops", "train_flops_per_token", "forward_flops_per_token"], design)
    assert found["train_flops_per_token"] == 3 * found["forward_flops_per_token"]
    assert found["train_flops"] == found["train_flops_per_token"] * float(design["train_tokens"])


@given(dense_designs())
@laws
def test_6nd_is_three_forwards_without_attention_look_ups_and_norms(design: Design) -> None:
    """A dense model of matrices only, its table tied: every parameter is multiplied with once."""
    plain: Design = dict.fromkeys(
        ["qkv_bias", "attn_out_bias", "mlp_bias", "attn_sinks", "lm_head_bias", "learned_position_rows"], 0
    )
    design = {**design, **plain, "qk_norm": "none", "norm_kind": "nonparametric", "tied_embeddings": 1}
    found = values(["train_flops", "train_flops_6nd", "attention_flops_per_token"], design)
    attention = 3 * found["attention_flops_per_token"] * float(design["train_tokens"])
    assert found["train_flops"] - attention == pytest.approx(found["train_flops_6nd"], rel=1e-9)  # large differences


# ----------------------------------------------------------------------------------------------------- memory


@given(DESIGNS, st.sampled_from([2.0, 4.0, 4.5, 8.0, 16.0]))
@laws
def test_twice_the_bits_twice_the_bytes(design: Design, bits: float) -> None:
    once, twice = ({**design, "weight_bits": b, "embedding_bits": b, "kv_bits": b} for b in (bits, 2 * bits))
    for metric in ("weight_bytes", "kv_cache_bytes", "serve_bytes", "decode_weight_bytes"):
        assert value(metric, twice) == 2 * value(metric, once), metric
    assert value("weight_bytes", once) == value("params_total", once) * bits / 8


@given(DESIGNS, st.integers(1, 64), st.integers(1, 20_000))
@laws
def test_serving_holds_weights_and_cache(design: Design, batch: int, context: int) -> None:
    served = {**design, "batch_size": batch, "context_tokens": context}
    found = values(["serve_bytes", "weight_bytes", "kv_cache_bytes", "kv_cache_bytes_per_token"], served)
    assert found["serve_bytes"] == found["weight_bytes"] + found["kv_cache_bytes"]
    assert found["kv_cache_bytes"] == found["kv_cache_bytes_per_token"] * batch * context
    assert value("kv_cache_bytes", served, batch_size=2 * batch) == 2 * found["kv_cache_bytes"]


@given(DESIGNS, st.sampled_from(["h100_sxm", "a100_sxm_80", "b200_sxm", "l40s"]))
@laws
def test_the_fewest_gpus_hold_everything_and_one_fewer_does_not(design: Design, gpu: str) -> None:
    found = values(
        ["min_gpus_to_serve", "serve_bytes", "kv_cache_bytes", "gpu_usable_bytes", "num_kv_heads"],
        {**design, "gpu": gpu},
    )

    def holds(gpus: float) -> bool:
        """Whether each GPU holds its part: of the cache, one head at least of every sequence."""
        most = found["kv_cache_bytes"] / min(gpus, found["num_kv_heads"])
        return (found["serve_bytes"] - found["kv_cache_bytes"]) / gpus + most <= found["gpu_usable_bytes"]

    gpus = found["min_gpus_to_serve"]
    if math.isinf(gpus):
        assert not holds(1e12)
        return
    assert gpus >= 1
    assert gpus == int(gpus)
    assert holds(gpus * (1 + 1e-12))
    assert gpus == 1 or not holds((gpus - 1) * (1 - 1e-12))


@given(DESIGNS, st.integers(2, 4096))
@laws
def test_a_decode_step_reads_at_most_all_weights(design: Design, batch: int) -> None:
    """All weights but the look-ups: of a tied table all rows are read, as the head."""
    same_bits: Design = {"weight_bits": 8.0, "embedding_bits": 8.0}
    alone, many = ({**design, **same_bits, "batch_size": b} for b in (1, batch))
    assert value("decode_weight_bytes", alone) <= value("weight_bytes", alone)
    assert value("decode_weight_bytes", alone) <= value("decode_weight_bytes", many) <= value("weight_bytes", many)
    tables = values(["params_embedding", "params_head"], alone)
    active = value("params_active", alone) - sum(tables.values())
    head = int(design["vocab_size"]) * int(design["hidden_size"])
    assert value("decode_weight_bytes", alone) == pytest.approx(active + head, rel=1e-12)  # 1 - (1 - k/E) rounds


@given(st.integers(1, 512), st.integers(1, 512), st.integers(1, 10_000))
@settings(deadline=None)
def test_experts_read_lie_between_those_of_one_token_and_all(experts: int, visited: int, batch: int) -> None:
    visited = min(visited, experts)
    read = experts_read_per_step(experts, visited, batch)
    most = min(experts, visited * batch)
    assert visited * (1 - 1e-12) <= read <= most * (1 + 1e-12)


# ----------------------------------------------------------------------------------------------- time and money

PAID = ["train_usd", "serve_usd_per_million_tokens", "lifetime_usd"]


@given(DESIGNS)
@laws
def test_twice_the_price_twice_the_bill(design: Design) -> None:
    once, twice = (values(PAID, {**design, "gpu_usd_per_hour": usd}) for usd in (2.5, 5.0))
    for name in PAID:
        assert twice[name] == 2 * once[name], name


@given(DESIGNS, st.integers(1, 10_000))
@laws
def test_more_gpus_are_faster_and_cost_the_same(design: Design, gpus: int) -> None:
    one, many = (values(["train_days", "train_usd", "train_gpu_hours"], {**design, "num_gpus": n}) for n in (1, gpus))
    assert many["train_days"] == pytest.approx(one["train_days"] / gpus, rel=1e-14)  # two roundings
    assert many["train_usd"] == one["train_usd"]
    assert one["train_gpu_hours"] == pytest.approx(24 * one["train_days"], rel=1e-14)


@given(DESIGNS)
@laws
def test_twice_the_tokens_twice_the_training(design: Design) -> None:
    twice = {**design, "train_tokens": 2 * float(design["train_tokens"])}
    for metric in ("train_flops", "train_flops_6nd", "train_gpu_hours", "train_days", "train_usd", "tokens_per_param"):
        assert value(metric, twice) == 2 * value(metric, design), metric


@given(DESIGNS, st.floats(0, 1e15))
@laws
def test_a_lifetime_is_training_and_serving(design: Design, tokens: float) -> None:
    found = values(PAID, {**design, "inference_tokens": tokens})
    serving = found["serve_usd_per_million_tokens"] * tokens / 1e6
    assert found["lifetime_usd"] == pytest.approx(found["train_usd"] + serving, rel=1e-14)
    assert value("lifetime_usd", design, inference_tokens=0) == found["train_usd"]


@given(dense_designs())
@laws
def test_fewer_bits_decode_faster_while_reading_is_what_takes_time(design: Design) -> None:
    """bf16, int8 and int4 here are all multiplied in bf16, so that only the bytes differ; batch 1 is memory-bound."""
    design = {**design, "batch_size": 1, "context_tokens": 16}
    speeds = []
    for precision in ("bf16", "int8", "int4"):
        found = values(
            ["decode_tokens_per_s", "decode_step_flops", "serve_flop_per_s", "decode_weight_bytes", "serve_byte_per_s",
             "min_gpus_to_serve"], {**design, "precision": precision},
        )  # fmt: skip
        computing = found["decode_step_flops"] / found["serve_flop_per_s"]
        assert computing < found["decode_weight_bytes"] / found["serve_byte_per_s"]
        speeds.append((found["min_gpus_to_serve"], found["decode_tokens_per_s"]))
    (gpus, wide), (fewer, middle), (fewest, narrow) = speeds
    if gpus == fewer == fewest:
        assert wide < middle < narrow


# ------------------------------------------------------------------------------------------- what is not known


def below(*names: str) -> set[str]:
    """Every metric that follows from a name."""
    found = set(names)
    for name in GRAPH.order:
        formula = GRAPH.formula(name)
        if formula is not None and found & set(formula.parameters):
            found.add(name)
    return found


METRICS = [name for name in GRAPH.metrics if name != "train_layout"]  # a search of hundreds of layouts each time
FP8 = {"fp8_e4m3": "compute_format", "fp8_training": "train_compute_format"}


@pytest.mark.parametrize("gpu", ["a100_sxm_80", "v100_sxm2_32"])
def test_a_gpu_without_fp8_has_no_fp8_figures(gpu: str) -> None:
    """NVIDIA A100 and V100 datasheets: no fp8 tensor cores. nan, never zero and never another format's figure."""
    assert math.isnan(float(catalogue.records("gpu")[gpu].values["gpu_fp8_flop_per_s"]))
    served = values(METRICS, {"gpu": gpu, "precision": "fp8_e4m3", "train_precision": "fp16"})
    missing = {name for name, number in served.items() if math.isnan(number)}
    assert missing >= below("serve_peak_flop_per_s")
    for name in ("prefill_s", "decode_step_s", "decode_tokens_per_s", "serve_usd_per_million_tokens", "lifetime_usd"):
        assert name in missing
    for name in ("params_total", "weight_bytes", "serve_bytes", "min_gpus_to_serve", "loss_nats", "train_gpu_hours"):
        assert name not in missing


def test_training_in_a_format_the_gpu_lacks_has_no_figures() -> None:
    timed: Design = {"gpu": "a100_sxm_80", "parallelism": "given", "recompute": "full"}  # so that what may matter does
    found = values(METRICS, timed | {"train_precision": "fp8_training"})
    usual = values(METRICS, timed | {"train_precision": "bf16"})
    missing = {name for name, number in found.items() if math.isnan(number) and not math.isnan(usual[name])}
    assert missing == {name for name in below("train_peak_flop_per_s") & set(METRICS) if not math.isnan(usual[name])}
    assert {"train_gpu_hours", "train_days", "train_usd", "lifetime_usd"} <= missing


def test_without_a_price_there_is_no_bill() -> None:
    """data/accelerators.csv has no price for these; time is known all the same."""
    unpriced = [
        name for name, gpu in catalogue.records("gpu").items() if math.isnan(float(gpu.values["gpu_usd_per_hour"]))
    ]
    assert unpriced
    for gpu in unpriced[:3]:
        found = values([*PAID, "params_total", "min_gpus_to_serve"], {"gpu": gpu})
        assert all(math.isnan(found[name]) for name in PAID)
        assert found["params_total"] > 0
        assert found["min_gpus_to_serve"] >= 1


@functools.cache
def usual_design() -> tuple[dict[str, Any], dict[str, Any]]:
    """The inputs of a design that is all defaults but for its GPU, and its metrics."""
    base: dict[str, Any] = dict(single({"gpu": "h100_sxm"}).fixed)
    return base, dict(evaluate(GRAPH, METRICS, base))


BOUND = re.compile("(law|moe|ptq|shape)_(min|max)_(params|tokens|tokens_per_param|flops|expansion|bits|width|depth)")


@pytest.mark.parametrize("leaf", [n for n, i in GRAPH.inputs.items() if i.kind == "float" and not BOUND.fullmatch(n)])
def test_what_follows_from_nan_is_nan(leaf: str) -> None:
    """Whole numbers and conditions cannot be nan, a figure of a format that is not used does not matter, and a bound of
    the fitted runs that is not stated cannot be broken."""
    base, before = usual_design()
    after = evaluate(GRAPH, METRICS, {**base, leaf: math.nan})
    for name in METRICS:
        if GRAPH.kinds[name] == "float" and not math.isnan(after[name]):
            assert after[name] == before[name], name  # unchanged, so it did not use what is missing
    formats = {"gpu_fp32", "gpu_tf32", "gpu_fp16", "gpu_fp8", "gpu_fp6", "gpu_int8", "gpu_fp4", "gpu_int4"}
    unused = (
        leaf.removesuffix("_flop_per_s") in formats or leaf.endswith(("_8bit", "_4bit")) or leaf == "moe_mfu_factor"
    )
    changed = {name for name in METRICS if math.isnan(after[name])}
    if not unused and any(name in METRICS and GRAPH.kinds[name] == "float" for name in below(leaf)):
        assert changed, leaf


# --------------------------------------------------------------------------------------------- published figures


def test_gpt2_flops_match_a_count_by_operation() -> None:
    """karpathy/nanoGPT, transformer_sizing.ipynb, flops(): 874_944_921_600 per 1024 tokens.

    123_551_232 are its parameters without positions; norms are among them, hence 2e-4. One forward is
    ``2 N + 4 L H Q T``, and training three of them.
    """
    forward = 2.0 * 123_551_232 + 4.0 * 12 * 12 * 64 * 1024
    assert 1024 * train_flops_per_token(forward) == pytest.approx(874_944_921_600, rel=2e-4)


GPT2: Design = {
    "hidden_size": 768, "num_layers": 12, "num_heads": 12, "num_kv_heads": 12, "head_dim": 64, "vocab_size": 50257,
    "ffn_size": 3072, "ffn_gated": 0, "qkv_bias": 0, "attn_out_bias": 0, "mlp_bias": 0, "tied_embeddings": 1,
    "learned_position_rows": 1024, "norm_kind": "layernorm_nobias", "position_kind": "learned",
    "sequence_length": 1024, "attention_flops_convention": "full",
}  # fmt: skip


def test_gpt2_as_a_design_matches_the_count_by_operation() -> None:
    """The same figure from the architecture, nothing given: nanoGPT's config of GPT-2 124M, bias=False.

    params(): 124_337_664 in all and 123_551_232 without positions. It multiplies with 768 x 50257 once, for the logits.
    """
    found = values(["params_total", "train_flops_per_token"], GPT2)
    assert found["params_total"] == 124_337_664
    assert found["params_total"] - 1024 * 768 == 123_551_232
    assert 1024 * found["train_flops_per_token"] == 874_944_921_600


def test_llama_3_1_8b_caches_131072_bytes_a_token() -> None:
    """32 layers, 8 KV heads of 128, keys and values in bf16: 2 * 32 * 8 * 128 * 2 (config.json)."""
    assert value("kv_cache_bytes_per_token", {"model": "llama-3.1-8b", "kv_precision": "kv_bf16"}) == 131_072


LLAMA_2_7B_ON_A100: Design = {
    "model": "llama-2-7b", "gpu": "a100_sxm_80", "precision": "bf16", "kv_precision": "kv_bf16",
    "engine": "gpt_fast", "batch_size": 1, "context_tokens": 205,  # a prompt of 5 and 200 new tokens
}  # fmt: skip


def test_llama_2_7b_decodes_on_an_a100_as_fast_as_gpt_fast() -> None:
    """meta-pytorch/gpt-fast README @6ecad9b: 104.9 tokens/s, bf16, batch 1, A100-80 capped at 330 W.

    The median relative error of the bandwidth fit behind the accelerator's row is 5.2 % (A100, bf16).
    """
    assert value("decode_tokens_per_s", LLAMA_2_7B_ON_A100) == pytest.approx(104.9, rel=0.052)


def test_llama_2_7b_reaches_the_bandwidth_that_was_measured() -> None:
    """gpt-fast prints 1397 GB/s, which is all weights times tokens/s."""
    found = values(["weight_bytes", "decode_tokens_per_s"], LLAMA_2_7B_ON_A100)
    assert found["weight_bytes"] * found["decode_tokens_per_s"] == pytest.approx(1.397e12, rel=0.052)


def test_a_batch_shares_the_weights_it_reads() -> None:
    """Mixtral 8x7B at 16 bit: alone a token reads its 2 of 8 experts, in a crowd all 8 are read once for everybody.

    Expected distinct experts: 8 (1 - (6/8)**batch), choices even and independent.
    """
    fixed: dict[str, str | int] = {"model": "mixtral-8x7b", "context_tokens": 1}
    metrics = ["decode_bytes_per_token", "decode_weight_bytes", "params_routed_experts", "trunk_params", "params_head"]
    for batch in (1, 4, 64):
        found = values_of_model(metrics, {**fixed, "batch_size": batch})
        experts = found["params_routed_experts"] * (1 - (6 / 8) ** batch)
        weights = 2 * (found["trunk_params"] + experts + found["params_head"])
        assert found["decode_weight_bytes"] == pytest.approx(weights, rel=1e-12)
        cache = 2 * 32 * 2 * 8 * 128  # keys and values of 32 layers, 8 heads of 128, 2 bytes
        assert found["decode_bytes_per_token"] == pytest.approx(weights / batch + cache, rel=1e-12)


def values_of_model(metrics: list[str], fixed: dict[str, str | int]) -> dict[str, int | float]:
    from kernels.evaluate import evaluate
    from sweep.resolve import single

    space = single({name: str(value) for name, value in fixed.items()})
    return evaluate(space.graph, metrics, space.fixed)

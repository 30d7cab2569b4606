"""Training memory: published tables to the last figure, a count tensor by tensor, and what has to hold of any of it."""

import math
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernels.consistency import RULES
from kernels.evaluate import evaluate
from kernels.model import GRAPH
from sweep import catalogue
from sweep.errors import SpecError
from sweep.resolve import single
from tests import naive_training

Number = int | float | str
Design = dict[str, Number]
PARTS = (
    *("train_weight_bytes", "gradient_bytes", "optimizer_bytes", "activation_bytes"),
    *("train_logits_bytes", "train_workspace_bytes"),
)
GIB = 2**30


@lru_cache
def chosen(records: frozenset[tuple[str, Number]]) -> dict[str, int | float]:
    """The inputs that records and defaults set, words as codes."""
    return dict(single({name: str(identity) for name, identity in records}).fixed)


def inputs(design: Design) -> dict[str, int | float]:
    """A design's inputs, its own over those of its records."""
    records = frozenset((name, v) for name, v in design.items() if name in catalogue.KINDS)
    own = {name: v for name, v in design.items() if name not in catalogue.KINDS}
    return chosen(records) | {n: GRAPH.words[n].index(v) if isinstance(v, str) else v for n, v in own.items()}


def values(metrics: list[str], design: Design) -> dict[str, float]:
    found = evaluate(GRAPH, metrics, inputs(design))
    return {name: float(found[name]) for name in metrics}


def value(metric: str, design: Design, **changed: Number) -> float:
    return values([metric], {**design, **changed})[metric]


# GPT as Korthikanti et al. count it: 16-bit activations, masks of dropout, scores stored
GPT: Design = {
    "ffn_gated": 0, "norm_kind": "layernorm", "position_kind": "learned", "learned_position_rows": 2048,
    "vocab_size": 51200, "tied_embeddings": 1, "qkv_bias": 1, "attn_out_bias": 1, "mlp_bias": 1, "dropout": 1,
    "flash_attention": 0, "sequence_length": 2048, "optimizer": "adam_18", "zero_stage": 0,
}  # fmt: skip
# Korthikanti et al. 2022, table 3: heads, width, layers, tensor, pipeline, interleaved runs, micro batch, global batch
SIZES = {
    "22B": (64, 6144, 48, 8, 1, 1, 4, 4),
    "175B": (96, 12288, 96, 8, 8, 3, 1, 64),
    "530B": (128, 20480, 105, 8, 35, 3, 1, 280),
    "1T": (160, 25600, 128, 8, 64, 1, 1, 512),
}


def gpt(size: str, **changed: Number) -> Design:
    heads, width, layers, tensor, pipeline, runs, micro, batch = SIZES[size]
    shape = {"num_heads": heads, "num_kv_heads": heads, "hidden_size": width, "head_dim": width // heads}
    split = {"tensor_parallel": tensor, "pipeline_parallel": pipeline, "pipeline_interleave": runs}
    step = {"micro_batch_size": micro, "global_batch_size": batch, "num_gpus": tensor * pipeline}
    return {
        **GPT,
        **shape,
        "ffn_size": 4 * width,
        "num_layers": layers,
        **split,
        **step,
        "sequence_parallel": 0,
        **changed,
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("split", "formula"),
    [
        ({"tensor_parallel": 1, "recompute": "none"}, "34 + 5 * a * s / h"),
        ({"tensor_parallel": 8, "recompute": "none"}, "10 + 24 / t + 5 * a * s / (h * t)"),
        ({"tensor_parallel": 8, "sequence_parallel": 1, "recompute": "none"}, "34 / t + 5 * a * s / (h * t)"),
        ({"tensor_parallel": 8, "recompute": "selective"}, "10 + 24 / t"),
        ({"tensor_parallel": 8, "sequence_parallel": 1, "recompute": "selective"}, "34 / t"),
        ({"tensor_parallel": 8, "recompute": "full"}, "2"),
        ({"tensor_parallel": 8, "sequence_parallel": 1, "recompute": "full"}, "2 / t"),
    ],
)
def test_a_layer_stores_what_korthikanti_table_2_says(size: str, split: Design, formula: str) -> None:
    """Korthikanti et al. 2022, arXiv:2205.05198, table 2: bytes of a layer over s b h, every row of it.

    The last row is full recomputation with sequence parallelism, whose checkpoint section 5 says is divided.
    """
    heads, width, *_ = SIZES[size]
    whole: Design = {"pipeline_parallel": 1, "pipeline_interleave": 1, "sequence_parallel": 0}
    design = gpt(size) | whole | split
    found = value("dense_layer_activation_bytes_per_token", design, num_gpus=split["tensor_parallel"])
    expected = eval(formula, {"a": heads, "s": 2048, "h": width, "t": split["tensor_parallel"]})
    assert found == pytest.approx(width * expected, rel=1e-14)


@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
def test_without_scores_the_quadratic_term_is_gone(recompute: str) -> None:
    """Korthikanti's 34 without 5 a s / h: what is left of the core is one fp32 number a head and token."""
    design = gpt("22B", tensor_parallel=1, flash_attention=1, recompute=recompute, num_gpus=1)
    sums = 4 * 64 if recompute == "none" else 0
    assert value("dense_layer_activation_bytes_per_token", design) == (2 if recompute == "full" else 34) * 6144 + sums


@pytest.mark.parametrize(
    ("size", "states", "whole", "selective"),
    [
        ("22B", 45.56, 59.25, 9.56),
        ("175B", 45.56, 66.84, 12.35),
        ("530B", 31.64, 114.02, 23.08),
        ("1T", 32.96, 131.25, 26.56),
    ],
)
def test_figure_1_of_korthikanti(size: str, states: float, whole: float, selective: float) -> None:
    """Korthikanti et al. 2022, figure 1, GiB a GPU: 18 bytes a parameter of the matrices of layers; activations.

    The figure is of the paper's own formulas: matrices of 12 L h^2 parameters without tables, biases and norms, and
    for 530B and 1T 18 bytes a parameter over all GPUs.
    """
    width, layers = SIZES[size][1:3]
    found = values(["activation_bytes", "whole_bytes_per_param", "shared_bytes_per_param"], gpt(size))
    assert found["activation_bytes"] / GIB == pytest.approx(whole, abs=0.006)
    both = gpt(size, sequence_parallel=1, recompute="selective")
    assert value("activation_bytes", both) / GIB == pytest.approx(selective, abs=0.006)
    assert (found["whole_bytes_per_param"], found["shared_bytes_per_param"]) == (18, 0)
    none: Design = {"norm_kind": "nonparametric", "qkv_bias": 0, "attn_out_bias": 0, "mlp_bias": 0}
    gpus = SIZES[size][3] * SIZES[size][4]
    layer = value("dense_layer_params_per_gpu", gpt(size) | none)
    assert layer * 8 == 12 * width**2
    assert 18 * layer * 8 * layers / gpus / GIB == pytest.approx(states, abs=0.006)


# Rajbhandari et al. 2019 (ZeRO), arXiv:1910.02054, table 1: GB of model states a device, by parameters and degree
DEGREES = (1, 4, 16, 64, 256, 1024)
TABLE_1: dict[float, dict[int, tuple[float, ...]]] = {
    7.5e9: {1: (120, 52.5, 35.6, 31.4, 30.4, 30.1), 2: (120, 41.3, 21.6, 16.6, 15.4, 15.1),
            3: (120, 30, 7.5, 1.88, 0.47, 0.12)},
    128e9: {1: (2048, 896, 608, 536, 518, 513), 2: (2048, 704, 368, 284, 263, 257), 3: (2048, 512, 128, 32, 8, 2)},
    1e12: {1: (16000, 7000, 4750, 4187, 4046, 4011), 2: (16000, 5500, 2875, 2218, 2054, 2013),
           3: (16000, 4000, 1000, 250, 62.5, 15.6)},
}  # fmt: skip


@pytest.mark.parametrize("params", TABLE_1)
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_model_states_are_those_of_zero_table_1(params: float, stage: int) -> None:
    """2 + 2 + 12 bytes a parameter; stage 1 shares 12 of them, stage 2 14, stage 3 all."""
    for degree, printed in zip(DEGREES, TABLE_1[params][stage], strict=True):
        design: Design = {
            "zero_stage": stage,
            "num_gpus": degree,
            "optimizer": "adam_16",
            "held_params_per_gpu": params,
        }
        found = values(["train_weight_bytes", "gradient_bytes", "optimizer_bytes"], design)
        assert sum(found.values()) / 1e9 == pytest.approx(printed, rel=5e-3, abs=5e-3)
        per_param = values(["whole_bytes_per_param", "shared_bytes_per_param"], design)
        exact = per_param["whole_bytes_per_param"] + per_param["shared_bytes_per_param"] / degree
        assert sum(found.values()) == pytest.approx(exact * params, rel=1e-12)


@pytest.mark.parametrize(
    ("optimizer", "stage", "ranks", "bytes_per_param"),
    [
        ("adam_16", 0, 8, 16),  # ZeRO paper
        ("adam_18", 0, 8, 18),  # Megatron-LM theoretical_memory_usage.py
        ("adam_18", 1, 8, 6 + 12 / 8),  # the same with the distributed optimizer
        ("adam_20", 1, 1, 20),  # DeepSpeed ZeRO-2 estimator at one rank
        ("adam_18", 3, 16, 18 / 16),  # DeepSpeed ZeRO-3 estimator, without its largest layer
        ("adam_16", 2, 4, 2 + 14 / 4),  # ZeRO paper, stage 2
    ],
)
def test_bytes_a_parameter_are_those_of_the_named_recipes(
    optimizer: str, stage: int, ranks: int, bytes_per_param: float
) -> None:
    design: Design = {"optimizer": optimizer, "zero_stage": stage, "num_gpus": ranks, "model": "llama-3.1-8b"}
    found = values([*PARTS[:3], "params_total"], design)
    assert sum(found[p] for p in PARTS[:3]) == pytest.approx(bytes_per_param * found["params_total"], rel=1e-12)


@st.composite
def designs(draw: st.DrawFn) -> Design:
    """Any design whose layers, experts and ranks divide evenly, as a layer-by-layer count needs them to."""
    tensor = draw(st.sampled_from([1, 2, 4]))
    pipeline = draw(st.sampled_from([1, 2, 3, 4]))
    runs = draw(st.sampled_from([1, 2, 3])) if pipeline > 1 else 1
    context = draw(st.sampled_from([1, 2]))
    replicas = draw(st.sampled_from([1, 2, 4, 8]))
    flag = st.integers(0, 1)
    heads = draw(st.sampled_from([4, 8, 12]))
    mla = draw(st.booleans())
    moe = draw(st.booleans())
    layers = pipeline * runs * draw(st.integers(1, 3))
    design: Design = {
        "hidden_size": draw(st.integers(1, 8)) * 64, "num_layers": layers, "vocab_size": draw(st.integers(2, 5000)),
        "num_heads": heads, "num_kv_heads": draw(st.sampled_from([k for k in (1, 2, 4, 12) if heads % k == 0])),
        "head_dim": draw(st.sampled_from([32, 64])), "ffn_size": 4 * draw(st.integers(1, 200)),
        "norms_per_layer": draw(st.integers(1, 4)), "parallel_block": draw(flag),
        **{name: draw(flag) for name in ("qkv_bias", "attn_out_bias", "mlp_bias", "ffn_gated", "final_norm")},
        **{name: draw(flag) for name in ("attn_sinks", "tied_embeddings", "lm_head_bias", "embedding_norm")},
        "attn_output_gate": 0 if mla else draw(flag),
        "qk_norm": "none" if mla else draw(st.sampled_from(["none", "head", "full"])),
        "norm_kind": draw(st.sampled_from(["rmsnorm", "layernorm", "nonparametric"])),
        "learned_position_rows": draw(st.sampled_from([0, 2048])), "embedding_proj_dim": draw(st.sampled_from([0, 32])),
        "activation_params_per_layer": draw(st.integers(0, 2)),
        "sequence_length": 8 * draw(st.integers(1, 100)), "dropout": draw(flag), "flash_attention": draw(flag),
        "recompute": draw(st.sampled_from(["none", "selective", "full"])),
        "tensor_parallel": tensor, "pipeline_parallel": pipeline, "pipeline_interleave": runs,
        "context_parallel": context, "data_parallel": replicas, "num_gpus": tensor * pipeline * context * replicas,
        "sequence_parallel": draw(flag) if tensor > 1 else 0, "zero_stage": draw(st.integers(0, 3)),
        "micro_batch_size": draw(st.integers(1, 3)), "optimizer": draw(st.sampled_from(OPTIMIZERS)),
        "logit_bytes": draw(st.sampled_from([2.0, 8.0])), "unfused_activation": draw(flag),
        "stored_expert_outputs": draw(flag), "gathered_layers": draw(st.integers(0, 3)),
        **{name: draw(flag) for name in ("in_place_activation", "context_output_copy", "alternate_matmuls")},
        "attention_copies": draw(st.integers(0, 2)),
    }  # fmt: skip
    design["global_batch_size"] = int(design["micro_batch_size"]) * replicas * draw(st.integers(1, 6))
    if mla:
        latent = {"q_lora_rank": draw(st.sampled_from([0, 48])), "kv_lora_rank": 32, "v_head_dim": 24}
        design |= {"attention_kind": "mla", "attn_sinks": 0, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, **latent}
    if moe:
        experts = draw(st.sampled_from([2, 4, 8]))
        spread = [e for e in (1, 2, 4) if experts % e == 0 and replicas * context % e == 0]
        design |= {
            "num_experts": experts, "experts_per_token": draw(st.integers(1, experts)),
            "expert_parallel": draw(st.sampled_from(spread)),
            "expert_ffn_size": 4 * draw(st.integers(1, 50)), "shared_expert_ffn_size": draw(st.sampled_from([0, 64])),
            "dense_residual_ffn_size": draw(st.sampled_from([0, 32])),
            **{name: draw(flag) for name in ("expert_bias", "router_bias", "shared_expert_gate")},
            "first_dense_layers": draw(st.integers(0, min(2, layers // (pipeline * runs), layers - 1))),
        }  # fmt: skip
    return design


OPTIMIZERS = list(catalogue.records("optimizer"))


def described(design: Design) -> dict[str, Any]:
    """The design with all its inputs, words as words, as the naive count takes it."""
    single({name: str(number) for name, number in design.items()})  # nothing that contradicts itself is compared
    found = evaluate(GRAPH, [n for n in GRAPH.inputs if n in NAIVE], inputs(design))
    return {n: GRAPH.words[n][int(v)] if n in GRAPH.words else v for n, v in found.items()}


TRAINING = GRAPH.resolve(["train_bytes_per_gpu", "train_largest_stage"], [])
NAIVE = {n for n in (*TRAINING[1], *(node.name for node in TRAINING[0])) if n in GRAPH.inputs} | {
    *("norm_kind", "num_moe_layers", "num_linear_layers", "learned_position_rows", "attn_sinks", "shared_expert_gate"),
    *("linear_attention_kind", "recompute", "expert_bias", "qk_norm", "gathered_layers", "tied_embeddings"),
}


@settings(deadline=None, max_examples=100)
@given(designs())
def test_a_count_tensor_by_tensor_agrees(design: Design) -> None:
    found = values([*PARTS, "train_bytes_per_gpu", "train_largest_stage"], design)
    naive = naive_training.fullest(described(design))
    assert found["train_bytes_per_gpu"] == pytest.approx(naive_training.total(naive), rel=1e-9)
    sums = [naive_training.of(naive, s) for s in ("weights", "gradients", "optimizer", "activations", "logits")]
    assert [found[p] for p in PARTS[:5]] == pytest.approx(sums, rel=1e-9)


@settings(deadline=None, max_examples=25)
@given(designs())
def test_the_parts_add_up_and_the_largest_is_named(design: Design) -> None:
    found = values([*PARTS, "train_bytes_per_gpu", "train_largest_term"], design)
    assert found["train_bytes_per_gpu"] == pytest.approx(sum(found[p] for p in PARTS), rel=1e-14)
    assert found[PARTS[int(found["train_largest_term"]) - 1]] == max(found[p] for p in PARTS)
    assert min(found.values()) >= 0


@settings(deadline=None, max_examples=25)
@given(designs())
def test_twice_the_micro_batch_stores_twice_the_activations(design: Design) -> None:
    """The global batch grows with it, so that as many micro batches are in flight; the stage may not change."""
    design |= {"pipeline_parallel": 1, "pipeline_interleave": 1}
    design["num_gpus"] = math.prod(int(design[d]) for d in ("tensor_parallel", "context_parallel", "data_parallel"))
    twice = {name: 2 * int(design[name]) for name in ("micro_batch_size", "global_batch_size")}
    for part in ("activation_bytes", "train_logits_bytes"):
        assert value(part, design | twice) == 2 * value(part, design)


@settings(deadline=None, max_examples=25)
@given(designs(), st.integers(1, 3))
def test_sharing_more_never_holds_more(design: Design, stage: int) -> None:
    """Weights, gradients and states by zero_stage; what a moment needs to gather them is a part of its own."""
    assume(design["pipeline_parallel"] == 1)  # else the fullest stage may be another
    less, more = (values(list(PARTS[:5]), design | {"zero_stage": s}) for s in (stage - 1, stage))
    assert all(more[part] <= less[part] * (1 + 1e-12) for part in PARTS[:5])


@settings(deadline=None, max_examples=25)
@given(designs(), st.sampled_from(["none", "selective", "full"]))
def test_more_tensor_parallelism_never_holds_more(design: Design, recompute: str) -> None:
    """At as many replicas, and with sequence parallelism kept or taken up."""
    design |= {"recompute": recompute}
    wider = design | {"tensor_parallel": 4, "num_gpus": int(design["num_gpus"]) * 4 // int(design["tensor_parallel"])}
    assert value("train_bytes_per_gpu", wider) <= value("train_bytes_per_gpu", design) * (1 + 1e-12)


@settings(deadline=None, max_examples=25)
@given(designs())
def test_recomputing_more_never_stores_more(design: Design) -> None:
    stored = [
        value("dense_layer_activation_bytes_per_token", design, recompute=r) for r in ("none", "selective", "full")
    ]
    assert stored == sorted(stored, reverse=True)


@settings(deadline=None, max_examples=40)
@given(designs(), st.floats(0.2, 1.5).filter(lambda room: abs(room - 1) > 1e-9))
def test_the_fewest_gpus_fit_and_fewer_do_not(design: Design, room: float) -> None:
    """A GPU somewhat smaller or larger than needed; replicas grow with the batch, so that as much is in flight."""
    memory = room * value("train_bytes_per_gpu", design)
    per_replica = int(design["global_batch_size"]) // int(design["data_parallel"])
    card = design | {"gpu_memory_bytes": memory, "gpu_usable_memory_share": 1, "gpu_reserved_bytes": 0}
    split = math.prod(int(design[d]) for d in ("tensor_parallel", "pipeline_parallel", "context_parallel"))
    step = math.ceil(int(design.get("expert_parallel", 1)) / int(design["context_parallel"]))

    def fits(replicas: int) -> bool:
        ranks = {"data_parallel": replicas, "num_gpus": replicas * split, "global_batch_size": per_replica * replicas}
        return bool(value("train_fits", card | ranks))

    fewest = value("min_gpus_to_train", card)
    if math.isinf(fewest):
        assert not fits(step * 2**20)
        return
    replicas = int(fewest) // split
    assert replicas * split == fewest
    assert replicas % step == 0
    assume(replicas < 2**25)
    assert fits(replicas)
    assert replicas == step or not fits(replicas - step)


def test_a_model_too_large_for_its_split_never_fits() -> None:
    """Llama 3.1 405B with states shared only: 4 bytes of weights and gradients a parameter stay on an 80 GB card."""
    design: Design = {"model": "llama-3.1-405b", "zero_stage": 1, "gpu": "h100_sxm"}
    assert value("min_gpus_to_train", design) == math.inf
    assert value("min_gpus_to_train", design, tensor_parallel=8, pipeline_parallel=16) < math.inf


def test_a_gpu_without_figures_has_nan() -> None:
    found = evaluate(GRAPH, ["min_gpus_to_train", "train_fits"], inputs({}) | {"gpu_memory_bytes": math.nan})
    assert math.isnan(found["min_gpus_to_train"])
    assert not found["train_fits"]


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ({"tensor_parallel": 3}, "multiply to num_gpus"),
        ({"data_parallel": 7}, "multiply to num_gpus"),
        ({"tensor_parallel": 64}, "share the query heads evenly"),
        ({"pipeline_parallel": 64}, "have a layer each"),
        ({"pipeline_interleave": 2}, "interleaving needs"),
        ({"sequence_length": 4095, "context_parallel": 2}, "tokens of a sequence evenly"),
        ({"expert_parallel": 8}, "share the experts evenly"),
        ({"num_experts": 8, "expert_parallel": 8, "num_gpus": 4}, "within the data and context ranks"),
        ({"sequence_parallel": 1}, "it needs two"),
        ({"optimizer_shard_ranks": 3}, "in whole groups"),
        ({"global_batch_size": 8}, "a micro batch of every replica"),
    ],
)  # fmt: skip
def test_degrees_that_contradict_each_other_are_refused(given: Design, label: str) -> None:
    with pytest.raises(SpecError, match=label):
        single({name: str(number) for name, number in given.items()})
    assert any(label in rule.label for rule in RULES)


def test_degrees_have_consistent_defaults() -> None:
    """1024 GPUs, each a replica; split, what is left of them; the batch is what train_batch_tokens makes."""
    wanted = ["data_parallel", "global_batch_size", "sequence_parallel", "optimizer_shard_ranks"]
    assert values(wanted, {}) == dict(zip(wanted, [1024, 1024, 0, 1024], strict=True))
    split: Design = {"tensor_parallel": 8, "pipeline_parallel": 4, "context_parallel": 2}
    assert values(wanted, split) == dict(zip(wanted, [16, 1024, 1, 32], strict=True))
    assert value("global_batch_size", {"num_gpus": 8192}) == 8192


@pytest.mark.parametrize("model", ["llama-3.1-8b", "deepseek-v3", "qwen3-30b-a3b", "gpt2", "qwen3-next-80b-a3b"])
def test_one_gpu_holds_every_parameter(model: str) -> None:
    found = values(["held_params_per_gpu", "params_total"], {"model": model, "num_gpus": 1})
    assert found["held_params_per_gpu"] == pytest.approx(found["params_total"], rel=1e-14)

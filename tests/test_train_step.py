"""The time of a training step: published steps, a count kernel by kernel, and what has to hold of any of it."""

import math
from functools import lru_cache

import numpy as np
import polars as pl
import pytest

from kernels import train_step
from kernels.evaluate import evaluate
from kernels.model import GRAPH
from sweep import catalogue
from sweep.points import evaluate_rows
from sweep.resolve import loads, single
from tests import naive_step
from tests.vectorised import Vectorised

pytestmark = pytest.mark.nojit

Number = int | float | str
Design = dict[str, Number]
STEP_PARTS = (
    "passes_s",
    "pipeline_bubble_s",
    "pipeline_wait_s",
    "data_wait_s",
    "copies_wait_s",
    "optimizer_step_s",
    "host_step_s",
)


@lru_cache
def chosen(records: frozenset[tuple[str, Number]]) -> dict[str, int | float]:
    """The inputs that records and defaults set, words as codes."""
    return dict(single({name: str(identity) for name, identity in records}).fixed)


def inputs(design: Design) -> dict[str, int | float]:
    """A design's inputs, its own over those of its records."""
    records = frozenset((name, v) for name, v in design.items() if name in catalogue.KINDS)
    own = {name: v for name, v in design.items() if name not in catalogue.KINDS}
    return chosen(records) | {n: GRAPH.words[n].index(v) if isinstance(v, str) else v for n, v in own.items()}


def values(metrics: list[str], design: Design, **changed: Number) -> dict[str, float]:
    found = evaluate(GRAPH, metrics, inputs({"parallelism": "given", **design, **changed}))
    return {name: float(found[name]) for name in metrics}


def value(metric: str, design: Design, **changed: Number) -> float:
    return values([metric], design, **changed)[metric]


def described(design: Design) -> dict[str, Number]:
    """Every input of a design, those that follow from others too, words as they are written."""
    names = [*(i for i in GRAPH.inputs)]
    given = inputs(design)
    found = evaluate(GRAPH, [n for n in names if n in given or GRAPH.inputs[n].formula is not None], given)
    return {n: GRAPH.words[n][int(v)] if n in GRAPH.words else v for n, v in found.items()}


LLAMA: Design = {  # Llama 3.1 8B is the default shape
    "gpu": "h100_sxm", "train_precision": "bf16", "train_framework": "tensors_only", "optimizer": "adam_18",
    "num_gpus": 64, "sequence_length": 8192, "global_batch_size": 256, "zero_stage": 1, "micro_batch_size": 1,
    "tensor_parallel": 2, "pipeline_parallel": 4,
}  # fmt: skip
MIXTURE: Design = {
    "num_experts": 32, "experts_per_token": 4, "expert_ffn_size": 1792, "num_moe_layers": 28, "first_dense_layers": 4,
    "shared_expert_ffn_size": 2048, "expert_parallel": 8, "tensor_parallel": 1, "num_gpus": 128,
}  # fmt: skip
GPT: Design = {
    "ffn_gated": 0, "ffn_size": 16384, "vocab_size": 51200, "num_kv_heads": 32, "dropout": 1, "flash_attention": 0,
    "sequence_length": 2048, "gpu": "a100_sxm_80", "train_precision": "fp16", "sequence_parallel": 0,
    "tied_embeddings": 1,
}  # fmt: skip
DESIGNS: dict[str, Design] = {
    "dense": LLAMA,
    "selective": LLAMA | {"recompute": "selective", "pipeline_interleave": 2},
    "torchtitan": LLAMA | {"train_framework": "torchtitan", "recompute": "selective", "zero_stage": 3},
    "gradients shared": LLAMA | {"zero_stage": 2, "optimizer": "adam_16", "train_framework": "composer_fsdp"},
    "full shard": LLAMA | {"tensor_parallel": 1, "pipeline_parallel": 1, "zero_stage": 3, "optimizer": "adam_16"},
    "hybrid shard": LLAMA
    | {"tensor_parallel": 1, "pipeline_parallel": 1, "zero_stage": 3, "optimizer_shard_ranks": 8, "num_gpus": 128},
    "host": LLAMA | {"zero_stage": 3, "pipeline_parallel": 1, "optimizer": "adam_offloaded"},
    "context": LLAMA | {"context_parallel": 4, "num_gpus": 128, "gpu": "b200_sxm", "train_precision": "fp8_training"},
    "stops early": LLAMA | {"train_framework": "fsdp_compiled", "recompute": "full", "zero_stage": 3},
    "deepspeed": LLAMA | GPT | {"train_framework": "deepspeed", "recompute": "full", "zero_stage": 0},
    "narrow heads": LLAMA | GPT | {"num_heads": 40, "num_kv_heads": 40, "head_dim": 100, "tensor_parallel": 8},
    "launches": LLAMA | {"sequence_length": 256, "hidden_size": 1024, "num_heads": 8, "ffn_size": 2816},
    "experts": LLAMA | MIXTURE,
    "experts far": LLAMA | MIXTURE | {"expert_parallel": 32, "gpu": "b200_sxm", "train_precision": "mxfp8"},
    "experts fp4": LLAMA | MIXTURE | {"gpu": "gb200", "train_precision": "nvfp4", "train_framework": "megatron_te"},
    "tensor far": LLAMA | {"tensor_parallel": 16, "num_heads": 32, "num_kv_heads": 16, "pipeline_parallel": 1},
}


@pytest.mark.parametrize("name", DESIGNS)
def test_a_step_takes_what_its_kernels_and_transfers_take_one_by_one(name: str) -> None:
    design = DESIGNS[name]
    d = described(design)
    found = values(["dense_layer_forward_s", "dense_layer_backward_s", "head_s", *STEP_PARTS, "train_step_s"], design)
    forward, backward = naive_step.layer_passes(d, moe=False)
    assert found["dense_layer_forward_s"] == pytest.approx(forward, rel=1e-9)
    assert found["dense_layer_backward_s"] == pytest.approx(backward, rel=1e-9)
    assert found["head_s"] == pytest.approx(naive_step.head_passes(d), rel=1e-9)
    if int(d["num_moe_layers"]) > 0:
        mixed = values(["moe_layer_forward_s", "moe_layer_backward_s"], design)
        assert tuple(mixed.values()) == pytest.approx(naive_step.layer_passes(d, moe=True), rel=1e-9)
    assert found["optimizer_step_s"] + found["host_step_s"] == pytest.approx(naive_step.optimizer_s(d), rel=1e-9)
    assert found["train_step_s"] == pytest.approx(sum(found[part] for part in STEP_PARTS))
    assert found["train_step_s"] == pytest.approx(naive_step.step_s(d), rel=1e-9)


@pytest.mark.parametrize(("stages", "batches"), [(2, 2), (4, 4), (4, 9), (8, 8), (5, 20)])
def test_a_pipeline_takes_its_passes_and_the_bubble_as_played_through(stages: int, batches: int) -> None:
    played = naive_step.played(batches, [1.0] * stages, [2.5] * stages)
    assert played == pytest.approx(3.5 * (batches + stages - 1))


@pytest.mark.parametrize(("stages", "batches"), [(2, 4), (4, 4), (4, 9), (8, 32)])
@pytest.mark.parametrize("head", [0.1, 1.0, 4.0])
def test_a_last_stage_with_the_head_idles_for_the_others_alone(stages: int, batches: int, head: float) -> None:
    """Its own work is not idleness: the bubble is one micro batch of each other stage."""
    forward, backward = [1.0] * (stages - 1) + [1.0 + head], [2.0] * (stages - 1) + [2.0 + 2.0 * head]
    played = naive_step.played(batches, forward, backward)
    slowest, mean = 3.0 + 3.0 * head, 3.0 + 3.0 * head / stages
    bubble = train_step.pipeline_bubble_s(mean, slowest, stages, 1)
    assert played == pytest.approx(train_step.passes_s(batches, slowest) + bubble)


# Korthikanti et al. 2022, arXiv:2205.05198, table 5: seconds of an iteration, full recomputation and with selective
# recomputation and sequence parallelism; 8 and 64 A100. The factors are fitted on these rows among others.
PUBLISHED = {("22B", "full"): 1.42, ("22B", "selective"): 1.10, ("175B", "full"): 18.13, ("175B", "selective"): 13.75}


@pytest.mark.parametrize(("size", "recompute"), PUBLISHED)
def test_published_iterations_are_met_within_four_per_cent(size: str, recompute: str) -> None:
    from tests.test_training_memory import gpt

    design = gpt(size, recompute=recompute, sequence_parallel=int(recompute == "selective"))
    found = value("train_step_s", design | {"gpu": "a100_sxm_80", "train_precision": "fp16"})
    assert found == pytest.approx(PUBLISHED[size, recompute], rel=0.04)


@pytest.mark.parametrize("name", ["dense", "selective", "deepspeed", "experts"])
def test_rates_agree_with_the_step(name: str) -> None:
    names = ["mfu", "step_mfu", "hfu", "train_tokens_per_s_per_gpu", "train_step_s", "train_gpu_hours", "train_tokens"]
    found = values(names, DESIGNS[name])
    assert found["mfu"] == found["step_mfu"] <= found["hfu"] * (1 + 1e-12) < 1.0
    hours = found["train_tokens"] / found["train_tokens_per_s_per_gpu"] / 3600.0
    assert found["train_gpu_hours"] == pytest.approx(hours)
    d = described(DESIGNS[name])
    tokens = float(d["global_batch_size"]) * float(d["sequence_length"]) / float(d["num_gpus"])
    assert found["train_tokens_per_s_per_gpu"] == pytest.approx(tokens / found["train_step_s"])


@pytest.mark.parametrize("name", ["dense", "hybrid shard", "context", "experts far"])
def test_better_hardware_and_more_overlap_never_slow_a_step(name: str) -> None:
    design = DESIGNS[name]
    d = described(design)
    before = value("train_step_s", design)
    for faster in (
        *("gpu_memory_byte_per_s", "gpu_scaleup_byte_per_s", "gpu_scaleout_bit_per_s", "gpu_bf16_flop_per_s"),
        *("gpu_scaleup_domain", "gpu_matmul_factor"),
    ):
        assert value("train_step_s", design, **{faster: 2.0 * float(d[faster])}) <= before * (1 + 1e-12), faster
    for share in ("tensor", "tensor_kernel", "context", "expert", "pipeline", "data", "exchange"):
        assert value("train_step_s", design, **{f"{share}_overlap_share": 1.0}) <= before * (1 + 1e-12), share


def test_kernels_that_send_while_they_multiply_hide_as_much_in_both_passes() -> None:
    """Transformer Engine's overlap of collectives and GEMMs; without it, only the backward pass hides a share."""
    names = ["tensor_exchange_s", "tensor_forward_s", "tensor_backward_s"]
    for kernels, common in ((0.9, 0.6), (0.0, 0.6)):
        shares = {"tensor_kernel_overlap_share": kernels, "tensor_overlap_share": common, "sequence_parallel": 0}
        exchange, forward, backward = (v for v in values(names, LLAMA, **shares).values())
        assert forward == pytest.approx((1.0 - kernels) * exchange)
        assert backward == pytest.approx((1.0 - max(kernels, common)) * exchange)


def test_copies_of_sharded_weights_are_summed_behind_the_backward_pass_as_far_as_the_framework_does() -> None:
    """PyTorch's hybrid shards: a layer's gradients at once, so that a step waits for what is longer than its passes."""
    hybrid = DESIGNS["hybrid shard"]
    names = ["copies_exchange_s", "copies_wait_s", "slowest_stage_s"]
    common = values(names, hybrid, copies_overlap_share=0.0, data_overlap_share=0.6)
    assert common["copies_wait_s"] == pytest.approx(0.4 * common["copies_exchange_s"])
    torch = values(names, hybrid | {"train_framework": "fsdp_compiled"})
    assert torch["copies_exchange_s"] > 0.0
    assert torch["copies_wait_s"] == max(0.0, torch["copies_exchange_s"] - torch["slowest_stage_s"])
    assert value("copies_wait_s", hybrid, zero_stage=2) == 0.0


def test_data_ranks_exchange_behind_the_last_round_of_a_stage() -> None:
    """Stage 4 of 2 runs each: behind the last pass of a run go three more of it and four of the other."""
    names = ["data_exchange_s", "data_wait_s", "slowest_stage_s", "hiding_batches"]
    slow = LLAMA | {"gpu_scaleout_bit_per_s": 1e9, "data_overlap_share": 0.8}
    for runs, batches in {1: 1.0, 2: 2.5, 4: 3.25}.items():
        found = values(names, slow, pipeline_interleave=runs)
        assert found["hiding_batches"] == batches
        left = found["data_exchange_s"] - 0.8 * batches * found["slowest_stage_s"]
        assert found["data_wait_s"] == pytest.approx(left)
    assert value("hiding_batches", slow, zero_stage=2) == value("micro_batches", slow)
    assert value("hiding_batches", slow, pipeline_parallel=1) == 1.0


def test_a_framework_may_hide_more_of_what_data_ranks_exchange() -> None:
    """At least the common share, and all that passes last where the framework gathers ahead, as PyTorch's FSDP does."""
    sharded: Design = LLAMA | {"tensor_parallel": 1, "pipeline_parallel": 1, "zero_stage": 3, "data_overlap_share": 0.5}
    names = ["data_exchange_s", "data_wait_s"]
    for share in (0.0, 0.5, 0.7, 1.0):
        found = values(names, sharded, exchange_overlap_share=share)
        assert found["data_exchange_s"] > 0.0
        assert found["data_wait_s"] == pytest.approx((1.0 - max(share, 0.5)) * found["data_exchange_s"])
    assert value("data_wait_s", sharded | {"train_framework": "fsdp_compiled"}) == 0.0


def test_attention_written_for_earlier_gpus_is_slower_on_hopper_alone() -> None:
    """FlashAttention-2 reaches half as much of an H100's peak as of an A100's; not so its own kernels."""
    names = ["flash_attention_flop_per_s", "wide_matmul_flop_per_s"]

    def factor(gpu: str, framework: str) -> float:
        found = values(names, LLAMA | {"gpu": gpu, "train_framework": framework})
        return found["flash_attention_flop_per_s"] / found["wide_matmul_flop_per_s"]

    earlier = factor("h200_sxm", "nanotron")
    assert earlier == pytest.approx(factor("b200_sxm", "nanotron"), rel=1e-12)
    assert earlier < factor("a100_sxm_80", "nanotron")
    assert factor("rtx_5090", "nanotron") == factor("tpu_v5p", "nanotron") == factor("a100_sxm_80", "nanotron")
    assert factor("h200_sxm", "megatron_te") == factor("a100_sxm_80", "megatron_te") == 1.0


def test_what_no_gradient_needs_is_not_computed_again() -> None:
    """PyTorch's early stop spares an MLP's last matrix: of 4 d^2 of attention and 8 d^2 a third of the FLOPs."""
    bound_by_flops: Design = {"matmul_traffic_factor": 0, "gpu_memory_byte_per_s": 1e30, "gpu_gemm_overhead_s_16bit": 0}
    alone = LLAMA | GPT | {"tensor_parallel": 1, "recompute": "full", "num_kv_heads": 32, "sequence_length": 128}
    names = ["dense_recompute_s", "dense_layer_forward_s", "core_work_s"]
    whole, early = (
        values(names, alone | bound_by_flops, layer_launch_s=0.0, recompute_stops_early=stops) for stops in (0, 1)
    )
    assert whole["dense_recompute_s"] == whole["dense_layer_forward_s"] == early["dense_layer_forward_s"]
    matmuls = whole["dense_recompute_s"] - whole["core_work_s"]
    assert early["dense_recompute_s"] == pytest.approx(whole["dense_recompute_s"] - matmuls / 3, rel=1e-6)
    for framework, stops in {"composer_fsdp": True, "maxtext": True, "megatron_te": False, "nanotron": False}.items():
        found = values(names, LLAMA | {"train_framework": framework, "recompute": "full"})
        assert (found["dense_recompute_s"] < found["dense_layer_forward_s"]) == stops
    mixed = LLAMA | MIXTURE | {"recompute": "full", "recompute_stops_early": 1}
    assert value("moe_recompute_s", mixed) == value("moe_layer_forward_s", mixed)


def test_every_matmul_takes_what_its_kernel_does_beside_its_work() -> None:
    """Four of a layer forward; eight backward, by the calibration of the format they are done in."""
    overheads = {"gpu_gemm_overhead_s_16bit": 1.0, "gpu_gemm_overhead_s_8bit": 10.0, "gpu_gemm_overhead_s_4bit": 100.0}
    for precision, each in {"bf16": 1.0, "fp8_training": 10.0, "nvfp4": 100.0}.items():
        alone = LLAMA | {"gpu": "b200_sxm", "train_precision": precision, "layer_launch_s": 0.0}
        names = ["dense_layer_forward_s", "dense_layer_backward_s"]
        without = values(names, alone, **dict.fromkeys(overheads, 0.0))
        found = values(names, alone, **overheads)
        assert [found[n] - without[n] for n in names] == pytest.approx([4.0 * each, 8.0 * each])


def test_a_host_steps_what_its_gpus_hold() -> None:
    """30 bytes of a parameter, an eighth of them on each of eight GPUs; nothing where the GPU steps."""
    whole: Design = {"tensor_parallel": 1, "pipeline_parallel": 1, "zero_stage": 3, "num_gpus": 8}
    whole |= {"optimizer": "adam_offloaded"}
    found = values(["host_step_s", "params_total"], LLAMA | whole, host_byte_per_s=3e10)
    assert found["host_step_s"] == pytest.approx(30 * found["params_total"] / 8 / 3e10)
    assert value("host_step_s", LLAMA) == 0.0


def test_one_gpu_waits_for_nobody() -> None:
    links = dict.fromkeys(("gpu_scaleup_byte_per_s", "gpu_scaleout_bit_per_s"), math.nan)
    alone = LLAMA | {"tensor_parallel": 1, "pipeline_parallel": 1, "num_gpus": 1} | links
    found = values([*STEP_PARTS, "tensor_forward_s", "context_forward_s", "expert_forward_s"], alone)
    assert found.pop("passes_s") > 0.0
    assert found.pop("optimizer_step_s") > 0.0
    assert set(found.values()) == {0.0}


def test_what_no_link_is_known_for_has_no_time() -> None:
    assert math.isnan(value("train_step_s", LLAMA, gpu_scaleout_bit_per_s=math.nan))
    assert math.isnan(value("train_step_s", LLAMA, gpu="a100_sxm_80", train_precision="fp8_training"))


def test_stages_that_do_not_divide_are_no_faster_than_their_mean_and_no_slower_than_the_fullest() -> None:
    uneven = LLAMA | {"num_layers": 33}
    found = values(["slowest_stage_s", "dense_layer_s", "head_s"], uneven)
    mean = (33 * found["dense_layer_s"] + found["head_s"]) / 4
    assert mean <= found["slowest_stage_s"] <= 9 * found["dense_layer_s"] + found["head_s"]


def test_a_layout_is_timed_where_a_degree_is_given_and_only_there() -> None:
    assert single({}).fixed["parallelism"] == GRAPH.words["parallelism"].index("assumed")
    for name, said in {"tensor_parallel": 1, "micro_batch_size": 2, "zero_stage": 1, "data_parallel": 1024}.items():
        assert single({name: str(said)}).fixed["parallelism"] == GRAPH.words["parallelism"].index("given")
    word = single({"tensor_parallel": "1", "parallelism": "assumed"}).fixed["parallelism"]
    assert word == GRAPH.words["parallelism"].index("assumed")
    space = loads("[axes]\ntensor_parallel = [1, 2]\n")
    assert space.stated["parallelism"] == "given"


def test_rows_of_a_table_are_timed_where_they_give_a_degree() -> None:
    frame = pl.DataFrame({"tensor_parallel": [None, 4], "num_gpus": [64, 64]})
    found, bad = evaluate_rows(frame, ["mfu", "assumed_mfu", "step_mfu"])
    assert not bad
    assert found["mfu"].to_list() == [found["assumed_mfu"][0], found["step_mfu"][1]]


@pytest.mark.parametrize("name", ["narrow heads", "experts far", "torchtitan"])
def test_the_fit_sees_the_same_step(name: str) -> None:
    """tests/fit_train.py asks numpy, written out from the same formulas."""
    wanted = ["train_tokens_per_s_per_gpu", "layer_s"]
    d = described(DESIGNS[name]) | {"parallelism": "given"}
    step = Vectorised(GRAPH, wanted)
    found = step({leaf: np.array([d[leaf]]) for leaf in step.leaves})
    expected = values(wanted, DESIGNS[name])
    assert {n: found[n][0] for n in wanted} == pytest.approx(expected, rel=1e-12)


def test_experts_are_the_slower_the_narrower_they_are() -> None:
    """Half a dense MLP's rate where the reciprocals of both sides add up to that of grouped_half_width, two thirds at
    twice that, and next to all of it for a matrix without end; split over GPUs they are narrower.
    """

    def share(hidden: int, width: int, tensor: int = 1) -> float:
        sides = {"hidden_size": hidden, "expert_ffn_size": width, "tensor_parallel": tensor}
        return value("grouped_matmul_share", LLAMA | MIXTURE | sides | {"grouped_half_width": 2048.0})

    assert share(4096, 4096) == pytest.approx(1 / 2, rel=1e-12)
    assert share(8192, 8192) == pytest.approx(2 / 3, rel=1e-12)
    assert share(8192, 16384, tensor=2) == share(8192, 8192)
    assert share(1 << 20, 1 << 20) > 0.99


@pytest.mark.parametrize("format_", ["fp8", "fp6", "int8", "fp4", "int4"])
def test_the_peak_of_training_is_that_of_its_format(format_: str) -> None:
    """On every GPU, and nan where a GPU lacks the format, whatever others it has."""
    for gpu, record in catalogue.records("gpu").items():
        peak = value("train_peak_flop_per_s", {"gpu": gpu, "train_compute_format": format_})
        assert peak == pytest.approx(record.values.get(f"gpu_{format_}_flop_per_s", math.nan), nan_ok=True), gpu


def test_windows_and_layers_without_softmax_are_counted_once() -> None:
    """A quarter of the layers attends, all of them within a window: 4 d half-counted scores of its mean length."""
    design: Design = {
        "num_layers": 48,
        "num_heads": 32,
        "head_dim": 128,
        "hidden_size": 4096,
        "sequence_length": 131072,
    }
    design |= {"attention_kind": "hybrid", "linear_attention_kind": "lightning", "num_linear_layers": 36}
    found = value("core_flops_per_token", design | {"num_sliding_layers": 12, "sliding_window": 1024})
    assert found == pytest.approx(4 * 32 * 128 * 1024 * (1 - 0.5 * 1024 / 131072) * 12 / 48, rel=1e-12)
    plain = value("core_flops_per_token", design)
    assert plain == pytest.approx(4 * 32 * 128 * 131072 / 2 * 12 / 48, rel=1e-12)

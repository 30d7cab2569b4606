"""Serving time and memory: against the formulas written once more, laws, and what engines log."""

import math

import numpy as np
import pytest

from kernels.evaluate import evaluate
from kernels.model import GRAPH
from kernels.serving import (
    engine_overhead_bytes,
    serve_activation_bytes,
    serve_activation_bytes_per_token,
    time_per_output_token_s,
    time_to_first_token_s,
)
from sweep import catalogue
from sweep.replica import engine
from sweep.resolve import single
from tests import serve_model

GIB = 2.0**30
PARTS = ("decode_products_s", "decode_cache_s", "decode_launches_s", "decode_collectives_s")
DESIGNS: list[dict[str, object]] = [
    {},
    {"model": "llama-3.1-70b", "precision": "fp8_e4m3", "gpu": "h200_sxm", "serve_tensor_parallel": 4},
    {"model": "llama-3.1-405b", "precision": "int4_g128", "gpu": "a100_sxm_80", "serve_tensor_parallel": 16},
    {"model": "mixtral-8x7b", "gpu": "mi300x", "engine": "sglang", "batch_size": 256, "context_tokens": 1000},
    {"model": "deepseek-v3", "precision": "fp8_block128", "gpu": "h200_sxm", "serve_tensor_parallel": 16,
     "serve_attention_data_parallel": 16, "engine": "tensorrt_llm", "batch_size": 512},
    {"model": "deepseek-v3", "precision": "nvfp4", "gpu": "gb200", "serve_tensor_parallel": 8,
     "serve_attention_data_parallel": 2, "batch_size": 64},
    {"model": "qwen3-30b-a3b", "gpu": "l40s", "precision": "fp8_e4m3", "batch_size": 3, "serve_tensor_parallel": 1},
    {"model": "llama-3.1-8b", "gpu": "m2_ultra", "precision": "gguf_q4_k_m", "engine": "llama_cpp_metal",
     "batch_size": 1},
    {"model": "gemma-2-9b", "gpu": "v100_sxm2_32", "precision": "fp16", "engine": "transformers",
     "context_tokens": 20_000, "serve_tensor_parallel": 2},
]  # fmt: skip


def values(names: list[str], design: dict[str, object]) -> dict[str, float]:
    """Metrics and inputs of one design."""
    fixed = single({name: str(number) for name, number in design.items()}).fixed
    found = evaluate(GRAPH, [name for name in names if name not in fixed], fixed)
    return {name: float(found[name] if name in found else fixed[name]) for name in names}


@pytest.mark.parametrize("design", DESIGNS, ids=[str(d.get("model", "default")) for d in DESIGNS])
def test_times_are_those_of_the_formulas_written_once_more(design: dict[str, object]) -> None:
    columns = [*serve_model.COUNTS, *serve_model.HARDWARE, *catalogue.KINDS["engine"].sets, "served_bandwidth_factor"]
    found = values([*columns, "decode_step_s", "prefill_s", *PARTS], design)
    arrays = {name: np.array([found[name]]) for name in columns}
    assert found["decode_step_s"] == pytest.approx(serve_model.decode_step_s(arrays)[0], rel=1e-9)
    assert found["prefill_s"] == pytest.approx(serve_model.prefill_s(arrays)[0], rel=1e-9)
    assert found["decode_step_s"] == pytest.approx(sum(found[part] for part in PARTS), rel=1e-12)


@pytest.mark.parametrize("design", DESIGNS, ids=[str(d.get("model", "default")) for d in DESIGNS])
def test_a_prompt_alone_takes_what_a_batch_of_one_takes(design: dict[str, object]) -> None:
    """On the same GPUs; and however large the batch, nobody has a first token sooner than alone."""
    same: dict[str, object] = {**values(["serve_tensor_parallel"], design)}
    alone = values(["prefill_s", "prompt_s", "time_to_first_token_s"], design | same | {"batch_size": 1})
    assert alone["prompt_s"] == alone["prefill_s"] == alone["time_to_first_token_s"]
    before = alone["prompt_s"]
    for batch_size in (2, 3, 8, 100, 1000):
        found = values(["prompt_s", "time_to_first_token_s"], design | same | {"batch_size": batch_size})
        assert found["prompt_s"] == pytest.approx(alone["prompt_s"], rel=1e-12)
        assert found["time_to_first_token_s"] >= before * (1 - 1e-12)
        before = found["time_to_first_token_s"]


@pytest.mark.parametrize("design", DESIGNS, ids=[str(d.get("model", "default")) for d in DESIGNS])
def test_a_check_is_a_step_of_all_drafted_tokens(design: dict[str, object]) -> None:
    """Products, experts and traffic as of so many more sequences, the cache read once."""
    columns = [*serve_model.COUNTS, *serve_model.HARDWARE, *catalogue.KINDS["engine"].sets, "served_bandwidth_factor"]
    before = 0.0
    for draft_tokens in (0, 1, 3, 8):
        found = values([*columns, "decode_step_s", "verify_step_s"], design | {"draft_tokens": draft_tokens})
        arrays = {name: np.array([found[name]]) for name in columns}
        assert found["verify_step_s"] == pytest.approx(serve_model.verify_step_s(arrays, draft_tokens)[0], rel=1e-9)
        assert found["verify_step_s"] >= max(before, found["decode_step_s"])
        before = found["verify_step_s"]
        assert draft_tokens or before == found["decode_step_s"]


@pytest.mark.parametrize("gpu_memory_bytes", [1e9, 4e9])
def test_what_no_number_of_gpus_holds_has_no_speed(gpu_memory_bytes: float) -> None:
    """Activations and what an engine takes leave no byte of a GPU for weights."""
    design: dict[str, object] = {"gpu": "h100_sxm", "gpu_memory_bytes": gpu_memory_bytes}
    asked = ["decode_step_s", "decode_tokens_per_s", "prefill_s", "time_to_first_token_s", "lifetime_usd"]
    found = values([*asked, "gpu_usable_bytes", "min_gpus_to_serve", "max_batch_size", "train_days"], design)
    assert found["gpu_usable_bytes"] < 0
    assert found["min_gpus_to_serve"] == math.inf
    assert found["max_batch_size"] == 0
    assert all(math.isnan(found[name]) for name in asked)
    assert found["train_days"] > 0


@pytest.mark.parametrize("design", DESIGNS, ids=[str(d.get("model", "default")) for d in DESIGNS])
def test_nothing_is_faster_than_bytes_and_flops(design: dict[str, object]) -> None:
    found = values(
        ["decode_step_s", "decode_weight_bytes", "decode_cache_bytes", "gpu_memory_byte_per_s", "serve_bandwidth_share",
         "prefill_s", "prefill_flops", "serve_tensor_parallel", "serve_peak_flop_per_s"], design,
    )  # fmt: skip
    gpus = found["serve_tensor_parallel"]
    moved = found["decode_weight_bytes"] + found["decode_cache_bytes"]
    assert found["decode_step_s"] > moved / (gpus * found["gpu_memory_byte_per_s"])
    assert found["prefill_s"] > found["prefill_flops"] / (gpus * found["serve_peak_flop_per_s"])
    assert found["serve_bandwidth_share"] <= 1.0


def test_a_replica_is_the_fewest_gpus_unless_said() -> None:
    names = ["serve_tensor_parallel", "min_gpus_to_serve", "serve_usd_per_million_tokens", "serve_s_per_token",
             "gpu_usd_per_hour", "decode_step_s", "decode_tokens_per_s_per_gpu", "decode_tokens_per_s"]  # fmt: skip
    design: dict[str, object] = {"model": "llama-3.1-70b"}
    few, many = values(names, design), values(names, design | {"serve_tensor_parallel": 8})
    assert few["serve_tensor_parallel"] == few["min_gpus_to_serve"] == many["min_gpus_to_serve"] < 8
    assert many["decode_step_s"] < few["decode_step_s"]
    for found, gpus in ((few, few["min_gpus_to_serve"]), (many, 8)):
        paid = found["serve_s_per_token"] * gpus * found["gpu_usd_per_hour"] / 3600 * 1e6
        assert found["serve_usd_per_million_tokens"] == pytest.approx(paid, rel=1e-12)
        assert found["decode_tokens_per_s_per_gpu"] == found["decode_tokens_per_s"] / gpus


def test_a_link_that_is_not_stated_leaves_only_single_gpus_a_time() -> None:
    """data/accelerators.csv states no link of any kind for an M4 Max."""
    alone, pair = (
        values(["decode_step_s", "prefill_s"], {"gpu": "m4_max", "serve_tensor_parallel": gpus}) for gpus in (1, 2)
    )
    assert all(number > 0 for number in alone.values())
    assert all(math.isnan(number) for number in pair.values())


def test_cards_without_a_link_of_their_own_reach_each_other_through_their_host() -> None:
    """What NCCL reaches between L40S: 20, 5.2 and 1.5 GB/s of all-reduces of 2, 4 and 8, data/collectives.csv. A share
    of the PCIe rate stands for all three: the one of their geometric mean.
    """
    names = ["serve_all_reduce_s_per_byte", "decode_step_s"]
    found = {g: values(names, {"gpu": "l40s", "serve_tensor_parallel": g}) for g in (2, 4, 8)}
    bus = {g: 2 * (1 - 1 / g) / found[g]["serve_all_reduce_s_per_byte"] / 1e9 for g in found}
    measured = {2: 20.11, 4: 5.16, 8: 1.45}
    logs = [math.log(bus[g] / measured[g]) for g in found]
    assert sum(logs) / 3 == pytest.approx(0.0, abs=0.02)
    assert all(found[g]["decode_step_s"] > 0 for g in found)


def test_one_sequence_waits_for_nobody() -> None:
    assert time_to_first_token_s(0.3, 0.3, 0.4) == 0.3
    assert time_per_output_token_s(0, 0.01, 0.3, 1, 100) == 0.01
    assert time_to_first_token_s(0.1, 0.8, 0.0) == pytest.approx(0.1)  # read first
    assert time_to_first_token_s(0.1, 0.8, 1.0) == pytest.approx(0.8)  # read last
    assert time_per_output_token_s(0, 0.01, 0.8, 8, 100) == pytest.approx(0.01 + 0.7 / 100)


@pytest.mark.parametrize(
    ("model", "shape", "logged"),  # GiB: vLLM 0.19 on H100, llm-d planner; None where they are in another engine log
    [
        ("llama-3.1-8b", (128256, 4096, 0, 0, 0), 1.89),
        ("llama-3.3-70b", (128256, 8192, 0, 0, 0), 1.96),
        ("qwen2.5-7b", (152064, 3584, 0, 0, 0), 2.21),
        ("gemma-7b", (256000, 3072, 0, 0, 0), 3.63),
        ("phi-4", (100352, 5120, 0, 0, 0), 1.52),
        ("deepseek-v2-lite", (102400, 2048, 26, 6, 1408), 1.93),
        ("qwen3-30b-a3b", (151936, 2048, 48, 8, 768), 2.68),
    ],
)
def test_activations_are_what_vllm_sets_aside(model: str, shape: tuple[int, ...], logged: float) -> None:
    vllm = catalogue.records("engine")["vllm"].values
    vocab, width, *experts = shape
    columns = ("engine_logit_bytes", "engine_activation_bytes", "engine_chunk_tokens")
    logit, activation, chunk = (float(vllm[column]) for column in columns)
    sequences = float(vllm["engine_profiled_sequences"])
    each = serve_activation_bytes_per_token(activation, width, *experts)
    held = serve_activation_bytes(sequences, 16, vocab, logit, chunk, 8192, each)
    assert held / GIB == pytest.approx(logged, rel=0.06), model


def test_what_an_engine_takes_beside() -> None:
    """vLLM 0.19 on H100, llm-d planner, non-torch memory: 0.25 GiB on one GPU, 2.06 to 2.21 on two and four."""
    vllm = catalogue.records("engine")["vllm"].values
    fixed = float(vllm["engine_context_bytes"]), float(vllm["engine_communicator_bytes"])
    assert engine_overhead_bytes(1, *fixed) / GIB == pytest.approx(0.25, abs=0.01)
    assert engine_overhead_bytes(4, *fixed) / GIB == pytest.approx(2.1, abs=0.11)


def test_memory_that_an_engine_takes_is_not_for_weights() -> None:
    design = {"model": "gemma-7b", "gpu": "rtx_4090", "precision": "int4_g128", "batch_size": 1}
    old = values(["gpu_usable_bytes"], design | {"engine": "llama_cpp"})["gpu_usable_bytes"]
    new = values(["gpu_usable_bytes", "serve_activation_bytes", "engine_context_bytes"], design)
    assert new["gpu_usable_bytes"] < old
    taken = new["serve_activation_bytes"] + new["engine_context_bytes"]
    assert new["gpu_usable_bytes"] == pytest.approx(0.9 * 25769803776 - taken, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "version", "gpu", "expected"),
    [
        ("vLLM", "0.19.0", "h100_sxm", "vllm"),
        ("vLLM", "0.15.1", "b200_sxm", "vllm_0_16"),
        ("vLLM", "0.12.0", "h200_sxm", "vllm_0_16"),
        ("vLLM", "", "h200_sxm", "vllm"),
        ("vLLM", "0.10.0", "mi300x", "vllm_rocm"),
        ("vLLM", "5931b7e", "tpu_v6e", "vllm"),
        ("SGLang", "0.4.6.post1", "h20", "sglang"),
        ("SGLang", "0.5", "mi300x", "sglang_rocm"),
        ("SGLang-JAX", "10f32e4", "tpu_v6e", "sglang_jax"),
        ("Optimum Habana", "", "gaudi3", "optimum_habana"),
        ("TensorRT-LLM", "1.2.0rc6.post3", "b200_sxm", "tensorrt_llm"),
        ("TensorRT-LLM", "gpt-oss-dev", "h200_sxm", "tensorrt_llm"),
        ("TensorRT-LLM", "0.15", "h200_sxm", "tensorrt_llm_0"),
        ("TensorRT-LLM PyTorch backend", "v1.0", "h200_sxm", "tensorrt_llm"),
        ("llama.cpp", "d11afd66 (2837)", "a100_sxm_80", "llama_cpp_2024_pro"),
        ("llama.cpp", "4426e298 (2824)", "rtx_4090", "llama_cpp_2024"),
        ("llama.cpp", "b3a995b4 (2796)", "m2_ultra", "llama_cpp_metal"),
        ("llama.cpp", "abcdef01 (6000)", "rtx_4090", "llama_cpp"),
        ("Ollama or llama.cpp", "2025", "ryzen_ai_max_395", "llama_cpp"),
        ("Google in-house (JAX)", "2022", "tpu_v4", "vllm"),
    ],
)
def test_a_row_names_the_record_of_its_engine(name: str, version: str, gpu: str, expected: str) -> None:
    assert engine(name, version, gpu) == expected

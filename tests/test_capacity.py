"""What a replica has room for: at the limit a design fits, and one more does not."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.capacity import max_context_tokens, min_tensor_parallel_to_serve
from sweep import catalogue
from tests.test_laws_of_metrics import Design, value, values

DESIGNS: list[Design] = [
    {"model": "llama-3.1-8b", "gpu": "h100_sxm"},
    {"model": "llama-3.1-70b", "gpu": "h100_sxm", "precision": "fp8_e4m3", "context_tokens": 32_768},
    {"model": "mixtral-8x7b", "gpu": "a100_sxm_80", "batch_size": 3},
    {"model": "gemma-2-9b", "gpu": "l40s", "kv_cache_reading": "ideal", "batch_size": 4, "context_tokens": 2000},
    {"model": "gemma-2-9b", "gpu": "l40s", "kv_cache_reading": "ideal", "batch_size": 64, "context_tokens": 1000},
    {"model": "deepseek-v3", "gpu": "h200_sxm", "precision": "fp8_e4m3"},
]


def gpus(design: Design) -> float:
    return value("min_gpus_to_serve", design)


@pytest.mark.parametrize("design", DESIGNS)
def test_the_largest_batch_fits_and_one_more_does_not(design: Design) -> None:
    most = value("max_batch_size", design)
    assert most >= float(design.get("batch_size", 16))
    assert gpus({**design, "batch_size": int(most)}) <= gpus(design) < gpus({**design, "batch_size": int(most) + 1})


@pytest.mark.parametrize("design", DESIGNS)
def test_the_longest_context_fits_and_one_more_token_does_not(design: Design) -> None:
    most = int(value("max_context_tokens", design))
    assert most >= float(design.get("context_tokens", 8192))
    assert gpus({**design, "context_tokens": most}) <= gpus(design) < gpus({**design, "context_tokens": most + 1})


HELD = (
    *("weight_bytes", "serve_dense_bytes", "kv_cache_bytes", "linear_state_bytes", "gpu_memory_bytes", "num_kv_heads"),
    *("gpu_usable_memory_share", "gpu_reserved_bytes", "vocab_size", "engine_logit_bytes", "engine_profiled_sequences"),
    *("engine_chunk_tokens", "serve_activation_bytes_per_token", "engine_overhead_bytes", "prompt_tokens"),
)


def holds(design: Design) -> bool:
    """Whether each GPU of a replica holds its part, byte by byte: copies of weights and caches, the widest pass."""
    found = values(list(HELD), design)
    gpus, batch = int(design["serve_tensor_parallel"]), int(design["batch_size"])
    groups = int(design.get("serve_attention_data_parallel", 1))
    heads = 1 if "deepseek" in str(design["model"]) else max(1, int(found["num_kv_heads"]))
    weights = (found["weight_bytes"] + (groups - 1) * found["serve_dense_bytes"] + found["linear_state_bytes"]) / gpus
    cache = found["kv_cache_bytes"] / min(gpus, heads * min(groups, batch))
    chunked = found["engine_chunk_tokens"] < 1e9
    read = found["engine_chunk_tokens"] if chunked else batch * max(1.0, found["prompt_tokens"])
    logits = max(found["engine_profiled_sequences"], batch) * found["vocab_size"] * found["engine_logit_bytes"]
    working = read * found["serve_activation_bytes_per_token"] + logits + found["engine_overhead_bytes"]
    aside = max(found["gpu_reserved_bytes"], working)
    return weights + cache + aside <= found["gpu_memory_bytes"] * found["gpu_usable_memory_share"]


MODELS = ("llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b", "deepseek-v2-lite", "gemma-3-4b", "gpt-oss-20b")


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(MODELS),
    st.sampled_from(["h100_sxm", "h200_sxm", "rtx_4090", "mi300x", "l4"]),
    st.sampled_from(sorted(catalogue.records("engine"))),
    st.sampled_from([1, 2, 4, 8, 16]),
    st.sampled_from([1, 2, 8]),
    st.integers(1, 200),
    st.integers(10, 30_000),
    st.sampled_from(["ideal", "uniform_page"]),
)
def test_the_limits_are_the_last_that_every_gpu_holds(
    model: str, gpu: str, engine: str, gpus: int, groups: int, batch: int, context: int, reading: str
) -> None:
    """Whatever the engine: with chunks or without, with copies of attention, of heads and of latents."""
    groups = min(groups, gpus)
    design: Design = {"model": model, "gpu": gpu, "engine": engine, "serve_tensor_parallel": gpus}
    design |= {"serve_attention_data_parallel": groups, "batch_size": batch, "context_tokens": context}
    design |= {"kv_cache_reading": reading}
    found = values(["max_batch_size", "max_context_tokens"], design)
    most, longest = int(found["max_batch_size"]), int(found["max_context_tokens"])
    if most > groups:
        assert holds(design | {"batch_size": most - 1})
    assert not holds(design | {"batch_size": max(groups, most + 1) + 1})
    if longest > 4:
        assert holds(design | {"context_tokens": longest - 1})
    assert not holds(design | {"context_tokens": longest + 2})


def test_ranks_past_the_heads_leave_no_more_room() -> None:
    """Four heads of keys and values: eight ranks hold no longer context than four, but for the weights they split."""
    found = [
        value(
            "max_context_tokens",
            {"model": "qwen3-30b-a3b", "gpu": "h100_sxm", "batch_size": 1},
            serve_tensor_parallel=n,
        )
        for n in (4, 8, 1024)
    ]
    assert found[0] < found[1] < found[2] < 1.4 * found[0]


@pytest.mark.parametrize(("reading", "expected"), [("ideal", 70.0), ("uniform_page", 25.0)])
def test_past_its_window_a_sliding_layer_takes_no_more(reading: str, expected: float) -> None:
    """Of eight bits a token over four layers, three with a window of ten: 100 bytes hold 70 tokens of the fourth."""
    found = max_context_tokens(
        reserved_room_bytes=100.0, working_room_bytes=100.0, kv_bits=8, kv_cache_bytes_per_token=4.0,
        kv_elements_per_token_unwindowed=1, kv_cache_reading=reading, sliding_window=10, serve_cache_gpus=1.0,
        growing_pass_bytes=0.0, output_token_share=0.5,
    )  # fmt: skip
    assert found == expected


@pytest.mark.parametrize(
    ("needed", "heads", "degree"),
    [(1, 7, 1), (2, 32, 2), (3, 32, 4), (5, 40, 8), (9, 64, 16), (33, 64, 64), (9, 40, math.nan), (65, 128, math.nan)],
)
def test_tensor_parallel_is_the_first_power_of_two_that_holds_it_and_shares_heads(
    needed: int, heads: int, degree: float
) -> None:
    found = min_tensor_parallel_to_serve(needed, heads)
    assert found == degree or (math.isnan(degree) and math.isnan(found))

"""What a replica has room for: at the limit a design fits, and one more does not."""

import math

import pytest

from kernels.capacity import max_context_tokens, min_tensor_parallel_to_serve
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


def test_past_its_window_a_sliding_layer_takes_no_more() -> None:
    """Of eight bits a token over four layers, three with a window of ten: 100 bytes hold 70 tokens of the fourth."""
    room = {"replica_cache_room_bytes": 100.0, "linear_state_bytes": 0.0, "batch_size": 1, "kv_bits": 8}
    found = max_context_tokens(
        **room, kv_cache_bytes_per_token=4.0, kv_elements_per_token_unwindowed=1, kv_cache_reading="ideal",
        sliding_window=10,
    )  # fmt: skip
    assert found == 70.0
    paged = max_context_tokens(
        **room, kv_cache_bytes_per_token=4.0, kv_elements_per_token_unwindowed=1, kv_cache_reading="uniform_page",
        sliding_window=10,
    )  # fmt: skip
    assert paged == 25.0


def test_twice_the_memory_left_holds_twice_the_batch() -> None:
    found = values(["max_batch_size", "replica_cache_room_bytes", "sequence_bytes"], DESIGNS[0])
    assert found["max_batch_size"] == found["replica_cache_room_bytes"] // found["sequence_bytes"]


@pytest.mark.parametrize(
    ("needed", "heads", "degree"),
    [(1, 7, 1), (2, 32, 2), (3, 32, 4), (5, 40, 8), (9, 64, 16), (33, 64, 64), (9, 40, math.nan), (65, 128, math.nan)],
)
def test_tensor_parallel_is_the_first_power_of_two_that_holds_it_and_shares_heads(
    needed: int, heads: int, degree: float
) -> None:
    found = min_tensor_parallel_to_serve(needed, heads)
    assert found == degree or (math.isnan(degree) and math.isnan(found))

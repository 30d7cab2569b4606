"""Serving time written once more, over arrays of designs: what constants are fitted with, and what metrics must equal.

It starts from counts (parameters, FLOPs, bytes of cache) and from the columns of a GPU, a format and an engine, and
leans on no metric of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = Any
Values = Mapping[str, Any]

COUNTS = (  # of a design, whatever serves it
    *("num_layers", "num_moe_layers", "hidden_size", "num_experts", "experts_per_token", "num_kv_heads"),
    *("trunk_params", "expert_matrix_params", "expert_vector_params", "vocab_size", "embedding_width"),
    *("weight_flops_per_token", "decode_attention_flops", "decode_cache_bytes", "prefill_attention_flops"),
    *("weight_bits", "embedding_bits", "batch_size", "prompt_tokens", "gemms_per_layer", "kv_lora_rank"),
    *("serve_attention_data_parallel", "serve_tensor_parallel"),
)
HARDWARE = (
    *("gpu_memory_byte_per_s", "gpu_bandwidth_share_16bit", "gpu_bandwidth_share_8bit", "compute_class"),
    *("serve_peak_flop_per_s", "serve_compute_share", "serve_gemm_overhead_s"),
    *("gpu_bf16_flop_per_s", "gpu_fp16_flop_per_s"),
    *("gpu_scaleup_byte_per_s", "gpu_scaleup_domain", "gpu_scaleout_bit_per_s"),
    *("gpu_collective_base_s", "gpu_collective_hop_s", "gpu_collective_share"),
    *("scaleout_latency_s", "collective_ring_gpus"),
)


def pass_collectives(v: Values, tokens: Array) -> Array:
    """Seconds between GPUs of one pass of so many tokens through all layers."""
    gpus, groups = v["serve_tensor_parallel"], v["serve_attention_data_parallel"]
    group = np.maximum(1.0, gpus / groups)
    inside = np.minimum(group, v["gpu_scaleup_domain"])
    domains = group / inside
    up = v["gpu_scaleup_byte_per_s"] * v["gpu_collective_share"]
    out = v["gpu_scaleout_bit_per_s"] / 8 * v["gpu_collective_share"]
    hops = np.minimum(inside, v["collective_ring_gpus"]) - 1
    fixed = v["gpu_collective_base_s"] + v["gpu_collective_hop_s"] * hops
    fixed = v["engine_collective_factor"] * (fixed + np.where(domains > 1, v["scaleout_latency_s"], 0.0))
    message = tokens / groups * v["hidden_size"] * 2
    sent = np.where(inside > 1, 2 * message * (inside - 1) / inside / up, 0.0)
    sent = sent + np.where(domains > 1, 2 * message / inside * (domains - 1) / domains / out, 0.0)
    reduce_s = np.where(group > 1, fixed + sent, 0.0)
    far = gpus > v["gpu_scaleup_domain"]
    fixed = v["gpu_collective_base_s"] + v["gpu_collective_hop_s"] + np.where(far, v["scaleout_latency_s"], 0.0)
    share = tokens / gpus * v["experts_per_token"] * v["hidden_size"] * 2
    near_s = share * (gpus - 1) / gpus / up
    far_s = share * (1 - v["gpu_scaleup_domain"] / gpus) / out
    far_s = np.where(v["gpu_scaleup_domain"] > 1, np.maximum(near_s, far_s), far_s)
    moved = v["engine_collective_factor"] * fixed + np.where(far, far_s, near_s)
    experts_s = np.where(groups > 1, moved, 0.0)
    return 2 * v["num_layers"] * reduce_s + 2 * v["num_moe_layers"] * experts_s


def _pace(v: Values) -> tuple[Array, Array, Array]:
    """Bytes of weights, FLOPs of weights and FLOPs of attention that one GPU gets through in a second."""
    share = np.where(v["compute_class"] == 8, v["gpu_bandwidth_share_8bit"], v["gpu_bandwidth_share_16bit"])
    share = np.minimum(1.0, share * v["served_bandwidth_factor"] * v["engine_bandwidth_factor"])
    wide = np.where(v["gpu_bf16_flop_per_s"] > 0, v["gpu_bf16_flop_per_s"], v["gpu_fp16_flop_per_s"])
    flop = v["serve_peak_flop_per_s"] * v["serve_compute_share"]
    return v["gpu_memory_byte_per_s"] * share, flop, wide * v["engine_attention_share"]


def _products(v: Values, tokens: Array, passes: Array, dense_flop: Array, expert_flop: Array) -> Array:
    """Seconds of all products with weights: tokens of FLOPs, weights read once a pass."""
    gpus, groups = v["serve_tensor_parallel"], v["serve_attention_data_parallel"]
    byte_s, _, _ = _pace(v)
    routed = 2 * v["num_moe_layers"] * v["experts_per_token"] * v["expert_matrix_params"]
    head = v["vocab_size"] * v["embedding_width"] * v["embedding_bits"]
    dense_bytes = (v["trunk_params"] * v["weight_bits"] + head) / 8
    each = v["num_moe_layers"] * (v["expert_matrix_params"] + v["expert_vector_params"]) * v["weight_bits"] / 8
    missed = (1 - np.minimum(1, v["experts_per_token"] / v["num_experts"])) ** (tokens / passes)
    read = passes * dense_bytes / (np.maximum(1.0, gpus / groups) * byte_s)
    computed = tokens * (v["weight_flops_per_token"] - routed) / (gpus * dense_flop)
    expert_read = passes * each * v["num_experts"] * (1 - missed)
    expert_read = expert_read / (gpus * byte_s * v["engine_expert_bandwidth_factor"])
    return np.hypot(read, computed) + np.hypot(expert_read, tokens * routed / (gpus * expert_flop))


def _attending(v: Values) -> Array:
    """GPUs of the groups that have a sequence."""
    groups = np.minimum(v["serve_attention_data_parallel"], v["serve_tensor_parallel"])
    return v["serve_tensor_parallel"] / groups * np.minimum(groups, v["batch_size"])


def decode_step_s(v: Values) -> Array:
    """Seconds of one step."""
    return verify_step_s(v, 0)


def verify_step_s(v: Values, draft_tokens: int) -> Array:
    """Seconds of one step that checks so many drafted tokens of each sequence beside its next one."""
    gpus, groups, batch = v["serve_tensor_parallel"], v["serve_attention_data_parallel"], v["batch_size"]
    _, flop, attention = _pace(v)
    sharing = np.where(v["kv_lora_rank"] > 0, 1, np.minimum(np.maximum(1.0, gpus / groups), v["num_kv_heads"]))
    sharing = np.minimum(gpus, sharing * np.minimum(groups, batch))
    cache = v["decode_cache_bytes"] / (sharing * v["gpu_memory_byte_per_s"] * v["engine_cache_share"])
    tokens = batch * (draft_tokens + 1)
    cache = np.maximum(cache, (draft_tokens + 1) * v["decode_attention_flops"] / (_attending(v) * attention))
    launches = v["num_layers"] * (v["gemms_per_layer"] * v["serve_gemm_overhead_s"] + v["engine_decode_layer_s"])
    launches = launches + v["engine_decode_step_s"] + v["engine_decode_sequence_s"] * batch / groups
    return _products(v, tokens, 1.0, flop, flop) + cache + launches + pass_collectives(v, tokens)


def prefill_s(v: Values) -> Array:
    """Seconds of reading the prompts of a batch."""
    tokens = v["batch_size"] * v["prompt_tokens"]
    passes = np.maximum(1.0, tokens / v["engine_chunk_tokens"])
    _, flop, attention = _pace(v)
    flop = np.minimum(v["serve_peak_flop_per_s"], flop * v["engine_compute_factor"])
    busy = _products(v, tokens, passes, flop, flop * v["engine_expert_compute_factor"])
    busy = busy + v["prefill_attention_flops"] / (_attending(v) * attention)
    busy = busy + passes * pass_collectives(v, tokens / passes)
    return np.maximum(busy, passes * v["num_layers"] * v["engine_prefill_layer_s"]) + v["engine_prefill_s"]

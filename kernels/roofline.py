"""Serving time by a calibrated roofline: bytes over bandwidth or FLOPs over peak, whichever is more, plus launches.

The shares of bandwidth and peak and the time of a launch are fitted per GPU to published kernel timings, see the
accelerator's row. A replica's GPUs share bytes and FLOPs evenly; traffic between them is not counted.
"""

from kernels.graph import metric

ROOFLINE = "Williams et al. 2009, doi:10.1145/1498765.1498785; Pope et al. 2022, arXiv:2211.05102, section 2"
FITTED = "accelerator row, roofline_basis"
MOE = "expected distinct draws: E (1 - (1 - k/E)**tokens), tokens choosing independently and evenly"


@metric(unit="FLOP/s", source="accelerator row; nan where the GPU lacks the format, never a silent fallback")
def serve_peak_flop_per_s(
    compute_format,
    gpu_fp32_flop_per_s,
    gpu_tf32_flop_per_s,
    gpu_fp16_flop_per_s,
    gpu_bf16_flop_per_s,
    gpu_fp8_flop_per_s,
    gpu_fp6_flop_per_s,
    gpu_int8_flop_per_s,
    gpu_fp4_flop_per_s,
    gpu_int4_flop_per_s,
):
    """Dense peak of one GPU in the format the serving matmuls are done in."""
    wide = gpu_fp32_flop_per_s if compute_format == "fp32" else gpu_tf32_flop_per_s
    half = gpu_fp16_flop_per_s if compute_format == "fp16" else gpu_bf16_flop_per_s
    eight = (
        gpu_int8_flop_per_s
        if compute_format == "int8"
        else (gpu_fp6_flop_per_s if compute_format == "fp6" else gpu_fp8_flop_per_s)
    )
    four = gpu_int4_flop_per_s if compute_format == "int4" else gpu_fp4_flop_per_s
    low = eight if compute_format == "int8" or compute_format == "fp6" or compute_format == "fp8" else four
    high = half if compute_format == "fp16" or compute_format == "bf16" else low
    return wide if compute_format == "fp32" or compute_format == "tf32" else high


@metric(unit="", source="definition: the class of formats that a GPU's calibrated shares were measured in")
def compute_class(compute_format):
    """Width class of the format the serving matmuls are done in: 16 for fp32 to bf16, 8, or 4."""
    four = compute_format == "fp4" or compute_format == "int4"
    eight = compute_format == "fp8" or compute_format == "fp6" or compute_format == "int8"
    return 4 if four else (8 if eight else 16)


@metric(unit="", source=FITTED)
def serve_bandwidth_share(compute_class, gpu_bandwidth_share_16bit, gpu_bandwidth_share_8bit, gpu_bandwidth_share_4bit):
    """Share of the memory bandwidth that a decode step reaches in this format."""
    low = gpu_bandwidth_share_8bit if compute_class == 8 else gpu_bandwidth_share_4bit
    return gpu_bandwidth_share_16bit if compute_class == 16 else low


@metric(unit="", source=FITTED)
def serve_compute_share(compute_class, gpu_compute_share_16bit, gpu_compute_share_8bit, gpu_compute_share_4bit):
    """Share of the dense peak that a prefill reaches in this format."""
    low = gpu_compute_share_8bit if compute_class == 8 else gpu_compute_share_4bit
    return gpu_compute_share_16bit if compute_class == 16 else low


@metric(unit="s", source=FITTED)
def serve_gemm_overhead_s(compute_class, gpu_gemm_overhead_s_16bit, gpu_gemm_overhead_s_8bit, gpu_gemm_overhead_s_4bit):
    """Fixed time of one matrix multiplication while decoding in this format."""
    low = gpu_gemm_overhead_s_8bit if compute_class == 8 else gpu_gemm_overhead_s_4bit
    return gpu_gemm_overhead_s_16bit if compute_class == 16 else low


@metric(unit="FLOP/s", source=ROOFLINE)
def serve_flop_per_s(serve_peak_flop_per_s, serve_compute_share):
    """FLOPs one GPU does in a second of prefill."""
    return serve_peak_flop_per_s * serve_compute_share


@metric(unit="byte/s", source=ROOFLINE)
def serve_byte_per_s(gpu_memory_byte_per_s, serve_bandwidth_share):
    """Bytes one GPU reads in a second of decoding."""
    return gpu_memory_byte_per_s * serve_bandwidth_share


@metric(unit="", source=MOE)
def experts_read_per_step(num_experts, experts_per_token, batch_size):
    """Distinct routed experts of one MoE layer that a decode step is expected to read."""
    return num_experts * (1.0 - (1.0 - min(1.0, experts_per_token / num_experts)) ** batch_size)


@metric(unit="byte", source=MOE)
def decode_weight_bytes(
    trunk_params,
    num_moe_layers,
    experts_read_per_step,
    expert_matrix_params,
    expert_vector_params,
    vocab_size,
    embedding_width,
    weight_bits,
    embedding_bits,
):
    """Weights that one decode step reads: the trunk, the experts that some sequence visits, the head; no look-ups."""
    experts = num_moe_layers * experts_read_per_step * (expert_matrix_params + expert_vector_params)
    return ((trunk_params + experts) * weight_bits + vocab_size * embedding_width * embedding_bits) / 8.0


@metric(unit="FLOP", source="Pope et al. 2022, arXiv:2211.05102, section 2; latent attention in its expanded form")
def decode_step_flops(
    weight_flops_per_token,
    linear_attention_flops_per_token,
    attention_score_flops_per_layer,
    num_softmax_layers,
    num_sliding_layers,
    context_tokens,
    windowed_context_tokens,
    batch_size,
):
    """FLOPs of one new token for every sequence, each attending to its whole context or window."""
    attended = (num_softmax_layers - num_sliding_layers) * context_tokens + num_sliding_layers * windowed_context_tokens
    scores = attention_score_flops_per_layer * attended
    return batch_size * (weight_flops_per_token + linear_attention_flops_per_token + scores)


@metric(unit="byte", source="Pope et al. 2022, arXiv:2211.05102, section 2; a linear state is read and written")
def decode_cache_bytes(kv_cache_ideal_bytes, linear_state_bytes):
    """What one decode step reads and writes of what is remembered; a sliding layer reads its window only."""
    return kv_cache_ideal_bytes + 2.0 * linear_state_bytes


@metric(unit="byte/token", source="Pope et al. 2022, arXiv:2211.05102, section 2")
def decode_bytes_per_token(decode_weight_bytes, decode_cache_bytes, batch_size):
    """Bytes moved per generated token: a step's weights shared by the batch, and the token's own cache."""
    return (decode_weight_bytes + decode_cache_bytes) / batch_size


@metric(unit="s", source="accelerator row, roofline_basis; launches per layer as serving frameworks fuse them")
def decode_overhead_s(num_layers, gemms_per_layer, serve_gemm_overhead_s):
    """Fixed time of the launches of one decode step."""
    return num_layers * gemms_per_layer * serve_gemm_overhead_s


@metric(unit="s", source=ROOFLINE)
def decode_step_s(
    decode_weight_bytes,
    decode_cache_bytes,
    serve_byte_per_s,
    decode_step_flops,
    serve_flop_per_s,
    min_gpus_to_serve,
    decode_overhead_s,
):
    """Time of one decode step of one replica, every sequence at its full context."""
    reading = (decode_weight_bytes + decode_cache_bytes) / (min_gpus_to_serve * serve_byte_per_s)
    computing = decode_step_flops / (min_gpus_to_serve * serve_flop_per_s)
    return max(reading, computing) + decode_overhead_s


@metric(unit="token/s", source="definition")
def decode_tokens_per_s(batch_size, decode_step_s):
    """Tokens one replica generates in a second while decoding."""
    return batch_size / decode_step_s


@metric(unit="", source="definition: context_tokens is prompt and answer together")
def output_tokens(context_tokens, output_token_share):
    """Tokens generated for one served sequence."""
    return context_tokens * output_token_share


@metric(unit="", source="definition: what is not generated is prompt")
def prompt_tokens(context_tokens, output_tokens):
    """Tokens of the prompt of one served sequence."""
    return context_tokens - output_tokens


@metric(unit="", source="arithmetic: the mean of min(i, window) over a prompt of that many tokens")
def windowed_prompt_tokens(prompt_tokens, sliding_window):
    """Tokens that a token of the prompt attends to in a sliding layer, on average; the causal half without a window."""
    inside = sliding_window - sliding_window * sliding_window / (2.0 * prompt_tokens)
    return inside if sliding_window > 0 and sliding_window < prompt_tokens else 0.5 * prompt_tokens


@metric(unit="FLOP", source="Dao et al. 2022, arXiv:2205.14135: kernels skip the masked half of the scores")
def prefill_flops(
    weight_flops_per_token,
    linear_attention_flops_per_token,
    attention_score_flops_per_layer,
    num_softmax_layers,
    num_sliding_layers,
    prompt_tokens,
    windowed_prompt_tokens,
    batch_size,
):
    """FLOPs of reading the prompts of a full batch, the causal half of attention only and within windows."""
    attended = (
        num_softmax_layers - num_sliding_layers
    ) * 0.5 * prompt_tokens + num_sliding_layers * windowed_prompt_tokens
    scores = attention_score_flops_per_layer * attended
    return batch_size * prompt_tokens * (weight_flops_per_token + linear_attention_flops_per_token + scores)


@metric(unit="s", source=ROOFLINE)
def prefill_s(prefill_flops, serve_flop_per_s, weight_bytes, serve_byte_per_s, min_gpus_to_serve):
    """Time one replica takes to read the prompts of a full batch."""
    computing = prefill_flops / (min_gpus_to_serve * serve_flop_per_s)
    reading = weight_bytes / (min_gpus_to_serve * serve_byte_per_s)
    return max(computing, reading)

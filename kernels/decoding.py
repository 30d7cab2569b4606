"""Time of one decode step: weights and experts read or multiplied, the cache read, launches, collectives.

A matrix product takes as long as the root of the squares of reading and computing: the more of the two far from the
ridge, and what published kernel timings show near it. The parts follow each other.
"""

from kernels.graph import metric
from kernels.scalar import sqrt

ROOFLINE = "Williams et al. 2009, doi:10.1145/1498765.1498785; Pope et al. 2022, arXiv:2211.05102, section 2"
RIDGE = f"{ROOFLINE}; the root of squares: kernel timings at 64 to 512 tokens, ai-dynamo/aiconfigurator 095f58a"
MOE = "expected distinct draws: E (1 - (1 - k/E)**tokens), tokens choosing independently and evenly"


@metric(unit="", source=MOE)
def experts_read_per_step(num_experts, experts_per_token, batch_size):
    """Distinct routed experts of one MoE layer that a decode step is expected to read."""
    return num_experts * (1.0 - (1.0 - min(1.0, experts_per_token / num_experts)) ** batch_size)


@metric(unit="byte", source="look-ups of the input table are a row a token and left out")
def serve_dense_bytes(trunk_params, weight_bits, vocab_size, embedding_width, embedding_bits):
    """Weights that every pass reads: the trunk and the head."""
    return (trunk_params * weight_bits + vocab_size * embedding_width * embedding_bits) / 8.0


@metric(unit="byte", source="definition")
def serve_expert_bytes(num_moe_layers, expert_matrix_params, expert_vector_params, weight_bits):
    """Weights of one routed expert of every MoE layer."""
    return num_moe_layers * (expert_matrix_params + expert_vector_params) * weight_bits / 8.0


@metric(unit="byte", source=MOE)
def decode_weight_bytes(serve_dense_bytes, serve_expert_bytes, experts_read_per_step):
    """Weights that one decode step reads: the trunk, the experts that some sequence visits, the head; no look-ups."""
    return serve_dense_bytes + serve_expert_bytes * experts_read_per_step


@metric(unit="FLOP/token", source="Pope et al. 2022, arXiv:2211.05102, section 2")
def expert_flops_per_token(num_moe_layers, experts_per_token, expert_matrix_params):
    """Products of one token with the routed experts it visits."""
    return 2.0 * num_moe_layers * experts_per_token * expert_matrix_params


@metric(unit="FLOP", source="Pope et al. 2022, arXiv:2211.05102, section 2; latent attention in its expanded form")
def decode_attention_flops(
    linear_attention_flops_per_token,
    attention_score_flops_per_layer,
    num_softmax_layers,
    num_sliding_layers,
    context_tokens,
    windowed_context_tokens,
    batch_size,
):
    """Scores and weighted values of one new token for every sequence, over its whole context or window."""
    attended = (num_softmax_layers - num_sliding_layers) * context_tokens + num_sliding_layers * windowed_context_tokens
    return batch_size * (linear_attention_flops_per_token + attention_score_flops_per_layer * attended)


@metric(unit="FLOP", source="Pope et al. 2022, arXiv:2211.05102, section 2")
def decode_step_flops(weight_flops_per_token, decode_attention_flops, batch_size):
    """FLOPs of one new token for every sequence, each attending to its whole context or window."""
    return batch_size * weight_flops_per_token + decode_attention_flops


@metric(unit="byte", source="Pope et al. 2022, arXiv:2211.05102, section 2; a linear state is read and written")
def decode_cache_bytes(kv_cache_ideal_bytes, linear_state_bytes):
    """What one decode step reads and writes of what is remembered; a sliding layer reads its window only."""
    return kv_cache_ideal_bytes + 2.0 * linear_state_bytes


@metric(unit="byte/token", source="Pope et al. 2022, arXiv:2211.05102, section 2")
def decode_bytes_per_token(decode_weight_bytes, decode_cache_bytes, batch_size):
    """Bytes moved per generated token: a step's weights shared by the batch, and the token's own cache."""
    return (decode_weight_bytes + decode_cache_bytes) / batch_size


@metric(unit="s", source=ROOFLINE)
def serve_dense_read_s(serve_dense_bytes, serve_attention_gpus, serve_byte_per_s):
    """Time of reading trunk and head once; every group of a replica reads its own copy."""
    return serve_dense_bytes / (serve_attention_gpus * serve_byte_per_s)


@metric(unit="s", source=ROOFLINE)
def serve_expert_read_s(serve_expert_bytes, serve_tensor_parallel, serve_byte_per_s, engine_expert_bandwidth_factor):
    """Time of reading one routed expert of every MoE layer."""
    return serve_expert_bytes / (serve_tensor_parallel * serve_byte_per_s * engine_expert_bandwidth_factor)


@metric(unit="s", source=f"{ROOFLINE}; {MOE}")
def decode_weights_s(serve_dense_read_s, serve_expert_read_s, experts_read_per_step):
    """Time of reading the weights of one decode step."""
    return serve_dense_read_s + serve_expert_read_s * experts_read_per_step


@metric(unit="s", source=ROOFLINE)
def decode_compute_s(weight_flops_per_token, batch_size, serve_tensor_parallel, serve_flop_per_s):
    """Time of the products with weights of one decode step, were they free to read."""
    return batch_size * weight_flops_per_token / (serve_tensor_parallel * serve_flop_per_s)


@metric(unit="s", source=RIDGE)
def decode_products_s(
    serve_dense_read_s,
    serve_expert_read_s,
    experts_read_per_step,
    decode_compute_s,
    weight_flops_per_token,
    expert_flops_per_token,
):
    """Time of the products with weights of one decode step: dense ones, then experts."""
    routed = expert_flops_per_token / weight_flops_per_token
    dense_s = decode_compute_s * (1.0 - routed)
    expert_s = decode_compute_s * routed
    read_s = serve_expert_read_s * experts_read_per_step
    squares = read_s * read_s + expert_s * expert_s
    experts = sqrt(squares) if squares != 0.0 else 0.0  # a root has no slope at 0
    return sqrt(serve_dense_read_s * serve_dense_read_s + dense_s * dense_s) + experts


@metric(unit="", source="kernels/memory.py; a sequence lies in one group")
def serve_cache_gpus(serve_tensor_parallel, serve_cache_ranks, serve_attention_data_parallel, batch_size):
    """GPUs that share the reading of the cache."""
    return min(serve_tensor_parallel, serve_cache_ranks * min(serve_attention_data_parallel, batch_size))


@metric(unit="", source="definition: a sequence lies in one group")
def serve_attending_gpus(serve_tensor_parallel, serve_attention_data_parallel, batch_size):
    """GPUs whose group has a sequence of the batch."""
    groups = min(serve_attention_data_parallel, serve_tensor_parallel)
    return serve_tensor_parallel * min(groups, batch_size) / groups


@metric(unit="s", source=ROOFLINE)
def decode_cache_s(
    decode_cache_bytes,
    serve_cache_gpus,
    gpu_memory_byte_per_s,
    engine_cache_share,
    decode_attention_flops,
    serve_attending_gpus,
    serve_attention_flop_per_s,
):
    """Time of attention in one decode step: reading the cache, or computing with it where that is more."""
    reading = decode_cache_bytes / (serve_cache_gpus * gpu_memory_byte_per_s * engine_cache_share)
    return max(reading, decode_attention_flops / (serve_attending_gpus * serve_attention_flop_per_s))


@metric(unit="s", source="accelerator row, roofline_basis, and engine row; launches per layer as engines fuse them")
def decode_launches_s(
    num_layers,
    gemms_per_layer,
    serve_gemm_overhead_s,
    engine_decode_layer_s,
    engine_decode_step_s,
    engine_decode_sequence_s,
    batch_size,
    serve_attention_data_parallel,
):
    """Time of one decode step that is neither bytes nor FLOPs: launches, small kernels, scheduling, sampling."""
    layers = num_layers * (gemms_per_layer * serve_gemm_overhead_s + engine_decode_layer_s)
    return layers + engine_decode_step_s + engine_decode_sequence_s * batch_size / serve_attention_data_parallel


@metric(unit="s", source="kernels/collectives.py")
def decode_collectives_s(serve_collectives_latency_s, serve_collective_s_per_token, batch_size):
    """Time of the traffic between GPUs of one decode step."""
    return serve_collectives_latency_s + serve_collective_s_per_token * batch_size


@metric(unit="s", source=ROOFLINE)
def decode_step_s(decode_products_s, decode_cache_s, decode_launches_s, decode_collectives_s):
    """Time of one decode step of one replica, every sequence at its full context."""
    return decode_products_s + decode_cache_s + decode_launches_s + decode_collectives_s

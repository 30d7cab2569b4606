"""Time of reading the prompts of a batch: products with weights, attention, collectives, or the launching of it all.

A prefill runs in chunks, each of which reads the weights again. It is not captured in advance as decode steps are, so
the host launches every layer while the GPU works; whichever takes longer counts.
"""

from kernels.decoding import MOE, RIDGE, ROOFLINE
from kernels.graph import metric
from kernels.scalar import sqrt


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
def prefill_attention_flops(
    linear_attention_flops_per_token,
    attention_score_flops_per_layer,
    num_softmax_layers,
    num_sliding_layers,
    prompt_tokens,
    windowed_prompt_tokens,
    batch_size,
):
    """Scores and weighted values of the prompts of a full batch, the causal half only and within windows."""
    attended = (
        num_softmax_layers - num_sliding_layers
    ) * 0.5 * prompt_tokens + num_sliding_layers * windowed_prompt_tokens
    scores = attention_score_flops_per_layer * attended
    return batch_size * prompt_tokens * (linear_attention_flops_per_token + scores)


@metric(unit="FLOP", source="Pope et al. 2022, arXiv:2211.05102, section 2")
def prefill_flops(weight_flops_per_token, prefill_attention_flops, prompt_tokens, batch_size):
    """FLOPs of reading the prompts of a full batch, the causal half of attention only and within windows."""
    return batch_size * prompt_tokens * weight_flops_per_token + prefill_attention_flops


@metric(unit="", source="engine row: tokens of one pass")
def prefill_passes(batch_size, prompt_tokens, engine_chunk_tokens):
    """Passes that read the prompts of a full batch, the last of which may be part of one."""
    return max(1.0, batch_size * prompt_tokens / engine_chunk_tokens)


@metric(unit="", source=MOE)
def experts_read_per_pass(num_experts, experts_per_token, batch_size, prompt_tokens, prefill_passes):
    """Distinct routed experts of one MoE layer that a pass of a prefill is expected to read."""
    tokens = batch_size * prompt_tokens / prefill_passes
    return num_experts * (1.0 - (1.0 - min(1.0, experts_per_token / num_experts)) ** tokens)


@metric(unit="s", source=ROOFLINE)
def prefill_compute_s(
    weight_flops_per_token,
    batch_size,
    prompt_tokens,
    serve_tensor_parallel,
    serve_peak_flop_per_s,
    serve_flop_per_s,
    engine_compute_factor,
):
    """Time of the products with weights of a prefill at the pace of dense ones, were the weights free to read."""
    flops = batch_size * prompt_tokens * weight_flops_per_token
    pace = min(serve_peak_flop_per_s, serve_flop_per_s * engine_compute_factor)
    return flops / (serve_tensor_parallel * pace)


@metric(unit="s", source=RIDGE)
def prefill_products_s(
    prefill_passes,
    serve_dense_read_s,
    serve_expert_read_s,
    experts_read_per_pass,
    prefill_compute_s,
    weight_flops_per_token,
    expert_flops_per_token,
    engine_expert_compute_factor,
):
    """Time of the products with weights of a prefill: dense ones, then experts."""
    routed = expert_flops_per_token / weight_flops_per_token
    dense_s = prefill_compute_s * (1.0 - routed)
    expert_s = prefill_compute_s * routed / engine_expert_compute_factor
    dense_read_s = prefill_passes * serve_dense_read_s
    expert_read_s = prefill_passes * serve_expert_read_s * experts_read_per_pass
    squares = expert_read_s * expert_read_s + expert_s * expert_s
    experts = sqrt(squares) if squares != 0.0 else 0.0  # a root has no slope at 0
    return sqrt(dense_read_s * dense_read_s + dense_s * dense_s) + experts


@metric(unit="s", source=ROOFLINE)
def prefill_attention_s(prefill_attention_flops, serve_attending_gpus, serve_attention_flop_per_s):
    """Time of the attention of a prefill."""
    return prefill_attention_flops / (serve_attending_gpus * serve_attention_flop_per_s)


@metric(unit="s", source="kernels/collectives.py")
def prefill_collectives_s(
    prefill_passes, serve_collectives_latency_s, serve_collective_s_per_token, batch_size, prompt_tokens
):
    """Time of the traffic between GPUs of a prefill."""
    return prefill_passes * serve_collectives_latency_s + serve_collective_s_per_token * batch_size * prompt_tokens


@metric(unit="s", source="engine row")
def prefill_launches_s(prefill_passes, num_layers, engine_prefill_layer_s):
    """Time the host takes to launch a prefill."""
    return prefill_passes * num_layers * engine_prefill_layer_s


@metric(unit="s", source=ROOFLINE)
def prefill_s(prefill_products_s, prefill_attention_s, prefill_collectives_s, prefill_launches_s, engine_prefill_s):
    """Time one replica takes to read the prompts of a full batch."""
    working = prefill_products_s + prefill_attention_s + prefill_collectives_s
    return max(working, prefill_launches_s) + engine_prefill_s

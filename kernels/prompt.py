"""Reading one prompt alone, as prefill reads those of a full batch: the same formulas for a batch of one.

How long one prompt takes is not what it takes of a batch: short prompts share a pass, of which the weights are read and
the layers launched once.
"""

from kernels.decoding import MOE, RIDGE, ROOFLINE
from kernels.graph import metric
from kernels.scalar import sqrt


@metric(unit="", source="engine row: tokens of one pass")
def prompt_passes(prompt_tokens, engine_chunk_tokens):
    """Passes that read one prompt."""
    return max(1.0, prompt_tokens / engine_chunk_tokens)


@metric(unit="", source=MOE)
def experts_read_per_prompt_pass(num_experts, experts_per_token, prompt_tokens, prompt_passes):
    """Distinct routed experts of one MoE layer that a pass over one prompt is expected to read."""
    tokens = prompt_tokens / prompt_passes
    return num_experts * (1.0 - (1.0 - min(1.0, experts_per_token / num_experts)) ** tokens)


@metric(unit="s", source=RIDGE)
def prompt_products_s(
    prompt_passes,
    serve_dense_read_s,
    serve_expert_read_s,
    experts_read_per_prompt_pass,
    prefill_compute_s,
    batch_size,
    weight_flops_per_token,
    expert_flops_per_token,
    engine_expert_compute_factor,
):
    """Time of the products with weights of one prompt: dense ones, then experts."""
    routed = expert_flops_per_token / weight_flops_per_token
    compute_s = prefill_compute_s / batch_size
    dense_s = compute_s * (1.0 - routed)
    expert_s = compute_s * routed / engine_expert_compute_factor
    dense_read_s = prompt_passes * serve_dense_read_s
    expert_read_s = prompt_passes * serve_expert_read_s * experts_read_per_prompt_pass
    squares = expert_read_s * expert_read_s + expert_s * expert_s
    experts = sqrt(squares) if squares != 0.0 else 0.0  # a root has no slope at 0
    return sqrt(dense_read_s * dense_read_s + dense_s * dense_s) + experts


@metric(unit="s", source=ROOFLINE)
def prompt_s(
    prompt_products_s,
    prefill_attention_flops,
    batch_size,
    serve_attention_gpus,
    serve_attention_flop_per_s,
    prompt_passes,
    serve_collectives_latency_s,
    serve_collective_s_per_token,
    prompt_tokens,
    num_layers,
    engine_prefill_layer_s,
    engine_prefill_s,
):
    """Time one replica takes to read one prompt while no other comes in."""
    collectives_s = prompt_passes * serve_collectives_latency_s + serve_collective_s_per_token * prompt_tokens
    attention_s = prefill_attention_flops / batch_size / (serve_attention_gpus * serve_attention_flop_per_s)
    working = prompt_products_s + attention_s + collectives_s
    return max(working, prompt_passes * num_layers * engine_prefill_layer_s) + engine_prefill_s

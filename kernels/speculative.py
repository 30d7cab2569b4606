"""Speculative decoding: a cheap draft proposes tokens, one step of the model checks them all."""

from kernels.decoding import MOE, RIDGE, ROOFLINE
from kernels.graph import metric
from kernels.scalar import sqrt

LEVIATHAN = "Leviathan et al. 2022, arXiv:2211.17192"


@metric(unit="token", source=f"{LEVIATHAN}, equation 1")
def draft_expected_tokens(draft_tokens, draft_acceptance_rate):
    """Tokens that one check is expected to yield: those kept before the first refusal, and the model's own next one."""
    refused = 1.0 - draft_acceptance_rate
    all_kept = draft_acceptance_rate ** (draft_tokens + 1)
    return draft_tokens + 1.0 if refused == 0.0 else (1.0 - all_kept) / refused


@metric(unit="", source=f"{LEVIATHAN}, section 2.3")
def verify_tokens(batch_size, draft_tokens):
    """Tokens of one check: those drafted for each sequence of a full batch, and its next one."""
    return batch_size * (draft_tokens + 1.0)


@metric(unit="", source=MOE)
def experts_read_per_check(num_experts, experts_per_token, verify_tokens):
    """Distinct routed experts of one MoE layer that a check is expected to read, since more tokens choose."""
    return num_experts * (1.0 - (1.0 - min(1.0, experts_per_token / num_experts)) ** verify_tokens)


@metric(unit="s", source=RIDGE)
def verify_products_s(
    serve_dense_read_s,
    serve_expert_read_s,
    experts_read_per_check,
    decode_compute_s,
    draft_tokens,
    weight_flops_per_token,
    expert_flops_per_token,
):
    """Time of the products with weights of one check, of all drafted tokens and one: dense ones, then experts."""
    routed = expert_flops_per_token / weight_flops_per_token
    compute_s = (draft_tokens + 1) * decode_compute_s
    dense_s = compute_s * (1.0 - routed)
    expert_s = compute_s * routed
    read_s = serve_expert_read_s * experts_read_per_check
    squares = read_s * read_s + expert_s * expert_s
    experts = sqrt(squares) if squares != 0.0 else 0.0  # a root has no slope at 0
    return sqrt(serve_dense_read_s * serve_dense_read_s + dense_s * dense_s) + experts


@metric(unit="s", source=ROOFLINE)
def verify_cache_s(
    decode_cache_bytes,
    serve_cache_gpus,
    gpu_memory_byte_per_s,
    engine_cache_share,
    decode_attention_flops,
    draft_tokens,
    serve_attending_gpus,
    serve_attention_flop_per_s,
):
    """Time of attention in one check: the cache is read once, and computed with for every token."""
    reading = decode_cache_bytes / (serve_cache_gpus * gpu_memory_byte_per_s * engine_cache_share)
    flops = (draft_tokens + 1) * decode_attention_flops
    return max(reading, flops / (serve_attending_gpus * serve_attention_flop_per_s))


@metric(unit="s", source=f"{LEVIATHAN}, section 3.1, with the step of the roofline")
def verify_step_s(
    verify_products_s,
    verify_cache_s,
    decode_launches_s,
    serve_collectives_latency_s,
    serve_collective_s_per_token,
    verify_tokens,
):
    """Time of one check: a decode step of all drafted tokens and one of every sequence."""
    collectives_s = serve_collectives_latency_s + serve_collective_s_per_token * verify_tokens
    return verify_products_s + verify_cache_s + decode_launches_s + collectives_s


@metric(unit="s", source=f"{LEVIATHAN}, definition 3.7: one draft step costs c of a step of the model")
def drafting_s(draft_tokens, draft_cost_share, decode_step_s):
    """Time of drafting, one token after another, before each check."""
    return draft_tokens * draft_cost_share * decode_step_s


@metric(unit="s/token", source=f"{LEVIATHAN}, theorem 3.8")
def decode_s_per_token(draft_tokens, decode_step_s, verify_step_s, drafting_s, draft_expected_tokens):
    """Time a sequence takes for one token while it is decoded: a step, or drafts and a check over what they yield."""
    return decode_step_s if draft_tokens == 0 else (verify_step_s + drafting_s) / draft_expected_tokens


@metric(unit="", source=f"{LEVIATHAN}, theorem 3.8")
def speculative_speedup(decode_step_s, decode_s_per_token):
    """How many times faster decoding is than without drafts; below 1 they cost more than they bring."""
    return decode_step_s / decode_s_per_token

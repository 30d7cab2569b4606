"""Speculative decoding: a cheap draft proposes tokens, one step of the model checks them all."""

from kernels.graph import metric

LEVIATHAN = "Leviathan et al. 2022, arXiv:2211.17192"


@metric(unit="token", source=f"{LEVIATHAN}, equation 1")
def draft_expected_tokens(draft_tokens, draft_acceptance_rate):
    """Tokens that one check is expected to yield: those kept before the first refusal, and the model's own next one."""
    refused = 1.0 - draft_acceptance_rate
    all_kept = draft_acceptance_rate ** (draft_tokens + 1)
    return draft_tokens + 1.0 if refused == 0.0 else (1.0 - all_kept) / refused


@metric(
    unit="byte", source="expected distinct draws: E (1 - (1 - k/E)**tokens), tokens choosing independently and evenly"
)
def verify_expert_bytes(
    num_moe_layers, num_experts, experts_per_token, batch_size, draft_tokens, experts_read_per_step,
    expert_matrix_params, expert_vector_params, weight_bits,
):  # fmt: skip
    """Experts that a check reads beyond those of a plain decode step, since more tokens choose."""
    missed = 1.0 - min(1.0, experts_per_token / num_experts)
    read = num_experts * (1.0 - missed ** (batch_size * (draft_tokens + 1)))
    more = max(0.0, read - experts_read_per_step)
    return num_moe_layers * more * (expert_matrix_params + expert_vector_params) * weight_bits / 8.0


@metric(unit="s", source=f"{LEVIATHAN}, section 3.1, with the step of the roofline")
def verify_step_s(
    decode_step_s, verify_expert_bytes, decode_step_flops, draft_tokens, serve_byte_per_s, serve_flop_per_s,
    serve_tensor_parallel, decode_launches_s, decode_collectives_s,
):  # fmt: skip
    """Time of one check: what a plain step reads and some experts more, and products of all drafted tokens and one."""
    reading = decode_step_s + verify_expert_bytes / (serve_tensor_parallel * serve_byte_per_s)
    computing = (draft_tokens + 1) * decode_step_flops / (serve_tensor_parallel * serve_flop_per_s)
    return max(reading, computing + decode_launches_s + decode_collectives_s)


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

"""Collectives within one pass of one layer: of tensor, context and expert parallel ranks; transfers between stages."""

from kernels.graph import metric

MEGATRON = "Shoeybi et al. 2019 (Megatron-LM), arXiv:1909.08053, section 3: two all-reduces a pass"
SEQUENCE = "Korthikanti et al. 2022, arXiv:2205.05198, section 4.2.2: as many bytes with sequence_parallel"


@metric(unit="s", source=f"{MEGATRON}; {SEQUENCE}")
def tensor_exchange_s(
    activation_tokens, hidden_size, activation_element_bytes, tensor_parallel, tensor_byte_per_s, tensor_ring_s
):
    """Two all-reduces of one layer, or an all-gather and a reduce-scatter each, as if nothing hid them."""
    share = 2.0 * (tensor_parallel - 1.0) / tensor_parallel
    bytes_each = activation_tokens * hidden_size * activation_element_bytes * share
    return 2.0 * (bytes_each / tensor_byte_per_s + 2.0 * tensor_ring_s) if tensor_parallel > 1 else 0.0


@metric(unit="s", source="the framework's row: kernels that send what they have multiplied while they multiply more")
def tensor_forward_s(tensor_exchange_s, tensor_kernel_overlap_share):
    """What the forward pass of one layer waits for tensor parallel ranks."""
    return tensor_exchange_s * (1.0 - tensor_kernel_overlap_share)


@metric(
    unit="s",
    source=f"{SEQUENCE} but inputs gathered once more; fitted: tensor_overlap_share, or more by the framework's row",
)
def tensor_backward_s(tensor_exchange_s, sequence_parallel, tensor_overlap_share, tensor_kernel_overlap_share):
    """As many bytes backward, half more with sequence_parallel, part of which goes on behind matmuls."""
    hidden = max(tensor_overlap_share, tensor_kernel_overlap_share)
    return tensor_exchange_s * (1.5 if sequence_parallel else 1.0) * (1.0 - hidden)


@metric(unit="byte/token", source="Liu et al. 2023 (ring attention), arXiv:2310.01889: keys and values go round")
def context_bytes_per_token(
    attention_kind,
    kv_width_per_gpu,
    num_heads,
    qk_nope_head_dim,
    qk_rope_head_dim,
    v_head_dim,
    tensor_parallel,
    activation_element_bytes,
):
    """Keys and values of one token on one GPU."""
    expanded = num_heads / tensor_parallel * (qk_nope_head_dim + qk_rope_head_dim + v_head_dim)
    return activation_element_bytes * (expanded if attention_kind == "mla" else 2.0 * kv_width_per_gpu)


@metric(unit="s", source="Liu et al. 2023 (ring attention), arXiv:2310.01889; fitted: context_overlap_share")
def context_forward_s(
    activation_tokens,
    context_bytes_per_token,
    context_parallel,
    context_byte_per_s,
    collective_launch_s,
    context_overlap_share,
):
    """Keys and values of one layer passed round the context ranks, but for what attention hides; twice backward."""
    rounds = context_parallel - 1.0
    passed = rounds * (activation_tokens * context_bytes_per_token / context_byte_per_s + collective_launch_s)
    return passed * (1.0 - context_overlap_share) if context_parallel > 1 else 0.0


@metric(
    unit="s",
    source="Lepikhin et al. 2020 (GShard), arXiv:2006.16668, section 3.2; DeepSeek-AI 2024, arXiv:2412.19437, section"
    " 3.2.2: a token goes once to each domain that holds experts of its; fitted: expert_overlap_share",
)
def expert_forward_s(
    activation_tokens,
    hidden_size,
    experts_per_token,
    activation_element_bytes,
    whole_share,
    expert_parallel,
    expert_domain_ranks,
    scaleup_byte_per_s,
    scaleout_byte_per_s,
    collective_launch_s,
    expert_overlap_share,
):
    """Tokens sent to their experts and back in one layer, one way after the other; as much backward."""
    each = 2.0 * activation_tokens * whole_share * hidden_size * activation_element_bytes
    domains = expert_parallel / expert_domain_ranks
    met = domains * (1.0 - (1.0 - 1.0 / domains) ** experts_per_token)
    inside = experts_per_token * (expert_domain_ranks - 1.0) / expert_domain_ranks / scaleup_byte_per_s
    beyond = met * (domains - 1.0) / domains / scaleout_byte_per_s if domains > 1.0 else 0.0
    every = each * (inside + beyond) + 2.0 * collective_launch_s
    return every * (1.0 - expert_overlap_share) if expert_parallel > 1 else 0.0


@metric(
    unit="s", source="Narayanan et al. 2021, arXiv:2104.04473, sections 2.2 and 4.1; fitted: pipeline_overlap_share"
)
def pipeline_transfer_s(
    activation_tokens,
    hidden_size,
    activation_element_bytes,
    tensor_parallel,
    num_gpus,
    gpu_scaleup_domain,
    scaleup_byte_per_s,
    scaleout_byte_per_s,
    collective_launch_s,
    scaleout_hop_s,
    pipeline_parallel,
    pipeline_interleave,
    pipeline_overlap_share,
):
    """What one stage waits for of a micro batch: results and gradients on their way, each tensor rank's part, a run of
    layers after the other."""
    sent = activation_tokens * hidden_size * activation_element_bytes / tensor_parallel
    inside = sent / scaleup_byte_per_s + collective_launch_s
    beyond = sent / scaleout_byte_per_s + scaleout_hop_s
    each = beyond if num_gpus > gpu_scaleup_domain else inside
    return 2.0 * pipeline_interleave * each * (1.0 - pipeline_overlap_share) if pipeline_parallel > 1 else 0.0

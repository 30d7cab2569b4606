"""Time that the GPUs of a replica take to talk to each other: a fixed time and one for the bytes.

Within a scale-up domain an all-reduce sends every byte to and fro; where a replica is larger, each GPU of a domain
takes its part to the other domains over its own network adapter.
"""

from kernels.graph import metric
from kernels.scalar import log

ALPHA_BETA = "Hockney 1994, doi:10.1016/S0167-8191(06)80021-9; accelerator row, collective_basis"
RING = "Thakur et al. 2005, doi:10.1177/1094342005051521: 2 (n - 1) / n of the bytes, reduce-scatter then all-gather"
TENSOR = "Shoeybi et al. 2019 (Megatron-LM), arXiv:1909.08053, section 3: one after attention, one after the MLP"
EXPERTS = "Rajbhandari et al. 2022 (DeepSpeed-MoE), arXiv:2201.05596: tokens to their experts and back"


@metric(unit="", source="definition: groups share the sequences, the GPUs of a group share every matrix")
def serve_attention_gpus(serve_tensor_parallel, serve_attention_data_parallel):
    """GPUs that share the matrices every token passes."""
    return max(1.0, serve_tensor_parallel / serve_attention_data_parallel)


@metric(unit="", source="definition")
def serve_domain_gpus(serve_attention_gpus, gpu_scaleup_domain):
    """GPUs of such a group that lie in one scale-up domain."""
    return min(serve_attention_gpus, gpu_scaleup_domain)


@metric(unit="s", source=ALPHA_BETA)
def serve_collective_latency_s(
    serve_attention_gpus,
    serve_domain_gpus,
    gpu_collective_base_s,
    gpu_collective_hop_s,
    collective_ring_gpus,
    scaleout_latency_s,
    engine_collective_factor,
):
    """Fixed time of one all-reduce of a replica; nan of one that no number of GPUs holds."""
    within = gpu_collective_base_s + gpu_collective_hop_s * (min(serve_domain_gpus, collective_ring_gpus) - 1.0)
    between = scaleout_latency_s if serve_attention_gpus > serve_domain_gpus else 0.0
    fixed = engine_collective_factor * (within + between) if serve_attention_gpus > 1.0 else 0.0
    return log(-1.0) if serve_attention_gpus == -log(0.0) else fixed


@metric(unit="s/byte", source=f"{RING}; {ALPHA_BETA}")
def serve_all_reduce_s_per_byte(
    serve_attention_gpus,
    serve_domain_gpus,
    gpu_scaleup_byte_per_s,
    gpu_scaleout_bit_per_s,
    gpu_collective_share,
):
    """Time of one byte of an all-reduce of a replica: within each domain, then between domains."""
    domains = serve_attention_gpus / serve_domain_gpus
    up = 2.0 * (1.0 - 1.0 / serve_domain_gpus) / (gpu_scaleup_byte_per_s * gpu_collective_share)
    out = 16.0 * (1.0 - 1.0 / domains) / (gpu_scaleout_bit_per_s * gpu_collective_share * serve_domain_gpus)
    return (up if serve_domain_gpus > 1.0 else 0.0) + (out if domains > 1.0 else 0.0)


@metric(unit="s", source=f"{EXPERTS}; {ALPHA_BETA}")
def serve_all_to_all_latency_s(
    serve_attention_data_parallel,
    serve_tensor_parallel,
    gpu_scaleup_domain,
    gpu_collective_base_s,
    gpu_collective_hop_s,
    scaleout_latency_s,
    engine_collective_factor,
):
    """Fixed time of sending tokens to their experts, where groups share the sequences; nothing where all hold them."""
    between = scaleout_latency_s if serve_tensor_parallel > gpu_scaleup_domain else 0.0
    fixed = engine_collective_factor * (gpu_collective_base_s + gpu_collective_hop_s + between)
    return fixed if serve_attention_data_parallel > 1 else 0.0


@metric(unit="s/token", source=f"{EXPERTS}; {ALPHA_BETA}")
def serve_all_to_all_s_per_token(
    serve_attention_data_parallel,
    serve_tensor_parallel,
    experts_per_token,
    hidden_size,
    gpu_scaleup_domain,
    gpu_scaleup_byte_per_s,
    gpu_scaleout_bit_per_s,
    gpu_collective_share,
):
    """Time of one token of all that a replica sends to its experts, a 16-bit copy for each of them."""
    sent = 2.0 * hidden_size * experts_per_token / serve_tensor_parallel
    up = sent * (1.0 - 1.0 / serve_tensor_parallel) / (gpu_scaleup_byte_per_s * gpu_collective_share)
    out = 8.0 * sent * (1.0 - gpu_scaleup_domain / serve_tensor_parallel)
    out = out / (gpu_scaleout_bit_per_s * gpu_collective_share)
    slow = max(up, out) if gpu_scaleup_domain > 1.0 else out
    each = slow if serve_tensor_parallel > gpu_scaleup_domain else up
    return each if serve_attention_data_parallel > 1 else 0.0


@metric(unit="s/token", source=f"{TENSOR}; {EXPERTS}")
def serve_collective_s_per_token(
    num_layers,
    hidden_size,
    num_moe_layers,
    serve_all_reduce_s_per_byte,
    serve_attention_data_parallel,
    serve_all_to_all_s_per_token,
):
    """Time the bytes of one token of a pass take between GPUs, over all layers, 16 bits a number."""
    reduced = 4.0 * num_layers * hidden_size * serve_all_reduce_s_per_byte / serve_attention_data_parallel
    return reduced + 2.0 * num_moe_layers * serve_all_to_all_s_per_token


@metric(unit="s", source=f"{TENSOR}; {EXPERTS}")
def serve_collectives_latency_s(num_layers, num_moe_layers, serve_collective_latency_s, serve_all_to_all_latency_s):
    """Fixed time of all collectives of one pass through the layers."""
    return 2.0 * num_layers * serve_collective_latency_s + 2.0 * num_moe_layers * serve_all_to_all_latency_s

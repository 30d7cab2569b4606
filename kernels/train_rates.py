"""How fast one GPU multiplies, moves bytes and speaks to others in training, and how long a collective's ring is.

Ranks are numbered as Megatron-LM numbers them: tensor, then context and data, then pipeline. A group of neighbours
inside one scale-up domain uses its links; one that goes beyond has a ring through every GPU of a domain, so that its
bytes take all their network cards together, but never more than the links inside.
"""

from kernels.graph import metric

MEGATRON = "Narayanan et al. 2021, arXiv:2104.04473, section 3; Megatron-Core, parallel_state.py: tensor, then data"
RINGS = "Patarasuk and Yuan 2009, doi:10.1016/j.jpdc.2008.09.002; NVIDIA/nccl-tests, doc/PERFORMANCE.md"


@metric(unit="FLOP/s", source="accelerator row; attention stays in 16 bits where matmuls go below")
def train_wide_peak_flop_per_s(
    train_compute_format, gpu_fp32_flop_per_s, gpu_tf32_flop_per_s, gpu_fp16_flop_per_s, gpu_bf16_flop_per_s
):
    """Dense peak of what is not done in fewer than 16 bits: attention, the head."""
    wide = gpu_fp32_flop_per_s if train_compute_format == "fp32" else gpu_tf32_flop_per_s
    half = gpu_fp16_flop_per_s if train_compute_format == "fp16" else gpu_bf16_flop_per_s
    return wide if train_compute_format == "fp32" or train_compute_format == "tf32" else half


@metric(unit="FLOP/s", source="calibrated: gpu_compute_share_16bit of the accelerator's row; fitted: gpu_matmul_factor")
def wide_matmul_flop_per_s(train_wide_peak_flop_per_s, gpu_compute_share_16bit, gpu_matmul_factor):
    """What large matmuls in 16 bits reach in training."""
    return train_wide_peak_flop_per_s * gpu_compute_share_16bit * gpu_matmul_factor


@metric(unit="FLOP/s", source="calibrated: gpu_compute_share_* of the accelerator's row; fitted: the precision's row")
def train_matmul_flop_per_s(
    train_compute_format,
    train_peak_flop_per_s,
    gpu_compute_share_16bit,
    gpu_compute_share_8bit,
    gpu_compute_share_4bit,
    gpu_matmul_factor,
    train_matmul_factor,
):
    """What large matmuls reach in the format that training is done in."""
    four = train_compute_format == "fp4" or train_compute_format == "int4"
    eight = train_compute_format == "fp8" or train_compute_format == "fp6" or train_compute_format == "int8"
    share = gpu_compute_share_8bit if eight else gpu_compute_share_16bit
    low = gpu_compute_share_4bit if four else share
    return train_peak_flop_per_s * low * gpu_matmul_factor * train_matmul_factor


@metric(unit="s", source="calibrated: gpu_gemm_overhead_s_* of the accelerator's row")
def train_gemm_overhead_s(
    train_compute_format, gpu_gemm_overhead_s_16bit, gpu_gemm_overhead_s_8bit, gpu_gemm_overhead_s_4bit
):
    """Time of one matmul beyond its FLOPs and bytes, in the format that training is done in."""
    four = train_compute_format == "fp4" or train_compute_format == "int4"
    eight = train_compute_format == "fp8" or train_compute_format == "fp6" or train_compute_format == "int8"
    low = gpu_gemm_overhead_s_8bit if eight else gpu_gemm_overhead_s_16bit
    return gpu_gemm_overhead_s_4bit if four else low


@metric(
    unit="FLOP/s",
    source="fitted: flash_attention_factor over matmuls in 16 bits, gpu_earlier_attention_factor; Shah et al. 2024"
    " (FlashAttention-3), arXiv:2407.08608: FlashAttention-2 reaches 35 % of an H100's peak, and Dao 2023,"
    " arXiv:2307.08691, up to 73 % of an A100's",
)
def flash_attention_flop_per_s(wide_matmul_flop_per_s, flash_attention_factor, gpu_earlier_attention_factor):
    """What fused attention reaches, less on a GPU that it was not written for."""
    earlier = gpu_earlier_attention_factor if flash_attention_factor < 1.0 else 1.0
    return wide_matmul_flop_per_s * flash_attention_factor * earlier


@metric(unit="byte/s", source="calibrated: gpu_bandwidth_share_16bit of the accelerator's row")
def elementwise_byte_per_s(gpu_memory_byte_per_s, gpu_bandwidth_share_16bit):
    """What elementwise work moves: as much as a decode step does."""
    return gpu_memory_byte_per_s * gpu_bandwidth_share_16bit


@metric(unit="byte/s", source="accelerator row; calibrated: scaleup_share")
def scaleup_byte_per_s(gpu_scaleup_byte_per_s, scaleup_share):
    """What a collective moves between GPUs of a scale-up domain, a direction."""
    return gpu_scaleup_byte_per_s * scaleup_share


@metric(unit="byte/s", source="accelerator row; fitted: scaleout_share")
def scaleout_byte_per_s(gpu_scaleout_bit_per_s, scaleout_share):
    """What a collective moves over one GPU's network, a direction."""
    return gpu_scaleout_bit_per_s / 8.0 * scaleout_share


@metric(unit="", source=MEGATRON)
def tensor_domain_ranks(tensor_parallel, gpu_scaleup_domain):
    """Tensor parallel ranks of a group within one scale-up domain."""
    return min(1.0 * tensor_parallel, gpu_scaleup_domain)


@metric(unit="byte/s", source=RINGS)
def tensor_byte_per_s(tensor_parallel, tensor_domain_ranks, scaleup_byte_per_s, scaleout_byte_per_s):
    """What a ring over tensor parallel ranks moves."""
    beyond = min(scaleup_byte_per_s, tensor_domain_ranks * scaleout_byte_per_s)
    return beyond if tensor_parallel > tensor_domain_ranks else scaleup_byte_per_s


@metric(unit="s", source=RINGS)
def tensor_ring_s(tensor_parallel, tensor_domain_ranks, collective_launch_s, scaleup_hop_s, scaleout_hop_s):
    """What a ring over tensor parallel ranks takes beyond its bytes."""
    domains = tensor_parallel / tensor_domain_ranks
    return (
        collective_launch_s + (tensor_domain_ranks - 1.0) * domains * scaleup_hop_s + (domains - 1.0) * scaleout_hop_s
    )


@metric(unit="", source=MEGATRON)
def data_ranks(data_parallel, context_parallel):
    """Ranks that hold the same weights, experts apart: gradients are summed over data and context ranks."""
    return data_parallel * context_parallel


@metric(unit="", source=MEGATRON)
def data_domain_ranks(data_ranks, tensor_parallel, gpu_scaleup_domain):
    """Those of a group within one scale-up domain, where tensor parallel ranks stand between them."""
    return min(1.0 * data_ranks, max(1.0, gpu_scaleup_domain / tensor_parallel))


@metric(unit="byte/s", source=RINGS)
def data_byte_per_s(data_ranks, data_domain_ranks, scaleup_byte_per_s, scaleout_byte_per_s, collective_rails):
    """What a ring over data parallel ranks moves."""
    beyond = min(scaleup_byte_per_s, min(data_domain_ranks, collective_rails) * scaleout_byte_per_s)
    return beyond if data_ranks > data_domain_ranks else scaleup_byte_per_s


@metric(unit="s", source=RINGS)
def data_ring_s(data_ranks, data_domain_ranks, collective_launch_s, scaleup_hop_s, scaleout_hop_s):
    """What a ring over data parallel ranks takes beyond its bytes; 0 for one rank."""
    domains = data_ranks / data_domain_ranks
    hops = (data_domain_ranks - 1.0) * domains * scaleup_hop_s + (domains - 1.0) * scaleout_hop_s
    return collective_launch_s + hops if data_ranks > 1 else 0.0


@metric(unit="", source="Zhao et al. 2023 (PyTorch FSDP), arXiv:2304.11277, section 3.2.2: hybrid sharding")
def shard_ranks(optimizer_shard_ranks, data_ranks):
    """Ranks that weights are gathered from; the others hold copies."""
    return min(optimizer_shard_ranks, data_ranks)


@metric(unit="", source=MEGATRON)
def shard_domain_ranks(shard_ranks, tensor_parallel, gpu_scaleup_domain):
    """Those of them within one scale-up domain."""
    return min(1.0 * shard_ranks, max(1.0, gpu_scaleup_domain / tensor_parallel))


@metric(unit="byte/s", source=RINGS)
def shard_byte_per_s(shard_ranks, shard_domain_ranks, scaleup_byte_per_s, scaleout_byte_per_s, collective_rails):
    """What a ring over the ranks that share weights moves."""
    beyond = min(scaleup_byte_per_s, min(shard_domain_ranks, collective_rails) * scaleout_byte_per_s)
    return beyond if shard_ranks > shard_domain_ranks else scaleup_byte_per_s


@metric(unit="s", source=RINGS)
def shard_ring_s(shard_ranks, shard_domain_ranks, collective_launch_s, scaleup_hop_s, scaleout_hop_s):
    """What a ring over the ranks that share weights takes beyond its bytes; 0 for one rank."""
    domains = shard_ranks / shard_domain_ranks
    hops = (shard_domain_ranks - 1.0) * domains * scaleup_hop_s + (domains - 1.0) * scaleout_hop_s
    return collective_launch_s + hops if shard_ranks > 1 else 0.0


@metric(unit="", source=MEGATRON)
def context_domain_ranks(context_parallel, tensor_parallel, gpu_scaleup_domain):
    """Context parallel ranks of a group within one scale-up domain."""
    return min(1.0 * context_parallel, max(1.0, gpu_scaleup_domain / tensor_parallel))


@metric(
    unit="byte/s", source="a ring passes on over its slowest link: one network card a rank where it leaves a domain"
)
def context_byte_per_s(context_parallel, context_domain_ranks, scaleup_byte_per_s, scaleout_byte_per_s):
    """What one rank passes on of keys and values to the next."""
    return scaleout_byte_per_s if context_parallel > context_domain_ranks else scaleup_byte_per_s


@metric(unit="", source=MEGATRON)
def expert_domain_ranks(expert_parallel, tensor_parallel, gpu_scaleup_domain):
    """Ranks that experts are spread over within one scale-up domain."""
    return min(1.0 * expert_parallel, max(1.0, gpu_scaleup_domain / tensor_parallel))

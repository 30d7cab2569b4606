"""Bytes: weights by precision, what serving holds, and how many GPUs hold it."""

from kernels.graph import metric
from kernels.scalar import ceil

COPIES = (
    "Shoeybi et al. 2019 (Megatron-LM), arXiv:1909.08053, section 3: heads are shared out; vLLM and SGLang: ranks past "
    "the number of key and value heads hold copies, and all ranks of a group the latents of mla"
)
SCALES = "OCP Microscaling Formats v1.0 (2023) and the format's own definition; see the precision's row"


@metric(
    unit="", source="AutoGPTQ, AutoAWQ and ModelOpt checkpoints keep tables and head at 16 bit; see the precision's row"
)
def params_at_embedding_bits(params_embedding, params_head):
    """Weights of input table, positions and head, which most low-bit formats leave at 16 bit."""
    return params_embedding + params_head


@metric(unit="byte", source=SCALES)
def weight_bytes(params_total, params_at_embedding_bits, weight_bits, embedding_bits):
    """All weights as served, block scales included."""
    body = (params_total - params_at_embedding_bits) * weight_bits
    return (body + params_at_embedding_bits * embedding_bits) / 8.0


@metric(unit="byte", source="Kwon et al. 2023 (vLLM), arXiv:2309.06180, figure 1: weights and cache share the memory")
def serve_bytes(weight_bytes, kv_cache_bytes, linear_state_bytes):
    """What serving holds in memory: weights, cache and states; workspaces are set aside per GPU."""
    return weight_bytes + kv_cache_bytes + linear_state_bytes


@metric(
    unit="byte",
    source="assumed planning rule: share of driver memory less a reserve, the accelerator's or what the engine takes",
)
def single_gpu_usable_bytes(
    gpu_memory_bytes, gpu_usable_memory_share, gpu_reserved_bytes, serve_activation_bytes, engine_context_bytes
):
    """Bytes of one GPU that weights and cache may take where it serves alone, without communication buffers."""
    taken = max(gpu_reserved_bytes, serve_activation_bytes + engine_context_bytes)
    return gpu_memory_bytes * gpu_usable_memory_share - taken


@metric(unit="byte", source="single_gpu_usable_bytes, and less of it where several GPUs hold a replica")
def gpu_usable_bytes(
    serve_bytes,
    serve_attention_data_parallel,
    single_gpu_usable_bytes,
    gpu_memory_bytes,
    gpu_usable_memory_share,
    gpu_reserved_bytes,
    serve_activation_bytes,
    engine_context_bytes,
    engine_communicator_bytes,
):
    """Bytes of one GPU that weights and cache may take: alone where they fit on one, else as one of several."""
    taken = max(gpu_reserved_bytes, serve_activation_bytes + engine_context_bytes + engine_communicator_bytes)
    shared = gpu_memory_bytes * gpu_usable_memory_share - taken
    are_several = serve_bytes > single_gpu_usable_bytes or serve_attention_data_parallel > 1
    # max, so that nan of either stays nan
    return shared if are_several else max(single_gpu_usable_bytes, serve_bytes)


@metric(unit="", source=COPIES)
def serve_cache_ranks(attention_kind, num_kv_heads):
    """GPUs that the cache of one sequence can be split over; further ones of a group hold copies."""
    return 1.0 if attention_kind == "mla" else max(1.0, num_kv_heads)


@metric(unit="byte", source="definition: groups share the routed experts, and each has a trunk and a head of its own")
def serve_replica_bytes(serve_bytes, serve_dense_bytes, serve_attention_data_parallel):
    """What the GPUs of a replica hold together, the weights that every group has in full; caches counted once."""
    return serve_bytes + (serve_attention_data_parallel - 1) * serve_dense_bytes


@metric(unit="", source="arithmetic: the smallest whole number of GPUs of which each holds its part in usable memory")
def min_gpus_to_serve(
    serve_replica_bytes,
    kv_cache_bytes,
    serve_cache_ranks,
    batch_size,
    serve_attention_data_parallel,
    gpu_usable_bytes,
):
    """GPUs that hold one replica: weights split evenly, caches over as many GPUs as can share them; inf if none do.

    Either the split of the cache is even too, or a GPU has the largest part that its group leaves it.
    """
    usable = max(0.0, gpu_usable_bytes)
    sharing = serve_cache_ranks * min(serve_attention_data_parallel, batch_size)
    even = serve_replica_bytes / usable
    copied = (serve_replica_bytes - kv_cache_bytes) / max(0.0, usable - kv_cache_bytes / sharing)
    return max(serve_attention_data_parallel, ceil(max(even, copied)))

"""Bytes: weights by precision, what serving holds, and how many GPUs hold it."""

from kernels.graph import metric
from kernels.scalar import ceil

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
    # max, so that nan of either stays nan
    return shared if serve_bytes > single_gpu_usable_bytes else max(single_gpu_usable_bytes, serve_bytes)


@metric(unit="", source="arithmetic: the smallest whole number of GPUs whose usable memory holds everything")
def min_gpus_to_serve(serve_bytes, gpu_usable_bytes):
    """GPUs that hold one replica, weights and cache split evenly; inf where a GPU has no byte to spare for them."""
    return ceil(serve_bytes / max(0.0, gpu_usable_bytes))

"""What a replica has room for: the longest context at a batch, the largest batch at a context, a degree that fits.

The replica is the one the design serves with: of as many GPUs as hold it, unless serve_tensor_parallel says how many.
"""

from kernels.graph import metric
from kernels.scalar import floor, log

FIT = "arithmetic: what weights leave of the replica's usable memory"


@metric(unit="byte", source=FIT)
def replica_cache_room_bytes(
    serve_tensor_parallel, gpu_memory_bytes, gpu_usable_memory_share, gpu_reserved_bytes, widest_activation_bytes,
    engine_overhead_bytes, weight_bytes,
):  # fmt: skip
    """Memory of a replica's GPUs that caches and states may take when every pass is as wide as it may be."""
    taken = max(gpu_reserved_bytes, widest_activation_bytes + engine_overhead_bytes)
    return serve_tensor_parallel * (gpu_memory_bytes * gpu_usable_memory_share - taken) - weight_bytes


@metric(unit="byte", source=FIT)
def sequence_bytes(kv_cache_bytes, linear_state_bytes, batch_size):
    """Cache and states of one served sequence."""
    return (kv_cache_bytes + linear_state_bytes) / batch_size


@metric(unit="", source=FIT)
def max_batch_size(replica_cache_room_bytes, sequence_bytes):
    """Most sequences that a replica serves at once at this context; inf where a sequence takes nothing."""
    return max(0.0, floor(replica_cache_room_bytes / sequence_bytes))


@metric(unit="token", source=f"{FIT}; once its window is full a sliding layer held ideally takes no more")
def max_context_tokens(
    replica_cache_room_bytes, linear_state_bytes, batch_size, kv_cache_bytes_per_token,
    kv_elements_per_token_unwindowed, kv_bits, kv_cache_reading, sliding_window,
):  # fmt: skip
    """Longest context that memory holds for every sequence of this batch; inf where it takes none."""
    room = (replica_cache_room_bytes - linear_state_bytes) / batch_size
    before = room / kv_cache_bytes_per_token
    later = kv_elements_per_token_unwindowed * kv_bits / 8.0
    after = sliding_window + (room - sliding_window * kv_cache_bytes_per_token) / later
    is_past = kv_cache_reading == "ideal" and sliding_window > 0 and before > sliding_window
    return max(0.0, floor(after if is_past else before))


@metric(unit="", source="Shoeybi et al. 2019 (Megatron-LM), arXiv:1909.08053, section 3: heads are shared out evenly")
def min_tensor_parallel_to_serve(min_gpus_to_serve, num_heads):
    """Smallest power of two of GPUs that holds a replica and divides its query heads; nan where none up to 64 does."""
    most = 64.0 if min_gpus_to_serve <= 64 and num_heads % 64 == 0 else log(-1.0)
    fifth = 32.0 if min_gpus_to_serve <= 32 and num_heads % 32 == 0 else most
    fourth = 16.0 if min_gpus_to_serve <= 16 and num_heads % 16 == 0 else fifth
    third = 8.0 if min_gpus_to_serve <= 8 and num_heads % 8 == 0 else fourth
    second = 4.0 if min_gpus_to_serve <= 4 and num_heads % 4 == 0 else third
    first = 2.0 if min_gpus_to_serve <= 2 and num_heads % 2 == 0 else second
    return 1.0 if min_gpus_to_serve <= 1 else first

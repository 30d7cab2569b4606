"""What a replica has room for: the longest context at a batch, the largest batch at a context, a degree that fits.

The replica is the one the design serves with: of as many GPUs as hold it, unless serve_tensor_parallel says how many.
"""

from kernels.graph import metric
from kernels.scalar import floor, log

FIT = "arithmetic: what weights leave of the replica's usable memory"


@metric(unit="byte", source=FIT)
def gpu_room_bytes(
    serve_tensor_parallel, gpu_memory_bytes, gpu_usable_memory_share, weight_bytes, serve_attention_data_parallel,
    serve_dense_bytes,
):  # fmt: skip
    """Memory of one GPU beside its weights: for caches and states, and for what is set aside on it."""
    weights = weight_bytes + (serve_attention_data_parallel - 1) * serve_dense_bytes
    return gpu_memory_bytes * gpu_usable_memory_share - weights / serve_tensor_parallel


@metric(unit="byte", source=FIT)
def widest_pass_bytes(widest_pass_tokens, serve_activation_bytes_per_token, engine_overhead_bytes):
    """What is set aside on one GPU for its widest pass whatever is served, logits apart."""
    return widest_pass_tokens * serve_activation_bytes_per_token + engine_overhead_bytes


@metric(unit="byte", source=FIT)
def growing_pass_bytes(widest_pass_tokens, serve_activation_bytes_per_token):
    """What is set aside on one GPU for every token of the prompts; 0 where they are read in chunks."""
    return serve_activation_bytes_per_token if widest_pass_tokens == 0 else 0.0


@metric(unit="byte", source=FIT)
def gpu_sequence_bytes(
    kv_cache_bytes, linear_state_bytes, batch_size, serve_tensor_parallel, serve_cache_ranks,
    serve_attention_data_parallel,
):  # fmt: skip
    """What one more sequence takes of one GPU for its cache and states, in groups that are all served."""
    sharing = min(serve_tensor_parallel, serve_cache_ranks * serve_attention_data_parallel)
    return (kv_cache_bytes / sharing + linear_state_bytes / serve_tensor_parallel) / batch_size


@metric(unit="", source=FIT)
def max_batch_size(
    gpu_room_bytes, gpu_sequence_bytes, gpu_reserved_bytes, widest_pass_bytes, growing_pass_bytes, prompt_tokens,
    vocab_size, engine_logit_bytes, engine_profiled_sequences,
):  # fmt: skip
    """Most sequences that a replica serves at once at this context; inf where a sequence takes nothing.

    Three bounds are met: by the GPU's reserve, by logits of as many sequences as the engine tries, by logits of all.
    """
    logits = vocab_size * engine_logit_bytes
    each = gpu_sequence_bytes + growing_pass_bytes * max(1.0, prompt_tokens)
    room = gpu_room_bytes - widest_pass_bytes
    reserved = (gpu_room_bytes - gpu_reserved_bytes) / gpu_sequence_bytes
    tried = (room - engine_profiled_sequences * logits) / each
    return max(0.0, floor(min(reserved, tried, room / (each + logits))))


@metric(unit="byte", source=FIT)
def reserved_room_bytes(gpu_room_bytes, gpu_reserved_bytes, linear_state_bytes, serve_tensor_parallel, batch_size):
    """Room of one GPU for the cache of one sequence of the batch beside its reserve."""
    return (gpu_room_bytes - gpu_reserved_bytes - linear_state_bytes / serve_tensor_parallel) / batch_size


@metric(unit="byte", source=FIT)
def working_room_bytes(
    gpu_room_bytes, widest_pass_bytes, engine_profiled_sequences, batch_size, vocab_size, engine_logit_bytes,
    linear_state_bytes, serve_tensor_parallel,
):  # fmt: skip
    """Room of one GPU for the cache and the prompt of one sequence of the batch beside what the engine sets aside."""
    logits = max(engine_profiled_sequences, batch_size) * vocab_size * engine_logit_bytes
    return (gpu_room_bytes - widest_pass_bytes - logits - linear_state_bytes / serve_tensor_parallel) / batch_size


@metric(unit="token", source=f"{FIT}; once its window is full a sliding layer held ideally takes no more")
def max_context_tokens(
    reserved_room_bytes, working_room_bytes, kv_cache_bytes_per_token, kv_elements_per_token_unwindowed,
    kv_bits, kv_cache_reading, sliding_window, serve_cache_gpus, growing_pass_bytes, output_token_share,
):  # fmt: skip
    """Longest context that memory holds for every sequence of this batch; inf where it takes none."""
    inside = kv_cache_bytes_per_token / serve_cache_gpus
    past = kv_elements_per_token_unwindowed * kv_bits / 8.0 / serve_cache_gpus
    read = growing_pass_bytes * (1.0 - output_token_share)
    windowed = kv_cache_reading == "ideal" and sliding_window > 0
    reserved = reserved_room_bytes / inside
    reserved_past = sliding_window + (reserved_room_bytes - sliding_window * inside) / past
    working = working_room_bytes / (inside + read)
    working_past = sliding_window + (working_room_bytes - sliding_window * (inside + read)) / (past + read)
    first = reserved_past if windowed and reserved > sliding_window else reserved
    second = working_past if windowed and working > sliding_window else working
    return max(0.0, floor(min(first, second)))


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

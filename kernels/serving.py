"""What users of a replica see, and what an engine sets aside on its GPUs."""

from kernels.graph import metric

LOOP = "closed loop: batch_size requests are kept in flight, a new one for every one that ends"
PROFILE = "engine row: vLLM 0.19 logs of 12 models, llm-d planner; max of two halves of a fused expert kernel's cache"


@metric(unit="token/s", source="definition")
def decode_tokens_per_s(batch_size, decode_s_per_token):
    """Tokens one replica generates in a second while decoding, by way of drafts where there are some."""
    return batch_size / decode_s_per_token


@metric(unit="token/s/GPU", source="definition")
def decode_tokens_per_s_per_gpu(decode_tokens_per_s, serve_tensor_parallel):
    """Tokens one GPU of a replica generates in a second while decoding."""
    return decode_tokens_per_s / serve_tensor_parallel


@metric(unit="s", source=f"{LOOP}; engine row: how many of the others are read first")
def time_to_first_token_s(prompt_s, prefill_s, engine_queue_share):
    """Time from a prompt's arrival to its first token: its own reading, and that of those it waits for."""
    return prompt_s + engine_queue_share * (prefill_s - prompt_s)


@metric(unit="s", source=f"{LOOP}; the prompts of the others are read between the steps of one's answer")
def time_per_output_token_s(disaggregation, decode_s_per_token, prefill_s, batch_size, output_tokens):
    """Time between tokens of an answer while other prompts come in, on the same GPUs or on their own."""
    waiting = prefill_s * (1.0 - 1.0 / batch_size) / max(1.0, output_tokens)
    return decode_s_per_token if disaggregation else decode_s_per_token + waiting


@metric(unit="token/s/user", source="definition")
def decode_tokens_per_s_per_user(time_per_output_token_s):
    """Tokens a second that one of the sequences of a batch sees while other prompts come in."""
    return 1.0 / time_per_output_token_s


@metric(unit="byte/token", source=PROFILE)
def serve_activation_bytes_per_token(
    engine_activation_bytes, hidden_size, num_moe_layers, experts_per_token, expert_ffn_size
):
    """What a layer holds of one token of a prefill, and what experts take in and give."""
    experts = experts_per_token * (max(2 * expert_ffn_size, hidden_size) + expert_ffn_size)
    return engine_activation_bytes * hidden_size + 2.0 * (experts if num_moe_layers > 0 else 0)


@metric(unit="byte", source=PROFILE)
def serve_activation_bytes(
    engine_profiled_sequences,
    batch_size,
    vocab_size,
    engine_logit_bytes,
    engine_chunk_tokens,
    prompt_tokens,
    serve_activation_bytes_per_token,
):
    """What one rank sets aside for the widest pass of its prompts: logits, and the tokens read at once."""
    logits = max(engine_profiled_sequences, batch_size) * vocab_size * engine_logit_bytes
    return logits + min(engine_chunk_tokens, batch_size * max(1.0, prompt_tokens)) * serve_activation_bytes_per_token


@metric(unit="", source="engine row: an engine without chunks reads whatever comes in one pass")
def widest_pass_tokens(engine_chunk_tokens):
    """Tokens of the widest pass there may be, however long prompts are; 0 where that follows from the prompts."""
    return 0.0 if engine_chunk_tokens >= 1e9 else engine_chunk_tokens  # nan stays nan


@metric(unit="byte", source="engine row")
def engine_overhead_bytes(serve_tensor_parallel, engine_context_bytes, engine_communicator_bytes):
    """What an engine takes on one GPU beside weights, cache and activations."""
    return engine_context_bytes + (engine_communicator_bytes if serve_tensor_parallel > 1.0 else 0.0)

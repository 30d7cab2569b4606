"""Prompts read and answers generated on one replica, or on pools of their own with the cache sent between them.

A replica of either pool has the same GPUs, and both pools are kept busy. Layers are sent while later ones are still
computed, so a batch holds a replica for its work or for the transfer, whichever is longer.
"""

from kernels.graph import metric

SPLIT = "Patel et al. 2023 (Splitwise), arXiv:2311.18677, section 4; Zhong et al. 2024 (DistServe), arXiv:2401.09670"
POPE = "Pope et al. 2022, arXiv:2211.05102: prefill, then one step per generated token"


@metric(unit="byte", source=SPLIT)
def kv_transfer_bytes(
    kv_elements_per_token_unwindowed, num_sliding_layers, kv_elements_per_token_and_layer, prompt_tokens,
    sliding_window, kv_bits, batch_size, linear_state_bytes,
):  # fmt: skip
    """Cache and states of the prompts of a batch; of a sliding layer its window only."""
    held = min(prompt_tokens, sliding_window) if sliding_window > 0 else prompt_tokens
    elements = kv_elements_per_token_unwindowed * prompt_tokens
    windowed = num_sliding_layers * kv_elements_per_token_and_layer * held
    return (elements + windowed) * kv_bits / 8.0 * batch_size + linear_state_bytes


@metric(unit="s", source=f"{SPLIT}; every GPU of a replica sends its share over its own network card")
def kv_transfer_s(kv_transfer_bytes, serve_tensor_parallel, gpu_scaleout_bit_per_s, kv_transfer_link_share):
    """Time to send the cache of a batch from a replica that reads prompts to one that generates."""
    return kv_transfer_bytes / (serve_tensor_parallel * gpu_scaleout_bit_per_s / 8.0 * kv_transfer_link_share)


@metric(unit="s", source=f"{POPE}; {SPLIT}")
def prefill_phase_s(disaggregation, prefill_s, kv_transfer_s):
    """Time that reading a batch of prompts holds a replica."""
    return max(prefill_s, kv_transfer_s) if disaggregation else prefill_s


@metric(unit="s", source=f"{POPE}; {SPLIT}")
def decode_phase_s(disaggregation, output_tokens, decode_s_per_token, kv_transfer_s):
    """Time that generating the answers of a batch holds a replica, every step at the full context."""
    generating = output_tokens * decode_s_per_token
    return max(generating, kv_transfer_s) if disaggregation else generating


@metric(unit="", source=f"{SPLIT}: both pools busy")
def prefill_replicas_per_decode_replica(prefill_phase_s, decode_phase_s):
    """Replicas that read prompts for each one that generates, so that neither waits."""
    return prefill_phase_s / decode_phase_s

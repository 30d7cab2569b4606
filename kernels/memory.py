"""Bytes: weights by precision, the key-value cache, and how many GPUs hold them."""

from kernels.graph import metric
from kernels.scalar import ceil

SCALES = "OCP Microscaling Formats v1.0 (2023) and the format's own definition; see the precision's row"
CACHE = "Shazeer 2019, arXiv:1911.02150; Ainslie et al. 2023, arXiv:2305.13245"
MLA = "DeepSeek-AI 2024 (DeepSeek-V2), arXiv:2405.04434, table 1"


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


@metric(unit="", source=f"{CACHE}; {MLA}")
def kv_elements_per_token(attention_kind, num_layers, num_kv_heads, head_dim, kv_lora_rank, qk_rope_head_dim):
    """Cached elements of one token over all layers, before any window is full; mla holds its latent and shared key."""
    width = kv_lora_rank + qk_rope_head_dim if attention_kind == "mla" else 2 * num_kv_heads * head_dim
    return num_layers * width


@metric(unit="byte/token", source=CACHE)
def kv_cache_bytes_per_token(kv_elements_per_token, kv_bits):
    """Keys and values of one token over all layers."""
    return kv_elements_per_token * kv_bits / 8.0


@metric(unit="byte", source=CACHE)
def kv_cache_bytes(kv_cache_bytes_per_token, context_tokens, batch_size):
    """Keys and values of every token of every sequence that is being served."""
    return kv_cache_bytes_per_token * context_tokens * batch_size


@metric(unit="byte", source="Kwon et al. 2023 (vLLM), arXiv:2309.06180, figure 1: weights and cache share the memory")
def serve_bytes(weight_bytes, kv_cache_bytes):
    """What serving holds in memory: weights and cache; workspaces are set aside per GPU."""
    return weight_bytes + kv_cache_bytes


@metric(unit="byte", source="assumed planning rule: share of driver memory less a reserve; see the accelerator's row")
def gpu_usable_bytes(gpu_memory_bytes, gpu_usable_memory_share, gpu_reserved_bytes):
    """Bytes of one GPU that weights and cache may take."""
    return gpu_memory_bytes * gpu_usable_memory_share - gpu_reserved_bytes


@metric(unit="", source="arithmetic: the smallest whole number of GPUs whose usable memory holds everything")
def min_gpus_to_serve(serve_bytes, gpu_usable_bytes):
    """GPUs that hold one replica, weights and cache split evenly."""
    return ceil(serve_bytes / gpu_usable_bytes)

"""What serving remembers of a sequence: keys and values, with and without windows, and the states of linear layers."""

from kernels.graph import metric

CACHE = "Shazeer 2019, arXiv:1911.02150; Ainslie et al. 2023, arXiv:2305.13245"
MLA = "DeepSeek-AI 2024 (DeepSeek-V2), arXiv:2405.04434, table 1"
WINDOW = "Beltagy et al. 2020 (sliding windows), arXiv:2004.05150; Gemma 2, arXiv:2408.00118"
STATE = "Qin et al. 2024, arXiv:2401.04658; Yang et al. 2024, arXiv:2412.06464"


@metric(unit="", source=f"{CACHE}; {MLA}")
def kv_elements_per_token_and_layer(attention_kind, num_kv_heads, head_dim, kv_lora_rank, qk_rope_head_dim):
    """Cached elements of one token in one layer; mla holds its latent and the key part that all heads share."""
    return kv_lora_rank + qk_rope_head_dim if attention_kind == "mla" else 2 * num_kv_heads * head_dim


@metric(unit="", source=f"{CACHE}; {MLA}")
def kv_elements_per_token(num_softmax_layers, kv_elements_per_token_and_layer):
    """Cached elements of one token over all layers, before any window is full."""
    return num_softmax_layers * kv_elements_per_token_and_layer


@metric(unit="", source=WINDOW)
def kv_elements_per_token_unwindowed(num_softmax_layers, num_sliding_layers, kv_elements_per_token_and_layer):
    """Cached elements of one token over the layers without a window: what still grows once every window is full."""
    return (num_softmax_layers - num_sliding_layers) * kv_elements_per_token_and_layer


@metric(unit="byte/token", source=CACHE)
def kv_cache_bytes_per_token(kv_elements_per_token, kv_bits):
    """Keys and values of one token over all layers, before any window is full."""
    return kv_elements_per_token * kv_bits / 8.0


@metric(unit="", source=WINDOW)
def windowed_context_tokens(context_tokens, sliding_window):
    """Tokens of the context that a sliding layer attends to."""
    return min(context_tokens, sliding_window) if sliding_window > 0 else context_tokens


@metric(unit="byte", source="Kwon et al. 2023 (vLLM), arXiv:2309.06180: pages of one size for all layers")
def kv_cache_uniform_page_bytes(kv_cache_bytes_per_token, context_tokens, batch_size):
    """Keys and values where every layer holds every token of every sequence, windows or not."""
    return kv_cache_bytes_per_token * context_tokens * batch_size


@metric(unit="byte", source=WINDOW)
def kv_cache_ideal_bytes(
    kv_elements_per_token_unwindowed,
    num_sliding_layers,
    kv_elements_per_token_and_layer,
    windowed_context_tokens,
    kv_bits,
    context_tokens,
    batch_size,
):
    """Keys and values where a sliding layer holds its window only."""
    windowed = num_sliding_layers * kv_elements_per_token_and_layer * windowed_context_tokens
    return (kv_elements_per_token_unwindowed * context_tokens + windowed) * kv_bits / 8.0 * batch_size


@metric(unit="byte", source=f"{CACHE}; the reading is an input")
def kv_cache_bytes(kv_cache_reading, kv_cache_uniform_page_bytes, kv_cache_ideal_bytes):
    """Keys and values of every sequence that is being served, as the allocator in use holds them."""
    return kv_cache_ideal_bytes if kv_cache_reading == "ideal" else kv_cache_uniform_page_bytes


@metric(unit="", source=STATE)
def linear_state_elements(
    linear_attention_kind,
    num_linear_layers,
    num_heads,
    head_dim,
    linear_num_value_heads,
    linear_key_head_dim,
    linear_value_head_dim,
    linear_conv_kernel,
    linear_key_width,
    linear_value_width,
):
    """State of one sequence over all linear attention layers, whatever its length; a convolution's memory included."""
    lightning = num_heads * head_dim * head_dim
    convolution = max(0, linear_conv_kernel - 1) * (2 * linear_key_width + linear_value_width)
    delta = linear_num_value_heads * linear_key_head_dim * linear_value_head_dim + convolution
    layer = (
        lightning if linear_attention_kind == "lightning" else (delta if linear_attention_kind == "gated_delta" else 0)
    )
    return num_linear_layers * layer


@metric(unit="byte", source=STATE)
def linear_state_bytes(linear_state_elements, linear_state_bits, batch_size):
    """States of linear attention of every sequence that is being served."""
    return linear_state_elements * linear_state_bits / 8.0 * batch_size

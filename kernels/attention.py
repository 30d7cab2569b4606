"""Parameters of attention layers: softmax with grouped or latent keys and values, and the linear kinds of hybrids."""

from kernels.graph import metric

GQA = "Ainslie et al. 2023, arXiv:2305.13245"
MLA = "DeepSeek-AI 2024 (DeepSeek-V2), arXiv:2405.04434, section 2.1"
LIGHTNING = "Qin et al. 2024 (Lightning Attention), arXiv:2401.04658; MiniMax 2025, arXiv:2501.08313"
DELTA = "Yang et al. 2024 (Gated Delta Networks), arXiv:2412.06464; Qwen3-Next, config.json"


@metric(unit="", source=f"{LIGHTNING}; {DELTA}")
def num_softmax_layers(num_layers, num_linear_layers):
    """Layers whose attention has scores and a cache."""
    return num_layers - num_linear_layers


@metric(unit="", source=f"{GQA}; {MLA}")
def attention_matrix_params(
    attention_kind,
    hidden_size,
    num_heads,
    num_kv_heads,
    head_dim,
    attn_output_gate,
    q_lora_rank,
    kv_lora_rank,
    qk_nope_head_dim,
    qk_rope_head_dim,
    v_head_dim,
):
    """Weights of the projections of one attention layer, biases and norms apart.

    Multi-head latent attention projects down to two latents and up from them; without a query latent the queries come
    straight from the hidden state.
    """
    query_width = num_heads * head_dim
    gqa_query = hidden_size * query_width * (2 if attn_output_gate else 1)
    gqa = gqa_query + 2 * hidden_size * num_kv_heads * head_dim + query_width * hidden_size
    mla_head = qk_nope_head_dim + qk_rope_head_dim
    mla_query = (
        q_lora_rank * (hidden_size + num_heads * mla_head) if q_lora_rank > 0 else hidden_size * num_heads * mla_head
    )
    mla_down = hidden_size * (kv_lora_rank + qk_rope_head_dim)
    mla_up = kv_lora_rank * num_heads * (qk_nope_head_dim + v_head_dim)
    mla = mla_query + mla_down + mla_up + num_heads * v_head_dim * hidden_size
    return mla if attention_kind == "mla" else gqa


@metric(unit="", source=f"{GQA}; {MLA}; Henry et al. 2020 (query-key normalisation), arXiv:2010.04245")
def attention_vector_params(
    attention_kind,
    hidden_size,
    num_heads,
    num_kv_heads,
    head_dim,
    qkv_bias,
    attn_out_bias,
    qk_norm,
    attn_sinks,
    attn_output_gate,
    q_lora_rank,
    kv_lora_rank,
    qk_rope_head_dim,
):
    """Biases, query-key norms, latent norms and sinks of one attention layer.

    Biases of latent attention stand on the projections down, as in the released DeepSeek classes, not on those up.
    """
    query_width = num_heads * head_dim
    kv_width = num_kv_heads * head_dim
    gqa_bias = query_width * (2 if attn_output_gate else 1) + 2 * kv_width
    mla_bias = q_lora_rank + kv_lora_rank + qk_rope_head_dim
    bias = qkv_bias * (mla_bias if attention_kind == "mla" else gqa_bias) + attn_out_bias * hidden_size
    norm = 2 * head_dim if qk_norm == "head" else (query_width + kv_width if qk_norm == "full" else 0)
    latent = q_lora_rank + kv_lora_rank if attention_kind == "mla" else 0
    return bias + norm + latent + attn_sinks * num_heads


@metric(unit="", source=DELTA)
def linear_key_width(linear_num_key_heads, linear_key_head_dim):
    """Width of all keys of a gated delta layer; its queries are as wide."""
    return linear_num_key_heads * linear_key_head_dim


@metric(unit="", source=DELTA)
def linear_value_width(linear_num_value_heads, linear_value_head_dim):
    """Width of all values of a gated delta layer; its output gate is as wide."""
    return linear_num_value_heads * linear_value_head_dim


@metric(unit="", source=f"{LIGHTNING}; {DELTA}")
def linear_attention_matrix_params(
    linear_attention_kind,
    hidden_size,
    num_heads,
    head_dim,
    linear_key_width,
    linear_value_width,
    linear_num_value_heads,
):
    """Weights of the projections of one linear attention layer.

    Lightning: query, key, value, gate and output. Gated delta: queries, keys, values and gate in one, two numbers a
    value head in another, output.
    """
    lightning = 5 * hidden_size * num_heads * head_dim
    delta_in = 2 * linear_key_width + 2 * linear_value_width + 2 * linear_num_value_heads
    delta = hidden_size * (delta_in + linear_value_width)
    return (
        lightning if linear_attention_kind == "lightning" else (delta if linear_attention_kind == "gated_delta" else 0)
    )


@metric(unit="", source=f"{LIGHTNING}; {DELTA}")
def linear_attention_vector_params(
    linear_attention_kind,
    num_heads,
    head_dim,
    linear_key_width,
    linear_value_width,
    linear_num_value_heads,
    linear_value_head_dim,
    linear_conv_kernel,
):
    """Norm of one linear attention layer; for gated delta its convolution and two numbers a value head too."""
    lightning = num_heads * head_dim
    convolution = linear_conv_kernel * (2 * linear_key_width + linear_value_width)
    delta = convolution + 2 * linear_num_value_heads + linear_value_head_dim
    return (
        lightning if linear_attention_kind == "lightning" else (delta if linear_attention_kind == "gated_delta" else 0)
    )


@metric(unit="", source=f"{GQA}; {MLA}; {LIGHTNING}; {DELTA}")
def attention_matrix_params_total(
    num_softmax_layers, attention_matrix_params, num_linear_layers, linear_attention_matrix_params
):
    """Weights of the attention projections of all layers."""
    return num_softmax_layers * attention_matrix_params + num_linear_layers * linear_attention_matrix_params


@metric(unit="", source=f"{GQA}; {MLA}; {LIGHTNING}; {DELTA}")
def attention_vector_params_total(
    num_softmax_layers, attention_vector_params, num_linear_layers, linear_attention_vector_params
):
    """Biases, norms, convolutions and other vectors of the attention of all layers."""
    return num_softmax_layers * attention_vector_params + num_linear_layers * linear_attention_vector_params

"""Parameter counts, exact to the last one, for dense and mixture-of-experts transformers.

Checked against the module classes of 128 released models (tests/test_models.py).
"""

from kernels.graph import metric

VASWANI = "Vaswani et al. 2017, arXiv:1706.03762"
GQA = "Ainslie et al. 2023, arXiv:2305.13245"
MLA = "DeepSeek-AI 2024 (DeepSeek-V2), arXiv:2405.04434, section 2.1"
MOE = "Fedus et al. 2021 (Switch), arXiv:2101.03961; Dai et al. 2024 (DeepSeekMoE), arXiv:2401.06066"


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
):
    """Biases, query-key norms, latent norms and sinks of one attention layer."""
    query_width = num_heads * head_dim
    kv_width = num_kv_heads * head_dim
    bias = qkv_bias * (query_width * (2 if attn_output_gate else 1) + 2 * kv_width) + attn_out_bias * hidden_size
    norm = 2 * head_dim if qk_norm == "head" else (query_width + kv_width if qk_norm == "full" else 0)
    latent = q_lora_rank + kv_lora_rank if attention_kind == "mla" else 0
    return bias + norm + latent + attn_sinks * num_heads


@metric(unit="", source=f"{VASWANI}; gated: Shazeer 2020, arXiv:2002.05202")
def ffn_matrices(ffn_gated):
    """Matrices of one MLP: gate, up and down, or up and down."""
    return 3 if ffn_gated else 2


@metric(unit="", source=VASWANI)
def dense_ffn_matrix_params(hidden_size, ffn_size, ffn_matrices):
    """Weights of one dense MLP, biases apart."""
    return ffn_matrices * hidden_size * ffn_size


@metric(unit="", source=VASWANI)
def dense_ffn_vector_params(hidden_size, ffn_size, ffn_matrices, mlp_bias):
    """Biases of one dense MLP."""
    return mlp_bias * ((ffn_matrices - 1) * ffn_size + hidden_size)


@metric(unit="", source=MOE)
def expert_matrix_params(hidden_size, expert_ffn_size, ffn_matrices):
    """Weights of one routed expert, biases apart."""
    return ffn_matrices * hidden_size * expert_ffn_size


@metric(unit="", source=MOE)
def expert_vector_params(hidden_size, expert_ffn_size, ffn_matrices, expert_bias):
    """Biases of one routed expert."""
    return expert_bias * ((ffn_matrices - 1) * expert_ffn_size + hidden_size)


@metric(unit="", source=MOE)
def moe_always_on_params(
    hidden_size, num_experts, shared_expert_ffn_size, shared_expert_gate, dense_residual_ffn_size, ffn_matrices
):
    """Weights of a MoE layer that every token passes: router, shared experts and their gate, dense residual MLP."""
    shared = ffn_matrices * hidden_size * (shared_expert_ffn_size + dense_residual_ffn_size)
    return hidden_size * num_experts + shared + shared_expert_gate * hidden_size


@metric(unit="", source="Ba et al. 2016, arXiv:1607.06450; Zhang and Sennrich 2019 (RMSNorm), arXiv:1910.07467")
def norm_params(norm_kind, hidden_size):
    """Trainable numbers of one hidden_size-wide norm."""
    return 2 * hidden_size if norm_kind == "layernorm" else (0 if norm_kind == "nonparametric" else hidden_size)


@metric(unit="", source=VASWANI)
def embedding_width(hidden_size, embedding_proj_dim):
    """Width of the embedding table."""
    return embedding_proj_dim if embedding_proj_dim > 0 else hidden_size


@metric(unit="", source=VASWANI)
def params_embedding(vocab_size, embedding_width, hidden_size, learned_position_rows):
    """Parameters of the input table and of learned positions."""
    return vocab_size * embedding_width + learned_position_rows * hidden_size


@metric(unit="", source="Press and Wolf 2016 (tied embeddings), arXiv:1608.05859")
def params_head(vocab_size, embedding_width, tied_embeddings, lm_head_bias):
    """Parameters of the output head; 0 when it reuses the input table, but for a bias."""
    return (0 if tied_embeddings else vocab_size * embedding_width) + lm_head_bias * vocab_size


@metric(unit="", source=VASWANI)
def trunk_params(
    num_layers,
    attention_matrix_params,
    attention_vector_params,
    num_moe_layers,
    dense_ffn_matrix_params,
    dense_ffn_vector_params,
    moe_always_on_params,
    router_bias,
    num_experts,
    norms_per_layer,
    norm_params,
    activation_params_per_layer,
    final_norm,
    embedding_norm,
    embedding_proj_dim,
    hidden_size,
):
    """Parameters of everything between the tables but the routed experts: what every token passes through."""
    attention = num_layers * (attention_matrix_params + attention_vector_params)
    dense = (num_layers - num_moe_layers) * (dense_ffn_matrix_params + dense_ffn_vector_params)
    routed = num_moe_layers * (moe_always_on_params + router_bias * num_experts)
    norms = (num_layers * norms_per_layer + final_norm + embedding_norm) * norm_params
    projections = 2 * embedding_proj_dim * hidden_size
    return attention + dense + routed + norms + projections + num_layers * activation_params_per_layer


@metric(unit="", source=MOE)
def params_routed_experts(num_moe_layers, num_experts, expert_matrix_params, expert_vector_params):
    """Parameters of all routed experts of all layers."""
    return num_moe_layers * num_experts * (expert_matrix_params + expert_vector_params)


@metric(unit="", source=MOE)
def params_active_experts(num_moe_layers, experts_per_token, expert_matrix_params, expert_vector_params):
    """Parameters of the routed experts that one token visits."""
    return num_moe_layers * experts_per_token * (expert_matrix_params + expert_vector_params)


@metric(unit="", source=VASWANI)
def params_non_embedding(trunk_params, params_routed_experts):
    """Parameters that are neither input table nor head."""
    return trunk_params + params_routed_experts


@metric(unit="", source=MOE)
def params_active_non_embedding(trunk_params, params_active_experts):
    """Parameters one token passes through, without input table and head."""
    return trunk_params + params_active_experts


@metric(unit="", source=VASWANI)
def params_total(params_non_embedding, params_embedding, params_head):
    """All distinct parameters; a tied table counts once."""
    return params_non_embedding + params_embedding + params_head


@metric(unit="", source=MOE)
def params_active(params_active_non_embedding, params_embedding, params_head):
    """Parameters one token passes through, tables, head, router and shared experts included."""
    return params_active_non_embedding + params_embedding + params_head


@metric(
    unit="",
    source="Kaplan et al. 2020, arXiv:2001.08361, table 1 (look-ups cost no FLOPs); router: Fedus et al. 2021",
)
def params_matmul_active(
    num_layers,
    num_moe_layers,
    attention_matrix_params,
    dense_ffn_matrix_params,
    moe_always_on_params,
    experts_per_token,
    expert_matrix_params,
    vocab_size,
    embedding_width,
    embedding_proj_dim,
    hidden_size,
):
    """Weights one token is multiplied with: no look-ups, biases or norms; the head counts even when tied."""
    dense = num_layers * attention_matrix_params + (num_layers - num_moe_layers) * dense_ffn_matrix_params
    routed = num_moe_layers * (moe_always_on_params + experts_per_token * expert_matrix_params)
    return dense + routed + vocab_size * embedding_width + 2 * embedding_proj_dim * hidden_size

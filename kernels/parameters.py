"""Parameter counts, exact to the last one, for dense and mixture-of-experts transformers.

Checked against the module classes of 134 released models (tests/test_models.py).
"""

from kernels.graph import metric

VASWANI = "Vaswani et al. 2017, arXiv:1706.03762"
MOE = "Fedus et al. 2021 (Switch), arXiv:2101.03961; Dai et al. 2024 (DeepSeekMoE), arXiv:2401.06066"


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
def params_token_embedding(vocab_size, embedding_width):
    """Parameters of the input table."""
    return vocab_size * embedding_width


@metric(unit="", source="Devlin et al. 2018, arXiv:1810.04805 (learned positions)")
def params_positions(learned_position_rows, hidden_size):
    """Parameters of learned positions."""
    return learned_position_rows * hidden_size


@metric(unit="", source=VASWANI)
def params_embedding(params_token_embedding, params_positions):
    """Parameters of the input table and of learned positions."""
    return params_token_embedding + params_positions


@metric(unit="", source="Press and Wolf 2016 (tied embeddings), arXiv:1608.05859")
def params_head(vocab_size, embedding_width, tied_embeddings, lm_head_bias):
    """Parameters of the output head; 0 when it reuses the input table, but for a bias."""
    return (0 if tied_embeddings else vocab_size * embedding_width) + lm_head_bias * vocab_size


@metric(unit="", source=VASWANI)
def trunk_params(
    num_layers,
    attention_matrix_params_total,
    attention_vector_params_total,
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
    attention = attention_matrix_params_total + attention_vector_params_total
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
    source="gpt-oss model card (OpenAI 2025), arXiv:2508.10925: active parameters without the embedding, head kept",
)
def params_active_excl_input_embedding(params_active, params_embedding, tied_embeddings):
    """Parameters one token passes through without input table and positions; both stay when the table is the head."""
    return params_active - (0 if tied_embeddings else params_embedding)


@metric(
    unit="", source="DeepSeek-AI 2024 (DeepSeek-V3), arXiv:2412.19437, section 2.1.2: offsets steer routing, untrained"
)
def router_correction_elements(router_correction_bias, num_moe_layers, num_experts):
    """Load-balancing offsets of all MoE layers; shipped with the weights and in no parameter count."""
    return router_correction_bias * num_moe_layers * num_experts


@metric(unit="", source="DeepSeek-AI 2024 (DeepSeek-V3), arXiv:2412.19437, section 2.2")
def params_mtp(
    mtp_layers,
    attention_matrix_params,
    attention_vector_params,
    num_moe_layers,
    moe_always_on_params,
    router_bias,
    num_experts,
    expert_matrix_params,
    expert_vector_params,
    dense_ffn_matrix_params,
    dense_ffn_vector_params,
    norms_per_layer,
    norm_params,
    hidden_size,
):
    """Multi-token-prediction layers: a layer like the last, a projection of two states to one, three norms.

    Counted apart: no other count holds them, nor the copies of table and head that some checkpoints ship with them.
    """
    experts = (
        moe_always_on_params + router_bias * num_experts + num_experts * (expert_matrix_params + expert_vector_params)
    )
    mlp = experts if num_moe_layers > 0 else dense_ffn_matrix_params + dense_ffn_vector_params
    layer = attention_matrix_params + attention_vector_params + mlp + (norms_per_layer + 3) * norm_params
    return mtp_layers * (layer + 2 * hidden_size * hidden_size)


@metric(
    unit="",
    source="Kaplan et al. 2020, arXiv:2001.08361, table 1 (look-ups cost no FLOPs); router: Fedus et al. 2021",
)
def params_matmul_active(
    num_layers,
    num_moe_layers,
    attention_matrix_params_total,
    dense_ffn_matrix_params,
    moe_always_on_params,
    experts_per_token,
    expert_matrix_params,
    params_token_embedding,
    embedding_proj_dim,
    hidden_size,
):
    """Weights one token is multiplied with: no look-ups, biases or norms; the head counts even when tied."""
    dense = attention_matrix_params_total + (num_layers - num_moe_layers) * dense_ffn_matrix_params
    routed = num_moe_layers * (moe_always_on_params + experts_per_token * expert_matrix_params)
    return dense + routed + params_token_embedding + 2 * embedding_proj_dim * hidden_size

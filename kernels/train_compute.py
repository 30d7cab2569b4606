"""Matmuls of a training step: FLOPs that one GPU does for one token of one layer, and the time they take.

Only what tensor parallelism leaves of a matrix is counted; keys and values that stand on several ranks are done by all
of them. Attention counts the causal half where a fused kernel skips the rest, the whole square where it does not.
"""

from kernels.graph import metric

MEGATRON = "Shoeybi et al. 2019 (Megatron-LM), arXiv:1909.08053, section 3"
FLASH = "Dao et al. 2022, arXiv:2205.14135; backward 2.5 times forward: Dao 2023 (FlashAttention-2), arXiv:2307.08691"


@metric(unit="FLOP/token", source=MEGATRON)
def layer_matmul_flops_per_token(
    num_layers,
    num_softmax_layers,
    attention_params_per_gpu,
    num_linear_layers,
    linear_attention_matrix_params,
    tensor_parallel,
):
    """Projections of attention of one layer, forward, the mean over a hybrid's layers."""
    linear = num_linear_layers * linear_attention_matrix_params / tensor_parallel
    return 2.0 * (num_softmax_layers * attention_params_per_gpu + linear) / num_layers


@metric(unit="FLOP/token", source=MEGATRON)
def dense_ffn_flops_per_token(dense_ffn_matrix_params, tensor_parallel):
    """One dense MLP, forward."""
    return 2.0 * dense_ffn_matrix_params / tensor_parallel


@metric(unit="FLOP/token", source="Fedus et al. 2021 (Switch), arXiv:2101.03961; the router stands on every rank")
def moe_shared_flops_per_token(
    hidden_size, num_experts, shared_expert_ffn_size, dense_residual_ffn_size, ffn_matrices, tensor_parallel
):
    """What every token passes of a MoE layer's MLPs, forward: router, shared experts, dense residual MLP."""
    shared = ffn_matrices * hidden_size * (shared_expert_ffn_size + dense_residual_ffn_size)
    return 2.0 * (hidden_size * num_experts + shared / tensor_parallel)


@metric(unit="FLOP/token", source="Fedus et al. 2021 (Switch), arXiv:2101.03961; even routing")
def routed_flops_per_token(experts_per_token, expert_matrix_params, tensor_parallel):
    """The routed experts that a token visits, forward."""
    return 2.0 * experts_per_token * expert_matrix_params / tensor_parallel


@metric(
    unit="token", source="Dao et al. 2022, arXiv:2205.14135: kernels skip what the causal mask and windows leave out"
)
def attended_tokens(sequence_length, sliding_window, num_sliding_layers, num_softmax_layers, flash_attention):
    """Tokens that one is multiplied with in softmax attention, the mean over its layers."""
    half = 0.5 * sequence_length
    windowed = sliding_window > 0 and sliding_window < sequence_length
    inside = sliding_window * (1.0 - 0.5 * sliding_window / sequence_length) if windowed else half
    fused = half + (inside - half) * num_sliding_layers / max(1, num_softmax_layers)
    return fused if flash_attention else 1.0 * sequence_length


@metric(unit="FLOP/token", source="Chowdhery et al. 2022 (PaLM), arXiv:2204.02311, appendix B")
def core_flops_per_token(
    attention_score_flops_per_layer, attended_tokens, tensor_parallel, num_softmax_layers, num_layers
):
    """Scores and weighted values of one layer, forward, the mean over a hybrid's layers."""
    return attention_score_flops_per_layer * attended_tokens / tensor_parallel * num_softmax_layers / num_layers


@metric(
    unit="FLOP/s", source="NVIDIA, Matrix Multiplication Background User's Guide: rows of 16 bytes for tensor cores"
)
def core_flop_per_s(
    flash_attention,
    flash_attention_flop_per_s,
    flash_half_tokens,
    sequence_length,
    wide_matmul_flop_per_s,
    head_dim,
    misaligned_factor,
):
    """What attention between queries and outputs reaches."""
    fused = flash_attention_flop_per_s * sequence_length / (sequence_length + flash_half_tokens)
    aligned = fused if flash_attention else wide_matmul_flop_per_s
    return aligned * (1.0 if head_dim % 8 == 0 else misaligned_factor)


@metric(unit="s", source=FLASH)
def core_forward_s(activation_tokens, core_flops_per_token, core_flop_per_s):
    """Matmuls of one layer's attention between queries and outputs, forward."""
    return activation_tokens * core_flops_per_token / core_flop_per_s


@metric(unit="s", source=FLASH)
def core_backward_s(core_forward_s, flash_attention):
    """The same backward: five matmuls where scores are not stored, four where they are."""
    return core_forward_s * (2.5 if flash_attention else 2.0)


@metric(unit="s", source=MEGATRON)
def attention_matmul_s(activation_tokens, layer_matmul_flops_per_token, train_matmul_flop_per_s, train_gemm_overhead_s):
    """Projections of attention of one layer, forward: queries, keys and values in one matmul, and the output's."""
    return activation_tokens * layer_matmul_flops_per_token / train_matmul_flop_per_s + 2.0 * train_gemm_overhead_s


@metric(unit="s", source=MEGATRON)
def dense_ffn_matmul_s(activation_tokens, dense_ffn_flops_per_token, train_matmul_flop_per_s, train_gemm_overhead_s):
    """One dense MLP, forward: its gate is part of its first matmul."""
    return activation_tokens * dense_ffn_flops_per_token / train_matmul_flop_per_s + 2.0 * train_gemm_overhead_s


@metric(
    unit="",
    source="fitted: grouped_half_width; Williams et al. 2009, doi:10.1145/1498765.1498785: FLOPs over what is moved,"
    " which for many rows is the harmonic mean of a matrix' sides",
)
def grouped_matmul_share(grouped_half_width, hidden_size, expert_ffn_size, tensor_parallel):
    """What matmuls of routed experts reach over those of a dense MLP: less the narrower an expert is."""
    return 1.0 / (1.0 + grouped_half_width * (1.0 / hidden_size + 1.0 * tensor_parallel / expert_ffn_size))


@metric(unit="s", source="Fedus et al. 2021 (Switch), arXiv:2101.03961; even routing")
def moe_ffn_matmul_s(
    activation_tokens,
    moe_shared_flops_per_token,
    routed_flops_per_token,
    train_matmul_flop_per_s,
    grouped_matmul_share,
    train_gemm_overhead_s,
):
    """The MLPs of a MoE layer, forward: two matmuls grouped over the experts."""
    every = moe_shared_flops_per_token + routed_flops_per_token / grouped_matmul_share
    return activation_tokens * every / train_matmul_flop_per_s + 2.0 * train_gemm_overhead_s


@metric(unit="s", source="Korthikanti et al. 2022, arXiv:2205.05198, section 4.3: rows of the vocabulary are split")
def head_matmul_s(activation_tokens, table_params_per_gpu, wide_matmul_flop_per_s):
    """The output head, forward, in 16 bits."""
    return activation_tokens * 2.0 * table_params_per_gpu / wide_matmul_flop_per_s

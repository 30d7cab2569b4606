"""FLOPs: two for every multiply-add of a matrix product, nothing for norms, activations and look-ups."""

from kernels.graph import metric

CHINCHILLA = "Hoffmann et al. 2022, arXiv:2203.15556, appendix F"
PALM = "Chowdhery et al. 2022 (PaLM), arXiv:2204.02311, appendix B"


@metric(unit="", source=f"full: {PALM}; causal: Dao et al. 2022 (FlashAttention), arXiv:2205.14135, section 4")
def attention_share(attention_flops_convention):
    """Share of the square of attention scores that is counted: all of it, or the causal half."""
    return 1.0 if attention_flops_convention == "full" else 0.5


@metric(unit="FLOP/token", source=f"{PALM}; mla expanded: DeepSeek-AI 2024, arXiv:2405.04434")
def attention_score_flops_per_context_token(
    attention_kind, num_layers, num_heads, head_dim, qk_nope_head_dim, qk_rope_head_dim, v_head_dim
):
    """Scores and weighted values of one token against one other token, over all layers."""
    mla_width = qk_nope_head_dim + qk_rope_head_dim + v_head_dim
    width = mla_width if attention_kind == "mla" else 2 * head_dim
    return 2.0 * num_layers * num_heads * width


@metric(unit="FLOP/token", source=PALM)
def attention_flops_per_token(attention_score_flops_per_context_token, sequence_length, attention_share):
    """Attention scores and weighted values of one token of a forward pass, under the named convention."""
    return attention_share * attention_score_flops_per_context_token * sequence_length


@metric(unit="FLOP/token", source=f"{CHINCHILLA}; {PALM}")
def forward_flops_per_token(params_matmul_active, attention_flops_per_token):
    """One token's forward pass, logits included."""
    return 2.0 * params_matmul_active + attention_flops_per_token


@metric(unit="FLOP/token", source=PALM)
def train_flops_per_token(forward_flops_per_token):
    """Learning from one token: forward, and a backward of twice that; nothing recomputed."""
    return 3.0 * forward_flops_per_token


@metric(unit="FLOP", source=PALM)
def train_flops(train_flops_per_token, train_tokens):
    """Model FLOPs of the whole training run, nothing recomputed."""
    return train_flops_per_token * train_tokens


@metric(unit="FLOP", source="Kaplan et al. 2020, arXiv:2001.08361, section 2.1: C = 6 N D")
def train_flops_6nd(params_active, train_tokens):
    """The rule of thumb 6 N D, with N all parameters a token passes through."""
    return 6.0 * params_active * train_tokens

"""FLOPs: two for every multiply-add of a matrix product, nothing for norms, activations and look-ups."""

from kernels.graph import metric

CHINCHILLA = "Hoffmann et al. 2022, arXiv:2203.15556, appendix F"
PALM = "Chowdhery et al. 2022 (PaLM), arXiv:2204.02311, appendix B"


@metric(unit="", source=f"full: {PALM}; causal: Dao et al. 2022 (FlashAttention), arXiv:2205.14135, section 4")
def attention_share(attention_flops_convention):
    """Share of the square of attention scores that is counted: all of it, or the causal half."""
    return 1.0 if attention_flops_convention == "full" else 0.5


@metric(unit="FLOP/token", source=f"{PALM}; mla expanded: DeepSeek-AI 2024, arXiv:2405.04434")
def attention_score_flops_per_layer(
    attention_kind, num_heads, head_dim, qk_nope_head_dim, qk_rope_head_dim, v_head_dim
):
    """Score and weighted value of one token against one other, in one layer."""
    mla_width = qk_nope_head_dim + qk_rope_head_dim + v_head_dim
    return 2.0 * num_heads * (mla_width if attention_kind == "mla" else 2 * head_dim)


@metric(unit="FLOP/token", source=PALM)
def attention_flops_per_token(attention_score_flops_per_layer, num_softmax_layers, sequence_length, attention_share):
    """Attention scores and weighted values of one token of a forward pass, under the named convention, no windows."""
    return attention_share * attention_score_flops_per_layer * num_softmax_layers * sequence_length


@metric(
    unit="FLOP/token",
    source="recurrent forms: Qin et al. 2024, arXiv:2401.04658; Yang et al. 2024, arXiv:2412.06464, equation 10",
)
def linear_attention_flops_per_token(
    linear_attention_kind,
    num_linear_layers,
    num_heads,
    head_dim,
    linear_num_value_heads,
    linear_key_head_dim,
    linear_value_head_dim,
):
    """State updates and reads of one token in all linear attention layers; chunked kernels do more, by their chunk.

    Lightning adds an outer product and reads the state; gated delta reads it once more, to see what it would replace.
    """
    lightning = 4.0 * num_heads * head_dim * head_dim
    delta = 6.0 * linear_num_value_heads * linear_key_head_dim * linear_value_head_dim
    layer = (
        lightning
        if linear_attention_kind == "lightning"
        else (delta if linear_attention_kind == "gated_delta" else 0.0)
    )
    return num_linear_layers * layer


@metric(unit="FLOP/token", source=f"{CHINCHILLA}; {PALM}")
def weight_flops_per_token(params_matmul_active):
    """Products with weights in one token's forward pass, logits included."""
    return 2.0 * params_matmul_active


@metric(unit="FLOP/token", source=f"{CHINCHILLA}; {PALM}")
def forward_flops_per_token(weight_flops_per_token, attention_flops_per_token, linear_attention_flops_per_token):
    """One token's forward pass, logits included."""
    return weight_flops_per_token + attention_flops_per_token + linear_attention_flops_per_token


@metric(unit="FLOP/token", source=PALM)
def train_flops_per_token(forward_flops_per_token):
    """Learning from one token: forward, and a backward of twice that; nothing recomputed."""
    return 3.0 * forward_flops_per_token


@metric(
    unit="FLOP/token",
    source="full: Narayanan et al. 2021, arXiv:2104.04473, eq. 3; selective: Korthikanti et al. 2022, arXiv:2205.05198",
)
def train_hardware_flops_per_token(
    recompute, train_flops_per_token, forward_flops_per_token, attention_flops_per_token, params_token_embedding
):
    """Learning from one token with what the backward pass computes again.

    Selective: the attention scores and weighted values once more. Full: every layer once more, but not the head.
    """
    layers = forward_flops_per_token - 2.0 * params_token_embedding
    again = layers if recompute == "full" else (attention_flops_per_token if recompute == "selective" else 0.0)
    return train_flops_per_token + again


@metric(unit="FLOP", source=PALM)
def train_flops(train_flops_per_token, train_tokens):
    """Model FLOPs of the whole training run, nothing recomputed."""
    return train_flops_per_token * train_tokens


@metric(unit="FLOP", source="Kaplan et al. 2020, arXiv:2001.08361, section 2.1: C = 6 N D")
def train_flops_6nd(params_active, train_tokens):
    """The rule of thumb 6 N D, with N all parameters a token passes through."""
    return 6.0 * params_active * train_tokens

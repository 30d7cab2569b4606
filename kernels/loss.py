"""Predicted loss L = E + (A Ñ**-alpha Q + B D̃**-beta)**kappa + penalties, under whichever fitted law the design names.

A, alpha, B, beta and E are the law's own, or what the law makes of them for this number of experts, this granularity
or this width and depth. Ñ and D̃ are what parameters and tokens are worth: repeated tokens, few bits and experts enter
there (see ``corrections``), and Q is the part of the gain from experts that follows the tokens, apart so that each
power is taken once per model and once per token budget.
"""

from kernels.graph import metric
from kernels.scalar import exp, log

FORM = "Hoffmann et al. 2022, arXiv:2203.15556, equation 2; coefficients and what N counts: the law's own source"
KAPLAN = "Kaplan et al. 2020, arXiv:2001.08361, equation 1.5; kappa = 1 is the sum of Hoffmann et al. 2022"
ROUTED = (
    "Clark et al. 2022, arXiv:2202.01169, equations 1 and 2; Ludziejewski et al. 2025, arXiv:2502.05172, equation 6"
)
GRANULAR = "Krajewski et al. 2024, arXiv:2402.07871, equation 9"
SPARSE = "Abnar et al. 2025, arXiv:2501.12370, equation 6"
SHAPED = "McLeish et al. 2025 (Gemstones), arXiv:2502.06857"


# ------------------------------------------------------------------------------------------------ what is counted


@metric(unit="", source="definition: all experts of a layer over those one token passes through, by width")
def expert_expansion(num_experts, experts_per_token, expert_ffn_size, shared_expert_ffn_size):
    """Experts per active expert of a MoE layer, shared ones on both sides; 1 for a dense model."""
    every = num_experts * expert_ffn_size + shared_expert_ffn_size
    used = experts_per_token * expert_ffn_size + shared_expert_ffn_size
    mixed = num_experts / experts_per_token if shared_expert_ffn_size == 0 else every / used
    return mixed if num_experts > 1 else 1.0


@metric(unit="", source="definition: the inverse of expert_expansion")
def expert_activation_ratio(expert_expansion):
    """Share of the experts of a MoE layer that one token passes through; 1 for a dense model."""
    return 1.0 / expert_expansion


@metric(unit="", source=f"{GRANULAR}, section 3: G = d_ff / d_expert with d_ff = 4 d")
def expert_granularity(num_experts, hidden_size, expert_ffn_size, ffn_size):
    """How many experts a standard MLP of four times the width is cut into."""
    return 4.0 * hidden_size / (expert_ffn_size if num_experts > 1 else ffn_size)


@metric(unit="FLOP/token", source="DeepSeek-AI 2024, arXiv:2401.02954, equation 2: M = 72 n d**2 + 12 n d l")
def non_embedding_flops_per_token(
    params_active_non_embedding, attention_score_flops_per_layer, num_softmax_layers, sequence_length
):
    """Training FLOPs a token without the head: 6 a weight, and attention over the full square of scores."""
    attention = 3.0 * attention_score_flops_per_layer * num_softmax_layers * sequence_length
    return 6.0 * params_active_non_embedding + attention


@metric(unit="", source="definition: hidden_size weights an expert, and its bias")
def router_params(num_moe_layers, hidden_size, num_experts, router_bias):
    """Parameters of all routers."""
    return num_moe_layers * num_experts * (hidden_size + router_bias)


@metric(unit="", source=FORM)
def law_params(
    law_params_counted,
    params_active,
    params_active_non_embedding,
    params_head,
    params_total,
    params_non_embedding,
    router_params,
    non_embedding_flops_per_token,
):
    """N as the law was fitted with it."""
    bare = (
        params_active_non_embedding + params_head if law_params_counted == "non_embedding_and_head" else params_active
    )
    active = params_active_non_embedding if law_params_counted == "non_embedding" else bare
    every = params_total if law_params_counted == "all_experts" else params_non_embedding - router_params
    all_experts = law_params_counted == "all_experts" or law_params_counted == "all_experts_non_embedding"
    counted = every if all_experts else active
    return non_embedding_flops_per_token / 6.0 if law_params_counted == "flops_per_token" else counted


@metric(unit="", source=FORM)
def law_active_params(law_params_counted, law_params, params_active, params_active_non_embedding):
    """Parameters that do the law's compute: N, or where N holds all experts those one token passes through."""
    bare = params_active_non_embedding if law_params_counted == "all_experts_non_embedding" else law_params
    return params_active if law_params_counted == "all_experts" else bare


@metric(unit="token", source="Kaplan et al. 2020, arXiv:2001.08361, section 4: D is unique tokens; S_min: equation 1.6")
def law_tokens(law_tokens_counted, train_tokens, unique_tokens, min_training_steps):
    """D as the law was fitted with it."""
    counted = min(train_tokens, unique_tokens) if law_tokens_counted == "unique" else train_tokens
    return min_training_steps if law_tokens_counted == "steps" else counted


# ---------------------------------------------------------------------------------- the law for these experts or shape


@metric(unit="", source=ROUTED)
def log_effective_experts(law_form, expert_expansion, law_experts_start, law_experts_max):
    """Logarithm of the experts a routed law sees, saturating at both ends; 0 under other laws."""
    start = 1.0 / (1.0 / law_experts_start - 1.0 / law_experts_max)
    seen = 1.0 / (1.0 / (expert_expansion - 1.0 + start) + 1.0 / law_experts_max)
    return log(seen) if law_form == "routed" else 0.0


@metric(unit="", source=f"{FORM}; routed: {ROUTED}; granular: {GRANULAR}")
def loss_params_scale(
    law_form,
    law_params_scale,
    law_has_draws,
    draw_params_scale,
    log_effective_experts,
    law_experts_params_power,
    law_granularity_scale,
    law_granularity_exponent,
    expert_granularity,
):
    """A, for this number of experts and this granularity."""
    drawn = draw_params_scale if law_has_draws else log(-1.0)
    plain = drawn if draw_params_scale == draw_params_scale else law_params_scale
    granular = plain + law_granularity_scale * expert_granularity ** (-law_granularity_exponent)
    routed = plain * exp(law_experts_params_power * log_effective_experts)
    return routed if law_form == "routed" else (granular if law_form == "granular" else plain)


@metric(unit="", source=f"{FORM}; routed: {ROUTED}")
def loss_params_exponent(
    law_form, law_params_exponent, law_has_draws, draw_params_exponent, law_experts_params_slope, log_effective_experts
):
    """alpha, for this number of experts."""
    drawn = draw_params_exponent if law_has_draws else log(-1.0)
    plain = drawn if draw_params_exponent == draw_params_exponent else law_params_exponent
    return plain - law_experts_params_slope * log_effective_experts if law_form == "routed" else plain


@metric(unit="", source=f"{FORM}; routed: {ROUTED}")
def loss_tokens_scale(
    law_form, law_tokens_scale, law_has_draws, draw_tokens_scale, law_experts_tokens_power, log_effective_experts
):
    """B, for this number of experts."""
    drawn = draw_tokens_scale if law_has_draws else log(-1.0)
    plain = drawn if draw_tokens_scale == draw_tokens_scale else law_tokens_scale
    return plain * exp(law_experts_tokens_power * log_effective_experts) if law_form == "routed" else plain


@metric(unit="", source=f"{FORM}; routed: {ROUTED}")
def loss_tokens_exponent(
    law_form, law_tokens_exponent, law_has_draws, draw_tokens_exponent, law_experts_tokens_slope, log_effective_experts
):
    """beta, for this number of experts."""
    drawn = draw_tokens_exponent if law_has_draws else log(-1.0)
    plain = drawn if draw_tokens_exponent == draw_tokens_exponent else law_tokens_exponent
    return plain - law_experts_tokens_slope * log_effective_experts if law_form == "routed" else plain


@metric(unit="", source=SPARSE)
def loss_sparse_scale(law_form, law_sparse_params_scale, law_sparse_activation_exponent, expert_activation_ratio):
    """Scale of the second term in parameters, which sparse laws have; 0 under others."""
    scale = law_sparse_params_scale * expert_activation_ratio ** (-law_sparse_activation_exponent)
    return scale if law_form == "sparse" else 0.0


@metric(unit="nat", source=f"{FORM}; sparse: {SPARSE}; shaped: {SHAPED}")
def loss_floor_nats(
    law_form,
    law_floor_nats,
    law_has_draws,
    draw_floor_nats,
    law_activation_scale,
    law_activation_exponent,
    expert_activation_ratio,
    law_width_scale,
    law_width_exponent,
    law_depth_scale,
    law_depth_exponent,
    hidden_size,
    num_layers,
):
    """What neither more parameters nor more tokens would remove, at this sparsity or shape."""
    drawn = draw_floor_nats if law_has_draws else log(-1.0)
    plain = drawn if draw_floor_nats == draw_floor_nats else law_floor_nats
    sparse = plain + law_activation_scale * expert_activation_ratio**law_activation_exponent
    width = law_width_scale * hidden_size ** (-law_width_exponent)
    shaped = plain + width + law_depth_scale * num_layers ** (-law_depth_exponent)
    return sparse if law_form == "sparse" else (shaped if law_form == "shaped" else plain)


# ------------------------------------------------------------------------------------------------------- the loss


@metric(unit="nat", source=f"{FORM}; sparse: {SPARSE}")
def loss_params_term_nats(
    loss_params_scale, loss_params_exponent, loss_sparse_scale, law_sparse_params_exponent, law_form, effective_params
):
    """Loss that more parameters would remove, before the power of a law that has one."""
    plain = loss_params_scale * effective_params ** (-loss_params_exponent)
    return (
        plain + loss_sparse_scale * effective_params ** (-law_sparse_params_exponent) if law_form == "sparse" else plain
    )


@metric(unit="nat", source=FORM)
def loss_tokens_term_nats(loss_tokens_scale, effective_tokens, loss_tokens_exponent):
    """Loss that more tokens would remove, before the power of a law that has one."""
    return loss_tokens_scale * effective_tokens ** (-loss_tokens_exponent)


@metric(unit="nat", source=f"{KAPLAN}; penalties: each its own column")
def loss_nats(
    loss_floor_nats,
    loss_params_term_nats,
    moe_tokens_factor,
    loss_tokens_term_nats,
    law_outer_exponent,
    capybara_penalty_nats,
    shape_penalty_nats,
    vocabulary_penalty_nats,
):
    """Predicted cross-entropy per token as trained, in nats of the law's own tokenizer and data."""
    terms = loss_params_term_nats * moe_tokens_factor + loss_tokens_term_nats
    powered = terms if law_outer_exponent == 1.0 else terms**law_outer_exponent
    penalties = capybara_penalty_nats + shape_penalty_nats + vocabulary_penalty_nats
    return loss_floor_nats + powered + penalties


@metric(unit="bit", source="definition: nats of a token over ln 2, times tokens of a character")
def bits_per_char(loss_nats, tokens_per_char):
    """Loss per character of text, which designs of different vocabularies can be compared by."""
    return loss_nats * tokens_per_char * 1.4426950408889634


# ----------------------------------------------------------------------------------------------- the fitted range


@metric(unit="", source="Hoffmann et al. 2022, arXiv:2203.15556, table 3")
def tokens_per_param(train_tokens, law_params):
    """Training tokens per parameter, N counted as the law counts it."""
    return train_tokens / law_params


@metric(unit="FLOP", source="Kaplan et al. 2020, arXiv:2001.08361, section 2.1: C = 6 N D")
def law_flops(law_active_params, train_tokens):
    """Training compute as the law counts it, 6 N D."""
    return 6.0 * law_active_params * train_tokens


@metric(unit="", source="the law's own source")
def params_in_fitted_range(law_params, law_min_params, law_max_params):
    """1 when N lies among the runs the law was fitted on; a bound that the source does not state cannot be broken."""
    return not (law_params < law_min_params or law_params > law_max_params)


@metric(unit="", source="the law's own source")
def tokens_in_fitted_range(law_tokens, law_min_tokens, law_max_tokens):
    """1 when D lies among the runs the law was fitted on."""
    return not (law_tokens < law_min_tokens or law_tokens > law_max_tokens)


@metric(unit="", source="the law's own source")
def flops_in_fitted_range(law_flops, law_min_flops, law_max_flops):
    """1 when training compute lies among the runs the law was fitted on."""
    return not (law_flops < law_min_flops or law_flops > law_max_flops)


@metric(unit="", source="the law's own source")
def expansion_in_fitted_range(expert_expansion, law_min_expansion, law_max_expansion):
    """1 when experts per active expert lie among the runs the law was fitted on."""
    return not (expert_expansion < law_min_expansion or expert_expansion > law_max_expansion)


@metric(unit="", source="the law's own source")
def in_fitted_range(
    params_in_fitted_range,
    tokens_in_fitted_range,
    flops_in_fitted_range,
    expansion_in_fitted_range,
    tokens_per_param,
    law_min_tokens_per_param,
    law_max_tokens_per_param,
    moe_gain_in_fitted_range,
):
    """1 when N, D, D/N, compute and experts all lie among the runs that were fitted, 0 marks an extrapolation.

    The runs are the law's, and those of the law of experts where one tells a dense law of them.
    """
    ratio = not (tokens_per_param < law_min_tokens_per_param or tokens_per_param > law_max_tokens_per_param)
    counts = params_in_fitted_range and tokens_in_fitted_range
    own = counts and flops_in_fitted_range and expansion_in_fitted_range and ratio
    return own and moe_gain_in_fitted_range


@metric(unit="", source="definition: 3 is three times more, or three times less, than any fitted run")
def times_outside_params(law_params, law_min_params, law_max_params):
    """How far N lies outside the fitted runs, as a factor; 1 inside."""
    inside = 1.0 if law_params == law_params else law_params
    below = law_min_params / law_params if law_params < law_min_params else inside
    return law_params / law_max_params if law_params > law_max_params else below


@metric(unit="", source="definition: 3 is three times more, or three times less, than any fitted run")
def times_outside_tokens(law_tokens, law_min_tokens, law_max_tokens):
    """How far D lies outside the fitted runs, as a factor; 1 inside."""
    inside = 1.0 if law_tokens == law_tokens else law_tokens
    below = law_min_tokens / law_tokens if law_tokens < law_min_tokens else inside
    return law_tokens / law_max_tokens if law_tokens > law_max_tokens else below


@metric(unit="", source="definition: 3 is three times more, or three times less, than any fitted run")
def times_outside_expansion(expert_expansion, law_min_expansion, law_max_expansion):
    """How far experts per active expert lie outside the fitted runs, as a factor; 1 inside."""
    below = law_min_expansion / expert_expansion if expert_expansion < law_min_expansion else 1.0
    return expert_expansion / law_max_expansion if expert_expansion > law_max_expansion else below


@metric(unit="", source="definition: the largest of the factors in N, D, D/N, compute and experts")
def times_outside_fitted_range(
    times_outside_params,
    times_outside_tokens,
    times_outside_expansion,
    tokens_per_param,
    law_min_tokens_per_param,
    law_max_tokens_per_param,
    law_flops,
    law_min_flops,
    law_max_flops,
    times_outside_moe_gain,
):
    """How far the design lies outside the fitted runs, as a factor in what is furthest; 1 inside."""
    few = law_min_tokens_per_param / tokens_per_param if tokens_per_param < law_min_tokens_per_param else 1.0
    ratio = tokens_per_param / law_max_tokens_per_param if tokens_per_param > law_max_tokens_per_param else few
    little = law_min_flops / law_flops if law_flops < law_min_flops else 1.0
    compute = law_flops / law_max_flops if law_flops > law_max_flops else little
    own = max(times_outside_params, times_outside_tokens, times_outside_expansion, ratio, compute)
    return max(own, times_outside_moe_gain)

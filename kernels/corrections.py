"""What corrects a law that does not know it: repeated data, training in few bits, experts, shape, vocabulary, and
quantisation after training.

The first three change what parameters and tokens are worth, so that they act inside the law:
Ñ = N'(N, unique tokens) * precision factor * expert factor, D̃ = D'(D, unique tokens). Each has a column that says
what it does to the loss, and each is switched off by the record ``none`` of its kind.
"""

from kernels.graph import metric
from kernels.roots import optimal_bits
from kernels.scalar import exp, log, log2

REPEATED = "Muennighoff et al. 2023, arXiv:2305.16264, equations 5, 6, 16 and 17"
KUMAR = "Kumar et al. 2024, arXiv:2411.04330, equations 3 and 4 with the offsets of appendix K, table 2"
CAPYBARA = "Sun et al. 2025 (Capybara), arXiv:2501.02423, equation 26"
JOINT = "Ludziejewski et al. 2025, arXiv:2502.05172, equation 6: compute of a dense model of the same optimal loss"
LEVERAGE = "Tian et al. 2025 (Ling), arXiv:2507.17702, equations 10 and 13; bases of the logarithms inferred"
SHAPED = "McLeish et al. 2025 (Gemstones), arXiv:2502.06857"
SAME_TOKENS = "off the optimum the gain is read at the same tokens: a dense model of m times the parameters"
QUANTISED = "Ouyang et al. 2024, arXiv:2411.17691, equation 8; Kumar et al. 2024, arXiv:2411.04330, equation 2"


# -------------------------------------------------------------------------------------------------- repeated data


@metric(unit="", source=f"{REPEATED}; laws whose D counts unique tokens state it themselves")
def repetition_counts(repetition_form, law_form, law_tokens_counted, law_repetition, unique_tokens):
    """1 when the loss is one of repeated tokens: there is a limit of unique ones, or the law always states it."""
    limited = unique_tokens < 1e300 or law_repetition == "own"
    applies = repetition_form != "none" and law_tokens_counted == "seen" and law_form != "allocation"
    return limited and applies


@metric(unit="", source="definition")
def epochs(train_tokens, unique_tokens):
    """How often every unique token is seen; 1 where there are as many as are trained on."""
    return max(1.0, train_tokens / unique_tokens)


@metric(unit="token", source=REPEATED)
def effective_tokens(repetition_counts, law_tokens, unique_tokens, repetition_tokens_decay):
    """D': what the tokens are worth in unique ones."""
    unique = min(law_tokens, unique_tokens)
    again = law_tokens / unique - 1.0
    worth = unique * (1.0 + repetition_tokens_decay * (1.0 - exp(-again / repetition_tokens_decay)))
    return worth if repetition_counts else law_tokens


@metric(unit="", source=f"{REPEATED}: G; Hoffmann et al. 2022, arXiv:2203.15556, equation 4")
def optimal_balance(loss_params_scale, loss_params_exponent, loss_tokens_scale, loss_tokens_exponent):
    """G = (alpha A / (beta B))**(1 / (alpha + beta)), which the optimum of the law turns on."""
    ratio = loss_params_exponent * loss_params_scale / (loss_tokens_exponent * loss_tokens_scale)
    return ratio ** (1.0 / (loss_params_exponent + loss_tokens_exponent))


@metric(unit="", source=f"{REPEATED}: U_N, the optimal parameters for that many unique tokens")
def repetition_base_params(optimal_balance, loss_params_exponent, loss_tokens_exponent, law_tokens, unique_tokens):
    """Parameters that the unique tokens are enough for."""
    power = loss_tokens_exponent / loss_params_exponent
    return optimal_balance * (optimal_balance * min(law_tokens, unique_tokens)) ** power


@metric(unit="", source=REPEATED)
def repeated_params(
    repetition_counts,
    law_repetition,
    law_params,
    law_tokens,
    unique_tokens,
    repetition_base_params,
    repetition_params_decay,
):
    """N': what the parameters are worth when tokens are repeated; a transferred law changes nothing before that."""
    enough = min(law_params, repetition_base_params)
    excess = law_params / enough - 1.0
    worth = enough * (1.0 + repetition_params_decay * (1.0 - exp(-excess / repetition_params_decay)))
    limited = worth if law_tokens > unique_tokens or law_repetition == "own" else law_params
    return limited if repetition_counts else law_params


# ---------------------------------------------------------------------------------------------- training in few bits


@metric(unit="", source=KUMAR)
def kumar_applies(law_precision, precision_form, train_number_kind):
    """1 when few bits cost effective parameters, by weights, activations and cache."""
    asked = precision_form == "kumar" or (precision_form == "by_format" and train_number_kind == "integer")
    return law_precision == "kumar" or (law_precision == "transferred" and asked)


@metric(unit="", source="Kumar et al. 2024, arXiv:2411.04330, appendix N")
def kumar_float_applies(law_precision, precision_form):
    """1 when few bits of floating-point weights cost effective parameters."""
    return law_precision == "kumar_float" or (law_precision == "transferred" and precision_form == "kumar_float")


@metric(unit="", source=CAPYBARA)
def capybara_applies(law_precision, precision_form, train_number_kind):
    """1 when few bits of a float add a term to the loss."""
    asked = precision_form == "capybara" or (precision_form == "by_format" and train_number_kind == "float")
    return law_precision == "capybara" or (law_precision == "transferred" and asked)


@metric(unit="", source=KUMAR)
def kumar_weight_factor(train_weight_bits, kumar_weight_bits, kumar_weight_offset):
    """Share of the parameters left by this many bits of weights; 0 below the fitted range."""
    return max(0.0, 1.0 - exp(-train_weight_bits / kumar_weight_bits + kumar_weight_offset))


@metric(unit="", source=KUMAR)
def kumar_activation_factor(train_activation_bits, kumar_activation_bits, kumar_activation_offset):
    """Share of the parameters left by this many bits of activations; 0 below the fitted range."""
    return max(0.0, 1.0 - exp(-train_activation_bits / kumar_activation_bits + kumar_activation_offset))


@metric(unit="", source=KUMAR)
def kumar_kv_factor(train_kv_bits, kumar_kv_bits, kumar_kv_offset):
    """Share of the parameters left by this many bits of keys and values; 0 below the fitted range."""
    return max(0.0, 1.0 - exp(-train_kv_bits / kumar_kv_bits + kumar_kv_offset))


@metric(unit="", source="Kumar et al. 2024, arXiv:2411.04330, appendix N; sign of the offset as for integers")
def kumar_float_factor(train_weight_bits, kumar_float_bits, kumar_float_offset):
    """Share of the parameters left by this many bits of floating-point weights."""
    return max(0.0, 1.0 - exp(-train_weight_bits / kumar_float_bits + kumar_float_offset))


@metric(unit="", source=f"{KUMAR}; transferred to another law, the factor is over its value at 16 bits")
def precision_params_factor(
    kumar_applies,
    kumar_float_applies,
    law_precision,
    kumar_weight_factor,
    kumar_activation_factor,
    kumar_kv_factor,
    kumar_weight_bits,
    kumar_weight_offset,
    kumar_activation_bits,
    kumar_activation_offset,
    kumar_kv_bits,
    kumar_kv_offset,
    kumar_float_factor,
    kumar_float_bits,
    kumar_float_offset,
):
    """What is left of the parameters by training in few bits; 1 at 16 bits under a law fitted in 16 bits."""
    weights = 1.0 - exp(-16.0 / kumar_weight_bits + kumar_weight_offset)
    activations = 1.0 - exp(-16.0 / kumar_activation_bits + kumar_activation_offset)
    cached = 1.0 - exp(-16.0 / kumar_kv_bits + kumar_kv_offset)
    full = weights * activations * cached if law_precision == "transferred" else 1.0
    full_float = 1.0 - exp(-16.0 / kumar_float_bits + kumar_float_offset) if law_precision == "transferred" else 1.0
    integer = min(1.0, kumar_weight_factor * kumar_activation_factor * kumar_kv_factor / full)
    floating = min(1.0, kumar_float_factor / full_float)
    return integer if kumar_applies else (floating if kumar_float_applies else 1.0)


@metric(unit="bit", source="Kumar et al. 2024, arXiv:2411.04330, equation 5: cost in proportion to N D P, alpha = beta")
def optimal_train_bits(
    kumar_weight_bits,
    kumar_weight_offset,
    kumar_activation_bits,
    kumar_activation_offset,
    kumar_kv_bits,
    kumar_kv_offset,
):
    """Bits of weights, activations and cache that train the best model of a budget when cost grows with bits."""
    return optimal_bits(
        kumar_weight_bits,
        kumar_weight_offset,
        kumar_activation_bits,
        kumar_activation_offset,
        kumar_kv_bits,
        kumar_kv_offset,
    )


@metric(unit="", source=f"{CAPYBARA}; formats of 16 bits and more are its own baseline")
def capybara_coefficient(
    capybara_applies,
    train_weight_bits,
    train_exponent_bits,
    train_mantissa_bits,
    train_scale_block,
    capybara_scale,
    capybara_exponent_bits_power,
    capybara_mantissa_bits_power,
):
    """What the format puts before D**beta / N**alpha in the term that few bits add; 0 at 16 bits."""
    exponent = (train_exponent_bits + 0.5) ** capybara_exponent_bits_power
    mantissa = (train_mantissa_bits + 0.5) ** capybara_mantissa_bits_power
    coefficient = log2(train_scale_block) / (capybara_scale * exponent * mantissa)
    return coefficient if capybara_applies and train_weight_bits < 16.0 else 0.0


@metric(unit="", source=CAPYBARA)
def capybara_params_factor(capybara_coefficient, params_active_non_embedding, capybara_params_exponent):
    """The part of the added term that is the model's: coefficient over N**alpha."""
    factor = capybara_coefficient * params_active_non_embedding ** (-capybara_params_exponent)
    return factor if capybara_coefficient > 0.0 else 0.0


@metric(unit="", source=CAPYBARA)
def capybara_tokens_factor(capybara_coefficient, train_tokens, capybara_tokens_exponent):
    """The part of the added term that is the tokens': D**beta."""
    return train_tokens**capybara_tokens_exponent if capybara_coefficient > 0.0 else 0.0


@metric(unit="nat", source=CAPYBARA)
def capybara_penalty_nats(capybara_params_factor, capybara_tokens_factor):
    """What training in a float of few bits adds to the loss."""
    return capybara_params_factor * capybara_tokens_factor


@metric(unit="token", source="Sun et al. 2025, arXiv:2501.02423, equation 41: where more tokens stop helping")
def critical_tokens(
    loss_tokens_scale,
    loss_tokens_exponent,
    capybara_params_factor,
    capybara_tokens_exponent,
):
    """Tokens beyond which training in this format gets worse: where the law's term and the added one balance."""
    falling = loss_tokens_exponent * loss_tokens_scale
    rising = capybara_tokens_exponent * capybara_params_factor
    return (falling / rising) ** (1.0 / (loss_tokens_exponent + capybara_tokens_exponent))


@metric(unit="bit", source="Sun et al. 2025, arXiv:2501.02423, equation 31")
def optimal_mantissa_bits(train_weight_bits, capybara_exponent_bits_power, capybara_mantissa_bits_power):
    """Mantissa bits of the best float of train_weight_bits, not rounded."""
    both = capybara_exponent_bits_power + capybara_mantissa_bits_power
    return capybara_mantissa_bits_power * train_weight_bits / both - 0.5


@metric(unit="bit", source="Sun et al. 2025, arXiv:2501.02423, equation 31")
def optimal_exponent_bits(train_weight_bits, capybara_exponent_bits_power, capybara_mantissa_bits_power):
    """Exponent bits of the best float of train_weight_bits, not rounded."""
    both = capybara_exponent_bits_power + capybara_mantissa_bits_power
    return capybara_exponent_bits_power * train_weight_bits / both - 0.5


# ------------------------------------------------------------------------------------------------------- experts


@metric(unit="", source="a law that has no experts of its own sees one expert's worth of a mixture")
def moe_gain_applies(moe_gain_form, law_form):
    """1 when a dense law is told of experts by another law."""
    return moe_gain_form != "none" and (law_form == "power" or law_form == "shaped")


@metric(unit="", source=f"{JOINT}; m = scale * (C / 6)**exponent in closed form, both laws being power laws of compute")
def joint_gain_scale(
    expert_expansion,
    moe_experts_start,
    moe_experts_max,
    moe_params_scale,
    moe_params_exponent,
    moe_params_power,
    moe_params_slope,
    moe_tokens_scale,
    moe_tokens_exponent,
    moe_tokens_power,
    moe_tokens_slope,
):
    """Dense compute over MoE compute of equal optimal loss, by effective experts, at N D = 1."""
    start = 1.0 / (1.0 / moe_experts_start - 1.0 / moe_experts_max)
    many = log(1.0 / (1.0 / (expert_expansion - 1.0 + start) + 1.0 / moe_experts_max))
    one = log(moe_experts_start)
    a = moe_params_exponent - moe_params_slope * many
    b = moe_tokens_exponent - moe_tokens_slope * many
    a1 = moe_params_exponent - moe_params_slope * one
    b1 = moe_tokens_exponent - moe_tokens_slope * one
    lm = log(moe_params_scale) + moe_params_power * many
    ln = log(moe_tokens_scale) + moe_tokens_power * many
    lm1 = log(moe_params_scale) + moe_params_power * one
    ln1 = log(moe_tokens_scale) + moe_tokens_power * one
    lg = (log(a / b) + lm - ln) / (a + b)
    lg1 = (log(a1 / b1) + lm1 - ln1) / (a1 + b1)
    lk = lm - a * lg + log((a + b) / b)
    lk1 = lm1 - a1 * lg1 + log((a1 + b1) / b1)
    return exp((lk1 - lk) * (a1 + b1) / (a1 * b1))


@metric(unit="", source=JOINT)
def joint_gain_exponent(
    expert_expansion,
    moe_experts_start,
    moe_experts_max,
    moe_params_exponent,
    moe_params_slope,
    moe_tokens_exponent,
    moe_tokens_slope,
):
    """How the gain by effective experts grows with compute, as a power."""
    start = 1.0 / (1.0 / moe_experts_start - 1.0 / moe_experts_max)
    many = log(1.0 / (1.0 / (expert_expansion - 1.0 + start) + 1.0 / moe_experts_max))
    one = log(moe_experts_start)
    a = moe_params_exponent - moe_params_slope * many
    b = moe_tokens_exponent - moe_tokens_slope * many
    a1 = moe_params_exponent - moe_params_slope * one
    b1 = moe_tokens_exponent - moe_tokens_slope * one
    return (a * b / (a + b)) / (a1 * b1 / (a1 + b1)) - 1.0


@metric(unit="", source=f"{LEVERAGE}; G = 2 d / d_expert there, half of expert_granularity")
def effective_activation(expert_activation_ratio, leverage_activation_start, leverage_activation_max):
    """Activation ratio as the leverage sees it, saturating at both ends."""
    start = 1.0 / (1.0 / leverage_activation_start - 1.0 / leverage_activation_max)
    return 1.0 / (1.0 / (expert_activation_ratio + start) + 1.0 / leverage_activation_max)


@metric(unit="", source=LEVERAGE)
def leverage_gain_scale(
    effective_activation,
    expert_granularity,
    leverage_exponent,
    leverage_compute_slope,
    leverage_granularity_square,
    leverage_granularity_slope,
):
    """Dense compute over MoE compute of equal loss, by leverage, at N D = 1."""
    g = log2(0.5 * expert_granularity)
    power = leverage_exponent + leverage_granularity_square * g * g + leverage_granularity_slope * g
    return effective_activation ** (power + leverage_compute_slope * log(6.0) / log(10.0))


@metric(unit="", source=LEVERAGE)
def leverage_gain_exponent(effective_activation, leverage_compute_slope):
    """How the gain by leverage grows with compute, as a power."""
    return leverage_compute_slope * log(effective_activation) / log(10.0)


@metric(unit="", source="equations 10 and 13 of the same paper at the optimum of the exponent")
def optimal_granularity(leverage_granularity_square, leverage_granularity_slope):
    """Granularity of the largest leverage, 2 d / d_expert as that law counts it."""
    return 2.0 ** (-leverage_granularity_slope / (2.0 * leverage_granularity_square))


@metric(unit="", source=f"effective_experts: {JOINT}; leverage: {LEVERAGE}")
def moe_gain_scale(moe_gain_applies, moe_gain_form, expert_expansion, joint_gain_scale, leverage_gain_scale):
    """Dense compute over MoE compute of equal loss, at N D = 1; 1 for a dense model, or where experts gain nothing."""
    gain = joint_gain_scale if moe_gain_form == "effective_experts" else leverage_gain_scale
    return (gain if expert_expansion > 1.0 else 1.0) if moe_gain_applies else 1.0


@metric(unit="", source=f"effective_experts: {JOINT}; leverage: {LEVERAGE}")
def moe_gain_exponent(moe_gain_applies, moe_gain_form, expert_expansion, joint_gain_exponent, leverage_gain_exponent):
    """How that gain grows with N D, as a power; 0 for a dense model."""
    power = joint_gain_exponent if moe_gain_form == "effective_experts" else leverage_gain_exponent
    return (power if expert_expansion > 1.0 else 0.0) if moe_gain_applies else 0.0


@metric(unit="", source=SAME_TOKENS)
def moe_params_factor(moe_gain_scale, moe_gain_exponent, law_params, moe_gain_applies):
    """The part of the gain from experts that is the model's: what its parameters count for."""
    return moe_gain_scale * law_params**moe_gain_exponent if moe_gain_applies else 1.0


@metric(unit="", source=SAME_TOKENS)
def moe_tokens_factor(moe_gain_exponent, train_tokens, loss_params_exponent, moe_gain_applies):
    """The part of the gain from experts that follows the tokens, as a factor on the parameter term."""
    return train_tokens ** (-moe_gain_exponent * loss_params_exponent) if moe_gain_applies else 1.0


@metric(unit="", source=f"effective_experts: {JOINT}; leverage: {LEVERAGE}")
def moe_compute_multiplier(moe_gain_scale, moe_gain_exponent, law_params, train_tokens):
    """How many times the compute a dense model takes for what this mixture reaches."""
    return moe_gain_scale * (law_params * train_tokens) ** moe_gain_exponent


@metric(unit="", source="Clark et al. 2022, arXiv:2202.01169, section 5: effective parameter count")
def dense_equivalent_params(
    law_form, law_params, loss_params_scale, loss_params_exponent, law_params_scale, law_params_exponent,
    law_experts_start, law_experts_params_power, law_experts_params_slope, law_tokens_scale,
):  # fmt: skip
    """Parameters of the dense model that a law of N and experts gives the same loss; nan where tokens enter as well, N
    under laws without experts."""
    one = log(law_experts_start)
    scale = law_params_scale * exp(law_experts_params_power * one)
    exponent = law_params_exponent - law_experts_params_slope * one
    same = (scale / loss_params_scale * law_params**loss_params_exponent) ** (1.0 / exponent)
    alone = same if law_tokens_scale == 0.0 else log(-1.0)
    return alone if law_form == "routed" else law_params


@metric(unit="", source="the record of the correction")
def moe_gain_in_fitted_range(
    moe_gain_applies,
    expert_expansion,
    moe_min_expansion,
    moe_max_expansion,
    law_flops,
    moe_min_flops,
    moe_max_flops,
):
    """1 when experts and compute lie among the runs that the gain from experts was fitted on, or none is counted."""
    many = not (expert_expansion < moe_min_expansion or expert_expansion > moe_max_expansion)
    compute = not (law_flops < moe_min_flops or law_flops > moe_max_flops)
    return not (moe_gain_applies and expert_expansion > 1.0) or (many and compute)


@metric(unit="", source="definition: 3 is three times more, or three times less, than any fitted run")
def times_outside_moe_gain(
    moe_gain_applies,
    expert_expansion,
    moe_min_expansion,
    moe_max_expansion,
    law_flops,
    moe_min_flops,
    moe_max_flops,
):
    """How far the design lies outside the runs that the gain from experts was fitted on; 1 inside or without it."""
    few = moe_min_expansion / expert_expansion if expert_expansion < moe_min_expansion else 1.0
    many = expert_expansion / moe_max_expansion if expert_expansion > moe_max_expansion else few
    little = moe_min_flops / law_flops if law_flops < moe_min_flops else 1.0
    much = law_flops / moe_max_flops if law_flops > moe_max_flops else little
    return (max(many, much) if expert_expansion > 1.0 else 1.0) if moe_gain_applies else 1.0


@metric(unit="", source=f"{REPEATED}; {KUMAR}; {JOINT}")
def effective_params(repeated_params, precision_params_factor, moe_params_factor):
    """Ñ: what the parameters are worth under the law, but for the part of the gain from experts in the tokens."""
    return repeated_params * precision_params_factor * moe_params_factor


# ------------------------------------------------------------------------------------------------------------ shape


@metric(unit="nat", source=f"{SHAPED}; off by default: inside aspect ratios of 16 to 512 the loss hardly moves")
def shape_penalty_nats(
    shape_form,
    law_form,
    hidden_size,
    num_layers,
    params_active_non_embedding,
    reference_aspect_ratio,
    shape_width_scale,
    shape_width_exponent,
    shape_depth_scale,
    shape_depth_exponent,
):
    """Loss at this width and depth less that of a model of equal size and of the reference aspect ratio."""
    depth = (params_active_non_embedding / (12.0 * reference_aspect_ratio * reference_aspect_ratio)) ** (1.0 / 3.0)
    width = depth * reference_aspect_ratio
    own = shape_width_scale * hidden_size ** (-shape_width_exponent) + shape_depth_scale * num_layers ** (
        -shape_depth_exponent
    )
    reference = shape_width_scale * width ** (-shape_width_exponent) + shape_depth_scale * depth ** (
        -shape_depth_exponent
    )
    return own - reference if shape_form != "none" and law_form != "shaped" else 0.0


# ------------------------------------------------------------------------------------------- what each one does


@metric(unit="nat", source="the law as printed, without any correction")
def loss_before_corrections_nats(
    loss_floor_nats,
    loss_params_scale,
    loss_params_exponent,
    loss_sparse_scale,
    law_sparse_params_exponent,
    law_form,
    law_params,
    loss_tokens_scale,
    loss_tokens_exponent,
    law_tokens,
    law_outer_exponent,
):
    """Predicted loss if every token were new, every number of 16 bits and every expert the only one."""
    plain = loss_params_scale * law_params ** (-loss_params_exponent)
    second = loss_sparse_scale * law_params ** (-law_sparse_params_exponent) if law_form == "sparse" else 0.0
    terms = plain + second + loss_tokens_scale * law_tokens ** (-loss_tokens_exponent)
    return loss_floor_nats + (terms if law_outer_exponent == 1.0 else terms**law_outer_exponent)


@metric(unit="nat", source=REPEATED)
def loss_repeated_nats(
    loss_floor_nats,
    loss_params_scale,
    loss_params_exponent,
    loss_sparse_scale,
    law_sparse_params_exponent,
    law_form,
    repeated_params,
    loss_tokens_term_nats,
    law_outer_exponent,
):
    """Predicted loss with repeated tokens, every number of 16 bits and every expert the only one."""
    plain = loss_params_scale * repeated_params ** (-loss_params_exponent)
    second = loss_sparse_scale * repeated_params ** (-law_sparse_params_exponent) if law_form == "sparse" else 0.0
    terms = plain + second + loss_tokens_term_nats
    return loss_floor_nats + (terms if law_outer_exponent == 1.0 else terms**law_outer_exponent)


@metric(unit="nat", source=KUMAR)
def loss_precise_nats(
    loss_floor_nats,
    loss_params_scale,
    loss_params_exponent,
    loss_sparse_scale,
    law_sparse_params_exponent,
    law_form,
    repeated_params,
    precision_params_factor,
    loss_tokens_term_nats,
    law_outer_exponent,
):
    """Predicted loss with repeated tokens and in the bits trained in, every expert the only one, no added terms."""
    worth = repeated_params * precision_params_factor
    plain = loss_params_scale * worth ** (-loss_params_exponent)
    second = loss_sparse_scale * worth ** (-law_sparse_params_exponent) if law_form == "sparse" else 0.0
    terms = plain + second + loss_tokens_term_nats
    return loss_floor_nats + (terms if law_outer_exponent == 1.0 else terms**law_outer_exponent)


@metric(unit="nat", source=REPEATED)
def repetition_penalty_nats(repetition_counts, loss_repeated_nats, loss_before_corrections_nats):
    """What repeating tokens adds to the loss."""
    return loss_repeated_nats - loss_before_corrections_nats if repetition_counts else 0.0


@metric(unit="nat", source=f"{KUMAR}; {CAPYBARA}")
def train_precision_penalty_nats(precision_params_factor, loss_precise_nats, loss_repeated_nats, capybara_penalty_nats):
    """What training in few bits adds to the loss."""
    worth_less = loss_precise_nats - loss_repeated_nats if precision_params_factor != 1.0 else 0.0
    return worth_less + capybara_penalty_nats


@metric(unit="nat", source=f"effective_experts: {JOINT}; leverage: {LEVERAGE}")
def moe_gain_nats(
    moe_gain_applies,
    loss_nats,
    capybara_penalty_nats,
    shape_penalty_nats,
    vocabulary_penalty_nats,
    loss_precise_nats,
):
    """What the experts that a dense law does not see add to the loss: less than nothing."""
    own = loss_nats - capybara_penalty_nats - shape_penalty_nats - vocabulary_penalty_nats
    return own - loss_precise_nats if moe_gain_applies else 0.0


# ------------------------------------------------------------------------------------ quantisation after training


@metric(unit="nat", source=QUANTISED)
def ptq_penalty_unclipped_nats(
    served_bits,
    train_weight_bits,
    train_tokens,
    ptq_params_counted,
    params_active,
    params_active_non_embedding,
    ptq_scale,
    ptq_tokens_exponent,
    ptq_params_exponent,
    ptq_bits_exponent,
    ptq_bits_decay,
):
    """What serving in fewer bits than were trained in adds to the loss, as the law says however far outside it is."""
    params = params_active_non_embedding if ptq_params_counted == "non_embedding" else params_active
    size = train_tokens**ptq_tokens_exponent * params ** (-ptq_params_exponent)
    bits = exp(-served_bits / ptq_bits_decay) * served_bits ** (-ptq_bits_exponent)
    return ptq_scale * size * bits if served_bits < min(16.0, train_weight_bits) else 0.0


@metric(unit="nat", source=f"{QUANTISED}; clipped: no model need be worse than guessing evenly among the vocabulary")
def ptq_penalty_nats(ptq_penalty_unclipped_nats, loss_nats, vocab_size):
    """What serving in fewer bits than were trained in adds to the loss; never in loss_nats, always apart."""
    return min(ptq_penalty_unclipped_nats, max(0.0, log(vocab_size) - loss_nats))


@metric(unit="nat", source=QUANTISED)
def served_loss_nats(loss_nats, ptq_penalty_nats):
    """Predicted loss as served: as trained, and what quantising after training adds."""
    return loss_nats + ptq_penalty_nats


@metric(unit="", source="the record of the correction")
def ptq_in_fitted_range(
    served_bits,
    ptq_min_bits,
    ptq_max_bits,
    ptq_params_counted,
    params_active,
    params_active_non_embedding,
    ptq_min_params,
    ptq_max_params,
    train_tokens,
    ptq_min_tokens,
    ptq_max_tokens,
    train_weight_bits,
):
    """1 when bits, parameters and tokens lie among the models quantisation was measured on, or nothing is quantised."""
    params = params_active_non_embedding if ptq_params_counted == "non_embedding" else params_active
    bits = not (served_bits < ptq_min_bits or served_bits > ptq_max_bits)
    size = not (params < ptq_min_params or params > ptq_max_params)
    tokens = not (train_tokens < ptq_min_tokens or train_tokens > ptq_max_tokens)
    return not (served_bits < min(16.0, train_weight_bits)) or (bits and size and tokens)

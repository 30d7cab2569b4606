"""What experts gain a law that does not see them: a factor on compute, by another law."""

from kernels.graph import metric
from kernels.scalar import exp, log, log2

JOINT = "Ludziejewski et al. 2025, arXiv:2502.05172, equation 6: compute of a dense model of the same optimal loss"
LEVERAGE = "Tian et al. 2025 (Ling), arXiv:2507.17702, equations 10 and 13; bases of the logarithms inferred"
SAME_TOKENS = "off the optimum the gain is read at the same tokens: a dense model of m times the parameters"


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

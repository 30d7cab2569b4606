"""What corrects a law that does not know it: repeated data, training in few bits, experts, shape, vocabulary, and
quantisation after training.

The first three change what parameters and tokens are worth, so that they act inside the law:
Ñ = N'(N, unique tokens) * precision factor * expert factor, D̃ = D'(D, unique tokens). Each has a column that says
what it does to the loss, here, and each is switched off by the record ``none`` of its kind.
"""

from kernels.graph import metric

REPEATED = "Muennighoff et al. 2023, arXiv:2305.16264, equations 5, 6, 16 and 17"
KUMAR = "Kumar et al. 2024, arXiv:2411.04330, equations 3 and 4 with the offsets of appendix K, table 2"
CAPYBARA = "Sun et al. 2025 (Capybara), arXiv:2501.02423, equation 26"
JOINT = "Ludziejewski et al. 2025, arXiv:2502.05172, equation 6: compute of a dense model of the same optimal loss"
LEVERAGE = "Tian et al. 2025 (Ling), arXiv:2507.17702, equations 10 and 13; bases of the logarithms inferred"
SHAPED = "McLeish et al. 2025 (Gemstones), arXiv:2502.06857"


@metric(unit="", source=f"{REPEATED}; {KUMAR}; {JOINT}")
def effective_params(repeated_params, precision_params_factor, moe_params_factor):
    """Ñ: what the parameters are worth under the law, but for the part of the gain from experts in the tokens."""
    return repeated_params * precision_params_factor * moe_params_factor


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

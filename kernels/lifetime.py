"""The model to train because it will be served: least FLOPs, or least money, over training and a demand, at equal loss.

Sardana et al. 2023 minimise 6 N D + 2 N D_inf at a loss. Under a law of two powers the compute-optimal point of that
loss is known, and how far past it to train, u = (D / D_opt)**beta - 1, is the root of one equation in one unknown; N
and D follow in closed form. In money a token served costs what the GPU and the number format really take, a part of it
in proportion to N (weights read, products) and the rest (cache, launches) to N**(1/3), as layers do when width and
depth grow together.
"""

from kernels.graph import default, metric
from kernels.lifetime_steps import (
    growth_flat_near,
    growth_near,
    lifetime_near,
    lifetime_params_near,
    repeated_lifetime_near,
    repeated_params_near,
)
from kernels.roots import lifetime_growth, lifetime_growth_flat, lifetime_optimal_params, lifetime_optimal_tokens
from kernels.scalar import exp, log

SARDANA = "Sardana et al. 2023, arXiv:2401.00448, equations 2 and 3"
COST = "Sardana et al. 2023, arXiv:2401.00448, equations 5 and 6, with the serving cost of the roofline"
POPE = "Pope et al. 2022, arXiv:2211.05102, section 2"


@default(kind="float", unit="nat", source="the design's own predicted loss")
def target_loss_nats(loss_nats):
    """loss that the model of least lifetime cost has to reach"""
    return loss_nats


@metric(unit="FLOP", source=f"{SARDANA}: 6 N D + 2 N D_inf")
def lifetime_flops(law_active_params, train_tokens, inference_tokens):
    """Training and serving inference_tokens, N the active parameters as the law counts them."""
    return law_active_params * (6.0 * train_tokens + 2.0 * inference_tokens)


@metric(unit="nat", source="definition; nan where the law has no compute, or the target lies below its floor")
def target_above_floor_nats(
    law_compute, law_form, target_loss_nats, loss_floor_nats, shape_penalty_nats, vocabulary_penalty_nats,
    law_outer_exponent, law_optimal_params_scale,
):  # fmt: skip
    """What parameters and tokens have to bring the loss down to, above the floor."""
    above = target_loss_nats - loss_floor_nats - shape_penalty_nats - vocabulary_penalty_nats
    powered = above if law_outer_exponent == 1.0 else above ** (1.0 / law_outer_exponent)
    return powered if law_compute == "6nd" and law_form != "allocation" else law_optimal_params_scale * 0.0


@metric(unit="", source=f"{SARDANA}: two powers, and experts whose gain does not follow the tokens")
def lifetime_is_closed(optimum_is_closed, moe_gain_exponent):
    """1 when the optimum over the lifetime is the root of one equation in one unknown."""
    return optimum_is_closed and moe_gain_exponent == 0.0


@metric(unit="token", source="Hoffmann et al. 2022, arXiv:2203.15556: D_opt(L), two powers")
def target_tokens(target_above_floor_nats, loss_params_exponent, loss_tokens_scale, loss_tokens_exponent):
    """Tokens of the compute-optimal model of the target loss."""
    scale = loss_tokens_scale * (1.0 + loss_tokens_exponent / loss_params_exponent)
    return (scale / target_above_floor_nats) ** (1.0 / loss_tokens_exponent)


@metric(unit="", source="Hoffmann et al. 2022, arXiv:2203.15556: N_opt(L), two powers")
def target_params(
    target_above_floor_nats, loss_params_scale, loss_params_exponent, loss_tokens_exponent, worth_of_a_parameter
):
    """Parameters of the compute-optimal model of the target loss."""
    scale = loss_params_scale * (1.0 + loss_params_exponent / loss_tokens_exponent)
    return (scale / target_above_floor_nats) ** (1.0 / loss_params_exponent) / worth_of_a_parameter


@metric(unit="", source="definition")
def target_log_above(target_above_floor_nats):
    """Logarithm of what parameters and tokens have to bring the loss down to."""
    return log(target_above_floor_nats)


@metric(unit="", source="Hoffmann et al. 2022, arXiv:2203.15556: D_opt(L), two powers")
def target_log_tokens_scale(loss_params_exponent, loss_tokens_scale, loss_tokens_exponent):
    """ln of the compute-optimal tokens of a loss that lies one nat above the floor."""
    return log(loss_tokens_scale * (1.0 + loss_tokens_exponent / loss_params_exponent)) / loss_tokens_exponent


@metric(unit="", source="Hoffmann et al. 2022, arXiv:2203.15556: N_opt(L), two powers")
def target_log_params_scale(loss_params_scale, loss_params_exponent, loss_tokens_exponent, worth_of_a_parameter):
    """ln of the compute-optimal parameters of a loss that lies one nat above the floor."""
    scale = loss_params_scale * (1.0 + loss_params_exponent / loss_tokens_exponent)
    return log(scale) / loss_params_exponent - log(worth_of_a_parameter)


@metric(unit="", source=SARDANA)
def lifetime_log_demand(inference_tokens, loss_params_exponent, loss_tokens_exponent):
    """ln of the demand as it enters the optimum: beta / (alpha + beta) D_inf / 3."""
    share = loss_tokens_exponent / (loss_params_exponent + loss_tokens_exponent)
    return log(share * inference_tokens / 3.0)


@metric(unit="", source=SARDANA)
def lifetime_log_demand_over_tokens(
    lifetime_log_demand, target_log_tokens_scale, target_log_above, loss_tokens_exponent
):
    """ln of the demand, as it enters the optimum, over the tokens of the compute-optimal model of the target loss."""
    return lifetime_log_demand - (target_log_tokens_scale - target_log_above / loss_tokens_exponent)


@metric(unit="", source=f"{SARDANA}; Halley's method")
def stepped_growth_of_tokens(lifetime_log_demand_over_tokens, loss_tokens_exponent):
    """(D / D_opt)**beta - 1 of the model of least lifetime FLOPs; nan where a few steps do not settle it."""
    return growth_near(lifetime_log_demand_over_tokens, loss_tokens_exponent)


@metric(unit="", source=SARDANA)
def lifetime_growth_of_tokens(stepped_growth_of_tokens, lifetime_log_demand_over_tokens, loss_tokens_exponent):
    """(D / D_opt)**beta - 1 of the model of least lifetime FLOPs, D_opt the tokens of the compute-optimal one."""
    is_near = stepped_growth_of_tokens == stepped_growth_of_tokens
    return stepped_growth_of_tokens if is_near else lifetime_growth(
        lifetime_log_demand_over_tokens, loss_tokens_exponent
    )  # fmt: skip


@metric(unit="token", source="Newton's method along the curve of equal loss, from two powers")
def stepped_lifetime_tokens(
    target_above_floor_nats, inference_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
    loss_params_exponent, law_form, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale,
    loss_tokens_exponent, capybara_coefficient, added_scale, capybara_params_exponent, capybara_tokens_exponent,
):  # fmt: skip
    """Tokens of the model of least lifetime FLOPs and all tokens new; nan where a few steps do not settle it."""
    return lifetime_near(
        target_above_floor_nats, inference_tokens / 3.0, 0.0, worth_of_a_parameter, moe_gain_exponent,
        loss_params_scale, loss_params_exponent, loss_sparse_scale if law_form == "sparse" else 0.0,
        law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent,
        added_scale if capybara_coefficient > 0.0 else 0.0, capybara_params_exponent, capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="token", source="Newton's method along the curve of equal loss, past the unique tokens")
def stepped_repeated_lifetime_tokens(
    stepped_lifetime_tokens, target_above_floor_nats, inference_tokens, worth_of_a_parameter,
    moe_gain_exponent, loss_params_scale, loss_params_exponent, law_form, loss_sparse_scale,
    law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent, unique_tokens, repetition_tokens_decay,
    repetition_params_decay, optimal_balance, capybara_coefficient, added_scale, capybara_params_exponent,
    capybara_tokens_exponent,
):  # fmt: skip
    """Tokens of the model of least lifetime FLOPs under a law told of repeats; nan if not settled."""
    return repeated_lifetime_near(
        stepped_lifetime_tokens, target_above_floor_nats, inference_tokens / 3.0, 0.0, worth_of_a_parameter,
        moe_gain_exponent, loss_params_scale, loss_params_exponent,
        loss_sparse_scale if law_form == "sparse" else 0.0, law_sparse_params_exponent, loss_tokens_scale,
        loss_tokens_exponent, unique_tokens, repetition_tokens_decay, repetition_params_decay, optimal_balance,
        added_scale if capybara_coefficient > 0.0 else 0.0, capybara_params_exponent, capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="token", source="the root of the derivative along the curve of equal loss")
def solved_lifetime_tokens(
    stepped_lifetime_tokens, stepped_repeated_lifetime_tokens, target_above_floor_nats, inference_tokens,
    worth_of_a_parameter, moe_gain_exponent, loss_params_scale, loss_params_exponent, loss_sparse_scale,
    law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent, repetition_counts, law_repetition,
    unique_tokens, repetition_tokens_decay, repetition_params_decay, optimal_balance, added_scale,
    capybara_params_exponent, capybara_tokens_exponent,
):  # fmt: skip
    """Tokens of the model of least lifetime FLOPs, where there is no closed form."""
    near = stepped_repeated_lifetime_tokens if repetition_counts else stepped_lifetime_tokens
    is_near = not (repetition_counts and law_repetition == "own") and near == near
    return near if is_near else lifetime_optimal_tokens(
        target_above_floor_nats, inference_tokens / 3.0, 0.0, worth_of_a_parameter, moe_gain_exponent,
        loss_params_scale, loss_params_exponent, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale,
        loss_tokens_exponent, repetition_counts, 1 if law_repetition == "own" else 0, unique_tokens,
        repetition_tokens_decay, repetition_params_decay, optimal_balance, added_scale, capybara_params_exponent,
        capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="token", source=SARDANA)
def inference_optimal_tokens(
    lifetime_is_closed, target_log_tokens_scale, target_log_above, lifetime_growth_of_tokens, loss_tokens_exponent,
    solved_lifetime_tokens,
):  # fmt: skip
    """Training tokens of the model that reaches the target loss with the least lifetime FLOPs."""
    grown = (log(1.0 + lifetime_growth_of_tokens) - target_log_above) / loss_tokens_exponent
    return exp(target_log_tokens_scale + grown) if lifetime_is_closed else solved_lifetime_tokens


@metric(unit="", source="Newton's method in the law at the solved optimum")
def stepped_lifetime_params(
    target_above_floor_nats, inference_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
    loss_params_exponent, law_form, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale,
    loss_tokens_exponent, repetition_counts, unique_tokens, repetition_tokens_decay, repetition_params_decay,
    optimal_balance, capybara_coefficient, added_scale, capybara_params_exponent, capybara_tokens_exponent,
):  # fmt: skip
    """Parameters of the model of least lifetime FLOPs; nan where a few steps do not settle them."""
    second = loss_sparse_scale if law_form == "sparse" else 0.0
    added = added_scale if capybara_coefficient > 0.0 else 0.0
    return repeated_params_near(
        target_above_floor_nats, inference_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
        loss_params_exponent, second, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent,
        unique_tokens, repetition_tokens_decay, repetition_params_decay, optimal_balance, added,
        capybara_params_exponent, capybara_tokens_exponent,
    ) if repetition_counts else lifetime_params_near(
        target_above_floor_nats, inference_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
        loss_params_exponent, second, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent, added,
        capybara_params_exponent, capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="", source="the law at the solved optimum")
def solved_lifetime_params(
    stepped_lifetime_params, target_above_floor_nats, inference_optimal_tokens, worth_of_a_parameter, moe_gain_exponent,
    loss_params_scale, loss_params_exponent, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale,
    loss_tokens_exponent, repetition_counts, law_repetition, unique_tokens, repetition_tokens_decay,
    repetition_params_decay, optimal_balance, added_scale, capybara_params_exponent, capybara_tokens_exponent,
):  # fmt: skip
    """Parameters of the model of least lifetime FLOPs, where there is no closed form."""
    is_near = not (repetition_counts and law_repetition == "own") and stepped_lifetime_params == stepped_lifetime_params
    return stepped_lifetime_params if is_near else lifetime_optimal_params(
        target_above_floor_nats, inference_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
        loss_params_exponent, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent,
        repetition_counts, 1 if law_repetition == "own" else 0, unique_tokens, repetition_tokens_decay,
        repetition_params_decay, optimal_balance, added_scale, capybara_params_exponent, capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="", source=SARDANA)
def inference_optimal_params(
    lifetime_is_closed, target_log_params_scale, target_log_above, lifetime_growth_of_tokens, loss_params_exponent,
    loss_tokens_exponent, solved_lifetime_params,
):  # fmt: skip
    """Parameters, as the law counts them, of the model that reaches the target loss with the least lifetime FLOPs."""
    share = loss_tokens_exponent / (loss_params_exponent + loss_tokens_exponent)
    left = 1.0 + (1.0 - share) / share * (lifetime_growth_of_tokens / (1.0 + lifetime_growth_of_tokens))
    closed = exp(target_log_params_scale - (target_log_above + log(left)) / loss_params_exponent)
    return closed if lifetime_is_closed else solved_lifetime_params


@metric(unit="FLOP", source=f"{SARDANA}: 6 N D + 2 N D_inf")
def inference_optimal_lifetime_flops(
    inference_optimal_params, inference_optimal_tokens, inference_tokens, law_active_params, law_params
):
    """Training and serving the model of least lifetime FLOPs; experts in the proportion of the design's."""
    active = inference_optimal_params * (law_active_params / law_params)
    return active * (6.0 * inference_optimal_tokens + 2.0 * inference_tokens)


# ----------------------------------------------------------------------------------------------------- in money


@metric(unit="USD/token", source=f"{POPE}; the mix of memory and compute and the GPUs are the design's")
def serve_usd_per_token_by_size(
    prefill_s, output_tokens, decode_products_s, serve_tensor_parallel, batch_size, context_tokens, draft_tokens,
    decode_step_s, decode_s_per_token, gpu_hour_usd,
):  # fmt: skip
    """The part of a served token's cost that is in proportion to the model: weights read and products computed.

    Drafts make all of a step cheaper alike.
    """
    step = decode_products_s if draft_tokens == 0 else decode_products_s * (decode_s_per_token / decode_step_s)
    seconds = (prefill_s + output_tokens * step) / (batch_size * context_tokens)
    return seconds * serve_tensor_parallel * gpu_hour_usd / 3600.0


@metric(unit="USD/token", source="definition: what is left")
def serve_usd_per_token_by_depth(serve_usd_per_million_tokens, serve_usd_per_token_by_size):
    """The rest of a served token's cost: cache read, launches, traffic between GPUs."""
    return max(0.0, serve_usd_per_million_tokens / 1e6 - serve_usd_per_token_by_size)


@metric(unit="token", source=COST)
def served_as_trained_tokens(train_usd, train_tokens, inference_tokens, serve_usd_per_token_by_size):
    """Training tokens that cost as much as serving the demand does, of what is in proportion to the model."""
    return inference_tokens * serve_usd_per_token_by_size * train_tokens / train_usd


@metric(unit="token", source=COST)
def served_as_trained_flat(train_usd, law_params, train_tokens, inference_tokens, serve_usd_per_token_by_depth):
    """The same of what goes with N**(1/3), a third of it, times the design's N**(2/3)."""
    spent = inference_tokens * serve_usd_per_token_by_depth * train_tokens / train_usd
    return spent * law_params ** (2.0 / 3.0) / 3.0


@metric(unit="", source=COST)
def usd_log_demand_over_tokens(
    served_as_trained_tokens, target_log_tokens_scale, target_log_above, loss_params_exponent, loss_tokens_exponent
):
    """ln of what is in proportion to N, as it enters the optimum, over the tokens of the compute-optimal model."""
    share = loss_tokens_exponent / (loss_params_exponent + loss_tokens_exponent)
    log_tokens = target_log_tokens_scale - target_log_above / loss_tokens_exponent
    return log(share * served_as_trained_tokens) - log_tokens


@metric(unit="", source=COST)
def usd_log_flat_over_tokens(
    served_as_trained_flat, target_log_tokens_scale, target_log_params_scale, target_log_above, loss_params_exponent,
    loss_tokens_exponent,
):  # fmt: skip
    """The same of what goes with N**(1/3)."""
    share = loss_tokens_exponent / (loss_params_exponent + loss_tokens_exponent)
    log_tokens = target_log_tokens_scale - target_log_above / loss_tokens_exponent
    log_params = target_log_params_scale - target_log_above / loss_params_exponent
    return log(share * served_as_trained_flat) - 2.0 / 3.0 * log_params - log_tokens


@metric(unit="", source=f"{COST}; Newton's method")
def stepped_usd_growth_of_tokens(
    usd_log_demand_over_tokens, usd_log_flat_over_tokens, loss_params_exponent, loss_tokens_exponent
):
    """(D / D_opt)**beta - 1 of the model of least lifetime dollars; nan where a few steps do not settle it."""
    share = loss_tokens_exponent / (loss_params_exponent + loss_tokens_exponent)
    return growth_flat_near(
        usd_log_demand_over_tokens, usd_log_flat_over_tokens, share, loss_params_exponent, loss_tokens_exponent,
        2.0 / 3.0,
    )  # fmt: skip


@metric(unit="", source=COST)
def usd_growth_of_tokens(
    stepped_usd_growth_of_tokens, usd_log_demand_over_tokens, usd_log_flat_over_tokens, loss_params_exponent,
    loss_tokens_exponent,
):  # fmt: skip
    """(D / D_opt)**beta - 1 of the model of least lifetime dollars."""
    share = loss_tokens_exponent / (loss_params_exponent + loss_tokens_exponent)
    is_near = stepped_usd_growth_of_tokens == stepped_usd_growth_of_tokens
    return stepped_usd_growth_of_tokens if is_near else lifetime_growth_flat(
        usd_log_demand_over_tokens, usd_log_flat_over_tokens, share, loss_params_exponent, loss_tokens_exponent,
        2.0 / 3.0,
    )  # fmt: skip


@metric(unit="token", source="Newton's method along the curve of equal loss, from two powers")
def stepped_usd_tokens(
    target_above_floor_nats, served_as_trained_tokens, served_as_trained_flat, worth_of_a_parameter, moe_gain_exponent,
    loss_params_scale, loss_params_exponent, law_form, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale,
    loss_tokens_exponent, capybara_coefficient, added_scale, capybara_params_exponent, capybara_tokens_exponent,
):  # fmt: skip
    """Tokens of the model of least lifetime dollars and all tokens new; nan where a few steps do not settle it."""
    return lifetime_near(
        target_above_floor_nats, served_as_trained_tokens, served_as_trained_flat, worth_of_a_parameter,
        moe_gain_exponent, loss_params_scale, loss_params_exponent, loss_sparse_scale if law_form == "sparse" else 0.0,
        law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent, added_scale if capybara_coefficient > 0.0
        else 0.0, capybara_params_exponent, capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="token", source="Newton's method along the curve of equal loss, past the unique tokens")
def stepped_repeated_usd_tokens(
    stepped_usd_tokens, target_above_floor_nats, served_as_trained_tokens, served_as_trained_flat, worth_of_a_parameter,
    moe_gain_exponent, loss_params_scale, loss_params_exponent, law_form, loss_sparse_scale,
    law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent, unique_tokens, repetition_tokens_decay,
    repetition_params_decay, optimal_balance, capybara_coefficient, added_scale, capybara_params_exponent,
    capybara_tokens_exponent,
):  # fmt: skip
    """Tokens of the model of least lifetime dollars under a law told of repeats; nan if not settled."""
    return repeated_lifetime_near(
        stepped_usd_tokens, target_above_floor_nats, served_as_trained_tokens, served_as_trained_flat,
        worth_of_a_parameter, moe_gain_exponent, loss_params_scale, loss_params_exponent, loss_sparse_scale if law_form
        == "sparse" else 0.0, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent, unique_tokens,
        repetition_tokens_decay, repetition_params_decay, optimal_balance, added_scale if capybara_coefficient > 0.0
        else 0.0, capybara_params_exponent, capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="token", source="the root of the derivative along the curve of equal loss")
def solved_usd_tokens(
    stepped_usd_tokens, stepped_repeated_usd_tokens, target_above_floor_nats, served_as_trained_tokens,
    served_as_trained_flat, worth_of_a_parameter, moe_gain_exponent, loss_params_scale, loss_params_exponent,
    loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent, repetition_counts,
    law_repetition, unique_tokens, repetition_tokens_decay, repetition_params_decay, optimal_balance, added_scale,
    capybara_params_exponent, capybara_tokens_exponent,
):  # fmt: skip
    """Tokens of the model of least lifetime dollars, where there is no closed form."""
    near = stepped_repeated_usd_tokens if repetition_counts else stepped_usd_tokens
    is_near = not (repetition_counts and law_repetition == "own") and near == near
    return near if is_near else lifetime_optimal_tokens(
        target_above_floor_nats, served_as_trained_tokens, served_as_trained_flat, worth_of_a_parameter,
        moe_gain_exponent, loss_params_scale, loss_params_exponent, loss_sparse_scale, law_sparse_params_exponent,
        loss_tokens_scale, loss_tokens_exponent, repetition_counts, 1 if law_repetition == "own" else 0, unique_tokens,
        repetition_tokens_decay, repetition_params_decay, optimal_balance, added_scale, capybara_params_exponent,
        capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="token", source=COST)
def usd_optimal_tokens(
    lifetime_is_closed, target_log_tokens_scale, target_log_above, usd_growth_of_tokens, loss_tokens_exponent,
    solved_usd_tokens,
):  # fmt: skip
    """Training tokens of the model that reaches the target loss with the least lifetime dollars."""
    grown = (log(1.0 + usd_growth_of_tokens) - target_log_above) / loss_tokens_exponent
    return exp(target_log_tokens_scale + grown) if lifetime_is_closed else solved_usd_tokens


@metric(unit="", source="Newton's method in the law at the solved optimum")
def stepped_usd_params(
    target_above_floor_nats, usd_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
    loss_params_exponent, law_form, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale,
    loss_tokens_exponent, repetition_counts, unique_tokens, repetition_tokens_decay, repetition_params_decay,
    optimal_balance, capybara_coefficient, added_scale, capybara_params_exponent, capybara_tokens_exponent,
):  # fmt: skip
    """Parameters of the model of least lifetime dollars; nan where a few steps do not settle them."""
    second = loss_sparse_scale if law_form == "sparse" else 0.0
    added = added_scale if capybara_coefficient > 0.0 else 0.0
    return repeated_params_near(
        target_above_floor_nats, usd_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
        loss_params_exponent, second, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent,
        unique_tokens, repetition_tokens_decay, repetition_params_decay, optimal_balance, added,
        capybara_params_exponent, capybara_tokens_exponent,
    ) if repetition_counts else lifetime_params_near(
        target_above_floor_nats, usd_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
        loss_params_exponent, second, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent, added,
        capybara_params_exponent, capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="", source="the law at the solved optimum")
def solved_usd_params(
    stepped_usd_params, target_above_floor_nats, usd_optimal_tokens, worth_of_a_parameter, moe_gain_exponent,
    loss_params_scale, loss_params_exponent, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale,
    loss_tokens_exponent, repetition_counts, law_repetition, unique_tokens, repetition_tokens_decay,
    repetition_params_decay, optimal_balance, added_scale, capybara_params_exponent, capybara_tokens_exponent,
):  # fmt: skip
    """Parameters of the model of least lifetime dollars, where there is no closed form."""
    is_near = not (repetition_counts and law_repetition == "own") and stepped_usd_params == stepped_usd_params
    return stepped_usd_params if is_near else lifetime_optimal_params(
        target_above_floor_nats, usd_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
        loss_params_exponent, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent,
        repetition_counts, 1 if law_repetition == "own" else 0, unique_tokens, repetition_tokens_decay,
        repetition_params_decay, optimal_balance, added_scale, capybara_params_exponent, capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="", source=COST)
def usd_optimal_params(
    lifetime_is_closed, target_log_params_scale, target_log_above, usd_growth_of_tokens, loss_params_exponent,
    loss_tokens_exponent, solved_usd_params,
):  # fmt: skip
    """Parameters, as the law counts them, of the model that reaches the target loss with the least lifetime dollars."""
    share = loss_tokens_exponent / (loss_params_exponent + loss_tokens_exponent)
    left = 1.0 + (1.0 - share) / share * (usd_growth_of_tokens / (1.0 + usd_growth_of_tokens))
    closed = exp(target_log_params_scale - (target_log_above + log(left)) / loss_params_exponent)
    return closed if lifetime_is_closed else solved_usd_params


@metric(unit="USD", source=COST)
def usd_optimal_lifetime_usd(
    usd_optimal_params, usd_optimal_tokens, train_usd, law_params, train_tokens, inference_tokens,
    serve_usd_per_token_by_size, serve_usd_per_token_by_depth,
):  # fmt: skip
    """Training and serving the model of least lifetime dollars on the design's GPUs."""
    size = usd_optimal_params / law_params
    training = train_usd * size * (usd_optimal_tokens / train_tokens)
    deep = serve_usd_per_token_by_depth * size ** (1.0 / 3.0)
    return training + inference_tokens * (serve_usd_per_token_by_size * size + deep)

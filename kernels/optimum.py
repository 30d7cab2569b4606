"""The best model of equal training compute: N, D and loss at the N D of the design, under its law and corrections.

With C = 6 N D a law of two powers has its optimum in closed form (Hoffmann et al. 2022, equation 4), also when
precision and experts multiply N by a factor: experts' factor depends on N D alone. The powers of N and of D are apart,
so that each is taken once per model and once per token budget. Repeated tokens, a second term in
parameters and a term added by few bits have no closed form; the root of the derivative is found for them.
"""

from kernels.graph import metric
from kernels.optimum_steps import loss_near, optimum_near, repeated_loss_near, repeated_optimum_near
from kernels.roots import compute_optimal, general_loss
from kernels.scalar import log

HOFFMANN = "Hoffmann et al. 2022, arXiv:2203.15556, equation 4"
ALLOCATION = "the law's own source: N = k C**a, D = k C**b with C = 6 N D"


@metric(unit="", source="definition: two powers, and nothing else that moves with N and D apart")
def optimum_is_closed(law_form, repetition_counts, capybara_coefficient):
    """1 when the optimum has a closed form."""
    return law_form != "sparse" and not repetition_counts and capybara_coefficient == 0.0


@metric(unit="", source=f"{HOFFMANN}: a = beta / (alpha + beta); {ALLOCATION}")
def optimal_params_exponent(
    law_form, law_optimal_params_exponent, law_optimal_tokens_exponent, loss_params_exponent, loss_tokens_exponent
):
    """a of N = G (N D)**a."""
    given = law_optimal_params_exponent == law_optimal_params_exponent
    own = law_optimal_params_exponent if given else 1.0 - law_optimal_tokens_exponent
    derived = loss_tokens_exponent / (loss_params_exponent + loss_tokens_exponent)
    return own if law_form == "allocation" else derived


@metric(unit="", source=f"{HOFFMANN}: G; {ALLOCATION}; nan where a law has no compute")
def optimal_params_scale(
    law_form, law_compute, optimal_balance, law_optimal_params_scale, law_optimal_params_exponent,
    law_optimal_tokens_scale, law_optimal_tokens_exponent,
):  # fmt: skip
    """G of N = G (N D)**a, before corrections."""
    own = law_optimal_params_scale * 6.0**law_optimal_params_exponent
    by_tokens = 6.0 ** (-law_optimal_tokens_exponent) / law_optimal_tokens_scale
    allocated = own if law_optimal_params_scale == law_optimal_params_scale else by_tokens
    without = law_optimal_params_scale
    return allocated if law_form == "allocation" else (optimal_balance if law_compute == "6nd" else without)


@metric(unit="", source=HOFFMANN)
def optimal_loss_exponent(law_form, law_optimal_loss_exponent, loss_params_exponent, loss_tokens_exponent):
    """gamma of L - E = k (N D)**-gamma at the optimum."""
    derived = loss_params_exponent * loss_tokens_exponent / (loss_params_exponent + loss_tokens_exponent)
    return law_optimal_loss_exponent if law_form == "allocation" else derived


@metric(unit="", source=HOFFMANN)
def optimal_loss_scale(
    law_form, law_optimal_loss_scale, law_optimal_loss_exponent, loss_params_scale, loss_params_exponent,
    loss_tokens_exponent, optimal_params_scale,
):  # fmt: skip
    """k of L - E = k (N D)**-gamma at the optimum: A G**-alpha, and the token term in its share."""
    parameters = loss_params_scale * optimal_params_scale ** (-loss_params_exponent)
    derived = parameters * (1.0 + loss_params_exponent / loss_tokens_exponent)
    return law_optimal_loss_scale * 6.0 ** (-law_optimal_loss_exponent) if law_form == "allocation" else derived


@metric(unit="", source="what one parameter counts for at N D = 1: precision and experts")
def worth_of_a_parameter(precision_params_factor, moe_gain_scale):
    """Factor on N by precision and experts, at N D = 1."""
    return precision_params_factor * moe_gain_scale


@metric(unit="", source=HOFFMANN)
def optimal_params_of_model(
    law_form, law_params, optimal_params_scale, optimal_params_exponent, worth_of_a_parameter, moe_gain_exponent,
):  # fmt: skip
    """The part of the optimal N that the compute of this model's parameters gives."""
    a = optimal_params_exponent
    plain = optimal_params_scale * law_params**a
    corrected = plain * worth_of_a_parameter ** (a - 1.0) * law_params ** (moe_gain_exponent * (a - 1.0))
    return plain if law_form == "allocation" else corrected


@metric(unit="", source=HOFFMANN)
def optimal_params_of_tokens(law_form, train_tokens, optimal_params_exponent, moe_gain_exponent):
    """The part of the optimal N that the compute of this many tokens gives."""
    gain = 0.0 if law_form == "allocation" else moe_gain_exponent * (optimal_params_exponent - 1.0)
    return train_tokens ** (optimal_params_exponent + gain)


@metric(unit="", source="definition: held as it is when the size of the model varies")
def law_params_ratio(params_active_non_embedding, law_params):
    """Active parameters without tables over N as the law counts it."""
    return params_active_non_embedding / law_params


@metric(unit="", source="Sun et al. 2025, arXiv:2501.02423: the term that few bits add, for N as the law counts it")
def added_scale(capybara_coefficient, law_params_ratio, capybara_params_exponent):
    """What few bits add to the loss at N = D = 1, N as the law counts it."""
    added = capybara_coefficient * law_params_ratio ** (-capybara_params_exponent)
    return added if capybara_coefficient > 0.0 else 0.0


@metric(unit="", source="Newton's method at equal N D, from the optimum of two powers")
def stepped_optimal_params(
    law_params, train_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale, loss_params_exponent,
    law_form, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent,
    capybara_coefficient, added_scale, capybara_params_exponent, capybara_tokens_exponent,
):  # fmt: skip
    """N of the best model of equal N D and all tokens new; nan where a few steps do not settle it."""
    return optimum_near(
        law_params * train_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale, loss_params_exponent,
        loss_sparse_scale if law_form == "sparse" else 0.0, law_sparse_params_exponent, loss_tokens_scale,
        loss_tokens_exponent, added_scale if capybara_coefficient > 0.0 else 0.0, capybara_params_exponent,
        capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="", source="Newton's method at equal N D, past the unique tokens")
def stepped_repeated_optimal_params(
    stepped_optimal_params, law_params, train_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
    loss_params_exponent, law_form, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale,
    loss_tokens_exponent, unique_tokens, repetition_tokens_decay, repetition_params_decay, optimal_balance,
    capybara_coefficient, added_scale, capybara_params_exponent, capybara_tokens_exponent,
):  # fmt: skip
    """N of the best model of equal N D under a law told of repeats; nan where a few steps do not settle it."""
    return repeated_optimum_near(
        stepped_optimal_params, law_params * train_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
        loss_params_exponent, loss_sparse_scale if law_form == "sparse" else 0.0, law_sparse_params_exponent,
        loss_tokens_scale, loss_tokens_exponent, unique_tokens, repetition_tokens_decay, repetition_params_decay,
        optimal_balance, added_scale if capybara_coefficient > 0.0 else 0.0, capybara_params_exponent,
        capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="", source="the root of the derivative at equal N D; searched for where a law states repeats of its own")
def solved_optimal_params(
    stepped_optimal_params, stepped_repeated_optimal_params, law_params, train_tokens, worth_of_a_parameter,
    moe_gain_exponent, loss_params_scale, loss_params_exponent, loss_sparse_scale, law_sparse_params_exponent,
    loss_tokens_scale, loss_tokens_exponent, repetition_counts, law_repetition, unique_tokens,
    repetition_tokens_decay, repetition_params_decay, optimal_balance, added_scale, capybara_params_exponent,
    capybara_tokens_exponent,
):  # fmt: skip
    """N of the best model of equal N D, where there is no closed form."""
    near = stepped_repeated_optimal_params if repetition_counts else stepped_optimal_params
    is_near = not (repetition_counts and law_repetition == "own") and near == near
    return near if is_near else compute_optimal(
        law_params * train_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale, loss_params_exponent,
        loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent, repetition_counts,
        1 if law_repetition == "own" else 0, unique_tokens, repetition_tokens_decay, repetition_params_decay,
        optimal_balance, added_scale, capybara_params_exponent, capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="", source=f"{HOFFMANN}; {ALLOCATION}")
def compute_optimal_params(
    optimum_is_closed, optimal_params_of_model, optimal_params_of_tokens, solved_optimal_params, law_compute
):
    """N, as the law counts it, of the best model of equal training compute; nan where the law has no compute."""
    closed = optimal_params_of_model * optimal_params_of_tokens
    return closed if optimum_is_closed or law_compute == "none" else solved_optimal_params


@metric(unit="token", source=ALLOCATION)
def allocated_tokens_of_model(law_params, law_optimal_tokens_scale, law_optimal_tokens_exponent):
    """The part of the allocated D that the compute of this model's parameters gives."""
    return law_optimal_tokens_scale * (6.0 * law_params) ** law_optimal_tokens_exponent


@metric(unit="", source=ALLOCATION)
def allocated_tokens_of_tokens(train_tokens, law_optimal_tokens_exponent):
    """The part of the allocated D that the compute of this many tokens gives."""
    return train_tokens**law_optimal_tokens_exponent


@metric(unit="token", source=HOFFMANN)
def optimal_tokens_of_model(law_params, optimal_params_of_model):
    """The part of the optimal D that the compute of this model's parameters gives."""
    return law_params / optimal_params_of_model


@metric(unit="", source=HOFFMANN)
def optimal_tokens_of_tokens(train_tokens, optimal_params_of_tokens):
    """The part of the optimal D that the compute of this many tokens gives."""
    return train_tokens / optimal_params_of_tokens


@metric(unit="token", source=f"{HOFFMANN}; {ALLOCATION}")
def compute_optimal_tokens(
    optimum_is_closed, law_form, law_compute, law_optimal_tokens_scale, allocated_tokens_of_model,
    allocated_tokens_of_tokens, optimal_tokens_of_model, optimal_tokens_of_tokens, law_params, train_tokens,
    compute_optimal_params,
):  # fmt: skip
    """Tokens of the best model of equal training compute; where an allocation states them, by its own power."""
    stated = law_form == "allocation" and law_optimal_tokens_scale == law_optimal_tokens_scale
    allocated = allocated_tokens_of_model * allocated_tokens_of_tokens
    closed = optimal_tokens_of_model * optimal_tokens_of_tokens
    rest = law_params * train_tokens / compute_optimal_params
    return allocated if stated else (closed if optimum_is_closed or law_compute == "none" else rest)


@metric(unit="", source=HOFFMANN)
def optimal_loss_of_model(
    law_form, law_params, law_outer_exponent, optimal_loss_scale, optimal_loss_exponent, worth_of_a_parameter,
    moe_gain_exponent,
):  # fmt: skip
    """The part of the optimal L - E that the compute of this model's parameters gives."""
    gain = 0.0 if law_form == "allocation" else moe_gain_exponent
    worth = 1.0 if law_form == "allocation" else worth_of_a_parameter
    power = -optimal_loss_exponent * (1.0 if law_form == "allocation" else law_outer_exponent)
    scale = optimal_loss_scale if law_form == "allocation" else optimal_loss_scale**law_outer_exponent
    return scale * worth**power * law_params ** ((1.0 + gain) * power)


@metric(unit="", source=HOFFMANN)
def optimal_loss_of_tokens(law_form, train_tokens, law_outer_exponent, optimal_loss_exponent, moe_gain_exponent):
    """The part of the optimal L - E that the compute of this many tokens gives."""
    gain = 0.0 if law_form == "allocation" else moe_gain_exponent
    power = -optimal_loss_exponent * (1.0 if law_form == "allocation" else law_outer_exponent)
    return train_tokens ** ((1.0 + gain) * power)


@metric(unit="nat", source="the law at the solved optimum")
def solved_optimal_loss_above_floor_nats(
    compute_optimal_params, compute_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
    loss_params_exponent, law_form, loss_sparse_scale, law_sparse_params_exponent, loss_tokens_scale,
    loss_tokens_exponent, repetition_counts, law_repetition, unique_tokens, repetition_tokens_decay,
    repetition_params_decay, optimal_balance, capybara_coefficient, added_scale, capybara_params_exponent,
    capybara_tokens_exponent,
):  # fmt: skip
    """L - E of the best model of equal N D, where there is no closed form."""
    second = loss_sparse_scale if law_form == "sparse" else 0.0
    added = added_scale if capybara_coefficient > 0.0 else 0.0
    return loss_near(
        compute_optimal_params, compute_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
        loss_params_exponent, second, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent, added,
        capybara_params_exponent, capybara_tokens_exponent,
    ) if not repetition_counts else repeated_loss_near(
        compute_optimal_params, compute_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
        loss_params_exponent, second, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent,
        unique_tokens, repetition_tokens_decay, repetition_params_decay, optimal_balance, added,
        capybara_params_exponent, capybara_tokens_exponent,
    ) if law_repetition != "own" else general_loss(
        compute_optimal_params, compute_optimal_tokens, worth_of_a_parameter, moe_gain_exponent, loss_params_scale,
        loss_params_exponent, second, law_sparse_params_exponent, loss_tokens_scale, loss_tokens_exponent, 1, 1,
        unique_tokens, repetition_tokens_decay, repetition_params_decay, optimal_balance, added,
        capybara_params_exponent, capybara_tokens_exponent,
    )  # fmt: skip


@metric(unit="nat", source=f"{HOFFMANN}; penalties of shape and vocabulary are held")
def compute_optimal_loss_nats(
    optimum_is_closed, law_form, law_compute, loss_floor_nats, optimal_loss_of_model, optimal_loss_of_tokens,
    solved_optimal_loss_above_floor_nats, shape_penalty_nats, vocabulary_penalty_nats,
):  # fmt: skip
    """Predicted loss of the best model of equal training compute under the same law and corrections."""
    closed = optimal_loss_of_model * optimal_loss_of_tokens
    above = closed if optimum_is_closed or law_compute == "none" else solved_optimal_loss_above_floor_nats
    lowest = 0.0 if law_form == "allocation" else loss_floor_nats
    return lowest + above + shape_penalty_nats + vocabulary_penalty_nats


@metric(unit="token", source=f"{HOFFMANN}, solved for D; repeats and terms that few bits add left out")
def tokens_for_params(
    law_form, law_params, optimal_params_scale, optimal_params_exponent, worth_of_a_parameter, moe_gain_exponent,
):  # fmt: skip
    """Tokens at which a model of these parameters is the best of its training compute; nan with two terms in N."""
    a = optimal_params_exponent
    corrected = optimal_params_scale * worth_of_a_parameter ** (a - 1.0)
    scale = optimal_params_scale if law_form == "allocation" else corrected
    power = a if law_form == "allocation" else a + moe_gain_exponent * (a - 1.0)
    tokens = (law_params / scale) ** (1.0 / power) / law_params
    return tokens if law_form != "sparse" else log(-1.0)


@metric(unit="nat", source="definition")
def excess_loss_nats(loss_nats, compute_optimal_loss_nats):
    """Loss above that of the best model of equal training compute."""
    return loss_nats - compute_optimal_loss_nats


@metric(unit="", source="Pearce and Song 2024, arXiv:2406.12907, section 3: N_T = N + 47491 N**(1/3), 32,000 tokens")
def implied_params(params_active_non_embedding):
    """Parameters with tables that a model of this body has at a vocabulary of 32,000 and an aspect ratio of 39."""
    return params_active_non_embedding + 47491.0 * params_active_non_embedding ** (1.0 / 3.0)


@metric(unit="FLOP", source="Pearce and Song 2024, arXiv:2406.12907, section 4: the optimum of a law of all parameters")
def optimal_non_embedding_flops(
    params_active_non_embedding, implied_params, loss_params_scale, loss_params_exponent, loss_tokens_scale,
    loss_tokens_exponent,
):  # fmt: skip
    """Compute without the tables at which a body of this size is the best, under a law that counts the tables."""
    ratio = loss_tokens_exponent * loss_tokens_scale / (loss_params_exponent * loss_params_scale)
    slope = params_active_non_embedding + 47491.0 / 3.0 * params_active_non_embedding ** (1.0 / 3.0)
    power = 1.0 / loss_tokens_exponent
    tokens = ratio**power * implied_params ** ((1.0 + loss_params_exponent) * power) * slope ** (-power)
    return 6.0 * params_active_non_embedding * tokens

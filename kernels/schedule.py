"""Learning rate and batch: what the fitted laws suggest, the batch beyond which more is wasted, and what it costs."""

from kernels.graph import metric
from kernels.roots import kaplan_min_steps

STEP = "Li et al. 2025 (Step Law), arXiv:2503.04715, equation 1, and laws of the same form; see the record"
CRITICAL = "McCandlish et al. 2018, arXiv:1812.06162; Kaplan et al. 2020, arXiv:2001.08361, equation 1.4"


@metric(unit="", source=STEP)
def optimal_learning_rate(
    params_active_non_embedding,
    train_tokens,
    non_embedding_flops_per_token,
    expert_expansion,
    rate_scale,
    rate_params_exponent,
    rate_tokens_exponent,
    rate_compute_exponent,
    rate_experts_exponent,
):
    """Peak learning rate that the law of hyperparameters suggests."""
    compute = non_embedding_flops_per_token * train_tokens
    size = params_active_non_embedding**rate_params_exponent * train_tokens**rate_tokens_exponent
    return rate_scale * size * compute**rate_compute_exponent * expert_expansion**rate_experts_exponent


@metric(unit="token", source=STEP)
def optimal_batch_tokens(
    train_tokens, non_embedding_flops_per_token, batch_scale, batch_tokens_exponent, batch_compute_exponent
):
    """Tokens of one optimiser step that the law of hyperparameters suggests."""
    compute = non_embedding_flops_per_token * train_tokens
    return batch_scale * train_tokens**batch_tokens_exponent * compute**batch_compute_exponent


@metric(unit="token", source=CRITICAL)
def critical_batch_tokens(
    law_active_params,
    loss_nats,
    critical_batch_scale,
    critical_batch_params_exponent,
    critical_batch_loss_exponent,
):
    """Tokens of one optimiser step beyond which more of them mostly save no steps, by the law of the critical batch."""
    size = (law_active_params / 1e6) ** critical_batch_params_exponent
    return critical_batch_scale * size * loss_nats ** (-critical_batch_loss_exponent)


@metric(unit="", source="McCandlish et al. 2018, arXiv:1812.06162: (S/S_min - 1) (E/E_min - 1) = 1")
def batch_tokens_overhead(train_batch_tokens, critical_batch_tokens):
    """Tokens a run of this batch takes over the fewest that reach the same loss."""
    return 1.0 + train_batch_tokens / critical_batch_tokens


@metric(unit="", source="McCandlish et al. 2018, arXiv:1812.06162: (S/S_min - 1) (E/E_min - 1) = 1")
def batch_steps_overhead(train_batch_tokens, critical_batch_tokens):
    """Steps a run of this batch takes over the fewest that reach the same loss."""
    return 1.0 + critical_batch_tokens / train_batch_tokens


@metric(unit="", source="definition")
def training_steps(train_tokens, train_batch_tokens):
    """Optimiser steps of the run."""
    return train_tokens / train_batch_tokens


@metric(unit="", source="Kaplan et al. 2020, arXiv:2001.08361, equations 1.6 and 5.4")
def min_training_steps(
    law_form,
    law_active_params,
    law_params_scale,
    law_params_exponent,
    law_tokens_scale,
    law_tokens_exponent,
    train_tokens,
    train_batch_tokens,
    critical_batch_scale,
    critical_batch_loss_exponent,
):
    """Steps that would be enough if the batch were endless; only laws of steps look at it."""
    above = law_params_scale * law_active_params ** (-law_params_exponent)
    found = kaplan_min_steps(
        above,
        law_tokens_scale,
        law_tokens_exponent,
        train_tokens,
        train_batch_tokens,
        critical_batch_scale,
        critical_batch_loss_exponent,
    )
    return found if law_form == "steps" else train_tokens / train_batch_tokens


@metric(unit="token", source="Kaplan et al. 2020, arXiv:2001.08361, equation 4.4; a bound on overfitting, no optimum")
def overfitting_free_tokens(params_active_non_embedding):
    """Unique tokens from which a model of this size hardly overfits."""
    return 5.0e3 * params_active_non_embedding**0.74

"""Loss by the Chinchilla form L = E + A / N**alpha + B / D**beta, under whichever fitted law the design names.

The two terms are metrics of their own, so that each power is taken once per model and once per token budget. A dense
law knows nothing of experts: a mixture is fed the parameters one token passes through.
"""

from kernels.graph import metric

FORM = "Hoffmann et al. 2022, arXiv:2203.15556, equation 2; coefficients and what N counts: the law's own source"


@metric(unit="", source=FORM)
def law_params(law_params_counted, params_active, params_active_non_embedding):
    """N as the law was fitted with it: with or without the tables."""
    return params_active_non_embedding if law_params_counted == "non_embedding" else params_active


@metric(unit="nat", source=FORM)
def loss_params_term_nats(law_params_scale, law_params, law_params_exponent):
    """Loss that more parameters would remove."""
    return law_params_scale * law_params ** (-law_params_exponent)


@metric(unit="nat", source=FORM)
def loss_tokens_term_nats(law_tokens_scale, train_tokens, law_tokens_exponent):
    """Loss that more tokens would remove."""
    return law_tokens_scale * train_tokens ** (-law_tokens_exponent)


@metric(unit="nat", source=FORM)
def loss_nats(law_floor_nats, loss_params_term_nats, loss_tokens_term_nats):
    """Predicted cross-entropy per token, in nats of the law's own tokenizer and data."""
    return law_floor_nats + loss_params_term_nats + loss_tokens_term_nats


@metric(unit="", source="Hoffmann et al. 2022, arXiv:2203.15556, table 3")
def tokens_per_param(train_tokens, law_params):
    """Training tokens per parameter, N counted as the law counts it."""
    return train_tokens / law_params


@metric(unit="", source="the law's own source")
def params_in_fitted_range(law_params, law_min_params, law_max_params):
    """1 when N lies among the runs the law was fitted on; a bound that the source does not state cannot be broken."""
    return not (law_params < law_min_params or law_params > law_max_params)


@metric(unit="", source="the law's own source")
def tokens_in_fitted_range(train_tokens, law_min_tokens, law_max_tokens):
    """1 when D lies among the runs the law was fitted on."""
    return not (train_tokens < law_min_tokens or train_tokens > law_max_tokens)


@metric(unit="", source="the law's own source")
def in_fitted_range(
    params_in_fitted_range, tokens_in_fitted_range, tokens_per_param, law_min_tokens_per_param, law_max_tokens_per_param
):
    """1 when N, D and D/N all lie among the runs the law was fitted on; 0 marks an extrapolation."""
    ratio = not (tokens_per_param < law_min_tokens_per_param or tokens_per_param > law_max_tokens_per_param)
    return params_in_fitted_range and tokens_in_fitted_range and ratio

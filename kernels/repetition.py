"""What repeated tokens are worth, and the parameters beyond what the unique ones are enough for."""

from kernels.graph import metric
from kernels.scalar import exp

REPEATED = "Muennighoff et al. 2023, arXiv:2305.16264, equations 5, 6, 16 and 17"


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

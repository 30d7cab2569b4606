"""The best model of equal training compute by a fixed number of Newton's steps, without a branch, and the loss it has.

So a loop over designs settles several at once; the start is in closed form. nan where the steps did not settle, or
where a number is not what a design gives: ``roots`` searches there, and where a law is one of repeats of its own.
Symbols are those of ``terms`` and ``roots``.
"""

import math
from collections.abc import Callable
from typing import Any

from kernels.elementary import vector_exp, vector_log
from kernels.terms import FARTHEST, SETTLED, TINY, clamped, packed, packed_repeats, saturating, sides, terms


def product_step(x, ln_p, of_n, of_d, longest, is_far, law):
    """A step to where N and D are worth the same at ln N + ln D = ln_p; L - E before it; its length."""
    loss, _, _, side, side_x, side_y = sides(x, ln_p - x, of_n, of_d, 1.0, 0.0, 0.0, is_far, law)
    slope = side_x - side_y
    step = side / (slope if slope < -TINY else -TINY)
    return x - clamped(step, longest), loss, abs(step)


def unrepeated_product_step(x, ln_p, is_far, law):
    """A product_step where all tokens are new."""
    return product_step(x, ln_p, (x, 1.0, 0.0), (ln_p - x, 1.0, 0.0), 3.0, is_far, law)


def repeated_product_step(x, ln_p, is_far, law, repeats):
    """A product_step past the unique tokens."""
    ln_unique, tokens_decay, ln_enough, params_decay = repeats
    of_n = saturating(x, ln_enough, params_decay)
    of_d = saturating(ln_p - x, ln_unique, tokens_decay)
    return product_step(x, ln_p, of_n, of_d, 1.0, is_far, law)


def along_product(law, ln_p):
    """The law where N D is held: what experts gain with N D is the same for all."""
    ln_worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens = law
    return ln_worth + gain * ln_p, 0.0, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens


def optimum_near(product, worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens):
    """N that minimises the loss at N D = product, all tokens new."""
    law, usual = packed(worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens)
    usual = usual and product > 0.0
    ln_p = vector_log(product)
    law = along_product(law, ln_p)
    alpha, beta = law[3], law[7]
    x = (vector_log(alpha * a) - vector_log(beta * b) - alpha * law[0] + beta * ln_p) / (alpha + beta)
    x, _, _ = unrepeated_product_step(x, ln_p, True, law)
    x, _, _ = unrepeated_product_step(x, ln_p, False, law)
    x, _, _ = unrepeated_product_step(x, ln_p, False, law)
    x, _, moved = unrepeated_product_step(x, ln_p, False, law)
    return vector_exp(x) if usual and moved < SETTLED and abs(x) + abs(ln_p) < FARTHEST else math.nan


def repeated_optimum_near(
    unrepeated, product, worth, gain, a, alpha, a2, alpha2, b, beta, unique, tokens_decay, params_decay, balance, k,
    k_params, k_tokens,
):  # fmt: skip
    """The same as optimum_near for a law told of repeats past the unique tokens; unrepeated is what that says."""
    law, usual = packed(worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens)
    repeats, have = packed_repeats(unique, tokens_decay, params_decay, balance, alpha, beta)
    usual = usual and have and product > 0.0 and unrepeated > 0.0
    ln_p = vector_log(product)
    law = along_product(law, ln_p)
    ceiling = ln_p - repeats[0]
    x = vector_log(unrepeated)
    tokens_room, params_room = ceiling - vector_log(repeats[1]), repeats[2] + vector_log(repeats[3])
    x = x if x > tokens_room else 0.5 * (tokens_room + params_room)  # where both are worth ever less
    x, _, _ = repeated_product_step(x, ln_p, True, law, repeats)
    x, _, _ = repeated_product_step(x, ln_p, True, law, repeats)
    x, _, _ = repeated_product_step(x, ln_p, False, law, repeats)
    x, _, _ = repeated_product_step(x, ln_p, False, law, repeats)
    x, _, _ = repeated_product_step(x, ln_p, False, law, repeats)
    x, loss, moved = repeated_product_step(x, ln_p, False, law, repeats)
    first, second, third, added = terms(ceiling, repeats[0], ceiling, repeats[0], law)
    is_repeated = x < ceiling - 1e-12 and loss < first + second + third + added
    found = vector_exp(x if is_repeated else ceiling) * (1.0 if is_repeated else 1.0 + 1e-13)
    good = moved < SETTLED and abs(x) + abs(ln_p) < FARTHEST
    return (unrepeated if product <= unrepeated * unique else (found if good else math.nan)) if usual else math.nan


# ------------------------------------------------------------------------------------------------------------ the law


def loss_near(n, d, worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens):
    """L - E at N and D, all tokens new."""
    law, usual = packed(worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens)
    x, y = vector_log(n), vector_log(d)
    first, second, third, added = terms(x, y, x, y, law)
    usual = usual and n > 0.0 and d > 0.0 and n < TINY**-0.5 and d < TINY**-0.5
    return first + second + third + added if usual else math.nan


def repeated_loss_near(
    n, d, worth, gain, a, alpha, a2, alpha2, b, beta, unique, tokens_decay, params_decay, balance, k, k_params, k_tokens
):
    """L - E at N and D, for a law told of repeats past the unique tokens."""
    law, usual = packed(worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens)
    repeats, have = packed_repeats(unique, tokens_decay, params_decay, balance, alpha, beta)
    ln_unique, tokens_decay, ln_enough, params_decay = repeats
    x, y = vector_log(n), vector_log(d)
    d_worth, _, _ = saturating(y, ln_unique, tokens_decay)
    n_worth, _, _ = saturating(x, ln_enough, params_decay)
    first, second, third, added = terms(x, y, n_worth if d > unique else x, d_worth, law)
    usual = usual and have and n > 0.0 and d > 0.0 and n < TINY**-0.5 and d < TINY**-0.5
    return first + second + third + added if usual else math.nan


STEPS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (optimum_near, repeated_optimum_near, loss_near, repeated_loss_near)
}

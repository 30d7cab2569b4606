"""The model to train for a lifetime of serving by a fixed number of Newton's steps, without a branch.

So a loop over designs settles several at once; the start is in closed form. nan where the steps did not settle, or
where a number is not what a design gives: ``roots`` searches there, and where a law is one of repeats of its own.
Symbols are those of ``terms`` and ``roots``.
"""

import math
from collections.abc import Callable
from typing import Any

from kernels.elementary import vector_exp, vector_log
from kernels.terms import (
    FARTHEST,
    SETTLED,
    TINY,
    clamped,
    packed,
    packed_repeats,
    saturating,
    sides,
    terms,
    unsaturated,
)

LEAST_GAIN, MOST_GAIN = -0.5, 1.0  # of experts with N D, as a power


def lifetime_step(x, y, of_n, of_d, above, q, flat, longest, is_far, law):
    """A step to L - E = above and to where N and D are worth the same there; and its length, inf at no minimum."""
    d = vector_exp(y)
    deep = flat * vector_exp(-2.0 / 3.0 * x) if flat > 0.0 else 0.0
    by_cost = 1.0 / (d + q + deep)
    part = d * by_cost
    part_x = 2.0 / 3.0 * part * deep * by_cost
    loss, loss_x, loss_y, side, side_x, side_y = sides(x, y, of_n, of_d, part, part_x, part * (1.0 - part), is_far, law)
    over = loss * (vector_log(loss / above) if is_far else 2.0 * (loss - above) / (loss + above))
    det = loss_x * side_y - loss_y * side_x
    by = 1.0 / (det if det < -TINY else -TINY)
    dx = clamped((over * side_y - loss_y * side) * by, longest)
    dy = clamped((loss_x * side - over * side_x) * by, longest)
    return x - dx, y - dy, abs(dx) + abs(dy) if det < -TINY else math.inf


def unrepeated_step(x, y, above, q, flat, is_far, law):
    """A lifetime_step where all tokens are new."""
    return lifetime_step(x, y, (x, 1.0, 0.0), (y, 1.0, 0.0), above, q, flat, 3.0, is_far, law)


def repeated_step(x, y, above, q, flat, is_far, law, repeats):
    """A lifetime_step past the unique tokens."""
    ln_unique, tokens_decay, ln_enough, params_decay = repeats
    of_n = saturating(x, ln_enough, params_decay)
    of_d = saturating(y, ln_unique, tokens_decay)
    return lifetime_step(x, y, of_n, of_d, above, q, flat, 1.0, is_far, law)


def growth_start(ln_c, beta):
    """v nearly, of v + ln(1 + exp(v)) / beta = ln c: (v + sqrt(v**2 + w**2)) / 2 stands for ln(1 + exp(v))."""
    s = 0.5 / beta
    inside = ln_c * ln_c + (1.0 + 2.0 * s) * 1.92
    return (ln_c * (1.0 + s) - s * math.sqrt(inside if inside > 0.0 else 0.0)) / (1.0 + 2.0 * s)


def lifetime_start(above, q, law):
    """ln N and ln D of the model of least lifetime FLOPs under two powers, nearly: see roots.lifetime_growth."""
    ln_worth, gain, a, alpha, _, _, b, beta, _, _, _ = law
    ln_best = (vector_log(b * (1.0 + beta / alpha)) - vector_log(above)) / beta
    ln_c = vector_log(beta / (alpha + beta) * q) - ln_best
    grown = ln_c - growth_start(ln_c, beta)
    rest = above * (1.0 - alpha / (alpha + beta) * vector_exp(-beta * grown))
    y = ln_best + grown
    x = (vector_log(a) - vector_log(rest)) / alpha - ln_worth - gain * y
    return x / (1.0 + gain if gain > LEAST_GAIN else 1.0), y


def lifetime_near(above, q, flat, worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens):
    """D that minimises N D + q N + 3 flat N**(1/3) at L - E = above, all tokens new."""
    law, usual = packed(worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens)
    usual = usual and above > 0.0 and q >= 0.0 and flat >= 0.0 and gain > LEAST_GAIN and gain < MOST_GAIN
    above = above if above > 0.0 else 1.0
    x, y = lifetime_start(above, q, law)
    x, y, _ = unrepeated_step(x, y, above, q, flat, True, law)
    x, y, _ = unrepeated_step(x, y, above, q, flat, False, law)
    x, y, _ = unrepeated_step(x, y, above, q, flat, False, law)
    x, y, _ = unrepeated_step(x, y, above, q, flat, False, law)
    x, y, moved = unrepeated_step(x, y, above, q, flat, False, law)
    return vector_exp(y) if usual and moved < SETTLED and abs(x) + abs(y) < FARTHEST else math.nan


def params_start(above, y, d_worth, law):
    """ln of the N' at which L - E is above, by one power of N or the other; and whether any is enough."""
    ln_worth, gain, a, alpha, a2, alpha2, b, beta, _, _, _ = law
    rest = above - b * vector_exp(-beta * d_worth)
    ln_rest = vector_log(rest)
    x = (vector_log(a) - ln_rest) / alpha
    other = (vector_log(a2) - ln_rest) / (alpha2 if alpha2 > 0.0 else 1.0)
    x = other if a2 > 0.0 and alpha2 > 0.0 and other > x else x
    return (x - ln_worth - gain * y) / (1.0 + gain if gain > LEAST_GAIN else 1.0), rest > 0.0


def params_step(x, y, of_n, d_worth, above, is_far, law):
    """A step to the N at which L - E is above, and its length."""
    _, gain, _, alpha, _, alpha2, _, _, _, k_params, _ = law
    n_worth, n_slope, _ = of_n
    first, second, third, added = terms(x, y, n_worth, d_worth, law)
    rest = above - third  # what is left to parameters and bits
    done = first + second + added
    by_x = (n_slope + gain) * (alpha * first + alpha2 * second) + k_params * added
    by_x = by_x if by_x > TINY else TINY
    rest = rest if rest > TINY else TINY
    both = (done + rest) * by_x
    both = both if both > TINY else TINY
    step = done * vector_log(done / rest) / by_x if is_far else 2.0 * done * (done - rest) / both
    return x + clamped(step, 3.0), abs(step)


def unrepeated_params(above, y, law):
    """ln N at which L - E is above, all tokens new; the length of the last step, inf where no N is enough."""
    start, is_reached = params_start(above, y, y, law)
    x, _ = params_step(start, y, (start, 1.0, 0.0), y, above, True, law)
    x, _ = params_step(x, y, (x, 1.0, 0.0), y, above, True, law)
    x, _ = params_step(x, y, (x, 1.0, 0.0), y, above, False, law)
    x, moved = params_step(x, y, (x, 1.0, 0.0), y, above, False, law)
    moved = moved if is_reached else math.inf
    is_closed = not law[4] > 0.0 and not law[8] > 0.0
    return start if is_closed else x, 0.0 if is_closed and is_reached else moved


def repeated_params(above, y, law, repeats):
    """The same past the unique tokens."""
    ln_unique, tokens_decay, ln_enough, params_decay = repeats
    d_worth, _, _ = saturating(y, ln_unique, tokens_decay)
    start, is_reached = params_start(above, y, d_worth, law)
    x = unsaturated(start, ln_enough, params_decay)
    x, _ = params_step(x, y, saturating(x, ln_enough, params_decay), d_worth, above, True, law)
    x, _ = params_step(x, y, saturating(x, ln_enough, params_decay), d_worth, above, True, law)
    x, _ = params_step(x, y, saturating(x, ln_enough, params_decay), d_worth, above, False, law)
    x, _ = params_step(x, y, saturating(x, ln_enough, params_decay), d_worth, above, False, law)
    x, moved = params_step(x, y, saturating(x, ln_enough, params_decay), d_worth, above, False, law)
    return x, moved if is_reached else math.inf


def lifetime_params_near(above, d, worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens):
    """N at which L - E is above for this D, all tokens new."""
    law, usual = packed(worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens)
    x, moved = unrepeated_params(above, vector_log(d), law)
    usual = usual and above > 0.0 and d > 0.0 and gain > LEAST_GAIN and gain < MOST_GAIN
    return vector_exp(x) if usual and moved < SETTLED and abs(x) < FARTHEST else math.nan


def repeated_lifetime_near(
    unrepeated, above, q, flat, worth, gain, a, alpha, a2, alpha2, b, beta, unique, tokens_decay, params_decay, balance,
    k, k_params, k_tokens,
):  # fmt: skip
    """The same as lifetime_near for a law told of repeats past the unique tokens; unrepeated is what that says.

    It is the answer when it needs no repeats. Else the best past the unique tokens is, or where none repeats yet.
    """
    law, usual = packed(worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens)
    repeats, have = packed_repeats(unique, tokens_decay, params_decay, balance, alpha, beta)
    usual = usual and have and above > 0.0 and q >= 0.0 and flat >= 0.0 and gain > LEAST_GAIN and gain < MOST_GAIN
    usual = usual and unrepeated > 0.0
    above = above if above > 0.0 else 1.0
    edge = repeats[0]
    y = vector_log(unrepeated)
    y = y if y < edge + 1.4 else edge + 1.4  # past four epochs repeats soon are worth little
    d_worth, _, _ = saturating(y, edge, repeats[1])
    rest = above - b * vector_exp(-law[7] * d_worth)
    rest = rest if rest > 0.05 * above else 0.05 * above
    x = ((vector_log(a) - vector_log(rest)) / law[3] - law[0] - gain * y) / (1.0 + gain if gain > LEAST_GAIN else 1.0)
    x = x if x < repeats[2] + 1.0 else repeats[2] + 1.0
    x, y, _ = repeated_step(x, y, above, q, flat, True, law, repeats)
    x, y, _ = repeated_step(x, y, above, q, flat, True, law, repeats)
    x, y, _ = repeated_step(x, y, above, q, flat, True, law, repeats)
    x, y, _ = repeated_step(x, y, above, q, flat, False, law, repeats)
    x, y, _ = repeated_step(x, y, above, q, flat, False, law, repeats)
    x, y, _ = repeated_step(x, y, above, q, flat, False, law, repeats)
    x, y, _ = repeated_step(x, y, above, q, flat, False, law, repeats)
    x, y, moved = repeated_step(x, y, above, q, flat, False, law, repeats)
    d = vector_exp(y)
    cost = vector_exp(x) * (d + q) + 3.0 * flat * vector_exp(x / 3.0)
    at_edge, edge_moved = unrepeated_params(above, edge, law)
    is_reached = edge_moved < math.inf
    edge_cost = vector_exp(at_edge) * (unique + q) + 3.0 * flat * vector_exp(at_edge / 3.0)
    good = moved < SETTLED and (edge_moved < SETTLED or not is_reached) and abs(x) + abs(y) < FARTHEST
    good = good and (is_reached or y > edge)
    is_repeated = y > edge + 1e-12 and (cost < edge_cost or not is_reached)
    found = d if is_repeated else unique * (1.0 - 1e-13)
    return (unrepeated if unrepeated <= unique else (found if good else math.nan)) if usual else math.nan


def repeated_params_near(
    above, d, worth, gain, a, alpha, a2, alpha2, b, beta, unique, tokens_decay, params_decay, balance, k, k_params,
    k_tokens,
):  # fmt: skip
    """N at which L - E is above for this D, for a law told of repeats past the unique tokens."""
    law, usual = packed(worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens)
    repeats, have = packed_repeats(unique, tokens_decay, params_decay, balance, alpha, beta)
    y = vector_log(d)
    new, new_moved = unrepeated_params(above, y, law)
    again, again_moved = repeated_params(above, y, law, repeats)
    x, moved = (again, again_moved) if d > unique else (new, new_moved)
    usual = usual and have and above > 0.0 and d > 0.0 and gain > LEAST_GAIN and gain < MOST_GAIN
    return vector_exp(x) if usual and moved < SETTLED and abs(x) < FARTHEST else math.nan


# -------------------------------------------------------------------------- two powers: one equation in one unknown


def growth_near(ln_c, beta):
    """u = (D / D_opt)**beta - 1 of the model of least lifetime FLOPs: u (1 + u)**(1/beta) = c."""
    usual = beta > 0.0 and abs(ln_c) < FARTHEST
    beta = beta if beta > 0.0 else 1.0
    v = growth_start(ln_c, beta)
    v, _ = growth_step(v, ln_c, beta)
    v, _ = growth_step(v, ln_c, beta)
    v, moved = growth_step(v, ln_c, beta)
    return vector_exp(v) if usual and moved < 1e-5 and abs(v) < FARTHEST else math.nan


def growth_step(v, ln_c, beta):
    """A step of Halley's method to v + ln(1 + exp(v)) / beta = ln c, and its length, a third power of which is left."""
    u = vector_exp(v)
    share = u / (1.0 + u)
    slope = 1.0 + share / beta
    newton = (v + vector_log(1.0 + u) / beta - ln_c) / slope
    step = newton / (1.0 - 0.5 * newton * share * (1.0 - share) / (beta * slope))
    return v - step, abs(step)


def growth_flat_near(ln_c, ln_flat, share, alpha, beta, power):
    """The same of least money, where flat r**(power / alpha) is added to c: r = (share + u) / (share (1 + u))."""
    usual = alpha > 0.0 and beta > 0.0 and share > 0.0 and abs(ln_c) < FARTHEST and ln_flat < FARTHEST
    usual = usual and ln_flat > -math.inf
    beta = beta if beta > 0.0 else 1.0
    alpha = alpha if alpha > 0.0 else 1.0
    share = share if share > 0.0 else 1.0
    most = ln_c if ln_c > ln_flat else ln_flat
    v = growth_start(most + vector_log(vector_exp(ln_c - most) + vector_exp(ln_flat - most)), beta)
    v, _ = growth_flat_step(v, ln_c, ln_flat, share, power / alpha, beta)
    v, _ = growth_flat_step(v, ln_c, ln_flat, share, power / alpha, beta)
    v, _ = growth_flat_step(v, ln_c, ln_flat, share, power / alpha, beta)
    v, _ = growth_flat_step(v, ln_c, ln_flat, share, power / alpha, beta)
    v, moved = growth_flat_step(v, ln_c, ln_flat, share, power / alpha, beta)
    return vector_exp(v) if usual and moved < SETTLED and abs(v) < FARTHEST else math.nan


def growth_flat_step(v, ln_c, ln_flat, share, power, beta):
    """A step of Newton's method to v + ln(1 + exp(v)) / beta = ln(c + flat r**power), and its length."""
    u = vector_exp(v)
    ln_deep = ln_flat + power * vector_log((share + u) / (share * (1.0 + u)))
    most = ln_c if ln_c > ln_deep else ln_deep
    size, deep = vector_exp(ln_c - most), vector_exp(ln_deep - most)
    ln_cost = most + vector_log(size + deep)
    part = u / (1.0 + u)
    slope = 1.0 + part / beta - power * deep / (size + deep) * (u / (share + u) - part)
    step = (v + vector_log(1.0 + u) / beta - ln_cost) / slope
    return v - step, abs(step)


STEPS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        lifetime_near,
        repeated_lifetime_near,
        lifetime_params_near,
        repeated_params_near,
        growth_near,
        growth_flat_near,
    )
}

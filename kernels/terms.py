"""The general law of ``roots`` and its slopes, without a branch: what the fixed steps of Newton's method stand on.

At x = ln N and y = ln D both conditions of an optimum are ratios of sums of positive terms: the loss over its target,
and what more parameters are worth (with what more tokens take away) over what more tokens are worth. Their logarithms
are nearly linear in x and y. How the numbers of a law are packed:

    law = ln of worth, gain, A, alpha, A2, alpha2, B, beta, K, ck, dk
    repeats = ln of the unique tokens U, decay of repeats, ln of what U is enough for, decay of parameters past it
"""

from kernels.elementary import vector_exp, vector_log

SETTLED = 1e-7  # a last step this long leaves its square
FARTHEST = 300.0  # what is this far from one, in logarithms, is no design
TINY = 1e-300


def packed(worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens):
    """The numbers of a law, and whether they are what designs give; if not, such that nothing divides by zero."""
    usual = worth > 0.0 and a > 0.0 and b > 0.0 and alpha > 0.0 and beta > 0.0
    alpha = alpha if alpha > 0.0 else 1.0
    beta = beta if beta > 0.0 else 1.0
    alpha2 = alpha2 if a2 > 0.0 else 1.0  # what a law does not have is nan
    k_params = k_params if k > 0.0 else 0.0
    k_tokens = k_tokens if k > 0.0 else 0.0
    return (vector_log(worth), gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens), usual


def packed_repeats(unique, tokens_decay, params_decay, balance, alpha, beta):
    """The numbers of repeats, and whether they are what designs give; if not, such that nothing divides by zero."""
    usual = unique > 0.0 and unique < 1e300 and balance > 0.0 and tokens_decay > 0.0 and params_decay > 0.0
    ln_unique = vector_log(unique)
    ln_balance = vector_log(balance)
    ln_enough = ln_balance + (ln_balance + ln_unique) * beta / (alpha if alpha > 0.0 else 1.0)
    tokens_decay = tokens_decay if tokens_decay > 0.0 else 1.0
    params_decay = params_decay if params_decay > 0.0 else 1.0
    return (ln_unique, tokens_decay, ln_enough, params_decay), usual


def clamped(x, most):
    """x, or most of its sign where it is longer."""
    x = x if x < most else most
    return x if x > -most else -most


def saturating(ln_x, ln_start, decay):
    """ln of what x is worth past a start, its derivative by ln x, and the derivative of that.

    Past the start each more is worth less than the last by a factor: Muennighoff et al. 2023, equations 5 and 6.
    """
    ratio = vector_exp(ln_x - ln_start)
    ratio = ratio if ratio > 1.0 else 1.0
    left = vector_exp((1.0 - ratio) / decay)
    kept = 1.0 + decay * (1.0 - left)
    slope = ratio * left / kept
    bend = slope * (1.0 - ratio / decay - slope)
    is_past = ln_x > ln_start
    return ln_start + vector_log(kept) if is_past else ln_x, slope if is_past else 1.0, bend if is_past else 0.0


def unsaturated(ln_worth, ln_start, decay):
    """ln of the x that is worth so much; of a great one where none is."""
    left = 1.0 - (vector_exp(ln_worth - ln_start) - 1.0) / decay
    left = left if left > 1e-4 else 1e-4
    return ln_start + vector_log(1.0 - decay * vector_log(left)) if ln_worth > ln_start else ln_worth


def terms(x, y, n_worth, d_worth, law):
    """What N, a second power of N, D and few bits add to the floor."""
    ln_worth, gain, a, alpha, a2, alpha2, b, beta, k, k_params, k_tokens = law
    ln_n = n_worth + ln_worth + gain * (x + y)
    first = a * vector_exp(-alpha * ln_n)
    second = a2 * vector_exp(-alpha2 * ln_n) if a2 > 0.0 else 0.0
    third = b * vector_exp(-beta * d_worth)
    added = k * vector_exp(k_tokens * y - k_params * x) if k > 0.0 else 0.0
    return first, second, third, added


def sides(x, y, of_n, of_d, part, part_x, part_y, is_far, law):
    """L - E and its slopes by x and y; ln of what parameters over what tokens are worth, and its slopes.

    of_n and of_d are as saturating gives them for N and D; part is the share of the cost that goes with D. Near the
    root 2 (l - r) / (l + r) stands for ln(l / r), which it is but for a third power.
    """
    _, gain, _, alpha, _, alpha2, _, beta, _, k_params, k_tokens = law
    n_worth, n_slope, n_bend = of_n
    d_worth, d_slope, d_bend = of_d
    first, second, third, added = terms(x, y, n_worth, d_worth, law)
    once = alpha * first + alpha2 * second
    twice = alpha * alpha * first + alpha2 * alpha2 * second
    fall = beta * third
    slope = n_slope + gain
    more = slope * once + k_params * added
    more_x = n_bend * once - slope * slope * twice - k_params * k_params * added
    more_y = k_params * k_tokens * added - slope * gain * twice
    up = gain if gain > 0.0 else 0.0
    down = up - gain
    left = more * part + k_tokens * added + down * once
    left_x = more_x * part + more * part_x - k_tokens * k_params * added - down * slope * twice
    left_y = more_y * part + more * part_y + k_tokens * k_tokens * added - down * gain * twice
    right = fall * d_slope + up * once
    right_x = -up * slope * twice
    right_y = fall * (d_bend - beta * d_slope * d_slope) - up * gain * twice
    both = left * right
    by_both = 1.0 / (both if both > TINY else TINY)
    by_left, by_right = by_both * right, by_both * left
    sum_ = left + right
    side = vector_log(left * by_right) if is_far else 2.0 * (left - right) / (sum_ if sum_ > TINY else TINY)
    side_x = left_x * by_left - right_x * by_right
    side_y = left_y * by_left - right_y * by_right
    return first + second + third + added, -more, k_tokens * added - gain * once - fall * d_slope, side, side_x, side_y

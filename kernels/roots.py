"""Roots that have no formula: the optimum of a law with repeated tokens, the model to train for a lifetime of serving.

Each function takes and returns numbers, so that a metric calls it like ``exp``; sweep.sqlroots translates them to SQL,
so they keep to assignments, conditions, and loops of a fixed length. A target that cannot be reached, or a coefficient
that is not known, gives nan and never an error. All searches run over logarithms, where sums of powers are convex, and
stop after a fixed number of steps. What most designs need is found sooner by ``optimum_steps`` and ``lifetime_steps``;
the searches here are for the rest.

The general law, of which all others are special cases, is

    L - E = A (Ñ)**-alpha + A2 (Ñ)**-alpha2 + B (D')**-beta + K N**-ck D**dk,    Ñ = N'(N, U) * worth * (N D)**gain

with D' and N' the worth of repeated tokens and of the parameters beyond them (Muennighoff et al. 2023), worth and gain
those of precision and experts, and K the term that few bits add (Sun et al. 2025).
"""

import math
from collections.abc import Callable
from typing import Any

from kernels import lifetime_steps, optimum_steps
from kernels.divisors import divisors, least_divisor  # noqa: F401 (what the search of layouts calls is looked for here)
from kernels.layout_search import fastest_layout
from kernels.scalar import exp, log

LARGEST = 700.0  # exponents past this overflow a double


def general_terms(
    ln_n, ln_d, ln_worth, gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay, params_decay, balance,
    k, k_params, k_tokens,
):  # fmt: skip
    """L - E at a point, its derivatives by ln N and by ln D, the fall by ln D of the token term alone, and how
    fast what more parameters take away falls by ln N along N D = const.

    repeated is 0 for tokens that are all new, 1 for a law told of repeats past the unique ones, 2 for a law of its own.
    """
    n_worth, n_slope, n_by_d, d_worth, d_slope = ln_n, 1.0, 0.0, ln_d, 1.0
    if repeated > 0:
        ln_u = log(unique)
        if ln_d > ln_u:
            again = (exp(ln_d - ln_u) - 1.0) / tokens_decay
            left = exp(-again)
            kept = 1.0 + tokens_decay * (1.0 - left)
            d_worth = ln_u + log(kept)
            d_slope = exp(ln_d - d_worth) * left
        if ln_d > ln_u or repeated > 1:
            ln_seen = ln_u if ln_d > ln_u else ln_d
            ln_enough = log(balance) + (log(balance) + ln_seen) * beta / alpha
            if ln_n > ln_enough:
                excess = (exp(ln_n - ln_enough) - 1.0) / params_decay
                left = exp(-excess)
                n_worth = ln_enough + log(1.0 + params_decay * (1.0 - left))
                n_slope = exp(ln_n - n_worth) * left
                if ln_d < ln_u:  # N' is in proportion to both N and what the tokens are enough for
                    n_by_d = (1.0 - n_slope) * beta / alpha
    ln_worth_n = n_worth + ln_worth + gain * (ln_n + ln_d)
    value = a * exp(-alpha * ln_worth_n)
    by_worth = -alpha * value
    bend = alpha * alpha * value * n_slope
    if a2 > 0.0:
        second = a2 * exp(-alpha2 * ln_worth_n)
        value += second
        by_worth -= alpha2 * second
        bend += alpha2 * alpha2 * second * n_slope
    third = b * exp(-beta * d_worth)
    fall = beta * third * d_slope
    value += third
    by_n = by_worth * (n_slope + gain)
    by_d = by_worth * (n_by_d + gain) - fall
    if k > 0.0:
        added = k * exp(k_tokens * ln_d - k_params * ln_n)
        value += added
        by_n -= k_params * added
        by_d += k_tokens * added
        bend += (k_params + k_tokens) * (k_params + k_tokens) * added
    return value, by_n, by_d, fall, bend


def general_loss(
    n, d, worth, gain, a, alpha, a2, alpha2, b, beta, counts, own, unique, tokens_decay, params_decay, balance, k,
    k_params, k_tokens,
):  # fmt: skip
    """L - E at N and D."""
    if not (n > 0.0 and d > 0.0 and worth > 0.0 and alpha > 0.0 and beta > 0.0):
        return math.nan
    repeated = (2 if own > 0 else 1) if counts > 0 else 0
    value, _, _, _, _ = general_terms(
        log(n), log(d), log(worth), gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay, params_decay,
        balance, k, k_params, k_tokens,
    )  # fmt: skip
    return value


def optimum_along(
    ln_p, ceiling, ln_worth, gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay, params_decay,
    balance, k, k_params, k_tokens,
):  # fmt: skip
    """ln N below ceiling that minimises the loss at ln N + ln D = ln_p, and the loss there.

    What more parameters take away and what fewer tokens add balance at the optimum; the logarithm of their ratio falls
    with ln N, nearly in a straight line. Newton's method finds the root in a few steps, a secant where tokens repeat;
    a bracket is halved where they leave it.
    """
    x = min((log(alpha * a / (beta * b)) - alpha * ln_worth + beta * ln_p) / (alpha + beta), ceiling)
    low, high = -LARGEST / 2.0, ceiling
    last_x, last_side = math.nan, math.nan
    value = math.inf
    for _ in range(100):
        value, by_n, by_d, fall, bend = general_terms(
            x, ln_p - x, ln_worth, gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay, params_decay,
            balance, k, k_params, k_tokens,
        )  # fmt: skip
        gained = fall - (by_n - by_d)
        side = -math.inf
        if gained > 0.0:
            side = log(gained / fall) if fall > 0.0 else math.inf
        if side >= 0.0 and x >= ceiling:
            break  # the best is at the ceiling
        if side >= 0.0:
            low = x
        else:
            high = x
        slope = -bend / gained - beta if gained > 0.0 else -beta
        if repeated > 0 and abs(x - last_x) > 1e-7 and abs(side) < math.inf and abs(last_side) < math.inf:
            steeper = (side - last_side) / (x - last_x)
            slope = steeper if steeper < 0.0 else slope
        step = -side / slope if abs(side) < math.inf else (2.0 if side > 0.0 else -2.0)
        step = min(max(step, -4.0), 4.0)  # far from the root the line is no guide
        if abs(step) <= (1e-13 if repeated > 0 else 1e-8) * abs(x):  # a step of Newton's squares what is left
            x = min(x + step, ceiling)
            break
        nearer = x + step
        if not (nearer > low and nearer < high):
            nearer = min(0.5 * (max(low, x - 20.0) + min(high, x + 20.0)), ceiling)
        last_x, last_side = x, side
        x = nearer
    return x, value


def compute_optimal(
    product, worth, gain, a, alpha, a2, alpha2, b, beta, counts, own, unique, tokens_decay, params_decay, balance, k,
    k_params, k_tokens,
):  # fmt: skip
    """N that minimises the loss at N D = product.

    A law of its own knows repeats everywhere. Under one that is told of them past the unique tokens, the best model of
    unlimited tokens is the answer when it needs no repeats; else the optimum lies past the unique tokens, or where none
    needs repeating yet.
    """
    if not (product > 0.0 and product < math.inf and worth > 0.0 and a > 0.0 and b > 0.0):
        return math.nan
    if not (alpha > 0.0 and beta > 0.0):
        return math.nan
    ln_p = log(product)
    ln_worth = log(worth)
    full_worth = ln_worth + gain * ln_p  # constant along N D
    repeated = 2 if counts > 0 and own > 0 else 0
    x, _ = optimum_along(
        ln_p, math.inf, full_worth, 0.0, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay, params_decay,
        balance, k, k_params, k_tokens,
    )  # fmt: skip
    if counts == 0 or own > 0 or not ln_p - x > log(unique):
        return exp(x)
    ceiling = ln_p - log(unique)
    unrepeated, _, _, _, _ = general_terms(
        ceiling, ln_p - ceiling, full_worth, 0.0, a, alpha, a2, alpha2, b, beta, 0, unique, tokens_decay, params_decay,
        balance, k, k_params, k_tokens,
    )  # fmt: skip
    x, value = optimum_along(
        ln_p, ceiling - 1e-12, full_worth, 0.0, a, alpha, a2, alpha2, b, beta, 1, unique, tokens_decay, params_decay,
        balance, k, k_params, k_tokens,
    )  # fmt: skip
    return exp(x) if value < unrepeated else exp(ceiling) * (1.0 + 1e-13)  # so that D does not round past the unique


def lifetime_growth(ln_c, beta):
    """u = (D / D_opt)**beta - 1 of the model of least lifetime FLOPs, for a law of two powers; u (1 + u)**(1/beta) = c.

    Stationarity of N D + q N at equal loss says so with c = beta q / ((alpha + beta) D_opt), D_opt the tokens of the
    compute-optimal model of that loss. In v = ln u it is v + ln(1 + exp(v)) / beta = ln c. Halley's method, from
    the root that (v + sqrt(v**2 + w**2)) / 2 in place of ln(1 + exp(v)) has.
    """
    if not (beta > 0.0 and ln_c == ln_c):
        return math.nan
    if abs(ln_c) == math.inf:
        return exp(ln_c)
    s = 0.5 / beta
    v = (ln_c * (1.0 + s) - s * math.sqrt(ln_c * ln_c + (1.0 + 2.0 * s) * 1.92)) / (1.0 + 2.0 * s)
    for _ in range(20):
        u = exp(v)
        share = u / (1.0 + u) if u < 1e300 else 1.0
        slope = 1.0 + share / beta
        newton = (v + (math.log1p(u) if u < 1e300 else v) / beta - ln_c) / slope
        step = newton / (1.0 - 0.5 * newton * share * (1.0 - share) / (beta * slope))
        v -= step
        if abs(step) <= 1e-5 * (1.0 + abs(v)) * 0.1:
            break
    return exp(v)


def lifetime_growth_flat(ln_c, ln_flat, share, alpha, beta, power):
    """As lifetime_growth, where a part of the cost grows with a power of N less than one.

    It adds flat (N / N_opt)**-power to c, and (N / N_opt)**-alpha is r = (share + u) / (share (1 + u)), share being
    beta / (alpha + beta). r lies between 1 and 1 / share, so the sum moves little and repeating settles it.
    """
    if not (alpha > 0.0 and beta > 0.0 and share > 0.0 and ln_c == ln_c and ln_flat == ln_flat):
        return math.nan
    if ln_flat == -math.inf:
        return lifetime_growth(ln_c, beta)
    u = 0.0
    for _ in range(200):
        ln_r = log((share + u) / (share * (1.0 + u))) if u < 1e300 else -log(share)
        least = max(ln_c, ln_flat + power / alpha * ln_r)
        both = exp(ln_c - least) + exp(ln_flat + power / alpha * ln_r - least)
        last = u
        u = lifetime_growth(least + log(both), beta)
        if not abs(u - last) > 1e-15 * u:
            break
    return u


def params_at_loss(
    above, ln_d, ln_worth, gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay, params_decay, balance,
    k, k_params, k_tokens,
):  # fmt: skip
    """ln N at which L - E is above, for this D; inf where no number of parameters is enough."""
    is_plain = repeated == 0 and not a2 > 0.0 and not k > 0.0
    if is_plain:
        rest = b * exp(-beta * ln_d)
    else:
        rest, _, _, _, _ = general_terms(
            LARGEST / 2.0, ln_d, ln_worth, gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay,
            params_decay, balance, k, k_params, k_tokens,
        )  # fmt: skip
    if not rest < above:
        return math.inf
    x = (log(a / (above - rest)) / alpha - ln_worth - gain * ln_d) / (1.0 + gain)
    if is_plain:
        return x
    low, high = -LARGEST / 2.0, LARGEST / 2.0
    moved = math.inf
    x = min(max(x, 0.5 * low), 0.5 * high)
    for _ in range(100):
        value, by_n, _, _, _ = general_terms(
            x, ln_d, ln_worth, gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay, params_decay,
            balance, k, k_params, k_tokens,
        )  # fmt: skip
        if value > above:
            low = x
        else:
            high = x
        over = value - rest
        step = over * log(over / (above - rest)) / by_n if over > 0.0 and by_n < 0.0 else math.inf
        if abs(step) <= 1e-14 * abs(x):
            break
        nearer = x - step
        if not (nearer > low and nearer < high and abs(step) < 0.7 * moved):  # or it may go to and fro
            nearer = 0.5 * (max(low, x - 20.0) + min(high, x + 20.0))
        moved = abs(nearer - x)
        x = nearer
    return x


def lifetime_side(
    ln_d, above, q, flat, ln_worth, gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay, params_decay,
    balance, k, k_params, k_tokens,
):  # fmt: skip
    """What more tokens cost over what they save on the curve of equal loss, in logs; -inf where too few to do."""
    if repeated == 0 and not a2 > 0.0 and not k > 0.0 and not flat > 0.0:  # what parameters have to do is what is left
        third = b * exp(-beta * ln_d)
        if not third < above:
            return -math.inf
        by_n = -alpha * (above - third) * (1.0 + gain)
        by_d = -alpha * (above - third) * gain - beta * third
        return ln_d - log(by_d / by_n * (exp(ln_d) + q)) if by_d < 0.0 else math.inf
    x = params_at_loss(
        above, ln_d, ln_worth, gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay, params_decay,
        balance, k, k_params, k_tokens,
    )  # fmt: skip
    if x == math.inf:
        return -math.inf
    _, by_n, by_d, _, _ = general_terms(
        x, ln_d, ln_worth, gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay, params_decay, balance,
        k, k_params, k_tokens,
    )  # fmt: skip
    if by_d >= 0.0:
        return math.inf
    spent = exp(ln_d) + q + (flat * exp(-2.0 / 3.0 * x) if flat > 0.0 else 0.0)
    return ln_d - log(by_d / by_n * spent)


def lifetime_along(
    least, above, q, flat, ln_worth, gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay,
    params_decay, balance, k, k_params, k_tokens,
):  # fmt: skip
    """ln D from least on at which more tokens cost as much as they save; nan where there is none.

    The logarithm of the one over the other grows with ln D, nearly in a straight line: a secant finds the root, halving
    a bracket where it leaves it.
    """
    y = (log(b) - log(above) + log(1.0 + beta / alpha)) / beta
    y += math.log1p(lifetime_growth(log(beta / (alpha + beta) * q) - y, beta)) / beta
    y = max(y, least)
    low, high = -math.inf, math.inf
    last_y, last_side = math.nan, math.nan
    slope = beta
    stride = 0.5
    for _ in range(200):
        side = lifetime_side(
            y, above, q, flat, ln_worth, gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay,
            params_decay, balance, k, k_params, k_tokens,
        )  # fmt: skip
        if abs(side) <= 1e-13 * slope * abs(y) or (side > 0.0 and y <= least and side < math.inf):
            return y
        if side < 0.0:
            low = y
        else:
            high = y
        if abs(y - last_y) > 1e-7 and abs(side) < math.inf and abs(last_side) < math.inf:
            steeper = (side - last_side) / (y - last_y)
            slope = steeper if steeper > 0.0 else slope
        step = min(max(side / slope, -4.0), 4.0)  # far from the root the line is no guide
        nearer = max(y - step, least) if abs(side) < math.inf else math.nan
        if not (nearer > low and nearer < high):
            if low > -math.inf and high < math.inf:
                nearer = 0.5 * (low + high)
            elif high < math.inf:
                nearer = max(y - stride, least)
                stride *= 1.5
            else:
                nearer = y + stride
                stride *= 1.5
        last_y, last_side = y, side
        y = nearer
        if not abs(y) < LARGEST / 2.0:
            return math.nan
        if abs(y - last_y) <= 1e-15 * abs(y):
            break
    return y if abs(last_side) < math.inf else math.nan


def lifetime_optimal_tokens(
    above, q, flat, worth, gain, a, alpha, a2, alpha2, b, beta, counts, own, unique, tokens_decay, params_decay,
    balance, k, k_params, k_tokens,
):  # fmt: skip
    """D that minimises N D + q N + 3 flat N**(1/3) at L - E = above, for the general law.

    Along the curve of equal loss ln N falls by nu for every e-fold of D, and at the optimum D = nu (D + q + flat
    N**(-2/3)). When the best model of unlimited tokens needs no repeats it is the answer; else the optimum lies past
    the unique tokens, or where none needs repeating yet.
    """
    if not (above > 0.0 and above < math.inf and q >= 0.0 and flat >= 0.0 and worth > 0.0 and a > 0.0 and b > 0.0):
        return math.nan
    if not (alpha > 0.0 and beta > 0.0 and q < math.inf and flat < math.inf):
        return math.nan
    ln_worth = log(worth)
    y = lifetime_along(
        -math.inf, above, q, flat, ln_worth, gain, a, alpha, a2, alpha2, b, beta, 2 if counts > 0 and own > 0 else 0,
        unique, tokens_decay, params_decay, balance, k, k_params, k_tokens,
    )  # fmt: skip
    if counts == 0 or own > 0 or not y > log(unique):
        return exp(y)
    edge = log(unique)
    unrepeated = params_at_loss(
        above, edge, ln_worth, gain, a, alpha, a2, alpha2, b, beta, 0, unique, tokens_decay, params_decay, balance, k,
        k_params, k_tokens,
    )  # fmt: skip
    y = lifetime_along(
        edge + 1e-12, above, q, flat, ln_worth, gain, a, alpha, a2, alpha2, b, beta, 1, unique, tokens_decay,
        params_decay, balance, k, k_params, k_tokens,
    )  # fmt: skip
    if y != y:
        return unique * (1.0 - 1e-13) if unrepeated < math.inf else math.nan
    cost_edge = math.inf
    if unrepeated < math.inf:
        cost_edge = exp(unrepeated) * (unique + q) + 3.0 * flat * exp(unrepeated / 3.0)
    x = params_at_loss(
        above, y, ln_worth, gain, a, alpha, a2, alpha2, b, beta, 1, unique, tokens_decay, params_decay, balance, k,
        k_params, k_tokens,
    )  # fmt: skip
    cost = exp(x) * (exp(y) + q) + 3.0 * flat * exp(x / 3.0)
    return exp(y) if cost < cost_edge else unique * (1.0 - 1e-13)


def lifetime_optimal_params(
    above, d, worth, gain, a, alpha, a2, alpha2, b, beta, counts, own, unique, tokens_decay, params_decay, balance, k,
    k_params, k_tokens,
):  # fmt: skip
    """N at which L - E is above, for this D; nan where no number of parameters is enough."""
    if not (above > 0.0 and d > 0.0 and d < math.inf and worth > 0.0 and a > 0.0 and alpha > 0.0 and beta > 0.0):
        return math.nan
    repeated = (2 if own > 0 else 1) if counts > 0 else 0
    x = params_at_loss(
        above, log(d), log(worth), gain, a, alpha, a2, alpha2, b, beta, repeated, unique, tokens_decay, params_decay,
        balance, k, k_params, k_tokens,
    )  # fmt: skip
    return exp(x) if x < math.inf else math.nan


def surface_vocabulary(body, width, flops, scale, exponent, tokens_scale, tokens_exponent):
    """V at which the vocabulary term and the token term of the loss surface balance, at C = flops (Tao et al. 2024).

    With n and v in millions of parameters and t = C / (6e15 (n + v)) in billions of tokens, the derivative by v of
    scale v**-exponent + tokens_scale t**-tokens_exponent is zero. It grows with v, so the root is bracketed and halved.
    """
    if not (body > 0.0 and width > 0.0 and flops > 0.0 and scale > 0.0 and tokens_scale > 0.0):
        return math.nan
    if not (exponent > 0.0 and tokens_exponent > 0.0):
        return math.nan
    n = body / 1e6
    left = log(exponent * scale)
    right = log(tokens_exponent * tokens_scale) + tokens_exponent * log(6e15 / flops)
    low, high = -40.0, 60.0
    for _ in range(80):
        x = 0.5 * (low + high)
        if x <= low or x >= high:
            break
        if left - (exponent + 1.0) * x < right + (tokens_exponent - 1.0) * log(n + exp(x)):
            high = x
        else:
            low = x
    return exp(0.5 * (low + high)) * 1e6 / width


def kaplan_min_steps(above, steps_scale, steps_exponent, tokens, batch, batch_scale, batch_exponent):
    """S_min = D / (B + B_crit(L)) the critical batch at the loss that these steps reach (Kaplan et al. 2020)."""
    if not (above > 0.0 and steps_scale > 0.0 and steps_exponent > 0.0 and tokens > 0.0 and batch > 0.0):
        return math.nan
    if not (batch_scale > 0.0 and batch_exponent == batch_exponent):
        return math.nan
    low, high = log(above), LARGEST / 10.0
    for _ in range(80):
        x = 0.5 * (low + high)
        if x <= low or x >= high:
            break
        steps = tokens / (batch + batch_scale * exp(-batch_exponent * x))
        if above + exp(log(steps_scale) - steps_exponent * log(steps)) > exp(x):
            low = x
        else:
            high = x
    return tokens / (batch + batch_scale * exp(-batch_exponent * 0.5 * (low + high)))


def optimal_bits(weight_bits, weight_offset, activation_bits, activation_offset, kv_bits, kv_offset):
    """Bits P that maximise f(P) / P, f the share of parameters that Kumar et al. 2024 leave at P bits."""
    if not (weight_bits > 0.0 and activation_bits > 0.0 and kv_bits > 0.0):
        return math.nan
    if not abs(weight_offset + activation_offset + kv_offset) < math.inf:
        return math.nan
    lowest = max(weight_bits * weight_offset, activation_bits * activation_offset)
    low, high = max(lowest, kv_bits * kv_offset), 64.0
    for _ in range(80):
        p = 0.5 * (low + high)
        if p <= low or p >= high:
            break
        slope = 0.0
        for k in range(3):
            bits = weight_bits if k == 0 else (activation_bits if k == 1 else kv_bits)
            offset = weight_offset if k == 0 else (activation_offset if k == 1 else kv_offset)
            lost = exp(-p / bits + offset)
            slope += lost / (bits * (1.0 - lost))
        if slope > 1.0 / p:
            low = p
        else:
            high = p
    return 0.5 * (low + high)


def draw_quantile(value, percent):  # noqa: ARG001 (what a formula calls it with)
    """nan: one evaluation has no draws. The engine fills in what all draws of a law come to."""
    return math.nan


ROOTS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        general_loss,
        compute_optimal,
        lifetime_growth,
        lifetime_growth_flat,
        lifetime_optimal_tokens,
        lifetime_optimal_params,
        surface_vocabulary,
        kaplan_min_steps,
        optimal_bits,
        draw_quantile,
        fastest_layout,
    )
} | {**optimum_steps.STEPS, **lifetime_steps.STEPS}

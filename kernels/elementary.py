"""exp and log in nothing but arithmetic, so that a compiler puts several of them into one vector instruction.

libm's are a call each. These are within two units in the last place for usual numbers, and what lies past the largest
or below the smallest usual double, or is no number, is taken for the nearest usual one: whoever calls them says
beforehand, or sees afterwards, whether the answer is good. No step of them fuses or reorders, so compiled code and
plain Python give the same bits.
"""

import numpy as np

MAGIC = 6755399441055744.0  # 1.5 * 2**52: added to a number below 2**51, it leaves its whole part in the lowest bits
MAGIC_BITS = 4843621399236968448
HALF_SQRT_BITS = 4604544271217802189  # of sqrt(1/2)
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # W. J. Cody's split: k * LN2_HIGH is exact
EXPONENT = 1 << 52  # one in the exponent of a double


def vector_exp(x):
    """e to the x, x held between -708 and 709: 2**k exp(r), |r| <= ln(2) / 2, exp(r) by its series to r**13."""
    x = float(x)
    x = x if x < 709.0 else 709.0
    x = x if x > -708.0 else -708.0
    shifted = x * 1.4426950408889634 + MAGIC
    k = shifted - MAGIC
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = (0.5 + r * (1.0 / 6.0)) + r2 * ((1.0 / 24.0) + r * (1.0 / 120.0))
    middle = ((1.0 / 720.0) + r * (1.0 / 5040.0)) + r2 * ((1.0 / 40320.0) + r * (1.0 / 362880.0))
    high = ((1.0 / 3628800.0) + r * (1.0 / 39916800.0)) + r2 * ((1.0 / 479001600.0) + r * (1.0 / 6227020800.0))
    series = 1.0 + (r + r2 * (low + r4 * (middle + r4 * high)))
    scale = (np.float64(shifted).view(np.int64) - (MAGIC_BITS - 1023)) * EXPONENT
    return series * np.int64(scale).view(np.float64)


def vector_log(x):
    """Natural logarithm, x held to positive normal doubles: the series of fdlibm's e_log.c about the nearest 2**k."""
    x = float(x)
    x = x if x > 1e-307 else 1e-307
    x = x if x < 1e307 else 1e307
    bits = np.float64(x).view(np.int64)
    k = (bits - HALF_SQRT_BITS) >> 52
    f = float(np.int64(bits - k * EXPONENT).view(np.float64)) - 1.0
    whole = float(np.int64(k + MAGIC_BITS).view(np.float64)) - MAGIC
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    inner = 2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860510658591e-01)
    even = z * (6.666666666666735130e-01 + w * inner)
    half = 0.5 * f * f
    return whole * LN2_HIGH - ((half - (s * (half + (odd + even)) + whole * LN2_LOW)) - f)

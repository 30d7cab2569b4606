"""The functions of the metric language, one number at a time, ``nan`` in and ``nan`` out.

They run compiled inside the generated loops and as plain Python in tests, explanations and small evaluations, and give
the same bits in both: libm underneath, never numpy's vectorised variants, whose last bit differs.
"""

import math

import numpy as np


def minimum(a: float, b: float) -> float:
    """The smaller of two numbers, ``nan`` when either is."""
    return a if (a <= b or a != a) else b


def maximum(a: float, b: float) -> float:
    """The larger of two numbers, ``nan`` when either is."""
    return a if (a >= b or a != a) else b


def ceil(x: float) -> float:
    """Round up; a float, so that ``nan`` stays ``nan``."""
    return np.ceil(float(x))  # numpy would leave an integer an integer


def floor(x: float) -> float:
    """Round down; a float, so that ``nan`` stays ``nan``."""
    return np.floor(float(x))


def sqrt(x: float) -> float:
    """Square root; ``nan`` below zero."""
    if x < 0.0:
        return math.nan
    return math.sqrt(x)


def log(x: float) -> float:
    """Natural logarithm; ``-inf`` at zero, ``nan`` below."""
    if x > 0.0:
        return math.log(x)
    return -math.inf if x == 0.0 else math.nan


def log2(x: float) -> float:
    """Logarithm to base two; ``-inf`` at zero, ``nan`` below."""
    if x > 0.0:
        return math.log2(x)
    return -math.inf if x == 0.0 else math.nan


def exp(x: float) -> float:
    """e to the x; ``inf`` past the largest double."""
    if x > 709.782712893384:
        return math.inf
    return math.exp(x)


def power(a: float, b: float) -> float:
    """a to the b; ``nan`` for a negative base, ``inf`` for zero to a negative power or past the largest double."""
    a, b = float(a), float(b)  # a compiled power of a whole number would be repeated multiplication, which rounds more
    if 1e-30 < a < 1e30 and -10.0 < b < 10.0:  # the usual case, which can neither overflow nor leave the reals
        return math.pow(a, b)
    if a != a or b != b or a < 0.0:
        return math.nan
    if a == 0.0:
        return math.inf if b < 0.0 else (1.0 if b == 0.0 else 0.0)
    if a < math.inf and b * math.log(a) > 709.78:
        return math.inf
    return math.pow(a, b)


FUNCTIONS = {function.__name__: function for function in (minimum, maximum, ceil, floor, sqrt, log, log2, exp, power)}

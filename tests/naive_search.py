"""Optima by trying: a grid, golden sections and halved brackets, for whatever function is given.

Everything takes and returns floats or mpmath's numbers, as it is given: quick or exact to 17 digits in the logarithm.
"""

import math
from collections.abc import Callable
from typing import Any

import mpmath  # type: ignore[import-untyped]
from mpmath import mpf

mpmath.mp.dps = 40

Real = Any  # a float, or one of mpmath's numbers, which have no types
INF = math.inf


def exp(x: Real) -> Real:
    return math.exp(min(x, 700.0)) if isinstance(x, float) else mpmath.exp(x)


def log(x: Real) -> Real:
    return math.log(x) if isinstance(x, float) else mpmath.log(x)


def halved(over: Callable[[Real], Real], low: Real, high: Real) -> Real:
    """Where something that falls from above zero to below it is zero."""
    for _ in range(60 if isinstance(low, float) else 180):
        middle = (low + high) / 2
        if over(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def golden(f: Callable[[Real], Real], low: Real, high: Real) -> tuple[Real, Real]:
    """Where a function of one valley is lowest, and its value there."""
    exact = not isinstance(low, float)
    share = (mpmath.sqrt(5) - 1) / 2 if exact else (math.sqrt(5) - 1) / 2
    left, right = high - share * (high - low), low + share * (high - low)
    at_left, at_right = f(left), f(right)
    while high - low > (mpf(10) ** -17 if exact else 1e-9):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - share * (high - low)
            at_left = f(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + share * (high - low)
            at_right = f(right)
    return (left, at_left) if at_left < at_right else (right, at_right)


def lowest(f: Callable[[Real], Real], low: Real, high: Real, pieces: int = 60) -> tuple[Real, Real]:
    """Where a function is lowest, whatever its valleys: the best of a grid, then a golden section about it."""
    grid = [low + (high - low) * k / pieces for k in range(pieces + 1)]
    values = [f(x) for x in grid]
    k = min(range(pieces + 1), key=lambda i: values[i])
    return golden(f, grid[max(k - 1, 0)], grid[min(k + 1, pieces)])


def optimal_at(loss: Callable[[Real, Real], Real], product: Real, pieces: int = 60) -> tuple[Real, Real]:
    """N with the least loss at N D = product, and that loss."""
    kind = float if isinstance(product, float) else mpf
    x, least = lowest(lambda x: loss(exp(x), product / exp(x)), kind(0), log(product), pieces)
    return exp(x), least


def params_at_loss(loss: Callable[[Real, Real], Real], target: Real, tokens: Real) -> Real:
    """N with that loss at that D; inf where no N has it."""
    if not loss(exp(90.0), tokens) < target:
        return INF
    return exp(halved(lambda x: loss(exp(x), tokens) - target, 0.0, 90.0))


def cheapest_at(
    loss: Callable[[Real, Real], Real], target: Real, cost: Callable[[Real, Real], Real], pieces: int = 120
) -> tuple[Real, Real]:
    """D with the least cost(N, D) at that loss, and that cost; floats, and inf where the loss is out of reach."""

    def at(x: Real) -> Real:
        params = params_at_loss(loss, target, exp(x))
        return cost(params, exp(x)) if params < INF else INF

    x, least = lowest(at, 10.0, 60.0, pieces)
    return exp(x), least

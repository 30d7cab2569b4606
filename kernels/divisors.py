"""What divides a count, as the bits of an integer: for loops that are gone through many times."""

import numpy as np

LOWEST = np.zeros(67, np.int64)  # what divides, by its bit modulo 67, of which no two powers of two below 2**66 agree
for _bit in range(63):
    LOWEST[(1 << _bit) % 67] = _bit + 2


def divisors(number, most):
    """Which of 2 to 64, and no more than most, divide a number: bit k - 2 stands for k."""
    found = 0
    for k in range(2, min(number, most, 64) + 1):
        if number % k == 0:
            found |= 1 << (k - 2)
    return found


def least_divisor(divisors):
    """The least of such divisors, 0 where there is none."""
    return int(LOWEST[(divisors & -divisors) % 67])

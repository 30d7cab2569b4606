"""What divides a count, as the bits of an integer: for loops that are gone through many times."""


def divisors(number, most):
    """Which of 2 to 64, and no more than most, divide a number: bit k - 2 stands for k."""
    found = 0
    for k in range(2, min(number, most, 64) + 1):
        if number % k == 0:
            found |= 1 << (k - 2)
    return found

"""The designs that stand for a frontier, straight from the definition: one cell after another."""

from __future__ import annotations

import math


def cell(value: float, epsilon: float) -> tuple[int, float]:
    """The cell of a number as something to compare: its sign, then powers of 1 + epsilon away from zero."""
    if value == 0.0:
        return 0, 0.0
    if math.isinf(value):
        return (1, math.inf) if value > 0 else (-1, -math.inf)
    power = math.log(abs(value)) / math.log1p(epsilon)
    return (1, math.floor(power)) if value > 0.0 else (-1, math.floor(-power))


def beats(one: tuple[tuple[int, float], ...], other: tuple[tuple[int, float], ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def representatives(rows: list[tuple[float, ...]], ids: list[int], epsilon: float) -> list[int]:
    """Of designs by their objectives, all to be minimised: the first of each cell that no cell beats."""
    whole = [(row, i) for row, i in zip(rows, ids, strict=True) if not any(x != x for x in row)]
    first: dict[tuple[tuple[int, float], ...], tuple[tuple[float, ...], int]] = {}
    for row, i in whole:
        where = tuple(cell(x, epsilon) for x in row)
        first[where] = min(first.get(where, (row, i)), (row, i))
    kept = [found for where, found in first.items() if not any(beats(other, where) for other in first)]
    return [i for _, i in sorted(kept)]

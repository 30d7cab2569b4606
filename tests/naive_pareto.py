"""Frontiers, ranks, distances and volumes straight from their definitions: every row compared with every other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

Row = tuple[float | None, ...]
Whole = tuple[float, ...]


def whole(row: Row) -> Whole | None:
    """The row, None where it holds a null or a nan."""
    numbers = tuple(x for x in row if x is not None and x == x)
    return numbers if len(numbers) == len(row) else None


def beats(one: Whole, other: Whole) -> bool:
    """Whether one is nowhere more and somewhere less."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


def frontier(rows: Sequence[Row]) -> list[int]:
    """The numbers of the rows that no other beats."""
    known = [w for row in rows if (w := whole(row)) is not None]
    return [i for i, row in enumerate(rows) if (w := whole(row)) is not None and not any(beats(o, w) for o in known)]


def one_of_each(rows: Sequence[Row], kept: Sequence[int]) -> list[int]:
    """Of rows with equal objectives the one with the lowest number."""
    return sorted({rows[i]: i for i in sorted(kept, reverse=True)}.values())


def ranks(rows: Sequence[Row]) -> list[int | None]:
    """How many frontiers have to go before a row is on one."""
    found: list[int | None] = [None] * len(rows)
    left, rank = [i for i, row in enumerate(rows) if whole(row) is not None], 1
    while left:
        layer = {left[k] for k in frontier([rows[i] for i in left])}
        for i in layer:
            found[i] = rank
        left, rank = [i for i in left if i not in layer], rank + 1
    return found


def distances(rows: Sequence[Row]) -> list[float | None]:
    """The least factor by which a row would have to shrink to be beaten by nobody."""
    hull = [whole(rows[i]) for i in frontier(rows)]

    def factor(a: float, b: float) -> float:
        return 1.0 if a == b else math.inf if b <= 0 else a / b

    def distance(row: Row) -> float | None:
        w = whole(row)
        if w is None or min(w) <= 0:
            return None
        return max(min(factor(a, b) for a, b in zip(w, best, strict=True)) for best in hull if best is not None)

    return [distance(row) for row in rows]


def hypervolume(rows: Sequence[Whole], reference: Whole) -> float:
    """The volume of the boxes between rows and reference, cell by cell of the grid of all coordinates."""
    inside = [row for row in rows if all(x < r for x, r in zip(row, reference, strict=True))]
    edges = [sorted({row[k] for row in inside} | {reference[k]}) for k in range(len(reference))]
    total = 0.0
    for corner in product(*(range(len(edge) - 1) for edge in edges)):
        low = tuple(edge[k] for edge, k in zip(edges, corner, strict=True))
        if any(all(x <= c for x, c in zip(row, low, strict=True)) for row in inside):
            total += math.prod(edge[k + 1] - edge[k] for edge, k in zip(edges, corner, strict=True))
    return total

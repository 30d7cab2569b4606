"""The values of an axis as a spec writes them: a list, a range, or a range in logarithms."""

import math
from collections.abc import Callable
from typing import Any

MOST = 10_000_000


def listed(value: Any, kind: str | None, place: str, problem: Callable[[str, str, str], None]) -> list[Any]:
    """The values an axis names; kind is the type of its input (None for records). What is wrong goes to problem.

    A list stands for itself, ``{ start, stop, step }`` counts up to and including stop, ``{ start, stop, points }``
    spaces evenly, ``{ log10 = [a, b], points }`` and ``{ log2 = [a, b], points }`` space evenly in the exponent.
    Where the input is a count, spaced values are rounded to whole numbers and repeats dropped.
    """
    if isinstance(value, list):
        if not value:
            problem(place, "[]", "an axis has at least one value")
        bad = [v for v in value if not isinstance(v, str | int | float)]
        if bad:
            problem(place, repr(bad[0]), "an axis lists numbers or words")
            return []
        return value
    if not isinstance(value, dict):
        problem(place, repr(value), f"an axis is a list; one value alone belongs below [fixed], or write [{value!r}]")
        return []
    if kind is None or kind == "word":
        problem(place, repr(value), "this axis lists words; a range needs numbers")
        return []
    match sorted(value):
        case ["start", "step", "stop"]:
            found = _stepped(value, kind, place, problem)
        case ["points", "start", "stop"]:
            found = _spaced(value["start"], value["stop"], value["points"], None, place, problem)
        case ["log10", "points"] | ["log2", "points"]:
            base = 10 if "log10" in value else 2
            ends = value[f"log{base}"]
            if not (isinstance(ends, list) and len(ends) == 2):
                problem(f"{place}.log{base}", repr(ends), f"two exponents, such as log{base} = [1, 3]")
                return []
            found = _spaced(ends[0], ends[1], value["points"], base, place, problem)
        case _:
            advice = "a range is { start, stop, step }, { start, stop, points } or { log10 = [a, b], points }"
            problem(place, repr(value), advice)
            return []
    return list(dict.fromkeys(round(v) for v in found)) if kind == "int" else found


def _stepped(value: dict[str, Any], kind: str, place: str, problem: Callable[[str, str, str], None]) -> list[Any]:
    start, stop, step = value["start"], value["stop"], value["step"]
    for key, number in value.items():
        if not _is_number(number):
            problem(f"{place}.{key}", repr(number), "a number is needed")
            return []
        if kind == "int" and number != int(number):
            problem(f"{place}.{key}", repr(number), "a whole number is needed")
            return []
    if step == 0 or (stop - start) * step < 0:
        problem(f"{place}.step", repr(step), f"does not lead from {start} to {stop}")
        return []
    steps = (stop - start) / step * (1 + 1e-12)
    if not steps < MOST:
        problem(place, repr(value), f"{steps:,.0f} values and more; an axis holds at most {MOST:,}")
        return []
    count = math.floor(steps) + 1
    return [start + step * i for i in range(count)]


def _spaced(
    start: Any, stop: Any, points: Any, base: int | None, place: str, problem: Callable[[str, str, str], None]
) -> list[float]:
    if not (_is_number(start) and _is_number(stop)):
        problem(place, repr([start, stop]), "two numbers are needed")
        return []
    if isinstance(points, bool) or not isinstance(points, int) or not 2 <= points <= MOST:
        problem(f"{place}.points", repr(points), f"a whole number from 2 to {MOST:,} is needed")
        return []
    if start == stop:
        problem(place, repr([start, stop]), "the ends are the same")
        return []
    if not math.isfinite(stop - start):
        problem(place, repr([start, stop]), "too far apart")
        return []
    even = [start + (stop - start) * i / (points - 1) for i in range(points)]
    try:
        return [float(base) ** e for e in even] if base else [float(e) for e in even]
    except OverflowError:
        problem(place, repr([start, stop]), f"{base} to that power is no number")
        return []


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float64
        return False

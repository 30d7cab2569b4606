"""Slopes of formulas: what a difference of one parameter does to a result lies within what its bounds say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.intervals import Interval
from kernels.language import from_text
from kernels.slopes import Slope, secants
from tests.effort import examples
from tests.test_intervals import GRAPH, TEXTS, Box, boxes, points, scope_of, value_of
from tests.test_specialise import KINDS, numbers

SMOOTH = ["a * b", "a / b", "a - b", "(a + b) - b", "a * b / a", "sqrt(a)", "log(a) - b", "exp(a / 100)", "a ** 2",
          "a ** -0.3 + b / a", "2 ** a", "ceil(a / b)", "a // b", "max(a, b)", "min(a, b, 2)", "a if a > b else b",
          "(a < b) * c", "(a + 1e9) - 1e9", "not a < b", "a * (10 - a)", "a - 0.999999 * a", "(a >= b) + (a >= c)",
          "max(a, sqrt(a - 5) * 0)", "0 * sqrt(a - 5)", "(a - b) / a", "1 / (1 + a)", "log2(a) * a"]  # fmt: skip
POSITIVE = st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)).map(sorted)


def slopes_of(text: str, box: Box) -> tuple[Slope, list[str]]:
    formula = from_text("value", text)
    parameters = [name for name in formula.parameters if KINDS.get(name, "int") != "word"]
    return secants(formula.result, scope_of(box), parameters, GRAPH.words), parameters


def check(text: str, box: Box, data: st.DataObject) -> None:
    """Draw two designs that differ in one parameter, and hold what they come to against the slopes."""
    found, parameters = slopes_of(text, box)
    if not parameters:
        return
    formula = from_text("value", text)
    k = data.draw(st.integers(0, len(parameters) - 1))
    name = parameters[k]
    here, there = data.draw(points(box)), data.draw(points(box))
    there = here | {name: there[name]}
    if not abs(here[name]) < math.inf or not abs(there[name]) < math.inf:
        return
    here, there = sorted((here, there), key=lambda values: values[name])
    before, after = value_of(formula, here), value_of(formula, there)
    said = (text, here, there, before, after, found)
    slope = Interval(found.secants.low[k], found.secants.high[k])
    if not found.moves[k]:
        assert before == after or (math.isnan(before) and math.isnan(after)), said
    if slope.low > -math.inf or slope.high < math.inf:
        assert math.isnan(before) == math.isnan(after), said
    apart = there[name] - here[name]
    if math.isnan(before) or math.isnan(after) or not apart > found.least[k] or math.isinf(before) or math.isinf(after):
        return
    if slope.low >= 0.0:
        assert before <= after, said
    if slope.high <= 0.0:
        assert before >= after, said
    slack = found.error[k] + 1e-12 * (abs(before) + abs(after))
    if slope.low > -math.inf:
        assert after - before >= slope.low * apart * (1.0 - 1e-12 * np.sign(slope.low)) - slack, said
    if slope.high < math.inf:
        assert after - before <= slope.high * apart * (1.0 + 1e-12 * np.sign(slope.high)) + slack, said
    if slope.low > 0.0 and slope.low * apart > found.error[k]:
        assert before < after, said
    if slope.high < 0.0 and -slope.high * apart > found.error[k]:
        assert before > after, said


@settings(deadline=None, max_examples=examples(200))
@given(TEXTS, boxes(), st.data())
def test_any_formula_answers_within_its_slopes(text: str, box: Box, data: st.DataObject) -> None:
    for _ in range(4):
        check(text, box, data)


@settings(deadline=None, max_examples=examples(200))
@given(st.sampled_from(SMOOTH) | numbers([]), st.fixed_dictionaries(dict.fromkeys("abc", POSITIVE)), boxes(), st.data())
def test_formulas_of_positive_numbers(
    text: str, positive: dict[str, list[float]], box: Box, data: st.DataObject
) -> None:
    known = box | {name: (low, high, False) for name, (low, high) in positive.items()}
    for _ in range(4):
        check(text, known, data)


@settings(deadline=None, max_examples=examples(150))
@given(st.sampled_from(SMOOTH), st.floats(0.5, 1e3), st.integers(1, 9), st.floats(1e-3, 1e3), st.data())
def test_numbers_a_few_last_places_apart(text: str, a: float, steps: int, b: float, data: st.DataObject) -> None:
    """Where rounding is all there is: a direction is the exact one, or is not claimed for so small a difference."""
    near = a
    for _ in range(steps):
        near = math.nextafter(near, math.inf)
    check(text, {"a": (a, near, False), "b": (b, b, False), "c": (1.0, 2.0, False)}, data)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("3 * a", 3, 3), ("a * b", 1, 4), ("a / b", 0.25, 1), ("-a", -1, -1), ("a - 2 * a", -1, -1), ("b", 0, 0),
        ("ceil(a)", 0, math.inf), ("a > b", 0, math.inf), ("a < b", -math.inf, 0), ("max(a, 0)", 1, 1),
        ("a if b > 0 else 7", 1, 1), ("sqrt(a)", 0.25, 0.5), ("sqrt(a - 2)", -math.inf, math.inf),
    ],
)  # fmt: skip
def test_slopes_by_example(text: str, low: float, high: float) -> None:
    scope = {"a": Interval(1.0, 4.0), "b": Interval(1.0, 4.0)}
    found = secants(from_text("value", text).result, scope, ["a"], {}).secants
    assert (found.low[0], found.high[0]) == pytest.approx((low, high), rel=1e-12)


def test_what_does_not_move_and_what_only_looks_so() -> None:
    scope = {"a": Interval(1.0, 4.0), "b": Interval(1.0, 4.0)}
    for text, moves in {"b": False, "a if b > 5 else b": False, "max(b, a - 9)": False, "(a + b) - a": True,
                        "a - a": True, "0 * a": True, "max(b, 0 * sqrt(a - 2))": True}.items():  # fmt: skip
        found = secants(from_text("value", text).result, scope, ["a"], {})
        assert bool(found.moves[0]) is moves, text

"""Bounds of formulas: whatever the numbers of a box are, what a formula comes to lies within what its bounds say."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.evaluate import compute
from kernels.graph import Graph, Input
from kernels.intervals import Interval, bounds, rounded
from kernels.language import Formula, from_function, from_text, kind_of
from kernels.roots import lifetime_growth
from tests.effort import examples
from tests.test_language_values import expressions
from tests.test_specialise import INPUTS, conditions, numbers

Box = dict[str, tuple[float, float, bool]]  # the least, the greatest, and whether it may be nan
GRAPH = Graph([*INPUTS, Input("k", "", "int", "k")], [])
TEXTS = numbers([]) | conditions([]) | expressions()
CORNERS = [0.0, -0.0, 0.5, 1.0, 3.0, -2.5, 710.0, 1e-300, 1e300, math.inf, -math.inf]
LARGE = [2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**60 + 1, -(2**53) - 1]


def ordered(values: tuple[float, float]) -> tuple[float, float]:
    return min(values), max(values)


REALS = st.tuples(st.sampled_from(CORNERS) | st.floats(-1e6, 1e6), st.sampled_from(CORNERS) | st.floats(-1e6, 1e6))
COUNTS = st.tuples(st.integers(-3, 9), st.integers(-3, 9))
NAMES = {**dict.fromkeys("abc", REALS), **dict.fromkeys("nmk", COUNTS)}


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    box: Box = {}
    for name, pairs in NAMES.items():
        low, high = ordered(draw(pairs))
        if draw(st.booleans()):
            high = low
        box[name] = low, high, name in "abc" and draw(st.integers(0, 5)) == 0
    for name, codes in {"flag": 1, "mark": 1, "norm": 2}.items():
        low, high = ordered((draw(st.integers(0, codes)), draw(st.integers(0, codes))))
        box[name] = low, high, False
    return box


@st.composite
def points(draw: st.DrawFn, box: Box) -> dict[str, float]:
    """Numbers of a box, its corners more often than what lies between."""
    found: dict[str, float] = {}
    for name, (low, high, unsure) in box.items():
        if unsure and draw(st.integers(0, 2)) == 0:
            found[name] = math.nan
        elif draw(st.booleans()) or low == high:
            found[name] = draw(st.sampled_from([low, high]))
        elif name in "abc":
            found[name] = draw(st.floats(low, high))
        else:
            found[name] = draw(st.integers(int(low), int(high)))
    return found


def scope_of(box: Box) -> dict[str, Interval]:
    return {name: Interval(float(low), float(high), unsure) for name, (low, high, unsure) in box.items()}


def is_within(value: float, found: Interval) -> bool:
    if math.isnan(value):
        return bool(found.unsure)
    return bool(found.low <= value <= found.high)


def value_of(formula: Formula, values: Mapping[str, float]) -> float:
    return float(compute(GRAPH, formula, kind_of(formula, GRAPH.kinds, GRAPH.words), values))


@settings(deadline=None, max_examples=examples(500))
@given(TEXTS, boxes(), st.data())
def test_what_a_formula_comes_to_lies_within_its_bounds(text: str, box: Box, data: st.DataObject) -> None:
    formula = from_text("value", text)
    found = bounds(formula, scope_of(box), GRAPH.words)
    for _ in range(6):
        values = data.draw(points(box))
        assert is_within(value_of(formula, values), found), (text, values, found)


FUNCTIONS = ["sqrt({})", "log({})", "log2({})", "exp({})", "ceil({})", "floor({})", "-{}", "({})", "not {} < b",
             "min({}, b, c)", "max(c, {}, b)", "{} ** b", "b ** {}", "{} // b", "b // {}", "{} % b", "b % {}",
             "b / {}", "{} / b", "{} * b", "{} + b", "{} - b", "b if {} < c else c", "{} == b", "b != {}",
             "a < {} <= b", "{} < 1 and b > 1", "{} < 1 or b > 1", "({} < 1) * b", "{} - {}", "{} / {}"]  # fmt: skip


@settings(deadline=None, max_examples=examples(500))
@given(
    st.sampled_from(FUNCTIONS),
    st.sampled_from(["a", "(a * c)", "(a / c)", "n", "(c - a)", "n // m"]),
    boxes(),
    st.data(),
)
def test_every_operation_alone(form: str, inner: str, box: Box, data: st.DataObject) -> None:
    formula = from_text("value", form.replace("{}", inner))
    found = bounds(formula, scope_of(box), GRAPH.words)
    for _ in range(6):
        values = data.draw(points(box))
        assert is_within(value_of(formula, values), found), (formula.text, values, found)


BRANCHES = ["sqrt(a - b) if a > b else c", "log(a) if not a <= n else b - a", "b / n if n >= 1 and m < n else a * n",
            "b / n if not (n < 1 or m >= n) else a * n", "c - a if a == b else a", "a if a != 0 else b",
            "b // n if 0 < n else n", "a * n if 2 * b > a else a - n", "1 / a if a >= b and b > 0.5 else a / b",
            "exp(a) if a < n < b else a"]  # fmt: skip


@settings(deadline=None, max_examples=examples(500))
@given(st.sampled_from(BRANCHES), boxes(), st.data())
def test_a_branch_is_bounded_by_what_its_test_says(text: str, box: Box, data: st.DataObject) -> None:
    formula = from_text("value", text)
    found = bounds(formula, scope_of(box), GRAPH.words)
    for _ in range(6):
        values = data.draw(points(box))
        assert is_within(value_of(formula, values), found), (text, values, found)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("1 - 1 / a if a > 1 else 0", 0.0, 0.75),  # an a below 1 is in the other branch
        ("0 if a <= 1 else 1 - 1 / a", 0.0, 0.75),
        ("1 - 1 / a if a > 1 and n >= 1 else 0", 0.0, 0.75),
        ("log(-1.0) if a == -log(0.0) else a", 0.25, 4.0),  # no number of these is infinite
        ("1 / exp(1000 * a + 1000)", 0.0, 1e-307),  # what overflows is more than any number
    ],
)
def test_bounds_are_no_wider_than_that(text: str, low: float, high: float) -> None:
    found = bounds(from_text("value", text), {"a": Interval(0.25, 4.0), "n": Interval(0.0, 9.0)}, GRAPH.words)
    assert low - 1e-9 <= found.low
    assert found.high <= high + 1e-9
    assert not found.unsure


@settings(deadline=None, max_examples=examples(200))
@given(TEXTS | st.sampled_from(BRANCHES), st.lists(boxes(), min_size=1, max_size=5))
def test_many_boxes_at_once_are_bounded_as_one_at_a_time(text: str, several: list[Box]) -> None:
    formula = from_text("value", text)
    alone = [scope_of(box) for box in several]
    together = {
        name: Interval(*(np.array([getattr(scope[name], part) for scope in alone]) for part in Interval._fields))
        for name in alone[0]
    }
    found = bounds(formula, together, GRAPH.words)
    for k, scope in enumerate(alone):
        one = bounds(formula, scope, GRAPH.words)
        for part in Interval._fields:
            held = np.broadcast_to(getattr(found, part), len(alone))[k]
            np.testing.assert_array_equal(held, getattr(one, part), err_msg=f"{text}: {part}")


@pytest.mark.parametrize("text", ["a + b", "a - b", "a * b", "a / b", "a // b", "a ** b", "a if a > b else b"])
def test_no_box_has_no_bounds(text: str) -> None:
    none = Interval(np.empty(0), np.empty(0))
    assert len(bounds(from_text("value", text), {"a": none, "b": Interval(1.0, 2.0)}, {}).low) == 0


@settings(deadline=None, max_examples=examples(300))
@given(
    st.sampled_from(["n - m", "n // m", "n % m", "n > m", "n == m", "n != m", "n + m - m", "n * 2 - m", "min(n, m)",
                     "n - 9007199254740993", "n if n > m else 0", "n >= 9007199254740993", "(n - m) * 5"]),
    st.tuples(st.sampled_from(LARGE), st.sampled_from(LARGE)),
    st.tuples(st.sampled_from(LARGE), st.sampled_from(LARGE)),
)  # fmt: skip
def test_whole_numbers_that_no_double_holds(text: str, n: tuple[int, int], m: tuple[int, int]) -> None:
    formula = from_text("value", text)
    scope = {"n": Interval(*map(float, ordered(n))), "m": Interval(*map(float, ordered(m)))}
    found = bounds(formula, {name: rounded(part) for name, part in scope.items()}, GRAPH.words)
    for first in n:
        for second in m:
            assert is_within(value_of(formula, {"n": first, "m": second}), found), (text, first, second, found)


def test_a_comparison_that_is_certain_says_so() -> None:
    scope = {"a": Interval(1.0, 2.0), "b": Interval(3.0, 4.0)}
    for text, expected in {"a < b": 1.0, "a >= b": 0.0, "a == b": 0.0, "a != b": 1.0, "not a < b": 0.0}.items():
        assert bounds(from_text("value", text), scope, {})[:2] == (expected, expected), text
    assert bounds(from_text("value", "a if a < b else b"), scope, {})[:2] == (1.0, 2.0)


def test_bounds_are_no_wider_than_they_have_to_be() -> None:
    scope = {"a": Interval(2.0, 3.0), "b": Interval(-1.0, 4.0)}
    for text, low, high in [("a + b", 1, 7), ("a * b", -3, 12), ("b / a", -0.5, 2), ("a - b", -2, 4), ("-b", -4, 1),
                            ("max(a, b)", 2, 4), ("min(a, b)", -1, 3), ("ceil(b / 3)", 0, 2), ("a % 5", 2, 3),
                            ("sqrt(a * a)", 2, 3), ("7 // a", 2, 3)]:  # fmt: skip
        assert bounds(from_text("value", text), scope, {})[:2] == (low, high), text


def two_tokens(a):
    return lifetime_growth(a, 2.0)


def test_a_function_that_needs_a_loop_may_be_anything() -> None:
    step = from_function(two_tokens)
    assert bounds(step, {"a": Interval(1.0, 1.0)}, {}) == (-math.inf, math.inf, True)

"""What a formula of the metric language means, held to Python's own evaluation of the same text."""

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.evaluate import compute
from kernels.graph import Graph, Input
from kernels.language import Formula, Kind, emit, from_function, from_text, kind_of
from kernels.model import GRAPH
from tests.effort import examples
from tests.formula_texts import formulas

Numbers = Mapping[str, int | float]
Words = Mapping[str, tuple[str, ...]]
KINDS: dict[str, Kind] = {"a": "float", "b": "float", "c": "float", "n": "int", "flag": "bool", "norm": "word"}
WORDS = {"norm": ("rmsnorm", "layernorm")}


class Real:
    """A number that Python computes with; where Python raises, the rule that the language documents."""

    def __init__(self, value: float) -> None:
        self.value = float(value)

    def __add__(self, other: "Real") -> "Real":
        return Real(self.value + other.value)

    def __sub__(self, other: "Real") -> "Real":
        return Real(self.value - other.value)

    def __mul__(self, other: "Real") -> "Real":
        return Real(self.value * other.value)

    def __truediv__(self, other: "Real") -> "Real":
        if other.value != 0.0:
            return Real(self.value / other.value)
        return Real(by_zero(self.value, other.value))

    def __floordiv__(self, other: "Real") -> "Real":
        if other.value != 0.0:
            return Real(self.value // other.value)
        return Real(by_zero(self.value, other.value))

    def __mod__(self, other: "Real") -> "Real":
        return Real(self.value % other.value if other.value != 0.0 else math.nan)

    def __pow__(self, other: "Real") -> "Real":
        a, b = self.value, other.value
        if math.isnan(a) or math.isnan(b) or a < 0.0:
            return Real(math.nan)
        if a == 0.0:
            a = 0.0  # an odd power of -0.0 would be -0.0
        try:
            return Real(a**b)
        except (OverflowError, ZeroDivisionError):
            return Real(math.inf)

    def __neg__(self) -> "Real":
        return Real(-self.value)

    def __pos__(self) -> "Real":
        return self

    def __lt__(self, other: "Real") -> bool:
        return self.value < other.value

    def __le__(self, other: "Real") -> bool:
        return self.value <= other.value

    def __gt__(self, other: "Real") -> bool:
        return self.value > other.value

    def __ge__(self, other: "Real") -> bool:
        return self.value >= other.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Real) and self.value == other.value

    def __ne__(self, other: object) -> bool:
        return isinstance(other, Real) and self.value != other.value

    __hash__ = None  # type: ignore[assignment]


def by_zero(a: float, zero: float) -> float:
    """IEEE 754: nan for 0/0 and nan, else infinity with the sign of both."""
    if a == 0.0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, zero)


def lifted(function: Callable[[float], float]) -> Callable[[Real], Real]:
    def of(x: Real) -> Real:
        try:
            return Real(function(x.value))
        except ValueError:  # a domain error, or a rounding of nan
            return Real(-math.inf if function in (math.log, math.log2) and x.value == 0.0 else math.nan)
        except OverflowError:  # exp past the largest double, or a rounding of infinity
            return Real(math.inf if function is math.exp else x.value)

    return of


def extreme(choose: Callable[..., Real]) -> Callable[..., Real]:
    def of(*numbers: Real) -> Real:
        return Real(math.nan) if any(math.isnan(x.value) for x in numbers) else choose(*numbers)

    return of


ORACLE = {
    "min": extreme(min),
    "max": extreme(max),
    "ceil": lifted(lambda x: math.copysign(float(math.ceil(x)), x)),  # a float keeps the sign of nothing
    "floor": lifted(lambda x: math.copysign(float(math.floor(x)), x)),
    **{f.__name__: lifted(f) for f in (math.sqrt, math.log, math.log2, math.exp)},
    "Real": Real,
}


class WrapConstants(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, bool):
            return node
        return ast.Call(ast.Name("Real", ast.Load()), [node], [])


def python_says(text: str, values: dict[str, float]) -> float:
    """The expression evaluated by Python itself, over numbers that keep the documented rules."""
    tree = ast.fix_missing_locations(WrapConstants().visit(ast.parse(text, mode="eval")))
    numbers = {name: Real(value) for name, value in values.items()}
    result = eval(compile(tree, "<oracle>", "eval"), {"__builtins__": {}, **ORACLE}, numbers)
    return result.value if isinstance(result, Real) else float(result)


def computed(formula: Formula, values: Numbers, kinds: Mapping[str, Kind] = KINDS, words: Words = WORDS) -> Any:
    """The formula evaluated by the project, over inputs of these kinds."""
    used = formula.parameters
    graph = Graph([Input(name, "", kinds[name], name, words=words.get(name, ())) for name in used], [])
    return compute(graph, formula, kind_of(formula, kinds, words), values)


def we_say(text: str, values: dict[str, float]) -> float:
    return float(computed(from_text("value", text), values))


def same(a: float, b: float) -> bool:
    """Equal to the last bit but for the sign of zero, nan being itself: min and max of 0.0 and -0.0 may be either."""
    return a == b or (math.isnan(a) and math.isnan(b))


LEAVES = [*"aaabbbccc", "0.0", "1.0", "2.5", "1e300", "3.0", "710.0"]  # whole numbers have a test of their own
OPERATORS = ["+", "-", "*", "/", "//", "%", "**"]


def expressions(depth: int = 3) -> st.SearchStrategy[str]:
    return formulas(LEAVES, OPERATORS, conditions, depth)


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> str:
    form = draw(st.sampled_from(["compared", "chained", "not", "joined"])) if depth else "compared"
    if form == "not":
        return f"(not {draw(conditions(depth - 1))})"
    if form == "joined":
        return f"({draw(conditions(depth - 1))} {draw(st.sampled_from(['and', 'or']))} {draw(conditions(depth - 1))})"
    sides = draw(st.lists(expressions(depth), min_size=3 if form == "chained" else 2, max_size=3))
    signs = draw(st.lists(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), min_size=2, max_size=2))
    return f"({sides[0]} {' '.join(f'{sign} {side}' for sign, side in zip(signs, sides[1:], strict=False))})"


NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e308, 5e-324, math.inf, -math.inf, math.nan]),
    st.floats(-1e6, 1e6),
    st.floats(),
)
FEW = st.fixed_dictionaries(dict.fromkeys("abc", NUMBERS))


@given(expressions(), FEW)
@settings(deadline=None, max_examples=examples(600))
def test_an_expression_means_what_python_means(text: str, values: dict[str, float]) -> None:
    assert same(we_say(text, values), python_says(text, values)), text


@given(conditions(), FEW)
@settings(deadline=None, max_examples=examples(200))
def test_a_condition_means_what_python_means(text: str, values: dict[str, float]) -> None:
    assert we_say(text, values) == python_says(text, values), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("1 / 0", math.inf), ("-1 / 0", -math.inf), ("0 / 0", math.nan), ("1.0 / 0.0", math.inf)),
        *(("1 / log(1)", math.inf), ("1 / sqrt(0)", math.inf), ("1.0 % 0.0", math.nan), ("1.0 // 0.0", math.inf)),
        *(("0 ** -1", math.inf), ("(-2) ** 2", math.nan), ("10 ** 400", math.inf), ("exp(1000)", math.inf)),
        *(("log(0)", -math.inf), ("log2(0)", -math.inf), ("log(-1)", math.nan), ("sqrt(-1)", math.nan)),
    ],
)
def test_what_python_refuses_has_a_value(text: str, expected: float) -> None:
    """The docstrings of kernels.scalar, and IEEE 754 for division."""
    assert same(we_say(text, {}), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("(a < b) + (b < c)", 2.0), ("(a < b) - (b < c)", 0.0), ("-(a < b)", -1.0), ("(a < b) * 3", 3.0)],
)
def test_a_condition_counts_as_one(text: str, expected: float) -> None:
    """True is 1, as in Python."""
    assert we_say(text, {"a": 1.0, "b": 2.0, "c": 3.0}) == expected


@st.composite
def whole_expressions(draw: st.DrawFn, depth: int = 3) -> str:
    form = draw(st.sampled_from(["leaf", "binary", "divided", "extreme", "minus"])) if depth else "leaf"
    if form == "leaf":
        return str(draw(st.sampled_from([*"abc", "1", "2", "7"])))
    inner = draw(whole_expressions(depth - 1))
    if form == "divided":
        return f"({inner} {draw(st.sampled_from(['//', '%']))} {draw(st.sampled_from([2, 3, 7, 9]))})"
    if form == "minus":
        return f"(-{inner})"
    other = draw(whole_expressions(depth - 1))
    if form == "extreme":
        return f"{draw(st.sampled_from(['min', 'max']))}({inner}, {other})"
    return f"({inner} {draw(st.sampled_from('+-*'))} {other})"


@given(whole_expressions(), st.fixed_dictionaries(dict.fromkeys("abc", st.integers(-20, 20))))
@settings(deadline=None, max_examples=examples(300))
def test_whole_numbers_stay_exact(text: str, values: dict[str, int]) -> None:
    formula = from_text("value", text)
    whole: dict[str, Kind] = dict.fromkeys("abc", "int")
    assert kind_of(formula, whole, {}) == "int"
    assert computed(formula, values, whole) == eval(text, {"__builtins__": {}, "min": min, "max": max}, dict(values))


def test_steps_see_the_steps_before_them() -> None:
    def stepped(a, b):
        """(a + b) squared, plus a."""
        total = a + b
        square = total * total
        return square + a

    assert computed(from_function(stepped), {"a": 2, "b": 3}, {"a": "int", "b": "int"}) == 27


def test_words_become_their_codes() -> None:
    formula = from_text("value", "3 if norm == 'layernorm' else 4")
    assert emit(formula.result, {"norm": "x0[j]"}, WORDS) == "(3 if (x0[j] == 1) else 4)"
    assert [computed(formula, {"norm": code}) for code in (0, 1)] == [4, 3]


@pytest.mark.parametrize("name", [m.name for m in GRAPH.metrics.values() if m.function is not None])
def test_calling_the_metric_is_evaluating_its_formula(name: str) -> None:
    """Plain Python and what is emitted agree; words are words in the one, codes in the other."""
    function = GRAPH.metrics[name].function
    formula: Formula = GRAPH.metrics[name].formula
    assert function is not None
    rng = np.random.default_rng(len(name))
    for _ in range(20):
        plain: dict[str, Any] = {}
        codes: dict[str, Any] = {}
        for parameter in formula.parameters:
            if parameter in GRAPH.words:
                codes[parameter] = int(rng.integers(len(GRAPH.words[parameter])))
                plain[parameter] = GRAPH.words[parameter][codes[parameter]]
            elif GRAPH.kinds[parameter] == "float":
                plain[parameter] = codes[parameter] = float(rng.uniform(0.1, 9.0))
            elif GRAPH.kinds[parameter] == "bool":
                plain[parameter] = codes[parameter] = int(rng.integers(2))
            else:
                plain[parameter] = codes[parameter] = int(rng.integers(1, 50))
        ours = compute(GRAPH, formula, GRAPH.kinds[name], codes)
        theirs = function(**plain)
        if isinstance(theirs, complex):  # Python's power of a negative number; the language has none
            assert math.isnan(ours), plain
            continue
        # ** and power() may round differently, and so what is taken of their difference
        assert ours == pytest.approx(1 * theirs, rel=1e-13, abs=0, nan_ok=True), plain

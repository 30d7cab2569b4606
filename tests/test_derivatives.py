"""Slopes of formulas, held to differences taken with sixty digits, and to the laws of differentiation."""

import itertools
import math
import random
from typing import Any

import duckdb
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mpf, workdps  # type: ignore[import-untyped]

from kernels.derivatives import derivative, partial
from kernels.evaluate import compute, evaluate
from kernels.graph import Graph, Input
from kernels.language import Formula, from_text, kind_of
from kernels.model import GRAPH
from kernels.quantiles import quantile_of
from sweep.resolve import single
from sweep.sqltext import quoted, to_sql
from tests.effort import compiled_only
from tests.exact import DIGITS, Away, slope, value
from tests.formula_texts import formulas

pytestmark = pytest.mark.nojit

WORDS = {"w": ("x", "y")}
LEAVES = [*"aaabbbccc", "2.0", "0.5", "3.0", "1.0", "0.0", "2", "1"]
OPERATORS = ["+", "+", "-", "-", "*", "*", "*", "/", "/", "//", "%", "**", "**"]
FORMS = ["leaf", "binary", "binary", "binary", "minus", "call", "extreme", "conditional"]
CONDITIONS = st.sampled_from(["w == 'x'", "w != 'x' and a < b", "not a * b <= c", "a < b < c or b == 2.0"])


def expressions(depth: int = 3) -> st.SearchStrategy[str]:
    return formulas(LEAVES, OPERATORS, lambda _: CONDITIONS, depth, FORMS)


def computed(formula: Formula, at: dict[str, Any]) -> float:
    """A formula by the project's own evaluation."""
    kinds: dict[str, Any] = {p: "word" if p == "w" else "float" for p in formula.parameters}
    graph = Graph([Input(p, "", kinds[p], p, words=WORDS.get(p, ())) for p in formula.parameters], [])
    codes = {p: WORDS[p].index(at[p]) if p in WORDS else float(at[p]) for p in formula.parameters}
    return float(compute(graph, formula, kind_of(formula, kinds, WORDS), codes))


POINTS = st.fixed_dictionaries({**dict.fromkeys("abc", st.floats(0.05, 6.0)), "w": st.sampled_from(["x", "y"])})


def close_to(at: dict[str, Any]) -> list[dict[str, Any]]:
    """Points a little way off, in every order of three numbers that are equal."""
    near = [mpf(k) * mpf(10) ** -25 for k in (1, 2, 3)]
    return [
        {p: v if p == "w" else v * (1 + off[ord(p) - ord("a")]) for p, v in at.items()}
        for off in itertools.permutations(near)
    ]


@given(expressions(), POINTS)
@settings(deadline=None, max_examples=200)
def test_a_slope_is_what_differences_come_to(text: str, at: dict[str, Any]) -> None:
    formula = from_text("f", text)
    exactly = {p: at[p] if p == "w" else mpf(at[p]) for p in at}
    for parameter in set(formula.parameters) - {"w"}:
        try:
            expected = slope(formula, exactly, parameter)
            found = value(partial(formula, parameter), exactly)
            beside = [value(partial(formula, parameter), point) for point in close_to(exactly)]
        except Away:
            assume(False)
        scale = abs(expected) + abs(value(formula, exactly))
        # where parts are equal the first is taken, though the whole may be smooth: max(min(b, a), a) at a = b
        assume(all(abs(slope_there - found) <= mpf(10) ** -12 * scale for slope_there in beside))
        assert abs(found - expected) <= mpf(10) ** -15 * scale, (text, parameter)


@given(expressions(2), expressions(2), POINTS, st.sampled_from("ab"))
@settings(deadline=None, max_examples=80)
def test_logarithms_of_slopes_add_for_products_and_scale_for_powers(
    one: str, other: str, at: dict[str, Any], by: str
) -> None:
    """d ln(f g) = d ln f + d ln g and d ln(f ** 3) = 3 d ln f, for positive f."""
    exactly = {p: at[p] if p == "w" else mpf(at[p]) for p in at}

    def elasticity(text: str) -> Any:
        formula = from_text("f", f"{text} + 0.0 * {by}")
        return value(partial(formula, by), exactly) * exactly[by] / value(formula, exactly)

    with workdps(DIGITS):
        try:
            first, second = elasticity(one), elasticity(other)
            product, power = elasticity(f"({one}) * ({other})"), elasticity(f"(({one}) ** 3.0)")
        except (Away, ZeroDivisionError):
            assume(False)
        assert abs(product - first - second) <= mpf(10) ** -30 * (1 + abs(first) + abs(second))
        assert abs(power - 3 * first) <= mpf(10) ** -30 * (1 + abs(first))


@pytest.mark.parametrize(
    ("text", "by", "expected"),
    [
        *(("a + b", "a", "1.0"), ("a * b", "a", "b"), ("3.0 * a", "a", "3.0"), ("a / b", "a", "1.0 / b")),
        *(("b - a", "a", "-1.0"), ("a ** 2.0", "a", "2.0 * a"), ("a ** 3.0", "a", "3.0 * a ** 2.0")),
        *(("exp(a)", "a", "exp(a)"), ("log(a)", "a", "1.0 / a"), ("b", "b", "1.0"), ("a * 0.0", "a", "0.0")),
        *(("ceil(a) + floor(a) + a // b", "a", "0.0"), ("(a < b) * 1.0", "a", "0.0"), ("a % 3.0", "a", "1.0")),
        ("a if w == 'x' else b", "a", "1.0 if w == 'x' else 0.0"),
    ],
)
def test_slopes_are_written_without_what_does_nothing(text: str, by: str, expected: str) -> None:
    """Textbook derivatives, simplified as by hand."""
    assert partial(from_text("f", text), by).text == expected


@pytest.mark.parametrize(
    ("text", "by", "at", "expected"),
    [
        *(("a ** b", "a", (0.0, 0.0), 0.0), ("a ** b", "b", (0.0, 2.0), 0.0), ("a ** b", "a", (0.0, 2.0), 0.0)),
        *(("a ** b", "a", (0.0, 0.5), math.inf), ("a ** 0.0", "a", (0.0, 1.0), 0.0)),
        *(("sqrt(a)", "a", (0.0, 1.0), math.inf), ("min(a, b)", "a", (2.0, 2.0), 1.0)),
        *(("min(a, b)", "a", (1.0, 2.0), 1.0), ("max(a, b)", "a", (1.0, 2.0), 0.0)),
        *(("a if b > 1.0 else log(-a)", "a", (1.0, 2.0), 1.0), ("a * b", "a", (1.0, math.nan), math.nan)),
        *(("a if b == 1.0 else a ** b", "b", (2.0, 1.0), 2.0 * math.log(2.0)),),
        *(("a if b == 1.0 else a ** b", "a", (2.0, 1.0), 1.0),),
        *(("a ** b if b != 1.0 else a", "b", (2.0, 1.0), 2.0 * math.log(2.0)),),
    ],
)  # fmt: skip
def test_slopes_where_a_formula_stands_on_an_edge(text: str, by: str, at: tuple[float, float], expected: float) -> None:
    """One-sided slopes by hand; a test for one value alone is left for the branch beside it by what moves it."""
    assert computed(partial(from_text("f", text), by), {"a": at[0], "b": at[1]}) == pytest.approx(expected, nan_ok=True)


def test_a_deep_formula_does_not_blow_up() -> None:
    """Sixty squarings one in another: written out, the slope would have 2**60 terms."""
    lines = [("t0", from_text("f", "a").result)]
    lines += [(f"t{k}", from_text("f", f"0.5 * (t{k - 1} * t{k - 1} + t{k - 1})").result) for k in range(1, 60)]
    formula = Formula("deep", ("a",), tuple(lines), from_text("f", "t59").result)
    found = partial(formula, "a")
    assert len(found.text) < 10_000
    assert computed(found, {"a": 1.0}) == pytest.approx(1.5**59, rel=1e-12)  # each step's slope at 1 is 3/2


def test_a_slope_follows_how_its_parameters_move() -> None:
    """The chain rule: along ln(x), where a = x**2 and b stands still, a b moves by 2 a b."""
    moved = derivative("f", from_text("f", "a * b"), {"a": from_text("f", "a_moves").result})
    assert moved is not None
    assert computed(moved, {"b": 3.0, "a_moves": 2.0 * 5.0}) == 30.0
    assert derivative("f", from_text("f", "ceil(a) * b"), {"a": from_text("f", "a_moves").result}) is None


# The metrics themselves

DESIGNS = [
    {"model": "llama-3.1-8b", "gpu": "h100_sxm"},
    {"model": "deepseek-v3", "gpu": "b200_sxm", "precision": "fp8_e4m3", "unique_tokens": "3e12"},
    {"hidden_size": "2048", "num_layers": "24", "num_experts": "64", "law": "abnar_sparsity", "unique_tokens": "1e11"},
    {"model": "llama-3.1-8b", "law": "kaplan_L_ND", "precision_law": "kumar_train", "shape_law": "gemstones_shape_hot"},
]  # fmt: skip


def around(design: dict[str, str], seed: int) -> dict[str, Any]:
    """Every value of a design, numbers a little off so that none stands on an edge; what is none is made up."""
    space = single(design)
    names = [m.name for m in GRAPH.metrics.values() if not quantile_of(m.formula)]
    at = evaluate(space.graph, names, space.fixed)
    shift = random.Random(seed)
    return {
        n: space.graph.words[n][int(v)] if n in space.graph.words else bool(v) if space.graph.kinds[n] == "bool"
        else mpf(v) * (1 + mpf(shift.uniform(0.001, 0.03))) if math.isfinite(v) else mpf(shift.uniform(0.2, 2.0))
        for n, v in at.items()
    }  # fmt: skip


@pytest.mark.parametrize("k", range(len(DESIGNS)))
def test_every_metric_by_every_number_it_reads(k: int) -> None:
    """By differences with sixty digits, at designs of every kind of law and corner of the graph."""
    at = around(DESIGNS[k], k)
    met = away = 0
    for metric in GRAPH.metrics.values():
        if metric.formula.finds_a_root:
            continue
        for parameter in metric.formula.parameters:
            if GRAPH.kinds[parameter] not in ("int", "float") or parameter not in at:
                continue
            if (metric.name, parameter) == ("expert_expansion", "shared_expert_ffn_size") and not at[parameter]:
                continue  # no shared expert at all is a branch of its own
            try:
                expected = slope(metric.formula, at, parameter)
                found = value(partial(metric.formula, parameter), at)
            except Away:
                away += 1
                continue
            met += 1
            scale = abs(expected) + abs(value(metric.formula, at) / at[parameter]) if at[parameter] else abs(expected)
            assert abs(found - expected) <= mpf(10) ** -15 * scale, (metric.name, parameter)
    assert met > 15 * away


@compiled_only
@pytest.mark.parametrize(
    ("k", "every"), [(0, 6), (1, 6), *(pytest.param(k, 3, marks=pytest.mark.slow) for k in (0, 1))]
)
def test_slopes_in_sql_are_those_of_the_kernels(k: int, every: int) -> None:
    """Some at each design, over a row that holds the whole design; powers may round differently, hence 1e-12."""
    space = single(DESIGNS[k])
    names = [m.name for m in GRAPH.metrics.values() if not quantile_of(m.formula)]
    at = evaluate(space.graph, names, space.fixed)
    kinds = GRAPH.kinds
    slopes = [
        partial(metric.formula, parameter)
        for metric in GRAPH.metrics.values()
        for parameter in metric.formula.parameters
        if not metric.formula.finds_a_root and kinds[parameter] in ("int", "float") and parameter in at
    ][k::every]
    types: dict[str, str] = {"int": "bigint", "float": "double", "bool": "boolean", "word": "varchar"}

    def cell(name: str) -> str:
        held = GRAPH.words[name][int(at[name])] if name in GRAPH.words else str(at[name])
        return f"cast('{held}' as {types[kinds[name]]}) as {quoted(name)}"

    read = dict.fromkeys(p for s in slopes for p in s.parameters)
    columns = ", ".join(f"cast({to_sql(s, kinds)} as double)" for s in slopes)
    found = duckdb.connect().sql(f"select {columns} from (select {', '.join(map(cell, read))})").fetchall()[0]
    for formula, ours in zip(slopes, found, strict=True):
        expected = float(compute(GRAPH, formula, "float", at))
        assert ours == pytest.approx(expected, rel=1e-12, abs=1e-300, nan_ok=True), formula.name

"""Why nothing is left: counts and relaxed numbers beside going through every design in plain Python."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import sweep
from sweep.cli import cli
from sweep.emptiness import Relaxation, why_empty
from sweep.formulas import plain_graph
from sweep.relaxing import change, limit, outward, parts, plain
from sweep.removals import tally
from sweep.resolve import loads, narrow
from sweep.space import Condition, Space
from tests.effort import compiled_only, examples

pytestmark = pytest.mark.nojit

AXES = """
name = "small"
[axes]
hidden_size = [1024, 2048, 4096]
num_layers = [16, 32, 48]
precision = ["bf16", "int4_g128"]
gpu = ["h100_sxm", "t4", "mi300x"]
[fixed]
batch_size = 4
[metrics]
sometimes = "log(num_layers - 20.0)"
"""
COLUMNS = ["params_total", "serve_bytes", "min_gpus_to_serve", "loss_nats", "batch_size", "sometimes"]
EXPRESSIONS = [
    *("num_layers", "hidden_size", "params_total", "serve_bytes", "loss_nats", "sometimes", "batch_size"),
    *("min_gpus_to_serve", "hidden_size / num_layers", "num_layers * 1.0 - 32.0", "serve_bytes - params_total"),
    *("hidden_size - 64 * num_layers", "min(loss_nats, 3.0)", "-num_layers"),
]
OTHERS = [
    *("gpu == 't4'", "gpu != 'h100_sxm' or num_layers < 20", "hidden_size >= 64 * num_layers", "precision == 'bf16'"),
    *("num_layers == 32", "not serve_bytes > 3e9", "hidden_size == 4096 and gpu == 't4'"),
]
SENSES = {"<=": ">=", "<": ">", ">=": "<=", ">": "<"}
Row = dict[str, Any]


@cache
def rows() -> tuple[Row, ...]:
    """Every design of the space, by name."""
    columns = f"columns = {json.dumps(COLUMNS)}\n"
    return tuple(
        sweep.loads(columns + AXES)
        .scan()
        .select("design_id", "gpu", "precision", "hidden_size", "num_layers", *COLUMNS)
        .collect()
        .sort("design_id")
        .iter_rows(named=True)
    )


def value(text: str, row: Row) -> Any:
    """An expression in plain Python, on one design."""
    names = {"log": lambda x: math.log(x) if x > 0 else math.nan, "min": min, "max": max}
    return eval(text, names, dict(row))  # the language of formulas is a part of Python's


def space_of(conditions: Sequence[str], more: str = "") -> Space:
    where = "".join(f'"condition {k}" = """{text}"""\n' for k, text in enumerate(conditions))
    return loads(f"{AXES}{more}\n[where]\n{where}")


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    """An expression and a number near the values that it has, or beyond all of them."""
    expression = draw(st.sampled_from(EXPRESSIONS))
    seen = sorted({float(value(expression, row)) for row in rows()} - {math.nan})
    seen = [x for x in seen if math.isfinite(x)]
    number = draw(st.sampled_from(seen)) + draw(st.sampled_from([0.0, 0.0, -0.5, 0.5, -1e3, 1e12, -1e12]))
    sense = draw(st.sampled_from(sorted(SENSES)))
    written = draw(st.sampled_from([repr(number), f"{number:.3e}"]))
    if draw(st.booleans()):
        return f"{written} {SENSES[sense]} {expression}"
    return f"{expression} {sense} {written}"


CONDITIONS = st.lists(st.one_of(comparisons(), comparisons(), st.sampled_from(OTHERS)), min_size=1, max_size=4)


@given(CONDITIONS)
@settings(deadline=None, max_examples=examples(60))
def test_counts_are_those_of_going_through_every_design(conditions: list[str]) -> None:
    found = tally(space_of(conditions))
    fails = [[not value(text, row) for text in conditions] for row in rows()]
    places = [k for k, c in enumerate(found.conditions) if c.label.startswith("condition")]
    assert len(places) == len(conditions)
    assert (found.designs, found.counted, found.is_exact) == (len(rows()), len(rows()), True)
    assert found.left == sum(not any(fail) for fail in fails)
    for k, place in enumerate(places):
        assert found.removed(place) == sum(fail[k] for fail in fails)
        assert found.alone(place) == sum(fail[k] and sum(fail) == 1 for fail in fails)
        assert found.after(place) == sum(not any(fail[: k + 1]) for fail in fails)
        assert found.without([place]) == sum(not any(f for j, f in enumerate(fail) if j != k) for fail in fails)
        assert found.meeting([place, places[0]]) == sum(not (fail[k] or fail[0]) for fail in fails)


def expected(conditions: Sequence[str]) -> dict[str, tuple[str, float]]:
    """By label, the sense and the best value that an expression reaches where all other conditions are met."""
    found = {}
    for k, text in enumerate(conditions):
        if text in OTHERS:
            continue
        expression, sense, number = _taken_apart(text)
        del number
        reached = [
            float(value(expression, row))
            for row in rows()
            if all(value(other, row) for j, other in enumerate(conditions) if j != k)
        ]
        reached = [x for x in reached if not math.isnan(x)]
        if reached:
            found[f"condition {k}"] = sense, (min if "<" in sense else max)(reached)
    return found


def _taken_apart(text: str) -> tuple[str, str, str]:
    left, sense, right = next(
        (a, s, b) for s in ("<=", ">=", "<", ">") for a, found, b in [text.partition(f" {s} ")] if found
    )
    try:
        float(left)
    except ValueError:
        return left, sense, right
    return right, SENSES[sense], left


@given(CONDITIONS)
@settings(deadline=None, max_examples=examples(25))
def test_the_relaxed_number_leaves_something_and_a_tighter_one_nothing(conditions: list[str]) -> None:
    assume(not any(all(value(text, row) for text in conditions) for row in rows()))
    found = why_empty(space_of(conditions))
    assert found.is_empty
    assert {r.label: (r.sense, float(r.best)) for r in found.relaxations} == expected(conditions)
    assert [r.change for r in found.relaxations] == sorted(r.change for r in found.relaxations)
    for relaxation in found.relaxations:
        k = int(relaxation.label.removeprefix("condition "))

        def left(text: str, k: int = k) -> int:
            return tally(space_of([*conditions[:k], text, *conditions[k + 1 :]])).left

        assert left(relaxation.condition)  # as it is printed
        assert left(f"{relaxation.expression} {relaxation.sense} {relaxation.bound!r}")
        assert not left(f"{relaxation.expression} {relaxation.sense} {_tighter(relaxation)!r}")
        assert relaxation.bound == pytest.approx(float(relaxation.rounded), rel=1e-3)
        row = rows()[relaxation.design_id]
        assert all(value(text, row) for j, text in enumerate(conditions) if j != k)
        assert value(relaxation.expression, row) == relaxation.best


def _tighter(relaxation: Relaxation) -> float | int:
    """A number on the side of what was asked, as close as numbers come."""
    if isinstance(relaxation.bound, int):
        return relaxation.bound - (1 if relaxation.sense in ("<=", "<") else -1)
    return math.nextafter(relaxation.bound, -math.inf if relaxation.sense in ("<=", "<") else math.inf)


# Where no number helps


def test_conditions_that_contradict_each_other_are_named_in_pairs() -> None:
    found = why_empty(space_of(["gpu == 't4'", "gpu == 'mi300x'", "num_layers <= 32"]))
    assert found.is_empty
    assert found.relaxations == ()
    assert found.conflicts == (("condition 0", "condition 1"),)
    assert {s.label: s.left for s in found.stuck} == {"condition 0": 12, "condition 1": 12}
    text = "\n".join(found.lines())
    assert '"condition 0" and "condition 1" contradict each other' in text
    assert "no number changed in one condition alone would leave anything" in text


def test_the_smallest_sets_that_have_to_give_are_named() -> None:
    found = why_empty(space_of(["serve_bytes < 0", "num_layers > 100", "hidden_size <= 2048"]))
    assert found.sets == ((("condition 0", "condition 1"), 36),)
    assert 'without "condition 0" and "condition 1", 36 designs are left' in "\n".join(found.lines())


def test_an_expression_without_a_number_to_reach_is_said_to_have_none() -> None:
    found = why_empty(space_of(["sometimes <= 1e9", "num_layers == 16"]))
    assert [(s.label, s.left) for s in found.stuck] == [("condition 0", 18), ("condition 1", 36)]
    assert "sometimes is nan or infinite in every design that meets the others" in found.stuck[0].reason


def test_joined_conditions_are_told_apart() -> None:
    found = why_empty(space_of(["16 <= num_layers < 10 and gpu == 't4'"]))
    assert [loss.text for loss in found.losses] == ["16 <= num_layers", "num_layers < 10", "gpu == 't4'"]
    assert [r.condition for r in found.relaxations] == ["num_layers < 17"]
    either = Condition("a", "a", limit_of("num_layers < 1 or num_layers > 2"), True)
    assert list(parts(plain_graph(), either)) == [either]


def limit_of(text: str) -> Any:
    return narrow(loads(AXES), [text]).unpruned.conditions[-1].formula


def test_a_condition_on_one_axis_alone_counts_and_is_relaxed() -> None:
    """The space that is evaluated no longer has those values."""
    space = space_of(["num_layers >= 100", "hidden_size <= 2048"])
    assert len(space.axes[1]) == 0
    found = why_empty(space)
    assert [(loss.removed, loss.alone, loss.left) for loss in found.losses] == [(54, 36, 0), (18, 0, 0)]
    assert [r.condition for r in found.relaxations] == ["num_layers >= 48"]


def test_what_a_design_cannot_be_without_is_counted_and_not_relaxed() -> None:
    spec = '[axes]\nhidden_size = [1024, 1100]\nnum_experts = [1, 4]\n[derived]\nnum_heads = "hidden_size / 128"\n'
    found = why_empty(narrow(loads(spec), ["hidden_size > 1050"]))
    assert [r.condition for r in found.relaxations] == ["hidden_size > 1023"]
    assert [(loss.removed, loss.alone, loss.left) for loss in found.losses] == [(2, 2, 2), (2, 2, 0)]
    assert found.losses[0].label == "num_heads is a whole number of at least 1"


def test_axes_that_no_condition_looks_at_are_multiplied_and_many_conditions_counted() -> None:
    texts = [f"num_layers >= {k}" for k in range(70)]
    found = tally(space_of(texts))
    layers = [row["num_layers"] for row in rows()]
    places = [k for k, c in enumerate(found.conditions) if c.label.startswith("condition")]
    assert [found.removed(k) for k in places] == [sum(n < k for n in layers) for k in range(70)]


def test_quantiles_over_draws_are_counted_too() -> None:
    spec = "[axes]\nnum_layers = [16, 48]\nlaw_draw = [0, 17]\n"
    found = why_empty(narrow(loads(spec), ["loss_nats_p95 < 1.5"]))
    assert [(loss.removed, loss.alone) for loss in found.losses] == [(4, 4)]
    assert 1.5 < found.relaxations[0].best < 4.0


# Where designs are left


def test_a_space_with_designs_is_said_to_have_them() -> None:
    found = why_empty(space_of(["num_layers <= 32"]))
    assert (found.is_empty, found.left) == (False, 36)
    assert found.lines() == ["36 of 54 designs of small meet all conditions"]


def test_an_objective_that_is_nan_everywhere_is_named() -> None:
    found = why_empty(space_of(["num_layers == 16"], '[frontier]\nminimize = ["serve_bytes", "sometimes"]'))
    assert found.lines() == ["18 designs of small meet all conditions, and sometimes is nan in all of them"]


# Samples


@compiled_only
def test_a_sample_estimates_counts_and_relaxes_exactly() -> None:
    conditions = ["serve_bytes <= 1e9", "gpu == 't4'", "num_layers >= 32"]
    exact, sampled = why_empty(space_of(conditions)), why_empty(space_of(conditions), largest=10)
    assert exact.relaxations == sampled.relaxations
    assert sampled.is_empty
    assert not sampled.is_exact
    for one, other in zip(exact.losses, sampled.losses, strict=True):
        assert other.share == pytest.approx(one.share, abs=0.01)
        assert other.alone == pytest.approx(one.alone, abs=1.0)
    assert "drawn at random" in sampled.lines()[0]
    assert tally(space_of(conditions), largest=10).patterns == tally(space_of(conditions), largest=10).patterns


@compiled_only
def test_reasoning_relaxes_to_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    conditions = ["serve_bytes <= 1e9", "gpu == 't4'", "loss_nats < 1.0", "hidden_size / num_layers > 300"]
    for asked in (conditions[:2], conditions[1:3], conditions[1:2] + conditions[3:]):
        walked = why_empty(space_of(asked))
        with monkeypatch.context() as patch:
            patch.setattr("sweep.frontier.is_walked", lambda _plan: False)
            reasoned = why_empty(space_of(asked), largest=10)
        assert walked.relaxations
        assert walked.relaxations == reasoned.relaxations


def test_designs_that_a_sample_missed_are_found() -> None:
    """One design in 54 meets the conditions, and of two drawn none."""
    conditions = ["num_layers > 32", "hidden_size < 2000", "gpu == 't4' and precision == 'bf16'"]
    space = space_of(conditions)
    assert tally(space, largest=0, sampled=2).left == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sweep.removals.tally.__defaults__", (10, 2, None))
        found = why_empty(space, largest=10)
    assert (found.is_empty, found.left) == (False, 0)
    assert "if fewer than 1 in 2" in found.lines()[0]


# Numbers


@given(st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_rounding_lets_more_through_and_little_more(bound: float, is_upper: bool) -> None:
    text = plain(outward(bound, is_upper))
    assert (float(text) >= bound) if is_upper else (float(text) <= bound)
    assert Decimal(text) == outward(bound, is_upper)
    if abs(bound) > 1e-300:
        assert float(text) == pytest.approx(bound, rel=1.001e-3)


@pytest.mark.parametrize(
    ("bound", "is_upper", "shown"),
    [
        (11_203_416.2, True, "11,203,417"),
        (11_203_416.2, False, "11,203,416"),
        (2.22151, True, "2.222"),
        (0.000123456, False, "0.0001234"),
        (1.23456e-9, True, "1.235e-9"),
        (3.14159e17, True, "3.142e+17"),
        (40.0, True, "40"),
        (17, True, "17"),
        (0.0, True, "0"),
    ],
)
def test_numbers_are_shown_as_people_write_them(bound: float, is_upper: bool, shown: str) -> None:
    assert plain(outward(bound, is_upper), ",") == shown


@pytest.mark.parametrize(
    ("asked", "bound", "said"),
    [
        (10e6, 11_203_417, "12 % more"),
        (8, 6, "25 % less"),
        (100.0, 1975.0, "19.8 times"),
        (1, 12_345, "12,345 times"),
        (1000.0, 1.0, "1/1,000 of it"),
        (-4.0, -3.0, "25 % more"),
        (0, 3, "more"),
        (1.0, 1.000001, "under 0.01 % more"),
    ],
)
def test_a_change_is_said_in_words(asked: float, bound: float, said: str) -> None:
    assert change(asked, bound) == said


@pytest.mark.parametrize(
    ("text", "expression", "sense", "number"),
    [
        ("serve_bytes <= 80e9", "serve_bytes", "<=", 80e9),
        ("2 ** 33 > serve_bytes", "serve_bytes", "<", 2.0**33),
        ("-5 <= d - 1000", "hidden_size - 1000", ">=", -5),
        ("L < log(8) * 10", "num_layers", "<", math.log(8) * 10),
    ],
)
def test_a_comparison_is_read_from_either_side(text: str, expression: str, sense: str, number: float) -> None:
    found = limit(plain_graph(), Condition("", text, limit_of(text), False))
    assert found is not None
    assert (found.expression.text, found.sense, found.number) == (expression, sense, number)


@pytest.mark.parametrize("text", ["gpu == 't4'", "num_layers == 3", "serve_bytes < params_total", "1 < 2", *OTHERS])
def test_what_is_no_comparison_with_a_number_is_none(text: str) -> None:
    assert limit(plain_graph(), Condition("", text, limit_of(text), False)) is None


# The command line


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    spec = f'{AXES}[where]\n"in memory" = "serve_bytes <= 1e9"\n[frontier]\nminimize = ["loss_nats", "serve_bytes"]\n'
    (tmp_path / "small.toml").write_text(spec)
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False, standalone_mode=False)


@pytest.mark.parametrize("more", [[], ["--maximize", "loss_nats", "--top", "3"], ["--per", "gpu"], ["--epsilon", "1%"]])
def test_an_empty_frontier_says_what_would_leave_something(more: list[str]) -> None:
    least = min(row["serve_bytes"] for row in rows() if row["gpu"] == "t4")
    done = invoke("frontier", "small.toml", "--where", "gpu == 't4'", *more)
    assert done.exit_code == 0
    assert "no design of small meets all conditions: 54 designs" in done.stdout
    assert f'"in memory" would have to be serve_bytes <= {math.ceil(least):,} (1,000,000,000 asked' in done.stdout
    assert "design_id" not in done.stdout
    relaxed = (Path("small.toml").read_text()).replace("1e9", str(math.ceil(least)))
    Path("small.toml").write_text(relaxed)
    assert "no design" not in invoke("frontier", "small.toml", "--where", "gpu == 't4'", *more).stdout


def test_a_table_for_a_program_stays_a_table(elsewhere: Path) -> None:
    done = invoke("frontier", "small.toml", "--format", "json")
    assert json.loads(done.stdout) == []
    assert '"in memory" would have to be serve_bytes <= ' in done.stderr
    invoke("frontier", "small.toml", "-o", "out.csv")
    assert (elsewhere / "out.csv").read_text().startswith("design_id,")


def test_a_run_and_a_dry_run_without_rows_say_why() -> None:
    for arguments in (["run", "small.toml", "--dry-run"], ["run", "small.toml", "-o", "out"], ["frontier", "out"]):
        assert '"in memory" would have to be serve_bytes <= ' in invoke(*arguments).stdout
    Path("small.toml").write_text(AXES)
    for arguments in (["run", "small.toml", "--dry-run"], ["run", "small.toml", "-o", "other"]):
        assert "meet all conditions" not in invoke(*arguments).stdout


def test_from_python() -> None:
    designs = sweep.load("small.toml")
    assert designs.why_empty().relaxations[0].expression == "serve_bytes"
    assert [r.expression for r in designs.why_empty(["num_layers > 50", "serve_bytes < 1e12"]).relaxations] == []
    with pytest.raises(sweep.SpecError, match="not a condition"):
        designs.why_empty(["serve_bytes"])

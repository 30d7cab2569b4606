"""Fixed steps of Newton's method: their exp and log beside 40 digits, their optima beside searches for the same."""

import inspect
import math
import os
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.compiler import linked, loop_source
from kernels.elementary import vector_exp, vector_log
from kernels.interpreter import SCOPE
from kernels.model import GRAPH
from kernels.roots import ROOTS
from kernels.scalar import FUNCTIONS
from tests.law_designs import DEMAND, OF_TWO_POWERS, PARAMS, TOKENS
from tests.naive_laws import CORES

pytestmark = pytest.mark.nojit
ULP = 2.0**-52
SETTLED = 1e-10  # where both the steps and a search stop far below
Numbers = dict[str, float]


@given(st.floats(-707.9, 708.9))
@settings(deadline=None, max_examples=500)
def test_exp_is_within_two_units_in_the_last_place(x: float) -> None:
    assert float(vector_exp(x)) == pytest.approx(float(mpmath.exp(mpmath.mpf(x))), rel=2.0 * ULP, abs=0.0)


@given(st.one_of(st.floats(1e-300, 1e300), st.floats(0.5, 2.0)))
@settings(deadline=None, max_examples=500)
def test_log_is_within_two_units_in_the_last_place(x: float) -> None:
    assert float(vector_log(x)) == pytest.approx(float(mpmath.log(mpmath.mpf(x))), rel=2.0 * ULP, abs=0.0)


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf, 0.0, -1.0, 5e-324, 1e308, -1e308])
def test_no_number_stops_exp_or_log(x: float) -> None:
    """What is no usual number is taken for the nearest one, compiled and not."""
    functions: dict[str, Any] = {"vector_exp": vector_exp, "vector_log": vector_log}
    for name, function in functions.items():
        assert math.isfinite(function(x))
        assert float(linked(name)(x)) == float(function(x))


# ------------------------------------------------------------------------------------------------ beside the searches


def call(name: str, numbers: Numbers) -> float:
    with np.errstate(all="ignore"):
        return float(SCOPE[name](*(np.float64(numbers[p]) for p in inspect.signature(ROOTS[name]).parameters)))


@st.composite
def laws(draw: st.DrawFn, gains: tuple[float, float] = (0.0, 0.05)) -> Numbers:
    """The general law with some of what it can have, and a design."""
    core = CORES[draw(st.sampled_from(OF_TWO_POWERS))].of(float)
    numbers: Numbers = {"a": core.A, "alpha": core.alpha, "b": core.B, "beta": core.beta, "own": 0}
    numbers["balance"] = (core.alpha * core.A / (core.beta * core.B)) ** (1.0 / (core.alpha + core.beta))
    numbers |= {"worth": draw(st.floats(0.3, 2.0)), "gain": draw(st.one_of(st.just(0.0), st.floats(*gains)))}
    numbers |= {"a2": draw(st.sampled_from([0.0, 0.01, 0.3])) * core.A, "alpha2": 0.8 * core.alpha}
    numbers |= {"k": draw(st.sampled_from([0.0, 5.7e-8, 5.7e-7])), "k_params": 0.2368, "k_tokens": 0.5162}
    numbers |= {"n": draw(PARAMS), "d": draw(TOKENS), "q": draw(DEMAND), "tokens_decay": 15.387756}
    numbers |= {"params_decay": 5.309743, "flat": draw(st.sampled_from([0.0, 1e17])), "product": 1.0}
    numbers["product"] = numbers["n"] * numbers["d"]
    numbers |= {"counts": 1, "unique": numbers["d"] / draw(st.floats(0.1, 20.0))}
    return numbers


def lifetime_cost(numbers: Numbers, counts: int, d: float) -> float:
    """What the model of this many tokens and the loss wanted costs; inf where there is none."""
    if math.isnan(d):
        return math.inf
    n = call("lifetime_optimal_params", numbers | {"d": d, "counts": counts})
    return math.inf if math.isnan(n) else n * (d + numbers["q"]) + 3.0 * numbers["flat"] * n ** (1.0 / 3.0)


@given(laws())
@settings(deadline=None, max_examples=300)
def test_steps_over_a_lifetime_find_what_a_search_does(numbers: Numbers) -> None:
    for counts in (0, 1):
        numbers = numbers | {"counts": counts}
        numbers["above"] = call("general_loss", numbers)
        found = call("lifetime_near", numbers)
        if counts:
            found = call("repeated_lifetime_near", numbers | {"unrepeated": found})
        searched = call("lifetime_optimal_tokens", numbers)
        if not math.isnan(found):
            assert found == pytest.approx(searched, rel=SETTLED) or (
                lifetime_cost(numbers, counts, found) < lifetime_cost(numbers, counts, searched)
            )
        near = call("repeated_params_near" if counts else "lifetime_params_near", numbers | {"d": searched})
        if not math.isnan(near):
            exact = call("lifetime_optimal_params", numbers | {"d": searched})
            assert near == pytest.approx(exact, rel=SETTLED)


@given(laws((-0.05, 0.05)))
@settings(deadline=None, max_examples=300)
def test_steps_along_equal_compute_find_what_a_search_does(numbers: Numbers) -> None:
    for counts in (0, 1):
        numbers = numbers | {"counts": counts}
        found = call("optimum_near", numbers)
        if counts:
            found = call("repeated_optimum_near", numbers | {"unrepeated": found})
        if not math.isnan(found):
            assert found == pytest.approx(call("compute_optimal", numbers), rel=SETTLED)
        loss = call("repeated_loss_near" if counts else "loss_near", numbers)
        assert loss == pytest.approx(call("general_loss", numbers), rel=1e-13)


@given(st.floats(-60.0, 60.0), st.floats(-60.0, 60.0), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
@settings(deadline=None, max_examples=300)
def test_steps_to_the_growth_of_tokens_find_what_a_search_does(
    ln_c: float, ln_flat: float, alpha: float, beta: float
) -> None:
    numbers = {"ln_c": ln_c, "ln_flat": ln_flat, "alpha": alpha, "beta": beta, "power": 2.0 / 3.0}
    numbers["share"] = beta / (alpha + beta)
    assert call("growth_near", numbers) == pytest.approx(call("lifetime_growth", numbers), rel=1e-12)
    found = call("growth_flat_near", numbers)
    assert math.isnan(found) or found == pytest.approx(call("lifetime_growth_flat", numbers), rel=1e-12)


@given(st.sampled_from(OF_TWO_POWERS), PARAMS, TOKENS, DEMAND)
@settings(deadline=None, max_examples=100)
def test_steps_settle_for_every_design_of_two_powers(law: str, params: float, tokens: float, demand: float) -> None:
    core = CORES[law].of(float)
    numbers = {"worth": 1.0, "gain": 0.0, "a": core.A, "alpha": core.alpha, "a2": 0.0, "alpha2": math.nan, "b": core.B}
    numbers |= {"beta": core.beta, "k": 0.0, "k_params": math.nan, "k_tokens": math.nan, "product": params * tokens}
    numbers |= {"above": core.loss(params, tokens) - float(core.E), "q": demand / 3.0, "flat": 0.0}
    for name in ("optimum_near", "lifetime_near"):
        assert not math.isnan(call(name, numbers))


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="nothing is compiled")
@pytest.mark.parametrize(
    "name", ["stepped_growth_of_tokens", "stepped_lifetime_tokens", "stepped_repeated_lifetime_tokens"]
)
def test_a_loop_over_steps_works_on_several_designs_at_once(name: str) -> None:
    """One branch left in the steps and the loop is five times slower: what is compiled has a loop over registers."""
    formula = GRAPH.metrics[name].formula
    pattern = "b" + "s" * (len(formula.parameters) - 1)
    source = loop_source(formula, pattern, dict(GRAPH.kinds), GRAPH.words)
    scope: dict[str, Any] = {
        function: linked(function) for function in [*FUNCTIONS, *ROOTS] if f"{function}(" in source
    }
    exec(source, scope)
    loop: Any = numba.njit(nogil=True, error_model="numpy")(scope["loop"])
    cells, tabs, desc = np.zeros(99), np.zeros(9, np.int64), np.zeros(99, np.int64)
    loop(cells, cells.view(np.int64), tabs, desc)
    assert "vector.body" in loop.inspect_llvm(loop.signatures[0])

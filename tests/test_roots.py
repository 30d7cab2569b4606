"""Roots that have no formula: the same bits compiled and interpreted, no errors, closed forms where there are any."""

import inspect
import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kernels.compiler import linked
from kernels.interpreter import SCOPE
from kernels.roots import ROOTS
from tests import naive_laws
from tests.law_designs import DEMAND, OF_TWO_POWERS, PARAMS, TOKENS, inputs, value, values
from tests.naive_laws import CORES

pytestmark = pytest.mark.nojit

Numbers = dict[str, float]


def power_of_ten(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda x: 10.0**x)


EXPONENT = st.floats(0.05, 0.8)
USUAL: dict[str, st.SearchStrategy[float]] = {  # what a design gives; anything else a name may be is drawn for OTHER
    "product": power_of_ten(14, 27), "n": PARAMS, "d": TOKENS, "worth": power_of_ten(-2, 1),
    "gain": st.floats(-0.1, 0.2), "a": power_of_ten(0, 5), "alpha": EXPONENT,
    "a2": st.one_of(st.just(0.0), power_of_ten(0, 3)), "alpha2": EXPONENT,
    "b": power_of_ten(0, 5), "beta": EXPONENT, "counts": st.sampled_from([0, 1]), "own": st.sampled_from([0, 1]),
    "unique": st.one_of(st.just(math.inf), power_of_ten(8, 13)), "tokens_decay": st.floats(1.0, 30.0),
    "params_decay": st.floats(1.0, 30.0), "balance": power_of_ten(-2, 2), "k_params": EXPONENT, "k_tokens": EXPONENT,
    "k": st.one_of(st.just(0.0), power_of_ten(-8, -3)), "above": power_of_ten(-3, 0.5), "q": DEMAND,
    "flat": st.one_of(st.just(0.0), power_of_ten(0, 18)), "share": st.floats(0.1, 0.9), "body": power_of_ten(6, 12),
    "width": power_of_ten(2, 5), "flops": power_of_ten(16, 27), "exponent": EXPONENT, "tokens_exponent": EXPONENT,
    "tokens": TOKENS, "batch": power_of_ten(4, 8), "batch_scale": power_of_ten(7, 9),
    "steps_scale": power_of_ten(1, 4), "steps_exponent": EXPONENT,
}  # fmt: skip
OTHER = st.floats(-20.0, 20.0)
ANY = st.one_of(st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e300, -1e300]))


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, list[float]]:
    """A function and what it is given: what designs give, here and there a number that none does."""
    name = draw(st.sampled_from(sorted(set(ROOTS) - {"fastest_layout"})))  # takes counts and words; a test of its own
    wild = draw(st.sampled_from([0, 0, 1, 2, 20]))
    parameters = list(inspect.signature(ROOTS[name]).parameters)
    odd = draw(st.sets(st.sampled_from(parameters), max_size=wild)) if wild else set()
    return name, [draw(ANY if p in odd and p not in ("counts", "own") else USUAL.get(p, OTHER)) for p in parameters]


def interpreted(name: str, numbers: list[float]) -> float:
    """As a formula is evaluated for one design: numpy's numbers, and dividing by zero is no error."""
    with np.errstate(all="ignore"):
        return float(SCOPE[name](*(np.float64(x) for x in numbers)))


def bits(x: float) -> bytes:
    return b"nan" if math.isnan(x) else struct.pack("d", x)


@given(calls())
@settings(deadline=None, max_examples=1500)
def test_compiled_and_interpreted_give_the_same_bits_and_no_error(call: tuple[str, list[float]]) -> None:
    """Whatever is asked: nan, infinities, zeros and negative numbers are answered, with nan if need be."""
    name, numbers = call
    plain = interpreted(name, numbers)
    compiled: Any = linked(name)
    with np.errstate(all="ignore"):  # without the compiler it is plain Python too
        found = float(compiled(*(np.float64(x) for x in numbers)))
    assert bits(plain) == bits(found)


# ---------------------------------------------------------------------------------------- where there is a formula


def plain_law(law: str, **changed: float) -> Numbers:
    """A law of two powers as the general law, nothing repeated, nothing added."""
    core = CORES[law].of(float)
    balance = (core.alpha * core.A / (core.beta * core.B)) ** (1.0 / (core.alpha + core.beta))
    numbers = {"worth": 1.0, "gain": 0.0, "a": core.A, "alpha": core.alpha, "a2": 0.0, "alpha2": 0.1, "b": core.B}
    numbers |= {"beta": core.beta, "counts": 0, "own": 0, "unique": math.inf, "tokens_decay": 15.387756}
    numbers |= {"params_decay": 5.309743, "balance": balance, "k": 0.0, "k_params": 0.2368, "k_tokens": 0.5162}
    return numbers | changed


def call(name: str, numbers: Numbers) -> float:
    return interpreted(name, [numbers[p] for p in inspect.signature(ROOTS[name]).parameters])


@given(st.sampled_from(OF_TWO_POWERS), PARAMS, TOKENS)
@settings(deadline=None)
def test_search_for_the_best_of_a_budget_finds_the_closed_form(law: str, params: float, tokens: float) -> None:
    """Also where a second term, an added one or a limit of unique tokens is next to nothing, so that none is closed."""
    where = {"law_params": params, "train_tokens": tokens}
    closed = value("compute_optimal_params", inputs(law), **where)
    for nearly in ({}, {"a2": 1e-300}, {"k": 1e-300}, {"counts": 1, "unique": 1e20}, {"own": 1, "counts": 1}):
        found = call("compute_optimal", plain_law(law, product=params * tokens, **nearly))
        assert found == pytest.approx(closed, rel=1e-9)


@given(st.sampled_from(OF_TWO_POWERS), PARAMS, TOKENS, DEMAND)
@settings(deadline=None)
def test_search_for_the_best_of_a_lifetime_finds_the_closed_form(
    law: str, params: float, tokens: float, demand: float
) -> None:
    where = {"law_params": params, "train_tokens": tokens, "inference_tokens": demand}
    best = ("inference_optimal_params", "inference_optimal_tokens")
    closed_params, closed_tokens = values(list(best), inputs(law), **where).values()
    above = CORES[law].of(float).loss(params, tokens) - float(CORES[law].E)
    for nearly in ({}, {"a2": 1e-300}, {"k": 1e-300}, {"counts": 1, "unique": 1e25}):
        numbers = plain_law(law, above=above, q=demand / 3.0, flat=0.0, **nearly)
        numbers["d"] = call("lifetime_optimal_tokens", numbers)
        assert numbers["d"] == pytest.approx(closed_tokens, rel=1e-9)
        assert call("lifetime_optimal_params", numbers) == pytest.approx(closed_params, rel=1e-9)


# --------------------------------------------------------------------------------------------------- what they solve


@given(
    st.sampled_from(OF_TWO_POWERS), st.floats(1e6, 1e12), TOKENS, st.floats(0.1, 12.0),
    st.sampled_from([0.0, 1e-7, 5.7e-6]), st.floats(0.2, 3.0), st.sampled_from([0.0, 0.04]),
)  # fmt: skip
@example(  # a Newton step that leads from one side of the root to the other and back
    law="gadre_rw", params=67700617081.06191, tokens=1855635221372.307, epochs=1855635221372.307 / 340210050164.4636,
    k=1e-7, worth=1.0, gain=0.0,
)  # fmt: skip
@settings(deadline=None, max_examples=300)
def test_parameters_of_a_loss_have_that_loss(
    law: str, params: float, tokens: float, epochs: float, k: float, worth: float, gain: float
) -> None:
    """With repeats, an added term and experts: the loss of some N at D, asked back; flat where N is worth no more."""
    numbers = plain_law(law, worth=worth, gain=gain, counts=1, unique=tokens / epochs, k=k, n=params, d=tokens)
    numbers["above"] = call("general_loss", numbers)
    numbers["n"] = call("lifetime_optimal_params", numbers)
    assume(not math.isnan(numbers["n"]))  # N so far past what the unique tokens are enough for that it changes nothing
    assert call("general_loss", numbers) == pytest.approx(numbers["above"], rel=1e-12)


@given(st.sampled_from(OF_TWO_POWERS), PARAMS, TOKENS, st.floats(0.1, 30.0))
@settings(deadline=None)
def test_the_general_law_is_the_naive_one(law: str, params: float, tokens: float, epochs: float) -> None:
    numbers = plain_law(law, counts=1, unique=tokens / epochs, n=params, d=tokens)
    core = CORES[law].of(float)
    expected = naive_laws.corrected(core, tokens / epochs)(params, tokens) - core.E
    assert call("general_loss", numbers) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("above", [0.0, -0.1, math.nan, math.inf])
def test_no_model_has_a_loss_at_the_floor_or_below(above: float) -> None:
    numbers = plain_law("besiroglu_2024", above=above, q=1e12, flat=0.0, d=1e12)
    assert math.isnan(call("lifetime_optimal_tokens", numbers))
    assert math.isnan(call("lifetime_optimal_params", numbers)) or above == math.inf


@given(st.sampled_from(OF_TWO_POWERS), power_of_ten(7, 11), st.floats(1.0, 1.5), DEMAND)
@settings(deadline=None)
def test_no_repeats_reach_what_they_are_not_worth(law: str, unique: float, nearer: float, demand: float) -> None:
    """16.4 times the unique tokens and 6.3 times the parameters they are enough for are all there is."""
    numbers = plain_law(law, counts=1, unique=unique, q=demand, flat=0.0)
    core = CORES[law].of(float)
    enough = numbers["balance"] * (numbers["balance"] * unique) ** (core.beta / core.alpha)
    most = core.loss(6.309743 * enough, 16.387756 * unique) - core.E
    unrepeated = core.loss(math.inf, unique) - core.E  # a transferred law counts all parameters while nothing repeats
    numbers["above"] = min(most, unrepeated) / nearer * (1.0 - 1e-9)
    assert math.isnan(call("lifetime_optimal_tokens", numbers))

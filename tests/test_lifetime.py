"""The model to train for a lifetime of serving: Sardana's worked examples, brute force, and what always holds."""

import math

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests import naive_laws
from tests.law_designs import (
    DEMAND,
    OF_TWO_POWERS,
    PARAMS,
    SMALL_IN_4_BITS,
    TOKENS,
    WITH_COMPUTE,
    Inputs,
    Spec,
    built,
    inputs,
    specs,
    told,
    told_beside_its_own_repetition,
    value,
    values,
)
from tests.naive_laws import CORES
from tests.naive_search import INF, Real, cheapest_at, params_at_loss

N, D, FLOPS = "inference_optimal_params", "inference_optimal_tokens", "inference_optimal_lifetime_flops"
USD_N, USD_D, USD = "usd_optimal_params", "usd_optimal_tokens", "usd_optimal_lifetime_usd"
AT_1E21 = {"law_params": 1e9, "train_tokens": 1e21 / 6e9}
EXACT = 1e-12

# law, target loss, demand, N, D, FLOPs: bisection at 40 digits, printed to eleven, hence 1e-10
REFERENCE = [
    ("besiroglu_2024", 2.6, 0.0, 7.1542013775e8, 1.6511889888e10, 7.0877631231e19),
    ("besiroglu_2024", 2.2, 1e10, 5.3881647237e9, 1.2126155104e11, 4.0280265645e21),
    ("besiroglu_2024", 2.2, 1e13, 1.5855038712e9, 1.2423746661e12, 4.3528816478e22),
    ("besiroglu_2024", 1.95, 1e14, 3.6954632944e10, 1.5735334065e13, 1.0879887557e25),
    ("hoffmann_a3_tex", 2.4, 1e14, 2.1264720218e8, 5.2033154763e12, 4.9168263305e22),
    ("hoffmann_a3_tex", 2.0, 1e12, 1.1233597330e10, 1.2150876596e12, 1.0436602759e23),
    ("hoffmann_a3_tex", 1.9, 1e13, 2.8725513568e10, 6.6289067377e12, 1.7170227739e24),
]


@pytest.mark.parametrize(("law", "target", "demand", "params", "tokens", "flops"), REFERENCE)
def test_lifetime_optimum_is_the_reference_value(
    law: str, target: float, demand: float, params: float, tokens: float, flops: float
) -> None:
    design = inputs(law)
    given_ = {"target_loss_nats": target, "inference_tokens": demand, **AT_1E21}
    assert list(values([N, D, FLOPS], design, **given_).values()) == pytest.approx([params, tokens, flops], rel=1e-10)


# ----------------------------------------------- Sardana et al. 2023, arXiv:2401.00448, with their planning constants


def sardana(chinchilla: float, demand: float) -> tuple[dict[str, float], Inputs]:
    """The quality of a compute-optimal model of so many parameters, and a design that is that model."""
    design = inputs("sardana_planning")
    tokens = value("tokens_for_params", design, law_params=chinchilla)
    design |= {"law_params": chinchilla, "train_tokens": tokens, "inference_tokens": demand}
    return values([N, D, FLOPS, "lifetime_flops"], design), design


@pytest.mark.parametrize(
    ("chinchilla", "demand", "params", "data", "saved"),
    [
        (7e9, 1e11, 6e9, 1.18, None),  # section 2: 6B on 1.18 times the data
        (30e9, 1e13, 13.6e9, 2.84, 0.28),  # section 2: 13.6B on 2.84 times the data, 28 % fewer FLOPs
        (70e9, 1e13, 41.6e9, 7.92 / 4.26, 0.12),  # appendix B.1, table 2: 41.6B on 7.92T rather than 4.26T, 12 %
    ],
)
def test_published_examples_in_flops(
    chinchilla: float, demand: float, params: float, data: float, saved: float | None
) -> None:
    """Three digits each: half a percent."""
    found, design = sardana(chinchilla, demand)
    assert found[N] == pytest.approx(params, rel=0.005)
    assert found[D] / design["train_tokens"] == pytest.approx(data, rel=0.005)
    if saved is not None:
        assert 1.0 - found[FLOPS] / found["lifetime_flops"] == pytest.approx(saved, abs=0.005)


def test_published_7b_in_place_of_a_13b() -> None:
    """Figure 1: for 2e12 tokens a 7B of the quality of a 13B saves 1.7e22 FLOPs, 17 %: the exact N is near 7B."""
    found, design = sardana(13e9, 2e12)
    core = CORES["sardana_planning"].of(float)
    target = value("loss_nats", design)
    tokens = (core.B / (target - core.E - core.A * 7e9**-core.alpha)) ** (1.0 / core.beta)
    saved = found["lifetime_flops"] - 7e9 * (6.0 * tokens + 2.0 * 2e12)
    assert saved == pytest.approx(1.7e22, rel=0.01)
    assert saved / found["lifetime_flops"] == pytest.approx(0.17, abs=0.006)
    assert found[N] == pytest.approx(7e9, rel=0.005)
    assert found["lifetime_flops"] - found[FLOPS] >= saved


def test_published_chinchilla_point_of_a_70b_and_what_it_wastes() -> None:
    """Appendix B.1: 4.26T tokens; section 6: at 2e12 tokens served it takes 1.3 % more FLOPs than the best."""
    found, design = sardana(70e9, 2e12)
    assert design["train_tokens"] == pytest.approx(4.26e12, rel=0.002)
    assert found["lifetime_flops"] / found[FLOPS] - 1.0 == pytest.approx(0.013, abs=6e-4)


@pytest.mark.parametrize(
    ("chinchilla", "requests", "params", "tokens", "saved"),
    [  # section 6 and appendix B.2: requests of 70 tokens in and 215 out; 16B on 3.35T, 17 %; 21.5B on 27T, 54 %
        (30e9, 1.5e9, 16e9, 3.35e12, 0.17),
        (70e9, 35.1e9, 21.5e9, 27e12, 0.54),
    ],
)
def test_published_examples_in_money(
    chinchilla: float, requests: float, params: float, tokens: float, saved: float
) -> None:
    """MFU is 0.5 in training, 0.5 for tokens in and 0.01 for tokens out; a served FLOP costs 0.33 of a trained one."""
    _, design = sardana(chinchilla, 0.0)
    usd_per_flop = 1e-18
    training = 6.0 * chinchilla * design["train_tokens"] * usd_per_flop / 0.5
    serving = 2.0 * chinchilla * 0.33 * usd_per_flop * requests * (70 / 0.5 + 215 / 0.01)
    money = {
        "train_usd": training,
        "inference_tokens": requests * 285,
        "serve_usd_per_token_by_size": serving / (requests * 285),
        "serve_usd_per_token_by_depth": 0.0,
    }
    found = values([USD_N, USD_D, USD], design, **money)
    assert found[USD_N] == pytest.approx(params, rel=0.02)
    assert found[USD_D] == pytest.approx(tokens, rel=0.025)
    assert 1.0 - found[USD] / (training + serving) == pytest.approx(saved, abs=0.01)


# ----------------------------------------------------------------------------------------------------- by trying


@given(st.sampled_from(OF_TWO_POWERS), PARAMS, TOKENS, DEMAND)
@settings(deadline=None, max_examples=25)
def test_lifetime_optimum_is_the_one_found_by_trying(law: str, params: float, tokens: float, demand: float) -> None:
    """Floats: a minimum is known to 1e-16 in cost, so to 1e-8 in where it is."""
    core = CORES[law].of(float)
    target = core.loss(params, tokens)
    where, least = cheapest_at(core.loss, target, lambda n, d: n * (6.0 * d + 2.0 * demand))
    design = inputs(law) | {"law_params": params, "train_tokens": tokens, "inference_tokens": demand}
    found = values([N, D, FLOPS], design)
    assert found[FLOPS] == pytest.approx(least, rel=1e-10)
    assert found[D] == pytest.approx(where, rel=1e-5)
    assert core.loss(found[N], found[D]) == pytest.approx(target, rel=EXACT)


@given(st.sampled_from(OF_TWO_POWERS), PARAMS, TOKENS, st.floats(0.0, 3.0), st.floats(0.0, 3.0))
@settings(deadline=None, max_examples=25)
def test_lifetime_optimum_in_money_is_the_one_found_by_trying(
    law: str, params: float, tokens: float, by_size: float, by_depth: float
) -> None:
    """k_t N D + k_1 N + k_3 N**(1/3): serving the design costs so many times its training, of either sort."""
    core = CORES[law].of(float)
    target = core.loss(params, tokens)

    def cost(n: float, d: float) -> Real:
        size = n / params
        return size * d / tokens + by_size * size + by_depth * size ** (1.0 / 3.0)

    where, least = cheapest_at(core.loss, target, cost)
    design = inputs(law) | {"law_params": params, "train_tokens": tokens, "inference_tokens": 1e12, "train_usd": 7e6}
    design |= {"serve_usd_per_token_by_size": by_size * 7e-6, "serve_usd_per_token_by_depth": by_depth * 7e-6}
    found = values([USD_N, USD_D, USD], design)
    assert found[USD] == pytest.approx(least * 7e6, rel=1e-10)
    assert found[USD_D] == pytest.approx(where, rel=1e-5)
    assert core.loss(found[USD_N], found[USD_D]) == pytest.approx(target, rel=EXACT)


@given(st.sampled_from(OF_TWO_POWERS), PARAMS, TOKENS, DEMAND, st.floats(0.1, 12.0))
@settings(deadline=None, max_examples=25)
def test_with_repeated_tokens_no_try_does_better(
    law: str, params: float, tokens: float, demand: float, epochs: float
) -> None:
    """At the loss of a run of so many epochs; the last point at which no token is repeated is among the tries."""
    core, unique = CORES[law].of(float), tokens / epochs
    loss = naive_laws.corrected(core, unique)
    target = loss(params, tokens)

    def cost(n: float, d: float) -> float:
        return n * (6.0 * d + 2.0 * demand)

    _, least = cheapest_at(loss, target, cost)
    rest = target - core.loss(INF, unique)
    if rest > 0.0:
        least = min(least, cost((core.A / rest) ** (1.0 / core.alpha), unique))
    assume(least < INF)
    design = inputs(law, repetition_law="muennighoff_data") | {"law_params": params, "train_tokens": tokens}
    found = values([N, D, FLOPS], design, inference_tokens=demand, unique_tokens=unique)
    assert found[FLOPS] <= least * (1.0 + 1e-9)
    assert found[FLOPS] == pytest.approx(cost(found[N], found[D]), rel=EXACT)
    assert loss(found[N], found[D]) == pytest.approx(target, rel=1e-10)


@given(
    st.sampled_from(OF_TWO_POWERS), PARAMS, TOKENS, DEMAND, st.floats(0.1, 12.0),
    st.sampled_from(["bf16", "int8_training", "fp8_training", "fp4_training"]),
)  # fmt: skip
@settings(deadline=None, max_examples=25)
def test_with_repeats_bits_and_experts_no_try_does_better(
    law: str, params: float, tokens: float, demand: float, epochs: float, bits: str
) -> None:
    """Experts whose gain grows with compute, and a term that few bits add: the loss has no closed form left."""
    unique, body = tokens / epochs, int(0.5 * params)
    design, loss = told(law, bits, unique, body / params)
    target = loss(params, tokens)

    def cost(n: float, d: float) -> float:
        return n * (6.0 * d + 2.0 * demand)

    _, least = cheapest_at(loss, target, cost)
    at_edge = params_at_loss(loss, target, unique * (1.0 - 1e-13))
    least = min(least, cost(at_edge, unique)) if at_edge < INF else least
    assume(least < INF)
    design |= {"law_params": params, "train_tokens": tokens, "params_active_non_embedding": int(0.5 * params)}
    found = values([N, D, FLOPS], design, target_loss_nats=target, inference_tokens=demand)
    assert found[FLOPS] <= least * (1.0 + 1e-7)  # a body is a whole number, of a few millions at the least
    assert loss(found[N], found[D]) == pytest.approx(target, rel=1e-7)


# ------------------------------------------------------------------------------------------- what always holds


def has_optimum(design: Inputs) -> bool:
    """Not clipped to no parameters at all, and not of the laws that have a test of their own."""
    return value("precision_params_factor", design) > 0.0 and not told_beside_its_own_repetition(design)


@given(specs(WITH_COMPUTE))
@settings(deadline=None, max_examples=120)
def test_the_optimum_costs_no_more_than_the_design_or_the_compute_optimal_one(spec: Spec) -> None:
    design = built(spec)
    assume(has_optimum(design))
    costs_no_more(design)


@given(specs(["muennighoff_data"], repetition_law="muennighoff_data"))
@example(SMALL_IN_4_BITS)
@settings(deadline=None, max_examples=60)
def test_the_optimum_costs_no_more_under_a_law_with_repetition_of_its_own(spec: Spec) -> None:
    design = built(spec)
    assume(value("precision_params_factor", design) > 0.0)
    costs_no_more(design)


def costs_no_more(design: Inputs) -> None:
    """All three reach the loss of the design; the first does so with the fewest FLOPs of a lifetime."""
    found = values([N, D, FLOPS, "lifetime_flops", "law_params", "law_active_params"], design)
    assert found[FLOPS] <= found["lifetime_flops"] * (1.0 + 1e-9)
    trained = values([N, D], design, inference_tokens=0.0)
    active = trained[N] * found["law_active_params"] / found["law_params"]
    assert found[FLOPS] <= active * (6.0 * trained[D] + 2.0 * design["inference_tokens"]) * (1.0 + 1e-9)


@given(specs(WITH_COMPUTE), st.floats(1.05, 1e4))
@settings(deadline=None, max_examples=120)
def test_more_demand_never_wants_a_larger_model_or_fewer_tokens(spec: Spec, more: float) -> None:
    design = built(spec)
    assume(has_optimum(design))
    few, many = (values([N, D], design, inference_tokens=d) for d in (1e11, 1e11 * more))
    assert many[N] <= few[N] * (1.0 + 1e-9)
    assert many[D] >= few[D] * (1.0 - 1e-9)


@given(specs(WITH_COMPUTE))
@settings(deadline=None, max_examples=120)
def test_without_demand_it_is_the_compute_optimal_model(spec: Spec) -> None:
    """At the loss of the best model of a budget; past many repeats a loss that is rounded says little of N and D."""
    design = built(spec)
    assume(has_optimum(design))
    best = values(["compute_optimal_params", "compute_optimal_tokens", "compute_optimal_loss_nats"], design)
    assume(best["compute_optimal_tokens"] < 30.0 * design["unique_tokens"])
    target = best["compute_optimal_loss_nats"]
    found = values([N, D], design, target_loss_nats=target, inference_tokens=0.0)
    assert found[N] == pytest.approx(best["compute_optimal_params"], rel=1e-6)
    assert found[D] == pytest.approx(best["compute_optimal_tokens"], rel=1e-6)


@given(specs(WITH_COMPUTE))
@settings(deadline=None, max_examples=120)
def test_the_optimum_in_money_costs_no_more_than_the_design(spec: Spec) -> None:
    design = built(spec)
    assume(has_optimum(design))
    parts = ("train_usd", "serve_usd_per_token_by_size", "serve_usd_per_token_by_depth")
    found = values([USD, *parts], design)
    serving = found["serve_usd_per_token_by_size"] + found["serve_usd_per_token_by_depth"]
    assume(math.isfinite(serving) and math.isfinite(found["train_usd"]))
    assert found[USD] <= (found["train_usd"] + design["inference_tokens"] * serving) * (1.0 + 1e-9)


@given(st.sampled_from(OF_TWO_POWERS), PARAMS, TOKENS)
@settings(deadline=None)
def test_money_in_proportion_to_flops_gives_the_same_model(law: str, params: float, tokens: float) -> None:
    """A served token at a third of the price of a trained one, as 2 N is of 6 N."""
    design = inputs(law) | {"law_params": params, "train_tokens": tokens, "inference_tokens": 3e12, "train_usd": 1e6}
    design |= {"serve_usd_per_token_by_size": 1e6 / tokens / 3.0, "serve_usd_per_token_by_depth": 0.0}
    found = values([N, D, USD_N, USD_D], design)
    assert (found[USD_N], found[USD_D]) == pytest.approx((found[N], found[D]), rel=1e-11)


# ------------------------------------------------------------------------------------------ what cannot be reached


@given(specs(WITH_COMPUTE), st.floats(0.01, 0.999))
@settings(deadline=None, max_examples=60)
def test_a_target_below_the_floor_has_no_model(spec: Spec, share: float) -> None:
    design = built(spec)
    floor = sum(value(f"{part}_nats", design) for part in ("loss_floor", "shape_penalty", "vocabulary_penalty"))
    found = values([N, D, FLOPS, USD_N, USD_D, USD], design, target_loss_nats=share * floor)
    assert all(math.isnan(number) for number in found.values())


def test_a_target_out_of_reach_of_repeated_tokens_has_no_model() -> None:
    """1e9 unique tokens are worth 16.4e9 at most, however often they are seen: 2.5 nats take more."""
    design = inputs("muennighoff_c4", repetition_law="muennighoff_data") | AT_1E21
    found = values([N, D, FLOPS, USD_N, USD_D, USD], design, unique_tokens=1e9, target_loss_nats=2.2)
    assert all(math.isnan(number) for number in found.values())
    assert math.isfinite(value(N, design, unique_tokens=1e11, target_loss_nats=2.2))


@given(st.floats(1.92, 3.0), DEMAND, st.sampled_from(["fp8_training", "fp4_training"]))
@settings(deadline=None)
def test_few_bits_put_no_target_out_of_reach_but_further_away(target: float, demand: float, bits: str) -> None:
    """What they add falls with N at any D, so that some N is always enough: more FLOPs than in 16 bits."""
    design = inputs("capybara_fp", train_precision=bits) | AT_1E21 | {"params_active_non_embedding": int(1e9)}
    where = {"target_loss_nats": target, "inference_tokens": demand}
    found, full = (values([N, D, FLOPS], design, train_weight_bits=b, **where) for b in (8.0, 16.0))
    assert found[FLOPS] > full[FLOPS]
    added = value("capybara_coefficient", design) * found[N] ** -0.2368 * found[D] ** 0.5162
    reached = CORES["capybara_bf16"].of(float).loss(found[N], found[D]) + added
    assert reached == pytest.approx(target, rel=EXACT)

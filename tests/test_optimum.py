"""The best model of equal compute: the papers' own figures, brute force at 40 digits, and what holds for every law."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mpf  # type: ignore[import-untyped]

from tests import naive_laws
from tests.law_designs import (
    LAWS,
    OF_TWO_POWERS,
    RECORDS,
    SMALL_IN_4_BITS,
    TOKENS,
    WITH_COMPUTE,
    Inputs,
    Spec,
    at,
    built,
    inputs,
    specs,
    told,
    told_beside_its_own_repetition,
    value,
    values,
)
from tests.naive_laws import CORES
from tests.naive_search import Real, optimal_at

N, D, L = "compute_optimal_params", "compute_optimal_tokens", "compute_optimal_loss_nats"
COMPUTE = st.floats(17.0, 27.0).map(lambda x: 10.0**x)
EXACT = 1e-12  # a few powers, each within an ulp or two, whose exponents turn 1e-16 of ln N into 30 times as much of N
HELD = 1e-11  # some coefficients are held in data/ to twelve digits

# law, compute, N, D, loss: closed form at 40 digits, printed to eleven, hence 1e-10
REFERENCE = [
    ("besiroglu_2024", 1e18, 8.0531862262e7, 2.0695742280e9, 3.49049151161),
    ("besiroglu_2024", 1e21, 2.7784594631e9, 5.9985279210e10, 2.30552857126),
    ("besiroglu_2024", 1e26, 1.0159319135e12, 1.6405298864e13, 1.87990175254),
    ("hoffmann_a3_tex", 1e22, 6.3428256113e9, 2.6276406901e11, 2.11491569904),
    ("hoffmann_a3_rounded", 1e24, 4.1296702419e10, 4.0358347496e12, 1.91119541991),
    ("muennighoff_c4", 1e20, 9.2183257386e8, 1.8079928112e10, 2.58735322191),
]
PUBLISHED = [  # law, compute, metric, figure, relative tolerance of the figure, who says so
    ("hoffmann_a3_tex", 5.76e23, N, 40e9, 0.02, "Hoffmann et al. 2022, arXiv:2203.15556, figure 4: 40B"),
    ("hoffmann_a3_rounded", 3.8e25, D, 2.97e13, 0.003, "Open-Athena scaling-law-analysis, experiment 11"),
    ("hoffmann_a3_rounded", 3.8e25, L, 1.816533, 1e-6, "Open-Athena scaling-law-analysis, experiment 11"),
    ("llama3_tokens", 3.8e25, D, 16.55e12, 0.02, "Llama team 2024, arXiv:2407.21783, section 3.2.1: 16.55T"),
    ("llama3_tokens", 4.0e25, N, 402e9, 0.015, "the same: 402B, which matches 4.0e25 of 6 N D"),
    ("kaplan_alloc", 5e20, N, 4.68e9, 0.003, "Hoffmann et al. 2022, appendix D.4: at 1e21 with C = 2 C_min"),
    ("porian_rw_kaplan_repro", 5.88e23, N, 3e12, 0.012, "Porian et al. 2024, arXiv:2406.19146, figure 1: 3T"),
    ("porian_rw_head_counted", 5.88e23, N, 787e9, 0.012, "the same: 787B"),
    ("porian_rw_short_warmup", 5.88e23, N, 292e9, 0.012, "the same: 292B"),
    ("porian_rw_cosine", 5.88e23, N, 183e9, 0.012, "the same: 183B"),
    ("porian_rw_tuned", 5.88e23, N, 77e9, 0.012, "the same: 77B"),
]


@pytest.mark.parametrize(("law", "flops", "params", "tokens", "loss"), REFERENCE)
def test_optimum_is_the_reference_value(law: str, flops: float, params: float, tokens: float, loss: float) -> None:
    found = values([N, D, L], inputs(law), **at(flops))
    assert list(found.values()) == pytest.approx([params, tokens, loss], rel=1e-10)


@pytest.mark.parametrize(("law", "flops", "metric", "figure", "tolerance", "source"), PUBLISHED)
def test_optimum_is_what_was_published(
    law: str, flops: float, metric: str, figure: float, tolerance: float, source: str
) -> None:
    assert value(metric, inputs(law), **at(flops)) == pytest.approx(figure, rel=tolerance), source


@given(st.sampled_from(OF_TWO_POWERS), COMPUTE)
@settings(deadline=None, max_examples=40)
def test_optimum_of_two_powers_is_the_one_found_by_trying(law: str, flops: float) -> None:
    found = values([N, D, L], inputs(law), **at(flops))
    product = mpf(at(flops)["law_params"]) * mpf(at(flops)["train_tokens"])
    params, loss = optimal_at(CORES[law].loss, product)
    assert found[N] == pytest.approx(float(params), rel=HELD)
    assert found[D] == pytest.approx(float(product / params), rel=HELD)
    assert found[L] == pytest.approx(float(loss), rel=HELD)


@given(COMPUTE, st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128]))
@settings(deadline=None, max_examples=20)
def test_optimum_of_a_law_of_experts_is_the_one_found_by_trying(flops: float, experts: int) -> None:
    """The joint law at a number of experts, the fine-grained one at a granularity, the sparse one at a share."""
    product = mpf(at(flops)["law_params"]) * mpf(at(flops)["train_tokens"])
    shape = {"expert_expansion": float(experts), "expert_granularity": float(experts)}
    for law in ("joint_moe", "krajewski_moe", "abnar_sparsity"):
        found = values([N, D, L], inputs(law), **at(flops), **shape)

        def loss(params: Real, tokens: Real, law: str = law) -> Real:
            run = naive_laws.Run(params, tokens, experts=mpf(experts), granularity=mpf(experts))
            return naive_laws.LOSSES[law](run)

        params, least = optimal_at(loss, product)
        assert found[N] == pytest.approx(float(params), rel=1e-10)
        assert found[D] == pytest.approx(float(product / params), rel=1e-10)
        assert found[L] == pytest.approx(float(least), rel=EXACT)


@given(specs(WITH_COMPUTE))
@settings(deadline=None, max_examples=150)
def test_the_budget_is_spent_and_no_more(spec: Spec) -> None:
    """6 N D = C, whatever the law and the corrections, where there is an optimum at all."""
    design = built(spec)
    found = values([N, D, "law_params", "precision_params_factor"], design)
    if found["precision_params_factor"] > 0.0:
        budget = found["law_params"] * design["train_tokens"]
        assert found[N] * found[D] == pytest.approx(budget, rel=EXACT)


@given(st.sampled_from(OF_TWO_POWERS), COMPUTE)
@settings(deadline=None)
def test_shares_of_the_two_terms_at_the_optimum(law: str, flops: float) -> None:
    """A N**-alpha / (L - E) = beta / (alpha + beta)."""
    design = inputs(law)
    best = values([N, D, L], design, **at(flops))
    term = value("loss_params_term_nats", design, law_params=best[N], train_tokens=best[D])
    alpha, beta = design["law_params_exponent"], design["law_tokens_exponent"]
    assert term / (best[L] - design["law_floor_nats"]) == pytest.approx(beta / (alpha + beta), rel=1e-11)


def is_no_worse_than_any(design: Inputs) -> None:
    """Against the design itself, and against models about the best one."""
    names = ("law_params", "shape_penalty_nats", "vocabulary_penalty_nats", "capybara_params_factor")
    found = values(["excess_loss_nats", "precision_params_factor", N, D, L, *names], design)
    if found["precision_params_factor"] == 0.0:
        return
    assert found["excess_loss_nats"] >= -1e-12
    for shift in (0.5, 0.99, 1.0, 1.01, 2.0):
        moved = {"law_params": found[N] * shift, "train_tokens": found[D] / shift}
        held = {name: found[name] for name in names[1:3]}
        held["capybara_params_factor"] = found["capybara_params_factor"] * (
            (moved["law_params"] / found["law_params"]) ** -design["capybara_params_exponent"]
        )
        loss = value("loss_nats", design, **moved, **held)
        assert loss >= found[L] - 1e-12 * loss
        if shift == 1.0:
            assert loss == pytest.approx(found[L], rel=EXACT)


@given(specs(WITH_COMPUTE))
@settings(deadline=None, max_examples=150)
def test_no_design_is_better_than_the_best_of_its_compute(spec: Spec) -> None:
    """Whatever the mix of repetition, bits, experts, shape and vocabulary; and the best itself has no excess."""
    if not told_beside_its_own_repetition(built(spec)):
        is_no_worse_than_any(built(spec))


@given(specs(["muennighoff_data"], repetition_law="muennighoff_data"))
@example(SMALL_IN_4_BITS)
@settings(deadline=None, max_examples=60)
def test_no_design_is_better_than_the_best_under_a_law_with_repetition_of_its_own(spec: Spec) -> None:
    is_no_worse_than_any(built(spec))


@given(specs(WITH_COMPUTE), st.floats(1.05, 100.0))
@settings(deadline=None, max_examples=80)
def test_more_compute_buys_a_lower_loss(spec: Spec, more: float) -> None:
    """Strictly, unless unique tokens run out: then it may buy nothing, but never a higher one."""
    design = built(spec)
    if told_beside_its_own_repetition(design):
        return
    names = (*("law_params", "law_params_ratio", "shape_penalty_nats"), "vocabulary_penalty_nats")
    held = {name: value(name, design) for name in names}
    before = value(L, design, **held)
    after = value(L, design, **{**held, "law_params": held["law_params"] * more})
    if value("precision_params_factor", design) == 0.0:
        return
    if value("repetition_counts", design):
        assert after <= before + 1e-12
    else:
        assert after < before


@given(st.sampled_from(OF_TWO_POWERS), COMPUTE)
@settings(deadline=None)
def test_parameters_and_tokens_trade_places_when_their_terms_do(law: str, flops: float) -> None:
    design = inputs(law)
    names = ("law_params_scale", "law_params_exponent", "law_tokens_scale", "law_tokens_exponent")
    a, alpha, b, beta = (design[name] for name in names)
    exchanged = dict(zip(names, (b, beta, a, alpha), strict=True))
    before = values([N, D, L], design, **at(flops))
    after = values([N, D, L], design, **at(flops), **exchanged)
    assert (after[D], after[N], after[L]) == pytest.approx((before[N], before[D], before[L]), rel=EXACT)


@given(st.sampled_from(OF_TWO_POWERS), st.floats(1.0, 6.0), st.floats(0.2, 5.0))
@settings(deadline=None)
def test_units_of_parameters_and_tokens_do_not_matter(law: str, of_params: float, of_tokens: float) -> None:
    """Counted in units of another size, with A and B to match, the optimum is the same in those units."""
    design = inputs(law)
    scaled = {
        "law_params_scale": design["law_params_scale"] * of_params ** design["law_params_exponent"],
        "law_tokens_scale": design["law_tokens_scale"] * of_tokens ** design["law_tokens_exponent"],
    }
    where = at(1e22)
    before = values([N, D, L], design, **where)
    moved = {**where, "train_tokens": where["train_tokens"] * of_params * of_tokens}
    after = values([N, D, L], design, **moved, **scaled)
    assert after[N] == pytest.approx(before[N] * of_params, rel=1e-11)
    assert after[D] == pytest.approx(before[D] * of_tokens, rel=1e-11)
    assert after[L] == pytest.approx(before[L], rel=1e-11)


@given(specs([law for law in WITH_COMPUTE if law != "abnar_sparsity"], repetition_law="none"))
@settings(deadline=None, max_examples=60)
def test_tokens_for_a_size_make_that_size_the_best(spec: Spec) -> None:
    """tokens_for_params turns compute_optimal_params round; a law of two terms in N has no such formula."""
    design = built(spec)
    found = values(["tokens_for_params", "law_params", "capybara_coefficient", "precision_params_factor"], design)
    if found["capybara_coefficient"] == 0.0 and found["precision_params_factor"] > 0.0:
        moved = {"law_params": found["law_params"], "train_tokens": found["tokens_for_params"]}
        assert value(N, design, **moved) == pytest.approx(found["law_params"], rel=1e-9)


# ------------------------------------------------------------------------------------ allocations without a loss


@given(st.sampled_from(list(naive_laws.ALLOCATIONS)), COMPUTE)
@settings(deadline=None)
def test_an_allocation_is_the_formula_of_its_paper(law: str, flops: float) -> None:
    found = values([N, D], inputs(law), **at(flops))
    params, tokens = naive_laws.allocation(law, 6 * mpf(at(flops)["law_params"]) * mpf(at(flops)["train_tokens"]))
    assert found[N] == pytest.approx(float(params), rel=HELD)
    assert found[D] == pytest.approx(float(tokens), rel=HELD)


@given(COMPUTE)
@settings(deadline=None)
def test_kaplans_loss_of_compute(flops: float) -> None:
    expected = naive_laws.kaplan_loss_of_compute(mpf(flops))
    assert value(L, inputs("kaplan_L_Cmin"), **at(flops)) == pytest.approx(float(expected), rel=1e-11)


def test_every_allocation_in_the_data_is_among_them() -> None:
    allocations = {law for law in LAWS if RECORDS[law].values["law_form"] == "allocation"}
    assert allocations == {*naive_laws.ALLOCATIONS, "kaplan_L_Cmin"}


def test_a_law_without_compute_has_no_optimum() -> None:
    for law in set(LAWS) - set(WITH_COMPUTE) - set(naive_laws.ALLOCATIONS):
        found = values([N, D, "excess_loss_nats", "inference_optimal_params", "usd_optimal_tokens"], inputs(law))
        assert all(math.isnan(number) for number in found.values()), law


# ------------------------------------------------------------------------------------------------ repeated tokens


@pytest.mark.parametrize("law", ["muennighoff_c4", "muennighoff_data"])
def test_optimum_with_repeated_tokens_at_1e22(law: str) -> None:
    """Muennighoff et al. 2023, arXiv:2305.16264, authors' README: 25e9 unique tokens, a grid of 500 points (0.3 %).

    The exact figures are a golden section at 40 digits; the law's coefficients in data/ are held to twelve digits.
    """
    design = inputs(law, repetition_law="muennighoff_data")
    found = values([N, D, L], design, **at(1e22), unique_tokens=25e9)
    assert found[N] == pytest.approx(7022364735.87997, rel=0.003)
    assert found[D] == pytest.approx(237336955477.551, rel=0.003)
    assert found[N] == pytest.approx(7026159072.02864, rel=1e-9)
    assert found[D] == pytest.approx(237208786419.556, rel=1e-9)
    assert found[L] == pytest.approx(2.22212927487, rel=1e-11)


@given(st.sampled_from(OF_TWO_POWERS), COMPUTE, st.floats(0.02, 3.0))
@settings(deadline=None, max_examples=40)
def test_with_repeated_tokens_no_try_does_better(law: str, flops: float, share: float) -> None:
    """Unique tokens as a share of what the best model would want; floats, and the edge where none is repeated yet."""
    core = CORES[law].of(float)
    unique = share * value(D, inputs(law), **at(flops))
    loss = naive_laws.corrected(core, unique)
    product = at(flops)["law_params"] * at(flops)["train_tokens"]
    _, least = optimal_at(loss, product, 120)
    least = min(least, loss(product / unique, unique))
    design = inputs(law, repetition_law="muennighoff_data")
    found = values([N, D, L], design, **at(flops), unique_tokens=unique)
    assert found[L] <= least * (1.0 + HELD)
    assert loss(found[N], found[D]) == pytest.approx(found[L], rel=HELD)


@given(
    st.sampled_from(OF_TWO_POWERS), COMPUTE, st.floats(0.02, 3.0), st.floats(0.2, 1.0),
    st.sampled_from(["bf16", "int8_training", "fp8_training", "fp4_training"]),
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_with_repeats_bits_and_experts_no_try_does_better(
    law: str, flops: float, share: float, ratio: float, bits: str
) -> None:
    unique = share * value(D, inputs(law), **at(flops))
    where = at(flops)
    where["params_active_non_embedding"] = body = int(ratio * where["law_params"])
    design, loss = told(law, bits, unique, body / where["law_params"])
    product = where["law_params"] * where["train_tokens"]
    _, least = optimal_at(loss, product, 120)
    least = min(least, loss(product / unique, unique))
    found = values([N, D, L], design, **where)
    assert found[L] <= least * (1.0 + HELD)
    assert loss(found[N], found[D]) == pytest.approx(found[L], rel=HELD)


# ------------------------------------------------------------- Pearce and Song 2024, arXiv:2406.12907, at 40 digits


@pytest.mark.parametrize(
    ("law", "params", "flops"),
    [
        ("besiroglu_2024", 1e6, 8994234332015870.0),
        ("besiroglu_2024", 1e8, 2.61831051892873e18),
        ("besiroglu_2024", 1e12, 9.70913205605686e25),
        ("hoffmann_a3_tex", 1e6, 6239093535614160.0),
        ("hoffmann_a3_tex", 1e12, 6.52726388465807e26),
    ],
)
def test_compute_without_tables_at_which_a_body_is_best(law: str, params: float, flops: float) -> None:
    found = value("optimal_non_embedding_flops", inputs(law), params_active_non_embedding=int(params))
    assert found == pytest.approx(flops, rel=1e-9)


@given(TOKENS)
@settings(deadline=None)
def test_at_a_large_size_tables_hardly_matter(size: float) -> None:
    """N_T = N + 47491 N**(1/3): the share of the tables falls with N**(2/3)."""
    body = int(size)
    ratio = value("implied_params", inputs("besiroglu_2024"), params_active_non_embedding=body) / body
    assert ratio - 1.0 == pytest.approx(47491.0 * body ** (-2.0 / 3.0), rel=1e-9)

"""What corrects a law: repeats, bits, shape and quantisation against the papers' formulas, and columns that add up."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf  # type: ignore[import-untyped]

from tests import naive_laws
from tests.law_designs import (
    OF_TWO_POWERS,
    PARAMS,
    RECORDS,
    TOKENS,
    WITH_LOSS,
    Inputs,
    Spec,
    built,
    inputs,
    specs,
    value,
    values,
)
from tests.naive_laws import CORES, KUMAR, kumar_factor, kumar_factors, normalised

HELD = 1e-11  # some coefficients are held in data/ to twelve digits
BITS = st.one_of(st.integers(1, 32).map(float), st.floats(1.0, 32.0))
COLUMNS = {  # what a correction does to the loss, by the kind of record that switches it
    "repetition_law": "repetition_penalty_nats",
    "precision_law": "train_precision_penalty_nats",
    "moe_law": "moe_gain_nats",
    "shape_law": "shape_penalty_nats",
    "vocabulary_correction": "vocabulary_penalty_nats",
}


# ------------------------------------------------------------------------------------------- the columns together


@given(specs(WITH_LOSS))
@settings(deadline=None, max_examples=50)
def test_columns_add_up_to_the_loss(spec: Spec) -> None:
    """The law as printed and what each correction adds; a loss of a few nats keeps 1e-12."""
    found = values(["loss_nats", "loss_before_corrections_nats", *COLUMNS.values()], built(spec))
    if found["loss_nats"] < math.inf:
        parts = sum(found[name] for name in ("loss_before_corrections_nats", *COLUMNS.values()))
        assert parts == pytest.approx(found["loss_nats"], rel=1e-12, abs=1e-12)


@given(specs(WITH_LOSS))
@settings(deadline=None, max_examples=50)
def test_switching_a_correction_off_makes_its_column_0_and_is_seen_by_no_other_before_it(spec: Spec) -> None:
    """Corrections follow one another in the order of the columns; shape and vocabulary stand by themselves.

    What experts gain is the loss less everything else, which rounds: a few units of 1e-16 of a few nats.
    """
    before = values([*COLUMNS.values(), "loss_before_corrections_nats"], built(spec))
    own = {"repetition_law": "law_repetition", "precision_law": "law_precision"}
    for place, (kind, column) in enumerate(COLUMNS.items()):
        off = spec | {kind: 0 if kind == "vocabulary_correction" else "none"}
        after = values([*COLUMNS.values(), "loss_before_corrections_nats"], built(off))
        if kind not in own or RECORDS[str(spec["law"])].values[own[kind]] == "transferred":
            assert after[column] == 0.0
        for other in list(COLUMNS.values())[:place]:
            rounding = 1e-14 if other == "moe_gain_nats" else 0.0
            assert after[other] == pytest.approx(before[other], rel=rounding, abs=rounding, nan_ok=True)
        for other in ("loss_before_corrections_nats", *list(COLUMNS.values())[max(3, place + 1) :]):
            assert after[other] == before[other]


@given(specs(WITH_LOSS, moe_law="none", repetition_law="none", precision_law="none", shape_law="none"))
@settings(deadline=None, max_examples=60)
def test_without_corrections_it_is_the_law(spec: Spec) -> None:
    spec |= {"vocabulary_correction": 0, "train_precision": "bf16"}
    found = values(["loss_nats", "loss_before_corrections_nats", *COLUMNS.values()], built(spec))
    if RECORDS[str(spec["law"])].values["law_precision"] == "transferred":
        assert all(found[column] == 0.0 for column in COLUMNS.values())
        assert found["loss_nats"] == found["loss_before_corrections_nats"]


@given(specs(WITH_LOSS, moe_law="none"))
@settings(deadline=None, max_examples=60)
def test_repeats_and_few_bits_never_help(spec: Spec) -> None:
    found = values([COLUMNS["repetition_law"], COLUMNS["precision_law"]], built(spec))
    assert all(penalty >= -1e-14 for penalty in found.values())


# ------------------------------------------------------------------------------------------------- repeated data


@given(PARAMS, TOKENS, st.floats(0.01, 1e3), st.sampled_from(OF_TWO_POWERS))
@settings(deadline=None)
def test_worth_of_repeated_tokens_is_the_papers(params: float, tokens: float, epochs: float, law: str) -> None:
    core, unique = CORES[law], mpf(tokens / epochs)
    design = inputs(law, repetition_law="muennighoff_data") | {"law_params": params, "train_tokens": tokens}
    found = values(["effective_tokens", "repeated_params", "loss_nats"], design, unique_tokens=tokens / epochs)
    again = tokens > tokens / epochs
    worth = naive_laws.worth_of_params(mpf(params), mpf(tokens), unique, core) if again else mpf(params)
    assert found["effective_tokens"] == pytest.approx(float(naive_laws.worth_of_tokens(mpf(tokens), unique)), rel=1e-13)
    assert found["repeated_params"] == pytest.approx(float(worth), rel=HELD)
    expected = naive_laws.corrected(core, unique)(mpf(params), mpf(tokens))
    assert found["loss_nats"] == pytest.approx(float(expected), rel=HELD)


@given(PARAMS, TOKENS, st.floats(0.01, 1e3), st.sampled_from([*OF_TWO_POWERS, "muennighoff_data"]))
@settings(deadline=None)
def test_repeats_are_worth_less_than_new_tokens_and_more_than_none(
    params: float, tokens: float, epochs: float, law: str
) -> None:
    """D' <= D and N' <= N, equal without a repeat; never more than R* + 1 times what is unique, or is enough for it."""
    design = inputs(law, repetition_law="muennighoff_data") | {"law_params": params, "train_tokens": tokens}
    unique = tokens / epochs
    found = values(["effective_tokens", "repeated_params"], design, unique_tokens=unique)
    enough = math.inf if law != "muennighoff_data" and tokens <= unique else best_for(law, min(tokens, unique))
    assert found["effective_tokens"] <= tokens * (1.0 + 1e-15)
    assert found["repeated_params"] <= params * (1.0 + 1e-15)
    if tokens <= unique:
        assert found["effective_tokens"] == tokens
    else:
        assert unique * (1.0 - 1e-15) <= found["effective_tokens"] <= 16.387756 * unique * (1.0 + 1e-15)
    if params <= enough * (1.0 - 1e-10):  # coefficients are held to twelve digits
        assert found["repeated_params"] == params
    else:
        assert found["repeated_params"] <= 6.309743 * enough * (1.0 + 1e-10)


def best_for(law: str, tokens: float) -> float:
    """Parameters for which so many tokens are the best number: alpha A N**-alpha = beta B D**-beta."""
    core = CORES["muennighoff_c4" if law == "muennighoff_data" else law].of(float)
    return float((core.alpha * core.A / (core.beta * core.B) * tokens**core.beta) ** (1.0 / core.alpha))


@pytest.mark.parametrize(
    ("params", "tokens", "loss"), [(6.34e9, 242e9, 2.2256440889984477), (8.67e9, 178e9, 2.2269634075087867)]
)
def test_published_losses_with_repeated_tokens(params: float, tokens: float, loss: float) -> None:
    """Muennighoff et al. 2023, arXiv:2305.16264, authors' README: 25e9 unique tokens."""
    for law in ("muennighoff_data", "muennighoff_c4"):
        design = inputs(law, repetition_law="muennighoff_data") | {"law_params": params, "train_tokens": tokens}
        assert value("loss_nats", design, unique_tokens=25e9) == pytest.approx(loss, rel=HELD)


# ---------------------------------------------------------------------------------------------- training in few bits


def in_bits(design: Inputs, weights: float, activations: float, kv: float, kind: str = "integer") -> Inputs:
    bits = {"train_weight_bits": weights, "train_activation_bits": activations, "train_kv_bits": kv}
    return design | bits | {"train_number_kind": ("float", "integer").index(kind)}


@given(BITS, BITS, BITS)
@settings(deadline=None)
def test_effective_parameters_in_few_bits_are_the_papers(weights: float, activations: float, kv: float) -> None:
    """The law's own factor as printed; told to another law, over its value at 16 bits."""
    at_16 = kumar_factors(mpf(16), mpf(16), mpf(16))
    exact = kumar_factors(mpf(weights), mpf(activations), mpf(kv))
    for law, record, expected in (
        ("kumar_train", "none", exact),
        ("besiroglu_2024", "kumar_train", normalised(exact, at_16)),
        ("besiroglu_2024", "by_format", normalised(exact, at_16)),
        ("besiroglu_2024", "none", mpf(1)),
    ):
        design = in_bits(inputs(law, precision_law=record), weights, activations, kv)
        found = value("precision_params_factor", design)
        assert found == pytest.approx(float(expected), rel=1e-12, abs=1e-15)


@given(BITS)
@settings(deadline=None)
def test_effective_parameters_in_few_bits_of_floats_are_the_papers(weights: float) -> None:
    exact, at_16 = (kumar_factor("float_weights", mpf(bits)) for bits in (weights, 16))
    own = in_bits(inputs("kumar_train_fp"), weights, 16.0, 16.0, "float")
    told = in_bits(inputs("besiroglu_2024", precision_law="kumar_train_fp"), weights, 16.0, 16.0, "float")
    assert value("precision_params_factor", own) == pytest.approx(float(exact), rel=1e-12, abs=1e-15)
    assert value("precision_params_factor", told) == pytest.approx(
        float(normalised(exact, at_16)), rel=1e-12, abs=1e-15
    )


@given(BITS, st.floats(0.01, 8.0), st.sampled_from(["kumar_weight", "kumar_activation", "kumar_kv", "kumar_float"]))
@settings(deadline=None)
def test_more_bits_leave_more_parameters_and_never_all(bits: float, more: float, factor: str) -> None:
    """Until rounding hides what is missing; none are left where the formula would be negative."""
    name = {"kumar_kv": "train_kv_bits", "kumar_activation": "train_activation_bits"}.get(factor, "train_weight_bits")
    design = inputs("kumar_train")
    few, many = (value(f"{factor}_factor", design, **{name: b}) for b in (bits, bits + more))
    assert few < many or few == many == 0.0 or many > 1.0 - 1e-9
    assert 0.0 <= few <= many <= 1.0


@pytest.mark.parametrize(("tensor", "name"), [("weights", "weight"), ("activations", "activation"), ("kv", "kv")])
def test_bits_below_the_fit_leave_nothing_and_the_loss_is_infinite(tensor: str, name: str) -> None:
    gamma, n = (float(text) for text in KUMAR[tensor])
    design = in_bits(inputs("besiroglu_2024", precision_law="kumar_train"), 16.0, 16.0, 16.0)
    below = {f"train_{name}_bits": gamma * n * 0.999}
    found = values(["precision_params_factor", "loss_nats", "train_precision_penalty_nats"], design, **below)
    assert list(found.values()) == [0.0, math.inf, math.inf]
    just_above = value("loss_nats", design, **{f"train_{name}_bits": gamma * n * 1.001})
    assert value("loss_nats", design) + 1.0 < just_above < math.inf


def test_published_bits_that_train_best() -> None:
    """Kumar et al. 2024, arXiv:2411.04330: 7 to 8 bits; the root at 40 digits, with the offsets of appendix K."""
    found = value("optimal_train_bits", inputs("kumar_train"))
    assert 7.0 <= found <= 8.0
    assert found == pytest.approx(7.00210936833881, rel=1e-12)


@given(st.floats(18.0, 26.0).map(lambda x: 10.0**x))
@settings(deadline=None, max_examples=5)
def test_bits_that_train_best_are_the_same_at_every_budget(flops: float) -> None:
    """C = (6 / 16) N D P, N and D the best for what is left of it: no P in a tenth of a bit does better."""
    best = value("optimal_train_bits", inputs("kumar_train"))

    def loss(bits: float) -> float:
        where = {"law_params": 1e9, "train_tokens": flops * 16.0 / (6.0 * bits) / 1e9}
        design = in_bits(inputs("kumar_train"), bits, bits, bits)
        return value("compute_optimal_loss_nats", design, **where)

    tried = [3.5 + 0.1 * k for k in range(126)]
    assert min(tried, key=loss) == pytest.approx(best, abs=0.05)
    assert loss(best) <= min(loss(bits) for bits in tried)


@given(PARAMS, TOKENS, st.integers(0, 6), st.integers(1, 7), st.sampled_from([1, 16, 32, 128, 512]))
@settings(deadline=None)
def test_what_a_float_of_few_bits_adds_is_the_papers(
    params: float, tokens: float, exponent: int, mantissa: int, block: int
) -> None:
    layout = {"train_exponent_bits": float(exponent), "train_mantissa_bits": float(mantissa)}
    design = inputs("besiroglu_2024", precision_law="capybara_fp") | {"train_tokens": tokens} | layout
    design |= {"train_weight_bits": 8.0, "train_scale_block": float(block), "params_active_non_embedding": int(params)}
    exact = naive_laws.capybara_term(mpf(int(params)), mpf(tokens), mpf(exponent), mpf(mantissa), mpf(block))
    found = value("train_precision_penalty_nats", design)
    assert found == pytest.approx(float(exact), rel=1e-12, abs=1e-300)
    assert value("train_precision_penalty_nats", design, train_weight_bits=16.0) == 0.0


@pytest.mark.parametrize(("bits", "exponent", "mantissa"), [(4, 2, 1), (8, 4, 3), (16, 8, 7)])
def test_published_layouts_of_floats(bits: int, exponent: int, mantissa: int) -> None:
    """Sun et al. 2025, arXiv:2501.02423: E2M1, E4M3 and E8M7, rounded."""
    found = values(["optimal_exponent_bits", "optimal_mantissa_bits"], inputs("capybara_fp"), train_weight_bits=bits)
    assert [round(number) for number in found.values()] == [exponent, mantissa]
    assert sum(found.values()) == pytest.approx(bits - 1, rel=1e-12)  # and a sign


@given(st.integers(4, 12), PARAMS)
@settings(deadline=None, max_examples=30)
def test_no_whole_layout_adds_less_than_about_the_best_one(bits: int, params: float) -> None:
    design = inputs("capybara_fp") | {"train_weight_bits": float(bits), "train_scale_block": 128.0}
    design |= {"params_active_non_embedding": int(params)}

    def added(exponent: float) -> float:
        layout = {"train_exponent_bits": exponent, "train_mantissa_bits": bits - 1.0 - exponent}
        return value("capybara_penalty_nats", design, **layout)

    best = value("optimal_exponent_bits", design)
    assert all(added(best) <= added(float(exponent)) for exponent in range(bits))


@given(PARAMS, st.sampled_from([(4, 3), (2, 1)]))
@settings(deadline=None, max_examples=30)
def test_beyond_the_critical_tokens_more_of_them_make_it_worse(params: float, layout: tuple[int, int]) -> None:
    """Published for 1e9 parameters as the stationary point in D; D_crit at 679M in E2M1, blocks of 128: 3.59e11."""
    design = inputs("capybara_fp") | {"train_weight_bits": 8.0, "train_scale_block": 128.0}
    design |= {"train_exponent_bits": float(layout[0]), "train_mantissa_bits": float(layout[1])}
    design |= {"law_params": float(int(params)), "params_active_non_embedding": int(params)}
    critical = value("critical_tokens", design)
    around = [value("loss_nats", design, train_tokens=critical * x) for x in (0.5, 0.99, 1.0, 1.01, 2.0)]
    assert min(around) == around[2]
    small = {"train_exponent_bits": 2.0, "train_mantissa_bits": 1.0, "params_active_non_embedding": 679_000_000}
    assert value("critical_tokens", design, **small) == pytest.approx(359465917660.507, rel=1e-9)


# ------------------------------------------------------------------------------------ quantisation after training


@given(st.sampled_from(["qid_gptq", "kumar_ptq"]), PARAMS, TOKENS, st.floats(1.0, 15.9))
@settings(deadline=None)
def test_quantisation_after_training_is_the_papers(name: str, params: float, tokens: float, bits: float) -> None:
    """Never more than to guess evenly, never in loss_nats, and nothing where no bits are dropped."""
    design = inputs("besiroglu_2024", ptq_law=name) | {"train_tokens": tokens, "served_bits": bits}
    design |= {"params_active": int(params), "params_active_non_embedding": int(params)}
    found = values(["ptq_penalty_unclipped_nats", "ptq_penalty_nats", "loss_nats", "served_loss_nats"], design)
    exact = naive_laws.ptq_penalty(name, mpf(int(params)), mpf(tokens), mpf(bits))
    assert found["ptq_penalty_unclipped_nats"] == pytest.approx(float(exact), rel=1e-12)
    guess = max(0.0, math.log(128256) - found["loss_nats"])
    assert found["ptq_penalty_nats"] == pytest.approx(min(float(exact), guess), rel=1e-12)
    assert found["served_loss_nats"] == found["loss_nats"] + found["ptq_penalty_nats"]
    assert found["loss_nats"] == value("loss_nats", design, served_bits=16.0)
    assert value("ptq_penalty_nats", design, served_bits=16.0) == 0.0
    assert value("ptq_penalty_nats", design, train_weight_bits=bits) == 0.0


# ------------------------------------------------------------------------------------------------------------ shape


@given(
    st.sampled_from(list(naive_laws.GEMSTONES)), st.integers(64, 20000), st.integers(2, 200), PARAMS,
    st.floats(10.0, 300.0),
)  # fmt: skip
@settings(deadline=None)
def test_shape_is_the_papers_less_that_of_the_reference(
    name: str, width: int, depth: int, params: float, aspect: float
) -> None:
    design = inputs("besiroglu_2024", shape_law=name) | {"reference_aspect_ratio": aspect}
    design |= {"hidden_size": width, "num_layers": depth, "params_active_non_embedding": int(params)}
    exact = naive_laws.shape_penalty(name, mpf(width), mpf(depth), mpf(int(params)), mpf(aspect))
    assert value("shape_penalty_nats", design) == pytest.approx(float(exact), rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("law", list(naive_laws.GEMSTONES))
def test_a_law_of_width_and_depth_takes_no_correction_of_shape(law: str) -> None:
    """It has those terms itself: data/shape_laws.toml."""
    assert value("shape_penalty_nats", inputs(law, shape_law=law), hidden_size=512, num_layers=80) == 0.0

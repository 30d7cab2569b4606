"""Laws and corrections as published: which there are, which are left out and why, and what was converted back again.

Printed values are typed in here from the papers; a conversion keeps all digits, so that going back loses a few units in
the last place, which a small exponent multiplies by its inverse: hence 1e-12.
"""

import json
import math

import pytest

from sweep import catalogue
from sweep.resources import resource_dir

EXACT = 1e-12
PF_DAY = 8.64e19  # FLOP

# Every law of language models whose numbers were confirmed, by what it is about.
FAMILIES = {
    "loss": """
        besiroglu_2024 besiroglu_2024_full hoffmann_a3_tex hoffmann_a3_rounded sardana_planning sardana_refit_100
        sardana_refit_250 sardana_refit_500 sardana_refit_all muennighoff_c4 gadre_c4 gadre_rpj gadre_rw kumar_base
        krajewski_dense kaplan_L_N kaplan_L_D kaplan_L_Cmin kaplan_L_ND kaplan_L_NS clark_dense
    """,
    "experts": "joint_moe clark_sbase clark_rlr clark_hash krajewski_moe abnar_sparsity",
    "own correction": "muennighoff_data kumar_train kumar_train_fp capybara_fp",
    "shape": "gemstones_shape_hot gemstones_shape_cool_end",
    "allocation": """
        kaplan_alloc hoffmann_a1 hoffmann_a2 hoffmann_a3_table porian_rw_kaplan_repro porian_rw_head_counted
        porian_rw_short_warmup porian_rw_cosine porian_rw_tuned porian_owt2_tuned deepseek_alloc ling_alloc_dense
        ling_alloc_moe llama3_tokens
    """,
}
LAWS = {family: ids.split() for family, ids in FAMILIES.items()}
CORRECTIONS = {
    "moe_law": "none joint_moe ling_el",
    "repetition_law": "none muennighoff_data",
    "precision_law": "none kumar_train kumar_train_fp capybara_fp by_format",
    "ptq_law": "none qid_gptq kumar_ptq",
    "shape_law": "none gemstones_shape_hot gemstones_shape_cool_end",
    "vocabulary_law": "tao_a1 tao_a2 tao_a3",
    "hyperparameter_law": "step_law deepseek_hparams ling_hparams joint_moe_lr",
    "batch_law": "kaplan_bcrit cbs_zhang_chinchilla cbs_zhang_fixed_data cbs_merrill",
}
NO_RECORD = {
    "minicpm": "printed too coarsely to evaluate",
    "kaplan_shape": "says that there is no correction: shape_law = none",
    "kaplan_overfit": "the metric overfitting_free_tokens",
    "kumar_opt_precision": "the optimum of kumar_train, no coefficients of its own",
    "tao_compression": "the inputs chars_a, chars_b, chars_c and chars_vocab_cap",
    "pearce_song": "the metrics implied_params and optimal_non_embedding_flops",
    "deepseek_flops": "the metric non_embedding_flops_per_token",
    "inference_optimal": "the metrics inference_optimal_*",
    "inference_optimal_cost": "the metrics usd_optimal_*",
    "gadre_downstream": "a form without coefficients",
    "monkeys_coverage": "a form without coefficients, of test time",
    "jones_train_test": "of board games",
    "snell_ratio": "a comparison, no law",
    "levine_depth": "coefficients recalled, not confirmed",
    "chen_qat_w4a4": "coefficients recalled, not confirmed",
    "bergsma_power_lines": "prefactors recalled, not confirmed",
    "farseer": "coefficients found in no source",
}


def number(kind: str, identity: str, name: str) -> float:
    value = catalogue.records(kind)[identity].values[name]
    assert not isinstance(value, str)
    return float(value)


def law(identity: str, name: str) -> float:
    return number("law", identity, f"law_{name}")


# ---------------------------------------------------------------------------------------------- which there are


def test_every_law_that_was_confirmed_is_a_record_and_no_other() -> None:
    assert set(catalogue.records("law")) == {identity for ids in LAWS.values() for identity in ids}
    assert len(catalogue.records("law")) == 47
    for kind, ids in CORRECTIONS.items():
        assert list(catalogue.records(kind)) == ids.split()
    assert [kind.name for kind in catalogue.CORRECTIONS] == list(CORRECTIONS)


def test_what_is_left_out_is_no_record() -> None:
    kinds = ("law", *CORRECTIONS)
    assert not {identity for kind in kinds for identity in catalogue.records(kind)} & set(NO_RECORD)


def test_forms_are_those_of_the_families() -> None:
    forms = {identity: record.values["law_form"] for identity, record in catalogue.records("law").items()}
    assert {forms[i] for i in LAWS["loss"]} == {"power", "steps", "allocation"}  # kaplan_L_NS; kaplan_L_Cmin
    assert {forms[i] for i in LAWS["allocation"]} == {"allocation"}
    assert {forms[i] for i in LAWS["shape"]} == {"shaped"}
    assert [forms[i] for i in LAWS["experts"]] == ["routed"] * 4 + ["granular", "sparse"]
    assert {forms[i] for i in LAWS["own correction"]} == {"power"}


@pytest.mark.parametrize("kind", CORRECTIONS)
def test_no_correction_changes_nothing_and_every_kind_has_its_default(kind: str) -> None:
    records = catalogue.records(kind)
    assert str(catalogue.defaults()[kind].value) in records
    if "none" in records:
        said = records["none"].facts
        assert said["title"] == "no correction"
        assert said["source"].startswith("definition")
        forms = [value for name, value in records["none"].values.items() if name.endswith("_form")]
        assert forms == ["none"] or (kind == "ptq_law" and number(kind, "none", "ptq_scale") == 0)


def test_the_same_coefficients_stand_in_every_record_that_repeats_them() -> None:
    precision = [
        {name: value for name, value in record.values.items() if name != "precision_form"}
        for record in catalogue.records("precision_law").values()
    ]
    assert all(values == precision[0] for values in precision)
    for name in catalogue.KINDS["vocabulary_law"].sets:
        if "surface" in name or "tokens" in name or name == "vocabulary_body_scale":
            assert len({number("vocabulary_law", i, name) for i in catalogue.records("vocabulary_law")}) == 1
    for what in ("params", "tokens"):
        for which in ("scale", "exponent"):
            assert law("joint_moe", f"{what}_{which}") == number("moe_law", "joint_moe", f"moe_{what}_{which}")
        for which in ("power", "slope"):
            assert law("joint_moe", f"experts_{what}_{which}") == number("moe_law", "joint_moe", f"moe_{what}_{which}")
    for shape in LAWS["shape"]:
        for name in ("width_scale", "width_exponent", "depth_scale", "depth_exponent"):
            assert law(shape, name) == number("shape_law", shape, f"shape_{name}")
    for name in catalogue.LAW_COEFFICIENTS:
        assert number("law", "muennighoff_data", name) == number("law", "muennighoff_c4", name)
        for other in ("kumar_train", "kumar_train_fp"):
            assert number("law", other, name) == number("law", "kumar_base", name)


def test_what_a_record_leaves_out_is_neutral() -> None:
    values = catalogue.records("law")["besiroglu_2024_full"].values
    assert (values["law_form"], values["law_compute"], values["law_tokens_counted"]) == ("power", "6nd", "seen")
    assert (values["law_repetition"], values["law_precision"]) == ("transferred", "transferred")
    assert (values["law_outer_exponent"], values["law_has_draws"]) == (1, 0)
    assert math.isnan(law("besiroglu_2024_full", "experts_start"))
    assert math.isnan(law("hoffmann_a1", "floor_nats"))
    assert catalogue.NEUTRAL.keys() <= set(catalogue.KINDS["law"].sets)


# ------------------------------------------------------------------------------- what was converted, back again


@pytest.mark.parametrize(
    ("identity", "scale", "exponent"),
    [
        ("kaplan_L_N", 8.8e13, 0.076),  # Kaplan et al. 2020, arXiv:2001.08361, equation 1.1: (N_c / N)^alpha_N
        ("kaplan_L_NS", 6.5e13, 0.077),  # table 3
        ("clark_dense", 3.568e13, 0.078),  # Clark et al. 2022, arXiv:2202.01169, table 3
    ],
)
def test_a_size_over_n_to_a_power(identity: str, scale: float, exponent: float) -> None:
    assert law(identity, "params_exponent") == exponent
    assert law(identity, "params_scale") ** (1 / exponent) == pytest.approx(scale, rel=EXACT)


def test_kaplan_2020_tokens_steps_and_compute() -> None:
    """arXiv:2001.08361, equations 1.2, 1.3 and 1.6, table 3: D_c = 5.4e13, C_c = 3.1e8 PF-days, S_c = 2.1e3."""
    assert law("kaplan_L_D", "tokens_scale") ** (1 / 0.095) == pytest.approx(5.4e13, rel=EXACT)
    assert law("kaplan_L_D", "tokens_exponent") == 0.095
    assert law("kaplan_L_NS", "tokens_scale") ** (1 / 0.76) == pytest.approx(2.1e3, rel=EXACT)
    assert law("kaplan_L_NS", "tokens_exponent") == 0.76
    assert law("kaplan_L_Cmin", "optimal_loss_scale") ** (1 / 0.050) / PF_DAY == pytest.approx(3.1e8, rel=EXACT)
    assert law("kaplan_L_Cmin", "optimal_loss_exponent") == 0.050


def test_kaplan_2020_joint_law() -> None:
    """arXiv:2001.08361, equation 1.5 and table 2: alpha_N 0.076, alpha_D 0.103, N_c 6.4e13, D_c 1.8e13."""
    assert law("kaplan_L_ND", "outer_exponent") == 0.103
    assert law("kaplan_L_ND", "params_exponent") * 0.103 == pytest.approx(0.076, rel=EXACT)
    assert law("kaplan_L_ND", "params_scale") ** (0.103 / 0.076) == pytest.approx(6.4e13, rel=EXACT)
    assert (law("kaplan_L_ND", "tokens_scale"), law("kaplan_L_ND", "tokens_exponent")) == (1.8e13, 1.0)


def test_kaplan_2020_allocation() -> None:
    """arXiv:2001.08361, table 6: N = 1.3e9 P^0.73, D = 2.0e10 P^0.27, P in PF-days."""
    for what, scale, exponent in (("params", 1.3e9, 0.73), ("tokens", 2.0e10, 0.27)):
        assert law("kaplan_alloc", f"optimal_{what}_exponent") == exponent
        assert law("kaplan_alloc", f"optimal_{what}_scale") * PF_DAY**exponent == pytest.approx(scale, rel=EXACT)


@pytest.mark.parametrize(
    ("identity", "a", "b", "c", "d", "start", "most"),
    [  # Clark et al. 2022, arXiv:2202.01169, table 3: log10 L = a log10 N + b log10 E + c log10 N log10 E + d
        ("clark_sbase", -0.082, -0.108, 0.009, 1.104, 1.847, 314.478),
        ("clark_rlr", -0.083, -0.126, 0.012, 1.111, 1.880, 469.982),
        ("clark_hash", -0.087, -0.136, 0.012, 1.157, 4.175, 477.741),
    ],
)
def test_clark_2022(identity: str, a: float, b: float, c: float, d: float, start: float, most: float) -> None:
    assert math.log10(law(identity, "params_scale")) == pytest.approx(d, rel=EXACT)
    assert law(identity, "experts_params_slope") * math.log(10) == pytest.approx(c, rel=EXACT)
    assert (-law(identity, "params_exponent"), law(identity, "experts_params_power")) == (a, b)
    assert (law(identity, "experts_start"), law(identity, "experts_max")) == (start, most)
    assert (law(identity, "min_tokens"), law(identity, "max_tokens"), law(identity, "tokens_scale")) == (
        1.3e11,
        1.3e11,
        0,
    )


@pytest.mark.parametrize(
    ("identity", "coefficients"),
    [  # McLeish et al. 2025, arXiv:2502.06857, the authors' parameter files: c_w, c_d, c_p, c_t and e
        ("gemstones_shape_hot", (1.4520106404, -0.0781020281, 7.9700333376, 10.0594263846, 0.39245797)),
        ("gemstones_shape_cool_end", (1.6375654653, -0.0254911443, 7.8653383939, 9.9838221358, 0.4195179541)),
    ],
)
def test_gemstones_in_logarithms(identity: str, coefficients: tuple[float, ...]) -> None:
    names = ("width_scale", "depth_scale", "params_scale", "tokens_scale", "floor_nats")
    assert [math.log(law(identity, name)) for name in names] == pytest.approx(coefficients, rel=EXACT)


@pytest.mark.parametrize(
    ("identity", "flops", "power", "tokens", "of_tokens"),
    [
        ("deepseek_alloc", 0.1715, 0.5243, 5.8316, 0.4757),  # DeepSeek-AI 2024, arXiv:2401.02954, equation 4
        ("ling_alloc_dense", 0.0655, 0.5422, 15.2582, 0.4578),  # Tian et al. 2025, arXiv:2507.17702, table 1
        ("ling_alloc_moe", 0.1915, 0.5095, 5.2232, 0.4905),
    ],
)
def test_flops_of_a_token_are_six_a_parameter(
    identity: str, flops: float, power: float, tokens: float, of_tokens: float
) -> None:
    assert law(identity, "optimal_params_scale") * 6 == pytest.approx(flops, rel=EXACT)
    assert law(identity, "optimal_params_exponent") == power
    assert (law(identity, "optimal_tokens_scale"), law(identity, "optimal_tokens_exponent")) == (tokens, of_tokens)


def test_signs_that_are_turned() -> None:
    """Ludziejewski et al. 2025, arXiv:2502.05172, table 3, and Abnar et al. 2025, arXiv:2501.12370, table 3."""
    assert [-law("joint_moe", f"{what}_exponent") for what in ("params", "tokens")] == [-0.1889, -0.1775]
    assert [law("joint_moe", f"experts_{what}_slope") for what in ("params", "tokens")] == [0.0098, -0.0259]
    assert -law("abnar_sparsity", "activation_exponent") == -0.1666


def test_vocabulary_and_learning_rate_in_logarithms() -> None:
    """Tao et al. 2024, arXiv:2407.13623, the authors' code; Ludziejewski et al. 2025, arXiv:2502.05172, equation 8."""
    for identity in ("tao_a1", "tao_a2", "tao_a3"):
        body = math.log(number("vocabulary_law", identity, "vocabulary_body_scale"))
        assert body == pytest.approx(-2.4846510161625193, rel=EXACT)
    scale = math.log(number("vocabulary_law", "tao_a1", "vocabulary_scale"))
    assert scale == pytest.approx(-1.589031299255507, rel=EXACT)
    assert math.log(number("hyperparameter_law", "joint_moe_lr", "rate_scale")) == pytest.approx(8.39, rel=EXACT)
    assert math.isnan(number("hyperparameter_law", "joint_moe_lr", "batch_scale"))


def test_critical_batches_in_tokens() -> None:
    """Kaplan et al. 2020, equation 1.4; Zhang et al. 2024, arXiv:2410.21676: sequences of 512; Merrill et al. 2025."""
    assert 1 / number("batch_law", "kaplan_bcrit", "critical_batch_loss_exponent") == pytest.approx(0.21, rel=EXACT)
    for identity, sequences in (("cbs_zhang_chinchilla", 93.20), ("cbs_zhang_fixed_data", 621.341)):
        scale = number("batch_law", identity, "critical_batch_scale")
        assert scale / 512 == pytest.approx(sequences, rel=EXACT)
    assert number("batch_law", "cbs_merrill", "critical_batch_scale") == 4096 * 4096


def test_log_space_coefficients_of_the_chinchilla_form() -> None:
    """Hoffmann et al. 2022 as used by Besiroglu et al. 2024, arXiv:2404.10102; Muennighoff et al. 2023.

    The records hold ten digits and more: hence 1e-9.
    """
    names = ("params_scale", "tokens_scale", "floor_nats")
    for identity, printed in (
        ("hoffmann_a3_tex", (6.0073404, 6.0179186, 0.5267228)),
        ("besiroglu_2024_full", (6.177955975826981, 7.6427323622433505, 0.5971119597824348)),
        ("muennighoff_c4", (6.255414, 7.3049974, 0.6254804)),
    ):
        assert [math.log(law(identity, name)) for name in names] == pytest.approx(printed, rel=1e-9)


# ------------------------------------------------------------------------------------------------ fitted ranges


@pytest.mark.parametrize(
    ("identity", "bounds"),
    [
        ("kaplan_L_ND", {"params": (768, 1.5e9), "tokens": (2.2e7, 2.3e10)}),
        ("besiroglu_2024", {"tokens_per_param": (0.46, 341), "flops": (1.4e18, 1.3e22)}),
        ("hoffmann_a1", {"flops": (6e18, 3e21)}),
        ("joint_moe", {"params": (7.9e7, 2.7e9), "tokens": (5e8, 8e10), "expansion": (1, 32)}),
        ("clark_rlr", {"params": (1.5e7, 1.3e9), "expansion": (1, 512)}),
        ("krajewski_moe", {"params": (1.29e8, 3.7e9), "tokens": (1.6e10, 1.3e11), "expansion": (64, 64)}),
        ("ling_alloc_moe", {"expansion": (13, 13)}),  # 4 of 64 experts and a shared one
        ("capybara_fp", {"params": (4.1e7, 6.79e8), "tokens": (1e10, 1e11)}),
        ("llama3_tokens", {"params": (4e7, 1.6e10), "flops": (6e18, 1e22)}),
    ],
)
def test_ranges_are_those_of_the_papers(identity: str, bounds: dict[str, tuple[float, float]]) -> None:
    for what, (low, high) in bounds.items():
        assert (law(identity, f"min_{what}"), law(identity, f"max_{what}")) == (low, high)


def test_steps_have_no_range_in_tokens() -> None:
    """Kaplan's range of D is one of data sets; the steps of the same runs are not stated."""
    assert math.isnan(law("kaplan_L_NS", "max_tokens"))


# ------------------------------------------------------------------------------------------------------- checks


def test_checks_of_laws_are_of_known_laws_and_can_be_read() -> None:
    rows = catalogue.read_rows(resource_dir("data") / "law_checks.csv")
    known = {i for kind in ("law", *CORRECTIONS) for i in catalogue.records(kind)} | set(NO_RECORD)
    assert len({row["check_id"] for row in rows}) == len(rows) == 489
    for row in rows:
        assert row["law_id"] in known
        assert isinstance(json.loads(row["inputs"]), dict)
        assert float(row["tolerance"]) >= 0
        assert row["tol_type"] in ("rel", "abs")
        assert math.isfinite(float(row["expected"]))
        assert row["source"]
    assert not any(row["law_id"] == "levine_depth" or "huber" in row["quantity"] for row in rows)


def test_draws_are_of_the_law_that_says_so() -> None:
    draws = catalogue.records("law_draw")
    assert list(draws) == [str(draw) for draw in range(1001)]
    assert {catalogue.drawn_law(draw) for draw in draws} == {"", "besiroglu_2024"}
    assert catalogue.drawn_law(catalogue.PRINTED) == ""
    assert law("besiroglu_2024", "has_draws") == 1
    assert all(math.isnan(float(value)) for value in draws["0"].values.values())
    assert "2404.10102" in draws["17"].source

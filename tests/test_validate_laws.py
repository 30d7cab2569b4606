"""`sweep validate laws`: checks of published laws are answered by our metrics, whatever the numbers in them.

The oracles are the papers' own formulas in 40 digits (naive_laws), optima by trying, along equal compute or equal loss.
"""

import csv
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result
from mpmath import mpf  # type: ignore[import-untyped]

from sweep.cli import cli
from sweep.errors import SweepError
from sweep.files import read
from sweep.law_case import NotCovered
from sweep.law_quantities import LEFT_OUT, SOURCES
from sweep.resources import resource_dir
from sweep.validate import Group
from sweep.validate_laws import NEEDED, ours, validate_laws
from tests.naive_laws import (
    CORES,
    LOSSES,
    Run,
    best_vocabulary,
    capybara_term,
    joint_multiplier,
    kaplan_critical_batch,
    leverage,
    ptq_penalty,
    vocabulary_surface,
)
from tests.naive_search import Real, exp, golden, halved, log, lowest, optimal_at

SHIPPED = resource_dir("data") / "law_checks.csv"
ROW = {
    "check_id": "mine", "law_id": "besiroglu_2024", "quantity": "loss", "inputs": '{"N": 1e9, "D": 2e10}',
    "expected": "2.5", "tolerance": "0.1", "tol_type": "rel",
}  # fmt: skip


def validate(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["validate", "laws", *arguments], catch_exceptions=False, standalone_mode=False)


def table(*rows: Mapping[str, object]) -> pl.DataFrame:
    """Rows as a CSV is read, each a row that agrees but for what it says."""
    cells = [{**ROW, **row} for row in rows]
    return pl.DataFrame([{name: None if cell is None else str(cell) for name, cell in row.items()} for row in cells])


def counts(groups: list[Group]) -> dict[str, tuple[int, int, int]]:
    return {g.group: (g.rows, g.covered, g.passed) for g in groups}


def reason(row: Mapping[str, object]) -> str:
    """Why a row is not covered."""
    *_, total = groups = validate_laws(table(row))
    assert (total.rows, total.covered, total.passed) == (1, 0, 0)
    (miss,) = groups[0].misses
    assert miss.ours == ""
    return miss.reason


def said(law: str, quantity: str, **inputs: float | str) -> float:
    return ours(law, quantity, json.dumps(inputs))


# What is shipped, and what a table may hold


def test_every_shipped_check_is_covered_and_agrees() -> None:
    """489 checks of published values, of runs and of 40-digit values; no law is without one that holds."""
    done = validate("--format", "json")
    found = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (0, "")
    assert {tuple(group) for group in found} == {("group", "rows", "covered", "passed")}
    assert {(g["covered"], g["passed"]) == (g["rows"], g["rows"]) for g in found} == {True}
    with SHIPPED.open(newline="") as stream:
        asked = list(dict.fromkeys(f"{row['law_id']} {row['quantity']}" for row in csv.DictReader(stream)))
    assert [g["group"] for g in found] == [*asked, "total"]
    assert found[-1]["rows"] == sum(g["rows"] for g in found[:-1]) == 489


def test_formats_say_the_same(tmp_path: Path) -> None:
    validate("-o", str(tmp_path / "said.csv"))
    assert pl.read_csv(tmp_path / "said.csv").to_dicts() == json.loads(validate("--format", "json").stdout)
    lines = validate().stdout.splitlines()
    assert lines[0].split() == ["group", "rows", "covered", "passed"]
    assert lines[-1].split() == ["total", "489", "489", "489"]


def test_the_reference_is_covered_but_for_a_law_from_memory() -> None:
    """All of it, with the fits to the digitised runs that are not distributed here."""
    found = sorted(Path(__file__).resolve().parents[2].glob("*/reference/scaling_law_checks.csv"))
    if not found:
        pytest.skip("the reference is not here")
    groups = validate_laws(read(found[0]), found[0].parent)
    missed = [miss for group in groups for miss in group.misses]
    assert {(miss.column, miss.reason) for miss in missed} == {
        ("levine_depth balanced_width", LEFT_OUT["levine_depth"])
    }
    assert counts(groups)["total"] == (496, 494, 494)


def test_a_changed_value_and_rows_that_say_nothing_are_found_and_named(tmp_path: Path) -> None:
    shipped = read(SHIPPED)
    wrong = pl.when(pl.col("check_id") == shipped["check_id"][2]).then(pl.lit("9.9")).otherwise("expected")
    broken = table({"check_id": "b1", "inputs": '{"N": 1e9'}, {"check_id": "b2", "law_id": "besiroglu"})
    pl.concat([shipped.with_columns(expected=wrong), broken], how="diagonal").write_csv(tmp_path / "changed.csv")
    done = validate(str(tmp_path / "changed.csv"), "--format", "json")
    assert done.exit_code == 1
    total = json.loads(done.stdout)[-1]
    assert (total["rows"], total["covered"], total["passed"]) == (491, 489, 488)
    lines = done.stderr.splitlines()
    label, group = shipped["check_id"][2], f"{shipped['law_id'][2]} {shipped['quantity'][2]}"
    assert lines[0].startswith(f"changed.csv: line 4: {label}: {group}: expected 9.9, ours ")
    assert lines[1].startswith("changed.csv: line 491: b1: besiroglu_2024 loss: not covered: inputs are not JSON: ")
    assert lines[2].startswith("changed.csv: line 492: b2: besiroglu loss: not covered: 'besiroglu' is no law we carry")
    assert lines[3] == f"{tmp_path / 'changed.csv'}: 3 of 491 rows are not covered or do not agree"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"inputs": "{'N': 1e9, 'D': 2e10}"}, "inputs are not JSON: "),
        ({"inputs": None}, "inputs are not JSON: "),
        ({"inputs": "[" * 100_000}, "inputs are not JSON: "),
        ({"inputs": "[1e9, 2e10]"}, "no JSON object"),
        ({"inputs": '{"N": 1e9}'}, "the inputs lack D or token_multiplier; they are N D|token_multiplier"),
        ({"inputs": '{"N": 1e9, "D": 1e10, "G": 2}'}, "the inputs have G; they are N D|token_multiplier"),
        ({"inputs": '{"N": 1e9, "D": 1e10, "token_multiplier": 10}'}, "both D and token_multiplier"),
        ({"inputs": '{"N": "1e9", "D": 2e10}'}, "N is '1e9', which is not a number"),
        ({"inputs": '{"N": true, "D": 2e10}'}, "N is True"),
        ({"inputs": '{"N": NaN, "D": 2e10}'}, "N is nan"),
        ({"inputs": f'{{"N": 1{"0" * 400}, "D": 2e10}}'}, "N is 1000000000"),
        ({"inputs": '{"N": -1e9, "D": 2e10}'}, "loss_nats has no finite value under besiroglu_2024"),
        ({"inputs": '{"N": 0, "D": 2e10}'}, "loss_nats has no finite value"),
        ({"law_id": "besiroglu_2042"}, "'besiroglu_2042' is no law we carry; did you mean \"besiroglu_2024\"?"),
        ({"law_id": None}, "'' is no law we carry"),
        ({"law_id": "none", "quantity": "delta"}, "'none' is no law we carry"),
        ({"quantity": "perplexity"}, "'perplexity' is no quantity of besiroglu_2024; it has N_opt, "),
        ({"law_id": "levine_depth", "quantity": "balanced_width", "inputs": '{"N": 1e12}'}, "recalled, not verified"),
        ({"expected": "about 2"}, "expected is 'about 2', which is not a number"),
        ({"expected": "nan"}, "expected is 'nan'"),
        ({"expected": None}, "expected is ''"),
        ({"tolerance": "tight"}, "tolerance is 'tight', which is not a number"),
        ({"tolerance": "-0.1"}, "less than nothing"),
        ({"tol_type": "percent"}, "tol_type is 'percent'; it is rel or abs"),
        ({"tol_type": None}, "tol_type is ''"),
        (
            {"law_id": "inference_optimal", "quantity": "N_star",
             "inputs": '{"base_law": [], "target_loss": 2, "D_inf": 1}'},
            "base_law is [], which is no law we carry",
        ),
        (
            {"law_id": "inference_optimal", "quantity": "N_star",
             "inputs": '{"base_law": "besiroglu_2024", "target_loss": 1.5, "D_inf": 1e12}'},
            "inference_optimal_params has no finite value under besiroglu_2024",  # below the floor
        ),
        (
            {"law_id": "inference_optimal", "quantity": "flop_saving",
             "inputs": '{"base_law": "besiroglu_2024", "target_loss": 2.0, "D_inf": 1e12, "N_used": 1e9}'},
            "nothing within reach",  # 1e9 parameters never get to 2.0
        ),
        ({"law_id": "kaplan_L_ND", "quantity": "N_opt", "inputs": '{"C": 1e20}'}, "compute_optimal_params has"),
        ({"law_id": "hoffmann_a1", "quantity": "loss_opt", "inputs": '{"C": 1e20}'}, "compute_optimal_loss_nats has"),
        (
            {"law_id": "pearce_song", "quantity": "local_exponent",
             "inputs": '{"base_law": "besiroglu_2024", "log10_C_lo": 13, "log10_C_hi": 20, "points": 2.5}'},
            "points is 2.5, not a whole number of 2 or more",
        ),
    ],
)  # fmt: skip
def test_a_bad_row_is_not_covered_and_says_why(row: Mapping[str, object], expected: str) -> None:
    assert expected in reason(row)


def test_a_bad_row_loses_no_other() -> None:
    groups = validate_laws(table({"expected": "?"}, {}, {"quantity": None}, {"expected": "3.9"}))
    assert counts(groups) == {"besiroglu_2024 loss": (3, 2, 1), "besiroglu_2024 ?": (1, 0, 0), "total": (4, 2, 1)}


@pytest.mark.parametrize("column", NEEDED)
def test_a_missing_column_is_an_error_that_names_it(column: str) -> None:
    with pytest.raises(SweepError, match=rf"mine\.csv: there is no column {column}; a check of a law has law_id, "):
        validate_laws(table({}).drop(column), name="mine.csv")


def test_other_columns_are_no_matter_and_no_rows_are_an_error() -> None:
    assert counts(validate_laws(table({"colour": "blue"}).drop("check_id")))["total"] == (1, 1, 1)
    with pytest.raises(SweepError, match="no row to compare with"):
        validate_laws(table({}).head(0))


def test_tolerances_are_shares_or_differences() -> None:
    loss = said("besiroglu_2024", "loss", N=1e9, D=2e10)
    for tolerance, kind, passed in ((0.011, "rel", 1), (0.009, "rel", 0), (0.011 * loss, "abs", 1), (0.009, "abs", 0)):
        row = {"expected": repr(loss * 1.01), "tolerance": repr(tolerance), "tol_type": kind}
        assert counts(validate_laws(table(row)))["total"] == (1, 1, passed)


def test_a_parquet_file_is_read_as_a_csv_is(tmp_path: Path) -> None:
    frame = table({}, {"expected": "7"})
    frame.write_csv(tmp_path / "t.csv")
    typed = frame.with_columns(pl.col("expected", "tolerance").cast(pl.Float64))
    typed.write_parquet(tmp_path / "t.parquet")
    text, binary = (validate(str(tmp_path / f"t.{end}"), "--format", "json") for end in ("csv", "parquet"))
    assert text.stdout == binary.stdout
    assert (text.exit_code, binary.exit_code) == (1, 1)


# A law beside runs


def test_the_sum_over_runs_is_that_of_their_file(tmp_path: Path) -> None:
    """Three runs on the curve but for 1 %, 0.05 % and -0.02 %, and two of higher loss that are left out."""
    runs = [(1e8, 1e18, 1.01), (1e9, 1e20, 1.0005), (1e10, 3e21, 0.9998), (1e7, 1e15, 1.0), (1e7, 2e15, 1.0)]
    lines = ["Model Size,Training FLOP,loss"]
    for params, flops, off in runs:
        loss = CORES["besiroglu_2024"].loss(mpf(params), flops / (6 * mpf(params)))
        lines.append(f"{params!r},{flops!r},{float(loss * off)!r}")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mine.csv").write_text("\n".join(lines))
    delta = 1e-3
    errors = [abs(math.log(off)) for _, _, off in runs[:3]]
    expected = sum(0.5 * e * e if e <= delta else delta * (e - 0.5 * delta) for e in errors)
    asked = {"csv": "runs/mine.csv", "exclude_highest_loss": 2, "delta": delta}
    assert ours("besiroglu_2024", "huber_sum", json.dumps(asked), tmp_path) == pytest.approx(expected, rel=1e-9)
    refit = {**asked, "E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    for law in ("besiroglu_2024", "hoffmann_a3_tex"):
        found = ours(law, "huber_sum_at_refit", json.dumps(refit), tmp_path)
        assert found == pytest.approx(expected, rel=1e-9)
    row = {"quantity": "huber_sum", "inputs": json.dumps(asked)}
    assert reason(row) == "the file of runs, runs/mine.csv, is not there"
    (tmp_path / "runs" / "mine.csv").write_text("Model Size,loss\n1,2\n")
    with pytest.raises(NotCovered, match="not a number everywhere"):
        ours("besiroglu_2024", "huber_sum", json.dumps(asked), tmp_path)


# Other rows than those that are shipped: the papers' formulas again

CASES: dict[str, dict[str, float]] = {
    "hoffmann_a3_rounded": {},
    "sardana_refit_100": {},
    "joint_moe": {"E": 6},
    "muennighoff_data": {"U": 3e10},
    "abnar_sparsity": {"S": 0.8},
}
"""Laws of two powers, with experts of their own, with repeats of their own, and with a second term in parameters."""


def printed(law: str) -> Callable[[Real, Real], Real]:
    """The loss of N and D by the printed law, for what the check says beside them."""
    said_too = CASES[law]
    experts = mpf(said_too.get("E", 1 / (1 - mpf(str(said_too.get("S", 0))))))
    unique = mpf(said_too.get("U", "inf"))
    return lambda n, d: LOSSES[law](Run(n, d, experts=experts, unique=unique))


def params_at(loss: Callable[[Real, Real], Real], target: Real, tokens: Real) -> Real:
    return exp(halved(lambda x: loss(exp(x), tokens) - target, mpf(0), mpf(90)))


def cheapest(
    loss: Callable[[Real, Real], Real], target: Real, tokens: Real, cost: Callable[[Real, Real], Real]
) -> tuple[Real, Real]:
    """N and D of that loss that cost least, of those trained longer than on so many tokens."""
    x, _ = golden(lambda x: log(cost(params_at(loss, target, exp(x)), exp(x))), log(tokens), log(tokens) + 6)
    return params_at(loss, target, exp(x)), exp(x)


@pytest.mark.parametrize("law", CASES)
def test_losses_and_optima_are_those_of_the_printed_law(law: str) -> None:
    """Losses to the 12 digits of some coefficients; where the least is, to 1e-8: there a loss in doubles is flat."""
    loss, more = printed(law), CASES[law]
    for n, d in ((3.3e8, 7e9), (2.2e10, 6.1e12)):
        assert said(law, "loss", N=n, D=d, **more) == pytest.approx(float(loss(mpf(n), mpf(d))), rel=1e-11)
    for flops in (7e19, 2.5e23):
        params, best = optimal_at(loss, mpf(flops) / 6)
        tokens = mpf(flops) / 6 / params
        assert said(law, "loss_opt", C=flops, **more) == pytest.approx(float(best), rel=1e-11)
        assert said(law, "N_opt", C=flops, **more) == pytest.approx(float(params), rel=1e-8)
        assert said(law, "D_opt", C=flops, **more) == pytest.approx(float(tokens), rel=1e-8)
        assert said(law, "D_over_N_opt", C=flops, **more) == pytest.approx(float(tokens / params), rel=1e-8)


@pytest.mark.parametrize("law", CASES)
def test_any_law_of_compute_can_be_the_base_of_a_lifetime(law: str) -> None:
    """Sardana et al. 2023, equation 3: 6 N D + 2 N D_inf along the curve of equal loss.

    Where it is least is told to 1e-6, which the last digit of a loss in doubles leaves open.
    """
    loss, flops, served = printed(law), mpf(4e21), mpf(3e12)

    def cost(n: Real, d: Real) -> Real:
        return n * (6 * d + 2 * served)

    params, target = optimal_at(loss, flops / 6)
    tokens = flops / 6 / params
    best = cheapest(loss, target, tokens, cost)
    used = float(best[0] * 1.3)
    trained = exp(halved(lambda x: loss(mpf(used), exp(x)) - target, mpf(10), mpf(60)))
    for same in ({"target_loss": float(target)}, {"quality_of_chinchilla_N": float(params)}):
        asked: dict[str, float | str] = {"base_law": law, "D_inf": float(served), **CASES[law], **same}
        found = {name: said("inference_optimal", name, **asked) for name in SOURCES["inference_optimal"]}
        assert found["N_star"] == pytest.approx(float(best[0]), rel=1e-6)
        assert found["D_star"] == pytest.approx(float(best[1]), rel=1e-6)
        assert found["chinchilla_D"] == pytest.approx(float(tokens), rel=1e-6)
        assert found["D_ratio_to_chinchilla"] == pytest.approx(float(best[1] / tokens), rel=1e-6)
        assert found["total_flop"] == pytest.approx(float(cost(*best)), rel=1e-8)
        saving = cost(params, tokens) - cost(*best)
        assert found["flop_saving"] == pytest.approx(float(saving), rel=1e-6)
        assert found["flop_saving_fraction"] == pytest.approx(float(saving / cost(params, tokens)), rel=1e-6)
        assert found["flop_excess_of_chinchilla"] == pytest.approx(float(saving / cost(*best)), rel=1e-6)
        of_other = said("inference_optimal", "flop_saving", N_used=used, **asked)
        assert of_other == pytest.approx(float(cost(params, tokens) - cost(mpf(used), trained)), rel=1e-5)


def test_the_lifetime_in_money_is_that_of_the_prices() -> None:
    """Sardana et al. 2023, equation 5, with training half as efficient and answers twice as dear as in the paper."""
    law = CORES["hoffmann_a3_rounded"]
    params = mpf(2e10)
    tokens = (law.alpha * law.A / (law.beta * law.B) * params**-law.alpha) ** (
        -1 / law.beta
    )  # both terms gain the same
    target = law.loss(params, tokens)
    served = mpf("0.4") * 2 * mpf(4e9) * (70 / mpf("0.5") + 215 / mpf("0.005"))

    def cost(n: Real, d: Real) -> Real:
        return n * (6 * d / mpf("0.25") + served)

    best = cheapest(law.loss, target, tokens, cost)
    prices = {"requests": 4e9, "cost_ratio_inf_over_train": 0.4, "MFU_tr": 0.25, "MFU_out": 0.005}
    asked: dict[str, float | str] = {"base_law": "hoffmann_a3_rounded", "quality_of_chinchilla_N": 2e10, **prices}
    found = {name: said("inference_optimal_cost", name, **asked) for name in SOURCES["inference_optimal_cost"]}
    assert found["N_star"] == pytest.approx(float(best[0]), rel=1e-6)
    assert found["D_star"] == pytest.approx(float(best[1]), rel=1e-6)
    excess = float(cost(params, tokens) / cost(*best) - 1)
    assert found["cost_excess_of_chinchilla"] == pytest.approx(excess, rel=1e-7)
    assert found["cost_saving_fraction"] == pytest.approx(excess / (1 + excess), rel=1e-7)


def test_few_bits_cost_what_the_papers_say() -> None:
    n, d = 3.1e8, 4.4e10
    run = Run(mpf(n), mpf(d), weight_bits=5, activation_bits=7, kv_bits=6)
    expected = float(LOSSES["kumar_train"](run))
    assert said("kumar_train", "loss", N=n, D=d, P_w=5, P_a=7, P_kv=6) == pytest.approx(expected, rel=1e-12)

    core = CORES["capybara_bf16"]
    plain = core.loss(mpf(n), mpf(d))
    assert said("capybara_fp", "loss_bf16", N=n, D=d) == pytest.approx(float(plain), rel=1e-12)
    for exponent, mantissa in ((3, 2), (8, 7)):  # the printed term does not end at 16 bits
        bits = {"E_bits": exponent, "M_bits": mantissa, "block": 64}
        added = capybara_term(mpf(n), mpf(d), mpf(exponent), mpf(mantissa), mpf(64))
        assert said("capybara_fp", "loss", N=n, D=d, **bits) == pytest.approx(float(plain + added), rel=1e-12)
        # D from which the added term rises faster than the law's own falls: both have the same power
        most = (core.B * mpf(d) ** core.beta / added) ** (1 / (2 * core.beta))
        assert said("capybara_fp", "D_crit", N=n, **bits) == pytest.approx(float(most), rel=1e-12)

    for law, served in (("qid_gptq", 3.5), ("kumar_ptq", 5.0)):
        expected = float(ptq_penalty(law, mpf(n), mpf(d), mpf(served)))
        assert said(law, "delta", N=n, D=d, P=served) == pytest.approx(expected, rel=1e-12)


def test_experts_gain_what_the_papers_say() -> None:
    expected = float(joint_multiplier(mpf(24), mpf(4e22)))
    assert said("joint_moe", "dense_compute_multiplier", C=4e22, E=24) == pytest.approx(expected, rel=1e-9)
    expected = float(leverage(mpf("0.06"), mpf(7), mpf(5e20)))
    assert said("ling_el", "EL", A=0.06, G=7, C=5e20) == pytest.approx(expected, rel=1e-12)


def test_krajewski_counts_all_experts_but_is_asked_by_active_parameters() -> None:
    """Krajewski et al. 2024: 12 n d**2 are active and (8 E + 4) n d**2 there."""
    run = Run(mpf(5e8) * (8 * 32 + 4) / 12, mpf(3e10), granularity=mpf(6))
    found = said("krajewski_moe", "loss", N_active=5e8, E=32, D=3e10, G=6)
    assert found == pytest.approx(float(LOSSES["krajewski_moe"](run)), rel=1e-12)


def test_bodies_without_tables_are_those_of_pearce_and_song() -> None:
    """Pearce and Song 2024, section 4, with the law of Hoffmann et al. as printed."""
    law, body, gamma = CORES["hoffmann_a3_rounded"], mpf(3.7e8), mpf(47491)
    third = body ** (mpf(1) / 3)
    gain = law.beta * law.B / (law.alpha * law.A) * (body + gamma * third) ** (1 + law.alpha)
    tokens = (gain / (body + gamma / 3 * third)) ** (1 / law.beta)
    found = said("pearce_song", "C_nonemb", base_law="hoffmann_a3_rounded", N_nonemb=3.7e8)
    assert found == pytest.approx(float(6 * body * tokens), rel=1e-12)
    # where tables are a small part, the slope is the law's own
    span = {"log10_C_lo": 34.0, "log10_C_hi": 36.0, "points": 20.0}
    found = said("pearce_song", "local_exponent", base_law="hoffmann_a3_rounded", **span)
    assert found == pytest.approx(float(law.beta / (law.alpha + law.beta)), abs=1e-4)


@pytest.mark.parametrize("law", ["tao_a1", "tao_a2", "tao_a3"])
def test_vocabularies_are_those_of_the_budget_where_one_is_said(law: str) -> None:
    """Only the second approach does not look at the budget."""
    assert said(law, "V_opt", N_nv=2e10, d=6144) == pytest.approx(
        float(best_vocabulary(law, mpf(2e10), mpf(6144))), rel=1e-9
    )
    if law == "tao_a3":
        x, _ = lowest(lambda x: vocabulary_surface(exp(x), mpf(2e10), mpf(6144), mpf(9e22)), mpf(0), mpf(30))
        assert said(law, "V_opt", N_nv=2e10, d=6144, C=9e22) == pytest.approx(float(exp(x)), rel=1e-9)


def test_what_kaplan_asks_for_in_units_of_its_own() -> None:
    """Kaplan et al. 2020: steps for tokens, and the least compute, which training at the critical batch doubles."""
    reached = (mpf("6.5e13") / mpf(4e8)) ** mpf("0.077") + (mpf("2.1e3") / 3e4) ** mpf("0.76")
    assert said("kaplan_L_NS", "loss", N=4e8, S_min=3e4) == pytest.approx(float(reached), rel=1e-12)
    assert said("kaplan_bcrit", "B_crit", L=2.7) == pytest.approx(float(kaplan_critical_batch(mpf(2.7))), rel=1e-12)
    size = mpf("1.3e9") * (mpf(6e20) / mpf("1.5") / mpf("8.64e19")) ** mpf("0.73")
    assert said("kaplan_alloc", "N_opt", C_flop=6e20, C_over_C_min=1.5) == pytest.approx(float(size), rel=1e-12)
    assert said("kaplan_L_Cmin", "loss", C_pfdays=3.0) == pytest.approx(
        float((mpf("3.1e8") / 3) ** mpf("0.05")), rel=1e-12
    )

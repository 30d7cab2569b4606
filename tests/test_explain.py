"""How numbers come about: sums that add up, formulas with the branches taken and nothing else, quantiles too."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from mpmath import mpf  # type: ignore[import-untyped]

from kernels.evaluate import evaluate
from kernels.graph import GraphError
from kernels.model import GRAPH
from kernels.quantiles import BASES, PERCENTS
from sweep.catalogue import LAW_COEFFICIENTS, read_rows
from sweep.cli import cli
from sweep.columns import wanted
from sweep.errors import SpecError
from sweep.explain import Line, explain, loss_sum, shown
from sweep.resolve import loads, single
from sweep.resources import resource_dir
from sweep.space import Space
from tests.effort import compiled_only
from tests.law_designs import WITH_LOSS, Spec, specs
from tests.naive_laws import LOSSES, Run

pytestmark = pytest.mark.nojit

DENSE = {"hidden_size": "2048", "num_layers": "24", "train_tokens": "2e11"}
NO_EXPERTS = {"moe_law": "none"}


def invoke(*arguments: str) -> str:
    return CliRunner().invoke(cli, ["explain", *arguments], catch_exceptions=False, standalone_mode=False).stdout


def space_of(spec: Spec) -> Space:
    """A space of one design, words in place of codes."""
    coded = "vocabulary_correction"
    return single({k: GRAPH.words[k][int(v)] if k == coded else str(v) for k, v in spec.items()})


def parts_of(space: Space, design_id: int = 0) -> dict[str, float]:
    return {name: value for name, value, _ in loss_sum(space, design_id)}


def lines_of(space: Space, *metrics: str) -> dict[str, Line]:
    return {line.name: line for line in explain(space, 0, metrics)}


# The loss as a sum


@given(specs(WITH_LOSS))
@settings(max_examples=60, deadline=None)
def test_the_parts_add_up_to_the_loss(spec: Spec) -> None:
    """Whatever law and corrections are mixed; nan where the law needs what the design does not say."""
    space = space_of(spec)
    *parts, total = parts_of(space).items()
    assert total[0] == "loss_nats"
    assert sum(value for _, value in parts) == pytest.approx(total[1], rel=1e-9, nan_ok=True)
    assert total[1] == pytest.approx(evaluate(GRAPH, ["loss_nats"], space.fixed)["loss_nats"], rel=1e-15, nan_ok=True)


def test_without_corrections_the_law_as_printed_is_all() -> None:
    found = parts_of(single(DENSE | NO_EXPERTS))
    size = evaluate(GRAPH, ["params_total"], single(DENSE).fixed)["params_total"]
    printed = found.pop("loss_before_corrections_nats")
    assert printed == pytest.approx(float(LOSSES["besiroglu_2024"](Run(mpf(size), mpf(2e11)))), rel=1e-12)
    assert found.pop("loss_nats") == pytest.approx(printed, rel=1e-12)
    assert set(found.values()) == {0.0}


@pytest.mark.parametrize(
    ("part", "sign", "inputs"),
    [
        ("repetition_penalty_nats", 1, {"repetition_law": "muennighoff_data", "unique_tokens": "1e10"}),
        ("train_precision_penalty_nats", 1, {"precision_law": "by_format", "train_precision": "int8_training"}),
        ("moe_gain_nats", -1, {"moe_law": "joint_moe", "num_experts": "64"}),
        ("shape_penalty_nats", 1, {"shape_law": "gemstones_shape_hot", "hidden_size": "512", "num_layers": "128"}),
    ],
)
def test_a_correction_is_a_part_of_its_own(part: str, sign: int, inputs: dict[str, str]) -> None:
    """Repeats, few bits and an odd shape cost, experts gain, and no other part hears of it."""
    found = parts_of(single(DENSE | NO_EXPERTS | inputs))
    rest = {name for name in found if name not in (part, "loss_before_corrections_nats", "loss_nats")}
    assert sign * found[part] > 1e-4
    assert {found[name] for name in rest} == {0.0}


SPEC = """
[axes]
hidden_size = [1024, 4096]
law_draw = [0, 17]
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "spec.toml").write_text(SPEC)
    return str(tmp_path / "spec.toml")


def test_the_command_prints_the_sum_of_a_design(spec: str) -> None:
    """Five digits after the point each, so that seven of them may be off by 3.5e-5."""
    head, _, _ = invoke(spec, "3", "--metric", "loss_nats").partition("\n\n")
    told = {name: float(value) for _, name, value in re.findall(r"^([+=]) (\w+) +(-?[0-9.]+) nat  .+$", head, re.M)}
    assert told == pytest.approx(parts_of(loads(SPEC), 3), abs=5.1e-6)
    assert [line[0] for line in head.splitlines()] == ["+"] * (len(told) - 1) + ["="]
    assert 2.0 * told["loss_nats"] == pytest.approx(sum(told.values()), abs=3.6e-5)
    assert invoke(spec, "3").startswith(head)  # among the usual columns, too


def test_a_sum_is_told_where_the_loss_is_asked_for_and_computed(spec: str) -> None:
    assert invoke(spec, "3", "--metric", "params_head").startswith("hidden_size = 4,096\n")
    for known in ("loss_nats=2.0", "moe_gain_nats=0.0"):
        assert not invoke("--set", known, "--metric", "loss_nats").startswith("+")


# Formulas


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"model": "deepseek-v3", "gpu": "b200_sxm"},
        {"law": "clark_sbase", "num_experts": "64"},
        {"law_draw": "17", "unique_tokens": "1e10"},
    ],
)
def test_lines_hold_the_branches_taken_in_order_and_the_values_of_the_whole_formulas(inputs: dict[str, str]) -> None:
    space = single(inputs)
    found = explain(space, 0, wanted(space))
    values = evaluate(GRAPH, [line.name for line in found], space.fixed)
    before: set[str] = set()
    for line in found:
        assert not re.search(r"\bif\b", line.formula), line.name
        assert line.value == shown(GRAPH, line.name, values[line.name])
        if line.formula:
            assert set(re.findall(r"[a-z]\w+", line.formula)) & set(values) <= before, line.name
            assert len(line.formula.splitlines()) == len(line.numbers.splitlines())
        assert line.source
        before.add(line.name)


def test_a_dense_law_says_nothing_of_experts_and_a_routed_one_does() -> None:
    experts = {name for name in GRAPH.inputs if name.startswith("law_experts_")}
    assert {"law_experts_start", "law_experts_max"} < experts
    dense = lines_of(single(DENSE), "loss_nats")
    assert experts.isdisjoint(dense)
    assert "log_effective_experts" not in dense
    assert not any("law_form" in line.formula for line in dense.values())
    routed = lines_of(single(DENSE | {"law": "clark_sbase", "num_experts": "64"}), "loss_nats")
    assert {"law_experts_start", "law_experts_max", "log_effective_experts"} <= set(routed)
    assert "Clark et al. 2022" in routed["law_experts_start"].source


def test_numbers_stand_in_place_of_names() -> None:
    inputs = {"law_params": "1e9", "train_tokens": "1e11"} | NO_EXPERTS
    line = lines_of(single(inputs), "loss_tokens_term_nats")["loss_tokens_term_nats"]
    assert line.formula == "loss_tokens_scale * effective_tokens ** (-loss_tokens_exponent)"
    assert line.numbers == "2085.43 * 100_000_000_000 ** (-0.3658)"  # B and beta of Besiroglu et al. 2024
    assert float(line.value) == pytest.approx(2085.43 * 1e11**-0.3658, rel=1e-5)
    assert line.unit == "nat"


def test_what_cannot_be_explained_is_said(spec: str) -> None:
    with pytest.raises(SpecError, match="the space has ids 0 to 3"):
        explain(loads(SPEC), 4, ["loss_nats"])
    with pytest.raises(GraphError, match="losss_nats"):
        explain(loads(SPEC), 0, ["losss_nats"])


# Quantiles, which no single evaluation has


def expected(params: float, tokens: float, percent: int) -> float:
    """The quantile of a plain loop over the draws."""
    rows = read_rows(resource_dir("data") / "law_draws.csv")
    draws = [[float(row[name]) for name in LAW_COEFFICIENTS] for row in rows]
    return float(np.quantile([e + a * params**-x + b * tokens**-y for e, a, x, b, y in draws], percent / 100.0))


@pytest.mark.parametrize("draw", ["0", "17"])
@pytest.mark.parametrize("percent", PERCENTS)
def test_a_quantile_is_explained_with_its_value(percent: int, draw: str) -> None:
    """To the six digits shown, and the same whichever draw the design itself is of."""
    name = f"loss_nats_p{percent:02d}"
    (line,) = explain(single({"law_params": "1e9", "train_tokens": "1e11", "law_draw": draw}), 0, [name])
    assert float(line.value) == pytest.approx(expected(1e9, 1e11, percent), rel=5e-6)
    assert (line.unit, line.formula, line.numbers) == ("nat", f"draw_quantile(loss_nats, {percent})", "")
    assert "arXiv:2404.10102" in line.source


@compiled_only
def test_every_quantile_is_explained_and_unknown_without_draws() -> None:
    names = [f"{base}_p{percent:02d}" for base in BASES for percent in PERCENTS]
    known, unknown = (lines_of(single({"law": law}), *names) for law in ("besiroglu_2024", "hoffmann_a3_tex"))
    assert set(known) == set(unknown) == set(names)
    assert "nan" not in {line.value for line in known.values()}
    assert {line.value for line in unknown.values()} == {"nan"}


def test_a_metric_of_quantiles_is_explained_from_them(spec: str) -> None:
    Path(spec).write_text(SPEC + '[metrics]\nband = "loss_nats_p95 - loss_nats_p05"\n')
    said = invoke(spec, "3", "--metric", "band").splitlines()
    values = [float(line.split()[2]) for line in said if re.match(r"\w+ = ", line)]
    assert len(values) == 3
    assert values[2] == pytest.approx(values[1] - values[0], abs=1.1e-5)
    assert "    = draw_quantile(loss_nats, 95)" in said

"""Elasticities along the graph: closed forms, laws, differences through all that is in between, how they are asked."""

import math
import random
from typing import Any

import polars as pl
import pytest
from mpmath import mpf, workdps  # type: ignore[import-untyped]

from kernels.elasticities import asked, extended, split
from kernels.evaluate import evaluate
from kernels.graph import GraphError
from kernels.model import GRAPH
from sweep.api import loads
from sweep.errors import SpecError
from sweep.points import evaluate as evaluate_points
from sweep.resolve import loads as resolved
from sweep.resolve import single
from sweep.sensitivity import gradient
from sweep.space import Space
from tests.exact import DIGITS, Away, value

pytestmark = pytest.mark.nojit

LLAMA = {"model": "llama-3.1-8b", "gpu": "h100_sxm"}
MIXTURE = {"hidden_size": "2048", "num_layers": "24", "num_experts": "64", "train_tokens": "3e12", "gpu": "b200_sxm"}
REPEATED = {"hidden_size": "2048", "num_layers": "24", "train_tokens": "2e12", "unique_tokens": "1e11"} | {
    "repetition_law": "muennighoff_data"
}
DESIGNS = {"llama": LLAMA, "mixture": MIXTURE, "repeated": REPEATED}


def of(metric: str, to: str) -> str:
    return f"elasticity_of_{metric}_to_{to}"


def found(space: Space, *names: str) -> list[float]:
    """Elasticities as columns have them: the graph extended by their chains."""
    graph = extended(space.graph, names, space.given)
    values = evaluate(graph, names, space.fixed)
    return [float(values[name]) for name in names]


# What is known in closed form


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
@pytest.mark.parametrize(
    ("metric", "to", "expected"),
    [
        *(("train_flops_6nd", "train_tokens", 1.0), ("train_flops", "train_tokens", 1.0)),
        *(("kv_cache_bytes", "batch_size", 1.0), ("train_usd", "gpu_usd_per_hour", 1.0)),
        *(("lifetime_usd", "gpu_usd_per_hour", 1.0), ("train_gpu_hours", "gpu_train_mfu", -1.0)),
        *(("tokens_per_param", "train_tokens", 1.0), ("weight_bytes", "gpu_usd_per_hour", 0.0)),
        *(("min_gpus_to_serve", "batch_size", 0.0), ("loss_nats", "loss_nats", 1.0)),
    ],
)
def test_plain_proportions(design: dict[str, str], metric: str, to: str, expected: float) -> None:
    """Products and quotients: 1 and -1; a count of GPUs is a step; what does not follow is 0."""
    assert found(single(design), of(metric, to)) == [pytest.approx(expected, rel=1e-14)]


def test_the_loss_answers_as_two_powers_do() -> None:
    """L = E + A N**-a + B D**-b (Hoffmann et al. 2022): to N -a A N**-a / L, to A the same but for -a, to E E / L."""
    space = single(LLAMA)
    names = [
        "loss_nats",
        "effective_params",
        *(f"loss_{p}_{q}" for p in ("params", "tokens") for q in ("scale", "exponent")),
    ]
    at = evaluate(space.graph, [*names, "loss_floor_nats", "law_tokens"], space.fixed)
    size = at["loss_params_scale"] * at["effective_params"] ** -at["loss_params_exponent"]
    tokens = at["loss_tokens_scale"] * at["law_tokens"] ** -at["loss_tokens_exponent"]
    assert at["loss_nats"] == pytest.approx(at["loss_floor_nats"] + size + tokens, rel=1e-12)
    expected = {
        "effective_params": -at["loss_params_exponent"] * size,
        "train_tokens": -at["loss_tokens_exponent"] * tokens,
        "law_params_scale": size,
        "law_floor_nats": at["loss_floor_nats"],
        "law_params_exponent": -at["loss_params_exponent"] * math.log(at["effective_params"]) * size,
    }
    ours = found(space, *(of("loss_nats", to) for to in expected))
    assert ours == pytest.approx([e / at["loss_nats"] for e in expected.values()], rel=1e-12)


def test_a_sum_weighs_its_parts() -> None:
    """Training and serving: to inference_tokens the share of the bill that serving is."""
    space = single(LLAMA)
    at = evaluate(space.graph, ["train_usd", "lifetime_usd"], space.fixed)
    serving = 1.0 - at["train_usd"] / at["lifetime_usd"]
    assert found(space, of("lifetime_usd", "inference_tokens")) == [pytest.approx(serving, rel=1e-12)]


def test_an_optimum_that_is_searched_for_moves_as_its_closed_form() -> None:
    """Equation 4 of Hoffmann et al. 2022: N = G (C/6)**(b / (a + b)), and so the loss above its floor.

    solved_optimal_params finds by steps what the closed form says; the difference taken through them is good to 1e-10.
    """
    space = single({**LLAMA, "law": "hoffmann_a3_tex"})
    at = evaluate(space.graph, ["loss_params_exponent", "loss_tokens_exponent"], space.fixed)
    share = at["loss_tokens_exponent"] / (at["loss_params_exponent"] + at["loss_tokens_exponent"])
    closed, stepped = found(
        space, of("compute_optimal_params", "train_tokens"), of("solved_optimal_params", "train_tokens")
    )
    assert closed == pytest.approx(share, rel=1e-13)
    assert stepped == pytest.approx(share, rel=1e-10)


# Against differences


def differences(space: Space, to: str, metrics: list[str]) -> dict[str, Any]:
    """Elasticities by differences of sixty digits through the whole graph, counts as real numbers; none at a kink."""
    nodes, leaves = space.graph.resolve(metrics, space.given)

    def at(factor: Any) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for leaf in leaves:
            held = space.fixed[leaf]
            word = leaf in space.graph.words
            values[leaf] = space.graph.words[leaf][int(held)] if word else mpf(held)
        values[to] = values[to] * factor
        for node in nodes:
            try:
                values[node.name] = value(node.formula, values)
            except (Away, KeyError, TypeError, ZeroDivisionError):
                continue  # no number, or searched for: what reads it is left out as well
        return values

    with workdps(DIGITS):
        step = mpf(10) ** -20
        here, above, below = at(1), at(1 + step), at(1 - step)
        result = {}
        for metric in metrics:
            if metric not in above or metric not in below or metric not in here or not here[metric]:
                continue
            sides = [(above[metric] / here[metric] - 1) / step, (1 - below[metric] / here[metric]) / step]
            if abs(sides[0] - sides[1]) < mpf(10) ** -15:
                result[metric] = (sides[0] + sides[1]) / 2
    return result


METRICS = [
    *("params_total", "params_active", "loss_nats", "train_flops", "train_gpu_hours", "train_usd", "weight_bytes"),
    *("kv_cache_bytes", "serve_bytes", "decode_tokens_per_s", "serve_usd_per_million_tokens", "lifetime_usd"),
    *("decode_step_s", "prefill_s", "train_days", "times_outside_fitted_range", "moe_gain_nats", "tokens_per_param"),
]


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_chains_are_what_differences_through_the_graph_come_to(design: dict[str, str]) -> None:
    """Backward from a metric to all its inputs, against numbers that know nothing of slopes."""
    space = single(design)
    values = evaluate(space.graph, METRICS, space.fixed)
    slopes = {m: gradient(space.graph, space.graph.resolve([m], space.given)[0], m, values) for m in METRICS}
    leaves = space.graph.resolve(METRICS, space.given)[1]
    numbers = [n for n in leaves if space.graph.kinds[n] in ("int", "float") and 0 < space.fixed[n] < math.inf]
    met = 0
    for to in random.Random(1).sample(numbers, 24):
        for metric, expected in differences(space, to, METRICS).items():
            ours = slopes[metric].get(to, 0.0) * space.fixed[to] / values[metric]
            assert ours == pytest.approx(float(expected), rel=1e-9, abs=1e-12), (metric, to)
            met += 1
    assert met > 200


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_forward_and_backward_agree(design: dict[str, str]) -> None:
    """Columns accumulate from the input, the table of one design from the metric; roots are differenced apart."""
    space = single(design)
    pairs = [("loss_nats", "hidden_size"), ("lifetime_usd", "num_layers"), ("usd_optimal_params", "train_tokens")]
    pairs += [("inference_optimal_tokens", "law_tokens_scale"), ("excess_loss_nats", "train_tokens")]
    ours = found(space, *(of(*pair) for pair in pairs))
    for (metric, to), forward in zip(pairs, ours, strict=True):
        values = evaluate(space.graph, [metric], space.fixed)
        slopes = gradient(space.graph, space.graph.resolve([metric], space.given)[0], metric, values)
        backward = slopes.get(to, 0.0) * space.fixed[to] / values[metric]
        assert forward == pytest.approx(backward, rel=1e-7, abs=1e-10), (metric, to)


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
@pytest.mark.parametrize("metric", ["usd_optimal_params", "inference_optimal_tokens", "compute_optimal_loss_nats"])
def test_what_is_searched_for_against_differences_of_higher_order(design: dict[str, str], metric: str) -> None:
    """Differences of eighth order of the metric as it is computed, in steps ten times ours; 1e-8 is promised."""
    space = single(design)
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}

    def at(to: str, steps: int) -> float:
        moved = {**space.fixed, to: space.fixed[to] * math.exp(steps * 2e-3)}
        return float(evaluate(space.graph, [metric], moved)[metric])

    for to in ("train_tokens", "law_tokens_exponent", "law_params_scale"):
        expected = sum(w * (at(to, k) - at(to, -k)) for k, w in weights.items()) / 2e-3 / at(to, 0)
        assert found(space, of(metric, to)) == [pytest.approx(expected, rel=1e-8, abs=1e-9)], to


# What is no number, and what is derived


def test_a_metric_that_is_no_number_has_no_elasticity() -> None:
    """The A100 has no fp8; a bill of nothing cannot rise by a per cent."""
    missing = single({**LLAMA, "gpu": "a100_sxm_80", "train_precision": "fp8_training"})
    nothing = single({**LLAMA, "inference_tokens": "0"})
    assert math.isnan(found(missing, of("train_usd", "gpu_usd_per_hour"))[0])
    assert math.isnan(found(single(LLAMA), of("shape_penalty_nats", "hidden_size"))[0])
    assert found(nothing, of("lifetime_usd", "inference_tokens")) == [0.0]


def test_an_input_that_is_derived_carries_the_movement_on() -> None:
    """params of the MLPs are 3 d f a layer: with f = 4 d, twice as steep in d as in f, and asking for f holds d."""
    text = '[axes]\nnum_layers = [2, 4]\n[fixed]\nhidden_size = 1024\n[derived]\nffn_size = "4 * hidden_size"\n'
    derived = resolved(f'{text}[metrics]\nmlp = "3 * hidden_size * ffn_size * num_layers"')
    point = {**derived.fixed, "num_layers": 2}
    names = [of("mlp", to) for to in ("hidden_size", "ffn_size", "num_layers")]
    values = evaluate(extended(derived.graph, names, derived.given), names, point)
    assert [values[name] for name in names] == [2.0, 1.0, 1.0]


# How they are asked for

SPEC = """
columns = ["lifetime_usd", "elasticity_of_lifetime_usd_to_inference_tokens"]
[axes]
hidden_size = [1024, 2048]
num_layers = [16, 24]
inference_tokens = [1e9, 1e12, 1e14]
gpu = ["h100_sxm", "b200_sxm"]
law = ["besiroglu_2024", "kaplan_L_ND"]
[metrics]
serving_minus_half = "elasticity_of_lifetime_usd_to_inference_tokens - 0.5"
[where]
"serving matters" = "elasticity_of_lifetime_usd_to_inference_tokens > 0.02"
[frontier]
minimize = ["loss_nats", "elasticity_of_lifetime_usd_to_train_tokens"]
"""


def test_a_spec_names_them_as_columns_conditions_objectives_and_in_metrics() -> None:
    """Each row against the bill itself: the share of serving, and of training."""
    space = loads(SPEC)
    names = ["train_usd", "lifetime_usd", of("lifetime_usd", "inference_tokens"), "serving_minus_half"]
    rows = space.scan().select("design_id", *names).collect()
    assert 0 < len(rows) < 48
    serving = 1.0 - rows["train_usd"] / rows["lifetime_usd"]
    assert rows[names[2]].to_list() == pytest.approx(serving.to_list(), rel=1e-12)
    assert rows["serving_minus_half"].to_list() == (rows[names[2]] - 0.5).to_list()
    assert serving.min() > 0.02  # type: ignore[operator]
    assert not [name for name in space.dataset().schema.names if name.startswith("_")]
    frontier = loads(SPEC).frontier()
    assert set(frontier["design_id"]) <= set(rows["design_id"])
    assert of("lifetime_usd", "train_tokens") in frontier.columns


def test_columns_of_a_space_are_those_of_its_designs() -> None:
    """The engine over blocks against one design at a time: inputs, records and laws along axes."""
    space = loads(SPEC)
    names = [of("loss_nats", "train_tokens"), of("train_usd", "gpu_train_mfu"), of("loss_nats", "law_params_scale")]
    rows = space.sql(f"select design_id, {', '.join(names)} from designs order by design_id")
    for row in rows[::12].iter_rows(named=True):
        for name in names:
            metric, to = split(GRAPH, name)
            one = space.sensitivities(row["design_id"], metric).filter(pl.col("input") == to)["elasticity"]
            assert row[name] == pytest.approx(one[0] if len(one) else 0.0, rel=1e-10, abs=1e-13)


def test_a_table_of_points_takes_them_as_columns() -> None:
    """Rows that leave an input to its default follow its formula, those that give it do not."""
    shape = {"hidden_size": "1024", "num_layers": "8", "train_tokens": "2e10"}
    name = of("params_total", "num_layers")
    frame = pl.DataFrame(
        {k: [float(v)] * 2 for k, v in shape.items()} | {"num_moe_layers": [None, 4], "num_experts": [8, 8]}
    )
    ours = evaluate_points(frame, [name, "params_total"])[name].to_list()
    alone = [single({**shape, "num_experts": "8", **more}) for more in ({}, {"num_moe_layers": "4"})]
    assert ours == pytest.approx([found(space, name)[0] for space in alone], rel=1e-12)
    assert ours[0] != ours[1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (of("los_nats", "train_tokens"), 'los_nats is neither a metric nor an input; did you mean "loss_nats"?'),
        (
            of("min_gpus_to_serve", "batchsize"),
            'batchsize is neither a metric nor an input; did you mean "batch_size"?',
        ),
        (of("loss_nats", "gpu"), "gpu takes words"),
        (of("in_fitted_range", "train_tokens"), "in_fitted_range is yes or no"),
        (of("loss_nats_p50", "train_tokens"), "loss_nats_p50 is a quantile over draws"),
        ("elasticity_of_loss_nats", "an elasticity is named elasticity_of_<metric>_to_<input>"),
    ],
)
def test_what_makes_no_sense_is_told_where_it_stands(name: str, said: str) -> None:
    for text in (f'columns = ["{name}"]\n', f'[where]\nx = "{name} > 1"\n', f'[metrics]\nx = "{name} + 1"\n'):
        with pytest.raises(SpecError) as error:
            resolved(
                f"{text}\n[axes]\nnum_layers = [2, 4]" if text[0] == "c" else f"[axes]\nnum_layers = [2, 4]\n{text}"
            )
        assert said in str(error.value)
        assert len(error.value.problems) == 1


def test_a_name_with_the_word_between_in_it_is_split_by_what_is_known() -> None:
    assert split(GRAPH, of("min_gpus_to_serve", "batch_size")) == ("min_gpus_to_serve", "batch_size")
    assert split(GRAPH, of("lifetime_usd", "min_gpus_to_serve")) == ("lifetime_usd", "min_gpus_to_serve")
    with pytest.raises(GraphError, match="neither"):
        split(GRAPH, of("to", "to"))
    assert asked(["a > elasticity_of_b_to_c + 1", "elasticity_of_b_to_c"]) == ["elasticity_of_b_to_c"]


def test_the_elasticity_of_an_elasticity_is_not_taken() -> None:
    name = of("lifetime_usd", "train_tokens")
    with pytest.raises(SpecError, match="elasticity of an elasticity is not taken"):
        resolved(
            f'columns = ["{of("share", "train_tokens")}"]\n[axes]\nnum_layers = [2, 4]\n[metrics]\nshare = "{name} + 1"'
        )


def test_an_input_derived_from_what_follows_from_it_is_a_cycle() -> None:
    text = f'[axes]\nnum_layers = [2, 4]\n[derived]\nbatch_size = "{of("lifetime_usd", "batch_size")} + 2"'
    with pytest.raises(SpecError, match="cycle"):
        resolved(text)

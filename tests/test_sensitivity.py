"""What would move a number most: the table of one design, against designs evaluated anew and against columns."""

import json
import math

import pytest
from click.testing import CliRunner, Result

from kernels.evaluate import evaluate
from sweep.api import loads
from sweep.cli import cli
from sweep.errors import SpecError
from sweep.resolve import single
from sweep.sensitivity import Sensitivity, sensitivities

LLAMA = {"model": "llama-3.1-8b", "gpu": "h100_sxm"}
SETS = [argument for name, value in LLAMA.items() for argument in ("--set", f"{name}={value}")]
SPEC = '[axes]\nhidden_size = [1024, 2048]\ngpu = ["h100_sxm", "b200_sxm"]\n[fixed]\nnum_layers = 16\n'


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["explain", *arguments], standalone_mode=False)


def by_input(metric: str, **more: str) -> dict[str, Sensitivity]:
    return {s.input: s for s in sensitivities(single({**LLAMA, **more}), 0, metric).inputs}


def test_the_largest_comes_first_and_what_cannot_be_told_last() -> None:
    found = sensitivities(single(LLAMA), 0, "lifetime_usd").inputs
    sizes = [abs(s.elasticity) for s in found]
    assert found[0].input == "gpu_usd_per_hour"
    assert sizes == sorted(sizes, reverse=True)


def test_what_raising_an_input_does_is_the_raised_design_evaluated() -> None:
    """Counts go to the nearest count, one more at least; everything on the way is evaluated with its steps."""
    space = single(LLAMA)
    before = float(evaluate(space.graph, ["lifetime_usd"], space.fixed)["lifetime_usd"])
    found = by_input("lifetime_usd")
    for name, raised in {"num_layers": 35, "norms_per_layer": 3, "batch_size": 18, "gpu_train_mfu": 0.42 * 1.1}.items():
        after = float(evaluate(space.graph, ["lifetime_usd"], {**space.fixed, name: raised})["lifetime_usd"])
        assert found[name].raised == pytest.approx(raised)
        assert found[name].change == pytest.approx(after / before - 1.0, rel=1e-12)


def test_a_count_that_jumps_shows_although_its_slope_is_flat() -> None:
    """Weights, cache and what is reserved over the memory of a GPU, rounded up: 16 sequences fill one, 18 need two."""
    edge = {"gpu_memory_bytes": "42e9"}
    space = single({**LLAMA, **edge})
    needed = evaluate(space.graph, ["min_gpus_to_serve"], {**space.fixed, "batch_size": 18})["min_gpus_to_serve"]
    found = sensitivities(space, 0, "min_gpus_to_serve")
    batch = next(s for s in found.inputs if s.input == "batch_size")
    assert batch.elasticity == 0.0
    assert batch.change == needed / found.value - 1.0


def test_what_makes_no_design_has_no_change() -> None:
    """35 query heads do not share 8 key-value heads; a share is at most one; a second expert needs a MoE layer."""
    found = by_input("lifetime_usd")
    assert [found[n].change for n in ("num_heads", "gpu_usable_memory_share", "num_experts")] == [None, None, None]


def test_a_metric_that_is_no_number_tells_nothing() -> None:
    found = by_input("train_usd", gpu="a100_sxm_80", train_precision="fp8_training")
    assert all(math.isnan(s.elasticity) for s in found.values())


def test_a_layout_that_is_searched_for_stays_as_inputs_move_a_little() -> None:
    found = by_input("train_layout", parallelism="best")
    assert {s.elasticity for s in found.values()} == {0.0}
    assert found["num_gpus"].change != 0.0
    searched = by_input("train_usd", parallelism="best", num_gpus="64")
    assert searched["gpu_usd_per_hour"].elasticity == pytest.approx(1.0)
    space = single({**LLAMA, "parallelism": "best", "num_gpus": "64"})
    names = ("tensor_parallel", "context_parallel", "expert_parallel", "pipeline_parallel", "pipeline_interleave",
             "micro_batch_size", "zero_stage")  # fmt: skip
    layout = evaluate(space.graph, names, dict(space.fixed))
    degrees = {name: str(int(layout[name])) for name in names}
    given = by_input("train_usd", num_gpus="64", **degrees)
    for name in ("gpu_memory_byte_per_s", "gpu_bf16_flop_per_s", "vocab_size", "hidden_size"):
        assert searched[name].elasticity == pytest.approx(given[name].elasticity, rel=1e-9), name


def test_unread_figures_that_nobody_has_move_nothing() -> None:
    """The H100 has no fp4, and bf16 does not ask."""
    assert by_input("lifetime_usd")["gpu_fp4_flop_per_s"].elasticity == 0.0


def test_python_returns_a_frame() -> None:
    frame = loads(SPEC).sensitivities(3, "train_usd")
    assert frame.columns == ["input", "value", "unit", "elasticity", "raised", "change", "source", "meaning"]
    first = frame.row(0, named=True)
    price = frame.filter(input="gpu_usd_per_hour").row(0, named=True)
    assert abs(first["elasticity"]) >= abs(price["elasticity"]) == pytest.approx(1.0)
    assert price["source"].startswith("gpu b200_sxm")


def test_the_command_line_prints_a_table_or_json() -> None:
    told = invoke(*SETS, "--sensitivity", "lifetime_usd").stdout
    assert told.startswith("lifetime_usd = ")
    assert "inputs move nothing here; --all shows them" in told
    line = next(line for line in told.splitlines() if line.startswith("gpu_usd_per_hour"))
    assert ("+1.0000" in line, "+10 %" in line, "gpu h100_sxm" in line) == (True, True, True)
    rows = json.loads(invoke(*SETS, "--sensitivity", "lifetime_usd", "--format", "json").stdout)
    assert rows[0]["input"] == "gpu_usd_per_hour"
    assert rows[0]["elasticity"] == pytest.approx(1.0, rel=1e-12)
    assert len(rows) > len(told.splitlines())
    assert "move nothing" not in invoke(*SETS, "--sensitivity", "lifetime_usd", "--all").stdout


def test_an_elasticity_is_explained_like_any_metric() -> None:
    told = invoke(*SETS, "--metric", "elasticity_of_train_usd_to_gpu_usd_per_hour").stdout
    assert "elasticity_of_train_usd_to_gpu_usd_per_hour = 1\n" in told
    assert "_slope_of_train_usd_to_gpu_usd_per_hour = " in told


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        *(("lifetime_us", 'did you mean "lifetime_usd"?'), ("in_fitted_range", "is no number")),
        *(("loss_nats_p50", "quantile over draws"), ("gpu", "is no number")),
    ],
)
def test_what_cannot_be_asked_is_told(metric: str, said: str) -> None:
    with pytest.raises(SpecError, match=said.replace("?", "[?]")):
        sensitivities(single(LLAMA), 0, metric)


def test_options_that_do_not_go_together_are_refused() -> None:
    assert "one metric" in str(invoke(*SETS, "--sensitivity", "loss_nats", "--metric", "loss_nats").exception)
    assert "belongs to" in str(invoke(*SETS, "--format", "json").exception)

"""How a space would be computed, beside simulating the walk block by block."""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from kernels.language import from_text
from kernels.pace import IN_LOOPS, nanoseconds
from sweep import plan as planning
from sweep.cli import cli
from sweep.columns import wanted
from sweep.plan import Plan
from sweep.planned import planned
from sweep.resolve import loads, narrow
from sweep.space import Space
from sweep.thinning import LARGEST_SCAN, is_walked, thinned
from tests.small import SPEC

OBJECTIVES = ["loss_nats", "serve_bytes", "train_usd"]


@pytest.fixture(scope="module")
def space() -> Space:
    return narrow(loads(SPEC), ["gpu != 'mi300x'"], OBJECTIVES)


def test_times_and_cells_are_those_of_the_walk(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of few points, gone through one by one: a value is computed where a block moves along one of its axes."""
    monkeypatch.setattr(planning.cut, "__defaults__", (1000,))
    monkeypatch.setattr(planning, "LEAST_BLOCK_POINTS", 500)
    monkeypatch.setattr(Plan.__init__, "__defaults__", (1000, ()))
    found = planned(space)
    plan = Plan(space, OBJECTIVES)
    assert found.blocks == plan.box.blocks > 100
    assert found.block_points == plan.box.points == math.prod(axis.in_block for axis in found.axes)
    assert [axis.name for axis in found.axes] == [axis.name for axis in plan.axes]
    assert {axis.name: (axis.values, axis.written) for axis in found.axes}["gpu"] == (2, 3)
    names = [axis.name for axis in found.axes]
    blocks = list(product(*(range(-(-axis.values // axis.in_block)) for axis in found.axes)))
    assert any(not value.is_table for value in found.values)
    for value in found.values:
        axes = [names.index(name) for name in value.axes]
        sizes = {axis.name: axis.values if value.is_table else axis.in_block for axis in found.axes}
        assert value.cells == math.prod(sizes[name] for name in value.axes)
        places = [tuple(block[a] for a in axes) for block in blocks]
        moved = 1 + sum(a != b for a, b in pairwise(places))
        assert value.times == (1 if value.is_table else moved), value.name
        if not value.is_table:
            extents = {name: -(-a.values // a.in_block) for name, a in zip(names, found.axes, strict=True)}
            assert value.times == math.prod(extents[name] for name in value.level)


def test_what_is_computed_is_what_the_objectives_need(space: Space) -> None:
    found = planned(space)
    plan = Plan(space, OBJECTIVES)
    names = {value.name for value in found.values}
    assert {node.name for node in plan.nodes} | {'"fits on a node"', "all conditions together"} <= names
    tables = {value.name for value in found.values if value.is_table}
    assert tables == {_plain(plan, v.name) for v in plan.values.values() if v.node is not None and v.is_table}
    bare = planned(loads(SPEC))
    assert bare.columns == wanted(loads(SPEC))


def _plain(plan: Plan, name: str) -> str:
    if name.startswith("_where_"):
        return f'"{plan.space.conditions[int(name[7:])].label}"'
    return {"_keep": "all conditions together", "_keep_inputs": "conditions on inputs together"}.get(name, name)


def test_the_expected_time_is_the_sum_over_calls(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is compiled: nobody says what a walk over arrays takes."""
    assert planned(space).predicted_ns is None
    monkeypatch.setattr(planning, "WORTH_COMPILING_NS", 0.0)
    found = planned(space)
    plan = Plan(space, OBJECTIVES)
    spent = found.blocks * planning.BLOCK_NS
    cells = 0
    formulas = {_plain(plan, v.name): v.node.formula for v in plan.values.values() if v.node is not None}
    blocks = [plan.box.counts[k] for k in range(len(plan.axes))]
    inside: float = 0.0
    for value in found.values:
        if value.is_table:
            continue
        cells += value.cells
        axes = [k for k, axis in enumerate(plan.axes) if axis.name in value.axes]
        inner = plan.box.extents[axes[-1]]
        filled = plan.box.sizes[plan.box.sliced] / (blocks[plan.box.sliced] * plan.box.extents[plan.box.sliced])
        each = value.cells * (nanoseconds(formulas[value.name], IN_LOOPS) + planning.START_NS / inner)
        each *= filled if plan.box.sliced in axes else 1.0
        assert value.nanoseconds == pytest.approx(value.times * (planning.CALL_NS + each))
        inside += value.nanoseconds
    spent += inside * (planning.FAR if cells > planning.NEAR_CELLS else 1.0)
    assert found.predicted_ns == pytest.approx(spent / found.visited)
    assert found.measured_ns is not None
    assert 0.0 < found.measured_ns < 1e6
    assert 0 < found.measured_designs <= found.visited


@pytest.mark.parametrize("columns", [["serve_usd_per_million_tokens"], OBJECTIVES, ["train_step_s"]])
def test_no_axis_innermost_is_expected_to_take_much_less(space: Space, columns: list[str]) -> None:
    """Orders are chosen before blocks are cut, which moves what they take by a little."""
    chosen = Plan(space, columns).nanoseconds_a_design
    others = [Plan(space, columns, innermost=[k]).nanoseconds_a_design for k in range(len(space.axes))]
    assert chosen <= 1.05 * min(others)


def test_a_power_takes_longer_than_a_division_and_that_longer_than_a_sum() -> None:
    taken = [nanoseconds(from_text("x", text), IN_LOOPS) for text in ("a", "a + b", "a / b", "a ** b", "sqrt(a) / b")]
    assert taken[0] < taken[1] < taken[2] < taken[4] < taken[3]


def test_a_frontier_is_said_to_be_walked_or_reasoned_about(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    small = narrow(loads(SPEC), [], ["serve_bytes"], ["params_total"])
    found = planned(small)
    assert not found.would_reason
    assert found.largest_walk == LARGEST_SCAN
    assert found.findings is None
    asked = planned(small, reason=True)
    assert asked.findings == thinned(small).findings
    assert set(asked.idle) == {"train_tokens"}
    assert "nothing that is asked for depends on train_tokens" in asked.lines()
    monkeypatch.setattr("sweep.planned.is_walked", lambda _plan: False)
    assert planned(small).findings == asked.findings
    assert planned(small).would_reason
    assert any(line.startswith("sweep frontier reasons about this space: ") for line in planned(small).lines())
    without = planned(loads(SPEC))
    assert without.findings is None
    assert "  what it leaves out depends on the objectives: --minimize, --maximize" in without.lines()


def test_what_is_sooner_walked_than_thought_about_is_walked() -> None:
    """A hundred million designs of two cheap objectives, not of one that is searched for; nor a thousand times more."""
    axes = """
    [axes]
    hidden_size  = { start = 1024, stop = 20_000, step = 8 }
    num_layers   = { start = 1, stop = 80, step = 1 }
    train_tokens = { log10 = [10, 14], points = POINTS }
    """
    few, many = loads(axes.replace("POINTS", "1000")), loads(axes.replace("POINTS", "1_000_000"))
    assert LARGEST_SCAN < Plan(few, ()).points < 3e8
    assert is_walked(Plan(few, ["loss_nats", "train_flops"]))
    assert not is_walked(Plan(few, ["usd_optimal_tokens", "compute_optimal_loss_nats", "train_usd"]))
    assert not is_walked(Plan(many, ["loss_nats", "train_flops"]))
    said = [line for line in planned(narrow(few, [], ["loss_nats", "train_flops"])).lines() if "sweep frontier" in line]
    assert re.fullmatch(
        r"sweep frontier walks this space: .* designs, expected to take 0\.\d+ s to walk, .* 0\.5 s", said[0]
    )


def test_nothing_left_to_compute() -> None:
    found = planned(narrow(loads(SPEC), ["gpu == 't4'"]))
    assert (found.visited, found.measured_ns, found.predicted_ns) == (0, None, None)
    assert "nothing to compute: conditions on one axis alone leave no value of gpu" in found.lines()


# The command line


def invoke(*arguments: str) -> str:
    return (
        CliRunner().invoke(cli, ["explain", "--plan", *arguments], catch_exceptions=False, standalone_mode=False).stdout
    )


def test_the_command_prints_sections_a_reader_finds() -> None:
    said = invoke("laptop")
    for line in (
        "laptop: 12,636 designs, asked for decode_tokens_per_s, params_total, context_tokens",
        "walk, the outermost axis first: 1 block of 12,636 designs",
        "computed in blocks: 0 values",
        "speed on one core",
        "  predicted  not at all: so few designs are visited over arrays, without compiled code",
        "conditions: 10,263 of 12,636 designs meet all",
        "sweep frontier walks this space: 12,636 designs, no more than 67,108,864",
    ):
        assert line in said.splitlines(), line
    assert max(map(len, said.splitlines())) <= 120


def test_json_holds_everything() -> None:
    found: dict[str, Any] = json.loads(invoke("laptop", "--where", "gpu != 'm3_max'", "--reason", "--format", "json"))
    assert found["visited"] == 12_636 * 8 // 9
    assert found["would_reason"] is False
    assert [axis["written"] for axis in found["axes"] if axis["name"] == "gpu"] == [9]
    assert [loss["removed"] for loss in found["losses"]] == [2373, 1404]
    assert found["findings"] is not None
    assert all("nanoseconds" not in value for value in found["values"] if value["is_table"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plan"], "--plan takes SPEC_OR_RUN"),
        (["--plan", "laptop", "7"], "--plan takes SPEC_OR_RUN"),
        (["--plan", "--set", "gpu=t4"], "--plan takes SPEC_OR_RUN"),
        (["laptop", "7", "--where", "gpu == 't4'"], "belong to --plan"),
        (["laptop", "7", "--format", "json"], "belongs to --plan and --sensitivity"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        CliRunner().invoke(cli, ["explain", *arguments], catch_exceptions=False, standalone_mode=False)


def test_reasons_are_about_objectives(tmp_path: Path) -> None:
    (tmp_path / "bare.toml").write_text("[axes]\nnum_layers = [16, 32]\n")
    with pytest.raises(click.UsageError, match="--reason asks about objectives"):
        invoke(str(tmp_path / "bare.toml"), "--reason")

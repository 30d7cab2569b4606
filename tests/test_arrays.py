"""What is walked over arrays, without compiling: the same designs as compiled kernels and comparing every pair find."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import arrayfrontier, arrays
from kernels.arrayfrontier import ArrayFrontier, unbeaten
from kernels.compiler import is_loaded
from kernels.epsilon import EpsilonFrontier
from kernels.pareto import RunningFrontier
from sweep import plan
from sweep.best import best
from sweep.execute import Evaluator, Worker, chunks, each
from sweep.frontier import frontier
from sweep.plan import Plan
from sweep.resolve import load, loads, narrow
from tests.effort import compiled_only
from tests.test_pareto import Rows, as_array, naive_frontier, tables

SPEC = """
[axes]
hidden_size = { start = 1024, stop = 4096, step = 512 }
num_layers = { start = 8, stop = 40, step = 8 }
num_experts = [1, 8]
precision = ["bf16", "int4_g128"]
train_tokens = { log10 = [10, 13], points = 30 }
gpu = ["h100_sxm", "mi300x", "l4"]
[where]
"fits" = "min_gpus_to_serve <= 8"
"shape" = "hidden_size >= 64 * num_layers"
"""
OBJECTIVES = ["loss_nats", "lifetime_usd", "serve_bytes", "train_gpu_hours"]


@pytest.mark.nojit
@given(tables(), st.data())
@settings(deadline=None)
def test_frontier_matches_comparing_every_pair_however_the_rows_are_cut(rows: Rows, data: st.DataObject) -> None:
    """Settled now and then, so that champions and the frontier that is known are met by what comes after."""
    objectives, ids = as_array(rows), np.arange(len(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    left, right = ArrayFrontier(objectives.shape[1]), ArrayFrontier(objectives.shape[1])
    for part, part_ids in zip(np.split(objectives, cuts), np.split(ids, cuts), strict=True):
        into = data.draw(st.sampled_from([left, right]))
        into.fold(part, part_ids)
        if data.draw(st.booleans()):
            into.result()
    left.merge(right)
    expected = naive_frontier(rows)
    found, found_ids = left.result()
    assert found_ids.tolist() == expected
    np.testing.assert_array_equal(found, objectives[expected])
    whole = ~np.isnan(objectives).any(axis=1)
    assert sorted(np.flatnonzero(whole)[unbeaten(objectives[whole])]) == sorted(expected)


@given(tables(), st.sampled_from(["all", "one"]), st.data())
@settings(deadline=None)
@compiled_only
def test_the_rows_and_counts_of_the_compiled_frontier(rows: Rows, ties: Any, data: st.DataObject) -> None:
    """Signs and weights too, and of equal rows the zeros of the one that is kept."""
    objectives, ids = as_array(rows), np.arange(len(rows))[::-1].copy()
    signs = data.draw(
        st.lists(st.sampled_from([1.0, -1.0]), min_size=objectives.shape[1], max_size=objectives.shape[1])
    )
    weights = np.array(data.draw(st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows))))
    half = len(rows) // 2
    found = []
    running: Any
    for running in (ArrayFrontier(objectives.shape[1], ties), RunningFrontier(objectives.shape[1], ties)):
        for part in (slice(None, half), slice(half, None)):
            columns = [np.ascontiguousarray(column) for column in objectives[part].T]
            running.fold_columns(columns, signs, ids[part].__getitem__, weights[part])
        found.append((*(cells.tobytes() for cells in running.result()), running.counts.tolist()))
    assert found[0] == found[1]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_many_rows_and_few(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past what waits, and past what is compared without compiling."""
    monkeypatch.setattr(arrayfrontier, "MOST_KEPT", 50)
    draw = np.random.default_rng(count)
    rows = draw.normal(size=(40_000, count)).round(2) + draw.normal(size=(40_000, 1)).round(1)
    running, ours = RunningFrontier(count), ArrayFrontier(count)
    for first in range(0, len(rows), 3000):
        part = slice(first, first + 3000)
        running.fold(rows[part], np.arange(len(rows))[part])
        ours.fold(rows[part], np.arange(len(rows))[part])
    assert ours.result()[1].tolist() == running.ids.tolist()
    epsilon, arrays = EpsilonFrontier(count, 0.05), EpsilonFrontier(count, 0.05, is_compiled=False)
    epsilon.fold(rows, np.arange(len(rows)))
    arrays.fold(rows, np.arange(len(rows)))
    assert arrays.result()[1].tolist() == epsilon.result()[1].tolist()


@compiled_only
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_walk_finds_what_the_compiled_walk_finds(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    space = narrow(loads(SPEC), [], OBJECTIVES[:count])
    found: dict[float, list[Any]] = {}
    for worth in (1e18, 0.0):
        monkeypatch.setattr(plan, "WORTH_COMPILING_NS", worth)
        assert Plan(space, OBJECTIVES).over_arrays == (worth > 0.0)
        ways = [{}, {"ties": "one"}, {"epsilon": 0.01}]
        found[worth] = [frontier(space, reason=False, threads=2, **way) for way in ways]  # type: ignore[arg-type]
        if count == 1:
            found[worth].append(best(space, 20))
    for ours, compiled in zip(*found.values(), strict=True):
        assert ours.frame.equals(compiled.frame)
        assert (ours.feasible, ours.evaluated) == (compiled.feasible, compiled.evaluated)


def test_the_shipped_specs_need_no_compiler_for_their_frontiers() -> None:
    """Which takes half a minute: a first command is answered in seconds."""
    for name in ("first-look", "laptop"):
        space = load(name)
        assert Plan(space, [*space.minimize, *space.maximize]).over_arrays, name


def test_blocks_are_counted_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    space, counts = loads(SPEC), []
    for worth in (1e18, 0.0):
        monkeypatch.setattr(plan, "WORTH_COMPILING_NS", worth)
        walked = Plan(space, ["loss_nats"])
        counts.append(sum(each(Evaluator(walked), Worker.count, chunks(walked))))
    assert counts[0] == counts[1] > 0


@compiled_only
def test_many_powers_are_those_of_libm_to_the_bit() -> None:
    """Where the compiler is loaded they are taken in a compiled loop."""
    RunningFrontier(2).fold(np.zeros((1, 2)), np.zeros(1, np.int64))  # which loads it
    assert is_loaded()
    draw = np.random.default_rng(3)
    x, y = np.exp(draw.uniform(-60.0, 60.0, arrays.MANY)), draw.uniform(-9.0, 9.0, arrays.MANY)
    for name, numbers, libm in (("power", (x, y), math.pow), ("exp", (10.0 * y,), math.exp), ("log", (x,), math.log)):
        expected = [libm(*row) for row in zip(*(values.tolist() for values in numbers), strict=True)]
        assert arrays.SCOPE[name](*numbers).tolist() == expected

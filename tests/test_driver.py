"""The driver: blocks of any size and shape in any order, compiled and as plain Python, and called by other kernels."""

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.compiler import jit, plain
from kernels.driver import HELD, POINTS, start_of, visit
from kernels.select import select, select_mapped
from sweep import plan
from sweep.execute import DESIGN_ID, Evaluator, Worker, gathered
from sweep.plan import Plan
from sweep.resolve import loads

pytestmark = pytest.mark.nojit

ROOT = Path(__file__).parents[1]
COLUMNS = ["size", "both"]
AXES = ("hidden_size", "num_layers", "batch_size", "context_tokens")


def spec(lengths: tuple[int, ...], conditions: tuple[str, ...]) -> str:
    axes = "\n".join(
        f"{name} = [{', '.join(str(64 * (k + 1)) for k in range(n))}]" for name, n in zip(AXES, lengths, strict=False)
    )
    where = "\n".join(f"\"{text}\" = '{text}'" for text in conditions)
    metrics = 'size = "hidden_size * num_layers"\nboth = "size / 3.0 + batch_size * context_tokens"'
    return f"[axes]\n{axes}\n[metrics]\n{metrics}\n[where]\n{where}\n"


CONDITIONS: dict[str, Any] = {
    "hidden_size * num_layers != 8192": lambda h, n, b, c: h * n != 8192,
    "batch_size + context_tokens < 384": lambda h, n, b, c: b + c < 384,
    "both < 40000.0": lambda h, n, b, c: h * n / 3.0 + b * c < 40000.0,
}


def expected(lengths: tuple[int, ...], conditions: tuple[str, ...]) -> dict[int, tuple[int, float]]:
    """Every design that holds, one after another."""
    found = {}
    for number, (h, n, b, c) in enumerate(itertools.product(*([64 * (k + 1) for k in range(m)] for m in lengths))):
        if all(CONDITIONS[text](h, n, b, c) for text in conditions):
            found[number] = h * n, h * n / 3.0 + b * c
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lengths=st.tuples(*[st.integers(1, 5)] * 4),
    conditions=st.lists(st.sampled_from(sorted(CONDITIONS)), unique=True).map(tuple),
    block=st.integers(1, 200),
    table=st.sampled_from([0, 8, 10**6]),
    compiled=st.booleans(),
    data=st.data(),
)
def test_rows_of_any_blocks_in_any_order(
    lengths: tuple[int, ...], conditions: tuple[str, ...], block: int, table: int, compiled: bool, data: Any
) -> None:
    """Ids and values to the bit, from runs of blocks taken in any order by one worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "WORTH_COMPILING_NS", 0.0 if compiled else 1e18)
        patch.setattr(plan.cut, "__defaults__", (block,))
        ready = Plan(loads(spec(lengths, conditions)), COLUMNS, largest_table=table)
        worker = Worker(Evaluator(ready))
    blocks = ready.box.blocks
    cuts = sorted({0, blocks, *data.draw(st.lists(st.integers(0, blocks), max_size=4))})
    runs = data.draw(st.permutations([range(a, b) for a, b in itertools.pairwise(cuts)]))
    parts = [gathered(worker, run, [DESIGN_ID, *COLUMNS, "#num_layers"]) for run in runs]
    axis = ready.space.axis("num_layers")
    assert axis is not None
    kept, found = axis.kept, {}  # a condition that sees one axis alone takes its values out
    for part in parts:
        assert part["#num_layers"].dtype == np.int32
        for number, size, both, place in zip(*(part[name].tolist() for name in part), strict=True):
            found[number] = size, both
            assert kept[place] == number // (lengths[2] * lengths[3]) % lengths[1]
    wanted = expected(lengths, conditions)
    assert found == wanted
    assert sum(len(part[DESIGN_ID]) for part in parts) == len(wanted)
    assert sum(worker.count(run) for run in runs) == len(wanted)
    assert sum(worker.visit(k) for k in range(blocks)) == len(wanted)


@jit
def highest(loops: Any, program: Any, state: Any, column: int, blocks: int) -> float:
    """The highest value of a column that differs at every point, over the points that hold."""
    most = -np.inf
    for block in range(blocks):
        held = visit(loops, program, state, block, block + 1)
        start = start_of(program, state, column)
        for k in range(held):
            place = k if held == state.words[POINTS] else state.positions[k]
            most = max(most, state.floats[start + place])
    return most


@pytest.mark.parametrize("conditions", [(), tuple(sorted(CONDITIONS))])
def test_another_kernel_reads_blocks_without_leaving_compiled_code(
    conditions: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "WORTH_COMPILING_NS", 0.0)
    monkeypatch.setattr(plan.cut, "__defaults__", (30,))
    lengths = (5, 4, 3, 5)
    ready = Plan(loads(spec(lengths, conditions)), COLUMNS, largest_table=20)
    made = Evaluator(ready)
    state = Worker(made).state
    walk = highest if made.compiled else plain(highest)
    found = walk(made.steps, made.program, state, made.read.index("both"), ready.box.blocks)
    assert found == max(both for _, both in expected(lengths, conditions).values())
    assert 0 <= state.words[HELD] <= state.words[POINTS]


def test_a_block_that_no_input_lets_in_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after the conditions on inputs waits, and is stale still in the next block that is let in."""
    monkeypatch.setattr(plan.cut, "__defaults__", (16,))
    text = spec((4, 4, 4, 4), ()) + '"large" = "hidden_size + num_layers > 256"\n'
    worker = Worker(Evaluator(Plan(loads(text), COLUMNS, largest_table=0, innermost=[2, 3])))
    before = worker.state.floats.copy()
    assert worker.visit(0) == 0
    place = worker.evaluator.place("both")
    assert worker.state.floats[place : place + 16].tobytes() == before[place : place + 16].tobytes()
    assert worker.visit(worker.plan.box.blocks - 1) == 16
    assert worker.column("both").min() > 0


def test_pieces_of_kernels_are_functions_too() -> None:
    flags, positions = np.array([9, 0, 1, 2, 0, 3]), np.zeros(5, np.int32)
    ways: list[tuple[Any, Any]] = [(plain(select), plain(select_mapped))]  # over arrays
    ways.append((getattr(select, "py_func", select), getattr(select_mapped, "py_func", select_mapped)))
    for one, mapped in ways:
        assert one(flags, 1, positions) == 3
        assert positions[:3].tolist() == [1, 2, 4]
        assert mapped(flags, 0, np.array([0, 0, 1, 5, 4], np.int32), positions) == 3
        assert positions[:3].tolist() == [0, 1, 3]


WALK = """
from sweep import plan
from sweep.execute import Evaluator, Worker
from sweep.plan import Plan
from sweep.resolve import loads
from kernels.driver import visit
plan.WORTH_COMPILING_NS = 0.0
worker = Worker(Evaluator(Plan(loads({text!r}), ["both"], largest_table=0)))
print(worker.count(range(1)), sum(visit.stats.cache_hits.values()), sum(visit.stats.cache_misses.values()))
"""


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="nothing is compiled")
def test_one_driver_serves_every_plan_from_disk(tmp_path: Path) -> None:
    """Compiled for the first plan, loaded for another one in another process."""
    environment = os.environ | {"LLM_SWEEP_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    said = [
        subprocess.run(
            [sys.executable, "-c", WALK.format(text=spec(lengths, conditions))],
            env=environment, capture_output=True, text=True, check=True,
        ).stdout.split()
        for lengths, conditions in (((2, 2, 2, 2), ()), ((3, 2, 3, 2), ("both < 40000.0",)))
    ]  # fmt: skip
    assert said[0] == ["16", "0", "1"]
    assert said[1] == [str(len(expected((3, 2, 3, 2), ("both < 40000.0",)))), "1", "0"]

"""What the benchmarks compare with computes what the engine computes, so that their ratios mean something."""

from dataclasses import replace

import numpy as np
import pytest

from sweep.columns import wanted
from sweep.execute import Evaluator, Worker, rows
from sweep.plan import Plan
from sweep.resolve import load
from sweep.space import Space
from tests.bench import rivals


@pytest.fixture(scope="module")
def space() -> Space:
    """first-look cut down to two values an axis of numbers."""
    return rivals.shortened(replace(load("first-look"), conditions=()), 2)


@pytest.mark.parametrize("expert", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("kind", rivals.ALL, ids=lambda kind: kind.__name__)
def test_a_rival_computes_the_same_columns(kind: type[rivals.Rival], expert: bool, space: Space) -> None:
    for module in kind.needs:
        pytest.importorskip(module)
    columns = wanted(space)
    job = rivals.Job(space, columns, largest_table=16)
    assert job.large, "nothing would be left for an expert to evaluate"
    rival = kind(job, expert, points=16)
    plan = Plan(space, columns, largest_table=16)
    ours = rows(Worker(Evaluator(plan)), range(plan.box.blocks), columns)
    theirs = rival.table()
    sums = rival.sums()
    for name in columns:
        np.testing.assert_allclose(theirs[name].astype(float), ours.columns[name].astype(float), rtol=1e-12)
        np.testing.assert_allclose(sums[name], ours.columns[name].astype(float).sum(), rtol=1e-12)

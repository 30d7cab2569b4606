"""The points of a block in groups: each once, in runs; the least over a group; and what a walk makes of it."""

import itertools
from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.groups import GROUP, MAPPED, lay, spans_of
from kernels.nondominated import nondominated
from kernels.pareto import RunningFrontier
from kernels.screen import build_screen
from sweep.execute import Evaluator, Worker, design_ids, rows
from sweep.frontier import scattered
from sweep.monotone import go_one_way
from sweep.plan import Plan
from sweep.resolve import loads
from sweep.spec import find
from tests.effort import compiled_only, examples
from tests.small import SPEC

EXTENTS = st.lists(st.integers(1, 200), min_size=1, max_size=4).filter(lambda extents: prod(extents) <= 20_000)


@given(EXTENTS)
@settings(max_examples=examples(200))
def test_groups_hold_every_point_once_and_end_with_the_axis_they_run_along(extents: list[int]) -> None:
    begins = lay(extents)
    assert begins[0] == 0
    assert begins[-1] == prod(extents)
    sizes = np.diff(begins)
    assert sizes.min() > 0
    assert sizes.max() <= GROUP
    places = np.array(list(itertools.product(*map(range, extents))))
    for first, last in itertools.pairwise(begins.tolist()):
        changing = (places[first:last] != places[first]).any(axis=0)
        along = np.flatnonzero(changing)[:1].tolist()
        if along:  # axes inside the one a group runs along are there in whole
            assert last - first == len(np.unique(places[first:last, along[0]])) * prod(extents[along[0] + 1 :])


@given(EXTENTS, st.data())
@settings(max_examples=examples(100))
def test_spans_hold_the_cells_of_their_groups(extents: list[int], data: st.DataObject) -> None:
    """A column varies along some of the axes, and its cells lie in the order of these."""
    along = [k for k in range(len(extents)) if data.draw(st.booleans())]
    places = np.zeros(prod(extents), np.int32)
    for axis in along:
        inside = prod(extents[k] for k in along if k > axis)
        stride = prod(extents[axis + 1 :])
        places += (np.arange(len(places)) // stride % extents[axis] * inside).astype(np.int32)
    begins = lay(extents)
    meets, spans = spans_of(begins, places, maps_at=7)
    assert len(spans) <= len(begins) - 1
    for g, (first, last) in enumerate(itertools.pairwise(begins.tolist())):
        origin, size, points = spans[meets[g]].tolist()
        if size == MAPPED:
            cells = places[origin - 7 : origin - 7 + points]
            assert points == last - first
        else:
            cells = np.arange(origin, origin + size)
        assert set(cells.tolist()) == set(places[first:last].tolist())


@compiled_only
def test_groups_of_a_family_have_the_same_cells_of_some_columns() -> None:
    names = ["loss_nats", "lifetime_usd"]
    worker = Worker(Evaluator(Plan(replace(loads(find("first-look").read_text()), conditions=()), names, patience=0.0)))
    walk = worker.walk(names, [1.0, 1.0])
    assert walk is not None
    groups, _, families, _ = walk.grouped
    first, stop = groups.firsts[0], groups.firsts[1] - 1
    assert sorted(families.members[: stop - first].tolist()) == list(range(first, stop))
    losses = groups.meets[:, 0]  # the same on several GPUs and in several precisions
    assert families.stands[1] == len(np.unique(losses[first:stop]))
    for family in range(families.stands[1]):
        members = families.members[families.begins[family] : families.begins[family + 1]]
        assert (families.family_of[members] == family).all()
        assert (losses[members] == losses[members[0]]).all()


OBJECTIVES = {
    "two": {"loss_nats": 1.0, "lifetime_usd": 1.0},
    "whole numbers": {"min_gpus_to_serve": 1.0, "decode_tokens_per_s": -1.0, "loss_nats": 1.0},
    "four": {"loss_nats": 1.0, "lifetime_usd": 1.0, "serve_bytes": 1.0, "decode_tokens_per_s": -1.0},
}
CONDITIONS = {
    "none": "",
    "half": SPEC[SPEC.index("[where]") :],
    "few": '[where]\n"is small" = "loss_nats <= 2.05"\n"is cheap" = "lifetime_usd <= 4e5"\n',
}


@compiled_only
@pytest.mark.parametrize("conditions", CONDITIONS)
@pytest.mark.parametrize("objectives", OBJECTIVES)
def test_a_walk_keeps_what_no_design_beats(objectives: str, conditions: str) -> None:
    names, signs = list(OBJECTIVES[objectives]), list(OBJECTIVES[objectives].values())
    space = loads(SPEC[: SPEC.index("[where]")] + CONDITIONS[conditions])
    plan = Plan(space, names, patience=0.0)
    worker = Worker(Evaluator(plan))
    found = rows(worker, range(plan.box.blocks), names)
    values = np.stack([sign * found.columns[name] for name, sign in OBJECTIVES[objectives].items()], axis=1)
    share = len(values) / plan.points
    assert {"none": share == 1, "half": 0.25 < share < 1, "few": 0 < share < 0.2}[conditions]
    for at_ends in (None, go_one_way(worker.evaluator, names)):
        running = RunningFrontier(len(names))
        walk = worker.walk(names, signs, at_ends=at_ends)
        assert walk is not None
        held = 0
        for run in scattered(plan):
            walk.enter(run)
            running.fold_walk(walk, lambda walked: design_ids(plan, walked))
            held += walk.held
        assert held == len(values)
        assert sorted(running.ids.tolist()) == sorted(found.design_id[nondominated(values)].tolist())


@compiled_only
def test_what_a_block_lies_between_and_its_points_are_those_of_its_columns() -> None:
    space = replace(loads(SPEC), conditions=())
    names = ("loss_nats", "min_gpus_to_serve", "decode_tokens_per_s", "serve_usd_per_million_tokens", "vocab_size")
    plan = Plan(space, names, patience=0.0)
    worker = Worker(Evaluator(plan))
    for block in range(plan.box.blocks):
        worker.visit(block)
        places = np.arange(worker.held)[:: 3 + block]
        for name, (low, high, has_nan) in worker.ends(names).items():
            column = worker.column(name)
            assert (low, high) == (np.nanmin(column), np.nanmax(column)), name
            assert has_nan == np.isnan(column).any(), name
            assert worker.pick(name, places).tolist() == column.view(np.int64)[places].tolist(), name


@compiled_only
def test_rows_that_may_not_beat_each_other_are_beaten_by_known_ones_alone() -> None:
    names = ["loss_nats", "lifetime_usd"]
    plan = Plan(replace(loads(SPEC), conditions=()), names, patience=0.0)
    worker = Worker(Evaluator(plan))
    found = rows(worker, range(plan.box.blocks), names)
    values = np.stack([found.columns[name] for name in names], axis=1)
    known = values[nondominated(values)] * 1.001
    walk = worker.walk(names, [1.0, 1.0], each_other=False)
    assert walk is not None
    kept, ids, screen = np.empty((1 << 13, 2)), np.empty(1 << 13, np.int64), build_screen(known, known, known)
    left: list[int] = []
    for block in range(plan.box.blocks):
        worker.visit(block)
        walk.enter_visited(block)
        while not walk.done:
            count = walk.sift(screen, kept, ids)
            left += design_ids(plan, ids[:count]).tolist()
    some = np.arange(0, len(values), 211)
    beaten = np.array([((known <= v).all(axis=1) & (known < v).any(axis=1)).any() for v in values[some]])
    assert 0 < beaten.sum() < len(beaten)
    assert len(set(left)) == len(left) < 2 * len(values) * (~beaten).mean()  # a quick look need not tell of all
    assert set(left) >= set(found.design_id[some[~beaten]].tolist())

"""Bounds over boxes hold for every design of the box, and are as narrow as what goes together lets them be."""

from functools import cache, partial
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.bounding import Bounding, Boxes
from sweep.evaluator import Evaluator
from sweep.halving import first_boxes
from sweep.plan import Plan
from sweep.question import Question, untouched
from sweep.resolve import loads, narrow
from sweep.worker import Worker
from tests.effort import examples

TARGETS = ["lifetime_usd", "loss_nats", "min_gpus_to_serve", "own", "few"]
SPACE = loads(
    """
    [axes]
    hidden_size = [256, 512, 1024, 2048, 4096, 8192]
    num_layers = { start = 4, stop = 40, step = 4 }
    num_experts = [1, 8, 64]
    vocab_size = [32_000, 128_256]
    gpu = ["h100_sxm", "t4", "m3_max"]
    train_tokens = [1e9, 1e10, 1e11, 1e12]
    [metrics]
    own = "hidden_size / (num_layers - 8) if num_layers > hidden_size / 64 else hidden_size // num_layers"
    few = "min(num_layers, vocab_size / hidden_size) - num_layers % 3 * (1 if gpu == 't4' else 2)"
    """
)
SIZES = [len(axis) for axis in SPACE.axes]


@cache
def every() -> dict[str, np.ndarray]:
    """What everything that the targets follow from comes to at every design, in the order of the axes."""
    names = [name for name in Plan(SPACE, TARGETS).values if not name.startswith("#")]
    worker = Worker(Evaluator(Plan(SPACE, names)))
    found = {name: np.empty(int(np.prod(SIZES))) for name in names}
    with np.errstate(all="ignore"):
        for block in range(worker.plan.box.blocks):
            worker.visit(block)
            for name in names:
                found[name][worker.design_ids()] = worker.column(name)
    return {name: values.reshape(SIZES) for name, values in found.items()}


def inside(at: np.ndarray, levels: tuple[int, ...]) -> tuple[slice, ...]:
    """Where the designs of a box are."""
    return tuple(slice(place << level, (place + 1) << level) for place, level in zip(at, levels, strict=True))


@settings(deadline=None, max_examples=examples(80))
@given(st.data(), st.sampled_from([0, 20, 200, 10**6]))
def test_every_design_of_a_box_lies_within_its_bounds(data: st.DataObject, largest_table: int) -> None:
    plan = Plan(SPACE, TARGETS, largest_table=largest_table, patience=inf)
    bounding = Bounding(plan, Evaluator(plan), TARGETS)
    lots = []
    for _ in range(data.draw(st.integers(1, 3))):
        levels = tuple(data.draw(st.integers(0, (size - 1).bit_length())) for size in SIZES)
        counts = [-(-size // (1 << level)) for size, level in zip(SIZES, levels, strict=True)]
        at = [[data.draw(st.integers(0, count - 1)) for count in counts] for _ in range(data.draw(st.integers(1, 3)))]
        lots.append(Boxes(levels, np.array(at, np.int64)))
    scope = bounding.read(*lots)
    bounding.follow(scope)
    boxes = [(lot.levels, at) for lot in lots for at in lot.at]
    for name in {*bounding.formulas, *bounding.tables} & every().keys():
        low, high, unsure = (np.broadcast_to(end, len(boxes)) for end in scope[name])
        for k, (levels, at) in enumerate(boxes):
            held = every()[name][
                tuple(slice(p << level, (p + 1) << level) for p, level in zip(at, levels, strict=True))
            ]
            assert unsure[k] or not np.isnan(held).any(), name
            numbers = held[~np.isnan(held)]
            assert (low[k] <= numbers).all(), (name, levels, at)
            assert (numbers <= high[k]).all(), (name, levels, at)


def test_what_goes_together_is_not_taken_apart() -> None:
    """Layers that are not of experts are no fewer than none, whatever layers there are."""
    plan = Plan(SPACE, ["params_matmul_active"], largest_table=200, patience=inf)
    assert not plan.values["params_matmul_active"].is_table
    bounding = Bounding(plan, Evaluator(plan), ["params_matmul_active"])
    whole = Boxes(tuple((size - 1).bit_length() for size in SIZES), np.zeros((1, len(SIZES)), np.int64))
    scope = bounding.read(whole)
    bounding.follow(scope)
    assert 0.0 < scope["params_matmul_active"].low[0] <= every()["params_matmul_active"].min()


@pytest.mark.parametrize("name", TARGETS)
def test_ranges_of_a_question_hold_all_values(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a value is too large to be looked at one by one."""
    monkeypatch.setattr("sweep.ranges.WALKED", 10)
    monkeypatch.setattr("sweep.question.Plan", partial(Plan, largest_table=10))
    found = Question(untouched(narrow(SPACE, [], TARGETS, []))).ranges[name]
    values = every()[name][~np.isnan(every()[name])]
    assert found.low <= values.min() <= values.max() <= found.high
    assert found.unsure or len(values) == every()[name].size


def test_first_boxes_cover_all_places_once() -> None:
    boxes = first_boxes(SPACE.axes, frozenset([1]))
    seen = np.zeros(SIZES, np.int64)
    for at in boxes.at:
        seen[inside(at, boxes.levels)] += 1
    assert (seen == 1).all()
    assert boxes.levels[1] == (SIZES[1] - 1).bit_length()
    assert boxes.levels[4] == 0  # records stand alone

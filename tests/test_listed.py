"""Designs evaluated by their places: what each of them alone comes to, whatever was asked before and in what lots."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep import listed, plan
from sweep.execute import Evaluator, Worker
from sweep.listed import Points
from sweep.plan import Plan
from sweep.resolve import loads
from sweep.space import Space
from tests.effort import compiled_only, examples

COLUMNS = ["params_total", "lifetime_usd", "own"]
SPACE = loads(
    """
    [axes]
    hidden_size = [1024, 2048, 4096, 8192]
    num_layers = { start = 8, stop = 20, step = 1 }
    gpu = ["h100_sxm", "b200_sxm", "t4"]
    precision = ["bf16", "fp8_e4m3"]
    train_tokens = [1e10, 1e11, 1e12]
    [metrics]
    own = "hidden_size * num_layers if gpu != 't4' else 7"
    [where]
    some = "hidden_size * num_layers < 60_000"
    """
)


def whole(space: Space, columns: list[str]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The columns of every design, by its number in the order of the axes, and whether conditions hold."""
    ready = Plan(space, columns)
    worker = Worker(Evaluator(ready))
    count = int(np.prod([len(axis) for axis in space.axes]))
    found, holds = {name: np.full(count, np.nan) for name in columns}, np.zeros(count, bool)
    with np.errstate(all="ignore"):
        for block in range(ready.box.blocks):
            worker.visit(block)
            ids = worker.design_ids()
            holds[ids] = True
            for name in columns:
                found[name][ids] = worker.column(name)
    return found, holds


EVERY, HOLDS = whole(SPACE, COLUMNS)


def agree(points: Points, numbers: list[int]) -> None:
    """What points say of designs is what walking the space says."""
    at = np.array(np.unravel_index(np.array(numbers, np.int64), [len(axis) for axis in SPACE.axes]))
    met: list[int] = []
    for found, positions in points.at(at):
        met += positions.tolist()
        for name in COLUMNS:
            np.testing.assert_array_equal(found[name], EVERY[name][np.array(numbers)[positions]])
    assert met == [k for k, number in enumerate(numbers) if HOLDS[number]]


@settings(deadline=None, max_examples=examples(60))
@given(
    st.lists(st.lists(st.integers(0, len(HOLDS) - 1), max_size=40), min_size=1, max_size=4),
    st.integers(1, 5),
    st.integers(0, 3),
)
def test_designs_by_their_places_are_those_of_a_walk(asked: list[list[int]], least: int, more: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listed, "LEAST_LOT", least)
        patch.setattr(listed, "TIMES", 2)
        patch.setattr(listed, "LARGEST_LOT", least << more)
        points = Points(SPACE, COLUMNS)
        for numbers in asked:
            agree(points, numbers)


@compiled_only
def test_compiled_loops_are_filled_anew_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "WORTH_COMPILING_NS", 0.0)
    points, draw = Points(SPACE, COLUMNS), np.random.default_rng(7)
    for count in (1, 63, 64, 65, 300, 2):
        agree(points, draw.integers(len(HOLDS), size=count).tolist())


def test_two_who_ask_at_once_do_not_meet() -> None:
    points = Points(SPACE, COLUMNS)
    first, second = (points.at(np.array([[k], [k], [0], [0], [0]])) for k in (0, 2))
    found = [next(asked)[0]["params_total"][0] for asked in (first, second)]
    shape = [len(axis) for axis in SPACE.axes]
    assert found == [EVERY["params_total"][np.ravel_multi_index((k, k, 0, 0, 0), shape)] for k in (0, 2)]


def test_quantiles_over_draws_are_those_of_the_designs_asked_for() -> None:
    space = loads('[axes]\nhidden_size = [1024, 2048]\ntrain_tokens = [1e10, 1e11]\n[fixed]\nlaw = "besiroglu_2024"')
    every, _ = whole(space, ["loss_nats_p50"])
    points = Points(space, ["loss_nats_p50"])
    for places in ([0, 1], [1, 0], [1, 1]):
        ((found, _),) = points.at(np.array(places)[:, None])
        assert found["loss_nats_p50"].tolist() == [every["loss_nats_p50"][2 * places[0] + places[1]]]

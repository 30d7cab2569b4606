"""What is said to rise or fall along the innermost axis does, at every design; what turns is not said to."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings

from kernels.slopes import ROUNDED
from sweep import monotone
from sweep.execute import Evaluator, Worker, rows
from sweep.monotone import go_one_way
from sweep.plan import Plan
from sweep.resolve import loads
from sweep.space import Space
from tests.effort import examples
from tests.questions import spec_texts
from tests.small import SPEC

INFINITE = """
[axes]
batch_size = [1, 3]
context_tokens = [1, 2048]
gpu = ["h100_sxm", "b200_sxm"]
[metrics]
own = "context_tokens ** context_tokens"
[frontier]
maximize = ["batch_size", "own"]
"""


def along(space: Space, names: list[str], axis: str | None) -> tuple[list[bool], np.ndarray]:
    """What is said of columns, and values[column, designs along the others, designs along the innermost axis]."""
    plan = Plan(space, names, innermost=[k for k, a in enumerate(space.axes) if a.name == axis])
    evaluator = Evaluator(plan)
    with np.errstate(all="ignore"):
        found = rows(Worker(evaluator), range(plan.box.blocks), names)
    order = np.argsort(found.columns["#" + space.axes[plan.order[-1]].name], kind="stable")
    others = [a.name for a in space.axes if a.name != space.axes[plan.order[-1]].name]
    order = order[np.lexsort([found.columns["#" + name][order] for name in others])] if others else order
    length = len(space.axes[plan.order[-1]])
    values = np.array([found.columns[name].astype(np.float64)[order].reshape(-1, length) for name in names])
    return go_one_way(evaluator, names), values


def check(space: Space, names: list[str], axis: str | None = None) -> list[bool]:
    said, values = along(replace(space, conditions=()), names, axis)
    for name, one_way, column in zip(names, said, values, strict=True):
        if not one_way:
            continue
        ends = np.minimum(column[:, :1], column[:, -1:]), np.maximum(column[:, :1], column[:, -1:])
        off = np.where(np.isfinite(column), ROUNDED * np.abs(column), 0.0)
        is_nan = np.isnan(column)
        assert (is_nan.any(axis=1) == is_nan.all(axis=1)).all(), name
        assert (is_nan | ((column >= ends[0] - off) & (column <= ends[1] + off))).all(), name
    return said


@settings(deadline=None, max_examples=examples(80), suppress_health_check=list(HealthCheck))
@given(spec_texts())
@example(INFINITE)
def test_what_goes_one_way_is_least_and_greatest_at_the_ends(text: str) -> None:
    space = loads(text)
    names = list(dict.fromkeys([*space.minimize, *space.maximize]))
    if names and all(len(axis) for axis in space.axes):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(monotone, "GROUP", 0)  # axes are short
            check(space, names)


def test_objectives_of_a_shipped_spec_go_one_way_along_tokens() -> None:
    names = ["loss_nats", "lifetime_usd", "serve_bytes", "decode_tokens_per_s", "train_days"]
    assert check(loads(SPEC), names, "train_tokens") == [True] * 5


def test_what_turns_is_not_said_to_go_one_way() -> None:
    text = SPEC.replace(
        "[where]",
        """[metrics]
turns = { formula = "train_tokens + 1e24 / train_tokens", unit = "tokens" }
hardly_turns = { formula = "(train_tokens - 1e10) * (train_tokens - 1.1e10)", unit = "tokens" }
differs = { formula = "loss_nats + train_tokens / 1e12", unit = "nats" }
rises = { formula = "train_tokens - 1e24 / train_tokens", unit = "tokens" }

[where]""",
    )
    names = ["turns", "hardly_turns", "differs", "rises"]
    assert check(loads(text), names, "train_tokens") == [False, False, False, True]

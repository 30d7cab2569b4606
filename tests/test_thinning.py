"""Choices left out before any design is evaluated: what spares work leaves the same choices."""

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from sweep import drawn, survivors, thinning
from sweep.plan import Plan
from sweep.question import Question, Thinned, targets, untouched
from sweep.resolve import loads, narrow
from tests.effort import compiled_only, examples
from tests.questions import spec_texts
from tests.small import SPEC

GROUP = ("hidden_size", "num_layers", "num_experts", "precision", "gpu")


@settings(deadline=None, max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(spec_texts(most_metrics=0))
def test_an_axis_seen_to_be_needed_loses_no_place(text: str) -> None:
    question = Question(untouched(loads(text)))
    if not question.found.points or not any(not target.is_condition for target in targets(question.space)):
        return
    for name in thinning._all_needed(question):
        alone = thinning._alone(question, name, 1)
        lengths = [{axis.name: len(axis) for axis in space.axes} for space in (question.space, alone.space)]
        assert lengths[0][name] == lengths[1][name], (name, text)


def sifted(text: str = SPEC, minimize: str = "lifetime_usd") -> Thinned:
    space = narrow(loads(text), (), ["loss_nats", minimize])
    question = Question(untouched(space))
    axes = frozenset(k for k, axis in enumerate(space.axes) if axis.name in GROUP)
    return thinning._sifted(question, axes, 1)


@pytest.mark.parametrize("wider", [0.1, -0.9])
@pytest.mark.parametrize("screens", [True, False])
def test_a_group_is_sifted_to_the_same_whatever_is_guessed(
    monkeypatch: pytest.MonkeyPatch, wider: float, screens: bool
) -> None:
    """From a sample, rightly or not, and with a quick look or without."""
    monkeypatch.setattr(Plan.__init__, "__defaults__", (1000, ()))  # fewer tables, whose ranges are known
    expected = sifted()
    assert len(expected.space.axes) == 2
    walk = Mock(wraps=thinning._ranges_of_walk)
    monkeypatch.setattr(thinning, "_ranges_of_walk", walk)
    monkeypatch.setattr(thinning, "LEAST_GUESSED", 1)
    monkeypatch.setattr(thinning, "WIDER", wider)
    monkeypatch.setattr(survivors, "LEAST_SEEDED", 1 if screens else 10**9)
    found = sifted()
    assert walk.call_count == (wider < 0.0)
    assert [len(axis) for axis in found.space.axes] == [len(axis) for axis in expected.space.axes]
    for ours, theirs in zip(found.members, expected.members, strict=True):
        np.testing.assert_array_equal(np.sort(ours.ids), np.sort(theirs.ids))


ODD = SPEC.replace('"h100_sxm", "b200_sxm"', '"a100_sxm_80", "h100_sxm"').replace(
    "[where]",
    """[metrics]
odd_usd = { formula = "lifetime_usd + num_experts / max(0, num_layers - 24)", unit = "USD" }

[where]
"of a size" = "params_total < 1e11"
""",
)  # fp8 has no price on an A100, and of the depths two have an infinite one


@compiled_only
@pytest.mark.parametrize(
    ("text", "minimize", "has_blocks_apart"),
    [(SPEC, "lifetime_usd", False), (ODD, "lifetime_usd", False), (ODD, "odd_usd", True)],
    ids=["as it is", "nan", "infinite"],
)
def test_blocks_are_sifted_where_they_lie_to_the_same(
    monkeypatch: pytest.MonkeyPatch, text: str, minimize: str, has_blocks_apart: bool
) -> None:
    """Of a space that is compiled, where nothing in a block has to be put aside."""
    monkeypatch.setattr(Plan.__init__, "__defaults__", (1000, ()))
    expected = sifted(text, minimize)
    monkeypatch.setattr(thinning, "LEAST_GUESSED", 1)
    monkeypatch.setattr(survivors, "REPEATED", 0.0)  # loops are compiled
    monkeypatch.setattr(survivors, "LEAST_SEEDED", 1)
    monkeypatch.setattr(drawn, "MOST_LEFT", 2.0)
    in_place: list[bool] = []
    take_in = survivors._Walk._sifted

    def noted(*given: Any) -> bool:
        in_place.append(take_in(*given))
        return in_place[-1]

    monkeypatch.setattr(survivors._Walk, "_sifted", noted)
    found = sifted(text, minimize)
    assert any(in_place) != has_blocks_apart
    assert [len(axis) for axis in found.space.axes] == [len(axis) for axis in expected.space.axes]
    for ours, theirs in zip(found.members, expected.members, strict=True):
        np.testing.assert_array_equal(np.sort(ours.ids), np.sort(theirs.ids))

"""Reasoning about a space finds what walking it finds, and what the definition says: ids, order and ties."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kernels import sifting
from sweep import along, boxes, drawn, exactcheck, halving, reaching, survivors, thinning
from sweep.best import best
from sweep.exactcheck import by_hand
from sweep.execute import Evaluator, Worker, rows
from sweep.frontier import frontier, objectives_of, per_value
from sweep.plan import Plan
from sweep.question import Question
from sweep.resolve import load, loads, narrow
from sweep.space import Space
from tests import naive, naive_epsilon
from tests.effort import examples
from tests.questions import spec_texts

QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck))
Rows = list[tuple[tuple[float, ...], int]]


@contextmanager
def put_to_work(seed: int) -> Iterator[None]:
    """Small spaces treated as large ones: axes put together at random, boxes halved to the last design."""

    def any_group(question: Question, least: int) -> frozenset[int] | None:
        long = [k for k, axis in enumerate(question.found.space.axes) if len(axis) > 1]
        draw = random.Random(f"{seed} {[len(axis) for axis in question.found.space.axes]}")
        return frozenset(draw.sample(long, draw.randint(2, len(long)))) if len(long) > 1 else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thinning, "best_group", any_group)
        patch.setattr(thinning, "LEAST_GUESSED", 1 if seed % 2 else 10**9)
        patch.setattr(thinning, "SAMPLE", 1 + seed % 6)  # so few that guesses are wrong
        patch.setattr(thinning, "TRIED", seed % 40)
        patch.setattr(survivors, "LEAST_SEEDED", 1 if seed % 4 < 2 else 10**9)
        patch.setattr(drawn, "SEEDS", 1 + seed % 9)
        patch.setattr(drawn, "SEEDED_SHARE", 1 + seed % 3)
        patch.setattr(drawn, "PROBED", 7)
        patch.setattr(drawn, "MOST_LEFT", 2.0 if seed % 3 else 0.3)
        patch.setattr(drawn, "LEAST_LONG", 2)
        patch.setattr(drawn, "COMPARED", 3)
        patch.setattr(sifting, "LEAST_WAITING", 1 + seed % 5)
        patch.setattr(along, "LEAST_PLACES", 2)
        patch.setattr(along, "CHOICES", 1 + seed % 5)
        patch.setattr(along, "SOME", 1 + seed % 3)
        patch.setattr(reaching, "LOT", 1 + seed % 7)
        patch.setattr(reaching, "BOX", 0.5 * (1 + seed % 4))
        patch.setattr(halving, "FEW_PLACES", 1 + seed % 3)
        patch.setattr(halving, "FEW_BOXES", 1 + seed % 9)
        patch.setattr(halving, "MOST_BOXES", 2 + seed % 5)
        patch.setattr(halving, "SAMPLE", 1 + seed % 3)
        patch.setattr(boxes, "LEAF_POINTS", 1 + seed % 3)
        patch.setattr(boxes, "MOST_BOXES", 4 << seed % 8)
        yield


def designs(space: Space) -> Rows:
    """Objectives, less being better, and id of every design that meets the conditions."""
    objectives = objectives_of(space)
    names = [name for name, _ in objectives]
    evaluator = Evaluator(Plan(space, names))
    with np.errstate(all="ignore"):
        found = rows(Worker(evaluator), range(evaluator.box.blocks), names)
    columns = [(sign * found.columns[name].astype(np.float64)).tolist() for name, sign in objectives]
    return list(zip(zip(*columns, strict=True), found.design_id.tolist(), strict=True))


def on_frontier(found: Rows) -> Rows:
    """The definition, ordered as frontiers are."""
    if not found:
        return []
    values = np.array([row for row, _ in found], np.float64)
    kept = set(by_hand(values, np.array([i for _, i in found], np.int64)))
    return sorted((row, i) for row, i in found if i in kept)


def ids(frame: pl.DataFrame) -> list[int]:
    return frame["design_id"].to_list()


def offered(space: Space) -> list[tuple[float, ...]]:
    """The objectives of the frontier that reasoning finds."""
    found = set(ids(frontier(space, reason=True, least=0).frame))
    return [row for row, i in designs(space) if i in found]


def agree(text: str, seed: int) -> None:
    space = loads(text)
    expected = [i for _, i in on_frontier(designs(space))]
    walked = ids(frontier(space, reason=False).frame)
    assert walked == expected, text
    with put_to_work(seed):
        reasoned = frontier(space, reason=True, least=0)
    assert ids(reasoned.frame) == expected, (text, reasoned.findings)


@pytest.mark.nojit
@pytest.mark.parametrize("part", range(4))  # two thousand, for several processes to share
@settings(QUICK, max_examples=examples(500))
@given(text=spec_texts(most_metrics=0), seed=st.integers(0, 999))
def test_reasoned_is_walked_is_the_definition(part: int, text: str, seed: int) -> None:
    agree(text, seed + 1000 * part)


@settings(QUICK, max_examples=25)
@given(spec_texts(), st.integers(0, 999))
def test_the_same_of_our_own_metrics(text: str, seed: int) -> None:
    agree(text, seed)


@pytest.mark.slow
@settings(QUICK, max_examples=5000)
@given(spec_texts(most_metrics=0), st.integers(0, 999))
def test_reasoned_is_walked_is_the_definition_many_times(text: str, seed: int) -> None:
    agree(text, seed)


@pytest.mark.slow
@settings(QUICK, max_examples=1500)
@given(spec_texts(), st.integers(0, 999))
def test_the_same_of_our_own_metrics_many_times(text: str, seed: int) -> None:
    agree(text, seed)


@settings(QUICK, max_examples=6)
@given(spec_texts(most_designs=40))
def test_one_design_after_another_says_the_same(text: str) -> None:
    space = loads(text)
    expected = naive.frontier(
        list(naive.designs(space, [*space.minimize, *space.maximize])), list(space.minimize), list(space.maximize)
    )
    assert ids(frontier(space, reason=True, least=0).frame) == expected, text


@settings(QUICK, max_examples=60)
@given(spec_texts(most_metrics=0), st.integers(0, 999))
def test_one_design_for_all_that_are_equal(text: str, seed: int) -> None:
    space = loads(text)
    groups: dict[tuple[float, ...], list[int]] = {}
    for row, i in on_frontier(designs(space)):
        groups.setdefault(row, []).append(i)
    expected = [(min(members), len(members)) for _, members in sorted(groups.items())]
    with put_to_work(seed):
        reasoned = frontier(space, reason=True, least=0, ties="one").frame
    walked = frontier(space, reason=False, ties="one").frame
    for frame in (reasoned, walked):
        assert list(zip(ids(frame), frame["num_equal"].to_list(), strict=True)) == expected, text


@settings(QUICK, max_examples=60)
@given(spec_texts(most_metrics=0), st.sampled_from([1e-9, 1e-3, 0.01, 0.3, 1.0]), st.integers(0, 999))
def test_a_few_designs_stand_for_the_frontier(text: str, epsilon: float, seed: int) -> None:
    space = loads(text)
    every = designs(space)
    expected = naive_epsilon.representatives([row for row, _ in every], [i for _, i in every], epsilon)
    assert ids(frontier(space, reason=False, epsilon=epsilon).frame) == expected, text
    with put_to_work(seed):
        assert ids(frontier(space, reason=True, least=0, epsilon=epsilon).frame) == expected, text
    kept = [row for row, i in every if i in set(expected)]
    for row, _ in every:
        if not any(x != x for x in row):
            limits = [x if abs(x) == np.inf else x + abs(x) * epsilon * (1.0 + 1e-6) for x in row]
            assert any(all(a <= b for a, b in zip(other, limits, strict=True)) for other in kept), (text, row)


@settings(QUICK, max_examples=40)
@given(spec_texts(most_metrics=0), st.integers(1, 12))
def test_the_best_are_the_first_of_all_in_order(text: str, count: int) -> None:
    space = loads(text)
    name, sign = objectives_of(space)[0]
    space = narrow(space, (), [name] if sign > 0 else [], [] if sign > 0 else [name])
    expected = sorted((row, i) for row, i in designs(space) if row[0] == row[0])[:count]
    assert ids(best(space, count).frame) == [i for _, i in expected], text


def test_of_equal_designs_the_least_id_stands_for_a_cell() -> None:
    """Axes put together are not in the order of ids; 2e10 and 20_000_000_001 tokens come to the same double here."""
    text = """
        columns = ["own"]
        [axes]
        batch_size       = [1, 3, 64]
        context_tokens   = [1, 2048, 32_768]
        train_tokens     = [1e9, 2e10, 20_000_000_001.0]
        gpu              = ["h100_sxm", "b200_sxm"]
        gpu_usd_per_hour = [0.0, 1.0]
        [metrics]
        own = "batch_size + min(batch_size, batch_size - batch_size / train_tokens)"
        [where]
        short = "(context_tokens * train_tokens / train_tokens) * context_tokens / context_tokens < batch_size"
        [frontier]
        maximize = ["own"]
    """
    space = loads(text)
    least = min(i for row, i in designs(space) if row == min(row for row, _ in designs(space)))
    assert ids(frontier(space, reason=False, epsilon=1e-9).frame) == [least]
    for seed in range(8):
        with put_to_work(seed):
            assert ids(frontier(space, reason=True, least=0, epsilon=1e-9).frame) == [least]


def test_axes_made_one_are_thinned_again() -> None:
    """What two axes left, seen together, may leave fewer once a third is settled."""
    text = """
        columns = ["own"]
        [axes]
        context_tokens = [32_768, 2048]
        num_experts = [1, 64, 2, 8]
        hidden_size = [512, 768, 1000, 1024, 2048, 4096]
        [metrics]
        own = "num_experts - num_experts / ((num_experts - num_experts / context_tokens) * hidden_size / hidden_size)"
        [frontier]
        maximize = ["own"]
    """
    for seed in range(20):
        agree(text, seed)


@settings(QUICK, max_examples=25)
@given(spec_texts(most_metrics=0), st.data())
def test_per_value_of_an_axis_is_the_frontier_of_each_part(text: str, data: st.DataObject) -> None:
    space = loads(text)
    assume(all(len(axis) for axis in space.axes))
    k = data.draw(st.integers(0, len(space.axes) - 1))
    every, stride, length = designs(space), space.id_strides[k], space.axes[k].length
    expected = []
    for place in space.axes[k].kept.tolist():
        part = [(row, i) for row, i in every if i // stride % length == place]
        expected += [i for _, i in on_frontier(part)]
    found = per_value(space, space.axes[k].name, lambda part: frontier(part, reason=True, least=0))
    assert ids(found.frame) == expected, text


@settings(QUICK, max_examples=100)
@given(spec_texts(most_metrics=0), st.integers(0, 999), st.data())
def test_more_to_choose_from_is_never_worse(text: str, seed: int, data: st.DataObject) -> None:
    """What a frontier offers is matched once an axis has another value, or a condition is dropped."""
    space = loads(text)
    assume(all(len(axis) for axis in space.axes))
    k = data.draw(st.integers(0, len(space.axes) - 1))
    fewer = np.arange(max(1, len(space.axes[k]) - 1))
    narrower = replace(space, axes=tuple(a.take(fewer) if j == k else a for j, a in enumerate(space.axes)))
    looser = replace(space, conditions=space.conditions[1:])
    with put_to_work(seed):
        for small, large in ((narrower, space), (space, looser)):
            before, after = offered(small), offered(large)
            for row in before:
                assert any(all(a <= b for a, b in zip(other, row, strict=True)) for other in after), text


BY_HAND = {
    "an axis without a choice that meets the conditions": (
        "gpu = ['h100_sxm', 't4']\nnum_layers = [1, 7]", {}, ["num_layers < num_layers"], ["num_layers"], []),
    "two axes without one": (
        "batch_size = [1, 3]\ncontext_tokens = [1, 2048]", {}, ["not (batch_size - batch_size) < context_tokens"],
        [], ["batch_size"]),
    "a number divided by nothing": (
        "batch_size = [1, 3]\nnum_layers = [7, 12]", {"x": "batch_size * num_layers / 0"}, [], ["num_layers"], ["x"]),
    "a power of a negative number, which is nan": (
        "batch_size = [1, 3]\nnum_layers = [7, 12]", {"x": "(-(batch_size * num_layers)) ** 2"}, [], ["x"], []),
    "a root of one, which is nan too": (
        "batch_size = [1, 3]\nnum_layers = [7, 12]", {"x": "(-(batch_size * num_layers)) ** 0.5"}, [], ["x"], []),
    "what cancels but for rounding": (
        "gpu_usd_per_hour = [0.1, 0.2, 0.3, 0.7]\nnum_layers = [7, 12]",
        {"x": "(gpu_usd_per_hour + num_layers / 3) - gpu_usd_per_hour"}, [], ["x"], []),
    "a slope that rounding hides": (
        "gpu_usd_per_hour = [1.0, 1.00000001]\nnum_layers = [7, 12]",
        {"x": "(gpu_usd_per_hour + 1e12 * num_layers) - 1e12 * num_layers"}, [], ["x"], ["gpu_usd_per_hour"]),
    "a difference that is lost": (
        "gpu_usd_per_hour = [1.0, 1.00000001]\nnum_layers = [7, 12]",
        {"x": "(gpu_usd_per_hour + 1e12 * num_layers) - 1e12 * num_layers"}, [], ["x"], []),
    "nan that is asked for": (
        "gpu = ['h100_sxm', 'a30', 'b200_sxm']\nnum_layers = [7, 12]",
        {"x": "train_usd if train_usd < 1e30 else 0"}, [], ["x"], []),
    "nan that depends on what seems not to matter": (
        "gpu_usd_per_hour = [1.0, 9.0]\nnum_layers = [7, 12]",
        {"x": "max(num_layers, 0 * sqrt(gpu_usd_per_hour - 5))"}, [], ["x"], []),
    "nothing times infinity": (
        "gpu_usd_per_hour = [0.0, 1.0]\nnum_layers = [7, 12]",
        {"x": "gpu_usd_per_hour * (1 / (num_layers - 7))"}, [], ["x"], []),
    "counts that no double tells apart": (
        "hidden_size = [1024, 2048]\nbatch_size = [1, 2]",
        {"x": "(batch_size + 9007199254740991) * 4 - 36028797018963964"}, [], ["x"], []),
    "sums that round in another order": (
        "inference_tokens = [0.6e-8, 0.0, 1.2e-8]\ngpu_usd_per_hour = [0.0, 0.6e-8, 0.9e-8]\nnum_layers = [7, 12]",
        {"x": "(gpu_usd_per_hour + 1e8 * num_layers) + inference_tokens"}, [], ["x", "gpu_usd_per_hour"], []),
    "a condition that written otherwise is nan": (
        "batch_size = [1, 3]\ninference_tokens = [0.0, 1e9]\ncontext_tokens = [1, 2048]", {},
        ["batch_size > (inference_tokens - batch_size) / min(inference_tokens, 2000)"], [],
        ["batch_size", "inference_tokens"]),
    "an objective that written otherwise is nan": (
        "batch_size = [1, 3]\ninference_tokens = [0.0, 1e9]\ncontext_tokens = [1, 2048]",
        {"x": "(inference_tokens - batch_size) / min(inference_tokens, 2000)"}, [], ["x"], ["batch_size"]),
    "an axis that nothing depends on": (
        "kv_precision = ['kv_bf16', 'kv_q4_0']\nnum_layers = [7, 12]\nhidden_size = [512, 1024]", {}, [],
        ["num_layers"], ["hidden_size"]),
}  # fmt: skip


@pytest.mark.nojit
@pytest.mark.parametrize("seed", [0, 1, 5])
@pytest.mark.parametrize("case", BY_HAND)
def test_questions_that_were_once_answered_wrongly_or_might_be(case: str, seed: int) -> None:
    axes, own, where, minimize, maximize = BY_HAND[case]
    metrics = "\n".join(f'{name} = "{text}"' for name, text in own.items())
    conditions = "\n".join(f'c{k} = "{text}"' for k, text in enumerate(where))
    named = f"minimize = {minimize}\nmaximize = {maximize}\n"
    agree(f"[axes]\n{axes}\n[metrics]\n{metrics}\n[where]\n{conditions}\n[frontier]\n{named}", seed)


def test_parts_of_a_shipped_spec_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """What --exact-check does, for the smallest of them, which it would take whole each time."""
    monkeypatch.setattr(exactcheck, "MOST_POINTS", 3000)
    laptop = narrow(load("laptop"), (), ["serve_bytes"], ["decode_tokens_per_s", "params_total"])
    found = exactcheck.exact_check(laptop, seed=3)
    assert len(found) == exactcheck.PARTS
    assert all(part.agrees and 0 < part.found < part.feasible for part in found)


def test_by_hand_takes_infinities_of_both_signs_for_ordinary_values() -> None:
    rows = np.array([[np.inf, -np.inf], [0.0, 0.0], [-np.inf, np.inf], [np.inf, 0.0], [np.nan, -np.inf]])
    assert by_hand(rows, np.arange(5)) == [0, 1, 2]

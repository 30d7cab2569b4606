"""The best design found along one axis: the same as comparing all, ties included, and none where it is not certain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep import along, halving, plan, reaching, reasoned
from sweep.frontier import frontier
from sweep.question import Thinned
from sweep.resolve import load, loads, narrow
from tests.effort import examples
from tests.test_reasoned import agree, designs, ids, on_frontier

RECORDS = "gpu = ['h100_sxm', 'a100_sxm_80', 'l4']\nprecision = ['bf16', 'fp8_e4m3']\n"
AXES = "batch_size = [1, 2, 3, 5, 8, 12, 20, 33, 50]\nnum_layers = [4, 8, 16]\nhidden_size = [64, 128]\n"
ALONE = AXES.replace("[4, 8, 16]", "[4]").replace("[64, 128]", "[64]")
SPENT = ("batch_size * num_layers", 100.0)
RISING = [  # with batch_size, some of them not at every step
    "batch_size * num_layers + hidden_size",
    "min(batch_size, 7) * hidden_size / num_layers",
    "ceil(batch_size / 4) + num_layers",
    "log(batch_size + num_layers) * 1e-3",
    "(batch_size ** 1.5) / hidden_size",
    "max(batch_size, num_layers)",
    "batch_size * gpu_memory_bytes * num_layers",
    "batch_size / gpu_fp8_flop_per_s + num_layers",  # unknown of one gpu
    "0 - 1 / (batch_size * hidden_size)",
]
BOUNDS = st.sampled_from([0.002, 0.01, 3, 5, 20, 60, 200, 640, 1000, 4000])


def spec(objective: str, further: bool, conditions: list[tuple[str, float]], axes: str = AXES) -> str:
    """One objective, better further along batch_size or before, and conditions that say the opposite."""
    metrics = [f"own = '{objective}'"] + [f"spent_{k} = '{text}'" for k, (text, _) in enumerate(conditions)]
    comparison = "<=" if further else ">="
    where = [f"c{k} = 'spent_{k} {comparison} {bound}'" for k, (_, bound) in enumerate(conditions)]
    asked = "maximize" if further else "minimize"
    return "\n".join(["[axes]", axes, "[metrics]", *metrics, "[where]", *where, "[frontier]", f"{asked} = ['own']"])


def settled(text: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the question of a spec was settled along an axis, after comparing what comes out with the definition.

    Few choices are looked at together and few places tried, so that what is good is found out bit by bit.
    """
    asked: list[bool] = []

    def watched(found: Thinned, objective: tuple[str, float]) -> along.Settled | None:
        result = along.best_along(found, objective)
        asked.append(result is not None)
        return result

    space = loads(text)
    with monkeypatch.context() as patch:
        patch.setattr(along, "LEAST_PLACES", 2)
        patch.setattr(along, "CHOICES", 4)
        patch.setattr(along, "SOME", 1)
        patch.setattr(reaching, "LOT", 2)
        patch.setattr(reaching, "BOX", 0.5)
        patch.setattr(halving, "FEW_PLACES", 1)
        patch.setattr(halving, "FEW_BOXES", 1)
        patch.setattr(halving, "MOST_BOXES", 3)
        patch.setattr(halving, "SAMPLE", 2)
        patch.setattr(reasoned, "best_along", watched)
        found = frontier(space, reason=True).frame
    assert ids(found) == [i for _, i in on_frontier(designs(space))], text
    return any(asked)


@settings(deadline=None, max_examples=examples(100))
@given(
    st.sampled_from(RISING),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(RISING), BOUNDS), max_size=2),
    st.booleans(),
)
def test_the_best_is_the_last_that_holds(
    objective: str, further: bool, conditions: list[tuple[str, float]], records: bool
) -> None:
    axes = (
        AXES + RECORDS if records or any("gpu" in text for text in (objective, *(c for c, _ in conditions))) else AXES
    )
    with pytest.MonkeyPatch.context() as patch:
        settled(spec(objective, further, conditions, axes), patch)


@pytest.mark.parametrize("further", [True, False])
@pytest.mark.parametrize("objective", RISING)
def test_it_is_settled_along_the_axis(objective: str, further: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = 100 if further else 30
    assert settled(spec(objective, further, [("batch_size * num_layers", bound)]), monkeypatch)


@pytest.mark.parametrize(
    "text",
    [
        spec("(batch_size - 8) ** 2 * num_layers", True, [], ALONE),
        spec("batch_size * num_layers", True, [("0 - batch_size * num_layers", -90), SPENT], ALONE),
        spec(
            "batch_size * num_layers", True, [("(batch_size - 8) ** 2 + gpu_memory_bytes / 1e11", 40)], ALONE + RECORDS
        ),
        spec("batch_size * num_layers", True, [SPENT], ALONE.replace("1, 2, 3, 5", "3, 5, 1, 2")),
        spec("(batch_size % exp(1)) * num_layers", True, [], ALONE.replace("1, 2, 3, 5, 8, 12, 20, 33, 50", "1, 2048")),
    ],
    ids=[
        "falls and rises",
        "condition the same way",
        "condition neither way",
        "values in no order",
        "libm's remainder",
    ],
)
def test_what_is_not_certain_is_searched(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Along batch_size, the only axis long enough."""
    assert not settled(text, monkeypatch)


def test_choices_that_are_not_finite_are_searched_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 / (num_layers - 8) is infinite for one choice, which then has infinitely much of what is asked for."""
    text = spec("batch_size / (num_layers - 8)", True, [("batch_size * num_layers", 200)])
    settled(text, monkeypatch)


def test_a_choice_whose_condition_is_on_nan_is_gone_before() -> None:
    text = spec("batch_size * hidden_size", True, [("batch_size * (num_layers - 8) ** 0.5", 50)])
    space = loads(text)
    found = frontier(space, reason=True, least=0).frame
    assert ids(found) == [i for _, i in on_frontier(designs(space))]
    assert np.all(found["num_layers"].to_numpy() >= 8)


@pytest.mark.parametrize("seed", range(4))
def test_axes_put_together_that_say_nothing_are_one_choice(seed: int) -> None:
    """Both axes are only seen by a condition of theirs, and leave nothing for the rest to see."""
    axes = (
        "batch_size = [1, 3]\ncontext_tokens = [1, 2048]\ngpu = ['h100_sxm', 'b200_sxm']\ngpu_usd_per_hour = [0.0, 1.0]"
    )
    text = spec("context_tokens + 0", True, [], axes)
    agree(
        text.replace("[where]", "[where]\nc = 'batch_size < gpu_usd_per_hour'").replace(
            "['own']", "['context_tokens']"
        ),
        seed,
    )


@pytest.mark.parametrize(
    ("asked", "condition"),
    [
        ("loss_nats", "lifetime_usd <= 1e6"),
        pytest.param("loss_nats", "train_days <= 3.5", marks=pytest.mark.slow),
        ("lifetime_usd", "loss_nats <= 2.3"),
    ],
)
def test_the_best_of_a_shipped_spec_is_that_of_walking_it(
    asked: str, condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """28 million designs; all but a few choices are asked once, a part of them after another."""
    monkeypatch.setattr(along, "CHOICES", 5000)
    monkeypatch.setattr(reaching, "LOT", 3000)
    monkeypatch.setattr(plan, "WORTH_COMPILING_NS", 1e18)  # nothing of this is compiled elsewhere in these tests
    space = narrow(load("first-look"), [condition], [asked], [])
    reasoned_about, walked = (frontier(space, reason=reason) for reason in (True, False))
    assert reasoned_about.frame.equals(walked.frame)
    assert len(walked.frame) >= 1
    assert reasoned_about.evaluated < walked.evaluated / 5

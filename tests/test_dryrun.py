"""What is said before and during a run: counts, estimates, a bar on a terminal and nothing elsewhere."""

import io
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sweep import progress, resolve
from sweep.columns import wanted
from sweep.dryrun import count_after_inputs, dry_run
from sweep.execute import Evaluator, Worker
from sweep.plan import Plan
from sweep.run import write
from sweep.space import Space
from tests.small import SPEC


@pytest.fixture(scope="module")
def space() -> Space:
    return resolve.loads(SPEC)


def test_the_bar_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar("small") as report:
        assert report is None
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_shows_speed_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "160")
    with progress.bar("small") as report:
        assert report is not None
        report(progress.Progress(0, 10, 0, 1000, 0, 0))
        time.sleep(0.15)
        report(progress.Progress(5, 10, 500, 1000, 400, 1))
    shown = terminal.getvalue()
    assert "designs/s" in shown
    assert "400 rows in 1 parts" in shown


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0"), (950, "950"), (12_345, "12.3 k"), (1e12, "1 T"), (999.9, "1 k")]
)
def test_short_numbers(number: float, said: str) -> None:
    assert progress.short(number) == said


def test_a_dry_run_counts_exactly_and_estimates(space: Space, tmp_path: Path) -> None:
    estimate = dry_run(space)
    finished = write(space, tmp_path / "run")
    wide = sum(h >= 64 * layers for h in range(1024, 8193, 512) for layers in (16, 24, 32, 48))
    assert estimate.designs == space.size == 15 * 4 * 3 * 3 * 400 * 3
    assert estimate.designs_after_input_conditions == wide * 3 * 3 * 400 * 3
    assert estimate.rows == pytest.approx(finished.rows, rel=1e-9)  # a space this small is sampled whole
    assert estimate.disk_bytes == pytest.approx(finished.bytes, rel=0.2)  # the same rows in one part
    text = "\n".join(estimate.lines())
    for said in (
        f"{space.size:,}",
        f"{wide * 10_800:,} after the conditions on inputs",
        "loss_nats",
        "nat",
        "law = besiroglu_2024",
    ):
        assert said in text


def test_conditions_that_share_no_axis_are_counted_apart(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two sub-spaces are small where their product would not be."""
    spec = SPEC + '"few" = "train_tokens < 1e12 or gpu_memory_bytes > 1e11"\n'
    both = resolve.loads(spec)
    plan = Plan(both, wanted(both))
    expected = 0
    worker = Worker(Evaluator(Plan(replace(both, conditions=tuple(c for c in both.conditions if c.on_inputs)), ())))
    for block in range(worker.plan.box.blocks):
        expected += worker.visit(block)
    monkeypatch.setattr("sweep.dryrun.COUNTED_POINTS", 1200)
    assert count_after_inputs(both, plan, 1) == expected
    monkeypatch.setattr("sweep.dryrun.COUNTED_POINTS", 1199)
    assert count_after_inputs(both, plan, 1) is None

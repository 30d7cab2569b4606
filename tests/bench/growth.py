"""How the cost of a question grows with the space, its axes and its objectives.

    python -m tests.bench.growth [--large] [--chart]

The spaces are first-look with finer widths, depths, vocabularies and token budgets, conditions left out, on one
thread. Three questions: the exact frontier of loss and lifetime cost, the same to 0.1 %, and the least loss under a
budget. Walked: every design is evaluated. Reasoned: as sweep.reasoned does. Every series is a process of its own,
which also evaluates the two objectives of the space of 1e9 designs before and after each pass of a case, so that a
cost is a multiple of that; the most memory it took is its own too. A case that takes more than LIMIT is stopped, and
larger ones of its kind are left out. --large goes on to 1e14 designs, with LARGE_LIMIT a case. --chart draws
growth.svg.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

import numpy as np

from sweep.execute import Evaluator, Worker
from sweep.frontier import frontier
from sweep.plan import Plan
from sweep.resolve import loads, narrow
from sweep.space import Space
from tests.bench.chart import draw
from tests.bench.measure import PASSES, ROOT, machine, median, most_memory, once

AGAIN = 60.0  # seconds, below which a case is asked again and that counts: loops of its own are compiled by then
SHORT, LONG_PASSES = 10.0, 3  # seconds, below which there are as many passes as elsewhere, and passes of others
LIMIT, LARGE_LIMIT = 60.0, 300.0  # seconds of processor time a case
STEPS = {  # by the power of ten: steps of width and depth, and vocabularies
    6: (512, 12, 2), 7: (256, 8, 2), 8: (128, 4, 2), 9: (128, 1, 4), 10: (64, 1, 8), 11: (32, 1, 17), 12: (16, 1, 34),
    13: (8, 1, 68), 14: (8, 1, 170),
}  # fmt: skip
WALKED, REASONED, LARGE = range(6, 10), range(6, 13), range(13, 15)
OBJECTIVES = ("loss_nats", "lifetime_usd", "serve_bytes", "decode_tokens_per_s")
AIM_OBJECTIVES = {2: 3, 3: 6, 4: 12}  # times evaluating the objectives alone
QUESTIONS = {"frontier": "exact frontier", "epsilon": "frontier to 0.1 %", "best": "best under a budget"}
AXES = ("hidden_size", "num_layers", "gpu", "num_experts", "precision", "vocab_size")  # beside the token budgets
AXES_DESIGNS = 10**8
AIM_MEMORY, AIM_SECONDS = 2.0, 300.0  # GB and seconds, at 1e14


@dataclass(frozen=True)
class Case:
    """What one process answers: a question about a space of ten to that power."""

    question: str
    power: int
    reason: bool
    objectives: int = 2
    axes: int = 7
    limit: float = LIMIT


@dataclass(frozen=True)
class Answer:
    """Designs, how many were found, seconds by the clock, and what it took as a multiple of evaluating 1e9 designs.

    That is the median of what each pass was of the two evaluations beside it.
    """

    designs: int
    found: int
    wall: float
    times: float
    memory: float  # GB


def text_of(width: int, depth: int, vocabularies: int, budgets: int) -> str:
    """first-look with these steps and so many vocabularies and token budgets."""
    text = (ROOT / "data" / "specs" / "first-look.toml").read_text()
    for old, new in (
        ("stop = 10_240, step = 128", f"stop = 10_240, step = {width}"),
        ("stop = 80, step = 4", f"stop = 80, step = {depth}"),
        ("[32_000, 128_256]", f"{{ start = 32_000, stop = {32_000 + 1000 * (vocabularies - 1)}, step = 1000 }}"),
        ("points = 141", f"points = {budgets}"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def space_of(power: int, axes: int = 7) -> Space:
    """A space of about ten to that power designs, on so many axes: the others keep a middle value."""
    width, depth, vocabularies = STEPS[power]
    space = replace(loads(text_of(width, depth, vocabularies, 2)), conditions=())
    kept = {*AXES[: axes - 1], "train_tokens"}
    others = prod(len(axis) for axis in space.axes if axis.name in kept and axis.name != "train_tokens")
    space = replace(loads(text_of(width, depth, vocabularies, max(2, round(10**power / others)))), conditions=())
    cut = [a if a.name in kept else a.take(np.array([len(a) // 2])) for a in space.axes]
    return replace(space, axes=tuple(cut))


def asked(case: Case) -> Callable[[Space], Any]:
    """The question as a function of a space."""
    if case.question == "best":
        return lambda s: frontier(narrow(s, ["lifetime_usd <= 1e6"], ["loss_nats"], []), reason=case.reason, threads=1)
    epsilon = 1e-3 if case.question == "epsilon" else None
    minimize = [name for name in OBJECTIVES[: case.objectives] if name != OBJECTIVES[3]]
    maximize = OBJECTIVES[3 : case.objectives]
    return lambda s: frontier(narrow(s, [], minimize, maximize), reason=case.reason, epsilon=epsilon, threads=1)


class Asker:
    """Answers cases in this process, beside evaluating the objectives of the space of 1e9 designs."""

    def __init__(self, objectives: int) -> None:
        self.worker = Worker(Evaluator(Plan(space_of(9), OBJECTIVES[:objectives])))
        self.evaluate()

    def evaluate(self) -> float:
        """Seconds of processor time for 1e9 designs."""
        plan = self.worker.plan
        return once(lambda: self.worker.count(range(plan.box.blocks))).cpu * 1e9 / plan.points

    def answer(self, case: Case) -> Answer:
        """Ask: again where that is soon done, so that no compiling is timed, and then medians of several passes."""
        ask, space = asked(case), space_of(case.power, case.axes)
        found: list[Any] = []
        signal.setitimer(signal.ITIMER_PROF, case.limit)  # ends this process when its processor time is up
        first = once(lambda: found.append(ask(space)))
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        passes, bases = [first], [self.evaluate()]
        if first.cpu < AGAIN:
            passes = []
            for _ in range(PASSES if first.cpu < SHORT else LONG_PASSES):
                passes.append(once(lambda: ask(space)))
                bases.append(self.evaluate())
        beside = [(bases[k] + bases[min(k + 1, len(bases) - 1)]) / 2.0 for k in range(len(passes))]
        times = statistics.median(spent.cpu / base for spent, base in zip(passes, beside, strict=True))
        memory = most_memory() / 1e9
        designs = prod(len(axis) for axis in space.axes)
        return Answer(designs, len(found[0].frame), median(passes).wall, times, memory)


def series(cases: Sequence[Case]) -> list[Answer]:
    """The answers of a process of its own, as far as each comes within its limit."""
    found: list[Answer] = []
    command = [sys.executable, "-m", "tests.bench.growth", "--cases", json.dumps([asdict(case) for case in cases])]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, bufsize=1) as child:
        assert child.stdout is not None
        for case, line in zip(cases, child.stdout, strict=False):
            found.append(Answer(**json.loads(line)))
            print(case, found[-1], file=sys.stderr, flush=True)
    if child.returncode not in (0, -signal.SIGPROF):
        raise RuntimeError(f"no answer to {cases[len(found)]}")
    return found


def table(large: bool = False, chart: bool = False) -> list[str]:
    """The tables, and the chart."""

    powers = [*REASONED, *(LARGE if large else ())]
    lines = ["cost by size: processor time as a multiple of evaluating the two objectives of 1e9 designs"]
    lines.append(f"{'designs':32}" + "".join(f"{f'1e{p}':>9}" for p in powers) + f"{'most memory':>14}")
    drawn: dict[str, list[tuple[float, float]]] = {}
    reached: dict[str, Answer] = {}
    for reason in (False, True):
        for question, label in QUESTIONS.items():
            asked_powers = powers if reason else list(WALKED)
            limits = {power: LARGE_LIMIT if large and power >= LARGE[0] - 1 else LIMIT for power in asked_powers}
            cases = [Case(question, power, reason, limit=limits[power]) for power in asked_powers]
            found = series(cases)
            name = f"{label}, {'reasoned' if reason else 'walked'}"
            drawn[name] = [(a.designs, a.times) for a in found]
            cells = [f"{a.times:9.2g}" if a.times < 100 else f"{a.times:9.0f}" for a in found]
            cells += [f"> {case.limit:.0f} s".rjust(9) for case in cases[len(found) : len(found) + 1]]
            memory = f"{max(a.memory for a in found):.2f} GB" if found else ""
            blank = " " * 9 * (len(powers) - len(cells))
            lines.append(f"{name:32}" + "".join(cells) + blank + memory.rjust(14))
            if found:
                reached[name] = found[-1]
    for name, last in reached.items():
        if last.designs > 9e13:
            verdict = "met" if last.memory < AIM_MEMORY and last.wall < AIM_SECONDS else "missed"
            lines.append(f"{name} at 1e14: {last.wall:.0f} s, {last.memory:.2f} GB   {verdict}: 300 s, 2 GB")
    lines.append(f"cost by axes, {AXES_DESIGNS:.0e} designs, exact frontier of two objectives: the same multiple")
    for reason in (False, True):
        cases = [Case("frontier", 8, reason, 2, k) for k in range(2, 8)]
        found = series(cases)
        cells = [f"{case.axes} axes {given.times:.2g}" for case, given in zip(cases, found, strict=False)]
        cells += [f"{case.axes} axes > {LIMIT:.0f} s" for case in cases[len(found) : len(found) + 1]]
        lines.append(f"  {'reasoned' if reason else 'walked'}: {', '.join(cells)}")
    lines.append("cost by objectives, 1e9 designs all evaluated: times evaluating those objectives alone")
    for count, aim in AIM_OBJECTIVES.items():
        found = series([Case("frontier", 9, False, count, limit=3 * LIMIT)])
        if not found:
            lines.append(f"  {count}: stopped after {3 * LIMIT:.0f} s of processor time   missed: {aim} x")
            continue
        verdict = "met" if found[0].times <= aim else "missed"
        lines.append(f"  {count}: {found[0].times:.1f} x, {found[0].found:,} on the frontier   {verdict}: {aim} x")
    if chart:
        draw(drawn)
    return lines


if __name__ == "__main__":
    if "--cases" in sys.argv:
        listed = [Case(**case) for case in json.loads(sys.argv[sys.argv.index("--cases") + 1])]
        asker = Asker(listed[0].objectives)
        for each in listed:
            print(json.dumps(asdict(asker.answer(each))), flush=True)
    else:
        begun = time.perf_counter()
        print("\n".join(table("--large" in sys.argv, "--chart" in sys.argv)))
        print(f"in {time.perf_counter() - begun:.0f} s; {machine()}")

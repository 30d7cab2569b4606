"""What lies between two blocks, and what a second thread brings.

    python -m tests.bench.driver [SPEC ...]

Overhead is the time of a block whose loops are told to do nothing: in one call for many blocks, and in one call a
block. Scaling is the clock of one thread over that of two on the same work, beside a loop of arithmetic on registers,
which is what the machine has to give at that moment; the three take turns.
"""

import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numba
import numpy as np

from kernels.compiler import HEADER_CELLS
from kernels.driver import AT, AXES, CELLS, STEPS
from sweep.columns import wanted
from sweep.execute import WALKED_POINTS, Evaluator, Worker, chunks, each
from sweep.plan import Plan
from sweep.resolve import load

PASSES = 9


@numba.njit(nogil=True, error_model="numpy")
def registers(steps: int) -> float:
    """Arithmetic that touches no memory."""
    a, b, c, d = 1.0, 2.0, 3.0, 4.0
    for _ in range(steps):
        a, b, c, d = a * 0.999 + b, b * 0.999 + c, c * 0.999 + d, d * 0.999 + a
    return a + b + c + d


def clock(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def on_threads(work: Callable[[], Any], threads: int) -> None:
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def overhead(plan: Plan) -> tuple[float, float]:
    """Microseconds a block, in one call for all and in a call each, while the loops have nothing to do."""
    evaluator = Evaluator(plan)
    worker = Worker(evaluator)
    blocks = range(plan.box.blocks)
    worker.count(blocks)
    words = evaluator.program.words
    descriptors = worker.state.words[AT + words[AXES] :].reshape(2 * words[STEPS], words[CELLS])
    assert words[CELLS] >= HEADER_CELLS
    descriptors[:, 0] = 0  # outer indices of every loop
    together = statistics.median(clock(lambda: worker.count(blocks)) for _ in range(PASSES))
    apart = statistics.median(clock(lambda: [worker.visit(block) for block in blocks]) for _ in range(PASSES))
    return together / len(blocks) * 1e6, apart / len(blocks) * 1e6


def scaling(plan: Plan) -> tuple[list[float], list[float]]:
    """How many times as fast two threads are: registers, and evaluating the plan."""
    evaluator = Evaluator(plan)
    repeats = max(1, 1_000_000_000 // plan.points)
    runs = list(chunks(plan, min(WALKED_POINTS, plan.points // 8)))

    def again(worker: Worker, run: range) -> int:
        return sum(worker.count(run) for _ in range(repeats))

    def evaluate(threads: int) -> None:
        for _ in each(evaluator, again, runs, threads):
            pass

    registers(1)
    steps = 40_000_000
    evaluate(1)
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(PASSES):
        one = clock(lambda: registers(2 * steps))
        two = clock(lambda: on_threads(lambda: registers(steps), 2))
        found[0].append(one / two)
        found[1].append(clock(lambda: evaluate(1)) / clock(lambda: evaluate(2)))
    return found


def main(*specs: str) -> None:
    for spec in specs or ("first-look", "frontier-lab"):
        space = replace(load(spec), conditions=())
        plan = Plan(space, wanted(space), patience=0.0)
        together, apart = overhead(plan)
        print(f"{spec}: {plan.points:,} designs in {plan.box.blocks:,} blocks of {plan.box.points:,}")
        print(f"  between blocks: {together:.2f} us in one call for all, {apart:.2f} us in a call each")
        pure, ours = scaling(plan)
        ratio = statistics.median(np.array(ours) / np.array(pure))
        print(
            f"  two threads: registers {statistics.median(pure):.2f} x, evaluating {statistics.median(ours):.2f} x, "
            f"{ratio:.2f} of it"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])

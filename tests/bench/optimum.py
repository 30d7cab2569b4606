"""What the optimum of a design costs beside its loss: nanoseconds of processor time a design, in one run.

    python -m tests.bench.optimum

The space has models and token budgets for axes and nothing else, so that every point has a loss and an optimum of its
own. Evaluated: in blocks, each consumed in cache, where the loss is one addition a design and the hardest thing there
is to be compared with. As a table: every column of every design gathered, as a frame or a file holds it.
"""

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sweep.execute import Evaluator, Worker, chunks, rows
from sweep.plan import Plan
from sweep.resolve import loads
from sweep.space import Space

PASSES = 5
SPEC = """
[axes]
hidden_size = {{ start = 1024, stop = 8192, step = 128 }}
num_layers = {{ start = 8, stop = 80, step = 4 }}
train_tokens = {{ log10 = [10, 13.5], points = 2000 }}
{axes}
[fixed]
{fixed}
"""
CASES = {
    "dense": ("", 'law = "besiroglu_2024"'),
    "mixtures, joint law": ("num_experts = [8, 16]", 'law = "joint_moe"'),
    "mixtures, dense law": ("num_experts = [8, 16]", 'law = "besiroglu_2024"'),
    "repeated tokens": ("", "unique_tokens = 1e12"),
    "fp8 training": ("", 'train_precision = "fp8_training"'),
}
OPTIMUM = ["compute_optimal_params", "compute_optimal_tokens", "compute_optimal_loss_nats", "excess_loss_nats"]
LIFETIME = ["inference_optimal_params", "inference_optimal_tokens", "inference_optimal_lifetime_flops"]


def spent(points: int, work: Callable[[], None]) -> float:
    """Nanoseconds of processor time a point, the median of the passes after a first one that is not counted."""
    work()
    times = []
    for _ in range(PASSES):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times) / points * 1e9


def both(space: Space, columns: list[str]) -> tuple[float, float]:
    """Evaluated in blocks, and as a table."""
    plan = Plan(space, columns, patience=0.0)
    worker = Worker(Evaluator(plan))

    def evaluated() -> None:
        with np.errstate(all="ignore"):
            worker.count(range(plan.box.blocks))

    def gathered() -> None:
        with np.errstate(all="ignore"):
            for run in chunks(plan):
                rows(worker, run, columns)

    return spent(plan.points, evaluated), spent(plan.points, gathered)


def keep_memory() -> None:
    """Let the allocator keep what is freed: else page faults, which come and go with its thresholds, are timed too."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return
    for parameter in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of mallopt(3)
        libc.mallopt(parameter, 1 << 30)


def table() -> list[str]:
    """A line of times and a line of ratios a case."""
    keep_memory()
    lines = [f"{'':22}{'evaluated in blocks':>26}   {'as a table':>26}"]
    lines += [f"{'ns a design':22}{'loss':>8}{'optimum':>9}{'lifetime':>9}   {'loss':>8}{'optimum':>9}{'lifetime':>9}"]
    for name, (axes, fixed) in CASES.items():
        space = replace(loads(SPEC.format(axes=axes, fixed=fixed)), conditions=())
        found = [both(space, columns) for columns in (["loss_nats"], OPTIMUM, LIFETIME)]
        times = [f"{found[0][k]:8.2f}{found[1][k]:9.2f}{found[2][k]:9.2f}" for k in (0, 1)]
        lines.append(f"{name:22}{times[0]}   {times[1]}")
        ratios = [f"{'':8}{found[1][k] / found[0][k]:7.1f} x{found[2][k] / found[0][k]:7.0f} x" for k in (0, 1)]
        lines.append(f"{'':22}{ratios[0]}   {ratios[1]}")
    return lines


if __name__ == "__main__":
    print("\n".join(table()))

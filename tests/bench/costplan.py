"""The whole cost plan of a design, training, serving and money, and the search of its fastest layout.

    python -m tests.bench.costplan

With given degrees every column is evaluated in blocks, each consumed in cache, and as rows with every column gathered;
tables that a plan fills once are timed apart and stated. A search is timed where every design has one of its own,
beside mixtures, whose experts are one more degree. Designs a second of one core, medians of passes in one run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from sweep.execute import Evaluator, Worker, chunks, rows
from sweep.parts import designs_before
from sweep.plan import Plan
from sweep.resolve import loads
from tests.bench.measure import keep_memory, machine, on_one_thread

PASSES = 5
AIM_GIVEN, AIM_BEST = 30e6, 100e3  # designs a second of a core, said beforehand
COLUMNS = (
    *("train_step_s", "mfu", "train_bytes_per_gpu", "train_fits", "train_gpu_hours", "train_days", "train_usd"),
    *("train_kwh", "serve_bytes", "min_gpus_to_serve", "prefill_s", "decode_step_s", "decode_tokens_per_s"),
    *("serve_usd_per_million_tokens", "serve_kwh_per_million_tokens", "lifetime_usd"),
)
GIVEN = """
[axes]
hidden_size = { start = 2048, stop = 16384, step = 1024 }
num_layers = [16, 24, 32, 40, 48, 64, 80, 96]
precision = ["bf16", "fp8_e4m3", "int4_g128"]
gpu = ["a100_sxm_80", "h100_sxm", "h200_sxm", "b200_sxm"]
tensor_parallel = [1, 2, 4, 8]
pipeline_parallel = [1, 2, 4, 8]
micro_batch_size = [1, 2, 4]
num_gpus = [256, 512, 1024, 2048]
train_tokens = { log10 = [11, 13.5], points = 260 }

[fixed]
train_batch_tokens = 16_777_216
inference_tokens = 1e12
"""
BEST = """
[axes]
hidden_size = {{ start = 2048, stop = 16384, step = 64 }}
num_layers = [16, 24, 32, 40, 48, 56, 64, 72, 80, 96]
num_gpus = [64, 128, 256, 512, 768, 1024, 2048, 4096]

[fixed]
num_experts = {experts}
parallelism = "best"
train_batch_tokens = 4_194_304
"""


def spent(work: Callable[[], object], passes: int = PASSES) -> float:
    """Seconds of processor time, the median of passes after one that is not counted."""
    work()
    times = []
    for _ in range(passes):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def given() -> None:
    """The whole plan under given degrees."""
    plan = Plan(loads(GIVEN, "costplan"), list(COLUMNS), patience=0.0)
    tables = spent(lambda: Evaluator(plan), 1)
    worker = Worker(Evaluator(plan))
    runs = list(chunks(plan))
    some = runs[:: max(1, len(runs) // 40)]
    few = sum(designs_before(plan, run.stop) - designs_before(plan, run.start) for run in some)

    def gathered() -> None:
        for run in some:
            rows(worker, run, list(COLUMNS))

    with np.errstate(all="ignore"):
        walk = spent(lambda: worker.count(range(plan.box.blocks)))
        table = spent(gathered)
    whole = plan.points / (walk + tables) / 1e6
    print(f"given degrees, {len(COLUMNS)} columns of {len(plan.values)} values, {plan.points:,} designs:")
    print(
        f"  evaluated in blocks {plan.points / walk / 1e6:8.1f} M designs/s/core; "
        f"with the {tables:.2f} s of tables {whole:.1f} ({verdict(whole * 1e6, AIM_GIVEN)})"
    )
    print(f"  as rows, every column gathered {few / table / 1e6:8.1f} M designs/s/core")


def best() -> None:
    """A search for each design."""
    for what, experts in (("dense", 1), ("64 experts", 64)):
        plan = Plan(loads(BEST.format(experts=experts), "best"), ["train_layout"], patience=0.0)
        evaluator = Evaluator(plan)
        tables = spent(lambda plan=plan: Evaluator(plan), 3)  # type: ignore[misc]
        worker = Worker(evaluator)
        with np.errstate(all="ignore"):
            walk = spent(lambda worker=worker, plan=plan: worker.count(range(plan.box.blocks)))  # type: ignore[misc]
        rate = plan.points / (walk + tables)
        print(
            f"fastest layout, {what}: {plan.points:,} searches, {1e6 / rate:.1f} µs each, "
            f"{rate / 1e3:.0f} k designs/s/core ({verdict(rate, AIM_BEST)})"
        )


def verdict(rate: float, aim: float) -> str:
    """Whether an aim was met."""
    return f"at least {aim / 1e6:g} M was asked: {'met' if rate >= aim else 'MISSED'}"


def main() -> None:
    if on_one_thread("tests.bench.costplan"):
        keep_memory()
        given()
        best()
        print(machine())


if __name__ == "__main__":
    main()

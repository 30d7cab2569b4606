"""What a frontier costs beside other programs: nanoseconds of processor time a row, one thread, in one run.

    python -m tests.bench.pareto [MILLIONS OF SCATTERED ROWS]

Ours three ways: in one go, folded from blocks of rows, folded from blocks of columns. moocore, paretoset and pymoo are
asked where they are installed, and pymoo, which compares every pair, only about few rows. Equal rows are all kept by
everyone. Scattered: uniformly random, nearly all beaten. Sphere and simplex: none beaten. Walk: loss, cost and memory
over a grid of sizes and tokens in order, whose running frontier is far larger than the one at the end. Multiples of
moocore's time are those of all three ways, of the others' the one in one go; an aim is met where all three meet it.
"""

import contextlib
import importlib
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from kernels.nondominated import nondominated
from kernels.pareto import RunningFrontier
from tests.bench.measure import versions

Floats = npt.NDArray[np.float64]
Count = Callable[[Floats], int]
BLOCK = 131_072
PASSES = 3
SLOW = 2.0  # seconds, from which on once is enough
MOST_PAIRWISE_ROWS = 2_000
AIMS = {"scattered, 2": 10.0, "scattered, 3": 10.0, "scattered, 4": 5.0}  # times as fast as moocore
AIM_UNBEATEN = 1.0  # where no row is beaten
LEAST_AIMED = 10_000_000  # rows
MOST_PARETOSET_WORK = 3e9  # rows times rows kept, from which on it takes minutes


def by_rows(rows: Floats) -> int:
    running, ids = RunningFrontier(rows.shape[1]), np.arange(len(rows))
    for first in range(0, len(rows), BLOCK):
        running.fold(rows[first : first + BLOCK], ids[first : first + BLOCK])
    return len(running.ids)


def by_columns(columns: list[Floats]) -> int:
    running, ids = RunningFrontier(len(columns)), np.arange(columns[0].size)
    for first in range(0, len(ids), BLOCK):
        block = [column[first : first + BLOCK] for column in columns]
        running.fold_columns(block, [1.0] * len(columns), ids[first : first + BLOCK])
    return len(running.ids)


def others() -> dict[str, Count]:
    """How to count the frontier with each of the other programs that is installed."""
    found: dict[str, Count] = {}
    with contextlib.suppress(ImportError):
        moocore = importlib.import_module("moocore")
        found["moocore"] = lambda rows: int(moocore.is_nondominated(rows, keep_weakly=True).sum())
    with contextlib.suppress(ImportError):
        paretoset = importlib.import_module("paretoset")
        found["paretoset"] = lambda rows: int(paretoset.paretoset(rows, distinct=False).sum())
    with contextlib.suppress(ImportError):
        sorting = importlib.import_module("pymoo.util.nds.non_dominated_sorting").NonDominatedSorting()
        found["pymoo"] = lambda rows: len(sorting.do(rows, only_non_dominated_front=True))
    return found


def spent(work: Callable[[], int]) -> tuple[float, int]:
    """Seconds of processor time, the median of a few passes, and what was counted."""
    times: list[float] = []
    count = 0
    while len(times) < PASSES and sum(times) < SLOW:
        start = time.process_time()
        count = work()
        times.append(time.process_time() - start)
    return statistics.median(times), count


def scattered(num_rows: int, num_objectives: int) -> Floats:
    return np.random.default_rng(1).random((num_rows, num_objectives))


def sphere(num_rows: int, num_objectives: int) -> Floats:
    rows = np.abs(np.random.default_rng(2).normal(size=(num_rows, num_objectives)))
    beyond: Floats = 1 - rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return beyond


def simplex(num_rows: int, num_objectives: int) -> Floats:
    rows = np.random.default_rng(3).exponential(size=(num_rows, num_objectives))
    share: Floats = rows / rows.sum(axis=1, keepdims=True)
    return share


def walk(num_rows: int, num_objectives: int) -> Floats:
    generator, side = np.random.default_rng(4), int(num_rows**0.5)
    size, tokens = np.geomspace(1e8, 1e12, side)[:, None], np.geomspace(1e9, 1e13, side)[None, :]
    objectives = [406.4 * size**-0.34 + 410.7 * tokens**-0.28, size * tokens, size + 0 * tokens]
    rows = np.stack([values.ravel() for values in objectives[:num_objectives]], axis=1)
    return rows * (1 + 1e-3 * generator.random(rows.shape))


def cases(scattered_rows: int) -> list[tuple[str, Floats]]:
    made = [(f"scattered, {k}", scattered(scattered_rows, k)) for k in (2, 3, 4)]
    for make in (sphere, simplex):
        made += [(f"{make.__name__}, {k}", make(n, k)) for n in (100_000, 1_000_000) for k in (2, 3, 4, 5)]
    made += [("walk, 2", walk(scattered_rows, 2)), ("walk, 3", walk(min(scattered_rows, 1_000_000), 3))]
    return [*made, ("scattered, 3", scattered(MOST_PAIRWISE_ROWS, 3)), ("sphere, 3", sphere(MOST_PAIRWISE_ROWS, 3))]


def aim_of(name: str, num_rows: int, kept: int) -> float | None:
    """How many times as fast as moocore a case is to be; None where nothing was asked for."""
    if kept == num_rows and num_rows > MOST_PAIRWISE_ROWS:
        return AIM_UNBEATEN
    return AIMS.get(name) if num_rows >= LEAST_AIMED else None


def table(scattered_rows: int = 10_000_000) -> list[str]:
    """A line a case: nanoseconds a row of ours and of the others, these also as multiples of ours."""
    ask = others()
    missing = [name for name in ("moocore", "paretoset", "pymoo") if name not in ask]
    lines = [f"not installed: {', '.join(missing)}"] if missing else []
    widths = {name: 22 if name == "moocore" else 8 for name in ask}
    head = f"{'ns a row':13}{'rows':>11}{'kept':>10}{'in one go':>11}{'by rows':>9}{'by columns':>12}"
    lines.append(head + "".join(f"{name:>11}{'/ ours':>{widths[name]}}" for name in ask))
    for k in (2, 3, 4, 5):  # compile first
        by_rows(scattered(50_000, k))
        by_columns(list(scattered(50_000, k).T.copy()))
        nondominated(scattered(50_000, k))
    for name, rows in cases(scattered_rows):
        columns = [np.ascontiguousarray(column) for column in rows.T]
        whole, kept = spent(lambda rows=rows: int(nondominated(rows).sum()))  # type: ignore[misc]
        running = [spent(lambda rows=rows: by_rows(rows)), spent(lambda columns=columns: by_columns(columns))]  # type: ignore[misc]
        assert all(count == kept for _, count in running), f"{name}: {running}, not {kept}"
        ours = [whole, *[seconds for seconds, _ in running]]
        nano = 1e9 / len(rows)
        line = f"{name:13}{len(rows):11,}{kept:10,}{ours[0] * nano:11.1f}{ours[1] * nano:9.1f}{ours[2] * nano:12.1f}"
        verdict = ""
        for other, count_kept in ask.items():
            too_slow = (other == "pymoo" and len(rows) > MOST_PAIRWISE_ROWS) or (
                other == "paretoset" and len(rows) * kept > MOST_PARETOSET_WORK
            )
            if too_slow:
                line += f"{'-':>11}{'':{widths[other]}}"
                continue
            seconds, count = spent(lambda count_kept=count_kept, rows=rows: count_kept(rows))  # type: ignore[misc]
            assert count == kept, f"{name}: {other} keeps {count}, not {kept}"
            aim = aim_of(name, len(rows), kept)
            if other == "moocore" and aim is not None:
                verdict = f"   {'met' if seconds / max(ours) >= aim else 'missed'}: {aim:g} x"
            shown = ours if other == "moocore" else ours[:1]
            ratios = ", ".join(f"{seconds / own:.3g}" for own in shown) + " x"
            line += f"{seconds * nano:11.1f}{ratios:>{widths[other]}}"
        lines.append(line + verdict)
    return [*lines, versions(*ask)] if ask else lines


if __name__ == "__main__":
    print("\n".join(table(int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 10_000_000)))

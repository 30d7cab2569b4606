"""How long the first frontier of first-look takes, with nothing compiled yet and with everything; and a new column.

    python -m tests.bench.start

Each is the command `sweep frontier` in a process of its own, its start included, with compiled loops kept in a folder
that is empty at first. The new column is a metric that a spec adds, with a
condition on it, so that it is evaluated at every design.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.measure import ROOT, Spent, machine

WARM_PASSES = 9
AIM_COLD, AIM_WARM, AIM_COLUMN = 15.0, 2.0, 1.0
METRIC = '[metrics]\nadded_{0} = {{ formula = "train_usd / train_tokens * 1e6 + {0}.0", unit = "USD/token" }}\n'
CONDITION = '\n"added" = "added_{0} > 0.0"\n'


def command(spec: str | Path, cache: Path) -> Spent:
    """The seconds of one frontier."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    run = [sys.executable, "-m", "sweep", "frontier", str(spec), "--rows", "3"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"LLM_SWEEP_CACHE": str(cache), "PYTHONPYCACHEPREFIX": str(cache / "bytecode")}  # Python's own habit
    subprocess.run(run, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime, wall)


def line(name: str, spent: Spent, aim: float) -> str:
    """With what was aimed at, by the clock."""
    verdict = "met" if spent.wall <= aim else "met by the processor alone" if spent.cpu <= aim else "missed"
    return f"{name:46}{spent.wall:7.2f} s by the clock{spent.cpu:7.2f} s of processor   {verdict}: {aim:g} s"


def more(a: Spent, b: Spent) -> Spent:
    """What b takes more than a."""
    return Spent(b.cpu - a.cpu, b.wall - a.wall)


def table() -> list[str]:
    """A line each for cold, warm, a new column, and that column again."""
    text = (ROOT / "data" / "specs" / "first-look.toml").read_text()
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        cold = command("first-look", cache)
        warm, first, again = [], [], []
        for k in range(WARM_PASSES):
            warm.append(command("first-look", cache))
            spec = Path(folder) / f"added-{k}.toml"
            added = text.replace("\n[where]\n", "\n" + METRIC.format(k + 1) + "\n[where]" + CONDITION.format(k + 1))
            assert added != text
            spec.write_text(added)
            first.append(command(spec, cache))
            again.append(command(spec, cache))
    usual = Spent(statistics.median(w.cpu for w in warm), statistics.median(w.wall for w in warm))

    def middle(others: list[Spent]) -> Spent:
        extra = [more(a, b) for a, b in zip(warm, others, strict=True)]
        return Spent(statistics.median(e.cpu for e in extra), statistics.median(e.wall for e in extra))

    return [
        line("first frontier of first-look, nothing compiled", cold, AIM_COLD),
        line("the same again", usual, AIM_WARM),
        line("a column more: beyond that", middle(first), AIM_COLUMN),
        line("that column again: beyond that", middle(again), 0.1),
        machine(),
    ]


if __name__ == "__main__":
    print("\n".join(table()))

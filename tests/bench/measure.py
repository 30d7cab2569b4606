"""Clocks for all benchmarks: works that take turns, medians of passes, processor seconds beside the clock's."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PASSES = 5
ONE_THREAD = dict.fromkeys(
    ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
ONE_THREAD["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
ONE_THREAD["JAX_PLATFORMS"] = "cpu"


@dataclass(frozen=True)
class Spent:
    """Seconds of processor time of all threads, and by the clock: one pass, or medians of several."""

    cpu: float
    wall: float


def once(work: Callable[[], Any]) -> Spent:
    """What a work takes."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Spent(time.process_time() - cpu, time.perf_counter() - wall)


def in_turns(works: Mapping[str, Callable[[], Any]], passes: int = PASSES) -> dict[str, list[Spent]]:
    """The passes of all works, which take turns, after a first pass that is not counted.

    The k-th passes of all stand beside each other, so that what a busy machine does to one it does to the others.
    """
    found: dict[str, list[Spent]] = {name: [] for name in works}
    for k in range(passes + 1):
        for name, work in works.items():
            spent = once(work)
            if k:
                found[name].append(spent)
    return found


def median(passes: list[Spent]) -> Spent:
    """The medians of the passes."""
    return Spent(statistics.median(p.cpu for p in passes), statistics.median(p.wall for p in passes))


def rate(points: int, work: Callable[[], Any], passes: int = PASSES) -> float:
    """Million designs a second of processor time, the median of the passes after a first that is not counted."""
    return points / median(in_turns({"": work}, passes)[""]).cpu / 1e6


def most_memory() -> int:
    """The most bytes that this process has held.

    Where Linux says so by itself: ru_maxrss also holds what the process had that started this one.
    """
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        found = None
    kilobytes = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * kilobytes


def keep_memory() -> None:
    """Let the allocator keep what is freed: else page faults, which come and go with its thresholds, are timed too."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return
    for parameter in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of mallopt(3)
        libc.mallopt(parameter, 1 << 30)


def installed(module: str) -> Any:
    """The module, or None where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def machine() -> str:
    """The processor and its widest registers: what fills them is the quicker the wider they are, other code is not."""
    try:
        told = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    except OSError:  # another system
        return platform.processor() or "a processor unknown"
    told = {name.strip(): value.strip() for name, value in told.items()}
    flags = told.get("flags", "").split()
    bits = next((f", {bits}-bit registers" for flag, bits in (("avx512f", 512), ("avx2", 256)) if flag in flags), "")
    return f"{told.get('model name', 'a processor unknown')} of family {told.get('cpu family', '?')}{bits}"


def versions(*packages: str) -> str:
    """Those of the packages that are installed, with their versions, and the machine, in one line."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return f"{', '.join(found)}; {machine()}"


def on_one_thread(module: str) -> bool:
    """Whether this process holds libraries to one thread; if not, the module is run again in a process that does."""
    if all(os.environ.get(name) == value for name, value in ONE_THREAD.items()):
        return True
    command = [sys.executable, "-m", module, *sys.argv[1:]]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **ONE_THREAD})
    if done.returncode:
        sys.exit(done.returncode)
    return False

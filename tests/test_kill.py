"""kill -9 at any moment, the same command again, and in the end the same bytes."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sweep.resolve import loads
from sweep.run import write

ROOT = Path(__file__).resolve().parent.parent
SPEC = """
name = "killed"
columns = ["loss_nats", "weight_bytes"]

[axes]
hidden_size = { start = 1024, stop = 8192, step = 128 }
num_layers = [16, 24, 32, 48]
num_experts = [1, 8, 64]
precision = ["bf16", "fp8_e4m3", "int4_g128"]
train_tokens = { log10 = [10, 13.5], points = 300 }
gpu = ["h100_sxm", "b200_sxm", "mi300x"]

[where]
"weights fit" = "weight_bytes < 640e9"
"""
PART_ROWS = 10_000
# the third argument: the process ends itself, as kill -9 does, at its n-th call that puts something on disk
RUN = f"""
import os, signal, sys
from sweep import resolve
from sweep.run import write
left = int(sys.argv[3])
def counted(call):
    def counting(*arguments):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)
    return counting
os.fsync, os.replace = counted(os.fsync), counted(os.replace)
write(resolve.loads(sys.argv[1]), sys.argv[2], part_rows={PART_ROWS})
"""
CALLS_PER_FILE = 3  # fsync of the file, replace, fsync of its folder


@pytest.fixture(scope="module", autouse=True)
def _bytecode_is_kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """From one process to the next: most of their time goes into starting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


def start(folder: Path, calls: int = 0) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", RUN, SPEC, str(folder), str(calls)], cwd=ROOT)


def contents(folder: Path) -> dict[str, str]:
    """sha256 of every file of a folder, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def wait_for(path: Path, process: "subprocess.Popen[bytes]") -> None:
    while not path.exists() and process.poll() is None:
        time.sleep(0.001)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    write(loads(SPEC), folder, part_rows=PART_ROWS)
    return folder


def killed_and_continued(folder: Path, kills: int, chance: random.Random) -> list[Path]:
    """The runs that came of so many kills, all gone on with to their ends.

    A kill comes a moment after the start or after one of the next parts, so they are spread over a whole run.
    """
    runs = [folder / "0"]
    while True:
        there = len(list(runs[-1].glob("parts/part-*.parquet")))
        ahead = chance.randrange(-1, 4)
        awaited = runs[-1] / (f"parts/part-{there + ahead:05d}.parquet" if ahead >= 0 else ".lock")
        with start(runs[-1]) as process:
            if kills:
                wait_for(awaited, process)
                time.sleep(chance.uniform(0, 0.5 if ahead < 0 else 0.05))
                process.kill()
            code = process.wait()
        assert code in (0, -signal.SIGKILL)
        if code:
            kills -= 1
        elif kills:
            runs.append(folder / str(len(runs)))
        else:
            return runs


@pytest.mark.parametrize(("kills", "names"), [(2, "a"), pytest.param(20, "ab", marks=pytest.mark.slow)])
def test_killed_at_random_moments(kills: int, names: str, undisturbed: Path, tmp_path: Path) -> None:
    """So many times in each of the runs side by side."""
    expected = contents(undisturbed)
    for name in names:
        (tmp_path / name).mkdir()
    with ThreadPoolExecutor(len(names)) as pool:
        work = [pool.submit(killed_and_continued, tmp_path / n, kills, random.Random(n)) for n in names]
        runs = [run for future in work for run in future.result()]
    assert [run for run in runs if contents(run) != expected] == []


def test_killed_at_every_kind_of_step(undisturbed: Path, tmp_path: Path) -> None:
    """Before and after each of the calls that put manifest, spec, SQL, parts and the final manifest on disk."""
    expected = contents(undisturbed)
    parts = sum(name.startswith("parts/") for name in expected)
    assert parts > 5
    first_part = 3 * CALLS_PER_FILE + 2  # after three files and the folder of parts
    last = first_part + parts * CALLS_PER_FILE
    steps = [1, 3, 7, *range(first_part, first_part + 3), last, last + 2]
    waiting = [(step, tmp_path / f"run{step}") for step in steps]
    while waiting:
        batch, waiting = waiting[:2], waiting[2:]
        processes = [start(folder, step) for step, folder in batch]
        assert [process.wait(60) for process in processes] == [-signal.SIGKILL] * len(batch), batch
        for step, folder in batch:
            write(loads(SPEC), folder, part_rows=PART_ROWS)
            assert contents(folder) == expected, step


def test_killed_while_the_scratch_file_is_half_written(undisturbed: Path, tmp_path: Path) -> None:
    """What a kill leaves of a part is not taken for one, and goes."""
    folder = tmp_path / "run"
    with start(folder, 3 * CALLS_PER_FILE + 2 + 2 * CALLS_PER_FILE) as process:
        assert process.wait(60) == -signal.SIGKILL
    scratch = [path for path in (folder / "parts").iterdir() if path.name.endswith(".tmp")]
    assert [path.name for path in scratch] == [".part-00002.parquet.tmp"]
    os.truncate(scratch[0], scratch[0].stat().st_size // 2)
    write(loads(SPEC), folder, part_rows=PART_ROWS)
    assert contents(folder) == contents(undisturbed)

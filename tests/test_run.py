"""Runs: written whole, gone on with, refused, the same bytes however they came about."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sweep import catalogue, manifest, parts, progress, resolve, run
from sweep.columns import declare, frame, wanted
from sweep.database import Database, QueryError, run_frontier
from sweep.dryrun import dry_run
from sweep.errors import RunError
from sweep.execute import Evaluator, Rows, Worker, rows
from sweep.lock import Lock
from sweep.manifest import columns_of, read_manifest
from sweep.plan import Plan
from sweep.run import Finished, write
from sweep.space import Space
from tests.small import SPEC

ROOT = Path(__file__).resolve().parent.parent
SMALL = 10_000  # rows a part: a part a block of this space


@pytest.fixture(scope="module")
def space() -> Space:
    return resolve.loads(SPEC)


@pytest.fixture(scope="module")
def undisturbed(space: Space, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    write(space, folder, threads=1, part_rows=SMALL)
    return folder


def contents(folder: Path) -> dict[str, str]:
    """sha256 of every file of a folder, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_run_holds_the_rows_of_the_space_in_the_order_of_the_walk(space: Space, undisturbed: Path) -> None:
    plan = Plan(space, wanted(space))
    expected = frame(
        declare(space, plan.columns), space, rows(Worker(Evaluator(plan)), range(plan.box.blocks), plan.columns)
    )
    found = pl.concat([pl.read_parquet(path) for path in sorted((undisturbed / "parts").iterdir())])
    assert found.equals(expected)
    assert 0 < found.height < space.size


def test_the_manifest_says_what_was_run(space: Space, undisturbed: Path) -> None:
    held = read_manifest(undisturbed)
    said = json.loads((undisturbed / "manifest.json").read_text())
    assert held.complete
    assert held.name == "small"
    assert (undisturbed / "spec.toml").read_text() == SPEC
    assert said["spec_sha256"] == hashlib.sha256(SPEC.encode()).hexdigest()
    assert said["chosen"]["law"] == "besiroglu_2024"
    assert said["defaults"]["vocab_size"] == "128256"
    assert said["fixed"]["law_params_counted"] in ("total", "non_embedding")
    assert said["digests"]["data"] == catalogue.digest()
    assert said["versions"]["polars"] == pl.__version__
    assert [column.name for column in columns_of(held)] == list(
        pl.read_parquet_schema(undisturbed / "parts" / held.parts[0].name)
    )
    assert columns_of(held) == declare(space, wanted(space))
    assert [c["label"] for c in said["conditions"]] == ["fits on a node", "wide enough for its depth"]
    assert said["axes"][1]["labels"] == [16, 24, 32, 48]


def test_the_manifest_lists_every_part(undisturbed: Path) -> None:
    held = read_manifest(undisturbed)
    files = contents(undisturbed / "parts")
    assert len(held.parts) > 3
    assert {part.name: part.sha256 for part in held.parts} == files
    assert all((undisturbed / "parts" / p.name).stat().st_size == p.bytes for p in held.parts)
    assert [p.first_block for p in held.parts[1:]] == [p.end_block for p in held.parts[:-1]]
    assert held.rows == sum(pl.read_parquet(undisturbed / "parts" / p.name).height for p in held.parts)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (np.repeat(np.arange(100.0), 1000), "lz4"),
        (np.tile(np.random.default_rng(1).random(2000), 50), "lz4"),
        (np.tile(np.random.default_rng(1).random(20_000), 5), "zstd"),  # repeats after 160 kB
        (np.random.default_rng(1).random(100_000), "none"),
        (np.empty(0), "zstd"),
    ],
)
def test_numbers_are_compressed_by_what_a_page_of_them_tells(cells: np.ndarray, expected: str) -> None:
    long = Rows(np.arange(len(cells)), {"x": cells})
    few = Rows(np.arange(10), {"x": np.arange(10.0)})
    assert parts.compression([few, long] if len(cells) else [long], "x", 1) == expected


def test_columns_that_hardly_compress_are_stored_bare(undisturbed: Path) -> None:
    codec = pa.Codec("lz4_raw")
    found = set()
    for path in sorted((undisturbed / "parts").iterdir()):
        file = pq.ParquetFile(path)
        for place, name in enumerate(file.schema_arrow.names):
            stored = file.metadata.row_group(0).column(place).compression
            values = file.read_row_group(0, [name]).column(0)
            if name in ("lifetime_usd", "loss_nats"):
                cells = np.ascontiguousarray(values.to_numpy())
                saved = 1 - codec.compress(pa.py_buffer(cells)).size / cells.nbytes
                assert abs(saved - parts.WORTH["lz4"]) > 0.02, name  # a sample might say either
                assert stored == ("LZ4" if saved > parts.WORTH["lz4"] else "UNCOMPRESSED"), name
                found.add(stored)
            elif values.type not in (pa.float64(), pa.int64()):
                assert stored == "ZSTD", name
    assert found == {"LZ4", "UNCOMPRESSED"}


def test_the_bytes_do_not_depend_on_threads(space: Space, undisturbed: Path, tmp_path: Path) -> None:
    write(space, tmp_path / "run", threads=5, part_rows=SMALL)
    assert contents(tmp_path / "run") == contents(undisturbed)


def test_the_bytes_do_not_depend_on_threads_of_polars(undisturbed: Path, tmp_path: Path) -> None:
    with child(tmp_path / "run", POLARS_MAX_THREADS="1") as process:
        assert process.wait(60) == 0
    assert contents(tmp_path / "run") == contents(undisturbed)


def test_a_complete_run_is_left_as_it_is(space: Space, tmp_path: Path) -> None:
    first = write(space, tmp_path / "run", part_rows=SMALL)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    again = write(space, tmp_path / "run", part_rows=SMALL)
    assert again == replace(first, designs_evaluated=0, resumed_from_part=first.parts, already_complete=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


def missing(path: Path) -> None:
    path.unlink()


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(path)


DAMAGES = [(damage, number) for damage in (missing, shortened, flipped, emptied, foreign) for number in (0, 2, -1)]
QUICKLY = {(missing, 0), (flipped, 0), (missing, 2), (shortened, 2), (emptied, -1), (foreign, -1)}


@pytest.mark.parametrize(
    ("damage", "number"),
    [pytest.param(*how, marks=[] if how in QUICKLY else pytest.mark.slow, id=f"{how[0].__name__}{how[1]}")
     for how in DAMAGES],
)  # fmt: skip
def test_a_damaged_part_is_written_anew(
    space: Space, undisturbed: Path, tmp_path: Path, damage: Callable[[Path], None], number: int
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    held = read_manifest(folder)
    (folder / "manifest.json").write_text(replace(held, complete=False, parts=()).text())
    (folder / "parts" / ".part-00007.parquet.tmp").write_bytes(b"PAR1")
    (folder / "parts" / "notes.txt").write_text("not ours")
    damage(folder / "parts" / held.parts[number].name)
    finished = write(space, folder, part_rows=SMALL)
    (folder / "parts" / "notes.txt").unlink()
    assert contents(folder) == contents(undisturbed)
    assert finished.resumed_from_part == number % len(held.parts)
    assert 0 < finished.designs_evaluated <= space.size


def test_a_complete_run_that_lost_a_part_is_mended(space: Space, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed, tmp_path / "run")
    (tmp_path / "run" / "parts" / "part-00001.parquet").unlink()
    assert not write(space, tmp_path / "run", part_rows=SMALL).already_complete
    assert contents(tmp_path / "run") == contents(undisturbed)


def test_all_parts_but_no_final_manifest_evaluates_nothing(space: Space, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed, tmp_path / "run")
    held = read_manifest(tmp_path / "run")
    (tmp_path / "run" / "manifest.json").write_text(replace(held, complete=False, parts=()).text())
    assert write(space, tmp_path / "run", part_rows=SMALL).designs_evaluated == 0
    assert contents(tmp_path / "run") == contents(undisturbed)


def test_a_part_of_another_run_is_not_taken_over(space: Space, undisturbed: Path, tmp_path: Path) -> None:
    other = resolve.loads(SPEC.replace("8.0", "9.0").replace("<= 8", "<= 7"))
    write(other, tmp_path / "other", part_rows=SMALL)
    folder = tmp_path / "run"
    write(space, folder, part_rows=SMALL)
    (folder / "manifest.json").write_text(replace(read_manifest(folder), complete=False, parts=()).text())
    (folder / "parts/part-00001.parquet").write_bytes((tmp_path / "other/parts/part-00001.parquet").read_bytes())
    assert write(space, folder, part_rows=SMALL).resumed_from_part == 1
    assert contents(folder) == contents(undisturbed)


def test_rows_of_a_run_are_those_that_were_written_or_an_error(undisturbed: Path, tmp_path: Path) -> None:
    """A file more changes nothing; a part less, shorter or different is named, and how to have it again."""
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    with Database.open_run(folder) as database:
        expected = database.query("select count(*), min(loss_nats) from designs").pl().rows()
    parts = sorted((folder / "parts").glob("*.parquet"))
    assert len(parts) > 3
    stray = folder / "parts" / "part-00900.parquet"
    stray.write_bytes(parts[0].read_bytes())
    with Database.open_run(folder) as database:
        assert database.query("select count(*), min(loss_nats) from designs").pl().rows() == expected
    stray.unlink()
    again = f"sweep run {folder / 'spec.toml'} -o {folder} writes it again"
    content = parts[1].read_bytes()
    for damaged, message in (
        (None, f"{parts[1]}: is missing; {again}"),
        (content[:-7], f"{parts[1]}: has {len(content) - 7:,} bytes and was written with {len(content):,}; {again}"),
        (bytes(len(content)), f"{parts[1]}: is not what was written, and cannot be read"),
        (content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :], "is not what was written"),
    ):
        parts[1].unlink()
        if damaged is not None:
            parts[1].write_bytes(damaged)
        with pytest.raises(RunError) as caught, Database.open_run(folder) as database:
            database.query("from designs order by loss_nats").pl()
        assert message in str(caught.value)
        assert str(caught.value).endswith(again)
        with pytest.raises(RunError) as caught:
            run_frontier(folder, ["loss_nats", "lifetime_usd"])
        assert message in str(caught.value)
        parts[1].write_bytes(content)
    with Database.open_run(folder) as database:
        assert database.query("select count(*), min(loss_nats) from designs").pl().rows() == expected
        with pytest.raises(QueryError, match="Could not convert"):  # not a matter of its parts
            database.query("select cast(gpu as double) from designs").pl()


def refusal(space: Space, folder: Path) -> str:
    with pytest.raises(RunError) as caught:
        write(space, folder, part_rows=SMALL)
    return str(caught.value)


@pytest.fixture
def complete(space: Space, tmp_path: Path) -> Path:
    write(space, tmp_path / "run", part_rows=SMALL)
    return tmp_path / "run"


def test_another_spec_is_refused(complete: Path) -> None:
    before = contents(complete)
    message = refusal(resolve.loads(SPEC.replace("16, 24, 32", "16, 24, 40")), complete)
    assert "the spec is not the one this run was started with" in message
    assert "name another folder" in message
    assert contents(complete) == before


def test_other_kernels_data_and_versions_are_refused(
    space: Space, complete: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(complete)
    with monkeypatch.context() as patch:
        patch.setattr(manifest, "source_digest", lambda: "0" * 64)
        assert "the kernels changed" in refusal(space, complete)
    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "digest", lambda: "0" * 64)
        assert "the data files changed" in refusal(space, complete)
    with monkeypatch.context() as patch:
        patch.setattr("importlib.metadata.version", lambda package: "0.1")
        assert f"polars was {pl.__version__} and is 0.1" in refusal(space, complete)
    assert contents(complete) == before


def test_the_same_spec_with_another_meaning_is_refused(space: Space, complete: Path) -> None:
    fixed = {**space.fixed, "context_tokens": 4096}
    assert "comes to something else: fixed" in refusal(replace(space, fixed=fixed), complete)


def test_a_folder_of_somebody_else_is_refused(space: Space, tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text("mine")
    assert "holds spec.toml and is not a run" in refusal(space, tmp_path)
    assert contents(tmp_path).keys() == {"spec.toml"}


def test_a_manifest_of_somebody_else_is_refused(space: Space, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "an extension"}')
    assert "was not written by sweep run" in refusal(space, tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    assert "cannot be read" in refusal(space, tmp_path)


def test_an_edited_manifest_is_refused(space: Space, complete: Path) -> None:
    path = complete / "manifest.json"
    path.write_text(path.read_text().replace('"context_tokens": 8192', '"context_tokens": 4096'))
    assert "was edited" in refusal(space, complete)


def test_a_file_instead_of_a_folder_is_refused(space: Space, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file" in refusal(space, tmp_path / "file")
    assert "a file stands where a folder is needed" in refusal(space, tmp_path / "file" / "run")


def test_there_is_no_run_to_read(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        read_manifest(tmp_path)


HOLD = """
import sys
from pathlib import Path
from sweep.lock import Lock
with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_and_told_who_is_first(space: Space, undisturbed: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert f"process {holder.pid} is writing this run" in refusal(space, tmp_path / "run")
        assert contents(tmp_path / "run").keys() == {".lock"}
        holder.kill()
    write(space, tmp_path / "run", part_rows=SMALL)  # the lock of a killed process is free
    assert contents(tmp_path / "run") == contents(undisturbed)


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ours"), Lock(tmp_path):
        raise ValueError("ours")
    with Lock(tmp_path), pytest.raises(RunError, match=f"process {os.getpid()} "), Lock(tmp_path):
        pass
    assert (tmp_path / ".lock").read_bytes() == b""


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "no space left on the device; 2 parts are complete; make room and the same command continues"),
        (
            errno.EROFS,
            "the file system is read-only; 2 parts are complete; once that is put right, the same command continues",
        ),
    ],
)
def test_a_disk_that_refuses(
    space: Space, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    fsync, calls = os.fsync, iter(range(10_000))

    def full(descriptor: int) -> None:
        """After three files, a folder, and two parts: each takes one call for itself and one for its folder."""
        if next(calls) >= 2 * 3 + 1 + 2 * 2:
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert refusal(space, tmp_path / "run") == f"{tmp_path / 'run'}: {reason}"
    assert sorted(contents(tmp_path / "run" / "parts")) == ["part-00000.parquet", "part-00001.parquet"]
    assert write(space, tmp_path / "run", part_rows=SMALL).resumed_from_part == 2
    assert contents(tmp_path / "run") == contents(undisturbed)


LIMITED = """
import resource, signal, sys
from pathlib import Path
from sweep import resolve
from sweep.errors import RunError
from sweep.run import write
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
try:
    write(resolve.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
except RunError as error:
    sys.exit(str(error))
"""


def test_a_file_that_may_not_grow(space: Space, tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(SPEC)
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "spec.toml"), str(tmp_path / "run")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "a file would be larger than is allowed here; no part is complete yet" in result.stderr
    assert contents(tmp_path / "run" / "parts") == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder(space: Space, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert "no permission to write; no part is complete yet" in refusal(space, tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_cannot_be_made(space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*arguments: Any, **named: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    assert "no permission to write; no part is complete yet" in refusal(space, tmp_path / "run")


CHILD = """
import sys
from sweep import resolve
from sweep.run import write
try:
    write(resolve.loads(sys.argv[1]), sys.argv[2], part_rows=int(sys.argv[3]))
except KeyboardInterrupt as stopped:
    print(stopped)
    sys.exit(130)
"""


def child(folder: Path, spec: str = SPEC, **environment: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CHILD, spec, str(folder), str(SMALL)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, text=True, stdout=subprocess.PIPE)


LARGE = SPEC.replace("step = 512", "step = 64").replace("points = 400", "points = 2000")


def test_ctrl_c_stops_within_a_second_and_leaves_complete_parts(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with child(folder, LARGE) as process:
        while not (folder / "parts" / "part-00002.parquet").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        said, _ = process.communicate(timeout=30)
    assert time.monotonic() - began < 1.5  # a second, and what a busy machine adds
    assert process.returncode == 130
    done = sorted(path.name for path in (folder / "parts").iterdir())
    assert done == [f"part-{k:05d}.parquet" for k in range(len(done))]
    assert f"stopped; {len(done)} parts are complete, the same command continues" in said
    assert (folder / ".lock").read_bytes() == b""
    assert not read_manifest(folder).complete


def test_almost_nothing_kept_still_leaves_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_POINTS", 1 << 17)
    space = resolve.loads(SPEC + '"hardly any" = "loss_nats < 1.9 and min_gpus_to_serve <= 1"\n')
    finished = write(space, tmp_path / "run")
    assert finished.rows == sum(pl.read_parquet(p).height for p in (tmp_path / "run" / "parts").iterdir())
    assert finished.parts == len(read_manifest(tmp_path / "run").parts) >= 1


def test_nothing_kept_is_a_table_without_rows(tmp_path: Path) -> None:
    space = resolve.loads(SPEC + '"none" = "loss_nats < 0"\n')
    finished = write(space, tmp_path / "run")
    assert (finished.rows, finished.parts) == (0, 1)
    held = pl.read_parquet(tmp_path / "run" / "parts" / "part-00000.parquet")
    assert held.columns == [column.name for column in columns_of(read_manifest(tmp_path / "run"))]


def test_an_axis_without_values_is_a_table_without_rows(space: Space, tmp_path: Path) -> None:
    none = replace(space, axes=(space.axes[0].take(space.axes[0].kept[:0]), *space.axes[1:]))
    assert write(none, tmp_path / "run") == Finished(
        tmp_path / "run", 0, 0, 1, (tmp_path / "run" / "parts" / "part-00000.parquet").stat().st_size, 0, False
    )
    assert write(none, tmp_path / "run").already_complete
    assert dry_run(none).rows == 0


def test_a_single_design(tmp_path: Path) -> None:
    one = resolve.loads('name = "one"\n[axes]\nhidden_size = [4096]\n')
    assert write(one, tmp_path / "run").rows == 1
    assert dry_run(one).designs == 1


def test_progress_counts_to_the_end(space: Space, tmp_path: Path) -> None:
    seen: list[progress.Progress] = []
    finished = write(space, tmp_path / "run", progress=seen.append, part_rows=SMALL)
    assert seen[0].designs == 0
    assert seen[-1].designs == seen[-1].designs_total == Plan(space, ()).points
    assert seen[-1].rows == finished.rows
    assert seen == sorted(seen, key=lambda at: (at.blocks, at.rows, at.parts))


def test_a_trillion_designs_take_no_list_of_chunks() -> None:
    """A trillion designs are cut into chunks one at a time: the first is there at once."""
    space = resolve.loads(
        'name = "trillion"\n[axes]\ntrain_tokens = { log10 = [9, 14], points = 100000 }\n'
        "inference_tokens = { log10 = [9, 14], points = 100000 }\n"
        "hidden_size = { start = 128, stop = 12800, step = 128 }\n"
    )
    _, _, layout = run.prepare(space)
    chunks = layout.chunks(0, 10**9)
    assert isinstance(chunks, Iterator)
    assert next(chunks).start == 0


MEASURED = r"""
import re, sys
from pathlib import Path
from sweep import resolve
from sweep.execute import Evaluator
from sweep.run import memory_bound, prepare, write
space = resolve.loads(sys.argv[1])
write(space, sys.argv[2], threads=2)
plan, columns, layout = prepare(space)
peak = int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(peak, memory_bound(Evaluator(plan), len(columns), layout, 2))
"""  # not ru_maxrss, which counts what whoever started the process held


@pytest.mark.slow
def test_memory_stays_below_its_bound_over_100_million_designs(tmp_path: Path) -> None:
    """Every row is kept: 2 GB of Parquet."""
    spec = (
        'name = "100 million"\n[axes]\nhidden_size = { start = 1024, stop = 8192, step = 64 }\n'
        "num_layers = { start = 10, stop = 57, step = 1 }\nnum_experts = [1, 8, 16, 32, 64]\n"
        'precision = ["bf16", "fp8_e4m3", "int4_g128"]\ngpu = ["h100_sxm", "b200_sxm", "mi300x"]\n'
        "train_tokens = { log10 = [10, 13.5], points = 410 }\n"
    )
    command = [sys.executable, "-c", MEASURED, spec, str(tmp_path / "run")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    peak, bound = map(int, result.stdout.split())
    assert read_manifest(tmp_path / "run").rows > 100_000_000
    assert peak < bound

"""A run: the rows of a space in Parquet parts, with a manifest and the SQL to open them.

    manifest.json   what was run, and once it is complete, its parts
    spec.toml       the spec as given
    open.sql        `duckdb -init open.sql` in the folder
    parts/          part-00000.parquet and on

The rows come in the order of the walk, whatever the number of threads, and parts are cut by counting rows and blocks,
so a run that was killed at any moment goes on behind its last part and ends equal, in every byte, to one that was not.

Memory stays below ``memory_bound``, however many designs there are:

    BASE_BYTES + workspaces + (3 threads + 3) chunk + 4 (part + chunk)

chunk and part being the bytes of their rows at 8 a cell (at most CHUNK_BYTES, or one block where its rows are wider,
and PART_BYTES): a thread holds a chunk three times while it turns it into a frame, as many finished ones and two more
wait their turn, one part gathers while one is encoded, which takes a copy and the encoded bytes.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, cast

from sweep import opensql
from sweep.columns import Column, declare, frame, schema, wanted
from sweep.errors import RunError
from sweep.execute import Evaluator, Worker, cores, each, rows
from sweep.lock import LOCK_NAME, Lock
from sweep.manifest import MANIFEST_NAME, Manifest, Part, changes, describe, read_manifest
from sweep.parts import PART_ROWS, Layout, designs_before, encode, footer_of, kept, publish, sweep_out, sync_folder
from sweep.plan import Plan
from sweep.progress import Progress, Report
from sweep.space import Space

if TYPE_CHECKING:
    from collections.abc import Generator

    import polars as pl

BASE_BYTES = 384 << 20  # Python, its libraries, compiled kernels, and what allocators keep back

_GOES_ON = "the same command continues"
_REASONS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would be larger than is allowed here",
    errno.EACCES: "no permission to write",
    errno.EPERM: "no permission to write",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EEXIST: "a file stands where a folder is needed",
    errno.EIO: "the device reports an error",
}


@dataclass(frozen=True)
class Finished:
    """A complete run. designs_evaluated counts what this call walked, rows, parts and bytes (of parts) all there is."""

    folder: Path
    designs_evaluated: int
    rows: int
    parts: int
    bytes: int
    resumed_from_part: int  # the first part this call wrote: 0 for a new run
    already_complete: bool


@dataclass(frozen=True)
class _Job:
    """What is to be written: everything that is known before the first design is evaluated."""

    space: Space
    plan: Plan
    names: tuple[str, ...]
    columns: list[Column]
    layout: Layout
    manifest: Manifest


def write(
    space: Space,
    folder: str | Path,
    *,
    threads: int | None = None,
    progress: Report | None = None,
    part_rows: int = PART_ROWS,
) -> Finished:
    """Evaluate a space into a run folder, or go on with the run that is there.

    RunError when the folder is another run's or somebody else's, when another process writes it, and when the disk
    refuses: what was complete stays. On Ctrl-C likewise, the KeyboardInterrupt says so.
    """
    folder = Path(folder)
    job = _job(space, part_rows)
    done: list[Part] = []
    with _in_plain_words(folder):
        finished = _finished(folder, job.manifest)
        if finished is not None:
            return finished
        folder.mkdir(parents=True, exist_ok=True)
        with Lock(folder) as lock:
            finished = _finished(folder, job.manifest)  # by the process that held the lock until now
            if finished is not None:
                return finished
            _open(folder, job)
            done += kept(folder / "parts", job.layout, job.manifest.identity, threads or cores())
            sweep_out(folder / "parts", done)
            start = len(done)
            evaluated = _Writer(folder / "parts", job, done).write_rest(threads or cores(), progress)
            lock.clear()
            publish(folder / MANIFEST_NAME, replace(job.manifest, complete=True, parts=tuple(done)).text().encode())
    return Finished(folder, evaluated, *_totals(done), start, False)


def memory_bound(evaluator: Evaluator, columns: int, layout: Layout, threads: int) -> int:
    """Bytes that writing a run stays below; see the head of this file."""
    row_bytes = 8 * columns
    points = evaluator.box.points
    chunk = min(layout.chunk_blocks * points, evaluator.plan.points) * row_bytes
    part = min(layout.part_rows, evaluator.plan.points) * row_bytes
    workspaces = threads * 8 * (evaluator.cells + points) + 4 * points * columns
    return BASE_BYTES + workspaces + (3 * threads + 3) * chunk + 4 * (part + chunk)


def prepare(space: Space, part_rows: int = PART_ROWS) -> tuple[Plan, list[Column], Layout]:
    """How a space would be written: the plan, the columns of its rows, and how these are cut into parts."""
    plan = Plan(space, wanted(space))
    columns = declare(space, plan.columns)
    return plan, columns, Layout.of(plan, len(columns), part_rows)


def frames(
    columns: list[Column], space: Space, names: tuple[str, ...]
) -> Callable[[Worker, range], tuple[int, pl.DataFrame]]:
    """What a thread does with a run of blocks: the block behind its last, and its rows."""

    def work(worker: Worker, blocks: range) -> tuple[int, pl.DataFrame]:
        return blocks.stop, frame(columns, space, rows(worker, blocks, names))

    return work


class _Writer:
    """The parts of one run: those that are done, the one that is encoded in the background, the one that gathers."""

    def __init__(self, folder: Path, job: _Job, done: list[Part]) -> None:
        self.folder = folder
        self.job = job
        self.done = done
        self._stop = Event()
        self._encoder = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None
        self._cut = len(done)  # parts handed to the encoder

    def write_rest(self, threads: int, progress: Report | None) -> int:
        """Write the parts that are missing; how many designs had to be visited for them."""
        blocks = self.job.plan.box.blocks
        first = self.done[-1].end_block if self.done else 0
        if self.done and first == blocks:
            return 0
        try:
            if blocks:
                self._walk(first, threads, progress)
            else:  # an axis without values: no rows, but a table with its columns all the same
                self._hand_over([], 0, 0)
            self._collect()
        except BaseException:
            self._stop.set()
            self._encoder.shutdown(wait=True)
            raise
        self._encoder.shutdown()
        return designs_before(self.job.plan, blocks) - designs_before(self.job.plan, first)

    def _walk(self, first: int, threads: int, progress: Report | None) -> None:
        job, layout, blocks = self.job, self.job.layout, self.job.plan.box.blocks
        before = held_rows = 0
        for part in self.done:
            before += part.rows
        held: list[pl.DataFrame] = []
        self._report(progress, first, before)
        work = frames(job.columns, job.space, job.names)
        results = each(Evaluator(job.plan), work, layout.chunks(first, blocks), threads)
        with closing(cast("Generator[tuple[int, pl.DataFrame]]", results)):
            for end, rows_of_chunk in results:
                if rows_of_chunk.height:
                    held.append(rows_of_chunk)
                    held_rows += rows_of_chunk.height
                if held_rows >= layout.part_rows or end - first >= layout.part_blocks or end == blocks:
                    self._hand_over(held, first, end)
                    before += held_rows
                    held, held_rows, first = [], 0, end
                self._report(progress, end, before + held_rows)

    def _hand_over(self, held: list[pl.DataFrame], first: int, end: int) -> None:
        """Have a part written in the background, once the one before it is on disk."""
        self._collect()
        self._pending = self._encoder.submit(self._write, held, self._cut, (first, end))
        self._cut += 1

    def _collect(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def _write(self, held: list[pl.DataFrame], number: int, blocks: tuple[int, int]) -> None:
        import polars as pl

        whole = pl.concat(held, rechunk=True) if held else pl.DataFrame(schema=schema(self.job.columns))
        held.clear()
        identity, layout = self.job.manifest.identity, self.job.layout
        content = encode(whole, layout, footer_of(identity, number, blocks, whole.height))
        digest = hashlib.sha256(content).hexdigest()
        publish(self.folder / layout.name(number), content, self._stop)
        self.done.append(Part(layout.name(number), whole.height, len(content), digest, *blocks))

    def _report(self, progress: Report | None, block: int, rows_so_far: int) -> None:
        if progress is not None:
            plan = self.job.plan
            designs = designs_before(plan, block)
            progress(Progress(block, plan.box.blocks, designs, plan.points, rows_so_far, len(self.done)))


def _job(space: Space, part_rows: int) -> _Job:
    plan, columns, layout = prepare(space, part_rows)
    return _Job(space, plan, plan.columns, columns, layout, describe(space, plan, columns, layout.described()))


def _totals(parts: list[Part] | tuple[Part, ...]) -> tuple[int, int, int]:
    return sum(part.rows for part in parts), len(parts), sum(part.bytes for part in parts)


def _finished(folder: Path, manifest: Manifest) -> Finished | None:
    """What there is to say of a run that is complete; None when there is work to do. RunError for a folder not ours.

    Parts are known by their names and sizes here, not read.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise RunError(f"{folder}: is a file; name a folder for the run")
    if not (folder / MANIFEST_NAME).exists():
        foreign = sorted(path.name for path in folder.iterdir() if path.name not in _BEFORE_THE_MANIFEST)
        if foreign:
            names = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
            raise RunError(f"{folder}: holds {names} and is not a run; name a folder that is empty or not there yet")
        return None
    before = read_manifest(folder)
    if before.identity != manifest.identity:
        lines = [
            f"{folder}: holds another run, and nothing was changed",
            *(f"  {x}" for x in changes(before, manifest)),
        ]
        raise RunError("\n".join([*lines, "  name another folder, or remove this one to run it again"]))
    if not before.complete or any(_size(folder / "parts" / part.name) != part.bytes for part in before.parts):
        return None
    return Finished(folder, 0, *_totals(before.parts), len(before.parts), True)


_BEFORE_THE_MANIFEST = (LOCK_NAME, f".{MANIFEST_NAME}.tmp")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _open(folder: Path, job: _Job) -> None:
    """Everything of a run but its parts. The manifest comes first: from then on the folder is known as ours."""
    publish(folder / MANIFEST_NAME, job.manifest.text().encode())
    publish(folder / "spec.toml", job.space.text.encode())
    publish(folder / "open.sql", opensql.text(job.columns, job.space.name).encode())
    (folder / "parts").mkdir(exist_ok=True)
    sync_folder(folder)


@contextmanager
def _in_plain_words(folder: Path) -> Iterator[None]:
    """What the system refuses, and Ctrl-C, said with what is complete and how to go on."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
        complete = _complete(folder)
        goes_on = ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            goes_on = f"; make room and {_GOES_ON}"
        elif not complete.startswith("no"):
            goes_on = f"; once that is put right, {_GOES_ON}"
        raise RunError(f"{folder}: {reason}; {complete}{goes_on}") from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{folder}: stopped; {_complete(folder)}, {_GOES_ON}") from None


def _complete(folder: Path) -> str:
    """How many parts there are: under its name a part is whole."""
    try:
        count = sum(1 for _ in (folder / "parts").glob("part-*.parquet"))
    except OSError:
        count = 0
    if count == 1:
        return "1 part is complete"
    return f"{count} parts are complete" if count else "no part is complete yet"

"""A run: the rows of a space in Parquet parts, with a manifest and the SQL to open them.

    manifest.json   what was run, and once it is complete, its parts
    spec.toml       the spec as given
    open.sql        `duckdb -init open.sql` in the folder
    parts/          part-00000.parquet and on

The rows come in the order of the walk, whatever the number of threads, and parts are cut by counting rows and blocks,
so a run that was killed at any moment goes on behind its last part and ends equal, in every byte, to one that was not.

Memory stays below ``memory_bound``, however many designs there are:

    BASE_BYTES + workspaces + (3 threads + 3) chunk + (2 threads + 1) (part + chunk)

chunk and part being the bytes of their rows at 8 a cell (at most CHUNK_BYTES, or one block where its rows are wider,
and PART_BYTES): a thread holds a chunk and, while it makes room for more rows, a copy of it; as many finished ones and
two more wait their turn. One part gathers; one a thread waits to be encoded, is, or waits for the disk, its encoded
bytes beside its rows. A run that extends another reads row groups of that in the place of chunks.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, cast

from sweep import opensql, sqlsensitivity, whatif
from sweep.columns import Column, declare, wanted
from sweep.errors import RunError
from sweep.execute import Evaluator, Rows, cores
from sweep.growth import Source, Walk, growth
from sweep.lock import LOCK_NAME, Lock
from sweep.manifest import MANIFEST_NAME, Manifest, Part, changes, describe, read_manifest
from sweep.parts import PART_ROWS, Layout, encode, footer_of, kept, publish, sweep_out, sync_folder
from sweep.plan import Plan
from sweep.progress import Progress, Report
from sweep.space import Space

if TYPE_CHECKING:
    from collections.abc import Generator

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
    """A complete run. designs_evaluated counts what this call walked and did not take over from another run; rows,
    parts and bytes (of parts) all there is.
    """

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
    columns: list[Column]
    layout: Layout
    manifest: Manifest
    source: Source


def write(
    space: Space,
    folder: str | Path,
    *,
    threads: int | None = None,
    progress: Report | None = None,
    part_rows: int = PART_ROWS,
    extend: str | Path | None = None,
) -> Finished:
    """Evaluate a space into a run folder, or go on with the run that is there.

    extend names the folder of a complete run whose space this one has grown from, by values added to axes: its rows are
    taken over, and only designs that are new are evaluated. The rows are those of a run of the whole space, in another
    order.

    RunError when the folder is another run's or somebody else's, when another process writes it, and when the disk
    refuses: what was complete stays. On Ctrl-C likewise, the KeyboardInterrupt says so.
    """
    folder = Path(folder)
    job = _job(space, part_rows, folder, extend, threads or cores())
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
            evaluated = _Writer(folder / "parts", job, done, threads or cores()).write_rest(progress)
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
    return BASE_BYTES + workspaces + (3 * threads + 3) * chunk + (2 * threads + 1) * (part + chunk)


def prepare(space: Space, part_rows: int = PART_ROWS) -> tuple[Plan, list[Column], Layout]:
    """How a space would be written: the plan, the columns of its rows, and how these are cut into parts."""
    plan = Plan(space, wanted(space))
    columns = declare(space, plan.columns)
    return plan, columns, Layout.of(plan, len(columns), part_rows)


class _Writer:
    """The parts of one run: those that are done, those that are encoded and written in the background, the one that
    gathers.

    Evaluating and encoding share the threads: a part is encoded on one of them, among the chunks of those after it, and
    written in its turn.
    """

    def __init__(self, folder: Path, job: _Job, done: list[Part], threads: int) -> None:
        self.folder = folder
        self.job = job
        self.done = done
        self._threads = threads
        self._stop = Event()
        self._pool = ThreadPoolExecutor(threads)
        self._disk = ThreadPoolExecutor(1)
        self._pending: deque[Future[None]] = deque()  # parts handed over and not yet known to be on disk
        self._cut = len(done)  # parts handed over

    def write_rest(self, progress: Report | None) -> int:
        """Write the parts that are missing; how many designs had to be visited for them."""
        blocks = self.job.source.blocks
        first = self.done[-1].end_block if self.done else 0
        if self.done and first == blocks:
            return 0
        try:
            if blocks:
                self._walk(first, progress)
            else:  # an axis without values: no rows, but a table with its columns all the same
                self._hand_over([], 0, 0)
            self._collect(0)
        except BaseException:
            self._stop.set()
            self._pool.shutdown(cancel_futures=True)
            self._disk.shutdown()
            raise
        self._pool.shutdown()
        self._disk.shutdown()
        return self.job.source.evaluated_before(blocks) - self.job.source.evaluated_before(first)

    def _walk(self, first: int, progress: Report | None) -> None:
        source, layout, blocks = self.job.source, self.job.layout, self.job.source.blocks
        before = sum(part.rows for part in self.done)
        held_rows = 0
        held: list[Rows] = []
        self._report(progress, first, before)
        results = source.rows(first, self._threads, self._pool)
        with closing(cast("Generator[tuple[int, Rows]]", results)):
            for end, found in results:
                if len(found):
                    held.append(found)
                    held_rows += len(found)
                if held_rows >= layout.part_rows or end - first >= layout.part_blocks or end == blocks:
                    self._hand_over(held, first, end)
                    before += held_rows
                    held, held_rows, first = [], 0, end
                self._report(progress, end, before + held_rows)

    def _hand_over(self, held: list[Rows], first: int, end: int) -> None:
        """Have a part encoded and written in the background, once fewer than one a thread are."""
        self._collect(self._threads - 1)
        encoded = self._pool.submit(self._encode, held, self._cut, (first, end))
        self._pending.append(self._disk.submit(self._write, encoded))
        self._cut += 1

    def _collect(self, most: int) -> None:
        """Wait until no more than so many parts are in the background."""
        while self._pending and (len(self._pending) > most or self._pending[0].done()):
            self._pending.popleft().result()

    def _encode(self, held: list[Rows], number: int, blocks: tuple[int, int]) -> tuple[Part, memoryview]:
        job = self.job
        count = sum(map(len, held))
        said = footer_of(job.manifest.identity, number, blocks, count)
        content, digest = encode(held, job.space, job.columns, job.layout, said)
        return Part(job.layout.name(number), count, len(content), digest, *blocks), content

    def _write(self, encoded: Future[tuple[Part, memoryview]]) -> None:
        try:
            part, content = encoded.result()
            publish(self.folder / part.name, content, self._stop)
        except BaseException:
            self._stop.set()  # no part is written behind one that is missing
            raise
        self.done.append(part)

    def _report(self, progress: Report | None, block: int, rows_so_far: int) -> None:
        if progress is not None:
            source, plan = self.job.source, self.job.plan
            designs = source.designs_before(block)
            progress(Progress(block, source.blocks, designs, plan.points, rows_so_far, len(self.done)))


def _job(space: Space, part_rows: int, folder: Path, extend: str | Path | None, threads: int) -> _Job:
    plan, columns, layout = prepare(space, part_rows)
    if extend is None:
        manifest = describe(space, plan, columns, layout.described())
        return _Job(space, plan, columns, layout, manifest, Walk(plan, layout, {}))
    if folder.resolve() == Path(extend).resolve():
        raise RunError(f"{folder}: cannot be extended in place; name another folder for the run")
    grown = growth(space, extend, columns, layout, threads)
    manifest = describe(space, plan, columns, {**layout.described(), **grown.described})
    return _Job(space, plan, columns, layout, manifest, grown.source)


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
    named = [column.name for column in job.columns]
    own = [whatif.statement(job.space, job.columns), sqlsensitivity.statement(job.space, named)]
    publish(folder / opensql.NAME, opensql.text(job.columns, job.space.name, own).encode())
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

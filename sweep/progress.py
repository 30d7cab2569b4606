"""How far a run has come, as a bar on a terminal and not at all elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Blocks and designs of the walk that are behind, of how many; rows kept; parts on disk."""

    blocks: int
    blocks_total: int
    designs: int
    designs_total: int
    rows: int
    parts: int


Report = Callable[[Progress], None]


@contextmanager
def bar(title: str) -> Iterator[Report | None]:
    """A bar on stderr with designs and rows a second and the time left; None when stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(compact=True),
    )
    with Bar(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(title, total=None, speed="")
        first: list[tuple[float, Progress]] = []

        def report(at: Progress) -> None:
            now = shown.get_time()
            if not first:  # what an earlier process did says nothing of how fast this one is
                first.append((now, at))
                shown.update(task, total=at.designs_total, completed=at.designs)
                shown.reset(task, total=at.designs_total, completed=at.designs)
            began, start = first[0]
            elapsed = max(now - began, 1e-9)
            designs, rows = (at.designs - start.designs) / elapsed, (at.rows - start.rows) / elapsed
            speed = f"{short(designs)} designs/s  {short(rows)} rows/s  {short(at.rows)} rows in {at.parts} parts"
            shown.update(task, completed=at.designs, speed=speed)

        yield report


def short(number: float) -> str:
    """A count in a few characters: 950, 12.3 k, 4.56 M, 1.2 T."""
    for unit in ("", " k", " M", " G"):
        if abs(number) < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g} T" if number < 999.5 else f"{number * 1e12:.2e}"

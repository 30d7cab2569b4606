"""Where the rows of a run come from: a walk of its space, or of what is new in it behind the rows of a smaller run.

A space has grown when its spec differs in nothing but values added to axes. Its designs are then those of the old one,
whose rows are read and numbered anew, and those of a few boxes: for every axis that has grown, its new values, with the
old ones of the axes before it and all of those behind it. Each is walked with a plan of its own, and the values of a
design do not depend on the plan. Numbering anew is why old parts are encoded again and not linked: nearly every id
changes when any axis but the first grows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sweep.columns import Column, declare, wanted
from sweep.errors import RunError
from sweep.evaluator import Cells, Evaluator
from sweep.execute import DESIGN_ID, Rows, Worker, each, rows
from sweep.manifest import Manifest, changes, describe, read_manifest
from sweep.parts import Layout, designs_before, kept
from sweep.plan import Plan
from sweep.space import Axis, Space
from sweep.spec import parse


class Source(Protocol):
    """Rows in a fixed order, cut into blocks that are numbered from 0."""

    @property
    def blocks(self) -> int:
        """Blocks in all."""

    def designs_before(self, block: int) -> int:
        """Designs that the blocks before this one stand for."""

    def evaluated_before(self, block: int) -> int:
        """How many of these have to be evaluated."""

    def rows(self, first: int, threads: int, pool: Executor) -> Iterator[tuple[int, Rows]]:
        """From a block on: the block behind the last that is done, and the rows since the one before."""


@dataclass(frozen=True)
class Walk:
    """The rows of a space as a plan walks it; places maps a place on an axis to that in the space that is written."""

    plan: Plan
    layout: Layout
    places: Mapping[str, Cells]

    @property
    def blocks(self) -> int:
        """Blocks of the walk."""
        return self.plan.box.blocks

    def designs_before(self, block: int) -> int:
        """Designs of the walk before a block."""
        return designs_before(self.plan, block)

    def evaluated_before(self, block: int) -> int:
        """All of them."""
        return designs_before(self.plan, block)

    def work(self, worker: Worker, blocks: range) -> tuple[int, Rows]:
        """What a thread does with a run of blocks: the block behind its last, and its rows."""
        found = rows(worker, blocks, self.plan.columns)
        for name, places in self.places.items():
            found.columns[f"#{name}"] = places[found.columns[f"#{name}"]]
        return blocks.stop, found

    def rows(self, first: int, threads: int, pool: Executor) -> Iterator[tuple[int, Rows]]:
        """The walk from a block on."""
        return each(Evaluator(self.plan), self.work, self.layout.chunks(first, self.blocks), threads, pool)


@dataclass(frozen=True)
class _RowGroup:
    """A row group of an old part."""

    path: Path
    number: int


class _Before:
    """The rows of a run, numbered as designs of the space that grew from its own. A block is a row group."""

    def __init__(self, folder: Path, parts: Sequence[str], old: Space, new: Space, columns: Sequence[Column]) -> None:
        import pyarrow.parquet as pq

        self._groups = [
            _RowGroup(folder / part, k)
            for part in parts
            for k in range(pq.ParquetFile(folder / part).metadata.num_row_groups)
        ]
        self._designs = prod(len(axis) for axis in old.axes)
        self._columns = [c for c in columns if c.name != DESIGN_ID and not c.is_axis]
        self._axes: list[tuple[str, int, Cells, Cells]] = []
        for was, now, stride in zip(old.axes, new.axes, new.id_strides, strict=True):
            place = np.full(was.length, -1, np.int32)  # in the new axis, of what is at a place in the old numbering
            place[was.kept] = _places(was, now)
            self._axes.insert(0, (was.name, was.length, place, now.kept * stride))  # last axis first, as digits come

    @property
    def blocks(self) -> int:
        return len(self._groups)

    def designs_before(self, block: int) -> int:
        return self._designs * block // max(1, len(self._groups))

    def evaluated_before(self, block: int) -> int:  # noqa: ARG002 - none, up to any block
        return 0

    def rows(self, first: int, threads: int, pool: Executor) -> Iterator[tuple[int, Rows]]:
        waiting = iter(range(first, self.blocks))
        ahead = deque(pool.submit(self._read, block) for block in islice(waiting, threads + 1))
        try:
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(pool.submit(self._read, block) for block in islice(waiting, 1))
        finally:
            for future in ahead:
                future.cancel()

    def _read(self, block: int) -> tuple[int, Rows]:
        import pyarrow.parquet as pq

        group = self._groups[block]
        names = [DESIGN_ID, *(column.name for column in self._columns)]
        with pq.ParquetFile(group.path) as file:
            table = file.read_row_group(group.number, columns=names, use_threads=False).combine_chunks()
        rest = table[DESIGN_ID].to_numpy()
        ids = np.zeros(len(rest), np.int64)
        columns: dict[str, Cells] = {}
        for name, length, place, parts in self._axes:
            above = rest // length  # by one number for all, which NumPy does without dividing; % it does not
            places = place[rest - above * length]
            rest = above
            columns[f"#{name}"] = places
            ids += parts[places]
        for column in self._columns:
            columns[column.name] = _cells(table[column.name], column)
        return block + 1, Rows(ids, columns)


def _cells(values: Any, column: Column) -> Cells:
    """A column of pyarrow as the cells that a walk would have gathered."""
    if column.kind != "word":
        cells = np.asarray(values.to_numpy(), np.float64 if column.kind == "float" else np.int64)
        return cells if cells.flags.writeable else cells.copy()  # kernels are compiled for arrays that can be written
    import pyarrow as pa

    coded = values.cast(pa.string()).dictionary_encode().combine_chunks()
    codes = np.array([column.words.index(word) for word in coded.dictionary.to_pylist()], np.int64)
    return np.asarray(codes[coded.indices.to_numpy()])


class Grown:
    """The rows of a run, and behind them what is new."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    @property
    def blocks(self) -> int:
        """Blocks of all sources."""
        return sum(source.blocks for source in self._sources)

    def designs_before(self, block: int) -> int:
        """Designs that the blocks before this one stand for."""
        return sum(source.designs_before(inside) for source, inside in self._up_to(block))

    def evaluated_before(self, block: int) -> int:
        """Those of them that are new."""
        return sum(source.evaluated_before(inside) for source, inside in self._up_to(block))

    def _up_to(self, block: int) -> Iterator[tuple[Source, int]]:
        """How many blocks of each source lie before a block."""
        for source in self._sources:
            inside = min(block, source.blocks)
            yield source, inside
            block -= inside

    def rows(self, first: int, threads: int, pool: Executor) -> Iterator[tuple[int, Rows]]:
        """The sources one after the other, from a block on."""
        start = 0
        for source in self._sources:
            if first < start + source.blocks:
                for end, found in source.rows(max(0, first - start), threads, pool):
                    yield start + end, found
            start += source.blocks


@dataclass(frozen=True)
class Growth:
    """What a run is extended by: where its rows come from, and what the manifest says of that."""

    source: Grown
    described: Mapping[str, Any]


def growth(space: Space, folder: str | Path, columns: Sequence[Column], layout: Layout, threads: int) -> Growth:
    """The rows of the complete run in a folder, then those of a space that has grown from its own.

    RunError when the run is not complete or not whole, and with the first difference when the space is more than grown.
    """
    folder = Path(folder)
    before = read_manifest(folder)
    if not before.complete:
        raise RunError(f"{folder}: is not complete; the command that started it goes on with it")
    old = _space_of(folder, before)
    _only_grown(folder, [folder / "parts" / part.name for part in before.parts], old, space)
    missing = [c.name for c in columns if c.name not in {column["name"] for column in before.content["columns"]}]
    if missing:
        raise RunError(
            f"{folder}: cannot be extended: it lacks the column {missing[0]}; name it in columns of both specs"
        )
    written = Layout(**{name: before.content["layout"][name] for name in asdict(layout)})
    if tuple(kept(folder / "parts", written, before.identity, threads)) != before.parts:
        raise RunError(f"{folder}: its parts are not what its manifest lists; run its spec.toml again")
    boxes = list(_boxes(old, space))
    if not boxes:
        raise RunError(f"{folder}: has all designs of {space.name} already: no axis has a value that is new")
    sources: list[Source] = [_Before(folder / "parts", [p.name for p in before.parts], old, space, columns)]
    for box, places in boxes:
        plan = Plan(box, wanted(space))
        sources.append(Walk(plan, Layout.of(plan, len(columns), layout.part_rows), places))
    walks = [{"walk": [a.name for a in s.plan.axes], "blocks": s.blocks} for s in sources if isinstance(s, Walk)]
    return Growth(Grown(sources), {"extends": before.identity, "row_groups": sources[0].blocks, "new": walks})


def _space_of(folder: Path, before: Manifest) -> Space:
    """The space of a run, when it still comes to the same numbers."""
    from sweep.resolve import loads

    text = before.content["spec"]
    space = replace(loads(text, str(folder / "spec.toml")), name=before.name)
    plan = Plan(space, wanted(space))
    now = describe(space, plan, declare(space, plan.columns), {})
    now = Manifest({**now.content, "layout": before.content["layout"]})
    if now.identity != before.identity:
        lines = [f"{folder}: cannot be extended, run the new spec whole", *(f"  {x}" for x in changes(before, now))]
        raise RunError("\n".join(lines))
    return space


def _only_grown(folder: Path, parts: Sequence[Path], old: Space, new: Space) -> None:
    """RunError with the first difference between two spaces that is not a value added to an axis.

    A value without rows may be gone: a condition on its axis alone rules it out in one space, at every design in the
    other, depending on how long the other axes are.
    """

    def refuse(what: str) -> RunError:
        return RunError(f"{folder}: cannot be extended: {what}; only values may be added to axes")

    names = [[axis.name for axis in space.axes] for space in (old, new)]
    if names[0] != names[1]:
        raise refuse(f"its axes are {', '.join(names[0])} and now {', '.join(names[1])}")
    said = [
        parse(space.text, str(folder))[0].model_dump(exclude={"name", "description", "axes"}) for space in (old, new)
    ]
    for part, was in said[0].items():
        now = said[1][part]
        if isinstance(was, dict) and isinstance(now, dict) and was != now:
            name = next(name for name in [*was, *now] if was.get(name) != now.get(name))
            raise refuse(f"{part}.{name} was {was.get(name, 'not there')} and is {now.get(name, 'not there')}")
        if was != now:
            raise refuse(f"{part} was {was or 'not there'} and is {now or 'not there'}")
    for was, now in zip(old.axes, new.axes, strict=True):
        gone = [label for label in was.labels if label not in now.labels]
        if gone and _has_rows(parts, was, gone):
            raise refuse(f"axis {was.name} had {gone[0]}, which is not there now")
        if len(set(now.labels)) != len(now.labels):
            raise refuse(f"axis {now.name} has a value twice")
        places = _places(was, now)
        here, there = was.take(np.flatnonzero(places >= 0)), now.take(places[places >= 0])
        if not _is_said_alike(here, there):
            raise refuse(f"what axis {was.name} stands for is not what it was")
    if any(old.fixed.get(name) != value and value == value for name, value in new.fixed.items()):
        raise refuse("what is fixed comes to something else")


def _is_said_alike(old: Axis, new: Axis) -> bool:
    """Whether the same records say the same of every input; some say nothing of one that others name."""
    for name, values in old.sets.items():
        is_of_some = name.startswith(("_has_", "_said_"))
        whole = name.removeprefix("_has_").removeprefix("_said_") if is_of_some else name
        if name in new.sets:
            same = values.tobytes() == new.sets[name].tobytes()
        elif is_of_some and whole in new.sets:  # which all records that are left name
            same = bool(old.sets[f"_has_{whole}"].all()) and (
                name.startswith("_has_") or values.tobytes() == new.sets[whole].tobytes()
            )
        else:
            has = new.sets.get(f"_has_{name}")
            same = has is not None and bool(has.all()) and values.tobytes() == new.sets[f"_said_{name}"].tobytes()
        if not same:
            return False
    return True


def _places(old: Axis, new: Axis) -> Cells:
    """The place on the new axis of each value of the old one, -1 where it is gone."""
    at = {label: place for place, label in enumerate(new.labels)}
    return np.array([at.get(label, -1) for label in old.labels], np.int64)


def _has_rows(parts: Sequence[Path], axis: Axis, labels: Sequence[Any]) -> bool:
    """Whether a row of these parts has one of these values of an axis."""
    import polars as pl

    values = pl.col(axis.name).cast(pl.String) if axis.is_words else pl.col(axis.name)
    return bool(pl.scan_parquet(list(parts)).filter(values.is_in(list(labels))).head(1).collect().height)


def _boxes(old: Space, new: Space) -> Iterator[tuple[Space, dict[str, Cells]]]:
    """The designs of the new space that the old one lacks, as spaces, with the places of their axes' values."""
    known = [at[at >= 0] for at in map(_places, old.axes, new.axes)]
    for k, now in enumerate(new.axes):
        added = np.setdiff1d(np.arange(len(now)), known[k])
        if not len(added):
            continue
        places = [known[i] if i < k else added if i == k else np.arange(len(axis)) for i, axis in enumerate(new.axes)]
        axes = tuple(axis.take(at) for axis, at in zip(new.axes, places, strict=True))
        if all(len(axis) for axis in axes):
            yield (
                replace(new, axes=axes),
                {axis.name: at.astype(np.int32) for axis, at in zip(axes, places, strict=True)},
            )

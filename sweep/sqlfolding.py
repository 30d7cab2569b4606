"""The frontier of a source of rows in DuckDB, folded batch by batch by the compiled kernels.

A source is read once: its objectives, and either what its rows are known by or, where a query names few columns, these
as well, of which only rows that nothing beats so far are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kernels.arrayfrontier import ArrayFrontier
from kernels.epsilon import EpsilonFrontier
from kernels.pareto import RunningFrontier, Ties
from sweep.sqltext import quoted

Floats: TypeAlias = npt.NDArray[np.float64]
Ids: TypeAlias = npt.NDArray[np.int64]

MOST_WHOLE = 2.0**53  # whole numbers from here on are not all apart as float64
BATCH_ROWS = 1 << 17
WORTH_COMPILING = 1 << 21  # rows from which the compiled kernels, when they have to be made first, are sooner done
MOST_ON_ARRAYS = 1 << 11  # and rows of a frontier of three objectives and more, each held against all that wait
MOST_KEPT = 1 << 20  # rows beside those of the frontier that are kept before the others are let go


@dataclass(frozen=True)
class Goal:
    """An expression of SQL and its sign: 1 where it is minimised, -1 where it is maximised."""

    sql: str
    sign: float
    is_whole: bool


class _Folding:
    """A frontier as it grows: over arrays, and in compiled code once that is sooner done."""

    def __init__(self, goals: Sequence[Goal], ties: Ties, epsilon: float) -> None:
        self._goals, self._ties = goals, ties
        self._signs = [goal.sign for goal in goals]
        self._running: ArrayFrontier | RunningFrontier | EpsilonFrontier
        self._running = EpsilonFrontier(len(goals), epsilon) if epsilon else ArrayFrontier(len(goals), ties)
        self._num_rows = 0

    def fold(self, values: Sequence[npt.NDArray[Any]], ids: Callable[[Any], Ids]) -> None:
        """Take in rows: a column an objective, and what gives the ids of positions."""
        self._num_rows += len(values[0])
        running, many = self._running, False
        if isinstance(running, ArrayFrontier):
            many = len(self._goals) > 2 and running.num_settled > MOST_ON_ARRAYS
        if isinstance(running, ArrayFrontier) and (many or self._num_rows > WORTH_COMPILING):
            self._running = RunningFrontier(len(self._goals), self._ties)
            self._running.fold(*running.result(), running.counts)
        self._running.fold_columns(values, self._signs, ids)

    def rename(self, ids: Callable[[Ids], Ids]) -> None:
        """Know the rows by other ids, told from those they had. Not of a frontier to an epsilon."""
        rows, known = self._running.result()
        found = type(self._running)(len(self._goals), self._ties)  # type: ignore[arg-type]
        found.fold(rows, ids(known))
        self._running = found

    def result(self) -> tuple[Floats, Ids] | None:
        """Objectives and ids by objectives and then by id; None where whole numbers are not all apart as float64."""
        rows, ids = self._running.result()
        whole = [rows[:, k] for k, goal in enumerate(self._goals) if goal.is_whole]
        return (rows, ids) if are_exact(whole) else None


def folded(cursor: Any, source: str, goals: Sequence[Goal], ties: Ties = "all", epsilon: float = 0.0) -> Ids | None:
    """The ids of the frontier of a source of rows with a design_id, by objectives and then by id, in one scan of them.

    None where objectives are whole numbers that float64 cannot tell apart, which a macro has to answer.
    """
    folding = _Folding(goals, ties, epsilon)
    # the cursor itself, and no other of its database: it alone sees the virtual table of a space
    for batch in cursor.sql(f"select design_id, {_listed(goals)} from {source}").to_arrow_reader(BATCH_ROWS):
        ids, *values = (_array(column) for column in batch.columns)
        folding.fold(values, ids.__getitem__)
    found = folding.result()
    return None if found is None else found[1]


def frontier_rows(cursor: Any, source: str, goals: Sequence[Goal], columns: Sequence[str]) -> pa.Table | None:
    """These columns of the rows of a source that no other beats, ties too, in one scan. None as of folded."""
    folding, kept = _Folding(goals, "all", 0.0), _Kept()
    listed = ", ".join(map(quoted, columns))
    reader = cursor.sql(f"select {listed}, {_listed(goals)} from {source}").to_arrow_reader(BATCH_ROWS)
    for batch in reader:
        values = [_array(column) for column in batch.columns[len(columns) :]]
        folding.fold(values, kept.of(batch.select(range(len(columns)))))
        if kept.is_full:
            folding.rename(kept.only)
    found = folding.result()
    schema = pa.schema(list(reader.schema)[: len(columns)])
    return None if found is None else kept.rows(found[1], schema)


def frontier_values(cursor: Any, source: str, goals: Sequence[Goal]) -> Floats | None:
    """The objectives of the rows of a source that no other beats, equal ones once, in one scan. None as of folded."""
    folding = _Folding(goals, "one", 0.0)
    for batch in cursor.sql(f"select {_listed(goals)} from {source}").to_arrow_reader(BATCH_ROWS):
        folding.fold([_array(column) for column in batch.columns], lambda found: found.astype(np.int64))
    found = folding.result()
    return None if found is None else found[0]


class _Kept:
    """Rows of batches that may be on a frontier, by the order in which they came."""

    def __init__(self) -> None:
        self._parts: list[pa.RecordBatch] = []
        self._num_rows, self._num_on_it = 0, 0

    def of(self, batch: pa.RecordBatch) -> Callable[[npt.NDArray[Any]], Ids]:
        """What gives the ids of positions in a batch, whose rows are kept then."""

        def ids(found: npt.NDArray[Any]) -> Ids:
            self._parts.append(batch.take(pa.array(found)))
            self._num_rows += len(found)
            return np.arange(self._num_rows - len(found), self._num_rows)

        return ids

    @property
    def is_full(self) -> bool:
        """Whether most rows are likely to be beaten by now."""
        return self._num_rows > MOST_KEPT + 4 * self._num_on_it

    def only(self, ids: Ids) -> Ids:
        """Let go of all rows but these; the ids by which they are known from now on."""
        self._parts = self.rows(ids, self._parts[0].schema).combine_chunks().to_batches()
        self._num_rows = self._num_on_it = len(ids)
        return np.arange(len(ids))

    def rows(self, ids: Ids, schema: pa.Schema) -> pa.Table:
        """The rows with these ids."""
        return pa.Table.from_batches(self._parts, schema).take(pa.array(ids))


def _listed(goals: Sequence[Goal]) -> str:
    return ", ".join(f"cast({goal.sql} as double)" for goal in goals)


def _array(column: pa.Array) -> npt.NDArray[Any]:
    """A column of numbers, with nan for null."""
    filled = column.fill_null(float("nan")) if column.null_count else column
    return filled.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def are_exact(whole: Sequence[npt.NDArray[Any]]) -> bool:
    """Whether whole numbers of a frontier found among float64 are those that were compared."""
    return all(len(values) == 0 or float(np.abs(values.astype(np.float64)).max()) < MOST_WHOLE for values in whole)

"""Single designs of a space, by their ids: recomputed from the spec alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sweep.columns import declare, frame
from sweep.errors import Problem, SpecError
from sweep.execute import Evaluator, Rows, Worker, rows
from sweep.plan import BLOCK_POINTS, Plan
from sweep.space import Axis, Space

if TYPE_CHECKING:
    import polars as pl


def places(space: Space, ids: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Where each design lies among the kept values of each axis; -1 for a value that a condition removed."""
    found = []
    for axis, stride in zip(space.axes, space.id_strides, strict=True):
        where = np.full(axis.length, -1, np.int64)
        where[axis.kept] = np.arange(len(axis))
        found.append(where[ids // stride % axis.length])
    return found


def check_id(space: Space, design_id: int) -> None:
    """SpecError when a space has no such design, or a condition on one axis took it out."""
    if not 0 <= design_id < space.size:
        problem = Problem("design_id", str(design_id), f"the space has ids 0 to {space.size - 1}")
        raise SpecError(space.name, [problem])
    for axis, place in zip(space.axes, places(space, np.array([design_id])), strict=True):
        if place[0] < 0:
            raise SpecError(space.name, [Problem("design_id", str(design_id), f"a condition took its {axis.name} out")])


def designs(space: Space, ids: Sequence[int] | npt.NDArray[np.int64], columns: Sequence[str]) -> pl.DataFrame:
    """These designs with these columns, in this order, whether or not they meet the conditions on metrics."""
    wanted = np.asarray(ids, np.int64)
    at = places(space, wanted)
    sets: dict[str, Any] = {}
    for axis, place in zip(space.axes, at, strict=True):
        sets |= {name: values[place] for name, values in axis.sets.items()}
    row = np.arange(len(wanted))
    listed = replace(space, axes=(Axis("row", (), sets, row, len(row)),), conditions=())
    evaluator = Evaluator(Plan(listed, columns, BLOCK_POINTS))  # block by block: as tables, all would be held twice
    worker = Worker(evaluator)
    with np.errstate(all="ignore"):
        found = rows(worker, range(evaluator.box.blocks), columns)
    found.columns.update({f"#{axis.name}": place for axis, place in zip(space.axes, at, strict=True)})
    return frame(declare(space, columns), space, Rows(wanted, found.columns))

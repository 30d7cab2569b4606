"""A handful of designs that stand for a whole frontier, each other design being worse by epsilon at most in all.

Objectives are cut into cells whose edges are a factor of 1 + epsilon apart, and cells are compared as designs are
(Laumanns, Thiele, Deb and Zitzler 2002, "Combining Convergence and Diversity in Evolutionary Multiobjective
Optimization", Evolutionary Computation 10). Of each cell that no other beats, one design stays: the first by its
objectives in order, then by its id. It lies on the exact frontier, and which one it is does not depend on the order
in which designs came.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from kernels import arrayfrontier
from kernels.arrayfrontier import ArrayFrontier
from kernels.folding import Walk
from kernels.nondominated import nondominated
from kernels.pareto import Positions, RunningFrontier

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
ZERO = 2.0**40  # cells between the sides of zero: more than a double has factors of 1 + 1e-9
LEAST_EPSILON = 1e-9
LEAST_KEPT = 1 << 14


def cells(objectives: Floats, epsilon: float) -> Floats:
    """The cell of every number of objectives[n, k], as whole numbers that rise with it; 0 is a cell of its own."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.abs(objectives)) / math.log1p(epsilon)
        found = np.where(objectives > 0.0, ZERO + np.floor(logs), -ZERO + np.floor(-logs))
    found = np.where(objectives == 0.0, 0.0, found)
    return np.where(np.isinf(objectives), objectives, found)


def representatives(objectives: Floats, ids: Ints, epsilon: float, is_compiled: bool = True) -> npt.NDArray[np.bool_]:
    """Which of objectives[n, k], none nan, stand for the rest."""
    unbeaten = nondominated if is_compiled else arrayfrontier.unbeaten
    found = cells(objectives, epsilon)
    order = np.lexsort((ids, *objectives.T[::-1], *found.T[::-1]))
    fresh = np.ones(len(order), bool)
    fresh[1:] = (found[order[1:]] != found[order[:-1]]).any(axis=1)
    first = order[fresh]
    chosen = np.zeros(len(ids), bool)
    chosen[first[unbeaten(np.ascontiguousarray(found[first]))]] = True
    return chosen


class EpsilonFrontier:
    """The designs that stand for the frontier of all rows folded in so far, found over arrays or by compiled kernels.

    ValueError unless epsilon lies between 1e-9 and 1.
    """

    def __init__(self, num_objectives: int, epsilon: float, is_compiled: bool = True) -> None:
        if not LEAST_EPSILON <= epsilon <= 1.0:
            raise ValueError(f"epsilon = {epsilon:g} does not lie between {LEAST_EPSILON:g} and 1")
        self._epsilon = epsilon
        self._num_objectives = num_objectives
        self._is_compiled = is_compiled
        self._exact = self._empty()
        self._room = LEAST_KEPT
        self._folded = 0

    def _empty(self) -> RunningFrontier | ArrayFrontier:
        return RunningFrontier(self._num_objectives) if self._is_compiled else ArrayFrontier(self._num_objectives)

    def fold(self, objectives: Floats, ids: Ints) -> None:
        """Take in a block: objectives[n, k], all to be minimised, and ids[n]."""
        self._exact.fold(objectives, ids)
        self._after(len(ids))

    def fold_columns(self, columns: Sequence[Floats], signs: Sequence[float], ids: Callable[[Positions], Ints]) -> None:
        """As fold, of columns of which some are to be maximised: their sign is -1."""
        self._exact.fold_columns(columns, signs, ids)
        self._after(len(columns[0]))

    def fold_walk(self, walk: Walk, named: Callable[[Ints], Ints]) -> None:
        """As RunningFrontier.fold_walk."""
        assert isinstance(self._exact, RunningFrontier)
        before = walk.held
        self._exact.fold_walk(walk, named)
        self._after(walk.held - before)

    def merge(self, other: EpsilonFrontier) -> None:
        """Take in everything that another has seen."""
        self.fold(*other.result())

    def result(self) -> tuple[Floats, Ints]:
        """The objectives[f, k] and ids[f], by objectives from the first to the last."""
        rows, ids = self._exact.result()
        chosen = representatives(rows, ids, self._epsilon, self._is_compiled)
        return rows[chosen], ids[chosen]

    def _after(self, count: int) -> None:
        """What stands for the exact frontier of what came stands for it whatever comes: the rest can go."""
        self._folded += count
        if self._folded < self._room:
            return
        rows, ids = self.result()
        self._exact = self._empty()
        self._exact.fold(rows, ids)
        self._folded = 0
        self._room = max(LEAST_KEPT, 4 * len(ids), 4 * count)

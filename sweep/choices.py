"""The choices along some axes as a sieve sees them: their cuts as rows, and the leaves of these by their bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.sifting import Sieve, are_apart
from sweep.cuts import Cut
from sweep.space import Space

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Choices:
    """A space of choices, of which columns hold the cuts.

    tables are leaves of the cuts that vary along few axes, at all places on these. signs are -1 where more of a cut is
    better; decides are the cuts with which a choice is gone if they are nan; leaves the values of cuts put together.
    """

    def __init__(
        self,
        space: Space,
        cuts: Sequence[Cut],
        columns: Sequence[str],
        tables: Mapping[str, npt.NDArray[Any]],
    ) -> None:
        self.space, self.cuts, self.columns = space, tuple(cuts), tuple(columns)
        self.count = prod(len(axis) for axis in space.axes)
        together = [(k, leaf) for k, cut in enumerate(cuts) if not cut.is_exact for leaf in cut.leaves]
        self.leaves = list(dict.fromkeys(leaf for _, leaf in together))
        self.least = np.array([cut.least for cut in cuts])
        self.strict = np.array([cut.strict if cut.direction else np.nan for cut in cuts])
        self.signs = [float(cut.direction or 1) for cut in cuts]
        self.decides = [k for k, cut in enumerate(cuts) if cut.is_fatal and cut.is_exact]
        self._place = [self.leaves.index(leaf) for _, leaf in together]
        self._owner = np.array([k for k, _ in together], np.int64)
        self._apart = np.array([_is_apart(cut, tables) for cut in cuts], np.bool_)

    def sieve(self) -> Sieve:
        """An empty one."""
        return Sieve(self.least, self.strict, self._owner, self._apart)

    def rows(self, found: Mapping[str, npt.NDArray[Any]], count: int) -> Floats:
        """The cuts of so many choices, less being better."""
        rows = np.empty((count, len(self.columns)))
        for k, (name, sign) in enumerate(zip(self.columns, self.signs, strict=True)):
            rows[:, k] = sign * found[name]
        return rows

    def leaf_rows(self, leaves: Mapping[str, Ints], picked: Ints) -> Ints:
        """The leaves of some choices, cut by cut, from all by name."""
        rows = np.empty((len(picked), len(self._place)), np.int64)
        for m, place in enumerate(self._place):
            rows[:, m] = leaves[self.leaves[place]][picked]
        return rows


def bits(values: npt.NDArray[Any]) -> Ints:
    """Values as whole numbers that are equal when they are the same to the bit."""
    return values.view(np.int64) if values.dtype == np.float64 else values.astype(np.int64)


def _is_apart(cut: Cut, tables: Mapping[str, npt.NDArray[Any]]) -> bool:
    """Whether a cut is one value of few numbers, of which any two are the same or differ by enough."""
    return cut.is_exact and cut.leaves[0] in tables and are_apart(tables[cut.leaves[0]].astype(np.float64), cut.least)

"""What a few choices drawn at random tell of all: whether a quick look is worth it, along which axis, what to beat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from kernels.sifting import Sieve
from sweep.choices import Choices, bits
from sweep.listed import Points

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SEEDS, SEEDED_SHARE = 1 << 17, 32  # choices that are looked at before the others: one in so many, up to so many
SEED = -1  # the id of all of these
PROBED = 1 << 12  # more of them, by which it is judged what a quick look is worth
MOST_LEFT = 0.3  # of them, for that to be worth it
LEAST_LONG = 16  # places of an axis along which choices are looked at together
COMPARED = 1 << 9  # choices that are drawn to know along which


class Drawn:
    """Some of a group's choices. evaluated counts them."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._sizes = np.array([len(axis) for axis in choices.space.axes])
        self._points = Points(choices.space, list(dict.fromkeys([*choices.columns, *choices.leaves])))
        self.evaluated = 0

    def sow(self, sieve: Sieve) -> None:
        """Fold in some from all over the space, under no id, so that from the first something is beaten."""
        for rows, leaves in self._some(min(SEEDS, self._choices.count // SEEDED_SHARE + 1)):
            sieve.fold(rows, leaves, np.full(len(rows), SEED))
        sieve.settle()

    def are_mostly_removed(self, sieve: Sieve) -> bool:
        """Whether a quick look at a sieve tells of most choices that they are removed."""
        held = left = 0
        for rows, _ in self._some(PROBED):
            held, left = held + len(rows), left + len(sieve.screened(np.ascontiguousarray(rows.T)))
        return left < MOST_LEFT * held

    def calmest(self) -> int | None:
        """A long axis along which the cuts differ least, if there is one: there a quick look tells of many at once."""
        axes = self._choices.space.axes
        long = [k for k, axis in enumerate(axes) if len(axis) >= LEAST_LONG and not axis.is_words]
        if len(long) < 2:
            return None
        drawn = self._places(COMPARED)
        ends = []
        for k in long:
            near, far = drawn.copy(), drawn.copy()
            near[k] = np.minimum(near[k], self._sizes[k] - LEAST_LONG)
            far[k] = near[k] + LEAST_LONG - 1
            ends += [near, far]
        at = np.concatenate(ends, axis=1)
        values = np.full((at.shape[1], len(self._choices.columns)), np.nan)
        self.evaluated += at.shape[1]
        for found, positions in self._points.at(at):
            values[positions] = self._choices.rows(found, len(positions))
        with np.errstate(all="ignore"):
            nearest, farthest = values.reshape(len(long), 2, COMPARED, -1).swapaxes(0, 1)
            apart = np.abs(nearest - farthest) / (np.abs(nearest) + np.abs(farthest))
        return long[int(np.argmin(np.nan_to_num(apart, nan=0.0).mean(axis=1).max(axis=1)))]

    def _places(self, count: int) -> Ints:
        return np.random.default_rng(count).integers(self._sizes[:, None], size=(len(self._sizes), count))

    def _some(self, count: int) -> Iterator[tuple[Floats, Ints]]:
        """The cuts and leaves of so many, those that are finite."""
        self.evaluated += count
        for found, positions in self._points.at(self._places(count)):
            rows = self._choices.rows(found, len(positions))
            picked = np.flatnonzero(np.isfinite(rows).all(axis=1))
            yield rows[picked], self._choices.leaf_rows({n: bits(found[n]) for n in self._choices.leaves}, picked)

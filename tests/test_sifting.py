"""Sifting choices: what is left, in whatever blocks they came, against asking every pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.sifting import MARGIN, Sieve, among_siblings, stand_up

pytestmark = pytest.mark.nojit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
VALUES = st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-13, 1.0 - 1e-13, 1.0 + 1e-11, 2.0, 2.5, 1e12, -1.0, -1.0 - 1e-13])


@dataclass(frozen=True)
class Choices:
    """Choices and what their cuts are: the differences that count and decide, and which leaf is part of which cut."""

    cuts: Floats
    leaves: Ints
    least: Floats
    strict: Floats
    owner: Ints

    @property
    def ids(self) -> Ints:
        return np.arange(100, 100 + len(self.cuts), dtype=np.int64)

    def is_removed_by(self, i: int, c: int) -> bool:
        """The rule: in no cut worse or in doubt, and in one that decides better by enough."""
        decided = False
        for k in range(self.cuts.shape[1]):
            mine, other = float(self.cuts[i, k]), float(self.cuts[c, k])
            directed = not np.isnan(self.strict[k])
            if directed and mine - other > max(self.least[k], MARGIN * max(abs(mine), abs(other))):
                decided |= mine - other > self.strict[k]
                continue
            own = [m for m in range(len(self.owner)) if self.owner[m] == k]
            if mine != other or any(self.leaves[i, m] != self.leaves[c, m] for m in own):
                return False
        return decided

    def left(self) -> list[int]:
        """The ids of the choices that no choice removes."""
        count = range(len(self.cuts))
        return [100 + i for i in count if not any(self.is_removed_by(i, c) for c in count)]


@st.composite
def choices(draw: st.DrawFn, most: int = 40) -> Choices:
    num_cuts, num_leaves = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    rows = draw(st.lists(st.tuples(*[VALUES] * num_cuts), min_size=1, max_size=most))
    leaves = [draw(st.tuples(*[st.integers(0, 1)] * num_leaves)) for _ in rows]
    strict = draw(st.lists(st.sampled_from([0.0, 0.0, 0.6, np.inf, np.nan]), min_size=num_cuts, max_size=num_cuts))
    least = draw(st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.7]), min_size=num_cuts, max_size=num_cuts))
    owner = draw(st.lists(st.integers(0, num_cuts - 1), min_size=num_leaves, max_size=num_leaves))
    held = np.array(leaves, np.int64).reshape(len(rows), num_leaves)
    return Choices(np.array(rows, np.float64), held, np.array(least), np.array(strict), np.array(owner, np.int64))


def folded(given_: Choices, order: list[int], cuts_at: list[int]) -> Sieve:
    sieve = Sieve(given_.least, given_.strict, given_.owner)
    for block in np.split(np.array(order, np.int64), cuts_at):
        rows, leaves = np.ascontiguousarray(given_.cuts[block]), np.ascontiguousarray(given_.leaves[block])
        sieve.fold(rows, leaves, given_.ids[block])
    return sieve


@settings(deadline=None, max_examples=200)
@given(choices(), st.data())
def test_what_is_left_is_what_no_choice_removes_in_any_order(given_: Choices, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(given_.ids))))
    cuts_at = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=4)))
    cuts, leaves, ids = folded(given_, order, cuts_at).result()
    assert ids.tolist() == given_.left()
    np.testing.assert_array_equal(cuts, given_.cuts[ids - 100])
    np.testing.assert_array_equal(leaves, given_.leaves[ids - 100])


@settings(deadline=None, max_examples=100)
@given(choices(), st.data())
def test_merged_sieves_have_left_what_one_has(given_: Choices, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(given_.ids))))
    at = data.draw(st.integers(0, len(order)))
    first, second = folded(given_, order[:at], []), folded(given_, order[at:], [])
    first.merge(second)
    assert first.result()[2].tolist() == given_.left()


def test_more_than_wait_at_once_are_settled_on_the_way() -> None:
    draw = np.random.default_rng(7)
    cuts = np.round(draw.random((600, 2)), 2)
    many = Choices(cuts, np.empty((600, 0), np.int64), np.zeros(2), np.zeros(2), np.empty(0, np.int64))
    sieve = Sieve(many.least, many.strict, many.owner)
    sieve._reserve(16)
    for first in range(0, 600, 50):
        sieve.fold(cuts[first : first + 50], many.leaves[first : first + 50], many.ids[first : first + 50])
        sieve._settle()
        sieve._reserve(16)
    assert sieve.result()[2].tolist() == many.left()


@settings(deadline=None, max_examples=200)
@given(st.lists(choices(most=6), min_size=1, max_size=6), st.data())
def test_among_siblings_only_what_its_own_tile_removes_goes(tiles: list[Choices], data: st.DataObject) -> None:
    """It may keep what could go, never the other way round; remembered removers are asked tile after tile."""
    first = tiles[0]
    num_siblings = 6
    remover, rested = np.full(num_siblings, -1, np.int64), np.full(num_siblings, 16, np.int64)
    alike = [t for t in tiles if t.cuts.shape[1] == first.cuts.shape[1] and t.leaves.shape[1] == first.leaves.shape[1]]
    rows, held = np.concatenate([t.cuts for t in alike]), np.concatenate([t.leaves for t in alike])
    tile = np.repeat(np.arange(len(alike)), [len(t.cuts) for t in alike])
    sibling = np.concatenate(
        [sorted(data.draw(st.permutations(range(num_siblings)))[: len(t.cuts)]) for t in alike]
    ).astype(np.int64)
    left = among_siblings(rows, held, tile, sibling, remover, rested, first.least, first.strict, first.owner)
    whole = Choices(rows, held, first.least, first.strict, first.owner)
    for i in np.flatnonzero(~left):
        assert any(whole.is_removed_by(int(i), int(c)) for c in np.flatnonzero(tile == tile[i]))
    for t in range(len(alike)):  # someone of every tile stays
        assert left[tile == t].any()


def test_rows_that_are_not_finite_are_passed_over() -> None:
    columns = np.array([[1.0, np.nan, 3.0, np.inf], [5.0, 6.0, -np.inf, 8.0]])
    bits = np.array([[10, 20, 30, 40]])
    rows, held, picked = np.empty((5, 2)), np.empty((5, 2), np.int64), np.empty(5, np.int64)
    assert stand_up(columns, bits, np.array([0, 0]), rows, held, picked) == 1
    assert (rows[0].tolist(), held[0].tolist(), picked[0]) == ([1.0, 5.0], [10, 10], 0)


def test_numbers_a_last_place_apart_remove_nothing() -> None:
    near = np.array([[1.0], [1.0 + 1e-13], [1.0 - 1e-13], [1.1]])
    sieve = Sieve(np.zeros(1), np.zeros(1), np.empty(0, np.int64))
    sieve.fold(near, np.empty((4, 0), np.int64), np.arange(4))
    assert sieve.result()[2].tolist() == [0, 1, 2]

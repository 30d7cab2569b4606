"""Sifting choices: what is left, in whatever blocks they came, against asking every pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.sifting import MARGIN, SELDOM, Sieve, among_siblings, are_apart

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
        sieve.settle()
        sieve._reserve(16)
    assert sieve.result()[2].tolist() == many.left()


def told_apart(rows: Floats, least: Floats, strict: Floats, alike: npt.NDArray[np.bool_]) -> Choices:
    """Choices of which equal cuts are made of other values unless they are alike."""
    owner = np.flatnonzero(~alike)
    leaves = np.repeat(np.arange(len(rows), dtype=np.int64)[:, None], len(owner), axis=1)
    return Choices(rows, leaves, least, strict, owner)


@settings(deadline=None, max_examples=200)
@given(st.lists(choices(most=40), min_size=1, max_size=6), st.integers(1, 3), st.integers(1, 3), st.data())
def test_among_siblings_only_what_its_own_tile_removes_goes(
    tiles: list[Choices], num_siblings: int, inner: int, data: st.DataObject
) -> None:
    """It may keep what could go, never the other way round; what was looked at with all others is what they leave."""
    rule = tiles[0]
    rows = np.concatenate([t.cuts for t in tiles if t.cuts.shape[1] == rule.cuts.shape[1]])
    size = num_siblings * inner
    rows = rows[: len(rows) // size * size]
    alike = np.array(data.draw(st.tuples(*[st.booleans()] * rows.shape[1])))
    finite = np.array([data.draw(st.sampled_from([True, True, True, False])) for _ in rows], np.bool_)
    whole = told_apart(rows, rule.least, rule.strict, alike)
    columns, left = np.ascontiguousarray(rows.T), np.ones(len(rows), np.bool_)
    remover, rested = np.full(num_siblings, -1, np.int64), np.full(num_siblings, SELDOM, np.int64)
    given_ = columns, finite, num_siblings, inner, remover, rested, rule.least, rule.strict, alike, left
    among_siblings(*given_)
    for i in range(len(rows)):
        own = range(i // size * size + i % inner, (i // size + 1) * size, inner)
        removed = finite[i] and any(finite[c] and whole.is_removed_by(i, c) for c in own)
        assert removed or left[i]
        assert i >= size or left[i] != removed


@settings(deadline=None, max_examples=300)
@given(choices(most=120), st.data())
def test_what_a_quick_look_leaves_out_is_removed_for_certain(given_: Choices, data: st.DataObject) -> None:
    alike = np.array(data.draw(st.tuples(*[st.booleans()] * given_.cuts.shape[1])))
    rows, strict = given_.cuts, np.where(np.isnan(given_.strict), 0.0, given_.strict)
    apart = [are_apart(column, least) for column, least in zip(rows.T, given_.least, strict=True)]
    alike &= np.array(apart)
    whole = told_apart(rows, given_.least, strict, alike)
    sieve = Sieve(whole.least, whole.strict, whole.owner, alike)
    half = len(rows) // 2
    sieve.fold(rows[:half], whole.leaves[:half], whole.ids[:half])
    sieve.settle()
    if not sieve.can_screen:
        assert rows.shape[1] == 1 or not np.isfinite(strict).any()
        return
    kept = set(sieve.screened(np.ascontiguousarray(rows[half:].T)).tolist())
    for i in set(range(len(rows) - half)) - kept:
        assert any(whole.is_removed_by(half + i, c) for c in range(half))


def test_a_quick_look_tells_of_most() -> None:
    draw = np.random.default_rng(3)
    rows, none = draw.random((20_000, 3)), np.empty((20_000, 0), np.int64)
    sieve = Sieve(np.zeros(3), np.zeros(3), np.empty(0, np.int64), np.array([True, False, False]))
    sieve.fold(rows[:10_000], none[:10_000], np.arange(10_000))
    sieve.settle()
    assert len(sieve.screened(np.ascontiguousarray(rows[10_000:].T))) < 1_000


def test_numbers_a_last_place_apart_remove_nothing() -> None:
    near = np.array([[1.0], [1.0 + 1e-13], [1.0 - 1e-13], [1.1]])
    sieve = Sieve(np.zeros(1), np.zeros(1), np.empty(0, np.int64))
    sieve.fold(near, np.empty((4, 0), np.int64), np.arange(4))
    assert sieve.result()[2].tolist() == [0, 1, 2]

"""One-shot and running frontiers, their ties, weights and screens, against comparing every pair of rows."""

from __future__ import annotations

import tracemalloc
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.buckets import lay_steps, steps_of
from kernels.dominance import lexicographic, mark_new, merged, search_along_curve, unbeaten
from kernels.nondominated import as_columns, nondominated, screened
from kernels.pareto import RunningFrontier
from kernels.screen import LEAST_LAID, build_screen
from kernels.sieve import CHUNK
from tests.test_pareto import Rows, as_array, is_beaten, naive_frontier, tables

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
EXTREMES = st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1.0, 1.5, 1e-300, 1e308, -1e308, 1.7e308, -2.0]) | st.floats()


@st.composite
def wild_tables(draw: st.DrawFn) -> Rows:
    """Rows from all over the range of floats, nan and infinities among them."""
    num_objectives = draw(st.integers(1, 6))
    return draw(st.lists(st.tuples(*[EXTREMES] * num_objectives), min_size=1, max_size=40))


def naive_mask(rows: Rows) -> list[bool]:
    kept = set(naive_frontier(rows))
    return [i in kept for i in range(len(rows))]


def every_pair(rows: Floats) -> npt.NDArray[np.bool_]:
    """The definition again, a row at a time against all of them."""
    kept = [not ((rows <= row).all(axis=1) & (rows < row).any(axis=1)).any() for row in rows]
    return np.array(kept) & ~np.isnan(rows).any(axis=1)


def one_for_all(rows: Rows, ids: list[int], weights: list[int]) -> tuple[list[int], list[int]]:
    """Of the rows of the frontier that are equal, the least id and the sum of the weights; by objectives."""
    groups: dict[tuple[float, ...], list[int]] = {}
    for i in naive_frontier(rows):
        groups.setdefault(tuple(value + 0.0 for value in rows[i]), []).append(i)
    members = [groups[values] for values in sorted(groups)]
    return [min(ids[i] for i in m) for m in members], [sum(weights[i] for i in m) for m in members]


@pytest.mark.nojit
@given(st.data(), st.integers(1, 3), st.integers(0, 200))
@settings(deadline=None)
def test_rows_are_sorted_and_merged_by_objectives_and_then_ids(
    data: st.DataObject, num_objectives: int, num_rows: int
) -> None:
    """Runs of equal leading objectives, short and long."""
    cells = st.integers(0, data.draw(st.sampled_from([1, 4, 100]))).map(float)
    rows = np.array(data.draw(st.lists(st.tuples(*[cells] * num_objectives), min_size=num_rows, max_size=num_rows)))
    rows = rows.reshape(num_rows, num_objectives)
    ids = np.array(data.draw(st.permutations(range(num_rows))), np.int64)
    expected = np.lexsort((ids, *rows.T[::-1]))
    assert lexicographic(rows, ids).tolist() == expected.tolist()
    assert rows[lexicographic(rows)].tolist() == rows[expected].tolist()
    is_first = np.array(data.draw(st.lists(st.booleans(), min_size=num_rows, max_size=num_rows)), np.bool_)[expected]
    one, other = expected[is_first], expected[~is_first]
    joined = merged(rows[one], ids[one], 2 * ids[one], rows[other], ids[other], 2 * ids[other])
    for found, whole in zip(joined, (rows, ids, 2 * ids), strict=True):
        assert found.tolist() == whole[expected].tolist()


@pytest.mark.nojit
@given(tables() | wild_tables())
@settings(deadline=None)
def test_one_shot_matches_comparing_every_pair(rows: Rows) -> None:
    assert nondominated(as_array(rows)).tolist() == naive_mask(rows)


@pytest.mark.nojit
@given(tables(), st.data())
@settings(deadline=None)
def test_every_algorithm_matches_comparing_every_pair(rows: Rows, data: st.DataObject) -> None:
    whole = as_array([row for row in rows if not np.isnan(row).any()]).reshape(-1, len(rows[0]))
    ordered = whole[lexicographic(whole)]
    distinct = ordered[mark_new(ordered)]
    assert [tuple(row) for row in distinct] == sorted({tuple(row + 0.0) for row in whole})
    expected = [not is_beaten(tuple(row), [tuple(other) for other in distinct]) for row in distinct]
    assert unbeaten(distinct).tolist() == expected
    if distinct.shape[1] >= 2 and len(distinct):
        order = np.array(data.draw(st.permutations(range(len(distinct)))))
        assert search_along_curve(distinct[order]).tolist() == np.array(expected)[order].tolist()


@pytest.mark.nojit
@given(st.lists(EXTREMES, min_size=2, max_size=30), st.booleans(), st.integers(2, 50))
@settings(deadline=None)
def test_steps_never_fall_as_values_grow(values: list[float], by_bits: bool, num_steps: int) -> None:
    column = np.array(sorted(value for value in values if value == value))
    for ends in (column[:2], column[-2:], column[[0, -1]] if len(column) else column, np.array([-1e-300, 1e-300])):
        ends = ends[np.isfinite(ends)]
        if len(ends):
            with np.errstate(all="ignore"):
                origin, scale = lay_steps(ends, by_bits, num_steps)
                found = steps_of(column, by_bits, origin, scale, num_steps)
                zeros = steps_of(np.array([0.0, -0.0]), by_bits, origin, scale, num_steps)
            assert (np.diff(found) >= 0).all()
            assert ((found >= 0) & (found < num_steps)).all()
            assert zeros[0] == zeros[1]


def test_both_zeros_stand_in_one_step_however_fine_the_steps() -> None:
    assert steps_of(np.array([0.0, -0.0]), True, -1.0, 1.0, 4).tolist() == [1, 1]


@pytest.mark.nojit
@given(tables() | wild_tables(), st.data())
@settings(deadline=None)
def test_a_screen_drops_only_what_a_known_row_beats_or_holds_a_nan(rows: Rows, data: st.DataObject) -> None:
    known = data.draw(st.lists(st.sampled_from(rows), max_size=20))
    known = [row for row in known if not np.isnan(row).any()]
    objectives = as_array(rows)
    screen = build_screen(as_array(known).reshape(-1, objectives.shape[1]), objectives[:3], objectives[3:])
    positions, found = np.empty(CHUNK, dtype=np.int32), np.empty((CHUNK, objectives.shape[1]))
    signs = np.ones(objectives.shape[1])
    done, count = screened(screen, as_columns(list(objectives.T)), signs, 0, positions, found)
    assert done == len(rows)
    np.testing.assert_array_equal(found[:count], objectives[positions[:count]])
    survivors = set(positions[:count].tolist())
    for i, row in enumerate(rows):
        if np.isnan(row).any():
            assert i not in survivors
        elif i not in survivors:
            assert is_beaten(row, known) or is_beaten(row, [rows[s] for s in survivors])


@pytest.mark.nojit
@given(tables() | wild_tables(), st.data())
@settings(deadline=None)
def test_columns_match_comparing_every_pair_whatever_their_signs(rows: Rows, data: st.DataObject) -> None:
    objectives, ids = as_array(rows), 100 + np.arange(len(rows))
    signs = data.draw(st.lists(st.sampled_from([1.0, -1.0]), min_size=len(rows[0]), max_size=len(rows[0])))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    running = RunningFrontier(objectives.shape[1])
    for first, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        columns = [sign * column for sign, column in zip(signs, objectives[first:end].T, strict=True)]
        block_ids = ids[first:end]
        running.fold_columns(columns, signs, block_ids.__getitem__ if data.draw(st.booleans()) else block_ids)
        if data.draw(st.booleans()):
            running.result()
    expected = naive_frontier(rows)
    assert running.ids.tolist() == (100 + np.array(expected, dtype=int)).tolist()
    np.testing.assert_array_equal(running.objectives, objectives[expected])


@pytest.mark.nojit
@pytest.mark.parametrize("ties", ["all", "one"])
@given(rows=tables(), data=st.data())
@settings(deadline=None)
def test_every_row_is_counted_once_however_cut_and_merged(
    ties: Literal["all", "one"], rows: Rows, data: st.DataObject
) -> None:
    objectives = as_array(rows)
    ids = np.array(data.draw(st.permutations(range(len(rows)))))
    weighted = data.draw(st.booleans())
    weights = np.array(data.draw(st.lists(st.integers(1, 9), min_size=len(rows), max_size=len(rows))))
    weights = weights if weighted else np.ones_like(weights)
    parts = [RunningFrontier(objectives.shape[1], ties) for _ in range(3)]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=5)))
    for first, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        part = parts[data.draw(st.integers(0, 2))]
        part.fold(objectives[first:end], ids[first:end], weights[first:end] if weighted else None)
        if data.draw(st.booleans()):
            part.result()
    parts[0].merge(parts[1])
    parts[0].merge(parts[2])
    if ties == "one":
        expected_ids, expected_counts = one_for_all(rows, ids.tolist(), weights.tolist())
    else:
        kept = sorted(naive_frontier(rows), key=lambda i: (rows[i], ids[i]))
        expected_ids, expected_counts = ids[kept].tolist(), weights[kept].tolist()
    assert parts[0].ids.tolist() == expected_ids
    assert parts[0].counts.tolist() == expected_counts
    at = {int(i): row for i, row in zip(ids, objectives, strict=True)}
    found = parts[0].objectives
    assert found.tobytes() == np.array([at[i] for i in expected_ids]).reshape(found.shape).tobytes()  # zeros' signs too


def made(kind: str, num_rows: int, num_objectives: int) -> Floats:
    generator = np.random.default_rng(num_objectives)
    rows: Floats = generator.random((num_rows, num_objectives))
    if kind == "on a grid":
        rows = np.floor(rows * 8)
    if kind == "on a sphere":
        rows = 1 - rows / np.linalg.norm(rows, axis=1, keepdims=True)
    if kind == "constant in one":
        rows[:, -1] = 7.0
        rows[:, 0] = np.floor(rows[:, 0] * 5)
    if kind == "over many magnitudes":
        rows = np.exp(60 * (rows - 0.5)) * np.where(generator.random(rows.shape) < 0.1, -1, 1)
    if kind == "with nan and infinities":
        rows[generator.random(rows.shape) < 0.02] = np.nan
        rows[generator.random(rows.shape) < 0.02] = np.inf
        rows[generator.random(rows.shape) < 0.01] = -np.inf
    return rows


KINDS = [
    "scattered",
    "on a grid",
    "on a sphere",
    "constant in one",
    "over many magnitudes",
    "with nan and infinities",
]


@pytest.mark.parametrize("num_objectives", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_many_rows_match_comparing_every_pair(kind: str, num_objectives: int) -> None:
    rows = made(kind, 20_000, num_objectives)  # enough to be screened, and for a frontier to settle more than once
    kept = nondominated(rows)
    some = np.random.default_rng(0).permutation(len(rows))[:300]
    good = rows[kept]
    for i in some:
        row = rows[i]
        beaten = bool(((good <= row).all(axis=1) & (good < row).any(axis=1)).any())
        assert kept[i] == (not beaten and not np.isnan(row).any())
    assert every_pair(good[:1500]).all()
    running = RunningFrontier(num_objectives)
    for first in range(0, len(rows), 7001):
        running.fold(rows[first : first + 7001], np.arange(first, min(first + 7001, len(rows))))
    assert sorted(running.ids.tolist()) == np.flatnonzero(kept).tolist()
    at_once = RunningFrontier(num_objectives)
    at_once.fold_columns(list(rows.T), [1.0] * num_objectives, np.arange(len(rows)))
    assert at_once.ids.tolist() == running.ids.tolist()


@pytest.mark.parametrize("num_objectives", [4, 5, 6, 7])
def test_what_many_known_rows_of_many_objectives_beat_is_dropped(num_objectives: int) -> None:
    """A curve of thousands of rows that do not beat each other, ties and infinities among them, drops just those."""
    generator = np.random.default_rng(num_objectives)
    known = np.round(generator.dirichlet(np.ones(num_objectives), 5000), 3)
    known[:3, 0] = -np.inf
    known = known[every_pair(known)]
    assert len(known) >= LEAST_LAID
    rows = np.round(generator.dirichlet(np.ones(num_objectives), 4000) * generator.uniform(0.98, 1.05, (4000, 1)), 3)
    rows = np.concatenate([rows, known[::10], known[::20] + 0.001])
    rows[::40, 1], rows[::90, 2] = np.inf, np.nan
    screen = build_screen(known, rows[::60], rows[::70])
    positions, found = np.empty(len(rows) + CHUNK, np.int32), np.empty((len(rows) + CHUNK, num_objectives))
    _, count = screened(screen, as_columns(list(rows.T)), np.ones(num_objectives), 0, positions, found)
    left = set(positions[:count].tolist())
    num_beaten = 0
    for i, row in enumerate(rows):
        is_beaten = ((known <= row).all(axis=1) & (known < row).any(axis=1)).any()
        num_beaten += is_beaten
        if i in left:
            assert not is_beaten
        elif not np.isnan(row).any() and not is_beaten:  # along an axis: beaten by the row before or after
            assert ((rows <= row).all(axis=1) & (rows < row).any(axis=1)).any()
    assert num_beaten >= len(known[::20]) / 2  # those a little worse


@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-3])
def test_a_walk_along_a_dense_frontier_matches_a_staircase(noise: float) -> None:
    """Loss against cost over a grid of sizes and tokens, whose running frontier is most of the rows seen."""
    generator = np.random.default_rng(1)
    size, tokens = np.geomspace(1e8, 1e11, 20)[:, None], np.geomspace(1e9, 1e13, 5000)[None, :]
    loss = 406.4 * size**-0.34 + 410.7 * tokens**-0.28
    rows = np.stack([loss.ravel(), (size * tokens).ravel()], axis=1)
    rows *= 1 + noise * generator.random(rows.shape)
    ordered = rows[np.lexsort(rows.T[::-1])]
    before = np.concatenate([[np.inf], np.minimum.accumulate(ordered[:-1, 1])])
    expected = ordered[ordered[:, 1] < before]
    running = RunningFrontier(2)
    for first in range(0, len(rows), 9001):
        running.fold(rows[first : first + 9001], np.arange(first, min(first + 9001, len(rows))))
    np.testing.assert_array_equal(running.objectives, expected)
    np.testing.assert_array_equal(rows[running.ids], expected)
    np.testing.assert_array_equal(np.flatnonzero(nondominated(rows)), np.sort(running.ids))


def test_memory_does_not_grow_with_ties_of_which_one_is_kept() -> None:
    rows = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])[np.arange(30_000) % 3]
    running = RunningFrontier(2, ties="one")
    running.fold(rows, np.arange(len(rows)))
    tracemalloc.start()
    for block in range(1, 40):
        running.fold(rows, np.arange(block * len(rows), (block + 1) * len(rows)))
    assert running.ids.tolist() == [0, 1, 2]
    assert running.counts.tolist() == [400_000] * 3
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * rows.nbytes


@pytest.mark.nojit
def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        nondominated(np.zeros(3))
    with pytest.raises(ValueError, match='neither "all" nor "one"'):
        RunningFrontier(2, ties="some")  # type: ignore[arg-type]
    running = RunningFrontier(2)
    two, ids = [np.zeros(3), np.zeros(3)], np.arange(3)
    with pytest.raises(ValueError, match="columns have shapes"):
        running.fold_columns([np.zeros(3), np.zeros(2)], [1, 1], ids)
    with pytest.raises(ValueError, match="signs"):
        running.fold_columns(two, [1, 2], ids)
    with pytest.raises(ValueError, match="ids have shape"):
        running.fold_columns(two, [1, 1], np.arange(2))
    with pytest.raises(ValueError, match="counts have shape"):
        running.fold(np.zeros((3, 2)), ids, np.ones(2, dtype=np.int64))
    with pytest.raises(ValueError, match="less than once"):
        running.fold(np.zeros((3, 2)), ids, np.zeros(3, dtype=np.int64))
    assert nondominated(np.empty((0, 4))).tolist() == []

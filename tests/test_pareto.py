"""Frontiers, compiled and in SQL, against comparing every pair of rows."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.pareto import RunningFrontier
from sweep.opensql import macros

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = list[tuple[float, ...]]
QUERIES = Path(__file__).parent.parent / "queries"
# few values, so that most rows share some with others
VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, 4.0, 5.0, -1.5, float("inf"), float("-inf"), float("nan")])


def is_beaten(row: tuple[float, ...], others: Rows) -> bool:
    """The definition: some other row is nowhere worse and somewhere better."""
    return any(
        all(o <= r for o, r in zip(other, row, strict=True)) and any(o < r for o, r in zip(other, row, strict=True))
        for other in others
    )


def naive_frontier(rows: Rows) -> list[int]:
    """Numbers of the rows on the frontier, by objectives and then by number."""
    whole = [i for i, row in enumerate(rows) if not np.isnan(row).any()]
    kept = [i for i in whole if not is_beaten(rows[i], [rows[j] for j in whole])]
    return sorted(kept, key=lambda i: (rows[i], i))


@st.composite
def tables(draw: st.DrawFn, most_rows: int = 40) -> Rows:
    num_objectives = draw(st.integers(1, 6))
    return draw(st.lists(st.tuples(*[VALUES] * num_objectives), min_size=1, max_size=most_rows))


def as_array(rows: Rows) -> Floats:
    return np.array(rows, dtype=np.float64)


def connect(objectives: Floats) -> duckdb.DuckDBPyConnection:
    """A database with the macros and the view that queries/frontier.sql reads."""
    connection = duckdb.connect()
    connection.execute("set enable_progress_bar = false; set threads = 2")
    connection.execute(macros())
    num_rows, num_objectives = objectives.shape
    columns = {f"o{j + 1}": objectives[:, j] if j < num_objectives else np.zeros(num_rows) for j in range(8)}
    connection.register("objectives", pl.DataFrame({"design_id": np.arange(num_rows), **columns}).to_arrow())
    return connection


def sql_frontier(objectives: Floats) -> list[int]:
    with connect(objectives) as connection:
        return [row[0] for row in connection.execute((QUERIES / "frontier.sql").read_text()).fetchall()]


@pytest.mark.nojit
@given(tables(), st.data())
@settings(deadline=None)
def test_frontier_matches_comparing_every_pair_however_the_rows_are_cut(rows: Rows, data: st.DataObject) -> None:
    objectives, ids = as_array(rows), np.arange(len(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    frontier = RunningFrontier(objectives.shape[1])
    for block_objectives, block_ids in zip(np.split(objectives, cuts), np.split(ids, cuts), strict=True):
        frontier.fold(block_objectives, block_ids)
        if data.draw(st.booleans()):
            frontier.result()
    expected = naive_frontier(rows)
    assert frontier.ids.tolist() == expected
    np.testing.assert_array_equal(frontier.objectives, objectives[expected])


@pytest.mark.nojit
@given(tables(), st.integers(0, 40))
@settings(deadline=None)
def test_merged_frontiers_are_the_frontier_of_all_rows(rows: Rows, cut: int) -> None:
    objectives, ids = as_array(rows), np.arange(len(rows))
    left, right = RunningFrontier(objectives.shape[1]), RunningFrontier(objectives.shape[1])
    left.fold(objectives[:cut], ids[:cut])
    right.fold(objectives[cut:], ids[cut:])
    left.merge(right)
    assert left.ids.tolist() == naive_frontier(rows)


@pytest.mark.nojit
def test_no_rows_and_no_whole_rows_have_an_empty_frontier() -> None:
    for objectives in (np.empty((0, 3)), np.array([[np.nan, 1.0, 2.0], [1.0, 2.0, np.nan]])):
        running = RunningFrontier(objectives.shape[1])
        running.fold(objectives, np.arange(len(objectives)))
        assert len(running.result()[1]) == 0
        assert sql_frontier(objectives) == []


@pytest.mark.nojit
def test_ties_come_by_id_whatever_order_they_were_seen_in() -> None:
    frontier = RunningFrontier(2)
    frontier.fold(np.array([[1.0, 2.0], [2.0, 1.0], [-0.0, 9.0]]), np.array([7, 1, 5]))
    frontier.fold(np.array([[1.0, 2.0], [0.0, 9.0]]), np.array([3, 4]))
    assert frontier.ids.tolist() == [4, 5, 3, 7, 1]


@pytest.mark.nojit
def test_a_block_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one objective"):
        RunningFrontier(0)
    with pytest.raises(ValueError, match=r"shape \(2, 3\), not \(2, 2\)"):
        RunningFrontier(2).fold(np.zeros((2, 3)), np.zeros(2, dtype=np.int64))


@given(tables(most_rows=60))
@settings(deadline=None, max_examples=25)
def test_sql_matches_comparing_every_pair(rows: Rows) -> None:
    expected = naive_frontier(rows)
    objectives = as_array(rows)
    assert sql_frontier(objectives) == expected
    macro = {2: "pareto2('objectives', o1, o2)", 3: "pareto3('objectives', o1, o2, o3)"}.get(objectives.shape[1])
    if macro is not None:
        with connect(objectives) as connection:
            found = connection.execute(f"select design_id from {macro}").fetchall()
        assert sorted(row[0] for row in found) == sorted(expected)


@pytest.mark.nojit
def test_macros_take_ctes_expressions_and_columns_of_any_name() -> None:
    """Objectives in an order that is not that of the columns, integers past 2**53, and null, which is never kept."""
    with connect(np.zeros((1, 1))) as connection:
        found = connection.execute(
            """
            with designs as (
                from (values ('a', 9007199254740993, 1), ('b', 9007199254740992, 1), ('c', 5, 0.5), ('d', null, 9))
                as designs(name, o2, o1)
            )
            select m, list(name order by name) from (
                select 2 as m, * from pareto2('designs', o2, -o1)
                union all select 3, * from pareto3('designs', o2, -o1, 1)
                union all select 8, * from pareto('designs', o2, -o1)
            ) group by m order by m
            """
        ).fetchall()
    assert found == [(2, ["b", "c"]), (3, ["b", "c"]), (8, ["b", "c"])]


@pytest.mark.parametrize("many", [60_000, pytest.param(200_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("num_objectives", [2, 3, 4])
@pytest.mark.parametrize("kind", ["scattered", "on a grid", "near a sphere"])
def test_kernel_and_sql_agree_on_many_rows(kind: str, num_objectives: int, many: int) -> None:
    generator = np.random.default_rng(num_objectives)
    objectives = generator.random((many, num_objectives))
    if kind == "on a grid":
        objectives = np.floor(objectives * 12 + 4 * objectives[:, ::-1] ** 2)
    if kind == "near a sphere":  # a dense frontier: most of the rows
        objectives = objectives[: many // 5] / np.linalg.norm(objectives[: many // 5], axis=1, keepdims=True)
        objectives = 1 - objectives * (1 - 0.02 * generator.random((many // 5, 1)) ** 4)
    frontier = RunningFrontier(num_objectives)
    for first in range(0, len(objectives), 7001):
        block = objectives[first : first + 7001]
        frontier.fold(block, np.arange(first, first + len(block)))
    assert sql_frontier(objectives) == frontier.ids.tolist()

"""The frontier macros, and what is built on them, against comparing every pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.epsilon import EpsilonFrontier
from kernels.pareto import RunningFrontier
from sweep.opensql import macros
from tests import naive_pareto
from tests.naive_pareto import Row

VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, 4.5, -1.5, math.inf, -math.inf, math.nan, None])
POSITIVE = st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 7.0])
EXAMPLES = settings(deadline=None, max_examples=12)
CONNECTION = duckdb.connect()
CONNECTION.execute("set enable_progress_bar = false; set threads = 1")
CONNECTION.execute(macros())


def tables(
    least: int = 1, most: int = 8, values: st.SearchStrategy[float | None] = VALUES, rows: int = 25
) -> st.SearchStrategy[list[Row]]:
    return st.integers(least, most).flatmap(lambda k: st.lists(st.tuples(*[values] * k), min_size=1, max_size=rows))


def ask(rows: list[Row], query: str) -> list[tuple[Any, ...]]:
    """The answer over a table d of the rows: design_id, their number, and the objectives a, b, ... h."""
    frame = pl.DataFrame(
        {"design_id": range(len(rows)), **{"abcdefgh"[k]: [row[k] for row in rows] for k in range(len(rows[0]))}},
        schema={"design_id": pl.Int64, **{"abcdefgh"[k]: pl.Float64 for k in range(len(rows[0]))}},
    )
    CONNECTION.register("d", frame.to_arrow())
    return CONNECTION.execute(query).fetchall()


def ids(rows: list[Row], call: str) -> list[int]:
    return sorted(row[0] for row in ask(rows, f"select design_id from {call}"))


def named(rows: list[Row]) -> str:
    return ", ".join("abcdefgh"[: len(rows[0])])


def calls(rows: list[Row]) -> list[str]:
    """The macros that take as many objectives."""
    extra = {2: ["pareto2"], 3: ["pareto3"]}.get(len(rows[0]), [])
    return ["pareto", *extra]


# ---------------------------------------------------------------------------------------------------- the frontier


@given(tables())
@EXAMPLES
def test_the_frontier_is_that_of_comparing_every_pair(rows: list[Row]) -> None:
    expected = naive_pareto.frontier(rows)
    for call in calls(rows):
        assert ids(rows, f"{call}('d', {named(rows)})") == expected
        one = ids(rows, f"{call}('d', {named(rows)}, ties := 'one')")
        assert one == naive_pareto.one_of_each(rows, expected)


@given(tables(2, 3, st.one_of(VALUES, st.floats(-4, 4)), 60), st.sampled_from([1e-9, 0.01, 0.3, 1.0]))
@EXAMPLES
def test_with_epsilon_some_of_the_frontier_stand_for_every_row(rows: list[Row], epsilon: float) -> None:
    exact = naive_pareto.frontier(rows)
    for call in calls(rows):
        kept = ids(rows, f"{call}('d', {named(rows)}, epsilon := {epsilon})")
        assert set(kept) <= set(exact)
        for i in exact:
            assert any(all(is_close(a, b, epsilon) for a, b in zip(rows[k], rows[i], strict=True)) for k in kept)


def is_close(kept: float | None, other: float | None, epsilon: float) -> bool:
    """Whether kept is more than other by the share epsilon at most."""
    assert kept is not None and other is not None  # noqa: PT018
    return kept <= other or kept - other <= (epsilon + 1e-12) * min(abs(kept), abs(other))


@given(
    tables(2, 2, st.one_of(VALUES, st.floats(-4, 4), st.sampled_from([1e308, -1e308, 5e-324])), 60), st.integers(0, 60)
)
@EXAMPLES
def test_stairs_rule_out_only_what_one_of_few_beats_and_what_is_no_number(rows: list[Row], num_few: int) -> None:
    """The few are themselves numbers; with none of them, all numbers are left."""
    few = [row for row in rows if naive_pareto.whole(row) is not None][:num_few]
    p = "p as materialized (select design_id, a as p1, b as p2 from d)"
    held = f"few as (from p where not isnan(p1) and not isnan(p2) order by design_id limit {num_few})"
    kept = ask(rows, f"with {p}, {held} from pareto_under2('p', 'few', 64)")
    whole = {row for row in rows if naive_pareto.whole(row) is not None}
    assert set(kept) <= whole
    for row in whole - set(kept):
        assert any(naive_pareto.beats(good, row) for good in few)  # type: ignore[arg-type]


@given(
    tables(4, 8, st.one_of(VALUES, st.floats(-4, 4), st.sampled_from([1e308, -1e308, 5e-324])), 60), st.integers(1, 60)
)
@EXAMPLES
def test_the_grid_rules_out_only_what_one_of_few_beats(rows: list[Row], num_few: int) -> None:
    rows = [row for row in rows if naive_pareto.whole(row) is not None] or [(1.0,) * len(rows[0])]
    names = [*"abcdefgh"[: len(rows[0])], *"0000"][:8]
    objectives = ", ".join(f"{name} as p{k}" for k, name in enumerate(names, 1))
    query = f"with p as materialized (select {objectives} from d order by design_id), few as (from p limit {num_few}) "
    kept = {found[: len(rows[0])] for found in ask(rows, query + "from pareto_under8('p', 'few', 1000)")}
    assert kept <= set(rows)
    for row in set(rows) - kept:
        assert any(naive_pareto.beats(few, row) for few in rows[:num_few])  # type: ignore[arg-type]


@pytest.mark.parametrize("num_objectives", [2, 3, 4])
@pytest.mark.parametrize("kind", ["scattered", "ordered", "on a grid", "near a sphere", "costs", "alike"])
def test_macros_and_kernels_agree_on_many_rows(kind: str, num_objectives: int, tmp_path: Path) -> None:
    """Read from Parquet, where rows are ruled out by what its first rows say."""
    generator = np.random.default_rng(3)
    rows = generator.random((100_000, num_objectives))
    if kind == "ordered":  # the first rows are the worst
        rows = rows[np.argsort(-rows.sum(axis=1))]
    if kind == "on a grid":
        rows = np.floor(rows * 40)
    if kind == "alike":  # the first objective says nothing
        rows[:, 0] = 7.0
    if kind == "near a sphere":
        rows = rows[:10_000] / np.linalg.norm(rows[:10_000], axis=1, keepdims=True)
        rows = 1 - rows * (1 - 0.02 * generator.random((10_000, 1)) ** 4)
    if kind == "costs":
        rows = rows[:20_000] if num_objectives == 4 else rows  # of which nearly half are on the frontier
        size, tokens = 10 ** (8 + 4 * rows[:, 0]), 10 ** (10 + 3 * rows[:, 1])
        loss = 1.7 + 400 / size**0.34 + 410 / tokens**0.28
        rows = np.stack([size * tokens, loss, size, size * generator.random(len(rows))], axis=1)[:, :num_objectives]
    names = "xyzw"[:num_objectives]
    frame = pl.DataFrame({"design_id": np.arange(len(rows)), **dict(zip(names, rows.T, strict=True))})
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=20_000)
    running, standing = RunningFrontier(num_objectives), EpsilonFrontier(num_objectives, 0.01)
    for frontier in (running, standing):
        frontier.fold(rows, np.arange(len(rows)))
    call = "pareto" if num_objectives == 4 else f"pareto{num_objectives}"
    source = f"with rows as (from '{tmp_path}/rows.parquet') select design_id from {call}"
    arguments = f"'rows', {', '.join(names)}"
    found = CONNECTION.execute(f"{source}({arguments})").fetchall()
    assert sorted(row[0] for row in found) == sorted(running.ids.tolist())
    stand = CONNECTION.execute(f"{source}({arguments}, epsilon := 0.01)").fetchall()
    assert sorted(row[0] for row in stand) == sorted(standing.result()[1].tolist())


@pytest.mark.parametrize("kinds", [("double", "bigint", "decimal(18, 6)", "integer"), ("bigint",) * 4, ("float",) * 4])
def test_numbers_of_every_type_in_every_place(kinds: Sequence[str]) -> None:
    """Whole numbers that float64 cannot tell apart are told apart: half are left for the grids of all rows."""
    generator = np.random.default_rng(5)
    low, names = generator.random((12_000, 4)), "xyzw"
    rows = np.round((0.5 + low - low.mean(axis=1, keepdims=True) + 0.3 * low) * 10_000)
    running = RunningFrontier(4)
    running.fold(rows, np.arange(len(rows)))
    shifts = {"bigint": 1 << 60, "decimal(18, 6)": 10**8, "double": 0, "float": 0, "integer": -5}
    CONNECTION.register("d", pl.DataFrame(rows, names).cast(pl.Int64).with_row_index("design_id").to_arrow())
    listed = [f"cast({n} + {shifts[kind]} as {kind}) as {n}" for n, kind in zip(names, kinds, strict=True)]
    CONNECTION.execute(f"create or replace temp table typed as select design_id, {', '.join(listed)} from d")
    for turn in (0, 3):
        order = ", ".join(names[turn:] + names[:turn])
        found = CONNECTION.execute(f"select design_id from pareto('typed', {order})").fetchall()
        assert sorted(row[0] for row in found) == sorted(running.ids.tolist())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("ties := 'some'", "ties := 'some' is neither 'all' nor 'one'"),
        ("ties := null", "ties := null is neither"),
        ("epsilon := 2", "epsilon := 2 is not 0 or a share from 1e-9 to 1"),
        ("epsilon := -0.1", "epsilon := -0.1 is not 0"),
        ("epsilon := null", "epsilon := null is not 0"),
    ],
)
@pytest.mark.parametrize("call", ["pareto('d', a, b", "pareto2('d', a, b", "pareto3('d', a, b, a"])
def test_a_setting_that_is_none_is_said(call: str, setting: str, message: str) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=message):
        ask([(1.0, 2.0)], f"from {call}, {setting})")


def test_names_of_columns_and_tables_do_not_matter() -> None:
    """Columns named as macros name theirs, swapped, and a CTE with an expression for an objective."""
    CONNECTION.execute(
        "create or replace table odd as select * from (values (1, 5, 1), (2, 4, 2), (3, 6, 6)) t(p2, p1, x)"
    )
    for call in (
        "pareto2('odd', p1, p2)",
        "pareto2('odd', p1, x)",
        "pareto3('odd', p1, p2, x)",
        "pareto('odd', p1, x)",
    ):
        assert sorted(CONNECTION.execute(f"select p2 from {call}").fetchall()) == [(1,), (2,)]
    query = "with s as (select p2 as y, p1 as z from odd) select y from pareto2('s', -z, y + 0.5)"
    assert sorted(CONNECTION.execute(query).fetchall()) == [(1,), (3,)]


BUILT = [
    "* exclude (pareto_rank), pareto_rank from pareto_rank('{of}', {x}, {y})",
    "* exclude (pareto_rank), pareto_rank from pareto_rank('{of}', {x}, {y}, {z})",
    "* exclude (pareto_distance), pareto_distance from pareto_distance('{of}', {x}, {y}, {z})",
    "* exclude (knee_distance), knee_distance from pareto_knee('{of}', {x}, {y})",
    "* from pareto_per('{of}', {z}, {x}, {y})",
    "* from dominated_by('{of}', 2, {x}, {y}, {z})",
    "* from hypervolume2('{of}', {x}, {y}, 9, 9)",
    "* from hypervolume3('{of}', {x}, {y}, {z}, 9, 9, 9)",
]


@pytest.mark.parametrize("built", BUILT, ids=lambda query: query.split("from ")[-1].split("(")[0])
def test_names_of_columns_do_not_matter_to_what_is_built_on_it(built: str) -> None:
    values = "select * from (values (0, 5, 1, 2), (1, 4, 2, 2), (2, 6, 6, 3), (3, 6, 7, 3)) t(design_id, {names})"
    CONNECTION.execute(f"create or replace table plain as {values.format(names='x, y, z')}")
    expected = CONNECTION.execute(f"select {built.format(of='plain', x='x', y='y', z='z')} order by all").fetchall()
    for names in (
        ("p1", "p2", "p3"),
        ("p2", "p1", "n"),
        ("o1", "o2", "o3"),
        ("best", "layer", "level"),
        ("b1", "q1", "m1"),
    ):
        CONNECTION.execute(f"create or replace table odd as {values.format(names=', '.join(names))}")
        query = built.format(of="odd", **dict(zip("xyz", names, strict=True)))
        assert CONNECTION.execute(f"select {query} order by all").fetchall() == expected, names


# --------------------------------------------------------------------------------------------- what is built on it


@given(tables(2, 4))
@EXAMPLES
def test_ranks_are_those_of_taking_frontiers_away(rows: list[Row]) -> None:
    found = ask(rows, f"select design_id, pareto_rank from pareto_rank('d', {named(rows)}) order by all")
    expected = naive_pareto.ranks(rows)
    counted = [rank if len(rows[0]) == 2 or rank is None or rank <= 10 else None for rank in expected]
    assert [rank for _, rank in found] == counted


def test_ranks_of_many_rows_are_longest_chains() -> None:
    """Of two objectives, by patience: a row's rank is the length of the longest chain of rows that beat each other."""
    rows = np.random.default_rng(5).permutation(2000)
    piles: list[int] = []
    expected = []
    for y in rows.tolist():
        rank = sum(top < y for top in piles)
        piles[rank : rank + 1] = [y]
        expected.append(rank + 1)
    found = ask([(float(x), float(y)) for x, y in enumerate(rows)], "from pareto_rank('d', a, b) order by design_id")
    assert [row[-1] for row in found] == expected


def test_layers_limit_the_ranks_of_three_objectives() -> None:
    rows: list[Row] = [(float(k), float(k), 0.0) for k in range(5)]
    query = "select pareto_rank from pareto_rank('d', a, b, c, layers := 3) order by design_id"
    assert ask(rows, query) == [(1,), (2,), (3,), (None,), (None,)]


@given(st.one_of(tables(1, 4), tables(1, 4, POSITIVE)))
@EXAMPLES
def test_the_distance_is_the_factor_that_reaches_the_frontier(rows: list[Row]) -> None:
    found = ask(rows, f"select pareto_distance from pareto_distance('d', {named(rows)}) order by design_id")
    for (distance,), expected in zip(found, naive_pareto.distances(rows), strict=True):
        assert distance == pytest.approx(expected)


@given(tables(1, 3, POSITIVE))
@EXAMPLES
def test_a_row_shrunk_by_its_distance_is_beaten_by_nobody(rows: list[Row]) -> None:
    """The definition, not by the formula: just short of the distance it is still beaten, a little past it no more."""
    known = [naive_pareto.whole(row) for row in rows]
    for i, distance in ask(rows, f"select design_id, pareto_distance from pareto_distance('d', {named(rows)})"):
        assert distance >= 1
        for share in (1 - 1e-9, 1 + 1e-9) if distance > 1 else (1 + 1e-9,):
            shrunk = tuple(x / (distance * share) for x in rows[i] if x is not None)
            assert any(naive_pareto.beats(o, shrunk) for o in known if o is not None) == (share < 1)


@given(tables(2, 3, st.integers(0, 9).map(float)), st.integers(1, 11))
@EXAMPLES
def test_the_hypervolume_is_that_of_its_cells(rows: list[Row], corner: int) -> None:
    reference = (float(corner), 8.0, 10.0)[: len(rows[0])]
    call = f"hypervolume{len(reference)}('d', {named(rows)}, {', '.join(map(str, reference))})"
    ((found,),) = ask(rows, f"from {call}")
    assert found == naive_pareto.hypervolume(rows, reference)  # type: ignore[arg-type]


def test_hypervolumes_by_hand() -> None:
    """A staircase of three unit steps, and two boxes that share one of four."""
    stairs: list[Row] = [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0), (3.0, 3.0), (None, 0.0), (math.nan, 0.0)]
    assert ask(stairs, "from hypervolume2('d', a, b, 4, 4)") == [(6.0,)]
    boxes: list[Row] = [(0.0, 1.0, 1.0), (1.0, 0.0, 1.0)]
    assert ask(boxes, "from hypervolume3('d', a, b, c, 2, 2, 2)") == [(3.0,)]
    assert ask(boxes, "from hypervolume3('d', a, b, c, 0, 0, 0)") == [(0.0,)]


def test_the_knee_is_farthest_from_the_chord() -> None:
    """Of a quarter circle its middle, 1 - 1/sqrt(2) on both axes; of a dented hyperbola, in logarithms, the dent."""
    angles = [k * math.pi / 40 for k in range(21)]
    circle: list[Row] = [(1 - math.cos(t), 1 - math.sin(t)) for t in angles]
    ((found, distance),) = ask(circle, "select design_id, knee_distance from pareto_knee('d', a, b)")
    assert found == 10
    assert distance == pytest.approx(1 - 1 / math.sqrt(2))
    dented: list[Row] = [(2.0**k, 2.0**-k * (0.9 if k == 3 else 1.0)) for k in range(10)]
    assert ask(dented, "select design_id from pareto_knee('d', ln(a), ln(b))") == [(3,)]
    line: list[Row] = [(0.0, 2.0), (1.0, 1.0), (2.0, 0.0), (math.inf, -1.0)]
    assert ask(line, "from pareto_knee('d', a, b)") == []


@given(tables(1, 4), st.data())
@EXAMPLES
def test_what_beats_a_design_is_told_with_how_much(rows: list[Row], data: st.DataObject) -> None:
    i = data.draw(st.integers(0, len(rows) - 1))
    own = naive_pareto.whole(rows[i])
    query = f"select design_id, better_by from dominated_by('d', {i}, {named(rows)})"
    if own is None:
        with pytest.raises(duckdb.InvalidInputException, match="null or nan"):
            ask(rows, query)
        return
    found = dict(ask(rows, query))
    expected = [k for k in naive_pareto.frontier(rows) if naive_pareto.beats(naive_pareto.whole(rows[k]) or (), own)]
    assert sorted(found) == expected
    for k, gaps in found.items():
        assert len(gaps) == len(own)
        for gap, a, b in zip(gaps, own, rows[k], strict=True):
            assert b is not None
            assert gap == pytest.approx(a - b, nan_ok=True)  # inf less inf


def test_the_best_of_what_beats_a_design_comes_first_and_a_wrong_id_is_said() -> None:
    rows: list[Row] = [(5.0, 5.0, 5.0), (4.0, 5.0, 1.0), (1.0, 1.0, 2.0), (9.0, 0.0, 0.0)]
    assert [row[0] for row in ask(rows, "from dominated_by('d', 0, a, b, c)")] == [2, 1]
    with pytest.raises(duckdb.InvalidInputException, match="there is no design 7"):
        ask(rows, "from dominated_by('d', 7, a, b)")


@given(tables(2, 5), st.integers(1, 4))
@EXAMPLES
def test_the_frontier_of_every_group_is_that_of_its_rows(rows: list[Row], groups: int) -> None:
    expected: list[int] = []
    for group in range(groups):
        members = list(range(group, len(rows), groups))
        expected += [members[k] for k in naive_pareto.frontier([rows[i] for i in members])]
    per = f"nullif(design_id % {groups}, 1)"  # null is a group as well
    assert ids(rows, f"pareto_per('d', {per}, {named(rows)})") == sorted(expected)

"""The parts of a run beside three readers: polars, DuckDB and pyarrow read what they would in a file of polars."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep import resolve
from sweep.columns import Column, declare, frame, wanted
from sweep.evaluator import Cells
from sweep.execute import Evaluator, Rows, Worker, rows
from sweep.parts import FOOTER, UNSEALED, Layout, encode
from sweep.plan import Plan
from tests.small import SPEC

WORDS = ("", "naïve", "b", "a much longer word than the others")
SPACE = resolve.loads(
    'name = "kinds"\ncolumns = ["loss_nats"]\n[axes]\nhidden_size = [128, 256, 512, 1024]\n'
    'train_tokens = [1e9, 2.5e10, 3e12]\ngpu = ["h100_sxm", "b200_sxm", "mi300x"]\n'
)
COLUMNS = [
    *declare(SPACE, ()),
    Column("count", "int", "", "", ""),
    Column("value", "float", "", "", ""),
    Column("flag", "bool", "", "", ""),
    Column("word", "word", "", "", "", WORDS),
]
LAYOUT = Layout(1, 1 << 20, 1, 500, 1, 5)
SAID = {"run": "a run"}


def file_of(parts: Sequence[Rows], layout: Layout = LAYOUT) -> bytes:
    return bytes(encode(list(parts), SPACE, COLUMNS, layout, SAID)[0])


def by_polars(whole: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    whole.write_parquet(stream)
    return stream.getvalue()


def agree(ours: bytes, whole: pl.DataFrame, folder: Path) -> None:
    """Every reader finds the same types and the same values, bit for bit, in ours and in a file of polars."""
    theirs = by_polars(whole)
    read = pl.read_parquet(io.BytesIO(ours))
    assert read.schema == whole.schema
    assert read.equals(whole)
    for name in read.columns:
        if read[name].dtype.is_float():
            assert read[name].to_numpy().tobytes() == whole[name].to_numpy().tobytes(), name
    assert pq.read_schema(io.BytesIO(ours)).equals(never_null(pq.read_schema(io.BytesIO(theirs))), check_metadata=True)
    tables = [pq.read_table(io.BytesIO(content)) for content in (ours, theirs)]
    assert all(
        a.to_pylist() == b.to_pylist() for a, b in zip(*(map(plain_words, t.columns) for t in tables), strict=True)
    )
    (folder / "ours.parquet").write_bytes(ours)
    (folder / "theirs.parquet").write_bytes(theirs)
    with duckdb.connect() as database:
        found = [
            (
                database.sql(f"describe select * from '{folder / name}'").fetchall(),
                database.sql(f"from '{folder / name}'"),
            )
            for name in ("ours.parquet", "theirs.parquet")
        ]
        assert found[0][0] == found[1][0]
        assert repr(found[0][1].fetchall()) == repr(found[1][1].fetchall())


def never_null(fields: pa.Schema) -> pa.Schema:
    """The same columns, required to have a value."""
    return pa.schema([field.with_nullable(False) for field in fields], fields.metadata)


def plain_words(column: Any) -> Any:
    """A pyarrow column that compares by its bits: nan equals nan, words are words."""
    if pa.types.is_floating(column.type):
        return column.combine_chunks().view(pa.int64())
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def random_rows(count: int, seed: int, distinct_values: int, run: int) -> Rows:
    """Rows of all kinds of columns, with about so many distinct values in runs of about this length."""
    chance = np.random.default_rng(seed)
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324])
    values = np.concatenate([special, chance.normal(size=max(1, distinct_values))])
    numbers = chance.integers(-(2**62), 2**62, max(1, distinct_values))

    def drawn(length: int) -> Cells:
        return np.repeat(chance.integers(0, length, count // run + 1), run)[:count]

    return Rows(
        np.cumsum(chance.integers(0, 2 ** chance.integers(1, 40), count)).astype(np.int64),
        {
            "#hidden_size": drawn(4).astype(np.int32),
            "#train_tokens": drawn(3).astype(np.int32),
            "#gpu": drawn(3).astype(np.int32),
            "count": numbers[drawn(len(numbers))],
            "value": values[drawn(len(values))],
            "flag": drawn(2).astype(np.int64),
            "word": drawn(len(WORDS)).astype(np.int64),
        },
    )


def cut(parts: Sequence[Rows]) -> list[pl.DataFrame]:
    """The frames of the row groups of these rows."""
    whole = pl.concat([frame(COLUMNS, SPACE, part) for part in parts])
    return list(whole.iter_slices(LAYOUT.row_group_rows))


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(
    sizes=st.lists(st.integers(1, 700), max_size=6),
    seed=st.integers(0, 2**32 - 1),
    distinct_values=st.sampled_from([1, 2, 30, 2000]),
    run=st.sampled_from([1, 3, 40]),
)
def test_three_readers_agree_with_what_polars_writes(
    sizes: list[int], seed: int, distinct_values: int, run: int, tmp_path: Path
) -> None:
    parts = [random_rows(n, seed + k, distinct_values, run) for k, n in enumerate(sizes)]
    empty = frame(COLUMNS, SPACE, random_rows(0, 0, 1, 1))
    agree(file_of(parts), pl.concat([empty, *(frame(COLUMNS, SPACE, part) for part in parts)]), tmp_path)


def test_rows_of_a_space_are_what_polars_would_have_written(tmp_path: Path) -> None:
    space = resolve.loads(SPEC.replace("step = 512", "step = 3584").replace("points = 400", "points = 30"))
    plan = Plan(space, wanted(space))
    columns = declare(space, plan.columns)
    found = rows(Worker(Evaluator(plan)), range(plan.box.blocks), plan.columns)
    once = frame(columns, space, found)
    content, _ = encode([found, found], space, columns, LAYOUT, SAID)
    agree(bytes(content), once.vstack(once), tmp_path)


def test_ids_of_any_size(tmp_path: Path) -> None:
    for ids in (np.arange(3) + (2**63 - 3), np.array([0, 2**63 - 1, 5]), np.array([7, 7, 6])):
        found = Rows(ids.astype(np.int64), random_rows(3, 5, 5, 2).columns)
        agree(file_of([found]), frame(COLUMNS, SPACE, found), tmp_path)


@pytest.mark.parametrize("words", [200, 300, 70_000])
def test_words_however_many(words: int, tmp_path: Path) -> None:
    """Places take a byte, two or four; the longest list is more than a page of a dictionary holds."""
    many = tuple(f"a word of some length, number {k}" for k in range(words))
    columns = [COLUMNS[0], Column("word", "word", "", "", "", many)]
    places = np.random.default_rng(1).integers(0, words, 3000)
    parts = [Rows(np.arange(len(at)), {"word": at}) for at in (places, np.arange(words))]
    few_groups = replace(LAYOUT, row_group_rows=20_000)  # each of them holds all words
    content, _ = encode(list(parts), SPACE, columns, few_groups, SAID)
    agree(bytes(content), pl.concat([frame(columns, SPACE, part) for part in parts]), tmp_path)


def test_row_groups_are_as_long_whatever_the_chunks_and_so_are_the_bytes() -> None:
    whole = random_rows(1700, 3, 40, 3)
    content = file_of([whole])
    read = pq.ParquetFile(io.BytesIO(content)).metadata
    assert [read.row_group(k).num_rows for k in range(read.num_row_groups)] == [500, 500, 500, 200]
    ends = [0, 1, 499, 900, 1700]
    pieces = [
        Rows(whole.design_id[a:b], {name: values[a:b] for name, values in whole.columns.items()})
        for a, b in pairwise(ends)
    ]
    again = pl.read_parquet(io.BytesIO(file_of(pieces)))
    assert again.equals(pl.read_parquet(io.BytesIO(content)))
    assert file_of(pieces) == file_of(pieces)


def test_a_part_is_sealed_and_rows_are_let_go() -> None:
    """The seal is the hash of the file with zeros in its place."""
    held = [random_rows(700, seed, 40, 3) for seed in (1, 2)]
    content, digest = encode(held, SPACE, COLUMNS, LAYOUT, SAID)
    assert held == []
    assert hashlib.sha256(content).hexdigest() == digest
    said = json.loads(pl.read_parquet_metadata(io.BytesIO(content))[FOOTER])
    assert said == SAID | {"seal": said["seal"]}
    assert bytes(content).count(said["seal"].encode()) == 1
    unsealed = bytes(content).replace(said["seal"].encode(), UNSEALED.encode())
    assert hashlib.sha256(unsealed).hexdigest() == said["seal"]


@pytest.mark.parametrize(
    ("repeated", "shuffled", "expected"),
    [(1, False, False), (7, False, True), (1, True, True)],
    ids=["comes back soon", "stands still", "comes back at no time in particular"],
)
def test_an_axis_has_a_dictionary_unless_it_changes_from_row_to_row(
    repeated: int, shuffled: bool, expected: bool, tmp_path: Path
) -> None:
    axes = "[axes]\nhidden_size = [128, 256]\ntrain_tokens = { log10 = [9, 14], points = 90 }"
    space = resolve.loads(f'name = "two axes"\ncolumns = ["loss_nats"]\n{axes}\n')
    places = np.tile(np.repeat(np.arange(90, dtype=np.int32), repeated), 400)
    if shuffled:
        np.random.default_rng(1).shuffle(places)
    columns = declare(space, ())
    held = Rows(np.arange(len(places)), {"#hidden_size": np.zeros_like(places), "#train_tokens": places})
    content, _ = encode([held], space, columns, replace(LAYOUT, row_group_rows=1 << 20), SAID)
    agree(bytes(content), frame(columns, space, held), tmp_path)
    group = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0)
    has = {group.column(k).path_in_schema: group.column(k).has_dictionary_page for k in range(group.num_columns)}
    assert has == {"design_id": False, "hidden_size": True, "train_tokens": expected}
    assert len(content) < 8 * len(places) / 4


def bounds(content: bytes, name: str) -> list[tuple[Any, Any] | None]:
    """Least and greatest of a column in each row group, as pyarrow reads them."""
    read = pq.ParquetFile(io.BytesIO(content)).metadata
    place = [read.schema.column(k).name for k in range(read.num_columns)].index(name)
    said = [read.row_group(k).column(place).statistics for k in range(read.num_row_groups)]
    assert all(s is None or s.null_count == 0 for s in said)
    return [(s.min, s.max) if s is not None and s.has_min_max else None for s in said]


def test_bounds_are_the_least_and_the_greatest() -> None:
    parts = [random_rows(400, seed, 300, 1) for seed in (1, 2)]
    for part in parts:
        part.columns["value"][~np.isfinite(part.columns["value"])] = 1.0
    parts[0].columns["word"][:] = 2  # so that a row group has words that another has not
    content = file_of(parts)
    for column in COLUMNS:
        values = [group[column.name] for group in cut(parts)]
        if column.kind == "word":
            expected = [(min(v.cast(pl.String).to_list()), max(v.cast(pl.String).to_list())) for v in values]
        else:
            expected = [(v.min(), v.max()) for v in values]
        assert bounds(content, column.name) == expected, column.name


def test_a_column_with_nan_in_one_group_has_no_bounds_in_any(tmp_path: Path) -> None:
    """DuckDB would take it for one without nan; the other columns keep theirs."""
    parts = [random_rows(400, seed, 300, 1) for seed in (1, 2)]
    for part in parts:
        part.columns["value"] = np.arange(400) / 7.0
    parts[1].columns["value"][317] = np.nan
    content = file_of(parts)
    assert bounds(content, "value") == [None, None]
    assert all(None not in bounds(content, column.name) for column in COLUMNS if column.name != "value")
    (tmp_path / "part.parquet").write_bytes(content)
    with duckdb.connect() as database:
        assert database.sql(f"from '{tmp_path / 'part.parquet'}' where isnan(value)").shape[0] == 1


def test_zeros_of_either_sign_lie_within_the_bounds() -> None:
    part = random_rows(4, 1, 3, 1)
    part.columns["value"][:] = [0.0, 0.0, 0.0, 0.0]
    (found,) = bounds(file_of([part]), "value")
    assert found is not None
    assert [np.signbit(bound) for bound in found] == [True, False]

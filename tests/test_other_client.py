"""A moved run folder read by the command line client of DuckDB, which on PyPI is an older release than the library.

Skipped where there is no `duckdb` on the PATH: `pip install duckdb-cli` brings one.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from sweep.database import Database
from sweep.opensql import macros
from sweep.resolve import loads
from sweep.run import write
from tests.test_queries import COLUMNS, EVERYWHERE, FILES, MIXED, assert_same

CLIENT = shutil.which("duckdb")
pytestmark = pytest.mark.skipif(CLIENT is None, reason="no command line client of DuckDB on the PATH")

FRONTIERS = {  # over random rows with ties, as many as the macros take in several pieces
    "of_two": "select id from pareto2('points', x, y) order by id",
    "of_three": "select id from pareto3('points', x, y, z) order by id",
    "of_four": "select id from pareto('points', x, y, z, w) order by id",
    "near": "select count(*) as n from pareto('points', x, y, epsilon := 0.01)",
    "of_each": "select id from pareto_per('points', word, x, y) order by id",
}


def answers(folder: Path, asked: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """What the client answers to some texts, told one after the other in one shell inside a folder."""
    assert CLIENT is not None
    lines = [".mode json", ".bail on"]
    for name, text in asked.items():
        (folder / f"{name}.sql").write_text(text.rstrip().removesuffix(";") + ";\n", encoding="utf-8")
        lines += [f".output {name}.json", f".read {name}.sql"]
    done = subprocess.run(
        [CLIENT, "-init", "open.sql"],
        input="\n".join([*lines, ".output", ""]),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr, done.stderr
    return {name: json.loads((folder / f"{name}.json").read_text() or "[]") for name in asked}


def literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def test_every_question_is_answered_as_by_the_library(tmp_path: Path) -> None:
    """All questions of queries/, after the folder was moved to a place whose name DuckDB could read as a partition."""
    write(loads(MIXED), tmp_path / "run")
    with Database.open_run(tmp_path / "run") as database:
        expected = {name: database.ask(f, EVERYWHERE.get(name, {})).pl().rows() for name, f in FILES.items()}
    folder = (tmp_path / "run").rename(tmp_path / "year=2026 [x]")
    sets = {n: [f"set variable {k} = {literal(v)};" for k, v in EVERYWHERE.get(n, {}).items()] for n in FILES}
    found = answers(folder, {name: "\n".join([*sets[name], file.sql]) for name, file in FILES.items()})
    for name, rows in expected.items():
        ours = [tuple(row.values()) for row in found[name]]
        assert_same(ours, [tuple(as_json(value) for value in row) for row in rows])


def test_optima_are_searched_for_as_by_the_library(tmp_path: Path) -> None:
    """Roots, by the macros of metrics and by what_if: recursive queries in queries that are joined to each row."""
    columns = ["compute_optimal_params", "inference_optimal_tokens", "inference_optimal_params", "train_usd"]
    write(loads(MIXED.replace(COLUMNS, f"columns = {columns}")), tmp_path / "run")
    change = "unique_tokens := 1e9, inference_tokens := 1e13"
    text = f"select design_id, {', '.join(columns)} from what_if({change}) order by design_id"
    with Database.open_run(tmp_path / "run") as database:
        expected = database.query(text).pl().rows()
    found = answers(tmp_path / "run", {"optima": text})["optima"]
    ours = [tuple(map(as_json, row.values())) for row in found]  # some clients write null, others nan
    assert_same(ours, [tuple(map(as_json, row)) for row in expected])
    assert any(row[1] == row[1] for row in expected)


def as_json(value: Any) -> Any:
    """A value as JSON has it: what is no number is null."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def test_frontiers_are_those_of_the_library(tmp_path: Path) -> None:
    """By the macros alone on both sides: what the oldest client makes of a sample, a list and a lambda is the same."""
    rng = np.random.default_rng(5)
    rows = 300_000
    pl.DataFrame(
        {"id": np.arange(rows), "word": rng.choice(["a", "b"], rows)}
        | {name: np.round(10 ** rng.uniform(0, 3, rows), 2) for name in "wxyz"}
    ).write_parquet(tmp_path / "points.parquet")
    (tmp_path / "open.sql").write_text(f"create view points as from 'points.parquet';\n{macros()}", encoding="utf-8")
    found = answers(tmp_path, FRONTIERS)
    with duckdb.connect() as connection:
        connection.execute(f"create view points as from '{tmp_path}/points.parquet'; {macros()}")
        for name, text in FRONTIERS.items():
            expected = connection.sql(text).pl().to_dicts()
            assert found[name] == expected, name
            assert expected

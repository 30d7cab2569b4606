"""Quantiles over the draws of a law in SQL: the macro of each, against one evaluation after another in plain Python."""

from __future__ import annotations

import math
from functools import lru_cache
from random import Random

import duckdb
import numpy as np
import polars as pl
import pytest

from kernels.evaluate import Number, evaluate
from kernels.model import GRAPH
from kernels.quantiles import BASES, PERCENTS
from sweep import opensql, sqldraws
from sweep.catalogue import read_rows
from sweep.columns import Column
from sweep.database import Database
from sweep.resolve import loads
from sweep.resources import resource_dir
from sweep.sqltext import quoted

TYPES = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "word": pl.String}
EDGES = [0.0, 1.0, -1.0, 3.7, 1e12, math.nan, math.inf]
COEFFICIENTS = ("floor_nats", "params_scale", "params_exponent", "tokens_scale", "tokens_exponent")
DRAWS = read_rows(resource_dir("data") / "law_draws.csv")[:7]  # a few, since the oracle searches for roots in Python
SPECS = (  # one design each, of all kinds of searches
    "",
    "unique_tokens = 2e10\ntrain_tokens = 1e12",
    'num_experts = 8\nexperts_per_token = 2\nlaw = "joint_moe"',
    'law = "kaplan_L_ND"',
    'law = "capybara_fp"\nprecision = "int4_g128"',
    'num_experts = 8\nexperts_per_token = 2\nunique_tokens = 1e10\ntrain_tokens = 3e11\ntarget_loss_nats = 2.4',
)  # fmt: skip


@lru_cache
def designs() -> list[dict[str, Number]]:
    """Every input and metric of some designs, under laws of which all are said to have the draws."""
    found = []
    for text in SPECS:
        space = loads(f"[axes]\nhidden_size = [4096]\n[fixed]\n{text}\ninference_tokens = 1e13\n")
        given = {**space.constants, "hidden_size": 4096, "law_has_draws": 1}
        asked = {p for name in sqldraws.names() for p in sqldraws.parameters(GRAPH, name)}
        found.append(evaluate(GRAPH, sorted(asked), given))
    return found


def rows_for(base: str) -> list[dict[str, Number]]:
    """The designs as they are and with an input or two that no design has; one of a law that has no draws."""
    random, parameters = Random(base), sqldraws.parameters(GRAPH, f"{base}_p50")
    rows = [{p: design[p] for p in parameters} for design in designs() for _ in range(3)]
    for row in rows[::3]:
        for changed in random.sample([p for p in parameters if GRAPH.kinds[p] == "float"], 2):
            row[changed] = random.choice(EDGES)
    rows.append({**rows[1], "law_has_draws": 0})
    return rows


def oracle(base: str, row: dict[str, Number]) -> list[float]:
    """The quantiles, one draw after another; numpy's are nan beside an infinity, also between two that are one."""
    laws = [{f"draw_{c}": float(draw[f"law_{c}"]) for c in COEFFICIENTS} for draw in DRAWS]
    drawn = sorted(evaluate(GRAPH, [base], row | law)[base] for law in laws)
    if np.isfinite(drawn).all():
        return [float(np.quantile(drawn, percent / 100.0)) for percent in PERCENTS]
    if np.isnan(drawn).any():
        return [math.nan] * len(PERCENTS)
    places = [percent / 100.0 * (len(drawn) - 1) for percent in PERCENTS]
    pairs = [(drawn[int(place)], drawn[int(place) + 1], place % 1.0) for place in places]
    return [float(low if low == high else low + (high - low) * share) for low, high, share in pairs]


@pytest.mark.parametrize("base", BASES)
def test_a_quantile_in_sql_is_that_of_one_evaluation_after_another(base: str) -> None:
    rows = rows_for(base)
    spoken = [{p: GRAPH.words[p][int(v)] if p in GRAPH.words else v for p, v in row.items()} for row in rows]
    table = pl.DataFrame(spoken, {p: TYPES[GRAPH.kinds[p]] for p in spoken[0]}, strict=False)
    asked, nothing = ", ".join(map(quoted, table.columns)), ", ".join(["null"] * len(table.columns))
    named = [f"{base}_p{percent:02d}" for percent in PERCENTS]
    with duckdb.connect() as connection:
        connection.register("draws", pl.DataFrame(DRAWS).to_arrow())
        connection.execute("create table law_draws as select law, draw, columns('law_.*')::double from draws")
        for name in named:
            connection.execute(sqldraws.macro(GRAPH, name))
        connection.register("given", table.to_arrow())
        query = f"select {', '.join(f'{name}_of({asked})' for name in named)} from given"
        found = connection.execute(query).fetchall()
        assert connection.execute(f"select {named[0]}_of({nothing})").fetchall() == [(None,)]
    known = 0
    for row, ours in zip(rows, found, strict=True):
        with np.errstate(all="ignore"):
            theirs = oracle(base, row)
        assert ours == pytest.approx(theirs, rel=1e-12, abs=0, nan_ok=True), row
        known += math.isfinite(theirs[0])
    assert known > len(rows) / 4


def test_draws_and_their_macros_are_there_when_named() -> None:
    with Database.open_space(loads("[axes]\nhidden_size = [1024, 4096]\n")) as database:
        draws = database.query("select law, count(*) as draws from law_draws group by law").pl()
        assert draws.rows() == [("besiroglu_2024", 1000)]
        near = database.query("select quantile_cont(law_params_exponent, 0.5) as x from law_draws").pl().item()
        assert near == pytest.approx(0.3478, abs=0.01)  # of the law as printed: Besiroglu et al. 2024, arXiv:2404.10102
        named = "law_form := 'power', law_params := 1e9, law_compute := '6nd', law_has_draws := true"
        named += ", moe_gain_exponent := 0"
        others = [p for p in sqldraws.parameters(GRAPH, "tokens_for_params_p05") if f"{p} :=" not in named]
        said = ", ".join([named, *(f"{p} := 1" for p in others)])
        low, high = (f"tokens_for_params_p{percent}_of({said})" for percent in ("05", "95"))
        found = database.query(f"select {low} as low, {high} as high").pl()
        assert 1e9 < found["low"][0] < found["high"][0] < 1e12


def test_a_run_that_stores_quantiles_has_their_macros() -> None:
    """And no other, since they are long."""
    stored = Column("loss_nats_p05", "float", "nat", "a quantile", "a paper")
    with_one, without = opensql.text([stored], "drawn"), opensql.text([], "plain")
    assert "macro loss_nats_p05_of(" in with_one
    assert "table law_draws" in with_one
    assert "loss_nats_p50_of(" not in with_one
    assert "table law_draws" not in without
    with duckdb.connect() as connection:
        for statement in connection.extract_statements(opensql.table("law_draws")):
            connection.execute(statement.query)
        connection.execute(sqldraws.macro(GRAPH, "loss_nats_p05"))

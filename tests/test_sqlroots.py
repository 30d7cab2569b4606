"""Functions that search for a root, as SQL macros, against the same in plain Python."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from random import Random

import duckdb
import numpy as np
import polars as pl
import pytest

from kernels.roots import ROOTS
from sweep import sqlroots
from sweep.sqltext import ROOT_PREFIX, WITHOUT_SQL

EDGES = [0.0, 1.0, 0.5, -1.0, 3.7, 1e12, 5e-324, 1e300, math.nan, math.inf]
EXPONENTS = ("alpha", "alpha2", "beta")  # of which an infinite one has a last place of rounding decide
RANGES = {  # what designs and laws give, by the names of the parameters; in proportion where both ends are above zero
    "product": (1e16, 1e27), "worth": (0.3, 3), "gain": (-0.1, 0.3), "a": (50, 2000), "a2": (10, 500),
    "alpha": (0.2, 0.5), "alpha2": (0.2, 0.5), "b": (50, 3000), "beta": (0.2, 0.5), "unique": (1e9, 1e13),
    "tokens_decay": (3, 20), "params_decay": (2, 10), "balance": (0.1, 2), "k": (1e-3, 1), "k_params": (0.1, 0.5),
    "k_tokens": (0.1, 0.5), "n": (1e7, 1e13), "d": (1e8, 1e14), "ln_c": (-8, 8), "ln_flat": (-8, 8),
    "share": (0.2, 0.8), "power": (0.6, 0.7), "above": (0.05, 1.5), "q": (1e9, 1e15), "flat": (1e9, 1e18),
    "body": (1e7, 1e12), "width": (500, 2e4), "flops": (1e18, 1e26), "scale": (0.1, 10), "exponent": (0.1, 0.6),
    "tokens_scale": (0.1, 10), "tokens_exponent": (0.1, 0.6), "steps_scale": (1e3, 1e5), "steps_exponent": (0.5, 0.9),
    "tokens": (1e9, 1e13), "batch": (1e5, 1e7), "batch_scale": (1e5, 1e9), "batch_exponent": (2, 6),
    "weight_bits": (0.5, 10), "activation_bits": (0.5, 10), "kv_bits": (0.5, 10), "weight_offset": (0, 2),
    "activation_offset": (0, 2), "kv_offset": (0, 2), "unrepeated": (1e9, 1e14),
}  # fmt: skip
OFTEN_NONE = {"gain": 0.0, "a2": 0.0, "k": 0.0, "q": 0.0, "flat": 0.0, "ln_flat": -math.inf}
ROWS = 120


def drawn(name: str, random: Random) -> float:
    """A number for a parameter of this name."""
    if name in ("counts", "own"):
        return float(random.choice([0, 1]))
    if name in OFTEN_NONE and random.random() < 0.5:
        return OFTEN_NONE[name]
    low, high = RANGES[name]
    return math.exp(random.uniform(math.log(low), math.log(high))) if low > 0 else random.uniform(low, high)


def rows_for(function: Callable[..., float]) -> list[dict[str, float]]:
    """Half of them with numbers that no design gives."""
    random, names = Random(function.__name__), list(inspect.signature(function).parameters)
    rows = [{name: drawn(name, random) for name in names} for _ in range(ROWS)]
    for row in rows[::2]:
        for name in random.sample(names, random.choice([1, min(3, len(names))])):
            row[name] = random.choice(EDGES[:-1] if name in EXPONENTS else EDGES)
    return rows


@pytest.mark.parametrize("name", sqlroots.names())
def test_a_root_in_sql_is_that_of_the_function(name: str) -> None:
    rows = rows_for(ROOTS[name])
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        connection.execute(sqlroots.macro(name))
        connection.register("given", pl.DataFrame(rows).to_arrow())
        asked = ", ".join(f'"{parameter}"' for parameter in rows[0])
        found = connection.execute(f"select {ROOT_PREFIX}{name}({asked}) from given").fetchall()
        of_null = connection.execute(f"select {ROOT_PREFIX}{name}({', '.join(['null'] * len(rows[0]))})").fetchall()
    assert of_null == [(None,)]
    known = 0
    for row, (ours,) in zip(rows, found, strict=True):
        with np.errstate(all="ignore"):
            theirs = float(ROOTS[name](*map(np.float64, row.values())))
        assert ours == pytest.approx(theirs, rel=1e-12, abs=0, nan_ok=True), row
        known += not math.isnan(theirs)
    assert known > ROWS / 5


def test_all_but_layouts_and_draws_have_one() -> None:
    assert {*sqlroots.names()} == ROOTS.keys() - {"fastest_layout", "draw_quantile"}
    assert sqlroots.names() == [name for name in ROOTS if name not in WITHOUT_SQL]

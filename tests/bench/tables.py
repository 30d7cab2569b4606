"""Rivals that work on tables, crossed or joined: polars and DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from tests.bench import broadcast
from tests.bench.job import Rival, Sums
from tests.bench.text import ORDERED, SQL, written


class Joined(Rival):
    """Those that work on tables: axes crossed, or an expert's two tables joined.

    An expert takes one table of everything that does not vary along the innermost axis, one of everything along it, and
    joins them on what else the second depends on.
    """

    def frames(self) -> tuple[list[pl.DataFrame], list[str]]:
        """The tables to be joined, and the columns they are joined on; none of these for a cross join."""
        job = self.job
        arrays = {n: v for n, v in self.given.items() if np.ndim(v)}
        places = [np.arange(size).reshape([-1 if j == k else 1 for j in range(len(job.sizes))]) for k, size in
                  enumerate(job.sizes)]  # fmt: skip
        if not self.expert:
            return [
                pl.DataFrame(
                    {f"_{k}": np.arange(job.sizes[k])} | {n: v.reshape(-1) for n, v in arrays.items() if n in axis.sets}
                )
                for k, axis in enumerate(job.axes)
            ], []
        last = len(job.sizes) - 1
        along = {n: v for n, v in arrays.items() if v.shape[last] > 1}
        keys = sorted({k for v in along.values() for k in range(last) if v.shape[k] > 1})

        def spread(values: dict[str, Any], over: Sequence[int]) -> pl.DataFrame:
            shape = [size if k in over else 1 for k, size in enumerate(job.sizes)]
            columns = {f"_{k}": places[k] for k in over} | values
            return pl.DataFrame({n: np.broadcast_to(v, shape).reshape(-1) for n, v in columns.items()})

        outer = spread({n: v for n, v in arrays.items() if n not in along}, range(last))
        return [outer, spread(along, [*keys, last])], [f"_{k}" for k in keys]

    @cached_property
    def levels(self) -> list[list[str]]:
        """The formulas in groups, each of which needs only those before it."""
        depth: dict[str, int] = {}
        for node in self.nodes:
            depth[node.name] = 1 + max((depth.get(p, 0) for p in node.formula.parameters), default=0)
        return [[n for n, d in depth.items() if d == k] for k in range(1, max(depth.values(), default=0) + 1)]

    def in_order(self, frame: pl.DataFrame) -> dict[str, Any]:
        frame = frame.sort([f"_{k}" for k in range(len(self.job.sizes))])
        return {n: frame[n].to_numpy() for n in self.job.columns}

    @property
    def scalars(self) -> dict[str, Any]:
        return {n: v.item() if isinstance(v, np.generic) else v for n, v in self.given.items() if np.ndim(v) == 0}


class Polars(Joined):
    """polars: a lazy query of expressions."""

    name, package, engine = "polars", "polars", "in-memory"

    def prepare(self) -> None:
        def expr(value: Any) -> pl.Expr:
            return value if isinstance(value, pl.Expr) else pl.lit(value)

        functions: dict[str, Any] = ORDERED | {
            "minimum": lambda a, b: pl.min_horizontal(expr(a), expr(b)),
            "maximum": lambda a, b: (
                pl.when(expr(a) > expr(b)).then(expr(a)).otherwise(expr(b))
            ),  # a nan is the greatest
            "ceil": lambda a: expr(a).ceil(),
            "floor": lambda a: expr(a).floor(),
            "sqrt": lambda a: expr(a).sqrt(),
            "log": lambda a: expr(a).log(),
            "log2": lambda a: expr(a).log(2.0),
            "exp": lambda a: expr(a).exp(),
            "power": lambda a, b: expr(a).cast(pl.Float64) ** expr(b),
            "where": lambda c, a, b: pl.when(expr(c)).then(expr(a)).otherwise(expr(b)),
            "float": lambda a: expr(a).cast(pl.Float64),
            "both": lambda a, b: expr(a) & expr(b),
            "either": lambda a, b: expr(a) | expr(b),
            "no": lambda a: ~expr(a),
        }
        frames, keys = self.frames()
        query = frames[0].lazy()
        for frame in frames[1:]:
            query = query.join(frame.lazy(), on=keys) if keys else query.join(frame.lazy(), how="cross")
        nodes = {node.name: node for node in self.nodes}
        known: dict[str, Any] = dict(self.scalars)
        for level in self.levels:
            expressions = {}
            for name in level:
                formula = nodes[name].formula
                function = broadcast.function(formula, self.job.words, functions)
                expressions[name] = expr(function(*[known.get(p, pl.col(p)) for p in formula.parameters]))
            query = query.with_columns(**expressions)
        places = [pl.col(f"_{k}") for k in range(len(self.job.sizes))]
        columns = [pl.lit(known[n]).alias(n) if n in known else pl.col(n) for n in self.job.columns]
        self.rows = query.select(*places, *columns)
        self.summed = query.select([column.cast(pl.Float64).sum() for column in columns])

    def table(self) -> dict[str, Any]:
        return self.in_order(self.rows.collect(engine=self.engine))  # type: ignore[call-overload]

    def sums(self) -> Sums:
        return self.summed.collect(engine=self.engine).row(0, named=True)  # type: ignore[call-overload, no-any-return]


class PolarsStreaming(Polars):
    """The same query, streamed."""

    name, engine = "polars, streaming", "streaming"


class DuckDB(Joined):
    """DuckDB: one query over crossed tables, a subquery a level of formulas."""

    name, package = "DuckDB", "duckdb"

    def prepare(self) -> None:
        import duckdb

        self.connection = duckdb.connect()
        self.connection.execute("set threads = 1")
        frames, keys = self.frames()
        for k, frame in enumerate(frames):
            self.connection.register("registered", frame.to_arrow())
            self.connection.execute(f"create table t{k} as select * from registered")
            self.connection.unregister("registered")
        query = "t0"
        for k in range(1, len(frames)):
            query += f" join t{k} using ({', '.join(keys)})" if keys else f" cross join t{k}"
        dialect = SQL()
        known: dict[str, Any] = dict(self.scalars)
        texts = {node.name: text for node, text in written(self, dialect, known)}
        query = f"select * from {query}"
        for level in self.levels:
            query = f"select *, {', '.join(f'{texts[n]} as {n}' for n in level)} from ({query})"
        columns = {n: dialect.text(known[n]) if n in known else n for n in self.job.columns}
        places = ", ".join(f"_{k}" for k in range(len(self.job.sizes)))
        self.rows = f"select {places}, {', '.join(f'{text} as {n}' for n, text in columns.items())} from ({query})"
        sums = ", ".join(f"sum(cast({text} as double)) as {n}" for n, text in columns.items())
        self.summed = f"select {sums} from ({query})"

    def table(self) -> dict[str, Any]:
        return self.in_order(self.connection.sql(self.rows).pl())

    def sums(self) -> Sums:
        found: Sums = self.connection.sql(self.summed).pl().row(0, named=True)
        return found

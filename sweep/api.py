"""The Python interface: a space to scan, query, write, or ask for its frontier; a frame of designs to evaluate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep import resolve
from sweep.space import Space

if TYPE_CHECKING:
    import polars as pl

    from sweep.dataset import DesignsDataset
    from sweep.emptiness import Emptiness
    from sweep.explain import Line
    from sweep.run import Finished


def load(spec: str | Path) -> Designs:
    """The space of a spec file, or of a shipped spec by its name. SpecError with everything that is wrong with it."""
    return Designs(resolve.load(spec))


def loads(text: str) -> Designs:
    """The space of a spec given as TOML text."""
    return Designs(resolve.loads(text))


def evaluate(frame: pl.DataFrame, columns: Sequence[str] = (), given: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """The frame with metrics added, same rows in the same order; see sweep.points.evaluate."""
    from sweep.points import evaluate as evaluate_points

    return evaluate_points(frame, columns, given)


@dataclass(frozen=True)
class Designs:
    """The designs of a space, evaluated when they are asked for."""

    space: Space

    def __len__(self) -> int:
        """Designs of the unfiltered product."""
        return self.space.size

    def scan(self) -> pl.LazyFrame:
        """The designs as a polars LazyFrame; only the columns and rows a query needs are evaluated."""
        from sweep.lazyframe import scan

        return scan(self.space)

    def dataset(self) -> DesignsDataset:
        """The designs as a pyarrow Dataset; only the columns and rows a query needs are evaluated."""
        from sweep.dataset import dataset

        return dataset(self.space)

    def sql(self, query: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """What a SQL query over the table ``designs`` and the catalogue answers. SweepError with DuckDB's words."""
        from sweep.database import Database

        with Database.open_space(self.space) as database:
            return database.query(query, parameters).pl()

    def query(self, name: str, /, where: Iterable[str] = (), **params: Any) -> pl.DataFrame:
        """What a question of ``queries/`` answers about the designs that meet these conditions.

        ``sweep query --list`` names the questions, ``sweep query NAME`` its parameters. SweepError says which name,
        parameter or value is wrong.
        """
        from sweep.database import Database
        from sweep.queryfile import load

        with Database.open_space(resolve.narrow(self.space, where)) as database:
            return database.ask(load(name), params).pl()

    def frontier(
        self, minimize: Iterable[str] = (), maximize: Iterable[str] = (), where: Iterable[str] = ()
    ) -> pl.DataFrame:
        """The designs that no other design beats; the spec's own objectives when none are named."""
        from sweep.frontier import frontier

        return frontier(resolve.narrow(self.space, where, minimize, maximize)).frame

    def why_empty(self, where: Iterable[str] = ()) -> Emptiness:
        """What each condition removes, and which one, relaxed by how little, leaves a design where none is left."""
        from sweep.emptiness import why_empty

        return why_empty(resolve.narrow(self.space, where))

    def write(self, folder: str | Path) -> Finished:
        """Evaluate the space into a run folder, or continue one that was interrupted."""
        from sweep.run import write

        return write(self.space, Path(folder))

    def explain(self, design_id: int, metrics: Iterable[str]) -> list[Line]:
        """How these metrics of a design come about: formulas, numbers in place, sources."""
        metrics = list(metrics)
        from sweep.explain import explain

        return explain(resolve.naming(self.space, metrics, "metrics"), design_id, metrics)

    def sensitivities(self, design_id: int, metric: str) -> pl.DataFrame:
        """What would move a metric of a design most: its elasticity to every input, a row an input."""
        from sweep.sensitivity import frame, sensitivities

        return frame(sensitivities(self.space, design_id, metric).inputs)

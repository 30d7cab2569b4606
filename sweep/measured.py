"""Published measurements as rows: cells as they are written, what a design takes from them, and what they print.

A row is one printed measurement with the configuration its source gives. An empty cell is unknown, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sweep import catalogue
from sweep.catalogue import MODEL_SETS
from sweep.errors import SweepError
from sweep.resources import resource_dir

if TYPE_CHECKING:
    import polars as pl

SHAPE = ("hidden_size", "num_layers", "vocab_size")  # a row that has these describes itself
NEEDED = ("id", "source_group", "scope", "model", *SHAPE, "gpu", "num_gpus", "printed")
FORMULA = "F"  # the grade of a published formula's value
NO_LAYOUT = "parallelism: no layout is printed, so that training reaches an assumed share of the peak"
CHECK = "CHECK"  # in notes, of what does not fit with the rest of its row

# Devices that the row of data/accelerators.csv does not cover, by words of gpu_note.
DIE = "one of the two dies"  # half of all rates and of the memory: gpt-fast README, MI250x
VARIANTS: dict[
    str, dict[str, float]
] = {  # figures of their own: torchtitan, benchmarks/llama3_h100_202412_torchtitan.md
    "96 GB HBM2e, 2.4 TB/s": {"gpu_memory_bytes": 96e9, "gpu_memory_byte_per_s": 2.4e12},
}

Design = dict[str, str | float]  # inputs, and records by kind


class NotEvaluated(Exception):
    """Why a figure has no prediction, in words that group rows with the same trouble: they start with the column."""


@dataclass(frozen=True)
class Ask:
    """One metric of one design. A replica's GPUs are gpus where that is given, else as many as hold it."""

    metric: str
    design: Design
    gpus: int | None = None


@dataclass(frozen=True)
class Figure:
    """One measured figure, scored once: what was measured, and what ours takes.

    predicted combines the metrics that were asked, in their order, into the same quantity. floor does the same with
    floor_asks and cannot be more than what is measured; at_peak with at_peak_asks: the time if every FLOP, what is
    recomputed too, were done at the dense peak. Without asks, reason says why there is no prediction. assumed is what
    stood in for cells that are empty.
    """

    row: int
    id: str
    source_group: str
    quantity: str
    measured: float
    asks: tuple[Ask, ...] = ()
    predicted: Callable[..., float] = float
    floor_asks: tuple[Ask, ...] = ()
    floor: Callable[..., float] = float
    at_peak_asks: tuple[Ask, ...] = ()
    at_peak: Callable[..., float] = float
    reason: str = ""
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One line of a file of measurements: its number from 0 and its cells, '' for what is unknown."""

    number: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        return self.cells.get(column, "")

    def known(self, column: str) -> str:
        """A cell that has to be there."""
        if not self.text(column):
            raise NotEvaluated(f"{column} is not known")
        return self.text(column)

    def number_of(self, column: str) -> float | None:
        """The number in a cell, None where nothing is. NotEvaluated for words, infinities, and less than nothing."""
        cell = self.text(column)
        if not cell:
            return None
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not 0.0 <= value < math.inf:
            raise NotEvaluated(f"{column}: {cell!r} is not a number of at least 0")
        return value

    def amount(self, column: str) -> float:
        """The number in a cell that has to be there and be more than zero."""
        self.known(column)
        value = self.number_of(column)
        if not value:
            raise NotEvaluated(f"{column}: {self.text(column)!r} is not more than 0")
        return value

    def first(self, *columns: str) -> float:
        """The first of these that is known."""
        for column in columns:
            if self.text(column):
                return self.amount(column)
        raise NotEvaluated(f"{' and '.join(columns)} {'are' if len(columns) > 1 else 'is'} not known")

    @property
    def printed(self) -> list[str]:
        """The fields its source prints; whatever else stands in the row was derived from them."""
        return [name.strip() for name in self.text("printed").split(";") if name.strip()]

    @property
    def set_aside(self) -> str:
        """Why the row is no measurement to be held to, '' when it is one."""
        if self.text("grade") == FORMULA:
            return "values of a published formula (grade F)"
        return "marked CHECK in notes: a figure that does not fit with the rest of its row" * (
            CHECK in self.text("notes")
        )


def read(frame: pl.DataFrame, name: str, needed: Iterable[str]) -> list[Row]:
    """The rows of a table of measurements. SweepError for a missing column, or a table without rows."""
    import polars as pl

    missing = [column for column in (*NEEDED, *needed) if column not in frame.columns]
    if missing:
        raise SweepError(
            f"{name}: there is no column {', '.join(missing)}; a measurement has {', '.join((*NEEDED, *needed))}"
        )
    if not len(frame):
        raise SweepError(f"{name}: no row to compare with")
    text = frame.select(pl.all().cast(pl.String).str.strip_chars().fill_null(""))
    return [Row(number, cells) for number, cells in enumerate(text.iter_rows(named=True))]


@lru_cache
def _tables() -> dict[str, dict[str, str]]:
    """What is known of each model beyond the row: released ones, then those that only benchmarks use."""
    benchmark = catalogue.read_rows(resource_dir("data") / catalogue.EVIDENCE["measurement_models"])
    released = {model: record.facts for model, record in catalogue.records("model").items()}
    return {row["model"]: row for row in benchmark} | released


def shape(row: Row) -> Design:
    """The architecture: what the row says, and the rest from the record of its model where there is one.

    A row of a model that is not known stands on its own columns; what it leaves out takes its default.
    """
    record = _tables().get(row.text("model"), {})
    described = all(row.text(name) for name in SHAPE)
    if not record and not described:
        hint = catalogue.nearest("model", row.text("model"))
        raise NotEvaluated(f"model: {row.text('model')!r} is not known, and {', '.join(SHAPE)} are not given{hint}")
    return {name: cell for name in MODEL_SETS if (cell := row.text(name) or record.get(name, ""))}


def device(row: Row) -> Design:
    """The GPU, with what its note says is different."""
    identity = row.known("gpu")
    known = catalogue.records("gpu")
    if identity not in known:
        raise NotEvaluated(f"gpu: {identity!r} is not a known gpu{catalogue.nearest('gpu', identity)}")
    design: Design = {"gpu": identity}
    note = row.text("gpu_note")
    for words, figures in VARIANTS.items():
        if words in note:
            design |= figures
    if DIE in note:
        rates = ("_flop_per_s", "_byte_per_s", "_memory_bytes")
        values = known[identity].values
        halves = {name: float(value) / 2 for name, value in values.items() if name.endswith(rates)}
        design |= {name: value for name, value in halves.items() if not math.isnan(value)}
    return design

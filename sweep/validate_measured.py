"""How far our numbers are from published measurements: a line a group, a line a quantity of several groups, a total.

A group is what one source prints of one quantity, or what other columns of a row say instead of its source. Errors are
ours over the measured figure, less one, in per cent; times are compared as times. Values of published formulas and rows
marked CHECK are set aside, in no group and in no total.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from typing import TYPE_CHECKING

from kernels.graph import near
from sweep import measured_serve, measured_train
from sweep.asked import Answers
from sweep.errors import SweepError
from sweep.measured import NO_LAYOUT, Figure, Row, read
from sweep.one_hfu import one_hfu_errors
from sweep.saturated import with_batches

if TYPE_CHECKING:
    import polars as pl

Prepare = Callable[[list[Row]], list[Row]]
KINDS: dict[str, tuple[tuple[str, ...], Prepare, Callable[[Row], list[Figure]]]] = {
    "serve": (measured_serve.NEEDED, with_batches, measured_serve.figures),
    "train": (measured_train.NEEDED, list, measured_train.figures),
}
ONE_HFU = ("one_hfu_median_pct", "one_hfu_p90_pct")  # columns that only times of training have


@dataclass(frozen=True)
class Scored:
    """A figure beside ours, in the unit that its quantity names; nan and a reason where there is none of ours.

    device is its GPU and training precision; one_hfu_pct the signed error of the median HFU of its group's figures on
    that device, nan where its FLOPs are not counted.
    """

    row: int
    id: str
    group: str
    quantity: str
    measured: float
    predicted: float
    floor: float
    reason: str
    assumed: tuple[str, ...] = ()
    device: str = ""
    hfu: float = math.nan
    one_hfu_pct: float = math.nan

    @property
    def covered(self) -> bool:
        """Whether there is something to compare."""
        return not self.reason

    @property
    def error_pct(self) -> float:
        """How much more than the measured figure ours is, signed, in per cent."""
        return 100.0 * (self.predicted / self.measured - 1.0)


@dataclass(frozen=True)
class Line:
    """One group: how many figures it has, how many could be evaluated, how far ours are; None where there are none.

    bias_pct is the median of the signed errors; p90 lies between two errors where no error is the 90th percentile.
    one_hfu_* are absolute errors of the same figures at one HFU of each device (see one_hfu); None where some figure
    has none, and where no device has two.
    """

    group: str
    quantity: str
    rows: int
    covered: int
    median_abs_pct_error: float | None
    p90_abs_pct_error: float | None
    bias_pct: float | None
    worst_id: str
    worst_pct_error: float | None
    one_hfu_median_pct: float | None
    one_hfu_p90_pct: float | None


@dataclass(frozen=True)
class Comparison:
    """Lines of groups, of quantities and the total; every figure; what was set aside and why, by number of rows."""

    lines: list[Line]
    scored: list[Scored]
    aside: dict[str, int] = field(default_factory=dict)

    @property
    def reasons(self) -> list[tuple[str, list[Scored]]]:
        """Why figures are not evaluated, the most frequent reason first."""
        found: dict[str, list[Scored]] = {}
        for figure in self.scored:
            if not figure.covered:
                found.setdefault(figure.reason, []).append(figure)
        return sorted(found.items(), key=lambda item: -len(item[1]))

    @property
    def assumed(self) -> dict[str, int]:
        """What stood in for empty cells of figures that were evaluated, by number of figures."""
        return dict(Counter(words for figure in self.scored if figure.covered for words in figure.assumed))

    @property
    def beside_one_hfu(self) -> list[Line]:
        """The groups that one HFU of each device says something of, with figures whose layout is printed."""
        timed = (figure for figure in self.scored if figure.covered and NO_LAYOUT not in figure.assumed)
        groups = {f"{figure.group} {figure.quantity}" for figure in timed}
        return [line for line in self.lines if line.group in groups and line.one_hfu_median_pct is not None]

    @property
    def below_floor(self) -> list[Scored]:
        """Figures measured faster than bytes can be moved: the row, our bytes or the bandwidth is wrong."""
        return [figure for figure in self.scored if figure.covered and figure.measured < figure.floor]


def table(lines: Sequence[Line], kind: str) -> pl.DataFrame:
    """The lines as a frame; those of serving have no columns of HFU."""
    import polars as pl

    kinds = {"str": pl.String, "int": pl.Int64, "float | None": pl.Float64}
    schema = {field.name: kinds[str(field.type)] for field in fields(Line)}
    frame = pl.DataFrame([astuple(line) for line in lines], orient="row", schema=schema)
    return frame if kind == "train" else frame.drop(ONE_HFU)


def validate_measured(
    frame: pl.DataFrame, kind: str, name: str = "the table", by: Sequence[str] = ("source_group",)
) -> Comparison:
    """Measurements of that kind, serve or train, beside ours, grouped by columns of the table and by quantity.

    A figure that cannot be evaluated says why and loses no other. SweepError for a missing column, a table without
    rows, or nothing printed in any of them.
    """
    needed, prepare, figures_of = KINDS[kind]
    rows = prepare(read(frame, name, needed))
    unknown = [column for column in by if column not in frame.columns]
    if unknown:
        raise SweepError(f"{name}: there is no column {unknown[0]} to group by{near(unknown[0], frame.columns)}")
    aside = Counter(row.set_aside for row in rows if row.set_aside)
    figures = _once(figure for row in rows if not row.set_aside for figure in figures_of(row))
    if not figures:
        raise SweepError(f"{name}: no row names a field in its column printed, so there is nothing to compare with")
    labels = {row.number: " ".join(row.text(column) or "?" for column in by) for row in rows}
    devices = {row.number: f"{row.text('gpu')} {row.text('train_precision')}" for row in rows}
    scored = _with_one_hfu(_scored(figures, labels, devices))
    groups: dict[tuple[str, str], list[Scored]] = {}
    for figure in scored:
        groups.setdefault((figure.group, figure.quantity), []).append(figure)
    lines = [line(f"{group} {quantity}", quantity, found) for (group, quantity), found in groups.items()]
    times = Counter(quantity for _, quantity in groups)
    several = [quantity for quantity, count in times.items() if 1 < count < len(groups)]
    lines += [line(f"all {name}", name, [figure for figure in scored if figure.quantity == name]) for name in several]
    return Comparison([*lines, line("total", "", scored)], scored, dict(aside))


def _once(figures: Iterable[Figure]) -> list[Figure]:
    """The same file weighed by many rows of a source is one figure."""
    found: dict[object, Figure] = {}
    for figure in figures:
        same: object = figure.row, figure.quantity
        if figure.quantity == "weights_gib" and figure.asks:
            design = tuple(
                sorted((name, value) for name, value in figure.asks[0].design.items() if name not in ("gpu", "engine"))
            )
            parts = figure.predicted(1.0)
            same = figure.source_group, figure.quantity, figure.measured, parts, str(design)
        found.setdefault(same, figure)
    return list(found.values())


def _scored(figures: Sequence[Figure], labels: Mapping[int, str], devices: Mapping[int, str]) -> list[Scored]:
    answers = Answers(ask for figure in figures for ask in (*figure.asks, *figure.floor_asks))
    at_peak = Answers(ask for figure in figures for ask in figure.at_peak_asks)  # few metrics, so not with the rest
    return [_beside(figure, labels[figure.row], devices[figure.row], answers, at_peak) for figure in figures]


def _with_one_hfu(scored: Sequence[Scored]) -> list[Scored]:
    """Each figure with the error of one HFU of its device; those of ours that cannot be evaluated say nothing of it."""
    hfus = [figure.hfu if figure.covered else math.nan for figure in scored]
    errors = one_hfu_errors(hfus, [(figure.group, figure.quantity, figure.device) for figure in scored])
    return [replace(figure, one_hfu_pct=error) for figure, error in zip(scored, errors, strict=True)]


def _beside(figure: Figure, label: str, device: str, answers: Answers, at_peak: Answers) -> Scored:
    found = [answers(ask) for ask in figure.asks]
    floors = [answers(ask) for ask in figure.floor_asks]
    reason = figure.reason or next((why for _, why in found if why), "")
    predicted = float("nan") if reason else figure.predicted(*(value for value, _ in found))
    floor = figure.floor(*(value for value, _ in floors)) if floors else float("nan")
    work = [at_peak(ask)[0] for ask in figure.at_peak_asks]
    hfu = figure.at_peak(*work) / figure.measured if work else math.nan
    where = figure.row, figure.id, label, figure.quantity
    return Scored(*where, figure.measured, predicted, floor, reason, figure.assumed, device, hfu)


def line(group: str, quantity: str, figures: Sequence[Scored]) -> Line:
    """The statistics of some figures."""
    import polars as pl

    covered = [figure for figure in figures if figure.covered]
    if not covered:
        return Line(group, quantity, len(figures), 0, None, None, None, "", None, None, None)
    errors = pl.Series([figure.error_pct for figure in covered], dtype=pl.Float64)
    worst = covered[int(errors.abs().arg_max() or 0)]
    return Line(
        group,
        quantity,
        len(figures),
        len(covered),
        _number(errors.abs().median()),
        _number(errors.abs().quantile(0.9, "linear")),
        _number(errors.median()),
        worst.id,
        worst.error_pct,
        *_one_hfu(covered),
    )


def _one_hfu(figures: Sequence[Scored]) -> tuple[float | None, float | None]:
    """Median and 90th percentile of the absolute errors at one HFU of each device."""
    import polars as pl

    errors = pl.Series([abs(figure.one_hfu_pct) for figure in figures], dtype=pl.Float64)
    devices = Counter((figure.group, figure.device) for figure in figures)
    if errors.is_nan().any() or max(devices.values()) < 2:
        return None, None
    return _number(errors.median()), _number(errors.quantile(0.9, "linear"))


def _number(value: object) -> float:
    assert isinstance(value, float)
    return value

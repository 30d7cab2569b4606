"""Metrics of many designs at once, each with its own number of GPUs a replica."""

from __future__ import annotations

import math
from collections.abc import Iterable

from kernels.model import GRAPH
from sweep import catalogue
from sweep.measured import Ask, Design
from sweep.points import evaluate_rows

REPLICA = "serve_tensor_parallel"  # GPUs of a replica


class Answers:
    """Asks answered: each by its value, or by why there is none."""

    def __init__(self, asks: Iterable[Ask]) -> None:
        self._values: dict[tuple[int, int | None], dict[str, float]] = {}
        self._reasons: dict[tuple[int, int | None], str] = {}
        by_gpus: dict[int | None, dict[int, Ask]] = {}
        metrics: dict[int | None, set[str]] = {}
        for ask in asks:
            by_gpus.setdefault(ask.gpus, {})[id(ask.design)] = ask
            metrics.setdefault(ask.gpus, set()).add(ask.metric)
        for gpus, found in by_gpus.items():
            self._evaluate(gpus, [ask.design for ask in found.values()], sorted(metrics[gpus]))

    def __call__(self, ask: Ask) -> tuple[float, str]:
        """The value and '', or nan and why."""
        place = id(ask.design), ask.gpus
        if ask.metric not in GRAPH:
            return math.nan, f"no metric yet: {ask.metric}"
        if place in self._reasons:
            return math.nan, self._reasons[place]
        value = self._values[place][ask.metric]
        return value, "" if math.isfinite(value) else f"{ask.metric} is not known of this design"

    def _evaluate(self, gpus: int | None, designs: list[Design], metrics: list[str]) -> None:
        import polars as pl

        wanted = [metric for metric in metrics if metric in GRAPH]
        if not wanted:
            return
        given = {REPLICA: gpus} if gpus is not None else {}
        read = _read(wanted, given)
        frame = pl.DataFrame({name: _column(name, designs) for name in read}, schema=dict.fromkeys(read, pl.String))
        found, bad = evaluate_rows(frame, wanted, given)
        for report in reversed(bad):
            self._reasons[id(designs[report.row]), gpus] = f"{report.column}: {report.reason}"
        # an input that is a column already comes out under another name, with what its record says
        said = [pl.col(f"{name}_computed" if name in frame.columns else name).alias(name) for name in wanted]
        numbers = found.select(said).select(pl.all().cast(pl.Float64, strict=False).fill_null(math.nan))
        for design, row in zip(designs, numbers.iter_rows(named=True), strict=True):
            self._values[id(design), gpus] = row


def _read(wanted: list[str], given: dict[str, int]) -> list[str]:
    """The columns that can matter: inputs the metrics lead back to, and every kind of record that sets one of them."""
    nodes, leaves = GRAPH.resolve(wanted, given)
    names = {name for name in (*leaves, *(node.name for node in nodes)) if name in GRAPH.inputs}
    kinds = [kind for kind, record in catalogue.KINDS.items() if kind != "model" and names & set(record.sets)]
    return [*kinds, *(name for name in GRAPH.inputs if name in names)]


def _column(name: str, designs: list[Design]) -> list[str | None]:
    """An input along the designs; its constant default where nothing is said, so that designs differ in values only."""
    default = catalogue.defaults().get(name)
    setting = {key for kind in catalogue.KINDS.values() if kind.name != "model" for key in kind.sets}
    stands_in = None if default is None or name in setting else str(default.value)
    return [stands_in if (value := design.get(name)) in (None, "") else _text(value) for design in designs]


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)

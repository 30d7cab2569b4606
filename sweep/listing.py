"""Metrics and inputs as tables: what the command line lists and what SQL calls ``metrics`` and ``inputs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernels.graph import Graph
from kernels.model import GRAPH
from sweep import catalogue

if TYPE_CHECKING:
    import polars as pl


def metrics(graph: Graph = GRAPH) -> pl.DataFrame:
    """name, unit, meaning, formula, source and depends_on of every metric, each after what it depends on."""
    import polars as pl

    declared = [graph.metrics[name] for name in graph.order if name in graph.metrics and not name.startswith("_")]
    return pl.DataFrame(
        {
            "name": [m.name for m in declared],
            "unit": [m.unit for m in declared],
            "meaning": [m.meaning for m in declared],
            "formula": [m.formula.text for m in declared],
            "source": [m.source for m in declared],
            "depends_on": [", ".join(m.formula.parameters) for m in declared],
        }
    )


def corrections() -> pl.DataFrame:
    """kind, id, title, what it sets in words, source, confidence, range and notes of every correction of a law."""
    import polars as pl

    rows = []
    for kind in catalogue.CORRECTIONS:
        for record in catalogue.records(kind.name).values():
            said = ", ".join(f"{name} = {record.facts[name]}" for name in kind.sets if record.facts.get(name))
            more = [record.facts.get(name, "") for name in ("confidence", "fitted_range", "notes")]
            rows.append((kind.name, record.id, record.facts["title"], said, record.source, *more))
    columns = ["kind", "id", "title", "sets", "source", "confidence", "fitted_range", "notes"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def inputs(graph: Graph = GRAPH) -> pl.DataFrame:
    """name, unit, type, default, allowed range, meaning and source of every input and kind of record."""
    import polars as pl

    defaults = catalogue.defaults()
    rows: list[tuple[str, ...]] = []
    for i in graph.inputs.values():
        given = defaults.get(i.name)
        default = str(given.value) if given else (i.formula.text if i.formula else "set by a record")
        allowed = ", ".join(i.words) if i.words else (f"{i.low:g} .. {i.high:g}" if i.high < 1e30 else f"{i.low:g} ..")
        source = given.source if given else i.source
        rows.append((i.name, i.unit, i.kind, default, allowed, i.meaning, source))
    for kind in catalogue.KINDS.values():
        given = defaults.get(kind.name)
        meaning = f"record: sets {', '.join(kind.sets[:4])}{', ...' if len(kind.sets) > 4 else ''}"
        ids = f"{len(catalogue.records(kind.name))} ids"
        rows.append(
            (kind.name, "", "record", str(given.value) if given else "", ids, meaning, given.source if given else "")
        )
    columns = ["name", "unit", "type", "default", "allowed", "meaning", "source"]
    return pl.DataFrame(rows, schema=columns, orient="row")

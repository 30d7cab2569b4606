"""What a question of ``queries/`` reads of designs and designs has not: said with what would put it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kernels.graph import near
from kernels.model import GRAPH
from sweep import catalogue

if TYPE_CHECKING:
    from sweep.columns import Column
    from sweep.queryfile import QueryFile

THE_AXES = "the axes"  # in a header: all axes of the space, in order


def lacking(
    file: QueryFile, values: Mapping[str, Any], columns: Sequence[Column], evaluated: bool = False
) -> str | None:
    """What is wrong with asking this of designs with these columns; None where nothing is.

    evaluated says that the table is that of a spec, which has every metric that can be had, and not a run.
    """
    kinds = {column.name: column.kind for column in columns}
    for parameter in file.parameters:
        if parameter.names_columns:
            value = values.get(parameter.name, parameter.value)
            for name in [value] if isinstance(value, str) else value:
                if told := _misnamed(file.name, parameter.name, name, kinds):
                    return told
                if kinds.get(name) == "word" and "of numbers" in parameter.meaning.partition(",")[0]:
                    return f"{file.name}: {parameter.name} = {name!r} is a column of words, and numbers are needed"
    if THE_AXES in file.tables["designs"] and not any(column.is_axis for column in columns):
        return f"{file.name} compares designs, and this space has no axis: there is one design"
    return _missing(file, values, kinds, evaluated)


def _misnamed(file: str, parameter: str, name: str, kinds: Mapping[str, str]) -> str | None:
    """What is wrong with a value that is no column's name anywhere."""
    if name in kinds or name in GRAPH or name in catalogue.KINDS:
        return None
    return f"{file}: {parameter} = {name!r} is not a column of designs{near(name, [*kinds, *GRAPH.metrics])}"


def _missing(file: QueryFile, values: Mapping[str, Any], kinds: Mapping[str, str], evaluated: bool) -> str | None:
    missing = [name for name in file.needs(values) if name not in kinds]
    if not missing:
        return None
    chosen = [name for name in missing if name in catalogue.KINDS]
    rest = [name for name in missing if name not in catalogue.KINDS]
    advice = []
    if rest:
        listed = ", ".join(f'"{name}"' for name in rest)
        advice.append(f"add {listed} to columns = [...] of the spec")
    if chosen:
        advice.append(f"make {', '.join(chosen)} an axis of the spec, under [axes], if only of one value")
    what = "this space" if evaluated else "this run"
    told = [f"{file.name} reads {', '.join(missing)}, which {what} has not: {'; '.join(advice)}"]
    if not evaluated and rest and all(name in GRAPH.metrics for name in rest) and not chosen:
        told.append("  or ask the spec instead of the run, which has every metric: its spec.toml lies in the folder")
    return "\n".join(told)

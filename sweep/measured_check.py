"""Whether the shipped measurements hold together: units, ids, licences, and the architecture that a row repeats."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

from sweep.catalogue import MODEL_SETS, WORDS, belongs, id_of, parsed
from sweep.cellcheck import number, one_of, sourced, within

SCOPES = {
    "serve": ("decode", "prefill", "request", "throughput", "serving", "workload", "memory"),
    "train": ("iteration", "layer", "run", "memory", "memory_formula"),
}
# A: the owner's page; A-: something inferred; B: a third party's copy; C: recalled; F: a formula's value
GRADES = ("A", "A-", "B", "C", "F")
LICENCES = ("Apache-2.0", "MIT", "BSD-3-Clause", "NVIDIA BSD-style")  # of what may be handed on
TABLES = ("models.csv", "measurement_models.csv")
SHAPE = ("hidden_size", "num_layers", "vocab_size")
PRECISIONS = {
    "serve": {"weight_precision": "precision", "kv_precision": "kv_precision"},
    "train": {"train_precision": "train_precision"},
}
WORDS_OF_A_ROW = re.compile(
    r"id|source_group|scope|model|model_table|attention_kind|hf_model|gpu|gpu_note|parallel_unit|.*_precision|engine"
    r"|engine_version|framework|phase|pipeline_schedule|fsdp|recompute|offload|attention_kernel"
    r"|attention_flops_convention|flops_base|flops_check|memory_kind|printed|published_estimator|source|grade|licence"
    r"|notes"
)
SIGNED = re.compile(r"published_estimator_.*_error_pct")

Row = dict[str, str]


@cache
def _amounts(names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """The columns of a table that hold amounts, and what they lie between: the same for every row of it."""
    amounts = [name for name in names if not WORDS_OF_A_ROW.fullmatch(name) and name not in SHAPE]
    return {name: (-1e3 if SIGNED.fullmatch(name) else 0.0, 1e18) for name in amounts}


def check_measurement(kind: str, row: Row) -> Iterator[str]:
    """A row of measurements: what it prints is there, what should be a number is one."""
    yield from within(row, dict.fromkeys(SHAPE, (1.0, 1e7)), optional=False)
    yield from within(row, _amounts(tuple(row)))
    yield from one_of(row, "scope", SCOPES[kind])
    yield from one_of(row, "grade", GRADES)
    yield from one_of(row, "licence", LICENCES)
    yield from one_of(row, "model_table", TABLES)
    yield from sourced(row)
    for name in ("source_group", "printed"):
        if not row.get(name):
            yield f"{name} is empty"
    for name in filter(None, row.get("printed", "").split(";")):
        if name in row and not row[name]:
            yield f"{name} is printed, but empty"


def check_benchmark_model(row: Row) -> Iterator[str]:
    """An architecture that only benchmarks use."""
    needed = (*SHAPE, "num_heads", "num_kv_heads", "head_dim")
    yield from within(row, dict.fromkeys(needed, (1.0, 1e7)), optional=False)
    words = [name for name in MODEL_SETS if name in WORDS]
    yield from within(row, {name: (0.0, 1e8) for name in MODEL_SETS if name not in words and name not in needed})
    for name in words:
        yield from one_of(row, name, WORDS[name], optional=name == "linear_attention_kind")
    yield from sourced(row)
    if number(row, "num_heads") % (number(row, "num_kv_heads") or math.nan) > 0:
        yield f"num_heads = {row['num_heads']} is not a multiple of num_kv_heads = {row['num_kv_heads']}"


def check_collective(row: Row) -> Iterator[str]:
    """A collective that was timed."""
    amounts = ("latency_floor_us", "bus_bandwidth_largest_message_gb_s", "link_gb_s")
    yield from within(row, dict.fromkeys(amounts, (1e-3, 1e6)), optional=False)
    yield from within(row, {"gpus": (2, 1e5)}, optional=False)
    yield from one_of(row, "collective", ("all_reduce", "all_gather", "reduce_scatter", "alltoall"))
    yield from sourced(row)


def check_against_records(tables: Mapping[str, list[Row]], files: Mapping[str, str]) -> Iterator[str]:
    """Ids that a row of measurements names are there, and its architecture is that of its model."""
    gpus = {id_of(row) for row in tables.get("accelerators", [])}
    models = {
        files[name]: {id_of(row): row for row in tables.get(name, [])} for name in ("models", "measurement_models")
    }
    for kind, precisions in PRECISIONS.items():
        name = f"measurements_{kind}"
        known = {of: {id_of(r) for r in tables.get("precisions", []) if _known(of, r)} for of in precisions.values()}
        for row in tables.get(name, []):
            place = f"{files[name]}: {row.get('id')}"
            if row.get("gpu") not in gpus:
                yield f"{place}: gpu = {row.get('gpu')!r} is not in {files['accelerators']}"
            for column, of in precisions.items():
                if row.get(column) and row[column] not in known[of]:
                    yield f"{place}: {column} = {row[column]!r} is not in {files['precisions']}"
            record = models.get(row.get("model_table", ""), {}).get(row.get("model", ""))
            if record is None:
                yield f"{place}: model = {row.get('model')!r} is not in {row.get('model_table')}"
                continue
            for column in MODEL_SETS:
                mine, theirs = row.get(column, ""), record.get(column, "")
                if mine and theirs and mine != theirs and parsed(mine) != parsed(theirs):
                    yield f"{place}: {column} = {mine} is {theirs} in {row['model_table']}"


def _known(kind: str, row: Row) -> bool:
    """A precision of that kind; one that things are trained in may not have been described as such yet."""
    return belongs(kind, row) or (kind == "train_precision" and row.get("kind") == "weight")


CHECKS: dict[str, Callable[[Row], Iterator[str]]] = {
    "measurements_serve": partial(check_measurement, "serve"),
    "measurements_train": partial(check_measurement, "train"),
    "measurement_models": check_benchmark_model,
    "collectives": check_collective,
}

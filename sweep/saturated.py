"""The batch of a saturated engine that does not print it: the largest that the memory of a replica holds."""

from __future__ import annotations

import contextlib

from sweep.asked import Answers
from sweep.measured import Ask, NotEvaluated, Row
from sweep.replica import Replica, served, tokens

FILLING = ("gpu_usable_bytes", "weight_bytes", "kv_cache_bytes", "linear_state_bytes")
BASIS = "batch_basis"  # a cell added to the rows that were given a batch


def with_batches(rows: list[Row]) -> list[Row]:
    """The rows, those of offline throughput with a concurrency where they print no batch and one can be told."""
    found: dict[int, tuple[Replica, list[Ask]]] = {}
    for row in rows:
        if row.text("scope") != "throughput" or row.text("batch_size") or row.text("concurrency"):
            continue
        with contextlib.suppress(NotEvaluated):  # what is wrong with a row is said of its figures
            design = served(row) | {"context_tokens": tokens(row), "batch_size": 1}
            found[row.number] = Replica(row), [Ask(metric, design) for metric in FILLING]
    answers = Answers(ask for _, asks in found.values() for ask in asks)
    return [_filled(row, *found[row.number], answers) if row.number in found else row for row in rows]


def _filled(row: Row, replica: Replica, asks: list[Ask], answers: Answers) -> Row:
    values = [answers(ask) for ask in asks]
    if any(reason for _, reason in values):
        return row
    usable, weights, cache, state = (value for value, _ in values)
    batch = int((replica.gpus * usable - weights) // (cache + state))
    if batch < 1:
        return row
    return Row(row.number, {**row.cells, "concurrency": str(int(batch * replica.count)), BASIS: "memory"})

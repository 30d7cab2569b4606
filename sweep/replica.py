"""How a row of serving measurements spreads over its GPUs, and what one replica of it is given to do.

The GPUs of a replica are the row's own: tensor parallel times pipeline parallel, all of them where experts are spread
over data-parallel ranks. One batch goes through the stages of a pipeline one after another, so that its time is that
of one stage's GPUs with all the bytes; only where batches follow each other do all stages work at once.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sweep import catalogue
from sweep.measured import Design, NotEvaluated, Row, device, shape

ATTENTION_COPIES = "attention data parallel is on"  # in notes: every GPU holds attention whole
UNKNOWN_KV = "kv_fp8_e4m3"  # of weights multiplied in 8 or 4 bits, where a row does not say; else the default


class Replica:
    """What serves one batch: its GPUs, those of one pipeline stage, and how many replicas there are.

    ranks are the parts that its weights are held in, of which tensor share each layer.
    """

    def __init__(self, row: Row) -> None:
        gpus = row.amount("num_gpus")
        copies = row.number_of("data_parallel") or 1.0
        stages = row.number_of("pipeline_parallel") or 1.0
        split = row.number_of("tensor_parallel")
        self.ranks = gpus / copies if not split or by_core(row) else split * stages
        self.tensor = split or self.ranks
        self.stages = stages
        spread = (row.number_of("expert_parallel") or 1.0) > 1.0 and copies > 1.0
        self._holding_batches = copies if spread else 1.0
        mixed = (row.number_of("num_experts") or 1.0) > 1.0
        told = ATTENTION_COPIES in row.text("notes") and not spread and mixed
        self.attention_copies = whole(self.tensor if told else self._holding_batches, "data_parallel")
        self.gpus = whole(self.ranks * self._holding_batches, "num_gpus")
        self.stage_gpus = whole(self.gpus / stages, "pipeline_parallel")
        self.count = max(1.0, gpus / self.gpus)

    def batch(self, row: Row) -> int:
        """Sequences it decodes at once."""
        held = row.number_of("batch_size")
        if held:
            return whole(held * self._holding_batches, "batch_size")
        if row.text("concurrency"):
            return whole(row.amount("concurrency") / self.count, "concurrency")
        raise NotEvaluated("batch_size is not known")


def by_core(row: Row) -> bool:
    """Whether the degrees of a row count cores of chips, of which num_gpus counts the chips."""
    return row.text("parallel_unit").startswith("core")


def whole(value: float, column: str) -> int:
    """A count. NotEvaluated, with the column to blame, when it is none."""
    if value != int(value) or value < 1:
        raise NotEvaluated(f"{column}: {value:g} is not a whole number of at least 1")
    return int(value)


def served(row: Row) -> Design:
    """Model, device, formats and engine; what is not known is left to the default, the cache's format but for one.

    Degrees of training are none of serving.
    """
    design = shape(row) | device(row) | {"precision": row.known("weight_precision")}
    kv = row.text("kv_precision") or (UNKNOWN_KV if few_bits(row) else "")
    copies = Replica(row).attention_copies
    design |= {"kv_precision": kv} if kv else {}
    design |= {"serve_attention_data_parallel": copies} if copies > 1 else {}
    return design | {"engine": engine(row.text("engine"), row.text("engine_version"), row.text("gpu"))}


def few_bits(row: Row) -> bool:
    """Whether the cache of a row is taken to be in 8 bits: nothing is said of it, and products are in 8 or 4."""
    record = catalogue.records("precision").get(row.text("weight_precision"))
    return not row.text("kv_precision") and record is not None and record.values["compute_format"] in ("fp8", "fp4")


@lru_cache
def engine(name: str, version: str, gpu: str) -> str:
    """The record of an engine as a row prints it; the default engine where none is meant."""
    card = catalogue.records("gpu")[gpu].facts
    number = _version(version)
    for record in catalogue.records("engine").values():
        facts = record.facts
        low, high = _version(facts["from_version"]), _version(facts["before_version"])
        if (
            name in _words(facts["measured_as"])
            and (not number or not low or number >= low)
            and (not number or not high or number < high)
            and card["device_class"] in (_words(facts["device_classes"]) or [card["device_class"]])
            and card["vendor"] in (_words(facts["device_vendors"]) or [card["vendor"]])
        ):
            return record.id
    return str(catalogue.defaults()["engine"].value)


def _words(cell: str) -> list[str]:
    return [word.strip() for word in cell.split(";") if word.strip()]


def _version(text: str) -> tuple[int, ...]:
    """A version as numbers: those of a build in parentheses, else the leading ones; empty where there are none."""
    build = re.search(r"\((\d+)\)", text)
    found = build.group(1) if build else (re.match(r"v?(\d+(?:\.\d+)*)", text) or [""])[0].removeprefix("v")
    return tuple(int(part) for part in found.split(".") if part)


def tokens(row: Row) -> int:
    """Tokens of a whole sequence, prompt and answer."""
    return whole((row.number_of("input_tokens") or 0.0) + row.amount("output_tokens"), "output_tokens")

"""How a row of serving measurements spreads over its GPUs, and what one replica of it is given to do.

The GPUs of a replica are the row's own: tensor parallel times pipeline parallel, all of them where experts are spread
over data-parallel ranks. One batch goes through the stages of a pipeline one after another, so that its time is that
of one stage's GPUs with all the bytes; only where batches follow each other do all stages work at once.
"""

from __future__ import annotations

from sweep.measured import Design, NotEvaluated, Row, device, shape


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
    """Model, device and formats; what is not known is left to the default. Degrees of training are none of serving."""
    design = shape(row) | device(row) | {"precision": row.known("weight_precision")}
    passed = ("kv_precision",)
    return design | {name: row.text(name) for name in passed if row.text(name)}


def tokens(row: Row) -> int:
    """Tokens of a whole sequence, prompt and answer."""
    return whole((row.number_of("input_tokens") or 0.0) + row.amount("output_tokens"), "output_tokens")

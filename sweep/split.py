"""How training is split over GPUs: what says that a layout is given, so that its step is timed.

Whoever states a degree, a micro batch or a sharding stage means that layout; whoever states none has an assumed share
of the peak. A word of one's own for parallelism comes before both.
"""

from __future__ import annotations

from collections.abc import Collection

from sweep.catalogue import Value

DEGREES = (
    *("tensor_parallel", "pipeline_parallel", "pipeline_interleave", "context_parallel", "expert_parallel"),
    *("data_parallel", "zero_stage", "micro_batch_size"),
)


def follows(name: str, default: Value, explicit: Collection[str]) -> Value:
    """The default of an input, which for parallelism follows from what else is stated."""
    return "given" if name == "parallelism" and any(degree in explicit for degree in DEGREES) else default

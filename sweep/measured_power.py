"""Power at the plug of what serves a measurement, from decode_wall_power_w."""

from __future__ import annotations

from dataclasses import replace

from sweep.measured import Ask, Figure, NotEvaluated, Row
from sweep.replica import Replica, served


def wall(row: Row, figure: Figure, _: str) -> Figure:
    """All replicas while they generate, each with its servers; only decoding is compared."""
    if row.text("scope") != "decode":
        raise NotEvaluated("scope: power is compared while decoding only")
    replica = Replica(row)
    ask = Ask("decode_wall_power_w", served(row), replica.gpus)
    return replace(figure, asks=(ask,), predicted=lambda power: replica.count * power)

"""Truth values as people write them, of the inputs and metrics that are true or false."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernels.model import GRAPH

NUMBERS = {"true": "1", "True": "1", "TRUE": "1", "false": "0", "False": "0", "FALSE": "0"}


def numbered(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, true and false as the numbers they are where a truth value is asked for."""
    return {
        name: NUMBERS.get(value, value) if isinstance(value, str) and GRAPH.kinds.get(name) == "bool" else value
        for name, value in given.items()
    }

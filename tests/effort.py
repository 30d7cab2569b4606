"""How much is tried where: the loops run as plain Python are the same code, only a hundred times slower."""

import os

import pytest

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def examples(count: int) -> int:
    """Examples of a property test: a fifth where nothing is compiled."""
    return max(count // 5, 5) if INTERPRETED else count


# for a test whose loops others run as plain Python too
compiled_only = pytest.mark.skipif(INTERPRETED, reason="too slow as plain Python, and others run the same loops")

"""Write kernels/layout_search.py anew from the metrics: ``python -m tests.layout_search``.

To be run after any change of a metric of training; a test says when it was forgotten.
"""

import sys
from pathlib import Path

PATH = Path(__file__).parent.parent / "kernels" / "layout_search.py"
HEADER = '''"""Loops of the search that kernels/layouts.py describes; written by ``python -m tests.layout_search``."""

import math

from kernels.divisors import divisors, least_divisor
from kernels.scalar import ceil, exp, floor, log, log2, maximum, minimum, power, sqrt  # noqa: F401


'''
NOTHING = "def fastest_layout(num_gpus):\n    return math.nan\n"  # what stands there while the metrics are read


def text() -> str:
    """What the file should hold."""
    from kernels.layouts import search, searched_graph
    from kernels.model import GRAPH
    from kernels.nested import Nested

    return HEADER + Nested(searched_graph(GRAPH), search(GRAPH)).source()


def main() -> None:
    """Write it, from the metrics as they are now: the file may name some that are gone."""
    before = PATH.read_text() if PATH.exists() else HEADER + NOTHING
    PATH.write_text(HEADER + NOTHING)
    after = before
    try:
        after = text()
    finally:
        PATH.write_text(after)
    sys.stdout.write("as it was\n" if after == before else f"{after.count(chr(10))} lines written\n")


if __name__ == "__main__":
    main()

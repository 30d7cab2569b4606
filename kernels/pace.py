"""What a formula takes, a number, over arrays and in a compiled loop: to decide what to compile and how to walk.

These are constants of a server, so that they decide the same everywhere, however fast the machine is.
"""

import ast
import functools
from collections.abc import Iterator
from typing import NamedTuple

from kernels import roots
from kernels.language import Formula

LAYOUTS = "fastest_layout"


class Pace(NamedTuple):
    """Nanoseconds of the parts of a formula, a number."""

    result: float  # writing what it comes to
    operation: float
    division: float
    root: float
    libm: float  # a power, a logarithm or an exponential
    search: float  # a function that has a loop
    layouts: float  # the search of layouts


# Measured on a server of 2023, in a cache; an operation takes from 0.5 to 5.
OVER_ARRAYS = Pace(0.0, 2.0, 2.0, 2.0, 70.0, 20_000.0, 5e6)
# About what loops of lifetime_usd and loss_nats took on a server of 2024, of blocks of 20,000 to 60,000 cells, one by
# one: a division 0.35 with writing it, five 1.8, two roots 1 more, a power 8 to 23, the two that search 56 and 105.
IN_LOOPS = Pace(0.2, 0.04, 0.25, 0.4, 14.0, 80.0, 1e4)


@functools.lru_cache(maxsize=8192)
def nanoseconds(formula: Formula, pace: Pace) -> float:
    """What a formula takes, a number."""
    return pace.result + sum(_part(node, pace) for node in _parts(formula))


def _parts(formula: Formula) -> Iterator[ast.AST]:
    for tree in (*(value for _, value in formula.steps), formula.result):
        yield from ast.walk(tree)


def _part(node: ast.AST, pace: Pace) -> float:
    match node:
        case ast.Call(func=ast.Name(id=name)) if name == LAYOUTS:
            return pace.layouts
        case ast.Call(func=ast.Name(id=name)) if name in roots.ROOTS:
            return pace.search
        case ast.Call(func=ast.Name(id="log" | "log2" | "exp")) | ast.BinOp(op=ast.Pow()):
            return pace.libm
        case ast.Call(func=ast.Name(id="sqrt")):
            return pace.root
        case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod()):
            return pace.division
        case ast.Call() | ast.BinOp() | ast.UnaryOp() | ast.Compare() | ast.BoolOp() | ast.IfExp():
            return pace.operation
    return 0.0

"""Addresses in compiled code: loops called where they lie, columns filled where they lie.

So code that is compiled once calls loops that it has never seen, and fills as many arrays as there are.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.compiler import Deferred, jit_uncounted


def _intrinsic(name: str, py_func: Callable[..., Any]) -> Any:
    def make() -> Any:
        from kernels import intrinsics

        return getattr(intrinsics, name)

    return Deferred(py_func, make)


def _call(loop: Any, floats: Any, integers: Any, tabs: Any, desc: Any) -> None:
    """Run a loop: a Python function here, the address of a compiled one in compiled code."""
    loop(floats, integers, tabs, desc)


call = _intrinsic("call_loop", _call)


@jit_uncounted
def run(loop: int, floats: Any, integers: Any, tabs: Any, desc: Any) -> None:
    """Run one compiled loop."""
    call(loop, floats, integers, tabs, desc)


def _array_at(cell: Any) -> Callable[[int, int], Any]:
    """A function of address and length that gives the array there; whoever owns the array keeps it alive."""

    def array_at(address: int, length: int) -> Any:
        return np.ctypeslib.as_array((cell * length).from_address(int(address)))

    return array_at


int32_at = _intrinsic("int32_at", _array_at(ctypes.c_int32))
int64_at = _intrinsic("int64_at", _array_at(ctypes.c_int64))

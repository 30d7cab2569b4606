"""What is not written in Python: loops called where they lie, columns filled where they lie, runs seen as vectors.

Code that is compiled once so calls loops that it has never seen, and fills as many arrays as there are.
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

LEAST_RUN = 16  # cells that are looked at together


def _least(floats: Any, first: int, size: int) -> float:
    """The least of a run of floats[n], nan passed over; inf where there is no other. At least LEAST_RUN of them."""
    return float(np.fmin.reduce(floats[first : first + size], initial=np.inf))


def _greatest(floats: Any, first: int, size: int) -> float:
    """As _least, the greatest."""
    return float(np.fmax.reduce(floats[first : first + size], initial=-np.inf))


least_in = _intrinsic("least_in", _least)
greatest_in = _intrinsic("greatest_in", _greatest)


def _fields_no_less(words: Any, first: int, guarded: int, guard: int) -> int:
    """Of LEAST_RUN words[n] from the first on, a bit each: whether the guarded word less that word keeps the guard."""
    return sum((((guarded - int(words[first + k])) & guard) == guard) << k for k in range(LEAST_RUN))


fields_no_less = _intrinsic("fields_no_less", _fields_no_less)


def _leading_zeros(word: int) -> int:
    """How many of 64 bits are 0 before the first of a word that is not; the word is not 0."""
    return 64 - (int(word) & (2**64 - 1)).bit_length()


def _trailing_zeros(word: int) -> int:
    """How many bits are 0 behind the last of a word that is not; the word is not 0."""
    return (int(word) & -int(word)).bit_length() - 1


leading_zeros = _intrinsic("leading_zeros", _leading_zeros)
trailing_zeros = _intrinsic("trailing_zeros", _trailing_zeros)

"""Addresses in compiled code: loops called where they lie, columns filled where they lie.

So code that is compiled once calls loops that it has never seen, and fills as many arrays as there are.
"""

# ruff: noqa: ARG001  what numba asks to say how something is compiled names arguments of which it wants the types

import ctypes
from typing import Any

import numpy as np
from numba import config
from numba.core import cgutils, types
from numba.extending import intrinsic, overload
from numba.np import arrayobj

from kernels.compiler import jit_uncounted, loop_arguments


def call(loop: Any, floats: Any, integers: Any, tabs: Any, desc: Any) -> None:
    """Run a loop: a Python function here, the address of a compiled one in compiled code."""
    loop(floats, integers, tabs, desc)


def _call_address(_: Any, loop: Any, floats: Any, integers: Any, tabs: Any, desc: Any) -> Any:
    """Call what numba compiled for these arguments, by numba's own convention, where its address says it lies."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arguments = signature.args[1:]
        kind = context.call_conv.get_function_type(types.none, arguments)
        function = builder.inttoptr(values[0], kind.as_pointer())
        status, _ = context.call_conv.call_function(builder, function, types.none, arguments, values[1:])
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.none(types.int64, *loop_arguments()), code


_called: Any = intrinsic(_call_address)


@overload(call)
def _call(loop: Any, floats: Any, integers: Any, tabs: Any, desc: Any) -> Any:
    def compiled(loop: Any, floats: Any, integers: Any, tabs: Any, desc: Any) -> None:
        _called(loop, floats, integers, tabs, desc)

    return compiled


@jit_uncounted
def run(loop: int, floats: Any, integers: Any, tabs: Any, desc: Any) -> None:
    """Run one compiled loop."""
    call(loop, floats, integers, tabs, desc)


def _array_at(kind: Any, plain: Any) -> Any:
    """A function of address and length that gives the array there; whoever owns the array keeps it alive."""

    @intrinsic
    def array_at(_: Any, address: Any, length: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            array = context.make_array(signature.return_type)(context, builder)
            data = builder.inttoptr(values[0], array.data.type)
            size = context.get_constant(types.intp, context.get_abi_sizeof(array.data.type.pointee))
            arrayobj.populate_array(array, data, [values[1]], [size], size, meminfo=None)
            return array._getvalue()

        return types.Array(kind, 1, "C")(types.int64, types.int64), code

    def python_array_at(address: int, length: int) -> Any:
        return np.ctypeslib.as_array((plain * length).from_address(int(address)))

    return python_array_at if config.DISABLE_JIT else array_at  # type: ignore[attr-defined]


int32_at, int64_at = _array_at(types.int32, ctypes.c_int32), _array_at(types.int64, ctypes.c_int64)

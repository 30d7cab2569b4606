"""What no kernel can say in Python, as numba takes it; imported by nobody before something is compiled."""

# ruff: noqa: ARG001  what numba asks to say how something is compiled names arguments of which it wants the types

import functools
from typing import Any

from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, typeof_impl
from numba.np import arrayobj


@functools.cache
def learn(kind: type) -> None:
    """In compiled code, things of that kind are what they are made into."""

    @typeof_impl.register(kind)
    def type_of(deferred: Any, _: Any) -> Any:
        return cpu_target.typing_context.resolve_value_type(deferred.made)


_FLOATS, _INTEGERS = types.Array(types.float64, 1, "C"), types.Array(types.int64, 1, "C")
LOOP_ARGUMENTS = _FLOATS, _INTEGERS, _INTEGERS, _INTEGERS  # wf, wi, tabs, desc


@intrinsic
def call_loop(_: Any, loop: Any, floats: Any, integers: Any, tabs: Any, desc: Any) -> Any:
    """Call what numba compiled for a loop's arguments, by numba's own convention, where its address says it lies."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = context.call_conv.get_function_type(types.none, LOOP_ARGUMENTS)
        function = builder.inttoptr(values[0], kind.as_pointer())
        status, _ = context.call_conv.call_function(builder, function, types.none, LOOP_ARGUMENTS, values[1:])
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.none(types.int64, *LOOP_ARGUMENTS), code


def _array_at(kind: Any) -> Any:
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

    return array_at


int32_at, int64_at = _array_at(types.int32), _array_at(types.int64)

"""What no kernel can say in Python, as numba takes it; imported by nobody before something is compiled."""

# ruff: noqa: ARG001  what numba asks to say how something is compiled names arguments of which it wants the types

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, typeof_impl
from numba.np import arrayobj

from kernels.address import LEAST_RUN


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


WIDTH, ACCUMULATORS = 4, 4  # doubles compared at once, and comparisons of which none waits for another


def _best_in(better: str, worst: float) -> Any:
    """A function of floats[n], the first of a run and its size, at least LEAST_RUN: the best of the run.

    In vectors, which the compiler does not make by itself where a nan is to be passed over. The last LEAST_RUN are
    looked at in any case: some of them twice, which changes nothing.
    """

    @intrinsic
    def best_in(_: Any, floats: Any, first: Any, size: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            data = context.make_array(floats)(context, builder, values[0]).data
            word, doubles = ir.IntType(64), ir.VectorType(ir.DoubleType(), WIDTH)
            start, length = builder.gep(data, [values[1]]), values[2]
            nothing = ir.Constant(doubles, [worst] * WIDTH)
            bests = [cgutils.alloca_once_value(builder, nothing) for _ in range(ACCUMULATORS)]

            def better_of(a: Any, b: Any) -> Any:
                return builder.select(builder.fcmp_ordered(better, a, b), a, b)

            def look(place: Any) -> None:
                for k, best in enumerate(bests):
                    cell = builder.gep(start, [builder.add(place, word(k * WIDTH))])
                    cells = builder.load(builder.bitcast(cell, doubles.as_pointer()), align=8)
                    builder.store(better_of(cells, builder.load(best)), best)

            with cgutils.for_range(builder, builder.udiv(length, word(LEAST_RUN))) as loop:
                look(builder.mul(loop.index, word(LEAST_RUN)))
            look(builder.sub(length, word(LEAST_RUN)))
            a, b, c, d = map(builder.load, bests)
            best = better_of(better_of(a, b), better_of(c, d))
            a, b, c, d = (builder.extract_element(best, ir.IntType(32)(k)) for k in range(WIDTH))
            return better_of(better_of(a, b), better_of(c, d))

        return types.float64(floats, types.int64, types.int64), code

    return best_in


least_in, greatest_in = _best_in("<", np.inf), _best_in(">", -np.inf)


@intrinsic
def fields_no_less(_: Any, words: Any, first: Any, guarded: Any, guard: Any) -> Any:
    """Sixteen words from the first on, one bit each: whether the guarded word less that word keeps all guards."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(words)(context, builder, values[0]).data
        word, lanes = ir.IntType(64), ir.VectorType(ir.IntType(64), LEAST_RUN)

        def everywhere(value: Any) -> Any:
            one = builder.insert_element(ir.Constant(lanes, ir.Undefined), value, ir.IntType(32)(0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), LEAST_RUN), [0] * LEAST_RUN)
            return builder.shuffle_vector(one, one, zeros)

        cells = builder.load(builder.bitcast(builder.gep(data, [values[1]]), lanes.as_pointer()), align=8)
        spare = everywhere(values[3])
        kept = builder.and_(builder.sub(everywhere(values[2]), cells), spare)
        bits = builder.bitcast(builder.icmp_signed("==", kept, spare), ir.IntType(LEAST_RUN))
        return builder.zext(bits, word)

    return types.int64(words, types.int64, types.int64, types.int64), code


def _bit(zeros: str) -> Any:
    """A function of a word other than 0: how many zeros stand before its first bit or behind its last."""

    @intrinsic
    def bit(_: Any, word: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return getattr(builder, zeros)(values[0], ir.IntType(1)(1))

        return types.int64(types.int64), code

    return bit


leading_zeros, trailing_zeros = _bit("ctlz"), _bit("cttz")

# ruff: noqa: PLR0917 - compiled functions take positional arguments only
"""Sums of products, sixteen at a time, taken in one order on every machine and in every run.

A compiler that may choose the order (`fastmath`) chooses another one when machine code comes from a cache.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]

from curate.compiled import cgutils, intrinsic, types

_WORD = ir.IntType(64)
SUMS = 16
_FLOAT = ir.FloatType()
_FLOATS = ir.VectorType(_FLOAT, SUMS)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


@intrinsic  # type: ignore[untyped-decorator]
def dot(typing_context: Any, a: Any, start_a: Any, b: Any, start_b: Any, count: Any) -> Any:
    """Sum of a[start_a + k] * b[start_b + k] for k < count, a multiple of 16, of contiguous float32 arrays.

    Places count in the flattened arrays. Sixteen sums, k modulo 16, are added in pairs at the end.
    """
    del typing_context, start_a, start_b, count

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        a, start_a, b, start_b, count = values
        total = cgutils.alloca_once_value(builder, ir.Constant(_FLOATS, [0.0] * SUMS))
        steps = builder.sdiv(count, ir.Constant(_WORD, SUMS))
        with cgutils.for_range(builder, steps) as loop:
            step = builder.mul(loop.index, ir.Constant(_WORD, SUMS))
            lanes = []
            for kind, array, start in ((signature.args[0], a, start_a), (signature.args[2], b, start_b)):
                pointer = _pointer(context, builder, kind, array, builder.add(start, step))
                lanes.append(builder.load(builder.bitcast(pointer, _FLOATS.as_pointer()), align=4))
            builder.store(builder.fadd(builder.load(total), builder.fmul(*lanes)), total)
        sums = builder.load(total)
        parts = [builder.extract_element(sums, ir.Constant(ir.IntType(32), lane)) for lane in range(SUMS)]
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [builder.fadd(parts[k], parts[k + half]) for k in range(half)]
        return parts[0]

    whole = types.int64
    return types.float32(a, whole, b, whole, whole), generate

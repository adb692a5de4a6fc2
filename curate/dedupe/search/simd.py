# ruff: noqa: PLR0917 - compiled functions take positional arguments only
"""Intrinsics that numba lacks: bits counted eight hashes at a time, sums of products sixteen at a time.

LLVM turns the first into AVX-512's VPOPCNTQ, AVX2's table look-up or NEON's CNT, whatever the machine has.
The sums are taken in one order on every machine and in every run. (A compiler that may choose the order,
`fastmath`, chooses another one when machine code comes from numba's cache.)
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]

from curate.compiled import cgutils, intrinsic, types

LANES = 8
_WORD = ir.IntType(64)
_VECTOR = ir.VectorType(_WORD, LANES)
SUMS = 16
_FLOAT = ir.FloatType()
_FLOATS = ir.VectorType(_FLOAT, SUMS)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


def _splat(builder: Any, word: Any) -> Any:
    lane = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), word, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(lane, ir.Constant(_VECTOR, ir.Undefined), zeros)


def _differing(builder: Any, word: Any, pointer: Any) -> Any:
    """Vector of the numbers of bits in which `word` differs from each of the 8 words at `pointer`."""
    lanes = builder.load(builder.bitcast(pointer, _VECTOR.as_pointer()), align=8)
    count = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_VECTOR, [_VECTOR]), f"llvm.ctpop.v{LANES}i64"
    )
    return builder.call(count, [builder.xor(lanes, _splat(builder, word))])


def _at_most(builder: Any, counts: Any, limit: Any) -> Any:
    """Bit i is set where lane i is at most `limit`."""
    near = builder.icmp_unsigned("<=", counts, _splat(builder, limit))
    return builder.zext(builder.bitcast(near, ir.IntType(LANES)), _WORD)


@intrinsic  # type: ignore[untyped-decorator]
def popcount(typing_context: Any, word: Any) -> Any:
    """Set bits of a uint64, as int64."""
    del typing_context, word

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        del context, signature
        kind = ir.FunctionType(_WORD, [_WORD])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.ctpop.i64"), values)

    return types.int64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def near8(typing_context: Any, word: Any, table: Any, start: Any, limit: Any) -> Any:
    """Which of table[start : start + 8] differ from `word` in at most `limit` bits; bit 0 is the first."""
    del typing_context, word, start, limit

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word, array, start, limit = values
        pointer = _pointer(context, builder, signature.args[1], array, start)
        return _at_most(builder, _differing(builder, word, pointer), limit)

    return types.int64(types.uint64, table, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def near8_wide(
    typing_context: Any,
    hashes: Any,
    row: Any,
    hashes_stride: Any,
    table: Any,
    start: Any,
    stride: Any,
    words: Any,
    limit: Any,
) -> Any:
    """As `near8` for hashes of several words; word w of hash i stands at [w * stride + i].

    Stops at the first word after which none of the eight can be near any more.
    """
    del typing_context, row, hashes_stride, start, stride, words, limit

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        hashes, row, hashes_stride, table, start, stride, words, limit = values
        total = cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0] * LANES))
        near = cgutils.alloca_once_value(builder, ir.Constant(_WORD, 0))
        with cgutils.for_range(builder, words) as loop:
            at = builder.add(builder.mul(loop.index, hashes_stride), row)
            word = builder.load(_pointer(context, builder, signature.args[0], hashes, at))
            at = builder.add(builder.mul(loop.index, stride), start)
            pointer = _pointer(context, builder, signature.args[3], table, at)
            counts = builder.add(builder.load(total), _differing(builder, word, pointer))
            builder.store(counts, total)
            mask = _at_most(builder, counts, limit)
            builder.store(mask, near)
            with builder.if_then(builder.icmp_unsigned("==", mask, ir.Constant(_WORD, 0))):
                loop.do_break()
        return builder.load(near)

    whole = types.int64
    return whole(hashes, whole, whole, table, whole, whole, whole, whole), generate


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

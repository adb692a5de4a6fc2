"""Eight bytes read or written at once: two intrinsics that numba lacks."""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]

from curate.compiled import intrinsic, types

_WORD = ir.IntType(64)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _WORD.as_pointer())


def _swapped(builder: Any, word: Any) -> Any:
    return builder.bswap(word) if sys.byteorder == "little" else word


@intrinsic  # type: ignore[untyped-decorator]
def big_endian_word(typing_context: Any, array: Any, index: Any) -> Any:
    """uint64 of 8 bytes of a uint8 array from `index` on, the first one highest; bounds are not checked."""
    del typing_context, index

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], values[0], values[1])
        return _swapped(builder, builder.load(pointer, align=1))

    return types.uint64(array, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def put_big_endian_word(typing_context: Any, array: Any, index: Any, word: Any) -> Any:
    """The inverse: write a uint64 to 8 bytes of a uint8 array; bounds are not checked."""
    del typing_context, index, word

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], values[0], values[1])
        builder.store(_swapped(builder, values[2]), pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.uint64), generate

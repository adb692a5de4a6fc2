"""Which bits of a hash go into which field.

Bits of perceptual hashes are uneven (some are nearly always set) and go together (neighbouring frequencies).
A field of such bits has few large buckets. So the most even bits are dealt to the fields in turn, each to the
field whose bits it has least in common with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.search.search_plan import WORD_BITS, FieldPlan

_SAMPLE = 2048  # hashes


def permutation(hashes: NDArray[np.uint64], fields: tuple[FieldPlan, ...]) -> NDArray[np.uint64]:
    """What each value of each byte of each word becomes when bits move to their fields.

    Moving bits changes no distance.

    Args:
        hashes: (N, W); some of them, evenly spaced, are looked at.
        fields: Of the plan.

    Returns:
        (W, 8, 256) uint64.
    """
    words = hashes.shape[1]
    if not any(field.width for field in fields):
        return np.repeat(_table(np.arange(WORD_BITS))[None], words, axis=0)
    sample = np.asarray(hashes[:: max(1, len(hashes) // _SAMPLE)], dtype=np.uint64)
    return np.stack([_table(_targets(sample[:, word], _of_word(fields, word))) for word in range(words)])


def _of_word(fields: tuple[FieldPlan, ...], word: int) -> list[FieldPlan]:
    return [field for field in fields if field.word == word]


def _targets(sample: NDArray[np.uint64], fields: list[FieldPlan]) -> NDArray[np.int64]:
    """(64,) int64: the new place of each bit of a word."""
    places = np.arange(WORD_BITS, dtype=np.uint64)
    bits = ((sample[:, None] >> places) & np.uint64(1)).astype(np.float32)
    centred = bits - (bits.mean(axis=0) if len(bits) else 0)
    variance = (centred**2).mean(axis=0) if len(bits) else np.ones(WORD_BITS, dtype=np.float32)
    scale = np.sqrt(np.maximum(variance, 1e-12))
    shared = (centred.T @ centred / max(len(bits), 1) / np.outer(scale, scale)) ** 2
    # Rounded: the order must not hang on the last bit of a matrix product.
    order = np.argsort(-variance.round(4), kind="stable")
    dealt: list[list[int]] = [[] for _ in fields]
    targets = np.full(WORD_BITS, -1, dtype=np.int64)
    for bit in order[: sum(field.width for field in fields)]:
        to = min(
            (number for number, field in enumerate(fields) if len(dealt[number]) < field.width),
            key=lambda number: (
                len(dealt[number]) / fields[number].width,
                round(float(shared[bit, dealt[number]].sum()), 3),
            ),
        )
        targets[bit] = fields[to].shift + len(dealt[to])
        dealt[to].append(int(bit))
    targets[targets < 0] = np.setdiff1d(np.arange(WORD_BITS), targets)
    return targets


def _table(targets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(8, 256) uint64 from the new place of each bit."""
    table = np.zeros((8, 256), dtype=np.uint64)
    values = np.arange(256, dtype=np.uint64)
    for bit, target in enumerate(targets.tolist()):
        is_set = (values >> np.uint64(bit % 8)) & np.uint64(1)
        table[bit // 8] |= is_set << np.uint64(target)
    return table

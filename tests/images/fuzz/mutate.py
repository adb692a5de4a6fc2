"""Seeded mutations of valid image files: what disks, networks and ill will do to them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np

Mutation = Callable[[bytearray, np.random.Generator, list[bytes]], bytes]
# Numbers that lengths, counts and sizes break on.
_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(number: int, seeds: list[bytes]) -> bytes:
    """File `number` of an endless sequence: one seed, changed by one to four mutations."""
    rng = np.random.default_rng((number, 0xC0FFEE))
    data = bytearray(seeds[number % len(seeds)])
    for _ in range(int(rng.integers(1, 5))):
        mutation = _MUTATIONS[int(rng.integers(len(_MUTATIONS)))]
        data = bytearray(mutation(data, rng, seeds))
    return bytes(data[: 1 << 20])


def _at(data: bytearray, rng: np.random.Generator) -> int:
    """A place, in the first 128 bytes as often as in all others: headers are short."""
    return int(rng.integers(max(1, min(len(data), 128) if rng.random() < 0.5 else len(data))))


def _flip_bits(data: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    for _ in range(int(rng.integers(1, 9)) if data else 0):
        data[_at(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def _write_bytes(data: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    for _ in range(int(rng.integers(1, 9)) if data else 0):
        data[_at(data, rng)] = int(rng.integers(256))
    return data


def _cut(data: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _remove(data: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    start = _at(data, rng)
    del data[start : start + int(rng.integers(1, 64))]
    return data


def _repeat(data: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    start = _at(data, rng)
    piece = data[start : start + int(rng.integers(1, 256))]
    return data[:start] + piece * int(rng.integers(2, 20)) + data[start:]


def _splice(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytes:
    other = seeds[int(rng.integers(len(seeds)))]
    return data[: int(rng.integers(len(data) + 1))] + other[int(rng.integers(len(other))) :]


def _edge_number(data: bytearray, rng: np.random.Generator, _: list[bytes]) -> bytes:
    at = _at(data, rng)
    value = _EDGES[int(rng.integers(len(_EDGES)))]
    form = (">H", "<H", ">I", "<I")[int(rng.integers(4))]
    packed = struct.pack(form, value & (0xFFFF if form[1] == "H" else 0xFFFFFFFF))
    data[at : at + len(packed)] = packed
    return data


def _parts(data: bytes) -> list[tuple[int, int]]:
    """Begin and end of chunks, segments or boxes, as far as they can be followed."""
    spans: list[tuple[int, int]] = []
    if data[:4] == b"\x89PNG":
        at, size, extra, form = 8, 4, 12, ">I"
    elif data[:4] == b"RIFF":
        at, size, extra, form = 12, 8, 8, "<I"
    elif data[4:8] in (b"ftyp", b"JXL ", b"jP  "):
        at, size, extra, form = 0, 4, 0, ">I"
    else:
        at = 2
        while data[:2] == b"\xff\xd8" and at + 4 <= len(data) and data[at] == 0xFF:
            stop = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            spans.append((at, stop))
            at = stop
        return spans
    while at + 8 <= len(data):
        length = struct.unpack_from(form, data, at + (4 if size == 8 else 0))[0]
        stop = at + max(length + extra, 8)
        spans.append((at, min(stop, len(data))))
        at = stop
    return spans


def _double_part(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytes:
    spans = _parts(bytes(data))
    if not spans:
        return _repeat(data, rng, seeds)
    start, stop = spans[int(rng.integers(len(spans)))]
    to = spans[int(rng.integers(len(spans)))][0]
    return data[:to] + data[start:stop] * int(rng.integers(1, 5)) + data[to:]


def _drop_part(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytes:
    spans = _parts(bytes(data))
    if not spans:
        return _remove(data, rng, seeds)
    start, stop = spans[int(rng.integers(len(spans)))]
    return data[:start] + data[stop:]


def _mended_png(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytes:
    """Damage inside a PNG chunk whose checksum is right again, so that it reaches the decoder."""
    spans = [span for span in _parts(bytes(data)) if span[1] - span[0] > 12] if data[:4] == b"\x89PNG" else []
    if not spans:
        return _edge_number(data, rng, seeds)
    start, stop = spans[int(rng.integers(len(spans)))]
    body = data[start + 4 : stop - 4]
    body[int(rng.integers(4, len(body)))] = int(rng.integers(256))
    data[start + 4 : stop] = bytes(body) + struct.pack(">I", zlib.crc32(bytes(body)))
    return data


_MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits,
    _write_bytes,
    _cut,
    _remove,
    _repeat,
    _splice,
    _edge_number,
    _edge_number,
    _double_part,
    _drop_part,
    _mended_png,
)

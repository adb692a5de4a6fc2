"""Bytes in, upright RGB out: formats, strict decoding, colors, turning, frames, statistics.

Nothing else in `curate` decodes a raw file; later stages read upright files by `curate.images.load_upright`.
"""

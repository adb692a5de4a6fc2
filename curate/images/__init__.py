"""Bytes in, upright RGB out: formats, strict decoding, colours, turning, frames, quality.

Nothing else in `curate` decodes a raw file; later stages read upright files through `curate.images.load`.
"""

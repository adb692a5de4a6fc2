"""Raw files in, upright RGB pixels out: folder walk, sources, decoding, colours, quality, the image folder.

Nothing else in `curate` opens a raw file; later stages read upright files through `curate.images.load`.
"""

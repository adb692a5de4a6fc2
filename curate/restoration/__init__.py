"""Super-resolution and restoration: upscaling in tiles, paired sets, metrics, votes of people."""

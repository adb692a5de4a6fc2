"""The attention of segment-anything's image encoder in blocks that fit a processor's cache.

The package holds the scores of all pairs of cells at once, 0.8 GB a layer for vit_b at 1024 x 1024, and walks
over them five times. Blocks of rows give the very same numbers in less than two thirds of the time, and the
peak of memory is that of the weights.
"""

from __future__ import annotations

import functools
from typing import Any

from curate.adapters.torch_device import Place
from curate.extras import require

_BLOCK = 4 << 20  # bytes of scores at a time


def in_blocks(sam: Any, place: Place) -> None:
    """Let a `segment_anything.modeling.Sam` on a processor work in blocks; on a GPU nothing changes."""
    if place.device.type != "cpu":
        return
    for layer in sam.image_encoder.blocks:
        layer.attn.forward = functools.partial(_forward, layer.attn)


def _forward(attention: Any, cells: Any) -> Any:
    """As `segment_anything.modeling.image_encoder.Attention.forward`: (B, H, W, C) -> (B, H, W, C)."""
    torch = require("torch", extra="autolabel")
    batch, height, width, _ = cells.shape
    heads = attention.num_heads
    qkv = attention.qkv(cells).reshape(batch, height * width, 3, heads, -1).permute(2, 0, 3, 1, 4)
    query, key, value = qkv.reshape(3, batch * heads, height * width, -1).unbind(0)
    bias = _bias(attention, query.reshape(batch * heads, height, width, -1))
    scaled, turned = query * attention.scale, key.transpose(1, 2)
    found = torch.empty_like(query)
    a_head = 4 * (height * width) ** 2
    several = max(1, _BLOCK // a_head)
    rows = height if a_head <= _BLOCK else max(1, _BLOCK // (a_head // height))
    for first in range(0, batch * heads, several):
        some = slice(first, first + several)
        for row in range(0, height, rows):
            part = slice(row * width, (row + rows) * width)
            scores = scaled[some, part] @ turned[some]
            if bias is not None:
                grid = scores.view(*scores.shape[:2], height, width)
                grid += bias[0][some, row : row + rows].flatten(1, 2)[..., None]
                grid += bias[1][some, row : row + rows].flatten(1, 2)[:, :, None]
            found[some, part] = torch.softmax(scores, dim=-1) @ value[some]
    found = found.view(batch, heads, height, width, -1).permute(0, 2, 3, 1, 4)
    return attention.proj(found.reshape(batch, height, width, -1))


def _bias(attention: Any, query: Any) -> tuple[Any, Any] | None:
    """What relative positions add, (B, H, W, H) for rows and (B, H, W, W) for columns.

    Source:
        `add_decomposed_rel_pos` of segment_anything's modeling/image_encoder.py.
    """
    if not attention.use_rel_pos:
        return None
    torch = require("torch", extra="autolabel")
    of_positions = require("segment_anything.modeling.image_encoder", extra="autolabel").get_rel_pos
    _, height, width, _ = query.shape
    of_rows = of_positions(height, height, attention.rel_pos_h)
    of_columns = of_positions(width, width, attention.rel_pos_w)
    return (
        torch.einsum("bhwc,hkc->bhwk", query, of_rows),
        torch.einsum("bhwc,wkc->bhwk", query, of_columns),
    )

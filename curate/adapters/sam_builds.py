"""Builds of Segment Anything by name: the three public sizes and the demo's tiny one.

Each build takes a local checkpoint in segment-anything's own format, a `torch.save`d state dict.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from curate.extras import require

_IMAGE_SIZE = 264  # pixels of the longer side that the tiny encoder sees
_PATCH = 12  # pixels; a mask's own grid is a quarter of it, 3 pixels
_WIDTH = 64  # channels of the prompt encoder and the mask decoder


def build_sam_tiny(checkpoint: str | None = None) -> Any:
    """Build the demo's SAM: segment-anything's own modules at about a hundredth of ViT-B's size.

    Args:
        checkpoint: Path of the weights; random weights if None.

    Returns:
        A `segment_anything.modeling.Sam` in evaluation mode, for `SamPredictor`.
    """
    torch = require("torch", extra="autolabel")
    modeling = require("segment_anything.modeling", extra="autolabel")
    grid = _IMAGE_SIZE // _PATCH
    sam = modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            depth=4,
            embed_dim=96,
            img_size=_IMAGE_SIZE,
            mlp_ratio=3,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            num_heads=2,
            patch_size=_PATCH,
            qkv_bias=True,
            use_rel_pos=False,
            global_attn_indexes=[0, 1, 2, 3],  # 484 cells: no windows needed
            window_size=0,
            out_chans=_WIDTH,
        ),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=_WIDTH,
            image_embedding_size=(grid, grid),
            input_image_size=(_IMAGE_SIZE, _IMAGE_SIZE),
            mask_in_chans=8,
        ),
        mask_decoder=modeling.MaskDecoder(
            num_multimask_outputs=3,
            transformer=modeling.TwoWayTransformer(depth=2, embedding_dim=_WIDTH, mlp_dim=192, num_heads=4),
            transformer_dim=_WIDTH,
            iou_head_depth=2,
            iou_head_hidden_dim=64,
        ),
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    )
    sam.eval()
    if checkpoint is not None:
        with Path(checkpoint).open("rb") as stream:
            sam.load_state_dict(torch.load(stream, map_location="cpu", weights_only=True))
    return sam


def _public(name: str) -> Callable[..., Any]:
    def build(checkpoint: str | None = None) -> Any:
        return require("segment_anything", extra="autolabel").sam_model_registry[name](checkpoint=checkpoint)

    build.__doc__ = f"Build the public {name}."
    return build


SAM_BUILDS: dict[str, Callable[..., Any]] = {
    "vit_b": _public("vit_b"),
    "vit_l": _public("vit_l"),
    "vit_h": _public("vit_h"),
    "tiny": build_sam_tiny,
}

PUBLIC_FILES = {
    "sam_vit_b_01ec64.pth": "vit_b",
    "sam_vit_l_0b3195.pth": "vit_l",
    "sam_vit_h_4b8939.pth": "vit_h",
}

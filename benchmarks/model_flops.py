"""Floating-point operations of the image encoders at full size, counted without computing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from curate.adapters.sam_builds import SAM_BUILDS

_SWIN = {
    "SwinT": {"window_size": 7, "embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24]},
    "SwinB": {"window_size": 12, "embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32]},
}
_OF = {
    "grounding-dino-tiny": "SwinT",
    "groundingdino_swint_ogc.pth": "SwinT",
    "groundingdino_swinb_cogcoor.pth": "SwinB",
    "sam_vit_b_01ec64.pth": "vit_b",
    "sam-vit-base": "vit_b",
    "sam_vit_l_0b3195.pth": "vit_l",
    "sam_vit_h_4b8939.pth": "vit_h",
}


def gflop(model: str) -> float:
    """Count the operations (GFLOP) of the image encoder for one image: products of matrices, convolutions.

    Args:
        model: A name of `benchmarks.models`.
    """
    with torch.device("meta"):
        encode = _encoder(_OF.get(model, model))
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            encode()
    return float(counter.get_total_flops()) / 1e9


def _encoder(name: str) -> Callable[[], Any]:
    if name in _SWIN:
        config = transformers.SwinConfig(out_features=["stage2", "stage3", "stage4"], **_SWIN[name])
        swin = transformers.SwinBackbone(config)
        return lambda: swin(torch.zeros(1, 3, 800, 1066))
    if name.startswith("owlv2"):
        owl = transformers.Owlv2Config(vision_config={"image_size": 960, "patch_size": 16})
        vision = transformers.Owlv2ForObjectDetection(owl).owlv2.vision_model
        return lambda: vision(pixel_values=torch.zeros(1, 3, 960, 960))
    square = torch.zeros(1, 3, 1024, 1024)
    if name.startswith("sam2"):
        encoder = transformers.Sam2Model(transformers.Sam2Config()).vision_encoder
    else:
        encoder = SAM_BUILDS[name]().image_encoder
    return lambda: encoder(square)

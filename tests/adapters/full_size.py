"""Architectures of the public models at their full size, random weights, saved in the public formats."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import transformers

from curate.adapters.groundingdino_detector import _build
from curate.adapters.sam_builds import SAM_BUILDS
from tests.adapters import key_maps
from tests.adapters.small_kinds import clip_tokenizer
from tests.adapters.small_models import write_vocabulary


def save_text_encoder(folder: Path) -> Path:
    """BERT-base, beside a checkpoint of groundingdino-py; its tokenizer knows few words."""
    encoder = folder / "bert-base-uncased"
    encoder.mkdir()
    torch.manual_seed(0)
    transformers.BertModel(transformers.BertConfig()).save_pretrained(encoder)
    vocabulary = write_vocabulary(encoder / "vocab.txt")
    transformers.BertTokenizer(vocab=str(vocabulary)).save_pretrained(encoder)
    return encoder


def grounding_dino(encoder: Path, config: str, *, seed: int = 0) -> dict[str, Any]:
    """The state of a SwinT_OGC or SwinB that finds something.

    As the architecture begins, all boxes are where the grid put them (the last layer of the box heads is
    zero) and all scores are 0 or 1 (text features are as long as image features): a comparison would say
    little. So the box heads are made random, and the text features shorter.
    """
    torch.manual_seed(seed)
    state = dict(_build(config, encoder, torch.device("cpu")).state_dict())
    for name, value in state.items():
        if re.search(r"bbox_embed.*layers\.2\.weight", name):
            own = torch.Generator().manual_seed(int("enc_out" in name))  # the others are one head
            state[name] = 0.05 * torch.randn(value.shape, generator=own)
        if name.endswith("text_layers.5.norm2.weight"):
            state[name] = 0.02 * value
    return state


def save_grounding_dino(path: Path, state: dict[str, Any]) -> Path:
    """The public format: the state under "model", its names as from a parallel training."""
    torch.save({"model": {f"module.{name}": value for name, value in state.items()}}, path)
    return path


def save_grounding_dino_tiny(folder: Path, state: dict[str, Any], encoder: Path) -> Path:
    """The same weights as IDEA-Research/grounding-dino-tiny is stored, with its configuration."""
    swin = transformers.SwinConfig(
        window_size=7,
        image_size=224,
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.GroundingDinoConfig(
        backbone_config=swin, text_config=transformers.BertConfig().to_dict()
    )
    config.architectures = ["GroundingDinoForObjectDetection"]
    _save(folder, config, key_maps.grounding_dino(state))
    tokenizer = transformers.BertTokenizer(vocab=str(encoder / "vocab.txt"))
    images = transformers.GroundingDinoImageProcessor()
    transformers.GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def _save(folder: Path, config: Any, state: dict[str, Any]) -> None:
    """As the public repositories hold it: the names of transformers 4, which 5 translates while it loads."""
    folder.mkdir()
    config.save_pretrained(folder)
    safetensors.torch.save_file(
        {name: value.clone() for name, value in state.items()},  # one tensor under two names is none
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )


def sam(build: str, *, seed: int = 0) -> dict[str, Any]:
    """The state of a SAM whose masks differ from box to box.

    As the architecture begins, position codes are zero and its answer hardly depends on the box; the weights
    of the mask decoder and the prompt encoder are made as wide as trained ones.
    """
    torch.manual_seed(seed)
    state = dict(SAM_BUILDS[build]().state_dict())
    for name, value in state.items():
        if name.startswith("image_encoder.pos_embed") or "rel_pos" in name:
            state[name] = 0.02 * torch.randn(value.shape)
        elif "mask_decoder.transformer" in name and value.ndim > 1:
            state[name] = 3 * value
    return state


def save_sam_base(folder: Path, state: dict[str, Any]) -> Path:
    """The weights of a vit_b as facebook/sam-vit-base is stored, with its configuration."""
    _save(folder, transformers.SamConfig(architectures=["SamModel"]), key_maps.sam(state))
    transformers.SamProcessor(transformers.SamImageProcessor()).save_pretrained(folder)
    return folder


def save_owlv2_base(folder: Path) -> Path:
    """google/owlv2-base-patch16-ensemble: 960 pixels in patches of 16; its tokenizer knows few words."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer(folder)
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    config = transformers.Owlv2Config(
        text_config={"bos_token_id": end - 1, "eos_token_id": end},
        vision_config={"image_size": 960, "patch_size": 16},
        initializer_factor=0.02,
    )
    transformers.Owlv2ForObjectDetection(config).save_pretrained(folder)
    transformers.Owlv2Processor(transformers.Owlv2ImageProcessor(), tokenizer).save_pretrained(folder)
    return folder


def save_sam2_tiny(folder: Path) -> Path:
    """facebook/sam2.1-hiera-tiny, whose sizes are the defaults of transformers; it holds parts for video."""
    torch.manual_seed(0)
    config = transformers.Sam2VideoConfig(
        enable_temporal_pos_encoding_for_object_pointers=True, enable_occlusion_spatial_embedding=True
    )
    transformers.Sam2VideoModel(config).save_pretrained(folder)
    images, frames = transformers.Sam2ImageProcessor(), transformers.Sam2VideoVideoProcessor()
    transformers.Sam2VideoProcessor(images, frames).save_pretrained(folder)
    return folder

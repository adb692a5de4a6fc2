"""Very small detectors with labels of their own, and SAM 3, random weights, in the format of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import transformers

from tests.adapters.small_kinds import clip_tokenizer

LABELS = ("Stop_Sign", "dog")


def _save(config: Any, images: Any, folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {name: number for number, name in enumerate(LABELS)}
    model = transformers.AutoModelForObjectDetection.from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():  # scores and boxes that differ from query to query
            if ("class" in name or "bbox" in name) and weight.ndim > 1:
                weight.copy_(0.3 * torch.randn(weight.shape))
            elif "class" in name:
                weight.zero_()
    model.save_pretrained(folder)
    images.save_pretrained(folder)
    return folder


def save_rt_detr(folder: Path, *, seed: int = 0) -> Path:
    """An RT-DETR that squeezes images into 64 x 64 pixels; 12 queries."""
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[8, 16, 16],
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        d_model=16,
        num_queries=12,
        decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16,
        decoder_layers=2,
        decoder_attention_heads=2,
        num_denoising=0,
        anchor_image_size=None,
        eval_size=None,
    )
    images = transformers.RTDetrImageProcessor(size={"height": 64, "width": 64})
    return _save(config, images, folder, seed)


def save_rf_detr(folder: Path, *, seed: int = 0) -> Path:
    """An RF-DETR that squeezes images into 56 x 56 pixels; 12 queries."""
    backbone = transformers.RfDetrDinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        num_windows=2,
        out_features=["stage1", "stage2"],
    )
    config = transformers.RfDetrConfig(
        backbone_config=backbone,
        d_model=16,
        decoder_layers=2,
        decoder_ffn_dim=16,
        decoder_self_attention_heads=2,
        decoder_cross_attention_heads=2,
        num_queries=12,
        group_detr=1,
    )
    images = transformers.RfDetrImageProcessor(size={"height": 56, "width": 56})
    return _save(config, images, folder, seed)


def sam3_config(end: int, vocabulary: int) -> transformers.Sam3Config:
    vision = {
        "backbone_config": {
            "model_type": "sam3_vit_model",
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 112,
            "patch_size": 14,
            "pretrain_image_size": 56,
            "window_size": 4,
            "global_attn_indexes": [1],
        },
        "fpn_hidden_size": 32,
        "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
    }
    small = {"hidden_size": 32, "num_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return transformers.Sam3Config(
        vision_config=vision,
        text_config={
            "vocab_size": vocabulary,
            "hidden_size": 32,
            "intermediate_size": 32,
            "projection_dim": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 16,
            "bos_token_id": end - 1,
            "eos_token_id": end,
        },
        geometry_encoder_config=small | {"roi_size": 3},
        detr_encoder_config=small,
        detr_decoder_config=small | {"num_queries": 6},
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
    )


def save_sam3(folder: Path, *, seed: int = 0) -> Path:
    """SAM 3's detector alone; squeezes images into 112 x 112 pixels, 6 queries a phrase."""
    torch.manual_seed(seed)
    tokenizer = clip_tokenizer(folder)
    config = sam3_config(tokenizer.convert_tokens_to_ids("<|endoftext|>"), len(tokenizer))
    model = transformers.Sam3Model(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "vision" not in name:
                weight.mul_(0.15 / max(float(weight.std()), 1e-6))
    model.save_pretrained(folder)
    images = transformers.Sam3ImageProcessor(size={"height": 112, "width": 112})
    transformers.Sam3Processor(images, tokenizer).save_pretrained(folder)
    return folder


def save_sam3_whole(folder: Path, *, seed: int = 0) -> Path:
    """SAM 3 as it is published: the detector and the part that follows boxes, one vision encoder for both."""
    torch.manual_seed(seed)
    tokenizer = clip_tokenizer(folder)
    detector = sam3_config(tokenizer.convert_tokens_to_ids("<|endoftext|>"), len(tokenizer))
    tracker = transformers.Sam3TrackerVideoConfig(
        vision_config=detector.vision_config.to_dict(),
        prompt_encoder_config={"hidden_size": 32, "image_size": 112, "patch_size": 14},
        mask_decoder_config={"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2},
        image_size=112,
        memory_attention_hidden_size=32,
        memory_attention_num_layers=1,
        memory_attention_num_attention_heads=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_encoder_hidden_size=32,
        memory_encoder_output_channels=8,
        mask_downsampler_embed_dim=32,
        memory_fuser_embed_dim=32,
        memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
    )
    config = transformers.Sam3VideoConfig(
        detector_config=detector.to_dict(), tracker_config=tracker.to_dict(), image_size=112
    )
    model = transformers.Sam3VideoModel(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "vision" not in name:
                weight.mul_(0.15 / max(float(weight.std()), 1e-6))
    config.architectures = ["Sam3VideoModel"]
    config.save_pretrained(folder)
    # By hand: transformers 5.24 saves its names with a prefix twice.
    safetensors.torch.save_file(
        {name: value.clone() for name, value in model.state_dict().items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    images = transformers.Sam3ImageProcessor(
        size={"height": 112, "width": 112}, mask_size={"height": 32, "width": 32}
    )
    transformers.Sam3Processor(images, tokenizer).save_pretrained(folder)
    return folder

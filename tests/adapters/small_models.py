"""Very small models with random weights, saved in the public formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from curate.adapters.sam_builds import build_sam_tiny
from curate.labeling import prompts
from curate.ports import Detector
from curate.records import Category, Detections, UInt8Image

WORDS = ("stop", "sign", "park", "##ing", "red", "dog", "warning", "triangle")


def write_vocabulary(path: Path) -> Path:
    """BERT's numbers for the tokens that Grounding DINO asks for by number."""
    tokens = [f"[unused{index}]" for index in range(1030)]
    special = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: ".", 1029: "?"}
    for index, token in special.items():
        tokens[index] = token
    path.write_text("\n".join([*tokens, *WORDS]) + "\n")
    return path


def text_config(**changes: Any) -> dict[str, Any]:
    return {
        "model_type": "bert",
        "vocab_size": 1030 + len(WORDS),
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 64,
        **changes,
    }


def grounding_dino() -> dict[str, Any]:
    """Settings that its configuration and MM-Grounding-DINO's share."""
    return {
        "backbone_config": transformers.SwinConfig(
            image_size=64,
            embed_dim=16,
            depths=[1, 1],
            num_heads=[1, 2],
            window_size=4,
            out_features=["stage1", "stage2"],
        ),
        "text_config": text_config(),
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "num_feature_levels": 2,
        "num_queries": 9,
        "init_std": 0.3,  # large enough that scores differ
    }


def save_detector(folder: Path, *, seed: int = 0, max_text_len: int = 16) -> Path:
    """A Grounding DINO of 0.3 million parameters in the format of transformers; sees 64 x 96 pixels."""
    torch.manual_seed(seed)
    config = transformers.GroundingDinoConfig(**grounding_dino(), max_text_len=max_text_len)
    transformers.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    tokenizer = transformers.BertTokenizer(vocab=str(write_vocabulary(folder / "vocab.txt")))
    images = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    transformers.GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def save_segmenter(path: Path, *, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    torch.save(build_sam_tiny().state_dict(), path)
    return path


def category(name: str, *prompts: str, threshold: float = 0.0) -> Category:
    return Category(name=name, category_id=0, prompts=prompts, threshold=threshold, color="#000000")


def noise(seed: int, height: int = 48, width: int = 64) -> UInt8Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def boxes_of(
    detector: Detector, images: Sequence[UInt8Image], categories: Sequence[Category]
) -> list[Detections]:
    """What a detector finds, each box with its best prompt only."""
    return [prompts.one_prompt_per_box(found) for found in detector.detect(images, categories)]

"""Very small models of the other architectures, random weights, saved in the format of transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers

from tests.adapters.small_models import WORDS, grounding_dino, write_vocabulary


def clip_tokenizer(folder: Path) -> transformers.CLIPTokenizer:
    """Whole words of `WORDS` and single letters; the ids of the public one's start and end stand last."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [word for word in WORDS if word.isalpha()]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges = []
    for word in words:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:  # from the left, letter by letter
            merges.append(f"{pieces[0]} {pieces[1]}")
            pieces = [pieces[0] + pieces[1], *pieces[2:]]
            tokens.append(pieces[0])
    tokens = ["!", *dict.fromkeys(tokens), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *dict.fromkeys(merges)]) + "\n")
    return transformers.CLIPTokenizer(
        vocab=str(folder / "vocab.json"),
        merges=str(folder / "merges.txt"),
        pad_token="!",
        model_max_length=16,
    )


def save_owl(folder: Path, *, version: int = 2, seed: int = 0) -> Path:
    """An OWL that sees 64 x 64 pixels in patches of 16: 16 boxes per image."""
    torch.manual_seed(seed)
    tokenizer = clip_tokenizer(folder)
    kind = "Owlv2" if version == 2 else "OwlViT"
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    config = getattr(transformers, f"{kind}Config")(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "bos_token_id": end - 1,
            "eos_token_id": end,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 16,
        },
        projection_dim=32,
        initializer_factor=1.5,  # large enough that scores differ
    )
    model = getattr(transformers, f"{kind}ForObjectDetection")(config)
    with torch.no_grad():  # linear layers begin so wide that boxes would be empty and scores all 0 or 1
        for weight in (*model.box_head.parameters(), *model.class_head.logit_shift.parameters(),
                       *model.class_head.logit_scale.parameters()):  # fmt: skip
            weight.mul_(0.1)
    model.save_pretrained(folder)
    images = getattr(transformers, f"{kind}ImageProcessor")(size={"height": 64, "width": 64})
    getattr(transformers, f"{kind}Processor")(images, tokenizer).save_pretrained(folder)
    return folder


def save_mm_grounding_dino(folder: Path, *, seed: int = 0) -> Path:
    """MM-Grounding-DINO; sees 64 x 96 pixels, 9 boxes per image."""
    torch.manual_seed(seed)
    config = transformers.MMGroundingDinoConfig(**grounding_dino(), max_text_len=16)
    transformers.MMGroundingDinoForObjectDetection(config).save_pretrained(folder)
    tokenizer = transformers.BertTokenizer(vocab=str(write_vocabulary(folder / "vocab.txt")))
    images = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    transformers.GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def _livelier(model: Any) -> Any:
    """Weights as wide as a trained model's: with those of the start, every box would have the same mask."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "norm" not in name:
                weight.mul_(0.12 / max(float(weight.std()), 1e-6))
    return model


def save_sam(folder: Path, *, seed: int = 0) -> Path:
    """A SAM that sees 64 pixels of the longer side."""
    torch.manual_seed(seed)
    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 32,
            "output_channels": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 8,
            "window_size": 4,
            "global_attn_indexes": [1],
            "num_pos_feats": 16,
            "mlp_dim": 64,
        },
        prompt_encoder_config={
            "hidden_size": 32,
            "image_size": 64,
            "patch_size": 8,
            "mask_input_channels": 8,
        },
        mask_decoder_config={
            "hidden_size": 32,
            "mlp_dim": 64,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 32,
        },
    )
    _livelier(transformers.SamModel(config)).save_pretrained(folder)
    images = transformers.SamImageProcessor(
        size={"longest_edge": 64},
        pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 32},
        mask_pad_size={"height": 32, "width": 32},
    )
    transformers.SamProcessor(images).save_pretrained(folder)
    return folder


def save_sam2(folder: Path, *, seed: int = 0) -> Path:
    """A SAM 2 that squeezes images into 128 x 128 pixels."""
    torch.manual_seed(seed)
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=8,
        num_attention_heads=1,
        image_size=[128, 128],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 2, 4, 8],
        window_size_per_stage=[8, 4, 4, 4],
        window_positional_embedding_background_size=[4, 4],
        global_attention_blocks=[3],
    )
    config = transformers.Sam2Config(
        vision_config=transformers.Sam2VisionConfig(
            backbone_config=backbone,
            backbone_channel_list=[64, 32, 16, 8],
            backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
            fpn_hidden_size=32,
        ),
        prompt_encoder_config={
            "hidden_size": 32,
            "image_size": 128,
            "patch_size": 16,
            "mask_input_channels": 8,
        },
        mask_decoder_config={
            "hidden_size": 32,
            "mlp_dim": 64,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 32,
        },
    )
    _livelier(transformers.Sam2Model(config)).save_pretrained(folder)
    images = transformers.Sam2ImageProcessor(
        size={"height": 128, "width": 128}, mask_size={"height": 32, "width": 32}
    )
    transformers.Sam2Processor(images, target_size=128).save_pretrained(folder)
    return folder

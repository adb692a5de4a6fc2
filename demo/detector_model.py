"""The demo's small Grounding DINO: its configuration, its vocabulary and its prompts."""

from __future__ import annotations

from typing import Any

from curate.extras import require
from demo.signs import CATEGORIES
from demo.training_pool import LONG_SIDE, SHORT_SIDE

# Several phrases per category, so that a taxonomy may ask with more than one; the first is the main one.
PHRASES: dict[str, tuple[str, ...]] = {
    "stop_sign": ("stop sign", "red octagon", "stop"),
    "warning_triangle": ("warning triangle", "danger sign", "warning sign"),
    "parking_sign": ("parking sign", "blue parking sign", "parking"),
    "priority_diamond": ("priority diamond", "priority road sign", "yellow diamond"),
}
# Asked for in training and never there: the model learns that a prompt may have no answer.
ABSENT_PHRASES = ("car", "person", "tree", "dog", "bicycle", "traffic light", "house", "bus", "green door")
MAX_TEXT_LEN = 32  # tokens

_SPECIAL = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: ".", 1029: "?"}


def vocabulary() -> list[str]:
    """Tokens by id. The loss and the text masks hard-code BERT's ids of [CLS], [SEP], "." and "?"."""
    tokens = [f"[unused{index}]" for index in range(1030)]
    for index, token in _SPECIAL.items():
        tokens[index] = token
    phrases = [phrase for names in PHRASES.values() for phrase in names] + list(ABSENT_PHRASES)
    words = sorted({word for phrase in phrases for word in phrase.split()})
    return tokens + words


def build_processor() -> Any:
    """The processor: BERT's tokenizer over the small vocabulary, images to 192 x 256 pixels."""
    transformers = require("transformers", extra="autolabel")
    ids = {token: number for number, token in enumerate(vocabulary())}
    tokenizer = transformers.BertTokenizer(vocab=ids, do_lower_case=True, model_max_length=MAX_TEXT_LEN)
    image_processor = transformers.GroundingDinoImageProcessor(
        size={"shortest_edge": SHORT_SIDE, "longest_edge": LONG_SIDE}
    )
    return transformers.GroundingDinoProcessor(image_processor, tokenizer)


def build_config() -> Any:
    """About 2 million parameters: Swin of width 32, BERT of one layer, two encoder and two decoder layers."""
    transformers = require("transformers", extra="autolabel")
    backbone = transformers.SwinConfig(
        image_size=LONG_SIDE,
        patch_size=4,
        embed_dim=32,
        depths=[1, 2, 1, 1],
        num_heads=[1, 2, 4, 8],
        window_size=4,
        drop_path_rate=0.0,
        out_features=["stage2", "stage3", "stage4"],
    )
    text = {
        "model_type": "bert",
        "vocab_size": len(vocabulary()),
        "hidden_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 128,
        "max_position_embeddings": MAX_TEXT_LEN,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    return transformers.GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        d_model=64,
        encoder_layers=2,
        decoder_layers=2,
        encoder_ffn_dim=192,
        decoder_ffn_dim=192,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        num_feature_levels=3,
        num_queries=20,
        dropout=0.0,
        fusion_droppath=0.0,
        auxiliary_loss=True,
        max_text_len=MAX_TEXT_LEN,
    )


def category_of(phrase: str) -> str | None:
    """The category that a decoded phrase names, or None."""
    text = " ".join(phrase.split())
    return next((category for category in CATEGORIES if text in PHRASES[category]), None)

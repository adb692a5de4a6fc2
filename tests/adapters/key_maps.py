"""The names of the same weights in two formats: of the packages of their authors, and of transformers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

State = Mapping[str, Any]

_SWIN = "model.backbone.conv_encoder.model"
_GROUNDING_DINO = (
    (r"^backbone\.0\.patch_embed\.proj\.", rf"{_SWIN}.embeddings.patch_embeddings.projection."),
    (r"^backbone\.0\.patch_embed\.norm\.", rf"{_SWIN}.embeddings.norm."),
    (r"^backbone\.0\.norm1\.", rf"{_SWIN}.hidden_states_norms.stage2."),
    (r"^backbone\.0\.norm2\.", rf"{_SWIN}.hidden_states_norms.stage3."),
    (r"^backbone\.0\.norm3\.", rf"{_SWIN}.hidden_states_norms.stage4."),
    (r"^backbone\.0\.layers\.", rf"{_SWIN}.encoder.layers."),
    (r"(blocks\.\d+)\.norm1\.", r"\1.layernorm_before."),
    (r"(blocks\.\d+)\.norm2\.", r"\1.layernorm_after."),
    (r"(blocks\.\d+)\.attn\.relative", r"\1.attention.self.relative"),
    (r"(blocks\.\d+)\.attn\.qkv\.", r"\1.attention.self.{query|key|value}."),
    (r"(blocks\.\d+)\.attn\.proj\.", r"\1.attention.output.dense."),
    (r"(blocks\.\d+)\.mlp\.fc1\.", r"\1.intermediate.dense."),
    (r"(blocks\.\d+)\.mlp\.fc2\.", r"\1.output.dense."),
    (r"^input_proj\.", "model.input_proj_vision."),
    (r"^bert\.", "model.text_backbone."),
    (r"^feat_map\.", "model.text_projection."),
    (r"^transformer\.tgt_embed\.", "model.query_position_embeddings."),
    (r"^transformer\.level_embed$", "model.level_embed"),
    (r"^transformer\.enc_out_bbox_embed\.", "model.encoder_output_bbox_embed."),
    (r"^transformer\.enc_output", "model.enc_output"),
    (r"^transformer\.encoder\.layers\.(\d+)\.", r"model.encoder.layers.\1.deformable_layer."),
    (r"^transformer\.encoder\.text_layers\.(\d+)\.", r"model.encoder.layers.\1.text_enhancer_layer."),
    (r"^transformer\.encoder\.fusion_layers\.(\d+)\.", r"model.encoder.layers.\1.fusion_layer."),
    (r"^transformer\.decoder\.norm\.", "model.decoder.layer_norm."),
    (r"^transformer\.decoder\.ref_point_head\.", "model.decoder.reference_points_head."),
    (r"^transformer\.decoder\.", "model.decoder."),
    (r"deformable_layer\.norm1\.", "deformable_layer.self_attn_layer_norm."),
    (r"deformable_layer\.norm2\.", "deformable_layer.final_layer_norm."),
    (r"text_enhancer_layer\.norm1\.", "text_enhancer_layer.layer_norm_before."),
    (r"text_enhancer_layer\.norm2\.", "text_enhancer_layer.layer_norm_after."),
    (r"fusion_layer\.gamma_v$", "fusion_layer.vision_param"),
    (r"fusion_layer\.gamma_l$", "fusion_layer.text_param"),
    (r"fusion_layer\.layer_norm_v\.", "fusion_layer.layer_norm_vision."),
    (r"fusion_layer\.layer_norm_l\.", "fusion_layer.layer_norm_text."),
    (r"(fusion_layer\.attn\.(?:values_|out_)?)v_proj", r"\1vision_proj"),
    (r"(fusion_layer\.attn\.(?:values_|out_)?)l_proj", r"\1text_proj"),
    (r"(decoder\.layers\.\d+)\.cross_attn\.", r"\1.encoder_attn."),
    (r"(decoder\.layers\.\d+)\.ca_text\.", r"\1.encoder_attn_text."),
    (r"(decoder\.layers\.\d+)\.catext_norm\.", r"\1.encoder_attn_text_layer_norm."),
    (r"(decoder\.layers\.\d+)\.norm1\.", r"\1.encoder_attn_layer_norm."),
    (r"(decoder\.layers\.\d+)\.norm2\.", r"\1.self_attn_layer_norm."),
    (r"(decoder\.layers\.\d+)\.norm3\.", r"\1.final_layer_norm."),
    (r"\.linear1\.", ".fc1."),
    (r"\.linear2\.", ".fc2."),
    (r"\.in_proj_(weight|bias)$", r".{query|key|value}.\1"),
)
_SAM = (
    (r"^image_encoder\.pos_embed$", "vision_encoder.pos_embed"),
    (r"^image_encoder\.patch_embed\.proj\.", "vision_encoder.patch_embed.projection."),
    (r"^image_encoder\.blocks\.(\d+)\.norm(\d)\.", r"vision_encoder.layers.\1.layer_norm\2."),
    (r"^image_encoder\.blocks\.(\d+)\.mlp\.", r"vision_encoder.layers.\1.mlp."),
    (r"^image_encoder\.blocks\.", "vision_encoder.layers."),
    (r"^image_encoder\.neck\.0\.", "vision_encoder.neck.conv1."),
    (r"^image_encoder\.neck\.1\.", "vision_encoder.neck.layer_norm1."),
    (r"^image_encoder\.neck\.2\.", "vision_encoder.neck.conv2."),
    (r"^image_encoder\.neck\.3\.", "vision_encoder.neck.layer_norm2."),
    (r"^prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$",
     "shared_image_embedding.positional_embedding"),
    (r"^prompt_encoder\.point_embeddings\.", "prompt_encoder.point_embed."),
    (r"^prompt_encoder\.mask_downscaling\.0\.", "prompt_encoder.mask_embed.conv1."),
    (r"^prompt_encoder\.mask_downscaling\.1\.", "prompt_encoder.mask_embed.layer_norm1."),
    (r"^prompt_encoder\.mask_downscaling\.3\.", "prompt_encoder.mask_embed.conv2."),
    (r"^prompt_encoder\.mask_downscaling\.4\.", "prompt_encoder.mask_embed.layer_norm2."),
    (r"^prompt_encoder\.mask_downscaling\.6\.", "prompt_encoder.mask_embed.conv3."),
    (r"^mask_decoder\.(.*)\.norm(\d|_final_attn)\.", r"mask_decoder.\1.layer_norm\2."),
    (r"^mask_decoder\.transformer\.norm_final_attn\.", "mask_decoder.transformer.layer_norm_final_attn."),
    (r"^mask_decoder\.output_upscaling\.0\.", "mask_decoder.upscale_conv1."),
    (r"^mask_decoder\.output_upscaling\.1\.", "mask_decoder.upscale_layer_norm."),
    (r"^mask_decoder\.output_upscaling\.3\.", "mask_decoder.upscale_conv2."),
    (r"^mask_decoder\.(iou_prediction_head|output_hypernetworks_mlps\.\d+)\.layers\.0\.",
     r"mask_decoder.\1.proj_in."),
    (r"^mask_decoder\.(iou_prediction_head|output_hypernetworks_mlps\.\d+)\.layers\.2\.",
     r"mask_decoder.\1.proj_out."),
    (r"^mask_decoder\.(iou_prediction_head|output_hypernetworks_mlps\.\d+)\.layers\.1\.",
     r"mask_decoder.\1.layers.0."),
)  # fmt: skip


def grounding_dino(state: State) -> dict[str, Any]:
    """From groundingdino-py's names to those of `GroundingDinoForObjectDetection`, without BERT's pooler."""
    return _renamed({name: value for name, value in state.items() if ".pooler." not in name}, _GROUNDING_DINO)


def sam(state: State) -> dict[str, Any]:
    """From segment-anything's names to those of `SamModel`."""
    renamed = _renamed(state, _SAM)
    shared = renamed["shared_image_embedding.positional_embedding"]
    return renamed | {"prompt_encoder.shared_embedding.positional_embedding": shared}


def _renamed(state: State, rules: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Every rule that fits in turn; a name with {a|b|c} stands for a tensor that is split into as many."""
    renamed = {}
    for old, value in state.items():
        new = old
        for pattern, replacement in rules:
            new = re.sub(pattern, replacement, new)
        choices = re.search(r"\{(.*)\}", new)
        names = (
            [new[: choices.start()] + one + new[choices.end() :] for one in choices[1].split("|")]
            if choices
            else [new]
        )
        for name, part in zip(names, value.chunk(len(names)) if choices else [value], strict=True):
            renamed[name] = part.contiguous()
    return renamed

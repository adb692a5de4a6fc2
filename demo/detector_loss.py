"""The losses that train the demo's small Grounding DINO.

transformers' loss for this model leaves the two-stage proposals untrained: it compares boxes that were cut
from the graph, and class logits of the query embeddings instead of the encoder's. The proposals then stay
random and training needs many times as long. Here the decoder keeps transformers' set loss, and every cell of
the encoder gets a dense loss of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from curate.extras import require

PRIOR_SIZES = (
    0.05,
    0.1,
    0.2,
)  # of a proposal at each level, as a share of the picture; set by the architecture


def set_loss(model: Any) -> None:
    """Replace the model's loss by the decoder's part alone, with several phrases per category.

    Labels may carry "phrase_groups": for each category of the batch's text, the indices of its phrases.
    """
    loss_module = require("transformers.loss.loss_grounding_dino", extra="autolabel")
    config = copy.deepcopy(model.config)
    config.two_stage = False

    def decoder_loss(  # noqa: PLR0917 - transformers calls it by position
        logits: Any,
        labels: Any,
        device: Any,
        pred_boxes: Any,
        _config: Any,
        label_maps: Any,
        text_mask: Any,
        **rest: Any,
    ) -> Any:
        groups: Sequence[Sequence[int]] = labels[0]["phrase_groups"]
        merged = tuple(merge_phrases(label_map, groups) for label_map in label_maps)
        kept = {key: rest[key] for key in ("outputs_class", "outputs_coord")}
        targets = [{key: label[key] for key in ("class_labels", "boxes")} for label in labels]
        return loss_module.GroundingDinoForObjectDetectionLoss(
            logits, targets, device, pred_boxes, config, merged, text_mask, **kept
        )

    model.loss_function = decoder_loss


def merge_phrases(label_map: Any, groups: Sequence[Sequence[int]]) -> Any:
    """(phrases, tokens) map -> (categories, tokens): a category's tokens are those of all its phrases."""
    torch = require("torch", extra="autolabel")
    return torch.stack([label_map[list(group)].sum(dim=0).clamp(max=1) for group in groups])


def cell_centers(pixel_mask: Any, shapes: Sequence[tuple[int, int]]) -> tuple[Any, Any, Any]:
    """Compute the centers of the encoder's cells.

    Args:
        pixel_mask: (B, H, W) 1 where the picture is, 0 where it was padded.
        shapes: (height, width) of each level.

    Returns:
        Centers (B, L, 2) as xy shares of the unpadded picture, cell sizes (B, L, 2) alike, levels (L,).
    """
    torch = require("torch", extra="autolabel")
    centers, sizes, levels = [], [], []
    for level, (height, width) in enumerate(shapes):
        mask = torch.nn.functional.interpolate(pixel_mask[None].float(), size=(height, width))[0] > 0
        valid = torch.stack(
            [mask[:, 0, :].sum(1), mask[:, :, 0].sum(1)], dim=1
        ).float()  # (B, 2) cells in x, y
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        grid = torch.stack([x, y], dim=-1).reshape(1, -1, 2).to(valid.device) + 0.5
        centers.append(grid / valid[:, None])
        sizes.append((1 / valid)[:, None].expand(-1, height * width, -1))
        levels.append(torch.full((height * width,), level, device=valid.device))
    return torch.cat(centers, dim=1), torch.cat(sizes, dim=1), torch.cat(levels)


def proposal_loss(outputs: Any, labels: Sequence[Any], label_map: Any, geometry: tuple[Any, Any, Any]) -> Any:
    """Focal loss of every cell's words, L1 and GIoU of the cells in the middle of a sign.

    A sign belongs to the level whose proposals have about its size, and there to the cells within one cell of
    its center: few enough that the best 20 cells of a picture hold all its signs.

    Args:
        outputs: what the model returned.
        labels: one dict per picture: class_labels (N,), boxes (N, 4) cxcywh shares.
        label_map: (categories, tokens) 1 where a token belongs to a phrase of the category.
        geometry: from `cell_centers`.

    Returns:
        The loss, a scalar.
    """
    torch = require("torch", extra="autolabel")
    loss_module = require("transformers.loss.loss_grounding_dino", extra="autolabel")
    transforms = require("transformers.image_transforms", extra="autolabel")
    centers, sizes, levels = geometry
    logits, coords = outputs.enc_outputs_class, outputs.enc_outputs_coord_logits.sigmoid()
    priors = torch.tensor(PRIOR_SIZES, device=logits.device)
    targets = torch.zeros_like(logits)
    chosen, wanted = [], []
    for index, label in enumerate(labels):
        boxes = label["boxes"]
        if len(boxes) == 0:
            continue
        level = (boxes[:, 2:].amax(dim=1, keepdim=True).log() - priors.log()).abs().argmin(dim=1)
        distance = (
            ((centers[index][None] - boxes[:, None, :2]) / sizes[index][None]).abs().amax(dim=-1)
        )  # (N, L)
        distance = distance.masked_fill(levels[None] != level[:, None], float("inf"))
        nearest, owner = distance.min(dim=0)
        cells = (nearest <= 1.0).nonzero()[:, 0]
        targets[index, cells] = label_map[label["class_labels"][owner[cells]]].to(targets.dtype)
        chosen.append(coords[index, cells])
        wanted.append(boxes[owner[cells]])
    text = torch.isfinite(logits)
    found = torch.cat(chosen) if chosen else coords[:0, 0]
    count = max(1, len(found))
    loss = 2.0 * loss_module.sigmoid_focal_loss(logits[text], targets[text], count)
    if len(found):
        boxes = torch.cat(wanted)
        overlap = loss_module.generalized_box_iou(
            transforms.center_to_corners_format(found), transforms.center_to_corners_format(boxes)
        ).diagonal()
        loss = loss + (5.0 * (found - boxes).abs().sum() + 2.0 * (1 - overlap).sum()) / count
    return loss

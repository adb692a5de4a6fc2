"""Segment Anything in its own format, as a Segmenter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from curate.adapters import torch_device
from curate.adapters.sam_builds import SAM_BUILDS
from curate.errors import ModelError
from curate.extras import require
from curate.params import SegmenterParams
from curate.records import BoolArray, FloatArray, UInt8Image

_MASK_PIXELS = 1 << 26  # of all masks that are upscaled at once: 256 MiB of float32


class SegmentAnythingSegmenter:
    """A SAM checkpoint, read once, in evaluation mode."""

    def __init__(self, settings: SegmenterParams, *, device: str) -> None:
        """Load the weights.

        Raises:
            ModelError: Missing, damaged, of another size than `settings.build`, or the device is not there.
            MissingExtraError: torch or segment-anything is not installed.
        """
        self._torch = require("torch", extra="autolabel")
        self._device = torch_device.choose(device)
        path, build = Path(settings.model).expanduser(), settings.build or "vit_b"
        if not path.is_file():
            raise ModelError(
                f"segmenter checkpoint {path} does not exist: set autolabel.segmenter.model"
            )
        self._version = f"sam-{build}@{torch_device.digest([path])}"
        try:
            model = SAM_BUILDS[build](str(path))
        except torch_device.DAMAGED as error:
            raise ModelError(
                f"segmenter checkpoint {path} is damaged or no {build}: "
                f"{torch_device.first_line(error)}"
            ) from error
        predictor = require("segment_anything", extra="autolabel").SamPredictor
        self._predictor: Any = predictor(model.to(self._device).eval())

    @property
    def model_version(self) -> str:
        """sam-<build> @ 12 hex digits of the checkpoint's sha256."""
        return self._version

    def segment(self, image: UInt8Image, boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
        """One mask a box. The image is encoded once, the boxes are decoded in batches.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: (N, 4) xyxy pixels.

        Returns:
            Masks (N, H, W) and the quality (an IoU) that SAM predicts for them, (N,) in [0, 1].

        Raises:
            ModelError: The device has no memory left.
        """
        height, width = image.shape[:2]
        masks = np.zeros((len(boxes), height, width), dtype=np.bool_)
        quality = np.zeros(len(boxes), dtype=np.float32)
        if not len(boxes):
            return masks, quality
        step = max(1, _MASK_PIXELS // (height * width))
        try:
            with self._torch.inference_mode():
                self._predictor.set_image(image)
                for start in range(0, len(boxes), step):
                    part = slice(start, start + step)
                    masks[part], quality[part] = self._decode(boxes[part], (height, width))
        except self._torch.OutOfMemoryError as error:
            raise ModelError(f"the device has no memory to segment {width}x{height} pixels") from error
        finally:
            self._predictor.reset_image()
        return masks, quality

    def _decode(self, boxes: FloatArray, size: tuple[int, int]) -> tuple[BoolArray, FloatArray]:
        prompts = self._torch.as_tensor(boxes, dtype=self._torch.float32, device=self._device)
        resized = self._predictor.transform.apply_boxes_torch(prompts, size)
        # A box says plainly which object is meant: the single-mask output, not the three ambiguous ones.
        masks, quality, _ = self._predictor.predict_torch(None, None, boxes=resized, multimask_output=False)
        return masks[:, 0].cpu().numpy(), quality[:, 0].clamp(0, 1).cpu().numpy()

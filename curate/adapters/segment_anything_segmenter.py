"""Segment Anything in its own format, as a Segmenter."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from curate.adapters import torch_device, weights
from curate.adapters.box_batches import masks_of_boxes, too_large
from curate.adapters.sam_builds import PUBLIC_FILES, SAM_BUILDS
from curate.adapters.torch_device import Precision
from curate.errors import DeviceMemoryError, ModelError
from curate.extras import require
from curate.params import SegmenterParams
from curate.records import BoolArray, FloatArray, UInt8Image


class SegmentAnythingSegmenter:
    """A SAM checkpoint, read once, in evaluation mode."""

    def __init__(self, settings: SegmenterParams, *, device: str, precision: Precision = "auto") -> None:
        """Load the weights.

        Args:
            settings: `model` is a local .pth file, or a public one's name; `build` its architecture.
            device: auto, cpu, cuda or mps.
            precision: Of the image encoder, see `torch_device.place`; boxes and masks are always float32.

        Raises:
            ModelError: Missing, damaged, of another size or digest, or the device is not there.
            MissingExtraError: torch or segment-anything is not installed.
        """
        self._torch = require("torch", extra="autolabel")
        self._place = torch_device.place(device, precision, setting="autolabel.device")
        path = weights.find(settings.model, noun="segmenter checkpoint", setting="autolabel.segmenter.model")
        build = _build(settings, path)
        weights.check(
            path,
            settings.sha256,
            what=f"segmenter checkpoint {settings.model}",
            setting="autolabel.segmenter.sha256",
        )
        self._version = f"sam-{build}@{weights.digest([path])}"
        model = SAM_BUILDS[build]()
        what = f"segmenter checkpoint {path}"
        weights.assign(model, weights.read_checkpoint(path, what=what), what=f"{what} ({build})")
        predictor = require("segment_anything", extra="autolabel").SamPredictor
        self._predictor: Any = predictor(model.to(self._place.device).eval())

    @property
    def model_version(self) -> str:
        """sam-<build> @ 12 hex digits of the checkpoint's sha256."""
        return self._version

    def segment(self, image: UInt8Image, boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
        """One mask per box. The image is encoded once, the boxes are decoded in batches.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: (N, 4) xyxy pixels.

        Returns:
            Masks (N, H, W) and the quality (an IoU) that SAM predicts for them, (N,) in [0, 1]; NaN
            where a mask comes of values that are no numbers.

        Raises:
            DeviceMemoryError: The device has no memory for the image, or for one box of it.
        """
        height, width = image.shape[:2]
        if not len(boxes):
            return np.zeros((0, height, width), dtype=np.bool_), np.zeros(0, dtype=np.float32)
        try:
            self._encode(image)
            return masks_of_boxes(boxes, (height, width), lambda part: self._decode(part, (height, width)))
        finally:
            self._predictor.reset_image()

    def _encode(self, image: UInt8Image) -> None:
        try:
            with torch_device.enough_memory(1), self._place.computing():
                self._predictor.set_image(image)
        except DeviceMemoryError as error:
            raise too_large((image.shape[0], image.shape[1])) from error
        self._predictor.features = self._predictor.features.float()

    def _decode(self, boxes: FloatArray, size: tuple[int, int]) -> tuple[BoolArray, FloatArray]:
        with self._torch.inference_mode():
            prompts = self._torch.as_tensor(boxes, dtype=self._torch.float32, device=self._place.device)
            resized = self._predictor.transform.apply_boxes_torch(prompts, size)
            # A box says plainly which object is meant: the single-mask output, not the three ambiguous ones.
            masks, quality, logits = self._predictor.predict_torch(
                None, None, boxes=resized, multimask_output=False
            )
            finite = logits.isfinite().flatten(1).all(1)  # else the mask seems to be empty
            told = quality[:, 0].clamp(0, 1).where(finite, math.nan)
            return masks[:, 0].cpu().numpy(), told.cpu().numpy()


def _build(settings: SegmenterParams, path: Path) -> str:
    build = settings.build or PUBLIC_FILES.get(path.name)
    if build is None:
        raise ModelError(
            f"autolabel.segmenter.build is not set, and {path.name} is no public name that says it: set it "
            f"to {', '.join(SAM_BUILDS)}"
        )
    return build

"""SAM, SAM 2 and SAM 3 in the format of transformers, as a Segmenter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from curate.adapters import torch_device, transformers_files
from curate.adapters.box_batches import masks_of_boxes, too_large
from curate.adapters.torch_device import Precision
from curate.adapters.transformers_files import Classes, Source
from curate.errors import DeviceMemoryError
from curate.extras import require
from curate.params import SegmenterParams
from curate.records import BoolArray, FloatArray, UInt8Image

# The public checkpoints of SAM 2 and SAM 3 hold the parts for video, too, and those of SAM 3 its detector.
_KINDS = ("sam", "sam2", "sam2_video", "sam3_tracker", "sam3_video")


class TransformersSegmenter:
    """A SAM, SAM 2 or SAM 3 of the Hub or of a local folder, read once, in evaluation mode."""

    def __init__(self, settings: SegmenterParams, *, device: str, precision: Precision = "auto") -> None:
        """Load the weights.

        Args:
            settings: `model` is a local folder, which is read without any network, or a Hub id.
            device: auto, cpu, cuda or mps.
            precision: Of the image encoder, see `torch_device.place`; boxes and masks are always float32.

        Raises:
            ModelError: Missing, damaged, of another kind or digest, or the device is not there.
            MissingExtraError: torch or transformers is not installed.
        """
        self._torch = require("torch", extra="autolabel")
        self._place = torch_device.place(device, precision, setting="autolabel.device")
        loaded = transformers_files.load(
            Source(
                settings.model,
                settings.revision,
                noun="segmenter model",
                setting="autolabel.segmenter",
                sha256=settings.sha256,
            ),
            dict.fromkeys(_KINDS, Classes("AutoImageProcessor", "AutoModelForMaskGeneration")),
        )
        self._images: Any = loaded.processor
        self._model = loaded.model.to(self._place.device)
        # SAM pads what it sees, so that only a part of it is the image; the later ones squeeze into a square.
        self._padded = loaded.config.model_type == "sam"
        self._version = loaded.version

    @property
    def model_version(self) -> str:
        """Hub id @ commit, or folder name @ 12 hex digits of its files' sha256."""
        return self._version

    def segment(self, image: UInt8Image, boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
        """One mask per box. The image is encoded once, the boxes are decoded in batches.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: (N, 4) xyxy pixels.

        Returns:
            Masks (N, H, W) and the quality (an IoU) that the model predicts for them, (N,) in [0, 1]; NaN
            where a mask comes of values that are no numbers.

        Raises:
            DeviceMemoryError: The device has no memory for the image, or for one box of it.
        """
        height, width = image.shape[:2]
        if not len(boxes):
            return np.zeros((0, height, width), dtype=np.bool_), np.zeros(0, dtype=np.float32)
        prepared = self._images(image, return_tensors="pt", input_data_format="channels_last")
        features = self._encode(prepared["pixel_values"], (height, width))
        seen = prepared["reshaped_input_sizes"][0] if self._padded else prepared["pixel_values"].shape[-2:]
        scale = np.array([int(seen[1]) / width, int(seen[0]) / height] * 2)
        sizes = [[(height, width)], *([prepared["reshaped_input_sizes"]] if self._padded else [])]
        return masks_of_boxes(
            boxes, (height, width), lambda part: self._decode(features, part * scale, sizes)
        )

    def _encode(self, pixels: Any, size: tuple[int, int]) -> Any:
        try:
            with torch_device.enough_memory(1), self._place.computing():
                features = self._model.get_image_embeddings(self._place.put(pixels))
        except DeviceMemoryError as error:
            raise too_large(size) from error
        return [one.float() for one in features] if isinstance(features, list) else features.float()

    def _decode(self, features: Any, boxes: FloatArray, sizes: list[Any]) -> tuple[BoolArray, FloatArray]:
        """Boxes (B, 4) in pixels of what the model sees; `sizes` as its processor wants them back."""
        with self._torch.inference_mode():
            prompts = self._torch.as_tensor(boxes, dtype=self._torch.float32, device=self._place.device)
            # A box says plainly which object is meant: the single-mask output, not the three ambiguous ones.
            output = self._model(image_embeddings=features, input_boxes=prompts[None], multimask_output=False)
            (masks,) = self._images.post_process_masks(output.pred_masks, *sizes)
            finite = output.pred_masks[0].isfinite().flatten(1).all(1)  # else the mask seems to be empty
            quality = output.iou_scores[0, :, 0].float().clamp(0, 1).where(finite, math.nan)
            return masks[:, 0].cpu().numpy(), quality.cpu().numpy()

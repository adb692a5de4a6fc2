"""Models: detectors, segmenters, embedders, upscalers, metrics of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from curate.records import BoolArray, Category, Detections, FloatArray, UInt8Image


class Detector(Protocol):
    """Finds boxes of prompted categories."""

    @property
    def model_version(self) -> str:
        """Names the weights: changes whenever the boxes could."""

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        """Boxes of every category above a floor score; one result per image, best score first.

        Raises:
            DeviceMemoryError: The device has no memory for so many images; half of them may fit. Nothing of
                the failed batch is left on the device.
            NotFiniteError: Boxes or scores of an image are no numbers.
        """


class Segmenter(Protocol):
    """Turns boxes into masks."""

    @property
    def model_version(self) -> str:
        """Names the weights: changes whenever the masks could."""

    def segment(self, image: UInt8Image, boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
        """Masks (N, H, W) and their predicted quality (N,) in [0, 1] for boxes (N, 4) xyxy pixels.

        A quality of NaN: the mask comes of values that are no numbers.

        The image is encoded once; its boxes are decoded in batches, which get smaller where memory is short.

        Raises:
            DeviceMemoryError: Not even one box fits.
        """


class Embedder(Protocol):
    """Maps images to vectors whose cosine says how alike they are."""

    @property
    def model_version(self) -> str:
        """Names the weights: changes whenever the vectors could."""

    def embed(self, images: Sequence[UInt8Image]) -> FloatArray:
        """Unit vectors (N, D) float32; a row of NaN where the model gives an image no direction.

        Raises:
            DeviceMemoryError: The device has no memory for so many images; half of them may fit.
        """


class TextEmbedder(Embedder, Protocol):
    """Maps texts into the space of its images."""

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors (N, D) float32, D as of images.

        Raises:
            ModelError: The model reads no text, or not so much of it.
        """


class ImageMetric(Protocol):
    """How near an image is to the one that it should be."""

    @property
    def name(self) -> str:
        """Name of the metric in the field."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is a better image."""

    def measure(self, reference: UInt8Image, image: UInt8Image) -> float:
        """The figure of `image` (H, W, 3) against `reference` of the same shape.

        Raises:
            MetricError: It cannot be measured on these, such as images that are too small.
        """


class Upscaler(Protocol):
    """Makes images larger by a whole factor."""

    @property
    def model_version(self) -> str:
        """Names the weights: changes whenever the pixels could."""

    @property
    def scale(self) -> int:
        """Pixels of the result for each of the image, a side; at least 1."""

    @property
    def ran_on(self) -> str:
        """The device that it really runs on, and the precision where it is known, such as cuda bfloat16."""

    def upscale(self, tile: FloatArray) -> FloatArray:
        """A tile (H, W, 3) of RGB in [0, 1], as (H * scale, W * scale, 3); values may leave [0, 1] a little.

        Raises:
            DeviceMemoryError: It does not fit the device; a smaller tile may. Nothing of it is left there.
        """

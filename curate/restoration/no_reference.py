"""Figures of a result alone, without the clean image: how it looks, and nothing of how true it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.errors import MetricError
from curate.images import quality_figures
from curate.ports import ImageMetric
from curate.records import UInt8Image
from curate.restoration import natural_scene, ringing
from curate.restoration.natural_scene import Naturalness, NaturalSceneModel


def _blur(luma: NDArray[np.uint8]) -> float:
    value = quality_figures.measure(luma, 0.0, halved=False).blur
    if value != value:  # noqa: PLR0124 - NaN
        raise MetricError("a plain image has no blur")
    return value


_OF_LUMA: Final[dict[str, Callable[[NDArray[np.uint8]], float]]] = {
    "blur": _blur,
    "ringing": ringing.ringing,
}
NAMES: Final = (natural_scene.NAME, *_OF_LUMA)


class OfLuma:
    """`curate.images.quality_figures`' blur, or ringing, of a result; lower is better.

    Attributes:
        name: blur or ringing.
        higher_is_better: False.
    """

    higher_is_better = False

    def __init__(self, name: str) -> None:
        self.name = name

    def measure(self, reference: UInt8Image, image: UInt8Image) -> float:  # noqa: ARG002 - the port has it
        """See `curate.ports.ImageMetric`; `reference` is not looked at."""
        return _OF_LUMA[self.name](np.asarray(Image.fromarray(image).convert("L")))


def metrics(names: Sequence[str], model: NaturalSceneModel | None) -> list[ImageMetric]:
    """Metrics among `names` that look at the result alone; without a model, naturalness is left out."""
    found: list[ImageMetric] = [OfLuma(name) for name in names if name in _OF_LUMA]
    if natural_scene.NAME in names and model is not None:
        found.append(Naturalness(model))
    return found

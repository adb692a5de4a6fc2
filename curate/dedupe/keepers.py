"""Which of two images is kept, and why, in words.

In this order: a person's `keep`; the source that `dedupe.prefer` names earlier; more pixels; the sharper one;
more bytes; the smaller image_id. What people say comes first, for they see what the figures do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Merits:
    """What the rule looks at, one row an image, in the order of image_id; 19 bytes an image.

    Attributes:
        keep: (N,) bool, a person's decision.
        preference: (N,) int16, place of the best of its sources in `dedupe.prefer`, or their number.
        width: (N,) int32, upright pixels.
        height: (N,) int32.
        sharpness: (N,) float32.
        bytes: (N,) int64.
    """

    keep: NDArray[np.bool_]
    preference: NDArray[np.int16]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    sharpness: NDArray[np.float32]
    bytes: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> Merits:
        """Some of the images."""
        return Merits(*(getattr(self, name)[rows] for name in self.__slots__))

    def best_first(self) -> NDArray[np.int64]:
        """(N,) int64: rows, the best image first; rows that nothing tells apart stay in their order."""
        pixels = self.width.astype(np.int64) * self.height
        order: NDArray[np.int64] = np.lexsort(
            (-self.bytes, -self.sharpness, -pixels, self.preference, ~self.keep)
        )
        return order

    def why(self, keeper: int, member: int, prefer: tuple[str, ...]) -> str:
        """Why `keeper` is kept rather than `member`, such as "keeper has more pixels (640x480 over ...)"."""
        if self.keep[keeper] and not self.keep[member]:
            return "a person decided to keep the keeper"
        if self.preference[keeper] < self.preference[member]:
            return f"keeper comes from the preferred source {prefer[self.preference[keeper]]}"
        sizes = [(int(self.width[row]), int(self.height[row])) for row in (keeper, member)]
        (width, height), (less_width, less_height) = sizes
        if width * height > less_width * less_height:
            return f"keeper has more pixels ({width}x{height} over {less_width}x{less_height})"
        if self.sharpness[keeper] > self.sharpness[member]:
            figures = f"{self.sharpness[keeper]:.6g} over {self.sharpness[member]:.6g}"
            return f"same number of pixels, keeper is sharper ({figures})"
        if self.bytes[keeper] > self.bytes[member]:
            figures = f"{self.bytes[keeper]} over {self.bytes[member]}"
            return f"same pixels and sharpness, keeper has more bytes ({figures})"
        return "nothing tells them apart, keeper has the smaller image_id"


def finding(relation: str, hamming: int, correlation: float) -> str:
    """What was found between an image and its keeper, such as "mirrored, 4 bits and correlation 0.97"."""
    if relation == "decided":
        return "a person decided that it is the same"
    if relation == "semantic":
        return f"alike by meaning, cosine {correlation:.2f} with keeper"
    bits = f"{hamming} bit{'' if hamming == 1 else 's'} from keeper, correlation {correlation:.2f}"
    return f"{relation}, {bits}"

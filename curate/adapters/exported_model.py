"""A model written for deployment, and how near its file is to the model that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from curate.errors import ModelError
from curate.ports import Upscaler

SIZES: Final = ((64, 64), (48, 80), (71, 53))  # height and width at which both are compared
TOLERANCE: Final = 1e-3  # a quarter of a level of 255


@dataclass(frozen=True, slots=True)
class Check:
    """The largest difference of a value in [0, 1] at one size of the image, in pixels."""

    height: int
    width: int
    difference: float


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the files, the factor by which they enlarge, and how near they are to the model."""

    files: tuple[Path, ...]
    scale: int
    checks: tuple[Check, ...]


def compare(
    model: Upscaler, written: Upscaler, *, what: str, at: Sequence[tuple[int, int]] = SIZES
) -> tuple[Check, ...]:
    """The largest difference between a model and what was written of it, at each size.

    Args:
        model: The model.
        written: Its file, as the other runtime runs it.
        what: Names the file in the message.
        at: Height and width in pixels.

    Raises:
        ModelError: They make other pixels.
    """
    checks = []
    for height, width in at:
        image = np.random.default_rng(0).random((height, width, 3), dtype=np.float32)
        made, expected = (np.clip(one.upscale(image), 0, 1) for one in (written, model))
        if made.shape != expected.shape:
            sizes = [f"{one.shape[1]}x{one.shape[0]}" for one in (made, expected)]
            raise ModelError(
                f"the {what} file makes {sizes[0]} pixels of {width}x{height}, the model {sizes[1]}: "
                "not written"
            )
        difference = float(np.abs(made - expected).max())
        if not difference <= TOLERANCE:  # NaN too
            raise ModelError(
                f"the {what} file differs from the model by {difference:.2g} at {width}x{height} pixels: "
                "not written"
            )
        checks.append(Check(height, width, difference))
    return tuple(checks)

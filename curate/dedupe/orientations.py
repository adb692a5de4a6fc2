"""The eight ways a picture can be turned, on its cosine coefficients."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Turn(NamedTuple):
    """First exchange rows and columns, then mirror left to right, then top to bottom, where true."""

    transposed: bool
    mirrored: bool
    flipped: bool


MIRRORED: Final = Turn(False, True, False)
# Mirrored ones behind rotated ones: the order of the columns in Features.turned.
ALL: Final = (
    MIRRORED,
    Turn(False, False, True),
    Turn(False, True, True),
    Turn(True, False, False),
    Turn(True, True, False),
    Turn(True, False, True),
    Turn(True, True, True),
)


def turns(turned: str) -> tuple[Turn, ...]:
    """The turns, besides none at all, that `dedupe.turned` asks for: none, mirrored or all."""
    return {"none": (), "mirrored": (MIRRORED,), "all": ALL}[turned]


def turned_low(low: NDArray[np.float64], turn: Turn) -> NDArray[np.float64]:
    """Cosine coefficients (N, K, K) of the turned picture: mirroring negates those of odd frequency."""
    if turn.transposed:
        low = low.swapaxes(1, 2)
    signs = np.where(np.arange(low.shape[1]) % 2, -1.0, 1.0)
    if turn.mirrored:
        low = low * signs[None, None, :]
    return low * signs[None, :, None] if turn.flipped else low

"""Cast and colorfulness of pictures, from the color cells that dedupe's decode leaves."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Cb and Cr of RGB. Source: ITU-R BT.601.
_CHROMA: Final = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32)
NAMES: Final = ("color_cast", "colorfulness")


def color_figures(cells: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cast and colorfulness of pictures.

    Args:
        cells: (N, C, C, 3) mean RGB of the cells of each picture.

    Returns:
        (N,) by how many levels the mean color is further from gray than the cells are from the mean: a
        cast lies on all of them, many colors differ. Source: F. Gasparini, R. Schettini 2004, "Color
        balancing of digital photos using simple image statistics".
        (N,) root mean square distance of the cells from gray, levels; 0 = a gray picture.

    Examples:
        >>> gray, red = np.full((4, 4, 3), 90), np.tile([200, 60, 60], (4, 4, 1))
        >>> [figure.round().tolist() for figure in color_figures(np.stack([gray, red]).astype(np.uint8))]
        [[0.0, 74.0], [0.0, 74.0]]
    """
    chroma = cells.reshape(len(cells), -1, 3).astype(np.float32) @ _CHROMA.T
    mean = chroma.mean(axis=1)
    spread = np.sqrt(((chroma - mean[:, None]) ** 2).sum(axis=2).mean(axis=1))
    cast = np.maximum(np.hypot(mean[:, 0], mean[:, 1]) - spread, 0).astype(np.float32)
    return cast, np.sqrt((chroma**2).sum(axis=2).mean(axis=1)).astype(np.float32)

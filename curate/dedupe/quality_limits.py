"""Images that are dropped for their technical quality, where params.yaml asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate import schema, tables
from curate.dedupe.color_figures import NAMES as OF_COLOR
from curate.params.dedupe import QualityLimits

Poor = tuple[str, str]  # reason and detail
_CONTRAST: Final = "contrast"  # a column of its own


@dataclass(frozen=True, slots=True)
class _Limit:
    """A parameter and the figure that it bounds."""

    parameter: str
    value: Callable[[QualityLimits], float | None]
    figure: str
    reason: str

    @property
    def is_maximum(self) -> bool:
        return self.parameter.startswith("max_")


# In the order in which a reason is looked for: what explains others goes first.
_LIMITS: Final = (
    _Limit("max_shadows", lambda limits: limits.max_shadows, "shadows", "clipped_shadows"),
    _Limit("max_highlights", lambda limits: limits.max_highlights, "highlights", "clipped_highlights"),
    _Limit("min_contrast", lambda limits: limits.min_contrast, _CONTRAST, "low_contrast"),
    _Limit("min_entropy", lambda limits: limits.min_entropy, "entropy", "low_entropy"),
    _Limit("max_letterbox", lambda limits: limits.max_letterbox, "letterbox", "letterbox"),
    _Limit("max_pillarbox", lambda limits: limits.max_pillarbox, "pillarbox", "pillarbox"),
    _Limit("max_blur", lambda limits: limits.max_blur, "blur", "blurred"),
    _Limit("min_log_laplacian", lambda limits: limits.min_log_laplacian, "log_laplacian", "blurred"),
    _Limit("min_bandwidth", lambda limits: limits.min_bandwidth, "bandwidth", "upscaled"),
    _Limit("max_noise", lambda limits: limits.max_noise, "noise", "noisy"),
    _Limit("min_jpeg_quality", lambda limits: limits.min_jpeg_quality, "jpeg_quality", "compressed"),
    _Limit("max_blockiness", lambda limits: limits.max_blockiness, "blockiness", "blocky"),
    _Limit("max_color_cast", lambda limits: limits.max_color_cast, "color_cast", "color_cast"),
)
REASONS: Final = frozenset(one.reason for one in _LIMITS)


def find(
    limits: QualityLimits,
    table: Path,
    wanted: NDArray[np.bool_],
    colors: Mapping[str, NDArray[np.float32]],
) -> dict[int, Poor]:
    """Reason and detail of each image that breaks a limit, by row of the table; the first limit counts.

    Args:
        limits: Those that are null are not looked at; a figure that an image lacks breaks none.
        table: The images table of ingest.
        wanted: (N,) bool, rows to look at.
        colors: (N,) figures by name, of `OF_COLOR`; NaN = not known.
    """
    asked = [(one, value) for one in _LIMITS if (value := one.value(limits)) is not None]
    found: dict[int, Poor] = {}
    if not asked:
        return found
    start = 0
    for piece in tables.pieces(table, schema.IMAGES, columns=("quality", _CONTRAST)):
        here = slice(start, start + piece.num_rows)
        for one, value in asked:
            figures = colors[one.figure][here] if one.figure in OF_COLOR else _figures(piece, one.figure)
            found.update(_broken(one, value, figures, wanted[here], start, found))
        start += piece.num_rows
    return found


def _figures(piece: pa.Table, name: str) -> NDArray[np.float32]:
    column = piece[name] if name == _CONTRAST else pc.struct_field(piece["quality"], name)
    figures: NDArray[np.float32] = pc.fill_null(column, np.nan).to_numpy()
    return figures


def _broken(  # noqa: PLR0917 - the piece's place
    one: _Limit,
    value: float,
    figures: NDArray[np.float32],
    wanted: NDArray[np.bool_],
    start: int,
    known: Mapping[int, Poor],
) -> Iterator[tuple[int, Poor]]:
    breaks = figures > value if one.is_maximum else figures < value
    name = f"dedupe.quality.{one.parameter}"
    for row in np.flatnonzero(breaks & wanted).tolist():
        if start + row not in known:
            side = "over" if one.is_maximum else "under"
            yield start + row, (one.reason, f"{one.figure} {figures[row]:.3g}, {side} {name} = {value:g}")

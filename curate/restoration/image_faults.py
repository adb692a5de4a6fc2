"""What is wrong with an image, from its figures: faults by name and in words, and bands for slices."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from curate.params.diagnose import DiagnoseParams, FaultName, FigureName

NOT_KNOWN: Final = "not known"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and the figure that tells it.

    Attributes:
        name: As `dedupe.quality` calls it too.
        figure: Column of the table of diagnose.
        limit: Parameter of `diagnose`.
        bound: Its value.
        words: For people; `{}` is the figure.
        unknown: Why an image has no such figure, if nothing else is said.
    """

    name: FaultName
    figure: FigureName
    limit: str
    bound: Callable[[DiagnoseParams], float | None]
    words: str
    unknown: str

    def is_broken(self, value: float, limit: float) -> bool:
        """Whether a figure is beyond the limit."""
        return value > limit if self.limit.startswith("max_") else value < limit

    def badness(self, value: float) -> float:
        """Larger = worse, for an order."""
        return value if self.limit.startswith("max_") else -value


_TINY: Final = "too small"
FAULTS: Final = (
    Fault(
        "noisy",
        "noise",
        "max_noise",
        lambda one: one.max_noise,
        "noisy, a standard deviation of {:.1f} levels",
        _TINY,
    ),
    Fault(
        "blurred",
        "blur",
        "max_blur",
        lambda one: one.max_blur,
        "blurred, a further blur leaves {:.0%} of what changes",
        "plain",
    ),
    Fault(
        "upscaled",
        "bandwidth",
        "min_bandwidth",
        lambda one: one.min_bandwidth,
        "enlarged before, detail up to {:.0%} of its resolution",
        "plain or too small",
    ),
    Fault(
        "compressed",
        "jpeg_quality",
        "min_jpeg_quality",
        lambda one: one.min_jpeg_quality,
        "JPEG of quality {:.0f}",
        "no JPEG",
    ),
    Fault(
        "blocky",
        "blockiness",
        "max_blockiness",
        lambda one: one.max_blockiness,
        "blocks, their borders differ {:.0%} more",
        _TINY,
    ),
    Fault(
        "banding",
        "banding",
        "max_banding",
        lambda one: one.max_banding,
        "bands in smooth areas, CAMBI {:.1f}",
        "not measured",
    ),
    Fault(
        "ringing",
        "ringing",
        "max_ringing",
        lambda one: one.max_ringing,
        "rings beside edges, {:.0%} of their step",
        "not measured",
    ),
    Fault(
        "clipped_shadows", "shadows", "max_shadows", lambda one: one.max_shadows, "{:.0%} plain black", _TINY
    ),
    Fault(
        "clipped_highlights",
        "highlights",
        "max_highlights",
        lambda one: one.max_highlights,
        "{:.0%} plain white",
        _TINY,
    ),
    Fault(
        "low_entropy",
        "entropy",
        "min_entropy",
        lambda one: one.min_entropy,
        "hardly anything to see, {:.1f} bits",
        _TINY,
    ),
    Fault(
        "letterbox",
        "letterbox",
        "max_letterbox",
        lambda one: one.max_letterbox,
        "bars above and below, {:.0%} of the height",
        _TINY,
    ),
    Fault(
        "pillarbox",
        "pillarbox",
        "max_pillarbox",
        lambda one: one.max_pillarbox,
        "bars at the sides, {:.0%} of the width",
        _TINY,
    ),
    Fault(
        "color_cast",
        "color_cast",
        "max_color_cast",
        lambda one: one.max_color_cast,
        "color cast of {:.0f} levels",
        "not measured",
    ),
)
NAMES: Final = tuple(fault.name for fault in FAULTS)
FIGURES: Final = tuple(fault.figure for fault in FAULTS)
Figures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with one image.

    Attributes:
        faults: Names, in the order of `FAULTS`.
        unknown: Figures that are looked at and that it does not have.
        words: The same for people.
        bands: Fault or figure of `diagnose.bands`, and where the image stands in it.
    """

    faults: tuple[str, ...]
    unknown: tuple[str, ...]
    words: str
    bands: Mapping[str, str]


def diagnose(figures: Figures, params: DiagnoseParams, why_not: Mapping[str, str]) -> Diagnosis:
    """Hold the figures of an image against the limits.

    Args:
        figures: Of `FIGURES`; None = not measured.
        params: Limits and bands.
        why_not: Why a figure was not measured, where more is known than `Fault.unknown`.

    Examples:
        >>> values = dict.fromkeys(FIGURES, 1.0) | {"noise": 7.0, "entropy": 6.0, "jpeg_quality": None}
        >>> limits = DiagnoseParams(max_blur=None, min_bandwidth=None, max_blockiness=None, max_ringing=None,
        ...     max_shadows=None, max_highlights=None, max_letterbox=None, max_pillarbox=None)
        >>> diagnose(values, limits, {}).words
        'noisy, a standard deviation of 7.0 levels. Not known: jpeg_quality (no JPEG)'
    """
    looked = [(fault, limit) for fault in FAULTS if (limit := fault.bound(params)) is not None]
    faults, unknown, described, missing = [], [], [], []
    bands: dict[str, str] = {}
    for fault, limit in looked:
        value = figures.get(fault.figure)
        if value is None:
            unknown.append(fault.figure)
            missing.append(f"{fault.figure} ({why_not.get(fault.figure, fault.unknown)})")
            bands[fault.name] = NOT_KNOWN
            continue
        broken = fault.is_broken(value, limit)
        bands[fault.name] = fault.name if broken else f"not {fault.name}"
        if broken:
            faults.append(fault.name)
            described.append(fault.words.format(value))
    bands.update((figure, _band(figures.get(figure), edges)) for figure, edges in params.bands.items())
    words = "; ".join(described) or ("no fault found in what is known" if missing else "no fault found")
    if missing:
        words += f". Not known: {', '.join(missing)}"
    return Diagnosis(tuple(faults), tuple(unknown), words, bands)


def _band(value: float | None, edges: Sequence[float]) -> str:
    if value is None:
        return NOT_KNOWN
    place = bisect_right(edges, value)
    if place == 0:
        return f"below {edges[0]:g}"
    if place == len(edges):
        return f"{edges[-1]:g} and more"
    return f"{edges[place - 1]:g} to below {edges[place]:g}"

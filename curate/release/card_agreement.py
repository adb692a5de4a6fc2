"""The part of the card on agreement between labelers: each figure with its interval, and by category."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.release.markdown import code, table

_FIGURES = {
    "f1": ("Detection F1 between two labelers", "objects"),
    "mean_box_iou": ("Mean IoU of matched boxes", "pairs"),
    "mean_mask_iou": ("Mean IoU of matched masks", "pairs"),
    "kappa": ("Cohen's kappa on the categories of matched pairs", "pairs"),
    "kappa_with_missed": ('Cohen\'s kappa with "missed" as a category (pessimistic: see below)', "pairs"),
    "alpha": ("Krippendorff's alpha on the categories of matched objects", "values"),
}


def section(
    agreement: Mapping[str, Any],
    f1_by_category: Mapping[str, tuple[float | None, float | None, float | None]],
) -> str:
    """Write the card's section on agreement, in Markdown.

    Args:
        agreement: The metrics file of the stage agreement.
        f1_by_category: Value and ends of its interval; None = undefined.
    """
    several = agreement.get("counts", {}).get("seen_by_several")
    rows = []
    for key, (label, unit) in _FIGURES.items():
        figure = agreement.get(key)
        if not isinstance(figure, Mapping):
            continue
        n = f"{figure.get('n', 0):,} {unit}"
        if figure.get("value") is None:
            rows.append([label, "undefined", "", n])
        else:
            low, high = figure.get("low"), figure.get("high")
            ends = f"{low:.3f} to {high:.3f}" if low is not None and high is not None else "none"
            rows.append([label, f"{figure['value']:.3f}", ends, n])
    if not several or not rows:
        return "## Agreement\n\nNo image was looked at by more than one labeler: agreement is unknown.\n"
    return (
        f"## Agreement\n\nOn the {several:,} images that several labelers looked at:\n\n"
        f"{table(['figure', 'value', '95% interval', 'from'], rows)}\n"
        'Intervals come from resampling images. Kappa with "missed" has no cell for what both missed, so it '
        "is low even between careful labelers. Labelers started from the same proposals, which makes them "
        f"more alike than if they had drawn from nothing.\n{_by_category(f1_by_category)}"
    )


def _by_category(
    f1_by_category: Mapping[str, tuple[float | None, float | None, float | None]],
) -> str:
    rows = [
        [code(name), *("undefined" if value is None else f"{value:.3f}" for value in (figure[0],)),
         "none" if figure[1] is None or figure[2] is None else f"{figure[1]:.3f} to {figure[2]:.3f}"]
        for name, figure in f1_by_category.items()
    ]  # fmt: skip
    return f"\nF1 by category:\n\n{table(['category', 'F1', '95% interval'], rows)}" if rows else ""

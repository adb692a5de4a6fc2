"""Charts of the page: SVG files below docs/images, the same bytes for the same figures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl

from benchmarks import result

mpl.use("Agg")
mpl.rcParams |= {"svg.hashsalt": "curate", "svg.fonttype": "path", "font.size": 9}

from matplotlib import pyplot as plt  # noqa: E402 (after the choice of its backend)

_OURS, _THEIRS = "#c2410c", "#94a3b8"


def bars(
    name: str, title: str, labels: Sequence[str], values: Sequence[float], *, ours: Sequence[str]
) -> str:
    """One bar per label, the longest on top; those of `ours` in another color.

    Returns:
        Markdown that shows it.
    """
    order = sorted(range(len(labels)), key=lambda index: values[index])
    figure, axes = plt.subplots(figsize=(6.4, 0.5 + 0.32 * len(labels)))
    colors = [_OURS if labels[index] in ours else _THEIRS for index in order]
    drawn = axes.barh([labels[index] for index in order], [values[index] for index in order], color=colors)
    axes.bar_label(drawn, [result.figure(values[index]) for index in order], padding=3)
    axes.margins(x=0.12)
    axes.set_title(title, loc="left")
    return _save(figure, axes, name, title)


def lines(
    name: str,
    title: str,
    *,
    x: str,
    y: str,
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    log: bool,
) -> str:
    """One line of (x, y) per series.

    Returns:
        Markdown that shows it.
    """
    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    for label, (across, up) in series.items():
        axes.plot(across, up, marker="o", label=label)
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, loc="left")
    axes.legend(frameon=False)
    return _save(figure, axes, name, title)


def _save(figure: Any, axes: Any, name: str, title: str) -> str:
    axes.spines[["top", "right"]].set_visible(False)
    result.IMAGES.mkdir(parents=True, exist_ok=True)
    target = result.IMAGES / f"benchmark-{name}.svg"
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return f"![{title}]({os.path.relpath(target, result.PAGE.parent)})\n"

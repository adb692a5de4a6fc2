"""Charts as small inline SVGs without text: the page's own type stands beside them, readable at any width.

Every chart is 100 units wide and is stretched to its place; lines keep their thickness.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

_VIEW = 'viewBox="0 0 100 {height}" preserveAspectRatio="none" aria-hidden="true"'
_SVG = f'<svg class="{{kind}}" {_VIEW}>{{body}}</svg>'


def bar(share: float, *, color: str | None = None) -> Markup:
    """Draw a horizontal bar.

    Args:
        share: Length as a share of the whole in [0, 1].
        color: "#rrggbb"; None = the page's accent.
    """
    style = f' style="fill:{_color(color)}"' if color is not None else ""
    fill = f'<rect class="fill" width="{_x(share)}" height="10"{style}/>'
    return _svg("bar", 10, '<rect class="track" width="100" height="10"/>' + fill)


def stack(parts: Sequence[tuple[float, str]]) -> Markup:
    """One bar of several colors; each part is (share of the whole, "#rrggbb")."""
    body, left = "", 0.0
    for share, color in parts:
        body += f'<rect x="{_x(left)}" width="{_x(share)}" height="10" style="fill:{_color(color)}"/>'
        left += share
    return _svg("bar", 10, body)


def interval(value: float | None, low: float | None, high: float | None, *, floor: float = 0.0) -> Markup:
    """A dot with its interval on a scale from `floor` to 1; only the scale where the value is undefined."""
    span = 1.0 - floor
    body = '<line class="axis" x1="0" x2="100" y1="6" y2="6"/>'
    body += "".join(f'<line class="tick" x1="{x}" x2="{x}" y1="2" y2="10"/>' for x in (0, 25, 50, 75, 100))
    if low is not None and high is not None:
        left, right = _x((low - floor) / span), _x((high - floor) / span)
        body += f'<line class="range" x1="{left}" x2="{right}" y1="6" y2="6"/>'
    if value is not None:
        # A line of no length with round ends is a dot, however the chart is stretched.
        x = _x((value - floor) / span)
        body += f'<line class="dot" x1="{x}" x2="{x}" y1="6" y2="6"/>'
    return _svg("interval", 12, body)


def histogram(counts: Sequence[int]) -> Markup:
    """Columns side by side, the highest as tall as the chart."""
    max_count, width = max(counts, default=0), 100 / max(len(counts), 1)
    body = "".join(
        f'<rect class="fill" x="{_number((index + 0.06) * width)}" width="{_number(0.88 * width)}" '
        f'y="{_number(40 - 40 * count / max_count)}" height="{_number(40 * count / max_count)}"/>'
        for index, count in enumerate(counts)
        if count
    )
    return _svg("histogram", 40, body + '<line class="axis" x1="0" x2="100" y1="40" y2="40"/>')


def running(points: Sequence[tuple[float | None, float | None, float | None]], level: float | None) -> Markup:
    """A line from left to right on a scale from 0 to 1, with its interval as a band.

    Args:
        points: (value, low, high) at equal distances; None where undefined: the line goes on at the next.
        level: A horizontal line; None = there is none.
    """
    last = max(len(points) - 1, 1)
    known = [(100 * at / last, *point) for at, point in enumerate(points) if point[0] is not None]
    banded = [(x, low, high) for x, _, low, high in known if low is not None and high is not None]
    body = ""
    if level is not None:
        body = f'<line class="axis" x1="0" x2="100" y1="{_y(level)}" y2="{_y(level)}"/>'
    if banded:
        ends = [(x, high) for x, _, high in banded] + [(x, low) for x, low, _ in reversed(banded)]
        body += f'<polygon class="band" points="{_points(ends)}"/>'
    if known:
        body += f'<polyline class="run" points="{_points([(x, value or 0.0) for x, value, _, _ in known])}"/>'
    return _svg("running", 40, body)


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{_number(x)},{_y(value)}" for x, value in pairs)


def _y(share: float) -> str:
    return _number(40 - 40 * min(1.0, max(0.0, share)))


def _svg(kind: str, height: int, body: str) -> Markup:
    return Markup(_SVG.format(kind=kind, height=height, body=body))  # noqa: S704 - numbers and checked colors only


def _x(share: float) -> str:
    return _number(100 * min(1.0, max(0.0, share)) if math.isfinite(share) else 0.0)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _color(color: str) -> str:
    """The color, known to be nothing but one."""
    return "#" + f"{int(color.removeprefix('#'), 16) & 0xFFFFFF:06x}"

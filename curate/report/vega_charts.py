"""Charts by Vega-Lite, drawn to SVG while the page is written: the page needs no script for them.

Colors are names of the page's own (`var(--accent)`), so that a chart is right in light and dark. A figure is
told in the words beside it and in the table below it; the SVG says the same to a screen reader.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from curate.extras import require

EXTRA: Final = "report"
_MODULE: Final = "vl_convert"
_WIDTH: Final = 520
_MAX_LABELS: Final = 9  # below columns
_FONT: Final = "ui-sans-serif, system-ui, sans-serif"
_CONFIG: Final[Mapping[str, Any]] = {
    "background": None,
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--soft)", "titleColor": "var(--soft)", "gridColor": "var(--line)",
        "domainColor": "var(--line)", "tickColor": "var(--line)", "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal", "grid": False,
    },
    "legend": {
        "labelColor": "var(--ink)", "labelFontSize": 12, "orient": "top", "title": None, "columnPadding": 22,
    },
}  # fmt: skip
Rows = Sequence[Mapping[str, Any]]


def available() -> bool:
    """Whether the extra is installed; without it a page has its tables only."""
    return importlib.util.find_spec(_MODULE) is not None


def columns(
    rows: Rows, x: str, y: str, *, title: str, x_title: str, y_title: str, height: int = 150
) -> Markup:
    """One column per row, side by side in the order of the rows."""
    return _svg(
        title,
        {
            "data": {"values": list(rows)},
            "mark": {"type": "bar", "color": "var(--accent)"},
            "encoding": {
                "x": _axis(x, "ordinal", x_title, sort=None, axis=_labels([row[x] for row in rows])),
                "y": _axis(y, "quantitative", y_title, axis={"tickCount": 4}),
            },
            "height": height,
        },
    )


def stacked(
    rows: Rows,
    x: str,
    y: str,
    part: str,
    *,
    colors: Mapping[str, str],
    title: str,
    x_title: str,
    y_title: str,
) -> Markup:
    """Columns made of parts, each in its color ("#rrggbb" by name)."""
    bins = list(dict.fromkeys(row[x] for row in rows))
    scale = {"domain": list(colors), "range": list(colors.values())}
    return _svg(
        title,
        {
            "data": {"values": list(rows)},
            "mark": "bar",
            "encoding": {
                "x": _axis(x, "ordinal", x_title, sort=None, axis=_labels(bins)),
                "y": _axis(y, "quantitative", y_title, axis={"tickCount": 4}),
                "color": {"field": part, "type": "nominal", "scale": scale},
            },
            "height": 150,
        },
    )


def lines(
    rows: Rows,
    x: str,
    y: str,
    series: str,
    *,
    colors: Mapping[str, str],
    title: str,
    x_title: str,
    y_title: str,
    share: bool = False,
) -> Markup:
    """A line per series, each in its color and with its own kind of point, so that color is not all."""
    order = list(dict.fromkeys(row[x] for row in rows))
    scale = {"domain": list(colors), "range": list(colors.values())}
    encoding = {
        "x": _axis(x, "ordinal", x_title, sort=order, axis=_labels(order)),
        "y": _axis(y, "quantitative", y_title, axis={"tickCount": 5}),
        "color": {"field": series, "type": "nominal", "scale": scale},
        "shape": {"field": series, "type": "nominal", "scale": {"domain": list(colors)}},
    }
    if share:
        encoding["y"]["scale"] = {"domain": [0, 1]}
    mark = {"type": "line", "point": {"size": 46, "filled": True}, "strokeWidth": 2}
    return _svg(title, {"data": {"values": list(rows)}, "mark": mark, "encoding": encoding, "height": 180})


def intervals(rows: Rows, *, title: str, x_title: str) -> Markup:
    """A dot with its interval a row, from 0 to 1. Each row has name, value, and low and high or None."""
    y, scale = _axis("name", "nominal", None, sort=None), {"domain": [0, 1]}
    known = [row for row in rows if row["low"] is not None]
    ends = {"y": y, "x": {**_axis("low", "quantitative", x_title), "scale": scale}, "x2": {"field": "high"}}
    line = {"type": "rule", "color": "var(--accent)", "strokeWidth": 5, "opacity": 0.35, "strokeCap": "round"}
    dot = {"type": "point", "filled": True, "color": "var(--accent)", "size": 90, "opacity": 1}
    at = {"y": y, "x": {**_axis("value", "quantitative", x_title), "scale": scale}}
    layers = [
        {"data": {"values": known}, "mark": line, "encoding": ends},
        {"data": {"values": list(rows)}, "mark": dot, "encoding": at},
    ]
    return _svg(title, {"layer": layers, "height": {"step": 26}})


def _axis(field: str, kind: str, title: str | None, **more: Any) -> dict[str, Any]:
    return {"field": field, "type": kind, "title": title, **more}


def _labels(names: Sequence[Any]) -> dict[str, Any]:
    """Level labels of columns, and so few that they do not touch."""
    step = -(-len(names) // _MAX_LABELS)
    return {"labelAngle": 0, "values": list(names[::step])}


def _svg(title: str, spec: Mapping[str, Any]) -> Markup:
    if not available():
        return Markup("")
    whole = {"description": title, "width": _WIDTH, "config": _CONFIG, **spec}
    return Markup(_drawn(json.dumps(whole, sort_keys=True)).replace("<svg ", '<svg role="img" ', 1))  # noqa: S704


@functools.lru_cache(maxsize=64)
def _drawn(spec: str) -> str:
    convert = require(_MODULE, extra=EXTRA)
    svg = str(convert.vegalite_to_svg(spec))
    whole = json.loads(spec)
    label = Markup.escape(whole["description"])
    # The page scales the chart by its viewBox; fonts are the page's.
    svg = re.sub(r'(<svg [^>]*?) width="[\d.]+" height="[\d.]+"', rf'\1 aria-label="{label}"', svg, count=1)
    return svg.replace('font-family="sans-serif"', f'font-family="{_FONT}"')

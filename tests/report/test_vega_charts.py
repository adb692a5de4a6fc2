"""Charts by Vega-Lite: well-formed, named for screen readers, in the page's own colors."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from curate.report import vega_charts

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [{"bin": f"{at / 20:.2f}", "count": at} for at in range(20)]


def parsed(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart)  # noqa: S314 - our own


def test_columns_are_as_many_as_rows_and_named() -> None:
    chart = parsed(vega_charts.columns(ROWS, "bin", "count", title="A <b> & c", x_title="x", y_title="y"))
    assert (chart.get("role"), chart.get("aria-label")) == ("img", "A <b> & c")
    bars = [one for one in chart.iter(f"{SVG}path") if one.get("aria-roledescription") == "bar"]
    assert len(bars) == 20
    assert {one.get("fill") for one in bars} == {"var(--accent)"}
    assert chart.get("width") is None, "the page says how wide it is"


def test_labels_of_many_columns_do_not_touch() -> None:
    chart = parsed(vega_charts.columns(ROWS, "bin", "count", title="t", x_title="x", y_title="y"))
    shown = [one.text for one in chart.iter(f"{SVG}text") if one.text in {row["bin"] for row in ROWS}]
    assert 5 <= len(shown) <= 9


@pytest.mark.parametrize("low", [None, 0.25])
def test_an_interval_is_drawn_where_there_is_one(low: float | None) -> None:
    rows = [{"name": "a", "value": 0.5, "low": low, "high": None if low is None else 0.75}]
    chart = parsed(vega_charts.intervals(rows, title="F1", x_title="F1"))
    kinds = [one.get("aria-roledescription") for one in chart.iter()]
    assert kinds.count("point") == 1
    layers = [one for one in chart.iter(f"{SVG}g") if "mark-rule role-mark" in (one.get("class") or "")]
    assert sum(len(layer.findall(f"{SVG}line")) for layer in layers) == (low is not None)


def test_two_runs_draw_the_same() -> None:
    rows = [{"when": "01-05", "who": who, "value": 0.5} for who in ("a", "b")]
    colors = {"a": "#009e73", "b": "#cc79a7"}
    drawn = []
    for _ in range(2):
        vega_charts._drawn.cache_clear()
        drawn.append(
            vega_charts.lines(rows, "when", "value", "who", colors=colors, title="t", x_title="", y_title="y")
        )
    once, twice = drawn
    assert once == twice
    assert "#009e73" in once

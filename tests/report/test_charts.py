"""Charts: positions on the scale of 0 to 100."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from curate.report import charts


def numbers(svg: str, name: str, kind: str) -> list[str]:
    return re.findall(rf'<(?:rect|line) class="{kind}"[^>]*?\b{name}="([^"]+)"', svg)


@pytest.mark.parametrize(
    ("share", "width"), [(0.0, "0"), (0.25, "25"), (1.0, "100"), (1.7, "100"), (math.nan, "0")]
)
def test_bar(share: float, width: str) -> None:
    assert numbers(charts.bar(share), "width", "fill") == [width]


def test_interval_places_dot_and_range() -> None:
    svg = charts.interval(0.5, 0.25, 0.75)
    assert numbers(svg, "x1", "dot") == ["50"]
    assert (numbers(svg, "x1", "range"), numbers(svg, "x2", "range")) == (["25"], ["75"])


def test_an_undefined_figure_has_no_dot() -> None:
    assert not numbers(charts.interval(None, None, None), "x1", "dot")


def test_histogram_reaches_the_top_once() -> None:
    svg = charts.histogram([0, 5, 10])
    assert numbers(svg, "height", "fill") == ["20", "40"]


@pytest.mark.parametrize(
    "svg", [charts.histogram([]), charts.histogram([0, 0]), charts.bar(0.3, color="#e6194b")]
)
def test_charts_are_well_formed(svg: str) -> None:
    assert ElementTree.fromstring(svg).tag == "svg"  # noqa: S314 - our own


def test_a_color_is_nothing_but_a_color() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        charts.bar(0.5, color='#fff" onload="x')

"""The page's part on quality: figures with intervals and n, reasons where there is none."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from curate.params.quality import QualityParams
from curate.report import charts, page
from curate.stages import quality
from tests import builders
from tests.qa import answering
from tests.stages import test_quality as stage


class Section(HTMLParser):
    """The visible text of the section."""

    def __init__(self, html: str, wanted: str = "quality") -> None:
        super().__init__()
        self.text, self.inside, self.wanted = "", False, wanted
        self.feed(html)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self.inside = dict(attrs).get("id") == self.wanted

    def handle_data(self, data: str) -> None:
        self.text += f" {data} " if self.inside else ""


@pytest.fixture
def written(tmp_path: Path) -> str:
    """The page of a small project with what the stage quality wrote of another one."""
    builders.small_project(tmp_path)
    inputs, _ = stage.project(tmp_path / "other")
    report = quality.run(
        QualityParams(bootstrap=200),
        inputs=inputs,
        outputs=quality.Outputs(tmp_path / "data/quality", tmp_path / "plots"),
    )
    (tmp_path / "metrics/quality.json").write_text(json.dumps(dict(report.metrics)))
    return page.write(tmp_path, tmp_path / "index.html").read_text()


def test_the_section_tells_what_was_measured(written: str) -> None:
    text = Section(written).text
    assert re.search(r"Time saved 4\d % by suggestions, against images without \d+ % to \d+ %, n = 44", text)
    assert re.search(r"Caught 50 % .* 22 % to 78 %, n = 8", text)
    for person in answering.PEOPLE:
        assert person not in written, "addresses stay in data/"
    assert "labeler-2 gold: the whole interval of F1 is below 0.8" in Section(written, "people").text
    assert "2 answers were given under an older guideline or taxonomy" in text
    nothing = "undefined no gold image was answered in this arm"
    assert re.search(rf"F1 against known answers \d\.\d\d \d.* n = 12 {nothing}", text)
    assert written.count('class="run"') == 2
    assert not re.search(r"\bnan\b", text.lower())


def test_a_chart_goes_on_over_what_is_undefined() -> None:
    chart = str(charts.running([(None, None, None), (0.5, None, None), (1.0, 0.5, 1.0)], 0.8))
    assert 'points="50,20 100,0"' in chart
    assert 'class="band" points="100,0 100,20"' in chart
    assert str(charts.running([], 0.8)).count("<poly") == 0
    assert str(charts.running([], 0.8)).count("<line") == 1
    assert str(charts.running([], None)).count("<line") == 0


def test_answers_that_could_not_be_joined_are_told(tmp_path: Path) -> None:
    builders.small_project(tmp_path)
    metrics = {"not_joined": {"all": 7, "no record of what was shown": 7}}
    (tmp_path / "metrics/quality.json").write_text(json.dumps(metrics))
    text = Section(page.write(tmp_path, tmp_path / "index.html").read_text()).text
    assert "7 answers could not be joined to what was shown" in text

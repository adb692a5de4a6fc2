"""The page of a project that the stages really measured: figures, people, images, and what a reader needs."""

from __future__ import annotations

import csv
import itertools
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from curate.agreement.adjudication_candidates import WHY
from curate.agreement.disagreement_queue import FIRST
from curate.report import page, vega_charts, worst_images
from curate.report.inputs import Links
from tests import builders
from tests.report.measured_project import GOLD, IMAGES, NAMES, PEOPLE, measured_project

VOID = {"meta", "img", "input", "br", "wbr", "link", "rect", "path", "line", "circle"}


class Page(HTMLParser):
    """Tags with their attributes and visible text, by id of the enclosing section."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.cells: list[str] = []
        self.here, self.silent = "top", 0
        self.feed(html)
        self.text = {name: re.sub(r"\s+", " ", text) for name, text in self.text.items()}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, values))
        if not self.silent:
            self.text[self.here] = self.text.get(self.here, "") + " "
        if tag == "section":
            self.here = values.get("id") or "?"
        if tag in {"style", "script"}:
            self.silent += 1
        if tag == "td":
            self.cells.append("a bar, told beside it" if values.get("class") == "chart" else "")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in {"style", "script"}

    def handle_data(self, data: str) -> None:
        if self.silent:
            return
        self.text[self.here] = self.text.get(self.here, "") + data
        if self.cells:
            self.cells[-1] += data.strip()

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [values for name, values in self.tags if name == tag]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return measured_project(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="module")
def shown(project: Path) -> Page:
    tasks = {
        builders.image_id(name): f"http://127.0.0.1:8080/projects/1/data?task={at}"
        for at, name in enumerate(NAMES)
    }
    links = Links(tasks, "http://127.0.0.1:5151/datasets/curate-street-signs")
    return Page(page.write(project, project / "data/report/index.html", links=links).read_text())


def data(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project / "data/report/index.json").read_text())
    return found


def test_the_headline_has_intervals_and_gates(shown: Page, project: Path) -> None:
    text = shown.text["headline"]
    f1 = json.loads((project / "metrics/agreement.json").read_text())["f1"]
    assert f"the {IMAGES} images that several of them labelled" in text
    assert f"{f1['value']:.2f} {f1['low']:.2f} to {f1['high']:.2f}, n = {f1['n']}" in text
    assert re.search(r"people agree failed agreement\.f1\.lower >= 0\.95 0\.800 .* no more overlap", text)
    assert text.index("people agree") < text.index("licenses"), "what fails comes first"


def test_few_images_are_no_headline(project: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(project, tmp_path / "few")
    path = copied / "metrics/agreement.json"
    metrics = json.loads(path.read_text())
    metrics["counts"]["seen_by_several"] = 1
    path.write_text(json.dumps(metrics))
    text = Page(page.write(copied, copied / "index.html").read_text()).text["headline"]
    assert text.count("1 of at least 10 images were seen by several people: too few to say") == 4
    assert f"{metrics['f1']['value']:.2f}" not in text


def test_progress_pace_and_accuracy_over_time(shown: Page, project: Path) -> None:
    text = shown.text["progress"]
    assert "180 of 200 looks are done (90 %)" in text
    days = data(project)["periods"]
    assert [day["period"] for day in days] == [f"2026-01-{day:02d}" for day in range(5, 11)]
    assert sum(day["answers"] for day in days) == IMAGES * len(PEOPLE)
    assert sum(day["gold_answers"] for day in days) == len(GOLD) * len(PEOPLE)
    for day in days:
        assert f"{day['period']} {day['answers']} {day['objects']}" in text
    labels = [values.get("aria-label") or "" for values in shown.all("svg")]
    for chart in ("Answers so far", "Seconds an image", "F1 on gold"):
        assert any(label.startswith(chart) for label in labels)


def test_each_annotator_is_told_what_to_talk_about(shown: Page, project: Path) -> None:
    by_name = {one["name"]: one for one in data(project)["annotators"]}
    ann, bob, cem = (by_name[f"labeler-{number}"] for number in (1, 2, 3))
    assert ann["advice"] == [], "she is careful"
    assert len(bob["advice"]) == 1
    assert re.fullmatch(r"misses objects: draws \d\d % of those there, others 9\d %", bob["advice"][0])
    told = " | ".join(cem["advice"])
    assert re.search(r"names: calls \d+ of \d+ parking sign stop sign", told)
    assert re.search(r"edges lie 5\.\d % of a side off", told)
    assert re.search(r"pace: 1\d s an image, others take 3\d s", told)
    assert bob["advice"][0] in shown.text["people"]
    assert ann["consensus"]["value"] > cem["consensus"]["value"] > 0
    assert cem["seconds"] == pytest.approx(15, abs=1)
    with (project / "data/agreement/figures.csv").open(newline="") as file:
        figures = {(row["figure"], row["by"], row["name"]): row for row in csv.DictReader(file)}
    expected = float(figures["f1_to_others", "annotator", "labeler-3"]["value"])
    assert cem["consensus"]["value"] == pytest.approx(expected)


def test_nobody_is_named(shown: Page, project: Path) -> None:
    for text in (shown.html, json.dumps(data(project))):
        assert not re.search(r"[\w.]+@[\w.]+", text.replace("@media", "").replace("@page", ""))


def test_the_confusion_matrix_is_that_of_the_pairs(shown: Page, project: Path) -> None:
    found = data(project)["confusion"]
    assert found["names"] == ["stop_sign", "parking_sign", "missed"]
    counts = found["counts"]
    assert counts == [list(column) for column in zip(*counts, strict=True)], "symmetric"
    with (project / "plots/confusion.csv").open(newline="") as file:
        assert sum(int(row["count"]) for row in csv.DictReader(file)) == sum(map(sum, counts))
    assert counts[0][1] > 0
    assert counts[2][2] == 0, "what both missed nobody knows"
    assert f"stop sign {counts[0][0]} {counts[0][1]} {counts[0][2]}" in shown.text["agreement"]


def test_slices_that_the_stage_adds_are_shown_whatever_they_are(project: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(project, tmp_path / "more")
    with (copied / "data/agreement/figures.csv").open("a") as file:
        file.write("f1,attribute: weather,rain,0.5,0.4,0.6,33,\n")
        file.write("f1,attribute: weather,snow,undefined,undefined,undefined,0,nobody saw snow\n")
    text = Page(page.write(copied, copied / "index.html").read_text()).text["agreement"]
    assert "By attribute: weather" in text
    assert re.search(r"rain 0\.50 0\.40 to 0\.60 ?n = 33", text)
    assert re.search(r"snow undefined ?nobody saw snow", text)
    assert "By object size" in text


def test_the_worst_images_show_everybody_and_cover_nothing(shown: Page, project: Path) -> None:
    worst = data(project)["worst"]
    assert 0 < len(worst) <= worst_images.SHOWN == 30
    section = shown.html[
        shown.html.index('<section id="disagreements"') : shown.html.index('<section id="label-errors"')
    ]
    figures = section.split("<figure")[1:]
    assert len(figures) == len(worst)
    for figure, one in zip(figures, worst, strict=True):
        assert len(one["said"]) == len(PEOPLE)
        drawn = sum(int(number) for _, said in one["said"] for number in re.findall(r"\d+", said))
        assert figure.count('class="box"') == drawn == figure.count('class="mask"')
        assert "<text" not in figure
        assert f'href="{one["task"]}"' in figure
        assert 'href="http://127.0.0.1:5151/datasets/curate-street-signs"' in figure
        assert one["name"].rpartition("/")[2] in re.sub(r"<wbr>", "", figure)
    assert not re.search(r"low_f1|planted_error|label_error\b", section), "reasons in words"


def test_label_errors_are_listed_with_pictures(shown: Page, project: Path) -> None:
    kinds = {one["name"]: one for one in data(project)["error_kinds"]}
    assert list(kinds) == ["missed", "spurious", "category", "location"]
    metrics = json.loads((project / "metrics/agreement.json").read_text())["label_errors"]
    assert {name: one["found"] for name, one in kinds.items()} == {
        name: part["found"] for name, part in metrics.items()
    }
    assert "missed: the model finds an object where nothing is labelled" in shown.text["label-errors"]


def test_no_cell_is_empty_or_not_a_number(shown: Page) -> None:
    assert [cell for cell in shown.cells if not cell] == [], shown.cells
    assert not [cell for cell in shown.cells if re.search(r"\b(nan|None|inf)\b", cell)]


def test_what_a_screen_reader_needs(shown: Page) -> None:
    assert all(values.get("alt") is not None for values in shown.all("img"))
    for values in shown.all("svg"):
        assert values.get("aria-hidden") == "true" or (
            values.get("role") == "img" and values.get("aria-label")
        )
    ids = [values["id"] for _, values in shown.tags if values.get("id")]
    assert len(ids) == len(set(ids))
    for values in shown.all("section"):
        assert values.get("aria-labelledby") in ids
    assert all(values.get("scope") in {"col", "row"} for values in shown.all("th"))
    assert {tag for tag, _ in shown.tags} >= {"main", "nav", "header", "footer", "dialog"}
    levels = [int(tag[1]) for tag, _ in shown.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    first = next(values for tag, values in shown.tags if tag == "a")
    assert first["href"] == "#headline", "keyboards skip what is above"


def test_the_page_asks_for_nothing_and_stays_small(shown: Page) -> None:
    addresses = [values[name] or "" for _, values in shown.tags for name in ("src", "href") if name in values]
    here = ("#", "data:image/jpeg;base64,", "http://127.0.0.1:")
    assert all(address.startswith(here) for address in addresses)
    assert not [values for values in shown.all("script") if values.get("src")]
    assert len(shown.html.encode()) < 5_000_000


def test_two_runs_write_the_same_bytes(project: Path, tmp_path: Path) -> None:
    once, twice = (page.write(project, tmp_path / f"{name}.html") for name in ("a", "b"))
    assert once.read_text() == twice.read_text().replace("b.json", "a.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_without_the_extra_the_page_has_its_tables(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vega_charts, "available", lambda: False)
    bare = Page(page.write(project, tmp_path / "bare.html").read_text())
    assert "pip install 'curate-vision[report]'" in bare.text["contents"]
    assert "2026-01-05" in bare.text["progress"]
    assert not [values for values in bare.all("svg") if values.get("role") == "img"]


def test_images_of_very_many_objects_are_fewer(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: Page
) -> None:
    assert len(shown.all("button")) > 20
    monkeypatch.setattr(worst_images, "_SHAPE_BYTES", 4000)
    small = Page(page.write(project, tmp_path / "small.html").read_text())
    found = json.loads((tmp_path / "small.json").read_text())["worst"]
    assert 0 < len(found) < len(data(project)["worst"])
    assert f"the first {len(found)} are shown" in small.text["disagreements"]


def test_every_reason_of_the_queue_has_words() -> None:
    assert set(worst_images.REASONS) >= {*WHY, *FIRST}

"""The page: its sections, its safety, its size, and that it never changes by itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from curate.errors import TableError
from curate.report import page
from tests import builders

SECTIONS = (
    "headline", "progress", "people", "disagreements", "label-errors", "agreement", "contents", "quality",
    "funnel", "labelled", "model", "dropped", "duplicates", "splits",
)  # fmt: skip
BEFORE_PULL = {"headline", "progress", "people", "disagreements", "label-errors", "agreement", "contents"}
BEFORE_PULL |= {"quality", "labelled", "splits"}
SPACE = re.compile(r"\s+")


class Text(HTMLParser):
    """Visible text by id of the enclosing section, and the addresses that the page asks for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sections: dict[str, str] = {}
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.here = "top"
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.here = (values.get("id") or "?") if tag == "section" else self.here
        self.addresses += [values[name] or "" for name in ("src", "href") if name in values]

    def handle_data(self, data: str) -> None:
        self.sections[self.here] = SPACE.sub(" ", self.sections.get(self.here, "") + data)


def written(root: Path) -> str:
    return page.write(root, root / "data/report/index.html").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> builders.SmallProject:
    return builders.small_project(tmp_path)


def test_every_section_is_there_and_nothing_comes_from_elsewhere(project: builders.SmallProject) -> None:
    text = Text(written(project.root))
    assert tuple(name for name in text.sections if name != "top") == SECTIONS
    assert text.addresses, "pictures and anchors"
    assert all(address.startswith(("#", "data:image/jpeg;base64,")) for address in text.addresses)
    assert "link" not in text.tags


def test_the_funnel_counts_what_was_lost(project: builders.SmallProject) -> None:
    funnel = Text(written(project.root)).sections["funnel"]
    assert re.search(r"raw files\s*8", funnel)
    assert re.search(r"readable\s*7\s*−1 unreadable", funnel)
    assert re.search(r"kept\s*6\s*−1 near-duplicates", funnel)
    assert re.search(r"labelled\s*6", funnel)


def test_a_raw_file_that_was_removed_is_no_unreadable_one(tmp_path: Path) -> None:
    images = [builders.image("one"), builders.image("two")]
    gone = builders.image(
        "gone", path=None, sources=(), drop_reason="removed", drop_detail="no longer at u/gone"
    )
    bad = builders.image("bad", path=None, drop_reason="truncated")
    builders.write_images(tmp_path / "data/ingest/images.parquet", [*images, gone, bad])
    text = Text(written(tmp_path)).sections
    assert re.search(r"raw files\s*3", text["funnel"])
    assert re.search(r"distinct\s*3", text["funnel"])
    assert re.search(r"readable\s*2\s*−1 unreadable", text["funnel"])
    assert "its raw file is no longer there: nothing is wrong with it" in text["dropped"]


def test_figures_stand_with_interval_and_number(project: builders.SmallProject) -> None:
    headline = Text(written(project.root)).sections["headline"]
    assert "of at least 10 images were seen by several people: too few to say" in headline
    path = project.root / "metrics/agreement.json"
    metrics = json.loads(path.read_text())
    path.write_text(json.dumps(metrics | {"counts": {"seen_by_several": 12}}))
    headline = Text(written(project.root)).sections["headline"]
    assert re.search(r"F1\s*0\.67\s.*0\.40 to 0\.90, n = 5", headline)
    assert re.search(r"Mask IoU\s*undefined.*not measured", headline), "never a zero"


def test_figures_are_told_by_the_limits_of_the_run(project: builders.SmallProject) -> None:
    path = project.root / "metrics/agreement.json"
    metrics = json.loads(path.read_text()) | {"counts": {"seen_by_several": 12}}
    metrics["label_errors"] = {"missed": {"found": 0, "expected": 0}}
    (project.root / "params.yaml").write_text(
        "agreement: {iou_threshold: 0.9, label_error_probability: 0.8}\n"
    )
    path.write_text(json.dumps(metrics | {"limits": {"iou_threshold": 0.5, "label_error_probability": 0.3}}))
    text = Text(written(project.root)).sections
    assert "objects found by both, at IoU 0.5" in text["headline"]
    assert "images above 0.30 stand in the queue" in text["label-errors"]
    path.write_text(json.dumps(metrics))  # as an earlier version wrote it
    text = Text(written(project.root)).sections
    assert "objects found by both" in text["headline"]
    assert "at IoU" not in text["headline"]
    assert "stand in the queue" not in text["label-errors"]


def test_standard_errors_stand_in_words_and_in_a_column(project: builders.SmallProject) -> None:
    path = project.root / "metrics/agreement.json"
    f1 = {"value": 0.67, "low": 0.4, "high": 0.9, "n": 5, "se": 0.1234}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"counts": {"seen_by_several": 12}, "f1": f1}))
    lines = [
        "figure,by,name,value,low,high,se,n,reason",
        "kappa,all,,-0.25,-0.5,0.1,0.0567,40,",
        "percent_agreement,all,,0.75,0.5,0.9,0.0321,40,",
        "alpha,all,,undefined,undefined,undefined,undefined,0,no two people drew one object",
        "kappa,category,stop_sign,0.5,0.25,0.7,0.0789,40,",
        "f1,attribute,occluded=mostly,0.625,0.5,0.75,0.0654,16,",
    ]
    (project.root / "data/agreement/figures.csv").write_text("\n".join(lines) + "\n")
    text = Text(written(project.root)).sections
    assert "0.40 to 0.90, standard error 0.123, n = 5" in text["headline"]
    found = text["agreement"]
    assert "SE is the standard error" in found
    assert re.search(r"Agreement on namesmatched objects with one name0\.750\.50 to 0\.900\.03240", found)
    assert re.search(r"Kappa \(Cohen\).*-0\.25-0\.50 to 0\.100\.05740", found)
    assert re.search(r"By attribute.*AttributeF1 occluded=mostly0\.620\.50 to 0\.75n = 16SE 0\.065", found)
    assert re.search(r"Alpha \(Krippendorff\).*undefinedno two people drew one objectundefined0", found)
    assert re.search(r"0\.500\.25 to 0\.70n = 40SE 0\.079", found)


def test_counts_of_label_errors_that_nobody_knows_are_undefined(project: builders.SmallProject) -> None:
    path = project.root / "metrics/agreement.json"
    kinds = {"location": {"found": None, "expected": None, "reason": "fewer than 30 labels"}}
    kinds["missed"] = {"found": 0, "expected": 0}
    left_out = {"the detector was trained on them": 1234}
    told = {"label_errors": kinds, "label_errors_left_out": left_out}
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    found = Text(written(project.root)).sections["label-errors"]
    assert "Not compared: 1,234 images, the detector was trained on them." in found
    assert re.search(r"the boxes lie far apartundefinedundefinedfewer than 30 labels", found)
    assert re.search(r"where nothing is labelled00\.0", found)


def test_simulated_labelers_are_called_so(project: builders.SmallProject, tmp_path: Path) -> None:
    text = Text(written(project.root))
    assert "SIMULATED" in text.sections["top"]
    assert "SIMULATED" in text.sections["headline"]
    people = [
        replace(row, annotator_id=row.annotator_id.replace("@demo.invalid", "@example.org"))
        for row in project.annotations["pull"]
        if row.annotator_id
    ]
    builders.write_annotations(tmp_path / "data/pull/annotations.parquet", people)
    assert "SIMULATED" not in written(project.root)


def test_disagreements_show_both_people_and_the_reason(project: builders.SmallProject) -> None:
    section = Text(written(project.root)).sections["disagreements"]
    assert "2 images deserve another look" in section
    assert "labeler-1" in section
    assert "labeler-2" in section
    page = written(project.root)
    assert not any(person in page for person in builders.ANNOTATORS), "addresses stay in data/"
    assert "two names for one object · F1 0.00" in section


def test_duplicates_show_keeper_and_distance(project: builders.SmallProject) -> None:
    section = Text(written(project.root)).sections["duplicates"]
    assert re.search(r"kept\s*one\.jpg · 160×120", section)
    assert re.search(r"same, 0\.97, 2 bits\s*copy\.jpg · 160×120\s*keeper has more bytes", section)


def test_names_are_escaped(tmp_path: Path) -> None:
    builders.small_project(tmp_path)
    evil = "<script>alert('x')</script>\".jpg"
    images = [
        builders.image("one", sources=(evil,)),
        builders.image(
            "broken", path=None, drop_reason="<b>bad</b>", drop_detail="<img src=x>", sources=(evil,)
        ),
    ]
    builders.write_images(tmp_path / "data/dedupe/images.parquet", images)
    (tmp_path / "metrics/demo.json").write_text(json.dumps({"<i>group</i>": {"<u>key</u>": "<s>value</s>"}}))
    html = written(tmp_path)
    assert html.count("<script") == 1
    assert not re.search(r"<(b>bad|img src=x|i>group|u>key|s>value)", html)
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("stage", "empty"),
    [
        ("ingest", {*BEFORE_PULL, "model", "duplicates"}),
        ("dedupe", {*BEFORE_PULL, "model"}),
        ("autolabel", BEFORE_PULL),
        ("agreement", {"headline", "progress", "label-errors", "quality", "splits"}),
    ],
)
def test_a_section_of_a_stage_to_come_says_what_to_run(tmp_path: Path, stage: str, empty: set[str]) -> None:
    builders.small_project(tmp_path, stage=stage)
    sections = Text(written(tmp_path)).sections
    assert {name for name, text in sections.items() if "Nothing here yet: run dvc repro" in text} == empty


def test_nothing_at_all_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="run the stage ingest"):
        page.write(tmp_path, tmp_path / "out.html")


def test_damaged_metrics_are_one_line(project: builders.SmallProject) -> None:
    (project.root / "metrics/agreement.json").write_text("{")
    with pytest.raises(TableError, match=r"agreement\.json is damaged .* dvc repro --force agreement"):
        written(project.root)


def test_a_vanished_picture_leaves_the_rest(project: builders.SmallProject) -> None:
    with_all = Text(written(project.root))
    (project.root / str(project.images[0].path or project.images[1].path)).unlink()
    without = Text(written(project.root))
    assert tuple(without.sections) == tuple(with_all.sections)
    assert len(without.addresses) < len(with_all.addresses)


def test_two_runs_write_the_same_bytes(project: builders.SmallProject) -> None:
    assert written(project.root) == written(project.root)


def test_figures_of_unknown_names_become_tables(project: builders.SmallProject) -> None:
    demo = {
        "model": {"f1": 0.5, "by_category": {"stop_sign": {"f1": 0.25}, "parking_sign": {"f1": 0.75}}},
        "seed": 7,
    }
    (project.root / "metrics/demo.json").write_text(json.dumps(demo))
    section = Text(written(project.root)).sections["truth"]
    assert re.search(r"seed\s*7 .*stop sign\s*0\.250 parking sign\s*0\.750 all\s*0\.500", section)


def test_the_page_stays_small_however_noisy_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (640, 480)
    images, objects = [], []
    for index in range(60):  # in pairs of duplicates
        keeper = builders.image_id(str(index - index % 2))
        change = {"duplicate_of": keeper, "drop_reason": "near_duplicate"} if index % 2 else {}
        images.append(builders.image(str(index), width=size[0], height=size[1], dup_group=keeper, **change))
        # Noise is what JPEG compresses worst.
        noise = np.random.default_rng(index).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        builders.write_jpeg(tmp_path / str(images[-1].path), noise)
        box = (10.0, 10.0, 600.0, 400.0)
        objects.append(builders.annotation(str(index), "stop_sign", box, origin="consensus", size=size))
    builders.write_images(tmp_path / "data/ingest/images.parquet", images)
    builders.write_annotations(tmp_path / "data/agreement/consensus.parquet", objects)
    whole = len(written(tmp_path))
    assert 900_000 < whole < 5_000_000
    monkeypatch.setattr(page, "_PICTURE_BYTES", 400_000)
    pictures = [address for address in Text(written(tmp_path)).addresses if address.startswith("data:")]
    assert 300_000 < sum(map(len, pictures)) <= 400_000

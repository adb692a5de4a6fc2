"""The duplicates pages: all groups in two orders, of bounded size, with lines that decisions.csv takes."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate.cli import app
from curate.dedupe import decisions
from curate.errors import TableError
from curate.params import DedupeParams
from curate.records import ImageRecord
from curate.report import duplicates, page
from tests import builders


def family(name: str, correlations: tuple[float | None, ...], relation: str = "cropped") -> list[ImageRecord]:
    """A keeper and a member for each correlation; pictures for the first ones only."""
    keeper = builders.image(f"{name} keeper")
    keeper = replace(keeper, dup_group=keeper.image_id)
    members = [
        replace(
            builders.image(f"{name} {index}"),
            dup_group=keeper.image_id,
            duplicate_of=keeper.image_id,
            dup_hamming=2 * index,
            dup_correlation=correlation,
            dup_relation=relation,
            drop_reason="near_duplicate",
            drop_detail=f"{relation}, {2 * index} bits from keeper; keeper is <sharper> than {index}",
        )
        for index, correlation in enumerate(correlations)
    ]
    return [keeper, *members]


def project(root: Path, *families: list[ImageRecord]) -> Path:
    records = [record for one in families for record in one] + [builders.image("alone")]
    builders.write_images(root / "data/dedupe/images.parquet", records)
    return root


def headings(path: Path) -> list[tuple[int, str]]:
    """Number of images and first file of each group, in the order of the page."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(
        r"<h2>\d+<span>(\d+) images.*?class=\"place\" title=\"([^\"]+)\"", text, flags=re.DOTALL
    )
    return [(int(size), html.unescape(place)) for size, place in found]


def place(name: str) -> str:
    return builders.image(name).sources[0]


def test_groups_stand_biggest_first_and_most_doubtful_first(tmp_path: Path) -> None:
    root = project(tmp_path, family("a", (0.99,)), family("b", (0.95, 0.97, 0.98)), family("c", (0.81,)))
    first = duplicates.write(root, root / "out/groups.html")
    assert first == root / "out/groups.html"
    assert headings(first) == [(4, place("b keeper")), (2, place("c keeper")), (2, place("a keeper"))]
    doubtful = headings(root / "out/groups/doubtful-001.html")
    assert doubtful == [(2, place("c keeper")), (4, place("b keeper")), (2, place("a keeper"))]
    assert 'href="groups/doubtful-001.html"' in first.read_text()
    assert 'href="../groups.html"' in (root / "out/groups/doubtful-001.html").read_text()
    assert "3 groups, 5 images dropped" in first.read_text()


def test_the_keeper_comes_first_then_the_most_doubtful_with_its_reasons(tmp_path: Path) -> None:
    low = DedupeParams().min_correlation
    root = project(tmp_path, family("a", (low + 0.5 * (1 - low), low + 0.25 * (1 - low), None)))
    limits = {"min_correlation": low, "min_cosine": 0.95}
    (root / "metrics").mkdir()
    (root / "metrics/dedupe.json").write_text(json.dumps({"limits": limits}))
    (root / "params.yaml").write_text("dedupe: {min_correlation: 0.99}\n")  # since
    text = duplicates.write(root, root / "groups.html").read_text()
    places = re.findall(r'class="place" title="([^"]+)"', text)
    assert places == [place("a keeper"), place("a 1"), place("a 0"), place("a 2")]
    assert "keeper is &lt;sharper&gt; than 1" in text
    assert re.search(r"cropped</span><span>0\.\d\d</span>.*?width:25%.*?2 bits", text, flags=re.DOTALL)
    (root / "metrics/dedupe.json").unlink()
    assert 'class="meter"' not in duplicates.write(root, root / "groups.html").read_text(), "not known"
    (root / "metrics/dedupe.json").write_text("{")
    with pytest.raises(TableError, match=r"dedupe\.json is damaged .*: run dvc repro --force dedupe"):
        duplicates.write(root, root / "groups.html")


def test_the_lines_are_decisions_that_are_understood(tmp_path: Path) -> None:
    root = project(tmp_path, family("a", (0.95, 0.85)))
    text = duplicates.write(root, root / "groups.html").read_text()
    (block,) = re.findall(r"<pre>(.*?)</pre>", text, flags=re.DOTALL)
    path = tmp_path / "decisions.csv"
    path.write_text("image,decision,other,by,note\n" + html.unescape(block))
    keeper = builders.image_id("a keeper")
    assert {(one.image, one.decision, one.other) for one in decisions.load(path)} == {
        (builders.image_id(f"a {index}"), decision, other)
        for index in (0, 1)
        for decision, other in (("different", keeper), ("keep", ""))
    }
    assert set(re.findall(r'data-line="([^"]+)"', text)) == set(html.unescape(block).split())


def test_pages_are_bounded_and_those_of_yesterday_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "PER_PAGE", 2)
    many = [family(f"{index}", (0.9,)) for index in range(5)]
    root = project(tmp_path, *many, family("huge", (0.9,) * 300))
    first = duplicates.write(root, root / "groups.html", max_groups=5)
    pages = sorted(path.name for path in (root / "groups").iterdir())
    assert pages == [
        "biggest-002.html", "biggest-003.html", "doubtful-001.html", "doubtful-002.html", "doubtful-003.html",
    ]  # fmt: skip
    assert headings(first)[0] == (301, place("huge keeper"))
    text = first.read_text()
    assert len(re.findall("<figure", text)) == duplicates.SHOWN + 2
    assert f"and {301 - duplicates.SHOWN} more" in text
    assert "the first 5 groups" in text
    shown = [
        headings(root / name)
        for name in ("groups.html", "groups/biggest-002.html", "groups/biggest-003.html")
    ]
    assert [len(groups) for groups in shown] == [2, 2, 1]
    duplicates.write(root, root / "groups.html", max_groups=2)
    assert [path.name for path in (root / "groups").iterdir()] == ["doubtful-001.html"]


def test_pictures_are_embedded_until_the_page_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builders.small_project(tmp_path, stage="dedupe")
    text = duplicates.write(tmp_path, tmp_path / duplicates.DUPLICATES).read_text()
    assert len(re.findall(r'<img src="data:image/jpeg;base64,', text)) == 2
    assert not re.findall(r'(?:src|href)="(?!data:|duplicates/)', text)
    monkeypatch.setattr(duplicates, "_PAGE_BYTES", 10)
    assert "<img" not in duplicates.write(tmp_path, tmp_path / duplicates.DUPLICATES).read_text()


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    root = project(tmp_path, family("a", (0.95, 0.85)), family("b", (0.9,)))
    first = duplicates.write(root, root / "groups.html").read_bytes()
    assert duplicates.write(root, root / "groups.html").read_bytes() == first


def test_the_report_leads_to_it(tmp_path: Path) -> None:
    builders.small_project(tmp_path, stage="dedupe")
    report = tmp_path / "data/report/index.html"
    assert "curate dedupe page" in page.write(tmp_path, report).read_text()
    done = CliRunner().invoke(app, ["dedupe", "page", "--root", str(tmp_path)])
    assert done.exit_code == 0
    assert done.stdout == f"duplicates: {tmp_path / duplicates.DUPLICATES}\n"
    assert 'href="../dedupe/duplicates.html"' in page.write(tmp_path, report).read_text()


def test_no_groups_and_no_table(tmp_path: Path) -> None:
    root = project(tmp_path)
    assert "No two images are alike." in duplicates.write(root, root / "groups.html").read_text()
    with pytest.raises(TableError, match="does not exist: run the stage"):
        duplicates.write(tmp_path / "none", root / "groups.html")

"""Versions and the changelog over several releases, published in between."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curate.cli import app
from curate.errors import ReleaseError
from curate.records import StageReport
from curate.release import diff_columns
from curate.stages import release
from tests import builders
from tests.builders import annotation, image_id
from tests.stages.test_release import FOLDER, INPUTS, OUTPUTS, PORTS

LAST = Path("data/publish/last")
BOX = (20.0, 20.0, 80.0, 80.0)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builders.SmallProject:
    monkeypatch.chdir(tmp_path)
    return builders.small_project(tmp_path)


def run(**params: Any) -> StageReport:
    return release.run(
        release.ReleaseParams(name="unit-signs", **params),
        gates=release.GatesParams(),
        inputs=replace(INPUTS, published=LAST),
        outputs=OUTPUTS,
        ports=PORTS,
        labelers="simulated",
    )


def publish() -> None:
    """What the stage publish keeps."""
    LAST.mkdir(parents=True, exist_ok=True)
    diff_columns.keep(FOLDER, LAST)


def version(**params: Any) -> str:
    return str(run(**params).metrics["version"])


def relabel(project: builders.SmallProject) -> None:
    """The stop sign of "one" was a parking sign."""
    rows = [row for row in project.annotations["consensus"] if row.image_id != image_id("one")]
    other = annotation("one", "parking_sign", BOX, origin="consensus", score=1.0)
    builders.write_annotations(INPUTS.consensus, [*rows, other])


def test_versions_follow_what_changed_since_the_last_one_published(project: builders.SmallProject) -> None:
    assert [version(), version()] == ["0.1.0"] * 2
    publish()
    first = {path: path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()}
    assert version() == "0.1.0"
    assert {path: path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()} == first
    Path("description.md").write_text("Other words.")
    assert version(description=Path("description.md")) == "0.1.1"
    relabel(project)
    assert [version(), version()] == ["0.2.0"] * 2
    publish()
    text = (FOLDER / "CHANGELOG.md").read_text()
    assert text == (
        "# Changelog\n\n## 0.2.0\n\n- 1 object given another category, on images of both versions.\n\n"
        "## 0.1.0\n\n- First release: 6 images with 6 objects.\n"
    )
    taxonomy = Path("taxonomy.yaml")
    taxonomy.write_text(
        taxonomy.read_text() + '  - {id: 2, name: tram, prompts: [tram], threshold: 0.4, color: "#00ff00"}\n'
    )
    assert version() == "1.0.0"


def test_a_set_version_never_goes_backwards_nor_means_two_things(project: builders.SmallProject) -> None:
    assert version(version="0.5.0") == "0.5.0"
    publish()
    before = (FOLDER / "release.json").read_bytes()
    with pytest.raises(ReleaseError, match=r"release\.version 0\.4\.9 goes backwards: 0\.5\.0 was published"):
        run(version="0.4.9")
    Path("description.md").write_text("Other words.")
    with pytest.raises(ReleaseError, match=r"0\.5\.0 was published with another README\.md"):
        run(version="0.5.0", description=Path("description.md"))
    relabel(project)
    with pytest.raises(ReleaseError, match=r"0\.5\.0 was published with another content: .*asks for 0\.6\.0"):
        run(version="0.5.0")
    assert (FOLDER / "release.json").read_bytes() == before
    assert version(version="0.5.1") == "0.5.1"


def test_what_was_published_of_another_data_set_is_refused() -> None:
    run()
    publish()
    with pytest.raises(ReleaseError, match="is about 'unit-signs', this release is 'other'"):
        release.run(
            release.ReleaseParams(name="other"), inputs=replace(INPUTS, published=LAST), outputs=OUTPUTS,
            ports=PORTS, labelers="simulated", gates=release.GatesParams(),
        )  # fmt: skip


def test_the_command_tells_planted_changes_in_every_form(project: builders.SmallProject) -> None:
    run()
    FOLDER.rename("old")
    relabel(project)
    run()
    command = ["diff", "old", str(FOLDER), "--parquet", "changes", "--html", "page.html"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "- 1 object given another category, on images of both versions." in done.stdout
    assert "The change is minor: 0.2.0 follows." in done.stdout
    document = json.loads(CliRunner().invoke(app, ["diff", "old", str(FOLDER), "--json"]).stdout)
    assert document["objects"]["relabelled"] == 1
    assert document["next_version"] == "0.2.0"
    import pyarrow.parquet as pq

    (row,) = pq.read_table("changes/objects.parquet").to_pylist()
    assert (row["image_id"], row["category_before"], row["category_after"]) == (
        image_id("one"), "stop_sign", "parking_sign",
    )  # fmt: skip
    page = Path("page.html").read_text()
    assert "stop_sign to parking_sign" in page
    assert page.count("data:image/jpeg;base64,") == 2
    assert "http" not in page.replace("http-equiv", "")


def answered(project: builders.SmallProject, light: str, sure: float, **of_objects: str) -> None:
    """What people say of every image, and of every object."""
    said = {"answers": [("light", [light])], "answers_confidence": [("light", sure)]}
    builders.write_support(Path(), project.annotations["consensus"], **said)
    rows = [
        replace(row, attributes=tuple((name, (value,)) for name, value in of_objects.items()))
        if row.outcome == "object" else row
        for row in project.annotations["consensus"]
    ]  # fmt: skip
    builders.write_annotations(INPUTS.consensus, rows)


def test_another_answer_is_another_version_and_how_sure_it_is_is_none(project: builders.SmallProject) -> None:
    answered(project, "day", 0.75, worn="no")
    assert version() == "0.1.0"
    publish()
    answered(project, "day", 0.5, worn="no")
    assert (version(), "No data changed" in (FOLDER / "CHANGELOG.md").read_text()) == ("0.1.1", True)
    answered(project, "night", 0.75, worn="no")
    assert version() == "0.2.0"
    assert "- 6 images described differently (license" in (FOLDER / "CHANGELOG.md").read_text()
    answered(project, "day", 0.75, worn="yes")
    assert version() == "0.2.0"
    assert "- 6 objects described differently, on images of both" in (FOLDER / "CHANGELOG.md").read_text()


@pytest.mark.usefixtures("project")
def test_another_column_is_a_major_version_though_the_digest_is_the_same() -> None:
    digest = run().metrics["digest"]
    publish()
    report = run(captured_at=True)
    assert (report.metrics["digest"], report.metrics["version"]) == (digest, "1.0.0")

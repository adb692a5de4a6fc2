from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from curate.engines.local import LocalEngine
from curate.errors import InputError, ReleaseError, StorageError
from curate.params import DedupeParams, GatesParams, ReleaseParams
from curate.records import StageReport
from curate.release import manifest
from curate.stages import release
from curate.stages.split_leaks import Search
from tests import builders
from tests.builders import annotation, image_id

INPUTS = release.Inputs(
    images=Path("data/dedupe/images.parquet"),
    consensus=Path("data/agreement/consensus.parquet"),
    consensus_objects=Path("data/agreement/objects.parquet"),
    consensus_images=Path("data/agreement/images.parquet"),
    figures=Path("data/agreement/figures.csv"),
    taxonomy=Path("taxonomy.yaml"),
    agreement_metrics=Path("metrics/agreement.json"),
    annotations=Path("data/autolabel/annotations.parquet"),
)
FOLDER = Path("data/release")
SECRET = Path("data/release_secret")
OUTPUTS = release.Outputs(
    folder=FOLDER, record=Path("data/splits.parquet"), gates=Path("metrics/gates.json"), secret=SECRET
)
PORTS = release.Ports(
    leaks=Search(DedupeParams(), Path("data/dedupe/index"), LocalEngine(1, in_process=True))
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builders.SmallProject:
    monkeypatch.chdir(tmp_path)
    return builders.small_project(tmp_path)


def run(*, gates: GatesParams | None = None, **params: Any) -> StageReport:
    return release.run(
        ReleaseParams(name="unit-signs", **params),
        gates=GatesParams() if gates is None else gates,
        inputs=INPUTS,
        outputs=OUTPUTS,
        ports=PORTS,
        labelers="simulated",
    )


@pytest.mark.usefixtures("project")
def test_the_folder_is_complete() -> None:
    report = run()
    digest = report.metrics["digest"][:12]
    assert sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()) == [
        ".gitattributes", "CHANGELOG.md", "README.md",
        "card/categories.png", "card/examples.jpg", "card/sizes.png", "card/splits.png", "croissant.json",
        f"data/test-{digest}-00000-of-00001.parquet",
        f"data/train-{digest}-00000-of-00001.parquet",
        f"data/validation-{digest}-00000-of-00001.parquet",
        "release.json",
    ]  # fmt: skip
    assert report.metrics["images"] == {"train": 4, "validation": 1, "test": 1}
    objects = report.metrics["objects"]
    assert {name: sum(by_split.values()) for name, by_split in objects.items()} == {
        "stop_sign": 3,
        "parking_sign": 3,
    }
    written = manifest.trusted(FOLDER)
    assert (written.digest, written.version) == (report.metrics["digest"], "0.1.0")
    assert written.images == report.metrics["images"]
    card = (FOLDER / "README.md").read_text()
    assert "SIMULATED" in card
    assert "`unit-1`" in card
    assert report.metrics["digest"] in card
    assert not list(FOLDER.parent.glob(".release*"))


@pytest.mark.usefixtures("project")
def test_every_released_image_is_in_exactly_one_split() -> None:
    run()
    ids = [
        row
        for path in FOLDER.glob("data/*.parquet")
        for row in pq.read_table(path).column("image_id").to_pylist()
    ]
    assert sorted(ids) == sorted(image_id(name) for name in ("one", "two", "three", "four", "five", "six"))


@pytest.mark.usefixtures("project")
def test_two_runs_give_the_same_bytes() -> None:
    first = run()
    before = {path: path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()}
    assert run().metrics == first.metrics
    assert {path: path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("project")
def test_the_digest_does_not_know_the_form_of_the_files() -> None:
    first = run().metrics["digest"]
    assert run(row_group_size=2, version="0.2.0").metrics["digest"] == first
    assert run(license="cc0-1.0").metrics["digest"] != first
    assert run(seed=3, validation_share=0.3, keep_splits=False).metrics["digest"] != first


@pytest.mark.usefixtures("project")
def test_shares_of_zero_leave_one_split() -> None:
    report = run(validation_share=0.0, test_share=0.0)
    assert report.metrics["images"] == {"train": 6, "validation": 0, "test": 0}
    assert [path.name for path in FOLDER.glob("data/*")] == [
        f"train-{report.metrics['digest'][:12]}-00000-of-00001.parquet"
    ]
    assert "validation" not in (FOLDER / "README.md").read_text().split("---")[1]


def test_two_kept_images_of_one_group_stay_together(project: builders.SmallProject) -> None:
    for seed in range(12):
        together = {image_id("one"), image_id("two"), image_id("three")}
        images = [
            replace(record, dup_group=image_id("one")) if record.image_id in together else record
            for record in project.images
        ]
        builders.write_images(INPUTS.images, images)
        run(seed=seed, validation_share=0.3, test_share=0.3, keep_splits=False)
        home = {
            key: path.name
            for path in FOLDER.glob("data/*.parquet")
            for key in pq.read_table(path).column("image_id").to_pylist()
        }
        assert len({home[key] for key in together}) == 1


def test_nothing_to_release_is_one_line(project: builders.SmallProject) -> None:
    builders.write_annotations(INPUTS.consensus, [])
    with pytest.raises(ReleaseError, match="nothing to release"):
        run()
    assert not FOLDER.exists()
    builders.write_annotations(INPUTS.consensus, project.annotations["consensus"])
    run()
    assert FOLDER.exists()


@pytest.mark.usefixtures("project")
def test_an_unknown_category_is_refused() -> None:
    builders.write_annotations(
        INPUTS.consensus, [annotation("one", "tram", (1.0, 1.0, 9.0, 9.0), origin="consensus")]
    )
    with pytest.raises(ReleaseError, match="'tram'"):
        run()


def test_a_vanished_image_leaves_the_old_release(project: builders.SmallProject) -> None:
    run()
    before = (FOLDER / "release.json").read_bytes()
    path = Path(next(r.path for r in project.images if r.image_id == image_id("two")) or "")
    path.unlink()
    with pytest.raises(InputError, match=f"{path} .* has disappeared"):
        run(version="0.2.0")
    assert (FOLDER / "release.json").read_bytes() == before
    assert not list(FOLDER.parent.glob(".release*"))


@pytest.mark.usefixtures("project")
def test_a_full_disk_is_one_line_and_the_next_run_works(monkeypatch: pytest.MonkeyPatch) -> None:
    write_table = pq.ParquetWriter.write_table

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(StorageError, match="no space left while writing data/release: free some disk"):
        run()
    assert not FOLDER.exists()
    monkeypatch.setattr(pq.ParquetWriter, "write_table", write_table)
    run()
    assert FOLDER.exists()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("text", [None, "", "[]"])
def test_damaged_metrics_are_one_line(text: str | None) -> None:
    if text is None:
        INPUTS.agreement_metrics.unlink()
    else:
        INPUTS.agreement_metrics.write_text(text)
    with pytest.raises(ReleaseError, match=r"metrics/agreement\.json .*run dvc repro --force agreement"):
        run()


@pytest.mark.usefixtures("project")
def test_the_description_opens_the_card_or_is_missed_by_name() -> None:
    Path("description.md").write_text("Signs of a unit test.")
    run(description=Path("description.md"))
    assert "# unit-signs\n\nSigns of a unit test.\n" in (FOLDER / "README.md").read_text()
    with pytest.raises(ReleaseError, match=r"release\.description = nowhere\.md cannot be read"):
        run(description=Path("nowhere.md"))


@pytest.mark.usefixtures("project")
def test_figures_of_agreement_reach_the_card() -> None:
    metrics = json.loads(INPUTS.agreement_metrics.read_text())
    INPUTS.agreement_metrics.write_text(json.dumps({**metrics, "counts": {"seen_by_several": 5}}))
    run()
    assert (
        "| Detection F1 between two labelers | 0.670 | 0.400 to 0.900 | 5 objects |"
        in (FOLDER / "README.md").read_text()
    )


@pytest.mark.usefixtures("project")
def test_figures_of_quality_reach_the_card_and_nothing_is_claimed_without_them() -> None:
    run()
    assert "Time saved" not in (FOLDER / "README.md").read_text()
    saved = {"value": 0.25, "low": 0.125, "high": 0.375, "n": 40}
    Path("metrics/quality.json").write_text(json.dumps({"time": {"saved": saved}}))
    release.run(
        ReleaseParams(name="unit-signs"),
        gates=GatesParams(),
        inputs=replace(INPUTS, quality_metrics=Path("metrics/quality.json")),
        outputs=OUTPUTS,
        ports=PORTS,
        labelers="people",
    )
    card = (FOLDER / "README.md").read_text()
    assert "Time saved by the proposals: 25% (95% interval 12% to 38%), from 40 images" in card


def test_images_that_no_human_saw_are_counted_in_the_line_and_the_card(
    project: builders.SmallProject,
) -> None:
    seen = image_id("one")
    rows = [
        replace(row, model_version=None if row.image_id == seen or row.outcome == "empty" else "unit-1")
        for row in project.annotations["consensus"]
    ]
    builders.write_annotations(INPUTS.consensus, rows)
    before = run().metrics["digest"]
    assert dict(run().counts)["accepted without a human"] == 4
    assert (
        "**4 of the 6 released images were accepted without a human.**" in (FOLDER / "README.md").read_text()
    )
    builders.write_annotations(INPUTS.consensus, project.annotations["consensus"])
    report = run()
    assert "accepted without a human" not in dict(report.counts)
    assert report.metrics["digest"] == before  # the content is the same, whoever agreed on it


def test_a_disputed_object_is_an_area_to_ignore_and_no_object(project: builders.SmallProject) -> None:
    rows = list(project.annotations["consensus"])
    at = next(index for index, row in enumerate(rows) if row.image_id == image_id("one"))
    rows[at] = replace(rows[at], outcome="disputed", reject_reason="presence")
    builders.write_annotations(INPUTS.consensus, rows)
    report = run()
    assert dict(report.counts)["disputed, to ignore"] == 1
    objects = report.metrics["objects"]
    assert sum(sum(by_split.values()) for by_split in objects.values()) == dict(report.counts)["objects"] == 5
    marks = [
        (row["image_id"], row["objects"]["iscrowd"])
        for path in FOLDER.rglob("*.parquet")
        for row in pq.read_table(path).to_pylist()
    ]
    assert [mark for key, mark in marks if key == image_id("one")] == [[1]]
    assert sum(sum(mark) for _, mark in marks) == 1
    assert "On 1 object people do not agree" in (FOLDER / "README.md").read_text()


def rows() -> list[dict[str, Any]]:
    return [row for path in sorted(FOLDER.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def known_as(key: str) -> str:
    """What a release calls an answer, by the definition of HMAC-SHA256 (RFC 2104)."""
    pad = bytes.fromhex(SECRET.read_text()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in pad) + key.encode()).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in pad) + inner).hexdigest()[:24]


def test_images_and_objects_carry_what_they_rest_on(project: builders.SmallProject) -> None:
    consensus = project.annotations["consensus"]
    said = {"answers": [("light", ["night"])], "answers_confidence": [("light", 0.75)]}
    builders.write_support(Path(), consensus, review="partly_skipped", **said)
    report = run()
    assert dict(report.counts)["marked to look at again"] == 6
    for row in rows():
        objects = row["objects"]
        assert objects["made_from"] == [[known_as(f"of {key}")] for key in objects["id"]]
        assert objects["confidence"] == [pytest.approx(0.9)] * len(objects["id"])
        assert (row["confidence"], row["review"]) == (pytest.approx(0.8), "partly_skipped")
        assert row["answers"] == [{"question": "light", "answers": ["night"], "confidence": 0.75}]
    card = (FOLDER / "README.md").read_text()
    assert "6 released images should be looked at again (6 `partly_skipped`)" in card
    assert "The mean confidence of 6 objects is 0.900" in card


@pytest.mark.usefixtures("project")
def test_what_is_not_known_is_null_and_the_digest_is_of_the_content() -> None:
    first = run().metrics["digest"]
    builders.write_support(Path(), [])
    assert run().metrics["digest"] == first
    for row in rows():
        assert (row["confidence"], row["review"], row["answers"]) == (None, None, [])
        assert set(row["objects"]["confidence"]) <= {None}
        assert not any(row["objects"]["made_from"])


@pytest.mark.usefixtures("project")
def test_the_card_shows_what_a_stranger_asks() -> None:
    Path("cite.txt").write_text("@misc{unit}")
    report = run(citation=Path("cite.txt"), contact="unit@example.org")
    card = (FOLDER / "README.md").read_text()
    assert "| `objects.segmentation` |" in card
    assert "| `objects.category` | `ClassLabel` |" in card
    assert '"category_name": [\n   "' in card
    assert 'revision="v0.1.0"' in card
    assert "Of 8 files of different content 6 are released." in card
    for name in ("examples.jpg", "categories.png", "sizes.png"):
        assert f"(card/{name})" in card
        with Image.open(FOLDER / "card" / name) as picture:
            assert min(picture.size) > 40
            assert dict(picture.getexif()) == {}
    data = yaml.safe_load(card.split("---\n")[1])
    rows = {part["name"]: part["num_examples"] for part in data["dataset_info"]["splits"]}
    assert rows == report.metrics["images"]
    files = sum(path.stat().st_size for path in FOLDER.glob("data/*.parquet"))
    assert data["dataset_info"]["download_size"] == files


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, which mlcroissant uses
@pytest.mark.usefixtures("project")
def test_mlcroissant_reads_the_description_and_the_rows() -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    run(license="cc-by-4.0")
    described = mlcroissant.Dataset(FOLDER / "croissant.json")
    assert described.metadata.issues.errors == set()
    assert described.metadata.license == ["https://creativecommons.org/licenses/by/4.0/"]
    assert "programs that simulate labelers" in described.metadata.data_annotation_protocol[0]
    known = json.loads((FOLDER / "croissant.json").read_text())["distribution"]
    assert {entry["sha256"] for entry in known if "sha256" in entry} == {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("data/*.parquet")
    }


@pytest.mark.usefixtures("project")
def test_the_example_row_of_the_card_has_the_columns_of_the_data() -> None:
    run()
    shown = json.loads((FOLDER / "README.md").read_text().partition("```json\n")[2].partition("\n```")[0])
    layout = pq.read_schema(next(FOLDER.rglob("*.parquet")))
    assert set(shown) == set(layout.names)
    assert set(shown["objects"]) == {field.name for field in layout.field("objects").type}

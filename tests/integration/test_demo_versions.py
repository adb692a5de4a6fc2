"""Two versions of the demo's data set on a Hub: images come, labels are fixed, and the changelog is true.

The demo's raw folder goes through the real stages ingest, dedupe, release and publish, by the real command.
Its truth takes the place of people's consensus, with planted errors in the first version.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from curate import schema, tables
from curate.records import Annotation, derived_id
from demo import raw_folder
from tests import builders
from tests.adapters.fake_hub import HubState, serving
from tests.integration.test_published_release import PROGRAM, program

pytest.importorskip("datasets")
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
CURATE = "import sys; from curate.cli import main; sys.argv[0] = 'curate'; main()"
Objects = dict[str, list[Annotation]]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubState]:
    """A project with the demo's settings, that publishes to a Hub on loopback."""
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path)  # metrics and figures of earlier stages; their tables are replaced
    for name in ("taxonomy.yaml", "decisions.csv", "demo/description.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["publish"] |= {"target": "hub", "repo": "owner/name"}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    Path("metrics/quality.json").write_text("{}")
    with serving() as state:
        yield state


def kept(hub: HubState) -> dict[str, dict[str, Any]]:
    """Images that the stages ingest and dedupe keep, by id."""
    for stage in ("ingest", "dedupe"):
        program(hub, CURATE, "run", stage)
    rows = tables.read(Path("data/dedupe/images.parquet"), schema.IMAGES).to_pylist()
    return {row["image_id"]: row for row in rows if row["drop_reason"] is None}


def consensus(images: dict[str, dict[str, Any]], truth: dict[str, Any]) -> Objects:
    """What people would agree on who make no mistake."""
    found: Objects = {}
    for image_id, row in images.items():
        known = next(truth[place] for place in row["sources"] if place in truth)
        found[image_id] = [
            Annotation(
                annotation_id=derived_id(image_id, index), image_id=image_id, origin="consensus",
                category=one["category"], bbox_xyxy=tuple(one["bbox_xyxy"]), rle=one["rle"],
            )
            for index, one in enumerate(known["objects"])
        ]  # fmt: skip
    return found


def released(hub: HubState, objects: Objects) -> str:
    """Release and publish; the version."""
    rows = [
        row
        for image_id, found in objects.items()
        for row in found or [builders.annotation("none", None, None, origin="consensus", image_id=image_id,
                                                 annotation_id=derived_id(image_id, "empty"))]
    ]  # fmt: skip
    builders.write_annotations(Path("data/agreement/consensus.parquet"), rows)
    builders.write_support(Path(), rows)
    program(hub, CURATE, "run", "release")
    program(hub, CURATE, "publish", "--yes")
    return str(json.loads(Path("data/release/release.json").read_text())["version"])


def with_errors(objects: Objects, images: list[str]) -> Objects:
    """Three wrong categories, an object that was missed, and a box that is too large, on six images."""
    wrong, missed, large = images[:3], images[3], images[4]
    categories = sorted({row.category for found in objects.values() for row in found if row.category})
    planted = {key: list(found) for key, found in objects.items()}
    for key in wrong:
        first = planted[key][0]
        other = next(name for name in categories if name != first.category)
        planted[key][0] = replace(first, category=other)
    del planted[missed][0]
    x1, y1, x2, y2 = planted[large][0].bbox_xyxy or (0, 0, 0, 0)
    planted[large][0] = replace(planted[large][0], bbox_xyxy=(max(0.0, x1 - 4), max(0.0, y1 - 4), x2, y2))
    return planted


def test_two_versions_of_the_demo(hub: HubState) -> None:
    raw, aside, truth_file = Path("data/raw"), Path("aside"), Path("truth.json")
    paths = ["--out", str(raw), "--meta", str(raw), "--truth", str(truth_file)]
    raw_folder.main([*paths, "--seed", "7", "--scenes", str(raw_folder.MIN_SCENES)])
    truth = json.loads(truth_file.read_text())["files"]
    copied = {one["of"] for one in truth.values()}
    later = sorted(name for name, one in truth.items() if one["kind"] == "clean" and name not in copied)[::4]
    attributes = (raw / "attributes.csv").read_text()
    for name in later:
        (aside / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).rename(aside / name)
    known = [line for line in attributes.splitlines(keepends=True) if line.partition(",")[0] not in later]
    (raw / "attributes.csv").write_text("".join(known))
    before = kept(hub)
    objects = consensus(before, truth)
    changed = [key for key in sorted(objects) if len(objects[key]) > 1][:5]
    versions = {released(hub, with_errors(objects, changed)): with_errors(objects, changed)}
    for name in later:
        (aside / name).rename(raw / name)
    (raw / "attributes.csv").write_text(attributes)
    after = kept(hub)
    assert set(before) < set(after)
    fixed = consensus(after, truth)
    versions[released(hub, fixed)] = fixed
    assert list(versions) == ["0.1.0", "0.2.0"]
    assert set(hub.tags) == {"v0.1.0", "v0.2.0"}

    splits = {}
    for version, expected in versions.items():
        for way in ("loaded", "streamed"):
            found = json.loads(program(hub, PROGRAM, f"v{version}", way))
            names = {key: sorted(str(row.category) for row in rows) for key, rows in expected.items()}
            assert {key: sorted(drawn) for key, drawn in found["names"].items()} == names
            assert splits.setdefault(version, found["splits"]) == found["splits"]
    assert {key: splits["0.2.0"][key] for key in splits["0.1.0"]} == splits["0.1.0"]

    new = set(after) - set(before)
    section = Path("data/release/CHANGELOG.md").read_text().split("## ")[1]
    assert section == (
        f"0.2.0\n\n- {len(new)} images added, with {sum(len(fixed[key]) for key in new)} objects.\n"
        "- 1 object added, on images of both versions.\n"
        "- 3 objects given another category, on images of both versions.\n"
        "- 1 object drawn differently, on images of both versions.\n\n"
    )
    document = json.loads(
        program(hub, CURATE, "diff", "hf://owner/name@v0.1.0", "hf://owner/name@v0.2.0", "--json")
    )
    assert document["images"] == {"added": len(new), "removed": 0, "moved": 0, "described": 0}
    assert document["next_version"] == "0.2.0"
    assert {path.name.partition("-")[0] for path in Path("data/release/data").iterdir()} == {
        "train", "validation", "test",
    }  # fmt: skip
    total = sum(pq.read_metadata(path).num_rows for path in Path("data/release/data").iterdir())
    assert total == len(after)

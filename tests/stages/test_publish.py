from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curate.errors import HubError, ReleaseError
from curate.params import PublishParams
from curate.ports import PublishPlan, PublishReceipt
from curate.records import StageReport
from curate.release import manifest
from curate.stages import publish
from tests.adapters.releases import write_release


class FakeHub:
    """Remembers what it was given; refuses when told so."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.published: list[Path] = []
        self._refuse = refuse

    def plan(self, folder: Path) -> PublishPlan:
        there = bool(self.published)
        adds = () if there else (("README.md", 1200), ("release.json", 800))
        return PublishPlan("folder", "somewhere", manifest.read(folder).version, there=there, adds=adds)

    def publish(self, folder: Path) -> PublishReceipt:
        if self._refuse:
            raise HubError("the hub refuses")
        unchanged = bool(self.published)
        self.published.append(folder)
        return PublishReceipt("folder", "somewhere", "rev", 4, unchanged)


def run(root: Path, hub: FakeHub, *, confirmed: bool = False, **params: Any) -> StageReport:
    return publish.run(
        PublishParams(**params),
        inputs=publish.Inputs(release=root / "release"),
        outputs=publish.Outputs(receipt=root / "publish" / "receipt.json", last=root / "publish" / "last"),
        ports=publish.Ports(hub=hub, say=SAID.append),
        confirmed=confirmed,
    )


SAID: list[str] = []


def test_version_and_digest_come_from_the_release(tmp_path: Path) -> None:
    write_release(tmp_path / "release", version="3.1.4")
    hub = FakeHub()
    report = run(tmp_path, hub)
    assert hub.published == [tmp_path / "release"]
    assert json.loads((tmp_path / "publish" / "receipt.json").read_text()) == {
        "target": "folder", "state": "published", "location": "somewhere", "revision": "rev", "files": 4,
        "name": "unit-signs", "version": "3.1.4", "digest": "a" * 64,
    }  # fmt: skip
    assert report.line() == "publish: 4 files, 0 already there"


def test_the_receipt_is_the_same_the_second_time_and_the_target_is_asked_again(tmp_path: Path) -> None:
    write_release(tmp_path / "release")
    hub = FakeHub()
    run(tmp_path, hub)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "publish").rglob("*")}
    assert run(tmp_path, hub).line() == "publish: 4 files, 4 already there"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "publish").rglob("*")} == written
    assert len(hub.published) == 2


def test_nothing_goes_out_before_a_person_says_so(tmp_path: Path) -> None:
    write_release(tmp_path / "release")
    hub = FakeHub()
    SAID.clear()
    report = run(tmp_path, hub, confirm=True)
    assert hub.published == []
    assert SAID == [
        "somewhere: version 1.0.0, 0.0 MB", "  add README.md (1,200 bytes)", "  add release.json (800 bytes)",
        "nothing is published before you say so: curate publish",
    ]  # fmt: skip
    assert dict(report.counts)["waiting for curate publish"] == 1
    receipt = json.loads((tmp_path / "publish" / "receipt.json").read_text())
    assert receipt["state"] == "waits for curate publish"
    assert (
        list((tmp_path / "publish" / "last").iterdir()) == []
    )  # DVC refuses a stage whose output is missing
    run(tmp_path, hub, confirm=True, confirmed=True)
    assert len(hub.published) == 1
    assert run(tmp_path, hub, confirm=True).line() == "publish: 4 files, 4 already there"


def test_the_word_is_asked_for_where_others_can_see_it() -> None:
    kinds = ("folder", "archive", "hub", "s3")
    waits = [PublishParams(target=kind, repo="a/b", url="s3://c").waits for kind in kinds]
    assert waits == [False, False, True, True]
    assert PublishParams(confirm=True).waits
    assert not PublishParams(target="hub", repo="a/b", confirm=False).waits


def test_what_was_published_is_kept_without_pictures_and_an_older_one_does_not_replace_it(
    tmp_path: Path,
) -> None:
    write_release(tmp_path / "release", version="1.1.0")
    run(tmp_path, FakeHub())
    last = tmp_path / "publish" / "last"
    assert manifest.read(last).version == "1.1.0"
    (path,) = (last / "data").iterdir()
    assert pq.read_schema(path).names == ["image_id"]
    shutil.rmtree(tmp_path / "release")
    write_release(tmp_path / "release", version="1.0.9")
    run(tmp_path, FakeHub())
    assert manifest.read(last).version == "1.1.0"


def test_a_refusal_writes_no_receipt(tmp_path: Path) -> None:
    write_release(tmp_path / "release")
    with pytest.raises(HubError, match="the hub refuses"):
        run(tmp_path, FakeHub(refuse=True))
    assert not (tmp_path / "publish").exists()


def test_no_release_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="run the stage release first"):
        run(tmp_path, FakeHub())

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate.errors import HubError, ReleaseError
from curate.params import PublishParams
from curate.ports import PublishReceipt
from curate.records import StageReport
from curate.stages import publish
from tests.adapters.releases import write_release


class FakeHub:
    """Remembers what it was given; refuses when told so."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.published: list[tuple[Path, str, str]] = []
        self._refuse = refuse

    def publish(self, folder: Path, *, digest: str, version: str) -> PublishReceipt:
        if self._refuse:
            raise HubError("the hub refuses")
        unchanged = bool(self.published)
        self.published.append((folder, digest, version))
        return PublishReceipt("folder", "somewhere", "rev", 4, unchanged)


def run(root: Path, hub: FakeHub) -> StageReport:
    return publish.run(
        PublishParams(),
        inputs=publish.Inputs(release=root / "release"),
        outputs=publish.Outputs(receipt=root / "publish" / "receipt.json"),
        ports=publish.Ports(hub=hub),
    )


def test_version_and_digest_come_from_the_release(tmp_path: Path) -> None:
    write_release(tmp_path / "release", version="3.1.4")
    hub = FakeHub()
    report = run(tmp_path, hub)
    assert hub.published == [(tmp_path / "release", "a" * 64, "3.1.4")]
    assert json.loads((tmp_path / "publish" / "receipt.json").read_text()) == {
        "target": "folder", "location": "somewhere", "revision": "rev", "files": 4,
        "name": "unit-signs", "version": "3.1.4", "digest": "a" * 64,
    }  # fmt: skip
    assert report.line() == "publish: 4 files, 0 already there"


def test_the_receipt_is_the_same_the_second_time(tmp_path: Path) -> None:
    write_release(tmp_path / "release")
    hub = FakeHub()
    run(tmp_path, hub)
    first = (tmp_path / "publish" / "receipt.json").read_bytes()
    assert run(tmp_path, hub).line() == "publish: 4 files, 4 already there"
    assert (tmp_path / "publish" / "receipt.json").read_bytes() == first


def test_a_refusal_writes_no_receipt(tmp_path: Path) -> None:
    write_release(tmp_path / "release")
    with pytest.raises(HubError, match="the hub refuses"):
        run(tmp_path, FakeHub(refuse=True))
    assert not (tmp_path / "publish").exists()


def test_no_release_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="run the stage release first"):
        run(tmp_path, FakeHub())

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from curate.adapters.archive_hub import ArchiveHub
from curate.adapters.folder_hub import FolderHub
from curate.errors import HubError, ReleaseError, StorageError
from curate.release.folder import files_in
from tests.adapters.releases import write_release

DIGEST = "a" * 64


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_release(tmp_path / "release")
    return tmp_path / "release"


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files_in(folder)}


def test_every_file_arrives(release: Path, tmp_path: Path) -> None:
    receipt = FolderHub(tmp_path / "hub").publish(release)
    target = tmp_path / "hub" / "unit-signs-v1.0.0"
    assert receipt.location == target.as_posix()
    assert (receipt.target, receipt.revision, receipt.unchanged) == ("folder", DIGEST, False)
    assert receipt.files == len(files_in(release)) == 4
    assert content(target) == content(release)
    assert json.loads((tmp_path / "hub" / "unit-signs-latest.json").read_text())["name"] == target.name


@pytest.mark.parametrize(("name", "there"), [("unit-signs-v0.9.0", False), ("others-v0.9.0", True)])
def test_the_marker_of_an_earlier_curate_goes_with_its_data_set(
    name: str, there: bool, release: Path, tmp_path: Path
) -> None:
    old = tmp_path / "hub" / "latest.json"
    old.parent.mkdir()
    old.write_text(json.dumps({"name": name, "version": "0.9.0"}))
    FolderHub(tmp_path / "hub").publish(release)
    assert old.exists() == there


@pytest.mark.parametrize("kind", [FolderHub, ArchiveHub])
def test_data_sets_whose_names_begin_alike_share_a_folder(
    kind: type[FolderHub] | type[ArchiveHub], tmp_path: Path
) -> None:
    hub = kind(tmp_path / "hub")
    for name, version in (("signs-views", "2.0.0"), ("signs-v3", "1.0.0"), ("signs", "0.1.0")):
        write_release(tmp_path / name, name=name, version=version)
        hub.publish(tmp_path / name)
    latest = json.loads((tmp_path / "hub" / "signs-latest.json").read_text())
    assert (latest["version"], len(list((tmp_path / "hub").glob("*-latest.json")))) == ("0.1.0", 3)
    write_release(tmp_path / "old", name="signs", version="0.0.9")
    with pytest.raises(HubError, match=r"holds v0\.1\.0 already, and v0\.0\.9 would go backwards"):
        hub.publish(tmp_path / "old")


def test_again_touches_no_file(release: Path, tmp_path: Path) -> None:
    hub = FolderHub(tmp_path / "hub")
    location = Path(hub.publish(release).location)
    before = {path: path.stat().st_mtime_ns for path in location.rglob("*")}
    assert hub.publish(release).unchanged
    assert {path: path.stat().st_mtime_ns for path in location.rglob("*")} == before


def test_a_damaged_copy_is_replaced(release: Path, tmp_path: Path) -> None:
    hub = FolderHub(tmp_path / "hub")
    target = Path(hub.publish(release).location)
    (target / "data" / "train-00000-of-00001.parquet").write_bytes(b"rotten")
    assert not hub.publish(release).unchanged
    assert content(target) == content(release)


def test_a_changed_release_is_refused(release: Path, tmp_path: Path) -> None:
    (release / "README.md").write_text("edited by hand")
    with pytest.raises(ReleaseError, match=r"README\.md is not what release\.json says"):
        FolderHub(tmp_path / "hub").publish(release)
    assert not (tmp_path / "hub").exists()


def test_a_copy_that_differs_is_refused_and_not_left(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copyfile = shutil.copyfile

    def rotten(source: str, target: str, **options: bool) -> object:
        copyfile(source, target, **options)
        if source.endswith(".parquet"):
            Path(target).write_bytes(b"rotten")
        return target

    monkeypatch.setattr(shutil, "copyfile", rotten)
    with pytest.raises(HubError, match=r"train-00000-of-00001\.parquet differs after the copy"):
        FolderHub(tmp_path / "hub").publish(release)
    assert files_in(tmp_path / "hub") == []


def test_a_target_that_cannot_be_written_is_one_line(release: Path, tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("a file, not a folder")
    with pytest.raises(StorageError, match="cannot write"):
        FolderHub(tmp_path / "hub").publish(release)


def test_a_release_cannot_name_a_folder_elsewhere(tmp_path: Path) -> None:
    write_release(tmp_path / "release")
    path = tmp_path / "release" / "release.json"
    path.write_text(path.read_text().replace("unit-signs", "../../x"))
    with pytest.raises(HubError, match=r"names the dataset '\.\./\.\./x', which is a path"):
        FolderHub(tmp_path / "published").publish(tmp_path / "release")
    assert not (tmp_path / "published").exists()

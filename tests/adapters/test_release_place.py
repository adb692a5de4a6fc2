"""A release is found by its place and version, wherever it was published, or as a tag of git has it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from curate.adapters import hub_release, release_place
from curate.adapters.archive_hub import ArchiveHub
from curate.adapters.bucket_hub import BucketHub
from curate.adapters.folder_hub import FolderHub
from curate.errors import InputError, ReleaseError
from curate.params import PublishParams
from curate.ports import DatasetHub
from curate.release import manifest
from tests.adapters.releases import write_release


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose release is 1.1.0, and an older one."""
    monkeypatch.chdir(tmp_path)
    write_release(tmp_path / "older", version="1.0.0")
    write_release(tmp_path / "data/release", version="1.1.0", digest="b" * 64)
    (tmp_path / "scratch").mkdir()
    return tmp_path


def version_at(place: str | Path, version: str | None, **settings: object) -> str:
    published = PublishParams(**settings)  # type: ignore[arg-type]
    found = release_place.find(place, version, published, Path("scratch"))
    return manifest.trusted(found.folder).version


@pytest.mark.usefixtures("releases")
def test_a_folder_is_taken_as_it_is_and_by_its_own_version() -> None:
    assert version_at("older", None) == "1.0.0"
    assert version_at("data/release", "v1.1.0") == "1.1.0"


@pytest.mark.parametrize("target", ["folder", "archive", "s3"])
def test_an_older_version_comes_from_where_it_was_published(releases: Path, target: str) -> None:
    url = f"memory://{releases.name}"  # fsspec knows it as it knows s3://
    hubs: dict[str, DatasetHub] = {
        "folder": FolderHub(Path("published")),
        "archive": ArchiveHub(Path("published")),
        "s3": BucketHub(url),
    }
    hubs[target].publish(Path("older"))
    hubs[target].publish(Path("data/release"))
    settings = {"target": target, "folder": Path("published"), "url": url if target == "s3" else None}
    assert version_at("data/release", "1.0.0", **settings) == "1.0.0"
    if target != "s3":
        assert version_at("published", "1.0.0") == "1.0.0"
    with pytest.raises(InputError, match=r"version 3\.0\.0 is neither in data/release"):
        version_at("data/release", "3.0.0", **settings)


def test_of_the_hub_the_tag_is_asked_for(releases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(hub_release, "fetch", lambda place: asked.append(place) or releases)
    published = PublishParams(target="hub", repo="owner/name")
    for place, version in (
        ("hf://owner/other", None),
        ("hf://owner/other@main", "1.0.0"),
        ("hf://owner/other", "1.0.0"),
        ("hf://owner/other", "refs/pr/1"),
        (Path("data/release"), "1.0.0"),
    ):
        assert not release_place.find(place, version, published, Path("scratch")).whole
    assert asked == [
        "hf://owner/other",
        "hf://owner/other@main",
        "hf://owner/other@v1.0.0",
        "hf://owner/other@refs/pr/1",
        "hf://owner/name@v1.0.0",
    ]


@pytest.mark.usefixtures("releases")
def test_two_data_sets_of_one_version_are_not_chosen_between() -> None:
    shutil.copytree("older", "published/a-v1.0.0")
    shutil.copytree("older", "published/b-v1.0.0")
    with pytest.raises(InputError, match=r"published holds 2 releases of version 1\.0\.0: name one of"):
        version_at("published", "1.0.0")


@pytest.mark.parametrize("target", ["folder", "archive", "s3"])
def test_of_a_place_that_is_shared_only_our_own_data_set_is_taken(releases: Path, target: str) -> None:
    url = f"memory://shared-{releases.name}"
    hub: DatasetHub = {"folder": FolderHub(Path("published")), "archive": ArchiveHub(Path("published"))}.get(
        target, BucketHub(url)
    )
    write_release(releases / "cars", version="2.0.0")
    document = json.loads(Path("cars/release.json").read_text()) | {"name": "cars"}
    Path("cars/release.json").write_text(json.dumps(document))
    hub.publish(Path("cars"))
    settings = {"target": target, "folder": Path("published"), "url": url if target == "s3" else None}
    with pytest.raises(InputError, match=r"version 2\.0\.0 is neither in data/release"):
        version_at("data/release", "2.0.0", **settings)
    write_release(releases / "newer", version="2.0.0", digest="c" * 64)
    hub.publish(Path("newer"))
    assert version_at("data/release", "2.0.0", **settings) == "2.0.0"
    found = release_place.find("data/release", "2.0.0", PublishParams(**settings), Path("scratch"))  # type: ignore[arg-type]
    assert manifest.read(found.folder).name == "unit-signs"


@pytest.mark.usefixtures("releases")
def test_a_damaged_archive_is_one_line() -> None:
    Path("published").mkdir()
    Path("published/unit-v1.0.0.tar.zst").write_bytes(b"no archive")
    with pytest.raises(ReleaseError, match=r"unit-v1\.0\.0\.tar\.zst cannot be unpacked"):
        version_at("published", "1.0.0")


def test_a_tag_of_git_gives_the_release_of_its_day(releases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `dvc repro` keeps data/release: git holds the pointer, DVC's cache the files."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    user = ("-c", "user.name=unit", "-c", "user.email=unit@example.org")

    def run(*command: str) -> None:
        subprocess.run(command, cwd=releases, check=True, capture_output=True, env=os.environ)

    dvc = (sys.executable, "-m", "dvc")
    run("git", "init", "--quiet")
    run(*dvc, "init", "--quiet")
    run(*dvc, "add", "--quiet", "data/release")
    run("git", *user, "add", "data/release.dvc", "data/.gitignore", ".dvc")
    run("git", *user, "commit", "--quiet", "-m", "First")
    for tag in ("paper", "v1.1.0", "v3.0.0"):
        run("git", *user, "tag", tag)
    shutil.rmtree("data/release")
    write_release(releases / "data/release", version="1.2.0", digest="c" * 64)
    assert version_at("data/release", "paper") == "1.1.0"
    assert manifest.read(Path("data/release")).version == "1.2.0"
    for version in ("1.1.0", "v1.1.0"):
        shutil.rmtree("scratch/tagged")
        assert version_at("data/release", version) == "1.1.0"
    for version in ("3.0.0", "v3.0.0"):
        shutil.rmtree("scratch/tagged")
        with pytest.raises(
            ReleaseError, match=r"tag v3\.0\.0 names a commit whose release is version 1\.1\.0"
        ):
            version_at("data/release", version)
    with pytest.raises(InputError, match="version thesis is neither in data/release"):
        version_at("data/release", "thesis")
    shutil.rmtree(".dvc/cache")
    with pytest.raises(ReleaseError, match="data/release at the tag paper cannot be had"):
        version_at("data/release", "paper")

"""Kaggle as a target, through Kaggle's own client; test_publish_targets.py holds what all targets promise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.adapters.kaggle_hub import KaggleHub
from curate.errors import HubError, InputError
from curate.release import kaggle, manifest
from tests.adapters import fake_kaggle
from tests.adapters.fake_kaggle import KaggleState
from tests.adapters.releases import write_release

pytest.importorskip("kagglesdk")


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleState]:
    with fake_kaggle.serving() as state:
        for name, value in state.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        yield state


@pytest.fixture
def waited() -> list[float]:
    return []


@pytest.fixture
def hub(there: KaggleState, waited: list[float]) -> KaggleHub:
    assert there.versions == {}
    return KaggleHub("owner/unit-signs", sleep=waited.append)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_release(tmp_path / "release", shards=2)
    return tmp_path / "release"


def test_a_new_data_set_is_private_with_card_and_license(
    hub: KaggleHub, there: KaggleState, release: Path
) -> None:
    hub.publish(release)
    assert there.facts == {
        "ownerSlug": "owner", "slug": "unit-signs", "title": "unit-signs", "licenseName": "other",
        "isPrivate": True, "description": "Version 1.0.0\n",
    }  # fmt: skip
    assert sorted(there.versions[1].files) == [
        "README.md", "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", "release.json",
    ]  # fmt: skip


def test_a_second_version_says_which_it_is(
    hub: KaggleHub, there: KaggleState, release: Path, tmp_path: Path
) -> None:
    hub.publish(release)
    write_release(tmp_path / "next", version="1.1.0", digest="b" * 64)
    plan = hub.plan(tmp_path / "next")
    assert [name for name, _ in plan.adds] == ["data/train-00000-of-00001.parquet"]
    assert [name for name, _ in plan.replaces] == ["README.md", "release.json"]
    assert plan.deletes == ("data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet")
    hub.publish(tmp_path / "next")
    assert there.versions[2].notes == f"v1.1.0 {'b' * 64}"
    assert hub.publish(tmp_path / "next").unchanged


def test_a_public_data_set_is_refused_where_a_private_one_is_wanted(
    hub: KaggleHub, there: KaggleState, release: Path
) -> None:
    open_hub = KaggleHub("owner/unit-signs", private=False, sleep=lambda _: None)
    open_hub.publish(release)
    assert "isPrivate" not in there.facts  # Kaggle's client leaves out what is false
    write_release(release.parent / "next", version="1.1.0", digest="b" * 64)
    for step in (hub.plan, hub.publish):
        with pytest.raises(
            HubError, match=r"owner/unit-signs is public, and publish\.private is true: set it"
        ):
            step(release.parent / "next")
    assert list(there.versions) == [1]
    open_hub.publish(release.parent / "next")
    assert list(there.versions) == [1, 2]


@pytest.mark.parametrize(
    ("shown", "lines"),
    [("other", 0), ("Other (specified in description)", 0), ("CC0: Public Domain", 1), ("", 1)],
)
def test_a_license_that_a_version_would_not_change_is_said(
    there: KaggleState, release: Path, shown: str, lines: int
) -> None:
    said: list[str] = []
    hub = KaggleHub("owner/unit-signs", sleep=lambda _: None, say=said.append)
    hub.publish(release)
    assert not said
    there.facts["licenseName"] = shown
    write_release(release.parent / "next", version="1.1.0", digest="b" * 64)
    hub.publish(release.parent / "next")
    start = (
        f"owner/unit-signs: Kaggle shows the license {shown!r}, the release has 'other'; a version does not"
    )
    assert [line.startswith(start) for line in said] == [True] * lines


def test_it_waits_until_kaggle_has_taken_the_version_in(
    hub: KaggleHub, there: KaggleState, release: Path, waited: list[float]
) -> None:
    there.status = ["BLOBS_RECEIVED", "BLOBS_DECOMPRESSED"]
    hub.publish(release)
    assert waited == [5.0, 5.0]
    there.status = ["NOT_YET_PERSISTED"] * 1000
    write_release(release.parent / "next", version="1.1.0", digest="b" * 64)
    with pytest.raises(HubError, match=r"not taken the version in after 30 minutes \(NOT_YET_PERSISTED\)"):
        hub.publish(release.parent / "next")
    there.status = []
    assert hub.publish(release.parent / "next").unchanged  # read back this time
    there.status = ["FAILED"]
    write_release(release.parent / "last", version="1.2.0", digest="c" * 64)
    with pytest.raises(HubError, match=r"could not take the version in \(FAILED\)"):
        hub.publish(release.parent / "last")


def test_what_arrives_damaged_is_refused_and_completed_by_the_next_call(
    hub: KaggleHub, there: KaggleState, release: Path
) -> None:
    there.damage = True
    with pytest.raises(HubError, match=r"README\.md arrived damaged in version 1"):
        hub.publish(release)
    there.damage = False
    there.versions[1].files["release.json"] = (release / "release.json").read_bytes()
    assert not hub.publish(release).unchanged
    assert sorted(there.versions) == [1, 2]
    assert hub.publish(release).unchanged


def test_large_files_that_come_in_archives_are_read(
    hub: KaggleHub, there: KaggleState, release: Path
) -> None:
    there.packed = True
    hub.publish(release)
    assert hub.publish(release).unchanged


@pytest.mark.parametrize("status", [0, 429, 503])
def test_what_is_busy_is_asked_again(
    hub: KaggleHub, there: KaggleState, release: Path, waited: list[float], status: int
) -> None:
    names = ("GetDataset", "ListDatasetFiles", "StartBlobUpload", "files")
    there.faults = {name: [status, status] for name in names}
    hub.publish(release)
    assert waited == [1.0, 4.0] * len(names)
    there.faults = {"upload": [status]}
    write_release(release.parent / "next", version="1.1.0", digest="b" * 64)
    hub.publish(release.parent / "next")
    assert waited[8:] == [1.0]
    assert list(there.versions) == [1, 2]


def test_making_a_version_is_never_repeated(hub: KaggleHub, there: KaggleState, release: Path) -> None:
    there.faults = {"CreateDataset": [503]}
    with pytest.raises(HubError, match="cannot create the data set: Kaggle answers HTTP 503"):
        hub.publish(release)
    assert there.requests.count("CreateDataset") == 1
    there.refusal = "The title is taken"
    with pytest.raises(HubError, match="owner/unit-signs: Kaggle refuses: The title is taken"):
        hub.publish(release)


def test_a_data_set_of_somebody_else_is_left_alone(hub: KaggleHub, there: KaggleState, release: Path) -> None:
    there.facts = {"slug": "unit-signs", "isPrivate": True}
    there.versions[1] = fake_kaggle.Version("Initial release", {"cats.csv": b"1"})
    for step in (hub.plan, hub.publish):
        with pytest.raises(HubError, match="holds no release of ours, and a version replaces all files"):
            step(release)
    assert list(there.versions) == [1]


def test_a_wrong_key_is_one_line(there: KaggleState, release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_KEY", "another")
    with pytest.raises(HubError, match=r"^owner/unit-signs: cannot find the data set: .* KAGGLE_API_TOKEN"):
        KaggleHub("owner/unit-signs").plan(release)
    assert there.versions == {}


@pytest.mark.parametrize(
    "repo", ["unit-signs", "owner/Unit-Signs", "owner/signs", "owner/unit_signs", "a/b/c"]
)
def test_names_that_kaggle_does_not_take(repo: str) -> None:
    with pytest.raises(InputError, match="is no data set of Kaggle: expected owner/name"):
        KaggleHub(repo)


def test_the_folder_for_kaggles_own_program(tmp_path: Path, release: Path) -> None:
    count = kaggle.write_folder(release, tmp_path / "out", "owner/unit-signs")
    about = json.loads((tmp_path / "out/dataset-metadata.json").read_text())
    assert about == {
        "title": "unit-signs", "id": "owner/unit-signs", "licenses": [{"name": "other"}],
        "description": "Version 1.0.0\n",
    }  # fmt: skip
    assert count == len(list((tmp_path / "out").rglob("*.*"))) == 5
    assert (tmp_path / "out/release.json").stat().st_ino == (release / "release.json").stat().st_ino


@pytest.mark.parametrize(
    ("license", "theirs"), [("cc-by-4.0", "CC-BY-4.0"), ("odbl", "ODbL-1.0"), ("mit", "other"), ("", "other")]
)
def test_licenses_have_kaggles_spelling(release: Path, license: str, theirs: str) -> None:
    facts = manifest.read(release)
    changed = manifest.Manifest(
        "a", facts.version, facts.digest, facts.images, facts.objects, facts.files, license
    )
    about = kaggle.metadata(release, changed, "owner/unit-signs")
    assert about["licenses"] == [{"name": theirs}]
    assert about["title"] == "a data set"  # Kaggle wants six characters

"""What every target promises, for each of them."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curate.adapters.archive_hub import ArchiveHub
from curate.adapters.bucket_hub import BucketHub
from curate.adapters.folder_hub import FolderHub
from curate.adapters.kaggle_hub import KaggleHub
from curate.errors import HubError, ReleaseError
from curate.ports import DatasetHub
from curate.release import manifest
from tests.adapters import fake_kaggle
from tests.adapters.fake_kaggle import KaggleState
from tests.adapters.releases import write_release

pytest.importorskip("moto.server")
pytest.importorskip("kagglesdk")
s3fs = pytest.importorskip("s3fs")


@dataclass
class Target:
    """A target, and hands that reach behind its back.

    Attributes:
        remove: Takes a version away.
        damage: Spoils the data of a version.
        served: The files of a version by name, as somebody else reads them.
    """

    hub: DatasetHub
    remove: Callable[[str], object]
    damage: Callable[[str], object]
    served: Callable[[str], dict[str, bytes]]
    leaves_out: frozenset[str] = frozenset()  # files that mean nothing there


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "archive", "s3", "kaggle"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    root = tmp_path / "hub"
    if request.param == "s3":
        return in_bucket(
            request.getfixturevalue("s3"), tmp_path.name.replace("_", "-").lower()[:40], monkeypatch
        )
    if request.param == "kaggle":
        return at_kaggle(request.getfixturevalue("kaggle"))
    if request.param == "archive":
        return Target(
            ArchiveHub(root),
            remove=lambda version: archive(root, version).unlink(),
            damage=lambda version: archive(root, version).write_bytes(
                archive(root, version).read_bytes()[:-40]
            ),
            served=lambda version: unpacked(archive(root, version)),
        )

    def folder(version: str) -> Path:
        return root / f"unit-signs-v{version}"

    return Target(
        FolderHub(root),
        remove=lambda version: shutil.rmtree(folder(version)),
        damage=lambda version: next((folder(version) / "data").iterdir()).write_bytes(b"rotten"),
        served=lambda version: files_in(folder(version)),
    )


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleState]:
    with fake_kaggle.serving() as state:
        for name, value in state.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        yield state


def at_kaggle(state: KaggleState) -> Target:
    def newest(version: str) -> dict[str, bytes]:
        """Kaggle's last version with such a release.json."""
        found = [
            one.files for one in state.versions.values()
            if json.loads(one.files[manifest.NAME])["version"] == version
        ]  # fmt: skip
        return found[-1]

    def damage(version: str) -> None:
        files = newest(version)
        files[next(name for name in files if name.startswith("data/"))] = b"rotten"

    return Target(
        KaggleHub("owner/unit-signs", sleep=lambda _: None),
        remove=lambda _: state.versions.clear(),
        damage=damage,
        served=newest,
        leaves_out=frozenset({".gitattributes"}),
    )


def archive(root: Path, version: str) -> Path:
    return root / f"unit-signs-v{version}.tar.zst"


def unpacked(path: Path) -> dict[str, bytes]:
    with (
        pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream,
        tarfile.open(fileobj=stream, mode="r|") as opened,
    ):
        return {entry.name.partition("/")[2]: opened.extractfile(entry).read() for entry in opened}  # type: ignore[union-attr]


def in_bucket(endpoint: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Target:
    import botocore.session

    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (
        ("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    client: Any = botocore.session.get_session().create_client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket=bucket)

    def keys(version: str) -> list[str]:
        listed = client.list_objects_v2(Bucket=bucket, Prefix=f"sets/unit-signs-v{version}/")
        return [entry["Key"] for entry in listed.get("Contents", ())]

    def remove(version: str) -> None:
        for key in keys(version):
            client.delete_object(Bucket=bucket, Key=key)

    def damage(version: str) -> None:
        client.put_object(
            Bucket=bucket, Key=next(key for key in keys(version) if "/data/" in key), Body=b"rotten"
        )

    def served(version: str) -> dict[str, bytes]:
        return {
            key.removeprefix(f"sets/unit-signs-v{version}/"): client.get_object(Bucket=bucket, Key=key)[
                "Body"
            ].read()
            for key in keys(version)
        }

    return Target(BucketHub(f"s3://{bucket}/sets"), remove, damage, served)


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def content(folder: Path, target: Target) -> dict[str, bytes]:
    """What stands in a release folder and goes there."""
    return {name: data for name, data in files_in(folder).items() if name not in target.leaves_out}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_release(tmp_path / "release", shards=2)
    return tmp_path / "release"


def test_a_plan_changes_nothing_and_says_what_will_happen(target: Target, release: Path) -> None:
    plan = target.hub.plan(release)
    names = sorted(manifest.read(release).files.keys() - target.leaves_out)
    assert [name for name, _ in plan.adds] == [*names, manifest.NAME]
    assert plan.bytes == sum(len(data) for data in content(release, target).values())
    assert not plan.there
    assert target.hub.plan(release) == plan
    target.hub.publish(release)
    assert target.hub.plan(release).there


def test_what_is_served_is_the_release(target: Target, release: Path) -> None:
    receipt = target.hub.publish(release)
    assert target.served("1.0.0") == content(release, target)
    count = 5 - len(target.leaves_out)
    assert (receipt.files, receipt.unchanged, receipt.revision) == (count, False, "a" * 64)
    assert target.hub.publish(release).unchanged


@pytest.mark.parametrize("harm", ["remove", "damage"])
def test_the_target_is_asked_and_not_believed(target: Target, release: Path, harm: str) -> None:
    target.hub.publish(release)
    getattr(target, harm)("1.0.0")
    assert not target.hub.plan(release).there
    assert not target.hub.publish(release).unchanged
    assert target.served("1.0.0") == content(release, target)


def test_a_version_does_not_change_its_content(target: Target, release: Path, tmp_path: Path) -> None:
    target.hub.publish(release)
    before = target.served("1.0.0")
    for number, changed in enumerate(({"digest": "b" * 64}, {"data": b"PAR1 another pyarrow"})):
        other = tmp_path / f"other {number}"
        write_release(other, shards=2, **changed)  # type: ignore[arg-type]
        for step in (target.hub.plan, target.hub.publish):
            with pytest.raises(
                HubError, match=r"holds another content as v1\.0\.0: a version does not change"
            ):
                step(other)
    assert target.served("1.0.0") == before


def test_versions_stand_beside_each_other_and_none_goes_backwards(
    target: Target, release: Path, tmp_path: Path
) -> None:
    target.hub.publish(release)
    write_release(tmp_path / "next", version="1.10.0", digest="b" * 64)
    target.hub.publish(tmp_path / "next")
    assert target.served("1.0.0") == content(release, target)
    assert target.served("1.10.0") == content(tmp_path / "next", target)
    write_release(tmp_path / "late", version="1.9.0", digest="c" * 64)
    with pytest.raises(HubError, match=r"holds v1\.10\.0 already, and v1\.9\.0 would go backwards"):
        target.hub.publish(tmp_path / "late")
    assert target.hub.publish(release).unchanged  # an old one that is there is no step back


def test_a_release_that_somebody_edited_goes_nowhere(target: Target, release: Path) -> None:
    (release / "README.md").write_text("edited by hand")
    with pytest.raises(ReleaseError, match=r"README\.md is not what release\.json says"):
        target.hub.publish(release)


def test_an_archive_has_the_same_bytes_each_time(tmp_path: Path, release: Path) -> None:
    for name in ("one", "two"):
        ArchiveHub(tmp_path / name).publish(release)
    assert archive(tmp_path / "one", "1.0.0").read_bytes() == archive(tmp_path / "two", "1.0.0").read_bytes()


def test_a_bucket_that_is_not_there_is_one_line_and_is_not_made(
    s3: str, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_bucket(s3, "another", monkeypatch)
    with pytest.raises(HubError, match=r"^s3://none/sets: cannot upload: ") as caught:
        BucketHub("s3://none/sets").publish(release)
    assert "\n" not in str(caught.value)

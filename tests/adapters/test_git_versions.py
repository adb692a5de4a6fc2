"""Versions by git tag and dvc.lock, with the real git and dvc, and remotes in a folder and in a bucket."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate.adapters import git_versions
from curate.cli import app
from curate.errors import ReleaseError
from curate.file_identity import sha256_of
from curate.release import manifest
from tests import builders
from tests.stages import test_release_versions as stage

pytest.importorskip("dvc")
# stand-ins: what each stage writes was put there by the test
DVC_YAML = """\
stages:
  release:
    cmd: python -c ""
    always_changed: true
    outs: [{data/release: {persist: true}}]
  publish:
    cmd: python -c ""
    always_changed: true
    outs: [{data/publish/receipt.json: {persist: true}}, {data/publish/last: {persist: true}}]
"""


def sh(*command: str, expect: int = 0) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == expect, (command, done.stdout, done.stderr)
    return done.stdout.strip()


def dvc(*arguments: str) -> str:
    return sh(sys.executable, "-m", "dvc", *arguments)


def commit(what: str) -> None:
    dvc("repro", "--quiet")
    sh("git", "add", "--all")
    sh("git", "commit", "--quiet", "--allow-empty", "--message", what)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, and programs that know no settings but ours."""
    return enter(tmp_path, monkeypatch)


def enter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in {
        "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "unit",
        "GIT_AUTHOR_EMAIL": "unit@demo.invalid", "GIT_COMMITTER_NAME": "unit",
        "GIT_COMMITTER_EMAIL": "unit@demo.invalid", "DVC_SITE_CACHE_DIR": str(folder / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(folder / "global"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder


def small_project(folder: Path) -> builders.SmallProject:
    """A project in git and DVC without any version."""
    made = builders.small_project(folder)
    (folder / ".gitignore").write_text("/data/\n/metrics/\n/site/\n/global/\n/remote/\n/out/\n/clone/\n")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    sh("git", "init", "--quiet", "--initial-branch=main")
    dvc("init", "--quiet")
    return made


@pytest.fixture
def project(here: Path) -> builders.SmallProject:
    return small_project(here)


def published(**params: object) -> manifest.Manifest:
    """Release and publish: what both stages leave, committed."""
    stage.run(**params)
    stage.publish()
    release = manifest.read(stage.FOLDER)
    receipt = {"state": "published", "version": release.version, "digest": release.digest}
    Path("data/publish/receipt.json").write_text(json.dumps(receipt))
    commit(f"version {release.version}")
    return release


Versions = tuple[manifest.Manifest, manifest.Manifest]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Versions]:
    """A project with two versions, and what both are; tests work on copies."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = enter(tmp_path_factory.mktemp("project"), monkeypatch)
        project = small_project(folder)
        first = published()
        assert git_versions.tag_release(Path()) == ("v0.1.0", False)
        stage.relabel(project)
        second = published()
        assert git_versions.tag_release(Path()) == ("v0.2.0", False)
    assert (first.version, second.version) == ("0.1.0", "0.2.0")
    return folder, (first, second)


@pytest.fixture
def two_versions(built: tuple[Path, Versions], here: Path) -> Versions:
    shutil.copytree(built[0], here, dirs_exist_ok=True, ignore=shutil.ignore_patterns("site", "global"))
    return built[1]


def files() -> dict[str, str]:
    return {str(path): sha256_of(path) for path in stage.FOLDER.rglob("*") if path.is_file()}


def test_a_checkout_brings_the_same_data_back(
    two_versions: Versions,
) -> None:
    first, second = two_versions
    newest = files()
    done = CliRunner().invoke(app, ["checkout", "v0.1.0"])
    assert done.exit_code == 0, done.output
    assert "the project is at unit-signs 0.1.0" in done.output
    assert manifest.trusted(stage.FOLDER) == first
    assert json.loads(Path("data/publish/receipt.json").read_text())["version"] == "0.1.0"
    assert CliRunner().invoke(app, ["checkout", "v0.2.0"]).exit_code == 0
    assert manifest.trusted(stage.FOLDER) == second
    assert files() == newest


@pytest.mark.usefixtures("two_versions")
def test_a_version_can_be_written_elsewhere_while_the_project_stays() -> None:
    before = files()
    done = CliRunner().invoke(app, ["checkout", "v0.1.0", "--to", "out/old"])
    assert done.output.startswith("out/old: unit-signs 0.1.0, digest ")
    assert manifest.trusted(Path("out/old")).version == "0.1.0"
    assert files() == before
    Path("out/empty").mkdir()
    git_versions.fetch(Path(), "v0.1.0", Path("out/empty"))
    assert manifest.trusted(Path("out/empty")) == manifest.trusted(Path("out/old"))
    with pytest.raises(ReleaseError, match="out/old is not empty"):
        git_versions.fetch(Path(), "v0.1.0", Path("out/old"))


@pytest.mark.usefixtures("two_versions")
def test_two_tags_are_compared() -> None:
    for arguments in (
        ("v0.1.0", "v0.2.0"),
        ("v0.1.0", "data/release"),
        ("v0.1.0", "v0.2.0", "--html", "x.html"),
    ):
        done = CliRunner().invoke(app, ["diff", *arguments, "--json"])
        assert done.exit_code == 0, done.output
        found = json.loads(done.output)
        assert found["objects"]["relabelled"] == 1
        assert (found["before"]["version"], found["after"]["version"]) == ("0.1.0", "0.2.0")
    assert "data:image/" in Path("x.html").read_text()


@pytest.fixture(params=["folder", "s3"])
def remote(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A remote of DVC; nothing has been pushed to it."""
    if request.param == "folder":
        yield str(tmp_path / "remote")
        return
    pytest.importorskip("dvc_s3")
    server_module = pytest.importorskip("moto.server")
    import boto3

    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    for name, value in {"AWS_ACCESS_KEY_ID": "unit", "AWS_SECRET_ACCESS_KEY": "unit"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    address = "http://{}:{}".format(*server.get_host_and_port())
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="versions")
    yield "s3://versions/dvc"
    server.stop()


@pytest.mark.usefixtures("two_versions")
def test_a_clone_brings_a_version_from_the_remote(remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remote is set after both versions: with --local it is that of every commit."""
    expected = manifest.read(stage.FOLDER)
    dvc("remote", "add", "--local", "--default", "--quiet", "storage", remote)
    dvc("push", "--quiet", "--all-tags")
    sh("git", "clone", "--quiet", ".", "clone")
    monkeypatch.chdir("clone")
    with pytest.raises(ReleaseError, match="`dvc remote add --local` here"):
        git_versions.fetch(Path(), "v0.1.0", Path("out/old"))
    dvc("remote", "add", "--local", "--default", "--quiet", "storage", remote)
    old = git_versions.fetch(Path(), "v0.1.0", Path("out/old"))
    assert (old.version, manifest.trusted(Path("out/old"))) == ("0.1.0", old)
    assert git_versions.check_out(Path(), "v0.2.0") == expected
    assert manifest.trusted(stage.FOLDER) == expected


@pytest.mark.usefixtures("two_versions")
def test_data_that_is_nowhere_is_one_line_and_nothing_is_touched() -> None:
    shutil.rmtree(".dvc/cache")
    before, head = files(), sh("git", "rev-parse", "HEAD")
    for action in (
        ["checkout", "v0.1.0"],
        ["checkout", "v0.1.0", "--to", "out/x"],
        ["diff", "v0.1.0", "v0.2.0"],
    ):
        done = CliRunner().invoke(app, action)
        assert isinstance(done.exception, ReleaseError)
        assert "data/release/release.json at v0.1.0 is neither in DVC's cache nor in a remote" in str(
            done.exception
        )
        assert "\n" not in str(done.exception)
    assert (files(), sh("git", "rev-parse", "HEAD")) == (before, head)


@pytest.mark.usefixtures("two_versions")
def test_what_is_not_saved_is_not_lost() -> None:
    path = stage.FOLDER / "README.md"
    path.write_text("edited here")
    with pytest.raises(ReleaseError, match=r"^data/release/? is not as dvc\.lock says"):
        git_versions.check_out(Path(), "v0.1.0")
    assert path.read_text() == "edited here"
    dvc("checkout", "--quiet", "--force")
    Path("dvc.yaml").write_text(DVC_YAML + "# edited\n")
    with pytest.raises(ReleaseError, match=r"^dvc\.yaml has changes that are not committed"):
        git_versions.check_out(Path(), "v0.1.0")
    assert sh("git", "describe", "--tags") == "v0.2.0"


def test_a_tag_that_names_other_data_is_refused(
    two_versions: Versions,
) -> None:
    assert two_versions
    sh("git", "tag", "v0.3.0")
    for name in ("checkout", "diff"):
        done = CliRunner().invoke(app, [name, "v0.3.0", *(["data/release"] if name == "diff" else [])])
        assert "the tag v0.3.0 names a commit whose dvc.lock holds version 0.2.0" in str(done.exception)
    with pytest.raises(
        ReleaseError, match=r"there is no tag v9\.0\.0; there are v0\.3\.0, v0\.2\.0, v0\.1\.0"
    ):
        git_versions.check_out(Path(), "v9.0.0")
    with pytest.raises(ReleaseError, match="'main' is no version"):
        git_versions.check_out(Path(), "main")


def test_a_tag_is_made_only_where_git_dvc_and_the_target_agree(project: builders.SmallProject) -> None:
    stage.run()
    with pytest.raises(ReleaseError, match=r"data/release \(v0\.1\.0\) was not published"):
        git_versions.tag_release(Path())
    release = published()
    Path("dvc.yaml").write_text(DVC_YAML + "# edited\n")
    with pytest.raises(
        ReleaseError, match=r"dvc\.yaml is not committed \(1 files\): commit, then tag v0\.1\.0"
    ):
        git_versions.tag_release(Path())
    sh("git", "checkout", "--quiet", "dvc.yaml")
    assert git_versions.tag_release(Path()) == ("v0.1.0", False)
    assert git_versions.tag_release(Path()) == ("v0.1.0", True)
    assert release.digest in sh("git", "tag", "--list", "v0.1.0", "--format=%(contents)")
    sh("git", "commit", "--quiet", "--allow-empty", "--message", "later")
    with pytest.raises(ReleaseError, match=r"the tag v0\.1\.0 is there already, at another commit"):
        git_versions.tag_release(Path())
    stage.relabel(project)
    stage.run()
    stage.publish()
    later = manifest.read(stage.FOLDER)
    receipt = {"state": "published", "version": later.version, "digest": later.digest}
    Path("data/publish/receipt.json").write_text(json.dumps(receipt))  # and dvc.lock knows nothing of it
    with pytest.raises(ReleaseError, match=r"dvc\.lock of the last commit names another release"):
        git_versions.tag_release(Path())


def test_publishing_by_hand_is_recorded_in_dvc_lock(project: builders.SmallProject) -> None:
    """`curate publish` runs the stage outside of DVC, whose lock would keep an older receipt."""
    assert project
    stage.run()
    Path("data/publish/last").mkdir(parents=True)
    Path("data/publish/receipt.json").write_text('{"state": "waits for curate publish"}')
    commit("released")
    stage.publish()
    release = manifest.read(stage.FOLDER)
    receipt = {"state": "published", "version": release.version, "digest": release.digest}
    Path("data/publish/receipt.json").write_text(json.dumps(receipt))
    assert git_versions.record_publication(Path())
    sh("git", "commit", "--quiet", "--all", "--message", "published")
    assert git_versions.tag_release(Path()) == ("v0.1.0", False)
    shutil.rmtree("data")
    git_versions.check_out(Path(), "v0.1.0")
    assert json.loads(Path("data/publish/receipt.json").read_text())["state"] == "published"

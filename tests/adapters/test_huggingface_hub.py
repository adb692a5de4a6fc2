"""Against a Hub on loopback, through the real huggingface_hub library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.adapters.huggingface_hub import HuggingFaceHub
from curate.errors import HubError
from curate.release.folder import sha256_of
from tests.adapters.fake_hub import TOKEN, HubState, regular, serving
from tests.adapters.releases import write_release

DIGEST = "a" * 64
huggingface_hub = pytest.importorskip("huggingface_hub")
constants = pytest.importorskip("huggingface_hub.constants")
utils = pytest.importorskip("huggingface_hub.utils")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubState]:
    # the test session keeps the library off the network; this server is not on the network
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # it does not speak that protocol
    utils.close_session()
    with serving() as state:
        monkeypatch.setattr(constants, "ENDPOINT", state.url)
        yield state
    utils.close_session()


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_release(tmp_path / "release")
    return tmp_path / "release"


def adapter(hub: HubState, *, token: str | bool = TOKEN, repo: str = "owner/name") -> HuggingFaceHub:
    api = huggingface_hub.HfApi(endpoint=hub.url, token=token)
    return HuggingFaceHub(repo, private=True, api=api)


def test_a_release_is_one_commit_with_a_tag(hub: HubState, release: Path) -> None:
    receipt = adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    assert hub.private is True
    assert len(hub.commits) == 2  # the repository's first, and ours
    assert hub.tags == {"v1.0.0": hub.head}
    assert (receipt.target, receipt.location, receipt.revision) == ("hub", "owner/name", hub.head)
    assert (receipt.files, receipt.unchanged) == (4, False)
    tree = hub.commits[hub.head]
    assert set(tree) == {".gitattributes", "README.md", "release.json", "data/train-00000-of-00001.parquet"}
    assert tree["README.md"] == regular("README.md", (release / "README.md").read_bytes())
    data = release / "data" / "train-00000-of-00001.parquet"
    assert tree["data/train-00000-of-00001.parquet"]["lfs"]["oid"] == sha256_of(data)


def test_again_changes_nothing(hub: HubState, release: Path) -> None:
    first = adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    hub.requests.clear()
    again = adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    assert again.unchanged
    assert again.revision == first.revision
    assert not [request for request in hub.requests if "commit" in request or "lfs" in request]


def test_a_kill_before_the_tag_is_repaired(hub: HubState, release: Path) -> None:
    adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    hub.tags.clear()
    receipt = adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    assert len(hub.commits) == 2
    assert hub.tags == {"v1.0.0": receipt.revision}


def test_a_new_version_removes_old_shards_and_uploads_only_what_differs(
    hub: HubState, tmp_path: Path
) -> None:
    write_release(tmp_path / "one", shards=2)
    adapter(hub).publish(tmp_path / "one", digest=DIGEST, version="1.0.0")
    old = hub.head
    hub.commit({**hub.commits[old], "notes.txt": regular("notes.txt", b"of the owner's")})
    hub.requests.clear()
    write_release(tmp_path / "two", version="1.1.0", digest="b" * 64)
    adapter(hub).publish(tmp_path / "two", digest="b" * 64, version="1.1.0")
    assert sorted(path for path in hub.commits[hub.head] if path.startswith("data/")) == [
        "data/train-00000-of-00001.parquet"
    ]
    assert "notes.txt" in hub.commits[hub.head]
    assert hub.tags == {"v1.0.0": old, "v1.1.0": hub.head}
    assert not [request for request in hub.requests if request.startswith("PUT")]  # same bytes, new name


def test_many_files_are_uploaded_in_batches_and_committed_once(hub: HubState, tmp_path: Path) -> None:
    write_release(tmp_path / "many", shards=60)
    adapter(hub).publish(tmp_path / "many", digest=DIGEST, version="1.0.0")
    assert len(hub.commits) == 2
    assert len(hub.blobs) == 60
    assert sum("preupload" in request for request in hub.requests) >= 2


def test_a_version_does_not_change_its_content(hub: HubState, release: Path) -> None:
    adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    shutil.rmtree(release)
    write_release(release, digest="b" * 64, data=b"other")
    with pytest.raises(
        HubError, match=r"owner/name holds another content as v1\.0\.0: raise release\.version"
    ):
        adapter(hub).publish(release, digest="b" * 64, version="1.0.0")
    assert len(hub.commits) == 2


def test_what_arrives_damaged_is_not_tagged(hub: HubState, release: Path) -> None:
    hub.damage = True
    with pytest.raises(HubError, match=r"data/train-00000-of-00001\.parquet arrived damaged"):
        adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    assert hub.tags == {}


def test_a_commit_in_between_is_not_overwritten(hub: HubState, release: Path) -> None:
    hub.race = True
    with pytest.raises(HubError, match="somebody else committed in the meantime: publish again"):
        adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    assert "other" in hub.commits[hub.head]
    hub.race = False
    adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    assert "other" in hub.commits[hub.head]


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (
            "POST /api/repos/create",
            401,
            "cannot create or find the repository: the Hub does not accept the token",
        ),
        ("POST /api/datasets/owner/name/commit", 403, "cannot upload: the token may not write there"),
        ("GET /api/datasets/owner/name/refs", 404, "cannot read the repository: it is not there"),
        ("/tree/", 500, "cannot list the files: the Hub answers HTTP 500: try again later"),
        ("POST /api/datasets/owner/name/tag", 409, r"cannot tag v1\.0\.0: it is there already with another"),
        ("PUT /lfs", 403, "cannot upload: the token may not write there"),
    ],
)
def test_refusals_are_one_line(hub: HubState, release: Path, fault: str, status: int, message: str) -> None:
    hub.faults[fault] = status
    with pytest.raises(HubError, match=f"^owner/name: {message}") as caught:
        adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    hub.faults.clear()
    adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    assert "v1.0.0" in hub.tags


def test_a_wrong_token_is_one_line(hub: HubState, release: Path) -> None:
    with pytest.raises(
        HubError, match="the Hub does not accept the token: log in with `hf auth login`"
    ) as caught:
        adapter(hub, token="hf_wrong").publish(release, digest=DIGEST, version="1.0.0")
    assert "hf_wrong" not in str(caught.value)


def test_a_card_that_the_hub_refuses_is_told(hub: HubState, release: Path) -> None:
    hub.card_errors = ['"license" must be one of [apache-2.0, mit]']
    with pytest.raises(HubError, match=r'cannot upload: it is refused: .*"license" must be one of') as caught:
        adapter(hub).publish(release, digest=DIGEST, version="1.0.0")
    assert "\n" not in str(caught.value)


def test_a_name_that_is_none_is_refused(hub: HubState, release: Path) -> None:
    with pytest.raises(HubError, match=r"publish\.repo = 'a/b/c' is not owner/name"):
        adapter(hub, repo="a/b/c").publish(release, digest=DIGEST, version="1.0.0")


@pytest.mark.usefixtures("hub")
def test_nobody_answers(release: Path) -> None:
    with serving() as gone:
        pass
    with pytest.raises(HubError, match=r"the Hub does not answer .*check the network and HF_ENDPOINT"):
        adapter(gone).publish(release, digest=DIGEST, version="1.0.0")


def test_offline_is_one_line(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    utils.close_session()
    api = huggingface_hub.HfApi(endpoint="http://127.0.0.1:9", token=TOKEN)
    with pytest.raises(HubError, match="the Hub does not answer"):
        HuggingFaceHub("owner/name", api=api).publish(release, digest=DIGEST, version="1.0.0")


def test_a_program_without_a_terminal_that_imported_nothing_else_can_publish() -> None:
    """The library is lazy: what other tests have imported hides a submodule that nobody asked for."""
    program = "from curate.adapters.huggingface_hub import HuggingFaceHub as H; H('a/b')._foreign_errors()"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")

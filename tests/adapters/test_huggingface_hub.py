"""Against a Hub on loopback, through the real huggingface_hub library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curate.adapters.huggingface_hub import HuggingFaceHub
from curate.errors import HubError
from curate.file_identity import sha256_of
from tests.adapters.fake_hub import TOKEN, HubState, regular, serving
from tests.adapters.releases import write_release

huggingface_hub = pytest.importorskip("huggingface_hub")
constants = pytest.importorskip("huggingface_hub.constants")
utils = pytest.importorskip("huggingface_hub.utils")
http = pytest.importorskip("huggingface_hub.utils._http")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_release(tmp_path / "release")
    return tmp_path / "release"


WAITED: list[float] = []
SAID: list[str] = []


def adapter(
    hub: HubState, *, token: str | bool = TOKEN, repo: str = "owner/name", **more: Any
) -> HuggingFaceHub:
    api = huggingface_hub.HfApi(endpoint=hub.url, token=token)
    WAITED.clear()
    SAID.clear()
    return HuggingFaceHub(repo, api=api, sleep=WAITED.append, say=SAID.append, **more)


def test_a_release_is_one_commit_with_a_tag(hub: HubState, release: Path) -> None:
    receipt = adapter(hub).publish(release)
    assert hub.private is True
    assert len(hub.commits) == 2  # the repository's first, and ours
    assert hub.tags == {"v1.0.0": hub.head}
    assert (receipt.target, receipt.location, receipt.revision) == ("hub", "owner/name", hub.head)
    assert (receipt.files, receipt.unchanged) == (4, False)
    tree = hub.commits[hub.head]
    assert tree[".gitattributes"] == regular(".gitattributes", b"*.bin filter=lfs\n")  # the Hub's own
    assert set(tree) == {".gitattributes", "README.md", "release.json", "data/train-00000-of-00001.parquet"}
    assert tree["README.md"] == regular("README.md", (release / "README.md").read_bytes())
    data = release / "data" / "train-00000-of-00001.parquet"
    assert tree["data/train-00000-of-00001.parquet"]["lfs"]["oid"] == sha256_of(data)


def test_again_changes_nothing(hub: HubState, release: Path) -> None:
    first = adapter(hub).publish(release)
    hub.requests.clear()
    again = adapter(hub).publish(release)
    assert again.unchanged
    assert again.revision == first.revision
    assert not [request for request in hub.requests if "commit" in request or "lfs" in request]


def test_a_kill_before_the_tag_is_repaired(hub: HubState, release: Path) -> None:
    adapter(hub).publish(release)
    hub.tags.clear()
    receipt = adapter(hub).publish(release)
    assert len(hub.commits) == 2
    assert hub.tags == {"v1.0.0": receipt.revision}


def test_a_new_version_removes_old_shards_and_uploads_only_what_differs(
    hub: HubState, tmp_path: Path
) -> None:
    write_release(tmp_path / "one", shards=2)
    adapter(hub).publish(tmp_path / "one")
    old = hub.head
    hub.commit({**hub.commits[old], "notes.txt": regular("notes.txt", b"of the owner's")})
    hub.requests.clear()
    write_release(tmp_path / "two", version="1.1.0", digest="b" * 64)
    adapter(hub).publish(tmp_path / "two")
    assert sorted(path for path in hub.commits[hub.head] if path.startswith("data/")) == [
        "data/train-00000-of-00001.parquet"
    ]
    assert "notes.txt" in hub.commits[hub.head]
    assert hub.tags == {"v1.0.0": old, "v1.1.0": hub.head}
    assert not [request for request in hub.requests if request.startswith("PUT")]  # same bytes, new name


def test_many_files_are_uploaded_in_batches_and_committed_once(hub: HubState, tmp_path: Path) -> None:
    write_release(tmp_path / "many", shards=60)
    adapter(hub).publish(tmp_path / "many")
    assert len(hub.commits) == 2
    assert len(hub.blobs) == 60
    assert sum("preupload" in request for request in hub.requests) >= 2


def test_a_version_does_not_change_its_content(hub: HubState, release: Path) -> None:
    adapter(hub).publish(release)
    shutil.rmtree(release)
    write_release(release, digest="b" * 64, data=b"other")
    with pytest.raises(
        HubError, match=r"owner/name holds another content as v1\.0\.0: a version does not change"
    ):
        adapter(hub).publish(release)
    assert len(hub.commits) == 2


def test_what_arrives_damaged_is_not_tagged(hub: HubState, release: Path) -> None:
    hub.damage = True
    with pytest.raises(HubError, match=r"data/train-00000-of-00001\.parquet arrived damaged"):
        adapter(hub).publish(release)
    assert hub.tags == {}


def test_after_a_commit_in_between_all_is_planned_once_more(hub: HubState, release: Path) -> None:
    adapter(hub).publish(release)
    hub.tags.clear()
    write_release(release.parent / "next", version="1.1.0", digest="b" * 64, data=b"other")
    hub.race = 1
    adapter(hub).publish(release.parent / "next")
    assert SAID == ["owner/name: somebody else committed in the meantime: planned again"]
    assert "other 0" in hub.commits[hub.head]
    assert hub.tags["v1.1.0"] == hub.head


def test_who_is_overtaken_twice_gives_up_and_overwrites_nothing(hub: HubState, release: Path) -> None:
    hub.race = 2
    with pytest.raises(HubError, match="somebody else committed in the meantime: publish again"):
        adapter(hub).publish(release)
    assert {"other 0", "other 1"} <= set(hub.commits[hub.head])
    assert hub.tags == {}
    adapter(hub).publish(release)
    assert {"other 0", "other 1"} <= set(hub.commits[hub.head])


def next_release(release: Path, **changes: Any) -> Path:
    folder = release.parent / "next"
    write_release(folder, **{"version": "1.1.0", "digest": "b" * 64, "data": b"other", **changes})
    return folder


def test_files_of_others_are_left_alone(hub: HubState, release: Path) -> None:
    adapter(hub).publish(release)
    theirs = {path: regular(path, b"theirs") for path in ("data/extra.csv", "data/extra.parquet", "notes.md")}
    hub.commit({**hub.commits[hub.head], **theirs})
    plan = adapter(hub).plan(next_release(release, shards=2))
    assert plan.left == ("data/extra.csv", "data/extra.parquet", "notes.md")
    assert plan.deletes == ("data/train-00000-of-00001.parquet",)
    assert {name for name, _ in plan.replaces} == {"README.md", "release.json"}
    adapter(hub).publish(release.parent / "next")
    tree = hub.commits[hub.head]
    assert {path: tree[path] for path in theirs} == theirs
    assert tree[".gitattributes"] == regular(".gitattributes", b"*.bin filter=lfs\n")
    assert "data/train-00000-of-00001.parquet" not in tree


def test_a_file_of_somebody_elses_with_our_name_is_not_overwritten(hub: HubState, release: Path) -> None:
    adapter(hub).publish(release)
    path = "data/train-00001-of-00002.parquet"
    hub.commit({**hub.commits[hub.head], path: regular(path, b"theirs")})
    with pytest.raises(HubError, match=rf"holds a file {path} that no release of ours lists"):
        adapter(hub).publish(next_release(release, shards=2))
    assert hub.commits[hub.head][path] == regular(path, b"theirs")


def test_a_readme_that_was_edited_there_is_shown_and_kept_or_replaced(hub: HubState, release: Path) -> None:
    adapter(hub).publish(release)
    edited = regular("README.md", b"---\nlicense: cc0-1.0\n---\n\nBetter words\n")
    hub.commit({**hub.commits[hub.head], "README.md": edited})
    folder = next_release(release)
    assert "-Better words" in adapter(hub).plan(folder).edited
    with pytest.raises(HubError, match=r"README\.md was edited there; set publish\.edited_readme") as caught:
        adapter(hub).publish(folder)
    assert "  -Better words\n  +Version 1.1.0" in str(caught.value)
    assert hub.tags == {"v1.0.0": list(hub.commits)[1]}
    adapter(hub, edited_readme="keep").publish(folder)
    assert hub.commits[hub.head]["README.md"] == edited
    assert adapter(hub, edited_readme="keep").publish(folder).unchanged
    third = release.parent / "third"
    write_release(third, version="1.2.0", digest="c" * 64)
    adapter(hub, edited_readme="replace").publish(third)
    assert hub.commits[hub.head]["README.md"] == regular("README.md", (third / "README.md").read_bytes())


def test_an_older_version_does_not_become_main(hub: HubState, release: Path) -> None:
    adapter(hub).publish(next_release(release, version="2.0.0"))
    head = hub.head
    with pytest.raises(HubError, match=r"holds v2\.0\.0 already, and v1\.0\.0 would go backwards"):
        adapter(hub).publish(release)
    assert (hub.head, set(hub.tags)) == (head, {"v2.0.0"})


def test_a_plan_makes_nothing_and_knows_what_is_there(hub: HubState, release: Path) -> None:
    plan = adapter(hub).plan(release)
    assert hub.private is None
    assert [name for name, _ in plan.adds] == sorted([*(p for p in plan_names(release)), "release.json"])
    adapter(hub).publish(release)
    assert adapter(hub).plan(release).there
    assert not [request for request in hub.requests[-6:] if request.startswith(("PUT", "POST"))]


def plan_names(release: Path) -> list[str]:
    return sorted(
        path.relative_to(release).as_posix()
        for path in release.rglob("*")
        if path.is_file() and path.name != "release.json"
    )


@pytest.mark.parametrize(
    "part",
    [
        "/create",
        "/auth-check",
        "/refs",
        "/tree/",
        "/preupload/",
        "/batch",
        "PUT /lfs",
        "/commit/",
        "/tag/",
        "/resolve/",
    ],
)
@pytest.mark.parametrize("status", [429, 503, 0])
def test_a_busy_hub_is_asked_again_on_every_call(
    hub: HubState, release: Path, part: str, status: int
) -> None:
    hub.once[part] = [status, status]
    receipt = adapter(hub).publish(release)
    assert hub.once[part] == []
    assert hub.tags == {"v1.0.0": receipt.revision}
    assert len(hub.commits) == 2
    if part in ("/refs", "/tag/") and status:  # the library waits for the others
        assert 7.0 in WAITED  # what the Hub's Retry-After asks for


@pytest.mark.parametrize("part", ["/commit/", "/tag/"])
def test_an_answer_that_is_lost_is_no_second_commit(hub: HubState, release: Path, part: str) -> None:
    hub.once[part] = [-1]
    try:
        adapter(hub).publish(release)
    except HubError:
        assert part == "/tag/"
    assert adapter(hub).publish(release).unchanged is (True)
    assert len(hub.commits) == 2
    assert hub.tags == {"v1.0.0": hub.head}


def test_the_tree_is_read_to_its_last_page(hub: HubState, tmp_path: Path) -> None:
    write_release(tmp_path / "many", shards=12)
    hub.page = 5
    adapter(hub).publish(tmp_path / "many")
    assert adapter(hub).publish(tmp_path / "many").unchanged


def test_who_may_not_write_learns_it_before_anything_is_hashed(hub: HubState, release: Path) -> None:
    hub.faults = {"/auth-check": 403}
    (release / "README.md").write_text("edited: would be refused when it is hashed")
    with pytest.raises(HubError, match="cannot write there: the token may not write there"):
        adapter(hub).publish(release)


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (
            "POST /api/repos/create",
            401,
            "cannot create the repository: the Hub does not accept the token",
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
        adapter(hub).publish(release)
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    hub.faults.clear()
    adapter(hub).publish(release)
    assert "v1.0.0" in hub.tags


def test_a_wrong_token_is_one_line(hub: HubState, release: Path) -> None:
    with pytest.raises(
        HubError, match="the Hub does not accept the token: log in with `hf auth login`"
    ) as caught:
        adapter(hub, token="hf_wrong").publish(release)
    assert "hf_wrong" not in str(caught.value)


def test_a_card_that_the_hub_refuses_is_told(hub: HubState, release: Path) -> None:
    hub.card_errors = ['"license" must be one of [apache-2.0, mit]']
    with pytest.raises(HubError, match=r'cannot upload: it is refused: .*"license" must be one of') as caught:
        adapter(hub).publish(release)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_none_is_refused(hub: HubState, release: Path) -> None:
    with pytest.raises(HubError, match=r"publish\.repo = 'a/b/c' is not owner/name"):
        adapter(hub, repo="a/b/c").publish(release)


@pytest.mark.usefixtures("hub")
def test_nobody_answers(release: Path) -> None:
    with serving() as gone:
        pass
    with pytest.raises(HubError, match=r"the Hub does not answer .*check the network and HF_ENDPOINT"):
        adapter(gone).publish(release)


def test_offline_is_one_line(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    utils.close_session()
    api = huggingface_hub.HfApi(endpoint="http://127.0.0.1:9", token=TOKEN)
    with pytest.raises(HubError, match="the Hub does not answer"):
        HuggingFaceHub("owner/name", api=api).publish(release)


def test_a_program_without_a_terminal_that_imported_nothing_else_can_publish() -> None:
    """The library is lazy: what other tests have imported hides a submodule that nobody asked for."""
    program = (
        "from curate.adapters.huggingface_hub import HuggingFaceHub as H; H('a/b')._calls.foreign_errors()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")

"""What the Hub as a target refuses, says and reads: visibility, rights, progress, what others may hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.adapters import hub_release
from curate.errors import HubError
from tests.adapters.fake_hub import TOKEN, HubState, regular
from tests.adapters.releases import write_release
from tests.adapters.test_huggingface_hub import SAID, WAITED, adapter

huggingface_hub = pytest.importorskip("huggingface_hub")
hub_errors = pytest.importorskip("huggingface_hub.errors")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_release(tmp_path / "release")
    return tmp_path / "release"


def test_a_public_repository_is_refused_where_a_private_one_is_wanted(hub: HubState, release: Path) -> None:
    adapter(hub, private=False).publish(release)
    assert hub.private is False
    write_release(release.parent / "next", version="1.1.0", digest="b" * 64)
    for action in ("plan", "publish"):
        with pytest.raises(
            HubError, match=r"owner/name is public, and publish\.private is true: set it to false"
        ):
            getattr(adapter(hub), action)(release.parent / "next")
    assert set(hub.tags) == {"v1.0.0"}
    hub.private = True
    adapter(hub).publish(release.parent / "next")
    assert set(hub.tags) == {"v1.0.0", "v1.1.0"}


def test_the_plan_says_who_will_see_it(hub: HubState, release: Path) -> None:
    first = next(adapter(hub).plan(release).lines())
    assert first.startswith("owner/name (a new repository, private): version 1.0.0, ")
    assert next(adapter(hub, private=False, gated="auto").plan(release).lines()).startswith(
        "owner/name (a new repository, public, gated): "
    )
    hub.private = False
    hub.commit({})
    assert next(adapter(hub, private=False).plan(release).lines()).startswith("owner/name (public): ")


def test_a_gated_repository_is_gated_before_anything_is_in_it(hub: HubState, release: Path) -> None:
    adapter(hub, private=False, gated="manual").publish(release)
    assert (hub.private, hub.gated) == (False, "manual")
    order = [request for request in hub.requests if "/settings" in request or "/commit/" in request]
    assert order == ["PUT /api/datasets/owner/name/settings", "POST /api/datasets/owner/name/commit/main"]
    assert adapter(hub, private=False).publish(release).unchanged


def test_a_repository_that_a_half_made_try_left_open_gets_nothing(hub: HubState, release: Path) -> None:
    hub.private = False
    hub.commit({})
    for gated, there, says in (("auto", False, "not gated"), ("manual", "auto", "gated as auto")):
        hub.gated = there
        for action in ("plan", "publish"):
            with pytest.raises(
                HubError, match=f"owner/name is {says}, and publish.gated is {gated}: gate it"
            ):
                getattr(adapter(hub, private=False, gated=gated), action)(release)
    assert not hub.tags
    hub.gated = "manual"
    adapter(hub, private=False, gated="auto").publish(release)
    assert set(hub.tags) == {"v1.0.0"}


def test_a_gated_repository_that_one_was_not_let_into_says_so(hub: HubState, release: Path) -> None:
    adapter(hub).publish(release)
    hub.gated, hub.admitted = "manual", False
    write_release(release.parent / "next", version="1.1.0", digest="b" * 64)
    with pytest.raises(HubError, match=r"cannot read release\.json: it is gated: ask for access on its page"):
        adapter(hub).publish(release.parent / "next")
    with pytest.raises(HubError, match=r"hf://owner/name@v1\.0\.0 cannot be read: .*gated") as caught:
        hub_release.fetch("hf://owner/name@v1.0.0")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("roles", "why"),
    [({}, "is not of that organization"), ({"signs": "read"}, "may only read there")],
)
def test_an_organisation_that_one_may_not_write_in_is_told_before_anything_is_hashed(
    hub: HubState, release: Path, roles: dict[str, str], why: str
) -> None:
    (release / "README.md").write_text("edited: would be refused when it is hashed")
    hub.organizations = roles
    for action in ("plan", "publish"):
        with pytest.raises(
            HubError, match=f"^signs/streets: cannot create it: the token is owner's, who {why}$"
        ):
            getattr(adapter(hub, repo="signs/streets"), action)(release)
    assert hub.private is None


def test_a_member_who_may_write_can_plan_for_an_organisation(hub: HubState, release: Path) -> None:
    hub.organizations = {"signs": "write"}
    plan = adapter(hub, repo="signs/streets").plan(release)
    assert (plan.location, plan.there, len(plan.adds)) == ("signs/streets", False, 4)


@pytest.mark.parametrize("action", ["plan", "publish"])
@pytest.mark.parametrize(
    ("setup", "message"),
    [
        ("name", r"publish\.repo = 'a/b/c' is not owner/name"),
        ("token", "the Hub does not accept the token"),
        ("rights", "cannot write there: the token may not write there"),
    ],
)
def test_name_token_and_rights_come_before_hashing(
    hub: HubState, release: Path, setup: str, message: str, action: str
) -> None:
    if setup == "rights":
        adapter(hub).publish(release)
        hub.faults["/auth-check"] = 403
    (release / "README.md").write_text("edited: would be refused when it is hashed")
    made = {
        "name": lambda: adapter(hub, repo="a/b/c"),
        "token": lambda: adapter(hub, token="hf_wrong"),
        "rights": lambda: adapter(hub),
    }[setup]()
    with pytest.raises(HubError, match=message):
        getattr(made, action)(release)


def test_an_upload_says_its_bytes_now_and_then(hub: HubState, tmp_path: Path) -> None:
    """Without a terminal; the library's bars are off then."""
    write_release(tmp_path / "large", data=bytes(range(256)) * 8000, shards=4)
    hub.slow_s = 0.2
    adapter(hub, say_every_s=0.05).publish(tmp_path / "large")
    size = sum(
        path.stat().st_size for path in (tmp_path / "large").rglob("*") if path.name != ".gitattributes"
    )
    whole = f"of {size / 1e6:,.1f} MB"
    assert len(SAID) >= 2
    assert all(line.startswith("owner/name: ") and line.endswith(whole) for line in SAID)
    sent = [float(line.split()[1]) for line in SAID]
    assert sent == sorted(sent)
    assert sent[-1] > 0
    assert adapter(hub).publish(tmp_path / "large").unchanged
    assert SAID == []


def test_a_failed_upload_goes_on_where_it_ended(hub: HubState, tmp_path: Path) -> None:
    write_release(tmp_path / "many", shards=60)
    first = adapter(hub)
    calls = {"made": 0}
    upload = first._api.preupload_lfs_files

    def breaks(*args: object, **more: object) -> object:
        calls["made"] += 1
        if calls["made"] > 1:
            raise ValueError("the power failed")
        return upload(*args, **more)

    first._api.preupload_lfs_files = breaks
    with pytest.raises(HubError, match="the power failed"):
        first.publish(tmp_path / "many")
    arrived = len(hub.blobs)
    assert 40 < arrived < 60  # a batch; small files of it go with the commit
    assert hub.tags == {}
    hub.requests.clear()
    adapter(hub).publish(tmp_path / "many")
    assert len([request for request in hub.requests if request.startswith("PUT /lfs")]) == 60 - arrived
    assert hub.tags == {"v1.0.0": hub.head}


@pytest.mark.parametrize("status", [500, 502])
def test_retry_after_is_heeded(hub: HubState, release: Path, status: int) -> None:
    hub.once["/refs"] = [status, 429]
    adapter(hub).publish(release)
    assert 7.0 in WAITED
    assert max(WAITED) <= 300


def test_what_is_not_there_is_said(hub: HubState, release: Path) -> None:
    """404 of a repository, of a revision and of a file."""
    with pytest.raises(HubError, match=r"hf://owner/name@v1\.0\.0 cannot be read: .*Repository Not Found"):
        hub_release.fetch("hf://owner/name@v1.0.0")
    adapter(hub).publish(release)
    with pytest.raises(HubError, match=r"hf://owner/name@v9\.0\.0 cannot be read: .*Revision Not Found"):
        hub_release.fetch("hf://owner/name@v9.0.0")
    api = huggingface_hub.HfApi(endpoint=hub.url, token=TOKEN)
    with pytest.raises(hub_errors.EntryNotFoundError):
        api.hf_hub_download("owner/name", "nowhere.txt", repo_type="dataset")


def test_a_broken_release_json_makes_nothing_ours(hub: HubState, release: Path) -> None:
    adapter(hub).publish(release)
    hub.commit({**hub.commits[hub.head], "release.json": regular("release.json", b"{broken")})
    write_release(release.parent / "next", version="1.1.0", digest="b" * 64, data=b"other")
    head = hub.head
    with pytest.raises(HubError, match="that no release of ours lists"):
        adapter(hub).publish(release.parent / "next")
    assert hub.head == head


def test_a_file_whose_connection_breaks_in_its_middle_is_read_on_from_there(
    hub: HubState, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 67
    )  # 10 MB, of which none came whole
    adapter(hub).publish(release)
    name = "data/train-00000-of-00001.parquet"
    hub.once["GET /datasets/owner/name/resolve"] = [-1]
    api = huggingface_hub.HfApi(endpoint=hub.url, token=TOKEN)
    path = api.hf_hub_download("owner/name", name, repo_type="dataset", cache_dir=tmp_path / "cache")
    content = (release / name).read_bytes()
    assert Path(path).read_bytes() == content
    assert hub.ranges == [f"bytes={len(content) // 2 // 67 * 67}-"]

"""Pull: whatever happened, in whatever steps it is read, the same server gives the same rows."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from curate.adapters.labelstudio import client, decode_regions, encode_regions
from curate.adapters.labelstudio import pull as labelstudio_pull
from curate.adapters.labelstudio.push_plan import CLOSED
from curate.errors import AnnotationToolError, StorageError
from curate.ports import ProjectRef
from curate.ports.pulled import PullCounts, Snapshot, WantedTask
from tests.adapters.fake_labelstudio import HEIGHT, PROJECT, WIDTH, FakeLabelStudio

Rows = tuple[list[dict[str, Any]], list[dict[str, Any]]]
REFERENCE = ProjectRef(PROJECT, "http://127.0.0.1:1/projects/7/data")
KEYS = [f"task-{number}" for number in range(4)]
WANTED = {key: WantedTask(f"image of {key}", WIDTH, HEIGHT, 2) for key in KEYS}


def pull(server: FakeLabelStudio, path: Path | None = None, **changes: Any) -> tuple[Rows, PullCounts, Any]:
    """Annotations and answers as rows, and how they were read."""

    with labelstudio_pull.pull(server.client(), [REFERENCE], WANTED, path=path, **changes) as snapshot:
        return rows_of(snapshot), snapshot.counts, snapshot.progress


def rows_of(snapshot: Snapshot) -> Rows:
    annotations = [row for piece in snapshot.annotations() for row in piece]
    answers = [row for piece in snapshot.answers() for row in piece]
    assert answers == [row for piece in snapshot.answers() for row in piece]  # can be read again
    return annotations, answers


def box(identity: str, x: float = 10.0, category: str = "stop_sign") -> dict[str, Any]:
    return encode_regions.rectangle_region(identity, (x, 10, x + 20, 40), category, WIDTH, HEIGHT)


@pytest.fixture
def server() -> FakeLabelStudio:
    """Two tasks answered by one or two people."""
    made = FakeLabelStudio()
    for key in KEYS:
        made.add_task(key)
    made.answer(1, 1, [box("a")])
    made.answer(1, 2, [box("b"), box("c", 60)])
    made.answer(2, 1)
    made.pass_time(3600)
    return made


STEPS = [
    "answer", "again", "late", "change", "late change", "delete", "delete in bulk", "delete task", "new task",
    "rename", "leave", "other data", "wait", "wait long", "pull",
]  # fmt: skip


def step(server: FakeLabelStudio, name: str, chance: random.Random) -> None:
    """Something that people do on the server, or time that passes."""
    tasks = sorted(server.tasks)
    task = chance.choice(tasks) if tasks else server.add_task(chance.choice(KEYS))
    answers = sorted(server.tasks[task]["annotations"])
    regions = [box(f"r{n}", chance.uniform(0, 100)) for n in range(chance.randrange(3))]
    user = chance.choice([1, 2])
    late = chance.uniform(0, 50) if "late" in name else 0
    if name in {"answer", "again", "late"}:
        server.answer(task, user, regions, late_s=late, was_cancelled=chance.random() < 0.3)
    elif name in {"change", "late change"} and answers:
        server.change(task, chance.choice(answers), result=regions, late_s=late)
    elif name in {"delete", "delete in bulk"} and answers:
        zone = chance.choice([-7, 0, 9]) if name == "delete in bulk" else 0
        server.delete_answer(task, chance.choice(answers), zone_h=zone)
    elif name == "delete task":
        del server.tasks[task]
    elif name == "new task":
        server.add_task(chance.choice(KEYS))
    elif name == "rename" and user in server.users:
        server.users[user] = f"{chance.choice('pqr')}@x.invalid"
    elif name == "leave":
        server.leave(user)
    elif name == "other data":
        server.tasks[task]["data"] = {**server.tasks[task]["data"], "width": chance.choice([WIDTH, 320])}
        server.tasks[task]["updated_at"] = server.now
    server.pass_time({"wait": 90, "wait long": 7200}.get(name, chance.choice([0.00001, 0.001, 3.0])))


@given(st.lists(st.sampled_from(STEPS), max_size=25), st.integers(0, 2**32 - 1))
@example(["answer", "pull", "rename", "leave"], 1)
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_steps_or_at_once_the_same_server_gives_the_same_rows(
    tmp_path: Path, steps: list[str], seed: int
) -> None:
    server, path = FakeLabelStudio(), tmp_path / "cache.sqlite"
    path.unlink(missing_ok=True)
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    for key in KEYS:
        server.add_task(key)
    for name in steps:
        if name == "pull":
            pull(server, path)
        else:
            step(server, name, chance)
    assert pull(server, path)[0] == pull(server)[0] == pull(server, path, full=True)[0]


def test_the_order_in_which_the_server_lists_answers_does_not_matter(server: FakeLabelStudio) -> None:
    first, _, _ = pull(server)
    for task in server.tasks.values():
        task["annotations"] = dict(reversed(task["annotations"].items()))
    assert pull(server)[0] == first


def test_only_what_changed_is_read(server: FakeLabelStudio, tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    assert pull(server, path)[1] == PullCounts(full=True, tasks_read=4, tasks_gone=0)
    server.pass_time(3600)
    server.answer(3, 2, [box("d")])
    server.asked.clear()
    (annotations, _), counts, _ = pull(server, path)
    assert counts == PullCounts(full=False, tasks_read=1, tasks_gone=0)
    assert len(annotations) == 5
    read = [asked for path, asked in server.asked if path == "/api/tasks/" and asked.get("fields") == "all"]
    assert [json.loads(asked["query"])["selectedItems"]["included"] for asked in read] == [[3]]


@pytest.mark.parametrize("what", ["answer", "task"])
def test_deletions_travel(server: FakeLabelStudio, tmp_path: Path, what: str) -> None:
    path = tmp_path / "cache.sqlite"
    before, _, _ = pull(server, path)
    server.pass_time(3600)
    if what == "task":
        del server.tasks[1]
    else:
        server.delete_answer(1, min(server.tasks[1]["annotations"]), zone_h=-7)
    after, counts, _ = pull(server, path)
    assert (len(before[1]), len(after[1])) == (3, 1 if what == "task" else 2)
    assert counts.tasks_gone == (what == "task")
    assert not counts.full


def test_an_older_answer_is_superseded_and_kept(server: FakeLabelStudio) -> None:
    server.answer(1, 2, [box("z")])
    (annotations, answers), _, progress = pull(server)
    assert len(annotations) == 3  # a; z; the empty one
    assert [(row["annotator_id"], row["superseded"]) for row in answers].count(("ben@x.invalid", True)) == 1
    assert (progress.superseded, progress.slots_done, progress.tasks_done) == (1, 3, 1)


def test_an_answer_that_our_rules_stumble_over_is_unreadable_and_ends_no_pull(
    server: FakeLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = decode_regions.read

    def stumbling(work: decode_regions.Work, *args: Any, **changes: Any) -> decode_regions.Reading:
        if any(region["id"] == "odd" for region in work.regions):
            raise KeyError("odd")
        return real(work, *args, **changes)

    monkeypatch.setattr(decode_regions, "read", stumbling)
    server.answer(3, 1, [box("odd")])
    server.answer(3, 2, ["no region at all"])  # type: ignore[list-item]
    draft = {"user": "ben@x.invalid", "result": [box("odd")], "lead_time": 4.0}
    times = {"created_at": "2026-11-01T12:00:00Z", "updated_at": "2026-11-01T12:00:00Z"}
    server.tasks[4]["drafts"] = [{**draft, **times}]
    server.tasks[4]["updated_at"] = server.now
    (annotations, answers), counts, progress = pull(server, tmp_path / "cache.sqlite")
    odd = [row for row in answers if row["task_id"] == "task-2"]
    assert [row["outcome"] for row in odd] == ["unreadable"] * 2
    assert {row["outcome"] for row in annotations if row["task_id"] == "task-2"} == {"unreadable"}
    kept = [json.loads(row["raw"]) for row in sorted(odd, key=lambda row: row["annotator_id"])]
    assert kept == [[box("odd")], ["no region at all"]]
    assert counts.n_unreadable == 2
    assert "curate failed on it, please report: KeyError('odd')" in counts.unreadable
    assert [row["task_id"] for row in answers if row["outcome"] == "draft"] == ["task-3"]
    assert progress.slots_done == 5


def test_an_answer_about_another_picture_is_kept_unreadable_and_asked_anew(server: FakeLabelStudio) -> None:
    """As push leaves it: the edited task is closed as it is, and the key has a new one."""
    _, _, before = pull(server)
    server.tasks[1]["data"]["image"] = "another"
    (annotations, answers), counts, progress = pull(server)
    assert {row["outcome"] for row in annotations if row["task_id"] == KEYS[0]} == {"unreadable"}
    assert [row["outcome"] for row in answers if row["task_id"] == KEYS[0]] == ["unreadable"] * 2
    assert (counts.edited_tasks, counts.unreadable) == (1, {"task shows another image": 2})
    assert (before.slots_done, progress.slots_done) == (3, 1)
    server.answer(server.add_task(KEYS[0]), 1, [box("new")])
    server.pass_time(5)
    late = server.answer(1, 1, [box("late")])  # on a page that was still open
    (annotations, answers), counts, progress = pull(server)
    seen = [row for row in answers if row["task_id"] == KEYS[0] and row["annotator_id"] == "anna@x.invalid"]
    assert sorted((row["outcome"], row["superseded"]) for row in seen) == [
        ("submitted", False), ("unreadable", True), ("unreadable", True),
    ]  # fmt: skip
    assert late in server.tasks[1]["annotations"]
    assert progress.slots_done == 2


def test_an_answer_about_ours_supersedes_everybodys_about_another_picture(server: FakeLabelStudio) -> None:
    """One look is wanted: who saw the other picture is not asked again, and held the image back for ever."""
    server.tasks[2]["data"]["image"] = "another"  # anna has answered it
    unreadable = {"task shows another image": 1}
    assert pull(server)[1].unreadable == unreadable
    anew = server.add_task(KEYS[1])
    server.answer(anew, 2, [box("machine's")], lead_time=None)  # made without a page: nobody's look
    assert pull(server)[1].unreadable == unreadable
    server.answer(anew, 2, [box("new")])
    (annotations, answers), counts, progress = pull(server)
    ours = [row for row in annotations if row["task_id"] == KEYS[1]]
    assert [(row["annotator_id"], row["outcome"]) for row in ours] == [("ben@x.invalid", "object")]
    kept = [row for row in answers if row["task_id"] == KEYS[1] and row["outcome"] != "unattended"]
    assert {(row["annotator_id"], row["outcome"], row["superseded"]) for row in kept} == {
        ("anna@x.invalid", "unreadable", True), ("ben@x.invalid", "submitted", False),
    }  # fmt: skip
    assert (counts.n_unreadable, progress.superseded) == (0, 1)


@pytest.mark.parametrize(
    ("form", "same"), [("/up/0a-{}.jpg", True), ("/{}_blurred.jpg", False), ("/old/{}-crop.png", False)]
)
def test_an_image_is_known_by_the_whole_name_of_its_file(
    server: FakeLabelStudio, form: str, *, same: bool
) -> None:
    server.tasks[2]["data"]["image"] = form.format(server.tasks[2]["data"]["image_id"])
    counts = pull(server)[1]
    assert (counts.edited_tasks, counts.n_unreadable) == ((0, 0) if same else (1, 1))


def test_an_edited_task_that_push_has_closed_is_not_counted_again(
    server: FakeLabelStudio, tmp_path: Path
) -> None:
    path = tmp_path / "cache.sqlite"
    server.tasks[2]["data"]["image"] = "another"
    assert pull(server, path)[1].edited_tasks == 1
    server.tasks[2]["data"][CLOSED] = "yes"
    server.tasks[2]["updated_at"] = server.now
    assert pull(server, path)[1].edited_tasks == 0


def test_a_cache_of_an_older_version_is_read_anew(server: FakeLabelStudio, tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE answers (project INTEGER, task INTEGER, number INTEGER, look INTEGER)")
        old.execute("CREATE TABLE tasks (project INTEGER, number INTEGER, edited INTEGER)")
    assert pull(server, path) == pull(server)
    assert pull(server, path)[1].tasks_read == 0


def test_drafts_are_rows_that_count_for_nothing(server: FakeLabelStudio, tmp_path: Path) -> None:
    before = pull(server, tmp_path / "cache.sqlite")
    server.tasks[4]["drafts"] = [
        {"user": "ben@x.invalid", "result": [box("x")], "lead_time": 4.0,
         "created_at": "2026-11-01T13:00:00.000000Z", "updated_at": "2026-11-01T13:01:00.000000Z"},
    ]  # fmt: skip
    (annotations, answers), _, progress = pull(server, tmp_path / "cache.sqlite")
    (draft,) = [row for row in answers if row["outcome"] == "draft"]
    assert (draft["task_id"], draft["annotator_id"], draft["lead_time_s"]) == ("task-3", "ben@x.invalid", 4.0)
    assert (annotations, progress) == (before[0][0], before[2])


def test_work_of_somebody_who_left_keeps_its_name(server: FakeLabelStudio) -> None:
    server.leave(2)
    (_, answers), _, _ = pull(server)
    assert {row["annotator_id"] for row in answers} == {"anna@x.invalid", "ben@x.invalid"}


def test_two_deleted_accounts_are_two_people(server: FakeLabelStudio) -> None:
    server.answer(3, 0, completed_by=None)
    server.answer(3, 0, completed_by=None)  # at the same time
    (_, answers), counts, progress = pull(server)
    gone = {row["annotator_id"] for row in answers if row["task_id"] == "task-2"}
    assert len(gone) == 2
    assert all(name.startswith("deleted account ") for name in gone)
    assert counts.nameless == 2
    assert (progress.superseded, progress.slots_done) == (0, 5)


def remove_cache(_: FakeLabelStudio, path: Path) -> None:
    path.unlink()


def another_category(server: FakeLabelStudio, _: Path) -> None:
    """The cache is emptied before anybody looks into it."""
    server.config = server.config.replace("parking_sign", "yield_sign")


def leave_plan(server: FakeLabelStudio, path: Path) -> None:
    """Every task, for a while."""
    with labelstudio_pull.pull(server.client(), [REFERENCE], {}, path=path):
        pass


@pytest.mark.parametrize("loss", [remove_cache, another_category, leave_plan])
def test_the_name_of_a_deleted_account_is_kept_whatever_becomes_of_the_cache(
    server: FakeLabelStudio, tmp_path: Path, loss: Callable[[FakeLabelStudio, Path], None]
) -> None:
    path, names = tmp_path / "cache.sqlite", tmp_path / "names.json"
    before = pull(server, path, names=names)[0]
    delete_account(server, 2)
    loss(server, path)
    assert pull(server, path, names=names)[0] == before
    path.unlink()
    names.unlink()
    assert pull(server, path, names=names)[0] != before


def test_a_name_is_kept_of_whoever_answered_a_task_outside_the_plan(
    server: FakeLabelStudio, tmp_path: Path
) -> None:
    names = tmp_path / "names.json"
    with labelstudio_pull.pull(server.client(), [REFERENCE], {}, names=names):
        pass
    before = pull(server)[0]
    delete_account(server, 2)
    assert pull(server, names=names)[0] == before


def test_who_was_renamed_has_the_new_name_after_the_account_is_deleted(
    server: FakeLabelStudio, tmp_path: Path
) -> None:
    path, names = tmp_path / "cache.sqlite", tmp_path / "names.json"
    pull(server, path, names=names)
    server.users[2] = "benjamin@x.invalid"
    before = pull(server, path, names=names)[0]
    delete_account(server, 2)
    assert pull(server, path, names=names)[0] == before
    assert "benjamin@x.invalid" in {row["annotator_id"] for row in before[1]}


def test_a_name_is_kept_where_the_server_moves_to_another_address(
    server: FakeLabelStudio, tmp_path: Path
) -> None:
    path, names = tmp_path / "cache.sqlite", tmp_path / "names.json"
    before = pull(server, path, names=names)[0]
    delete_account(server, 2)
    server.url = "https://127.0.0.1:8081"
    assert pull(server, path, names=names)[0] == before
    server.created_at += timedelta(days=1)  # another server, which numbers its answers from 1 again
    _, counts, _ = pull(server, path, names=names)
    assert counts.nameless == 1


def test_names_that_an_earlier_version_kept_by_address_are_read(
    server: FakeLabelStudio, tmp_path: Path
) -> None:
    names = tmp_path / "names.json"
    before = pull(server, names=names)[0]
    (kept,) = json.loads(names.read_text(encoding="utf-8")).values()
    names.write_text(json.dumps({server.url: kept}), encoding="utf-8")
    delete_account(server, 2)
    assert pull(server, names=names)[0] == before
    server.url = "https://127.0.0.1:8081"
    assert pull(server, names=names)[0] == before


def test_a_damaged_file_of_names_is_named(server: FakeLabelStudio, tmp_path: Path) -> None:
    names = tmp_path / "names.json"
    names.write_text("[1", encoding="utf-8")
    with pytest.raises(AnnotationToolError, match=r"names\.json is damaged: restore it"):
        pull(server, names=names)


def delete_account(server: FakeLabelStudio, user: int) -> None:
    """The work stays and says nothing of whose it was; no time is set."""
    del server.users[user]
    for task in server.tasks.values():
        for answer in task["annotations"].values():
            if answer["completed_by"] == user:
                answer["completed_by"] = None


def overwrite(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def flip(path: Path) -> None:
    """One bit of one row's content, as a failing disk would."""
    with sqlite3.connect(path) as base:
        (content,) = base.execute("SELECT content FROM rows LIMIT 1").fetchone()
        base.execute(
            "UPDATE rows SET content = ? WHERE content = ?", (content[:-6] + b"\xff" + content[-5:], content)
        )


@pytest.mark.parametrize("damage", [overwrite, cut, flip, Path.unlink])
def test_a_damaged_cache_costs_a_full_pull_and_nothing_else(
    server: FakeLabelStudio, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "cache.sqlite"
    before, _, _ = pull(server, path)
    damage(path)
    after, counts, _ = pull(server, path)
    assert after == before
    assert counts.full
    assert not pull(server, path)[1].full


def test_a_cache_of_other_categories_is_read_anew(server: FakeLabelStudio, tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    server.answer(3, 1, [box("n", category="new_sign")])
    assert pull(server, path)[1].unreadable == {"unknown category new_sign": 1}
    server.config = '<View><RectangleLabels name="box"><Label value="new_sign"/></RectangleLabels></View>'
    rows, counts, _ = pull(server, path)
    assert counts.full
    assert "new_sign" in {row["category"] for row in rows[0]}


def test_a_pull_that_was_ended_goes_on_where_it_was(
    server: FakeLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curate.adapters.labelstudio.task_pages.CONTENT_PAGE", 1)
    path, left = tmp_path / "cache.sqlite", 2

    def ending(self: Any, page: Any, original: Any = labelstudio_pull._Pull._store) -> None:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        original(self, page)

    with monkeypatch.context() as patch:
        patch.setattr(labelstudio_pull._Pull, "_store", ending)
        with pytest.raises(KeyboardInterrupt):
            pull(server, path)
    server.answer(1, 1, [box("meanwhile")])
    rows, counts, _ = pull(server, path)
    assert rows == pull(server)[0]
    assert counts.tasks_read == 3  # two that were missing, and one that changed


def test_two_pulls_at_once_wait_for_each_other(
    server: FakeLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curate.adapters.labelstudio.answer_cache._BUSY_S", 0.1)
    path = tmp_path / "cache.sqlite"
    pull(server, path)
    with sqlite3.connect(path) as base:
        base.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match=r"cannot use .*cache\.sqlite \(database is locked\)"):
            pull(server, path)
    assert path.exists()


def failing(
    server: FakeLabelStudio, faults: list[Callable[[httpx.Request], httpx.Response]]
) -> client.Client:
    """A client whose first requests for tasks meet these faults."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/tasks/" and faults:
            return faults.pop(0)(request)
        return server.respond(request)

    made = server.client()
    made._http = httpx.Client(transport=httpx.MockTransport(respond))
    return made


def lost(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("dropped", request=request)


def gone(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def test_faults_are_waited_out_as_long_as_the_server_asks(server: FakeLabelStudio) -> None:
    expected, _, _ = pull(server)
    busy = httpx.Response(429, headers={"Retry-After": "17"}, json={})
    faults = [lost, lambda _: httpx.Response(500, text="locked"), lambda _: busy, gone]
    server.pauses.clear()
    with labelstudio_pull.pull(failing(server, faults), [REFERENCE], WANTED) as snapshot:
        assert rows_of(snapshot) == expected
    assert len(server.pauses) == 4
    assert 17.0 in server.pauses


def test_a_server_that_never_recovers_is_an_error_and_leaves_no_half_cache(
    server: FakeLabelStudio, tmp_path: Path
) -> None:
    path = tmp_path / "cache.sqlite"
    pull(server, path)
    kept = shutil.copy(path, tmp_path / "before.sqlite")
    server.answer(3, 1)
    broken = failing(server, [lambda _: httpx.Response(500)] * 99)
    with (
        pytest.raises(AnnotationToolError, match="HTTP 500"),
        labelstudio_pull.pull(broken, [REFERENCE], WANTED, path=path),
    ):
        pytest.fail("nothing to read")
    assert pull(server, path)[0] == pull(server, Path(kept))[0] == pull(server)[0]


def both(server: FakeLabelStudio, other: FakeLabelStudio) -> client.Client:
    """A client of a server that has the other's project too, as number 8."""

    def respond(request: httpx.Request) -> httpx.Response:
        number = request.url.params.get("project")
        asks_other = number == "8" or request.url.path == "/api/projects/8/"
        path = request.url.path.replace("/8/", f"/{PROJECT}/")
        return (other if asks_other else server).respond(
            httpx.Request("GET", request.url.copy_with(path=path))
        )

    made = server.client()
    made._http = httpx.Client(transport=httpx.MockTransport(respond))
    return made


@pytest.fixture
def other() -> FakeLabelStudio:
    """The same tasks in another project."""
    made = FakeLabelStudio(number=8)
    for key in KEYS:
        made.add_task(key)
    return made


def test_projects_of_single_labelers_are_joined_by_task(
    server: FakeLabelStudio, other: FakeLabelStudio, tmp_path: Path
) -> None:
    """blind: strict - the same tasks in a project for each labeler."""
    del server.tasks[1]["annotations"][min(server.tasks[1]["annotations"])]  # anna's
    other.answer(1, 1, [box("a")])
    made = both(server, other)
    projects = [REFERENCE, ProjectRef(8, "http://127.0.0.1:1/projects/8/data")]

    seen = []
    for _ in range(2):
        with labelstudio_pull.pull(made, projects, WANTED, path=tmp_path / "cache.sqlite") as snapshot:
            seen.append((rows_of(snapshot)[1], snapshot.progress))
    assert seen[0] == seen[1]
    answers, progress = seen[0]
    assert {row["annotator_id"] for row in answers if row["task_id"] == "task-0"} == {
        "anna@x.invalid", "ben@x.invalid"
    }  # fmt: skip
    assert (progress.slots_done, progress.tasks_done) == (3, 1)


def test_an_answer_in_a_colleagues_own_project_is_left_out_and_counted(
    server: FakeLabelStudio, other: FakeLabelStudio, tmp_path: Path
) -> None:
    """Whoever saw a colleague's work there is not blind any more, and was not asked."""
    anna, ben = "anna@x.invalid", "ben@x.invalid"
    ben_in_annas = max(server.tasks[1]["annotations"])
    server.delete_answer(1, ben_in_annas)
    projects = [
        ProjectRef(PROJECT, "http://127.0.0.1:1/projects/7/data", anna),
        ProjectRef(8, "http://127.0.0.1:1/projects/8/data", ben),
    ]
    other.pass_time(3600)
    other.answer(1, 2, [box("b")])
    with labelstudio_pull.pull(both(server, other), projects, WANTED) as snapshot:
        before, progress = rows_of(snapshot), snapshot.progress
    other.answer(1, 1, [box("copied", 60)])  # anna, later than her own
    other.answer(3, 1)  # what she has not answered herself
    other.answer(4, 1, [{**box("x"), "origin": "prediction"}], lead_time=None)  # nobody's look, wherever
    with labelstudio_pull.pull(both(server, other), projects, WANTED, path=tmp_path / "c.sqlite") as snapshot:
        annotations, answers = rows_of(snapshot)
        assert snapshot.progress == progress
        assert snapshot.counts.in_projects_of_others == {anna: 2}
    assert annotations == before[0]
    assert [row for row in answers if row["outcome"] != "unattended"] == before[1]
    assert not any(row["superseded"] for row in answers)


def test_capital_letters_make_nobody_a_stranger_in_their_own_project(server: FakeLabelStudio) -> None:
    """The server keeps addresses in lower case; params.yaml may have capitals."""
    tables = []
    for labeler in ("anna@x.invalid", "Anna@X.invalid"):
        annas = replace(REFERENCE, labeler=labeler)
        with labelstudio_pull.pull(server.client(), [annas], WANTED) as snapshot:
            assert "anna@x.invalid" not in snapshot.counts.in_projects_of_others
            tables.append((rows_of(snapshot), snapshot.progress))
    assert tables[0] == tables[1]
    assert {row["annotator_id"] for row in tables[0][0][1]} == {"anna@x.invalid"}


def test_work_of_a_deleted_account_stays_in_its_own_project(server: FakeLabelStudio) -> None:
    annas = replace(REFERENCE, labeler="anna@x.invalid")
    with labelstudio_pull.pull(server.client(), [annas], WANTED) as snapshot:
        before, looks = rows_of(snapshot), snapshot.progress.slots_done
    delete_account(server, 1)
    with labelstudio_pull.pull(server.client(), [annas], WANTED) as snapshot:
        after = rows_of(snapshot)
        assert (snapshot.counts.nameless, snapshot.progress.slots_done) == (len(before[1]), looks)
        assert set(snapshot.counts.in_projects_of_others) <= {"ben@x.invalid"}
    assert [len(rows) for rows in after] == [len(rows) for rows in before]


def test_what_is_begun_in_a_colleagues_own_project_is_left_out_too(server: FakeLabelStudio) -> None:
    draft = {"user": "anna@x.invalid", "result": [box("x")], "lead_time": 4.0}
    times = {"created_at": "2026-11-01T13:00:00Z", "updated_at": "2026-11-01T13:01:00Z"}
    server.tasks[4]["drafts"] = [{**draft, **times}]
    bens = replace(REFERENCE, labeler="ben@x.invalid")
    with labelstudio_pull.pull(server.client(), [bens], WANTED) as snapshot:
        assert {row["annotator_id"] for row in rows_of(snapshot)[1]} == {"ben@x.invalid"}
        assert snapshot.counts.in_projects_of_others == {"anna@x.invalid": 3}

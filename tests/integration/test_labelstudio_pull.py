"""Pull from the real server: what changed, what is gone, and every fault in between."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curate import schema, tables
from curate.adapters.labelstudio import accounts, client, encode_regions, project, server
from curate.adapters.labelstudio.connection import STATE_FOLDER, Connection
from curate.adapters.labelstudio.image_storage import LocalFiles
from curate.adapters.labelstudio.tool import LabelStudioReader
from curate.errors import AnnotationToolError
from curate.labeling import taxonomy
from curate.ports import ProjectSpec
from curate.ports.pulled import PullCounts, WantedTask
from tests import builders
from tests.integration import fault_proxy
from tests.integration.fault_proxy import FaultProxy
from tests.integration.labelstudio_servers import POSTGRESQL, SQLITE, Servers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
DATABASE = "pull"  # of the tests on PostgreSQL
PASSWORD = "a-long-password"
_numbers = itertools.count(1)
FIRST, SECOND = "pull-1@demo.invalid", "pull-2@demo.invalid"
WIDTH, HEIGHT = 160, 120
TASKS = 12
KEYS = [f"pull-{number:02d}" for number in range(TASKS)]
WANTED = {key: WantedTask(builders.image_id(key), WIDTH, HEIGHT, 2) for key in KEYS}
BOX = (20.0, 20.0, 80.0, 80.0)
Tables = tuple[bytes, bytes]


class Labeling:
    """A project of its own, half of whose tasks are answered, and what people do there."""

    def __init__(self, root: Path, connection: Connection) -> None:
        self.root, self.connection = root, connection
        self.administrator = client.Client(connection, timeout_s=60)
        images = root / "data/ingest/images"
        self.title = f"pulled {next(_numbers)}"
        spec = ProjectSpec(self.title, taxonomy.load(root / "taxonomy.yaml"), "Be kind.", 2, images)
        reference = project.ensure(self.administrator, spec, LocalFiles(images))
        self.path = f"/api/projects/{reference.project_id}"
        self.number = reference.project_id
        data = {"width": WIDTH, "height": HEIGHT}
        body = [
            {"data": {**data, "image": task.image_id, "task_id": key, "image_id": task.image_id}}
            for key, task in WANTED.items()
        ]
        reply = self.administrator.post(
            f"{self.path}/import", body, action="importing", return_task_ids="true"
        )
        self.tasks = dict(zip(KEYS, reply["task_ids"], strict=True))
        self.people = {one: accounts.ensure_user(connection, one, PASSWORD) for one in (FIRST, SECOND)}
        for key in KEYS[:6]:
            self.answer(key)
        self.answer(KEYS[0], SECOND)

    def answer(self, key: str, person: str = FIRST, result: list[Any] | None = None, **body: Any) -> int:
        regions = region_pair(person) if result is None else result
        answer = {"result": regions, "lead_time": 4.0, **body}
        path = f"/api/tasks/{self.tasks[key]}/annotations/"
        return int(self.people[person].post(path, answer, action="answering")["id"])

    def delete(self, path: str) -> None:
        self.administrator._request("DELETE", path, action="deleting")

    def delete_all_answers(self, *keys: str) -> None:
        """As the page does it in bulk."""
        chosen = {"selectedItems": {"all": False, "included": [self.tasks[key] for key in keys]}}
        self.administrator.post(
            "/api/dm/actions/", chosen, action="deleting", id="delete_tasks_annotations", project=self.number
        )


def region_pair(person: str) -> list[dict[str, Any]]:
    """A box and its mask."""
    rectangle = encode_regions.rectangle_region("r" + person[:6], BOX, "stop_sign", WIDTH, HEIGHT)
    return [rectangle, encode_regions.brush_region(rectangle["id"], builders.ellipse(BOX), "stop_sign")]


@pytest.fixture(scope="module", params=[SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.soak)])
def place(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Path, Connection]]:
    """A server that this module may restart, and its folder."""
    root = tmp_path_factory.mktemp("pull")
    builders.small_project(root, stage="select")
    if request.param == SQLITE:
        subprocess.run(["cp", "-r", str(servers.state()), str(root / STATE_FOLDER)], check=True)
        yield root, server.up(root)
    else:
        yield root, server.up(root, database_url=servers.address(DATABASE), workers=3)
    server.down(root)


@pytest.fixture
def labeling(place: tuple[Path, Connection]) -> Labeling:
    """A test's own project of twelve tasks."""
    return Labeling(*place)


@pytest.fixture(scope="module")
def shared(place: tuple[Path, Connection]) -> Labeling:
    """The same for tests that compare two readings and ask for nothing of what is read."""
    return Labeling(*place)


def pull(
    labeling: Labeling,
    folder: Path,
    cache: Path | None = None,
    *,
    through: Connection | None = None,
    timeout_s: float = 60,
) -> tuple[Tables, PullCounts]:
    """The two tables as bytes, and how they came about."""

    reader = LabelStudioReader(through or labeling.connection, cache=cache, timeout_s=timeout_s)
    with reader.pull(labeling.title, WANTED) as snapshot:
        for name, kind, pieces in (
            ("annotations", schema.ANNOTATIONS, snapshot.annotations),
            ("answers", schema.ANSWERS, snapshot.answers),
        ):
            with tables.stream(folder / name, kind) as writer:
                for piece in pieces():
                    writer.write(pa.Table.from_pylist(list(piece), schema=kind.arrow))
        counts = snapshot.counts
    return ((folder / "annotations").read_bytes(), (folder / "answers").read_bytes()), counts


def rows(content: bytes, folder: Path, kind: schema.TableSchema) -> list[dict[str, Any]]:
    (folder / "table").write_bytes(content)
    found: list[dict[str, Any]] = tables.read(folder / "table", kind).to_pylist()
    return found


def test_in_steps_and_at_once_the_tables_are_the_same_bytes(labeling: Labeling, tmp_path: Path) -> None:
    cache, read = tmp_path / "cache.sqlite", []
    number = labeling.answer(KEYS[6])
    spare = labeling.answer(KEYS[7])
    steps: list[Callable[[], Any]] = [
        lambda: None,
        lambda: labeling.answer(KEYS[8], SECOND, [], was_cancelled=True),
        lambda: labeling.administrator.patch(
            f"/api/annotations/{number}/", {"result": []}, action="changing"
        ),
        lambda: labeling.answer(KEYS[6], result=region_pair("again")),
        lambda: labeling.delete(f"/api/annotations/{spare}/"),
        lambda: labeling.delete_all_answers(KEYS[5], KEYS[4]),
        lambda: labeling.delete(f"/api/tasks/{labeling.tasks[KEYS[11]]}/"),
        lambda: labeling.people[SECOND].post(
            f"/api/tasks/{labeling.tasks[KEYS[9]]}/drafts",
            {"result": [], "lead_time": 2.0},
            action="drafting",
        ),
    ]
    for step in steps:
        step()
        stepwise, counts = pull(labeling, tmp_path, cache)
        assert stepwise == pull(labeling, tmp_path)[0]
        read.append((counts.full, counts.tasks_gone))
    assert read == [(True, 0), *[(False, 0)] * 5, (False, 1), (False, 0)]
    answers = rows(stepwise[1], tmp_path, schema.ANSWERS)
    told = {(row["task_id"], row["annotator_id"], row["outcome"], row["superseded"]) for row in answers}
    assert (KEYS[8], SECOND, "skipped", False) in told
    assert (KEYS[9], SECOND, "draft", False) in told
    assert {(KEYS[6], FIRST, "submitted", True), (KEYS[6], FIRST, "submitted", False)} <= told
    assert not {KEYS[4], KEYS[5], KEYS[7]} & {row["task_id"] for row in answers}
    objects = [row for row in rows(stepwise[0], tmp_path, schema.ANNOTATIONS) if row["outcome"] == "object"]
    assert {(tuple(row["bbox_xyxy"]), row["rle"]) for row in objects} == {
        (BOX, builders.rle(builders.ellipse(BOX)))
    }


def test_polygons_choices_notes_and_unknown_controls(labeling: Labeling, tmp_path: Path) -> None:
    corners = [[10.0, 10.0], [50.0, 10.0], [30.0, 60.0]]
    common = {"to_name": "image", "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    polygon = {
        **common, "id": "p", "type": "polygonlabels", "from_name": "polygon", "meta": {"text": ["sure?"]},
        "value": {"points": corners, "closed": True, "polygonlabels": ["stop_sign"]},
    }  # fmt: skip
    choice = {**common, "id": "c", "type": "choices", "from_name": "weather", "value": {"choices": ["rain"]}}
    rating = {**common, "id": "r", "type": "rating", "from_name": "stars", "value": {"rating": 4}}
    labeling.answer(KEYS[10], result=[polygon, choice, rating])
    ellipse = {**common, "id": "e", "type": "ellipselabels", "from_name": "e", "value": {"x": 1.0}}
    labeling.answer(KEYS[10], SECOND, result=[polygon, ellipse])
    (annotations, answers), counts = pull(labeling, tmp_path)
    assert counts.raw_regions == {"control of type rating": 1}
    assert (counts.n_unreadable, counts.unreadable) == (1, {"region of type ellipselabels": 1})
    of_task = [r for r in rows(annotations, tmp_path, schema.ANNOTATIONS) if r["task_id"] == KEYS[10]]
    assert {r["annotator_id"]: r["outcome"] for r in of_task} == {FIRST: "object", SECOND: "unreadable"}
    (row,) = [r for r in of_task if r["annotator_id"] == FIRST]
    assert row["polygon"] == "[[16.0, 12.0, 80.0, 12.0, 48.0, 72.0]]"
    assert row["rle"] is not None
    given = {
        r["annotator_id"]: r for r in rows(answers, tmp_path, schema.ANSWERS) if r["task_id"] == KEYS[10]
    }
    assert (given[FIRST]["choices"], given[FIRST]["comment"]) == ([("weather", ["rain"])], "sure?")
    assert "rating" in given[FIRST]["raw"]
    assert given[SECOND]["outcome"] == "unreadable"
    assert "ellipselabels" in given[SECOND]["raw"]
    assert "polygonlabels" in given[SECOND]["raw"]  # nothing of it is lost


FAULTS = {
    "dropped": (fault_proxy.drop_after, 2),
    "refused": (fault_proxy.refuse, 2),
    "500": (fault_proxy.status(500), 2),
    "bad gateway": (fault_proxy.failed_after(502), 2),
    "busy": (fault_proxy.status(429, retry_after="1"), 2),
    "slow": (fault_proxy.slow(6.0), 1),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("warm", [False, True], ids=["full", "incremental"])
def test_after_a_fault_exactly_the_right_answers(
    shared: Labeling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, warm: bool
) -> None:
    monkeypatch.setattr("curate.adapters.labelstudio.task_pages.CONTENT_PAGE", 4)  # several requests
    fault, count = FAULTS[name]
    with FaultProxy(shared.connection.url) as proxy:
        through = Connection(proxy.url, shared.connection.api_key, "a test")
        cache = tmp_path / "cache.sqlite"
        if warm:
            pull(shared, tmp_path, cache, through=through)
        shared.answer(KEYS[1], SECOND)
        expected, _ = pull(shared, tmp_path)
        proxy.plan(fault, when=fault_proxy.get_to("/api/tasks/"), count=count, skip=0 if warm else 1)
        timeout = 4.0 if name == "slow" else 30.0
        found, counts = pull(shared, tmp_path, cache, through=through, timeout_s=timeout)
        assert proxy.struck == count
    assert found == expected
    assert counts.full is not warm
    assert pull(shared, tmp_path, cache)[0] == expected


def test_a_restart_of_the_server_in_mid_pull(
    shared: Labeling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curate.adapters.labelstudio.task_pages.CONTENT_PAGE", 4)
    expected, _ = pull(shared, tmp_path)

    def restart() -> None:
        assert server.down(shared.root)
        server.up(shared.root)

    with FaultProxy(shared.connection.url) as proxy:
        proxy.plan(fault_proxy.then(restart), when=fault_proxy.get_to("/api/tasks/"), skip=2)
        through = Connection(proxy.url, shared.connection.api_key, "a test")
        found, _ = pull(shared, tmp_path, tmp_path / "cache.sqlite", through=through)
        assert proxy.struck == 1
    assert found == expected


@contextmanager
def locked(labeling: Labeling, servers: Servers) -> Iterator[None]:
    """Another program holds SQLite's file, or for some seconds PostgreSQL's table of tasks."""
    found = list((labeling.root / STATE_FOLDER / "data").glob("*.sqlite3"))
    if found:
        with closing(sqlite3.connect(found[0], isolation_level=None)) as base:
            base.execute("BEGIN EXCLUSIVE")
            yield
            base.execute("ROLLBACK")
        return
    held = threading.Event()
    thread = threading.Thread(
        target=servers.postgres.hold, args=("task", 3.0, held), kwargs={"database": DATABASE}
    )
    thread.start()
    assert held.wait(30)
    yield
    thread.join()


def test_a_locked_database_of_the_server(shared: Labeling, servers: Servers, tmp_path: Path) -> None:
    """The server answers 500 or late, and then again."""
    expected, _ = pull(shared, tmp_path)

    def failed_while_locked(_: Any, forward: Callable[[], Any]) -> Any:
        with locked(shared, servers):
            return forward()

    with FaultProxy(shared.connection.url) as proxy:
        proxy.plan(failed_while_locked, when=fault_proxy.get_to("/api/tasks/"), skip=1)
        through = Connection(proxy.url, shared.connection.api_key, "a test")
        found, _ = pull(shared, tmp_path, tmp_path / "cache.sqlite", through=through)
        assert proxy.struck == 1
    assert found == expected


KILLED = """
import sys
from pathlib import Path
from curate.adapters.labelstudio import task_pages
from curate.adapters.labelstudio import pull as labelstudio_pull
from curate.adapters.labelstudio.connection import resolve
from curate.adapters.labelstudio.tool import LabelStudioReader
from tests.integration.test_labelstudio_pull import WANTED

task_pages.CONTENT_PAGE, left, store = 4, 2, labelstudio_pull._Pull._store

def dying(self, page):
    global left
    left -= 1
    if left < 0:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    store(self, page)

labelstudio_pull._Pull._store = dying
with LabelStudioReader(resolve(Path(sys.argv[1])), cache=Path(sys.argv[2])).pull(sys.argv[3], WANTED):
    pass
"""


def test_killed_in_mid_pull_and_run_again(shared: Labeling, tmp_path: Path) -> None:
    cache = tmp_path / "cache.sqlite"
    command = [sys.executable, "-c", KILLED, str(shared.root), str(cache), shared.title]
    assert subprocess.run(command, check=False, timeout=120).returncode == -9
    found, counts = pull(shared, tmp_path, cache)
    assert found == pull(shared, tmp_path)[0]
    assert counts.tasks_read == 4  # of twelve: eight were kept


def test_a_pull_that_fails_writes_no_table(shared: Labeling, tmp_path: Path) -> None:
    with FaultProxy(shared.connection.url) as proxy:
        proxy.plan(fault_proxy.status(403), when=fault_proxy.get_to("/api/tasks/"), skip=1)
        through = Connection(proxy.url, shared.connection.api_key, "a test")
        with pytest.raises(AnnotationToolError, match="HTTP 403"):
            pull(shared, tmp_path, through=through)
    assert list(tmp_path.iterdir()) == []


def test_status_on_the_real_server(labeling: Labeling) -> None:
    rows_of_plan = [
        {
            "task_id": key, "slot": 0, "image_id": task.image_id, "reason": "review", "arm": "suggested",
            "priority": 0,
        }
        for key, task in WANTED.items()
    ]  # fmt: skip
    images = [builders.image(key, width=WIDTH, height=HEIGHT) for key in KEYS]
    builders.write_images(labeling.root / "data/dedupe/images.parquet", images)
    tables.write_rows(rows_of_plan, labeling.root / "data/select/plan.parquet", schema.PLAN)
    labeling.answer(KEYS[8], SECOND, [], was_cancelled=True)
    path = f"/api/tasks/{labeling.tasks[KEYS[9]]}/drafts"
    labeling.people[SECOND].post(path, {"result": [], "lead_time": 2.0}, action="drafting")
    (labeling.root / "params.yaml").write_text(f"labelstudio:\n  project: {labeling.title}\n")
    code = "from curate.cli import main; main()"
    command = [sys.executable, "-c", code, "qa", "status", "--root", str(labeling.root)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert told.stdout.startswith(
        f"{labeling.title}  {labeling.connection.url}/projects/{labeling.number}/data\n"
    )
    assert f"{FIRST}  answers " in told.stdout
    assert "1 begun, 1 skipped" in told.stdout


def test_answers_made_without_a_page_are_nobodys_looks(labeling: Labeling, tmp_path: Path) -> None:
    """A manager makes annotations from predictions in bulk: they are named, and the tasks stay open."""
    key = KEYS[3]
    region = {**region_pair("bulk")[0], "id": "curate-bulk"}
    prediction = {"task": labeling.tasks[key], "model_version": "bulk", "result": [region]}
    labeling.administrator.post("/api/predictions/", prediction, action="suggesting")
    before, _ = pull(labeling, tmp_path)
    chosen = {"selectedItems": {"all": False, "included": [labeling.tasks[key]]}}
    labeling.administrator.post(
        "/api/dm/actions/", chosen, action="bulk", id="predictions_to_annotations", project=labeling.number
    )
    reader = LabelStudioReader(labeling.connection)
    with reader.pull(labeling.title, WANTED) as snapshot:
        (manager,) = snapshot.counts.unattended
        assert snapshot.counts.unattended == {manager: 1}
        made = [row for piece in snapshot.answers() for row in piece if row["outcome"] == "unattended"]
        rows_of_task = [row for piece in snapshot.annotations() for row in piece if row["task_id"] == key]
    assert [(row["task_id"], row["annotator_id"]) for row in made] == [(key, manager)]
    assert {row["annotator_id"] for row in rows_of_task} == {FIRST}
    after, _ = pull(labeling, tmp_path)
    assert after[0] == before[0]  # the annotations are as they were


def test_an_edited_and_a_foreign_task_are_counted_and_break_nothing(
    labeling: Labeling, tmp_path: Path
) -> None:
    where, task = f"/api/tasks/{labeling.tasks[KEYS[2]]}/", WANTED[KEYS[2]]
    data = {"task_id": KEYS[2], "image_id": task.image_id, "image": task.image_id}
    before, counts = pull(labeling, tmp_path)
    assert (counts.edited_tasks, counts.foreign_tasks) == (0, 0)
    labeling.administrator.patch(where, {"data": {**data, "width": "wide"}}, action="editing")
    labeling.administrator.post(
        f"{labeling.path}/import", [{"data": {"image": "of others"}}], action="adding"
    )
    same, counts = pull(labeling, tmp_path)
    assert (counts.edited_tasks, counts.foreign_tasks) == (1, 1)
    assert same == before  # our tables know the size
    assert "task shows another image" not in counts.unreadable
    other = {**data, "width": task.width, "height": task.height, "image": "another.jpg"}
    labeling.administrator.patch(where, {"data": other}, action="editing")
    (annotations, _), counts = pull(labeling, tmp_path)
    assert counts.unreadable["task shows another image"] == 1
    outcomes = {
        row["outcome"] for row in rows(annotations, tmp_path, schema.ANNOTATIONS) if row["task_id"] == KEYS[2]
    }
    assert outcomes == {"unreadable"}
    labeling.administrator.patch(
        where, {"data": {**other, "image": task.image_id}}, action="putting it right"
    )
    assert pull(labeling, tmp_path)[0][0] == before[0]


def test_a_deleted_account_keeps_its_name_and_two_are_two_people(labeling: Labeling, tmp_path: Path) -> None:
    cache, names = tmp_path / "cache.sqlite", tmp_path / "names.json"
    people = [f"leaving-{number}@demo.invalid" for number in range(2)]
    for email in people:
        labeling.people[email] = accounts.ensure_user(labeling.connection, email, PASSWORD)
        labeling.answer(KEYS[1], email)
    known = LabelStudioReader(labeling.connection, cache=cache, names=names)
    unknown = LabelStudioReader(labeling.connection)
    with known.pull(labeling.title, WANTED):
        pass
    members = labeling.administrator.get("/api/users/", action="asking")
    for user in members:
        if user["email"] in people:
            labeling.delete(f"/api/users/{user['id']}/")
    for reader, expected in ((known, set(people)), (unknown, None)):
        with reader.pull(labeling.title, WANTED) as snapshot:
            given = [row for piece in snapshot.answers() for row in piece if row["task_id"] == KEYS[1]]
        names = {row["annotator_id"] for row in given} - {FIRST, SECOND}
        assert len(names) == 2
        assert names == expected if expected else all(name.startswith("deleted account ") for name in names)


def test_a_label_that_was_renamed_on_the_server_is_refused(labeling: Labeling) -> None:
    reader = LabelStudioReader(labeling.connection)
    images = labeling.root / "data/ingest/images"
    categories = taxonomy.load(labeling.root / "taxonomy.yaml")
    spec = ProjectSpec("renamed label", categories, "", 2, images)
    number = project.ensure(labeling.administrator, spec, LocalFiles(images)).project_id
    names = [category.name for category in categories]
    with reader.pull("renamed label", WANTED, labels=names):
        pass
    path = f"/api/projects/{number}/"
    found = labeling.administrator.get(path, action="asking")["label_config"]
    renamed = found.replace('value="parking_sign"', 'value="parking"', 1)  # in one of three controls
    labeling.administrator.patch(path, {"label_config": renamed}, action="renaming")
    with (
        pytest.raises(AnnotationToolError, match=r"labels of 'box' .* \(parking, parking_sign\): run `dvc"),
        reader.pull("renamed label", WANTED, labels=names),
    ):
        pytest.fail("nothing to read")

"""What teams run: PostgreSQL with several workers, more than 1,000 members, personal access tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from curate.adapters.labelstudio import accounts, client, connection, people, server
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.errors import AuthenticationError
from curate.labeling import taxonomy
from curate.ports import ProjectSpec, TaskDraft
from tests.integration import fault_proxy, labelstudio_servers
from tests.integration.fault_proxy import FaultProxy, post_to
from tests.integration.labelstudio_servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
MEMBERS = 1_200
PASSWORD = "a-long-password"


@pytest.fixture(scope="module")
def team(servers: Servers) -> Path:
    """The session's project whose labels are in PostgreSQL."""
    return servers.root(labelstudio_servers.POSTGRESQL)


def whoami(found: Connection) -> str:
    return str(client.Client(found, timeout_s=30).get("/api/current-user/whoami", action="asking")["email"])


def test_several_workers_answer_on_loopback_only(team: Path) -> None:
    status = server.status(team)
    master = psutil.Process(status.pid)
    workers = master.children()
    assert len(workers) == connection.read_credentials(connection.credentials_path(team)).workers == 3
    listening = {one.laddr.ip for one in master.net_connections() if one.status == "LISTEN"}
    assert listening == {"127.0.0.1"}
    assert whoami(connection.resolve(team)) == server.USERNAME
    assert not list((team / ".labelstudio/data").glob("*.sqlite3*"))


def test_no_password_in_process_lists_logs_and_messages(team: Path, servers: Servers) -> None:
    secret = servers.postgres.password  # its last four signs are encoded in an address
    lines = [" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])]
    assert any("gunicorn" in line for line in lines)
    assert not [line for line in lines if secret in line]
    assert secret not in server.log_path(team).read_text()
    holders = [p for p in team.rglob("*") if p.is_file() and secret[:-4].encode() in p.read_bytes()]
    assert holders == [connection.credentials_path(team)]
    assert secret not in repr(connection.read_credentials(holders[0]))


WATCH = """
import sys, time
from curate.adapters.labelstudio import server
def slow(root, **settings):
    print(settings["database_url"], flush=True)
    time.sleep(60)
server.up = slow
from curate.cli import main
main()
"""


def test_the_commands_own_line_loses_the_password_of_its_address(tmp_path: Path) -> None:
    url = "postgresql://ann:open%20sesame@db.example.org/labels"
    command = [sys.executable, "-c", WATCH, "labelstudio", "up", "--root", str(tmp_path), "--database", url]
    environment = {name: value for name, value in os.environ.items() if name != "PGPASSWORD"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "postgresql://ann@db.example.org:5432/labels\n"
            seen = psutil.Process(running.pid)
            assert "sesame" not in " ".join(seen.cmdline())
            assert seen.environ()["PGPASSWORD"] == "open sesame"
        finally:
            running.kill()


@pytest.fixture
def own_root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    server.down(tmp_path)


def test_a_database_that_cannot_be_used_is_one_line_and_not_remembered(
    own_root: Path, servers: Servers
) -> None:
    url = servers.postgres.database("refused").replace("@", ":open-sesame@")
    command = [sys.executable, "-c", "from curate.cli import main; main()", "labelstudio", "up"]
    command += ["--root", str(own_root)]
    environment = {**os.environ, "CURATE_LABEL_STUDIO_DATABASE": url}
    failed = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=300
    )
    assert failed.returncode == 1
    assert re.fullmatch(
        r"\S*curate: .*database cannot be prepared: see the end of \S+server.log \(postgresql://curate@\S+\)\n",
        failed.stderr,
    ), failed.stderr
    log = server.log_path(own_root).read_text()
    assert "password authentication failed" in log
    assert "open-sesame" not in failed.stderr + log
    assert connection.read_credentials(connection.credentials_path(own_root)).database is None


def test_a_crash_of_a_worker_and_of_the_master_lose_nothing(
    servers: Servers, own_root: Path, team: Path
) -> None:
    """A copy of the team's database, with a server of its own."""
    server.down(team)  # PostgreSQL copies only a database that nobody uses
    servers.postgres.database("copied", template=labelstudio_servers.POSTGRESQL)
    server.up(team)
    state = own_root / connection.STATE_FOLDER
    shutil.copytree(team / connection.STATE_FOLDER, state)
    (state / "server.json").unlink()
    path = connection.credentials_path(own_root)
    known = connection.read_credentials(path)
    moved = str(known.database).rpartition("/")[0] + "/copied"
    connection.write_credentials(
        path, connection.Credentials("", known.username, known.password, known.api_key, moved, 2)
    )
    found = server.up(own_root)
    master = psutil.Process(server.status(own_root).pid)
    before = {worker.pid for worker in master.children()}
    assert len(before) == 2
    psutil.Process(min(before)).kill()
    assert whoami(found) == server.USERNAME
    deadline = time.monotonic() + 60
    while len({w.pid for w in master.children()} - {min(before)}) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(master.children()) == 2  # the master started another
    left = master.children()
    master.kill()
    psutil.wait_procs([master, *left], timeout=60)
    assert server.up(own_root) == found  # the same address, the same token, without naming the database again
    assert whoami(found) == server.USERNAME
    workers = psutil.Process(server.status(own_root).pid).children()
    assert server.down(own_root)
    assert not psutil.wait_procs(workers, timeout=10)[1]


@pytest.fixture(scope="module")
def members(team: Path, servers: Servers) -> Connection:
    """The team's server with 1,200 more members, written into the database: the API makes three a second."""
    servers.postgres.sql(
        f"""
        INSERT INTO htx_user (password, is_superuser, username, email, first_name, last_name, phone, avatar,
            is_staff, is_active, date_joined, activity_at, last_activity, active_organization_id,
            allow_newsletters, custom_hotkeys)
        SELECT '!', false, 'member-' || n, 'member-' || n || '@demo.invalid', '', '', '', '',
            false, true, now(), now(), now(), (SELECT min(id) FROM organization), false, '{{}}'
        FROM generate_series(1, {MEMBERS}) n ON CONFLICT DO NOTHING;
        INSERT INTO organizations_organizationmember (user_id, organization_id, created_at, updated_at)
        SELECT id, (SELECT min(id) FROM organization), now(), now() FROM htx_user
        WHERE email LIKE 'member-%' AND id NOT IN (SELECT user_id FROM organizations_organizationmember);
        """,  # noqa: S608 - our own numbers
        database=labelstudio_servers.POSTGRESQL,
    )
    return connection.resolve(team)


def test_more_than_a_thousand_members(members: Connection) -> None:
    last = f"member-{MEMBERS}@demo.invalid"
    assert accounts.invite(members, [last]) == {last: None}  # found among all of them, not made anew
    new = "one-more@demo.invalid"
    (password,) = accounts.invite(members, [new]).values()
    assert password is not None
    accounts.Session(members.url, new).log_in(password)
    names = set(people.members(client.Client(members, timeout_s=60)).values())
    assert len([name for name in names if name.startswith("member-")]) == MEMBERS
    assert new in names


@pytest.mark.postgresql
def test_a_personal_access_token_pushes_and_is_refreshed(
    labelstudio: Connection, labelstudio_root: Path, drafts: list[TaskDraft]
) -> None:
    own = personal(labelstudio, administrator(labelstudio, labelstudio_root))
    with FaultProxy(labelstudio.url) as proxy:
        reader = client.Client(Connection(proxy.url, own.api_key, "a test"), timeout_s=60)
        assert reader.get("/api/current-user/whoami", action="asking")["email"] == server.USERNAME
        assert exchanges(proxy) == 1
        reader.get("/api/current-user/whoami", action="asking")
        assert exchanges(proxy) == 1  # a short-lived token is used for minutes
        old = expired(reader._access, labelstudio_root)
        answer = httpx.get(labelstudio.url + "/api/projects/", headers={"Authorization": f"Bearer {old}"})
        assert answer.status_code == 401  # the real server refuses it; else what follows would prove nothing
        reader._access = old
        assert reader.get("/api/current-user/whoami", action="asking")["email"] == server.USERNAME
        assert exchanges(proxy) == 2
        reader._access_since -= 300  # five minutes later: it is exchanged before it ends
        proxy.plan(fault_proxy.refuse, when=lambda request: old in request.headers.get("Authorization", ""))
        reader.get("/api/current-user/whoami", action="asking")
        assert (exchanges(proxy), proxy.struck) == (3, 0)
    tool = LabelStudioTool(own, batch_size=2, timeout_s=60)
    spec = ProjectSpec("by a token", taxonomy.load(Path("taxonomy.yaml")), "", 2, Path("data/ingest/images"))
    reference = tool.ensure_project(spec)
    assert tool.push_tasks(reference, drafts).created == len(drafts)
    assert tool.push_tasks(reference, drafts).unchanged == len(drafts)


def test_a_token_that_was_taken_back_is_one_line(labelstudio: Connection, labelstudio_root: Path) -> None:
    session = accounts.ensure_user(labelstudio, "token@demo.invalid", PASSWORD)
    own = personal(labelstudio, session)
    reader = client.Client(own, timeout_s=60)
    reader.get("/api/current-user/whoami", action="asking")
    session.post("/api/token/blacklist/", {"refresh": own.api_key}, action="taking it back")
    reader._access = expired(reader._access, labelstudio_root)
    with pytest.raises(AuthenticationError, match="does not accept the token in a personal access token"):
        reader.get("/api/current-user/whoami", action="asking")


def administrator(found: Connection, root: Path) -> accounts.Session:
    known = connection.read_credentials(connection.credentials_path(root))
    session = accounts.Session(found.url, known.username)
    session.log_in(known.password)
    return session


def personal(found: Connection, session: accounts.Session) -> Connection:
    """A connection with a personal access token, made as on the page of the account; everybody has one."""
    made = session.post("/api/token/", {}, action="making a token")
    return Connection(found.url, str(made["token"]), "a personal access token")


def exchanges(proxy: FaultProxy) -> int:
    return sum(post_to("/api/token/refresh/")(request) for request in proxy.seen)


def expired(token: str, root: Path) -> str:
    """The same short-lived token, signed by the server's own key, as if its five minutes were over."""
    header, payload, _ = token.split(".")
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    content["exp"] = content["iat"] = int(time.time()) - 10
    body = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    text = (root / ".labelstudio/data/.env").read_text()
    key = re.search(r"SECRET_KEY=['\"]?([^'\"\n]+)", text)
    assert key is not None
    signature = hmac.new(key.group(1).encode(), f"{header}.{body}".encode(), hashlib.sha256).digest()
    return f"{header}.{body}." + base64.urlsafe_b64encode(signature).decode().rstrip("=")

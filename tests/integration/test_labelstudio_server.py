"""The embedded server's life: up, crash, up, down; and what it refuses to strangers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from curate.adapters.labelstudio import accounts, client, connection, process, project, server
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.image_storage import LocalFiles
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.cli import app
from curate.errors import AnnotationToolError, AuthenticationError
from curate.labeling import taxonomy
from curate.ports import ProjectSpec

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
PASSWORD = "a-long-password"


@pytest.fixture
def own_root(labelstudio_state: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder with a migrated database, whose server a test may start and kill."""
    shutil.copytree(labelstudio_state, tmp_path / connection.STATE_FOLDER)
    yield tmp_path
    server.down(tmp_path)


def whoami(found: Connection) -> str:
    return str(client.Client(found, timeout_s=30).get("/api/current-user/whoami", action="asking")["email"])


def kill(root: Path) -> None:
    running = process.read(root / ".labelstudio/server.json")
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    psutil.Process(running.pid).wait(10)


def test_up_is_private_and_on_loopback_only(labelstudio_root: Path, labelstudio: Connection) -> None:
    mode = stat.S_IMODE(server.credentials_path(labelstudio_root).stat().st_mode)
    assert mode == 0o600
    assert stat.S_IMODE((labelstudio_root / ".labelstudio").stat().st_mode) == 0o700
    status = server.status(labelstudio_root)
    assert status.running
    listening = [one.laddr for one in psutil.Process(status.pid).net_connections() if one.status == "LISTEN"]
    assert [address.ip for address in listening] == ["127.0.0.1"]
    assert listening[0].port == urlsplit(labelstudio.url).port
    assert whoami(labelstudio) == server.USERNAME


def test_up_again_changes_nothing(labelstudio_root: Path, labelstudio: Connection) -> None:
    before = server.status(labelstudio_root)
    assert server.up(labelstudio_root) == labelstudio
    assert server.status(labelstudio_root) == before


def test_a_crash_is_healed_at_the_same_address(own_root: Path) -> None:
    first = server.up(own_root)
    kill(own_root)
    assert not server.status(own_root).running
    assert server.up(own_root) == first
    assert whoami(first) == server.USERNAME


def test_a_busy_port_moves_the_server_and_everybody_learns_it(own_root: Path) -> None:
    first = server.up(own_root)
    assert server.down(own_root)
    with socket.create_server(("127.0.0.1", urlsplit(first.url).port or 0)):
        second = server.up(own_root)
        assert second.url != first.url
        assert connection.resolve(own_root).url == second.url
        assert whoami(second) == server.USERNAME


def test_a_token_that_the_database_does_not_know_is_healed(own_root: Path) -> None:
    """A first start that was killed leaves a random token in the database."""
    path = server.credentials_path(own_root)
    known = connection.read_credentials(path)
    connection.write_credentials(
        path, connection.Credentials(known.url, known.username, known.password, "f" * 40)
    )
    assert whoami(server.up(own_root)) == server.USERNAME


def test_the_server_outlives_the_program_that_started_it(own_root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from curate.adapters.labelstudio import server; "
        "server.up(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(own_root)], check=True, timeout=200)
    assert whoami(connection.resolve(own_root)) == server.USERNAME


def test_down_stops_just_that_process(own_root: Path, labelstudio: Connection) -> None:
    mine = server.up(own_root)
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    try:
        assert server.down(own_root)
        assert not server.down(own_root)
        assert bystander.poll() is None
        assert whoami(labelstudio) == server.USERNAME  # the session's server still answers
        with pytest.raises(AnnotationToolError, match="run `curate labelstudio up`"):
            whoami(mine)
    finally:
        bystander.kill()
        bystander.wait()


def test_a_wrong_token_names_where_it_came_from(labelstudio: Connection) -> None:
    tool = LabelStudioTool(Connection(labelstudio.url, "0" * 40, "LABEL_STUDIO_API_KEY"))
    with pytest.raises(AuthenticationError, match="does not accept the token in LABEL_STUDIO_API_KEY"):
        tool.find_project("any")


def test_a_server_that_is_down_is_one_line(labelstudio: Connection) -> None:
    free = f"http://127.0.0.1:{process.free_port(None)}"
    tool = LabelStudioTool(Connection(free, labelstudio.api_key, "LABEL_STUDIO_API_KEY"))
    with pytest.raises(AnnotationToolError, match=f"{free} cannot be reached.*`curate labelstudio up`"):
        tool.find_project("any")


def test_nobody_signs_up_without_an_invitation(labelstudio: Connection) -> None:
    session = accounts.Session(labelstudio.url, "stranger@demo.invalid")
    with pytest.raises(AnnotationToolError, match="refused to sign up"):
        session.sign_up(PASSWORD, "no-such-invitation")
    with pytest.raises(AuthenticationError):
        session.log_in(PASSWORD)


def test_invited_people_get_a_password_once_or_a_link(labelstudio: Connection) -> None:
    passwords = accounts.invite(labelstudio, ["New@demo.invalid", "newer@demo.invalid"])
    assert set(passwords) == {"new@demo.invalid", "newer@demo.invalid"}
    for email, password in passwords.items():
        assert password is not None
        accounts.Session(labelstudio.url, email).log_in(password)
    assert accounts.invite(labelstudio, ["new@demo.invalid"]) == {"new@demo.invalid": None}
    with pytest.raises(AnnotationToolError, match="no e-mail address: nobody was invited"):
        accounts.invite(labelstudio, ["other@demo.invalid", "nobody"])
    link = accounts.invitation_link(labelstudio)
    token = link.partition("?token=")[2]
    accounts.Session(labelstudio.url, "linked@demo.invalid").sign_up(PASSWORD, token)


def test_who_forgot_the_password_gets_a_new_one(
    labelstudio: Connection, labelstudio_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = "forgetful@demo.invalid"
    (old,) = accounts.invite(labelstudio, [email]).values()
    reset = ["qa", "invite", "--reset", "--root", str(labelstudio_root)]
    done = CliRunner().invoke(app, [*reset, "Forgetful@demo.invalid", email], catch_exceptions=False)
    assert done.exit_code == 0
    (new,) = re.findall(rf"{email}  new password (\S+)", done.output)  # once, whatever was typed
    assert old != new
    session = accounts.Session(labelstudio.url, email)
    session.log_in(new)
    assert session.get("/api/current-user/whoami", action="asking")["email"] == email
    with pytest.raises(AuthenticationError, match="wrong password, or no such user"):
        accounts.Session(labelstudio.url, email).log_in(str(old))
    done = CliRunner().invoke(app, [*reset, email, "nobody@demo.invalid"])
    assert str(done.exception) == "nobody@demo.invalid has no account: invite without --reset"
    accounts.Session(labelstudio.url, email).log_in(new)  # and nobody's password was changed
    monkeypatch.setenv(connection.URL_VARIABLE, labelstudio.url)
    monkeypatch.setenv(connection.KEY_VARIABLE, labelstudio.api_key)  # now it is a server of one's own
    done = CliRunner().invoke(app, [*reset, email])
    assert f"label-studio reset_password --username {email}" in str(done.exception)


def test_an_invited_user_is_made_once(labelstudio: Connection) -> None:
    for _ in range(2):
        session = accounts.ensure_user(labelstudio, "invited@demo.invalid", PASSWORD)
        me = session.get("/api/current-user/whoami", action="asking")
        assert me["email"] == "invited@demo.invalid"
    with pytest.raises(AnnotationToolError, match="another password"):
        accounts.ensure_user(labelstudio, "invited@demo.invalid", "not the password")


def test_images_are_served_to_members_and_nothing_else_is(
    labelstudio_root: Path, labelstudio: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(labelstudio_root)
    spec = ProjectSpec("served", taxonomy.load(Path("taxonomy.yaml")), "", 1, Path("data/ingest/images"))
    project.ensure(client.Client(labelstudio, timeout_s=60), spec, LocalFiles(spec.images_root))
    image = next(Path("data/ingest/images").rglob("*.jpg"))
    (labelstudio_root / "data/ingest/secret.jpg").write_bytes(image.read_bytes())
    address = f"{labelstudio.url}/data/local-files/"

    def fetch(below: str, headers: dict[str, str]) -> httpx.Response:
        return httpx.get(address, params={"d": below}, headers=headers, timeout=30)

    mine = {"Authorization": f"Token {labelstudio.api_key}"}
    good = fetch(image.relative_to("data/ingest").as_posix(), mine)
    assert good.status_code == 200
    assert good.headers["content-type"] == "image/jpeg"
    assert good.content == image.read_bytes()
    for refused in (
        "secret.jpg",
        "images.parquet",
        "images/../secret.jpg",
        "../../taxonomy.yaml",
        "/etc/hostname",
    ):
        assert not fetch(refused, mine).is_success, refused
    assert fetch(image.relative_to("data/ingest").as_posix(), {}).status_code == 401

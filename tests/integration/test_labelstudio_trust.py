"""No secret of ours or of the server is ever printed, and the embedded server talks to nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import httpx
import psutil
import pytest

from curate import schema, tables
from curate.adapters.labelstudio import client, server
from curate.adapters.labelstudio.connection import Connection, credentials_path, read_credentials
from curate.errors import AnnotationToolError
from tests.integration.fault_proxy import FaultProxy, Forward, Reply, Request

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
COMMANDS = (
    ["qa", "status"],
    ["qa", "status", "--json"],
    ["qa", "pull", "--full"],
    ["qa", "push", "--dry-run"],
    ["qa", "invite", "somebody@demo.invalid"],
)
MAIN = (  # with patience for one attempt
    "from curate.adapters.labelstudio import retry; "
    "retry.Pauses.__init__.__kwdefaults__['patience_s'] = 0.0; "
    "from curate.cli import main; main()"
)


class Leaky:
    """A fault that repeats everything secret in the error's body and headers, as a debug page would."""

    def __init__(self, status: int) -> None:
        self.status, self.cookies = status, [""]

    def __call__(self, request: Request, forward: Forward) -> Reply | None:
        real = forward()
        assert real is not None
        cookies = [value for name, value in real.headers if name.lower() == "set-cookie"]
        self.cookies += [cookie.partition("=")[2].partition(";")[0] for cookie in cookies]
        said = {"detail": f"failed: {cookies} {request.headers}", "headers": request.headers}
        body = json.dumps(said).encode()
        repeated = [("Set-Cookie", cookie) for cookie in cookies]
        return Reply(self.status, (("Content-Type", "application/json"), *repeated), body)


@pytest.fixture
def project_root(labelstudio_root: Path, tmp_path: Path) -> Path:
    """A folder with what the commands need, but without the embedded server's credentials."""
    for name in ("data", "taxonomy.yaml"):
        (tmp_path / name).symlink_to(labelstudio_root / name)
    settings = "labelstudio:\n  project: trust\nautolabel:\n  taxonomy: taxonomy.yaml\n"
    (tmp_path / "params.yaml").write_text(settings)
    assert tables.read(tmp_path / "data/select/plan.parquet", schema.PLAN).num_rows
    return tmp_path


def secrets(labelstudio: Connection, root: Path, *more: str) -> list[str]:
    password = read_credentials(credentials_path(root)).password
    return [secret for secret in (labelstudio.api_key, password, *more) if secret]


@pytest.mark.parametrize(
    ("command", "status"), [*((command, 500) for command in COMMANDS), (COMMANDS[0], 403)], ids=str
)
def test_no_command_prints_a_secret(
    labelstudio: Connection, labelstudio_root: Path, project_root: Path, command: list[str], status: int
) -> None:
    leaky = Leaky(status)
    token = project_root / "token"
    token.write_text(labelstudio.api_key)
    token.chmod(0o600)
    with FaultProxy(labelstudio.url) as proxy:
        proxy.plan(leaky, count=1_000)
        environment = {
            **os.environ, "LABEL_STUDIO_URL": proxy.url, "LABEL_STUDIO_API_KEY_FILE": str(token),
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *command], cwd=project_root, env=environment, check=False,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert proxy.struck
    assert done.returncode == 1, done.stderr
    shown = done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert f"HTTP {status}" in shown
    for secret in secrets(labelstudio, labelstudio_root, *leaky.cookies):
        assert secret not in shown
    for path in project_root.iterdir():
        if path.is_file() and path != token:
            assert labelstudio.api_key.encode() not in path.read_bytes()


def test_the_sdks_own_error_shows_a_cookie_and_ours_does_not(labelstudio: Connection) -> None:
    """Without the first half, the second would prove nothing."""
    leaky = Leaky(500)
    with FaultProxy(labelstudio.url) as proxy:
        sdk = client.Client(Connection(proxy.url, labelstudio.api_key, "a test"), timeout_s=30).sdk
        proxy.plan(leaky, count=10)
        httpx.get(proxy.url + "/user/login/")  # any page: the proxy repeats its cookie from then on
        with pytest.raises(Exception, match="status_code: 500") as theirs:
            sdk.projects.list().items  # noqa: B018
        assert labelstudio.api_key in str(theirs.value)
        connection = Connection(proxy.url, labelstudio.api_key, "a test")
        with pytest.raises(AnnotationToolError) as ours, client.translated(connection, "reading"):
            sdk.projects.list().items  # noqa: B018
    shown = str(ours.value) + "".join(traceback.format_exception(ours.value))
    for secret in (labelstudio.api_key, *filter(None, leaky.cookies)):
        assert secret not in shown


def test_no_file_of_the_project_holds_a_token(labelstudio: Connection, labelstudio_root: Path) -> None:
    """But the one that is its owner's alone, and the server's own database."""
    holders = [
        path.relative_to(labelstudio_root).parts[0]
        for path in labelstudio_root.rglob("*")
        if path.is_file() and labelstudio.api_key.encode() in path.read_bytes()
    ]
    assert set(holders) == {".labelstudio"}
    log = server.log_path(labelstudio_root).read_bytes()
    assert labelstudio.api_key.encode() not in log


def test_the_embedded_server_sends_nothing_anywhere(labelstudio: Connection, labelstudio_root: Path) -> None:
    page = httpx.get(labelstudio.url + "/user/login/").text
    assert "collect_analytics = false" in page
    status = server.status(labelstudio_root)
    process = psutil.Process(status.pid)
    environment = process.environ()
    assert environment["LABEL_STUDIO_COLLECT_ANALYTICS"] == "false"
    assert environment["LABEL_STUDIO_SENTRY_DSN"] == environment["LABEL_STUDIO_FRONTEND_SENTRY_DSN"] == ""
    remote = {one.raddr.ip for one in process.net_connections(kind="inet") if one.raddr}
    assert remote <= {"127.0.0.1"}

"""Sources that lie elsewhere, over real connections: an S3 server and an HTTP server with every fault."""

from __future__ import annotations

import hashlib
import http.server
import io
import shutil
import socket
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.errors import InputError
from curate.ingest import download, url_access, url_source
from tests.stages.ingest_project import (  # noqa: F401 - the fixture
    OUTPUTS,
    by_source,
    picture,
    project,
    put,
    rows,
    run,
    tree,
    write,
)  # fmt: skip

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("project")]


def jpeg(seed: int) -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, "JPEG")
    return buffer.getvalue()


def listed(text: str, **params: Any) -> dict[str, dict[str, Any]]:
    """The server of the tests has a private address, which lists may not name unless asked."""
    write("sources.yaml", "sources:\n" + text)
    run(sources="sources.yaml", **{"private_addresses": True, **params})
    return by_source()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_FIRST_PAUSE_S", 0.01)


class Site:
    """What the HTTP server serves, how it misbehaves, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = {}  # of a path: what happens first; then it works
        self.asked: Counter[str] = Counter()
        self.keys: dict[str, str | None] = {}  # of a path: the secret header of the last request
        self.moved: dict[str, str] = {}  # of a path: where it redirects to
        self.url = ""


def handler(site: Site) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            site.asked[path] += 1
            site.keys[path] = self.headers.get("X-Key")
            if path in site.moved:
                self.send_response(302)
                self.send_header("Location", site.moved[path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            fault = site.faults[path].pop(0) if site.faults.get(path) else ""
            if fault.isdigit():
                self.send_error(int(fault))
                return
            if path not in site.files:
                self.send_error(404)
                return
            body = site.files[path]
            if fault == "slow":
                time.sleep(1.5)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.end_headers()
            if fault == "reset":
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.connection.close()
                self.close_connection = True
                return
            if fault == "stops":
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
                return
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    yield from served()


def served() -> Iterator[Site]:
    site = Site()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(site))
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


class TestHttp:
    def test_a_list_of_urls_is_fetched_once(self, site: Site) -> None:
        for n in range(20):
            site.files[f"/{n}.jpg"] = jpeg(n)
        write("list.txt", "".join(f"{site.url}/{n}.jpg\n" for n in range(20)))
        text = "- {name: web, list: list.txt, license: MIT}\n"
        found = listed(text)
        assert set(found) == {f"web/{site.url}/{n}.jpg" for n in range(20)}
        assert all(row["drop_reason"] is None and row["license"] == "MIT" for row in rows())
        assert Path(found[f"web/{site.url}/3.jpg"]["path"]).read_bytes() == jpeg(3)
        asked = site.asked.copy()
        assert set(asked.values()) == {1}
        assert dict(run(sources="sources.yaml").this_run) == {"read": 0}
        assert site.asked == asked

    @pytest.mark.parametrize("fault", ["500", "503", "429", "reset", "stops", "slow"])
    def test_passing_faults_are_outlived(self, site: Site, fault: str) -> None:
        site.files["/1.jpg"] = jpeg(1)
        site.faults["/1.jpg"] = [fault, fault]
        found = listed(f"- {{name: web, url: '{site.url}/1.jpg'}}\n", retries=2, timeout_s=0.5)
        assert found["web/1.jpg"]["drop_reason"] is None
        assert site.asked["/1.jpg"] == 3

    @pytest.mark.parametrize(
        ("fault", "tries", "said"),
        [
            ("404", 1, "not found"),
            ("403", 1, "the server answered 403"),
            ("500", 3, "the server answered 500"),
            ("reset", 3, ""),
            ("slow", 3, "no answer in time"),
        ],
    )
    def test_lasting_faults_are_recorded_and_tried_by_the_next_run(
        self, site: Site, fault: str, tries: int, said: str
    ) -> None:
        put("good.jpg", 1)
        site.files["/bad.jpg"] = jpeg(2)
        site.faults["/bad.jpg"] = [fault] * 3
        write("list.txt", f"{site.url}/bad.jpg\ngood.jpg\n")
        row = listed("- {name: web, list: list.txt}\n", retries=2, timeout_s=0.5)[f"web/{site.url}/bad.jpg"]
        assert row["drop_reason"] == "download_failed"
        assert said in row["drop_detail"]
        assert "\n" not in row["drop_detail"]
        assert site.asked["/bad.jpg"] == tries
        site.faults.clear()
        assert dict(run(sources="sources.yaml", private_addresses=True).this_run)["read"] == 1
        assert [row["drop_reason"] for row in rows()] == [None, None]

    def test_a_server_that_is_not_there(self) -> None:
        put("good.jpg", 1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        write("list.txt", f"http://127.0.0.1:{port}/1.jpg\n")
        found = listed("- {name: web, list: list.txt}\n", retries=1)
        assert found[f"web/http://127.0.0.1:{port}/1.jpg"]["drop_reason"] == "download_failed"

    def test_signed_urls_do_not_reach_the_table(self, site: Site) -> None:
        site.files["/1.jpg"] = jpeg(1)
        write("t.csv", f"path,weather\n{site.url}/1.jpg?X-Amz-Signature=geheim,rain\n")
        found = listed("- {name: web, table: t.csv}\n")
        assert set(found) == {f"web/{site.url}/1.jpg"}
        for path in Path("out").rglob("*"):
            assert path.is_dir() or b"geheim" not in path.read_bytes()

    def test_recheck_asks_whether_it_changed(self, site: Site) -> None:
        site.files.update({"/1.jpg": jpeg(1), "/2.jpg": jpeg(2)})
        write("list.txt", f"{site.url}/1.jpg\n{site.url}/2.jpg\n")
        text = "- {name: web, list: list.txt, recheck: true}\n"
        listed(text)
        before = {row["image_id"] for row in rows()}
        listed(text)
        assert {row["image_id"] for row in rows()} == before
        site.files["/2.jpg"] = jpeg(22)
        listed(text)
        live = {row["image_id"] for row in rows() if row["drop_reason"] is None}
        assert live == {hashlib.sha256(jpeg(n)).hexdigest() for n in (1, 22)}

    def test_of_an_unchanged_file_other_settings_make_another_picture(self, site: Site) -> None:
        buffer = io.BytesIO()
        picture(1).convert("L").save(buffer, "JPEG")
        picture(3, (200, 200)).save("raw/large.png")
        site.files.update({"/gray.jpg": buffer.getvalue(), "/2.jpg": jpeg(2)})
        write("list.txt", f"{site.url}/gray.jpg\n{site.url}/2.jpg\n")
        text, name = "- {name: web, list: list.txt, recheck: true}\n", f"web/{site.url}/gray.jpg"
        fine = listed(text, jpeg_quality=98)[name]["upright_sha256"]
        coarse = listed(text, jpeg_quality=20)[name]["upright_sha256"]
        assert len({fine, coarse, None}) == 3
        assert [listed(text, min_side=side)[name]["drop_reason"] for side in (65, 32)] == ["too_small", None]

    def test_a_lost_upright_file_comes_from_the_cache(self, site: Site) -> None:
        site.files["/1.jpg"] = jpeg(1)
        listed(f"- {{name: web, url: '{site.url}/1.jpg'}}\n")
        before = tree()
        Path(rows()[0]["path"]).unlink()
        run(sources="sources.yaml")
        assert tree() == before
        assert site.asked["/1.jpg"] == 1
        cached = [path for path in OUTPUTS.cache.rglob("*") if path.is_file()]
        assert [path.name for path in cached] == [hashlib.sha256(jpeg(1)).hexdigest()]

    def test_mode_copy_keeps_no_cache(self, site: Site) -> None:
        site.files["/1.jpg"] = jpeg(1)
        listed(f"- {{name: web, url: '{site.url}/1.jpg'}}\n", mode="copy")
        assert not OUTPUTS.cache.exists()
        assert len(tree()) == 1

    def test_too_large_a_file_is_not_held(self, site: Site) -> None:
        put("good.jpg", 1)
        site.files["/big.jpg"] = jpeg(1) + b"\0" * 5_000_000
        found = listed(f"- {{name: web, url: '{site.url}/big.jpg'}}\n", max_bytes=1_000_000)
        row = found["web/big.jpg"]
        assert (row["drop_reason"], row["bytes"]) == ("too_large", len(site.files["/big.jpg"]))
        assert row["image_id"] == hashlib.sha256(site.files["/big.jpg"]).hexdigest()

    def test_a_shard_over_http(self, site: Site) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for n in range(3):
                entry = tarfile.TarInfo(f"{n}.jpg")
                entry.size = len(jpeg(n))
                archive.addfile(entry, io.BytesIO(jpeg(n)))
        site.files["/d-00.tar"] = buffer.getvalue()
        site.faults["/d-00.tar"] = ["", "reset"]
        put("good.jpg", 9)
        text = f"- {{name: wds, archive: '{site.url}/d-{{00..01}}.tar'}}\n"
        found = listed(text, retries=1)
        assert {place for place in found if place.startswith("wds/d-00")} == {
            f"wds/d-00.tar/{n}.jpg" for n in range(3)
        }
        assert found["wds/d-01.tar"]["drop_reason"] == "download_failed"
        shutil.rmtree(OUTPUTS.cache)
        before = tree()
        next(path for path in Path(found["wds/d-00.tar/1.jpg"]["path"]).parent.iterdir()).unlink()
        listed(text, retries=1)
        assert tree() == before
        site.faults["/d-00.tar"] = ["500"] * 9  # what was known stays known while it cannot be asked
        assert {place for place in listed(text, retries=0) if place.startswith("wds/d-00.tar/")} == {
            f"wds/d-00.tar/{n}.jpg" for n in range(3)
        }

    def test_a_list_that_lies_elsewhere(self, site: Site) -> None:
        site.files.update({"/in/1.jpg": jpeg(1), "/in/list.txt": b"1.jpg\n"})
        found = listed(f"- {{name: web, list: '{site.url}/in/list.txt'}}\n")
        assert found["web/1.jpg"]["drop_reason"] is None


STORAGE = "storage: {headers: {X-Key: env:SITE_KEY}}"


def details(found: dict[str, dict[str, Any]]) -> list[str]:
    return [row["drop_detail"] for row in found.values() if row["drop_reason"]]


class TestWhoIsAsked:
    @pytest.fixture(autouse=True)
    def key(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811, ARG002
        monkeypatch.setenv("SITE_KEY", "secret")
        put("good.jpg", 9)

    @pytest.fixture
    def other(self) -> Iterator[Site]:
        yield from served()

    def test_secrets_go_to_the_hosts_they_were_given_for(self, site: Site, other: Site) -> None:
        for one in (site, other):
            one.files["/1.jpg"] = jpeg(1)
        site.files["/list.txt"] = f"1.jpg\n{other.url}/1.jpg\n".encode()
        listed(f"- {{name: web, list: '{site.url}/list.txt', {STORAGE}}}\n")
        assert (site.keys["/list.txt"], site.keys["/1.jpg"], other.keys["/1.jpg"]) == (
            "secret",
            "secret",
            None,
        )

    def test_of_a_list_on_this_machine_they_go_to_named_hosts(self, site: Site, other: Site) -> None:
        for one in (site, other):
            one.files["/1.jpg"] = jpeg(1)
        write("list.txt", f"{site.url}/1.jpg\n{other.url}/1.jpg\n")
        listed(f"- {{name: web, list: list.txt, {STORAGE}, hosts: ['{site.url}']}}\n")
        assert (site.keys["/1.jpg"], other.keys["/1.jpg"]) == ("secret", None)

    def test_a_host_that_wanted_them_is_told(self, site: Site) -> None:
        site.faults["/1.jpg"] = ["401"]
        write("list.txt", f"{site.url}/1.jpg\n")
        (detail,) = details(listed(f"- {{name: web, list: list.txt, {STORAGE}}}\n"))
        assert "the server answered 401" in detail
        assert f"storage goes to `hosts` of the source only, not to {site.url}" in detail

    def test_a_redirect_takes_them_nowhere_else(self, site: Site, other: Site) -> None:
        site.files["/here.jpg"], other.files["/there.jpg"] = jpeg(1), jpeg(2)
        site.moved.update({"/1.jpg": "/here.jpg", "/2.jpg": f"{other.url}/there.jpg"})
        text = [f"- {{name: a{n}, url: '{site.url}/{n}.jpg', {STORAGE}}}\n" for n in (1, 2)]
        found = listed("".join(text))
        assert found["a1/1.jpg"]["image_id"] == hashlib.sha256(jpeg(1)).hexdigest()
        assert found["a2/2.jpg"]["image_id"] == hashlib.sha256(jpeg(2)).hexdigest()
        assert (site.keys["/here.jpg"], other.keys["/there.jpg"]) == ("secret", None)

    def test_archives_are_redirected_too(self, site: Site, other: Site) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo("1.jpg")
            entry.size = len(jpeg(1))
            archive.addfile(entry, io.BytesIO(jpeg(1)))
        other.files["/x.tar"] = buffer.getvalue()
        site.moved["/x.tar"] = f"{other.url}/x.tar"
        found = listed(f"- {{name: a, archive: '{site.url}/x.tar', {STORAGE}}}\n")
        assert found["a/x.tar/1.jpg"]["drop_reason"] is None
        assert (site.keys["/x.tar"], other.keys["/x.tar"]) == ("secret", None)

    def test_redirects_without_end_or_out_of_http(self, site: Site) -> None:
        site.moved.update(
            {"/loop.jpg": "/loop.jpg", "/file.jpg": "file:///etc/passwd", "/s3.jpg": "s3://b/k"}
        )
        write("list.txt", "".join(f"{site.url}{path}\n" for path in site.moved))
        told = sorted(details(listed("- {name: web, list: list.txt}\n")))
        assert told == [
            "a redirect leads to 'file:///etc/passwd', which is not http(s)",
            "a redirect leads to 's3://b/k', which is not http(s)",
            "over 10 redirects",
        ]
        assert site.asked["/loop.jpg"] == 11

    def test_schemes_are_allowed_by_name(self) -> None:
        write("list.txt", "file:///etc/passwd\nftp://example.org/a.jpg\nmemory://a.jpg\ngood.jpg\n")
        refused = details(listed("- {name: web, list: list.txt}\n"))
        assert len(refused) == 3
        assert all("is not allowed: ingest.schemes are http, https" in detail for detail in refused)
        pytest.importorskip("fsspec").filesystem("memory").pipe_file("/a.jpg", jpeg(3))
        found = listed("- {name: web, list: list.txt}\n", schemes=["memory"])
        assert found["web/memory://a.jpg"]["drop_reason"] is None

    def test_private_addresses_are_refused_unless_asked(self, site: Site, other: Site) -> None:
        port = site.url.rpartition(":")[2]
        names = [
            "127.0.0.1",
            "localhost",
            "2130706433",
            "127.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "169.254.169.254",
        ]
        for one in (site, other):
            one.files["/1.jpg"] = jpeg(1)
        write("list.txt", "".join(f"http://{name}:{port}/1.jpg\n" for name in names))
        refused = details(listed("- {name: web, list: list.txt}\n", private_addresses=False))
        assert len(refused) == len(names)
        assert all("in `hosts` of the source, or set ingest.private_addresses" in one for one in refused)
        assert not site.asked
        found = listed(f"- {{name: web, list: list.txt, hosts: ['{site.url}']}}\n", private_addresses=False)
        assert found[f"web/{site.url}/1.jpg"]["drop_reason"] is None  # the user named this one
        site.moved["/moved.jpg"] = other.url.replace("127.0.0.1", "127.0.0.2") + "/1.jpg"
        found = listed(f"- {{name: web, url: '{site.url}/moved.jpg'}}\n", private_addresses=False)
        assert "127.0.0.2 is the private address" in found["web/moved.jpg"]["drop_detail"]
        assert not other.asked

    def test_a_name_that_leads_elsewhere_only_when_it_is_connected_to(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As by a name server that answers first with a public address and then with a private one."""
        site.files["/1.jpg"] = jpeg(1)
        monkeypatch.setattr(url_access, "private_address", lambda _: None)
        write("list.txt", site.url.replace("127.0.0.1", "localhost") + "/1.jpg\n")
        (detail,) = details(listed("- {name: web, list: list.txt}\n", private_addresses=False, retries=0))
        assert "localhost is the private address" in detail
        assert not site.asked


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of a bucket called "photos"; its secret is in the environment."""
    boto = pytest.importorskip("botocore.session")
    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PHOTOS_SECRET", "secret-of-the-test")
    client = boto.get_session().create_client(
        "s3", region_name="us-east-1", endpoint_url=s3, aws_access_key_id="k", aws_secret_access_key="s"
    )
    client.create_bucket(Bucket="photos")
    yield client
    for entry in client.list_objects_v2(Bucket="photos").get("Contents", ()):
        client.delete_object(Bucket="photos", Key=entry["Key"])
    client.delete_bucket(Bucket="photos")


def s3_source(endpoint: str, where: str, kind: str = "url", more: str = "") -> str:
    storage = f"{{key: env:PHOTOS_SECRET, secret: env:PHOTOS_SECRET, endpoint_url: '{endpoint}'}}"
    return f"- {{name: bucket, {kind}: '{where}', storage: {storage}{more}}}\n"


class TestS3:
    def test_a_prefix_is_followed(self, s3: str, bucket: Any) -> None:
        for n in range(6):
            bucket.put_object(Bucket="photos", Key=f"day/{n % 2}/{n} ä.jpg", Body=jpeg(n))
        bucket.put_object(Bucket="photos", Key="other/9.jpg", Body=jpeg(9))
        text = s3_source(s3, "s3://photos/day/")
        found = listed(text)
        assert set(found) == {f"bucket/{n % 2}/{n} ä.jpg" for n in range(6)}
        assert dict(run(sources="sources.yaml").this_run) == {"read": 0}
        bucket.put_object(Bucket="photos", Key="day/1/1 ä.jpg", Body=jpeg(11))
        bucket.put_object(Bucket="photos", Key="day/new.jpg", Body=jpeg(12))
        bucket.delete_object(Bucket="photos", Key="day/0/0 ä.jpg")
        assert dict(run(sources="sources.yaml").this_run)["read"] == 2
        live = {place for row in rows() for place in row["sources"]}
        assert live == {f"bucket/{n % 2}/{n} ä.jpg" for n in range(1, 6)} | {"bucket/new.jpg"}
        for path in Path("out").rglob("*"):
            assert path.is_dir() or b"secret-of-the-test" not in path.read_bytes()

    def test_more_keys_than_a_page_holds(self, s3: str, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(url_source, "_PAGE", 3)
        for n in range(10):
            bucket.put_object(Bucket="photos", Key=f"many/{n:04d}.jpg", Body=jpeg(1))
        found = listed(s3_source(s3, "s3://photos/many/"))
        assert len(found) == 10
        assert len(rows()) == 1

    def test_worker_processes_reach_it_too(self, s3: str, bucket: Any) -> None:
        for n in range(6):
            bucket.put_object(Bucket="photos", Key=f"{n}.jpg", Body=jpeg(n))
        listed(s3_source(s3, "s3://photos/"), workers=2, batch_size=2)
        assert [row["drop_reason"] for row in rows()] == [None] * 6

    def test_sidecars_of_a_prefix(self, s3: str, bucket: Any) -> None:
        bucket.put_object(Bucket="photos", Key="1.jpg", Body=jpeg(1))
        bucket.put_object(Bucket="photos", Key="1.jpg.json", Body=b'{"weather": "rain", "license": "MIT"}')
        found = listed(s3_source(s3, "s3://photos/", more=", sidecar: true"))
        assert dict(found["bucket/1.jpg"]["attributes"]) == {"weather": "rain"}
        assert found["bucket/1.jpg"]["license"] == "MIT"
        assert set(found) == {"bucket/1.jpg"}

    def test_shards_by_a_wildcard(self, s3: str, bucket: Any) -> None:
        for shard in range(2):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
                entry = tarfile.TarInfo(f"{shard}.jpg")
                entry.size = len(jpeg(shard))
                archive.addfile(entry, io.BytesIO(jpeg(shard)))
            bucket.put_object(Bucket="photos", Key=f"s/d-{shard}.tar.gz", Body=buffer.getvalue())
        found = listed(s3_source(s3, "s3://photos/s/d-*.tar.gz", "archive"))
        assert set(found) == {"bucket/d-0.tar.gz/0.jpg", "bucket/d-1.tar.gz/1.jpg"}
        assert dict(run(sources="sources.yaml").this_run) == {"read": 0}

    @pytest.mark.usefixtures("bucket")
    def test_a_prefix_that_holds_nothing_or_is_not_there(self, s3: str) -> None:
        put("good.jpg", 1)
        for where, said in (("s3://photos/none/", "nothing below"), ("s3://no-such-bucket/", "correct it")):
            with pytest.raises(InputError, match=said) as caught:
                listed(s3_source(s3, where))
            assert "sources.yaml:2: source 'bucket'" in str(caught.value)

    def test_a_server_that_went_away_forgets_nothing(self, s3: str, bucket: Any) -> None:
        bucket.put_object(Bucket="photos", Key="1.jpg", Body=jpeg(1))
        listed(s3_source(s3, "s3://photos/"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        found = listed(s3_source(f"http://127.0.0.1:{port}", "s3://photos/"), retries=0, timeout_s=1.0)
        assert found["bucket/1.jpg"]["drop_reason"] is None
        assert found["bucket/"]["drop_reason"] == "download_failed"
        assert found["bucket/"]["drop_detail"].startswith("the listing: ")
        found = listed(s3_source(s3, "s3://photos/"))
        assert set(found) == {"bucket/1.jpg"}
        assert len(rows()) == 1


def test_memory_and_file_urls() -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/photos/deep/1.jpg", jpeg(1))
    picture(2).save("raw/2.png")
    try:
        local = Path("raw/2.png").absolute()
        text = f"- {{name: m, url: memory://photos/}}\n- {{name: f, url: 'file://{local}'}}\n"
        found = listed(text, schemes=["memory", "file"])
        assert found["m/deep/1.jpg"]["drop_reason"] is None
        assert found["f/2.png"]["drop_reason"] is None
    finally:
        memory.rm("/photos", recursive=True)


def test_a_protocol_whose_package_is_missing() -> None:
    put("good.jpg", 1)
    with pytest.raises(
        InputError, match="gs:// needs a package that is not installed: run pip install gcsfs"
    ):
        listed("- {name: g, url: gs://bucket/}\n")
    with pytest.raises(InputError, match="nonsense:// cannot be opened"):
        listed("- {name: g, url: nonsense://bucket/}\n", schemes=["nonsense"])
    with pytest.raises(InputError, match=r"source 'g': nonsense:// is not allowed: ingest\.schemes are http"):
        listed("- {name: g, url: nonsense://bucket/}\n")

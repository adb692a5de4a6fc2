"""Who may be asked, and who gets the secrets."""

from __future__ import annotations

import pytest

from curate.ingest import url_access
from curate.ingest.sources import Source
from curate.ingest.url_access import Access, DownloadError, Network, origin

SECRET = {"headers": {"X-Key": "secret"}}


def of(where: str = "/lists/a.txt", hosts: tuple[str, ...] = (), **network: object) -> Access:
    source = Source("a", "list", where, storage=SECRET, hosts=hosts)
    return Access.of(source, Network(**network))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("https://a.org/1.jpg", True),
        ("https://A.org/1.jpg", True),
        ("https://user:pw@a.org/1.jpg", True),
        ("https://a.org:8443/1.jpg", False),
        ("http://a.org/1.jpg", False),  # anybody on the way could read it
        ("https://a.org.evil.org/1.jpg", False),
        ("https://a.org@evil.org/1.jpg", False),
        ("https://evil.org/a.org/1.jpg", False),
        ("https://b.org/1.jpg", True),
        ("http://c.org:80/1.jpg", True),
        ("s3://bucket/1.jpg", True),  # which server that is, the options say
        ("ftp://a.org/1.jpg", False),
    ],
)
def test_options_go_to_the_origins_they_were_given_for(url: str, given: bool) -> None:
    found = of("https://a.org/list.txt", ("b.org", "http://c.org:80")).options_for(url)
    assert ("secret" in found) == given


def test_of_a_local_list_nobody_gets_them() -> None:
    assert of().options_for("https://a.org/1.jpg") == "{}"


PRIVATE = ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.1.2.3", "100.64.0.1"]
PRIVATE += ["::1", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "224.0.0.1", "255.255.255.255"]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_of_the_internet(address: str) -> None:
    assert url_access.is_private(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_addresses_that_are(address: str) -> None:
    assert not url_access.is_private(address)


def test_private_hosts_are_refused_unless_they_were_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        url_access, "private_address", lambda host: "10.0.0.1" if host.endswith(".lan") else None
    )
    of().refuse("https://a.org/1.jpg")
    with pytest.raises(DownloadError, match=r"nas\.lan is the private address 10\.0\.0\.1: name it"):
        of().refuse("https://nas.lan/1.jpg")
    of(private_addresses=True).refuse("https://nas.lan/1.jpg")
    of(hosts=("nas.lan",)).refuse("https://nas.lan/1.jpg")
    of("https://nas.lan/list.txt").refuse("https://nas.lan/1.jpg")
    of().refuse("s3://nas.lan/1.jpg")


def test_schemes_are_allowed_by_name() -> None:
    for url in ("ftp://a.org/1", "file:///etc/passwd", "github://a:b@/x", "HTTP2://a"):
        with pytest.raises(DownloadError, match=r"is not allowed: ingest\.schemes are http, https"):
            of().refuse(url)
    of(schemes=("ftp",)).refuse("ftp://1.1.1.1/1")
    with pytest.raises(DownloadError):
        of(schemes=("ftp",)).refuse("https://a.org/1")


def test_an_origin_has_neither_user_nor_path() -> None:
    assert origin("HTTPS://user:pw@A.org:8443/x?y#z") == "https://a.org:8443"

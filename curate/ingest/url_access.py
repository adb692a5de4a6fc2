"""Which URLs may be asked, and who gets a source's secrets: decided for each URL, and for each redirect.

What a list names was written by others. So a scheme must be allowed by name, a host must have a public
address unless the user named it, and storage options, where secrets stand, go to the origins that they were
given for: that of the source's own URL, and those of its `hosts`.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from curate.errors import CurateError
from curate.ingest.place_names import is_url
from curate.ingest.sources import Source

# Object stores: their options say which server is asked, a URL only names a bucket there.
_BUCKETS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")


class DownloadError(CurateError):
    """A URL could not be read; the message is the `drop_detail`."""


@dataclass(frozen=True, slots=True)
class Network:
    """How URLs are reached; see `IngestParams`."""

    retries: int = 3
    timeout_s: float = 60.0
    schemes: tuple[str, ...] = ("http", "https", *_BUCKETS)
    private_addresses: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a source's URLs.

    Attributes:
        options: Of the fsspec file system, JSON with sorted keys; secrets in place.
        origins: Such as "https://example.org": those that the user named for this source.
        network: For all sources.
    """

    options: str
    origins: tuple[str, ...]
    network: Network

    @classmethod
    def of(cls, source: Source, network: Network) -> Access:
        """Read the access to a source from its entry in the list of sources."""
        named = [host if is_url(host) else f"https://{host}" for host in source.hosts]
        own = [source.where] if is_url(source.where) else []
        options = json.dumps(dict(source.storage), sort_keys=True, default=str)
        return cls(options, tuple(sorted({origin(url) for url in (*named, *own)})), network)

    def options_for(self, url: str) -> str:
        """The storage options that go to a URL; "{}" where it is not among those they were given for."""
        return self.options if _scheme(url) in _BUCKETS or origin(url) in self.origins else "{}"

    def names_host(self, host: str) -> bool:
        """Whether the user named this host."""
        return any(urlsplit(named).hostname == host.lower() for named in self.origins)

    def refuse(self, url: str) -> None:
        """Refuse a URL that must not be asked.

        Raises:
            DownloadError: With what to do if it shall be asked after all.
        """
        scheme = _scheme(url)
        if scheme not in self.network.schemes:
            allowed = ", ".join(self.network.schemes)
            raise DownloadError(f"{scheme}:// is not allowed: ingest.schemes are {allowed}")
        host = None if scheme in _BUCKETS else urlsplit(url).hostname
        if host is None or self.network.private_addresses or self.names_host(host):
            return
        if (private := private_address(host)) is not None:
            raise DownloadError(
                f"{host} is the private address {private}: name it in `hosts` of the source, "
                "or set ingest.private_addresses"
            )


def origin(url: str) -> str:
    """Scheme, host and port of a URL, without user and password."""
    return f"{_scheme(url)}://{urlsplit(url).netloc.rpartition('@')[2].lower()}"


def is_private(address: str) -> bool:
    """Whether an IP address is none of the public internet: private, loopback, link-local, reserved."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return not (mapped or parsed).is_global or parsed.is_multicast


@functools.lru_cache(maxsize=4096)
def private_address(host: str) -> str | None:
    """A private address that a name leads to, or that it is; None where there is none, or no such name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None  # the connection will say so
    return next((str(entry[4][0]) for entry in found if is_private(str(entry[4][0]))), None)


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()

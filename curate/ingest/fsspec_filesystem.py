"""Any file system that fsspec knows, by URL."""

from __future__ import annotations

import errno
import functools
from collections.abc import Mapping
from typing import Any

from curate.errors import InputError
from curate.extras import require
from curate.ingest.url_access import Access, is_private

_PACKAGES = {"gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs"}


def filesystem(url: str, given: Mapping[str, Any], access: Access) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Args:
        url: Such as "s3://bucket/key" or "https://host/a.jpg".
        given: Options of the fsspec file system, secrets in place.
        access: How long a connection may stand still, where the file system has such a setting; and which
            addresses a name may lead to.

    Raises:
        InputError: Unknown protocol, or options that it does not take.
        MissingExtraError: Its package is not installed.
    """
    protocol = url.partition("://")[0].lower()
    fsspec = require("fsspec", extra="remote")
    settings: dict[str, Any] = {"use_listings_cache": False, **_patience(protocol, access)}
    for name, value in given.items():
        inner = settings.get(name)
        settings[name] = (
            {**inner, **value} if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
        )
    try:
        made = fsspec.filesystem(protocol, **settings)
        if hasattr(made, "retries"):  # s3fs repeats five times by itself
            made.retries = 1
        return made, str(made._strip_protocol(url))
    except ImportError as error:
        package = _PACKAGES.get(protocol)
        advice = f"pip install {package}" if package else "pip install 'curate-vision[remote]'"
        raise InputError(f"{protocol}:// needs a package that is not installed: run {advice}") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{protocol}:// cannot be opened: {' '.join(str(error).split())}") from error


def _patience(protocol: str, access: Access) -> dict[str, Any]:
    """Retries are ours, and counted: the libraries' own are off where they can be."""
    timeout_s = access.network.timeout_s
    if protocol in ("http", "https"):
        aiohttp = require("aiohttp", extra="remote")
        patience = aiohttp.ClientTimeout(total=None, sock_connect=timeout_s, sock_read=timeout_s)
        client = functools.partial(_client, access)
        return {"client_kwargs": {"timeout": patience}, "get_client": client, "skip_instance_cache": True}
    if protocol in ("s3", "s3a"):
        return {
            "config_kwargs": {
                "connect_timeout": timeout_s,
                "read_timeout": timeout_s,
                "retries": {"max_attempts": 1, "mode": "standard"},
            }
        }
    return {}


async def _client(access: Access, **settings: Any) -> Any:
    """A session that connects to addresses that `access` allows, whatever a name led to before."""
    aiohttp = require("aiohttp", extra="remote")

    class Resolver(aiohttp.ThreadedResolver):  # type: ignore[misc, name-defined]
        async def resolve(self, host: str, *args: Any, **options: Any) -> Any:
            found = await super().resolve(host, *args, **options)
            if not (access.network.private_addresses or access.names_host(host)):
                for entry in found:
                    if is_private(entry["host"]):
                        raise OSError(errno.EACCES, f"{host} is the private address {entry['host']}")
            return found

    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Resolver()), **settings)

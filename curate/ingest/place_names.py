"""Names of places: valid text whatever their bytes are, and nothing secret or personal in them."""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, urlsplit, urlunsplit

_POSITIONS = frozenset(
    [
        "lat",
        "latitude",
        "lon",
        "lng",
        "long",
        "longitude",
        "altitude",
        "geo",
        "location",
        "coordinates",
        "position",
    ]
)
_SIGNED = ("sig", "token", "key", "credential", "secret", "expires", "policy", "password", "auth")


def holds_positions(column: str) -> bool:
    """Whether a column or key of this name tells where a picture was taken."""
    plain = column.strip().lower()
    return plain in _POSITIONS or "gps" in plain


def is_url(text: str | bytes) -> bool:
    """Whether this is a URL rather than a path: a scheme of two letters or more, then `://`."""
    plain = os.fsdecode(text) if isinstance(text, bytes) else text
    scheme, found, _ = plain.partition("://")
    return bool(found) and len(scheme) > 1 and scheme.replace("+", "").replace("-", "").isalnum()


def without_secrets(url: str) -> str:
    """A URL as it may stand in tables: no user, no password, no signed query, no fragment.

    A query that holds no signature stays: it may say which picture is meant.
    """
    parts = urlsplit(url)
    signed = any(
        part in name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True) for part in _SIGNED
    )
    host = parts.netloc.rpartition("@")[2]
    if not signed and host == parts.netloc and not parts.fragment:
        return url
    return urlunsplit((parts.scheme, host, parts.path, "" if signed else parts.query, ""))

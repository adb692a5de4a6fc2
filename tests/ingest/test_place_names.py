"""Names: always valid text, never a secret, never a position."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.ingest.place_names import holds_positions, is_url, without_secrets
from curate.system import printable


def test_names_that_are_no_text_become_printable() -> None:
    assert printable(b"caf\xe9.jpg") == r"caf\xe9.jpg"
    assert printable("gr\u00fcn/\u732b.png") == "grün/猫.png"


@given(st.binary(max_size=60))
def test_every_name_becomes_text(name: bytes) -> None:
    printable(name).encode("utf-8")
    if b"\0" not in name:
        assert printable(os.fsdecode(name) or "x")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/a.jpg", "https://host/a.jpg"),
        ("https://host/show?id=3", "https://host/show?id=3"),
        ("https://host/a.jpg?X-Amz-Signature=abc&X-Amz-Expires=60", "https://host/a.jpg"),
        ("https://host/a.jpg?sv=1&sig=abc", "https://host/a.jpg"),
        ("https://jane:pw@host/a.jpg#x", "https://host/a.jpg"),
    ],
)
def test_secrets_do_not_travel(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://b/k", True),
        (b"gs://b/k", True),
        ("C:/a", False),
        ("a/b", False),
        ("://x", False),
        ("c://a", False),
    ],
)
def test_what_a_url_is(text: str | bytes, expected: bool) -> None:
    assert is_url(text) is expected


def test_what_a_position_is() -> None:
    assert all(map(holds_positions, ("Latitude", "GPSInfo", "lon ", "gps_pos")))
    assert not any(map(holds_positions, ("camera", "slat", "longest_side")))

from __future__ import annotations

import pytest

from curate.errors import ReleaseError
from curate.release import changelog
from curate.release.manifest import Manifest
from curate.release.versions import chosen

LAST = Manifest(name="unit", version="0.2.0", digest="d" * 64, images={}, objects={})


def test_auto_follows_the_change_and_a_first_one_is_what_was_asked_for() -> None:
    assert chosen("auto", LAST, "0.3.0") == "0.3.0"
    assert chosen("auto", None, "0.1.0") == "0.1.0"
    assert chosen("1.0.0", None, "0.1.0") == "1.0.0"


def test_a_version_can_be_set_but_never_goes_backwards_nor_names_two_contents() -> None:
    assert chosen("0.2.1", LAST, "0.3.0") == "0.2.1"
    assert chosen("0.10.0", LAST, "0.3.0") == "0.10.0"
    with pytest.raises(
        ReleaseError, match=r"0\.1\.5 goes backwards: 0\.2\.0 was published.*asks for 0\.3\.0"
    ):
        chosen("0.1.5", LAST, "0.3.0")
    with pytest.raises(ReleaseError, match=r"0\.2\.0 was published with another content"):
        chosen("0.2.0", LAST, "0.3.0")


def test_the_changelog_has_the_newest_on_top_and_each_version_once() -> None:
    text = changelog.add("", "0.1.0", "- First.\n")
    text = changelog.add(text, "0.2.0", "- Second,\n- with two lines.\n")
    assert text == "# Changelog\n\n## 0.2.0\n\n- Second,\n- with two lines.\n\n## 0.1.0\n\n- First.\n"
    assert changelog.add(text, "0.2.0", "- Other.").count("## 0.2.0") == 1

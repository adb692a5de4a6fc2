from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from curate.errors import MissingExtraError
from curate.extras import require


def test_an_installed_module_comes_back() -> None:
    assert require("json", extra="none") is json


def test_a_missing_one_names_its_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"run pip install 'curate-vision\[autolabel\]'"):
        require("no_such_package.inner", extra="autolabel")


def test_a_module_that_is_broken_inside_keeps_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_inside.py").write_text("import another_missing_package\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ModuleNotFoundError, match="another_missing_package"):
        require("broken_inside", extra="none")

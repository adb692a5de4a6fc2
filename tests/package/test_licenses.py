"""GPL and AGPL stand only behind extras that say so in pyproject.toml."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def licenses() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licenses", ROOT / "scripts/licenses.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def says_so() -> set[str]:
    """Extras with a comment "# GPL: why" above their line."""
    text = (ROOT / "pyproject.toml").read_text()
    return set(re.findall(r"^# GPL: [^\n]+\n(\w+) = \[", text, re.MULTILINE)) - {"all"}


def test_gpl_stands_only_behind_extras_that_say_so(licenses: ModuleType) -> None:
    found: set[str] = set()
    for name, extras in licenses.table([None, *licenses.extras()]).items():
        if licenses.is_copyleft(licenses.license_of(name)):
            found |= set(extras)
    assert found == says_so()
    assert "core" not in found


def test_the_closure_is_not_empty_and_follows_extras(licenses: ModuleType) -> None:
    core = licenses.closure(None)
    assert {"numpy", "pyarrow", "llvmlite"} <= core
    assert not {"torch", "dvc", "pillow-heif", "fsspec", "datasets"} & core
    assert {"torch", "nvidia-cublas"} & licenses.closure("autolabel")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(licenses.extras()) == set(declared) - {"all"}, "install anew: make install"
    for extra in declared["all"][0].partition("[")[2].rstrip("]").split(","):
        assert extra in declared
    assert set(declared) - {"all"} == set(declared["all"][0].partition("[")[2].rstrip("]").split(","))


@pytest.mark.parametrize(
    ("text", "copyleft"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0-only", True),
        ("GNU General Public License v2 (GPLv2)", True),
        ("GNU Affero General Public License v3", True),
        ("BSD-3-Clause, and in the wheel libx265 (GPL-2.0)", True),
        ("LGPL-2.1-or-later", False),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", False),
        ("EPL-2.0 OR GPL-2.0-or-later", False),
        ("GPL-2.0-only with an exception for linking", False),
        ("MIT", False),
    ],
)
def test_what_counts_as_copyleft(licenses: ModuleType, text: str, copyleft: bool) -> None:
    assert licenses.is_copyleft(text) is copyleft

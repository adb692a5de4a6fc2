"""Machine code is kept for the very code that it was made of, callees in other files included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from curate import compiled, fingerprint

CALLEE = """
from curate.compiled import helper

FACTOR = {factor}

@helper()
def times(x):
    return FACTOR * x + {more}
"""
THROUGH_THE_DOOR = """
from curate.compiled import compiled
from planted.callee import times

@compiled
def kernel(x):
    return times(x)
"""
PLAIN = """
import numba
from planted.callee import times

@numba.njit(cache=True)
def kernel(x):
    return times(x)
"""
PROGRAM = """
from curate import fingerprint
fingerprint.ROOTS += ("planted",)
from planted.kernel import kernel
print(kernel(7), sum(kernel.stats.cache_hits.values()))
"""


def run(folder: Path, kernel: str, *, factor: int = 2, more: int = 0) -> tuple[int, int]:
    """What the kernel gives for 7, and how often its machine code came from the disk."""
    package = folder / "planted"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    (package / "callee.py").write_text(CALLEE.format(factor=factor, more=more))
    (package / "kernel.py").write_text(kernel)
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(fingerprint.__file__).parents[1])]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    result, hits = done.stdout.split()
    return int(result), int(hits)


def test_a_changed_callee_in_another_file_is_seen_with_a_warm_cache(tmp_path: Path) -> None:
    assert run(tmp_path, THROUGH_THE_DOOR) == (14, 0)
    assert run(tmp_path, THROUGH_THE_DOOR) == (14, 1), "the cache is warm"
    assert run(tmp_path, THROUGH_THE_DOOR, more=1) == (15, 0)
    assert run(tmp_path, THROUGH_THE_DOOR, factor=3) == (21, 0), "a constant of another file"


def test_numba_alone_does_not_see_it(tmp_path: Path) -> None:
    """The fault that the door is there for; once numba sees it by itself, the door may go."""
    assert run(tmp_path, PLAIN) == (14, 0)
    assert run(tmp_path, PLAIN, more=1) == (14, 1)


def test_machine_code_that_nobody_used_for_a_month_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled.config, "CACHE_DIR", str(tmp_path))
    old, recent = tmp_path / "compiled" / "curate.a-1", tmp_path / "compiled" / "curate.b-2"
    for folder in (old, recent):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    found = compiled._folder.__wrapped__("curate.intervals")
    assert found is not None
    assert found.is_dir()
    assert not old.exists()
    assert recent.exists()


def test_nothing_is_kept_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(compiled.config, "CACHE_DIR", str(tmp_path / "file"))
    assert compiled._folder.__wrapped__("curate.intervals") is None


def test_foreign_functions_are_compiled_and_not_kept() -> None:
    @compiled.compiled
    def twice(x: int) -> int:
        return 2 * x

    assert twice(21) == 42
    assert compiled._folder(__name__) is None

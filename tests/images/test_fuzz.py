"""Mutated files in a process of their own: no crash, no unknown error, bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "fuzz/run.py"
FILES = 20_000
ADDRESS_SPACE_GIB = 2.0  # beyond the libraries: a codec that takes memory by a header's word fails in it
GROWTH_KIB = 400 * 1024  # resident: the limit of a million pixels, decoded, converted and encoded


@pytest.mark.integration
def test_20000_mutated_files_give_pictures_or_reasons(tmp_path: Path) -> None:
    place = tmp_path / "number"
    done = subprocess.run(
        [sys.executable, str(RUN), "0", str(FILES), str(place), str(ADDRESS_SPACE_GIB)],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    number = place.read_text() if place.exists() else "none: a seed failed"
    assert done.returncode == 0, f"at file {number}: exit {done.returncode}\n{done.stderr[-2000:]}"
    found = json.loads(done.stdout.splitlines()[-1])
    outcomes = found["outcomes"]
    assert sum(outcomes.values()) == FILES
    for reason in ("picture", "corrupt", "truncated", "not_an_image", "too_large", "animated"):
        assert outcomes[reason] > 0, reason
    assert found["peak_kib"] - found["before_kib"] < GROWTH_KIB

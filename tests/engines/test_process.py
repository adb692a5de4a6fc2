"""Workers that begin early have what the main program imported, without importing it themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import functools, sys
from curate.engines import process
from curate.engines.local import LocalEngine
from tests.engines import functions as f
if __name__ == "__main__":
    import curate.geometry.boxes, wave
    if sys.argv[1] == "early":
        process.begin_early()
    setup = functools.partial(f.each, f.is_loaded)
    print(*LocalEngine(2).map_batches(setup, [["curate.geometry.boxes"], ["wave"]], label="x"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no forkserver")
@pytest.mark.parametrize(("when", "loaded"), [("early", True), ("late", False)])
def test_what_the_main_program_imported_is_there(tmp_path: Path, when: str, loaded: bool) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), when],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=60,
    )
    # Only modules of curate: those of others may mind being copied into another process.
    assert done.stdout.strip() == f"[({loaded}, '1')] [(False, '1')]"
    assert not done.stderr

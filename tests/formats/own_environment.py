"""A Python that has a program whose pins are not ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def make(folder: Path, *wanted: str) -> Path:
    """An environment below a folder with some packages; its interpreter."""
    uv = subprocess.run(
        [ROOT / "scripts/uv.sh", sys.executable], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    python = folder / "venv/bin/python"
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, "venv"],
        [uv, "pip", "install", "--quiet", "--python", str(python), *wanted],
    ):
        subprocess.run(command, cwd=folder, check=True)
    return python


def ask(python: Path, program: str, *args: str) -> Any:
    """The JSON that a program prints in its last line."""
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", program, *args], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])

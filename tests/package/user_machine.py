"""A user's machine: an environment that holds the wheel with some extras, and a folder to work in."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Machine:
    """A user's: an environment with the wheel, and a folder to work in."""

    programs: Path
    work: Path

    def environment(self) -> dict[str, str]:
        """Nothing of ours: no PYTHONPATH, no server, the wheel's programs first."""
        ours = ("LABEL_STUDIO_", "PYTHON", "VIRTUAL_ENV", "CURATE_", "DVC_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        server = ROOT / ".venv-labelstudio/bin/label-studio"
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": path, "CURATE_LABEL_STUDIO_BIN": str(server), "DVC_NO_ANALYTICS": "1"}

    def start(self, command: str, *, folder: str) -> subprocess.Popen[bytes]:
        """A command that goes on by itself, until somebody ends it; what it says is lost."""
        return subprocess.Popen(
            shlex.split(command), cwd=self.work / folder, env=self.environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def run(self, command: str, *, folder: str = "signs", expect: int = 0, timeout_s: float = 600) -> str:
        begun = time.monotonic()
        done = subprocess.run(
            shlex.split(command), cwd=self.work / folder, env=self.environment(),
            capture_output=True, text=True, check=False, timeout=timeout_s,
        )  # fmt: skip
        print(f"{command}: {time.monotonic() - begun:.1f} s")  # noqa: T201
        assert done.returncode == expect, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def installed(folder: Path, extras: str) -> Machine:
    """A machine below `folder` with the wheel of this checkout and those extras."""
    uv = subprocess.run(
        [ROOT / "scripts/uv.sh", sys.executable], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    overrides = folder / "overrides.txt"  # as `tool.uv` of pyproject.toml: one OpenCV, not two in one folder
    overrides.write_text("opencv-python ; python_version < '3'\n")
    for command in (
        [uv, "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)],
        [uv, "venv", "--quiet", "--python", sys.executable, "venv"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    (wheel,) = folder.glob("curate_vision-*.whl")
    install = [uv, "pip", "install", "--quiet", "--python", "venv/bin/python", "--override", str(overrides)]
    subprocess.run([*install, f"{wheel}[{extras}]"], cwd=folder, check=True)
    made = Machine(folder / "venv/bin", folder / "work")
    made.work.mkdir()
    return made

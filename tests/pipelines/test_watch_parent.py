"""A stage ends when the DVC that started it does, whether or not a shell stands between; else it goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

STAGE = """
import sys, time
from pathlib import Path
from curate_pipelines import watch_parent
watch_parent.end_with_dvc("ingest")
Path(sys.argv[1]).write_text("began")
time.sleep(60)
"""
# A program that runs a command in a shell, as DVC does, and waits for it.
STARTER = "import subprocess, sys; subprocess.run(sys.argv[1], shell=True, check=False)"


def started(
    tmp_path: Path, prefix: str, **environment: str
) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    stage, mark = tmp_path / "stage.py", tmp_path / "mark"
    stage.write_text(STAGE)
    command = f"{prefix}{sys.executable} {stage} {mark}"
    inherited = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"}
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, command],
        env={**inherited, **environment, "PYTHONPATH": str(Path(__file__).parents[2] / "pipelines")},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return starter, psutil.Process(starter.pid).children(recursive=True)


@pytest.mark.parametrize("prefix", ["exec ", "true && "], ids=["the stage itself", "a shell between"])
def test_a_stage_ends_with_dvc(tmp_path: Path, prefix: str) -> None:
    starter, below = started(tmp_path, prefix, DVC_STAGE="ingest")
    assert len(below) == (1 if prefix == "exec " else 2)
    stage = below[-1]
    with starter:
        starter.kill()
        assert starter.wait(10) != 0
        assert not psutil.wait_procs([stage], timeout=10)[1]
        assert starter.stderr is not None
        assert "ingest: dvc ended before its stage" in starter.stderr.read()


def test_a_stage_that_was_not_started_by_dvc_outlives_its_starter(tmp_path: Path) -> None:
    starter, (stage,) = started(tmp_path, "exec ")
    with starter:
        starter.kill()
        assert psutil.wait_procs([stage], timeout=2)[1] == [stage]
        stage.kill()

"""Files that an interrupt tore are named with their remedy; DVC itself is asked whether it would refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curate import dvc_files
from curate.errors import InputError

WHOLE = {
    dvc_files.LOCKS: json.dumps({"write": {"data": {"pid": 1, "cmd": "dvc repro"}}, "read": {}}),
    dvc_files.LOCKED: "schema: '2.0'\nstages:\n  a:\n    cmd: echo 'hi'\n",
}


def written(root: Path, path: Path, content: str) -> Path:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content, encoding="utf-8")
    return root


def test_a_project_without_them_or_with_whole_ones_is_fine(tmp_path: Path) -> None:
    dvc_files.check(tmp_path)
    for path, content in WHOLE.items():
        written(tmp_path, path, content)
    dvc_files.check(tmp_path)


@pytest.mark.parametrize(
    ("path", "content", "remedy"),
    [
        (dvc_files.LOCKS, WHOLE[dvc_files.LOCKS][:20], r"no dvc runs here, then `rm \.dvc/tmp/rwlock`"),
        (dvc_files.LOCKS, "", r"`rm \.dvc/tmp/rwlock`"),
        (dvc_files.LOCKED, "stages:\n  a:\n    cmd: x\n    outs:\n    - pat", r"`git checkout dvc\.lock`"),
        (dvc_files.LOCKED, "stages:\n  a:\n    cmd: x\n  b", r"`git checkout dvc\.lock`"),
        (dvc_files.LOCKED, "", r"`git checkout dvc\.lock`"),
    ],
)
def test_a_torn_file_is_named_with_its_remedy(tmp_path: Path, path: Path, content: str, remedy: str) -> None:
    with pytest.raises(InputError, match=rf"{path.name} is torn.*{remedy}.*, and run `dvc repro` again"):
        dvc_files.check(written(tmp_path, path, content))


@pytest.mark.integration
def test_dvc_refuses_what_is_called_torn_and_runs_after_the_remedy(tmp_path: Path) -> None:
    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    dvc = (sys.executable, "-m", "dvc")
    assert run("git", "init", "-q").returncode == 0
    assert run(*dvc, "init", "-q").returncode == 0
    (tmp_path / "params.yaml").touch()
    (tmp_path / "dvc.yaml").write_text("stages:\n  a:\n    cmd: echo hi > out\n    outs: [out]\n")
    assert run(*dvc, "repro").returncode == 0
    assert run("git", "add", ".").returncode == 0
    author = ("-c", "user.name=x", "-c", "user.email=x@demo.invalid")
    assert run("git", *author, "commit", "-qm", "all").returncode == 0
    written(
        tmp_path,
        dvc_files.LOCKED,
        "schema: '2.0'\nstages:\n  a:\n    cmd: echo hi > out\n    outs:\n    - pat",
    )
    written(tmp_path, dvc_files.LOCKS, '{"write": {"da')
    remedies = []
    while run(*dvc, "repro", "--force").returncode:
        told = run(sys.executable, "-c", "from curate.cli import main; main()", "params", "check")
        assert told.returncode == 1
        remedies.append(told.stderr.partition("`")[2].partition("`")[0])
        assert run(*remedies[-1].split()).returncode == 0, told.stderr
    assert sorted(remedies) == ["git checkout dvc.lock", "rm .dvc/tmp/rwlock"]

"""The peers, each in an environment of its own below .cache/peers: their pins contradict each other and ours.

What is installed stands in `peer_runners/<peer>.txt`, with torch and NumPy as in requirements.lock where the
peer allows it, so that uv links them from its cache.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import process_cost
from benchmarks.process_cost import Cost, FailedRunError
from benchmarks.result import ROOT

RUNNERS = Path(__file__).parent / "peer_runners"
HOME = ROOT / ".cache/peers"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer said.

    Attributes:
        peer: Package and version.
        pairs: Names of two files and their distance in the peer's own unit.
        cost: Of the whole program.
    """

    peer: str
    pairs: list[tuple[str, str, float]]
    cost: Cost


def interpreter(peer: str) -> Path:
    """The Python of a peer's environment, made if it is missing or its list of packages has changed.

    Raises:
        FailedRunError: It cannot be installed here; the message says why.
    """
    wanted = RUNNERS / f"{peer}.txt"
    home = HOME / peer
    python, mark = home / "bin/python", home / "installed"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text(encoding="ascii") == digest:
        return python
    found = subprocess.run(
        ["scripts/uv.sh", sys.executable], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if found.returncode != 0:
        raise FailedRunError(f"no uv: {found.stderr.strip()}")
    uv = found.stdout.strip()
    process_cost.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)])
    process_cost.run(
        [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--python", str(python), str(wanted)]
    )
    mark.write_text(digest, encoding="ascii")
    return python


def ask(peer: str, folder: Path, distance: float, *, timeout_s: float = 600) -> Answer:
    """Let a peer find the pairs of a folder of images that are at most `distance` apart.

    Raises:
        FailedRunError: It cannot be installed or run.
    """
    python = interpreter(peer)
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "answer.json"
        script = RUNNERS / f"run_{peer}.py"
        command = [str(python), str(script), str(folder), str(distance), str(target)]
        cost = process_cost.run(command, timeout_s=timeout_s)
        content = json.loads(target.read_text(encoding="utf-8"))
    pairs = [(first, second, apart) for first, second, apart in content["pairs"]]
    return Answer(f"{content['package']} {content['version']}", pairs, cost)

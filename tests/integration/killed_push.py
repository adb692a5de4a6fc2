"""A push in a process of its own that is killed at a chosen request."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from pathlib import Path

from curate.ports import ProjectRef, TaskDraft

# After this many requests of a method to an address the server has done it, and nobody will know.
DYING = """
import os, pickle, signal, sys
from pathlib import Path
from curate.adapters.labelstudio import client, connection

request, (method, part), left = client.Client._request, sys.argv[1].split(), int(sys.argv[2])

def dying(self, sent, path, **rest):
    global left
    answer = request(self, sent, path, **rest)
    left -= sent == method and part in path
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

client.Client._request = dying
"""
KILLED_PUSH = f"""{DYING}
from curate.adapters.labelstudio.tool import LabelStudioTool
reference, drafts = pickle.load(sys.stdin.buffer)
LabelStudioTool(connection.resolve(Path()), batch_size=1).push_tasks(reference, drafts)
"""


def push_and_die(root: Path, reference: ProjectRef, drafts: list[TaskDraft], deadly: str, after: int) -> None:
    """Push in a process that is killed right after the server has applied a chosen request."""
    command = [sys.executable, "-c", KILLED_PUSH, deadly, str(after)]
    done = subprocess.run(
        command, cwd=root, input=pickle.dumps((reference, drafts)), check=False, timeout=120
    )
    assert done.returncode == -signal.SIGKILL

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks import process_cost

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from /proc"
)

_CHILDREN = """
import subprocess, sys
hold = "import time; a = bytearray(b'x') * (64 << 20); time.sleep(1.5)"
both = [subprocess.Popen([sys.executable, "-c", hold]) for _ in range(2)]
[child.wait() for child in both]
"""


def test_memory_is_that_of_the_whole_tree() -> None:
    cost = process_cost.run([sys.executable, "-c", _CHILDREN])
    assert 128 << 20 < cost.peak_own_bytes < 256 << 20
    assert cost.peak_bytes >= cost.peak_own_bytes
    assert cost.wall_s > 1


def test_processor_time_counts_children_nobody_waited_for() -> None:
    burn = "import time; end = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    start = f"import os, subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {burn!r}])"
    assert process_cost.run([sys.executable, "-c", f"{start}; time.sleep(4); os._exit(0)"]).cpu_s > 0.5


def test_a_failure_holds_the_last_words() -> None:
    with pytest.raises(process_cost.FailedRunError, match=r"exit code 3: .*no such thing"):
        process_cost.run([sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"])
    with pytest.raises(process_cost.FailedRunError, match="cannot be started"):
        process_cost.run(["/nowhere/program"])


def test_a_time_out_ends_the_whole_tree(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    child = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(process_cost.FailedRunError):
        process_cost.run([sys.executable, "-c", parent], timeout_s=8)
    pid = int(mark.read_text())
    for _ in range(50):
        if not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text():
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} still runs")


def test_a_function_runs_in_another_process() -> None:
    cost, said = process_cost.call(process_cost._sizes, pid=os.getpid())
    assert said[0] > 1 << 20
    assert cost.wall_s > 0
    with pytest.raises(process_cost.FailedRunError, match="unexpected keyword"):
        process_cost.call(process_cost._sizes, nothing=1)

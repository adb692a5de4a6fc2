"""Which worker has which GPU and how many threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from curate import system

_GIB = 1 << 30
_OF_A_WORKER = 6 * _GIB  # the public models with one image of 800 x 1333 pixels, and room
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def environments(
    device: str, workers: int, *, gpus: Sequence[str], cores: int, memory: int
) -> list[dict[str, str]]:
    """The environment of each worker that holds models.

    With GPUs, one worker each, or `workers` spread over them in turn. Otherwise one per core, as far as
    memory goes: two processes of one thread get more out of two cores than one process of two threads, and
    one thread always sums in the same order.

    Args:
        device: auto, cpu, cuda or mps.
        workers: Processes; 0 = as above.
        gpus: Their names, as CUDA_VISIBLE_DEVICES takes them.
        cores: Cores that may be used.
        memory: Bytes that may be used.
    """
    if device == "mps":
        number = workers or 1
    elif device in {"auto", "cuda"} and gpus:
        number = workers or len(gpus)
    else:
        number = workers or max(1, min(cores, memory // _OF_A_WORKER))
    threads = dict.fromkeys(_THREADS, str(max(1, cores // number)))
    if device in {"auto", "cuda"} and gpus:
        return [{**threads, "CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} for place in range(number)]
    return [dict(threads) for _ in range(number)]


def of_this_machine(device: str, workers: int) -> list[dict[str, str]]:
    """Environments of workers for the GPUs, cores and memory of this machine."""
    gpus = visible_gpus() if device in {"auto", "cuda"} else []
    return environments(device, workers, gpus=gpus, cores=system.cores(), memory=system.memory_bytes())


def visible_gpus() -> list[str]:
    """The GPUs that CUDA may use, as CUDA_VISIBLE_DEVICES would name them."""
    if not any(Path("/dev").glob("nvidia[0-9]*")) and not any(
        Path(path).exists() for path in ("/dev/kfd", "/dev/dxg")
    ):
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    # In a process of its own: this one shall neither hold torch nor a context of CUDA.
    program = "import torch; print(torch.cuda.device_count())"
    asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    number = int(asked.stdout) if asked.stdout.strip().isdigit() else 0
    names = chosen.split(",") if chosen else [str(index) for index in range(number)]
    return [name.strip() for name in names[:number]]

"""One worker a GPU, threads shared; the machine's GPUs are handed in."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import pytest

from curate.engines.local import LocalEngine
from curate.engines.placement import environments, of_this_machine

GIB = 1 << 30


def gpus_of(device: str, workers: int, gpus: Sequence[str]) -> list[str | None]:
    values = environments(device, workers, gpus=gpus, cores=8, memory=64 * GIB)
    return [entry.get("CUDA_VISIBLE_DEVICES") for entry in values]


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_each_gpu_has_a_worker(device: str) -> None:
    assert gpus_of(device, 0, ["0", "1", "2"]) == ["0", "1", "2"]
    assert gpus_of(device, 0, ["3", "GPU-5a"]) == ["3", "GPU-5a"]
    assert gpus_of(device, 5, ["0", "1"]) == ["0", "1", "0", "1", "0"]
    assert gpus_of(device, 1, ["0", "1"]) == ["0"]


def test_other_devices_see_no_gpu() -> None:
    assert gpus_of("cpu", 0, ["0", "1"]) == [None] * 8
    assert gpus_of("mps", 0, []) == [None]
    assert gpus_of("cuda", 2, []) == [None] * 2  # the models then say that there is none


@pytest.mark.parametrize(
    ("workers", "cores", "memory_gib", "number", "threads"),
    [(0, 8, 64, 8, "1"), (0, 8, 20, 3, "2"), (0, 2, 4, 1, "2"), (4, 2, 4, 4, "1"), (2, 9, 4, 2, "4")],
)
def test_cores_are_shared_as_memory_allows(
    workers: int, cores: int, memory_gib: int, number: int, threads: str
) -> None:
    values = environments("cpu", workers, gpus=(), cores=cores, memory=memory_gib * GIB)
    assert len(values) == number
    assert {entry["OMP_NUM_THREADS"] for entry in values} == {threads}


def test_this_machine_has_a_worker() -> None:
    assert len(of_this_machine("cpu", 0)) >= 1


def seen(items: Sequence[int]) -> list[tuple[str | None, str | None]]:
    return [(os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("OMP_NUM_THREADS")) for _ in items]


def setup() -> Callable[[Sequence[int]], list[tuple[str | None, str | None]]]:
    return seen


def test_a_worker_lives_in_its_environment() -> None:
    places = environments("cuda", 0, gpus=["4", "7"], cores=6, memory=0)
    batches = LocalEngine(environments=places).map_batches(setup, [[n] for n in range(40)], label="t")
    found = {pair for batch in batches for pair in batch}
    assert found
    assert found <= {("4", "3"), ("7", "3")}

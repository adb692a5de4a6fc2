"""The number of images of a forward pass: fixed, found, backed off."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from curate.errors import DeviceMemoryError
from curate.labeling.run.batching import BatchSize


class Device:
    """Takes so long for a batch, and holds so many images at most."""

    def __init__(self, seconds: Callable[[int], float], holds: int = 10_000) -> None:
        self.now, self.sizes = 0.0, list[int]()
        self._seconds, self._holds = seconds, holds

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.sizes.append(len(items))
        if len(items) > self._holds:
            raise DeviceMemoryError("too many")
        self.now += self._seconds(len(items))
        return [item * item for item in items]

    def clock(self) -> float:
        return self.now


def run(device: Device, wanted: int, items: int, *, on_gpu: bool = True) -> BatchSize:
    batch = BatchSize(wanted, on_gpu=on_gpu, clock=device.clock)
    assert batch.run(device, range(items)) == [item * item for item in range(items)]
    return batch


@pytest.mark.parametrize("on_gpu", [True, False])
def test_a_fixed_number_stays(on_gpu: bool) -> None:
    device = Device(lambda _: 1.0)
    assert run(device, 3, 20, on_gpu=on_gpu).size == 3
    assert device.sizes == [3] * 6 + [2]


def test_a_processor_takes_one_at_a_time() -> None:
    assert run(Device(lambda _: 1.0), 0, 20, on_gpu=False).size == 1


def test_it_grows_while_an_image_gets_cheaper() -> None:
    device = Device(lambda n: 1.0 + 0.1 * n if n <= 32 else 0.2 * n)
    assert run(device, 0, 2_000).size == 32
    assert max(device.sizes) == 64


def test_it_does_not_grow_without_need() -> None:
    device = Device(lambda n: 0.1 * n)
    assert run(device, 0, 1_000).size == 4
    assert max(device.sizes) == 8


def test_it_never_grows_for_ever() -> None:
    assert run(Device(lambda _: 1.0), 0, 10_000).size == 256


@pytest.mark.parametrize("holds", [1, 2, 5, 100])
@pytest.mark.parametrize("wanted", [0, 1, 64])
def test_too_little_memory_halves_it_for_good(holds: int, wanted: int) -> None:
    device = Device(lambda _: 1.0, holds)
    batch = run(device, wanted, 1_000)
    assert 1 <= batch.size <= holds
    failed = [size for size in device.sizes if size > holds]
    assert failed == sorted(set(failed), reverse=True)  # no size is tried twice


def test_one_that_does_not_fit_alone_is_told_in_its_place() -> None:
    def function(items: Sequence[int]) -> list[int]:
        if 5 in items:
            raise DeviceMemoryError("too large")
        return list(items)

    results = BatchSize(8, on_gpu=True).run(function, range(10))
    assert isinstance(results[5], DeviceMemoryError)
    assert results[:5] + results[6:] == [0, 1, 2, 3, 4, 6, 7, 8, 9]

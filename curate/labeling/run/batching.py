"""How many images one forward pass takes: fixed, or found by trying; less where memory runs out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from curate.errors import DeviceMemoryError

Item = TypeVar("Item")
Result = TypeVar("Result")

_FIRST = 4  # images, where the number is to be found
_LARGEST = 256
_WORTH = 0.97  # a larger batch must take less than this share of the time per image


class BatchSize:
    """The number of images of the next forward pass.

    Where it is found automatically it doubles on a GPU for as long as an image gets cheaper. Out of memory
    halves it, and it never grows again.
    """

    def __init__(self, wanted: int, *, on_gpu: bool, clock: Callable[[], float] = time.perf_counter) -> None:
        """Begin.

        Args:
            wanted: Images; 0 = found automatically.
            on_gpu: Whether larger batches may be much faster. A processor takes one image at a time, so that
                what is found in it depends on nothing else (docs/autolabel.md has the figures).
            clock: Seconds.
        """
        self.size = wanted or (_FIRST if on_gpu else 1)
        self._grows = wanted == 0 and on_gpu
        self._clock = clock
        self._warm = False
        self._before: float | None = None  # seconds per image at half the size

    def run(
        self, function: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]
    ) -> list[Result | DeviceMemoryError]:
        """The function over the items, in batches of this size at most.

        Returns:
            One result per item; the error in the place of one that does not even fit alone.
        """
        results: list[Result | DeviceMemoryError] = []
        while len(results) < len(items):
            part = items[len(results) : len(results) + self.size]
            began = self._clock()
            try:
                results += function(part)
            except DeviceMemoryError as error:
                self._grows = False
                if len(part) == 1:
                    results.append(error)
                else:
                    self.size = len(part) // 2
                continue
            if self._grows and len(part) == self.size:
                self._learn((self._clock() - began) / len(part))
        return results

    def _learn(self, seconds: float) -> None:
        """A whole batch took so long per image; the first of a size warms kernels up and is not counted."""
        if not self._warm:
            self._warm = True
            return
        if self._before is not None and seconds > _WORTH * self._before:
            self._grows = False
            self.size //= 2
        elif self.size >= _LARGEST:
            self._grows = False
        else:
            self._before, self._warm = seconds, False
            self.size *= 2

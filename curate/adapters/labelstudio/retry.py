"""Trying again: after a fault nobody knows what the server did, so whatever is tried must ask it first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from curate.adapters.labelstudio.client import TransientError

Result = TypeVar("Result")
Sleep = Callable[[float], None]
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
PATIENCE_S = 120.0  # of pauses in a row without any success: a server restarts within that
LONGEST_ASKED_S = 600.0  # a server that asks to wait longer than that gets no answer but an error


class Pauses:
    """Growing pauses between attempts; a success starts them anew."""

    def __init__(self, *, patience_s: float = PATIENCE_S, sleep: Sleep = time.sleep) -> None:
        self._sleep, self._patience_s = sleep, patience_s
        self.succeeded()

    def succeeded(self) -> None:
        """What comes next gets the whole patience."""
        self._pause, self._left = _FIRST_PAUSE_S, self._patience_s

    def wait(self, error: TransientError) -> None:
        """Pause, for as long as the server asked if it did.

        Raises:
            TransientError: `error`, if patience is over or the server asks for too much of it.
        """
        asked = error.retry_after_s or 0.0
        if self._left <= 0 or asked > LONGEST_ASKED_S:
            raise error
        self._sleep(max(self._pause, asked))
        self._left -= self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_S)


def until_done(action: Callable[[], Result], *, sleep: Sleep = time.sleep) -> Result:
    """Call `action`, which asks the server what exists before it changes anything, until it succeeds.

    Raises:
        TransientError: Nothing listens there at the first call, or patience is over.
    """
    pauses, first = Pauses(sleep=sleep), True
    while True:
        try:
            return action()
        except TransientError as error:
            if error.unreachable and first:
                raise
            first = False
            pauses.wait(error)

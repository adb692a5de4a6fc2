"""Trying again: after a fault nobody knows what the server did, so whatever is tried must ask it first.

Every request to the server follows the same rule. What only reads is asked again where it stands. What
changes something is not: whoever sent it looks at the server first, and then decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from curate.errors import AnnotationToolError

Result = TypeVar("Result")
Sleep = Callable[[float], None]
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
PATIENCE_S = 120.0  # of pauses in a row without any success: a server restarts within that
LONGEST_ASKED_S = 600.0  # a server that asks to wait longer than that gets no answer but an error


class TransientError(AnnotationToolError):
    """The server may be fine in a moment, and may or may not have done what it was asked.

    Attributes:
        retry_after_s: Seconds that the server asked to wait; None if it did not say.
        unreachable: Nothing listens there at all: nothing was done.
    """

    retry_after_s: float | None = None
    unreachable = False


class Pauses:
    """Growing pauses between attempts; a success starts them anew."""

    def __init__(self, *, patience_s: float = PATIENCE_S, sleep: Sleep = time.sleep) -> None:
        self._sleep, self._patience_s = sleep, patience_s
        self.reached = False  # a server that was never there is not waited for
        self._start()

    def succeeded(self) -> None:
        """What comes next gets the whole patience."""
        self.reached = True
        self._start()

    def _start(self) -> None:
        self._pause, self._left = _FIRST_PAUSE_S, self._patience_s

    def wait(self, error: TransientError) -> None:
        """Pause, for as long as the server asked if it did.

        Raises:
            AnnotationToolError: What `error` says, for good: patience is over, the server asks for too much
                of it, or nothing ever listened there.
        """
        asked = error.retry_after_s or 0.0
        if self._left <= 0 or asked > LONGEST_ASKED_S or (error.unreachable and not self.reached):
            raise AnnotationToolError(str(error)) from None
        self._sleep(max(self._pause, asked))
        self._left -= self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_S)

    def until_done(self, action: Callable[[], Result]) -> Result:
        """Call `action`, which asks the server what exists before it changes anything, until it succeeds.

        Raises:
            AnnotationToolError: As `wait` does.
        """
        while True:
            try:
                return action()
            except TransientError as error:
                self.wait(error)

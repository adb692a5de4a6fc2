"""Calls to the Hugging Face Hub: repeated where it is busy, and in one line where it refuses."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from curate.errors import HubError
from curate.extras import require

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, STALE, BUSY = 401, 403, 404, 409, 412, 429
_AGAIN: Final = frozenset({BUSY, 500, 502, 503, 504})
_WAITS_S: Final = (1.0, 4.0, 16.0)  # before the second, third and fourth try, if the Hub does not say
_MAX_WAIT_S: Final = 300.0  # that the Hub may ask us to wait
_LOGIN = "log in with `hf auth login`, or set HF_TOKEN to a token that may write"
_Answer = TypeVar("_Answer")


class StaleError(HubError):
    """Somebody else committed since the repository was looked at."""


class Calls:
    """Makes calls for one repository.

    A call that the Hub answers with 429 or 5xx, or whose connection breaks, is made again, four times in all.
    """

    def __init__(self, repo: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """`repo`: for messages; `sleep`: takes seconds."""
        self._errors = require("huggingface_hub.errors", extra="hub")
        self._repo = repo
        self._sleep = sleep

    def make(self, action: str, call: Callable[[], _Answer]) -> _Answer:
        """Make a call, again where the Hub asks for it, and return its answer.

        Args:
            action: What it does, for messages: "cannot <action>".
            call: May be made several times.

        Raises:
            StaleError: Somebody else committed in the meantime.
            HubError: The Hub refuses, or does not answer.
        """
        for wait in _WAITS_S:
            try:
                with self._translated(action):
                    return call()
            except _BusyError as error:
                self._sleep(wait if error.after_s is None else min(error.after_s, _MAX_WAIT_S))
        with self._translated(action):
            return call()

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except self.foreign_errors() as outer:
            error = _reason_of(outer)
            status = _status(error)
            line = f"{self._repo}: cannot {action}: {self._reason(error)}"
            if status == STALE:
                raise StaleError(line) from error
            if status in _AGAIN or (status is None and self._is_broken(error)):
                raise _BusyError(line, _retry_after(error)) from error
            raise HubError(line) from error

    def foreign_errors(self) -> tuple[type[BaseException], ...]:
        """What the library lets through: its own errors, and those of its HTTP client (two, by version)."""
        # ValueError: a name or a card that the Hub's rules refuse; RuntimeError: an upload that failed
        errors = self._errors
        own = (errors.HfHubHTTPError, errors.LocalTokenNotFoundError, errors.LocalEntryNotFoundError)
        return (*own, *self._client_errors(), ConnectionError, TimeoutError, ValueError, RuntimeError)

    def _client_errors(self) -> tuple[type[BaseException], ...]:
        clients = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name) is not None]
        return tuple(importlib.import_module(name).HTTPError for name in clients)

    def _is_broken(self, error: BaseException) -> bool:
        if isinstance(error, self._errors.OfflineModeIsEnabled):  # which asking again does not change
            return False
        missed = self._errors.LocalEntryNotFoundError  # a download that could not begin
        return isinstance(error, (ConnectionError, TimeoutError, missed, *self._client_errors()))

    def _reason(self, error: BaseException) -> str:
        status = _status(error)
        if isinstance(error, self._errors.LocalTokenNotFoundError):
            return _LOGIN
        if isinstance(error, self._errors.GatedRepoError):
            return "it is gated: ask for access on its page, with the account that the token belongs to"
        if isinstance(error, self._errors.HFValidationError):
            return f"publish.repo = {self._repo!r} is not owner/name"
        if isinstance(error, ValueError) and status is None:
            return f"it is refused: {' '.join(str(error).split())}"
        if status is None:
            return f"the Hub does not answer ({type(error).__name__}): check the network and HF_ENDPOINT"
        known = {
            UNAUTHORIZED: f"the Hub does not accept the token: {_LOGIN}",
            FORBIDDEN: f"the token may not write there: {_LOGIN}",
            NOT_FOUND: "it is not there, or the token may not see it: check publish.repo",
            CONFLICT: "it is there already with another target: set release.version: auto, or raise it",
            STALE: "somebody else committed in the meantime: publish again",
        }
        return known.get(status, f"the Hub answers HTTP {status}: try again later")


class _BusyError(HubError):
    """The Hub may do it another time."""

    def __init__(self, line: str, after_s: float | None) -> None:
        super().__init__(line)
        self.after_s = after_s


def _reason_of(error: BaseException) -> BaseException:
    """What stands behind the library's own errors of uploads and downloads that failed."""
    while error.__cause__ is not None and (
        isinstance(error, RuntimeError) or str(error).startswith("Force download failed")
    ):
        error = error.__cause__
    return error


def _status(error: BaseException) -> int | None:
    response: Any = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def _retry_after(error: BaseException) -> float | None:
    response: Any = getattr(error, "response", None)
    try:
        return None if response is None else float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None

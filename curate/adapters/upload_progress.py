"""What publishing says: how far an upload is, in bytes, one line per minute where no terminal shows bars."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

SAY_EVERY_S: Final = 60.0


def to_stderr(line: str) -> None:
    """Print a line of the stage publish for the user."""
    print(f"publish: {line}", file=sys.stderr)  # noqa: T201


class UploadProgress:
    """Counts bytes, and says their number now and then until the block ends."""

    def __init__(
        self, what: str, total: int, *, say: Callable[[str], None], every_s: float = SAY_EVERY_S
    ) -> None:
        """Begin; nothing is said yet.

        Args:
            what: Stands before each line.
            total: Bytes of all files.
            say: Takes a line.
            every_s: Seconds between two lines.
        """
        self._what, self._total, self._say, self._every_s = what, total, say, every_s
        self._arrived, self._under_way = 0, 0
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._talk, name="upload progress", daemon=True)

    def __enter__(self) -> UploadProgress:
        """Begin to say lines."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; nothing is said any more."""
        self._done.set()
        self._thread.join()

    def arrived(self, size: int) -> None:
        """Count whole files; what was under way is among them."""
        with self._lock:
            self._arrived += size
            self._under_way = 0

    def addition(self, base: Any, name: str, path: str) -> Any:
        """An operation of the Hub's library that adds a file, and counts what is read of it to be sent.

        The library's other way, Xet, reads files itself: then they count when they have arrived.

        Args:
            base: The class `huggingface_hub.CommitOperationAdd`.
            name: In the repository.
            path: Of the file.
        """
        progress = self

        class Counted(base):  # type: ignore[misc]
            @contextmanager
            def as_file(self, with_tqdm: bool = False) -> Iterator[Any]:
                with super().as_file(with_tqdm=with_tqdm) as file:
                    read = file.read

                    def counted(size: int | None = -1) -> bytes:
                        data: bytes = read(size)
                        progress._count(len(data))
                        return data

                    file.read = counted  # as the library does for its bars
                    yield file

        return Counted(path_in_repo=name, path_or_fileobj=path)

    def _count(self, size: int) -> None:
        with self._lock:
            self._under_way += size

    def _talk(self) -> None:
        while not self._done.wait(self._every_s):
            with self._lock:
                sent = min(self._arrived + self._under_way, self._total)
            self._say(f"{self._what}: {sent / 1e6:,.1f} of {self._total / 1e6:,.1f} MB")

"""Lists in JSON files, read entry by entry: memory holds one of them, and lines are known.

The standard library's parser reads each entry; only the way from one to the next is found here.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import InputError

_BLOCK = 1 << 22  # characters
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """A value in a file.

    Attributes:
        key: In the outermost object; empty in an outermost list.
        value: The value itself.
        line: From 1.
        start: Its first byte in the file.
        end: The byte after its last.
    """

    key: str
    value: Any
    line: int
    start: int = 0
    end: int = 0


class _Text:
    """A file's text with a window that moves forward."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            self._bytes = 3 if file.read(3) == codecs.BOM_UTF8 else 0
        self._file = path.open(encoding="utf-8-sig", newline="")
        self._decoder = json.JSONDecoder()
        self.window, self.at, self._line, self._counted = "", 0, 1, 0
        self._ended = False

    def close(self) -> None:
        self._file.close()

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            at, window = self.at, self.window
            while at < len(window) and window[at] in _SPACE:
                at += 1
            self.at = at
            if self.at < len(self.window) or not self._more():
                return self.window[self.at : self.at + 1]

    def take(self, expected: str) -> str:
        found = self.peek()
        if not found or found not in expected:
            raise self.damaged(f"expected {' or '.join(expected)}, got {found or 'the end'!r}")
        self.at += 1
        return found

    def value(self, key: str = "") -> Entry:
        """The next value."""
        self.peek()
        line, start = self._position()
        while True:
            try:
                value, end = self._decoder.raw_decode(self.window, self.at)
            except json.JSONDecodeError as error:
                if self._more():
                    continue
                raise self.damaged(error.msg) from error
            except ValueError as error:
                raise self.damaged("a number has thousands of digits") from error
            if end == len(self.window) and self._more():
                continue  # a number may go on
            self.at = end
            return Entry(key, value, line, start, self._position()[1])

    def damaged(self, what: str) -> InputError:
        return InputError(f"{self._path}:{self._position()[0]} is no JSON: {what}")

    def _position(self) -> tuple[int, int]:
        """Line and byte in the file."""
        passed = self.window[self._counted : self.at]
        self._line += passed.count("\n")
        self._bytes += len(passed) if passed.isascii() else len(passed.encode())
        self._counted = self.at
        return self._line, self._bytes

    def _more(self) -> bool:
        if self._ended:
            return False
        self._position()
        block = self._file.read(max(_BLOCK, len(self.window) - self.at))
        self.window, self.at, self._counted = self.window[self.at :] + block, 0, 0
        self._ended = not block
        return not self._ended


def entries(path: Path, lists: frozenset[str] = frozenset()) -> Iterator[Entry]:
    r"""The entries of a file's outermost list or object.

    Args:
        path: UTF-8, with or without a mark.
        lists: Keys of the outermost object whose lists are given entry by entry; others come whole. A list
            that is outermost itself is always given by entries.

    Raises:
        InputError: Missing, not UTF-8 or not JSON; with the line.

    Examples:
        >>> _ = Path("labels.json").write_text('{"info": {"year": 1}, "images": [{"id": 1},\n {"id": 2}]}')
        >>> [(e.key, e.value, e.line) for e in entries(Path("labels.json"), frozenset({"images"}))]
        [('info', {'year': 1}, 1), ('images', {'id': 1}, 1), ('images', {'id': 2}, 2)]
    """
    try:
        text = _Text(path)
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder: name one of the JSON files in it") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    try:
        yield from _list(text, "") if text.peek() == "[" else _object(text, lists)
        if text.peek():
            raise text.damaged("something follows the end")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error.reason}: save it as UTF-8") from error
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply to be labels") from error
    finally:
        text.close()


def whole(path: Path) -> Any:
    """A small file's value.

    Raises:
        InputError: Missing, not UTF-8 or not JSON; with the line.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno} is no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no UTF-8 JSON: {error}") from error


def _list(text: _Text, key: str) -> Iterator[Entry]:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.value(key)
        if text.take(",]") == "]":
            return


def _object(text: _Text, lists: frozenset[str]) -> Iterator[Entry]:
    text.take("{")
    if text.peek() == "}":
        text.take("}")
        return
    while True:
        key = text.value().value
        if not isinstance(key, str):
            raise text.damaged("expected a key")
        text.take(":")
        if key in lists and text.peek() == "[":
            yield from _list(text, key)
        else:
            yield text.value(key)
        if text.take(",}") == "}":
            return

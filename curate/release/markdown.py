"""Markdown of the card: tables, and texts of users and sources that must not be read as Markdown or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~$])")


def escaped(text: str) -> str:
    r"""The text as it stands, on one line, whatever characters it has.

    Examples:
        >>> print(escaped('<b>[a](b)|'))
        \<b\>\[a\](b)\|
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()).replace("&", "&amp;"))


def code(text: str) -> str:
    """The text as code, in a table too."""
    return f"`{' '.join(text.split()).replace('`', chr(39)).replace('|', chr(92) + '|')}`"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers get separators, texts are Markdown already."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
